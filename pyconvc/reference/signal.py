# SPDX-License-Identifier: BSD-3-Clause
"""Twins of pyconvc.signal, with the meanings of scipy.signal (1.17).

Every function here is one grouped problem: rows that broadcast against each other become groups
with one channel and one filter each, and the output mode becomes padding.

The full output along an axis has n + k - 1 samples. ``valid`` keeps those where the shorter array
lies inside the longer; ``same`` keeps n from ``(k - 1)//2`` on, but `correlate2d` from ``k//2`` on:
scipy's two correlations are centred one sample apart for even k.
"""

import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from . import _boundary, _missing, _passes

_BOUNDARIES = {
    "fill": "constant",
    "pad": "constant",
    "wrap": "circular",
    "circular": "circular",
    "symm": "symmetric",
    "symmetric": "symmetric",
}


def convolve(
    in1,
    in2,
    mode="full",
    method="auto",
    *,
    boundary="fill",
    fillvalue=0,
    axes=None,
    **missing,
):
    """Convolve two N-dimensional arrays, `in1` being extended by `boundary`.

    Parameters
    ----------
    in1, in2 : array_like
        Arrays of one rank. Along axes that are not convolved they broadcast.
    mode : {"full", "valid", "same"}
    method : str
        Has no influence on the values.
    boundary : str or sequence of str
        ``"fill"``, ``"wrap"``, ``"symm"`` as in `convolve2d`, ``"reflect"``, ``"replicate"``; for
        all axes or one for each.
    fillvalue : scalar
        Value beyond the ends where the boundary is ``"fill"``.
    axes : int or sequence of int, optional
        Axes to convolve over. Default: all.
    **missing
        With any of ``mask``, ``min_weight``, ``normalize``: NaN and what the mask has are missing
        samples of `in1`, see `_missing.leave_out`.

    Returns
    -------
    ndarray
        In the result type of `in1` and `in2`.

    Examples
    --------
    >>> convolve([1, 2, 3], [1, 1], boundary="wrap", mode="same")
    array([4, 3, 5])
    """
    if missing:
        return _leave_out(convolve, in1, in2, mode, boundary, fillvalue, axes, missing)
    return _filter(in1, in2, mode, axes, boundary, fillvalue, flip=True)


def correlate(
    in1,
    in2,
    mode="full",
    method="auto",
    *,
    boundary="fill",
    fillvalue=0,
    axes=None,
    **missing,
):
    """Correlate two N-dimensional arrays: ``z[k] = sum over l of in1[l] * conj(in2[l - k])``.

    Parameters as in `convolve`. ``same`` is centred as scipy.signal.correlate has it where the
    boundary is ``"fill"``, and as scipy.signal.correlate2d has it, one sample later for even sizes,
    for the boundaries that only the latter knows.

    Examples
    --------
    >>> correlate([1, 2, 3], [0, 1, 0.5])
    array([0.5, 2. , 3.5, 3. , 0. ])
    """
    if missing:
        return _leave_out(correlate, in1, in2, mode, boundary, fillvalue, axes, missing)
    conjugate = np.asarray(in2).conj()
    return _filter(in1, conjugate, mode, axes, boundary, fillvalue, late=_boundary.BOUNDARIES[1:])


def _leave_out(function, in1, in2, mode, boundary, fillvalue, axes, missing):
    def filtered(x, w, fill):
        return function(x, w, mode, boundary=boundary, fillvalue=fill, axes=axes)

    x, w = np.asarray(in1), np.asarray(in2)
    return _missing.leave_out(filtered, x, w, fillvalue=fillvalue, **missing)


def convolve2d(in1, in2, mode="full", boundary="fill", fillvalue=0):
    """Convolve two 2-dimensional arrays, `in1` being extended by `boundary`.

    Examples
    --------
    >>> convolve2d([[1, 2], [3, 4]], [[1, 1]], mode="same", boundary="symm")
    array([[2, 3],
           [6, 7]])
    """
    return _filter(in1, in2, mode, None, boundary, fillvalue, flip=True)


def correlate2d(in1, in2, mode="full", boundary="fill", fillvalue=0):
    """Correlate two 2-dimensional arrays, `in1` being extended by `boundary`.

    In mode ``valid`` with `in2` the larger, scipy 1.17 conjugates `in1` and not `in2`; so do we.

    Examples
    --------
    >>> correlate2d([[1, 2, 3]], [[1, 1]], mode="same")
    array([[3, 5, 3]])
    """
    conjugate = np.asarray(in2).conj()
    z = _filter(in1, conjugate, mode, None, boundary, fillvalue, late=_boundary.BOUNDARIES)
    swapped = mode == "valid" and np.less(np.shape(in1), np.shape(in2)).any()
    return z.conj() if swapped else z


def fftconvolve(in1, in2, mode="full", axes=None):
    """Convolve in the floating type that a Fourier transform of the inputs has.

    Integers and bool become float64, float16 becomes float32. As in scipy, empty inputs give an
    empty vector, axes along which an input has length 1 are multiplied, and a product without any
    other axis keeps its type. Arrays broadcast along axes that are not convolved, in every mode.

    Examples
    --------
    >>> fftconvolve([[1, 2, 3]], [[1, 1], [0, 1]], mode="same", axes=1)
    array([[1., 3., 5.],
           [0., 1., 2.]])
    """
    in1, in2 = _of_one_rank(in1, in2)
    if in1.ndim == 0:
        return in1 * in2
    if 0 in (in1.size, in2.size):
        return np.array([])
    transformed = [a for a in _axes(axes, in1.ndim) if in1.shape[a] != 1 != in2.shape[a]]
    if transformed:
        in1, in2 = (a.astype(_transformed(a.dtype)) for a in (in1, in2))
    if mode == "valid":
        if not transformed:
            return in1 * in2
        axes = transformed
    return _filter(in1, in2, mode, axes, flip=True)


