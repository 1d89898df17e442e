# SPDX-License-Identifier: BSD-3-Clause
"""Convolution layers: torch.nn.functional's names, order and meanings of arguments."""

import numpy as np

from .. import _check, _core, _threads
from . import _geometry, _methods
from ._families import named
from ._storage import convert, cut_outputs

__all__ = ["conv1d", "conv2d", "conv3d"]


def _conv(rank):
    def conv(
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
        method="auto",
        accumulate=None,
        workers=None,
        out=None,
    ):
        """Correlate an input of {N} axes of space with the filters of a layer.

        ``y[n, g*K + k, o] = bias[g*K + k] + sum over c, t of
        X[n, g*C + c, o*stride + t*dilation - before] * weight[g*K + k, c, t]`` with X the input
        extended by `padding` samples.

        Parameters
        ----------
        input : array_like, shape (N, G*C, *space) or (G*C, *space)
            Samples of any numeric dtype, in any memory layout.
        weight : array_like, shape (G*K, C, *taps)
            Filters: K output channels for each of G groups.
        bias : array_like, shape (G*K,), optional
            Added to every output of its channel.
        stride, dilation : int or sequence of int
            Steps between outputs and between taps, for all axes or one for each.
        padding : int, str, or sequence with one int, str or (before, after) pair per axis
            Samples added to the ends, or ``"valid"``, ``"same"`` (as TensorFlow's and ONNX's
            SAME_UPPER, at any stride), ``"same_lower"``, ``"full"``, ``"causal"``; see
            `pyconvc.arithmetic.resolve_padding`.
        groups : int
            G: the outputs of a group see the inputs of that group only.
        padding_mode : {"zeros", "reflect", "replicate", "circular"}
            What the added samples are. More of them than the input has repeat it again, as
            `numpy.pad` does.
        flip_filters : bool
            True is convolution in the mathematical sense, False is correlation.
        method : {"auto", "direct", "winograd", "gemm", "fft"}
            How to compute; see `pyconvc.nn.choose`. ``"winograd"`` takes 2 to 16 taps
            along the last axis, the axis before, or both, strides that leave it fewer products,
            and dilation at stride 1 with added zeros only.
        accumulate : {None, "double"}
            Sum in the precision of the result, or in double precision.
        workers : int, optional
            Threads for this call. Default: `pyconvc.get_num_threads`.
        out : ndarray, optional
            Where to put the result: its shape and dtype, no overlap with another argument.

        Returns
        -------
        ndarray, shape (N, G*K, *out) or (G*K, *out)
            ``out = floor((space + before + after - dilation*(taps - 1) - 1) / stride) + 1``, in the
            common dtype of the arrays. float16 and bfloat16 are computed in float32, integers wrap,
            bool is the OR of ANDs.

        Raises
        ------
        ValueError
            If shapes, groups or `out` do not fit together, the kernel reaches beyond the padded
            input, or a number or name is not among those allowed, or the method does not suit.
        TypeError
            If there are no layers for a dtype, or an argument is of the wrong type.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> images = np.ones((4, 3) + {N} * (10,), np.float32)
        >>> filters = np.ones((8, 3) + {N} * (3,), np.float32)
        >>> nn.convNd(images, filters, padding="same", stride=2).shape == (4, 8) + {N} * (5,)
        True

        References
        ----------
        Dumoulin & Visin, "A guide to convolution arithmetic for deep learning" (2016),
        arXiv:1603.07285.
        """
        _check.name("method", method)
        if out is accumulate is None and method == "auto":
            numbers = stride, padding, dilation, groups, padding_mode
            options = {"flip": flip_filters, "workers": _threads.resolve(workers)}
            y = _core.plain_layer(rank, input, weight, bias, *numbers, **options)
            if y is not None:
                return y
        x, w = _check.array(input, "input"), _check.array(weight, "weight")
        b, shape, dtypes = None, None, (x.dtype, w.dtype)
        if bias is not None:
            b = np.ascontiguousarray(_check.array(bias, "bias"))
            shape, dtypes = b.shape, (*dtypes, b.dtype)
        _check.accumulation(accumulate)
        numbers = _geometry.hashable(rank, stride, padding, dilation, groups, padding_mode)
        c = _methods.call(rank, x.shape, w.shape, shape, dtypes, accumulate, method, numbers)
        workers = _threads.resolve(workers)
        if c.plain and out is None:
            y = _core.empty(c.y_shape, c.dtype, x)
            c.run(c.p, x, w, b, y, flip=flip_filters, workers=workers)
            return y
        y = _check.output(out, c.y_shape, c.dtype, input=x, weight=w, bias=b)
        arrays = _check.layer_batch("input", x, rank), w, b, _check.layer_batch("out", y, rank)
        options = {"flip": flip_filters, "workers": workers}
        convert(c.run, c.p, *arrays, c.work, cut_outputs, **options)
        return y

    return named(conv, f"conv{rank}d", rank)


conv1d, conv2d, conv3d = _conv(1), _conv(2), _conv(3)
