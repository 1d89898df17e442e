# cython: freethreading_compatible=True, boundscheck=False, wraparound=False, cdivision=True
"""Windows as columns of a matrix, and products of matrices by SciPy's BLAS: one tile of the method `gemm`.

    y[k, first:last] (+)= w[k, rows] @ columns[rows, first:last]

A row of `columns` is one channel under one tap, a column is one output. The GIL is released.
"""

from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

cimport numpy as cnp

from scipy.linalg import cython_blas

cnp.import_array()

# Taken from SciPy's table of its C functions, so that a build needs no SciPy. The scalars and
# matrices are of the function's own type.
ctypedef void (*product)(char *, char *, int *, int *, int *, void *, void *, int *, void *, int *,
                         void *, void *, int *) noexcept nogil


cdef product _blas(name) except NULL:
    """SciPy's BLAS function of that name."""
    capsule = cython_blas.__pyx_capi__[name]
    cdef const char *signature = PyCapsule_GetName(capsule)
    if not signature.startswith(b"void (char *, char *, int *, int *, int *, "):
        raise ImportError(f"scipy.linalg.cython_blas.{name} takes other integers: {signature.decode()}")
    return <product>PyCapsule_GetPointer(capsule, signature)


cdef product sgemm = _blas("sgemm")
cdef product dgemm = _blas("dgemm")
cdef product cgemm = _blas("cgemm")
cdef product zgemm = _blas("zgemm")

ctypedef fused cell:  # what a sample is when it is only moved
    uint32_t
    uint64_t
    double complex


