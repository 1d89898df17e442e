"""Which method a filtering takes: the only place that decides.

Times are estimated from the numbers of the problem with constants measured by
``python benchmarks/calibrate.py``, which prints them anew for the machine that it runs on; only
their ratios matter. A method is taken only where it keeps the documented accuracy.
"""

import functools
import math
from dataclasses import dataclass
from operator import gt, mul

import numpy as np

from . import _check, _core, _methods, _winograd
from ._filtering import filtering

# Multiply-adds per nanosecond of one worker, by tier and dtype.
DIRECT_RATE = {
    "scalar": {
        "f4": 4.94,
        "f8": 4.7,
        "c8": 1.91,
        "c16": 1.6,
        "1": 2.4,
        "2": 2.78,
        "4": 2.9,
        "8": 2.91,
    },
    "sse2": {
        "f4": 15.7,
        "f8": 7.65,
        "c8": 1.93,
        "c16": 1.57,
        "1": 23.7,
        "2": 30.8,
        "4": 2.9,
        "8": 2.92,
    },
    "avx2": {
        "f4": 41.6,
        "f8": 20.9,
        "c8": 7.04,
        "c16": 3.41,
        "1": 52.1,
        "2": 65.2,
        "4": 31.4,
        "8": 5.07,
    },
    "avx512vl": {
        "f4": 46.0,
        "f8": 24.8,
        "c8": 13.2,
        "c16": 6.38,
        "1": 56.6,
        "2": 65.3,
        "4": 37.4,
        "8": 19.5,
    },
    "avx512": {
        "f4": 42.4,
        "f8": 23.7,
        "c8": 13.0,
        "c16": 6.59,
        "1": 40.0,
        "2": 59.0,
        "4": 33.6,
        "8": 17.9,
    },
}
UNMEASURED = (
    "sse2"  # whose rates a tier takes that is not in the table: vectors of the same width as NEON's
)
FFT_GAIN = 1.2  # by how much fft must be faster: it has fewer digits and gains less from threads
TALL_GAIN = 0.55  # of the rate where taps lie in one column: its rows are far from each other
OMIT_GAIN = 1.7  # how much longer vectors may take where much is missing
SAMPLE_NS = 0.16  # one pass over a sample of the output, whatever the kernel
PASS_COSTS = 1.4, 0.07  # of a separable pass: direct products for a tap, ns for a byte of a sample
# What Python takes more than for the direct method; of a line, where little is left to decide.
CALL_NS = {"separable": 1e5, "fft": 6e4, "line": 2.5e4}

# Integers go through a float64 transform only where the largest possible sum leaves so many bits
# for the transform's error, which then stays far below the half that rounding removes.
EXACT_BITS = 40


@dataclass(frozen=True)
class Choice:
    """What `choose` would take, and why.

    Attributes
    ----------
    method : {"direct", "separable", "winograd", "gemm", "fft"}
    reason : str
        One sentence.
    seconds : dict
        Estimated time of one worker for each method that was weighed.
    tile : int
        Outputs of a tile along an axis, for ``"winograd"``; else 0.
    """

    method: str
    reason: str
    seconds: dict
    tile: int = 0


def method(f, wanted="auto", later=False):
    """(method, vectors): what to run, with the kernel's factors where that is separable.

    `later`: it may be `_methods.FFT_IF_SAFE`.
    """
    if wanted == "auto":
        if _is_direct_unasked(f):
            return "direct", None
        later = later and _methods.may_look_later(f)
        choice, vectors = weigh(f, later)
        if later and choice.method == "fft":
            return _methods.FFT_IF_SAFE, None
        return choice.method, vectors
    if wanted == "separable" and sum(f.w.shape[a] > 1 for a in f.axes) < 2:
        return "direct", None  # a vector already
    if wanted == "separable":
        vectors = _methods.factors(f.w, f.axes)
        if vectors is None:
            raise ValueError("method='separable': the kernel is not an outer product of vectors")
        return wanted, vectors
    return wanted, None


