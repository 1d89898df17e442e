/* pool_types.h -- what a pool kernel is: its type and its contract.
 *
 * A pool takes every output from a window of one channel: rows of the window are folded into a
 * line, then windows along the line are folded into outputs. Folding is adding, or keeping the
 * larger.
 */
#ifndef PYCONVC_POOL_TYPES_H
#define PYCONVC_POOL_TYPES_H

#include <stdint.h>

typedef enum { POOL_SUM, POOL_MAX, POOL_ARGMAX, POOL_OPS } pool_op;

/* How windows along a line are folded.
 *
 *   POOL_TAPS      sample by sample: kernel operations for a vector of outputs
 *   POOL_DOUBLING  by runs of 2, 4, 8 ... samples: about 2 log2(kernel) operations
 *   POOL_EACH      each window by itself, a vector of neighbouring samples at a time: for windows
 *                  that differ, or are long and hardly overlap */
typedef enum { POOL_TAPS, POOL_DOUBLING, POOL_EACH } pool_along;

/* What all rows of outputs of a block of columns have in common. Numbers count samples (a complex
 * one has two elements), rows or planes. */
typedef struct {
    /* Output row r takes rows first[r] + i * row_step, i < count[r]. With row_block > 1, so many
     * output rows share the ends and beginnings of their windows, which then are the rows
     * r * row_stride - row_pad + i, i < row_kernel, where 0 <= row < rows. */
    const int64_t *first, *count;
    int64_t row_step;
    int64_t row_block, row_stride, row_pad, row_kernel, rows;

    /* The line: `before` samples of the identity, `width` samples from x on, the identity up to
     * `length`. */
    int64_t before, width, length;

    /* Output o takes samples o * stride + t * dilation, t < kernel, of the line; with POOL_EACH the
     * samples start[o] - start_origin + t, t < run[o]. */
    int64_t outputs;
    pool_along along;
    int64_t kernel, stride, dilation;
    const int64_t *start, *run;
    int64_t start_origin;
    /* Lines with several channels side by side: outputs, before, width, length and dilation count
     * their samples; stride, start and run count positions, which have one of each channel. */
    int64_t channels;
    int in_place; /* POOL_EACH: x has one row, of any length, which needs no line */

    /* Averages: sums are divided by row_divisor[r] * column_divisor[o] * the call's divisor. NULL:
     * by nothing. */
    const int64_t *row_divisor, *column_divisor;
    int is_unsigned; /* integers: how they compare and divide */

    int64_t pitch; /* of the lines in scratch, see pool_pitch */
} pool_program;

/* Output rows row .. row + height - 1 of `planes` planes. Steps count samples. */
typedef struct {
    const void *x; /* in row `origin`, the first sample of the line's `width` */
    int64_t x_plane, x_depth, x_row, origin;
    int64_t depth; /* planes of x, x_depth apart, that the windows reach through */
    void *y;
    int64_t y_plane, y_row;
    int64_t planes, row, height;
    int64_t divisor;
    /* POOL_ARGMAX: the position in the flattened space of the line's first sample in row 0, and
     * where the positions of the maxima go: -1 for a window without samples, else the first of
     * equal ones, and the last NaN. */
    int64_t position, position_depth, position_row;
    int64_t *index;
    int64_t index_plane, index_row;
    void *scratch; /* aligned to 64 bytes */
} pool_call;

/* The caller grants: all rows of the windows readable, from the line's first sample to its last, no
 * further; rows of y contiguous and nothing written beyond `outputs`; scratch of pool_lines lines.
 * POOL_ARGMAX: positions below 2^31 for elements of 4 bytes. Padding is never read: sums get
 * nothing from it, maxima are of the samples there are. The order of a sum depends on the program
 * and on row - `row` of the call, not on anything else. */
typedef void pool_fn(const pool_program *program, const pool_call *call);

typedef struct {
    pool_fn *fold; /* NULL where the dtype has no such pool */
    int32_t lanes; /* samples in a vector */
} pool_kernel;

/* Which kernels there are: X(op, OP, dtype, DTYPE). Bool is folded as u8; narrow integers are added
 * up as u64. */
#define PYCONVC_FOR_POOLS(X)                                                                       \
    X(pool_sum, SUM, f32, F32)                                                                     \
    X(pool_sum, SUM, f64, F64)                                                                     \
    X(pool_sum, SUM, c64, C64)                                                                     \
    X(pool_sum, SUM, c128, C128)                                                                   \
    X(pool_sum, SUM, u64, U64)                                                                     \
    X(pool_max, MAX, f32, F32)                                                                     \
    X(pool_max, MAX, f64, F64)                                                                     \
    X(pool_max, MAX, u8, U8)                                                                       \
    X(pool_max, MAX, u16, U16)                                                                     \
    X(pool_max, MAX, u32, U32)                                                                     \
    X(pool_max, MAX, u64, U64)                                                                     \
    X(pool_argmax, ARGMAX, f32, F32)                                                               \
    X(pool_argmax, ARGMAX, f64, F64)                                                               \
    X(pool_argmax, ARGMAX, u64, U64)

/* Pitch of scratch lines, and their number: the line, three to work in, and for blocks of rows two
 * and one for each row. */
static inline int64_t pool_pitch(int64_t length, int64_t outputs, int32_t lanes) {
    return (length > outputs ? length : outputs) / lanes * lanes + 5 * lanes;
}

static inline int64_t pool_lines(pool_op op, int64_t row_block) {
    return (4 + (row_block > 1 ? row_block + 2 : 0)) * (op == POOL_ARGMAX ? 2 : 1);
}

#endif
