"""Convolution by overlap-save: tiles of the input, transformed in batches by `scipy.fft`.

A tile of ``fft`` samples, convolved circularly with the kernel of K taps, holds ``fft - K + 1``
outputs that no wrapped product touches; the rest is thrown away and the next tile overlaps by
K - 1 samples. Tiles are strided views of the input, so only those that reach over an edge are
copied. The functions of `scipy.fft` are looked up at each call: `scipy.fft.set_backend` serves.
"""

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import as_strided

__all__ = ["Plan", "is_safe", "overlap_save", "plan"]

BLOCK_BYTES = 1 << 20  # spectra of the tiles that are transformed together

# Seconds per point and per binary digit of the transform's length, and per point of the copies
# and products beside the transforms.
FFT_SECONDS = {"f": 0.14e-9, "d": 0.22e-9, "F": 0.28e-9, "D": 0.44e-9}
COPY_SECONDS = {"f": 0.6e-9, "d": 1.2e-9, "F": 1.2e-9, "D": 2.4e-9}
CALL_SECONDS = 60e-6


@dataclass(frozen=True)
class Plan:
    """Sizes and expected cost of one overlap-save convolution.

    Attributes
    ----------
    fft : tuple of int
        Transform length along each convolved axis.
    tile : tuple of int
        Outputs that one transform yields along each convolved axis.
    seconds : float
        Expected time of one worker.
    extra_bytes : int
        Memory beside the input and the output.
    """

    fft: tuple[int, ...]
    tile: tuple[int, ...]
    seconds: float
    extra_bytes: int


def plan(x_shape, w_shape, out_shape, axes, dtype):
    """Choose the tile and transform sizes for `overlap_save`.

    Parameters
    ----------
    x_shape, w_shape, out_shape : tuple of int
        Shapes of equal length, broadcast along all axes but `axes`.
    axes : sequence of int
        The convolved axes.
    dtype : dtype
        float32, float64, complex64 or complex128.

    Returns
    -------
    Plan

    Examples
    --------
    >>> plan((1_000_000,), (4095,), (1_000_000,), (0,), "f4").tile[0] > 4095
    True
    """
    axes = _sorted_axes(axes, len(x_shape))[0]
    batches = [
        math.prod(n for a, n in enumerate(shape) if a not in axes)
        for shape in (x_shape, w_shape, out_shape)
    ]
    taps, outs = (tuple(shape[a] for a in axes) for shape in (w_shape, out_shape))
    return _plan(*batches, taps, outs, np.dtype(dtype).char)


