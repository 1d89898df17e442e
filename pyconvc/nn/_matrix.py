# SPDX-License-Identifier: BSD-3-Clause
"""The method `gemm`: the windows of a tile of outputs as columns (im2col), times filters, by BLAS.

The columns of one tile are made in a bounded buffer; a 1x1 kernel at stride 1 needs none, its
input is the matrix. Tiles depend on sizes alone, and each is one thread's: results have the same
bits for any number of workers.
"""

import functools
import itertools
import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .. import _blas, _gemm
from .._methods import boundary_index
from .._tasks import share
from ._tiling import tiling

LARGEST_STEP = 2**31 - 1  # what BLAS can count


def correlate(p, x, w, bias, y, *, flip, workers):
    """The convolution that `p` describes, on float or complex arrays of one dtype; writes y."""
    job = _Job(p, x, w, bias, y, flip)
    with _blas.single():
        share(job.run, job.tiles(), workers if _blas.can_be_single() else 1)


class _Job:
    """One convolution, with its arrays as (N, G, channels, depth, height, width)."""

    def __init__(self, p, x, w, bias, y, flip):
        self.p, self.flip, self.cut = p, flip, tiling(p, x.itemsize)
        self.x, self.y = _by_group(x, p.groups), _by_group(y, p.groups)
        self.flat_x = _flat(self.x) if self.cut.pointwise else None
        self.flat_y = _flat(self.y)
        self.matrix = np.ascontiguousarray(w).reshape(p.groups, self.y.shape[2], -1)
        self.bias = None if bias is None else bias.reshape(p.groups, -1, 1)
        self.outputs = math.prod(p.y_shape[2:])

    def tiles(self):
        """(sample, group, first output) of each."""
        firsts = range(0, self.outputs, self.cut.columns)
        return list(itertools.product(range(self.x.shape[0]), range(self.p.groups), firsts))

    def run(self, tiles):
        """Compute some tiles."""
        buffer = np.empty(self.cut.buffer_bytes // self.x.itemsize, self.x.dtype)
        for n, g, first in tiles:
            where = n, g, slice(None), slice(first, min(first + self.cut.columns, self.outputs))
            tile = None if self.flat_y is None else self.flat_y[where]
            in_place = tile is not None and _is_matrix(tile)
            if not in_place:
                tile = np.empty((self.y.shape[2], where[-1].stop - first), self.y.dtype)
            if self.bias is not None:
                tile[...] = self.bias[g]
            for rows, columns in self.columns(where, buffer):
                add = self.bias is not None or rows.start > 0
                _gemm.multiply(self.matrix[g, :, rows], columns, tile, add)
            if not in_place:
                _scatter(tile, self.y[n, g], first)

    def columns(self, where, buffer):
        """Matrices of the channels' windows, and which rows of all of them each is."""
        if self.flat_x is not None and _is_matrix(self.flat_x[where], either=True):
            yield slice(0, None), self.flat_x[where]
            return
        n, g, _, outputs = where
        windows, length = _windows(self.p, self.flip), outputs.stop - outputs.start
        taps = math.prod(self.p.w_shape[2:])
        for c in range(0, self.x.shape[2], self.cut.channels):
            part = self.x[n, g, c : c + self.cut.channels]
            rows = buffer[: len(part) * taps * length].reshape(-1, length)
            windows.columns(part, outputs.start, outputs.stop, rows)
            yield slice(c * taps, c * taps + len(rows)), rows


def _by_group(a, groups):
    """View (N, G*C, *space) as (N, G, C, depth, height, width)."""
    channels = a.shape[1] // groups
    alone = (1,) * (5 - a.ndim)
    shape = (a.shape[0], groups, channels, *alone, *a.shape[2:])
    return as_strided(
        a, shape, (a.strides[0], channels * a.strides[1], a.strides[1], *alone, *a.strides[2:])
    )


def _flat(a):
    """View of the last three axes as one, or None where their samples are not evenly spaced."""
    length, step = 1, a.itemsize
    for n, stride in zip(a.shape[:2:-1], a.strides[:2:-1], strict=True):
        if n > 1 and length > 1 and stride != step * length:
            return None
        if n > 1:
            step = stride if length == 1 else step
            length *= n
    return as_strided(a, (*a.shape[:3], length), (*a.strides[:3], step))


def _is_matrix(a, either=False):
    """Whether BLAS can address it: lines (or `either` lines or columns) of unit step, apart."""
    (m, n), (down, across) = a.shape, (step // a.itemsize for step in a.strides)
    by_row = (n == 1 or across == 1) and (m == 1 or down >= n)
    by_column = (m == 1 or down == 1) and (n == 1 or across >= m)
    return max(down, across) <= LARGEST_STEP and (by_row or (either and by_column))


def _scatter(tile, y, first):
    """Put outputs from `first` on to their places in y (K, depth, height, width)."""
    outputs = np.arange(first, first + tile.shape[1])
    y[(slice(None), *np.unravel_index(outputs, y.shape[1:]))] = tile


@functools.lru_cache(maxsize=64)
def _windows(p, flip):
    """Where each tap of each output is in the input, for three axes of space."""
    sources, inside, stride = [np.zeros((1, 1), np.int64)] * (3 - len(p.stride)), None, 1
    sizes = p.x_shape[2:], p.w_shape[2:], p.y_shape[2:]
    axes = zip(*sizes, p.stride, p.dilation, p.before, p.boundary, strict=True)
    for n, taps, outputs, stride, dilation, before, boundary in axes:
        start = np.arange(taps)[:, None] * dilation - before
        at = start + np.arange(outputs) * stride
        ends = np.hstack([-(start // stride), -((start - n) // stride)]).clip(0, outputs)
        turn = slice(None, None, -1 if flip else 1)
        sources.append(np.ascontiguousarray(boundary_index(at, n, boundary)[turn], np.int64))
        inside = np.ascontiguousarray(ends[turn], np.int64)
    return _gemm.Windows(tuple(sources), inside, stride)
