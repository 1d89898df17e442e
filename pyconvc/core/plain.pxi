# Calls so small that checking in Python could outlast computing: all of it in C, or None.

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
cdef int64_t MOST_TAPS = 1 << 31  # along an axis: times a dilation they fit in 64 bits
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
