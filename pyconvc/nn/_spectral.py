# SPDX-License-Identifier: BSD-3-Clause
"""The method `fft`: overlap-save by tiles, summed over the input channels in the frequency domain.

For kernels so large that transforms cost less than taps. Each tile of each input channel is
transformed once and meets all filters; each tile of each output channel is transformed back once.
Of the outputs of a tile those that the stride skips are dropped. Blocks of tiles are what threads
share, and depend on sizes alone.
"""

import functools
import itertools
import math
from dataclasses import replace

import numpy as np
import scipy.fft

from .. import _blas, _check, _fft
from .._fft._plan import BLOCK_BYTES
from .._fft._save import SPECTRA_BYTES, _blocks
from .._fft._threads import threads_may_call_scipy
from .._fft._tiles import extended, store, tiles_of
from .._fft._transform import FourStep, Tiled
from .._tasks import share
from . import _passes


def correlate(p, x, w, bias, y, *, flip, workers, spectra=None):
    """The convolution that `p` describes, on float or complex arrays of one dtype; writes y.

    `spectra` are what `kept_spectra` gives for the filters.
    """
    job = _Job(p, x, w, bias, y, flip)
    with _blas.single():
        for part in job.filters():
            job.run(part, workers, spectra)


def correlate_if_safe(p, x, w, bias, y, *, flip, workers, spectra=None):
    """The same where it keeps the error bound of ``method="auto"``, else the direct method.

    Each sample is judged by itself, so that a batch may be split anywhere.
    """
    safe = [is_safe(p, x[n : n + 1], w) for n in range(len(x))]
    end = 0
    for all_safe, samples in itertools.groupby(safe):
        first, end = end, end + len(list(samples))
        part = p.of_batch(end - first), x[first:end], w, bias, y[first:end]
        if all_safe:
            correlate(*part, flip=flip, workers=workers, spectra=spectra)
        else:
            _passes.correlate(*part, flip=flip, workers=workers)


def is_safe(p, x, w):
    """Whether transforms of these arrays keep that bound; see `_fft.is_safe`."""
    axes, rule = tuple(range(2, x.ndim)), _check.BOUNDARIES[p.boundary[0]]
    return _fft.is_safe(x, w, axes=axes, fft=plan(p, x.dtype).fft, boundary=rule)


def kept_spectra(p, w, flip):
    """Spectra of all filters, or None where there are too many to keep."""
    empty = [np.broadcast_to(w.dtype.type(0), shape) for shape in (p.x_shape, p.y_shape)]
    job = _Job(p, empty[0], w, None, empty[1], flip)
    first, *rest = job.filters()
    return None if rest else job.filter_spectra(first, 1)


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
        self.channels = w.shape[1]
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

    def run(self, part, workers, spectra=None):
        """Outputs of a part of the filters."""
        counts = [-(-m // v) for m, v in zip(self.y.shape[3:], self.kept, strict=True)]
        batch, groups = self.x.shape[0], range(*part[0].indices(self.w.shape[0]))
        most = max(1, BLOCK_BYTES // (self.tile_bytes * self.w.shape[2]))
        blocks = list(_blocks((batch, len(groups), *counts), most))
        threads = min(workers, len(blocks)) if threads_may_call_scipy() else 1
        if spectra is None:
            spectra = self.filter_spectra(part, workers)
        each = workers // threads

        def work(blocks):
            for block in blocks:
                self._block(block, part, spectra, each)

        share(work, blocks, threads)

    def filter_spectra(self, part, workers):
        """Spectra of filters with their dilation written out.

        (G, points, K, C), so that each point is one product of matrices; (G, K, 1, points) for one
        channel, where there is nothing to sum.
        """
        w = self.w[part]
        spread = np.zeros((*w.shape[:3], *self.p.reach), w.dtype)
        spread[(..., *(slice(None, None, d) for d in self.p.dilation))] = w
        spectra = self.transform.forward(spread, workers)
        spectra = spectra.reshape(*w.shape[:3], -1)
        return spectra if self.channels == 1 else np.moveaxis(spectra, 3, 1).copy()

    def _block(self, block, part, spectra, workers):
        """Some tiles of some samples and groups, with all filters of a part.

        How many filters are met at a time depends on one sample, for it may change the bits.
        """
        samples, some, *tiles = block
        groups = slice(part[0].start + some.start, part[0].start + some.stop)
        x = self.transform.forward(self._input_tiles(samples, groups, tiles), workers)
        n, g, channels, *shape = x.shape
        x = x.reshape(n, g, channels, math.prod(shape[: self.rank]), -1)
        filters = part[1].stop - part[1].start
        most = max(1, BLOCK_BYTES * channels // x[0].nbytes)
        for few, these in _blocks((n, filters), most):
            product = self._sum(x[few], spectra[some], these)
            product = product.reshape(few.stop - few.start, g, -1, *shape)
            y = self.transform.inverse(product, self.wanted, workers)
            few = slice(samples.start + few.start, samples.start + few.stop)
            these = slice(part[1].start + these.start, part[1].start + these.stop)
            self._finish(y, few, groups, these, tiles)

    def _sum(self, x, spectra, filters):
        """Spectra (N, G, K, tiles, points) of some outputs, from (N, G, C, tiles, points)."""
        if self.channels == 1:
            return x * spectra[:, filters]
        columns = np.moveaxis(x, 4, 2).copy()
        return np.moveaxis(spectra[:, :, filters] @ columns, 2, 4)

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
