# cython: freethreading_compatible=True, boundscheck=False, wraparound=False, cdivision=True
"""The one crossing: arrays -> pointers and steps, the GIL released, a status -> an exception.

Callers (the public modules, through _check) hand over arrays of one dtype that the kernels know; what an
argument may be and how an error reads is decided there, not here.
"""

from libc.math cimport INFINITY
from libc.string cimport memcpy
from libc.stdint cimport int32_t, int64_t

cimport numpy as cnp

import os

import numpy as np

cnp.import_array()

cdef extern from "Python.h":
    int PyErr_CheckSignals()  # declared without `except`: the pending exception is raised later, with the GIL
    long long PyLong_AsLongLongAndOverflow(object, int *)


cdef int32_t _interrupted(void *data) noexcept with gil:
    return PyErr_CheckSignals() != 0


cdef int _raise_pending() except -1:
    return -1


cdef int _dtype_code(cnp.ndarray a) noexcept:
    """pyconvc_dtype of the array, or -1."""
    cdef int kind = a.descr.kind, size = <int>cnp.PyArray_ITEMSIZE(a)
    if kind == c"f":
        return PYCONVC_F32 if size == 4 else PYCONVC_F64 if size == 8 else -1
    if kind == c"c":
        return PYCONVC_C64 if size == 8 else PYCONVC_C128 if size == 16 else -1
    if kind == c"i" or kind == c"u":
        return PYCONVC_U8 if size == 1 else PYCONVC_U16 if size == 2 else PYCONVC_U32 if size == 4 else PYCONVC_U64
    return PYCONVC_BOOL if kind == c"b" else -1


cpdef bint serves(cnp.dtype dtype):
    """Whether the kernels have this dtype in native byte order (float16, longdouble, object: not)."""
    cdef int kind = dtype.kind, size = <int>dtype.itemsize
    if dtype.byteorder == c">" or dtype.byteorder == c"<":  # native order is "=" or "|"
        return False
    if kind == c"f":
        return size == 4 or size == 8
    return kind in (c"i", c"u", c"b") or (kind == c"c" and size <= 16)


def winograd_axis(int64_t taps, int outputs, bint alone):
    """(elements, parts) of pyconvc_winograd_axis, or None."""
    cdef int64_t parts = 0
    cdef int32_t elements = pyconvc_winograd_axis(taps, outputs, alone, &parts)
    return (elements, parts) if elements else None


def winograd_columns(int64_t input, int64_t output, int64_t pad, int64_t dilation):
    """pyconvc_winograd_columns."""
    return pyconvc_winograd_columns(input, output, pad, dilation)


cdef inline bint _steps_fit(cnp.ndarray a) noexcept:
    """Aligned, native, every stride a whole number of elements."""
    cdef int i
    cdef cnp.npy_intp size = cnp.PyArray_ITEMSIZE(a)
    if not cnp.PyArray_ISBEHAVED_RO(a):
        return False
    for i in range(cnp.PyArray_NDIM(a)):
        if cnp.PyArray_STRIDE(a, i) % size:
            return False
    return True


cdef void _find_span(cnp.ndarray a, cnp.npy_intp *first, cnp.npy_intp *end) noexcept:
    """The addresses between which the samples lie."""
    cdef cnp.npy_intp step
    cdef int i
    first[0] = <cnp.npy_intp>cnp.PyArray_DATA(a)
    end[0] = first[0] + cnp.PyArray_ITEMSIZE(a)
    for i in range(cnp.PyArray_NDIM(a)):
        step = (cnp.PyArray_DIM(a, i) - 1) * cnp.PyArray_STRIDE(a, i)
        if step < 0:
            first[0] += step
        else:
            end[0] += step


def are_apart(cnp.ndarray a, cnp.ndarray b):
    """Whether all samples of one array lie before those of the other, neither being empty."""
    cdef cnp.npy_intp a_first, a_end, b_first, b_end
    _find_span(a, &a_first, &a_end)
    _find_span(b, &b_first, &b_end)
    return a_end <= b_first or b_end <= a_first


def is_canonical(object a):
    """Whether `a` is an array, not of a subclass, that the kernels can read in place."""
    return type(a) is cnp.ndarray and _steps_fit(a)


def are_ready(cnp.dtype dtype, *arrays):
    """Whether the arrays, None left out, have this dtype and the kernels can read and write them in place."""
    cdef cnp.ndarray a
    for value in arrays:
        if value is not None:
            a = value
            if (a.descr is not dtype and a.dtype != dtype) or not _steps_fit(a):
                return False
    return True


def canonical(cnp.ndarray a):
    """`a` itself where the kernels can read it in place, else a copy in native order."""
    return a if _steps_fit(a) else a.astype(a.dtype.newbyteorder("="), order="C", copy=True)


cdef void _blank(pyconvc_problem *p) noexcept nogil:
    """One channel, one sample, everything 1."""
    cdef int a
    p.flip = p.conjugate = p.winograd = 0
    p.batch = p.groups = p.channels_in = p.channels_out = 1
    for a in range(16):
        p.fill[a] = 0
    for a in range(3):
        p.boundary[a] = 0
        p.input[a] = p.kernel[a] = p.stride[a] = p.dilation[a] = 1
        p.pad_before[a] = p.pad_after[a] = 0
    for a in range(6):
        p.x_step[a] = p.w_step[a] = p.y_step[a] = 0
    p.x_step[5] = p.w_step[5] = p.y_step[5] = 1


cdef void _set_pad_after(pyconvc_problem *p, int a, int64_t output) noexcept nogil:
    p.pad_after[a] = ((output - 1) * p.stride[a] + (p.kernel[a] - 1) * p.dilation[a] + 1
                      - p.input[a] - p.pad_before[a])


cdef inline int64_t _step(cnp.ndarray a, int axis) noexcept:
    return cnp.PyArray_STRIDE(a, axis) // cnp.PyArray_ITEMSIZE(a)


