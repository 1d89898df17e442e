"""Tiles as views: of the input with its extension beyond the edges, and of the output."""

import itertools

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .. import _check
from .._methods import boundary_index

__all__ = ["extended", "store", "tiles_of"]


def tiles_of(a, counts, steps, sizes):
    """View of `a` (..., n1, n2) as tiles (..., count1, count2, size1, size2)."""
    rank = len(counts)
    strides = a.strides[-rank:]
    jumps = [s * v for s, v in zip(strides, steps, strict=True)]
    return as_strided(
        a, (*a.shape[:-rank], *counts, *sizes), (*a.strides[:-rank], *jumps, *strides)
    )


def store(y, out, tile):
    """Copy tiles (..., count1, count2, tile1, tile2) to their places, the last ones cut short."""
    parts = []
    for m, v in zip(out.shape[-len(tile) :], tile, strict=True):
        whole, rest = divmod(m, v)
        parts.append([p for p in ((0, whole, v), (whole, 1, rest)) if p[1] and p[2]])
    for part in itertools.product(*parts):
        first, count, size = zip(*part, strict=True)
        cells = [slice(f, f + c) for f, c in zip(first, count, strict=True)]
        region = [slice(f * v, None) for f, v in zip(first, tile, strict=True)]
        target = tiles_of(out[(..., *region)], count, tile, size)
        target[...] = y[(..., *cells, *[slice(0, s) for s in size])]


def extended(x, ranges, boundary, fill):
    """Samples start:stop along the last axes of `x` extended by the boundary rule.

    A view where the ranges lie within `x`, else a copy.
    """
    rank = len(ranges)
    lengths = x.shape[-rank:]
    if all(start >= 0 and stop <= n for (start, stop), n in zip(ranges, lengths, strict=True)):
        return x[(..., *[slice(*r) for r in ranges])]
    if boundary == "constant":
        return _filled(x, ranges, fill)
    for axis, (start, stop) in enumerate(ranges, start=-rank):
        x = _extended_along(x, axis, start, stop, boundary)
    return x


def _filled(x, ranges, fill):
    """Samples start:stop along the last axes of `x`, `fill` where there are none."""
    rank = len(ranges)
    region = np.empty((*x.shape[:-rank], *[b - a for a, b in ranges]), x.dtype)
    source, target = zip(*map(_overlap, ranges, x.shape[-rank:]), strict=True)
    region[(..., *target)] = x[(..., *source)]
    for axis, used in enumerate(target, start=-rank):
        after = (slice(None),) * (-axis - 1)
        region[(..., slice(0, used.start), *after)] = fill
        region[(..., slice(used.stop, None), *after)] = fill
    return region


def _overlap(wanted, n):
    """Where start:stop meets 0:n, counted from 0 and from start."""
    low, high = (min(max(i, 0), n) for i in wanted)
    return slice(low, high), slice(max(0, low - wanted[0]), max(0, high - wanted[0]))


def _extended_along(x, axis, start, stop, boundary):
    """Samples start:stop along one axis of `x` extended by a rule that reads its samples."""
    n = x.shape[axis]
    source, target = _overlap((start, stop), n)
    after = (slice(None),) * (-axis - 1)
    shape = list(x.shape)
    shape[axis] = stop - start
    region = np.empty(shape, x.dtype)
    region[(..., target, *after)] = x[(..., source, *after)]
    for beyond in (slice(0, target.start), slice(target.stop, None)):
        edge = region[(..., beyond, *after)]
        first = start + (beyond.start or 0)
        index = np.arange(first, first + edge.shape[axis])
        edge[...] = x.take(boundary_index(index, n, _check.BOUNDARIES.index(boundary)), axis=axis)
    return region
