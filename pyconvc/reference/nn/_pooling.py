# SPDX-License-Identifier: BSD-3-Clause
"""Pooling with PyTorch's windows, and the sums by which its gradients go back.

Every function walks over the outputs and reduces one window of all rows at a time.
"""

import math

import numpy as np

from .._passes import result_and_work
from .._problem import per_axis
from ._common import batched, of_ranks_1_2_3


def avg_pool_nd(
    rank,
    input,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """Average of every window, as torch.nn.functional has it.

    A window that `ceil_mode` lets hang over counts the samples up to the end of the padding, or
    with ``count_include_pad=False`` those of the input. Integer sums are taken in 64 bits and the
    average is truncated towards zero.

    Examples
    --------
    >>> avg_pool1d([[1.0, 2, 3, 4, 5]], 2, ceil_mode=True)
    array([[1.5, 3.5, 5. ]])
    """
    x, restore = batched(input, rank)
    windows = sliding(x.shape[2:], kernel_size, stride, padding, 1, ceil_mode)
    divisors = avg_divisors(windows, count_include_pad, divisor_override)
    return restore(_averages(x, windows, divisors))


def max_pool_nd(
    rank,
    input,
    kernel_size,
    stride=None,
    padding=0,
    dilation=1,
    ceil_mode=False,
    return_indices=False,
):
    """Maximum of every window, as torch.nn.functional has it.

    NaN wins. The index, into the flattened space, is that of the first maximum or the last NaN.

    Examples
    --------
    >>> max_pool1d([[1, 5, 2, 2]], 2, return_indices=True)
    (array([[5, 2]]), array([[1, 2]]))
    """
    x, restore = batched(input, rank)
    windows = sliding(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    return _maxima(x, windows, return_indices, restore)


def lp_pool_nd(rank, input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """Power average ``(sum of x**p)**(1/p)`` of every window, as torch.nn.functional has it.

    A window that hangs over is scaled up to the size of a whole one. The infinite norms are the
    largest and the smallest magnitude. Integers and bool become float64.

    Examples
    --------
    >>> lp_pool1d([[3.0, 4.0, 5.0]], 2, 2, ceil_mode=True)
    array([[5.        , 7.07106781]])
    """
    x = np.asarray(input)
    x = x.astype(float) if x.dtype.kind in "biu" else x
    dtype, work = result_and_work((x,), None)
    x = x.astype(work)
    if math.isinf(norm_type):
        sign = math.copysign(1, norm_type)
        y = sign * max_pool_nd(rank, sign * abs(x), kernel_size, stride, ceil_mode=ceil_mode)
    else:
        mean = avg_pool_nd(rank, x**norm_type, kernel_size, stride, ceil_mode=ceil_mode)
        with np.errstate(invalid="ignore"):
            y = (mean * math.prod(per_axis(kernel_size, rank))) ** (1 / norm_type)
    return y.astype(dtype)


def adaptive_avg_pool_nd(rank, input, output_size):
    """Averages of windows that divide the input into `output_size` parts.

    Part i of m runs from ``floor(i*n/m)`` to ``ceil((i + 1)*n/m)``; a size of None keeps the axis.

    Examples
    --------
    >>> adaptive_avg_pool1d([[1.0, 2, 3, 4, 5]], 2)
    array([[2., 4.]])
    """
    x, restore = batched(input, rank)
    windows = dividing(x.shape[2:], output_size)
    return restore(_averages(x, windows, avg_divisors(windows, False)))


def adaptive_max_pool_nd(rank, input, output_size, return_indices=False):
    """Maxima of the windows of `adaptive_avg_pool`; the indices are those of `max_pool`.

    Examples
    --------
    >>> adaptive_max_pool1d([[1, 2, 5, 4, 3]], 2)
    array([[5, 5]])
    """
    x, restore = batched(input, rank)
    return _maxima(x, dividing(x.shape[2:], output_size), return_indices, restore)


def max_unpool_nd(rank, input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Put every maximum back at its index, zeros elsewhere; the last of equal indices stays.

    Examples
    --------
    >>> max_unpool1d([[5, 2]], [[1, 2]], 2)
    array([[0, 5, 2, 0]])
    """
    x, restore = batched(input, rank)
    indices, _ = batched(indices, rank)
    kernel, padding = per_axis(kernel_size, rank), per_axis(padding, rank)
    stride = kernel if stride is None else per_axis(stride, rank)
    sizes = zip(x.shape[2:], kernel, stride, padding, strict=True)
    space = [(n - 1) * s - 2 * p + k for n, k, s, p in sizes]
    if output_size is not None:
        asked = [int(n) for n in output_size[-rank:]]
        if any(abs(n - m) >= s for n, m, s in zip(asked, space, stride, strict=True)):
            raise ValueError(f"output_size={asked}: must be less than {stride} from {space}")
        space = asked
    rows = x.reshape(*x.shape[:2], -1)
    y = np.zeros((*x.shape[:2], math.prod(space)), x.dtype)
    np.put_along_axis(y, indices.reshape(rows.shape), rows, 2)
    return restore(y.reshape(*x.shape[:2], *space))


class Windows:
    """The samples, and the number counted, of every output of a pool.

    Parameters
    ----------
    space : tuple of int
    axes : list of list of (slice, int)
        For each output along each axis, what it takes of the input, and its length there with the
        padding that it covers.
    """

    def __init__(self, space, axes):
        self.space = tuple(space)
        self.out = tuple(len(axis) for axis in axes)
        self._axes = axes

    def __iter__(self):
        """Index of the output, index of its samples, number with and without padding."""
        for o in np.ndindex(self.out):
            of_axes = [axis[i] for axis, i in zip(self._axes, o, strict=True)]
            samples, counted = zip(*of_axes, strict=True)
            taken = [len(range(n)[s]) for n, s in zip(self.space, samples, strict=True)]
            yield (..., *o), (..., *samples), math.prod(counted), math.prod(taken)


def sliding(space, kernel_size, stride, padding, dilation, ceil_mode):
    """Windows that move by a stride, the last one by PyTorch's rule.

    With `ceil_mode` one more window may hang over the end, if it starts before the padding there.
    """
    rank = len(space)
    kernel = per_axis(kernel_size, rank)
    stride = kernel if stride is None else per_axis(stride, rank)
    arguments = kernel, stride, per_axis(padding, rank), per_axis(dilation, rank)
    axes = zip(space, *arguments, strict=True)
    return Windows(space, [_sliding_axis(*axis, ceil_mode) for axis in axes])


def _sliding_axis(n, k, s, p, d, ceil_mode):
    if p > k // 2:
        raise ValueError(f"padding={p}: must be at most half of kernel_size={k}")
    span = d * (k - 1) + 1
    outputs = (n + 2 * p - span + (s - 1 if ceil_mode else 0)) // s + 1
    if ceil_mode and (outputs - 1) * s >= n + p:
        outputs -= 1
    if outputs < 1:
        raise ValueError(f"kernel_size={k}: larger than an axis of {n} padded by {p}")
    windows = []
    for start in range(-p, outputs * s - p, s):
        first = start if start >= 0 else start % d
        counted = min(start + span, n + p) - start
        windows.append((slice(first, max(start + span, 0), d), counted))
    return windows


def dividing(space, output_size):
    """Windows that cover an axis in a given number of parts."""
    parts = per_axis(output_size, len(space))
    return Windows(space, [_dividing_axis(n, m) for n, m in zip(space, parts, strict=True)])


def _dividing_axis(n, m):
    m = n if m is None else m
    parts = [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
    return [(slice(start, end), end - start) for start, end in parts]


def avg_divisors(windows, count_include_pad, divisor_override=None):
    """What the sum of every window is divided by."""
    if divisor_override is not None:
        return [divisor_override for _ in windows]
    return [counted if count_include_pad else taken for _, _, counted, taken in windows]


def _averages(x, windows, divisors):
    if x.dtype.kind == "b":
        raise TypeError("averages of bool are not defined")
    integer = x.dtype.kind in "iu"
    dtype, work = result_and_work((x,), f"{x.dtype.kind}8" if integer else None)
    y = np.zeros((*x.shape[:2], *windows.out), dtype)
    axes = tuple(range(2, x.ndim))
    for (o, samples, _, _), divisor in zip(windows, divisors, strict=True):
        total = x[samples].sum(axes, dtype=work)
        y[o] = _truncated(total, divisor) if integer else total / divisor
    return y


def _truncated(a, divisor):
    """Integer quotient, rounded towards zero."""
    quotient, rest = np.divmod(a, a.dtype.type(divisor))
    return quotient + ((quotient < 0) & (rest != 0))


def _maxima(x, windows, return_indices, restore):
    if x.dtype.kind == "c":
        raise TypeError("complex numbers have no maximum")
    y = np.full((*x.shape[:2], *windows.out), _least(x.dtype), x.dtype.newbyteorder("="))
    indices = np.full(y.shape, -1)
    position = np.arange(math.prod(windows.space)).reshape(windows.space)
    for o, samples, _, taken in windows:
        if taken:
            rows = x[samples].reshape(*x.shape[:2], -1)
            best = _first_maximum(rows)
            y[o] = np.take_along_axis(rows, best[..., None], 2)[..., 0]
            indices[o] = position[samples].ravel()[best]
    return (restore(y), restore(indices)) if return_indices else restore(y)


def _first_maximum(rows):
    """Position of the first maximum, or of the last NaN."""
    nan = rows != rows
    last_nan = rows.shape[-1] - 1 - nan[..., ::-1].argmax(-1)
    return np.where(nan.any(-1), last_nan, rows.argmax(-1))


def _least(dtype):
    if dtype.kind == "b":
        return False
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


avg_pool1d, avg_pool2d, avg_pool3d = of_ranks_1_2_3(avg_pool_nd)
max_pool1d, max_pool2d, max_pool3d = of_ranks_1_2_3(max_pool_nd)
lp_pool1d, lp_pool2d, lp_pool3d = of_ranks_1_2_3(lp_pool_nd)
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = of_ranks_1_2_3(adaptive_avg_pool_nd)
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = of_ranks_1_2_3(adaptive_max_pool_nd)
max_unpool1d, max_unpool2d, max_unpool3d = of_ranks_1_2_3(max_unpool_nd)
