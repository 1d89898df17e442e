# SPDX-License-Identifier: BSD-3-Clause
"""Twins of pyconvc.ndimage, with the meanings of scipy.ndimage (1.17).

Everything is a sum of shifted copies of the input, extended by `numpy.take`: in float64 (complex128
for complex), every product and sum rounded, in scipy's order. A filter along several axes is one
pass after the other, stored in the result's dtype between them.

A one-dimensional sum begins with the middle tap and adds pairs from the outermost to the innermost,
where the weights are symmetric or antisymmetric; else it begins with the last tap and goes on from
the first. Sums of weights of any rank leave out zeros. Integers are cut off towards zero and wrap.

With any of ``mask``, ``min_weight``, ``normalize``, NaN and what the mask has are missing samples,
see `_missing.leave_out`. Filters along several axes are then one kernel, their outer product.
"""

import functools

import numpy as np

from . import _boundary, _missing

_RULES = {
    "constant": "constant",
    "grid-constant": "constant",
    "nearest": "replicate",
    "mirror": "reflect",
    "reflect": "symmetric",
    "grid-mirror": "symmetric",
    "wrap": "circular",
    "grid-wrap": "circular",
}
_EPSILON = np.finfo(float).eps


def correlate1d(
    input, weights, axis=-1, output=None, mode="reflect", cval=0.0, origin=0, **missing
):
    """Correlate along an axis; `output` is a dtype.

    Examples
    --------
    >>> correlate1d([2, 8, 0, 4], [1, 3])
    array([ 8, 26,  8, 12])
    """
    x, w = np.asarray(input), np.asarray(weights)
    if missing:
        return _leave_out(x, [(axis, w.conj(), mode, origin)], output, cval, missing)
    return _along(x, w.conj(), axis, _dtype(output, x, w), mode, cval, origin)


def convolve1d(input, weights, axis=-1, output=None, mode="reflect", cval=0.0, origin=0, **missing):
    """Convolve along an axis.

    Examples
    --------
    >>> convolve1d([2, 8, 0, 4], [1, 3])
    array([14, 24,  4, 16])
    """
    x, w = np.asarray(input), np.asarray(weights)
    turned = -origin - (1 if len(w) % 2 == 0 else 0)
    if missing:
        return _leave_out(x, [(axis, w[::-1], mode, turned)], output, cval, missing)
    return _along(x, w[::-1], axis, _dtype(output, x, w), mode, cval, turned)


def correlate(
    input,
    weights,
    output=None,
    mode="reflect",
    cval=0.0,
    origin=0,
    *,
    axes=None,
    flip=False,
    **missing,
):
    """Correlate with weights of any rank, or convolve with `flip`.

    Examples
    --------
    >>> correlate([[1, 2], [3, 4]], [[1, 0], [0, 10]])
    array([[11, 21],
           [31, 41]])
    """
    x, w = np.asarray(input), np.asarray(weights)
    dtype = _dtype(output, x, w)
    axes = tuple(range(x.ndim)) if axes is None else tuple(a % x.ndim for a in np.atleast_1d(axes))
    origins = [origin] * len(axes) if np.ndim(origin) == 0 else list(origin)
    if len(axes) < x.ndim:
        origins = [o for _, o in sorted(zip(axes, origins, strict=True))]
    axes = sorted(axes)
    if flip:
        w = np.flip(w)
        origins = [-o - (1 - n % 2) for o, n in zip(origins, w.shape, strict=True)]
    else:
        w = w.conj()
    w = np.where(np.abs(w) > _EPSILON, w, 0)
    modes = [mode] * len(axes)
    if missing:
        return _leave_out_of(x, w, axes, modes, origins, output, cval, missing)
    return _stored(_windows(_wide(x), w, axes, modes, cval, origins), dtype)


