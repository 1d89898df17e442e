# The correlate pass, its adjoints, and plans.


def winograd_axis(int64_t taps, int outputs, bint alone, int64_t stride=1):
    """(elements, parts) of pyconvc_winograd_axis, or None."""
    cdef int64_t parts = 0
    cdef int32_t elements = pyconvc_winograd_axis(taps, stride, outputs, alone, &parts)
    return (elements, parts) if elements else None


def correlate(cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, *, cnp.ndarray bias=None, bint channels=False,
              stride=None, dilation=None, pad_before=None, boundary=None, fill=None, int64_t groups=1,
              bint flip=False, bint conjugate=False, int winograd=0, int workers=1):
    """The correlate pass of pyconvc.h on arrays of one served dtype; writes and returns y.

    Without `channels` x, w, y are purely spatial, of rank 1 to 3; with it they are (N, G*C, *space),
    (G*K, C, *taps), (N, G*K, *space). Per-axis arguments are tuples of ints or None (stride and dilation
    1, pad_before 0, boundary constant); what is padded behind follows from y's shape. bias is contiguous.
    winograd is that of pyconvc_problem.
    """
    cdef pyconvc_problem p
    _state(&p, x, w, y, channels, stride, dilation, pad_before, boundary, fill, groups)
    p.flip, p.conjugate, p.winograd = flip, conjugate, winograd
    if not channels and bias is None:
        _run_spatial(&p, <char *>cnp.PyArray_DATA(x), <char *>cnp.PyArray_DATA(w), <char *>cnp.PyArray_DATA(y), workers)
        return y
    _run(CORRELATE, &p, cnp.PyArray_DATA(x), cnp.PyArray_DATA(w),
         NULL if bias is None else cnp.PyArray_DATA(bias), cnp.PyArray_DATA(y), workers)
    return y


def input_grad(cnp.ndarray y, cnp.ndarray w, cnp.ndarray x, *, cnp.ndarray bias=None, stride=None, dilation=None,
               pad_before=None, int64_t groups=1, bint flip=False, bint conjugate=False, int winograd=0,
               int workers=1):
    """The adjoint of `correlate` in x, zero beyond the edges: reads y and w, writes and returns x.

    Arrays and arguments are those of the correlate pass with ``channels=True`` that would read x and write
    y; bias has one sample for each channel of x. With roles renamed it is the transposed convolution.
    """
    cdef pyconvc_problem p
    _state(&p, x, w, y, True, stride, dilation, pad_before, None, None, groups)
    p.flip, p.conjugate, p.winograd = flip, conjugate, winograd
    _run(INPUT_GRAD, &p, cnp.PyArray_DATA(x), cnp.PyArray_DATA(w),
         NULL if bias is None else cnp.PyArray_DATA(bias), cnp.PyArray_DATA(y), workers)
    return x


def weight_grad(cnp.ndarray x, cnp.ndarray y, cnp.ndarray w, *, stride=None, dilation=None, pad_before=None,
                boundary=None, fill=None, int64_t groups=1, bint flip=False, int workers=1):
    """The adjoint of `correlate` in w: reads x and y, writes and returns w. Arguments as in `input_grad`."""
    cdef pyconvc_problem p
    _state(&p, x, w, y, True, stride, dilation, pad_before, boundary, fill, groups)
    p.flip = flip
    _run(WEIGHT_GRAD, &p, cnp.PyArray_DATA(x), cnp.PyArray_DATA(w), NULL, cnp.PyArray_DATA(y), workers)
    return w


cdef class Plan:
    """A correlate pass with its weights packed, for C-contiguous x and y of fixed shapes.

    Arguments as in `correlate` with ``channels=True``; of x and y only shapes matter, w must not change.
    May be called from several threads at once.
    """

    cdef pyconvc_plan *_plan
    cdef cnp.ndarray _w, _y
    cdef readonly tuple x_shape, y_shape
    cdef int _dtype

    def __init__(self, cnp.ndarray x, cnp.ndarray w, cnp.ndarray y, *, stride=None, dilation=None, pad_before=None,
                 boundary=None, fill=None, int64_t groups=1, bint flip=False, bint conjugate=False,
                 int winograd=0, int workers=1):
        cdef pyconvc_problem p
        cdef pyconvc_run run = _run_with(workers)
        cdef pyconvc_status status
        _state(&p, x, w, y, True, stride, dilation, pad_before, boundary, fill, groups)
        p.flip, p.conjugate, p.winograd = flip, conjugate, winograd
        _set_contiguous(p.x_step, (<object>x).shape, groups)
        _set_contiguous(p.y_step, (<object>y).shape, groups)
        with nogil:
            status = pyconvc_plan_make(&p, cnp.PyArray_DATA(w), &run, &self._plan)
        _check_status(status)
        self._w, self._y, self._dtype = w, y, p.dtype
        self.x_shape, self.y_shape = (<object>x).shape, (<object>y).shape

    def __dealloc__(self):
        pyconvc_plan_free(self._plan)

    @property
    def packed_bytes(self):
        """Bytes of the packed weights."""
        return pyconvc_plan_bytes(self._plan)

    @property
    def workspace_bytes(self):
        """Scratch bytes of one worker during a run."""
        return pyconvc_plan_workspace(self._plan)

    def fits(self, cnp.ndarray x, cnp.ndarray y):
        """Whether the arrays are laid out as `run` takes them."""
        return ((<object>x).shape == self.x_shape and (<object>y).shape == self.y_shape
                and cnp.PyArray_ISCARRAY_RO(x) and cnp.PyArray_ISCARRAY(y))

    def plain(self, object x, cnp.ndarray bias, int workers):
        """`run` into a new array, where x is as `run` takes it and of the very dtype of w; or None."""
        if (type(x) is not cnp.ndarray or cnp.PyArray_TYPE(x) != cnp.PyArray_TYPE(self._w)
                or not cnp.PyArray_ISCARRAY_RO(x) or (<object>x).shape != self.x_shape):
            return None
        y = _empty(cnp.PyArray_NDIM(self._y), cnp.PyArray_DIMS(self._y), cnp.PyArray_TYPE(x), x)
        self._compute(x, bias, y, workers)
        return y

    def run(self, cnp.ndarray x, cnp.ndarray y, *, cnp.ndarray bias=None, int workers=1):
        """Read x, write and return y, both C-contiguous and of the plan's shapes and dtype."""
        if (<object>x).shape != self.x_shape or (<object>y).shape != self.y_shape:
            raise ValueError(f"shapes {(<object>x).shape}, {(<object>y).shape} are not the plan's")
        if _dtype_code(x) != self._dtype or _dtype_code(y) != self._dtype:
            raise TypeError("dtypes are not the plan's")
        if not (cnp.PyArray_ISCARRAY_RO(x) and cnp.PyArray_ISCARRAY(y)):
            raise ValueError("x and y must be C-contiguous, aligned and native")
        self._compute(x, bias, y, workers)
        return y

    cdef int _compute(self, cnp.ndarray x, cnp.ndarray bias, cnp.ndarray y, int workers) except -1:
        cdef pyconvc_run run = _run_with(workers)
        cdef pyconvc_status status
        cdef void *b = NULL if bias is None else cnp.PyArray_DATA(bias)
        with nogil:
            status = pyconvc_plan_run(self._plan, cnp.PyArray_DATA(x), b, cnp.PyArray_DATA(y), &run)
        _check_status(status)
        return 0
