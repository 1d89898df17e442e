"""Chains: filters along axes, one after the other, in one sweep over arrays of any rank."""

import functools
from dataclasses import dataclass

import numpy as np

from . import _core

MOST_AXES = 3  # of all passes of a chain
SWEPT_BYTES = 96  # of the longest window along three axes: planes of larger ones leave the cache
CHANNEL_BYTES = 48  # of rows, up to which these are the channels of pixels: each an image


@dataclass(frozen=True, slots=True)
class Pass:
    """One filter of a chain; it extends what the pass before left.

    Attributes
    ----------
    axes : tuple of int
        Distinct axes, counted from the front.
    size, before, rules : tuple of int
        For each of the axes: samples of the window, how many of them lie before the one that is
        written, and the code of the boundary rule.
    kind : str
        Of the sum, as in `_core.PASSES`.
    weights : ndarray
        Contiguous, in the dtype to compute in.
    fill : ndarray
        One element of that dtype: the constant of a constant rule.
    places : ndarray or None
        Where in the window the samples of terms or pairs lie, a row for each; None for other kinds.
    """

    axes: tuple
    size: tuple
    before: tuple
    rules: tuple
    kind: str
    weights: np.ndarray
    fill: np.ndarray
    places: np.ndarray | None = None


def parity(weights):
    """1 for weights that are the same from both ends, -1 for their negatives, else 0."""
    n, half = len(weights), len(weights) // 2
    front, back = weights[:half], weights[: n - half - 1 : -1]
    if n % 2 == 0:
        return 0
    return 1 if (front == back).all() else -1 if (front == -back).all() else 0


def pairs(weights, sign):
    """(kind, places, weights) of a sum of the middle sample and pairs around it, for a parity."""
    half = len(weights) // 2
    folded = np.concatenate((weights[half : half + 1], weights[:half]))
    return "pairs" if sign == 1 else "odd pairs", _pair_places(len(weights)), folded


@functools.lru_cache(maxsize=16)
def _pair_places(n):
    """The middle one of n samples, then the pairs around it, the outermost first."""
    half = n // 2
    return np.array([half, *(i for t in range(half) for i in (t, n - 1 - t))])[:, None]


def sweep_order(y, axes):
    """The axes in the order in which one sweep takes them: of three, the outermost last."""
    inward = sorted(axes, key=lambda a: -abs(y.strides[a]))
    return inward[-2:] + inward[:-2]


def sweeps(taps, dtype):
    """Whether three axes, with windows of at most so many samples, are filtered faster in one sweep
    than two in one and the third in place.
    """
    return taps * dtype.itemsize <= SWEPT_BYTES


def run(x, y, passes, workers):
    """Filter x into y, whose sizes may differ along the axes of the passes, three at most.

    Along these, y[0] is the sum that `before` names, and every sum reaches a sample of x.
    """
    chain(x, y, passes).run(x, y, workers)


def chain(x, y, passes):
    """What `run` runs, for all arrays that are laid out as these."""
    (a, b), [described] = _problem((x, y), passes)
    leads = tuple(zip(b.shape[:-4], a.strides, b.strides, strict=False))
    first = tuple(part[(0,) * len(leads)] for part in (a, b))
    return _core.Chain(x, y, first, described, dtype=passes[0].weights.dtype, leads=leads)


def run_present(x, y, passes, sizes, mask, **how):
    """The same without missing samples, for real arrays; returns whether they suit.

    `sizes` are the passes of the weights' sizes, `how` other arguments of `_core.chain_present`.
    """
    arrays, described = _problem((x, y) if mask is None else (x, y, mask), passes, sizes)
    how["dtype"] = passes[0].weights.dtype
    for index in np.ndindex(arrays[1].shape[:-4]):
        x, y, *mask = (a[index] for a in arrays)
        if not _core.chain_present(x, y, *described, mask=mask[0] if mask else None, **how):
            return False  # nor do the other parts, which are alike
    return True


def _problem(arrays, *chains):
    """(arrays, lists of passes): x, y and maybe others with axes as `_core.Chain` takes them,
    before which lie those of which each place is a chain of its own; and the passes in these terms.
    """
    filtered = {a for p in chains[0] for a, n in zip(p.axes, p.size, strict=True) if n > 1}
    arrays = _with_long_lines(arrays, filtered)
    space = _space(arrays[1], filtered)
    others = [a for a in range(arrays[1].ndim) if a not in space]
    axes = [slice(None)] * len(others) if others else [None]
    axes += [None] * (3 - len(space))
    described = [[_described(p, space) for p in c] for c in chains]
    return [a.transpose(*others, *space)[tuple(axes)] for a in arrays], described


def _with_long_lines(arrays, filtered):
    """They with the axes after the last filtered one as one axis, where that takes no copy."""
    last = max(filtered, default=-1)
    if arrays[1].ndim - last > 2 and all(a.flags.c_contiguous for a in arrays):
        return [a.reshape(*a.shape[: last + 1], -1) for a in arrays]
    return arrays


def _space(y, filtered):
    """The filtered axes and, up to three, those that lie closest, but for that of the channels of
    an image; in the order of memory.
    """
    by_step = sorted(range(y.ndim), key=lambda a: (-abs(y.strides[a]), a))
    others = [a for a in by_step if a not in filtered]
    if others and others[-1] == by_step[-1] and y.shape[others[-1]] * y.itemsize <= CHANNEL_BYTES:
        others.pop()
    chosen = filtered | set(others[len(others) - max(0, 3 - len(filtered)) :])
    return [a for a in by_step if a in chosen]


def _described(p, space):
    """A pass as `_core.chain` takes it."""
    place = {a: 3 - len(space) + i for i, a in enumerate(space)}
    kernel, pad, rules = [1] * 3, [0] * 3, [0] * 3
    at = None if p.places is None else np.zeros((len(p.places), 3), np.int64)
    for i, (a, n) in enumerate(zip(p.axes, p.size, strict=True)):
        if n > 1:
            kernel[place[a]], pad[place[a]], rules[place[a]] = n, p.before[i], p.rules[i]
            if at is not None:
                at[:, place[a]] = p.places[:, i]
    return p.kind, kernel, pad, rules, at, p.weights, p.fill
