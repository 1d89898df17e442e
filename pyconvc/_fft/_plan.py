"""Tile and transform sizes: the cheapest by the model of `_costs`."""

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np
import scipy.fft

from ._costs import costs_of

__all__ = ["BLOCK_BYTES", "Plan", "plan"]

BLOCK_BYTES = 2 << 20  # tiles are worked on together in blocks of about this size
TILE_BYTES = 8 << 20  # largest tile, unless the kernel needs more
LARGE_GAIN = 1.1  # by how much a tile larger than a block must be faster, for the memory it takes
LONG = 1 << 14  # from this length on it matters whether lines are alone


@dataclass(frozen=True)
class Plan:
    """Sizes and expected cost of one overlap-save convolution.

    Attributes
    ----------
    fft : tuple of int
        Transform length along each convolved axis.
    tile : tuple of int
        Outputs that one transform yields along each convolved axis.
    rest : tuple of int
        Transform length for the outputs at the end of each axis that fill no tile; 0 where the
        last tile is cut short instead.
    split : tuple of int
        Two factors of a long line's length, transformed in four steps; empty for one step.
    seconds : float
        Expected time of one worker.
    extra_bytes : int
        Expected memory of one worker beside the input and the output.
    check : float
        Expected time of `is_safe` for each sample of the input.
    """

    fft: tuple[int, ...]
    tile: tuple[int, ...]
    rest: tuple[int, ...]
    split: tuple[int, ...]
    seconds: float
    extra_bytes: int
    check: float = 0.0

    def parts(self, outputs):
        """Parts of so many outputs with tiles of one size each.

        Yields (slices of the outputs, transform lengths, outputs per tile).
        """
        axes = []
        for m, f, v, rest in zip(outputs, self.fft, self.tile, self.rest, strict=True):
            end = m // v * v if rest else m
            axes.append([(slice(0, end), f, v)])
            if rest:
                axes[-1].append((slice(end, m), rest, m - end))
        for part in itertools.product(*axes):
            yield zip(*part, strict=True)


