/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pyconvc.h -- the only header that Cython and other projects see.
 *
 * One problem, three passes over it:
 *
 *   correlate    y[n,g,k,o] = bias[g,k] + sum over c,t of X[n,g,c,i] * w[g,k,c,t]
 *   input_grad   x[n,g,c,i] = bias[g,c] + sum over k,o,t of y[n,g,k,o] * w[g,k,c,t]
 *   weight_grad  w[g,k,c,t] = sum over n,o of X[n,g,c,i] * y[n,g,k,o]
 *
 * with i = o*stride + t*dilation - pad_before, and X the input extended beyond its edges by the
 * boundary rule of each axis. The second and third are the adjoints in x and in w; the second is
 * also the transposed convolution. Convolution in the mathematical sense is the same sums with the
 * taps index-reversed (`flip`).
 *
 * Units: sizes, strides, pads and steps count samples, never bytes; a complex sample is one. The
 * spatial axes are depth, height, width; a problem of lower rank has size 1 on the leading ones.
 */
#ifndef PYCONVC_H
#define PYCONVC_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PYCONVC_RANK 3

/* Signed integers use the unsigned type of their width: products and sums wrap to the same bits. */
typedef enum {
    PYCONVC_F32,
    PYCONVC_F64,
    PYCONVC_C64,
    PYCONVC_C128,
    PYCONVC_U8,
    PYCONVC_U16,
    PYCONVC_U32,
    PYCONVC_U64,
    PYCONVC_BOOL,
    PYCONVC_DTYPES
} pyconvc_dtype;

typedef enum {
    PYCONVC_CONSTANT,  /*  f f f | a b c d | f f f */
    PYCONVC_REPLICATE, /*  a a a | a b c d | d d d */
    PYCONVC_REFLECT,   /*  d c b | a b c d | c b a */
    PYCONVC_SYMMETRIC, /*  c b a | a b c d | d c b */
    PYCONVC_CIRCULAR   /*  b c d | a b c d | a b c */
} pyconvc_boundary;

typedef enum {
    PYCONVC_OK,
    PYCONVC_BAD_PROBLEM, /* a size, stride, dilation, rule or dtype out of its range */
    PYCONVC_OVERFLOW,    /* a size that does not fit in 63 bits */
    PYCONVC_NO_MEMORY,
    PYCONVC_INTERRUPTED, /* run->interrupted said stop; y is partly written */
    PYCONVC_NO_ISA,      /* unknown tier, or one that this machine or build lacks */
    PYCONVC_UNSUITED     /* a kernel that this function is not made for */
} pyconvc_status;

typedef struct {
    int32_t dtype;     /* pyconvc_dtype */
    int32_t flip;      /* nonzero: index-reverse the taps (convolution) */
    int32_t conjugate; /* nonzero: conjugate the taps (complex dtypes) */
    /* Outputs of a tile of Winograd's method along the height and the width, 2 to 4: where
     * pyconvc_winograd_axis has a form for the taps of both, if more than one; stride and dilation
     * not at once, padding and dilation at once by CONSTANT only; 0: direct. */
    int32_t winograd;
    int32_t boundary[PYCONVC_RANK]; /* pyconvc_boundary of each axis */
    unsigned char fill[16];         /* one element: the value beyond a CONSTANT edge */
    int64_t batch, groups;
    int64_t channels_in, channels_out; /* of one group */
    int64_t input[PYCONVC_RANK], kernel[PYCONVC_RANK];
    int64_t stride[PYCONVC_RANK], dilation[PYCONVC_RANK];
    int64_t pad_before[PYCONVC_RANK], pad_after[PYCONVC_RANK]; /* negative: crops */
    int64_t output[PYCONVC_RANK];                              /* set by pyconvc_complete */
    /* Samples from one item to the next; any sign, zero allowed in x and w. */
    int64_t x_step[3 + PYCONVC_RANK]; /* batch, group, input channel, depth, height, width */
    int64_t w_step[3 + PYCONVC_RANK]; /* group, output, input channel, depth, height, width */
    int64_t y_step[3 + PYCONVC_RANK]; /* batch, group, output channel, depth, height, width */
} pyconvc_problem;

typedef struct {
    int32_t workers;         /* threads that may work on the call, >= 1 */
    int32_t flush_denormals; /* nonzero: subnormal numbers count as zero in this call */
    int32_t (*interrupted)(
        void *data); /* polled by the calling thread; nonzero stops; may be NULL */
    void *data;
} pyconvc_run;

/* Checks p and sets p->output; an axis that the kernel does not fit has output 0. */
pyconvc_status pyconvc_complete(pyconvc_problem *p);

/* How Winograd's method takes so many taps along an axis, for tiles of so many outputs: elements of
 * a transformed tile, and of how many parts of the taps it has one; 0 if it does not. alone: there
 * are taps along no other axis but the depth. */
