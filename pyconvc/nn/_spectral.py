# SPDX-License-Identifier: BSD-3-Clause
"""The method `fft`: overlap-save by tiles, summed over the input channels in the frequency domain.

For kernels so large that transforms cost less than taps. Each tile of each input channel is
transformed once and meets all filters; each tile of each output channel is transformed back once.
Of the outputs of a tile those that the stride skips are dropped. Blocks of tiles are what threads
share, and depend on sizes alone.
"""

import functools
import math
from dataclasses import replace

import numpy as np
import scipy.fft

from .. import _check, _fft
from .._fft._plan import BLOCK_BYTES
from .._fft._save import SPECTRA_BYTES, _blocks
from .._fft._threads import share, threads_may_call_scipy
from .._fft._tiles import extended, store, tiles_of
from .._fft._transform import FourStep, Tiled
from . import _passes


def correlate(p, x, w, bias, y, *, flip, workers):
    """The convolution that `p` describes, on float or complex arrays of one dtype; writes y."""
    job = _Job(p, x, w, bias, y, flip)
    for part in job.filters():
        job.run(part, workers)


def correlate_if_safe(p, x, w, bias, y, *, flip, workers):
    """The same where it keeps the error bound of ``method="auto"``, else the direct method."""
    axes = tuple(range(2, x.ndim))
    rule = _check.BOUNDARIES[p.boundary[0]]
    safe = _fft.is_safe(x, w, axes=axes, fft=plan(p, x.dtype).fft, boundary=rule)
    run = correlate if safe else _passes.correlate
    run(p, x, w, bias, y, flip=flip, workers=workers)


@functools.lru_cache(maxsize=256)
def plan(p, dtype):
    """Sizes of transforms and tiles, as `_fft.plan` gives them, in tiles of whole strides."""
    outputs = _every_output(p)
    lead = p.x_shape[0], p.groups
    filters, channels = p.w_shape[0] // p.groups, p.w_shape[1]
    sizes = _fft.plan(
        (*lead, 1, channels, *p.x_shape[2:]),
        (1, p.groups, filters, channels, *p.reach),
        (*lead, filters, 1, *outputs),
        range(4, 4 + len(outputs)),
        dtype,
        pad_before=p.before,
        boundary=_check.BOUNDARIES[p.boundary[0]],
    )
    axes = zip(sizes.fft, sizes.tile, outputs, p.reach, p.stride, strict=True)
    fft, tile = zip(*(_whole_strides(*axis, dtype.kind == "f") for axis in axes), strict=True)
    return replace(sizes, fft=fft, tile=tile, split=sizes.split if fft == sizes.fft else ())


