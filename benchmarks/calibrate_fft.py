"""Measure the constants of the fft method's cost model on this machine.

Run ``python benchmarks/calibrate_fft.py``; it prints the entry of this machine for the table of
`pyconvc._fft._costs`. One thread, best of many; about a minute.
"""

import functools
import itertools
import math
import pprint
import sys
import time

import numpy as np
import scipy.fft
import scipy.optimize

from pyconvc import _core, _fft
from pyconvc._fft import _native_costs, _save, _tables
from pyconvc._fft._costs import RADICES, SPILL_BYTES
from pyconvc._fft._tiles import extended
from pyconvc._fft._transform import Tiled

LENGTHS = (
    48,
    64,
    80,
    96,
    100,
    125,
    128,
    160,
    180,
    225,
    243,
    256,
    270,
    320,
    324,
    400,
    486,
    512,
    600,
)
LENGTHS += (625, 640, 720, 810, 1000, 1024, 1080, 1280, 1536, 1875, 2048, 2160, 2187, 2560, 3000)
LENGTHS += (3125, 3456, 4096, 4320, 5120, 5400, 6561)
WITH_7_AND_11 = (
    49,
    56,
    77,
    88,
    98,
    110,
    112,
    121,
    154,
    168,
    220,
    242,
    343,
    350,
    440,
    448,
    539,
    700,
)


def best(call, seconds=0.05):
    """Nanoseconds of the fastest of many calls."""
    call()
    fastest, end = math.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        fastest = min(fastest, time.perf_counter() - start)
    return 1e9 * fastest


def factors(length, radices):
    """How often each radix is used, greedily in their order."""
    counts = []
    for radix in RADICES:
        count = 0
        while radix in radices and length % radix == 0:
            length //= radix
            count += 1
        counts.append(count)
    return counts


def fit(measure, lengths, radices):
    """Base, line and radix constants that fit the measured nanoseconds per point."""
    used = [i for i, radix in enumerate(RADICES) if radix in radices]
    rows, times = [], []
    for length in lengths:
        counts = factors(length, radices)
        rows.append([1, 1 / length, *[counts[i] for i in used]])
        times.append(measure(length))
    weights = 1 / np.array(times)
    found = np.linalg.lstsq(np.array(rows) * weights[:, None], np.ones(len(times)), rcond=None)[0]
    ratio = np.array(rows) @ found * weights
    per_radix = [0.0] * len(RADICES)
    for i, value in zip(used, found[2:], strict=True):
        per_radix[i] = round(float(value), 3)
    print(f"# fit within {ratio.min():.2f} to {ratio.max():.2f} of the measured", file=sys.stderr)
    return round(float(found[0]), 3), round(float(found[1]), 1), tuple(per_radix)


