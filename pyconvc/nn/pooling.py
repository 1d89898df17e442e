# SPDX-License-Identifier: BSD-3-Clause
"""Pools: torch.nn.functional's names, order and meanings of arguments.

The maximum of a window without samples, which a dilated one may be, is the least value of the
dtype, at position -1; averages of integers are truncated towards zero.
"""

import math

import numpy as np

from .. import _check, _threads
from ..arithmetic import unpool_output_size
from . import _geometry, _pools, _windows
from ._families import named

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]


def _avg_pool(rank):
    def avg_pool(
        input,
        kernel_size,
        stride=None,
        padding=0,
        ceil_mode=False,
        count_include_pad=True,
        divisor_override=None,
        *,
        workers=None,
        out=None,
    ):
        """Average of every window along {N} axes of space.

        Parameters
        ----------
        input : array_like, shape (N, C, *space) or (C, *space)
            Samples of any numeric dtype but bool, in any memory layout.
        kernel_size, stride : int or sequence of int
            Length of the windows and step between them, for all axes or one for each. Default
            stride: `kernel_size`.
        padding : int or sequence of int
            Samples added to both ends of the axes, at most half of `kernel_size`.
        ceil_mode : bool
            Whether a last window may hang over the end of the padding; it has to start before that.
        count_include_pad : bool
            Whether the sum of a window is divided by the number of its samples and those of the
            padding in it, or of its samples alone. What hangs over the padding never counts.
        divisor_override : int, optional
            What sums are divided by instead.
        workers : int, optional
            Threads for this call. Default: `pyconvc.get_num_threads`.
        out : ndarray, optional
            Where to put the result: its shape and dtype, no overlap with the input.

        Returns
        -------
        ndarray, shape (N, C, *out) or (C, *out)
            ``out = floor((space + 2*padding - kernel_size) / stride) + 1``, or ``ceil``, in the
            input's dtype. float16 and bfloat16 are computed in float32; integers are summed in 64
            bits and truncated towards zero.

        Raises
        ------
        ValueError
            If a number is not among those allowed, or a window does not fit in the padded input.
        TypeError
            If there are no averages for the dtype, or an argument is of the wrong type.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> images = np.ones((2, 3) + {N} * (8,))
        >>> nn.avg_poolNd(images, 3, stride=2, padding=1).shape == (2, 3) + {N} * (4,)
        True

        References
        ----------
        PyTorch, ``torch.nn.AvgPoolNd``, for `ceil_mode` and `count_include_pad`.
        """
        x, is_batched = _pools.batch("input", input, rank)
        _pools.average_stored(x.dtype)
        p = _windows.sliding(x.shape[2:], kernel_size, stride, padding, 1, ceil_mode)
        divisor = _windows.divisor(divisor_override, x.dtype)
        y, to = _pools.output(out, (*x.shape[:2], *p.out), x.dtype, is_batched, input=x)
        workers = _threads.resolve(workers)
        _pools.average(
            p, x, to, count_include_pad=count_include_pad, divisor=divisor, workers=workers
        )
        return y

    return named(avg_pool, f"avg_pool{rank}d", rank)


def _maxima(x, p, return_indices, workers, out, is_batched):
    """Maxima of the windows, and their positions if asked for."""
    workers = _threads.resolve(workers)
    if not return_indices:
        y, to = _pools.output(out, (*x.shape[:2], *p.out), x.dtype, is_batched, input=x)
        _pools.maximum(p, x, to, workers=workers)
        return y
    if out is None:
        out = None, None
    elif not isinstance(out, tuple) or len(out) != 2:
        raise TypeError("out: must be a pair of arrays, for the maxima and their indices")
    y, to = _pools.output(out[0], (*x.shape[:2], *p.out), x.dtype, is_batched, input=x)
    index, places = _pools.output(out[1], (*x.shape[:2], *p.out), _pools.INT64, is_batched, input=x)
    if out[0] is not None and np.shares_memory(y, index, max_work=1):
        raise ValueError("out: the two arrays must not overlap")
    _pools.maximum(p, x, to, index=places, workers=workers)
    return y, index


