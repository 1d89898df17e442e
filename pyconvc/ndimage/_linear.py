"""Correlations and means with the arguments of scipy.ndimage."""

import numpy as np

from .. import _check
from . import _arguments, _gaussian, _run
from ._public import omitting


def _weights(values):
    """Weights in the precision that scipy takes them in."""
    (weights,) = _check.numeric(weights=values)
    return weights.astype(np.complex128 if weights.dtype.kind == "c" else np.float64)


def _line_weights(values):
    """The same of filters along one axis; `_line` looks at their shape, after scipy's order."""
    w = _weights(values)
    if w.ndim == 0:
        raise RuntimeError(f"weights={values!r}: no filter weights given, but a number")
    return w


def _is_complex(*arrays):
    return any(a.dtype.kind == "c" for a in arrays)


# ---- along one axis ------------------------------------------------------------------------------


@omitting
def correlate1d(
    input,
    weights,
    axis=-1,
    output=None,
    mode="reflect",
    cval=0.0,
    origin=0,
    *,
    missing=None,
    workers=None,
    precision=None,
):
    """Correlate along an axis: ``y[i] = sum over t of w[t] * x[i + t - size // 2 - origin]``.

    Parameters
    ----------
    input : array_like
        Real or complex, of any rank.
    weights : array_like
        One axis. Complex ones are conjugated.
    axis : int
        Axis to correlate along.
    output : ndarray or dtype, optional
        Where to put the result, or its dtype. Default: the input's, complex where weights are. It
        may be the input, or overlap it.
    mode : str
        What stands beyond the edges: ``"reflect"`` (edge repeated), ``"mirror"`` (edge not
        repeated), ``"nearest"``, ``"wrap"``, ``"constant"``; ``"grid-mirror"``, ``"grid-wrap"`` and
        ``"grid-constant"`` are names of the same.
    cval : scalar
        Value beyond the edges for ``"constant"``.
    origin : int
        Moves the window: positive to the left, by at most half its size.
    nan_policy : {"propagate", "omit", "raise"}
        What NaN in the input is: a value like others, a missing sample, or an error.
    mask : array_like of bool, optional
        True where a sample is missing; broadcasts to the input. With it integers are computed in
        float64, which is their result's dtype by default.
    min_weight : float
        Part of the weights, 0 to 1, that a window must have for a result other than NaN.
    normalize : bool
        Whether a missing sample counts as the mean of its window, or for nothing.
    workers : int, optional
        Threads for this call. Default: `pyconvc.get_num_threads`.
    precision : {None, "double"}
        ``"double"`` computes in float64 with scipy's roundings, float32 results as well.

    Returns
    -------
    ndarray

    Raises
    ------
    RuntimeError
        If there are no weights, `mode` is unknown, or `output` does not fit.
    ValueError
        If `origin` or `axis` is out of range, `cval` is complex for a real input, `mask` or
        `min_weight` does not fit, NaN is to be refused, or weights are not finite where samples are
        missing.

    Notes
    -----
    Missing samples are left out as in `pyconvc.signal.convolve`: with v being 1 where a sample is
    there and else 0, a result is ``sum(w v x) + m sum(w (1 - v))``, m being the mean of what the
    window has, weighted by the magnitudes of w. Copies beyond an edge are missing where their
    originals are; `cval` counts as a sample, unless it is NaN. Filters along several axes are one
    kernel, the product of theirs.

    Examples
    --------
    >>> from pyconvc import ndimage
    >>> ndimage.correlate1d([2, 8, 0, 4, 1, 9, 9, 0], weights=[1, 3])
    array([ 8, 26,  8, 12,  7, 28, 36,  9])
    """
    w = _line_weights(weights)
    y = _arguments.result(output, input, is_complex=_is_complex(input, w), missing=missing)
    f = _line(input, w.conj(), axis, mode, cval, origin)
    return _run.run(input, [f], y, precision, workers, missing)


