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
    n, first, last = x.shape[axis], index.start, index.stop
    if first >= 0 and last <= n:
        return x[part(axis, first, last)]
    shape = (*x.shape[:axis], last - first, *x.shape[axis + 1 :])
    block = np.empty(shape, np.result_type(x, fill))
    begin = min(max(first, 0), last)
    end = max(begin, min(last, n))
    block[part(axis, begin - first, end - first)] = x[part(axis, begin, end)]
    for rows in (np.arange(first, begin), np.arange(end, last)):
        i = boundary_index(rows, n, boundary) if n else np.full(len(rows), -1)
        inside, lead = i >= 0, (slice(None),) * axis
        block[(*lead, rows[inside] - first)] = x[(*lead, i[inside])]
        block[(*lead, rows[~inside] - first)] = fill
    return block