def _windows(x, w, axes, modes, cval, origins):
    """Sums of windows with weights of any rank."""
    shape = x.shape
    for a, n, m, o in zip(axes, w.shape, modes, origins, strict=True):
        x = _extended(x, a, n, m, cval, o)
    total = np.zeros(shape, np.result_type(x, w, float))
    for place in np.argwhere(w):
        window = [slice(None)] * x.ndim
        for a, i in zip(axes, place, strict=True):
            window[a] = slice(i, i + shape[a])
        total = total + w[tuple(place)] * x[tuple(window)]
    return total


def _leave_out(x, filters, output, cval, missing):
    """Filters (axis, weights, mode, origin) at once, without missing samples."""
    axes, weights, modes, origins = zip(*filters, strict=True)
    axes = [a % x.ndim for a in axes]
    kernel = functools.reduce(np.multiply.outer, map(np.asarray, weights))
    return _leave_out_of(x, kernel, axes, modes, origins, output, cval, missing)


def _leave_out_of(x, w, axes, modes, origins, output, cval, missing):
    def filtered(x, w, fill):
        return _windows(x, w, axes, modes, fill, origins)

    dtype = _dtype(output, x, w)
    if dtype.kind in "biu":
        dtype = np.dtype(np.float64)
    return _missing.leave_out(filtered, _wide(x), w, fillvalue=cval, **missing).astype(dtype)


def convolve(
    input, weights, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None, **missing
):
    """Convolve with weights of any rank.

    Examples
    --------
    >>> convolve([[1, 2], [3, 4]], [[1, 0], [0, 10]])
    array([[14, 24],
           [34, 44]])
    """
    return correlate(input, weights, output, mode, cval, origin, axes=axes, flip=True, **missing)


def uniform_filter1d(
    input, size, axis=-1, output=None, mode="reflect", cval=0.0, origin=0, **missing
):
    """The mean of `size` samples along an axis.

    Examples
    --------
    >>> uniform_filter1d([2, 8, 0, 4], 3)
    array([4, 3, 4, 2])
    """
    x = np.asarray(input)
    if missing:
        mean = np.full(size, 1 / size)
        return _leave_out(x, [(axis, mean, mode, origin)], output, cval, missing)
    dtype = _dtype(output, x)
    axis = axis % x.ndim
    wide = _extended(_wide(x), axis, size, mode, cval, origin)
    windows = np.lib.stride_tricks.sliding_window_view(wide, size, axis)
    total = np.zeros(x.shape, wide.dtype)
    for t in range(size):
        total = total + windows[..., t]
    return _stored(total / size, dtype)


def uniform_filter(
    input, size=3, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None, **missing
):
    """The mean of a box.

    Examples
    --------
    >>> uniform_filter([[1.0, 2.0], [3.0, 7.0]], 2, mode="wrap")
    array([[3.25, 3.25],
           [3.25, 3.25]])
    """
    x = np.asarray(input)
    if missing:
        each = _each(x, axes, size, mode, origin)
        filters = [(a, np.full(n, 1 / n), m, o) for a, n, m, o in each]
        return _leave_out(x, filters, output, cval, missing)
    y = _stored(x, _dtype(output, x))
    for a, n, m, o in _each(x, axes, size, mode, origin):
        if n > 1:
            x = y = uniform_filter1d(x, n, a, y.dtype, m, cval, o)
    return y


def gaussian_filter1d(
    input,
    sigma,
    axis=-1,
    order=0,
    output=None,
    mode="reflect",
    cval=0.0,
    truncate=4.0,
    *,
    radius=None,
    **missing,
):
    """Smooth along an axis with a Gaussian, or take a derivative of the smoothed input.

    Examples
    --------
    >>> gaussian_filter1d([0.0, 0.0, 1.0, 0.0, 0.0], 1, radius=1).round(3)
    array([0.   , 0.274, 0.452, 0.274, 0.   ])
    """
    radius = int(truncate * sigma + 0.5) if radius is None else radius
    weights = gaussian_weights(float(sigma), order, radius)
    return correlate1d(input, weights[::-1], axis, output, mode, cval, **missing)