@omitting
def convolve1d(
    input,
    weights,
    axis=-1,
    output=None,
    mode="reflect",
    cval=0.0,
    origin=0,
    *,
    missing=None,
    workers=None,
    precision=None,
):
    """Convolve along an axis: `correlate1d` with the weights index-reversed, not conjugated.

    Parameters, returns, raises
        As in `correlate1d`.

    Examples
    --------
    >>> from pyconvc import ndimage
    >>> ndimage.convolve1d([2, 8, 0, 4, 1, 9, 9, 0], weights=[1, 3])
    array([14, 24,  4, 13, 12, 36, 27,  0])
    """
    w = _line_weights(weights)
    y = _arguments.result(output, input, is_complex=_is_complex(input, w), missing=missing)
    f = _line(input, w[::-1], axis, mode, cval, _reversed_origin(origin, len(w)))
    return _run.run(input, [f], y, precision, workers, missing)


def _line(x, w, axis, mode, cval, origin):
    cval = _arguments.cval(cval, x, w)
    if w.ndim != 1 or not len(w):
        raise RuntimeError(f"weights: no filter weights given, the shape is {w.shape}")
    axis = _arguments.axis(axis, x.ndim)
    origin = _arguments.origin("origin", origin, len(w))
    return _run.line(axis, w, origin, _arguments.mode(mode), cval)


def _reversed_origin(origin, size):
    """The origin of the same window when taps are counted from its other end."""
    return -_check.index("origin", origin) - (size % 2 == 0)


@omitting
def uniform_filter1d(
    input,
    size,
    axis=-1,
    output=None,
    mode="reflect",
    cval=0.0,
    origin=0,
    *,
    missing=None,
    workers=None,
    precision=None,
):
    """The mean of `size` samples along an axis.

    The time does not grow with `size`. Nothing is carried further than the length of a window:
    errors do not add up along a line, and a NaN reaches only the windows that hold it.

    Parameters
    ----------
    input : array_like
        Real or complex, of any rank.
    size : int
        Samples of the window.
    axis, output, mode, cval, origin, nan_policy, mask, min_weight, normalize, workers, precision
        As in `correlate1d`.

    Returns
    -------
    ndarray
        Integers are cut off towards zero.

    Raises
    ------
    RuntimeError
        If `size` is below 1, `mode` is unknown, or `output` does not fit.
    ValueError
        If `origin` or `axis` is out of range.

    Examples
    --------
    >>> from pyconvc import ndimage
    >>> ndimage.uniform_filter1d([2, 8, 0, 4, 1, 9, 9, 0], size=3)
    array([4, 3, 4, 1, 4, 6, 6, 3])
    """
    axis = _arguments.axis(axis, input.ndim)
    size = _arguments.size(size)
    y = _arguments.result(output, input, is_complex=_is_complex(input), missing=missing)
    f = _mean(input, axis, size, origin, mode, cval)
    return _run.run(input, [f], y, precision, workers, missing)


def _mean(x, axis, size, origin, mode, cval):
    origin = _arguments.origin("origin", origin, size)
    cval = _arguments.cval(cval, x)
    return _run.mean(axis, size, origin, _arguments.mode(mode), cval)


@omitting
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
    missing=None,
    workers=None,
    precision=None,
):
    """Smooth along an axis with a Gaussian, or take a derivative of the smoothed input.

    Parameters
    ----------
    input : array_like
        Real or complex, of any rank.
    sigma : float
        Standard deviation in samples.
    axis : int
        Axis to filter along.
    order : int
        Order of the derivative.
    output, mode, cval, nan_policy, mask, min_weight, normalize, workers, precision
        As in `correlate1d`.
    truncate : float
        Where the window ends, in standard deviations.
    radius : int, optional
        Where it ends, in samples; then `truncate` is ignored.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If `sigma` is negative or not finite, `order` negative, `radius` no nonnegative integer.
    ZeroDivisionError
        If `sigma` is 0.
    RuntimeError
        If `mode` is unknown, or `output` does not fit.

    Examples
    --------
    >>> from pyconvc import ndimage
    >>> ndimage.gaussian_filter1d([1.0, 2.0, 3.0, 4.0, 5.0], 1).round(6)
    array([1.427041, 2.067822, 3.      , 3.932178, 4.572959])
    """
    sigma = _arguments.sigma(sigma)
    if sigma == 0:
        raise ZeroDivisionError(f"sigma={sigma}: must be positive")
    y = _arguments.result(output, input, is_complex=_is_complex(input), missing=missing)
    f = _gaussian_line(input, sigma, axis, order, mode, cval, truncate, radius)
    return _run.run(input, [f], y, precision, workers, missing)