def weigh(f, later=False):
    """(Choice, vectors) for a filtering; `later`: who takes fft finds out whether it is safe."""
    seconds = {"direct": _direct_seconds(f, math.prod(f.w.shape[a] for a in f.axes))}
    if _is_direct_unasked(f):
        return Choice(
            "direct", "so little work, or so few taps, that nothing else could be faster", seconds
        ), None
    passes = _separable_seconds(f)
    vectors = _methods.factors(f.w, f.axes) if passes < seconds["direct"] else None
    if vectors is not None:
        seconds["separable"] = passes
    refused = _refuse_fft(f, min(seconds.values()), seconds, later)
    best = fastest({m: s for m, s in seconds.items() if m != "fft" or not refused})
    if best == "fft":
        reason = "the fewest operations: transforms cost less than the taps"
    elif refused:
        reason = f"fft would be faster, but {refused}"
    elif best == "separable":
        reason = "the kernel is an outer product of vectors: fewer taps"
    else:
        reason = "so few taps that transforms would gain nothing"
    return Choice(best, reason, seconds), vectors if best == "separable" else None


def is_direct_by_shape(in1, in2, mode):
    """Whether floating arrays convolved along all axes, with zeros beyond, are directly, told by
    little more than their shapes; False is no answer.
    """
    if not type(in1) is type(in2) is np.ndarray or in1.dtype != in2.dtype or type(mode) is not str:
        return False
    if in1.ndim != in2.ndim or in1.dtype.char not in "fd" or not in1.size >= in2.size > 0:
        return False
    given = in1.shape, in2.shape, mode, in1.dtype
    kernels = _direct_kernels(*given, _core.isa(), _methods.transforms_are_ours())
    return kernels == "all" or (kernels == "no products" and _methods.is_no_product(in2))


@functools.lru_cache(maxsize=1024)
def _direct_kernels(n, k, mode, dtype, isa, ours):
    """For which kernels of that shape the direct method is the fastest: all, no products, or none
    that could be told from the shape.
    """
    del isa, ours  # the costs depend on them
    if mode not in _check.MODES or (mode == "valid" and any(map(gt, k, n))):
        return "none"
    x, w = (np.broadcast_to(np.zeros((), dtype), shape) for shape in (n, k))
    numbers = mode, None, "fill", 0, 1, None
    f = filtering(x, w, *numbers, convolution=True, compute=False)
    seconds = {"direct": _direct_seconds(f, math.prod(k))}
    _refuse_fft(f, seconds["direct"], seconds, later=True)
    if fastest(seconds) != "direct":
        return "none"
    return "no products" if _separable_seconds(f) < seconds["direct"] else "all"


def fastest(seconds):
    """The method to take of those whose times are estimated, were none refused."""
    return min(seconds, key=lambda m: seconds[m] * (FFT_GAIN if m == "fft" else 1))


def may_omit_by_vectors(f):
    """Whether vectors would cost less than the taps if much is missing: then the sums of what is
    there and of what is not are both direct ones, and few are saved.
    """
    taps = math.prod(f.w.shape[a] for a in f.axes)
    worth = f.w.dtype.kind == "f" and not _is_direct_unasked(f)
    return worth and _separable_seconds(f) < OMIT_GAIN * _direct_seconds(f, taps)


def _is_direct_unasked(f):
    return (
        f.multiply_adds <= _core.SMALL or math.prod(f.w.shape[a] for a in f.axes) <= _core.FEW_TAPS
    )


def _direct_seconds(f, taps):
    tall = taps > 1 and f.w.shape[-1] == 1
    rate = _rate(f.x.dtype) * (TALL_GAIN if tall else 1)
    return 1e-9 * f.y.size * (taps / rate + SAMPLE_NS)


def _separable_seconds(f):
    taps = [f.w.shape[a] for a in f.axes if f.w.shape[a] > 1]
    return 1e-9 * CALL_NS["separable"] + sum(_pass_seconds(f, k) for k in taps)


def _pass_seconds(f, taps):
    products, byte = PASS_COSTS
    return 1e-9 * f.y.size * (products * taps / _rate(f.x.dtype) + byte * f.y.itemsize)


