"""Filters over arrays with missing samples: what is missing is left out, and never multiplied.

With v = 1 where a sample is there and 0 where it is missing, W the sum of the kernel's absolute
values and m = sum(|w| v x) / sum(|w| v) the weighted mean of what a window has, an output is

    normalized      sum(w v x) + m * sum(w (1 - v))
    not normalized  sum(w v x)

So each missing sample counts as the mean of its window. Where no weight is negative that is
W * m, the normalized convolution of Knutsson & Westin ("Normalized and differential convolution",
CVPR 1993); kernels of any signs and of sum zero have a meaning too, and a constant gives what it
gives where nothing is missing. A window of which less than the part `min_weight` is there,
sum(|w| v) / W, or nothing at all, gives NaN.

Beyond the edges a copied sample is missing where its original is; a constant is there, unless it
is NaN.
"""

import abc
import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from . import _bands, _check, _choose, _core, _methods

BAND_BYTES = 2 << 20  # of a band of the input
MOST_BYTES = 10 << 20  # of a band and all that is computed from it
LONG_LINE = 8192  # samples
SAMPLES = 1000  # that tell how much is missing
MUCH = 0.05  # of all samples
SURE = 1e-3  # part of the weights from which a Fourier transform's rounding does not matter

POLICIES = ("propagate", "omit", "raise")
NOTHING = ("propagate", None, 0.0, True)  # what leaves nothing out


@dataclass(frozen=True, slots=True)
class Missing:
    """What counts as missing, and what becomes of it.

    Attributes
    ----------
    mask : ndarray of bool or None
        Set where a sample is missing besides those that are NaN; of the input's shape.
    min_weight : float
        Part of the weights that an output needs.
    normalize : bool
        Whether the missing samples' weights are made up for.
    """

    mask: np.ndarray | None
    min_weight: float
    normalize: bool


def wanted(x, name, nan_policy, mask, min_weight, normalize):
    """The `Missing` that a function's arguments ask for; None where they ask for none."""
    _check.one_of("nan_policy", nan_policy, POLICIES)
    if nan_policy == "raise" and not _nowhere_nan(x):
        raise ValueError(f"nan_policy='raise': {name} has NaN in it")
    min_weight = _check.number("min_weight", min_weight)
    if not 0 <= min_weight <= 1:
        raise _check.bad("min_weight", min_weight, "must be between 0 and 1")
    if mask is not None:
        mask = _check.view(mask, "mask")
        if mask.dtype != bool:
            raise TypeError(f"mask.dtype={mask.dtype}: must be bool, True where {name} is missing")
        try:
            mask = np.broadcast_to(mask, x.shape)
        except ValueError:
            raise _check.bad("mask.shape", mask.shape, f"must broadcast to {x.shape}") from None
    if mask is None and (nan_policy != "omit" or x.dtype.kind not in "fc"):
        return None
    return Missing(mask, min_weight, bool(normalize))


def floating(x, w, mode):
    """The input as means need it; refused where nothing can be left out of it."""
    check_input(x, w)
    if mode == "valid" and any(np.less(x.shape, w.shape)):
        raise ValueError(
            f"nan_policy, mask: in mode 'valid' the first array, of shape {x.shape}, must contain "
            f"the second, of shape {w.shape}"
        )
    check_weights(w)
    return x.astype(np.result_type(x, np.float64)) if x.dtype.kind in "biu" else x


def check_input(*arrays):
    """Refuse arrays that nothing can be left out of."""
    if any(a.dtype.kind == "O" or a.dtype.char in "gG" for a in arrays):
        kinds = " and ".join(str(a.dtype) for a in arrays)
        raise TypeError(f"nan_policy, mask: not for arrays of dtype {kinds}")
    if arrays[0].ndim == 0:
        raise ValueError("nan_policy, mask: not for arrays without axes")


def check_weights(w):
    """Refuse a kernel whose sums would not be finite."""
    if not _check.finite(w):
        raise ValueError("nan_policy, mask: the kernel has values that are not finite")


def have_both_signs(*weights):
    """Whether the outer product of the weights has."""
    return any(w.dtype.kind == "c" or ((w > 0).any() and (w < 0).any()) for w in weights)


def _nowhere_nan(x):
    return x.dtype.kind not in "fc" or not np.isnan(x).any()


# ---- any sums, in bands --------------------------------------------------------------------------


