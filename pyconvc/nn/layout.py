# SPDX-License-Identifier: BSD-3-Clause
"""Operations that only move or sum samples: pad, unfold and fold, shuffles."""

import itertools
import math

import numpy as np

from .. import _check, _threads
from . import _borders, _geometry

__all__ = ["channel_shuffle", "fold", "pad", "pixel_shuffle", "pixel_unshuffle", "unfold"]

# PyTorch's names of the modes of `pad`, as codes of `_check.BOUNDARIES`.
PAD_MODES = {"constant": 0, "replicate": 1, "reflect": 2, "circular": 4}


def pad(input, pad, mode="constant", value=None, *, workers=None, out=None):
    """Extend the last axes of an array.

    Parameters
    ----------
    input : array_like
        Any rank.
    pad : sequence of int
        Samples before and after on the last axis, then on the last but one, and so on. Negative
        numbers drop samples, before anything is added.
    mode : {"constant", "reflect", "replicate", "circular"}
        What the added samples are. More of them than the axis has repeat it again, as `numpy.pad`
        does.
    value : scalar, optional
        The constant; 0 by default.
    workers : int, optional
        Accepted as everywhere; samples are moved by one thread.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    ndarray
        In the dtype of `input`.

    Raises
    ------
    ValueError
        If `pad` names more axes than there are, drops more samples than an axis has, or extends an
        empty one by what is not a constant.
    TypeError
        If `pad` holds what is not an int.

    Examples
    --------
    >>> from pyconvc import nn
    >>> nn.pad([1, 2, 3], (1, 2), "circular")
    array([3, 1, 2, 3, 1, 2])
    >>> nn.pad([[1, 2], [3, 4]], (-1, 0, 1, 0), value=9)
    array([[9],
           [2],
           [4]])
    """
    _threads.resolve(workers)
    x = _check.array(input)
    boundary = PAD_MODES[_check.one_of("mode", mode, PAD_MODES)]
    if boundary and value is not None:
        raise _check.bad("value", value, f"mode={mode!r} takes none")
    constant = _constant(value, x.dtype)
    ends = pad_ends(pad, x.shape, boundary)
    x = x[cropped(ends, x.shape)]
    added = [(max(before, 0), max(after, 0)) for before, after in ends]
    shape = tuple(n + before + after for n, (before, after) in zip(x.shape, added, strict=True))
    y = _check.output(out, shape, x.dtype, input=x)
    inside = [slice(before, before + n) for n, (before, _) in zip(x.shape, added, strict=True)]
    y[tuple(inside)] = x
    for axis, (n, (before, after)) in enumerate(zip(x.shape, added, strict=True)):
        whole = [slice(None)] * axis, inside[axis + 1 :]
        if not boundary:
            for beyond in (slice(0, before), slice(before + n, None)):
                y[(*whole[0], beyond, *whole[1])] = constant
            continue
        source = y[(*whole[0], inside[axis], *whole[1])]
        for run in _borders.runs(n, before, after, boundary)[1:]:
            beyond = slice(run.start, run.start + run.length)
            y[(*whole[0], beyond, *whole[1])] = source[(slice(None),) * axis + (run.of(),)]
    return y


def _constant(value, dtype):
    """The constant of `pad` as an array of no axes."""
    try:
        constant = np.asarray(0 if value is None else value, dtype)
    except (TypeError, ValueError, OverflowError) as error:
        kind = ValueError if isinstance(error, OverflowError) else type(error)
        raise kind(f"value={value!r}: must be a scalar that {dtype} can hold") from None
    if constant.ndim:
        raise _check.bad("value", value, "must be a scalar")
    return constant


