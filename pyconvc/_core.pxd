"""src_c/include/pyconvc.h for Cython."""

from libc.stdint cimport int32_t, int64_t


cdef extern from "pyconvc.h" nogil:
    enum:
        PYCONVC_RANK

    ctypedef enum pyconvc_dtype:
        PYCONVC_F32
        PYCONVC_F64
        PYCONVC_C64
        PYCONVC_C128
        PYCONVC_U8
        PYCONVC_U16
        PYCONVC_U32
        PYCONVC_U64
        PYCONVC_BOOL

    ctypedef enum pyconvc_status:
        PYCONVC_OK
        PYCONVC_BAD_PROBLEM
        PYCONVC_OVERFLOW
        PYCONVC_NO_MEMORY
        PYCONVC_INTERRUPTED
        PYCONVC_UNSUITED
        PYCONVC_NO_ISA

    ctypedef struct pyconvc_problem:
        int32_t dtype
        int32_t flip
        int32_t conjugate
        int32_t winograd
        int32_t boundary[3]
        unsigned char fill[16]
        int64_t batch, groups, channels_in, channels_out
        int64_t input[3]
        int64_t kernel[3]
        int64_t stride[3]
        int64_t dilation[3]
        int64_t pad_before[3]
        int64_t pad_after[3]
        int64_t output[3]
        int64_t x_step[6]
        int64_t w_step[6]
        int64_t y_step[6]

    ctypedef struct pyconvc_run:
        int32_t workers
        int32_t flush_denormals
        int32_t (*interrupted)(void *data) noexcept
        void *data

    pyconvc_status pyconvc_complete(pyconvc_problem *p)
    int32_t pyconvc_winograd_axis(int64_t taps, int64_t stride, int32_t outputs, int alone, int64_t *parts)
    pyconvc_status pyconvc_correlate(const pyconvc_problem *p, const void *x, const void *w,
                                     const void *bias, void *y, const pyconvc_run *run)
    pyconvc_status pyconvc_input_grad(const pyconvc_problem *p, const void *y, const void *w,
                                      const void *bias, void *x, const pyconvc_run *run)
    pyconvc_status pyconvc_weight_grad(const pyconvc_problem *p, const void *x, const void *y, void *w,
                                       const pyconvc_run *run)
    ctypedef struct pyconvc_plan:
        pass

    pyconvc_status pyconvc_plan_make(const pyconvc_problem *p, const void *w, const pyconvc_run *run,
                                     pyconvc_plan **plan)
    pyconvc_status pyconvc_plan_run(const pyconvc_plan *plan, const void *x, const void *bias, void *y,
                                    const pyconvc_run *run)
    int64_t pyconvc_plan_bytes(const pyconvc_plan *plan)
    int64_t pyconvc_plan_workspace(const pyconvc_plan *plan)
    void pyconvc_plan_free(pyconvc_plan *plan)
    pyconvc_status pyconvc_isa_select(const char *name)
    const char *pyconvc_isa_name()
    const char *pyconvc_isa_available(int index)
    int pyconvc_has_openmp()

    ctypedef enum pyconvc_pool_op:
        PYCONVC_AVERAGE
        PYCONVC_MAXIMUM

    ctypedef enum pyconvc_stored:
        PYCONVC_AS_COMPUTED
        PYCONVC_HALF
        PYCONVC_BFLOAT16
        PYCONVC_SINGLE
        PYCONVC_INT8
        PYCONVC_UINT8
        PYCONVC_INT16
        PYCONVC_UINT16
        PYCONVC_INT32
        PYCONVC_UINT32

    ctypedef struct pyconvc_pool_axis:
        int64_t input, output, kernel, stride, dilation, pad

    ctypedef struct pyconvc_pool:
        int32_t op, dtype, stored, is_signed, count_pad
        int64_t divisor, batch, channels
        pyconvc_pool_axis axis[3]
        int64_t x_step[5]
        int64_t y_step[5]

    ctypedef enum pyconvc_index_op:
        PYCONVC_PICK
        PYCONVC_PUT
        PYCONVC_ADD

    pyconvc_status pyconvc_pool_forward(const pyconvc_pool *p, const void *x, void *y, int64_t *index,
                                        const pyconvc_run *run)
    pyconvc_status pyconvc_pool_adjoint(const pyconvc_pool *p, const void *y, void *x, const pyconvc_run *run)
    pyconvc_status pyconvc_by_index(int32_t op, int32_t dtype, int64_t planes, int64_t indices, int64_t samples,
                                    const void *from_, const int64_t *index, void *to, const pyconvc_run *run)
    pyconvc_status pyconvc_correlate_present(const pyconvc_problem *p, const void *x, const unsigned char *mask,
                                             const void *w, double least, int normalize, void *y,
                                             const pyconvc_run *run)
    pyconvc_status pyconvc_lacks(int32_t dtype, const void *x, const unsigned char *mask, int64_t n, int32_t *lacks)
    pyconvc_status pyconvc_split_present(int32_t dtype, const void *x, const unsigned char *mask, int64_t n,
                                         void *copy, void *valid, const pyconvc_run *run)
    pyconvc_status pyconvc_scale_present(int32_t dtype, const void *sums, const void *weight, int64_t n, double total,
                                         double least, int normalize, void *y, const pyconvc_run *run)

    ctypedef enum pyconvc_pass_kind:
        PYCONVC_SUM
        PYCONVC_TERMS
        PYCONVC_PAIRS
        PYCONVC_ODD_PAIRS
        PYCONVC_MEAN
        PYCONVC_QUOTIENT

    ctypedef enum pyconvc_sample:
        PYCONVC_SAMPLE_I8
        PYCONVC_SAMPLE_U8
        PYCONVC_SAMPLE_I16
        PYCONVC_SAMPLE_U16
        PYCONVC_SAMPLE_I32
        PYCONVC_SAMPLE_U32
        PYCONVC_SAMPLE_I64
        PYCONVC_SAMPLE_U64
        PYCONVC_SAMPLE_BOOL
        PYCONVC_SAMPLE_F32
        PYCONVC_SAMPLE_F64
        PYCONVC_SAMPLE_AS_COMPUTED

    ctypedef struct pyconvc_pass:
        int32_t kind
        int32_t boundary[3]
        int64_t kernel[3]
        int64_t pad[3]
        int64_t terms
        const int64_t *at
        const void *w
        unsigned char fill[16]

    ctypedef struct pyconvc_chain:
        int32_t dtype, x_sample, y_sample, passes
        pyconvc_pass[3] passes_ "pass"
        int64_t batch
        int64_t input[3]
        int64_t output[3]
        int64_t x_step[4]
        int64_t y_step[4]

    ctypedef struct pyconvc_fourier_axis:
        const int32_t *radices
        const void *twiddles
        int64_t step

    ctypedef struct pyconvc_fourier:
        int32_t dtype, line
        int64_t rows, columns, height
        pyconvc_fourier_axis of_rows, of_columns
        int32_t boundary[3]
        unsigned char fill[16]
        int64_t batch
        int64_t input[3]
        int64_t output[3]
        int64_t start[3]
        int64_t advance[3]
        int64_t skip[3]
        int64_t x_step[4]
        int64_t y_step[4]
        int64_t part
        void *levels

    pyconvc_status pyconvc_fourier_spectrum(const pyconvc_fourier *f, const void *w, void *spectrum,
                                            const pyconvc_run *run)
    pyconvc_status pyconvc_fourier_run(const pyconvc_fourier *f, const void *x, const void *spectrum, void *y,
                                       const pyconvc_run *run)
    pyconvc_status pyconvc_loudest(int32_t dtype, const void *x, int64_t batch, const int64_t *size,
                                   const int64_t *step, const int64_t *part, void *to, const pyconvc_run *run)
    pyconvc_status pyconvc_chain_run(const pyconvc_chain *c, const void *x, void *y, const pyconvc_run *run)
    pyconvc_status pyconvc_chain_present(const pyconvc_chain *c, const pyconvc_chain *sizes, const void *x,
                                         const unsigned char *mask, const int64_t *mask_step, double least,
                                         int normalize, void *y, const pyconvc_run *run)
