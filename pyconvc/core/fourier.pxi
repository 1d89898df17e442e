# Convolution by the library's own transforms.


cdef int _set_tables(pyconvc_fourier *f, object tables) except -1:
    """`tables` keeps the arrays alive: radices and twiddles of rows, of columns; twiddles of lines one by one."""
    cdef cnp.ndarray a
    cdef void *at[4]
    cdef int i
    for i in range(4):
        a = tables[i]
        if not cnp.PyArray_ISCARRAY_RO(a):
            raise ValueError("tables must be contiguous")
        at[i] = cnp.PyArray_DATA(a)
    f.of_rows.radices, f.of_rows.twiddles = <const int32_t *>at[0], at[1]
    f.of_columns.radices, f.of_columns.twiddles = <const int32_t *>at[2], at[3]
    f.line = cnp.PyArray_NDIM(a) == 2
    f.of_rows.step, f.of_columns.step = 0, cnp.PyArray_DIM(a, 1) if f.line else 0
    return 0


def fourier(cnp.ndarray x, cnp.ndarray spectrum, cnp.ndarray y, *, tuple shape, tuple tables, tuple boundary,
            cnp.ndarray fill, tuple start, tuple advance, tuple skip, int workers=1,
            cnp.ndarray levels=None, int64_t part=0):
    """pyconvc_fourier_run on arrays (batch, depth, height, width), of which a line has the width alone; writes y.

    With y None, x is a kernel with a batch of one, and its spectrum is written. shape: rows and columns of a
    tile, and the lines of a depth; boundary, start, advance, skip: of all axes. levels: for the largest magnitudes of the parts of a line.
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
    f.rows, f.columns, f.height = shape
    f.batch = 1
    memcpy(f.fill, cnp.PyArray_DATA(fill), cnp.PyArray_ITEMSIZE(fill))
    for a in range(3):
        f.boundary[a] = boundary[a]
        f.start[a], f.advance[a], f.skip[a] = start[a], advance[a], skip[a]
        f.input[a], f.output[a] = cnp.PyArray_DIM(x, a + 1), 1
    for a in range(4):
        f.x_step[a], f.y_step[a] = _step(x, a), 0
    f.part, f.levels = part, NULL if levels is None else cnp.PyArray_DATA(levels)
    if y is not None:
        target = cnp.PyArray_DATA(y)
        f.batch = cnp.PyArray_DIM(y, 0)
        for a in range(3):
            f.output[a] = cnp.PyArray_DIM(y, a + 1)
        for a in range(4):
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
    return (to, *ends_of(to))


def ends_of(cnp.ndarray levels):
    """(softest, loudest) of contiguous magnitudes, float32 or float64; NaN is the loudest, and never the softest."""
    cdef double low = INFINITY, high = 0, level
    cdef bint single = cnp.PyArray_TYPE(levels) == cnp.NPY_FLOAT32
    cdef void *at = cnp.PyArray_DATA(levels)
    cdef int64_t j
    for j in range(levels.size):
        level = (<float *>at)[j] if single else (<double *>at)[j]
        if level < low:
            low = level
        if level > high or level != level:
            high = level
    return low, high
