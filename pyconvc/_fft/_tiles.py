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
    first = -len(ranges)
    if boundary != "constant":
        return _repeated(x, ranges, _check.BOUNDARIES.index(boundary))
    if any(start < 0 or stop > n for (start, stop), n in zip(ranges, x.shape[first:], strict=True)):
        return _filled(x, ranges, fill)
    return x[(..., *[slice(*r) for r in ranges])]


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


def _repeated(x, ranges, rule):
    """Samples start:stop along the last axes of `x` extended by a rule that reads its samples."""
    sources = []
    for (start, stop), n in zip(ranges, x.shape[-len(ranges) :], strict=True):
        sources.append(boundary_index(np.arange(start, stop), n, rule))
    used = [(source.min(), source.max() + 1) for source in sources]
    runs = [_overlap(r, n)[1] for r, n in zip(ranges, x.shape[-len(ranges) :], strict=True)]
    x = x[(..., *[slice(*u) for u in used])]
    for axis, (source, (low, _), run) in enumerate(
        zip(sources, used, runs, strict=True), start=-len(ranges)
    ):
        if run != slice(0, source.size):
            x = _gathered(x, axis, source - low, run)
    return x


def _gathered(x, axis, source, run):
    """Copy of the samples of `source` along an axis, which count up by one in the `run`."""
    after = (slice(None),) * (-axis - 1)
    shape = list(x.shape)
    shape[axis] = source.size
    region = np.empty(shape, x.dtype)
    if run.stop > run.start:
        first = source[run.start]
        region[(..., run, *after)] = x[(..., slice(first, first + run.stop - run.start), *after)]
    for beyond in (slice(0, run.start), slice(run.stop, None)):
        # Indexing, not take(), which would copy all of an x that is not C-contiguous.
        region[(..., beyond, *after)] = x[(..., source[beyond], *after)]
    return region
