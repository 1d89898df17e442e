"""Derivative filters with the arguments of scipy.ndimage: sums of chains of lines."""

import numpy as np

from . import _arguments, _run
from ._linear import gaussians
from ._public import public


def _lines(x, weights, axis, others, mode, cval):
    """One line along `axis`, and another along each of the other axes."""
    axis = _arguments.axis(axis, x.ndim)
    modes = [_arguments.mode(m) for m in _arguments.each("mode", mode, x.ndim)]
    cval = _arguments.cval(cval, x)
    first = _run.line(axis, np.array(weights, float), 0, modes[axis], cval)
    smooth = np.array(others, float)
    rest = [_run.line(a, smooth, 0, modes[a], cval) for a in range(x.ndim) if a != axis]
    return [first, *rest]


def _result(x, output):
    y = _arguments.result(output, x)
    _arguments.must_be_complex(y.dtype, x.dtype.kind == "c")
    return y


@public
def sobel(input, axis=-1, output=None, mode="reflect", cval=0.0, *, workers=None, precision=None):
    """Differences along an axis, smoothed along the others by 1, 2, 1.

    Parameters
    ----------
    input : array_like
        Real or complex, of any rank.
    axis : int
        Axis of the differences.
    mode : str or sequence of str
        As in `correlate1d`, for all axes or for each.
    output, cval, workers, precision
        As in `correlate1d`.

    Returns
    -------
    ndarray

    Raises
    ------
    RuntimeError
        If a sequence has another length, `mode` is unknown, or `output` does not fit.
    ValueError
        If `axis` is out of range.

    Examples
    --------
    >>> from pyconvc import ndimage
    >>> ndimage.sobel([[0, 0, 4], [0, 0, 4], [0, 0, 4]])
    array([[ 0, 16, 16],
           [ 0, 16, 16],
           [ 0, 16, 16]])
    """
    y = _result(input, output)
    filters = _lines(input, [-1, 0, 1], axis, [1, 2, 1], mode, cval)
    return _run.run(input, filters, y, precision, workers)


@public
def prewitt(input, axis=-1, output=None, mode="reflect", cval=0.0, *, workers=None, precision=None):
    """Differences along an axis, smoothed along the others by 1, 1, 1.

    Parameters, returns, raises
        As in `sobel`.

    Examples
    --------
    >>> from pyconvc import ndimage
    >>> ndimage.prewitt([[0, 0, 4], [0, 0, 4], [0, 0, 4]])
    array([[ 0, 12, 12],
           [ 0, 12, 12],
           [ 0, 12, 12]])
    """
    y = _result(input, output)
    filters = _lines(input, [-1, 0, 1], axis, [1, 1, 1], mode, cval)
    return _run.run(input, filters, y, precision, workers)


def _over_axes(x, y, axes, derivative, change, precision, workers):
    """The sum over axes of ``change`` of what a chain of filters leaves, in y; returns it."""
    if not axes:
        y[...] = x
        return y
    if len(axes) > 1 and np.may_share_memory(x, y):
        x = x.copy()
    for i, axis in enumerate(axes):
        part = y if i == 0 else np.empty(y.shape, y.dtype)
        _run.run(x, derivative(i, axis), part, precision, workers)
        change(part)
        if i:
            y += part
    return y


def _as_it_is(part):
    pass


def _square(part):
    np.multiply(part, part, out=part)


@public
def laplace(
    input, output=None, mode="reflect", cval=0.0, *, axes=None, workers=None, precision=None
):
    """The sum of second differences (1, -2, 1) along the axes.

    Parameters
    ----------
    input : array_like
        Real or complex, of any rank.
    mode : str or sequence of str
        As in `correlate1d`, for all axes or for each.
    axes : int or sequence of int, optional
        Axes to sum over. Default: all.
    output, cval, workers, precision
        As in `correlate1d`.

    Returns
    -------
    ndarray

    Raises
    ------
    RuntimeError
        If a sequence has another length, `mode` is unknown, or `output` does not fit.
    ValueError
        If an axis is out of range.

    Examples
    --------
    >>> from pyconvc import ndimage
    >>> ndimage.laplace([0, 0, 1, 0, 0])
    array([ 0,  1, -2,  1,  0])
    """
    axes = _arguments.axes(axes, input.ndim)
    modes = [_arguments.mode(m) for m in _arguments.each("mode", mode, len(axes))]
    cval = _arguments.cval(cval, input)

    def derivative(i, axis):
        return [_run.line(axis, np.array([1.0, -2.0, 1.0]), 0, modes[i], cval)]

    y = _result(input, output)
    if 0 < len(axes) <= 3:
        at_once = [_run.cross(tuple(axes), tuple(modes), cval)]
        if _run.adds_freely(input.dtype, y.dtype, at_once, precision):
            return _run.run(input, at_once, y, precision, workers)
    return _over_axes(input, y, axes, derivative, _as_it_is, precision, workers)


