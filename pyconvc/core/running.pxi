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
