"""Arrays in bands along one axis, and what they are beyond their edges."""

import numpy as np

from . import _check


def spans(first, last, height):
    """(begin, end) of bands of `height` rows; the last may be shorter."""
    for begin in range(first, last, height):
        yield begin, min(last, begin + height)


def part(axis, first, last):
    """Index of the rows [first, last) along an axis."""
    return (*(slice(None),) * axis, slice(first, last))


def boundary_index(i, n, boundary):
    """Where the samples `i` of an axis of `n` samples are read, -1 for the constant."""
    i = np.asarray(i)
    name = _check.BOUNDARIES[boundary]
    if name == "replicate":
        return np.clip(i, 0, n - 1)
    if name == "circular":
        return i % n
    if name == "symmetric":
        i = i % (2 * n)
        return np.minimum(i, 2 * n - 1 - i)
    if name == "reflect":
        period = max(1, 2 * n - 2)
        i = i % period
        return np.minimum(i, period - i)
    return np.where((i >= 0) & (i < n), i, -1)


def extended(x, axis, index, boundary, fill):
    """Rows of x extended along one axis: a view where none is beyond the edge."""
    n = x.shape[axis]
    if index.start >= 0 and index.stop <= n:
        return x[(slice(None),) * axis + (index,)]
    i = boundary_index(np.arange(index.start, index.stop), n, boundary)
    if n == 0:
        return np.full((*x.shape[:axis], len(i), *x.shape[axis + 1 :]), fill, x.dtype)
    before = (slice(None),) * axis
    block = x[(*before, np.maximum(i, 0))]  # take() would copy all of an x that is not C-contiguous
    block = block.astype(np.result_type(block, fill), copy=False)
    block[(*before, i < 0)] = fill
    return block
