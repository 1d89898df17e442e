# SPDX-License-Identifier: BSD-3-Clause
"""Gradients of pools with respect to their input; `pyconvc.nn.grad` has their names."""

import math

from .. import _check, _threads
from . import _geometry, _pools, _windows
from ._families import named

__all__ = [
    "adaptive_avg_pool1d_input",
    "adaptive_avg_pool2d_input",
    "adaptive_avg_pool3d_input",
    "avg_pool1d_input",
    "avg_pool2d_input",
    "avg_pool3d_input",
    "lp_pool1d_input",
    "lp_pool2d_input",
    "lp_pool3d_input",
    "max_pool1d_input",
    "max_pool2d_input",
    "max_pool3d_input",
    "max_unpool1d_input",
    "max_unpool2d_input",
    "max_unpool3d_input",
]


def _outputs(grad_output, rank, is_batched, shape):
    """The gradient of outputs of that shape, as (N, C, *out)."""
    g = _pools.batch_beside("grad_output", grad_output, rank, is_batched)
    why = "that of the pool's output" if is_batched else "that of the pool's output, with N = 1"
    _check.layer_shape("grad_output.shape", g.shape, shape, why)
    return g


def _avg_pool_input(rank):
    def avg_pool_input(
        input_size,
        grad_output,
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
        """Gradient of `pyconvc.nn.avg_poolNd`: every output's share for each sample of its window.

        Parameters
        ----------
        input_size : sequence of int
            Shape of the input, (N, C, *space) or (C, *space).
        grad_output : array_like, shape (N, C, *out) or (C, *out)
            Gradient with respect to the output, floating or complex.
        kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
            As in `pyconvc.nn.avg_poolNd`.
        workers : int, optional
            Threads for this call.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray of shape `input_size`
            In the dtype of `grad_output`.

        Raises
        ------
        ValueError, TypeError
            As `pyconvc.nn.avg_poolNd`, and if `grad_output` is not of the output's shape.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> g = 2.0**{N} * np.ones((1,) + {N} * (3,))
        >>> nn.grad.avg_poolNd_input((1,) + {N} * (6,), g, 2).sum() == g.sum()
        np.True_
        """
        shape, is_batched = _geometry.sizes("input_size", input_size, rank)
        p = _windows.sliding(shape[2:], kernel_size, stride, padding, 1, ceil_mode)
        g = _outputs(grad_output, rank, is_batched, (*shape[:2], *p.out))
        dtype, work = _pools.share_dtypes(g.dtype)
        divisor = _windows.divisor(divisor_override, dtype)
        x, to = _pools.output(out, shape, dtype, is_batched, grad_output=g)
        _pools.average_grad(
            p,
            g,
            to,
            work,
            count_include_pad=count_include_pad,
            divisor=divisor,
            workers=_threads.resolve(workers),
        )
        return x

    return named(avg_pool_input, f"avg_pool{rank}d_input", rank)


def _adaptive_avg_pool_input(rank):
    def adaptive_avg_pool_input(input_size, grad_output, *, workers=None, out=None):
        """Gradient of `pyconvc.nn.adaptive_avg_poolNd`.

        Parameters
        ----------
        input_size : sequence of int
            Shape of the input, (N, C, *space) or (C, *space).
        grad_output : array_like, shape (N, C, *output_size) or (C, *output_size)
            Gradient with respect to the output, floating or complex.
        workers : int, optional
            Threads for this call.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray of shape `input_size`
            In the dtype of `grad_output`.

        Raises
        ------
        ValueError, TypeError
            If shapes do not fit together, or there are no averages for the dtype.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> g = np.ones((1,) + {N} * (2,))
        >>> nn.grad.adaptive_avg_poolNd_input((1,) + {N} * (3,), g).sum() == g.sum()
        np.True_
        """
        shape, is_batched = _geometry.sizes("input_size", input_size, rank)
        size = _check.array(grad_output, "grad_output").shape[-rank:]
        p = _windows.dividing(shape[2:], size if len(size) == rank else 1)
        g = _outputs(grad_output, rank, is_batched, (*shape[:2], *p.out))
        dtype, work = _pools.share_dtypes(g.dtype)
        x, to = _pools.output(out, shape, dtype, is_batched, grad_output=g)
        _pools.average_grad(p, g, to, work, workers=_threads.resolve(workers))
        return x

    return named(adaptive_avg_pool_input, f"adaptive_avg_pool{rank}d_input", rank)


def _max_pool_input(rank):
    def max_pool_input(input_size, grad_output, indices, *, workers=None, out=None):
        """Gradient of `pyconvc.nn.max_poolNd` and `pyconvc.nn.adaptive_max_poolNd`.

        It is added up where the maxima were.

        Parameters
        ----------
        input_size : sequence of int
            Shape of the input, (N, C, *space) or (C, *space).
        grad_output : array_like, shape (N, C, *out) or (C, *out)
            Gradient with respect to the maxima.
        indices : array_like of int, of the same shape
            Their positions, as the pool gave them; what stands at -1 counts for nothing.
        workers : int, optional
            Threads for this call.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray of shape `input_size`
            In the dtype of `grad_output`.

        Raises
        ------
        ValueError, TypeError
            If shapes do not fit together, or an index lies outside of the input.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> image = np.arange(4.0**{N}).reshape((1,) + {N} * (4,))
        >>> maxima, indices = nn.max_poolNd(image, 2, return_indices=True)
        >>> g = nn.grad.max_poolNd_input(image.shape, maxima, indices)
        >>> bool((g == np.where(np.isin(image, maxima), image, 0)).all())
        True
        """
        shape, is_batched = _geometry.sizes("input_size", input_size, rank)
        g = _pools.batch_beside("grad_output", grad_output, rank, is_batched)
        index = _pools.batch_beside("indices", indices, rank, is_batched)
        why = "that of the input's batch and channels"
        _check.layer_shape("grad_output.shape", g.shape[:2], shape[:2], why)
        _check.layer_shape("indices.shape", index.shape, g.shape, "that of grad_output")
        dtype, work = _check.layer_dtypes(None, g.dtype)
        index = _pools.positions(index, math.prod(shape[2:]), -1)
        x, to = _pools.output(out, shape, dtype, is_batched, grad_output=g, indices=index)
        _pools.maximum_grad(g, index, to, work, _threads.resolve(workers))
        return x

    return named(max_pool_input, f"max_pool{rank}d_input", rank)


def _lp_pool_input(rank):
    def lp_pool_input(
        input,
        grad_output,
        norm_type,
        kernel_size,
        stride=None,
        ceil_mode=False,
        *,
        workers=None,
        out=None,
    ):
        """Gradient of `pyconvc.nn.lp_poolNd`; zero where the sum of powers is.

        Parameters
        ----------
        input : array_like, shape (N, C, *space) or (C, *space)
            The pool's input.
        grad_output : array_like, shape (N, C, *out) or (C, *out)
            Gradient with respect to the output.
        norm_type, kernel_size, stride, ceil_mode
            As in `pyconvc.nn.lp_poolNd`.
        workers : int, optional
            Threads for this call.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray of the shape of `input`
            In the common dtype of the arrays.

        Raises
        ------
        ValueError, TypeError
            As `pyconvc.nn.lp_poolNd`, and if `grad_output` is not of the output's shape.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> x, g = np.ones((1,) + {N} * (2,)), np.ones((1,) + {N} * (1,))
        >>> nn.grad.lp_poolNd_input(x, g, 1, 2).ravel()[:2]
        array([1., 1.])
        """
        x, is_batched = _pools.batch("input", input, rank)
        p = _windows.sliding(x.shape[2:], kernel_size, stride, ceil_mode=ceil_mode)
        g = _outputs(grad_output, rank, is_batched, (*x.shape[:2], *p.out))
        dtype, work = _pools.power_dtypes(x.dtype, g.dtype)
        norm = _windows.norm(norm_type)
        given, to = _pools.output(out, x.shape, dtype, is_batched, input=x, grad_output=g)
        _pools.power_average_grad(p, x, g, to, work, norm, _threads.resolve(workers))
        return given

    return named(lp_pool_input, f"lp_pool{rank}d_input", rank)


def _max_unpool_input(rank):
    def max_unpool_input(grad_output, indices, *, workers=None, out=None):
        """Gradient of `pyconvc.nn.max_unpoolNd`: what stands at the indices.

        Parameters
        ----------
        grad_output : array_like, shape (N, C, *out) or (C, *out)
            Gradient with respect to the output.
        indices : array_like of int, shape (N, C, *space) or (C, *space)
            Positions of the input's samples in the flattened space of the output.
        workers : int, optional
            Threads for this call.
        out : ndarray, optional
            Where to put the result.

        Returns
        -------
        ndarray of the shape of `indices`
            In the dtype of `grad_output`.

        Raises
        ------
        ValueError, TypeError
            If shapes do not fit together, or an index lies outside of the output.

        Examples
        --------
        >>> import numpy as np
        >>> from pyconvc import nn
        >>> g = np.arange(2.0**{N}).reshape((1,) + {N} * (2,))
        >>> nn.grad.max_unpoolNd_input(g, np.ones((1,) + {N} * (1,), int)).ravel()
        array([1.])
        """
        g, is_batched = _pools.batch("grad_output", grad_output, rank)
        index = _pools.batch_beside("indices", indices, rank, is_batched)
        why = "that of grad_output's batch and channels"
        _check.layer_shape("indices.shape", index.shape[:2], g.shape[:2], why)
        dtype = _check.layer_dtypes(None, g.dtype)[0]
        index = _pools.positions(index, math.prod(g.shape[2:]), 0)
        x, to = _pools.output(out, index.shape, dtype, is_batched, grad_output=g, indices=index)
        _pools.place("pick", g, index, to, _threads.resolve(workers))
        return x

    return named(max_unpool_input, f"max_unpool{rank}d_input", rank)


adaptive_avg_pool1d_input, adaptive_avg_pool2d_input, adaptive_avg_pool3d_input = map(
    _adaptive_avg_pool_input, (1, 2, 3)
)
avg_pool1d_input, avg_pool2d_input, avg_pool3d_input = map(_avg_pool_input, (1, 2, 3))
lp_pool1d_input, lp_pool2d_input, lp_pool3d_input = map(_lp_pool_input, (1, 2, 3))
max_pool1d_input, max_pool2d_input, max_pool3d_input = map(_max_pool_input, (1, 2, 3))
max_unpool1d_input, max_unpool2d_input, max_unpool3d_input = map(_max_unpool_input, (1, 2, 3))