def _max_pool(rank):
    def max_pool(
        input,
        kernel_size,
        stride=None,
        padding=0,
        dilation=1,
        ceil_mode=False,
        return_indices=False,
        *,
        workers=None,
        out=None,
    ):
        """Maximum of every window along {N} axes of space; NaN where a window has one.

        Parameters
        ----------
        input : array_like, shape (N, C, *space) or (C, *space)
            Samples of any real dtype, in any memory layout.
        kernel_size, stride, dilation : int or sequence of int
            Number of samples in a window, step between windows, step between the samples of a
            window, for all axes or one for each. Default stride: `kernel_size`.
        padding : int or sequence of int
            By how much windows reach beyond both ends of the axes, at most half of `kernel_size`.
            Nothing is there that could be a maximum.
        ceil_mode : bool
            Whether a last window may hang over the end of the padding; it has to start before that.
        return_indices : bool
            Whether to tell where the maxima are, too.
        workers : int, optional
            Threads for this call. Default: `pyconvc.get_num_threads`.
        out : ndarray, or pair of ndarray with `return_indices`, optional
            Where to put the result: its shape and dtype, no overlap with the input.

        Returns
        -------
        maxima : ndarray, shape (N, C, *out) or (C, *out)
            ``out = floor((space + 2*padding - dilation*(kernel_size - 1) - 1) / stride) + 1``, or
            ``ceil``, in the input's dtype. Where a window has no sample, the least value.
        indices : ndarray of int64, of the same shape
            Positions of the maxima in the flattened space of a channel: of the first of equal
            ones, of the last NaN; -1 where a window has no sample.

        Raises
        ------
        ValueError
            If a number is not among those allowed, or a window does not fit in the padded input.
        TypeError
            If there are no maxima for the dtype, or an argument is of the wrong type.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> image = np.arange(4.0**{N}).reshape((1,) + {N} * (4,))
        >>> maxima, indices = nn.max_poolNd(image, 2, return_indices=True)
        >>> bool((maxima == indices).all())
        True

        References
        ----------
        PyTorch, ``torch.nn.MaxPoolNd``, for `ceil_mode` and ties.
        """
        x, is_batched = _pools.batch("input", input, rank)
        _pools.maximum_stored(x.dtype)
        p = _windows.sliding(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
        return _maxima(x, p, return_indices, workers, out, is_batched)

    return named(max_pool, f"max_pool{rank}d", rank)


def _lp_pool(rank):
    def lp_pool(
        input, norm_type, kernel_size, stride=None, ceil_mode=False, *, workers=None, out=None
    ):
        """Power average ``(sum of x**norm_type)**(1/norm_type)`` of every window along {N} axes.

        Parameters
        ----------
        input : array_like, shape (N, C, *space) or (C, *space)
            Samples of any numeric dtype, in any memory layout.
        norm_type : float
            The power, not 0. The infinite ones give the largest and the smallest magnitude.
        kernel_size, stride : int or sequence of int
            Length of the windows and step between them, for all axes or one for each. Default
            stride: `kernel_size`.
        ceil_mode : bool
            Whether a last window may hang over the end of the input; its sum is scaled up to the
            size of a whole one.
        workers : int, optional
            Threads for this call. Default: `pyconvc.get_num_threads`.
        out : ndarray, optional
            Where to put the result: its shape and dtype, no overlap with the input.

        Returns
        -------
        ndarray, shape (N, C, *out) or (C, *out)
            ``out = floor((space - kernel_size) / stride) + 1``, or ``ceil``, in the input's dtype;
            float64 for integers and bool. The root of a negative sum is NaN.

        Raises
        ------
        ValueError
            If a number is not among those allowed, or a window does not fit in the input.
        TypeError
            If an argument is of the wrong type.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> images = 3 * np.ones((1, 1) + {N} * (4,))
        >>> nn.lp_poolNd(images, 1, 2).ravel()[0] == 3 * 2**{N}
        np.True_

        References
        ----------
        PyTorch, ``torch.nn.functional.lp_poolNd``.
        """
        x, is_batched = _pools.batch("input", input, rank)
        dtype, work = _pools.power_dtypes(x.dtype)
        norm = _windows.norm(norm_type)
        p = _windows.sliding(x.shape[2:], kernel_size, stride, ceil_mode=ceil_mode)
        y, to = _pools.output(out, (*x.shape[:2], *p.out), dtype, is_batched, input=x)
        _pools.power_average(p, x, to, work, norm, _threads.resolve(workers))
        return y

    return named(lp_pool, f"lp_pool{rank}d", rank)


def _adaptive_avg_pool(rank):
    def adaptive_avg_pool(input, output_size, *, workers=None, out=None):
        """Averages of the windows that divide {N} axes of space into a given number of parts.

        Part i of m along an axis of n samples is ``floor(i*n/m)`` up to ``ceil((i + 1)*n/m)``.

        Parameters
        ----------
        input : array_like, shape (N, C, *space) or (C, *space)
            Samples of any numeric dtype but bool, in any memory layout.
        output_size : int or None, or a sequence with one for each axis
            Number of parts; None for as many as there are samples.
        workers : int, optional
            Threads for this call. Default: `pyconvc.get_num_threads`.
        out : ndarray, optional
            Where to put the result: its shape and dtype, no overlap with the input.

        Returns
        -------
        ndarray, shape (N, C, *output_size) or (C, *output_size)
            In the input's dtype, as `avg_poolNd`.

        Raises
        ------
        ValueError, TypeError
            As `avg_poolNd`.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> nn.adaptive_avg_poolNd(np.ones((2, 3) + {N} * (7,)), 1).shape == (2, 3) + {N} * (1,)
        True
        """
        x, is_batched = _pools.batch("input", input, rank)
        _pools.average_stored(x.dtype)
        p = _windows.dividing(x.shape[2:], output_size)
        y, to = _pools.output(out, (*x.shape[:2], *p.out), x.dtype, is_batched, input=x)
        _pools.average(p, x, to, workers=_threads.resolve(workers))
        return y

    return named(adaptive_avg_pool, f"adaptive_avg_pool{rank}d", rank)


def _adaptive_max_pool(rank):
    def adaptive_max_pool(input, output_size, return_indices=False, *, workers=None, out=None):
        """Maxima of the windows that divide {N} axes of space into a given number of parts.

        The windows are those of `adaptive_avg_poolNd`.

        Parameters
        ----------
        input : array_like, shape (N, C, *space) or (C, *space)
            Samples of any real dtype, in any memory layout.
        output_size : int or None, or a sequence with one for each axis
            Number of parts; None for as many as there are samples.
        return_indices : bool
            Whether to tell where the maxima are, too.
        workers : int, optional
            Threads for this call. Default: `pyconvc.get_num_threads`.
        out : ndarray, or pair of ndarray with `return_indices`, optional
            Where to put the result: its shape and dtype, no overlap with the input.

        Returns
        -------
        maxima, indices : ndarray, shape (N, C, *output_size) or (C, *output_size)
            As of `max_poolNd`.

        Raises
        ------
        ValueError, TypeError
            As `max_poolNd`.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> image = np.arange(5.0**{N}).reshape((1,) + {N} * (5,))
        >>> bool(nn.adaptive_max_poolNd(image, 1).item() == image.max())
        True
        """
        x, is_batched = _pools.batch("input", input, rank)
        _pools.maximum_stored(x.dtype)
        p = _windows.dividing(x.shape[2:], output_size)
        return _maxima(x, p, return_indices, workers, out, is_batched)

    return named(adaptive_max_pool, f"adaptive_max_pool{rank}d", rank)


def _max_unpool(rank):
    def max_unpool(
        input,
        indices,
        kernel_size,
        stride=None,
        padding=0,
        output_size=None,
        *,
        workers=None,
        out=None,
    ):
        """Put maxima back where `max_poolNd` found them, zeros elsewhere.

        Parameters
        ----------
        input : array_like, shape (N, C, *space) or (C, *space)
            Maxima of any dtype.
        indices : array_like of int, of the same shape
            Position of each in the flattened space of the output; of equal ones the last counts.
        kernel_size, stride, padding : int or sequence of int
            Those of the pool. Default stride: `kernel_size`.
        output_size : sequence of int, optional
            Size of the output: that of space, or all of its shape. Default:
            ``(space - 1)*stride - 2*padding + kernel_size``, from which it may differ by less than
            a stride.
        workers : int, optional
            Threads for this call. Default: `pyconvc.get_num_threads`.
        out : ndarray, optional
            Where to put the result: its shape and dtype, no overlap with the input.

        Returns
        -------
        ndarray, shape (N, C, *output_size) or (C, *output_size)
            In the input's dtype.

        Raises
        ------
        ValueError
            If shapes do not fit together, or an index lies outside of the output.
        TypeError
            If an argument is of the wrong type.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> image = np.arange(4.0**{N}).reshape((1,) + {N} * (4,))
        >>> maxima, indices = nn.max_poolNd(image, 2, return_indices=True)
        >>> back = nn.max_unpoolNd(maxima, indices, 2)
        >>> bool((back == np.where(np.isin(image, maxima), image, 0)).all())
        True
        """
        x, is_batched = _pools.batch("input", input, rank)
        index = _pools.batch_beside("indices", indices, rank, is_batched)
        _check.layer_shape("indices.shape", index.shape, x.shape, "that of input")
        dtype = _check.layer_dtypes(None, x.dtype)[0]
        space = _unpooled(x.shape[2:], kernel_size, stride, padding, output_size)
        index = _pools.positions(index, math.prod(space), 0)
        y, to = _pools.output(out, (*x.shape[:2], *space), dtype, is_batched, input=x)
        _pools.place("put", x, index, to, _threads.resolve(workers))
        return y

    return named(max_unpool, f"max_unpool{rank}d", rank)


def _unpooled(space, kernel_size, stride, padding, output_size):
    """Size of the output of max_unpool."""
    rank = len(space)
    kernel, stride, padding = _windows.steps(rank, kernel_size, stride, padding)
    if output_size is None:
        return unpool_output_size(space, kernel, stride, padding)
    numbers = zip(space, kernel, stride, padding, strict=True)
    size = tuple((n - 1) * s - 2 * pad + k for n, k, s, pad in numbers)
    asked = _geometry.integers("output_size", output_size, least=1)
    if len(asked) not in (rank, rank + 1, rank + 2):
        raise _check.bad("output_size", output_size, f"must have an int for each of {rank} axes")
    asked = asked[-rank:]
    if any(abs(n - m) >= s for n, m, s in zip(asked, size, stride, strict=True)):
        allowed = f"must differ from {size} by less than the stride {stride}"
        raise _check.bad("output_size", asked, allowed)
    return asked


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_adaptive_avg_pool, (1, 2, 3))
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(_adaptive_max_pool, (1, 2, 3))
avg_pool1d, avg_pool2d, avg_pool3d = map(_avg_pool, (1, 2, 3))
lp_pool1d, lp_pool2d, lp_pool3d = map(_lp_pool, (1, 2, 3))
max_pool1d, max_pool2d, max_pool3d = map(_max_pool, (1, 2, 3))
max_unpool1d, max_unpool2d, max_unpool3d = map(_max_unpool, (1, 2, 3))
