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
KEPT, KEPT_BYTES = 256, 8192  # filters that are kept for later calls, and their weights' bytes
IN_PLACE = 4 << 20  # bytes of a block in place, of which buffers hold three


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """One filter: the correlation with weights, or a mean, along some axes.

    Equal filters are one and the same, where they are kept for later calls.

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


@functools.lru_cache(maxsize=KEPT, typed=True)
def mean(axis, size, origin, mode, cval):
    """The mean of `size` samples along an axis."""
    return Filter((axis,), None, (size,), (size // 2 + origin,), (mode,), cval)


def line(axis, weights, origin, mode, cval):
    """A correlation along an axis; weights that are symmetric but for roundings are made so."""
    return _kept(_line, weights)(weights.tobytes(), weights.dtype, axis, origin, mode, cval)


def block(axes, weights, origins, mode, cval):
    """A correlation along several axes; what scipy takes for zero is."""
    given = weights.tobytes(), weights.dtype, weights.shape
    return _kept(_block_of, weights)(*given, axes, tuple(origins), mode, cval)


def _kept(function, *weights):
    """The function as it keeps its answers, where weights are not too large for that."""
    return function if sum(w.nbytes for w in weights) <= KEPT_BYTES else function.__wrapped__


@functools.lru_cache(maxsize=KEPT, typed=True)
def _line(weights, dtype, axis, origin, mode, cval):
    weights = np.frombuffer(weights, dtype)
    n = len(weights)
    if n % 2 and dtype.kind == "f":
        half = weights[: n // 2]
        for sign in (1, -1):
            mirrored = sign * half[::-1]
            if (np.abs(weights[n // 2 + 1 :] - mirrored) <= TINY).all():
                weights = np.concatenate([half, weights[n // 2 : n // 2 + 1], mirrored])
                break
    return Filter((axis,), weights, (n,), (n // 2 + origin,), (mode,), cval)


@functools.lru_cache(maxsize=KEPT, typed=True)
def _block_of(weights, dtype, shape, axes, origins, mode, cval):
    weights = np.frombuffer(weights, dtype).reshape(shape)
    weights = np.where(np.abs(weights) > TINY, weights, 0)
    before = tuple(n // 2 + o for n, o in zip(shape, origins, strict=True))
    return Filter(axes, weights, shape, before, (mode,) * len(axes), cval, in_line=False)


@functools.lru_cache(maxsize=16, typed=True)
def cross(axes, modes, cval):
    """The sum of second differences along some axes at once."""
    weights = np.zeros((3,) * len(axes))
    weights[(1,) * len(axes)] = -2 * len(axes)
    for i in range(len(axes)):
        for end in 0, 2:
            weights[(1,) * i + (end,) + (1,) * (len(axes) - i - 1)] = 1
    size, before = weights.shape, (1,) * len(axes)
    return Filter(axes, weights, size, before, modes, cval, in_line=False)


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
    elif work.kind == "c":
        x = x.astype(work, copy=False)  # of another precision, or real with complex weights
        given = target if target.dtype == work else np.empty(y.shape, work)
        _all(x, filters, given, work, ordered, workers)
        if given is not target:
            target[...] = given
    else:
        weights = (f.weights for f in filters if f.weights is not None)
        steps = _kept(_steps, *weights)
        _all(x, tuple(filters), target, work, ordered, workers, steps=steps)
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


def adds_freely(source, result, filters, precision=None):
    """Whether sums may be added up in any order: in float32, or exact ones."""
    work, ordered = _arithmetic(source, result, filters, precision)
    return _are_free(source, result, filters, work, ordered)


def _are_free(source, result, filters, work, ordered):
    return (work == np.float32 and not ordered) or _exact(source, result, filters)


def _exact(source, result, filters):
    """Whether small integers have whole sums that doubles, and 32 bits, hold. Fewer bits of a
    result are those of the sum, whatever was left out on the way to it.
    """
    if source.kind not in "biu" or source.itemsize > 2 or result.kind not in "iuf":
        return False
    most = 1 << 16
    for f in filters:
        if f.weights is None or f.weights.dtype.kind != "f" or (f.weights % 1).any():
            return False
        most *= max(1, np.abs(f.weights).sum())
    held = result == np.float64 or (result.kind != "f" and result.itemsize <= 4)
    return held and most < 1 << 31 and _commute(filters)


def _all(x, filters, y, work, ordered, workers, *, steps=None):
    """Groups of filters that share blocks, one after the other."""
    for step, in_place in (steps or _steps.__wrapped__)(
        _layout(x), _layout(y), filters, work, ordered
    ):
        target = y if in_place else np.empty(y.shape, y.dtype)
        step(x, target, workers)
        x = target
    return y


def _layout(a):
    return a.shape, a.strides, a.dtype


@functools.lru_cache(maxsize=KEPT)
def _steps(source, result, filters, work, ordered):
    """What computes the filters between arrays laid out so: functions of input, output and workers,
    each with whether it writes the result itself, of which those after it then are in place.
    """
    x, y = (_shaped(*layout) for layout in (source, result))
    any_order = _are_free(x.dtype, y.dtype, filters, work, ordered) and _commute(filters)
    first, *others = _groups(filters, y if any_order else None)
    groups = [first, *(part for group in others for part in _fitting(group, y, work))]
    steps = []
    for i, group in enumerate(groups):
        in_place = all(_fits(g, y, work) for g in groups[i + 1 :])
        target = y if in_place else np.empty(y.shape, y.dtype)
        if group[0].in_line:
            step = _chain(x, group, target, work, ordered or work == np.float64)
        else:
            step = _block(x, group[0], target, work, ordered)
        steps.append((step, in_place))
        x = target
    return steps


def _shaped(shape, strides, dtype):
    """An array laid out so, which is not to be read or written."""
    return np.lib.stride_tricks.as_strided(np.empty((), dtype), shape, strides)


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
    if len(group) == 2 and y is not None:
        # rows second: the first has left them near
        return [sorted(group, key=lambda f: f.axes)]
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
        x = x.astype(work, copy=False)
        _missing.filter(_filtering(_kernel(f, x.ndim, work), x, target, workers), missing)
        if target is not y:
            y[...] = target
        return
    if _chains_at_once(x, filters, y, work, missing, workers):
        return
    compute = functools.partial(_all, ordered=not f.in_line, workers=workers)
    _missing.leave_out(_omit.ChainSums(compute, filters, x, work, workers), x, y, missing)


def _chains_at_once(x, filters, y, work, missing, workers):
    """Both sums of bands that stay in the cache; returns whether the filters suit that."""
    weights = [f.weights for f in filters if f.weights is not None]
    one_sign = not (missing.normalize and _missing.have_both_signs(*weights))
    in_line = len(filters) <= _chains.MOST_AXES and all(f.in_line for f in filters)
    if work.kind != "f" or not one_sign or not in_line:
        return False
    for w in weights:
        _missing.check_weights(w)
    fill = np.float64(filters[0].cval)
    if not np.isnan(fill) and not _missing.lacks(x, missing.mask):
        _all(x, filters, y, work, False, workers)
        return True
    any_order = y if work == np.float32 and _commute(filters) else None
    filters = [f for group in _groups(filters, any_order) for f in group]
    there = not np.isnan(fill)
    chains = (
        [_pass(f, work, work == np.float64, work) for f in _omit.with_constant(filters, constant)]
        for filters, constant in (
            (filters, fill if there else np.float64(0)),
            ([_omit.sized(f) for f in filters], np.float64(there)),
        )
    )
    how = {"min_weight": missing.min_weight, "normalize": missing.normalize, "workers": workers}
    return _chains.run_present(x, y, *chains, missing.mask, **how)


# ---- any rank ------------------------------------------------------------------------------------


def _block(x, f, y, work, ordered):
    """The step of a correlation along several axes."""
    long_axes = sum(n > 1 for n in f.size)
    gaps = bool((f.weights == 0).any())
    if work == np.float32 and gaps and math.prod(f.size) <= FEW_TAPS and long_axes <= 3:
        return _chain(x, [f], y, work, True)  # which leaves out what is zero
    if ordered and work.kind == "f":
        return _in_order(x, f, y)
    engine = functools.partial(_engine, _kernel(f, x.ndim, work), work)
    if not gaps or work.kind != "f":
        return engine

    def step(x, y, workers):
        if _check.finite(x):
            engine(x, y, workers)
        else:  # zero times NaN
            _in_order(x, f, y)(x, y, workers)

    return step


def _in_order(x, f, y):
    """The step of a correlation in float64 that leaves out weights of zero."""
    if sum(n > 1 for n in f.size) > 3:
        return functools.partial(_by_terms, f)
    return _chain(x, [f], y, np.dtype(np.float64), True)


def _kernel(f, rank, work):
    """A filter along several axes as (w, axes, pad, boundary, fill) of `_methods.Filtering`."""
    pad, rules, shape = [0] * rank, [0] * rank, [1] * rank
    order = sorted(range(len(f.axes)), key=lambda i: f.axes[i])
    for i in order:
        a = f.axes[i]
        pad[a], rules[a], shape[a] = f.before[i], f.modes[i], f.size[i]
    w = f.weights.transpose(order).reshape(shape).astype(work)
    return w, tuple(sorted(f.axes)), tuple(pad), tuple(rules), np.asarray(f.cval, work)


def _filtering(kernel, x, y, workers):
    w, *numbers = kernel
    return _methods.Filtering(x, w, y, *numbers, False, workers)


def _engine(kernel, work, x, y, workers):
    """By the methods of `pyconvc._methods`, whichever `_choose` finds the fastest."""
    target = y if y.dtype == work else np.empty(y.shape, work)
    filtering = _filtering(kernel, x.astype(work, copy=False), target, workers)
    if filtering.axes and x.ndim:
        _methods.run(filtering, *_choose.method(filtering))
    else:
        np.multiply(filtering.x, filtering.w, out=target)
    if target is not y:
        y[...] = target


def _by_terms(f, x, y, workers):
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
    one = _chains.Pass((0,), (1,), (0,), (0,), "terms", np.ones(1), ZERO, np.zeros((1, 1), int))
    _chains.run(total.ravel(), result.reshape(-1), [one], workers)
    y[...] = result


# ---- chains --------------------------------------------------------------------------------------


def _chain(x, filters, y, work, ordered):
    """The step of filters along at most three axes in all, by the chains of the C library."""
    return _chains.chain(x, y, [_pass(f, work, ordered, y.dtype) for f in filters]).run


def _pass(f, work, ordered, result):
    """A filter as a pass of a chain."""
    places, kind, weights = None, "sum", f.weights
    if weights is None:
        kind, weights = _mean(f, ordered or result.kind in "iub")
    if kind == "sum":
        if not ordered:
            weights = _rounded(weights, work)
        if ordered or (work == np.float32 and _chains.parity(weights)):
            kind, places, weights = _terms(f.in_line, weights)
    weights, fill = np.ascontiguousarray(weights, work), np.asarray(f.cval, work)
    return _chains.Pass(f.axes, f.size, f.before, f.modes, kind, weights, fill, places)


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
