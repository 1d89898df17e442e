"""How a filtering is computed: direct, separable or fft, each over the same `Filtering`.

A filtering convolves `x` with `w` along `axes` and multiplies with broadcasting along the others:

    y[o] = sum_t w[K - 1 - t] * X[o - pad + t]        (flip: convolution; without it w[t]:
    correlation)

where X is x extended by the boundary rule of each axis.
"""

import math
import sys
from dataclasses import dataclass, replace

import numpy as np

from . import _chains, _check, _core
from ._bands import boundary_index, extended, part, spans

BAND_BYTES = 3 << 20  # what an intermediate of more axes than a chain takes
FOLDED_BYTES = 96  # of taps along rows, up to which sums in pairs are faster


@dataclass(frozen=True, slots=True)
class Filtering:
    """One problem on arrays of equal rank and dtype.

    Attributes
    ----------
    x, w, y : ndarray
        Input, kernel, output.
    axes : tuple of int
        Convolved axes; along the others x and w broadcast.
    pad : tuple of int
        Samples of the extension before the first window, for each axis of the arrays (0 where not
        convolved).
    boundary : tuple of int
        Code of each axis of the arrays, as in `_check.BOUNDARIES`.
    fill : ndarray
        One element: the value beyond a constant edge.
    flip : bool
        Whether the taps are index-reversed.
    workers : int
        Threads.
    """

    x: np.ndarray
    w: np.ndarray
    y: np.ndarray
    axes: tuple
    pad: tuple
    boundary: tuple
    fill: np.ndarray
    flip: bool
    workers: int

    @property
    def multiply_adds(self):
        """Products that the direct method computes."""
        return self.y.size * math.prod(self.w.shape[a] for a in self.axes)

    def grouped(self):
        """Whether the kernel differs along an axis that is not convolved."""
        return any(n != 1 for a, n in enumerate(self.w.shape) if a not in self.axes)


def run(f, chosen, vectors=None):
    """Compute by the method of that name; the separable one needs the kernel's vectors."""
    if chosen == "fft":
        fft(f)
    elif chosen == FFT_IF_SAFE:
        if not fft(f, cautious=True):
            run(f, "direct")
    elif _core.canonical(f.y) is not f.y:  # bytes swapped or unaligned
        y = np.empty(f.y.shape, f.y.dtype.newbyteorder("="))
        run(replace(f, y=y), chosen, vectors)
        f.y[...] = y
    elif chosen == "separable":
        separable(f, vectors)
    else:
        direct(f)


# ---- direct --------------------------------------------------------------------------------------


def direct(f):
    """Compute with the filter kernels, in the order of the definition."""
    if f.grouped():
        _direct_groups(f)
    elif f.x.ndim > 3:
        _direct_planes(f)
    else:
        _core.correlate(
            f.x,
            f.w,
            f.y,
            pad_before=f.pad,
            boundary=f.boundary,
            fill=f.fill,
            flip=f.flip,
            workers=f.workers,
        )


def _direct_groups(f):
    """One filter for each row: rows are the channels of a grouped problem."""
    last = range(-len(f.axes), 0)
    x, w, y = (np.moveaxis(a, f.axes, last) for a in (f.x, f.w, f.y))
    lead = y.ndim - len(f.axes)
    rows = y.shape[:lead]
    x, w = (np.broadcast_to(a, rows + a.shape[lead:]) for a in (x, w))
    pad, boundary = ([v[a] for a in f.axes] for v in (f.pad, f.boundary))
    if len(f.axes) > 3:
        for row in np.ndindex(rows):
            part = {"x": x[row], "w": w[row], "y": y[row], "axes": tuple(range(len(f.axes)))}
            direct(replace(f, **part, pad=tuple(pad), boundary=tuple(boundary)))
        return
    groups = math.prod(rows)
    x, w, result = (a.reshape(1, groups, *a.shape[lead:]) for a in (x, w, y))
    _core.correlate(
        _check.served(x),
        _check.served(np.moveaxis(w, 0, 1)),
        result,
        channels=True,
        groups=groups,
        pad_before=pad,
        boundary=boundary,
        fill=f.fill,
        flip=f.flip,
        workers=f.workers,
    )
    if not np.may_share_memory(result, y):  # rows that no stride could number
        y[...] = result.reshape(y.shape)