class Sums(abc.ABC):
    """Sums over the windows of a filter, computed for one band of outputs after the other.

    Attributes
    ----------
    axis : int
        Axis along which bands are cut.
    taps, before : int
        Samples that a window has along it, and how many of them lie before the output.
    boundary : int
        Code of that axis's rule.
    fill : ndarray
        The value beyond a constant edge, in the dtype to compute in.
    mixed : bool
        Whether the weights have both signs.
    approximate : bool
        Whether rounding could decide that a window has nothing.
    workers : int
        Threads.
    """

    approximate = False

    def prepare(self, x, y):  # noqa: B027 - not all sums have a choice
        """Choose how to compute the band from x to y."""

    def prepare_exactly(self):  # noqa: B027
        """Choose so that rounding decides nothing."""

    @abc.abstractmethod
    def weighted(self, x, y, fill):
        """The sums of w x, in y or a new contiguous array; x has all that the windows of y meet."""

    @abc.abstractmethod
    def sized(self, x, y, fill):
        """The same with the absolute values of the weights."""

    @abc.abstractmethod
    def total(self, x, y):
        """Weight of a whole window, added up as in a band like x; broadcasts to y."""


def leave_out(sums, x, y, missing):
    """Write to y the sums over x without what is missing."""
    axis, rows = sums.axis, y.shape[sums.axis]
    height = _height(x.shape, axis, sums.taps, sums.fill.itemsize, sums.mixed)
    for first, last in _bands.spans(0, rows, height):
        read = slice(first - sums.before, last - sums.before + sums.taps - 1)
        target = y[_bands.part(axis, first, last)]
        parts = list(_parts(sums, x, missing.mask, read))
        if np.isnan(sums.fill) or any(lacks(a, mask) for _, a, mask in parts):
            shape = (*x.shape[:axis], read.stop - read.start, *x.shape[axis + 1 :])
            band = _split(parts, shape, sums.fill.dtype, sums.workers)
            _leave_out_of_band(sums, *band, target, missing)
        else:
            band = _rows(sums, x, read)
            sums.prepare(band, target)
            _put(sums.weighted(band, target, sums.fill), target)


def _rows(sums, x, read):
    """Some rows of the extended input."""
    rows = _bands.extended(x, sums.axis, read, sums.boundary, sums.fill)
    return np.ascontiguousarray(rows, sums.fill.dtype)


def _parts(sums, x, mask, read):
    """(where in a band, samples, mask) of its rows: those of x itself, and those beyond its edges,
    or all at once where they lie apart in memory.
    """
    cuts = {read.start, read.stop}
    if sums.axis == 0:
        cuts |= {min(max(edge, read.start), read.stop) for edge in (0, len(x))}
    for first, last in itertools.pairwise(sorted(cuts)):
        rows, masked = slice(first, last), None
        if mask is not None:
            masked = _bands.extended(mask, sums.axis, rows, sums.boundary, np.False_)
            masked = np.ascontiguousarray(masked)
        where = _bands.part(sums.axis, first - read.start, last - read.start)
        yield where, _rows(sums, x, rows), masked


def axis_of_bands(shape, taps, itemsize, mixed):
    """The first axis of `taps` (a dict) whose bands are small enough, else that of the smallest."""
    size = {a: _least_bytes(shape, a, n, itemsize, mixed) for a, n in taps.items()}
    return next((a for a, bytes in size.items() if bytes <= MOST_BYTES), min(size, key=size.get))


def _least_bytes(shape, axis, taps, itemsize, mixed):
    """Of a band as high as its halo, and what is computed from it."""
    return _copies(mixed) * _row_bytes(shape, axis, itemsize) * 2 * taps


def _copies(mixed):
    """Arrays of a band's size: of what is there, whether it is, and the sums of both."""
    return 7 if mixed else 4


def _row_bytes(shape, axis, itemsize):
    return max(1, math.prod(n for a, n in enumerate(shape) if a != axis)) * itemsize


