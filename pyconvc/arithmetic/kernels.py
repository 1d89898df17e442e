"""Kernel algebra: writing dilation out, the 180-degree turn, two kernels made into one."""

import numpy as np

from pyconvc._arrays import view
from pyconvc.arithmetic._axes import integers


def dilate(kernel, dilation):
    """Return the kernel with its dilation written out: ``dilation - 1`` zeros between taps.

    A convolution with the result and no dilation gives the same as the kernel with dilation.

    Parameters
    ----------
    kernel : array_like
        Any number of axes, any dtype.
    dilation : int or sequence of int
        Spacing of the taps along each axis; 1 for axes that are no space, such as channels.

    Returns
    -------
    ndarray
        Size ``dilation * (n - 1) + 1`` along an axis of size ``n``; the dtype stays.

    Raises
    ------
    ValueError, TypeError
        A dilation below 1 or not an int, or not one for every axis.

    Examples
    --------
    >>> dilate([1, 2, 3], 2)
    array([1, 0, 2, 0, 3])
    >>> dilate(np.ones((2, 2), int), (1, 3))
    array([[1, 0, 0, 1],
           [1, 0, 0, 1]])
    """
    kernel = view(kernel, "kernel")
    steps = integers("dilation", dilation, kernel.ndim)
    if len(steps) != kernel.ndim:
        raise ValueError(f"dilation={dilation!r} needs one int, or one for all {kernel.ndim} axes")
    shape = [step * (n - 1) + 1 if n else 0 for step, n in zip(steps, kernel.shape, strict=True)]
    spaced = np.zeros(shape, kernel.dtype)
    spaced[tuple(slice(None, None, step) for step in steps)] = kernel
    return spaced


def flip(kernel, axes=None):
    """Return the kernel turned round: index-reversed along `axes`, a 180-degree turn in the plane.

    Convolution is correlation with the flipped kernel. Back-propagation turns the kernel once more:
    if ``y`` is ``x`` correlated with ``w``, the gradient in ``x`` is the gradient in ``y``, fully
    padded, correlated with ``flip(w)``.

    Parameters
    ----------
    kernel : array_like
        Any number of axes, any dtype.
    axes : int or sequence of int, optional
        Axes to reverse; all by default. For weights ``(out, in, *space)`` give those of space.

    Returns
    -------
    ndarray
        A new array of the same shape and dtype.

    Raises
    ------
    numpy.exceptions.AxisError
        An axis the kernel does not have.

    Examples
    --------
    >>> w = np.array([[1, 2], [3, 4]])
    >>> flip(w)
    array([[4, 3],
           [2, 1]])

    The turn in back-propagation, in numbers. A 3 x 3 input under this kernel has four outputs.
    Each saw its window through ``w``, so its gradient goes back into that window times ``w``, and
    the four add up where their windows overlap:

    >>> gy = np.array([[1, 10], [100, 1000]])
    >>> gx = np.zeros((3, 3), int)
    >>> for row, column in np.ndindex(2, 2):
    ...     gx[row : row + 2, column : column + 2] += gy[row, column] * w
    >>> gx
    array([[   1,   12,   20],
           [ 103, 1234, 2040],
           [ 300, 3400, 4000]])

    In the middle ``gx = 1*4 + 10*3 + 100*2 + 1000*1``: the first output saw the middle through the
    *last* tap. A kernel that slides over the gradient meets it in that order only when turned:

    >>> int((gy * flip(w)).sum()), int((gy * w).sum())
    (1234, 4321)
    """
    return np.flip(view(kernel, "kernel"), axes).copy()


