"""Forward and inverse transforms of many tiles, on the functions of `scipy.fft`.

Both classes give spectra whose product is the spectrum of the circular convolution. The functions
are looked up when they are called, so that `scipy.fft.set_backend` serves.
"""

import functools

import numpy as np
import scipy.fft

from ._tables import roots

__all__ = ["FourStep", "Tiled"]


class Tiled:
    """Transforms along the last axes, each line in one step."""

    def __init__(self, fft, real):
        self.fft, self.real = fft, real

    def forward(self, a, workers):
        """Spectrum of `a`, zero-padded to the transform's lengths one axis after the other."""
        options = {"workers": workers}
        first = scipy.fft.rfft if self.real else scipy.fft.fft
        a = _threaded(first, a, self.fft[-1], axis=-1, **options)
        for axis in range(-2, -len(self.fft) - 1, -1):
            a = _threaded(scipy.fft.fft, a, self.fft[axis], axis=axis, overwrite_x=True, **options)
        return a

    def inverse(self, a, wanted, workers):
        """The slices `wanted` of the inverse; overwrites `a`.

        What is not wanted along one axis is dropped before the next axis is transformed.
        """
        options = {"workers": workers, "overwrite_x": True}
        for axis in range(-len(self.fft), -1):
            a = _threaded(scipy.fft.ifft, a, axis=axis, **options)
            a = a[(..., wanted[axis], *[slice(None)] * (-axis - 1))]
        last = scipy.fft.irfft if self.real else scipy.fft.ifft
        return _threaded(last, a, self.fft[-1], axis=-1, **options)[..., wanted[-1]]


class FourStep:
    """Transform of long lines as matrices: columns, twiddle factors, rows.

    With n = n1 N2 + n2 and k = k1 + N1 k2, the exponent n k / (N1 N2) falls into
    n1 k1 / N1 + n2 k1 / (N1 N2) + n2 k2 / N2 and whole numbers: the four-step algorithm (Bailey,
    FFTs in external or hierarchical memory, 1990). The columns of one line, and its rows, are
    transformed side by side, where the line as a whole would be on its own. Of a real line
    only k1 <= N1 / 2 is kept.
    """

    def __init__(self, split, real):
        self.split, self.real = split, real
        rows = split[0] // 2 + 1 if real else split[0]
        length = split[0] * split[1]
        tables = _kept_twiddles if length <= 1 << 20 else _twiddles
        self.twiddles = functools.partial(tables, rows, split[1])
        self.length = length

    def forward(self, a, workers):
        """Spectrum of `a` (..., n), n at most the line's length, as (..., k1, k2)."""
        options = {"workers": workers}
        first = scipy.fft.rfft if self.real else scipy.fft.fft
        a = _threaded(first, _as_rows(a, self.split[1]), self.split[0], axis=-2, **options)
        a *= self.twiddles(self.length, a.dtype.char)
        return _threaded(scipy.fft.fft, a, axis=-1, overwrite_x=True, **options)

    def inverse(self, a, wanted, workers):
        """The slice `wanted` of the inverse; overwrites `a`."""
        options = {"workers": workers, "overwrite_x": True}
        a = _threaded(scipy.fft.ifft, a, axis=-1, **options)
        a *= self.twiddles(-self.length, a.dtype.char)
        last = scipy.fft.irfft if self.real else scipy.fft.ifft
        a = _threaded(last, a, self.split[0], axis=-2, **options)
        return a.reshape(*a.shape[:-2], -1)[..., wanted[0]]


def _threaded(transform, a, *arguments, workers, **options):
    """Call a function of scipy, on this thread alone where the system does not start its pool.

    The pool is started before anything is computed.
    """
    try:
        return transform(a, *arguments, workers=workers, **options)
    except RuntimeError:
        if workers == 1:
            raise
        return transform(a, *arguments, workers=1, **options)


def _as_rows(a, columns):
    """`a` (..., n) as (..., rows, columns), zero-padded where n is not a multiple of columns."""
    rows = -(-a.shape[-1] // columns)
    if rows * columns != a.shape[-1]:
        padded = np.zeros((*a.shape[:-1], rows * columns), a.dtype)
        padded[..., : a.shape[-1]] = a
        a = padded
    return a.reshape(*a.shape[:-1], rows, columns)


def _twiddles(rows, columns, length, char):
    """exp(-2j pi r c / length), from the roots of every 16th row and of the first 16.

    A negative length gives the conjugates, for the way back.
    """
    column = np.arange(columns) * (-1 if length > 0 else 1)
    coarse, fine = (
        roots(np.outer(r, column), abs(length), char)
        for r in (np.arange(0, rows, 16), np.arange(16))
    )
    table = np.empty((rows, columns), char)
    for first, turn in zip(range(0, rows, 16), coarse, strict=True):
        some = table[first : first + 16]
        some[...] = turn * fine[: len(some)]
    return table


_kept_twiddles = functools.lru_cache(maxsize=4)(_twiddles)
