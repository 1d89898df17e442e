# SPDX-License-Identifier: BSD-3-Clause
"""What computes a convolution layer: one function for each method."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import _check, _choose
from . import _geometry, _passes


@functools.lru_cache(maxsize=1024)
def forward(p, dtype, method):
    """The function that computes the convolution `p` in `dtype`, by name or the fastest.

    It takes what `_passes.correlate` takes. What needs scipy is imported here, at first use.
    """
    choice = _choose.layer(p, dtype, method)
    chosen = choice.method
    if chosen == "gemm":
        from ._matrix import correlate
    elif chosen == "fft":
        from ._spectral import correlate, correlate_if_safe

        correlate = correlate if method == "fft" else correlate_if_safe
    elif choice.tile:
        correlate = functools.partial(_passes.correlate, winograd=choice.tile)
    else:
        correlate = _passes.correlate
    return correlate


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A convolution but for the samples: what the shapes, dtypes and other arguments call for.

    Attributes
    ----------
    p : Layer
    y_shape : tuple of int
        Of the result, with or without the N that the input has.
    dtype, work : dtype
        Of the result, and the one to compute in.
    run : callable
        See `forward`.
    plain : bool
        All arrays are of dtype `work` and the input has an N: nothing is to be converted.
    """

    p: _geometry.Layer
    y_shape: tuple
    dtype: np.dtype
    work: np.dtype
    run: Callable
    plain: bool


@functools.lru_cache(maxsize=1024)
def call(rank, x_shape, w_shape, bias_shape, dtypes, accumulate, method, numbers):
    """The `Call` for arrays of these shapes and dtypes; `numbers` are in hashable form."""
    dtype, work = _check.layer_dtypes(accumulate, *dtypes)
    batched = _check.is_batch("input", x_shape, rank)
    p = _geometry.forward(x_shape if batched else (1, *x_shape), w_shape, *numbers)
    if bias_shape is not None:
        _check.layer_bias_shape(bias_shape, p.y_shape[1])
    plain = batched and all(d == work for d in dtypes)
    y_shape = p.y_shape if batched else p.y_shape[1:]
    return Call(p, y_shape, dtype, work, forward(p, work, method), plain)


@functools.lru_cache(maxsize=1024)
def input_grad(p, dtype):
    """The function that computes the adjoint of `p` in its input, as `_passes.input_grad` does."""
    return functools.partial(_passes.input_grad, winograd=_choose.adjoint_tile(p, dtype))


def choose(
    input_shape,
    weight_shape,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
    *,
    padding_mode="zeros",
    dtype=np.float32,
):
    """What ``method="auto"`` takes for a convolution, and why; nothing is computed.

    Parameters
    ----------
    input_shape : sequence of int
        (N, C, *space) or (C, *space).
    weight_shape : sequence of int
        (G*K, C, *taps).
    stride, padding, dilation, groups, padding_mode
        As in `conv1d`, `conv2d` and `conv3d`.
    dtype : dtype_like
        Of the arrays.

    Returns
    -------
    choice
        With `method`, a one-sentence `reason`, and `seconds`, the estimated time of one worker for
        each method that was weighed, for one sample of the batch. ``"fft"`` gives way to
        ``"direct"`` for samples on which it would not keep the error bound.

    Raises
    ------
    ValueError, TypeError
        As the functions.

    Examples
    --------
    >>> from pyconvc import nn
    >>> nn.choose((1, 8, 300, 300), (8, 1, 91, 91), groups=8).method
    'fft'
    >>> nn.choose((1, 8, 300, 300), (8, 8, 3, 3)).method
    'direct'
    """
    w_shape = _geometry.integers("weight_shape", weight_shape, least=0)
    if not 3 <= len(w_shape) <= 5:
        raise _check.bad("weight_shape", w_shape, "must have 1 to 3 axes of taps after (G*K, C)")
    shape, _ = _geometry.sizes("input_shape", input_shape, len(w_shape) - 2)
    p = _geometry.forward(shape, w_shape, stride, padding, dilation, groups, padding_mode)
    try:
        dtype = np.dtype(dtype)
    except TypeError as error:
        raise TypeError(f"dtype={dtype!r}: {error}") from None
    return _choose.layer(p, _check.layer_dtypes(None, dtype)[1])
