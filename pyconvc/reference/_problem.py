# SPDX-License-Identifier: BSD-3-Clause
"""The numbers of a problem and the views that its passes sum over."""

from itertools import product

import numpy as np

from . import _boundary


def output_size(n, k, stride=1, dilation=1, before=0, after=0):
    """Number of outputs along one axis.

    ``floor((n + before + after - dilation*(k - 1) - 1) / stride) + 1``, never below 0 (Dumoulin &
    Visin, *A guide to convolution arithmetic for deep learning*, arXiv:1603.07285).

    Examples
    --------
    >>> output_size(5, 3, stride=2, before=1, after=1)
    3
    """
    return max((n + before + after - dilation * (k - 1) - 1) // stride + 1, 0)


def per_axis(value, rank):
    """One value for each axis, from one for all or a sequence."""
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return [value] * rank
    if len(value) not in (1, rank):
        raise ValueError(f"{value!r}: need one entry for each of {rank} axes")
    return list(value) * (rank // len(value))


class Problem:
    """The plain numbers of one problem, and the views and index maps that follow from them."""

    def __init__(
        self,
        x_shape,
        w_shape,
        stride=1,
        dilation=1,
        padding=0,
        boundary="constant",
        groups=1,
        flip=False,
    ):
        self.rank = len(x_shape) - 2
        if self.rank < 1 or len(w_shape) != len(x_shape):
            raise ValueError(f"shapes {x_shape} and {w_shape}: need equal ranks of at least 3")
        self.n, channels, *self.space = x_shape
        filters, self.c, *self.kernel = w_shape
        if channels != groups * self.c or filters % groups:
            raise ValueError(f"shapes {x_shape} and {w_shape} do not fit groups={groups}")
        self.groups, self.k, self.flip = groups, filters // groups, flip
        self.stride = per_axis(stride, self.rank)
        self.dilation = per_axis(dilation, self.rank)
        self.padding = [per_axis(ends, 2) for ends in per_axis(padding, self.rank)]
        self.boundary = per_axis(boundary, self.rank)
        self.extended = [
            max(n + before + after, 0)
            for n, (before, after) in zip(self.space, self.padding, strict=True)
        ]
        self.out = [
            output_size(*size)
            for size in zip(self.extended, self.kernel, self.stride, self.dilation, strict=True)
        ]
        self.out_shape = (self.n, filters, *self.out)

    def check_outputs(self, g_shape):
        """Reject a gradient that is not of the output's shape."""
        if g_shape != self.out_shape:
            raise ValueError(f"g has shape {g_shape}: the outputs have {self.out_shape}")

    def taps(self):
        """Every tap of the kernel as an index tuple."""
        return product(*map(range, self.kernel))

    def seen_by(self, tap):
        """Slices of the extended input that a tap multiplies, one sample for each output."""
        return tuple(
            slice(t * d, t * d + s * (o - 1) + 1, s) if o else slice(0)
            for t, d, s, o in zip(tap, self.dilation, self.stride, self.out, strict=True)
        )

    def split_channels(self, a, size):
        """View (N, G*size, *space) as (N, G, size, *space)."""
        return a.reshape(a.shape[0], self.groups, size, *a.shape[2:])

    def split_filters(self, w):
        """Filters (G*K, C, *taps) as (G, K, C, *taps), reversed for a convolution."""
        return self._reversed(w).reshape(self.groups, self.k, self.c, *self.kernel)

    def join_filters(self, w):
        """Inverse of `split_filters`."""
        return self._reversed(w.reshape(-1, self.c, *self.kernel))

    def _reversed(self, w):
        return np.flip(w, tuple(range(2, w.ndim))) if self.flip else w

    def extend(self, x, fill):
        """`x` with its padding."""
        for axis, index, _ in self._index_maps():
            x = _boundary.extend(x, axis, index, fill)
        return x

    def fold_back(self, extended):
        """Transpose of `extend`."""
        for axis, index, n in self._index_maps():
            extended = _boundary.fold_back(extended, axis, index, n)
        return extended

    def _index_maps(self):
        axes = zip(self.space, self.padding, self.boundary, strict=True)
        for axis, (n, (before, after), boundary) in enumerate(axes, start=2):
            yield axis, _boundary.boundary_index(n, before, after, boundary), n