def _refuse_fft(f, rival, seconds, later):
    """Estimate fft; where it would win, the reason why its result would not do, or an empty
    string.
    """
    call = 1e-9 * CALL_NS["line" if _methods.may_look_later(f) else "fft"]
    if FFT_GAIN * call >= rival:
        return ""
    plan = _methods.expected_fft(f)
    seconds["fft"] = plan.seconds + plan.check * f.x.size + call
    if FFT_GAIN * seconds["fft"] >= rival:
        return ""
    if f.x.dtype.kind == "b":
        return "bool has its own sums"
    if f.x.dtype.kind in "iu":
        return "" if _integers_stay_exact(f) else "its rounding could reach a unit of the integers"
    if f.fill != 0 and not np.isfinite(f.fill):
        return "the fill value is not finite"
    if later or _methods.is_safe(f, plan.fft):
        return ""
    return "values are not finite, or so different in size that small outputs would be lost"


def _integers_stay_exact(f):
    taps = math.prod(f.w.shape[a] for a in f.axes)
    return math.log2(max(1, _largest(f.x, f.fill) * _largest(f.w) * taps)) <= EXACT_BITS


def _largest(a, *more):
    return max(abs(int(v)) for b in (a, *more) if b.size for v in (b.min(), b.max()))


# ---- layers: problems with channels

LAYER_METHODS = ("auto", "direct", "winograd", "gemm", "fft")
BLAS_DTYPES = "fdFD"

# Measured by benchmarks/calibrate_layers.py, for one worker: nanoseconds for each weight that the
# direct method packs; what BLAS takes for a multiply-add, in those of DIRECT_RATE, and nanoseconds
# for each weight that it packs (once a tile), for each sample of a column that is made and packed,
# for each call of a tile; nanoseconds for each point and byte of a sum of spectra, of filters that
# are spread and rearranged, for each call.
PACK_NS = 0.058
GEMM_COSTS = 0.88, 0.36, 0.83, 5.2e4
SPECTRA_COSTS = 0, 0.64, 0
FULL_FILTERS = 12  # filters of a group from which BLAS runs at its rate
DOUBT = {"direct": 1.0, "winograd": 1.1, "gemm": 1.1, "fft": 1.5}  # what estimates are taken times


def layer(p, dtype, wanted="auto", *, packed=False):
    """What a convolution layer of the numbers `p` takes; a method asked for is taken.

    One sample decides, so that results have the same bits however a batch is split. `packed` says
    that weights are packed or transformed already, as in a plan.
    """
    if wanted not in LAYER_METHODS:
        raise _check.bad("method", wanted, "must be one of " + ", ".join(map(repr, LAYER_METHODS)))
    if wanted not in ("auto", "direct") and dtype.char not in BLAS_DTYPES:
        allowed = f"computes in floating point, not in {dtype}; 'direct' is exact"
        raise _check.bad("method", wanted, allowed)
    if wanted == "winograd" and (obstacle := _winograd.obstacle(p, dtype)):
        raise _check.bad("method", wanted, obstacle)
    if not p.multiply_adds:
        return Choice("direct", "nothing to compute", {})
    if wanted == "winograd":
        _, tile = _winograd.fastest(p, _rate(dtype), packed=packed)
        return Choice(wanted, "asked for", {}, tile)
    if wanted != "auto":
        return Choice(wanted, "asked for", {})
    p = p.of_batch(1)  # so that no batch changes a bit
    if _is_layer_direct_unasked(p):
        reason = "so little work, or so few taps of a channel, that nothing else could be faster"
        return Choice("direct", reason, {"direct": _layer_direct(p, dtype, packed)})
    seconds = _layer_seconds(p, dtype, packed)
    if dtype.char not in BLAS_DTYPES:
        return Choice("direct", "the one that is exact for integers", seconds)
    tile = 0
    if not _winograd.obstacle(p, dtype):
        seconds["winograd"], tile = _winograd.fastest(p, _rate(dtype), packed=packed)
    best = min(seconds, key=lambda name: DOUBT[name] * seconds[name])
    reasons = {
        "direct": "reads every sample once and needs no columns",
        "winograd": f"tiles of {tile} outputs along an axis take fewer products",
        "gemm": "few outputs for many weights, which BLAS packs faster",
        "fft": "so many taps that transforms cost less",
    }
    return Choice(best, reasons[best], seconds, tile if best == "winograd" else 0)


