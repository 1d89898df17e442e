# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions in factors: several small ones in a row that equal one with more weights.

What stands between the factors is computed a few samples of the batch at a time, in the precision
of the sums.
"""

import math

import numpy as np

from .. import _check, _threads
from . import _geometry, _methods
from ._families import named
from ._storage import parts, store

__all__ = [
    "depthwise_separable_conv1d",
    "depthwise_separable_conv2d",
    "depthwise_separable_conv3d",
    "flattened_conv3d",
    "spatially_separable_conv2d",
]


def _depthwise_separable(rank):
    def depthwise_separable(
        input,
        depthwise_weight,
        pointwise_weight,
        bias=None,
        stride=1,
        padding=0,
        dilation=1,
        *,
        padding_mode="zeros",
        flip_filters=False,
        method="auto",
        accumulate=None,
        workers=None,
        out=None,
    ):
        """Filter each channel on its own, then mix the channels sample by sample.

        Equals `convNd` with the weight
        ``sum over m of pointwise_weight[k, c*M + m] * depthwise_weight[c*M + m, 0, t]``.

        Parameters
        ----------
        input : array_like, shape (N, C, *space) or (C, *space)
        depthwise_weight : array_like, shape (C*M, 1, *taps)
            M filters for each channel.
        pointwise_weight : array_like, shape (K, C*M, *ones)
            One tap on each axis.
        bias : array_like, shape (K,), optional
        stride, padding, dilation, padding_mode, flip_filters
            Of the first factor; as in `convNd`.
        method, accumulate, workers, out
            As in `convNd`.

        Returns
        -------
        ndarray, shape (N, K, *out) or (K, *out)

        Raises
        ------
        ValueError, TypeError
            As `convNd`.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> x = np.ones((1, 4) + {N} * (8,))
        >>> depthwise, pointwise = np.ones((4, 1) + {N} * (3,)), np.ones((6, 4) + {N} * (1,))
        >>> y = nn.depthwise_separable_convNd(x, depthwise, pointwise, padding=1)
        >>> y.shape == (1, 6) + {N} * (8,)
        True

        References
        ----------
        Chollet, "Xception" (2016), arXiv:1610.02357; Howard et al., "MobileNets" (2017),
        arXiv:1704.04861.
        """
        x = _check.array(input)
        channels = _check.layer_batch("input", x, rank).shape[1]
        pointwise_weight = _check.array(pointwise_weight, "pointwise_weight")
        taps = pointwise_weight.shape[2:]
        if math.prod(taps) != 1:
            allowed = "must have one tap on each axis"
            raise _check.bad("pointwise_weight.shape", pointwise_weight.shape, allowed)
        weights = {"depthwise_weight": depthwise_weight, "pointwise_weight": pointwise_weight}
        one_each = channels, (stride, padding, dilation)
        all_together = 1, (1, 0, 1)
        options = flip_filters, method, accumulate, workers, out
        return _chain(rank, x, weights, (one_each, all_together), bias, padding_mode, options)

    return named(depthwise_separable, f"depthwise_separable_conv{rank}d", rank)


depthwise_separable_conv1d, depthwise_separable_conv2d, depthwise_separable_conv3d = (
    _depthwise_separable(n) for n in (1, 2, 3)
)


def spatially_separable_conv2d(
    input,
    vertical_weight,
    horizontal_weight,
    bias=None,
    stride=1,
    padding=0,
    dilation=1,
    *,
    padding_mode="zeros",
    flip_filters=False,
    method="auto",
    accumulate=None,
    workers=None,
    out=None,
):
    """Filter along the height, then along the width.

    Equals `conv2d` with the weight
    ``sum over m of horizontal_weight[k, m, 0, j] * vertical_weight[m, c, i, 0]``.

    Parameters
    ----------
    input : array_like, shape (N, C, height, width) or (C, height, width)
    vertical_weight : array_like, shape (M, C, taps, 1)
    horizontal_weight : array_like, shape (K, M, 1, taps)
    bias : array_like, shape (K,), optional
    stride, padding, dilation, padding_mode, flip_filters
        Those of the whole, as in `conv2d`: each factor takes what is along its axis.
    method, accumulate, workers, out
        As in `conv2d`.

    Returns
    -------
    ndarray, shape (N, K, *out) or (K, *out)

    Raises
    ------
    ValueError, TypeError
        As `conv2d`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconvc import nn
    >>> image = np.arange(16.0).reshape(1, 4, 4)
    >>> smooth = np.reshape([1.0, 2, 1], (1, 1, 3, 1))
    >>> slope = np.reshape([-1.0, 0, 1], (1, 1, 1, 3))
    >>> nn.spatially_separable_conv2d(image, smooth, slope)  # Sobel's filter
    array([[[8., 8.],
            [8., 8.]]])

    References
    ----------
    Jaderberg et al., "Speeding up convolutional neural networks with low rank expansions" (2014),
    arXiv:1405.3866.
    """
    weights = {"vertical_weight": vertical_weight, "horizontal_weight": horizontal_weight}
    steps = _of_axes(2, weights, stride, padding, dilation)
    options = flip_filters, method, accumulate, workers, out
    return _chain(2, input, weights, steps, bias, padding_mode, options)


def flattened_conv3d(
    input,
    depth_weight,
    height_weight,
    width_weight,
    bias=None,
    stride=1,
    padding=0,
    dilation=1,
    *,
    padding_mode="zeros",
    flip_filters=False,
    method="auto",
    accumulate=None,
    workers=None,
    out=None,
):
    """Filter along the depth, then along the height, then along the width.

    Equals `conv3d` with the weight ``sum over l, m of width_weight[k, m, 0, 0, j] *
    height_weight[m, l, 0, i, 0] * depth_weight[l, c, h, 0, 0]``. Over one channel whose depth is
    the channels of an image, it is the flattened convolution of Jin et al.

    Parameters
    ----------
    input : array_like, shape (N, C, depth, height, width) or (C, depth, height, width)
    depth_weight : array_like, shape (L, C, taps, 1, 1)
    height_weight : array_like, shape (M, L, 1, taps, 1)
    width_weight : array_like, shape (K, M, 1, 1, taps)
    bias : array_like, shape (K,), optional
    stride, padding, dilation, padding_mode, flip_filters
        Those of the whole, as in `conv3d`: each factor takes what is along its axis.
    method, accumulate, workers, out
        As in `conv3d`.

    Returns
    -------
    ndarray, shape (N, K, *out) or (K, *out)

    Raises
    ------
    ValueError, TypeError
        As `conv3d`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconvc import nn
    >>> mean = np.full(3, 1 / 3)
    >>> shapes = (1, 1, 3, 1, 1), (1, 1, 1, 3, 1), (1, 1, 1, 1, 3)
    >>> factors = [mean.reshape(shape) for shape in shapes]
    >>> nn.flattened_conv3d(np.ones((1, 3, 3, 3)), *factors).round(12)
    array([[[[1.]]]])

    References
    ----------
    Jin, Dundar & Culurciello, "Flattened convolutional neural networks for feedforward
    acceleration" (2014), arXiv:1412.5474.
    """
    weights = {
        "depth_weight": depth_weight,
        "height_weight": height_weight,
        "width_weight": width_weight,
    }
    steps = _of_axes(3, weights, stride, padding, dilation)
    options = flip_filters, method, accumulate, workers, out
    return _chain(3, input, weights, steps, bias, padding_mode, options)


def _of_axes(rank, weights, stride, padding, dilation):
    """For each axis what its factor takes: 1 group, and the numbers that are along that axis."""
    numbers = [
        (_geometry.per_axis("stride", stride, rank), 1),
        (_geometry.padding_form(padding, rank), 0),
        (_geometry.per_axis("dilation", dilation, rank), 1),
    ]
    for axis, (name, w) in enumerate(weights.items()):
        shape = _check.array(w, name).shape
        if len(shape) != rank + 2 or any(n != 1 for a, n in enumerate(shape[2:]) if a != axis):
            allowed = f"must have taps on axis {axis} of space alone"
            raise _check.bad(f"{name}.shape", shape, allowed)
        alone = [
            tuple(_geometry.spread(value, rank)[a] if a == axis else rest for a in range(rank))
            for value, rest in numbers
        ]
        yield 1, alone


def _chain(rank, input, weights, steps, bias, padding_mode, options):
    """The factors one after the other; steps are (groups, (stride, padding, dilation)) of each."""
    flip, method, accumulate, workers, out = options
    _check.name("method", method)
    given = {"input": input, **weights}
    x, *arrays = (_check.array(a, name) for name, a in given.items())
    b = None if bias is None else _check.array(bias, "bias")
    dtypes = [a.dtype for a in (x, *arrays)] + ([] if b is None else [b.dtype])
    dtype, work = _check.layer_dtypes(accumulate, *dtypes)
    xs = _check.layer_batch("input", x, rank)
    stages, shape = [], xs.shape
    for name, w, (groups, numbers) in zip(weights, arrays, steps, strict=True):
        if w.ndim == rank + 2 and w.shape[1] * groups != shape[1]:
            raise _check.bad(f"{name}.shape", w.shape, f"must have {shape[1] // groups} channels")
        p = _geometry.forward(shape, w.shape, *numbers, groups, padding_mode)
        stages.append((_methods.forward(p, work, method), p, w.astype(work, copy=False)))
        shape = p.y_shape
    _check.layer_bias(b, shape[1])
    biases = [None] * (len(stages) - 1) + [None if b is None else b.astype(work)]
    y = _check.output(out, shape if xs is x else shape[1:], dtype, input=x)
    target, workers = y if xs is x else y[None], _threads.resolve(workers)
    sample = work.itemsize * sum(math.prod(p.y_shape[1:]) for _, p, _ in stages)
    for part in parts(len(xs), sample):
        a = xs[part].astype(work, copy=False)
        for (run, p, w), bias in zip(stages, biases, strict=True):
            result = np.empty((len(a), *p.y_shape[1:]), work)
            run(p, a, w, bias, result, flip=flip, workers=workers)
            a = result
        store(a, target[part])
    return y
