# SPDX-License-Identifier: BSD-3-Clause
"""The correlate pass and its two adjoints.

For input ``x`` of shape ``(N, G*C, *space)`` and weights ``w`` of shape ``(G*K, C, *taps)``::

    y[n, g*K + k, o] = sum over c, t of  xp[n, g*C + c, o*stride + t*dilation] * w[g*K + k, c, t]

where ``xp`` is ``x`` extended on every spatial axis by ``padding`` samples of the boundary rule.
Padding is values: an infinite weight times a padded zero is NaN.
"""

import numpy as np

from ._problem import Problem


def correlate(
    x,
    w,
    bias=None,
    *,
    stride=1,
    dilation=1,
    padding=0,
    boundary="constant",
    fill=0,
    groups=1,
    flip=False,
    accumulate=None,
):
    """Correlate a batch of multi-channel arrays with a bank of filters.

    Parameters
    ----------
    x : array_like, shape (N, G*C, *space)
        Input; any spatial rank from 1.
    w : array_like, shape (G*K, C, *taps)
        Filters, as many axes as `x`.
    bias : array_like, shape (G*K,), optional
        Added to every output of its channel.
    stride, dilation : int or sequence of int
        For all spatial axes, or one for each.
    padding : int, or sequence of int or (before, after)
        Samples added to the ends of all, or of each, spatial axis.
    boundary : str or sequence of str
        Rule for the added samples (see `boundary_index`), for all axes or one for each.
    fill : scalar
        The added sample where the rule is ``"constant"``.
    groups : int
        G: output channels of a group see the input channels of that group only.
    flip : bool
        Index-reverse the taps, which is convolution in the mathematical sense.
    accumulate : dtype, optional
        Type to compute in. Default: the type of the result, and float32 for float16 and bfloat16.

    Returns
    -------
    ndarray, shape (N, G*K, *out)
        In the result type of `x`, `w` and `bias`.

    Examples
    --------
    >>> x = np.arange(5).reshape(1, 1, 5)
    >>> correlate(x, [[[1, 0, -1]]], padding=1, boundary="replicate")
    array([[[-1, -2, -2, -2, -1]]])
    """
    x, w = np.asarray(x), np.asarray(w)
    p = Problem(x.shape, w.shape, stride, dilation, padding, boundary, groups, flip)
    arrays = (x, w) if bias is None else (x, w, np.asarray(bias))
    dtype, work = result_and_work(arrays, accumulate)
    xg = p.split_channels(p.extend(x.astype(work), fill), p.c)
    wg = p.split_filters(w.astype(work))
    y = np.zeros((p.n, groups, p.k, *p.out), work)
    for tap in p.taps():
        y += np.einsum("ngc...,gkc->ngk...", xg[(..., *p.seen_by(tap))], wg[(..., *tap)])
    y = y.reshape(p.n, groups * p.k, *p.out)
    if bias is not None:
        y += arrays[2].astype(work).reshape(-1, *(1,) * p.rank)
    return y.astype(dtype)


def input_grad(
    x_shape,
    w,
    g,
    *,
    stride=1,
    dilation=1,
    padding=0,
    boundary="constant",
    groups=1,
    flip=False,
    accumulate=None,
):
    """Transpose of `correlate` in its input.

    ``sum(correlate(x, w) * g) == sum(x * input_grad(x.shape, w, g))`` for every `x`; no conjugate
    is taken. What an output took from an added sample goes back to the sample that it repeated.

    Parameters
    ----------
    x_shape : tuple of int
        (N, G*C, *space).
    w : array_like, shape (G*K, C, *taps)
    g : array_like, shape (N, G*K, *out)
        Weight of every output.

    Other parameters as in `correlate`.

    Returns
    -------
    ndarray of shape `x_shape`
    """
    w, g = np.asarray(w), np.asarray(g)
    p = Problem(x_shape, w.shape, stride, dilation, padding, boundary, groups, flip)
    p.check_outputs(g.shape)
    dtype, work = result_and_work((w, g), accumulate)
    gg = p.split_channels(g.astype(work), p.k)
    wg = p.split_filters(w.astype(work))
    xg = np.zeros((p.n, groups, p.c, *p.extended), work)
    for tap in p.taps():
        xg[(..., *p.seen_by(tap))] += np.einsum("ngk...,gkc->ngc...", gg, wg[(..., *tap)])
    return p.fold_back(xg.reshape(p.n, groups * p.c, *p.extended)).astype(dtype)


def weight_grad(
    x,
    w_shape,
    g,
    *,
    stride=1,
    dilation=1,
    padding=0,
    boundary="constant",
    fill=0,
    groups=1,
    flip=False,
    accumulate=None,
):
    """Transpose of `correlate` in its weights.

    ``sum(correlate(x, w) * g) == sum(w * weight_grad(x, w.shape, g))`` for every `w`; no conjugate
    is taken.

    Parameters
    ----------
    x : array_like, shape (N, G*C, *space)
    w_shape : tuple of int
        (G*K, C, *taps).
    g : array_like, shape (N, G*K, *out)
        Weight of every output.

    Other parameters as in `correlate`.

    Returns
    -------
    ndarray of shape `w_shape`
    """
    x, g = np.asarray(x), np.asarray(g)
    p = Problem(x.shape, w_shape, stride, dilation, padding, boundary, groups, flip)
    p.check_outputs(g.shape)
    dtype, work = result_and_work((x, g), accumulate)
    xg = p.split_channels(p.extend(x.astype(work), fill), p.c)
    gg = p.split_channels(g.astype(work), p.k)
    gw = np.zeros((groups, p.k, p.c, *p.kernel), work)
    for tap in p.taps():
        terms = np.einsum("ngc...,ngk...->gkc...", xg[(..., *p.seen_by(tap))], gg)
        gw[(..., *tap)] = terms.sum(tuple(range(3, 3 + p.rank)), dtype=work)
    return p.join_filters(gw).astype(dtype)


def bias_grad(g, *, accumulate=None):
    """Transpose of `correlate` in its bias: the sum of `g` over batch and space, shape (G*K,)."""
    g = np.asarray(g)
    dtype, work = result_and_work((g,), accumulate)
    return g.sum((0, *range(2, g.ndim)), dtype=work).astype(dtype)


def result_and_work(arrays, accumulate):
    """(type of the result, type to compute in)."""
    dtype = np.result_type(*arrays)
    narrow = dtype.name in ("float16", "bfloat16")
    return dtype, np.dtype(accumulate or (np.float32 if narrow else dtype))