def pad_ends(pad, shape, boundary):
    """(before, after) of every axis, from a list that begins with the last axis."""
    ends = _geometry.integers("pad", pad)
    if len(ends) % 2 or len(ends) > 2 * len(shape):
        allowed = f"must be pairs (before, after) for up to {len(shape)} axes"
        raise _check.bad("pad", pad, allowed)
    pairs = [(0, 0)] * (len(shape) - len(ends) // 2)
    pairs += [ends[i : i + 2] for i in range(len(ends) - 2, -1, -2)]
    for axis, (n, (before, after)) in enumerate(zip(shape, pairs, strict=True)):
        left = n + min(before, 0) + min(after, 0)
        if left < 0:
            raise _check.bad("pad", pad, f"drops {n - left} of the {n} samples of axis {axis}")
        if boundary and left == 0 and max(before, after) > 0:
            raise _check.bad("pad", pad, f"axis {axis} has no samples to repeat")
    return pairs


def cropped(ends, shape):
    """Index of what negative pads leave."""
    axes = zip(shape, ends, strict=True)
    return tuple(slice(-min(before, 0), n + min(after, 0)) for n, (before, after) in axes)


def unfold(input, kernel_size, dilation=1, padding=0, stride=1, *, workers=None, out=None):
    """Every window of an input as a column (im2col).

    Parameters
    ----------
    input : array_like, shape (N, C, *space) or (C, *space)
    kernel_size : int or sequence of int
        An int is a window of two axes, as in PyTorch; the length of a sequence sets the rank.
    dilation, padding, stride
        As in `conv2d`, with the order of PyTorch.
    workers : int, optional
        Accepted as everywhere; samples are moved by one thread.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    ndarray, shape (N, C*taps, windows) or (C*taps, windows)

    Raises
    ------
    ValueError, TypeError
        As `conv2d`.

    Examples
    --------
    >>> from pyconvc import nn
    >>> nn.unfold([[1, 2, 3]], (2,))
    array([[1, 2],
           [2, 3]])
    """
    _threads.resolve(workers)
    x = _check.array(input)
    kernel = _kernel(kernel_size)
    xs = _check.layer_batch("input", x, len(kernel))
    p = _windows(xs.shape, kernel, dilation, padding, stride)
    shape = (len(xs), xs.shape[1] * math.prod(kernel), math.prod(p.y_shape[2:]))
    y = _check.output(out, shape if xs is x else shape[1:], x.dtype, input=x)
    columns = y if y.flags.c_contiguous else np.empty(y.shape, y.dtype)
    columns = columns.reshape(*xs.shape[:2], *kernel, *p.y_shape[2:])
    for tap, outputs, samples in _taps(p):
        column = columns[(slice(None), slice(None), *tap)]
        if any(p.before) or any(p.after):
            column[...] = 0
        column[(..., *outputs)] = xs[(..., *samples)]
    if not y.flags.c_contiguous:
        y[...] = columns.reshape(y.shape)
    return y


def fold(
    input, output_size, kernel_size, dilation=1, padding=0, stride=1, *, workers=None, out=None
):
    """Sum columns back into the windows that they are (col2im): the adjoint of `unfold`.

    Parameters
    ----------
    input : array_like, shape (N, C*taps, windows) or (C*taps, windows)
    output_size : int or sequence of int
        Size of space, the input's of `unfold`.
    kernel_size, dilation, padding, stride
        As in `unfold`.
    workers : int, optional
        Accepted as everywhere; samples are summed by one thread.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    ndarray, shape (N, C, *output_size) or (C, *output_size)

    Raises
    ------
    ValueError, TypeError
        As `conv2d`, and if there are not as many columns as windows.

    Examples
    --------
    >>> from pyconvc import nn
    >>> nn.fold([[1, 2], [2, 3]], (3,), (2,))
    array([[1, 4, 3]])
    """
    _threads.resolve(workers)
    columns = _check.array(input)
    kernel = _kernel(kernel_size)
    space = _geometry.integers("output_size", output_size, len(kernel), least=1)
    if columns.ndim not in (2, 3):
        allowed = "must be (N, C*taps, windows) or (C*taps, windows)"
        raise _check.bad("input.shape", columns.shape, allowed)
    batched = columns if columns.ndim == 3 else columns[None]
    taps = math.prod(kernel)
    if batched.shape[1] % taps or not batched.shape[1]:
        allowed = f"its columns must have a multiple of {taps} rows, one for each tap of {kernel}"
        raise _check.bad("input.shape", columns.shape, allowed)
    x_shape = (len(batched), batched.shape[1] // taps, *space)
    p = _windows(x_shape, kernel, dilation, padding, stride)
    windows = math.prod(p.y_shape[2:])
    if batched.shape[2] != windows:
        grid = " x ".join(map(str, p.y_shape[2:]))
        raise _check.bad("input.shape", columns.shape, f"must have {grid} = {windows} columns")
    shape = x_shape if batched is columns else x_shape[1:]
    x = _check.output(out, shape, columns.dtype, input=columns)
    x[...] = 0
    batched = batched.reshape(*x_shape[:2], *kernel, *p.y_shape[2:])
    target = x if columns.ndim == 3 else x[None]
    for tap, outputs, samples in _taps(p):
        target[(..., *samples)] += batched[(slice(None), slice(None), *tap, *outputs)]
    return x


def _kernel(kernel_size):
    sizes = kernel_size if hasattr(kernel_size, "__len__") else (kernel_size,) * 2
    return _geometry.integers("kernel_size", sizes, least=1)


def _windows(x_shape, kernel, dilation, padding, stride):
    """The numbers of a convolution with such windows."""
    w_shape = (1, x_shape[1], *kernel)
    return _geometry.forward(x_shape, w_shape, stride, padding, dilation, 1, "zeros")


def _taps(p):
    """Each tap, the outputs for which it is inside the input, and the samples it meets there."""
    axes = [
        [(t, *_inside(t * d - before, n, m, s)) for t in range(k)]
        for n, k, m, s, d, before in zip(
            p.x_shape[2:], p.w_shape[2:], p.y_shape[2:], p.stride, p.dilation, p.before, strict=True
        )
    ]
    for parts in itertools.product(*axes):
        yield tuple(zip(*parts, strict=True))


def _inside(first, n, outputs, stride):
    """Outputs o for which first + o*stride is from 0 to below n, and those samples, as slices."""
    low = min(max(0, -(first // stride)), outputs)
    high = min(max(low, -((first - n) // stride)), outputs)
    start = first + low * stride
    return slice(low, high), slice(start, max(start, first + high * stride), stride)


def pixel_shuffle(input, upscale_factor, *, workers=None, out=None):
    """Channels to space: (..., C*r*r, H, W) to (..., C, H*r, W*r).

    Parameters
    ----------
    input : array_like, at least three axes
    upscale_factor : int
        r.
    workers : int, optional
        Accepted as everywhere; samples are moved by one thread.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If the channels are not a multiple of r squared.

    Examples
    --------
    >>> from pyconvc import nn
    >>> nn.pixel_shuffle([[[1]], [[2]], [[3]], [[4]]], 2)
    array([[[1, 2],
            [3, 4]]])

    References
    ----------
    Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network" (2016), arXiv:1609.05158.
    """
    _threads.resolve(workers)
    x, r = _image(input), _geometry.integer("upscale_factor", upscale_factor, 1)
    *lead, channels, height, width = x.shape
    if channels % r**2:
        allowed = (
            f"its {channels} channels must be a multiple of {r}**2, the square of upscale_factor"
        )
        raise _check.bad("input.shape", x.shape, allowed)
    x = x.reshape(*lead, channels // r**2, r, r, height, width)
    moved = np.moveaxis(x, (-4, -3), (-3, -1))
    return _copied(moved, (*lead, channels // r**2, height * r, width * r), out, x)


def pixel_unshuffle(input, downscale_factor, *, workers=None, out=None):
    """Space to channels, the inverse of `pixel_shuffle`: (..., C, H*r, W*r) to (..., C*r*r, H, W).

    Parameters
    ----------
    input : array_like, at least three axes
    downscale_factor : int
        r.
    workers : int, optional
        Accepted as everywhere; samples are moved by one thread.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If height or width is not a multiple of r.

    Examples
    --------
    >>> from pyconvc import nn
    >>> nn.pixel_unshuffle([[[1, 2], [3, 4]]], 2).ravel()
    array([1, 2, 3, 4])
    """
    _threads.resolve(workers)
    x, r = _image(input), _geometry.integer("downscale_factor", downscale_factor, 1)
    *lead, channels, height, width = x.shape
    if height % r or width % r:
        allowed = f"height and width must be multiples of {r}, the downscale_factor"
        raise _check.bad("input.shape", x.shape, allowed)
    x = x.reshape(*lead, channels, height // r, r, width // r, r)
    moved = np.moveaxis(x, (-3, -1), (-4, -3))
    return _copied(moved, (*lead, channels * r**2, height // r, width // r), out, x)


def channel_shuffle(input, groups, *, workers=None, out=None):
    """Mix the channels of groups: channel (g, c) goes to (c, g).

    Between grouped convolutions it lets every group see all the others.

    Parameters
    ----------
    input : array_like, shape (N, channels, *space)
    groups : int
        Must divide the number of channels.
    workers : int, optional
        Accepted as everywhere; samples are moved by one thread.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If `groups` does not divide the channels.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconvc import nn
    >>> nn.channel_shuffle(np.arange(6).reshape(1, 6, 1), 2).ravel()
    array([0, 3, 1, 4, 2, 5])

    References
    ----------
    Zhang et al., "ShuffleNet" (2017), arXiv:1707.01083.
    """
    _threads.resolve(workers)
    x, groups = _check.array(input), _geometry.integer("groups", groups, 1)
    if x.ndim < 3:
        raise _check.bad("input.shape", x.shape, "must be (N, channels, *space)")
    if x.shape[1] % groups:
        raise _check.bad("groups", groups, f"must divide the {x.shape[1]} channels")
    split = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    return _copied(split.swapaxes(1, 2), x.shape, out, x)


def _image(input):
    x = _check.array(input)
    if x.ndim < 3:
        raise _check.bad("input.shape", x.shape, "must be (..., channels, height, width)")
    return x


def _copied(view, shape, out, x):
    """The samples of a view in a new shape."""
    y = _check.output(out, shape, x.dtype, input=x)
    if y.flags.c_contiguous:
        y.reshape(view.shape)[...] = view
    else:
        y[...] = view.reshape(shape)
    return y