def _gaussian_line(x, sigma, axis, order, mode, cval, truncate, radius):
    weights = _gaussian.weights(sigma, order, _gaussian.radius(sigma, truncate, radius))
    return _line(x, weights[::-1], axis, mode, cval, 0)


# ---- along several axes --------------------------------------------------------------------------


@omitting
def uniform_filter(
    input,
    size=3,
    output=None,
    mode="reflect",
    cval=0.0,
    origin=0,
    *,
    axes=None,
    missing=None,
    workers=None,
    precision=None,
):
    """The mean of a box around every sample, by `uniform_filter1d` along one axis after the other.

    Parameters
    ----------
    input : array_like
        Real or complex, of any rank.
    size : int or sequence of int
        Samples of the box along each axis.
    output, cval, nan_policy, mask, min_weight, normalize, workers, precision
        As in `correlate1d`.
    mode : str or sequence of str
        As in `correlate1d`, for all axes or for each.
    origin : int or sequence of int
        As in `correlate1d`, for all axes or for each.
    axes : int or sequence of int, optional
        Axes to filter along. Default: all. Sequences have one entry for each.

    Returns
    -------
    ndarray

    Raises
    ------
    RuntimeError
        If a sequence has another length, `mode` is unknown, or `output` does not fit.
    ValueError
        If an origin or an axis is out of range.

    Examples
    --------
    >>> from pyconvc import ndimage
    >>> ndimage.uniform_filter([[1.0, 2.0], [3.0, 7.0]], size=2, mode="wrap")
    array([[3.25, 3.25],
           [3.25, 3.25]])
    """
    y = _arguments.result(output, input, is_complex=_is_complex(input), missing=missing)
    axes = _arguments.axes(axes, input.ndim)
    settings = zip(
        axes,
        _arguments.each("size", size, len(axes)),
        _arguments.each("origin", origin, len(axes)),
        _arguments.each("mode", mode, len(axes)),
        strict=True,
    )
    filters = [
        _mean(input, a, n, o, m, cval)
        for a, size, o, m in settings
        if (n := _arguments.box_size(size)) > 1
    ]
    return _run.run(input, filters, y, precision, workers, missing)


@omitting
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
    missing=None,
    workers=None,
    precision=None,
):
    """Smooth with a Gaussian along all axes, or take derivatives of the smoothed input.

    Parameters
    ----------
    input : array_like
        Real or complex, of any rank.
    sigma : float or sequence of float
        Standard deviation along each axis, in samples; axes with 0 are left out.
    order : int or sequence of int
        Order of the derivative along each axis.
    output, cval, nan_policy, mask, min_weight, normalize, workers, precision
        As in `correlate1d`.
    mode : str or sequence of str
        As in `correlate1d`, for all axes or for each.
    truncate : float
        Where windows end, in standard deviations.
    radius : int or sequence of int, optional
        Where they end, in samples; then `truncate` is ignored.
    axes : int or sequence of int, optional
        Axes to filter along. Default: all. Sequences have one entry for each.

    Returns
    -------
    ndarray
        What one axis leaves is stored in the result's dtype before the next, as in scipy.

    Raises
    ------
    ValueError
        If `sigma` is negative or not finite, `order` negative, `radius` no nonnegative integer, an
        axis out of range.
    RuntimeError
        If a sequence has another length, `mode` is unknown, or `output` does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconvc import ndimage
    >>> ndimage.gaussian_filter(np.arange(50, step=2).reshape(5, 5), sigma=1)
    array([[ 4,  6,  8,  9, 11],
           [10, 12, 14, 15, 17],
           [20, 22, 24, 25, 27],
           [29, 31, 33, 34, 36],
           [35, 37, 39, 40, 42]])
    >>> ndimage.gaussian_filter([1.0, 1.0, np.nan, 1.0], sigma=1, nan_policy="omit").round(6)
    array([1., 1., 1., 1.])
    """
    y = _arguments.result(output, input, missing=missing)
    filters = gaussians(input, sigma, order, mode, cval, truncate, radius=radius, axes=axes)
    if filters:
        _arguments.must_be_complex(y.dtype, _is_complex(input))
    return _run.run(input, filters, y, precision, workers, missing)