def plan(x_shape, w_shape, out_shape, axes, dtype, *, pad_before=None, boundary="constant"):
    """Choose the tile and transform sizes for `overlap_save`.

    The sizes do not depend on the axes that are not convolved: results keep their bits however a
    batch is split.

    Parameters
    ----------
    x_shape, w_shape, out_shape : tuple of int
        Shapes of equal length, broadcast along all axes but `axes`.
    axes : sequence of int
        The convolved axes.
    dtype : dtype
        float32, float64, complex64 or complex128.
    pad_before : sequence of int, optional
        In the order of `axes`; by default as much as after the last sample.
    boundary : str
        As in `overlap_save`.

    Returns
    -------
    Plan

    Examples
    --------
    >>> plan((1_000_000,), (4095,), (1_000_000,), (0,), "f4").tile[0] > 4095
    True
    """
    rank, dtype = len(x_shape), np.dtype(dtype)
    axes = [a % rank for a in axes]
    lengths, taps, outs = (tuple(s[a] for a in axes) for s in (x_shape, w_shape, out_shape))
    if pad_before is None:
        pad_before = [(k - 1 + m - n) // 2 for n, k, m in zip(lengths, taps, outs, strict=True)]
    pads = tuple(pad_before) if boundary == "constant" else (None,) * len(axes)
    tiling = _cheapest(lengths, taps, outs, pads, dtype.char)
    shapes = (x_shape, w_shape, out_shape)
    batches = [math.prod(s[a] for a in range(rank) if a not in axes) for s in shapes]
    return _priced(tiling, *batches, costs_of(dtype.char))


@dataclass(frozen=True)
class _Tiling:
    """Sizes; samples in all tiles; nanoseconds to transform input, output and kernel."""

    fft: tuple[int, ...]
    tile: tuple[int, ...]
    rest: tuple[int, ...]
    split: tuple[int, ...]
    samples: float
    forward: float
    inverse: float
    kernel: float


def _priced(tiling, x_batch, w_batch, out_batch, costs):
    """The plan for a batch."""
    tile_bytes = math.prod(tiling.fft) * costs.itemsize
    all_bytes = x_batch * tiling.samples * costs.itemsize
    block_bytes = min(all_bytes, max(tile_bytes, BLOCK_BYTES))
    nanoseconds = (
        costs.part * math.prod(2 if rest else 1 for rest in tiling.rest)
        + costs.block * all_bytes / block_bytes
        + x_batch * tiling.forward
        + out_batch * tiling.inverse
        + w_batch * tiling.kernel
    )
    return Plan(
        tiling.fft,
        tiling.tile,
        tiling.rest,
        tiling.split,
        seconds=1e-9 * nanoseconds,
        extra_bytes=int(2 * block_bytes + w_batch * tile_bytes),
        check=1e-9 * costs.check,
    )


@functools.lru_cache(maxsize=256)
def _cheapest(lengths, taps, outs, pads, char):
    """The cheapest tiling of one item of a batch; pads are None where nothing can be shared."""
    costs = costs_of(char)
    axes = list(zip(lengths, taps, outs, pads, strict=True))
    if len(axes) > 1:
        options = [_even(*axis, costs) + _uneven(axis[1], axis[2], costs) for axis in axes]
        return _best_of_grid(options, taps, outs, costs)
    tilings = []
    for fft, tile, _ in _even(*axes[0], costs):
        count = -(-outs[0] // tile)
        tilings.append(_lines(fft, tile, count, costs))
        if fft >= LONG and (count < costs.lanes or fft > 8 * LONG):
            tilings += _four_steps(fft, tile, count, costs)
    return min(tilings, key=lambda t: t.forward + t.inverse + t.kernel)


def _even(n, taps, outs, pad, costs):
    """(transform length, outputs per tile, 0) for growing numbers of tiles of one size.

    A single tile may let its ends share the constant beyond both ends of the input, where
    the products that wrap around meet nothing else.
    """
    options = []
    count = 1
    while True:
        tile = -(-outs // count)
        need = tile + taps - 1
        if count == 1 and pad is not None and 0 <= pad < taps:
            need = min(need, max(taps, n + pad, need - pad))
        fft = scipy.fft.next_fast_len(need, costs.real)
        options.append((fft, outs if count == 1 else min(fft - taps + 1, outs), 0))
        if tile <= max(16, taps // 2):
            return options
        count = count + 1 if count < 12 else -(-count * 9 // 8)


def _uneven(taps, outs, costs):
    """(transform length, outputs per tile, length for the rest): tiles of the fastest lengths."""
    options = []
    for exponent, factor in itertools.product(range(4, 14), (8, 10, 12, 15)):
        fft = factor << exponent
        tile = fft - taps + 1
        if 2 * tile > taps and tile < outs and outs % tile:
            rest = scipy.fft.next_fast_len(outs % tile + taps - 1, costs.real)
            if rest < fft:
                options.append((fft, tile, rest))
    return options


@dataclass(frozen=True)
class _Axis:
    """Sums over the tiles along one axis, for each of its options."""

    samples: np.ndarray
    kept: np.ndarray  # what axes that are transformed later need of the samples
    lines: np.ndarray  # nanoseconds to transform one line through all tiles


def _best_of_grid(options, taps, outs, costs):
    """The cheapest combination of the axes' options."""
    rank = len(options)
    fft, parts, many, once = [], [], [], []
    for axis, (choices, k, m) in enumerate(zip(options, taps, outs, strict=True)):
        shape = [1] * rank
        shape[axis] = len(choices)
        f, v, r = (np.reshape(part, shape) for part in zip(*choices, strict=True))
        per_sample = costs.first if axis == rank - 1 else costs.other
        one, end = (
            np.reshape([n * per_sample(n) if n else 0 for n in part], shape)
            for part in (f.flat, r.flat)
        )
        count = np.where(r, m // v, -(-m // v))
        parts.append(np.where(r, 2, 1))
        fft.append(f.astype(float))
        many.append(_Axis(count * f + r, np.where(r, m, count * v), count * one + end))
        once.append(_Axis(f + r, k * parts[-1], one + end))
    tile_samples, samples = math.prod(fft), math.prod(a.samples.astype(float) for a in many)
    spill, parts = costs.spill(tile_samples), math.prod(parts)
    forward = spill * _transforms(many, [a.samples for a in many])
    inverse = spill * _transforms(many, [a.kept for a in many]) + samples * costs.passes
    kernel = spill * _transforms(once, [a.kept for a in once])
    blocks = np.maximum(parts, samples / np.maximum(tile_samples, BLOCK_BYTES / costs.itemsize))
    total = forward + inverse + kernel + costs.block * blocks + costs.part * parts
    tile_bytes = tile_samples * costs.itemsize
    total = total * np.where(tile_bytes > BLOCK_BYTES, LARGE_GAIN, 1)
    total = total * np.where(tile_bytes > TILE_BYTES, tile_samples, 1)
    at = np.unravel_index(np.argmin(total), total.shape)
    chosen = [choices[i] for choices, i in zip(options, at, strict=True)]
    sums = (np.broadcast_to(a, total.shape)[at] for a in (samples, forward, inverse, kernel))
    return _Tiling(*zip(*chosen, strict=True), (), *map(float, sums))


def _transforms(axes, kept):
    """Nanoseconds for the transforms of all axes, each leaving only `kept` samples to the next.

    The inverse drops what is not wanted; the kernel, in the opposite order, is padded late.
    """
    cost, before = 0, 1.0
    for i, axis in enumerate(axes[:-1]):
        cost = cost + before * axis.lines * math.prod(a.samples for a in axes[i + 1 :])
        before = before * kept[i]
    return cost + before * axes[-1].lines


def _lines(fft, tile, count, costs):
    """One axis, lines transformed side by side; what does not fill a group of lanes costs more."""
    groups, rest = divmod(count, costs.lanes) if fft >= LONG else (count / costs.lanes, 0)
    line = fft * costs.first(fft)
    transform = (groups * costs.lanes + rest * costs.lone) * line
    inverse = transform + count * fft * costs.passes
    inverse += costs.block * max(1, count * fft * costs.itemsize / BLOCK_BYTES)
    return _Tiling((fft,), (tile,), (0,), (), count * fft, transform, inverse, costs.lone * line)


def _four_steps(need, tile, count, costs):
    """One axis, each line as a matrix: its columns, twiddle factors, its rows."""
    for step in range(-6, 7):
        columns = scipy.fft.next_fast_len(round(math.sqrt(need) * 2 ** (step / 4)), costs.real)
        rows = scipy.fft.next_fast_len(-(-need // columns), False)
        if rows * costs.itemsize % 4096 == 0:
            continue  # columns whose samples all fall into the same sets of the cache
        fft = columns * rows
        line = fft * (costs.first(columns) + costs.other(rows) + costs.twiddle)
        inverse = count * (line + fft * costs.passes)
        yield _Tiling(
            (fft,), (tile,), (0,), (columns, rows), count * fft, count * line, inverse, line
        )