def adjoint_tile(p, dtype):
    """Outputs of a tile of Winograd's method for the gradient of the input; 0: directly."""
    p = p.of_batch(1)
    if _winograd.obstacle(p, dtype, adjoint=True) or _is_layer_direct_unasked(p):
        return 0
    seconds, tile = _winograd.fastest(p, _rate(dtype), adjoint=True)
    doubt = 1.0 if max(p.stride) == 1 else DOUBT["winograd"]  # rather it than direct, if small
    return tile if doubt * seconds < _layer_direct(p, dtype, packed=False) else 0


def _is_layer_direct_unasked(p):
    channels = p.w_shape[1], p.w_shape[0] // p.groups
    return _core.is_direct_unasked(p.multiply_adds, *channels, math.prod(p.reach))


def _layer_seconds(p, dtype, packed):
    """Estimates of all methods but Winograd's."""
    seconds = {"direct": _layer_direct(p, dtype, packed)}
    if dtype.char in BLAS_DTYPES:
        seconds["gemm"] = _layer_gemm(p, dtype)
        if (
            math.prod(p.reach) >= _core.LARGE_KERNEL
            and _least_fft(p, dtype, packed) < seconds["direct"]
        ):
            seconds["fft"] = _layer_fft(p, dtype, packed)
    return seconds


def _rate(dtype):
    rates = DIRECT_RATE.get(_core.isa(), DIRECT_RATE[UNMEASURED])
    return rates[dtype.str[1:] if dtype.kind in "fc" else str(dtype.itemsize)]


def _layer_direct(p, dtype, packed):
    packing = 0 if packed else PACK_NS * math.prod(p.w_shape)
    return 1e-9 * (p.products / _rate(dtype) + SAMPLE_NS * math.prod(p.y_shape) + packing)


def _layer_gemm(p, dtype):
    counts = gemm_counts(p, dtype)
    return 1e-9 * (SAMPLE_NS * math.prod(p.y_shape) + sum(map(mul, counts, GEMM_COSTS)))


def gemm_counts(p, dtype):
    """How many of each of GEMM_COSTS a layer takes, multiply-adds in their direct nanoseconds."""
    from .nn._tiling import tiling

    cut = tiling(p, dtype.itemsize)
    outputs = math.prod(p.y_shape[2:])
    products = p.y_shape[0] * -(-outputs // cut.columns)
    filters = p.w_shape[0] // p.groups
    columns = 0.5 if cut.pointwise else math.prod(p.w_shape[2:])
    return (
        p.multiply_adds / _rate(dtype) * max(1, FULL_FILTERS / filters),
        math.prod(p.w_shape) * products,
        p.y_shape[0] * p.x_shape[1] * columns * outputs,
        p.groups * products,
    )


def _least_fft(p, dtype, packed):
    """What filters alone take in any plan, which is laborious to make."""
    spectra = 0 if packed else math.prod(p.w_shape[:2]) * math.prod(p.reach)
    return 1e-9 * DOUBT["fft"] * SPECTRA_COSTS[1] * dtype.itemsize * spectra


def _layer_fft(p, dtype, packed):
    from .nn._spectral import plan

    counts = spectra_counts(p, dtype, packed=packed)
    return plan(p, dtype).seconds + 1e-9 * sum(map(mul, counts, SPECTRA_COSTS))


def spectra_counts(p, dtype, *, packed=False):
    """How many of each of SPECTRA_COSTS a layer takes beside its transforms."""
    from .nn._spectral import plan, points

    filters = math.prod(p.w_shape[:2])
    spectra = 0 if packed else filters * math.prod(plan(p, dtype).fft)
    return dtype.itemsize * p.y_shape[0] * filters * points(p, dtype), dtype.itemsize * spectra, 1