@functools.lru_cache(maxsize=256)
def _plan(x_batch, w_batch, out_batch, taps, outs, char):
    real = char in "fd"
    options = [_axis_options(k, m, real) for k, m in zip(taps, outs, strict=True)]
    grid = [
        np.array(axis).reshape(-1, 2, *[1] * (len(axis_after)))
        for axis, axis_after in ((axis, options[i + 1 :]) for i, axis in enumerate(options))
    ]
    points = math.prod(g[:, 0] for g in grid)
    tiles = math.prod(-(-m // g[:, 1]) for g, m in zip(grid, outs, strict=True))
    transform = points * sum(np.log2(g[:, 0]) for g in grid) * FFT_SECONDS[char]
    copy = points * COPY_SECONDS[char]
    itemsize = np.dtype(char).itemsize
    calls = np.maximum(1, tiles * points * itemsize / BLOCK_BYTES) * CALL_SECONDS
    seconds = tiles * (x_batch * (transform + copy) + out_batch * (transform + copy)) + calls
    seconds = seconds + w_batch * transform
    best = np.unravel_index(np.argmin(seconds), np.shape(seconds))
    chosen = [axis[i] for axis, i in zip(options, best, strict=True)]
    fft, tile = (tuple(part) for part in zip(*chosen, strict=True)) if chosen else ((), ())
    bytes_per_tile = math.prod(fft) * itemsize
    return Plan(
        fft=fft,
        tile=tile,
        seconds=float(np.min(seconds)),
        extra_bytes=3 * max(BLOCK_BYTES, bytes_per_tile) + w_batch * bytes_per_tile,
    )


def _axis_options(taps, outputs, real):
    """(transform length, outputs per tile) for growing numbers of tiles."""
    options = []
    count = 1
    while True:
        tile = -(-outputs // count)
        fft = scipy.fft.next_fast_len(tile + taps - 1, real=real)
        options.append((fft, min(fft - taps + 1, outputs)))
        if tile <= max(16, taps // 2):
            return options
        count = count + 1 if count < 8 else -(-count * 9 // 8)


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
        Threads of `scipy.fft`.

    Returns
    -------
    out : ndarray

    Examples
    --------
    >>> x, w = np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0])
    >>> overlap_save(x, w, np.empty(4), axes=(0,), pad_before=(1,)).round(6)
    array([1., 3., 5., 3.])
    """
    if out.size == 0:
        return out
    if w.size == 0:
        out[...] = 0
        return out
    axes, order = _sorted_axes(axes, x.ndim)
    pads = tuple(pad_before[i] for i in order)
    kept = [i for i, a in enumerate(axes) if not _is_pointwise(x, w, out, a, pads[i])]
    axes, pads = tuple(axes[i] for i in kept), tuple(pads[i] for i in kept)
    if not axes:
        return np.multiply(x, w, out=out)
    sizes = plan(x.shape, w.shape, out.shape, axes, x.dtype)
    last = range(-len(axes), 0)
    job = _Job(
        *(np.moveaxis(a, axes, last) for a in (x, w, out)), sizes, pads, boundary, fill, workers
    )
    job.run()
    return out


def _sorted_axes(axes, rank):
    """The axes counted from the front in rising order, and where each came from."""
    axes = [a % rank for a in axes]
    order = sorted(range(len(axes)), key=axes.__getitem__)
    return tuple(axes[i] for i in order), order


def _is_pointwise(x, w, out, axis, pad):
    return w.shape[axis] == 1 and pad == 0 and out.shape[axis] == x.shape[axis]


class _Job:
    """One convolution along the last axes, cut into blocks of tiles."""

    def __init__(self, x, w, out, sizes, pads, boundary, fill, workers):
        self.x, self.w, self.out = x, w, out
        self.fft, self.tile = sizes.fft, sizes.tile
        self.rank = len(self.fft)
        self.taps = w.shape[-self.rank :]
        self.pads = pads
        self.boundary, self.fill = boundary, fill
        self.transform = _Transform(self.fft, x.dtype, workers)

    def run(self):
        x_batch, out_batch = self.x.shape[: -self.rank], self.out.shape[: -self.rank]
        counts = [-(-m // v) for m, v in zip(self.out.shape[-self.rank :], self.tile, strict=True)]
        shared = [m if n == 1 else 1 for n, m in zip(x_batch, out_batch, strict=True)]
        itemsize = self.x.itemsize
        most = max(1, BLOCK_BYTES // (math.prod(self.fft) * itemsize))
        inner = list(_blocks(shared, most))
        spectrum = _memoised(self._spectrum, keep_all=len(inner) > 1)
        for block in _blocks((*x_batch, *counts), most):
            batch, tiles = block[: -self.rank], block[-self.rank :]
            x_spectrum = self.transform.forward(self._input_tiles(batch, tiles))
            for broadcast in inner:
                where = tuple(
                    b if n == m else s
                    for b, s, n, m in zip(batch, broadcast, x_batch, out_batch, strict=True)
                )
                self._finish(x_spectrum, spectrum(self._of_kernel(where)), where, tiles, inner)

    def _of_kernel(self, where):
        """The part of the kernel's leading axes that an output's part takes."""
        return tuple(
            slice(0, 1) if n == 1 else s
            for n, s in zip(self.w.shape[: -self.rank], where, strict=True)
        )

    def _spectrum(self, where):
        spectrum = self.transform.forward(self.w[where], norm="forward")
        tiles_axes = tuple(range(len(where), len(where) + self.rank))
        return np.expand_dims(spectrum, tiles_axes)

    def _input_tiles(self, batch, tiles):
        ranges = [
            (s.start * v - p, (s.stop - 1) * v - p + f)
            for s, v, p, f in zip(tiles, self.tile, self.pads, self.fft, strict=True)
        ]
        region = _extended(self.x[batch], ranges, self.boundary, self.fill)
        counts = [s.stop - s.start for s in tiles]
        return _tiles(region, counts, self.tile, self.fft)

    def _finish(self, x_spectrum, w_spectrum, where, tiles, inner):
        into = x_spectrum if len(inner) == 1 and _fits(x_spectrum, w_spectrum) else None
        product = np.multiply(x_spectrum, w_spectrum, out=into)
        wanted = [slice(k - 1, k - 1 + v) for k, v in zip(self.taps, self.tile, strict=True)]
        outputs = [slice(s.start * v, s.stop * v) for s, v in zip(tiles, self.tile, strict=True)]
        _store(self.transform.inverse(product, wanted), self.out[(*where, *outputs)], self.tile)


def _fits(a, b):
    return all(n == m or m == 1 for n, m in zip(a.shape, b.shape, strict=True))


class _Transform:
    """Forward and inverse transforms along the last axes, real input through rfft."""

    def __init__(self, fft, dtype, workers):
        self.fft, self.workers = fft, workers
        self.real = dtype.kind == "f"

    def forward(self, a, norm=None):
        """Zero-padded forward transform; each axis is padded only when its turn comes."""
        first = scipy.fft.rfft if self.real else scipy.fft.fft
        options = {"norm": norm, "workers": self.workers}
        a = first(a, self.fft[-1], axis=-1, **options)
        for axis in range(-2, -len(self.fft) - 1, -1):
            a = scipy.fft.fft(a, self.fft[axis], axis=axis, overwrite_x=True, **options)
        return a

    def inverse(self, a, wanted):
        """Unscaled inverse transform, keeping the `wanted` slice of each axis.

        What is not wanted along one axis is dropped before the next axis is transformed.
        """
        options = {"norm": "forward", "workers": self.workers, "overwrite_x": True}
        rank = len(self.fft)
        for axis in range(-rank, -1):
            a = scipy.fft.ifft(a, axis=axis, **options)
            a = a[(..., wanted[axis], *[slice(None)] * (-axis - 1))]
        last = scipy.fft.irfft if self.real else scipy.fft.ifft
        return last(a, self.fft[-1], axis=-1, **options)[..., wanted[-1]]


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


def _memoised(compute, keep_all):
    """Remember all results by their slices, or only the latest."""
    known = {}

    def lookup(where):
        key = tuple((s.start, s.stop) for s in where)
        if key not in known:
            if not keep_all:
                known.clear()
            known[key] = compute(where)
        return known[key]

    return lookup


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
        region = [slice(f * v, (f + c) * v) for f, c, v in zip(first, count, tile, strict=True)]
        target = _tiles(out[(..., *region)], count, tile, size)
        target[...] = y[(..., *cells, *[slice(0, s) for s in size])]


def _extended(x, ranges, boundary, fill):
    """Samples start:stop along each of the last axes of `x` extended by the boundary rule.

    A view where the ranges lie within `x`, else a copy.
    """
    rank = len(ranges)
    sizes = x.shape[-rank:]
    if all(0 <= a and b <= n for (a, b), n in zip(ranges, sizes, strict=True)):
        return x[(..., *[slice(a, b) for a, b in ranges])]
    if boundary == "constant":
        return _filled(x, ranges, fill)
    for axis, ((a, b), n) in enumerate(zip(ranges, sizes, strict=True), start=-rank):
        if 0 <= a and b <= n:
            x = x[(..., slice(a, b), *[slice(None)] * (-axis - 1))]
        else:
            x = x.take(_source_index(np.arange(a, b), n, boundary), axis=axis)
    return x


def _filled(x, ranges, fill):
    rank = len(ranges)
    shape = [b - a for a, b in ranges]
    region = np.full((*x.shape[:-rank], *shape), fill, x.dtype)
    inside, taken = [], []
    for (a, b), n in zip(ranges, x.shape[-rank:], strict=True):
        low, high = min(max(a, 0), n), min(max(b, 0), n)
        taken.append(slice(low, high))
        inside.append(slice(low - a, high - a))
    if all(s.stop > s.start for s in taken):
        region[(..., *inside)] = x[(..., *taken)]
    return region


def _source_index(i, n, boundary):
    """Where sample `i` of the endless extension of `n` samples is taken from."""
    if boundary == "replicate":
        return np.clip(i, 0, n - 1)
    if boundary == "circular":
        return i % n
    if boundary == "symmetric":
        i = i % (2 * n)
        return np.minimum(i, 2 * n - 1 - i)
    if boundary == "reflect":
        period = max(1, 2 * n - 2)
        i = i % period
        return np.minimum(i, period - i) if n > 1 else i
    raise ValueError(f"unknown boundary {boundary!r}")


def is_safe(x, w):
    """Whether the transforms keep the error bound: so far, whether all values are finite."""
    return bool(np.isfinite(x).all() and np.isfinite(w).all())