def lines(length, multiple=16):
    """How many lines make about half a megabyte."""
    return max(multiple, (1 << 16) // length // multiple * multiple)


def real_lines(dtype, length):
    count = lines(length)
    a = np.ones((count, length), dtype)
    spectrum = scipy.fft.rfft(a)
    there = best(lambda: scipy.fft.rfft(a))
    back = best(lambda: scipy.fft.irfft(spectrum, length, norm="forward"))
    return (there + back) / (2 * a.size)


def complex_lines(dtype, length):
    count = lines(length) // 2 + 1  # odd, like the half spectrum of real lines
    a = np.zeros((length, count), np.result_type(dtype, np.complex64))
    return best(lambda: scipy.fft.fft(a, axis=0, overwrite_x=True)) / (2 * a.size)


def passes(dtype):
    """Product, a copy within the cache and one from memory to memory, per point."""
    near, far = (np.ones(n, dtype) for n in (1 << 16, 1 << 24))
    near_copy, far_copy = near.copy(), far.copy()
    spectrum = np.ones((16, 1 << 13), np.result_type(dtype, np.complex64))
    product = best(lambda: np.multiply(spectrum, spectrum[0], out=spectrum)) / (2 * spectrum.size)
    near_time = best(lambda: np.copyto(near_copy, near)) / near.size
    return product + near_time + best(lambda: np.copyto(far_copy, far), 0.5) / far.size


def twiddle(dtype):
    spectrum = np.ones((256, 256), np.result_type(dtype, np.complex64))
    table = spectrum.copy()
    return best(lambda: np.multiply(spectrum, table, out=spectrum)) / (2 * spectrum.size)


def lone(dtype, lanes):
    """A line on its own over its share of a group."""
    a = np.ones((8 * lanes, 1 << 14), dtype)
    return best(lambda: scipy.fft.rfft(a[0])) / (best(lambda: scipy.fft.rfft(a)) / len(a))


def spill(dtype):
    """Time per point of a square tile over that of one of 2**20 bytes."""
    times = []
    for log2_bytes in SPILL_BYTES:
        side = scipy.fft.next_fast_len(math.isqrt(2**log2_bytes // np.dtype(dtype).itemsize), True)
        a = np.zeros((side, side), dtype)
        spectrum = scipy.fft.rfft(a)
        options = {"axis": 0, "overwrite_x": True}
        nanoseconds = best(lambda a=a: scipy.fft.rfft(a), 0.3)
        nanoseconds += best(lambda s=spectrum, n=side: scipy.fft.irfft(s, n), 0.3)
        nanoseconds += 2 * best(lambda s=spectrum, o=options: scipy.fft.fft(s, **o), 0.3)
        times.append(nanoseconds / (a.size * math.log2(side)))
    slowdown = np.maximum.accumulate(np.array(times) / times[0])
    return tuple(round(float(s), 2) for s in slowdown)


def check(dtype, shape):
    """Looking at a sample of an image, whether its transform is safe."""
    x, w = np.ones(shape, dtype), np.ones((15,) * len(shape), dtype)
    return best(lambda: _fft.is_safe(x, w, fft=(128,) * len(shape)), 0.5) / x.size


def calls():
    """Nanoseconds of Python's calls for one block, and for one part."""
    x, w = np.ones((114, 114), np.float32), np.ones((3, 3), np.float32)
    out, transform = np.empty((112, 112), np.float32), Tiled((16, 16), True)
    read = functools.partial(extended, boundary="constant", fill=0)

    def run():
        _save._Part(x, w, out, (0, 0), (16, 16), (14, 14), transform, read).run(1)

    whole = best(run, 0.5)
    usual, _save.BLOCK_BYTES = _save.BLOCK_BYTES, 1
    per_block = (best(run, 0.5) - whole) / 63
    _save.BLOCK_BYTES = usual
    x, out = x[:8, :8], out[:6, :6]
    small = best(lambda: _save.overlap_save(x, w, out, axes=(0, 1), pad_before=(0, 0)), 0.5)
    return per_block, small - per_block


def tiles(dtype):
    """What the C library takes for a complex sample of a tile, and by how much large tiles spill.

    Each shape is timed in turn with one that is the same for all: the machine's pace goes up and
    down more than they differ.
    """
    rng = np.random.default_rng(0)
    sides = _tables.rows(640), _tables.columns(1024, np.dtype(dtype).char)
    pairs = [(r, c) for r, c in itertools.product(*sides) if 1 << 9 <= r * c <= 1 << 18]
    shapes = [(*pairs[i], bool(i % 2)) for i in rng.permutation(len(pairs))[:70]]
    usual = tile_call(128, 128, True, dtype)
    rows, times, sizes = [], [], []
    unit = best(usual, 0.5)
    for shape in [*shapes, (640, 800, True), (800, 640, False)]:
        call = tile_call(*shape, dtype)
        mine = others = math.inf
        for _ in range(4):
            mine, others = min(mine, best(call, 0.005)), min(others, best(usual, 0.005))
        rows.append(_native_costs.counts(*shape[:2], np.dtype(dtype).char))
        whole = max(1, round(TILE_SAMPLES / (shape[0] * shape[1])))
        times.append(mine / others * unit / (whole * shape[0] * shape[1]))
        sizes.append(shape[0] * shape[1] * 2 * np.dtype(dtype).itemsize)
    rows, times, log2 = np.array(rows), np.array(times), np.log2(sizes)
    small = log2 <= _native_costs.SPILL_BYTES[0]
    weights = 1 / times[small, None]
    found, _ = scipy.optimize.nnls(rows[small] * weights, np.ones(small.sum()))
    ratio = times / (rows @ found)
    print(
        f"# fit within {1 / ratio[small].max():.2f} to {1 / ratio[small].min():.2f}",
        file=sys.stderr,
    )
    spill = [float(np.median(ratio[np.abs(log2 - at) <= 0.5])) for at in _native_costs.SPILL_BYTES]
    spill = np.maximum.accumulate(np.array(spill) / spill[0])
    return {
        "sample": tuple(round(float(c), 3) for c in found),
        "spill": tuple(round(float(s), 2) for s in spill),
        "check": round(check(dtype, (4096, 2048)), 2),
    }


TILE_SAMPLES = 1 << 21  # about as many complex samples for each shape: more than caches hold


def tile_call(rows, columns, line, dtype):
    """A convolution in tiles of this shape."""
    whole = max(1, round(TILE_SAMPLES / (rows * columns)))
    x_shape = (1, 2 * rows * columns * whole) if line else (2 * rows, columns)
    x_shape = (1 if line else whole, 1, *x_shape)
    x = np.zeros(x_shape, dtype)
    spectrum, y = np.zeros(4 * rows * columns, dtype), np.empty_like(x)
    advance = (1, 1, 2 * rows * columns) if line else (1, 2 * rows, columns)
    options = {
        "shape": (rows, columns, 2 * rows),
        "tables": _tables.tables(rows, columns, line, np.dtype(dtype).char),
        "boundary": (0, 0, 0),
        "fill": np.zeros((), dtype),
        "start": (0, 0, 0),
        "advance": advance,
        "skip": (0, 0, 0),
    }

    def call():
        _core.fourier(x, spectrum, y, **options)

    return call


def main():
    _save.keep_freed_memory()
    table = {}
    for dtype in (np.float32, np.float64):
        table[np.dtype(dtype).char] = {
            "real": fit(functools.partial(real_lines, dtype), LENGTHS, (4, 2, 3, 5)),
            "complex": fit(
                functools.partial(complex_lines, dtype), LENGTHS + WITH_7_AND_11, RADICES
            ),
            "pass": round(passes(dtype), 2),
            "twiddle": round(twiddle(dtype), 2),
            "lone": round(lone(dtype, 4), 2),
            "spill": spill(dtype),
            "check": round(check(dtype, (128, 128, 64)), 2),
        }
    native = {np.dtype(t).char: tiles(t) for t in (np.float32, np.float64)}
    table["block"], table["part"] = (round(n, -3) for n in calls())
    pprint.pp({_core.isa_available()[-1]: table}, width=100)
    pprint.pp({_core.isa(): native}, width=100)


if __name__ == "__main__":
    main()
