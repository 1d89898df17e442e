"""From filters to passes of the C library: the one place that knows what a filter is.

A filter is a `Filter`. `run` computes several of them, one after the other, as scipy.ndimage does:
each extends what the one before left, which is stored in the result's dtype.

How sums are computed:

- float32 and complex results, and float64 ones of weights of any rank, by the engine's own
  summation, in the precision of the result.
- float64 results along one axis after the other, integers, and all real ones with
  ``precision="double"``, in float64 in scipy's order, with every product and sum rounded as
  scipy's are: the same bits.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from .. import _chains, _check, _choose, _core, _methods, _missing
from . import _omit

TINY = np.finfo(np.float64).eps  # scipy takes smaller weights of a kernel of any rank for zero
ZERO = np.zeros(())
FEW_TAPS = 32  # of kernels with gaps that are added up in blocks
LONG = 128  # taps from which a line goes alone
FEW_MEANS = 16  # samples from which a mean is not a sum with weights
FUSED_TAPS = 8  # a third axis is fused up to so many taps beside its sample
KEPT_BYTES = 8192  # of weights whose terms are kept for later calls
IN_PLACE = 4 << 20  # bytes of a block in place, of which buffers hold three


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: the correlation with weights, or a mean, along some axes.

    Attributes
    ----------
    axes : tuple of int
        Distinct axes, counted from the front.
    weights : ndarray or None
        One axis for each of `axes`; float64 or complex128. None is a mean.
    size : tuple of int
        Samples of the window along each of `axes`.
    before : tuple of int
        Samples of the window before the one that is written.
    modes : tuple of int
        Code of the boundary rule of each of `axes`.
    cval : float or complex
        The constant of a constant rule.
    in_line : bool
        Whether the sum is ordered as scipy's one-dimensional filters order it.
    """

    axes: tuple
    weights: np.ndarray | None
    size: tuple
    before: tuple
    modes: tuple
    cval: complex
    in_line: bool = True


