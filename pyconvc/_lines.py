"""Lines of floating point by transforms: what their lengths alone decide is decided once.

`convolve` looks up here how the generic way would compute, and does that. It is a sixth of a
millisecond for a line of ten thousand samples, of which checking and choosing would be the most.
"""

import functools
from dataclasses import dataclass

import numpy as np

from . import _check, _choose, _core, _filtering, _methods

__all__ = ["convolve"]


@dataclass(frozen=True)
class Way:
    """How lines of these lengths are convolved.

    Attributes
    ----------
    swap : bool
        Whether the second array takes the part of the input.
    outputs : int
    sizes : NativePlan
    places : dict
        Arguments of `_core.fourier`.
    """

    swap: bool
    outputs: int
    sizes: object
    places: dict


def convolve(in1, in2, mode, fillvalue, workers, *, flip, method="auto"):
    """Convolve two lines (or correlate them, without `flip`), which `method` "fft" does unseen.

    None for anything but arrays of one dtype, float32 or float64, in their place in memory, with
    zeros beyond their ends, and where no way is known.
    """
    if type(in1) is not np.ndarray or type(in2) is not np.ndarray or in1.dtype is not in2.dtype:
        return None
    if in1.ndim != 1 or in2.ndim != 1 or in1.dtype.char not in "fd" or not isinstance(mode, str):
        return None
    if type(fillvalue) is not int or fillvalue or in1.size < 2 or in2.size < 2:
        return None
    if not _methods.transforms_are_ours():
        return None
    way = _way(in1.size, in2.size, mode, in1.dtype.char, flip, method, _core.isa())
    if way is None:
        return None
    x, w = (in2, in1) if way.swap else (in1, in2)
    if x.strides[0] != x.itemsize or not (_core.is_canonical(x) and _core.is_canonical(w)):
        return None
    return _transformed(way, x, w, mode, workers, flip, method)


def _transformed(way, x, w, mode, workers, flip, method):
    """By transforms; by sums where these turn out not to keep the error bound."""
    from . import _fft

    heard = _fft.Heard.room(x, w, way.sizes) if method == "auto" else None
    if method == "auto" and heard is None:
        return None
    y = _core.empty((way.outputs,), x.dtype, x)
    _fft.convolve_line(x, w if flip else w[::-1], y, way.sizes, way.places, workers, heard)
    if heard is None or _fft.is_safe(x, w, fft=way.sizes.fft, heard=heard):
        return y
    if way.swap:
        return None
    zeros = "fill", _check.SIGNAL_BOUNDARIES, 0
    return _core.plain(x, w, mode, "direct", *zeros, workers, None, flip=flip)


@functools.lru_cache(maxsize=256)
def _way(n, k, mode, char, flip, method, isa):
    """The way of the generic functions for such lines, or None if that is not here."""
    del isa  # costs depend on it
    if mode not in _check.MODES:
        return None
    one = np.ones((), char)
    in1, in2 = np.broadcast_to(one, n), np.broadcast_to(one, k)
    f = _filtering.filtering(
        in1, in2, mode, None, "fill", 0, 1, None, convolution=flip, compute=False
    )
    chosen, _ = _choose.method(f, method, later=True)
    swap = k > n and f.x.size == k
    if chosen == "direct" or (swap and not flip):
        return None
    sizes = _methods.expected_fft(f)
    from . import _fft

    if not isinstance(sizes, _fft.NativePlan) or _methods.transform_dtype(f) != f.x.dtype:
        return None
    places = _fft.places(sizes, (f.w.size,), f.pad, "constant", f.fill)
    return Way(swap, f.y.size, sizes, places)
