# SPDX-License-Identifier: BSD-3-Clause
"""The three passes over a layer's arrays of one dtype, with boundary rules in the adjoints."""

import numpy as np

from .. import _core
from ._borders import boxes


def correlate(p, x, w, bias, y, *, flip, workers, conjugate=False, winograd=0):
    """The convolution that `p` describes, on arrays of one dtype; writes y.

    Directly, or by Winograd's method with so many outputs of a tile along an axis.
    """
    _core.correlate(
        x,
        w,
        y,
        bias=bias,
        channels=True,
        stride=p.stride,
        dilation=p.dilation,
        pad_before=p.before,
        boundary=p.boundary,
        groups=p.groups,
        flip=flip,
        conjugate=conjugate,
        winograd=winograd,
        workers=workers,
    )


def input_grad(p, y, w, bias, x, *, flip, workers, conjugate=False, winograd=0):
    """Its adjoint in x; writes x.

    What added samples get is computed box by box beside the input, and summed into the samples that
    they repeat.
    """
    numbers = {
        "stride": p.stride,
        "dilation": p.dilation,
        "groups": p.groups,
        "flip": flip,
        "conjugate": conjugate,
        "workers": workers,
    }
    _core.input_grad(y, w, x, bias=bias, pad_before=p.before, winograd=winograd, **numbers)
    if not any(p.boundary):
        return
    _itself, *added = boxes(p.x_shape[2:], p.before, p.after, p.boundary)
    for runs in added:
        box = np.empty((*x.shape[:2], *(run.length for run in runs)), x.dtype)
        _core.input_grad(y, w, box, pad_before=tuple(run.start for run in runs), **numbers)
        standing = tuple(axis for axis, run in enumerate(runs, start=2) if not run.step)
        if standing:
            box = box.sum(standing, dtype=box.dtype, keepdims=True)
        x[(..., *(run.of() for run in runs))] += box


def weight_grad(p, x, y, w, *, flip, workers):
    """Its adjoint in w; writes w."""
    _core.weight_grad(
        x,
        y,
        w,
        stride=p.stride,
        dilation=p.dilation,
        pad_before=p.before,
        boundary=p.boundary,
        groups=p.groups,
        flip=flip,
        workers=workers,
    )