def _direct_planes(f):
    """Ranks above 3: the sum over the taps of the first axis, each a filtering of lower rank."""
    taps = f.w.shape[0]
    below = {
        "axes": tuple(a - 1 for a in f.axes if a),
        "pad": f.pad[1:],
        "boundary": f.boundary[1:],
    }
    part = np.empty(f.y.shape[1:], f.y.dtype)
    for o in range(f.y.shape[0]):
        for t in range(taps):
            i = int(boundary_index(np.array(o - f.pad[0] + t), f.x.shape[0], f.boundary[0]))
            plane = np.broadcast_to(f.fill, f.x.shape[1:]) if i < 0 else f.x[i]
            tap = f.w[taps - 1 - t if f.flip else t]
            direct(replace(f, x=plane, w=tap, y=part if t else f.y[o], **below))
            if t:
                np.add(f.y[o], part, out=f.y[o])


# ---- separable -----------------------------------------------------------------------------------


def factors(w, axes):
    """Vectors whose outer product is `w` along `axes`, to the last digits; None if there are none.

    Integers and bool: exactly equal. Floating point: each element of the product within 4 ulp of
    w's, so that the method adds no more error than rounding the kernel once. An axis with one tap
    gets a 1.
    """
    taps = [w.shape[a] for a in axes]
    long = [k for k in taps if k > 1]
    if len(long) < 2 or w.size != math.prod(taps) or w.size == 0:
        return None
    others = (a for a in range(w.ndim) if a not in axes)
    kernel = w.transpose(*others, *axes).reshape(long)
    if w.dtype.kind == "f" and is_no_product(kernel):
        return None
    with np.errstate(all="ignore"):
        found = _integer_factors(kernel) if w.dtype.kind in "iub" else _float_factors(kernel)
    vectors = iter(found or ())
    return found and [next(vectors) if k > 1 else np.ones(1, w.dtype) for k in taps]


