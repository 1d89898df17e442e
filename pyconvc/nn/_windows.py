# SPDX-License-Identifier: BSD-3-Clause
"""The windows of pools, from their arguments: checked against each other, answers kept."""

import functools
import math
from dataclasses import dataclass
from numbers import Real

import numpy as np

from .. import _check
from ..arithmetic import pool_output_size
from ..arithmetic._axes import integer
from ._geometry import check_largest, per_axis, spread


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of a pool in plain numbers.

    Attributes
    ----------
    space, out : tuple of int
        Sizes of input and output.
    axes : tuple of tuple of int
        (kernel, stride, dilation, pad) of each axis, kernel 0 where windows divide it; see
        `pyconvc._core.pool`.
    """

    space: tuple
    out: tuple
    axes: tuple

    def divisors(self, count_include_pad):
        """What a sum is divided by: number of samples of each output, of shape `out`."""
        counts = (self._counts(axis, count_include_pad) for axis in range(len(self.space)))
        return functools.reduce(lambda a, b: a[..., None] * b, counts)

    def _counts(self, axis, count_include_pad):
        n, m = self.space[axis], self.out[axis]
        kernel, stride, _, pad = self.axes[axis]
        o = np.arange(m)
        if kernel == 0:
            return -(-(o + 1) * n // m) - o * n // m
        start = o * stride - pad
        if count_include_pad:
            return np.minimum(start + kernel, n + pad) - start
        return np.minimum(start + kernel, n) - np.maximum(start, 0)


def sliding(space, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Windows that move by a stride."""
    if type(kernel_size) is type(stride) is type(padding) is type(dilation) is int:
        return _square(space, kernel_size, stride, padding, dilation, bool(ceil_mode))
    return _sliding_of(space, kernel_size, stride, padding, dilation, ceil_mode)


@functools.lru_cache(maxsize=1024)
def _square(*arguments):
    """Those of one int for all axes, by far the most frequent arguments."""
    return _sliding_of(*arguments)


def _sliding_of(space, kernel_size, stride, padding, dilation, ceil_mode):
    rank = len(space)
    numbers = steps(rank, kernel_size, stride, padding)
    dilation = spread(per_axis("dilation", dilation, rank), rank)
    return _sliding(space, *numbers, dilation, bool(ceil_mode))


def steps(rank, kernel_size, stride, padding):
    """kernel_size, stride (by default the same) and padding of each axis."""
    kernel = spread(per_axis("kernel_size", kernel_size, rank), rank)
    padding = spread(per_axis("padding", padding, rank, least=0), rank)
    if stride is None or (hasattr(stride, "__len__") and len(stride) == 0):  # PyTorch has both
        return kernel, kernel, padding
    return kernel, spread(per_axis("stride", stride, rank), rank), padding


@functools.lru_cache(maxsize=1024)
def _sliding(space, kernel, stride, padding, dilation, ceil_mode):
    if any(pad > k // 2 for pad, k in zip(padding, kernel, strict=True)):
        raise _check.bad("padding", padding, f"must be at most half of kernel_size={kernel}")
    check_largest(kernel_size=kernel, stride=stride, dilation=dilation)
    out = pool_output_size(space, kernel, stride, padding, dilation, ceil_mode)
    return Windows(space, out, tuple(zip(kernel, stride, dilation, padding, strict=True)))


def dividing(space, output_size):
    """Windows that cover each axis in a given number of parts; None keeps an axis as it is."""
    rank = len(space)
    given = output_size if hasattr(output_size, "__len__") else (output_size,) * rank
    if isinstance(given, str) or len(given) not in (1, rank):
        allowed = f"must be an int or None, or one of these for each of {rank} axes"
        raise _check.bad("output_size", output_size, allowed)
    given = tuple(given) * rank if len(given) == 1 else given
    out = tuple(
        n if size is None else integer("output_size", size, 0)
        for n, size in zip(space, given, strict=True)
    )
    if 0 in space and math.prod(out):
        raise _check.bad("input.shape", space, "must have samples along each axis of space")
    return Windows(space, out, ((0, 1, 1, 0),) * rank)


def divisor(value, dtype):
    """The argument divisor_override as an int, 0 for None."""
    if value is None:
        return 0
    number = integer("divisor_override", value, -(2**63))
    if number == 0 or number >= 2**63:
        allowed = "must be an int of 64 bits other than 0, or None"
        raise _check.bad("divisor_override", value, allowed)
    if number < 0 and dtype.kind == "u":
        raise _check.bad("divisor_override", value, f"must be positive for dtype {dtype}")
    return number


def norm(value):
    """The argument norm_type as a float."""
    if not isinstance(value, Real):
        raise TypeError(f"norm_type={value!r}: must be a real number")
    try:
        number = float(value)
    except OverflowError:
        raise _check.bad("norm_type", value, "must be within the range of floats") from None
    if number == 0 or math.isnan(number):
        raise _check.bad("norm_type", value, "must be a number other than 0")
    return number
