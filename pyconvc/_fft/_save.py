"""Overlap-save: tiles of the input, convolved circularly with the kernel.

A tile of F samples holds F - K + 1 outputs that no wrapped product of the K taps touches; the rest
is dropped, and the next tile overlaps by K - 1 samples. Tiles are strided views of the input; only
those that reach over an edge are copied. Blocks of tiles are what threads share: their sizes
depend on the plan alone, so results have the same bits for any number of workers.
"""

import itertools
import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .. import _check
from .._methods import boundary_index
from ._plan import BLOCK_BYTES, plan
from ._threads import share, threads_may_call_scipy
from ._transform import FourStep, Tiled

__all__ = ["overlap_save"]

SPECTRA_BYTES = 64 << 20  # spectra of many kernels are kept up to this size, else made as needed


def overlap_save(x, w, out, *, axes, pad_before, boundary="constant", fill=0, workers=1):
    """Convolve `x` with `w` along `axes` into `out`.

    Along each convolved axis, with K taps in `w` and X the input extended by `boundary`,
    ``out[o] = sum_t w[t] * X[o - pad_before + (K - 1) - t]``.

    Parameters
    ----------
    x, w : ndarray
        Input and kernel: equal rank, equal dtype (float32, float64, complex64, complex128).
        They broadcast along the axes that are not convolved. Any strides.
    out : ndarray
        Result, of the dtype of `x`; any strides, no overlap with the inputs.
    axes : sequence of int
        The convolved axes.
    pad_before : sequence of int
        Samples of the extension before the first output's window, in the order of `axes`.
    boundary : {"constant", "replicate", "reflect", "symmetric", "circular"}
        How `x` goes on beyond its ends; extensions longer than the input repeat, as in `numpy.pad`.
    fill : scalar
        Value beyond the ends for ``boundary="constant"``.
    workers : int
        Threads.

    Returns
    -------
    out : ndarray

    Examples
    --------
    >>> import numpy as np
    >>> x, w = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0])
    >>> overlap_save(x, w, np.empty(4), axes=(0,), pad_before=(1,)).round(6)
    array([1., 3., 5., 3.])
    """
    if out.size == 0:
        return out
    if w.size == 0:
        out[...] = 0
        return out
    axes = [a % x.ndim for a in axes]
    pads = dict(zip(axes, pad_before, strict=True))
    axes = tuple(a for a in sorted(axes) if not _is_pointwise(x, w, out, a, pads[a]))
    if not axes:
        return np.multiply(x, w, out=out)
    pads = tuple(pads[a] for a in axes)
    sizes = plan(x.shape, w.shape, out.shape, axes, x.dtype, pad_before=pads, boundary=boundary)
    last = range(-len(axes), 0)
    x, w, out_last = (np.moveaxis(a, axes, last) for a in (x, w, out))
    _Convolution(x, w, out_last, sizes, pads, boundary, fill).run(workers)
    return out


def _is_pointwise(x, w, out, axis, pad):
    return w.shape[axis] == 1 and pad == 0 and out.shape[axis] == x.shape[axis]