int32_t pyconvc_winograd_axis(int64_t taps, int64_t stride, int32_t outputs, int alone,
                              int64_t *parts);

/* The passes. The caller grants: p completed; x, w, y valid for their steps; what is written
 * overlaps nothing that is read. bias (one sample for each channel written, contiguous) may be
 * NULL. input_grad takes CONSTANT boundaries only, and what lies beyond them counts for nothing. */
pyconvc_status pyconvc_correlate(const pyconvc_problem *p, const void *x, const void *w,
                                 const void *bias, void *y, const pyconvc_run *run);
pyconvc_status pyconvc_input_grad(const pyconvc_problem *p, const void *y, const void *w,
                                  const void *bias, void *x, const pyconvc_run *run);
pyconvc_status pyconvc_weight_grad(const pyconvc_problem *p, const void *x, const void *y, void *w,
                                   const pyconvc_run *run);

/* A correlation to be run many times on arrays laid out alike: weights packed once. Run from
 * several threads at once it needs no lock. The caller grants that w stays as it is until
 * pyconvc_plan_free. */
typedef struct pyconvc_plan pyconvc_plan;

pyconvc_status pyconvc_plan_make(const pyconvc_problem *p, const void *w, const pyconvc_run *run,
                                 pyconvc_plan **plan);
pyconvc_status pyconvc_plan_run(const pyconvc_plan *plan, const void *x, const void *bias, void *y,
                                const pyconvc_run *run);
int64_t pyconvc_plan_bytes(const pyconvc_plan *plan);     /* packed weights */
int64_t pyconvc_plan_workspace(const pyconvc_plan *plan); /* scratch of one worker during a run */
void pyconvc_plan_free(pyconvc_plan *plan);

/* Pools: every output is the average or the maximum of a window of one channel.
 *
 *   forward   y[n,c,o] = sum of x[n,c,i] over the window of o, divided; or the largest
 *   adjoint   x[n,c,i] = sum of y[n,c,o], which the caller divided, over the windows that i is in
 *
 * NaN is larger than all. Padding is in no window; it may count in what sums are divided by. The
 * average of no sample is NaN, of integers 0. */
typedef enum { PYCONVC_AVERAGE, PYCONVC_MAXIMUM } pyconvc_pool_op;

/* What the samples of x and y are in memory, and in brackets the dtype to compute in. */
typedef enum {
    PYCONVC_AS_COMPUTED,
    PYCONVC_HALF,     /* IEEE binary16 [F32] */
    PYCONVC_BFLOAT16, /* the upper half of a binary32 [F32] */
    PYCONVC_SINGLE,   /* binary32 [F64] */
    PYCONVC_INT8,     /* two's complement, and unsigned [U64] */
    PYCONVC_UINT8,
    PYCONVC_INT16,
    PYCONVC_UINT16,
    PYCONVC_INT32,
    PYCONVC_UINT32,
    PYCONVC_STORED
} pyconvc_stored;

/* Window o is o*stride - pad + t*dilation, t < kernel, where the input has that; with kernel 0 it
 * is floor(o*input/output) up to ceil((o+1)*input/output). */
typedef struct {
    int64_t input, output, kernel, stride, dilation, pad;
} pyconvc_pool_axis;

typedef struct {
    int32_t op;        /* pyconvc_pool_op */
    int32_t dtype;     /* pyconvc_dtype; averages: floating, complex, U64 */
    int32_t stored;    /* pyconvc_stored */
    int32_t is_signed; /* integers */
    int32_t count_pad; /* averages: divided by the samples of the window and of the padding in it */
    int64_t divisor;   /* averages: divided by this, unless it is 0 */
    int64_t batch, channels;
    pyconvc_pool_axis axis[PYCONVC_RANK];
    /* Samples from one item to the next: batch, channel, depth, height, width. */
    int64_t x_step[2 + PYCONVC_RANK], y_step[2 + PYCONVC_RANK];
} pyconvc_pool;

/* With index (maxima of F32, F64, U64), contiguous and of y's shape: the positions of the maxima in
 * the flattened space, those of the first of equal ones and of the last NaN; -1 where a window has
 * no sample. */
pyconvc_status pyconvc_pool_forward(const pyconvc_pool *p, const void *x, void *y, int64_t *index,
                                    const pyconvc_run *run);
/* Averages only. */
pyconvc_status pyconvc_pool_adjoint(const pyconvc_pool *p, const void *y, void *x,
                                    const pyconvc_run *run);

/* Samples by position, in each of `planes` contiguous planes; positions below 0 count for nothing.
 *
 *   PICK   to[i] = from[index[i]]
 *   PUT    to[index[i]] = from[i], others 0
 *   ADD    the same, added up */
