"""Overlap-save: tiles of the input, convolved circularly with the kernel.

A tile of F samples holds F - K + 1 outputs that no wrapped product of the K taps touches; the rest
is dropped, and the next tile overlaps by K - 1 samples. Tiles are strided views of the input; only
those that reach over an edge are copied. Blocks of tiles are what threads share: their sizes
depend on the plan alone, so results have the same bits for any number of workers.
"""

import functools
import itertools
import math

import numpy as np

from .._tasks import share
from . import _native
from ._native import SPECTRA_BYTES
from ._plan import BLOCK_BYTES, plan
from ._threads import threads_may_call_scipy
from ._tiles import extended, store, tiles_of
from ._transform import FourStep, Tiled

__all__ = ["best_plan", "overlap_save", "transformed_axes"]

WIDE = 16  # samples of an axis from which on a tile's columns are not mostly empty


def overlap_save(
    x, w, out, *, axes, pad_before, boundary="constant", fill=0, workers=1, heard=None
):
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
    heard : Heard, optional
        What `is_safe` wants to know of `x`, to be found by the way.

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
    pads = dict(zip([a % x.ndim for a in axes], pad_before, strict=True))
    axes = transformed_axes(x.shape, w.shape, out.shape, axes, pads)
    if not axes:
        return np.multiply(x, w, out=out)
    pads = tuple(pads[a] for a in axes)
    problem = x.shape, w.shape, out.shape, axes, x.dtype
    x, w, out_last = (_with_last(a, axes) for a in (x, w, out))
    keep_freed_memory()
    sizes = best_plan(*problem, pad_before=pads, boundary=boundary, fill=fill)
    if isinstance(sizes, _native.NativePlan):
        given = {"boundary": boundary, "fill": fill, "workers": workers, "heard": heard}
        _native.convolve(x, w, out_last, sizes, pads=pads, **given)
        return out
    real = x.dtype.kind == "f"
    for where, fft, tile in sizes.parts(out_last.shape[-len(axes) :]):
        before = [p - s.start for s, p in zip(where, pads, strict=True)]
        read = functools.partial(extended, boundary=boundary, fill=fill)
        transform = FourStep(sizes.split, real) if sizes.split else Tiled(fft, real)
        part = _Part(x, w, out_last[(..., *where)], before, fft, tile, transform, read)
        part.run(workers)
    return out


def best_plan(
    x_shape, w_shape, out_shape, axes, dtype, *, pad_before=None, boundary="constant", fill=0
):
    """That of the C library's transforms, where these serve; of volumes the cheaper one."""
    problem = x_shape, w_shape, out_shape, axes, dtype
    zero_beyond = boundary == "constant" and fill == 0
    native = _native.plan(*problem, pad_before=pad_before, zero_beyond=zero_beyond)
    if native and len(axes) < 3:
        return native
    by_scipy = plan(*problem, pad_before=pad_before, boundary=boundary)
    return native if native and native.seconds <= by_scipy.seconds else by_scipy


@functools.cache
def keep_freed_memory():
    """Have glibc keep the memory of one block for the next.

    It gives back what is freed at the end of the heap once that is more than twice the largest
    block that was ever mapped and freed, and each page costs a fault when it is used again: up to a
    third of the time. Freeing this untouched array raises that limit; elsewhere it does nothing.
    """
    np.empty(8 * BLOCK_BYTES, np.uint8)


def _with_last(a, axes):
    """The axes, which are in order, as the last ones."""
    first = a.ndim - len(axes)
    return a if axes[0] == first else np.moveaxis(a, axes, range(first, a.ndim))


def transformed_axes(x_shape, w_shape, out_shape, axes, pads=None):
    """Those of the convolved axes along which there is something to transform, in order.

    Where that is one, and the last axis is among the others, also that one: samples that follow
    each other in memory are cheaper to transform than to step over. `pads` has the padding before
    each axis, which is none by default where there is one tap.
    """
    rank = len(x_shape)
    axes = sorted(a % rank for a in axes)
    found = [
        a for a in axes if w_shape[a] > 1 or x_shape[a] != out_shape[a] or (pads and pads[a] != 0)
    ]
    if len(found) == 1 and axes[-1] == rank - 1 != found[0] and x_shape[-1] >= WIDE:
        found.append(rank - 1)
    return tuple(found)


