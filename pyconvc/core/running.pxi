# What every call into C shares: workers, interruption, status to exception.


cdef int32_t _interrupted(void *data) noexcept with gil:
    return PyErr_CheckSignals() != 0


cdef int _raise_pending() except -1:
    return -1


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


# Sums over many more taps than there are outputs: one lane for each output would leave most of a vector idle.
cdef enum:
    FEW_OUTPUTS = 128
    TAPS_EACH = 8  # of as many outputs, from which on
    MANY_TAPS = 64


cdef bint _exchange(pyconvc_problem *p, char **w, int64_t *lines) noexcept:
    """State the correlation of one channel as the weight gradient that has its few outputs as the taps.

    The kernel, which begins at w, takes the part of the output there. Of axes without taps there is one line,
    and `lines` of them in the problem given. False where that does not serve.
    """
    cdef int64_t outputs = 1, taps = 1
    cdef int64_t output[3]
    cdef int a
    if p.dtype != PYCONVC_F32 and p.dtype != PYCONVC_F64:
        return False
    for a in range(3):
        output[a] = p.input[a] + p.pad_before[a] + p.pad_after[a] - p.kernel[a] + 1
        if p.stride[a] != 1 or p.dilation[a] != 1 or output[a] < 1:
            return False
        lines[a] = 1
        if p.kernel[a] == 1 and p.input[a] == output[a] and p.pad_before[a] == 0:
            lines[a], p.input[a], output[a] = output[a], 1, 1
        outputs *= min(output[a], FEW_OUTPUTS + 1)
        taps *= p.kernel[a]
    if outputs > FEW_OUTPUTS or taps < MANY_TAPS or taps < TAPS_EACH * outputs:
        return False
    for a in range(3):
        if p.flip:
            w[0] += (p.kernel[a] - 1) * p.w_step[3 + a] * (4 if p.dtype == PYCONVC_F32 else 8)
            p.w_step[3 + a] = -p.w_step[3 + a]
        p.kernel[a] = output[a]
        p.y_step[3 + a], p.w_step[3 + a] = p.w_step[3 + a], p.y_step[3 + a]
    p.flip = 0
    return True


cdef int _run_spatial(pyconvc_problem *p, char *x, char *w, char *y, int workers) except -1:
    """The correlate pass of one channel, without a bias."""
    cdef pyconvc_problem q = p[0]
    cdef char *kernel = w
    cdef int64_t lines[3]
    cdef int64_t d, h, i, bytes = 4 if p.dtype == PYCONVC_F32 else 8
    if not _exchange(&q, &kernel, lines):
        q = p[0]
        _as_planes(&q)
        return _run(CORRELATE, &q, x, w, NULL, y, workers)
    for d in range(lines[0]):  # one by one: the order of sums goes with the number of channels
        for h in range(lines[1]):
            for i in range(lines[2]):
                _run(WEIGHT_GRAD, &q, x + bytes * (d * p.x_step[3] + h * p.x_step[4] + i * p.x_step[5]),
                     y + bytes * (d * p.y_step[3] + h * p.y_step[4] + i * p.y_step[5]), NULL, kernel, workers)
    return 0