class _Convolution:
    """One convolution along the last axes, cut into blocks of tiles."""

    def __init__(self, x, w, out, sizes, pads, boundary, fill):
        self.x, self.w, self.out = x, w, out
        self.sizes, self.rank = sizes, len(sizes.fft)
        self.boundary, self.fill = boundary, fill
        self.starts, self.wanted = [], []
        for f, v, k, p in zip(sizes.fft, sizes.tile, w.shape[-self.rank :], pads, strict=True):
            shared = f < v + k - 1
            self.starts.append(0 if shared else -p)
            first = k - 1 - p if shared else k - 1
            self.wanted.append(slice(first, first + v))

    def run(self, workers):
        """Convolve with up to `workers` threads."""
        tiles = [
            -(-m // v) for m, v in zip(self.out.shape[-self.rank :], self.sizes.tile, strict=True)
        ]
        most = max(1, BLOCK_BYTES // (math.prod(self.sizes.fft) * self.x.itemsize))
        most -= most % 8 if most > 8 else 0  # whole groups of lines transformed side by side
        blocks = list(_blocks((*self.x.shape[: -self.rank], *tiles), most))
        threads = min(workers, len(blocks)) if threads_may_call_scipy() else 1
        self.transform = self._transform(workers)
        kernels = math.prod(self.w.shape[: -self.rank])
        few = kernels * math.prod(self.sizes.fft) * self.w.itemsize <= SPECTRA_BYTES
        self.spectra = self._kernel_spectra(self.w) if few or kernels == 1 else None
        self.transform = self._transform(workers // threads)
        share(self._block, blocks, threads)

    def _transform(self, workers):
        real = self.x.dtype.kind == "f"
        if self.sizes.split:
            return FourStep(self.sizes.split, real, workers)
        return Tiled(self.sizes.fft, real, workers)

    def _kernel_spectra(self, w):
        """Spectra with axes of length 1 for the tiles between the leading axes and their own."""
        spectra = self.transform.forward(w, norm="forward")
        batch = spectra.ndim - (2 if self.sizes.split else self.rank)
        return spectra.reshape(*spectra.shape[:batch], *[1] * self.rank, *spectra.shape[batch:])

    def _block(self, block):
        """One block of the input's tiles, with all kernels that it meets."""
        batch, tiles = block[: -self.rank], block[-self.rank :]
        x_batch, out_batch = (a.shape[: -self.rank] for a in (self.x, self.out))
        x_spectra = self.transform.forward(self._input_tiles(batch, tiles))
        shared = [m if n == 1 else 1 for n, m in zip(x_batch, out_batch, strict=True)]
        most = max(1, BLOCK_BYTES // x_spectra.nbytes)
        for copy in _blocks(shared, most):
            where = tuple(c if n == 1 else b for b, c, n in zip(batch, copy, x_batch, strict=True))
            self._finish(x_spectra, where, tiles, reused=math.prod(shared) > 1)

    def _input_tiles(self, batch, tiles):
        sizes = self.sizes
        ranges = [
            (start + s.start * v, start + (s.stop - 1) * v + f)
            for s, start, v, f in zip(tiles, self.starts, sizes.tile, sizes.fft, strict=True)
        ]
        region = _extended(self.x[batch], ranges, self.boundary, self.fill)
        counts = [s.stop - s.start for s in tiles]
        return _tiles(region, counts, sizes.tile, sizes.fft)

    def _finish(self, x_spectra, where, tiles, reused):
        part = tuple(
            slice(0, 1) if n == 1 else s
            for n, s in zip(self.w.shape[: -self.rank], where, strict=True)
        )
        spectra = self._kernel_spectra(self.w[part]) if self.spectra is None else self.spectra[part]
        product = np.multiply(x_spectra, spectra, out=None if reused else x_spectra)
        outputs = [
            slice(s.start * v, s.stop * v) for s, v in zip(tiles, self.sizes.tile, strict=True)
        ]
        y = self.transform.inverse(product, self.wanted)
        _store(y, self.out[(*where, *outputs)], self.sizes.tile)


def _blocks(shape, most):
    """Cut a grid into boxes of at most `most` cells, trailing axes whole first."""
    steps = []
    for n in reversed(shape):
        steps.append(max(1, min(n, most)))
        most //= steps[-1]
    ranges = [
        [slice(i, min(i + step, n)) for i in range(0, n, step)]
        for n, step in zip(shape, reversed(steps), strict=True)
    ]
    return itertools.product(*ranges)


def _tiles(a, counts, steps, sizes):
    """View of `a` (..., n1, n2) as tiles (..., count1, count2, size1, size2)."""
    rank = len(counts)
    strides = a.strides[-rank:]
    jumps = [s * v for s, v in zip(strides, steps, strict=True)]
    return as_strided(
        a, (*a.shape[:-rank], *counts, *sizes), (*a.strides[:-rank], *jumps, *strides)
    )


def _store(y, out, tile):
    """Copy tiles (..., count1, count2, tile1, tile2) to their places, the last ones cut short."""
    parts = []
    for m, v in zip(out.shape[-len(tile) :], tile, strict=True):
        whole, rest = divmod(m, v)
        parts.append([p for p in ((0, whole, v), (whole, 1, rest)) if p[1] and p[2]])
    for part in itertools.product(*parts):
        first, count, size = zip(*part, strict=True)
        cells = [slice(f, f + c) for f, c in zip(first, count, strict=True)]
        region = [slice(f * v, None) for f, v in zip(first, tile, strict=True)]
        target = _tiles(out[(..., *region)], count, tile, size)
        target[...] = y[(..., *cells, *[slice(0, s) for s in size])]


def _extended(x, ranges, boundary, fill):
    """Samples start:stop along the last axes of `x` extended by the boundary rule.

    A view where the ranges lie within `x`, else a copy.
    """
    rank = len(ranges)
    lengths = x.shape[-rank:]
    if all(start >= 0 and stop <= n for (start, stop), n in zip(ranges, lengths, strict=True)):
        return x[(..., *[slice(*r) for r in ranges])]
    if boundary == "constant":
        return _filled(x, ranges, fill)
    for axis, (start, stop) in enumerate(ranges, start=-rank):
        x = _extended_along(x, axis, start, stop, boundary)
    return x


def _filled(x, ranges, fill):
    """Samples start:stop along the last axes of `x`, `fill` where there are none."""
    rank = len(ranges)
    region = np.empty((*x.shape[:-rank], *[b - a for a, b in ranges]), x.dtype)
    source, target = zip(*map(_overlap, ranges, x.shape[-rank:]), strict=True)
    region[(..., *target)] = x[(..., *source)]
    for axis, used in enumerate(target, start=-rank):
        after = (slice(None),) * (-axis - 1)
        region[(..., slice(0, used.start), *after)] = fill
        region[(..., slice(used.stop, None), *after)] = fill
    return region


def _overlap(wanted, n):
    """Where start:stop meets 0:n, counted from 0 and from start."""
    low, high = (min(max(i, 0), n) for i in wanted)
    return slice(low, high), slice(max(0, low - wanted[0]), max(0, high - wanted[0]))


def _extended_along(x, axis, start, stop, boundary):
    """Samples start:stop along one axis of `x` extended by a rule that reads its samples."""
    n = x.shape[axis]
    source, target = _overlap((start, stop), n)
    after = (slice(None),) * (-axis - 1)
    shape = list(x.shape)
    shape[axis] = stop - start
    region = np.empty(shape, x.dtype)
    region[(..., target, *after)] = x[(..., source, *after)]
    for beyond in (slice(0, target.start), slice(target.stop, None)):
        edge = region[(..., beyond, *after)]
        first = start + (beyond.start or 0)
        index = np.arange(first, first + edge.shape[axis])
        source = boundary_index(index, n, _check.BOUNDARIES.index(boundary))
        edge[...] = x[(..., source, *after)]  # take() would copy all of an x that is not C-contiguous
    return region