def _gaussian_derivatives(x, sigma, order, axes, mode, cval, options):
    """For the number of an axis in `axes` and itself: the filters of its Gaussian derivative."""
    modes = _arguments.each("mode", mode, len(axes))

    def derivative(i, axis):
        orders = [order if a == axis else 0 for a in range(x.ndim)]
        return gaussians(x, sigma, orders, modes[i], cval, **options)

    return derivative


@public
def gaussian_laplace(
    input,
    sigma,
    output=None,
    mode="reflect",
    cval=0.0,
    *,
    axes=None,
    workers=None,
    precision=None,
    **kwargs,
):
    """The sum of second derivatives of the input smoothed by a Gaussian.

    Parameters
    ----------
    input : array_like
        Real or complex, of any rank.
    sigma : float or sequence of float
        Standard deviation along each axis, in samples.
    mode : str or sequence of str
        As in `correlate1d`, for all derivatives or for each.
    axes : int or sequence of int, optional
        Axes to smooth along and to sum over. Default: all.
    output, cval, workers, precision
        As in `correlate1d`.
    **kwargs
        ``truncate`` and ``radius`` of `gaussian_filter`.

    Returns
    -------
    ndarray

    Raises
    ------
    RuntimeError, ValueError
        As `gaussian_filter`.

    Examples
    --------
    >>> from pyconvc import ndimage
    >>> ndimage.gaussian_laplace([0.0, 0.0, 1.0, 0.0, 0.0], sigma=1, mode="constant").round(3)
    array([ 0.162,  0.   , -0.399,  0.   ,  0.162])
    """
    axes = _arguments.axes(axes, input.ndim)
    widths = dict(zip(axes, _arguments.each("sigma", sigma, len(axes)), strict=True))
    sigma = [widths.get(a, 0) for a in range(input.ndim)]
    derivative = _gaussian_derivatives(input, sigma, 2, axes, mode, cval, kwargs)
    y = _result(input, output)
    return _over_axes(input, y, axes, derivative, _as_it_is, precision, workers)


@public
def gaussian_gradient_magnitude(
    input,
    sigma,
    output=None,
    mode="reflect",
    cval=0.0,
    *,
    axes=None,
    workers=None,
    precision=None,
    **kwargs,
):
    """The root of the sum of squared first derivatives of the input smoothed by a Gaussian.

    Parameters
    ----------
    input : array_like
        Real or complex, of any rank.
    sigma : float or sequence of float
        Standard deviation along every axis of the input, in samples.
    mode : str or sequence of str
        As in `correlate1d`, for all derivatives or for each.
    axes : int or sequence of int, optional
        Axes of the derivatives; all are smoothed along. Default: all.
    output, cval, workers, precision
        As in `correlate1d`.
    **kwargs
        ``truncate`` and ``radius`` of `gaussian_filter`.

    Returns
    -------
    ndarray

    Raises
    ------
    RuntimeError, ValueError
        As `gaussian_filter`.

    Examples
    --------
    >>> from pyconvc import ndimage
    >>> ndimage.gaussian_gradient_magnitude([[0.0, 3.0], [0.0, 3.0]], sigma=0.5).round(3)
    array([[1.277, 1.277],
           [1.277, 1.277]])
    """
    axes = _arguments.axes(axes, input.ndim)
    derivative = _gaussian_derivatives(input, sigma, 1, axes, mode, cval, kwargs)
    y = _result(input, output)
    _over_axes(input, y, axes, derivative, _square, precision, workers)
    if axes:
        _root(y)
    return y


def _root(y):
    """The square root of each element; of bytes in float32, for float16 takes ten times as long."""
    dtype = np.float32 if y.dtype.kind in "biu" and y.itemsize == 1 else None
    np.sqrt(y, out=y, dtype=dtype, casting="unsafe")
