# SPDX-License-Identifier: BSD-3-Clause
"""Pools over arrays (N, C, *space): what each kernel call gets, in which dtype, piece by piece.

Arrays that are stored in one dtype and computed in another are converted a few planes at a time, so
that the copies stay small; so are powers and shares.
"""

import functools
import math

import numpy as np

from .. import _check, _core
from ._passes import CONVERTED_BYTES

INT64, UINT64 = np.dtype(np.int64), np.dtype(np.uint64)
INDEX_LIMIT = 2**31  # positions from here on do not fit beside a sample of 4 bytes


# ---- dtypes --------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def average_dtypes(dtype):
    """Dtype of averages, and the one to compute in: integers are summed in 64 bits."""
    if dtype.kind == "b":
        raise TypeError("averages of bool are not defined: convert the input first")
    dtype, work = _check.layer_dtypes(None, dtype)
    return dtype, {"i": INT64, "u": UINT64}.get(dtype.kind, work)


@functools.lru_cache(maxsize=256)
def maximum_dtypes(dtype, samples=0):
    """Dtype of maxima, and the one to compute in; with positions among so many samples."""
    if dtype.kind == "c":
        raise TypeError(f"complex numbers have no maximum: dtype {dtype}")
    dtype, work = _check.layer_dtypes(None, dtype)
    if samples and work.kind in "iub":
        work = INT64 if work.kind == "i" else UINT64
    elif samples >= INDEX_LIMIT:
        work = np.dtype(np.float64)
    return dtype, work


@functools.lru_cache(maxsize=256)
def power_dtypes(*dtypes):
    """Dtype of power averages, and the one to compute in: integers become float64."""
    dtype = np.result_type(*dtypes)
    return _check.layer_dtypes(None, np.dtype(float) if dtype.kind in "biu" else dtype)


@functools.lru_cache(maxsize=256)
def share_dtypes(dtype):
    """Dtype of gradients of averages, and the one to compute in."""
    if dtype.kind in "biu":
        raise TypeError(f"gradients of averages have fractions: no dtype {dtype}")
    return _check.layer_dtypes(None, dtype)


# ---- pieces --------------------------------------------------------------------------------------


def by_planes(run, work, reads, write, kept=(), small=False):
    """``run(*reads, *kept, write)`` with `reads` and `write` in dtype `work`, at once or by pieces.

    Parameters
    ----------
    run : callable
    work : dtype
    reads, kept : sequence of ndarray, shape (N, C, ...)
        Those of `kept` stay as they are.
    write : ndarray, shape (N, C, ...)
    small : bool
        Pieces even where nothing is to be converted, because `run` makes copies.
    """
    plain = all(a.dtype == work for a in reads) and _is_ready(write, work)
    if plain and not small:
        run(*reads, *kept, write)
        return
    for part in _parts(write.shape[:2], work.itemsize * max(a.size for a in (*reads, write))):
        sources = [a[part].astype(work, copy=False) for a in reads]
        target = write[part]
        result = target if _is_ready(target, work) else np.empty(target.shape, work)
        run(*sources, *(a[part] for a in kept), result)
        if result is not target:
            with np.errstate(over="ignore"):
                target[...] = result


def _is_ready(a, dtype):
    """Whether the kernels can write the array: they write lines of contiguous samples."""
    contiguous = a.strides[-1] == a.itemsize or a.shape[-1] == 1
    return contiguous and a.dtype == dtype and _core.canonical(a) is a


