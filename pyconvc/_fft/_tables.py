"""What the transforms of the C library are told of a tile: radices, factors, turns."""

import functools
import math

import numpy as np

__all__ = ["lengths", "radices", "roots", "tables"]

RADICES = (4, 3, 5, 8)
LANES = 16  # what lengths are multiples of
CACHE_LINE = 64  # bytes
SMALL = 1 << 16  # complex samples of a tile whose slant is kept with many others


@functools.cache
def lengths(longest):
    """Lengths that the library transforms, up to `longest`."""
    return tuple(n for n in range(LANES, longest + 1, LANES) if radices(n))


@functools.cache
def radices(length):
    """The passes of a transform, or nothing if there are none for this length.

    The last one needs no factors, so it has the largest radix.
    """
    found, rest = {}, length
    for factor in (2, 3, 5):
        found[factor] = 0
        while rest % factor == 0:
            found[factor] += 1
            rest //= factor
    if rest > 1 or found[2] < 4:
        return ()
    middle = (3,) * found[3] + (5,) * found[5]
    fours, eight = divmod(found[2], 2)
    return (4, *middle, *(4,) * (fours - 1 - eight), *(8,) * eight)


def tables(rows, columns, line, char):
    """What `_core.fourier` takes as `tables`, for a tile of planes or of a line."""
    slant = _small_slant if rows * columns <= SMALL else _large_slant
    return *_axes(rows, columns, char), slant(rows, columns, char) if line else None


@functools.lru_cache(maxsize=64)
def _axes(rows, columns, char):
    turn = _turns(np.arange(rows), 4 * rows, char)
    return *_axis(rows, char), *_axis(columns, char), turn


def _turns(numerators, whole, char):
    """exp(2j pi numerator / whole) as pairs of real numbers along a last axis."""
    found = roots(numerators, whole, char)
    return np.stack([found.real, found.imag], axis=-1).astype(char)


def roots(numerators, whole, char):
    """exp(2j pi numerator / whole) with more digits than `char`, so that it is rounded once.

    They are products of a coarse and a fine turn: few sines.
    """
    real, wide = (np.float64, np.complex128) if char in "fF" else (np.longdouble, np.clongdouble)
    step = math.isqrt(whole)
    angles = (
        np.arange(n) * (8 * np.arctan(real(1)) * k / whole)
        for n, k in ((whole // step + 1, step), (step, 1))
    )
    coarse, fine = (np.cos(angle) + wide(1j) * np.sin(angle) for angle in angles)
    above, rest = np.divmod(numerators % whole, step)
    return coarse[above] * fine[rest]


def _axis(length, char):
    """(radices, factors) of the passes along an axis."""
    passes, block = [], length
    for radix in radices(length):
        k, q = np.arange(block // radix), np.arange(1, radix)
        passes.append(_turns(-np.outer(k, q), block, char).ravel())
        block //= radix
    return np.array([*radices(length), 0], np.int32), np.concatenate(passes)


def _frequencies(length):
    """The frequency that each place has after the passes."""
    found = np.zeros(1, np.int64)
    for radix in reversed(radices(length)):
        found = (np.arange(radix)[:, None] + radix * found).ravel()
    return found


def _slant(rows, columns, char):
    """exp(2j pi c (1/4 - f) / (rows columns)) for each row's frequency f and each column c.

    Rows are lanes: of as many as fill a line of the cache, one column follows the other, real parts
    first.
    """
    lanes = CACHE_LINE // np.dtype(char).itemsize
    quarters, whole = 1 - 4 * _frequencies(rows)[:, None], 4 * rows * columns
    coarse = roots(quarters * np.arange(0, columns, LANES), whole, char)
    fine = roots(quarters * np.arange(LANES), whole, char)
    found = np.empty((rows // lanes, columns, 2, lanes), char)
    for row, (few, all_between) in enumerate(zip(coarse, fine, strict=True)):
        line, to = (
            np.multiply.outer(few, all_between).ravel(),
            found[row // lanes, ..., row % lanes],
        )
        to[:, 0], to[:, 1] = line.real, line.imag
    return found


_small_slant = functools.lru_cache(maxsize=16)(_slant)
_large_slant = functools.lru_cache(maxsize=2)(_slant)
