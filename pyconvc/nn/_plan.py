# SPDX-License-Identifier: BSD-3-Clause
"""A convolution layer whose weights and numbers are fixed: everything that can be done once is."""

import numpy as np

from .. import _check, _choose, _core, _threads
from . import _geometry
from ._prepared import prepared
from ._storage import convert, cut_outputs

__all__ = ["Plan", "plan"]


def plan(
    input_shape,
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
):
    """Prepare a convolution for many inputs of one shape.

    Parameters
    ----------
    input_shape : sequence of int
        (N, C, *space) or (C, *space).
    weight, bias : array_like
        Their values now: later changes to the arrays do not matter.
    stride, padding, dilation, groups, padding_mode, flip_filters, method, accumulate
        As in `conv1d`, `conv2d` and `conv3d`. ``method="auto"`` counts what weights cost that are
        prepared at each call, so a plan may take ``"winograd"``, or larger tiles of it, where a
        function does not.
    workers : int, optional
        Threads for each call. Default: what `pyconvc.get_num_threads` says at the call.

    Returns
    -------
    Plan
        Called with an input it gives what the function would.

    Raises
    ------
    ValueError, TypeError
        As the functions.

    Examples
    --------
    >>> import numpy as np
    >>> from pyconvc import nn
    >>> layer = nn.plan((1, 3, 32, 32), np.ones((8, 3, 3, 3), np.float32), padding=1)
    >>> layer(np.ones((1, 3, 32, 32), np.float32)).shape
    (1, 8, 32, 32)
    >>> layer.output_shape, layer.flops
    ((1, 8, 32, 32), 442368)
    """
    w = _check.array(weight, "weight")
    rank = w.ndim - 2
    if not 1 <= rank <= 3:
        raise _check.bad("weight.shape", w.shape, "must have 1 to 3 axes of taps after (G*K, C)")
    b = None if bias is None else _check.array(bias, "bias")
    dtype, work = _check.layer_dtypes(accumulate, *(a.dtype for a in (w, b) if a is not None))
    shape, batched = _geometry.sizes("input_shape", input_shape, rank)
    p = _geometry.forward(shape, w.shape, stride, padding, dilation, groups, padding_mode)
    _check.layer_bias(b, p.y_shape[1])
    now = _threads.resolve(workers)
    choice = _choose.layer(p, work, _check.name("method", method), packed=True)
    w = np.array(w, work, order="C")
    b = None if b is None else np.array(b, work, order="C")
    run = prepared(p, w, flip_filters, choice, method, now)
    numbers = p, batched, dtype, work
    return Plan(choice.method, run, w, b, numbers, flip_filters, accumulate, workers)


class Plan:
    """A convolution made by `plan`; several threads may call it at once.

    Attributes
    ----------
    method : {"direct", "winograd", "gemm", "fft"}
        How it computes. Where ``method="auto"`` chose ``"fft"``, an input on which that would not
        keep the error bound is computed directly.
    input_shape, output_shape : tuple of int
    dtype : dtype
        Of the weights, and of the result for inputs of that dtype.
    flops : int
        Multiplications and additions of one call, two for each tap.
    packed_bytes : int
        Memory of the weights, in all forms that are kept.
    workspace_bytes : int
        Most memory that a call takes beside its input, its result and what is kept.
    """

    def __init__(self, method, run, weight, bias, numbers, flip, accumulate, workers):
        self.method, self._run = method, run
        self._weight, self._bias, self._flip = weight, bias, flip
        self._numbers, self._batched, self.dtype, self._work = numbers
        self._accumulate, self._workers = accumulate, workers
        p = self._numbers
        self.input_shape = p.x_shape if self._batched else p.x_shape[1:]
        self.output_shape = p.y_shape if self._batched else p.y_shape[1:]
        self.flops = 2 * p.multiply_adds
        self.packed_bytes = weight.nbytes + run.kept_bytes

    @property
    def workspace_bytes(self):
        """Most memory that a call takes beside its input, its result and what is kept."""
        return self._run.workspace_bytes(_threads.resolve(self._workers))

    def __call__(self, x, out=None):
        """Convolve an input of the planned shape.

        Parameters
        ----------
        x : array_like of shape `input_shape`
        out : ndarray of shape `output_shape`, optional
            Where to put the result.

        Returns
        -------
        ndarray of shape `output_shape`

        Raises
        ------
        ValueError
            If a shape is not as planned.
        TypeError
            If `x` is of a dtype that would be computed in another one than planned.
        """
        workers = _threads.resolve(self._workers)
        if out is None and self._batched:
            y = self._run.plain(x, self._bias, workers)
            if y is not None:
                return y
        x = _check.array(x)
        if x.shape != self.input_shape:
            _check.layer_shape("input.shape", x.shape, self.input_shape, "as planned")
        dtype, work = _check.layer_dtypes(self._accumulate, x.dtype, self.dtype)
        if work != self._work:
            raise TypeError(
                f"input.dtype={x.dtype}: must be one that is computed in {self._work}, as planned, "
                f"not in {work}"
            )
        if out is None:
            y = _core.empty(self.output_shape, dtype, x)
        else:
            y = _check.output(out, self.output_shape, dtype, input=x)
        source, target = (x, y) if self._batched else (x[None], y[None])
        kept = self._weight, self._bias
        options = {"flip": self._flip, "workers": workers}
        convert(self._run, self._numbers, source, *kept, target, work, cut_outputs, **options)
        return y

    def __repr__(self):
        p = self._numbers
        parts = [
            f"{self.dtype} {self.input_shape} -> {self.output_shape}",
            f"{'x'.join(map(str, p.w_shape[2:]))} taps",
            *(f"{name} {value}" for name, value in self._given()),
            self.method,
            f"{self.flops / 1e6:.4g} MFLOP",
            f"weights {self.packed_bytes / 2**20:.3g} MiB",
            f"workspace {self.workspace_bytes / 2**20:.3g} MiB",
        ]
        return f"<pyconvc.nn.Plan: {', '.join(parts)}>"

    def _given(self):
        """Names and values of what is not as by default."""
        p = self._numbers
        for name in ("stride", "dilation"):
            if any(n != 1 for n in getattr(p, name)):
                yield name, getattr(p, name)
        if any(p.before) or any(p.after):
            yield "padding", tuple(zip(p.before, p.after, strict=True))
        if p.groups != 1:
            yield "groups", p.groups
        if any(p.boundary):
            yield "boundary", _check.BOUNDARIES[p.boundary[0]]
        if self._flip:
            yield "filters", "flipped"
