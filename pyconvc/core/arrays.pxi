# Arrays as the kernels see them, and new ones for results.


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


cdef bint _are_apart(cnp.ndarray a, cnp.ndarray b) noexcept:
    cdef cnp.npy_intp a_first, a_end, b_first, b_end
    _find_span(a, &a_first, &a_end)
    _find_span(b, &b_first, &b_end)
    return a_end <= b_first or b_end <= a_first


def are_apart(cnp.ndarray a, cnp.ndarray b):
    """Whether all samples of one array lie before those of the other, neither being empty."""
    return _are_apart(a, b)


def is_canonical(object a):
    """Whether `a` is an array of numbers, not of a subclass, that the kernels can read in place."""
    return type(a) is cnp.ndarray and (<cnp.ndarray>a).descr.kind in b"biufcV" and _steps_fit(a)


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


cdef inline int64_t _step(cnp.ndarray a, int axis) noexcept:
    return cnp.PyArray_STRIDE(a, axis) // cnp.PyArray_ITEMSIZE(a)


cdef cnp.npy_intp APART = 1792  # bytes, modulo a page
cdef cnp.npy_intp LARGE = 1 << 18  # bytes


cdef cnp.ndarray _empty(int rank, cnp.npy_intp *shape, int typenum, cnp.ndarray near):
    """A new array; a large one begins nearly half a page from `near`, modulo a page, and on a cache line.

    Large arrays come from the system at one and the same place within a page. A load is held up by an
    earlier store to the same place within another page, and a filter that reads x just ahead of where it
    writes y meets that at every step: 3x3 filters take half as long again. Not half a page: rows of 2 KiB
    would meet there.
    """
    cdef cnp.npy_intp size = 1, room, shift, i
    cdef cnp.ndarray memory, y
    cdef cnp.dtype dtype = cnp.PyArray_DescrFromType(typenum)
    cdef double bytes = dtype.itemsize
    for i in range(rank):
        bytes *= <double>shape[i]
    if bytes < LARGE or bytes > 1e18:  # numpy refuses what does not fit
        return cnp.PyArray_EMPTY(rank, shape, typenum, 0)
    for i in range(rank):
        size *= shape[i]
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
