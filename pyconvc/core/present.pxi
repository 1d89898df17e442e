# Sums over the samples that are there.


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