def gaussian_weights(sigma, order, radius):
    """Samples of a Gaussian, normalized, times the polynomial of its derivative.

    The polynomial of order n + 1 is q' - q x / sigma**2, from that of order n.

    Examples
    --------
    >>> gaussian_weights(1.0, 1, 1).round(3)
    array([ 0.274,  0.   , -0.274])
    """
    x = np.arange(-radius, radius + 1)
    g = np.exp(-0.5 / (sigma * sigma) * x**2)
    g = g / g.sum()
    q = np.polynomial.Polynomial([1.0])
    for _ in range(order):
        q = q.deriv() - q * np.polynomial.Polynomial([0.0, 1 / sigma**2])
    return q(x) * g if order else g


def gaussian_filter(
    input,
    sigma,
    order=0,
    output=None,
    mode="reflect",
    cval=0.0,
    truncate=4.0,
    *,
    radius=None,
    axes=None,
    **missing,
):
    """Smooth with a Gaussian, or take derivatives of the smoothed input.

    Examples
    --------
    >>> gaussian_filter([[0.0, 0.0], [0.0, 1.0]], [0, 1], radius=1).round(3)
    array([[0.   , 0.   ],
           [0.274, 0.726]])
    """
    x = np.asarray(input)
    y = _stored(x, _dtype(output, x))
    each = [each for each in _each(x, axes, sigma, order, mode, radius) if each[1] > 1e-15]
    if missing:
        filters = [
            (a, gaussian_weights(s, n, int(truncate * s + 0.5) if r is None else r)[::-1], m, 0)
            for a, s, n, m, r in each
        ]
        identity = [(0, [1.0], "reflect", 0)]
        return _leave_out(x, filters or identity, output, cval, missing)
    for a, s, n, m, r in each:
        x = y = gaussian_filter1d(x, s, a, n, y.dtype, m, cval, truncate, radius=r)
    return y


def sobel(input, axis=-1, output=None, mode="reflect", cval=0.0):
    """Differences along an axis, smoothed along the others.

    Examples
    --------
    >>> sobel([[0, 0, 4], [0, 0, 4]])
    array([[ 0, 16, 16],
           [ 0, 16, 16]])
    """
    return _differences(input, axis, output, mode, cval, [1, 2, 1])


def prewitt(input, axis=-1, output=None, mode="reflect", cval=0.0):
    """Differences along an axis, smoothed evenly along the others.

    Examples
    --------
    >>> prewitt([[0, 0, 4], [0, 0, 4]])
    array([[ 0, 12, 12],
           [ 0, 12, 12]])
    """
    return _differences(input, axis, output, mode, cval, [1, 1, 1])


def _differences(input, axis, output, mode, cval, smooth):
    x = np.asarray(input)
    dtype = _dtype(output, x)
    modes = dict((a, m) for a, m in _each(x, None, mode))
    axis = axis % x.ndim
    y = correlate1d(x, [-1, 0, 1], axis, dtype, modes[axis], cval)
    for a in range(x.ndim):
        if a != axis:
            y = correlate1d(y, smooth, a, dtype, modes[a], cval)
    return y


def laplace(input, output=None, mode="reflect", cval=0.0, *, axes=None):
    """The sum of second differences.

    Examples
    --------
    >>> laplace([0, 0, 1, 0])
    array([ 0,  1, -2,  1])
    """
    x = np.asarray(input)
    dtype = _dtype(output, x)
    parts = [correlate1d(x, [1, -2, 1], a, dtype, m, cval) for a, m in _each(x, axes, mode)]
    return _added(parts) if parts else _stored(x, dtype)


def gaussian_laplace(input, sigma, output=None, mode="reflect", cval=0.0, *, axes=None, **kwargs):
    """The sum of second derivatives of the smoothed input.

    Examples
    --------
    >>> gaussian_laplace([0.0, 1.0, 0.0], 1, radius=1, mode="constant").round(3)
    array([ 0.   , -0.452,  0.   ])
    """
    x = np.asarray(input)
    widths = [0.0] * x.ndim
    for a, s in _each(x, axes, sigma):
        widths[a] = s
    parts = _gaussian_derivatives(x, 2, widths, output, mode, cval, axes, kwargs)
    return _added(parts) if parts else _stored(x, _dtype(output, x))


