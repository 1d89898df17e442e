# SPDX-License-Identifier: BSD-3-Clause
"""The correlate pass, its two adjoints, and the boundary rules they share.

For input ``x`` of shape ``(N, G*C, *space)`` and weights ``w`` of shape ``(G*K, C, *taps)``::

    y[n, g*K + k, o] = sum over c, t of  xp[n, g*C + c, o*stride + t*dilation] * w[g*K + k, c, t]

where ``xp`` is ``x`` extended on every spatial axis by ``padding`` samples of the boundary rule.
Padding is values: an infinite weight times a padded zero is NaN.
"""

from itertools import product

import numpy as np

BOUNDARIES = ("constant", "replicate", "reflect", "symmetric", "circular")


def boundary_index(n, before, after, boundary):
    """Where each sample of an extended axis comes from.

    Parameters
    ----------
    n : int
        Length of the axis.
    before, after : int
        Samples added at each end; a negative number drops samples.
    boundary : str
        ``"constant"``, ``"replicate"`` (aaa|abc|ccc), ``"reflect"`` (cb|abc|ba), ``"symmetric"``
        (ba|abc|cb) or ``"circular"`` (bc|abc|ab). Extensions longer than the axis turn again.

    Returns
    -------
    ndarray of intp, shape (before + n + after,)
        Index into the axis, or -1 for a sample of the constant.

    Raises
    ------
    ValueError
        For an unknown boundary, and for an empty axis that has nothing to repeat.

    Examples
    --------
    >>> boundary_index(3, 2, 4, "reflect")
    array([2, 1, 0, 1, 2, 1, 0, 1, 2])
    """
    if boundary not in BOUNDARIES:
        raise ValueError(f"boundary={boundary!r}: must be one of {BOUNDARIES}")
    i = np.arange(-before, n + after)
    if boundary == "constant":
        return np.where((i >= 0) & (i < n), i, -1)
    if n == 0 and i.size:
        raise ValueError(f"boundary={boundary!r}: an empty axis cannot be extended")
    if boundary == "replicate":
        return i.clip(0, max(n - 1, 0))
    if boundary == "circular":
        return i % max(n, 1)
    if boundary == "symmetric":
        period, fold = max(2 * n, 1), 2 * n - 1
    else:
        period, fold = max(2 * n - 2, 1), 2 * n - 2
    i = i % period
    return np.where(i < n, i, fold - i)


