# SPDX-License-Identifier: BSD-3-Clause
"""Pools over arrays (N, C, *space): what each kernel call gets, in which dtype, piece by piece.

Arrays that are stored in one dtype and computed in another are converted a few planes at a time, so
that the copies stay small; so are powers and shares.
"""

import functools
import math

import numpy as np

from .. import _check, _core
from ._storage import CONVERTED_BYTES, store

INT64 = np.dtype(np.int64)
INDEX_LIMIT = 2**31  # positions from here on do not fit beside a sample of 4 bytes

# Codes of pyconvc_stored for dtypes that the kernels compute in a wider one.
NARROW = {"float16": 1, "bfloat16": 2}
WIDENED = {"float32": 3, "int8": 4, "uint8": 5, "int16": 6, "uint16": 7, "int32": 8, "uint32": 9}


# ---- dtypes ------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def average_stored(dtype):
    """How samples are stored whose averages are computed: integers are summed in 64 bits."""
    if dtype.kind == "b":
        raise TypeError("averages of bool are not defined: convert the input first")
    _check.layer_dtypes(None, dtype)
    return NARROW.get(dtype.name) or (WIDENED.get(dtype.name, 0) if dtype.kind in "iu" else 0)


@functools.lru_cache(maxsize=256)
def maximum_stored(dtype, samples=0):
    """How samples are stored whose maxima are computed; with positions among so many `samples`."""
    if dtype.kind == "c":
        raise TypeError(f"complex numbers have no maximum: dtype {dtype}")
    _check.layer_dtypes(None, dtype)
    if dtype.name in NARROW:
        return NARROW[dtype.name]
    widened = samples >= INDEX_LIMIT or (samples and dtype.kind in "iub")
    return WIDENED.get("uint8" if dtype.kind == "b" else dtype.name, 0) if widened else 0


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


# ---- arrays ------------------------------------------------------------------------------------


def batch(name, array, rank):
    """A canonical array (N, C, *space), and whether it had an N."""
    a = _check.array(array, name)
    return _check.layer_batch(name, a, rank), a.ndim == rank + 2


def batch_beside(name, array, rank, is_batched):
    """The same of an array that has an N if another one has."""
    a = _check.array(array, name)
    if a.ndim != rank + 1 + is_batched:
        form = "(N, C, *space)" if is_batched else "(C, *space)"
        raise _check.bad(f"{name}.shape", a.shape, f"must be {form} with {rank} axes of space")
    return a if is_batched else a[None]


def output(out, shape, dtype, is_batched, **reads):
    """What is given back, and the same as (N, C, *space)."""
    y = _check.output(out, shape if is_batched else shape[1:], dtype, **reads)
    return y, y if is_batched else y[None]


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
    if not small and _core.are_ready(work, *reads, write):
        run(*reads, *kept, write)
        return
    for part in _parts(write.shape[:2], work.itemsize * max(a.size for a in (*reads, write))):
        sources = [a[part].astype(work, copy=False) for a in reads]
        target = write[part]
        result = target if _core.are_ready(work, target) else np.empty(target.shape, work)
        run(*sources, *(a[part] for a in kept), result)
        if result is not target:
            store(result, target)


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


def average(windows, x, y, *, count_include_pad=True, divisor=0, workers):
    """Averages of x's windows; writes y."""

    def run(x, y):
        _core.pool(
            x,
            y,
            axes=windows.axes,
            maximum=False,
            count_pad=count_include_pad,
            divisor=divisor,
            stored=average_stored(x.dtype),
            workers=workers,
        )

    by_planes(run, x.dtype, (x,), y)


def maximum(windows, x, y, *, index=None, workers):
    """Maxima of x's windows; writes y, and their positions to index."""
    stored = maximum_stored(x.dtype, 0 if index is None else math.prod(windows.space))
    options = {"axes": windows.axes, "maximum": True, "stored": stored, "workers": workers}
    if stored and x.dtype.kind == "b":
        x, y = x.view(np.uint8), y.view(np.uint8)
    if index is None:
        by_planes(lambda x, y: _core.pool(x, y, **options), x.dtype, (x,), y)
        return
    found = index if index.flags.carray else np.empty(index.shape, np.int64)
    by_planes(lambda x, i, y: _core.pool(x, y, i, **options), x.dtype, (x,), y, kept=(found,))
    if stored and x.dtype.kind == "i":
        y[found < 0] = np.iinfo(y.dtype).min  # that of the wider dtype has other bits
    if found is not index:
        index[...] = found


def power_average(windows, x, y, work, norm, workers):
    """Power averages of x's windows; writes y."""

    def run(x, y):
        if math.isinf(norm):
            sizes = _signed_sizes(x, norm)
            largest = np.empty(y.shape, sizes.dtype)
            maximum(windows, sizes, largest, workers=workers)
            y[...] = math.copysign(1, norm) * largest
            return
        average(windows, _power(x, norm), y, workers=workers)
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
            index = np.empty(g.shape, np.int64)
            largest = np.empty(g.shape, sizes.dtype)
            maximum(windows, sizes, largest, index=index, workers=workers)
            _by_index("add", g, index, to, workers)
            np.multiply(to, np.sign(x), out=to)
            return
        total = np.empty(g.shape, work)
        average(windows, _power(x, norm), total, workers=workers)
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
