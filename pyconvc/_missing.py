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

from dataclasses import dataclass, replace

import numpy as np

from . import _check, _choose, _core, _methods

BAND_BYTES = 1 << 20  # of a band of the input
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
    if not 0 <= min_weight <= 1:
        raise _check.bad("min_weight", min_weight, "must be between 0 and 1")
    if mask is not None:
        mask = np.asarray(mask)
        if mask.dtype != bool:
            raise TypeError(f"mask.dtype={mask.dtype}: must be bool, True where {name} is missing")
        try:
            mask = np.broadcast_to(mask, x.shape)
        except ValueError:
            raise _check.bad("mask.shape", mask.shape, f"must broadcast to {x.shape}") from None
    if mask is None and (nan_policy != "omit" or x.dtype.kind not in "fc"):
        return None
    return Missing(mask, float(min_weight), bool(normalize))


def floating(x, w, mode):
    """The input as means need it; refused where nothing can be left out of it."""
    if x.dtype.kind == "O" or w.dtype.kind == "O" or x.dtype.char in "gG" or w.dtype.char in "gG":
        raise TypeError(f"nan_policy, mask: not for arrays of dtype {x.dtype} and {w.dtype}")
    if x.ndim == 0:
        raise ValueError("nan_policy, mask: not for arrays without axes")
    if mode == "valid" and any(np.less(x.shape, w.shape)):
        raise ValueError(
            f"nan_policy, mask: in mode 'valid' the first array, of shape {x.shape}, must contain "
            f"the second, of shape {w.shape}"
        )
    if not _check.finite(w):
        raise ValueError("nan_policy, mask: the kernel has values that are not finite")
    return x.astype(np.result_type(x, np.float64)) if x.dtype.kind in "biu" else x


def _nowhere_nan(x):
    return x.dtype.kind not in "fc" or not np.isnan(x).any()


def filter(f, missing, method="auto"):
    """Run a filtering; f.y is written."""
    size = np.abs(f.w)
    mixed = missing.normalize and not (np.array_equal(f.w, size) or np.array_equal(f.w, -size))
    plain = f.x.dtype.kind == "f" and f.x.ndim <= 3 and not (mixed or f.grouped())
    if not plain or not _is_direct(f, method):
        _by_bands(f, missing, method, size, mixed)
        return
    y = f.y if _core.canonical(f.y) is f.y else np.empty(f.y.shape, f.x.dtype)
    _core.correlate_present(
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
    if y is not f.y:
        f.y[...] = y


def _is_direct(f, method):
    """Whether no other method would be faster, were all samples there."""
    if method != "auto":
        return method == "direct"
    seconds = _choose.weigh(f)[0].seconds
    return min(seconds, key=seconds.get) == "direct"


def _by_bands(f, missing, method, size, mixed):
    """Any filtering by any method, a band of the input's rows at a time."""
    lead = f.axes[0]
    taps, rows = f.w.shape[lead], f.y.shape[lead]
    row_bytes = max(1, f.x.size // max(1, f.x.shape[lead]) * f.x.itemsize)
    band = max(16, 4 * taps, BAND_BYTES // row_bytes)
    pad = tuple(0 if a == lead else p for a, p in enumerate(f.pad))
    there = not np.isnan(f.fill)
    fill = f.fill if there else np.zeros_like(f.fill)
    for first in range(0, rows, band):
        last = min(rows, first + band)
        index = slice(first - f.pad[lead], last - f.pad[lead] + taps - 1)
        x = np.array(_methods.extended(f.x, lead, index, f.boundary[lead], f.fill), order="C")
        valid = ~np.isnan(x)
        if missing.mask is not None:
            mask = _methods.extended(missing.mask, lead, index, f.boundary[lead], np.False_)
            valid &= ~mask
        target = f.y[(slice(None),) * lead + (slice(first, last),)]
        g = replace(f, x=x, y=target, pad=pad, fill=fill)
        if there and valid.all():
            _methods.run(g, *_choose.method(g, method))
        else:
            x[~valid] = 0
            _leave_out(g, valid.astype(size.dtype), size, missing, method, mixed, there)


def _leave_out(f, valid, size, missing, method, mixed, fill):
    """The filtering of f.x, which is 0 where `valid` is; `size` are the absolute values of f.w."""
    chosen, vectors = _choose.method(f, method)
    sizes = vectors and [np.abs(v) for v in vectors]
    y = f.y if f.y.flags.c_contiguous else np.empty(f.y.shape, f.y.dtype)
    weight = np.empty(y.shape, size.dtype)
    fill = np.array(fill, size.dtype)
    _methods.run(replace(f, x=valid, w=size, y=weight, fill=fill), chosen, sizes)
    total = _total(f, size, "direct" if chosen == "fft" else chosen, sizes)
    weight /= np.where(total > 0, total, 1)
    weight += total == 0  # of a kernel of zeros nothing is missing
    if chosen == "fft" and _is_doubtful(weight, missing.min_weight):
        return _leave_out(f, valid, size, missing, "direct", mixed, fill)
    _methods.run(replace(f, y=y), chosen, vectors)
    if mixed:
        sizes = replace(f, w=size.astype(f.w.dtype))
        _add_means(sizes, f.w, 1 - valid, 1 - fill, weight * total, y, chosen)
    with np.errstate(divide="ignore", invalid="ignore"):
        if missing.normalize and not mixed:
            y /= weight
    y[(weight == 0) | (weight < missing.min_weight)] = np.nan
    if y is not f.y:
        f.y[...] = y


def _total(f, size, chosen, sizes):
    """Weight of a whole window, added up as in any window, so that it is equal to the last bit."""
    taps = [n if a in f.axes else 1 for a, n in enumerate(size.shape)]
    outputs = [1 if a in f.axes else n for a, n in enumerate(size.shape)]
    if f.x.ndim - 1 in f.axes:  # the kernels choose their order of summation by the width
        outputs[-1] = f.y.shape[-1]
        taps[-1] += outputs[-1] - 1
    ones, total = np.ones(taps, size.dtype), np.empty(outputs, size.dtype)
    none = (0,) * size.ndim
    whole = replace(
        f, x=ones, w=size, y=total, pad=none, boundary=none, fill=np.zeros((), size.dtype)
    )
    _methods.run(whole, chosen, sizes)
    return total[..., :1] if f.x.ndim - 1 in f.axes else total


def _is_doubtful(weight, least):
    """Whether rounding could decide if a window has enough, or spoil one that has little."""
    return bool((weight < SURE).any() or (least and (np.abs(weight - least) < SURE).any()))


def _add_means(f, w, absent, beyond, weight, y, chosen):
    """Add the mean of its window for each absent sample; f.w has the absolute values of w."""
    chosen = "direct" if chosen == "separable" else chosen
    mean, share = np.empty_like(y), np.empty_like(y)
    _methods.run(replace(f, y=mean), chosen)
    _methods.run(
        replace(f, x=absent.astype(y.dtype), w=w, y=share, fill=np.asarray(beyond, y.dtype)), chosen
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        mean /= weight
    mean *= share
    np.add(y, mean, out=y, where=share != 0)