def output_size(n, k, stride=1, dilation=1, before=0, after=0):
    """Number of outputs along one axis.

    ``floor((n + before + after - dilation*(k - 1) - 1) / stride) + 1``, never below 0 (Dumoulin &
    Visin, *A guide to convolution arithmetic for deep learning*, arXiv:1603.07285).

    Examples
    --------
    >>> output_size(5, 3, stride=2, before=1, after=1)
    3
    """
    return max((n + before + after - dilation * (k - 1) - 1) // stride + 1, 0)


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
    p = _Problem(x.shape, w.shape, stride, dilation, padding, boundary, groups)
    arrays = (x, w) if bias is None else (x, w, np.asarray(bias))
    dtype, work = _dtypes(arrays, accumulate)
    xg = p.split_channels(p.extend(x.astype(work), fill), p.c)
    wg = p.split_filters(w.astype(work), flip)
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
    p = _Problem(x_shape, w.shape, stride, dilation, padding, boundary, groups)
    p.check_outputs(g.shape)
    dtype, work = _dtypes((w, g), accumulate)
    gg = p.split_channels(g.astype(work), p.k)
    wg = p.split_filters(w.astype(work), flip)
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
    p = _Problem(x.shape, w_shape, stride, dilation, padding, boundary, groups)
    p.check_outputs(g.shape)
    dtype, work = _dtypes((x, g), accumulate)
    xg = p.split_channels(p.extend(x.astype(work), fill), p.c)
    gg = p.split_channels(g.astype(work), p.k)
    gw = np.zeros((groups, p.k, p.c, *p.kernel), work)
    for tap in p.taps():
        terms = np.einsum("ngc...,ngk...->gkc...", xg[(..., *p.seen_by(tap))], gg)
        gw[(..., *tap)] = terms.sum(tuple(range(3, 3 + p.rank)), dtype=work)
    return _reverse(gw.reshape(w_shape), flip).astype(dtype)


def bias_grad(g, *, accumulate=None):
    """Transpose of `correlate` in its bias: the sum of `g` over batch and space, shape (G*K,)."""
    g = np.asarray(g)
    dtype, work = _dtypes((g,), accumulate)
    return g.sum((0, *range(2, g.ndim)), dtype=work).astype(dtype)


class _Problem:
    """The plain numbers of one problem, and the views and index maps that follow from them."""

    def __init__(self, x_shape, w_shape, stride, dilation, padding, boundary, groups):
        self.rank = len(x_shape) - 2
        if self.rank < 1 or len(w_shape) != len(x_shape):
            raise ValueError(f"shapes {x_shape} and {w_shape}: need equal ranks of at least 3")
        self.n, channels, *self.space = x_shape
        filters, self.c, *self.kernel = w_shape
        if channels != groups * self.c or filters % groups:
            raise ValueError(f"shapes {x_shape} and {w_shape} do not fit groups={groups}")
        self.groups, self.k = groups, filters // groups
        self.stride = _per_axis(stride, self.rank)
        self.dilation = _per_axis(dilation, self.rank)
        self.padding = [_per_axis(ends, 2) for ends in _per_axis(padding, self.rank)]
        self.boundary = _per_axis(boundary, self.rank)
        self.extended = [
            max(n + before + after, 0)
            for n, (before, after) in zip(self.space, self.padding, strict=True)
        ]
        self.out = [
            output_size(*size)
            for size in zip(self.extended, self.kernel, self.stride, self.dilation, strict=True)
        ]

    def check_outputs(self, g_shape):
        """Reject a gradient that is not of the output's shape."""
        want = (self.n, self.groups * self.k, *self.out)
        if g_shape != want:
            raise ValueError(f"g has shape {g_shape}: the outputs have {want}")

    def taps(self):
        """Every tap of the kernel as an index tuple."""
        return product(*map(range, self.kernel))

    def seen_by(self, tap):
        """Slices of the extended input that a tap multiplies, one sample for each output."""
        return tuple(
            slice(t * d, t * d + s * (o - 1) + 1, s) if o else slice(0)
            for t, d, s, o in zip(tap, self.dilation, self.stride, self.out, strict=True)
        )

    def split_channels(self, a, size):
        """View (N, G*size, *space) as (N, G, size, *space)."""
        return a.reshape(a.shape[0], self.groups, size, *a.shape[2:])

    def split_filters(self, w, flip):
        """Filters as (G, K, C, *taps), reversed for a convolution."""
        return _reverse(w, flip).reshape(self.groups, self.k, self.c, *self.kernel)

    def index_maps(self):
        """(axis, index map) of every spatial axis."""
        axes = zip(self.space, self.padding, self.boundary, strict=True)
        for axis, (n, (before, after), boundary) in enumerate(axes, start=2):
            yield axis, boundary_index(n, before, after, boundary)

    def extend(self, x, fill):
        """`x` with its padding."""
        for axis, index in self.index_maps():
            outside = _along(index < 0, axis, x.ndim)
            if x.shape[axis]:
                x = np.where(outside, _cast(fill, x.dtype), x.take(index.clip(0), axis))
            else:
                shape = (*x.shape[:axis], index.size, *x.shape[axis + 1 :])
                x = np.full(shape, _cast(fill, x.dtype))
        return x

    def fold_back(self, xp):
        """Transpose of `extend`: each added sample is summed into the one it repeats."""
        for axis, index in self.index_maps():
            xp = np.moveaxis(xp, axis, 0)
            x = np.zeros((self.space[axis - 2], *xp.shape[1:]), xp.dtype)
            for i, sample in zip(index, xp, strict=True):
                if i >= 0:
                    x[i] += sample
            xp = np.moveaxis(x, 0, axis)
        return xp


def _per_axis(value, rank):
    """One value for each axis, from one for all or a sequence."""
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return [value] * rank
    if len(value) != rank:
        raise ValueError(f"{value!r}: need one entry for each of {rank} axes")
    return list(value)


def _dtypes(arrays, accumulate):
    """(type of the result, type to compute in)."""
    dtype = np.result_type(*arrays).newbyteorder("=")
    narrow = dtype.name in ("float16", "bfloat16")
    return dtype, np.dtype(accumulate or (np.float32 if narrow else dtype))


def _reverse(w, flip):
    return np.flip(w, tuple(range(2, w.ndim))) if flip else w


def _along(vector, axis, ndim):
    return vector.reshape([-1 if i == axis else 1 for i in range(ndim)])


def _cast(value, dtype):
    return np.asarray(value).astype(dtype)
