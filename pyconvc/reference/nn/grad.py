# SPDX-License-Identifier: BSD-3-Clause
"""Gradients of pyconvc.reference.nn, with the names and order of arguments of torch.nn.grad.

Each function takes the gradient of a real loss with respect to an operation's output and gives that
with respect to its input, weight or bias. Complex factors are conjugated, which is PyTorch's
convention. The gradients of unfold, pixel_shuffle and channel_shuffle are fold, pixel_unshuffle and
channel_shuffle by the other factor, and the other way round.
"""

import math

import numpy as np

from .._boundary import boundary_index, fold_back
from .._passes import bias_grad, correlate, input_grad, result_and_work, weight_grad
from .._problem import Problem, per_axis
from . import _pooling
from ._common import batched, batched_shape, of_ranks_1_2_3
from ._conv import fitted, pass_options
from ._layout import PAD_BOUNDARY_OF, pads_by_axis


def conv_nd_input(
    rank,
    input_size,
    weight,
    grad_output,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    *,
    padding_mode="zeros",
    flip_filters=False,
    accumulate=None,
):
    """Gradient of convNd with respect to its input, of shape `input_size`.

    Examples
    --------
    >>> conv1d_input((1, 3), [[[10, 1]]], [[1, 100]])
    array([[  10, 1001,  100]])
    """
    g, restore = batched(grad_output, rank)
    w, shape = _conjugated(weight), batched_shape(input_size, rank)
    options = pass_options(
        shape, w.shape, stride, padding, dilation, groups, padding_mode, flip_filters
    )
    return restore(input_grad(shape, w, g, **options, accumulate=accumulate))


def conv_nd_weight(
    rank,
    input,
    weight_size,
    grad_output,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    *,
    padding_mode="zeros",
    flip_filters=False,
    accumulate=None,
):
    """Gradient of convNd with respect to its weight, of shape `weight_size`.

    Examples
    --------
    >>> conv1d_weight([[1, 2, 3]], (1, 1, 2), [[1, 100]])
    array([[[201, 302]]])
    """
    x, g = (batched(a, rank)[0] for a in (_conjugated(input), grad_output))
    options = pass_options(
        x.shape, weight_size, stride, padding, dilation, groups, padding_mode, flip_filters
    )
    return weight_grad(x, tuple(weight_size), g, **options, accumulate=accumulate)


def conv_nd_bias(rank, grad_output, *, accumulate=None):
    """Gradient of convNd or conv_transposeNd with respect to its bias.

    Examples
    --------
    >>> conv1d_bias([[1, 2, 3], [4, 5, 6]])
    array([ 6, 15])
    """
    return bias_grad(batched(grad_output, rank)[0], accumulate=accumulate)


def conv_transpose_nd_input(
    rank,
    input_size,
    weight,
    grad_output,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    *,
    padding_mode="zeros",
    flip_filters=False,
    accumulate=None,
):
    """Gradient of conv_transposeNd with respect to its input, of shape `input_size`.

    The size of `grad_output` tells the output padding.

    Examples
    --------
    >>> conv_transpose1d_input((1, 2), [[[10, 1]]], [[1, 2, 3]])
    array([[12, 23]])
    """
    g, restore = batched(grad_output, rank)
    w, shape = _conjugated(weight), batched_shape(input_size, rank)
    options = pass_options(
        g.shape, w.shape, stride, padding, dilation, groups, padding_mode, flip_filters
    )
    return restore(fitted(correlate(g, w, **options, accumulate=accumulate), shape))


def conv_transpose_nd_weight(
    rank,
    input,
    weight_size,
    grad_output,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    *,
    padding_mode="zeros",
    flip_filters=False,
    accumulate=None,
):
    """Gradient of conv_transposeNd with respect to its weight, of shape `weight_size`.

    Examples
    --------
    >>> conv_transpose1d_weight([[1, 10]], (1, 1, 2), [[1, 2, 3]])
    array([[[21, 32]]])
    """
    x, g = (batched(a, rank)[0] for a in (_conjugated(input), grad_output))
    shape = tuple(weight_size)
    options = pass_options(
        g.shape, shape, stride, padding, dilation, groups, padding_mode, flip_filters
    )
    outputs = fitted(x, Problem(g.shape, shape, **options).out_shape)
    return weight_grad(g, shape, outputs, **options, accumulate=accumulate)