typedef enum { PYCONVC_PICK, PYCONVC_PUT, PYCONVC_ADD } pyconvc_index_op;

pyconvc_status pyconvc_by_index(int32_t op, int32_t dtype, int64_t planes, int64_t indices,
                                int64_t samples, const void *from, const int64_t *index, void *to,
                                const pyconvc_run *run);

/* The correlate pass over one image of one channel, F32 or F64, without its missing samples: NaN,
 * and where `mask` (contiguous, of the input's sizes, or NULL) is not 0. With v = 1 where a sample
 * is there and else 0,
 *
 *     y[o] = sum of w v X, times sum of |w| / sum of |w| v where `normalize` is set
 *
 * and NaN where sum of |w| v is 0 or less than the part `least` of sum of |w|. What lies beyond a
 * CONSTANT edge is there, unless it is NaN. With `normalize` the taps have one sign. UNSUITED, and
 * y not written, where a window has more lines than are held at once: thousands. */
pyconvc_status pyconvc_correlate_present(const pyconvc_problem *p, const void *x,
                                         const uint8_t *mask, const void *w, double least,
                                         int normalize, void *y, const pyconvc_run *run);

/* The steps of the above on n samples, F32 or F64 and contiguous, for sums that others compute:
 * whether one is missing; x with 0 for what is missing, and beside it 1 where a sample is there and
 * 0 where none is; sums times total / weight where `normalize` is set, and NaN where weight is 0 or
 * less than `least`. mask may be NULL, x and its copy, sums and y may be the same. */
pyconvc_status pyconvc_lacks(int32_t dtype, const void *x, const uint8_t *mask, int64_t n,
                             int32_t *lacks);
pyconvc_status pyconvc_split_present(int32_t dtype, const void *x, const uint8_t *mask, int64_t n,
                                     void *copy, void *valid, const pyconvc_run *run);
pyconvc_status pyconvc_scale_present(int32_t dtype, const void *sums, const void *weight, int64_t n,
                                     double total, double least, int normalize, void *y,
                                     const pyconvc_run *run);

/* Chains: passes over one array, one after the other, in blocks that stay in the cache between
 * them. A pass extends what the pass before left by its own rule and constant:
 *
 *   SUM       sum_t w[t] * X[o + t - pad] along one axis, as pyconvc_correlate sums
 *   TERMS     sum_i w[i] * X[o + at[i]], in this order; in F64 every product and sum is rounded
 *   PAIRS     w[0] * X[o + at[0]] + sum_i w[i] * (X[o + at[2*i - 1]] + X[o + at[2*i]]), likewise
 *   ODD_PAIRS the same with differences
 *   MEAN      w[0] * sum_{t < kernel} X[o + t - pad] along one axis
 *   QUOTIENT  the same sum divided by w[0]
 *
 * The error of the last two grows as the logarithm of kernel. Between passes samples are what y can
 * store: integers are cut off and wrap.
 *
 * Sizes of x and y differ where some of the sums that an extended x has are left out or added:
 * along each axis, o runs from 0, and every o - pad to o - pad + kernel - 1 has a sample of x. */
typedef enum {
    PYCONVC_SUM,
    PYCONVC_TERMS,
    PYCONVC_PAIRS,
    PYCONVC_ODD_PAIRS,
    PYCONVC_MEAN,
    PYCONVC_QUOTIENT
} pyconvc_pass_kind;

/* Real samples in memory that a chain computes on as F32 or F64. */
typedef enum {
    PYCONVC_SAMPLE_I8,
    PYCONVC_SAMPLE_U8,
    PYCONVC_SAMPLE_I16,
    PYCONVC_SAMPLE_U16,
    PYCONVC_SAMPLE_I32,
    PYCONVC_SAMPLE_U32,
    PYCONVC_SAMPLE_I64,
    PYCONVC_SAMPLE_U64,
    PYCONVC_SAMPLE_BOOL,
    PYCONVC_SAMPLE_F32,
    PYCONVC_SAMPLE_F64,
    PYCONVC_SAMPLES,
    PYCONVC_SAMPLE_AS_COMPUTED = -1
} pyconvc_sample;

/* No two passes of a chain have a kernel of more than one sample along the same axis. */
typedef struct {
    int32_t kind; /* pyconvc_pass_kind */
    int32_t boundary[PYCONVC_RANK];
    int64_t kernel[PYCONVC_RANK], pad[PYCONVC_RANK]; /* samples that o reaches, and before o;
                                                      * pad < 0: the first sums are left out */
    int64_t terms;                                   /* TERMS, PAIRS, ODD_PAIRS: number of w */
    const int64_t *at;                               /* theirs: depth, height, width from o - pad */
    const void *w;                                   /* in the chain's dtype */
    unsigned char fill[16];                          /* likewise */
} pyconvc_pass;