def _height(shape, axis, taps, itemsize, mixed):
    """Rows of a band: several times its halo if there is memory for it."""
    row = _row_bytes(shape, axis, itemsize)
    most = MOST_BYTES // (_copies(mixed) * row) - (taps - 1)
    return max(1, min(max(16, 4 * taps, BAND_BYTES // row), most), taps - 1)


def _leave_out_of_band(sums, x, valid, y, missing):
    there = not np.isnan(sums.fill)
    fill, beyond = (sums.fill if there else np.zeros_like(sums.fill)), np.array(there, x.real.dtype)
    sums.prepare(x, y)
    weight = sums.sized(valid, np.empty(y.shape, valid.dtype), beyond)
    total = sums.total(valid, weight)
    if sums.approximate and _is_doubtful(weight, total, missing.min_weight):
        sums.prepare_exactly()
        weight = sums.sized(valid, weight, beyond)
    fits = y.dtype == x.dtype and y.flags.c_contiguous
    result = sums.weighted(x, y if fits else np.empty(y.shape, x.dtype), fill)
    normalize = missing.normalize
    if normalize and sums.mixed:
        mean = sums.sized(x, np.empty_like(result), fill)
        np.subtract(1, valid, out=valid)
        share = sums.weighted(valid.astype(x.dtype, copy=False), np.empty_like(result), 1 - beyond)
        _add_means(result, mean, share, weight)
        normalize = False
    by = total, missing.min_weight, normalize, sums.workers
    _put(_scale(result, weight, *by, out=y if fits else result), y)


def _put(result, y):
    if result is not y:
        y[...] = result


def lacks(x, mask):
    """Whether any sample is missing."""
    lines = all(a.flags.c_contiguous for a in (x, mask) if a is not None)
    if x.dtype.char in "fd" and x.dtype.isnative and lines:
        return _core.lacks(x, mask)
    return not _nowhere_nan(x) or bool(mask is not None and mask.any())


def _split(parts, shape, dtype, workers):
    """What is there, with 0 for what is missing, and 1 where a sample is there."""
    present, valid = np.empty(shape, dtype), np.empty(shape, dtype.type(0).real.dtype)
    for where, x, mask in parts:
        if dtype.kind == "f":
            _core.split_present(x, present[where], valid[where], mask=mask, workers=workers)
        else:
            there = ~np.isnan(x) if mask is None else ~(np.isnan(x) | mask)
            valid[where] = there
            present[where] = np.where(there, x, 0)
    return present, valid


def _is_doubtful(weight, total, least):
    """Whether rounding could decide if a window has enough, or spoil one that has little."""
    total = np.where(total > 0, total, np.inf)
    if total.size == 1 and weight.min() >= (least + SURE) * total.item():
        return False
    share = weight / total
    return bool((share < SURE).any() or (least and (np.abs(share - least) < SURE).any()))


def _scale(y, weight, total, least, normalize, workers, out):
    """y scaled by what windows lack, in `out` or in place.

    Of a kernel of zeros nothing is missing.
    """
    if y.dtype.kind == "f" and total.size == 1:
        total = float(total.item())
        if not total > 0:
            return y
        by = {"total": total, "least": least * total, "normalize": normalize}
        return _core.scale_present(y, weight, out, **by, workers=workers)
    rounding = 64 * np.finfo(weight.dtype).eps
    share = np.where(total > 0, weight, 1) / np.where(total > 0, total, 1)
    share[share >= 1 - rounding] = 1
    with np.errstate(divide="ignore", invalid="ignore"):
        if normalize:
            y /= share
    y[(share == 0) | (share < least * (1 - rounding))] = np.nan
    return y


def _add_means(y, mean, share, weight):
    """Add the mean of its window, a sum over `weight`, for the share of it that is missing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean /= weight
        mean *= share
    np.add(y, mean, out=y, where=share != 0)


# ---- filterings ----------------------------------------------------------------------------------


def filter(f, missing, method="auto"):
    """Run a filtering; f.y is written."""
    mixed = have_both_signs(f.w)
    one_sign = not (mixed and missing.normalize)
    plain = f.x.dtype.kind == "f" and not f.grouped()
    chosen, (wanted, vectors) = _chosen_and_wanted(f, method, missing)
    at_once = plain and one_sign and wanted == "direct" and f.x.ndim <= 3
    if at_once and _filter_at_once(f, missing):
        return
    if f.x.size and not np.isnan(f.fill) and not lacks(f.x, missing.mask):
        _methods.run(f, *chosen)
        return
    if vectors is not None and plain and one_sign and _separable_at_once(f, vectors, missing):
        return
    leave_out(FilteringSums(f, method, mixed, vectors), f.x, f.y, missing)


def _chosen_and_wanted(f, method, missing):
    """(method, vectors) for the samples as they are, and the fastest without those missing, whose
    values count for nothing.
    """
    if method != "auto":
        chosen = _choose.method(f, method)
        return chosen, chosen
    choice, vectors = _choose.weigh(f)
    chosen, wanted = (choice.method, vectors), _choose.fastest(choice.seconds)
    if wanted == "direct" and _choose.may_omit_by_vectors(f) and _lacks_much(f.x, missing.mask):
        vectors = _methods.factors(f.w, f.axes)
        wanted = "separable" if vectors else "direct"
    return chosen, (wanted, vectors if wanted == "separable" else None)


def _lacks_much(x, mask):
    """Whether so much is missing that few sums are as in a plain filter: some samples tell."""
    each = SAMPLES ** (1 / x.ndim)
    some = tuple(slice(None, None, max(1, int(n / each))) for n in x.shape)
    missing = np.isnan(x[some]) if mask is None else np.isnan(x[some]) | mask[some]
    return missing.mean() > MUCH


def _filter_at_once(f, missing):
    """Both sums in one pass over x; returns whether the kernel suits that."""
    y = f.y if _core.canonical(f.y) is f.y else np.empty(f.y.shape, f.x.dtype)
    suited = _core.correlate_present(
        f.x,
        f.w,
        y,
        mask=None if missing.mask is None else np.ascontiguousarray(missing.mask),
        min_weight=missing.min_weight,
        normalize=missing.normalize,
        pad_before=f.pad,
        boundary=f.boundary,
        fill=f.fill,
        flip=f.flip,
        workers=f.workers,
    )
    if suited:
        _put(y, f.y)
    return suited


def _separable_at_once(f, vectors, missing):
    """Both sums of bands that stay in the cache; returns whether the arrays suit that."""
    x, y = _check.served(f.x), _core.canonical(f.y)
    how = {"min_weight": missing.min_weight, "normalize": missing.normalize}
    suited = _methods.separable_present(replace(f, x=x, y=y), vectors, missing.mask, **how)
    if suited:
        _put(y, f.y)
    return suited


class FilteringSums(Sums):
    """The sums of a filtering, by any of its methods, which each band chooses."""

    def __init__(self, f, method, mixed, vectors):
        taps = {a: f.w.shape[a] for a in f.axes}
        self.axis = axis_of_bands(f.x.shape, taps, f.x.itemsize, mixed)
        self.boundary = f.boundary[self.axis]
        self.taps, self.before = taps[self.axis], f.pad[self.axis]
        self.fill, self.workers, self.mixed = f.fill, f.workers, mixed
        pad = tuple(0 if a == self.axis else p for a, p in enumerate(f.pad))
        self._f, self._method, self._size = replace(f, pad=pad), method, np.abs(f.w)
        self._totals = {}
        self._choose("separable" if vectors else "direct", vectors)

    def _choose(self, chosen, vectors):
        self._chosen, self._vectors = chosen, vectors
        self._sizes = vectors and [np.abs(v) for v in vectors]
        self.approximate = chosen == "fft"

    def prepare(self, x, y):
        if self._chosen != "separable":  # which no values forbid
            self._choose(*_choose.method(replace(self._f, x=x, y=y), self._method))

    def prepare_exactly(self):
        self._choose("direct", None)

    def weighted(self, x, y, fill):
        return self._run(x, self._f.w, y, fill, self._vectors)

    def sized(self, x, y, fill):
        return self._run(x, self._size, y, fill, self._sizes)

    def _run(self, x, w, y, fill, vectors, **geometry):
        w, fill = w.astype(x.dtype, copy=False), np.asarray(fill, x.dtype)
        vectors = vectors and [v.astype(x.dtype, copy=False) for v in vectors]
        chosen = "direct" if geometry and self.approximate else self._chosen
        _methods.run(replace(self._f, x=x, w=w, y=y, fill=fill, **geometry), chosen, vectors)
        return y

    def total(self, x, y):
        """Outputs of one place, but a line: kernels choose their order by its length."""
        key = self._chosen, min(y.shape[-1], LONG_LINE)
        if key not in self._totals:
            self._totals[key] = self._weigh(y[..., :LONG_LINE])
        return self._totals[key]

    def _weigh(self, y):
        f, last = self._f, y.ndim - 1
        taps = [n if a in f.axes else 1 for a, n in enumerate(f.w.shape)]
        outputs = [1 if a in f.axes else n for a, n in enumerate(f.w.shape)]
        if last in f.axes:
            outputs[last] = y.shape[last]
            taps[last] += outputs[last] - 1
        ones, total, none = np.ones(taps, y.dtype), np.empty(outputs, y.dtype), (0,) * y.ndim
        self._run(ones, self._size, total, 0, self._sizes, pad=none, boundary=none)
        return total[..., :1] if last in f.axes else total
