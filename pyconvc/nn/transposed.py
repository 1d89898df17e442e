# SPDX-License-Identifier: BSD-3-Clause
"""Transposed convolution layers: the adjoint of a convolution in its input, by stride phases."""

from .. import _check, _threads
from . import _geometry, _methods
from ._families import named
from ._storage import convert, cut_inputs

__all__ = ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]


def _conv_transpose(rank):
    def conv_transpose(
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
        workers=None,
        out=None,
    ):
        """Transpose the convolution that the arguments describe.

        It takes an array of the size of that convolution's output to one of the size of its input,
        as the gradient of that convolution does. No zeros are inserted between samples.

        Parameters
        ----------
        input : array_like, shape (N, G*K, *space) or (G*K, *space)
            What the convolution would give.
        weight : array_like, shape (G*K, C, *taps)
            Filters of the convolution.
        bias : array_like, shape (G*C,), optional
            Added to every output of its channel.
        stride, padding, groups, dilation, padding_mode, flip_filters
            Those of the convolution; see `convNd`. `padding` crops the output here;
            ``"same"`` and ``"same_lower"`` are those of a convolution over ``space * stride``
            samples or over `output_size`. With a `padding_mode` other than ``"zeros"`` what is
            cropped is summed into the samples that it repeats.
        output_padding : int or sequence of int
            Samples that the output has at its end beyond the shortest one, to choose between the
            sizes that the convolution takes to that of `input`. Smaller than stride or dilation.
            They are outputs like the others: this is not zero padding.
        output_size : sequence of int, optional
            Size of the output along each axis of space, in place of `output_padding`.
        accumulate : {None, "double"}
            Sum in the precision of the result, or in double precision.
        workers : int, optional
            Threads for this call. Default: `pyconvc.get_num_threads`.
        out : ndarray, optional
            Where to put the result: its shape and dtype, no overlap with another argument.

        Returns
        -------
        ndarray, shape (N, G*C, *out) or (G*C, *out)
            ``out = (space - 1)*stride + dilation*(taps - 1) + 1 - before - after`` and
            `output_padding`.

        Raises
        ------
        ValueError
            If shapes, groups or `out` do not fit together, `output_padding` is too large, or
            `output_size` out of reach; the text says which sizes can be had.
        TypeError
            If there are no layers for a dtype, or an argument is of the wrong type.

        See Also
        --------
        pyconvc.arithmetic.transpose_sizes : every size that can be had.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> x, filters = np.ones((1, 8) + {N} * (5,)), np.ones((8, 4) + {N} * (3,))
        >>> y = nn.conv_transposeNd(x, filters, stride=2, padding=1, output_size={N} * (10,))
        >>> y.shape == (1, 4) + {N} * (10,)
        True

        References
        ----------
        Dumoulin & Visin (2016), arXiv:1603.07285, chapter 4.
        """
        names = "input", "weight"
        x, w, b, dtype, work = _check.layer_arrays(accumulate, names, input, weight, bias)
        xs = x if x.ndim == rank + 2 else _check.layer_batch("input", x, rank)
        p = _geometry.transposed(
            xs.shape,
            w.shape,
            stride,
            padding,
            output_padding,
            groups,
            dilation,
            output_size,
            padding_mode,
        )
        _check.layer_bias(b, p.x_shape[1])
        shape = p.x_shape if xs is x else p.x_shape[1:]
        y = _check.output(out, shape, dtype, input=x, weight=w, bias=b)
        run, workers = _methods.input_grad(p, work), _threads.resolve(workers)
        target = y if xs is x else y[None]
        options = {"flip": flip_filters, "workers": workers}
        convert(run, p, xs, w, b, target, work, cut_inputs, **options)
        return y

    return named(conv_transpose, f"conv_transpose{rank}d", rank)


conv_transpose1d, conv_transpose2d, conv_transpose3d = (_conv_transpose(n) for n in (1, 2, 3))
