# SPDX-License-Identifier: BSD-3-Clause
"""The tiles of the method `gemm`, in plain numbers."""

import math
from dataclasses import dataclass

COLUMNS_BYTES = 2 << 20  # the buffer of one thread, unless one column of a channel takes more
LEAST_COLUMNS = 64  # below which products are slow: rather take fewer channels at a time
MOST_COLUMNS = 1024
LINE = 16  # columns come in multiples of so many


@dataclass(frozen=True, slots=True)
class Tiling:
    """How the product of one group of channels and one sample is cut.

    Attributes
    ----------
    pointwise : bool
        Whether the input itself is the matrix.
    columns : int
        Outputs of a tile.
    channels : int
        Input channels that are taken at a time.
    buffer_bytes : int
        What one thread needs for its columns.
    """

    pointwise: bool
    columns: int
    channels: int
    buffer_bytes: int


def tiling(p, itemsize):
    """The tiles of a layer."""
    taps, outputs = math.prod(p.w_shape[2:]), max(1, math.prod(p.y_shape[2:]))
    channels = p.w_shape[1]
    pointwise = p.w_shape[2:] == (1,) * len(p.stride) == p.stride and p.x_shape[2:] == p.y_shape[2:]
    most = COLUMNS_BYTES // itemsize
    if most < channels * taps * LEAST_COLUMNS:
        channels = min(channels, max(1, most // (taps * LEAST_COLUMNS)))
    columns = _even(outputs, max(1, min(MOST_COLUMNS, most // (channels * taps))))
    return Tiling(pointwise, columns, channels, channels * taps * columns * itemsize)


def _even(outputs, most):
    """Columns of equal tiles, whole lines of them where there are so many."""
    columns = -(-outputs // -(-outputs // most))
    lines = -(-columns // LINE) * LINE
    return lines if lines <= most else columns