cdef class Windows:
    """Where the windows of a convolution with three axes of space are in its input.

    Parameters
    ----------
    sources : three int64 arrays, shape (taps, out)
        For each axis the index into the input of each tap of each output, -1 where it is a zero beyond.
    inside : int64 array, shape (taps, 2)
        First and last output of the last axis that have the tap inside the input, where the index
        grows by `stride`.
    stride : int
        Of the last axis.
    """

    cdef object _keep
    cdef const int64_t *source[3]
    cdef const int64_t *inside
    cdef int64_t taps[3]
    cdef int64_t out[3]
    cdef int64_t stride

    def __init__(self, sources, cnp.ndarray inside, int64_t stride):
        cdef cnp.ndarray source
        cdef int a
        self._keep = (sources, inside)
        for a in range(3):
            source = sources[a]
            self.source[a] = <const int64_t *>cnp.PyArray_DATA(source)
            self.taps[a], self.out[a] = cnp.PyArray_DIM(source, 0), cnp.PyArray_DIM(source, 1)
        self.inside = <const int64_t *>cnp.PyArray_DATA(inside)
        self.stride = stride

    def columns(self, cnp.ndarray x, int64_t first, int64_t last, cnp.ndarray to):
        """Rows (channel, tap) and columns first:last of the outputs of x (C, depth, height, width)."""
        cdef int64_t size = cnp.PyArray_ITEMSIZE(x)
        cdef char *target = <char *>cnp.PyArray_DATA(to)
        if size == 4:
            self._columns(x, first, last, <uint32_t *>target)
        elif size == 8:
            self._columns(x, first, last, <uint64_t *>target)
        else:
            self._columns(x, first, last, <double complex *>target)

    cdef void _columns(self, cnp.ndarray x, int64_t first, int64_t last, cell *to):
        cdef const char *data = <const char *>cnp.PyArray_DATA(x)
        cdef int64_t channels = cnp.PyArray_DIM(x, 0)
        cdef int64_t c, t0, t1, t2
        cdef int64_t step[4]
        for c in range(4):
            step[c] = cnp.PyArray_STRIDE(x, c)
        with nogil:
            for c in range(channels):
                for t0 in range(self.taps[0]):
                    for t1 in range(self.taps[1]):
                        for t2 in range(self.taps[2]):
                            self._row(data + c * step[0], step + 1, t0, t1, t2, first, last, to)
                            to += last - first

    cdef void _row(self, const char *x, const int64_t *step, int64_t t0, int64_t t1, int64_t t2, int64_t first,
                   int64_t last, cell *to) noexcept nogil:
        """One row, line after line of the outputs."""
        cdef int64_t width = self.out[2], line, begin, end, i0, i1, o
        while first < last:
            line = first // width
            begin = first - line * width
            end = min(width, begin + last - first)
            i0 = self.source[0][t0 * self.out[0] + line // self.out[1]]
            i1 = self.source[1][t1 * self.out[1] + line % self.out[1]]
            if i0 < 0 or i1 < 0:
                for o in range(end - begin):
                    to[o] = 0
            else:
                self._line(x + i0 * step[0] + i1 * step[1], step[2], t2, begin, end, to)
            to += end - begin
            first += end - begin

    cdef void _line(self, const char *x, int64_t step, int64_t t2, int64_t begin, int64_t end,
                    cell *to) noexcept nogil:
        """Outputs begin:end of one line: those before, inside and after."""
        cdef const int64_t *source = self.source[2] + t2 * self.out[2]
        cdef int64_t low = min(max(self.inside[2 * t2], begin), end)
        cdef int64_t high = max(min(self.inside[2 * t2 + 1], end), low)
        cdef int64_t o, jump = self.stride * step
        cdef const char *at
        for o in range(begin, low):
            to[o - begin] = (<const cell *>(x + source[o] * step))[0] if source[o] >= 0 else 0
        if low < high:
            at = x + source[low] * step
            if jump == sizeof(cell):
                memcpy(to + (low - begin), at, (high - low) * sizeof(cell))
            else:
                for o in range(high - low):
                    to[low - begin + o] = (<const cell *>(at + o * jump))[0]
        for o in range(high, end):
            to[o - begin] = (<const cell *>(x + source[o] * step))[0] if source[o] >= 0 else 0


def multiply(cnp.ndarray w, cnp.ndarray x, cnp.ndarray y, bint add):
    """y (K, F) = w (K, R) @ x (R, F), or that added to y.

    float32, float64, complex64, complex128. Rows of w and y are contiguous, of x rows or columns.
    """
    cdef int rows = <int>cnp.PyArray_DIM(x, 0), columns = <int>cnp.PyArray_DIM(x, 1)
    cdef int filters = <int>cnp.PyArray_DIM(w, 0), size = <int>cnp.PyArray_ITEMSIZE(x)
    # BLAS counts columns first: y.T = x.T @ w.T. An x of contiguous columns is the transpose of its own.
    cdef bint by_column = cnp.PyArray_STRIDE(x, 1) != size and columns > 1
    cdef char *turned = b"T" if by_column else b"N"
    cdef int x_step = _leading(x, 1 if by_column else 0, rows if by_column else columns)
    cdef int w_step = _leading(w, 0, rows), y_step = _leading(y, 0, columns)
    cdef int code = cnp.PyArray_TYPE(x)
    cdef void *a = cnp.PyArray_DATA(x)
    cdef void *b = cnp.PyArray_DATA(w)
    cdef void *c = cnp.PyArray_DATA(y)
    with nogil:
        _gemm(code, turned, columns, filters, rows, a, x_step, b, w_step, add, c, y_step)


cdef int _leading(cnp.ndarray a, int axis, int least) noexcept:
    """Samples from one line to the next, as BLAS wants it where there is only one."""
    return max(<int>(cnp.PyArray_STRIDE(a, axis) // cnp.PyArray_ITEMSIZE(a)), max(1, least))


cdef void _gemm(int code, char *turned, int m, int n, int k, void *a, int lda, void *b, int ldb, bint add,
                void *c, int ldc) noexcept nogil:
    """C (m, n) = op(A) (m, k) B (k, n), or that added to C; column-major."""
    cdef char *plain = b"N"
    cdef float s1 = 1, s2 = add
    cdef double d1 = 1, d2 = add
    cdef float complex c1 = 1, c2 = add
    cdef double complex z1 = 1, z2 = add
    if code == cnp.NPY_FLOAT32:
        sgemm(turned, plain, &m, &n, &k, &s1, a, &lda, b, &ldb, &s2, c, &ldc)
    elif code == cnp.NPY_FLOAT64:
        dgemm(turned, plain, &m, &n, &k, &d1, a, &lda, b, &ldb, &d2, c, &ldc)
    elif code == cnp.NPY_COMPLEX64:
        cgemm(turned, plain, &m, &n, &k, &c1, a, &lda, b, &ldb, &c2, c, &ldc)
    else:
        zgemm(turned, plain, &m, &n, &k, &z1, a, &lda, b, &ldb, &z2, c, &ldc)