def mean(axis, size, origin, mode, cval):
    """The mean of `size` samples along an axis."""
    return Filter((axis,), None, (size,), (size // 2 + origin,), (mode,), cval)


def line(axis, weights, origin, mode, cval):
    """A correlation along an axis; weights that are symmetric but for roundings are made so."""
    n = len(weights)
    weights = np.ascontiguousarray(weights)
    if n % 2 and weights.dtype.kind == "f":
        half = weights[: n // 2]
        for sign in (1, -1):
            mirrored = sign * half[::-1]
            if (np.abs(weights[n // 2 + 1 :] - mirrored) <= TINY).all():
                weights = np.concatenate([half, weights[n // 2 : n // 2 + 1], mirrored])
                break
    return Filter((axis,), weights, (n,), (n // 2 + origin,), (mode,), cval)


def block(axes, weights, origins, mode, cval):
    """A correlation along several axes; what scipy takes for zero is."""
    weights = np.where(np.abs(weights) > TINY, weights, 0)
    before = tuple(n // 2 + o for n, o in zip(weights.shape, origins, strict=True))
    modes = (mode,) * len(axes)
    return Filter(axes, weights, weights.shape, before, modes, cval, in_line=False)


# ---- running -------------------------------------------------------------------------------------


def run(x, filters, y, precision=None, workers=1, missing=None):
    """Compute the filters, one after the other, from x to y, which may overlap; returns y.

    `missing` says what samples are left out, None that none are.
    """
    if missing and not filters:
        filters = [mean(0, 1, 0, 0, 0.0)]
    if not filters:
        y[...] = x
        return y
    if not y.size:
        return y
    target = y
    if _core.canonical(y) is not y or np.may_share_memory(x, y):
        target = np.empty(y.shape, y.dtype.newbyteorder("="))
    work, ordered = _arithmetic(x.dtype, y.dtype, filters, precision)
    x = _check.served(x)
    if missing:
        _leave_out(x, filters, target, work, missing, workers)
        if target is not y:
            y[...] = target
        return y
    if np.result_type(x, work) != work or (work.kind == "c" and x.dtype != work):
        x = x.astype(work)  # complex input of another precision, or real input of complex weights
    if target.dtype != work and work.kind == "c":
        target[...] = _all(x, filters, np.empty(y.shape, work), work, ordered, workers)
    else:
        _all(x, filters, target, work, ordered, workers)
    if target is not y:
        y[...] = target
    return y


def _arithmetic(source, result, filters, precision):
    """(dtype to compute in, whether all sums are in scipy's order)."""
    if result.kind == "c":
        single = result == np.complex64 and source.itemsize <= (8 if source.kind == "c" else 4)
        single = single and (source.kind in "fc" or source.itemsize < 4) and precision is None
        return np.dtype(np.complex64 if single else np.complex128), False
    if precision == "double" or result.kind in "iub":
        return np.dtype(np.float64), True
    narrow = source == np.float32 or (source.kind in "iub" and source.itemsize < 4)
    return np.dtype(np.float32 if result == np.float32 and narrow else np.float64), False


def _all(x, filters, y, work, ordered, workers):
    """Groups of filters that share blocks; those after the first in place."""
    any_order = not ordered and work == np.float32 and _commute(filters)
    first, *others = _groups(filters, y if any_order else None)
    groups = [first, *(part for group in others for part in _fitting(group, y, work))]
    for i, group in enumerate(groups):
        target = y
        if i < len(groups) - 1 and not all(_fits(g, y, work) for g in groups[i + 1 :]):
            target = np.empty(y.shape, y.dtype)
        if group[0].in_line:
            _chain(x, group, target, work, ordered or work == np.float64, workers)
        else:
            _block(x, group[0], target, work, ordered, workers)
        x = target
    return y


def _fitting(group, y, work):
    """A group, or its filters one after the other, which hold fewer lines."""
    return [group] if _fits(group, y, work) else [[f] for f in group]


def _fits(group, y, work):
    """Whether blocks of whole lines along the filtered axes are small enough to be held."""
    if not group[0].in_line:
        return False
    inner = min(range(y.ndim), key=lambda a: abs(y.strides[a]))
    axes = {f.axes[0]: f.size[0] for f in group}
    samples = math.prod(y.shape[a] + n for a, n in axes.items())
    return samples * (1 if inner in axes else 16) * work.itemsize <= IN_PLACE


def _commute(filters):
    """Whether the order of filters along axes changes nothing but roundings: all extend alike."""
    return all(f.cval == 0 or all(mode > 0 for mode in f.modes) for f in filters)


def _groups(filters, y):
    """Filters that a chain can take at once: three axes, of which blocks have moderate halos.

    Where they may go in any order, `y` is the result; else None.
    """
    groups = []
    for f in filters:
        last = groups[-1] if groups else []
        if len(last) in (1, 2) and f.in_line and last[0].in_line:
            last.append(f)
        else:
            groups.append([f])
    return [part for group in groups for part in _split(group, y)]


def _split(group, y):
    """Long windows along several axes would load most samples many times over."""
    longest = max(f.size[0] for f in group) if group[0].in_line else 1
    if longest > LONG:
        return [[f] for f in group]
    if len(group) == 3 and y is not None and _chains.sweeps(longest, y.dtype):
        along = {f.axes[0]: f for f in group}
        return [[along[a] for a in _chains.sweep_order(y, along)]]
    if len(group) == 3 and longest > FUSED_TAPS + 1:
        return [group[:1], group[1:]]
    return [group]


def _leave_out(x, filters, y, work, missing, workers):
    """The filters without what is missing."""
    f = filters[0]
    if not f.in_line and not (bool((f.weights == 0).any()) and bool(np.isinf(x).any())):
        _missing.check_weights(f.weights)
        target = y if y.dtype == work else np.empty(y.shape, work)
        _missing.filter(_filtering(x, f, target, work, workers), missing)
        if target is not y:
            y[...] = target
        return
    compute = functools.partial(_all, ordered=not f.in_line, workers=workers)
    _missing.leave_out(_omit.ChainSums(compute, filters, x, work, workers), x, y, missing)


# ---- any rank ------------------------------------------------------------------------------------


def _block(x, f, y, work, ordered, workers):
    """A correlation along several axes."""
    long_axes = sum(n > 1 for n in f.size)
    gaps = bool((f.weights == 0).any())
    if work == np.float32 and gaps and math.prod(f.size) <= FEW_TAPS and long_axes <= 3:
        _chain(x, [f], y, work, True, workers)  # which leaves out what is zero
        return
    if not ordered:
        ordered = gaps and not _check.finite(x)  # zero times NaN
    if ordered and work.kind == "f":
        if long_axes > 3:
            _by_terms(x, f, y)
        else:
            _chain(x, [f], y, np.dtype(np.float64), True, workers)
        return
    if y.dtype != work:
        y[...] = _engine(x, f, np.empty(y.shape, work), work, workers)
    else:
        _engine(x, f, y, work, workers)


def _filtering(x, f, y, work, workers):
    """A filter along several axes as `pyconvc._methods` has it."""
    pad, rules, shape = [0] * x.ndim, [0] * x.ndim, [1] * x.ndim
    order = sorted(range(len(f.axes)), key=lambda i: f.axes[i])
    for i in order:
        a = f.axes[i]
        pad[a], rules[a], shape[a] = f.before[i], f.modes[i], f.size[i]
    w = f.weights.transpose(order).reshape(shape).astype(work)
    x, fill, axes = x.astype(work, copy=False), np.asarray(f.cval, work), tuple(sorted(f.axes))
    return _methods.Filtering(x, w, y, axes, tuple(pad), tuple(rules), fill, False, workers)


def _engine(x, f, y, work, workers):
    """By the methods of `pyconvc._methods`, whichever `_choose` finds the fastest."""
    filtering = _filtering(x, f, y, work, workers)
    if not filtering.axes or x.ndim == 0:
        np.multiply(filtering.x, filtering.w, out=y)
        return y
    _methods.run(filtering, *_choose.method(filtering))
    return y


def _by_terms(x, f, y):
    """Kernels of more axes than a chain has: whole arrays, added in scipy's order."""
    for a, n, before, mode in zip(f.axes, f.size, f.before, f.modes, strict=True):
        index = _methods.boundary_index(np.arange(x.shape[a] + n - 1) - before, x.shape[a], mode)
        x = np.take(x, np.maximum(index, 0), axis=a).astype(np.float64, copy=False)
        x[(slice(None),) * a + (index < 0,)] = f.cval
    total = np.zeros(y.shape)
    for place in np.argwhere(f.weights):
        window = [slice(None)] * x.ndim
        for a, i in zip(f.axes, place, strict=True):
            window[a] = slice(i, i + y.shape[a])
        total += f.weights[tuple(place)] * x[tuple(window)]
    result = np.empty(y.shape, y.dtype)
    one = ("terms", (1,) * 3, (0,) * 3, (0,) * 3, np.zeros((1, 3), np.int64), np.ones(1), ZERO)
    _core.chain(_as_line(total), _as_line(result), [one], dtype=np.float64)
    y[...] = result


def _as_line(a):
    """A contiguous array as one line of one plane of one image."""
    return a.reshape(1, 1, 1, -1)


# ---- chains --------------------------------------------------------------------------------------


def _chain(x, filters, y, work, ordered, workers):
    """Filters along at most three axes in all, by the chains of the C library."""
    _chains.run(x, y, [_pass(f, work, ordered, y.dtype) for f in filters], workers)


def _pass(f, work, ordered, result):
    """A filter as a pass of a chain."""
    places, kind, weights = None, "sum", f.weights
    if weights is None:
        kind, weights = _mean(f, ordered or result.kind in "iub")
    if kind == "sum":
        terms = _sum if weights.nbytes <= KEPT_BYTES else _sum.__wrapped__
        key = (weights.tobytes(), weights.dtype, weights.shape)
        kind, places, weights = terms(*key, f.in_line, work, ordered)
    weights, fill = np.ascontiguousarray(weights, work), np.asarray(f.cval, work)
    return _chains.Pass(f.axes, f.size, f.before, f.modes, kind, weights, fill, places)


@functools.lru_cache(maxsize=64)
def _sum(weights, dtype, shape, in_line, work, ordered):
    """(kind, places or None, weights) of a sum with the weights that an array's bytes are."""
    weights = np.frombuffer(weights, dtype).reshape(shape)
    if not ordered:
        weights = _rounded(weights, work)
    if ordered or (work == np.float32 and _chains.parity(weights)):
        return _terms(in_line, weights)
    return "sum", None, weights


def _rounded(weights, work):
    """Weights of a line in the precision to compute in, with the same sum.

    What rounding takes from the sum goes to the largest taps, and what is left of it to smaller
    ones, so that a flat input keeps its level.
    """
    if weights.dtype.kind != "f" or work not in (np.float32, np.complex64):
        return weights
    result, size = weights.astype(np.float32), np.abs(weights)
    for largest in np.unique(size[size > 0])[:-7:-1]:
        taps = size == largest
        lost = math.fsum(weights) - math.fsum(result)
        result[taps] = result[taps] + lost / np.count_nonzero(taps)
    return result


def _mean(f, exactly):
    """A mean as a sum with weights, or as a sum that is multiplied or, exactly, divided."""
    samples = math.prod(f.size)
    if exactly:
        return "quotient", [samples]
    if samples < FEW_MEANS:
        return "sum", np.full(samples, 1 / samples)
    return "mean", [1 / np.float64(samples)]


def _terms(in_line, weights):
    """(kind, places, weights) in the order in which scipy adds."""
    if not in_line:
        places = np.argwhere(weights)
        if not len(places):
            places = np.zeros((1, weights.ndim), np.int64)
        return "terms", places, weights[tuple(places.T)]
    parity = _chains.parity(weights)
    if parity:
        return _chains.pairs(weights, parity)
    order = [len(weights) - 1, *range(len(weights) - 1)]
    return "terms", np.array(order)[:, None], weights[order]