typedef struct {
    int32_t dtype;              /* to compute in: F32, F64; C64, C128 for SUM, MEAN; others: SUM */
    int32_t x_sample, y_sample; /* pyconvc_sample; AS_COMPUTED: dtype */
    int32_t passes;             /* 1 .. PYCONVC_RANK */
    pyconvc_pass pass[PYCONVC_RANK];
    int64_t batch, input[PYCONVC_RANK], output[PYCONVC_RANK];
    int64_t x_step[1 + PYCONVC_RANK], y_step[1 + PYCONVC_RANK]; /* batch, depth, height, width */
} pyconvc_chain;

/* The caller grants that y overlaps nothing that is read, or is x itself, with its sizes, steps and
 * type; then lines along the axes of kernels are held in memory whole. */
pyconvc_status pyconvc_chain_run(const pyconvc_chain *c, const void *x, void *y,
                                 const pyconvc_run *run);

/* A chain that computes in F32 or F64, without missing samples: NaN, and where `mask` (of the
 * input's sizes, with steps of its own, or NULL) is not 0. `sizes` is the same chain with the
 * weights' sizes, and constants of what is there: its sums over 1 where a sample is there and else
 * 0 are weights. y is the sum of samples, scaled as pyconvc_correlate_present does. x and y do not
 * overlap. UNSUITED, and y not written, where bands that meet all of a window are too large to be
 * copied. */
pyconvc_status pyconvc_chain_present(const pyconvc_chain *c, const pyconvc_chain *sizes,
                                     const void *x, const uint8_t *mask, const int64_t *mask_step,
                                     double least, int normalize, void *y, const pyconvc_run *run);

/* Convolution by Fourier transforms, in tiles that overlap (overlap-save), of F32, F64,
 * C64 or C128:
 *
 *     y[o] = sum_t w[t] * X[o + start + skip - t]
 *
 * A tile is rows x columns complex samples, multiples of 4 and of 16. Two real samples of X share
 * each, as real and imaginary part: those that are `rows` lines apart, and where `line` is set,
 * those that are rows * columns apart on one axis, the width, which fills the tile line by line. So
 * a tile holds 2 * rows lines of X, or 2 * rows * columns samples; along that axis its products
 * wrap around with the opposite sign, along the width of planes with the same. Of a volume each
 * depth has `height` of these lines, and products that leave one come into the next. Of complex
 * samples a tile holds half as many, which wrap around times i.
 *
 * Tile t begins at sample start + t * advance of X along an axis. Of its outputs, those from `skip`
 * on, `advance` of them, are kept; the caller grants that no product wraps into them. */
typedef struct {
    const int32_t *radices; /* 3, 4, 5 or 8, of the rows 4 first; then 0 */
    const void *twiddles;   /* as kernels/fourier_types.h has them */
    int64_t step; /* of the columns: elements of the twiddles of a line; 0: all share them */
} pyconvc_fourier_axis;

typedef struct {
    int32_t dtype, line;
    int64_t rows, columns, height;
    pyconvc_fourier_axis of_rows, of_columns;
    int32_t boundary[3]; /* depth, height, width */
    unsigned char fill[16];
    int64_t batch, input[3], output[3];
    int64_t start[3], advance[3], skip[3];
    int64_t x_step[4], y_step[4]; /* batch, depth, height, width */
    int64_t part;                 /* of a line, whose samples follow each other, batch 1: */
    void *levels;                 /* if not NULL, what pyconvc_loudest finds in its parts */
} pyconvc_fourier;

/* The spectrum of a kernel, 4 * rows * columns real elements, best aligned to 64 bytes: x, input,
 * x_step, start 0. */
pyconvc_status pyconvc_fourier_spectrum(const pyconvc_fourier *f, const void *w, void *spectrum,
                                        const pyconvc_run *run);
pyconvc_status pyconvc_fourier_run(const pyconvc_fourier *f, const void *x, const void *spectrum,
                                   void *y, const pyconvc_run *run);

/* The largest |x| of each part of planes, F32 or F64, whose samples follow each other along the
 * width: parts of part[0] x part[1] samples, the last of an axis with the rest; to: contiguous,
 * batch x size[0] / part[0] x size[1] / part[1]. NaN counts as larger than infinity. */
pyconvc_status pyconvc_loudest(int32_t dtype, const void *x, int64_t batch, const int64_t size[2],
                               const int64_t step[2], const int64_t part[2], void *to,
                               const pyconvc_run *run);

/* Tiers are chosen once, at the first call of any function here, or by name before that. */
pyconvc_status pyconvc_isa_select(const char *name); /* NULL: the best available */
const char *pyconvc_isa_name(void);
const char *pyconvc_isa_available(int index); /* NULL after the last, slowest first */

int pyconvc_has_openmp(void);

#ifdef __cplusplus
}
#endif
#endif