def compose(
    outer,
    inner,
    *,
    inner_stride=1,
    outer_dilation=1,
    inner_dilation=1,
    flip_filters=False,
    channels=False,
):
    """Return the one kernel that does what two do in turn: ``compose(a, b) * x = a * (b * x)``.

    Composing is *full convolution* of the kernels, in either orientation: for convolution this is
    the associative law, and for correlation it holds as well, since both turns cancel. With strides
    and dilations the taps lie apart before they are convolved: the outer kernel's by
    ``outer_dilation * inner_stride`` input samples, the inner's by `inner_dilation`. The result has
    no dilation and goes with the stride ``outer_stride * inner_stride``.

    It holds exactly where the outer layer adds no values of its own: without padding in the outer
    layer (the inner's padding becomes the composition's), for full after full at stride 1, and for
    circular boundaries. Zero padding between the layers is not the same as zero padding before.

    Parameters
    ----------
    outer : array_like
        Kernel applied second, ``(*space)``; with `channels`, ``(out, middle, *space)``.
    inner : array_like
        Kernel applied first, ``(*space)``; with `channels`, ``(middle, in, *space)``.
    inner_stride, outer_dilation, inner_dilation : int or sequence of int
        Of the two layers, per axis of space. The outer stride does not change the kernel.
    flip_filters : bool or (bool, bool)
        Orientation in which the layers apply their kernels, True for convolution, False for
        correlation. For both alike the result is the same array and applies the same way; a pair
        is (outer, inner), and the result applies as the outer kernel does.
    channels : bool
        Whether the first two axes are channels, which are summed over as matrices multiply.

    Returns
    -------
    ndarray
        Of NumPy's common dtype, with its arithmetic (integers wrap). Along each axis of space
        ``outer_dilation * inner_stride * (m - 1) + inner_dilation * (n - 1) + 1`` taps.

    Raises
    ------
    ValueError
        Kernels of different rank, empty kernels, channels that do not meet, or a stride or dilation
        below 1.

    Examples
    --------
    Two passes of a box are one pass of a triangle, and two 3 x 3 layers see 5 x 5:

    >>> compose([1, 1, 1], [1, 1, 1])
    array([1, 2, 3, 2, 1])
    >>> compose(np.ones((3, 3)), np.ones((3, 3))).shape
    (5, 5)

    Smoothing first makes the difference kernel a Sobel kernel:

    >>> compose([[1, 0, -1]], [[1], [2], [1]])
    array([[ 1,  0, -1],
           [ 2,  0, -2],
           [ 1,  0, -1]])

    A pair of taps after a layer of stride 2 has its taps two input samples apart:

    >>> compose([10, 100], [1, 2, 3], inner_stride=2)
    array([ 10,  20, 130, 200, 300])
    """
    outer, inner = view(outer, "outer"), view(inner, "inner")
    lead = 2 if channels else 0
    _check_pair(outer, inner, lead)
    space = tuple(range(lead, outer.ndim))
    flip_outer, flip_inner = _orientation(flip_filters)
    strides = integers("inner_stride", inner_stride, len(space))
    dilations = integers("outer_dilation", outer_dilation, len(space))
    apart = [stride * rate for stride, rate in zip(strides, dilations, strict=True)]
    outer = dilate(outer, [1] * lead + apart)
    inner = dilate(inner, [1] * lead + list(integers("inner_dilation", inner_dilation, len(space))))
    if flip_outer != flip_inner:
        inner = flip(inner, space)
    if channels:
        return _convolve(outer, inner)
    return _convolve(outer[None, None], inner[None, None])[0, 0]


def _check_pair(outer, inner, lead):
    if outer.ndim != inner.ndim or outer.ndim <= lead:
        raise ValueError(
            f"outer has shape {outer.shape} and inner {inner.shape}; allowed are kernels of one "
            f"rank, {lead + 1} or more"
        )
    if 0 in outer.shape or 0 in inner.shape:
        raise ValueError(
            f"outer has shape {outer.shape} and inner {inner.shape}; none may be empty"
        )
    if lead and outer.shape[1] != inner.shape[0]:
        raise ValueError(
            f"outer has shape {outer.shape} and takes {outer.shape[1]} channels, but inner has "
            f"shape {inner.shape} and gives {inner.shape[0]}"
        )


def _orientation(flip_filters):
    if isinstance(flip_filters, (bool, np.bool_)):
        return flip_filters, flip_filters
    try:
        outer, inner = flip_filters
    except (TypeError, ValueError):
        raise ValueError(
            f"flip_filters={flip_filters!r}; allowed is a bool, or one for (outer, inner)"
        ) from None
    return bool(outer), bool(inner)


def _convolve(outer, inner):
    """Fully convolve (out, middle, *space) with (middle, in, *space), one outer tap at a time."""
    sizes = [m + n - 1 for m, n in zip(outer.shape[2:], inner.shape[2:], strict=True)]
    dtype = np.result_type(outer, inner)
    composed = np.zeros((outer.shape[0], inner.shape[1], *sizes), dtype)
    for tap in np.ndindex(outer.shape[2:]):
        taps = outer[(slice(None), slice(None), *tap)]
        if not taps.any():
            continue
        window = [slice(at, at + n) for at, n in zip(tap, inner.shape[2:], strict=True)]
        composed[(slice(None), slice(None), *window)] += np.tensordot(taps, inner, axes=1)
    return composed
