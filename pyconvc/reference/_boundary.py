# SPDX-License-Identifier: BSD-3-Clause
"""The boundary rules: where the samples beyond the ends of an axis come from."""

import numpy as np

BOUNDARIES = ("constant", "replicate", "reflect", "symmetric", "circular")


def boundary_index(n, before, after, boundary):
    """Where each sample of an extended axis comes from.

    Parameters
    ----------
    n : int
        Length of the axis.
    before, after : int
        Samples added at each end; a negative number drops samples.
    boundary : str
        ``"constant"``, ``"replicate"`` (aaa|abc|ccc), ``"reflect"`` (cb|abc|ba), ``"symmetric"``
        (ba|abc|cb) or ``"circular"`` (bc|abc|ab). Extensions longer than the axis turn again.

    Returns
    -------
    ndarray of intp, shape (before + n + after,)
        Index into the axis, or -1 for a sample of the constant.

    Raises
    ------
    ValueError
        For an unknown boundary, and for an empty axis that has nothing to repeat.

    Examples
    --------
    >>> boundary_index(3, 2, 4, "reflect")
    array([2, 1, 0, 1, 2, 1, 0, 1, 2])
    """
    if boundary not in BOUNDARIES:
        raise ValueError(f"boundary={boundary!r}: must be one of {BOUNDARIES}")
    i = np.arange(-before, n + after)
    if boundary == "constant":
        return np.where((i >= 0) & (i < n), i, -1)
    if n == 0 and i.size:
        raise ValueError(f"boundary={boundary!r}: an empty axis cannot be extended")
    if boundary == "replicate":
        return i.clip(0, max(n - 1, 0))
    if boundary == "circular":
        return i % max(n, 1)
    if boundary == "symmetric":
        period, fold = max(2 * n, 1), 2 * n - 1
    else:
        period, fold = max(2 * n - 2, 1), 2 * n - 2
    i = i % period
    return np.where(i < n, i, fold - i)


def extend(x, axis, index, fill=0):
    """`x` with the samples of an index map along one axis, and `fill` where the map has -1."""
    shape = (*x.shape[:axis], index.size, *x.shape[axis + 1 :])
    extended = np.full(shape, np.asarray(fill).astype(x.dtype), x.dtype)
    inside = (slice(None),) * axis + (index >= 0,)
    extended[inside] = x.take(index[index >= 0], axis)
    return extended


def fold_back(extended, axis, index, n):
    """Transpose of `extend`: each sample is summed into the one of the `n` that it repeats."""
    extended = np.moveaxis(extended, axis, 0)
    x = np.zeros((n, *extended.shape[1:]), extended.dtype)
    for i, sample in zip(index, extended, strict=True):
        if i >= 0:
            x[i] += sample
    return np.moveaxis(x, 0, axis)