def oaconvolve(in1, in2, mode="full", axes=None):
    """Convolve by overlap-add: the values and types of `fftconvolve`."""
    return fftconvolve(in1, in2, mode, axes)


def convolve1d(a, v, axis=-1, mode="full", boundary="fill", fillvalue=0):
    """Convolve along one axis, one filter for all rows or one for each.

    Parameters
    ----------
    a : array_like
        Signal; extended along `axis` by `boundary`.
    v : array_like
        Filter of rank 1, or of higher rank with its taps along `axis` and other axes that broadcast
        against those of `a`.
    axis : int
        Axis of the samples, of the result as well.

    Other parameters as in `convolve`.

    Examples
    --------
    >>> convolve1d([[1, 2, 3], [4, 5, 6]], [[1, 1], [1, -1]], mode="valid")
    array([[3, 5],
           [1, 1]])
    """
    a, v = np.moveaxis(np.asarray(a), axis, -1), np.asarray(v)
    v = v if v.ndim == 1 else np.moveaxis(v, axis, -1)
    rank = max(a.ndim, v.ndim)
    a, v = (r.reshape((1,) * (rank - r.ndim) + r.shape) for r in (a, v))
    y = _filter(a, v, mode, -1, boundary, fillvalue, flip=True)
    return np.moveaxis(y, -1, axis)


def correlation_lags(in1_len, in2_len, mode="full"):
    """Lag of every sample of ``correlate(in1, in2, mode)`` for vectors, as scipy numbers them.

    Where `in1_len` is odd and `in2_len` even, scipy's lags of mode ``same`` lie one beyond those of
    its `correlate`.

    Examples
    --------
    >>> correlation_lags(4, 3)
    array([-2, -1,  0,  1,  2,  3])
    """
    first, last = 1 - in2_len, in1_len - 1
    if mode == "same":
        first += (in1_len + in2_len - 1) // 2 - in1_len // 2
        last = first + in1_len - 1
    elif mode == "valid":
        first, last = sorted((0, in1_len - in2_len))
    elif mode != "full":
        raise ValueError(f"mode={mode!r}: must be 'full', 'valid' or 'same'")
    return np.arange(first, last + 1)


def _filter(in1, in2, mode, axes, boundary="fill", fillvalue=0, *, flip=False, late=()):
    """Correlate along `axes` and multiply along the others; the common body of this module.

    `late` names the boundaries under which ``same`` starts at ``k//2``.
    """
    in1, in2 = _of_one_rank(in1, in2)
    if in1.ndim == 0:
        return in1 * in2
    axes = _axes(axes, in1.ndim)
    rank = len(axes)
    x, w = (np.moveaxis(a, axes, range(-rank, 0)) for a in (in1, in2))
    rows = np.broadcast_shapes(x.shape[:-rank], w.shape[:-rank])
    space, taps = x.shape[-rank:], w.shape[-rank:]
    if mode == "valid":
        if np.less(space, taps).any() and np.greater(space, taps).any():
            raise ValueError("mode='valid': one array must be at least as large on every axis")
        boundary, fillvalue = "fill", 0
        if np.less(space, taps).any():  # in2 contains in1, which is then its kernel
            x, w = w if flip else np.flip(w, range(-rank, 0)), x
            space, taps, flip = taps, space, True
    names = (boundary,) * rank if isinstance(boundary, str) else boundary
    rules = [_BOUNDARIES.get(name, name) for name in names]
    windows = [
        _window(n, k, mode, rule in late) for n, k, rule in zip(space, taps, rules, strict=True)
    ]
    y = _passes.correlate(
        np.broadcast_to(x, rows + space).reshape(1, -1, *space),
        np.broadcast_to(w, rows + taps).reshape(-1, 1, *taps),
        padding=[
            (k - 1 - first, first + size - n)
            for n, k, (first, size) in zip(space, taps, windows, strict=True)
        ],
        boundary=rules,
        fill=fillvalue,
        groups=math.prod(rows),
        flip=flip,
    )
    return np.moveaxis(y.reshape(*rows, *y.shape[2:]), range(-rank, 0), axes)


def _window(n, k, mode, late):
    """(first, size) of the samples of the full output that a mode keeps."""
    if mode == "full":
        return 0, n + k - 1
    if mode == "same":
        return (k // 2 if late else (k - 1) // 2), n
    if mode == "valid":
        return min(n, k) - 1, abs(n - k) + 1
    raise ValueError(f"mode={mode!r}: must be 'full', 'valid' or 'same'")


def _of_one_rank(in1, in2):
    in1, in2 = np.asarray(in1), np.asarray(in2)
    if in1.ndim != in2.ndim:
        raise ValueError(f"ranks {in1.ndim} and {in2.ndim} of in1 and in2 must be equal")
    return in1, in2


def _axes(axes, ndim):
    return normalize_axis_tuple(range(ndim) if axes is None else axes, ndim)


def _transformed(dtype):
    """Type in which a Fourier transform computes."""
    if dtype.kind in "biu":
        return np.dtype(np.float64)
    return np.result_type(dtype, np.float32)