def avg_pool_nd_input(
    rank,
    input_size,
    grad_output,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """Gradient of avg_pool: every output's share goes to each sample of its window.

    Examples
    --------
    >>> avg_pool1d_input((1, 5), [[2.0, 4, 6]], 2, ceil_mode=True)
    array([[1., 1., 2., 2., 6.]])
    """
    g, restore = batched(grad_output, rank)
    windows = _pooling.sliding(input_size[-rank:], kernel_size, stride, padding, 1, ceil_mode)
    divisors = _pooling.avg_divisors(windows, count_include_pad, divisor_override)
    return restore(_shares(g, windows, divisors))


def adaptive_avg_pool_nd_input(rank, input_size, grad_output):
    """Gradient of adaptive_avg_pool.

    Examples
    --------
    >>> adaptive_avg_pool1d_input((1, 3), [[2.0, 4.0]])
    array([[1., 3., 2.]])
    """
    g, restore = batched(grad_output, rank)
    windows = _pooling.dividing(input_size[-rank:], g.shape[2:])
    return restore(_shares(g, windows, _pooling.avg_divisors(windows, False)))


def max_pool_nd_input(rank, input_size, grad_output, indices):
    """Gradient of max_poolNd and adaptive_max_pool: added up where the maxima were.

    Examples
    --------
    >>> max_pool1d_input((1, 4), [[10, 1]], [[1, 1]])
    array([[ 0, 11,  0,  0]])
    """
    g, restore = batched(grad_output, rank)
    indices, _ = batched(indices, rank)
    space = tuple(input_size)[-rank:]
    dtype, work = result_and_work((g,), None)
    x = np.zeros((*g.shape[:2], math.prod(space)), work)
    for at in np.ndindex(g.shape):
        if indices[at] >= 0:
            x[(*at[:2], indices[at])] += g[at].astype(work)
    return restore(x.reshape(*g.shape[:2], *space).astype(dtype))


def lp_pool_nd_input(
    rank, input, grad_output, norm_type, kernel_size, stride=None, ceil_mode=False
):
    """Gradient of lp_pool; zero where the sum of powers is zero.

    Examples
    --------
    >>> lp_pool1d_input([[3.0, 4.0]], [[10.0]], 2, 2)
    array([[6., 8.]])
    """
    x, restore = batched(input, rank)
    g, _ = batched(grad_output, rank)
    dtype, work = result_and_work((x, g), None)
    x, g = x.astype(work), g.astype(work)
    if math.isinf(norm_type):
        sign = math.copysign(1, norm_type)
        _, indices = _pooling.max_pool_nd(
            rank, sign * abs(x), kernel_size, stride, ceil_mode=ceil_mode, return_indices=True
        )
        return restore((np.sign(x) * max_pool_nd_input(rank, x.shape, g, indices)).astype(dtype))
    arguments = kernel_size, stride, 0, ceil_mode
    scale = math.prod(per_axis(kernel_size, rank))
    total = _pooling.avg_pool_nd(rank, x**norm_type, *arguments) * scale
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(total == 0, 0, g * total ** (1 / norm_type - 1)).astype(work)
        inner = x ** (norm_type - 1)
    return restore(
        (inner * avg_pool_nd_input(rank, x.shape, slope, *arguments) * scale).astype(dtype)
    )


def max_unpool_nd_input(rank, grad_output, indices):
    """Gradient of max_unpool: what stands at the indices.

    Examples
    --------
    >>> max_unpool1d_input([[1, 2, 3, 4]], [[1, 2]])
    array([[2, 3]])
    """
    g, restore = batched(grad_output, rank)
    indices, _ = batched(indices, rank)
    rows = g.reshape(*g.shape[:2], -1)
    picked = np.take_along_axis(rows, indices.reshape(*indices.shape[:2], -1), 2)
    return restore(picked.reshape(indices.shape))


def pad_input(input_size, grad_output, pad, mode="constant"):
    """Gradient of pad with respect to its input, of shape `input_size`.

    Examples
    --------
    >>> pad_input((3,), [1, 2, 3, 4, 5], (1, 1), "reflect")
    array([2, 9, 4])
    """
    g = np.asarray(grad_output)
    for axis, (before, after) in pads_by_axis(pad, len(input_size)):
        n = input_size[axis]
        cropped = n + min(before, 0) + min(after, 0)
        index = boundary_index(cropped, max(before, 0), max(after, 0), PAD_BOUNDARY_OF[mode])
        g = fold_back(g, axis, index, cropped)
        g = fold_back(g, axis, boundary_index(n, min(before, 0), min(after, 0), "constant"), n)
    return g


def _conjugated(a):
    """Complex conjugate, in the dtype of `a`: numpy's makes int8 of bool."""
    a = np.asarray(a)
    return a.conj() if a.dtype.kind == "c" else a


def _shares(g, windows, divisors):
    dtype, work = result_and_work((g,), None)
    x = np.zeros((*g.shape[:2], *windows.space), work)
    for (o, samples, _, _), divisor in zip(windows, divisors, strict=True):
        share = g[o].astype(work) / divisor
        x[samples] += share.reshape(*g.shape[:2], *(1,) * len(windows.space))
    return x.astype(dtype)


adaptive_avg_pool1d_input, adaptive_avg_pool2d_input, adaptive_avg_pool3d_input = of_ranks_1_2_3(
    adaptive_avg_pool_nd_input
)
avg_pool1d_input, avg_pool2d_input, avg_pool3d_input = of_ranks_1_2_3(avg_pool_nd_input)
conv1d_bias, conv2d_bias, conv3d_bias = of_ranks_1_2_3(conv_nd_bias)
conv1d_input, conv2d_input, conv3d_input = of_ranks_1_2_3(conv_nd_input)
conv1d_weight, conv2d_weight, conv3d_weight = of_ranks_1_2_3(conv_nd_weight)
conv_transpose1d_input, conv_transpose2d_input, conv_transpose3d_input = of_ranks_1_2_3(
    conv_transpose_nd_input
)
conv_transpose1d_weight, conv_transpose2d_weight, conv_transpose3d_weight = of_ranks_1_2_3(
    conv_transpose_nd_weight
)
lp_pool1d_input, lp_pool2d_input, lp_pool3d_input = of_ranks_1_2_3(lp_pool_nd_input)
max_pool1d_input, max_pool2d_input, max_pool3d_input = of_ranks_1_2_3(max_pool_nd_input)
max_unpool1d_input, max_unpool2d_input, max_unpool3d_input = of_ranks_1_2_3(max_unpool_nd_input)
