# SPDX-License-Identifier: BSD-3-Clause
"""The three passes over a layer's arrays: boundary rules in the adjoints, and dtypes of storage.

Arrays that are stored in one dtype and computed in another are converted a few samples of the batch
at a time, so that the copies stay small.
"""

import numpy as np

from .. import _core
from ._borders import boxes

CONVERTED_BYTES = 8 << 20  # what converted samples take at a time, unless a single one takes more


def correlate(p, x, w, bias, y, *, flip, workers, conjugate=False):
    """The convolution that `p` describes, on arrays of one dtype; writes y."""
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
        workers=workers,
    )


def input_grad(p, y, w, bias, x, *, flip, workers, conjugate=False):
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
    _core.input_grad(y, w, x, bias=bias, pad_before=p.before, **numbers)
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


def by_samples(run, read, w, bias, write, work):
    """``run(read, w, bias, write)`` in dtype `work`, whatever the arrays are stored in."""
    if (
        read.dtype == w.dtype == work
        and is_ready(write, work)
        and (bias is None or bias.dtype == work)
    ):
        run(read, w, bias, write)
        return
    w = w.astype(work, copy=False)
    bias = None if bias is None else bias.astype(work, copy=False)
    for part in _parts_of(work, read, write):
        source, target = read[part], write[part]
        result = target if is_ready(write, work) else np.empty(target.shape, work)
        run(source.astype(work, copy=False), w, bias, result)
        if result is not target:
            store(result, target)


def summed_samples(run, x, y, w, work, conjugate):
    """``run(x, y, w)`` in dtype `work`, summed over parts of the batch.

    ``conjugate="x"`` or ``"y"`` names the array that is conjugated.
    """
    conjugate = conjugate if work.kind == "c" else ""
    if x.dtype == y.dtype == work and is_ready(w, work) and not conjugate:
        run(x, y, w)
        return
    total = np.zeros(w.shape, work)
    result = np.empty(w.shape, work)
    for part in _parts_of(work, x, y):
        arrays = [a[part].astype(work, copy=False) for a in (x, y)]
        if conjugate:
            at = "xy".index(conjugate)
            arrays[at] = arrays[at].conj()
        run(*arrays, result)
        total += result
    store(total, w)


def is_ready(write, work):
    """Whether a pass can write in place; the arrays that it reads were made so before."""
    return write.dtype == work and _core.canonical(write) is write


def parts(batch, sample_bytes):
    """Slices of the batch of at most CONVERTED_BYTES, and at least one sample."""
    step = max(1, CONVERTED_BYTES // max(1, sample_bytes))
    return [slice(i, i + step) for i in range(0, batch, step)]


def _parts_of(work, *arrays):
    batch = arrays[0].shape[0]
    return parts(batch, work.itemsize * sum(a.size for a in arrays) // max(1, batch))


def store(result, target):
    """Copy into an array of another dtype; what float16 cannot hold is infinite, not a warning."""
    with np.errstate(over="ignore"):
        target[...] = result
