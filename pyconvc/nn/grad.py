# SPDX-License-Identifier: BSD-3-Clause
"""Gradients of the layers, with the names and order of arguments of torch.nn.grad.

Each takes the gradient of a real loss with respect to a layer's output, and gives that with
respect to its input, weight or bias. Complex factors are conjugated, which is PyTorch's convention.
"""

import numpy as np

from .. import _check, _threads
from . import _borders, _geometry, _methods, _passes, layout
from ._families import named
from ._pooling_grad import (
    adaptive_avg_pool1d_input,
    adaptive_avg_pool2d_input,
    adaptive_avg_pool3d_input,
    avg_pool1d_input,
    avg_pool2d_input,
    avg_pool3d_input,
    lp_pool1d_input,
    lp_pool2d_input,
    lp_pool3d_input,
    max_pool1d_input,
    max_pool2d_input,
    max_pool3d_input,
    max_unpool1d_input,
    max_unpool2d_input,
    max_unpool3d_input,
)
from ._storage import convert, convert_and_sum, cut_inputs, cut_outputs

__all__ = [
    "adaptive_avg_pool1d_input",
    "adaptive_avg_pool2d_input",
    "adaptive_avg_pool3d_input",
    "avg_pool1d_input",
    "avg_pool2d_input",
    "avg_pool3d_input",
    "conv1d_bias",
    "conv1d_input",
    "conv1d_weight",
    "conv2d_bias",
    "conv2d_input",
    "conv2d_weight",
    "conv3d_bias",
    "conv3d_input",
    "conv3d_weight",
    "conv_transpose1d_bias",
    "conv_transpose1d_input",
    "conv_transpose1d_weight",
    "conv_transpose2d_bias",
    "conv_transpose2d_input",
    "conv_transpose2d_weight",
    "conv_transpose3d_bias",
    "conv_transpose3d_input",
    "conv_transpose3d_weight",
    "lp_pool1d_input",
    "lp_pool2d_input",
    "lp_pool3d_input",
    "max_pool1d_input",
    "max_pool2d_input",
    "max_pool3d_input",
    "max_unpool1d_input",
    "max_unpool2d_input",
    "max_unpool3d_input",
    "pad_input",
]


def _conv_input(rank):
    def conv_input(
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
        workers=None,
        out=None,
    ):
        """Gradient of `pyconvc.nn.convNd` with respect to its input.

        Parameters
        ----------
        input_size : sequence of int
            Shape of the input, (N, G*C, *space) or (G*C, *space).
        weight : array_like, shape (G*K, C, *taps)
        grad_output : array_like, shape (N, G*K, *out) or (G*K, *out)
            Gradient with respect to the output.
        stride, padding, dilation, groups, padding_mode, flip_filters, accumulate
            As in `pyconvc.nn.convNd`.
        workers : int, optional
            Threads for this call.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray of shape `input_size`
            In the common dtype of the arrays.

        Raises
        ------
        ValueError, TypeError
            As `pyconvc.nn.convNd`, and if `grad_output` is not of the output's shape.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> w, g = np.ones((1, 1) + {N} * (3,)), np.ones((1, 1) + {N} * (2,))
        >>> nn.grad.convNd_input((1, 1) + {N} * (4,), w, g).ravel()[:4]
        array([1., 2., 2., 1.])
        """
        names = "grad_output", "weight"
        g, w, _, dtype, work = _check.layer_arrays(accumulate, names, grad_output, weight)
        shape, batched = _geometry.sizes("input_size", input_size, rank)
        p = _geometry.forward(shape, w.shape, stride, padding, dilation, groups, padding_mode)
        g = _gradient(g, rank, p.y_shape, batched)
        x = _check.output(out, shape if batched else shape[1:], dtype, grad_output=g, weight=w)
        run, target = _methods.input_grad(p, work), x if batched else x[None]
        options = {"flip": flip_filters, "conjugate": True, "workers": _threads.resolve(workers)}
        convert(run, p, g, w, None, target, work, cut_inputs, **options)
        return x

    return named(conv_input, f"conv{rank}d_input", rank)


