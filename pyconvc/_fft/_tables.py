"""What the transforms of the C library are told of a tile: radices and factors."""

import functools
import math

import numpy as np

__all__ = ["block", "columns", "radices", "roots", "rows", "tables"]

RADICES = (4, 3, 5, 8)
LANES = 16  # what columns are multiples of
BLOCK_BYTES = 32  # of the real samples that transforms along lines leave together
SMALL = 1 << 16  # complex samples of a tile whose tables are kept with many others


def block(char):
    """Samples that transforms along lines leave together."""
    return BLOCK_BYTES // np.dtype(char).itemsize


@functools.cache
def rows(longest):
    """Numbers of rows that the library transforms, up to `longest`."""
    return tuple(n for n in range(4, longest + 1, 4) if n == 4 or radices(n // 4))


@functools.cache
def columns(longest, char):
    """Numbers of columns that the library transforms, up to `longest`."""
    return tuple(n for n in range(LANES, longest + 1, LANES) if radices(n // block(char)))


@functools.cache
def radices(length):
    """The passes of a transform, or nothing if there are none for this length."""
    found, rest = {}, length
    for factor in (2, 3, 5):
        found[factor] = 0
        while rest % factor == 0:
            found[factor] += 1
            rest //= factor
    if rest > 1 or length == 1 or found[2] == 1:
        return ()
    fours, eight = divmod(found[2], 2)
    return (*(4,) * (fours - eight), *(3,) * found[3], *(5,) * found[5], *(8,) * eight)


def tables(rows, columns, line, char):
    """What `_core.fourier` takes as `tables`, for a tile of planes or of a line."""
    kept = _small if rows * columns <= SMALL else _large
    return kept(rows, columns, line, char)


def _tables(rows, columns, line, char):
    of_rows, of_columns = (4, *radices(rows // 4)), radices(columns // block(char))
    down, residues = _factors(np.ones((1, 1), np.int64), 4, of_rows, char)
    if line:
        start, whole = residues.T, 4 * rows
    else:
        start, whole = np.zeros((1, 1), np.int64), 1
    along, residues = _factors(start, whole, of_columns, char)
    last = _turns(residues, whole * math.prod(of_columns), char)
    along = np.concatenate([along, last], axis=1)
    passes = (np.array([*radix, 0], np.int32) for radix in (of_rows, of_columns))
    return next(passes), down[0], next(passes), along if line else along[0]


_small = functools.lru_cache(maxsize=64)(_tables)
_large = functools.lru_cache(maxsize=2)(_tables)


def _factors(numerators, whole, passes, char):
    """(factors of all passes, numerators of what they end with), for each of some lines.

    A polynomial modulo z^n - exp(2j pi numerator / whole) is cut into its residues; their
    numerators go with the product of `whole` and all radices.
    """
    found = []
    for radix in passes:
        powers = numerators[..., None] * np.arange(1, radix)
        found.append(_turns(powers, whole * radix, char))
        numerators = numerators[..., None] - whole * np.arange(radix)
        numerators = numerators.reshape(len(numerators), -1)
        whole *= radix
    return np.concatenate(found, axis=1), numerators


def _turns(numerators, whole, char):
    """exp(2j pi numerator / whole) as pairs of real numbers, all of a line one after the other."""
    found = roots(numerators, whole, char)
    return np.stack([found.real, found.imag], axis=-1).astype(char).reshape(len(found), -1)


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
