/* chain_types.h -- the kernels of chains: sums of shifted blocks, and what carries samples between
 * memory and the elements that are computed with. Complex samples are two elements side by side.
 */
#ifndef PYCONVC_CHAIN_TYPES_H
#define PYCONVC_CHAIN_TYPES_H

#include <stdint.h>

#include "dtypes.h"
#include "pyconvc.h"

/* Types in memory, in the order of pyconvc_sample: X(name, type in memory, way to it). Elements are
 * cut off towards zero and wrap, by way of the integer named last. */
#define PYCONVC_FOR_SAMPLES(X)                                                                     \
    X(i8, int8_t, int32_t)                                                                         \
    X(u8, uint8_t, int32_t)                                                                        \
    X(i16, int16_t, int32_t)                                                                       \
    X(u16, uint16_t, int32_t)                                                                      \
    X(i32, int32_t, int32_t)                                                                       \
    X(u32, uint32_t, int64_t)                                                                      \
    X(i64, int64_t, int64_t)                                                                       \
    X(u64, uint64_t, int64_t)                                                                      \
    X(b8, uint8_t, int32_t)                                                                        \
    X(f32, float, float)                                                                           \
    X(f64, double, double)

/* Weights times 2^bits as the sum of a high and a low float32 each, side by side, for sums of
 * integers: sums with the high ones are exact, and the whole sum, which fits into 31 bits, differs
 * from that in double by less than `doubt`. */
typedef struct {
    const float *parts;
    int32_t bits, doubt;
} split_weights;

/* Weights of pairs of bytes, that of the centre halved, times 2^FACTORED_BITS as products of two
 * factors. `first` has one of at most 64 for each pair, in each byte; `second` two of at most 15
 * bits for two pairs, side by side. Sums of the products and `above` exceed those in double, with
 * the true weights, by less than `doubt`; cut off, they fit into a byte.
 *
 * Where each pair and its centre differ by at most `reach` in the mean, rounded up, the sum in
 * double is one less if the fraction is below `less_below`, and not if it is not below `sure_from`.
 * Where the mean is the centre, it is one less if bit v % 8 of byte v / 8 of `less` is set for the
 * centre v; halves of that table are there twice, for each 16 bytes of a vector.
 *
 * Limits of fractions are there twice in 16 bits, and `reach` four times in bytes. */
#define FACTORED_BITS 22
typedef struct {
    const int32_t *first, *second;
    int32_t above, doubt, less_below, sure_from, reach;
    uint8_t less[2][32];
} factored_weights;

/* Where the pairs of `from` lie: in rows or along the line around from[0], the outermost first; or
 * anywhere. Along the line, 16 bytes beyond what they reach are readable. */
typedef enum { SHIFTED_ANYWHERE, SHIFTED_ROWS, SHIFTED_LINE } shifted_around;

/* For r < height, j < width, with from[i] at from[i] + r * pitch + j, every operation rounded:
 *
 *   terms      y[r][j] = w[0] * from[0] + w[1] * from[1] + ...
 *   pairs      y[r][j] = w[0] * from[0] + w[1] * (from[1] + from[2]) + ...
 *   odd_pairs  y[r][j] = w[0] * from[0] + w[1] * (from[1] - from[2]) + ...
 *   mean       y[r][j] = w[0] * (from[0] + from[1] + ...)
 *   quotient   y[r][j] = (from[0] + from[1] + ...) / w[0]
 *
 * The kernels of `fused` are the same sums with the products not rounded, where a tier can.
 * pitches and width count elements. The caller grants: every row readable up to width rounded up to
 * whole vectors; with stream, y and y_pitch aligned to a vector. */
typedef struct {
    const void *const *from;
    const void *w;
    int64_t count; /* of w; mean and quotient: of from */
    void *y;
    int64_t pitch, y_pitch, height, width;
    int stream;
    shifted_around around;
    const int32_t *whole;             /* of sums of integers: the weights, or NULL */
    const split_weights *split;       /* of sums of integers, or NULL */
    const factored_weights *factored; /* of sums of pairs of bytes, or NULL */
} shifted_job;

typedef void shifted_fn(const shifted_job *job);

typedef struct {
    shifted_fn *terms, *pairs, *odd_pairs, *mean, *quotient;
    int32_t vector; /* elements */
} shifted_kernels;

/* Samples of at most 16 bits, the first of pyconvc_sample: X(name, type in memory). */
#define PYCONVC_FOR_INTEGERS(X)                                                                    \
    X(i8, int8_t)                                                                                  \
    X(u8, uint8_t)                                                                                 \
    X(i16, int16_t)                                                                                \
    X(u16, uint16_t)
#define PYCONVC_INTEGERS 4

/* n elements: widen from memory, narrow to memory, settle in place to what memory can hold. */
typedef void convert_fn(const void *from, int64_t n, void *to);

/* The same sums of such samples, pitches and width counting them, as if computed with the weights
 * in double and cut off towards zero; no mean. The caller grants sums of a quotient, and those with
 * whole weights, within 32 bits; rows readable 64 bytes beyond their end.
 *
 * byte_means: of so many bytes quotients are as fast as those of few. widen: those of 8 bits to 16.
 */
typedef struct {
    shifted_kernels of[PYCONVC_INTEGERS];
    int32_t byte_means;
    convert_fn *widen[PYCONVC_INTEGERS];
} integer_kernels;

/* box: for r < height, j < width, y[r][j] = (rows[r][j] + ... + rows[r + count - 1][j]) times or,
 * with `divide`, divided by w. rows is a table of row pointers, y_pitch and width count elements.
 * Rows are added up in runs of `count`, rows[0] being number `place` of its run. The caller grants
 * sums, scratch for count rows of `columns` doubles, aligned to a vector, and rows readable up to
 * width rounded up to whole vectors. */
typedef struct {
    const void *const *rows;
    int64_t count, place;
    const void *w;
    int divide;
    void *sums, *y;
    int64_t y_pitch, height, width;
} box_job;

/* lines: for r < height, j < width, with x[r][j] at x + r * pitch + j,
 * y[r][j] = (x[r][j] + x[r][j + x_step] + ... + x[r][j + (count - 1) * x_step]) times or, with
 * `divide`, divided by w, in the precision of the elements. The caller grants: count >= 8; x_step 1
 * or 2; lines readable 8 * x_step and a vector beyond width + (count - 1) * x_step, and scratch as
 * long as that; with stream, y and y_pitch aligned to a vector.
 *
 * runs: the same, added up as in `means`, x[r][0] being number `place` of its run. The caller
 * grants sums, scratch for 2 * count doubles. */
typedef struct {
    const void *x;
    int64_t x_step, pitch, count, place;
    const void *w;
    int divide;
    void *sums, *y;
    int64_t y_pitch, height, width;
    int stream;
} line_job;

typedef struct {
    void (*means)(const box_job *job);
    void (*lines)(const line_job *job), (*runs)(const line_job *job);
    int32_t columns;
} box_kernels;

typedef struct {
    convert_fn *widen[PYCONVC_SAMPLES], *narrow[PYCONVC_SAMPLES], *settle[PYCONVC_SAMPLES];
} convert_kernels;

/* Elements that chains compute with, X(name, index in the table). */
#define PYCONVC_FOR_ELEMENTS(X)                                                                    \
    X(f32, 0)                                                                                      \
    X(f64, 1)
#define PYCONVC_ELEMENTS 2

#endif