cdef void _set_axis(pyconvc_problem *p, int a, cnp.ndarray x, int ax, cnp.ndarray w, int aw, cnp.ndarray y,
                    int ay) noexcept:
    """Sizes and steps of spatial axis `a` of the problem from axes ax, aw, ay of the arrays."""
    p.input[a] = cnp.PyArray_DIM(x, ax)
    p.kernel[a] = cnp.PyArray_DIM(w, aw)
    p.x_step[3 + a] = _step(x, ax)
    p.w_step[3 + a] = _step(w, aw)
    p.y_step[3 + a] = _step(y, ay)


def outputs_met(int64_t taps, int64_t outputs, int64_t inputs, int64_t stride, int64_t dilation, int64_t before,
                int64_t lanes):
    """Over the taps of an axis, the sum of the outputs that meet a sample of the input, in whole vectors."""
    cdef int64_t t, first, last, met, total = 0
    for t in range(taps):
        first = before - t * dilation  # of the tap's samples, before the input begins
        last = min(outputs, (inputs - 1 + first) // stride + 1) if inputs - 1 + first >= 0 else 0
        met = last - ((first + stride - 1) // stride if first > 0 else 0)
        if met > 0:
            total += min(outputs, (met + lanes - 1) // lanes * lanes)
    return total


cdef int _check_status(pyconvc_status status) except -1:
    if status == PYCONVC_OK:
        return 0
    if status == PYCONVC_NO_MEMORY:
        raise MemoryError("pyconvc: no memory for packed weights or scratch")
    if status == PYCONVC_OVERFLOW:
        raise ValueError("sizes overflow: an array of this problem would not be addressable")
    if status == PYCONVC_INTERRUPTED:
        return _raise_pending()
    if status == PYCONVC_NO_ISA:
        raise RuntimeError(_isa_error(os.environ.get("PYCONVC_ISA", "")))
    raise ValueError("inconsistent problem: a size, stride, dilation or boundary is out of range")


cdef int32_t _flush = 0  # process-wide, counted by flush_denormals


def set_flush(int change):
    """Add `change` to the number of flush_denormals contexts in force."""
    global _flush
    _flush += change


cdef enum _Pass:
    CORRELATE
    INPUT_GRAD
    WEIGHT_GRAD


cdef pyconvc_run _run_with(int workers) noexcept:
    cdef pyconvc_run run
    run.workers = workers
    run.flush_denormals = _flush
    run.interrupted = _interrupted
    run.data = NULL
    return run


cdef int _run(_Pass which, pyconvc_problem *p, void *x, void *w, void *bias, void *y, int workers) except -1:
    cdef pyconvc_run run = _run_with(workers)
    cdef pyconvc_status status
    with nogil:
        if which == CORRELATE:
            status = pyconvc_correlate(p, x, w, bias, y, &run)
        elif which == INPUT_GRAD:
            status = pyconvc_input_grad(p, y, w, bias, x, &run)
        else:
            status = pyconvc_weight_grad(p, x, y, w, &run)
    return _check_status(status)


cdef bint _set_channels(pyconvc_problem *p, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, int64_t groups) noexcept:
    """Batch, groups and channels of the problem from the first axes of the arrays; False: they do not fit."""
    p.batch, p.groups = cnp.PyArray_DIM(x, 0), groups
    p.channels_in, p.channels_out = cnp.PyArray_DIM(w, 1), cnp.PyArray_DIM(w, 0) // groups
    p.x_step[0], p.x_step[2], p.y_step[0], p.y_step[2] = _step(x, 0), _step(x, 1), _step(y, 0), _step(y, 1)
    p.w_step[1], p.w_step[2] = _step(w, 0), _step(w, 1)
    p.x_step[1], p.w_step[0] = p.channels_in * p.x_step[2], p.channels_out * p.w_step[1]
    p.y_step[1] = p.channels_out * p.y_step[2]
    return (cnp.PyArray_DIM(y, 0) == p.batch and cnp.PyArray_DIM(x, 1) == groups * p.channels_in
            and cnp.PyArray_DIM(y, 1) == groups * p.channels_out)


cdef int _state(pyconvc_problem *p, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, bint channels, object stride,
                object dilation, object pad_before, object boundary, object fill, int64_t groups) except -1:
    """The problem on the arrays, as `correlate` describes it."""
    cdef int lead = 2 if channels else 0
    cdef int rank = cnp.PyArray_NDIM(x) - lead, i, a
    cdef cnp.ndarray value
    if not 1 <= rank <= 3 or cnp.PyArray_NDIM(w) != rank + lead or cnp.PyArray_NDIM(y) != rank + lead:
        raise ValueError("x, w and y must have the same rank, 1 to 3 spatial axes")
    _blank(p)
    p.dtype = _dtype_code(x)
    if p.dtype < 0 or _dtype_code(w) != p.dtype or _dtype_code(y) != p.dtype:
        raise TypeError(f"no kernels for dtypes {x.dtype}, {w.dtype}, {y.dtype}")
    if not (_steps_fit(x) and _steps_fit(w) and _steps_fit(y)):
        raise ValueError("x, w and y must be aligned, native, with whole strides")
    if channels and not _set_channels(p, x, w, y, groups):
        raise ValueError("batch and channels of x, w and y do not fit together")
    for i in range(rank):
        a = 3 - rank + i
        _set_axis(p, a, x, lead + i, w, lead + i, y, lead + i)
        if stride is not None:
            p.stride[a] = stride[i]
        if dilation is not None:
            p.dilation[a] = dilation[i]
        if pad_before is not None:
            p.pad_before[a] = pad_before[i]
        if boundary is not None:
            p.boundary[a] = boundary[i]
        _set_pad_after(p, a, cnp.PyArray_DIM(y, lead + i))
    if fill is not None:
        value = fill
        memcpy(p.fill, cnp.PyArray_DATA(value), cnp.PyArray_ITEMSIZE(value))
    return 0


def correlate(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, *, cnp.ndarray bias=None, bint channels=False,
              stride=None, dilation=None, pad_before=None, boundary=None, fill=None, int64_t groups=1,
              bint flip=False, bint conjugate=False, int winograd=0, int workers=1):
    """The correlate pass of pyconvc.h on arrays of one served dtype; writes and returns y.

    Without `channels` x, w, y are purely spatial, of rank 1 to 3; with it they are (N, G*C, *space),
    (G*K, C, *taps), (N, G*K, *space). Per-axis arguments are tuples of ints or None (stride and dilation
    1, pad_before 0, boundary constant); what is padded behind follows from y's shape. bias is contiguous.
    winograd is that of pyconvc_problem.
    """
    cdef pyconvc_problem p
    _state(&p, x, w, y, channels, stride, dilation, pad_before, boundary, fill, groups)
    p.flip, p.conjugate, p.winograd = flip, conjugate, winograd
    _run(CORRELATE, &p, cnp.PyArray_DATA(x), cnp.PyArray_DATA(w),
         NULL if bias is None else cnp.PyArray_DATA(bias), cnp.PyArray_DATA(y), workers)
    return y


def correlate_present(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, *, cnp.ndarray mask=None, double min_weight=0,
                      bint normalize=True, pad_before=None, boundary=None, fill=None, bint flip=False,
                      int workers=1):
    """pyconvc_correlate_present on spatial arrays as in `correlate`; mask is contiguous bool of x's shape.

    Returns whether the kernel suits it; else nothing is written.
    """
    cdef pyconvc_problem p
    cdef pyconvc_run run = _run_with(workers)
    cdef pyconvc_status status
    cdef void *source = cnp.PyArray_DATA(x)
    cdef void *taps = cnp.PyArray_DATA(w)
    cdef void *target = cnp.PyArray_DATA(y)
    cdef unsigned char *masked = NULL if mask is None else <unsigned char *>cnp.PyArray_DATA(mask)
    _state(&p, x, w, y, False, None, None, pad_before, boundary, fill, 1)
    p.flip = flip
    with nogil:
        status = pyconvc_correlate_present(&p, source, masked, taps, min_weight, normalize, target, &run)
    if status != PYCONVC_UNSUITED:
        _check_status(status)
    return status != PYCONVC_UNSUITED


cdef int _set_line(tuple arrays) except -1:
    """The arrays are contiguous, of one dtype and size."""
    cdef cnp.ndarray a, first = arrays[0]
    for a in arrays:
        if cnp.PyArray_TYPE(a) != cnp.PyArray_TYPE(first) or a.size != first.size or not cnp.PyArray_ISCARRAY_RO(a):
            raise ValueError("arrays must be contiguous, native and alike")
    return 0


cdef unsigned char *_flags(cnp.ndarray mask, cnp.ndarray x) except? NULL:
    if mask is None:
        return NULL
    if cnp.PyArray_TYPE(mask) != cnp.NPY_BOOL or mask.size != x.size or not cnp.PyArray_ISCARRAY_RO(mask):
        raise ValueError("the mask must be contiguous bool, as large as x")
    return <unsigned char *>cnp.PyArray_DATA(mask)


def lacks(cnp.ndarray x, cnp.ndarray mask=None):
    """Whether a sample of the contiguous x is NaN or one of mask is set."""
    cdef int32_t missing = 0
    _set_line((x,))
    _check_status(pyconvc_lacks(_dtype_code(x), cnp.PyArray_DATA(x), _flags(mask, x), x.size, &missing))
    return bool(missing)


def split_present(cnp.ndarray x, cnp.ndarray copy, cnp.ndarray valid, *, cnp.ndarray mask=None, int workers=1):
    """Write to copy x with 0 for what is missing, to valid 1 where a sample is there and else 0; contiguous."""
    cdef pyconvc_run run = _run_with(workers)
    cdef pyconvc_status status
    cdef void *source = cnp.PyArray_DATA(x)
    cdef void *target = cnp.PyArray_DATA(copy)
    cdef void *there = cnp.PyArray_DATA(valid)
    cdef unsigned char *masked = _flags(mask, x)
    cdef int64_t n = x.size
    cdef int dtype = _dtype_code(x)
    _set_line((x, copy, valid))
    with nogil:
        status = pyconvc_split_present(dtype, source, masked, n, target, there, &run)
    _check_status(status)


def scale_present(cnp.ndarray sums, cnp.ndarray weight, cnp.ndarray y, *, double total, double least, bint normalize,
                  int workers=1):
    """pyconvc_scale_present on contiguous arrays; writes y and returns it."""
    cdef pyconvc_run run = _run_with(workers)
    cdef pyconvc_status status
    cdef void *source = cnp.PyArray_DATA(sums)
    cdef void *shares = cnp.PyArray_DATA(weight)
    cdef void *target = cnp.PyArray_DATA(y)
    cdef int64_t n = sums.size
    cdef int dtype = _dtype_code(sums)
    _set_line((sums, weight, y))
    with nogil:
        status = pyconvc_scale_present(dtype, source, shares, n, total, least, normalize, target, &run)
    _check_status(status)
    return y


def input_grad(cnp.ndarray y, cnp.ndarray w, cnp.ndarray x, *, cnp.ndarray bias=None, stride=None, dilation=None,
               pad_before=None, int64_t groups=1, bint flip=False, bint conjugate=False, int winograd=0,
               int workers=1):
    """The adjoint of `correlate` in x, zero beyond the edges: reads y and w, writes and returns x.

    Arrays and arguments are those of the correlate pass with ``channels=True`` that would read x and write
    y; bias has one sample for each channel of x. With roles renamed it is the transposed convolution.
    """
    cdef pyconvc_problem p
    _state(&p, x, w, y, True, stride, dilation, pad_before, None, None, groups)
    p.flip, p.conjugate, p.winograd = flip, conjugate, winograd
    _run(INPUT_GRAD, &p, cnp.PyArray_DATA(x), cnp.PyArray_DATA(w),
         NULL if bias is None else cnp.PyArray_DATA(bias), cnp.PyArray_DATA(y), workers)
    return x


def weight_grad(cnp.ndarray x, cnp.ndarray y, cnp.ndarray w, *, stride=None, dilation=None, pad_before=None,
                boundary=None, fill=None, int64_t groups=1, bint flip=False, int workers=1):
    """The adjoint of `correlate` in w: reads x and y, writes and returns w. Arguments as in `input_grad`."""
    cdef pyconvc_problem p
    _state(&p, x, w, y, True, stride, dilation, pad_before, boundary, fill, groups)
    p.flip = flip
    _run(WEIGHT_GRAD, &p, cnp.PyArray_DATA(x), cnp.PyArray_DATA(w), NULL, cnp.PyArray_DATA(y), workers)
    return w


cdef class Plan:
    """A correlate pass with its weights packed, for C-contiguous x and y of fixed shapes.

    Arguments as in `correlate` with ``channels=True``; x and y give shapes only, w is kept and must not change.
    May be called from several threads at once.
    """

    cdef pyconvc_plan *_plan
    cdef cnp.ndarray _w
    cdef readonly tuple x_shape, y_shape
    cdef int _dtype

    def __init__(self, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, *, stride=None, dilation=None, pad_before=None,
                 boundary=None, fill=None, int64_t groups=1, bint flip=False, bint conjugate=False,
                 int winograd=0, int workers=1):
        cdef pyconvc_problem p
        cdef pyconvc_run run = _run_with(workers)
        cdef pyconvc_status status
        _state(&p, x, w, y, True, stride, dilation, pad_before, boundary, fill, groups)
        p.flip, p.conjugate, p.winograd = flip, conjugate, winograd
        _set_contiguous(p.x_step, (<object>x).shape, groups)
        _set_contiguous(p.y_step, (<object>y).shape, groups)
        with nogil:
            status = pyconvc_plan_make(&p, cnp.PyArray_DATA(w), &run, &self._plan)
        _check_status(status)
        self._w, self._dtype = w, p.dtype
        self.x_shape, self.y_shape = (<object>x).shape, (<object>y).shape

    def __dealloc__(self):
        pyconvc_plan_free(self._plan)

    @property
    def packed_bytes(self):
        """Bytes of the packed weights."""
        return pyconvc_plan_bytes(self._plan)

    @property
    def workspace_bytes(self):
        """Scratch bytes of one worker during a run."""
        return pyconvc_plan_workspace(self._plan)

    def fits(self, cnp.ndarray x, cnp.ndarray y):
        """Whether the arrays are laid out as `run` takes them."""
        return ((<object>x).shape == self.x_shape and (<object>y).shape == self.y_shape
                and cnp.PyArray_ISCARRAY_RO(x) and cnp.PyArray_ISCARRAY(y))

    def run(self, cnp.ndarray x, cnp.ndarray y, *, cnp.ndarray bias=None, int workers=1):
        """Read x, write and return y, both C-contiguous and of the plan's shapes and dtype."""
        cdef pyconvc_run run = _run_with(workers)
        cdef pyconvc_status status
        cdef void *b = NULL if bias is None else cnp.PyArray_DATA(bias)
        if (<object>x).shape != self.x_shape or (<object>y).shape != self.y_shape:
            raise ValueError(f"shapes {(<object>x).shape}, {(<object>y).shape} are not the plan's")
        if _dtype_code(x) != self._dtype or _dtype_code(y) != self._dtype:
            raise TypeError("dtypes are not the plan's")
        if not (cnp.PyArray_ISCARRAY_RO(x) and cnp.PyArray_ISCARRAY(y)):
            raise ValueError("x and y must be C-contiguous, aligned and native")
        with nogil:
            status = pyconvc_plan_run(self._plan, cnp.PyArray_DATA(x), b, cnp.PyArray_DATA(y), &run)
        _check_status(status)
        return y


cdef void _set_contiguous(int64_t *step, tuple shape, int64_t groups):
    """Steps of a C-contiguous (N, G*C, *space) array."""
    cdef int64_t size = 1
    cdef int i, rank = <int>len(shape) - 2
    for i in range(rank):
        step[5 - i] = size
        size *= <int64_t>shape[2 + rank - 1 - i]
    for i in range(rank, 3):
        step[5 - i] = size
    step[2] = size
    step[1] = size * (<int64_t>shape[1] // groups)
    step[0] = size * <int64_t>shape[1]


cdef cnp.npy_intp APART = 2048  # bytes, modulo a page
cdef cnp.npy_intp LARGE = 1 << 18  # bytes


cdef cnp.ndarray _empty(int rank, cnp.npy_intp *shape, int typenum, cnp.ndarray near):
    """A new array; a large one begins half a page from `near`, modulo a page, and on a cache line.

    Large arrays come from the system at one and the same place within a page. A load is held up by an
    earlier store to the same place within another page, and a filter that reads x just ahead of where it
    writes y meets that at every step: 3x3 filters take half as long again.
    """
    cdef cnp.npy_intp size = 1, room, shift, i
    cdef cnp.ndarray memory, y
    cdef cnp.dtype dtype = cnp.PyArray_DescrFromType(typenum)
    cdef double bytes = dtype.itemsize
    for i in range(rank):
        size *= shape[i]
        bytes *= <double>shape[i]
    if bytes < LARGE or bytes > 1e18:  # numpy refuses what does not fit
        return cnp.PyArray_EMPTY(rank, shape, typenum, 0)
    room = size * dtype.itemsize + 2 * 4096
    memory = cnp.PyArray_EMPTY(1, &room, cnp.NPY_UINT8, 0)
    shift = (<cnp.npy_intp>cnp.PyArray_DATA(near) // 64 * 64 + APART - <cnp.npy_intp>cnp.PyArray_DATA(memory)) % 4096
    if shift < 0:
        shift += 4096
    y = cnp.PyArray_New(cnp.ndarray, rank, shape, typenum, NULL, <char *>cnp.PyArray_DATA(memory) + shift, 0,
                        cnp.NPY_ARRAY_CARRAY, None)
    cnp.set_array_base(y, memory)
    return y


def empty(tuple shape, cnp.dtype dtype, *arrays):
    """numpy.empty for a result that is computed from `arrays`, from the first of them mainly (see `_empty`)."""
    cdef cnp.npy_intp sizes[64]
    cdef int i, rank = <int>len(shape)
    try:
        if not arrays or rank > 64 or not serves(dtype):
            return np.empty(shape, dtype)
        for i in range(rank):
            sizes[i] = shape[i]
        return _empty(rank, sizes, dtype.type_num, arrays[0])
    except (ValueError, OverflowError) as error:
        raise ValueError(f"result of shape {shape} and dtype {dtype} is too large: {error}") from None


# The direct method is taken unasked below so many multiply-adds, and for kernels of so few taps.
SMALL, FEW_TAPS = 1 << 19, 16
cdef double SMALL_WORK = SMALL, FEW = FEW_TAPS


cdef inline bint _is_plain_input(object a) noexcept:
    return type(a) is cnp.ndarray and cnp.PyArray_TYPE(a) in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64)


def plain(object in1, object in2, object mode, object fillvalue, int workers, *, bint flip):
    """convolve (flip) or correlate for plain floating arrays, where checking could outlast computing.

    None where the arguments are anything else: float32 or float64 arrays of one dtype and rank 1 to 3,
    zero beyond the edges, in2 within in1 for mode "valid", little work or few taps.
    """
    cdef pyconvc_problem p
    cdef cnp.ndarray x, w, y
    cdef cnp.npy_intp shape[3]
    cdef int64_t n, k, size, first
    cdef double work = 1, taps = 1
    cdef int i, a, rank, how = 0 if mode == "full" else 1 if mode == "same" else 2 if mode == "valid" else 3
    if how == 3 or fillvalue is not 0 or not _is_plain_input(in1) or not _is_plain_input(in2):
        return None
    x, w = in1, in2
    rank = cnp.PyArray_NDIM(x)
    if (cnp.PyArray_TYPE(x) != cnp.PyArray_TYPE(w) or rank != cnp.PyArray_NDIM(w) or not 1 <= rank <= 3
            or not _steps_fit(x) or not _steps_fit(w)):
        return None
    _blank(&p)
    p.dtype, p.flip = _dtype_code(x), flip
    for i in range(rank):
        n, k, a = cnp.PyArray_DIM(x, i), cnp.PyArray_DIM(w, i), 3 - rank + i
        if n == 0 or k == 0 or (how == 2 and k > n):
            return None
        size = n + k - 1 if how == 0 else n if how == 1 else n - k + 1
        first = 0 if how == 0 else (k - 1) // 2 if how == 1 else k - 1
        work *= <double>size * <double>k
        taps *= <double>k
        shape[i] = size
        p.pad_before[a] = k - 1 - first
    if work > SMALL_WORK and taps > FEW:
        return None
    y = _empty(rank, shape, cnp.PyArray_TYPE(x), x)
    for i in range(rank):
        a = 3 - rank + i
        _set_axis(&p, a, x, i, w, i, y, i)
        _set_pad_after(&p, a, shape[i])
    _run(CORRELATE, &p, cnp.PyArray_DATA(x), cnp.PyArray_DATA(w), NULL, cnp.PyArray_DATA(y), workers)
    return y


# A layer takes the direct method unasked below so many multiply-adds of a sample; with one channel in and one
# out of a group while its kernel, gaps counted, is too small for transforms of the input to be weighed.
QUICK, LARGE_KERNEL = 1 << 20, 64
cdef double QUICK_WORK = QUICK, LARGE_REACH = LARGE_KERNEL
cdef double MOST_OUTPUTS = 1e15  # beyond which `empty` tells what is wrong


cpdef bint is_direct_unasked(double multiply_adds, int64_t channels_in, int64_t channels_out, double reach):
    """Whether nothing could be faster for a layer of these channels of a group, whatever choosing costs."""
    return multiply_adds < QUICK_WORK or (channels_in == 1 and channels_out == 1 and reach < LARGE_REACH)


cdef bint _read_axes(object value, int rank, int64_t least, int64_t *to):
    """An int for each axis, from one or a tuple of as many; False for anything else."""
    cdef int i, overflow = 0
    cdef bint each = type(value) is tuple
    if each and len(<tuple>value) != rank:
        return False
    for i in range(rank):
        entry = (<tuple>value)[i] if each else value
        if type(entry) is not int:
            return False
        to[i] = PyLong_AsLongLongAndOverflow(entry, &overflow)
        if overflow or not least <= to[i] < 1 << 31:
            return False
    return True


def plain_layer(int rank, object input, object weight, object bias, object stride, object padding, object dilation,
                object groups, object padding_mode, *, bint flip, int workers):
    """A convolution layer of plain arrays, where checking could outlast computing.

    None where the arguments are anything else: float32 or float64 arrays of one dtype, with an N and
    something in them, that fit together; ints; zero beyond the edges; a layer that is direct unasked.
    """
    cdef pyconvc_problem p
    cdef cnp.ndarray x, w, y, b
    cdef cnp.npy_intp shape[5]
    cdef int64_t numbers[4][3]  # stride, padding, dilation, groups
    cdef int64_t span, room
    cdef double outputs, reach = 1
    cdef int i, a
    if not (_is_plain_input(input) and _is_plain_input(weight) and type(padding_mode) is str):
        return None
    x, w = input, weight
    if (cnp.PyArray_TYPE(x) != cnp.PyArray_TYPE(w) or cnp.PyArray_NDIM(x) != rank + 2 or cnp.PyArray_NDIM(w) != rank + 2
            or x.size == 0 or w.size == 0 or not _steps_fit(x) or not _steps_fit(w) or padding_mode != "zeros"):
        return None
    if not (_read_axes(stride, rank, 1, numbers[0]) and _read_axes(padding, rank, 0, numbers[1])
            and _read_axes(dilation, rank, 1, numbers[2]) and _read_axes(groups, 1, 1, numbers[3])):
        return None
    shape[0], shape[1] = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(w, 0)
    if shape[1] % numbers[3][0] or cnp.PyArray_DIM(x, 1) != numbers[3][0] * cnp.PyArray_DIM(w, 1):
        return None
    if bias is not None:
        if type(bias) is not cnp.ndarray:
            return None
        b = bias
        if (cnp.PyArray_TYPE(b) != cnp.PyArray_TYPE(x) or not cnp.PyArray_ISCARRAY_RO(b) or cnp.PyArray_NDIM(b) != 1
                or cnp.PyArray_DIM(b, 0) != shape[1]):
            return None
    _blank(&p)
    p.dtype, p.flip = _dtype_code(x), flip
    outputs = <double>shape[1]
    for i in range(rank):
        a = 3 - rank + i
        p.stride[a], p.pad_before[a], p.dilation[a] = numbers[0][i], numbers[1][i], numbers[2][i]
        span = (cnp.PyArray_DIM(w, 2 + i) - 1) * p.dilation[a] + 1
        room = cnp.PyArray_DIM(x, 2 + i) + 2 * p.pad_before[a] - span
        if room < 0:
            return None
        shape[2 + i] = room // p.stride[a] + 1
        outputs *= <double>shape[2 + i]
        reach *= <double>span
    if outputs * <double>shape[0] > MOST_OUTPUTS or not is_direct_unasked(
            outputs * <double>(w.size // shape[1]), cnp.PyArray_DIM(w, 1), shape[1] // numbers[3][0], reach):
        return None
    y = _empty(rank + 2, shape, cnp.PyArray_TYPE(x), x)
    for i in range(rank):
        a = 3 - rank + i
        _set_axis(&p, a, x, 2 + i, w, 2 + i, y, 2 + i)
        _set_pad_after(&p, a, shape[2 + i])
    _set_channels(&p, x, w, y, numbers[3][0])
    _run(CORRELATE, &p, cnp.PyArray_DATA(x), cnp.PyArray_DATA(w), NULL if bias is None else cnp.PyArray_DATA(b),
         cnp.PyArray_DATA(y), workers)
    return y


# ---- instruction-set tiers ---------------------------------------------------------------------------


def isa_available():
    """Names of the tiers that this build has and this processor runs, slowest first."""
    names, i = [], 0
    while pyconvc_isa_available(i) != NULL:
        names.append(pyconvc_isa_available(i).decode())
        i += 1
    return tuple(names)


def _isa_error(name):
    return f"PYCONVC_ISA={name!r} is not one of the tiers available here: {', '.join(isa_available())}"


def isa():
    """Name of the tier in force."""
    cdef const char *name = pyconvc_isa_name()
    if name == NULL:
        raise RuntimeError(_isa_error(os.environ.get("PYCONVC_ISA", "")))
    return name.decode()


def has_openmp():
    """Whether this build has threads."""
    return bool(pyconvc_has_openmp())


# ---- pools -------------------------------------------------------------------------------------------


cdef int _pool_dtype(cnp.ndarray x, int32_t stored) noexcept:
    """pyconvc_dtype to compute in, or -1."""
    if stored == PYCONVC_AS_COMPUTED:
        return _dtype_code(x)
    if stored in (PYCONVC_HALF, PYCONVC_BFLOAT16):
        return PYCONVC_F32
    return PYCONVC_F64 if stored == PYCONVC_SINGLE else PYCONVC_U64


cdef int _set_pool(pyconvc_pool *p, cnp.ndarray x, cnp.ndarray y, object axes, int32_t stored) except -1:
    """The pool from x to y, both (N, C, *space), that `axes` and `stored` describe as `pool` does."""
    cdef int i, a, rank = cnp.PyArray_NDIM(x) - 2
    if not 1 <= rank <= 3 or cnp.PyArray_NDIM(y) != rank + 2 or len(axes) != rank:
        raise ValueError("x and y must have the same rank, 1 to 3 spatial axes, and each an entry in axes")
    p.dtype, p.stored, p.is_signed = _pool_dtype(x, stored), stored, x.descr.kind == c"i"
    if p.dtype < 0 or x.dtype != y.dtype:
        raise TypeError(f"no pools for dtypes {x.dtype}, {y.dtype}")
    if not (_steps_fit(x) and _steps_fit(y)):
        raise ValueError("x and y must be aligned, native, with whole strides")
    p.batch, p.channels = cnp.PyArray_DIM(x, 0), cnp.PyArray_DIM(x, 1)
    if cnp.PyArray_DIM(y, 0) != p.batch or cnp.PyArray_DIM(y, 1) != p.channels:
        raise ValueError("batch and channels of x and y do not fit together")
    for a in range(3):
        p.axis[a] = pyconvc_pool_axis(1, 1, 1, 1, 1, 0)
    for i in range(5):
        p.x_step[i] = p.y_step[i] = 0
    p.x_step[0], p.x_step[1], p.y_step[0], p.y_step[1] = _step(x, 0), _step(x, 1), _step(y, 0), _step(y, 1)
    for i in range(rank):
        a = 3 - rank + i
        p.axis[a].input, p.axis[a].output = cnp.PyArray_DIM(x, 2 + i), cnp.PyArray_DIM(y, 2 + i)
        p.axis[a].kernel, p.axis[a].stride, p.axis[a].dilation, p.axis[a].pad = axes[i]
        p.x_step[2 + a], p.y_step[2 + a] = _step(x, 2 + i), _step(y, 2 + i)
    return 0


def pool(cnp.ndarray x, cnp.ndarray y, cnp.ndarray index=None, *, axes, bint maximum, bint count_pad=False,
         int64_t divisor=0, int32_t stored=0, int workers=1):
    """The pool of pyconvc.h from x to y, (N, C, *space) of one dtype; writes y and returns it.

    `axes` has (kernel, stride, dilation, pad) for each axis of space; kernel 0 is adaptive. index, with
    maxima, is contiguous int64 of y's shape. `stored` is a pyconvc_stored.
    """
    cdef pyconvc_pool p
    cdef pyconvc_run run = _run_with(workers)
    cdef pyconvc_status status
    cdef void *source = cnp.PyArray_DATA(x)
    cdef void *target = cnp.PyArray_DATA(y)
    cdef int64_t *positions = NULL if index is None else <int64_t *>cnp.PyArray_DATA(index)
    _set_pool(&p, x, y, axes, stored)
    p.op, p.count_pad, p.divisor = PYCONVC_MAXIMUM if maximum else PYCONVC_AVERAGE, count_pad, divisor
    with nogil:
        status = pyconvc_pool_forward(&p, source, target, positions, &run)
    _check_status(status)
    return y


def pool_adjoint(cnp.ndarray y, cnp.ndarray x, *, axes, int workers=1):
    """The adjoint of an average without its division: reads y, writes x and returns it; see `pool`."""
    cdef pyconvc_pool p
    cdef pyconvc_run run = _run_with(workers)
    cdef pyconvc_status status
    cdef void *source = cnp.PyArray_DATA(y)
    cdef void *target = cnp.PyArray_DATA(x)
    _set_pool(&p, x, y, axes, PYCONVC_AS_COMPUTED)
    p.op, p.count_pad, p.divisor = PYCONVC_AVERAGE, False, 1
    with nogil:
        status = pyconvc_pool_adjoint(&p, source, target, &run)
    _check_status(status)
    return x


def by_index(how, cnp.ndarray source, cnp.ndarray index, cnp.ndarray target, *, int workers=1):
    """``how`` "pick", "put" or "add" of pyconvc_by_index: contiguous (planes, n), index int64 and in range."""
    cdef pyconvc_run run = _run_with(workers)
    cdef pyconvc_status status
    cdef int32_t op = {"pick": PYCONVC_PICK, "put": PYCONVC_PUT, "add": PYCONVC_ADD}[how]
    cdef int64_t samples = cnp.PyArray_DIM(source if op == PYCONVC_PICK else target, 1)
    cdef int64_t planes = cnp.PyArray_DIM(index, 0), indices = cnp.PyArray_DIM(index, 1)
    cdef int32_t dtype = _dtype_code(source)
    cdef void *read = cnp.PyArray_DATA(source)
    cdef void *write = cnp.PyArray_DATA(target)
    cdef int64_t *positions = <int64_t *>cnp.PyArray_DATA(index)
    with nogil:
        status = pyconvc_by_index(op, dtype, planes, indices, samples, read, positions, write, &run)
    _check_status(status)
    return target


# ---- chains ------------------------------------------------------------------------------------------

PASSES = {
    "sum": PYCONVC_SUM,
    "terms": PYCONVC_TERMS,
    "pairs": PYCONVC_PAIRS,
    "odd pairs": PYCONVC_ODD_PAIRS,
    "mean": PYCONVC_MEAN,
    "quotient": PYCONVC_QUOTIENT,
}


cdef int _sample_code(cnp.ndarray a, int computed) except -2:
    """pyconvc_sample of the array, computed with as the pyconvc_dtype `computed`."""
    cdef int kind = a.descr.kind, size = <int>cnp.PyArray_ITEMSIZE(a)
    if _dtype_code(a) == computed:
        return PYCONVC_SAMPLE_AS_COMPUTED
    if kind == c"b":
        return PYCONVC_SAMPLE_BOOL
    if kind == c"f" and size in (4, 8):
        return PYCONVC_SAMPLE_F32 if size == 4 else PYCONVC_SAMPLE_F64
    if kind == c"i":
        return {1: PYCONVC_SAMPLE_I8, 2: PYCONVC_SAMPLE_I16, 4: PYCONVC_SAMPLE_I32, 8: PYCONVC_SAMPLE_I64}[size]
    if kind == c"u":
        return {1: PYCONVC_SAMPLE_U8, 2: PYCONVC_SAMPLE_U16, 4: PYCONVC_SAMPLE_U32, 8: PYCONVC_SAMPLE_U64}[size]
    raise TypeError(f"no chains on samples of dtype {a.dtype}")


cdef int _set_pass(pyconvc_pass *p, object description, int dtype) except -1:
    cdef cnp.ndarray w, at, fill
    cdef int a
    kind, kernel, pad, boundary, at, w, fill = description
    if _dtype_code(w) != dtype or _dtype_code(fill) != dtype or not cnp.PyArray_ISCARRAY_RO(w):
        raise TypeError("weights and fill must be contiguous, of the dtype to compute in")
    p.kind = PASSES[kind]
    for a in range(3):
        p.kernel[a], p.pad[a], p.boundary[a] = kernel[a], pad[a], boundary[a]
    p.terms, p.at = w.size, NULL
    if at is not None:
        if cnp.PyArray_TYPE(at) != cnp.NPY_INT64 or not cnp.PyArray_ISCARRAY_RO(at):
            raise TypeError("places of terms must be contiguous int64")
        if at.size != 3 * (w.size if kind == "terms" else 2 * w.size - 1):
            raise ValueError("places and weights of terms do not fit together")
        p.at = <int64_t *>cnp.PyArray_DATA(at)
    p.w = cnp.PyArray_DATA(w)
    memcpy(p.fill, cnp.PyArray_DATA(fill), cnp.PyArray_ITEMSIZE(fill))
    return 0


def chain(cnp.ndarray x, cnp.ndarray y, list passes, *, dtype, int workers=1):
    """The chain of pyconvc.h from x to y, both (N, depth, height, width); writes y and returns it.

    A pass is (name in `PASSES`, kernel, pad, boundary, at, w, fill), the first three of one int for each
    axis; `at` is an int64 array of one row for each term, or None; w and fill have `dtype`.
    """
    cdef pyconvc_chain c
    cdef pyconvc_run run = _run_with(workers)
    cdef pyconvc_status status
    cdef int i
    cdef void *source = cnp.PyArray_DATA(x)
    cdef void *target = cnp.PyArray_DATA(y)
    if cnp.PyArray_NDIM(x) != 4 or cnp.PyArray_NDIM(y) != 4 or not 1 <= len(passes) <= 3:
        raise ValueError("x and y must be (N, depth, height, width), and there must be 1 to 3 passes")
    if cnp.PyArray_DIM(x, 0) != cnp.PyArray_DIM(y, 0):
        raise ValueError("x and y must have one N")
    if not (_steps_fit(x) and _steps_fit(y)):
        raise ValueError("x and y must be aligned, native, with whole strides")
    c.dtype = _dtype_code(np.empty(0, dtype))
    c.x_sample, c.y_sample = _sample_code(x, c.dtype), _sample_code(y, c.dtype)
    c.passes, c.batch = <int>len(passes), cnp.PyArray_DIM(x, 0)
    for i in range(c.passes):
        _set_pass(&c.passes_[i], passes[i], c.dtype)
    for i in range(4):
        c.x_step[i], c.y_step[i] = _step(x, i), _step(y, i)
    for i in range(3):
        c.input[i], c.output[i] = cnp.PyArray_DIM(x, 1 + i), cnp.PyArray_DIM(y, 1 + i)
    with nogil:
        status = pyconvc_chain_run(&c, source, target, &run)
    _check_status(status)
    return y


# ---- convolution by Fourier transforms ---------------------------------------------------------------


cdef int _set_tables(pyconvc_fourier *f, object tables) except -1:
    """`tables` keeps the arrays alive: radices and twiddles of rows and columns, turn, slant or None."""
    cdef cnp.ndarray a
    cdef void *at[6]
    cdef int i
    for i in range(6):
        at[i] = NULL
        if tables[i] is not None:
            a = tables[i]
            if not cnp.PyArray_ISCARRAY_RO(a):
                raise ValueError("tables must be contiguous")
            at[i] = cnp.PyArray_DATA(a)
    f.of_rows.radices, f.of_rows.twiddles = <const int32_t *>at[0], at[1]
    f.of_columns.radices, f.of_columns.twiddles = <const int32_t *>at[2], at[3]
    f.turn, f.slant = at[4], at[5]
    f.line = tables[5] is not None
    return 0


def fourier(cnp.ndarray x, cnp.ndarray spectrum, cnp.ndarray y, *, tuple shape, tuple tables, tuple boundary,
            cnp.ndarray fill, tuple start, tuple advance, tuple skip, int workers=1):
    """pyconvc_fourier_run on arrays (batch, height, width), or (batch, 1, width) with a slant; writes y.

    With y None, x is a kernel with a batch of one, and its spectrum is written. shape: rows and columns of a
    tile; boundary, start, advance, skip: of both axes.
    """
    cdef pyconvc_fourier f
    cdef pyconvc_run run = _run_with(workers)
    cdef pyconvc_status status
    cdef void *source = cnp.PyArray_DATA(x)
    cdef void *kernel = cnp.PyArray_DATA(spectrum)
    cdef void *target = NULL
    cdef int a
    _set_tables(&f, tables)
    f.dtype = _dtype_code(x)
    f.rows, f.columns = shape
    f.batch = 1
    memcpy(f.fill, cnp.PyArray_DATA(fill), cnp.PyArray_ITEMSIZE(fill))
    for a in range(2):
        f.boundary[a] = boundary[a]
        f.start[a], f.advance[a], f.skip[a] = start[a], advance[a], skip[a]
        f.input[a], f.output[a] = cnp.PyArray_DIM(x, a + 1), 1
    for a in range(3):
        f.x_step[a], f.y_step[a] = _step(x, a), 0
    if y is not None:
        target = cnp.PyArray_DATA(y)
        f.batch = cnp.PyArray_DIM(y, 0)
        for a in range(2):
            f.output[a] = cnp.PyArray_DIM(y, a + 1)
        for a in range(3):
            f.y_step[a] = _step(y, a)
    with nogil:
        if target == NULL:
            status = pyconvc_fourier_spectrum(&f, source, kernel, &run)
        else:
            status = pyconvc_fourier_run(&f, source, kernel, target, &run)
    _check_status(status)


def loudest(cnp.ndarray x, tuple part, *, int workers=1):
    """(levels, softest, loudest): the largest magnitude of each part, as pyconvc_loudest has it, and their ends.

    NaN is the loudest, and never the softest. None for what is not read: it takes lines and planes of float32 or
    float64, or several of them, whose samples follow each other.
    """
    cdef pyconvc_run run = _run_with(workers)
    cdef pyconvc_status status
    cdef cnp.npy_intp counts[3]
    cdef int64_t size[3]
    cdef int64_t step[3]
    cdef int64_t of[3]
    cdef int rank = cnp.PyArray_NDIM(x), i, a
    if not (cnp.PyArray_TYPE(x) in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64) and 1 <= rank <= 3 and _steps_fit(x)):
        return None
    for i in range(3):
        a = rank - 3 + i
        size[i] = cnp.PyArray_DIM(x, a) if a >= 0 else 1
        step[i] = _step(x, a) if a >= 0 else 0
        of[i] = part[a] if a >= 0 else 1
        counts[i] = size[i] // max(1, of[i])
    if of[0] > 1 or (size[2] > 1 and step[2] != 1):
        return None
    cdef cnp.ndarray to = cnp.PyArray_EMPTY(rank, counts + 3 - rank, cnp.PyArray_TYPE(x), False)
    cdef int dtype = _dtype_code(x)
    cdef void *source = cnp.PyArray_DATA(x)
    cdef void *target = cnp.PyArray_DATA(to)
    with nogil:
        status = pyconvc_loudest(dtype, source, size[0], size + 1, step, of + 1, target, &run)
    _check_status(status)
    cdef double low = INFINITY, high = 0, level
    cdef int64_t j
    for j in range(to.size):
        level = (<float *>target)[j] if dtype == PYCONVC_F32 else (<double *>target)[j]
        if level < low:
            low = level
        if level > high or level != level:
            high = level
    return to, low, high
