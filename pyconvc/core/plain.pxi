# Calls so small that checking in Python could outlast computing: all of it in C, or None.

# The direct method is taken unasked below so many multiply-adds, and for kernels of so few taps.
SMALL, FEW_TAPS = 1 << 19, 16
cdef double SMALL_WORK = SMALL, FEW = FEW_TAPS
cdef double MOST_OUTPUTS = 1e15  # beyond which `empty` tells what is wrong
cdef int64_t MOST_WORKERS = 1024  # likewise `_threads.resolve`


cdef inline bint _is_float_input(object a) noexcept:
    return type(a) is cnp.ndarray and cnp.PyArray_TYPE(a) in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64)


cdef bint _is_plain_output(object out, cnp.ndarray x, cnp.ndarray w, cnp.npy_intp *shape) noexcept:
    """Whether a result can be written there: all that `_check.output` asks for."""
    cdef cnp.ndarray y
    cdef int i
    if type(out) is not cnp.ndarray:
        return False
    y = out
    if cnp.PyArray_TYPE(y) != cnp.PyArray_TYPE(x) or cnp.PyArray_NDIM(y) != cnp.PyArray_NDIM(x):
        return False
    for i in range(cnp.PyArray_NDIM(y)):
        if cnp.PyArray_DIM(y, i) != shape[i]:
            return False
    return cnp.PyArray_ISWRITEABLE(y) and _steps_fit(y) and _are_apart(y, x) and _are_apart(y, w)


def plain(object in1, object in2, object mode, object method, object boundary, dict boundaries, object fillvalue,
          object workers, object out, *, bint flip, int late=0, int planes=0):
    """convolve (flip) or correlate for plain arrays, where checking could outlast computing.

    None where the arguments are anything else: arrays of one dtype of the kernels and rank 1 to 3 (2 with
    `planes`), with something in them, in2 within in1 for mode "valid"; one of the names in `boundaries`, zero
    beyond the edges with the first of them; a number of workers; little work, few taps or method "direct"; an
    `out` that fits. `late`: "same" starts later under all boundaries (2), all but the first (1), none (0).
    """
    cdef pyconvc_problem p
    cdef cnp.ndarray x, w, y
    cdef cnp.npy_intp shape[3]
    cdef int64_t n, k, size, first
    cdef double outputs = 1, taps = 1, samples = 1
    cdef int i, a, rank, rule = 0, how
    if type(mode) is not str or type(boundary) is not str or type(method) is not str or type(workers) is not int:
        return None
    how = 0 if mode == "full" else 1 if mode == "same" else 2 if mode == "valid" else 3
    if how == 3 or type(in1) is not cnp.ndarray or type(in2) is not cnp.ndarray:
        return None
    if boundary != "fill":
        rule = boundaries.get(boundary, -1)
    if rule < 0 or (rule == 0 and fillvalue is not 0) or not 1 <= workers <= MOST_WORKERS:
        return None
    x, w = in1, in2
    rank = cnp.PyArray_NDIM(x)
    if (cnp.PyArray_TYPE(x) != cnp.PyArray_TYPE(w) or rank != cnp.PyArray_NDIM(w) or not 1 <= rank <= 3
            or not _steps_fit(x) or not _steps_fit(w) or (planes and rank != 2)):
        return None
    _blank(&p)
    p.dtype, p.flip, p.conjugate = _dtype_code(x), flip, not flip and x.descr.kind == c"c"
    if p.dtype < 0:
        return None
    for i in range(rank):
        n, k, a = cnp.PyArray_DIM(x, i), cnp.PyArray_DIM(w, i), 3 - rank + i
        if n == 0 or k == 0 or (how == 2 and k > n):
            return None
        size = n + k - 1 if how == 0 else n if how == 1 else n - k + 1
        first = 0 if how == 0 else (k - (late == 0 or (late == 1 and rule == 0))) // 2 if how == 1 else k - 1
        samples *= <double>n
        outputs *= <double>size
        taps *= <double>k
        shape[i] = size
        p.pad_before[a], p.boundary[a] = k - 1 - first, 0 if how == 2 else rule
    if method == "auto":
        if outputs * taps > SMALL_WORK and taps > FEW:
            return None
    elif method != "direct" or taps > samples:  # then in1 may be the kernel
        return None
    if outputs > MOST_OUTPUTS:
        return None
    if out is None:
        y = _empty(rank, shape, cnp.PyArray_TYPE(x), x)
    elif _is_plain_output(out, x, w, shape):
        y = out
    else:
        return None
    for i in range(rank):
        a = 3 - rank + i
        _set_axis(&p, a, x, i, w, i, y, i)
        _set_pad_after(&p, a, shape[i])
    _run_spatial(&p, <char *>cnp.PyArray_DATA(x), <char *>cnp.PyArray_DATA(w), <char *>cnp.PyArray_DATA(y), workers)
    return y


# A layer takes the direct method unasked below so many multiply-adds of a sample; with one channel in and one
# out of a group while its kernel, gaps counted, is too small for transforms of the input to be weighed.
QUICK, LARGE_KERNEL = 1 << 20, 64
cdef double QUICK_WORK = QUICK, LARGE_REACH = LARGE_KERNEL
cdef int64_t MOST_TAPS = 1 << 31  # along an axis: times a dilation they fit in 64 bits


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
    if not (_is_float_input(input) and _is_float_input(weight) and type(padding_mode) is str):
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
        if cnp.PyArray_DIM(w, 2 + i) > MOST_TAPS:
            return None
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
