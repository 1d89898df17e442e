"""From the arguments of pyconvc.signal to a `Filtering`: everything checked, the problem stated."""

import math
from dataclasses import replace

import numpy as np

from . import _check, _methods, _threads

# Boundaries under which mode "same" of a correlation starts at k // 2 of the full result.
LATE = frozenset(range(len(_check.BOUNDARIES)))
LATE_UNLESS_FILL = LATE - {0}


def computing_dtype(dtype):
    """The dtype of the kernels that compute results of a dtype."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype.newbyteorder("=")


def filtering(
    in1,
    in2,
    mode,
    axes,
    boundary,
    fillvalue,
    workers,
    out,
    *,
    names=("in1", "in2"),
    commute=True,
    convolution=False,
    late=frozenset(),
    compute=True,
):
    """Check everything, then state the problem.

    `late` holds the boundaries under which "same" starts later, `names` what errors call the
    arrays. Without `compute` the output has a shape and a dtype, but no memory.
    """
    axes = _check.axes(axes, in1.ndim)
    codes = _check.signal_boundaries(boundary, len(axes))
    workers = _threads.resolve(workers)
    dtype = np.result_type(in1, in2)
    kernel_dtype = computing_dtype(dtype)
    # as scipy has it, a value that no boundary asks for is not looked at
    fill = _check.fill_value(fillvalue if 0 in codes else 0, kernel_dtype)
    lead = broadcast_lead(in1, in2, axes, names)
    n, k = ([a.shape[i] for i in axes] for a in (in1, in2))
    windows = [window(*sizes, mode, c in late) for *sizes, c in zip(n, k, codes, strict=True)]
    shape = list(lead)
    for a, (_, size) in zip(axes, windows, strict=True):
        shape[a] = size
    swap = _must_swap(n, k, names) if mode == "valid" else False
    if mode == "valid":
        codes, fill = (0,) * len(axes), np.zeros_like(fill)
    elif not in1.size and any(codes):
        raise ValueError(
            f"in1 cannot be empty with boundary={boundary!r}, but has shape {in1.shape}"
        )
    longer = commute and math.prod(k) > math.prod(n)
    if longer and not swap and not any(codes) and fill == 0 and _check.finite(in1, in2):
        swap = True  # what one array multiplies beyond the other is zero then
    if compute:
        y = _check.output(out, shape, dtype, **dict(zip(names, (in1, in2), strict=True)))
        if kernel_dtype != dtype:
            y = np.empty(shape, kernel_dtype)
    else:
        y = np.broadcast_to(np.empty((), kernel_dtype), shape)
    x, w = (_check.served(a.astype(kernel_dtype, copy=False)) for a in (in1, in2))
    if not convolution:
        w = w.conj() if w.dtype.kind == "c" else w
        if swap:  # the commuted form exists for convolutions: turn the kernel into one
            w, convolution = np.flip(w, axes), True
    if swap:
        x, w = w, x
    pad, rules = [0] * in1.ndim, [0] * in1.ndim
    for a, (first, _), code in zip(axes, windows, codes, strict=True):
        pad[a], rules[a] = w.shape[a] - 1 - first, code
    return _methods.Filtering(x, w, y, axes, tuple(pad), tuple(rules), fill, convolution, workers)


def only(f, axis, rows):
    """The filtering of a slice of the outputs along an axis; those of `f` need no memory."""
    shape, pad = list(f.y.shape), list(f.pad)
    shape[axis] = rows.stop - rows.start
    pad[axis] -= rows.start
    return replace(f, y=np.empty(shape, f.y.dtype), pad=tuple(pad))


def window(n, k, mode, late):
    """(first, size) of the samples of the full output that a mode keeps."""
    if mode == "full":
        if n + k == 0:
            raise ValueError("in1 and in2 cannot both be empty along one axis in mode 'full'")
        return 0, n + k - 1
    if mode == "same":
        return (k // 2 if late else (k - 1) // 2), n
    return min(n, k) - 1, abs(n - k) + 1


def _must_swap(n, k, names):
    """Whether in mode "valid" the second array is the one that contains the other."""
    if all(a >= b for a, b in zip(n, k, strict=True)):
        return False
    if all(a <= b for a, b in zip(n, k, strict=True)):
        return True
    raise ValueError(
        "For 'valid' mode, one must be at least as large as the other in every dimension, "
        f"but {' and '.join(names)} have {tuple(n)} and {tuple(k)} samples"
    )


def broadcast_lead(in1, in2, axes, names=("in1", "in2")):
    """Shape of the result where axes are not convolved; 1 where they are."""
    if len(axes) == in1.ndim:
        return (1,) * in1.ndim
    lead = [[1 if i in axes else n for i, n in enumerate(a.shape)] for a in (in1, in2)]
    try:
        return np.broadcast_shapes(*lead)
    except ValueError:
        raise ValueError(
            f"incompatible shapes for {' and '.join(names)}: {in1.shape} and {in2.shape} must "
            f"broadcast along axes other than {tuple(axes)}"
        ) from None
