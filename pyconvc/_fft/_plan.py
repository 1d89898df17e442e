"""Tile and transform sizes, by a cost model of scipy.fft's own backend."""

import functools
import math
from dataclasses import dataclass

import numpy as np
import scipy.fft

__all__ = ["BLOCK_BYTES", "Plan", "plan"]

BLOCK_BYTES = 2 << 20  # tiles are worked on together in blocks of about this size
TILE_BYTES = 8 << 20  # largest tile, unless the kernel needs more

# Nanoseconds of one thread, printed by `python benchmarks/calibrate_fft.py`. Only their ratios to
# each other and to those of the other methods matter. A transform costs each of its real points
# (complex ones count twice) a base, a share of the line's overhead, and a part for each factor of
# the line's length, in the order of RADICES; transforms of real lines take no 8.
RADICES = (8, 4, 2, 3, 5, 7, 11)
REAL_LINE = {
    "f": (0.399, 12.1, (0, 0.177, 0.105, 0.169, 0.233, 0, 0)),
    "d": (0.101, 28.1, (0, 0.357, 0.208, 0.340, 0.472, 0, 0)),
}
COMPLEX_LINE = {
    "f": (0.145, 12.9, (0.310, 0.203, 0.142, 0.185, 0.286, 0.348, 0.543)),
    "d": (-0.110, 16.0, (0.574, 0.407, 0.278, 0.360, 0.547, 0.690, 1.030)),
}
PASS = {"f": 0.40, "d": 0.78}  # product and copies: each point once
TWIDDLE = {"f": 0.10, "d": 0.20}
LANES = {"f": 4, "d": 2}  # lines that are transformed side by side
LONE = {"f": 2.3, "d": 1.5}  # a line on its own, over its share of a full group
SPILL = ((20, 22, 23, 24, 25), (1.0, 1.06, 1.25, 1.6, 1.8))  # log2 of a tile's bytes, slowdown
BLOCK = 60e3  # calls for one block
CALL = 120e3  # calls for one convolution

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
    split : tuple of int
        Two factors of a long line's length, transformed in four steps; empty for one step.
    seconds : float
        Expected time of one worker.
    extra_bytes : int
        Expected memory of one worker beside the input and the output.
    """

    fft: tuple[int, ...]
    tile: tuple[int, ...]
    split: tuple[int, ...]
    seconds: float
    extra_bytes: int


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
    return _priced(tiling, *batches, dtype.itemsize)


@dataclass(frozen=True)
class _Tiling:
    """Sizes, and nanoseconds of transforming all tiles of the input, of the output, one kernel."""

    fft: tuple[int, ...]
    tile: tuple[int, ...]
    tiles: int
    forward: float
    inverse: float
    kernel: float
    split: tuple[int, ...] = ()

    @property
    def total(self):
        return self.forward + self.inverse + self.kernel


def _priced(tiling, x_batch, w_batch, out_batch, itemsize):
    tile_bytes = math.prod(tiling.fft) * itemsize
    all_bytes = x_batch * tiling.tiles * tile_bytes
    nanoseconds = (
        CALL
        + BLOCK * max(1, all_bytes / max(tile_bytes, BLOCK_BYTES))
        + x_batch * tiling.forward
        + out_batch * tiling.inverse
        + w_batch * tiling.kernel
    )
    block_bytes = min(all_bytes, max(tile_bytes, BLOCK_BYTES))
    return Plan(
        tiling.fft,
        tiling.tile,
        tiling.split,
        seconds=1e-9 * nanoseconds,
        extra_bytes=2 * block_bytes + w_batch * tile_bytes,
    )


@functools.lru_cache(maxsize=256)
def _cheapest(lengths, taps, outs, pads, char):
    """The cheapest tiling of one item of a batch; pads are None where nothing can be shared."""
    kind = _Kind(char)
    axes = zip(lengths, taps, outs, pads, strict=True)
    options = [_axis_options(*axis, kind.real) for axis in axes]
    if len(taps) > 1:
        return _best_of_grid(options, taps, outs, kind)
    (k,), (m,) = taps, outs
    lines = [_line_tiling(fft, tile, k, m, kind) for fft, tile in options[0]]
    few = [(f, v) for f, v in options[0] if f >= LONG and (-(-m // v) < kind.lanes or f > 8 * LONG)]
    return min([*lines, *(_four_steps(f, v, m, kind) for f, v in few)], key=lambda t: t.total)


class _Kind:
    """The constants of one dtype."""

    def __init__(self, char):
        self.char = char.lower()
        self.real = char in "fd"
        self.points = 1 if self.real else 2
        self.itemsize = np.dtype(char).itemsize
        self.lanes, self.lone = LANES[self.char], LONE[self.char]

    def last(self, length):
        """Nanoseconds per sample of a transform along the axis that is transformed first."""
        line = REAL_LINE if self.real else COMPLEX_LINE
        return self.points * _line_cost(length, line[self.char])

    def other(self, length):
        return self.points * _line_cost(length, COMPLEX_LINE[self.char])

    def passes(self):
        return self.points * PASS[self.char]


def _line_cost(length, constants):
    base, line, per_radix = constants
    cost = base + line / length
    for radix, nanoseconds in zip(RADICES, per_radix, strict=True):
        while nanoseconds and length % radix == 0:
            length //= radix
            cost += nanoseconds
    return cost


def _axis_options(n, taps, outs, pad, real):
    """(transform length, outputs per tile) for growing numbers of tiles.

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
        fft = scipy.fft.next_fast_len(need, real=real)
        options.append((fft, outs if count == 1 else min(fft - taps + 1, outs)))
        if tile <= max(16, taps // 2):
            return options
        count = count + 1 if count < 12 else -(-count * 9 // 8)


def _best_of_grid(options, taps, outs, kind):
    """The cheapest combination of the axes' options."""
    rank = len(options)
    fft, tile, other, count = [], [], [], []
    for axis, (choices, m) in enumerate(zip(options, outs, strict=True)):
        shape = [1] * rank
        shape[axis] = len(choices)
        f, v = (np.array(part, float).reshape(shape) for part in zip(*choices, strict=True))
        fft.append(f)
        tile.append(v)
        count.append(np.ceil(m / v))
        other.append(np.reshape([kind.other(n) for n, _ in choices], shape))
    last = np.reshape([kind.last(n) for n, _ in options[-1]], shape)
    points, tiles = math.prod(fft), math.prod(count)
    spill = np.interp(np.log2(points * kind.itemsize), *SPILL)
    forward = tiles * spill * points * (last + sum(other[:-1]))
    inverse = tiles * (spill * _pruned(fft, tile, other, last) + points * kind.passes())
    kernel = spill * _pruned(fft, taps, other, last)
    blocks = np.maximum(1, tiles * np.minimum(1, points * kind.itemsize / BLOCK_BYTES))
    total = forward + inverse + kernel + BLOCK * blocks
    total = np.where(points * kind.itemsize > TILE_BYTES, total * points, total)
    at = np.unravel_index(np.argmin(total), total.shape)
    chosen = [choices[i] for choices, i in zip(options, at, strict=True)]
    return _Tiling(
        *(tuple(part) for part in zip(*chosen, strict=True)),
        *(float(np.broadcast_to(a, total.shape)[at]) for a in (tiles, forward, inverse, kernel)),
    )


def _pruned(fft, kept, other, last):
    """Cost of a tile's transforms where later axes need only `kept` of each line.

    The inverse drops what is not wanted before the next axis; forward, the kernel is padded late.
    """
    cost, lines = 0, 1
    for axis in range(len(fft) - 1):
        cost = cost + lines * math.prod(fft[axis:]) * other[axis]
        lines = lines * kept[axis]
    return cost + lines * fft[-1] * last


def _line_tiling(fft, tile, taps, outs, kind):
    """One axis, lines transformed side by side; what does not fill a group of lanes costs more."""
    count = -(-outs // tile)
    groups, rest = divmod(count, kind.lanes) if fft >= LONG else (count / kind.lanes, 0)
    lines = groups * kind.lanes + rest * kind.lone
    line = fft * kind.last(fft)
    blocks = BLOCK * max(1, count * fft * kind.itemsize / BLOCK_BYTES)
    inverse = lines * line + count * fft * kind.passes() + blocks
    return _Tiling((fft,), (tile,), count, lines * line, inverse, kind.lone * line)


def _four_steps(need, tile, outs, kind):
    """One axis, each line as a matrix: its columns, twiddle factors, its rows."""
    count = -(-outs // tile)
    best = None
    for step in range(-6, 7):
        first = scipy.fft.next_fast_len(round(math.sqrt(need) * 2 ** (step / 4)), kind.real)
        second = scipy.fft.next_fast_len(-(-need // first), False)
        if second * kind.itemsize % 4096 == 0:
            continue  # columns whose samples all fall into the same sets of the cache
        cost = kind.last(first) + kind.other(second) + kind.points * TWIDDLE[kind.char]
        line = first * second * cost
        passes = count * first * second * kind.passes()
        tiling = _Tiling(
            (first * second,),
            (tile,),
            count,
            count * line,
            count * line + passes,
            line,
            (first, second),
        )
        if best is None or tiling.total < best.total:
            best = tiling
    return best