def is_no_product(kernel):
    """Whether four of the taps show at once that floating ones have no `factors`."""
    if kernel.ndim != 2:
        return False
    rows, columns = (n // 2 for n in kernel.shape)
    a, b, c, d = (float(kernel[i, j]) for i in (rows - 1, rows) for j in (columns - 1, columns))
    info = np.finfo(kernel.dtype)
    if min(abs(a), abs(b), abs(c), abs(d)) < info.tiny / info.eps:
        return False  # rounded to fewer digits, perhaps; so are products below the least number
    slack = 64 * float(info.eps)  # each tap within 4 eps, and roundings of the products
    return abs(a * d - b * c) > slack * (abs(a * d) + abs(b * c)) + sys.float_info.min


def _lines(kernel, pivot):
    """The line of the kernel along each axis through the pivot."""
    return [
        kernel[tuple(slice(None) if a == b else pivot[b] for b in range(kernel.ndim))]
        for a in range(kernel.ndim)
    ]


def _outer(vectors):
    product = vectors[0]
    for v in vectors[1:]:
        product = product[..., None] * v
    return product


def _float_factors(kernel):
    size = np.abs(kernel)
    pivot = np.unravel_index(np.argmax(size), kernel.shape)
    top = kernel[pivot]
    if not np.isfinite(top) or top == 0:
        return None
    first, *others = _lines(kernel, pivot)
    vectors = [line / top for line in others]
    # Powers of two, so that no intermediate is larger than the largest sample: none overflows.
    gains = [2.0 ** math.frexp(np.abs(v).sum())[1] for v in vectors]
    vectors = [
        first * math.prod(gains),
        *(v / gain for v, gain in zip(vectors, gains, strict=True)),
    ]
    error = np.abs(_outer(vectors) - kernel)
    if not (error <= 4 * np.finfo(kernel.dtype).eps * size).all():
        return None
    return [np.ascontiguousarray(v) for v in vectors]


def _integer_factors(kernel):
    """Divides each line by its greatest common divisor; what remains goes to the first vector."""
    if kernel.dtype.kind == "b":
        pivot = np.unravel_index(np.argmax(kernel), kernel.shape)
        vectors = _lines(kernel, pivot)
        return (
            [np.ascontiguousarray(v) for v in vectors]
            if kernel[pivot] and (_outer(vectors) == kernel).all()
            else None
        )
    wide = kernel.astype(object)
    pivot = np.unravel_index(np.argmax(np.abs(wide)), kernel.shape)
    if not wide[pivot]:
        return None
    vectors = [line // np.gcd.reduce(line) for line in _lines(wide, pivot)]
    scale, rest = divmod(wide[pivot], math.prod(v[p] for v, p in zip(vectors, pivot, strict=True)))
    vectors[0] = vectors[0] * scale
    if rest or not (_outer(vectors) == wide).all():
        return None
    bits = 8 * kernel.itemsize  # 128 becomes the -128 of int8: products wrap to the same
    return [(v % (1 << bits)).astype(f"u{kernel.itemsize}").view(kernel.dtype) for v in vectors]


def separable(f, vectors):
    """Convolve with one vector after the other, three axes in one sweep."""
    taps = {a: v for a, v in zip(f.axes, vectors, strict=True) if len(v) > 1}
    if len(taps) <= _chains.MOST_AXES:
        _sweep(f, taps)
        return
    # Bands of the longest axis, whose intermediates are the smallest.
    lead = max(taps, key=lambda a: f.y.shape[a])
    others = {a: v for a, v in zip(f.axes, vectors, strict=True) if a != lead}
    rows = max(1, BAND_BYTES * f.y.shape[lead] // f.y.nbytes)
    for first, last in spans(0, f.y.shape[lead], rows):
        shape = (*f.x.shape[:lead], last - first, *f.x.shape[lead + 1 :])
        pad = (*f.pad[:lead], f.pad[lead] - first, *f.pad[lead + 1 :])
        band = replace(f, y=np.empty(shape, f.x.dtype), pad=pad, axes=(lead,))
        _sweep(band, {lead: taps[lead]})
        pad = (*f.pad[:lead], 0, *f.pad[lead + 1 :])
        y, fill = f.y[part(lead, first, last)], _filtered(f.fill, taps[lead])
        rest = replace(f, x=band.y, y=y, pad=pad, axes=tuple(others), fill=fill)
        separable(rest, list(others.values()))


def separable_present(f, vectors, mask, **how):
    """The same without missing samples, of real arrays; returns whether that suits.

    `how` has the other arguments of `_core.chain_present`.
    """
    taps = {a: v for a, v in zip(f.axes, vectors, strict=True) if len(v) > 1}
    cut = any(
        n != m for a, (n, m) in enumerate(zip(f.x.shape, f.y.shape, strict=True)) if a not in taps
    )
    if cut or len(taps) > _chains.MOST_AXES:
        return False
    there = not np.isnan(f.fill)
    fill = f.fill if there else np.zeros_like(f.fill)
    passes = _passes(replace(f, fill=fill), taps)
    sizes = {a: np.abs(v) for a, v in taps.items()}
    sizes = _passes(replace(f, fill=np.array(there, f.x.dtype)), sizes)
    return _chains.run_present(f.x, f.y, passes, sizes, mask, **how, workers=f.workers)


def _sweep(f, taps):
    """Filter along the axes of `taps`; the others are only cut."""
    passes = _passes(f, taps)
    ranges = zip(f.pad, f.x.shape, f.y.shape, strict=True)
    cut = [
        slice(None) if a in taps or n == m else slice(-p, m - p)
        for a, (p, n, m) in enumerate(ranges)
    ]
    x, third = f.x[tuple(cut)], _chains.sweep_order(f.y, taps)[2:]
    in_place = all(x.shape[a] == f.y.shape[a] for a in third)
    if not third or not in_place or _chains.sweeps(max(map(len, taps.values())), f.y.dtype):
        _chains.run(x, f.y, passes, f.workers)
    else:
        _chains.run(x, f.y, passes[:2], f.workers)
        _chains.run(f.y, f.y, passes[2:], f.workers)


def _passes(f, taps):
    """Those of a chain along the axes of `taps`."""
    order = _chains.sweep_order(f.y, taps)
    passes, fill = [], f.fill
    for a in order:
        v = np.ascontiguousarray(taps[a][::-1] if f.flip else taps[a])
        geometry = (a,), (len(v),), (f.pad[a],), (f.boundary[a],)
        kind, places, weights = _folded(v, last=a == order[:2][-1])
        passes.append(_chains.Pass(*geometry, kind, weights, fill, places))
        fill = _filtered(fill, v)
    return passes


def _folded(vector, last):
    """(kind, places, weights) of a sum, in pairs around its middle where that is faster."""
    folded = vector.dtype.kind == "f" and not (last and vector.nbytes > FOLDED_BYTES)
    sign = _chains.parity(vector) if folded else 0
    return _chains.pairs(vector, sign) if sign else ("sum", None, vector)


def _filtered(fill, vector):
    """What a pass makes of the constant beyond the edges of the axes that are still to come."""
    if not fill:
        return fill
    with np.errstate(all="ignore"):
        return np.asarray(np.multiply(vector, fill).sum(dtype=fill.dtype))


# ---- fft -----------------------------------------------------------------------------------------


FFT_IF_SAFE = "fft if safe"  # or directly, if it turns out that the error bound would not be kept
SHORT = 128  # samples along the convolved axes for which a transform has digits to spare


def transform_dtype(f):
    """What transforms compute in: more digits than the result for integers and for few samples.

    The error of a transform goes with its largest values. For so few samples, where the direct sum
    is as fast and who asks for transforms compares them with it, none of it shall be seen.
    """
    if f.x.dtype.kind in "iub":
        return np.dtype(np.float64)
    samples = (math.prod(a.shape[i] for i in f.axes) for a in (f.x, f.w))
    return np.result_type(f.x, np.float64) if max(samples) <= SHORT else f.x.dtype


def may_look_later(f):
    """Whether `FFT_IF_SAFE` serves: for a line of floating point, without rivals but direct."""
    return f.x.ndim == 1 and f.x.dtype.kind == "f"


def is_safe(f, fft, heard=None):
    """Whether transforms of these lengths keep the bound that is promised for ``method="auto"``."""
    from . import _fft

    axes = _fft.transformed_axes(f.x.shape, f.w.shape, f.y.shape, f.axes) or f.axes
    rules = {_check.BOUNDARIES[f.boundary[a]] for a in axes}
    rule = "circular" if "circular" in rules else "constant"  # what may meet in one tile
    given = {"axes": axes, "fft": fft, "boundary": rule, "fill": f.fill}
    return _fft.is_safe(f.x, f.w, **given, workers=f.workers, heard=heard)


def transforms_are_ours():
    """Whether `expected_fft` may take those of the C library."""
    if "scipy.fft" not in sys.modules:
        return True  # nobody has asked it for others
    from ._fft import threads_may_call_scipy

    return threads_may_call_scipy()


def expected_fft(f):
    """The plan that `fft` will follow."""
    from . import _fft

    return _fft.expected(f.x.shape, f.w.shape, f.y.shape, f.axes, transform_dtype(f))


def fft(f, cautious=False):
    """Compute by overlap-save in floating point, and round to the dtype of the result.

    With `cautious`, for what `may_look_later` has, tell whether the error bound is kept; if not,
    the result does not count.
    """
    from . import _fft

    x, w, y = f.x, f.w, f.y
    heard = None
    if cautious:
        sizes = expected_fft(f)
        heard = _fft.Heard.room(x, w, sizes)
        if not heard and not is_safe(f, sizes.fft):
            return False
    kind = transform_dtype(f)
    if kind != y.dtype or y.dtype.kind in "iub":
        x, w, y = x.astype(kind), w.astype(kind), np.empty(y.shape, kind)
    if not f.flip:
        w = np.flip(w, f.axes)
    names = {f.boundary[a] for a in f.axes}
    if len(names) > 1:
        x, pad = _extend(f, x)
    else:
        pad = tuple(f.pad[a] for a in f.axes)
    _fft.overlap_save(
        x,
        w,
        y,
        axes=f.axes,
        pad_before=pad,
        boundary=_check.BOUNDARIES[names.pop()],
        fill=f.fill,
        workers=f.workers,
        heard=heard,
    )
    if heard and not is_safe(f, sizes.fft, heard):
        return False
    if y is not f.y:
        _round_into(y, f.y)
    return True


def _extend(f, x):
    """Axes with different rules: extend here, and hand over an input that needs no rule."""
    for axis in f.axes:
        first = -f.pad[axis]
        x = extended(
            x,
            axis,
            slice(first, first + f.y.shape[axis] + f.w.shape[axis] - 1),
            f.boundary[axis],
            f.fill,
        )
    return x, (0,) * len(f.axes)


def _round_into(y, out):
    if out.dtype.kind == "b":
        out[...] = np.rint(y) != 0
    elif out.dtype.kind in "iu":
        with np.errstate(invalid="ignore"):
            out[...] = np.rint(y).astype(np.int64)
    else:
        with np.errstate(over="ignore"):
            out[...] = y
