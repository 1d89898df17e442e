# Filters along one axis after the other.


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


cdef int _set_chain(pyconvc_chain *c, cnp.ndarray x, cnp.ndarray y, list passes, object dtype) except -1:
    cdef int i
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
    return 0


cdef class Chain:
    """The chain of pyconvc.h from arrays like x to arrays like y; a pass's arrays must not change.

    `first` has views of x and y as (N, depth, height, width) for the first chain; the others begin where each
    of `leads` leads: (count, bytes from one to the next in x, in y). A pass is (name in `PASSES`, kernel, pad,
    boundary, at, w, fill), the first three of one int for each axis; `at` is an int64 array of one row for each
    term, or None; w and fill have `dtype`. May be run from several threads at once.
    """

    cdef pyconvc_chain _chain
    cdef list _passes
    cdef tuple _like
    cdef int _leads
    cdef int64_t _lead[64][3]

    def __init__(self, cnp.ndarray x, cnp.ndarray y, tuple first, list passes, *, dtype, tuple leads=()):
        cdef int i, j
        self._passes, self._like, self._leads = passes, _likeness(x, y), <int>len(leads)
        for i in range(self._leads):
            for j in range(3):
                self._lead[i][j] = leads[i][j]
        _set_chain(&self._chain, first[0], first[1], passes, dtype)

    def run(self, cnp.ndarray x, cnp.ndarray y, int workers):
        """Read x, write and return y: of the shapes, strides and dtypes that it was made for."""
        cdef pyconvc_run run = _run_with(workers)
        cdef pyconvc_status status
        cdef char *source = <char *>cnp.PyArray_DATA(x)
        cdef char *target = <char *>cnp.PyArray_DATA(y)
        cdef int64_t at[64]
        cdef int i
        if _likeness(x, y) != self._like:
            raise ValueError("x and y are laid out otherwise than those that the chain was made for")
        for i in range(self._leads):
            at[i] = 0
        with nogil:
            status = pyconvc_chain_run(&self._chain, source, target, &run)
            while status == PYCONVC_OK and self._next(at, &source, &target):
                status = pyconvc_chain_run(&self._chain, source, target, &run)
        _check_status(status)
        return y

    cdef bint _next(self, int64_t *at, char **source, char **target) noexcept nogil:
        """Move on to the next chain, if there is one."""
        cdef int i
        for i in range(self._leads - 1, -1, -1):
            at[i] += 1
            source[0] += self._lead[i][1]
            target[0] += self._lead[i][2]
            if at[i] < self._lead[i][0]:
                return True
            source[0] -= at[i] * self._lead[i][1]
            target[0] -= at[i] * self._lead[i][2]
            at[i] = 0
        return False


cdef tuple _likeness(cnp.ndarray x, cnp.ndarray y):
    return (<object>x).shape, (<object>x).strides, x.descr, (<object>y).shape, (<object>y).strides, y.descr


def chain_present(cnp.ndarray x, cnp.ndarray y, list passes, list sizes, *, dtype, cnp.ndarray mask=None,
                  double min_weight=0, bint normalize=True, int workers=1):
    """pyconvc_chain_present on arrays and passes as in `chain`; mask is bool, of x's shape.

    Returns whether the arrays suit it; else nothing is written.
    """
    cdef pyconvc_chain c, weights
    cdef pyconvc_run run = _run_with(workers)
    cdef pyconvc_status status
    cdef void *source = cnp.PyArray_DATA(x)
    cdef void *target = cnp.PyArray_DATA(y)
    cdef unsigned char *masked = NULL
    cdef int64_t mask_step[4]
    cdef int i
    _set_chain(&c, x, y, passes, dtype)
    _set_chain(&weights, x, y, sizes, dtype)
    if mask is not None:
        if cnp.PyArray_TYPE(mask) != cnp.NPY_BOOL or not cnp.PyArray_SAMESHAPE(mask, x):
            raise ValueError("the mask must be bool, of x's shape")
        masked = <unsigned char *>cnp.PyArray_DATA(mask)
        for i in range(4):
            mask_step[i] = _step(mask, i)
    with nogil:
        status = pyconvc_chain_present(&c, &weights, source, masked, mask_step, min_weight, normalize, target, &run)
    if status != PYCONVC_UNSUITED:
        _check_status(status)
    return status != PYCONVC_UNSUITED