class _Part:
    """Outputs along the last axes whose tiles are of one size."""

    def __init__(self, x, w, out, pads, fft, tile, transform, read):
        self.x, self.w, self.out = x, w, out
        self.fft, self.tile, self.rank = fft, tile, len(fft)
        self.transform, self.read = transform, read
        self.starts, self.wanted = [], []
        for f, v, k, pad in zip(fft, tile, w.shape[-self.rank :], pads, strict=True):
            shared = f < v + k - 1  # one tile whose ends share the constant beyond the edges
            first = k - 1 - pad if shared else k - 1
            self.starts.append(0 if shared else -pad)
            self.wanted.append(slice(first, first + v))

    def run(self, workers):
        """Convolve with up to `workers` threads."""
        tile_bytes = math.prod(self.fft) * self.x.itemsize
        most = max(1, BLOCK_BYTES // tile_bytes)
        most -= most % 8 if most > 8 else 0  # whole groups of lines transformed side by side
        outputs = self.out.shape[-self.rank :]
        counts = [-(-m // v) for m, v in zip(outputs, self.tile, strict=True)]
        blocks = list(_blocks((*_batch(self.x, self.rank), *counts), most))
        threads = min(workers, len(blocks)) if threads_may_call_scipy() else 1
        kernels = math.prod(_batch(self.w, self.rank))
        self.spectra = None
        if kernels == 1 or kernels * tile_bytes <= SPECTRA_BYTES:
            self.spectra = self._spectra(self.w, workers)
        share(functools.partial(self._work, workers=workers // threads), blocks, threads)

    def _work(self, blocks, workers):
        for block in blocks:
            self._block(block, workers)

    def _spectra(self, w, workers):
        """Kernels' spectra, with axes of length 1 where those of the input count tiles."""
        spectra = self.transform.forward(w, workers)
        batch = w.ndim - self.rank
        return spectra.reshape(*w.shape[:batch], *[1] * self.rank, *spectra.shape[batch:])

    def _block(self, block, workers):
        """One block of the input's tiles, with all kernels that it meets."""
        batch, tiles = block[: -self.rank], block[-self.rank :]
        x_batch, out_batch = (_batch(a, self.rank) for a in (self.x, self.out))
        shared = [m if n == 1 else 1 for n, m in zip(x_batch, out_batch, strict=True)]
        x_spectra = self.transform.forward(self._input(batch, tiles), workers)
        into = x_spectra if math.prod(shared) == 1 else None
        for copy in _blocks(shared, max(1, BLOCK_BYTES // x_spectra.nbytes)):
            where = tuple(c if n == 1 else b for b, c, n in zip(batch, copy, x_batch, strict=True))
            product = np.multiply(x_spectra, self._kernels(where, workers), out=into)
            y = self.transform.inverse(product, self.wanted, workers)
            region = [slice(s.start * v, s.stop * v) for s, v in zip(tiles, self.tile, strict=True)]
            store(y, self.out[(*where, *region)], self.tile)

    def _input(self, batch, tiles):
        """View of the input as tiles, extended where they reach over an edge."""
        ranges = [
            (start + s.start * v, start + (s.stop - 1) * v + f)
            for s, start, v, f in zip(tiles, self.starts, self.tile, self.fft, strict=True)
        ]
        region = self.read(self.x[batch], ranges)
        return tiles_of(region, [s.stop - s.start for s in tiles], self.tile, self.fft)

    def _kernels(self, where, workers):
        """Spectra of the kernels for a part of the leading axes."""
        batch = _batch(self.w, self.rank)
        where = tuple(slice(0, 1) if n == 1 else s for n, s in zip(batch, where, strict=True))
        if self.spectra is None:
            return self._spectra(self.w[where], workers)
        return self.spectra[where]


def _batch(a, rank):
    """Lengths of the axes that are not convolved."""
    return a.shape[: a.ndim - rank]


def _blocks(shape, most):
    """Cut a grid into boxes of at most `most` cells, trailing axes whole first."""
    steps = []
    for n in reversed(shape):
        whole = max(1, min(n, most))
        steps.append(-(-n // -(-n // whole)))  # about equal boxes
        most //= whole
    ranges = [
        [slice(i, min(i + step, n)) for i in range(0, n, step)]
        for n, step in zip(shape, reversed(steps), strict=True)
    ]
    return itertools.product(*ranges)