def _conv_weight(rank):
    def conv_weight(
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
        workers=None,
        out=None,
    ):
        """Gradient of `pyconvc.nn.convNd` with respect to its weight.

        Parameters
        ----------
        input : array_like, shape (N, G*C, *space) or (G*C, *space)
        weight_size : sequence of int
            Shape of the weight, (G*K, C, *taps).
        grad_output : array_like, shape (N, G*K, *out) or (G*K, *out)
            Gradient with respect to the output.
        stride, padding, dilation, groups, padding_mode, flip_filters, accumulate
            As in `pyconvc.nn.convNd`.
        workers : int, optional
            Threads for this call.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray of shape `weight_size`
            In the common dtype of the arrays.

        Raises
        ------
        ValueError, TypeError
            As `pyconvc.nn.convNd`, and if `grad_output` is not of the output's shape.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> x, g = np.ones((5, 1) + {N} * (4,)), np.ones((5, 1) + {N} * (4,))
        >>> nn.grad.convNd_weight(x, (1, 1) + {N} * (1,), g).item() == 5 * 4**{N}
        True
        """
        names = "input", "grad_output"
        x, g, _, dtype, work = _check.layer_arrays(accumulate, names, input, grad_output)
        w_shape = _weight_size(weight_size, rank)
        batched = x.ndim == rank + 2
        xs = _check.layer_batch("input", x, rank)
        p = _geometry.forward(xs.shape, w_shape, stride, padding, dilation, groups, padding_mode)
        g = _gradient(g, rank, p.y_shape, batched)
        w = _check.output(out, w_shape, dtype, input=x, grad_output=g)
        options = {"flip": flip_filters, "workers": _threads.resolve(workers)}
        convert_and_sum(_passes.weight_grad, p, xs, g, w, work, conjugate="x", **options)
        return w

    return named(conv_weight, f"conv{rank}d_weight", rank)


def _conv_transpose_input(rank):
    def conv_transpose_input(
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
        workers=None,
        out=None,
    ):
        """Gradient of `pyconvc.nn.conv_transposeNd` with respect to its input: a convolution.

        The size of `grad_output` tells the output padding.

        Parameters
        ----------
        input_size : sequence of int
            Shape of the input, (N, G*K, *space) or (G*K, *space).
        weight : array_like, shape (G*K, C, *taps)
        grad_output : array_like, shape (N, G*C, *out) or (G*C, *out)
            Gradient with respect to the output.
        stride, padding, dilation, groups, padding_mode, flip_filters, accumulate
            As in `pyconvc.nn.conv_transposeNd`.
        workers : int, optional
            Threads for this call.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray of shape `input_size`
            In the common dtype of the arrays.

        Raises
        ------
        ValueError, TypeError
            As `pyconvc.nn.conv_transposeNd`, and if `grad_output` is not of an output's shape.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> w, g = np.ones((1, 1) + {N} * (3,)), np.ones((1, 1) + {N} * (4,))
        >>> nn.grad.conv_transposeNd_input((1, 1) + {N} * (2,), w, g).shape == (1, 1) + {N} * (2,)
        True
        """
        names = "grad_output", "weight"
        g, w, _, dtype, work = _check.layer_arrays(accumulate, names, grad_output, weight)
        shape, batched = _geometry.sizes("input_size", input_size, rank)
        g = _transposed_gradient(g, rank, batched)
        p = _transposed(shape, w.shape, g, stride, padding, groups, dilation, padding_mode)
        x = _check.output(out, shape if batched else shape[1:], dtype, grad_output=g, weight=w)
        target = x if batched else x[None]
        options = {"flip": flip_filters, "conjugate": True, "workers": _threads.resolve(workers)}
        convert(_passes.correlate, p, g, w, None, target, work, cut_outputs, **options)
        return x

    return named(conv_transpose_input, f"conv_transpose{rank}d_input", rank)


def _conv_transpose_weight(rank):
    def conv_transpose_weight(
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
        workers=None,
        out=None,
    ):
        """Gradient of `pyconvc.nn.conv_transposeNd` with respect to its weight.

        The size of `grad_output` tells the output padding.

        Parameters
        ----------
        input : array_like, shape (N, G*K, *space) or (G*K, *space)
        weight_size : sequence of int
            Shape of the weight, (G*K, C, *taps).
        grad_output : array_like, shape (N, G*C, *out) or (G*C, *out)
            Gradient with respect to the output.
        stride, padding, dilation, groups, padding_mode, flip_filters, accumulate
            As in `pyconvc.nn.conv_transposeNd`.
        workers : int, optional
            Threads for this call.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray of shape `weight_size`
            In the common dtype of the arrays.

        Raises
        ------
        ValueError, TypeError
            As `pyconvc.nn.conv_transposeNd`, and if `grad_output` is not of an output's shape.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> x, g = np.ones((5, 1) + {N} * (4,)), np.ones((5, 1) + {N} * (4,))
        >>> nn.grad.conv_transposeNd_weight(x, (1, 1) + {N} * (1,), g).item() == 5 * 4**{N}
        True
        """
        names = "input", "grad_output"
        x, g, _, dtype, work = _check.layer_arrays(accumulate, names, input, grad_output)
        w_shape = _weight_size(weight_size, rank)
        batched = x.ndim == rank + 2
        xs = _check.layer_batch("input", x, rank)
        g = _transposed_gradient(g, rank, batched)
        p = _transposed(xs.shape, w_shape, g, stride, padding, groups, dilation, padding_mode)
        w = _check.output(out, w_shape, dtype, input=x, grad_output=g)
        options = {"flip": flip_filters, "workers": _threads.resolve(workers)}
        convert_and_sum(_passes.weight_grad, p, g, xs, w, work, conjugate="y", **options)
        return w

    return named(conv_transpose_weight, f"conv_transpose{rank}d_weight", rank)