def points(p, dtype):
    """Points of the spectra of all tiles of one channel."""
    sizes = plan(p, dtype)
    tiles = math.prod(-(-m // v) for m, v in zip(_every_output(p), sizes.tile, strict=True))
    return tiles * math.prod(sizes.fft) // (2 if dtype.kind == "f" else 1)


def _every_output(p):
    """Size of the output without its stride."""
    return tuple((o - 1) * s + 1 for o, s in zip(p.y_shape[2:], p.stride, strict=True))


def _whole_strides(fft, tile, outputs, reach, stride, real):
    """Transform length and outputs of a tile, which begins at an output that is kept."""
    if tile >= outputs:
        return fft, outputs
    if tile >= stride:
        return fft, tile - tile % stride
    return scipy.fft.next_fast_len(stride + reach - 1, real=real), stride


class _Job:
    """One convolution: arrays as (N, G, channels, *space)."""

    def __init__(self, p, x, w, bias, y, flip):
        self.p, self.sizes, self.rank = p, plan(p, x.dtype), len(p.stride)
        self.x, self.y = _by_group(x, p.groups), _by_group(y, p.groups)
        self.w = w.reshape(p.groups, -1, *w.shape[1:])
        self.w = self.w if flip else np.flip(self.w, tuple(range(3, self.w.ndim)))
        self.bias = None if bias is None else bias.reshape(p.groups, -1, *(1,) * (2 * self.rank))
        self.rule = _check.BOUNDARIES[p.boundary[0]]
        self.starts, self.wanted = [], []
        axes = zip(self.sizes.fft, self.sizes.tile, p.reach, p.before, p.stride, strict=True)
        for fft, tile, reach, before, stride in axes:
            shared = fft < tile + reach - 1  # ends share the zeros beyond both ends of the input
            first = reach - 1 - before if shared else reach - 1
            self.starts.append(0 if shared else -before)
            self.wanted.append(slice(first, first + tile, stride))
        self.kept = [-(-v // s) for v, s in zip(self.sizes.tile, p.stride, strict=True)]
        self.tile_bytes = math.prod(self.sizes.fft) * x.itemsize
        real, split = x.dtype.kind == "f", self.sizes.split
        self.transform = FourStep(split, real) if split else Tiled(self.sizes.fft, real)

    def filters(self):
        """Parts (groups, filters) whose spectra are kept at a time."""
        most = max(1, SPECTRA_BYTES // (self.tile_bytes * self.w.shape[2]))
        return _blocks(self.w.shape[:2], most)

    def run(self, part, workers):
        """Outputs of a part of the filters."""
        counts = [-(-m // v) for m, v in zip(self.y.shape[3:], self.kept, strict=True)]
        batch, groups = self.x.shape[0], range(*part[0].indices(self.w.shape[0]))
        most = max(1, BLOCK_BYTES // (self.tile_bytes * self.w.shape[2]))
        blocks = list(_blocks((batch, len(groups), *counts), most))
        threads = min(workers, len(blocks)) if threads_may_call_scipy() else 1
        spectra = self._filter_spectra(part, workers)
        each = workers // threads
        share(lambda block: self._block(block, part, spectra, each), blocks, threads)

    def _filter_spectra(self, part, workers):
        """Spectra (G, points, K, C) of filters with their dilation written out."""
        w = self.w[part]
        spread = np.zeros((*w.shape[:3], *self.p.reach), w.dtype)
        spread[(..., *(slice(None, None, d) for d in self.p.dilation))] = w
        spectra = self.transform.forward(spread, workers, norm="forward")
        return np.moveaxis(spectra.reshape(*w.shape[:3], -1), 3, 1).copy()

    def _block(self, block, part, spectra, workers):
        """Some tiles of some samples and groups, with all filters of a part."""
        samples, some, *tiles = block
        groups = slice(part[0].start + some.start, part[0].start + some.stop)
        x = self.transform.forward(self._input_tiles(samples, groups, tiles), workers)
        n, g, channels, *shape = x.shape
        cells = shape[: self.rank]
        # (G, points, C, N * tiles): for each point of the spectra one product of matrices.
        columns = np.moveaxis(x.reshape(n, g, channels, math.prod(cells), -1), (1, 4), (0, 1))
        columns = np.moveaxis(columns, 3, 2).reshape(g, -1, channels, n * math.prod(cells))
        most = max(1, BLOCK_BYTES * channels // x.nbytes)
        for first in range(0, spectra.shape[2], most):
            rows = spectra[some, :, first : first + most]
            product = rows * columns if channels == 1 else rows @ columns
            product = np.moveaxis(product.reshape(*product.shape[:3], n, -1), (3, 0, 2), (0, 1, 2))
            product = np.moveaxis(product, 3, 4).reshape(n, g, rows.shape[2], *shape)
            filters = slice(part[1].start + first, part[1].start + first + rows.shape[2])
            y = self.transform.inverse(product, self.wanted, workers)
            self._finish(y, samples, groups, filters, tiles)

    def _input_tiles(self, samples, groups, tiles):
        sizes = self.sizes
        ranges = [
            (start + s.start * v, start + (s.stop - 1) * v + f)
            for s, start, v, f in zip(tiles, self.starts, sizes.tile, sizes.fft, strict=True)
        ]
        region = extended(self.x[samples, groups], ranges, self.rule, 0)
        return tiles_of(region, [s.stop - s.start for s in tiles], sizes.tile, sizes.fft)

    def _finish(self, y, samples, groups, filters, tiles):
        if self.bias is not None:
            y = y + self.bias[groups, filters]
        outputs = [slice(s.start * v, s.stop * v) for s, v in zip(tiles, self.kept, strict=True)]
        store(y, self.y[(samples, groups, filters, *outputs)], self.kept)


def _by_group(a, groups):
    """View (N, G*C, *space) as (N, G, C, *space)."""
    channels, (batch, step, *steps) = a.shape[1] // groups, a.strides
    shape = (a.shape[0], groups, channels, *a.shape[2:])
    return np.lib.stride_tricks.as_strided(a, shape, (batch, channels * step, step, *steps))
