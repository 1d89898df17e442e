# SPDX-License-Identifier: BSD-3-Clause
"""Convolution and transposed convolution of layers: the passes under PyTorch's arguments."""

import numpy as np

from .._passes import correlate, input_grad, result_and_work
from .._problem import Problem, per_axis
from ._common import batched, of_ranks_1_2_3

BOUNDARY_OF = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "replicate",
    "circular": "circular",
}


def conv_nd(
    rank,
    input,
    weight,
    bias=None,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    *,
    padding_mode="zeros",
    flip_filters=False,
    accumulate=None,
):
    """Correlate a layer's input with its filters, as torch.nn.functional does.

    Parameters
    ----------
    input : array_like, shape (N, G*C, *space) or (G*C, *space)
    weight : array_like, shape (G*K, C, *taps)
    bias : array_like, shape (G*K,), optional
    stride, dilation : int or sequence of int
    padding : int, sequence of int, sequence of (before, after), or str
        See `pads` for the names.
    groups : int
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
    flip_filters : bool
        Index-reverse the filters: convolution in the mathematical sense.
    accumulate : dtype, optional
        Type to compute in.

    Returns
    -------
    ndarray, shape (N, G*K, *out) or (G*K, *out)

    Examples
    --------
    >>> conv1d([[1, 2, 4, 8]], [[[1, 10, 100]]], stride=2, padding="same")
    array([[421,  84]])
    """
    x, restore = batched(input, rank)
    w = np.asarray(weight)
    options = pass_options(
        x.shape, w.shape, stride, padding, dilation, groups, padding_mode, flip_filters
    )
    return restore(correlate(x, w, bias, **options, accumulate=accumulate))


def conv_transpose_nd(
    rank,
    input,
    weight,
    bias=None,
    stride=1,
    padding=0,
    output_padding=0,
    groups=1,
    dilation=1,
    *,
    output_size=None,
    padding_mode="zeros",
    flip_filters=False,
    accumulate=None,
):
    """Transpose of a convolution in its input: `input` is what that convolution gives.

    Parameters
    ----------
    input : array_like, shape (N, G*K, *space) or (G*K, *space)
    weight : array_like, shape (G*K, C, *taps)
        Filters of the convolution.
    bias : array_like, shape (G*C,), optional
    stride, padding, dilation, groups, padding_mode, flip_filters
        Arguments of the convolution; ``"same"`` and ``"same_lower"`` are those of one over
        `output_size`, or over ``space * stride`` samples.
    output_padding : int or sequence of int
        Samples that the output has beyond the shortest one; below the stride or the dilation.
    output_size : sequence of int, optional
        Size of the output, which sets `output_padding`.
    accumulate : dtype, optional
        Type to compute in.

    Returns
    -------
    ndarray, shape (N, G*C, *out) or (G*C, *out)
        ``out = (space - 1)*stride + dilation*(taps - 1) + 1 - before - after + output_padding``.

    Examples
    --------
    >>> conv_transpose1d([[1, 2]], [[[1, 10, 100]]], stride=2, output_padding=1)
    array([[  1,  10, 102,  20, 200,   0]])
    """
    x, restore = batched(input, rank)
    w = np.asarray(weight)
    space, taps = x.shape[2:], w.shape[2:]
    over = np.multiply(space, stride) if output_size is None else output_size[-rank:]
    ends = pads(padding, over, taps, stride, dilation)
    size = _transposed_size(space, taps, stride, ends, dilation, output_padding, output_size)
    y_shape = (x.shape[0], groups * w.shape[1], *size)
    options = pass_options(
        y_shape, w.shape, stride, ends, dilation, groups, padding_mode, flip_filters
    )
    arrays = (x, w) if bias is None else (x, w, np.asarray(bias))
    dtype, work = result_and_work(arrays, accumulate)
    outputs = fitted(x.astype(work), Problem(y_shape, w.shape, **options).out_shape)
    y = input_grad(y_shape, w.astype(work), outputs, **options)
    if bias is not None:
        y += arrays[2].astype(work).reshape(-1, *(1,) * rank)
    return restore(y.astype(dtype))


def pass_options(x_shape, w_shape, stride, padding, dilation, groups, padding_mode, flip_filters):
    """Arguments of a layer in the words of the passes."""
    return {
        "stride": stride,
        "dilation": dilation,
        "padding": pads(padding, x_shape[2:], w_shape[2:], stride, dilation),
        "boundary": BOUNDARY_OF[padding_mode],
        "groups": groups,
        "flip": flip_filters,
    }


def pads(padding, space, taps, stride, dilation):
    """Samples (before, after) that a layer's `padding` adds to each axis.

    ============== ============================================================================
    a number       that many on both sides
    a pair         before and after
    ``valid``      none
    ``same``       for ``ceil(n/stride)`` outputs, an odd one after (TensorFlow, ONNX SAME_UPPER)
    ``same_lower`` for ``ceil(n/stride)`` outputs, an odd one before (ONNX SAME_LOWER)
    ``full``       ``dilation*(k - 1)`` on both sides: every output that sees a sample
    ``causal``     ``dilation*(k - 1)`` before: no output sees a later sample
    ============== ============================================================================
    """
    arguments = (per_axis(a, len(space)) for a in (padding, stride, dilation))
    return [_pads_of_axis(*axis) for axis in zip(space, taps, *arguments, strict=True)]


def _pads_of_axis(n, k, padding, stride, dilation):
    if not isinstance(padding, str):
        return per_axis(padding, 2)
    reach = dilation * (k - 1)
    outputs = -(-n // stride)
    missing = max((outputs - 1) * stride + reach + 1 - n, 0)
    less, more = missing // 2, missing - missing // 2
    named = {
        "valid": (0, 0),
        "same": (less, more),
        "same_lower": (more, less),
        "full": (reach, reach),
        "causal": (reach, 0),
    }
    if padding not in named:
        raise ValueError(f"padding={padding!r}: must be numbers or one of {[*named]}")
    return named[padding]


def _transposed_size(space, taps, stride, ends, dilation, output_padding, output_size):
    """Size of a transposed convolution's output, by `output_padding` or as asked for."""
    rank = len(space)
    stride, dilation = per_axis(stride, rank), per_axis(dilation, rank)
    axes = zip(space, taps, stride, dilation, ends, strict=True)
    shortest = [(n - 1) * s + d * (k - 1) + 1 - sum(added) for n, k, s, d, added in axes]
    if output_size is None:
        beyond = per_axis(output_padding, rank)
    else:
        beyond = np.subtract(output_size[-rank:], shortest)
    limits = np.maximum(stride, dilation)
    if np.less(beyond, 0).any() or np.greater_equal(beyond, limits).any():
        raise ValueError(f"output_padding {beyond}: must be from 0 to below {limits}")
    return [int(n + more) for n, more in zip(shortest, beyond, strict=True)]


def fitted(a, shape):
    """`a` cut at its ends to a shape, or continued with zeros."""
    result = np.zeros(shape, a.dtype)
    common = tuple(slice(min(sizes)) for sizes in zip(a.shape, shape, strict=True))
    result[common] = a[common]
    return result


conv1d, conv2d, conv3d = of_ranks_1_2_3(conv_nd)
conv_transpose1d, conv_transpose2d, conv_transpose3d = of_ranks_1_2_3(conv_transpose_nd)