def _bias(rank, layer):
    def bias(grad_output, *, accumulate=None, out=None):
        """Gradient of a layer of {N} axes of space with respect to its bias.

        Parameters
        ----------
        grad_output : array_like, shape (N, channels, *out) or (channels, *out)
            Gradient with respect to the output.
        accumulate : {None, "double"}
            Sum in the precision of `grad_output`, or in double precision.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray, shape (channels,)
            The sum over batch and space.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> (nn.grad.convNd_bias(np.ones((5, 2) + {N} * (4,))) == 5 * 4**{N}).all()
        np.True_
        """
        g = _check.array(grad_output, "grad_output")
        dtype, work = _check.layer_dtypes(accumulate, g.dtype)
        gs = _check.layer_batch("grad_output", g, rank)
        b = _check.output(out, gs.shape[1:2], dtype, grad_output=g)
        with np.errstate(over="ignore"):
            b[...] = gs.sum((0, *range(2, gs.ndim)), dtype=work)
        return b

    return named(bias, f"{layer}{rank}d_bias", rank)


def pad_input(input_size, grad_output, pad, mode="constant", *, workers=None, out=None):
    """Gradient of `pyconvc.nn.pad` with respect to its input.

    Parameters
    ----------
    input_size : sequence of int
        Shape of the input.
    grad_output : array_like
        Gradient with respect to the output.
    pad, mode
        As in `pyconvc.nn.pad`.
    workers : int, optional
        Accepted as everywhere; samples are summed by one thread.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    ndarray of shape `input_size`

    Examples
    --------
    >>> from pyconvc import nn
    >>> nn.grad.pad_input((3,), [1, 2, 3, 4, 5], (1, 1), "reflect")
    array([2, 9, 4])
    """
    _threads.resolve(workers)
    g = _check.array(grad_output, "grad_output")
    shape = _geometry.integers("input_size", input_size, least=0)
    boundary = layout.PAD_MODES[_check.one_of("mode", mode, layout.PAD_MODES)]
    ends = layout.pad_ends(pad, shape, boundary)
    wanted = tuple(n + sum(pair) for n, pair in zip(shape, ends, strict=True))
    _check.layer_shape("grad_output.shape", g.shape, wanted, "the shape of the output")
    x = _check.output(out, shape, g.dtype, grad_output=g)
    kept = layout.cropped(ends, shape)
    x[...] = 0
    for axis, (before, after) in enumerate(ends):
        n = kept[axis].stop - kept[axis].start
        g = _borders.fold_back(g, axis, n, max(before, 0), max(after, 0), boundary)
    x[kept] = g
    return x


def _gradient(g, rank, shape, batched):
    """The gradient of an output as (N, channels, *out)."""
    given = g.shape
    if g.ndim == rank + 1 and not batched:
        g = g[None]
    if g.shape != shape:
        wanted = shape if batched else shape[1:]
        _check.layer_shape("grad_output.shape", given, wanted, "the shape of the output")
    return g


def _transposed_gradient(g, rank, batched):
    if g.ndim != rank + 1 + batched:
        form = "(N, C, *space)" if batched else "(C, *space)"
        raise _check.bad("grad_output.shape", g.shape, f"must be {form} with {rank} axes of space")
    return g if batched else g[None]


def _transposed(x_shape, w_shape, g, stride, padding, groups, dilation, padding_mode):
    """The numbers of the transposed convolution that gives an output of the gradient's size."""
    size = g.shape[2:]
    try:
        p = _geometry.transposed(
            x_shape, w_shape, stride, padding, 0, groups, dilation, size, padding_mode
        )
    except ValueError as error:
        if "output_size" not in str(error):
            raise
        raise ValueError(f"grad_output.shape={g.shape}: {error}") from None
    _check.layer_shape("grad_output.shape", g.shape, p.x_shape, "the shape of the output")
    return p


def _weight_size(weight_size, rank):
    shape = _geometry.integers("weight_size", weight_size, least=0)
    if len(shape) != rank + 2:
        raise _check.bad("weight_size", shape, f"must be (G*K, C, *taps) with {rank} axes of taps")
    return shape


conv1d_input, conv2d_input, conv3d_input = (_conv_input(n) for n in (1, 2, 3))
conv1d_weight, conv2d_weight, conv3d_weight = (_conv_weight(n) for n in (1, 2, 3))
conv1d_bias, conv2d_bias, conv3d_bias = (_bias(n, "conv") for n in (1, 2, 3))
conv_transpose1d_input, conv_transpose2d_input, conv_transpose3d_input = (
    _conv_transpose_input(n) for n in (1, 2, 3)
)
conv_transpose1d_weight, conv_transpose2d_weight, conv_transpose3d_weight = (
    _conv_transpose_weight(n) for n in (1, 2, 3)
)
conv_transpose1d_bias, conv_transpose2d_bias, conv_transpose3d_bias = (
    _bias(n, "conv_transpose") for n in (1, 2, 3)
)