def _parts(shape, nbytes):
    """Indices of pieces of (N, C) planes that take `nbytes` together."""
    batch, channels = shape
    planes = max(1, CONVERTED_BYTES * batch * channels // max(1, nbytes))
    if planes >= channels:
        step = planes // max(1, channels)
        return [(slice(n, n + step),) for n in range(0, batch, step)]
    starts = range(0, channels, planes)
    return [(slice(n, n + 1), slice(c, c + planes)) for n in range(batch) for c in starts]


# ---- pools ---------------------------------------------------------------------------------------


def average(windows, x, y, work, *, count_include_pad=True, divisor=0, workers):
    """Averages of x's windows; writes y."""
    options = {"axes": windows.axes, "maximum": False, "workers": workers}
    options |= {"count_pad": count_include_pad, "divisor": divisor}
    by_planes(lambda x, y: _core.pool(x, y, **options), work, (x,), y)


def maximum(windows, x, y, work, *, index=None, workers):
    """Maxima of x's windows; writes y, and their positions to index."""
    options = {"axes": windows.axes, "maximum": True, "workers": workers}
    if index is None:
        by_planes(lambda x, y: _core.pool(x, y, **options), work, (x,), y)
        return
    found = index if index.flags.c_contiguous else np.empty(index.shape, np.int64)
    by_planes(lambda x, i, y: _core.pool(x, y, i, **options), work, (x,), y, kept=(found,))
    if found is not index:
        index[...] = found


def power_average(windows, x, y, work, norm, workers):
    """Power averages of x's windows; writes y."""

    def run(x, y):
        if math.isinf(norm):
            sizes = _signed_sizes(x, norm)
            largest = np.empty(y.shape, sizes.dtype)
            maximum(windows, sizes, largest, sizes.dtype, workers=workers)
            y[...] = math.copysign(1, norm) * largest
            return
        average(windows, _power(x, norm), y, work, workers=workers)
        np.multiply(y, _taps(windows), out=y)
        y[...] = _power(y, 1 / norm)

    with np.errstate(all="ignore"):
        by_planes(run, work, (x,), y, small=True)


def _signed_sizes(x, norm):
    return np.abs(x) if norm > 0 else -np.abs(x)


def _power(x, exponent):
    """``x**exponent``, small whole powers by products."""
    if exponent == 1:
        return x
    if exponent == 2:
        return np.square(x)
    if exponent == 3:
        return np.square(x) * x
    return np.sqrt(x) if exponent == 0.5 else x**exponent


def _taps(windows):
    return math.prod(kernel for kernel, *_ in windows.axes)


# ---- gradients -----------------------------------------------------------------------------------


def average_grad(windows, g, x, work, *, count_include_pad=True, divisor=0, workers):
    """Gradient of averages: every output's share for each sample of its window; writes x."""
    by = divisor or windows.divisors(count_include_pad).astype(np.finfo(work).dtype)
    by_planes(
        lambda g, x: _core.pool_adjoint(g / by, x, axes=windows.axes, workers=workers),
        work,
        (g,),
        x,
        small=True,
    )


def maximum_grad(g, index, x, work, workers):
    """Gradient of maxima: g added up where they were; writes x."""
    by_planes(
        lambda g, i, x: _by_index("add", g, i, x, workers), work, (g,), x, kept=(index,), small=True
    )


def power_average_grad(windows, x, g, to, work, norm, workers):
    """Gradient of power averages; writes to."""

    def run(x, g, to):
        if math.isinf(norm):
            sizes = _signed_sizes(x, norm)
            _, comparing = maximum_dtypes(sizes.dtype, math.prod(windows.space))
            index = np.empty(g.shape, np.int64)
            largest = np.empty(g.shape, sizes.dtype)
            maximum(windows, sizes, largest, comparing, index=index, workers=workers)
            _by_index("add", g, index, to, workers)
            np.multiply(to, np.sign(x), out=to)
            return
        total = np.empty(g.shape, work)
        average(windows, _power(x, norm), total, work, workers=workers)
        total *= _taps(windows)
        slope = np.where(total == 0, 0, g * _power(total, 1 / norm - 1)).astype(work, copy=False)
        average_grad(windows, slope, to, work, workers=workers)
        np.multiply(to, _power(x, norm - 1), out=to)
        to *= _taps(windows)

    with np.errstate(all="ignore"):
        by_planes(run, work, (x, g), to, small=True)


# ---- samples by position -------------------------------------------------------------------------


def place(how, source, index, target, workers):
    """Samples ``how`` "pick" or "put" by position, whatever their dtype; writes target."""
    if source.itemsize <= 8:
        plain = np.dtype(f"u{source.itemsize}")
        source, target = source.view(plain), target.view(plain)
    _by_index(how, source, index, target, workers)


def _by_index(how, source, index, target, workers):
    """Arrays (N, C, *space) as contiguous planes."""
    planes = math.prod(index.shape[:2])
    samples, indices = math.prod(source.shape[2:]), math.prod(index.shape[2:])
    to = target if target.flags.c_contiguous else np.empty(target.shape, target.dtype)
    _core.by_index(
        how,
        np.ascontiguousarray(source).reshape(planes, samples),
        np.ascontiguousarray(index).reshape(planes, indices),
        to.reshape(planes, math.prod(to.shape[2:])),
        workers=workers,
    )
    if to is not target:
        target[...] = to


def positions(index, samples, least):
    """Positions in a flattened space of so many samples, as int64; all must lie in it."""
    if index.dtype.kind not in "iu":
        raise TypeError(f"indices: must be integers, not {index.dtype}")
    if index.size and not (least <= index.min() and index.max() < samples):
        found = f"but reach from {index.min()} to {index.max()}"
        raise ValueError(f"indices: must be at least {least} and less than {samples}, {found}")
    return index.astype(np.int64, copy=False)
