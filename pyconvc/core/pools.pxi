# Pools.


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