def gaussians(x, sigma, order, mode, cval, truncate=4.0, *, radius=None, axes=None):
    """The filters of `gaussian_filter`."""
    axes = _arguments.axes(axes, x.ndim)
    settings = zip(
        axes,
        _arguments.each("sigma", sigma, len(axes)),
        _arguments.each("order", order, len(axes)),
        _arguments.each("mode", mode, len(axes)),
        _arguments.each("radius", radius, len(axes)),
        strict=True,
    )
    return [
        _gaussian_line(x, float(s), a, o, m, cval, truncate, r)
        for a, s, o, m, r in settings
        if _arguments.sigma(s) > 1e-15
    ]


@omitting
def correlate(
    input,
    weights,
    output=None,
    mode="reflect",
    cval=0.0,
    origin=0,
    *,
    axes=None,
    missing=None,
    workers=None,
    precision=None,
):
    """Correlate with weights of any rank: ``y[i] = sum of w[t] * x[i + t - size // 2 - origin]``.

    Parameters
    ----------
    input : array_like
        Real or complex, of any rank.
    weights : array_like
        As many axes as are filtered, in the order of the input's. Complex ones are conjugated;
        those below 2.3e-16 count as zero, as in scipy.
    output, mode, cval, nan_policy, mask, min_weight, normalize, workers, precision
        As in `correlate1d`.
    origin : int or sequence of int
        As in `correlate1d`, for all axes or for each.
    axes : int or sequence of int, optional
        Axes to filter along. Default: all.

    Returns
    -------
    ndarray

    Raises
    ------
    RuntimeError
        If `weights` have another rank, a sequence another length, `mode` is unknown or a sequence,
        or `output` does not fit.
    ValueError
        If an origin or an axis is out of range, or `cval` is complex for a real input.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconvc import ndimage
    >>> ndimage.correlate(np.arange(25).reshape(5, 5), [[0, 1, 0], [1, 1, 1], [0, 1, 0]])[1:4, 1:4]
    array([[30, 35, 40],
           [55, 60, 65],
           [80, 85, 90]])
    """
    w, how = _weights(weights).conj(), (precision, workers, missing)
    return _correlate(input, w, output, mode, cval, origin, axes, False, how)


@omitting
def convolve(
    input,
    weights,
    output=None,
    mode="reflect",
    cval=0.0,
    origin=0,
    *,
    axes=None,
    missing=None,
    workers=None,
    precision=None,
):
    """Convolve with weights of any rank: `correlate` with them index-reversed, not conjugated.

    Parameters, returns, raises
        As in `correlate`.

    Examples
    --------
    >>> from pyconvc import ndimage
    >>> ndimage.convolve([[1, 2, 0], [5, 3, 0]], [[1, 1]], mode="constant")
    array([[3, 2, 0],
           [8, 3, 0]])
    """
    w, how = _weights(weights), (precision, workers, missing)
    return _correlate(input, w, output, mode, cval, origin, axes, True, how)


def _correlate(x, w, output, mode, cval, origin, axes, flip, how):
    axes = _arguments.axes(axes, x.ndim)
    if w.ndim != len(axes) or not w.size:
        lengths = w.ndim if w.size else sum(n > 0 for n in w.shape)
        raise RuntimeError(f"weights.ndim ({lengths}) must match len(axes) ({len(axes)})")
    origins = _arguments.each("origin", origin, len(axes))
    if len(axes) < x.ndim:  # scipy sorts weights by axis, and origins with all axes not at all
        origins = [o for _, o in sorted(zip(axes, origins, strict=True))]
    axes = tuple(sorted(axes))
    if flip:
        w = np.flip(w)
        origins = [_reversed_origin(o, n) for o, n in zip(origins, w.shape, strict=True)]
    origins = [_arguments.origin("origin", o, n) for o, n in zip(origins, w.shape, strict=True)]
    y = _arguments.result(output, x, is_complex=_is_complex(x, w), missing=how[-1])
    cval = _arguments.cval(cval, x, w)
    f = _run.block(axes, w, origins, _arguments.one_mode(mode), cval)
    return _run.run(x, [f], y, *how)
