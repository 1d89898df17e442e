# SPDX-License-Identifier: BSD-3-Clause
"""Arrays that are stored in one dtype and computed in another.

They are converted in pieces, so that the copies stay small: some samples of the batch at a time, or
of a single large sample some rows of the output.
"""

from dataclasses import replace

import numpy as np

from .. import _core
from .._methods import extended

CONVERTED_BYTES = 6 << 20  # what a piece takes, unless one row of the output takes more


def convert(run, p, read, w, bias, write, work, cut, **options):
    """``run(p, read, w, bias, write, **options)`` in dtype `work`, at once or in `cut` pieces."""
    if _core.are_ready(work, read, w, bias, write):
        run(p, read, w, bias, write, **options)
        return
    w = w.astype(work, copy=False)
    bias = None if bias is None else bias.astype(work, copy=False)
    for part in parts(len(read), _sample_bytes(work, read, write)):
        for q, source, target in cut(p, read[part], write[part], work):
            result = target if _core.are_ready(work, target) else np.empty(target.shape, work)
            run(q, source.astype(work, copy=False), w, bias, result, **options)
            if result is not target:
                store(result, target)


def convert_and_sum(run, p, x, y, w, work, *, conjugate, **options):
    """``run(p, x, y, w, **options)`` in dtype `work`, summed over pieces.

    ``conjugate="x"`` or ``"y"`` names the array that is conjugated.
    """
    conjugate = conjugate if work.kind == "c" else ""
    if not conjugate and _core.are_ready(work, x, y, w):
        run(p, x, y, w, **options)
        return
    total = np.zeros(w.shape, work)
    result = np.empty(w.shape, work)
    for part in parts(len(x), _sample_bytes(work, x, y)):
        for q, *arrays in cut_outputs(p, x[part], y[part], work):
            arrays = [a.astype(work, copy=False) for a in arrays]
            if conjugate:
                at = "xy".index(conjugate)
                arrays[at] = arrays[at].conj()
            run(q, *arrays, result, **options)
            total += result
    store(total, w)


def cut_outputs(p, x, y, work):
    """Pieces (numbers, x, y) of a convolution, or of the gradient of its weight, by rows of y."""
    stride, before, reach = p.stride[0], p.before[0], p.reach[0]
    step = _rows_at_once(x, y, work, stride, reach)
    if not step:
        yield p, x, y
        return
    for first in range(0, y.shape[2], step):
        outputs = y[:, :, first : first + step]
        start = first * stride - before
        window = slice(start, start + (outputs.shape[2] - 1) * stride + reach)
        samples = extended(x, 2, window, p.boundary[0], 0)
        yield _piece(p, samples, outputs, 0), samples, outputs


def cut_inputs(p, y, x, work):
    """Pieces (numbers, y, x) of the gradient of the input, by rows of x."""
    stride, before, reach = p.stride[0], p.before[0], p.reach[0]
    step = stride * _rows_at_once(x, y, work, stride, reach)
    if not step or any(p.boundary):  # what borders add to other rows is not cut
        yield p, y, x
        return
    for first in range(0, x.shape[2], step):
        samples = x[:, :, first : first + step]
        low = max(0, -((reach - 1 - before - first) // stride))
        high = max(low, (first + samples.shape[2] - 1 + before) // stride + 1)
        outputs = y[:, :, low:high]
        yield _piece(p, samples, outputs, before + first - low * stride), outputs, samples


def _piece(p, x, y, before):
    """The numbers of a piece that begins so many samples after the padding does."""
    before, after = (before, *p.before[1:]), (0, *p.after[1:])
    return replace(p, x_shape=x.shape, y_shape=y.shape, before=before, after=after)


def _rows_at_once(x, y, work, stride, reach):
    """Rows of y that are converted at once with the rows of x that they read; 0 is all of them."""
    if x.shape[0] > 1 or _sample_bytes(work, x, y) <= CONVERTED_BYTES:
        return 0
    x_row, y_row = (_sample_bytes(work, a) // max(1, a.shape[2]) for a in (x, y))
    return max(1, (CONVERTED_BYTES - reach * x_row) // (stride * x_row + y_row))


def _sample_bytes(work, *arrays):
    return work.itemsize * sum(a.size for a in arrays) // max(1, len(arrays[0]))


def parts(batch, sample_bytes):
    """Slices of the batch of at most CONVERTED_BYTES, and at least one sample."""
    step = max(1, CONVERTED_BYTES // max(1, sample_bytes))
    return [slice(i, i + step) for i in range(0, batch, step)]


def store(result, target):
    """Copy into an array of another dtype; what float16 cannot hold is infinite, not a warning."""
    with np.errstate(over="ignore"):
        target[...] = result