def gaussian_gradient_magnitude(
    input, sigma, output=None, mode="reflect", cval=0.0, *, axes=None, **kwargs
):
    """The root of the sum of squared first derivatives of the smoothed input.

    Examples
    --------
    >>> gaussian_gradient_magnitude([0.0, 1.0, 0.0], 1, radius=1, mode="constant").round(3)
    array([0.274, 0.   , 0.274])
    """
    x = np.asarray(input)
    parts = _gaussian_derivatives(x, 1, sigma, output, mode, cval, axes, kwargs)
    if not parts:
        return _stored(x, _dtype(output, x))
    squares = _added([p * p for p in parts])
    return _stored(np.sqrt(squares), squares.dtype)


def _gaussian_derivatives(x, order, sigma, output, mode, cval, axes, options):
    parts = []
    for a, m in _each(x, axes, mode):
        orders = [order if b == a else 0 for b in range(x.ndim)]
        parts.append(gaussian_filter(x, sigma, orders, output, m, cval, **options))
    return parts


def _added(parts):
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _each(x, axes, *settings):
    """(axis, settings of that axis) for every axis."""
    axes = range(x.ndim) if axes is None else [a % x.ndim for a in np.atleast_1d(axes)]
    columns = []
    for setting in settings:
        one = isinstance(setting, str) or np.ndim(setting) == 0
        columns.append([setting] * len(axes) if one else list(setting))
    return zip(axes, *columns, strict=True)


def _dtype(output, *arrays):
    """Dtype of the result."""
    if output is not None:
        return np.dtype(output)
    if any(a.dtype.kind == "c" for a in arrays):
        return np.promote_types(arrays[0].dtype, np.complex64)
    return arrays[0].dtype


def _wide(x):
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def _extended(x, axis, size, mode, cval, origin):
    """`x` with all samples that windows of `size` samples read along an axis."""
    before = size // 2 + origin
    index = _boundary.boundary_index(x.shape[axis], before, size - 1 - before, _RULES[mode])
    return _boundary.extend(x, axis, index, cval)


def _along(x, w, axis, dtype, mode, cval, origin):
    axis = axis % x.ndim
    n, half = len(w), len(w) // 2
    wide = _extended(_wide(x), axis, n, mode, cval, origin)
    w = w.astype(np.complex128 if w.dtype.kind == "c" else np.float64)
    taps = [wide[(slice(None),) * axis + (slice(t, t + x.shape[axis]),)] for t in range(n)]
    sign = _symmetry(w)
    if sign:
        total = taps[half] * w[half]
        for t in range(half):
            total = total + (taps[t] + sign * taps[n - 1 - t]) * w[t]
    else:
        total = taps[n - 1] * w[n - 1]
        for t in range(n - 1):
            total = total + taps[t] * w[t]
    return _stored(total, dtype)


def _symmetry(w):
    """1 or -1 for odd, real, symmetric or antisymmetric weights, else 0."""
    if len(w) % 2 == 0 or w.dtype.kind == "c":
        return 0
    right, left = w[len(w) // 2 + 1 :], w[: len(w) // 2][::-1]
    for sign in (1, -1):
        if (np.abs(right - sign * left) <= _EPSILON).all():
            return sign
    return 0


def _stored(values, dtype):
    """Values in a dtype: integers cut off towards zero, modulo two to the number of bits."""
    if dtype.kind not in "iub" or values.dtype.kind in "iub":
        return values.astype(dtype)
    whole = np.trunc(values)
    if dtype.kind == "b":
        return np.fmod(whole, 256) != 0
    bits = 8 * dtype.itemsize
    wrapped = np.array([int(v) % (1 << bits) for v in whole.ravel()], dtype=object)
    return wrapped.astype(f"u{dtype.itemsize}").view(dtype).reshape(values.shape)
