# The numbers of a problem, filled from arrays and arguments.


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
    # without a sign what does not fit wraps; the library refuses it
    cdef uint64_t reach = <uint64_t>(output - 1) * <uint64_t>p.stride[a]
    reach += <uint64_t>(p.kernel[a] - 1) * <uint64_t>p.dilation[a] + 1
    p.pad_after[a] = <int64_t>(reach - <uint64_t>p.input[a] - <uint64_t>p.pad_before[a])


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


cdef void _as_planes(pyconvc_problem *p) noexcept nogil:
    """A volume whose kernel has one tap along the height alone as a batch of planes, depth by width.

    Planes are filtered in tiles of several lines; for depths that takes taps along the height.
    """
    if p.kernel[0] == 1 or p.kernel[1] > 1 or p.kernel[2] == 1 or p.stride[1] != 1:
        return
    if p.batch != 1 or p.pad_before[1] or p.pad_after[1]:
        return
    p.batch, p.x_step[0], p.y_step[0] = p.input[1], p.x_step[4], p.y_step[4]
    p.input[1], p.kernel[1], p.stride[1], p.dilation[1] = p.input[0], p.kernel[0], p.stride[0], p.dilation[0]
    p.pad_before[1], p.pad_after[1], p.boundary[1] = p.pad_before[0], p.pad_after[0], p.boundary[0]
    p.x_step[4], p.w_step[4], p.y_step[4] = p.x_step[3], p.w_step[3], p.y_step[3]
    p.input[0] = p.kernel[0] = p.stride[0] = p.dilation[0] = 1
    p.pad_before[0] = p.pad_after[0] = p.boundary[0] = 0


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
