/* kernel_types.h -- what a kernel is: its type, its contract, its place in the table of a tier.
 *
 * Everything a driver may know about a tier is in kernel_table; a driver holds no machine number.
 */
#ifndef PYCONVC_KERNEL_TYPES_H
#define PYCONVC_KERNEL_TYPES_H

#include <stdint.h>

#include "chain_types.h"
#include "dtypes.h"
#include "fourier_types.h"
#include "group_types.h"
#include "pool_types.h"
#include "present_types.h"
#include "twin_types.h"

/* Runs of taps in `columns` successive kernel columns, the first `column` elements to the right of
 * a row's pointer, the next `step` further: in each, `length` taps meet the input rows row, row +
 * 1, ... of the table. A filter is a list of such blocks; the taps of all lie one after the other
 * in `taps`, run by run. The order of the list is the order of summation. */
typedef struct {
    int64_t row, column, step;
    int32_t columns, length; /* length: 1 .. chunk of the kernel */
} filter_block;

typedef struct filter_present filter_present;

typedef struct {
    const filter_block *blocks;
    int64_t count;
    const filter_present *present; /* of kernels that leave out what is missing */
} filter_program;

enum { FILTER_ACCUMULATE = 1, FILTER_STREAM = 2 };

/* filter: for r < height, j < width
 *      y[r][j] = (accumulate ? y[r][j] : bias)
 *              + sum over blocks b, columns c < b.columns, i < b.length of
 *                taps[b][c][i] * rows[r + b.row + i][b.column + c * b.step + j]
 *
 * rows points to a table of row pointers; y_pitch and width count elements (a complex sample has
 * two). The caller grants: block lengths within the kernel's chunk; every row readable up to column
 * + width rounded up to whole vectors; with FILTER_STREAM, y and y_pitch aligned to a vector.
 * Elements of y from width on are not written. */
typedef void filter_fn(const filter_program *program, const void *taps, const void *bias,
                       const void *const *rows, void *y, int64_t y_pitch, int64_t height,
                       int64_t width, int flags);

/* Two kernels of that type. `tile` reuses each loaded input vector for the kernel rows that meet
 * it, in tiles of tile_rows x tile_columns. `line` is for a table of one row a line (row = 0 in all
 * blocks) and reuses loads along the line: it reads the line as rows of one vector, so a block of
 * length n in it holds the taps column, column + lanes, ... column + (n-1) * lanes. */
typedef struct {
    filter_fn *tile, *line;
    int32_t lanes;                               /* samples in a vector */
    int32_t tile_rows, tile_columns, tile_chunk; /* rows, samples, taps */
    int32_t line_columns, line_chunk;            /* samples, taps */
    int32_t streams;                             /* whether FILTER_STREAM gains anything */
} filter_kernels;

/* What those kernels need beside: NaN is missing and left out of the sums, which are scaled by the
 * weight of what is there, the sum of the taps' sizes |w| over it and, `by_size`, over a whole
 * window, both in the order of the taps. `plain` are the kernels that take all samples, of the same
 * tier. Nothing is accumulated or streamed. The size of a tap lies `sizes` elements behind it.
 *
 * Kernels of tiles that do not reach far have images, and weights in counts: sizes rounded to whole
 * numbers so small in all that their sums are exact in any order, `counts` elements behind the
 * taps; `by_count` has their total. Only where less than an eighth of a window's count is left,
 * where rounding might show, do they take sizes.
 *
 * Kernel rows come in runs that meet the table from `row` on, row after row, in columns first ..
 * first + reach. A run's image has the counts of each of its rows from the last column to the
 * first, what a missing sample takes from the outputs that it would have met, in lines of
 * FILTER_PRESENT_PITCH, and zeros behind them.
 */
typedef struct {
    int64_t row, rows;
    const void *image;
} filter_present_run;

struct filter_present {
    const filter_kernels *plain;
    int64_t sizes, counts;
    present_scale by_size, by_count;
    int64_t last_row, first, reach, count; /* of runs */
    const filter_present_run *runs;
    const void *images; /* NULL: none */
};

#define FILTER_PRESENT_PITCH 64
#define FILTER_PRESENT_REACH 48
#define FILTER_PRESENT_ROWS  48 /* of a run, at most */

typedef struct {
    filter_fn *tile, *line;
} filter_present_kernels;

/* filter of plane: the same sums without accumulation, for planes whose rows lie x_pitch apart:
 * rows[r] = x + r * x_pitch, and with `halves` set x_column = 2, else 1, for every x_column-th
 * column: [b.column + c * b.step + x_column * j]. They are computed for `planes` planes, whose x,
 * y, taps and bias lie so many elements apart. The caller grants: block lengths within tile_chunk,
 * so that sums have the order of tile's; x readable in `rows` output rows, and in each up to
 * x_column whole vectors.
 *
 * With edges, x is a plane as it is: only edges->rows x edges->columns samples, the first `top`
 * rows and `left` columns within what the first output meets; those beyond are zero. The caller
 * then grants kernels of 3 x 3 neighbours, at most one column beyond either side, and width >=
 * lanes. */
typedef struct {
    const filter_program *program;
    const plane_edges *edges; /* NULL: none */
    const void *taps, *bias;  /* bias NULL: zero */
    const void *x;
    void *y;
    int64_t planes, taps_step, bias_step, x_step, y_step;
    int64_t x_pitch, x_column, y_pitch, height, width;
    int stream; /* past the cache: y, y_step and y_pitch aligned to a vector */
} plane_job;

typedef void plane_fn(const plane_job *job);

/* Where a line begins, from a first sample, and where its copy goes. */
typedef struct {
    int64_t from, to;
} line_move;

/* copy: to[m.to + j] = from[m.from + j] for j < samples, at least a vector, of `count` moves m. */
typedef void plane_copy_fn(const void *from, const line_move *moves, int64_t count, int64_t samples,
                           void *to);

typedef struct {
    plane_fn *filter;
    plane_copy_fn *copy;
    int32_t lanes, rows;   /* samples in a vector; rows of a tile */
    int32_t halves, edges; /* whether x_column may be 2, and planes have edges */
} plane_kernels;

/* channels_last: for q < height, j < width, c < channels, all steps and channels in elements,
 *      y[q * y_pitch + j * y_step + c] = bias[c] + sum over kernel rows i, runs r, t < r.length of
 *          tap(i, r.tap + t * r.tap_step)[c]
 *          * rows[q * rows_step + i][first + r.column + (j + t) * x_step + c]
 *
 * where tap(i, k) lies at taps + i * taps_row + k * taps_step; of complex taps all parts lie twice,
 * as those of samples do: first all real, from taps_step / 2 on all imaginary ones. The order of
 * runs is that of summation. The caller grants: lengths within `run` of the table; taps and rows
 * readable up to a whole vector of channels, rows also for `outputs` outputs. */
typedef struct {
    int64_t column, tap, tap_step;
    int32_t length;
} channels_last_run;

typedef struct {
    const void *const *rows;
    int64_t rows_step, row_count;
    const channels_last_run *runs;
    int64_t run_count;
    const void *taps, *bias; /* bias NULL: zero */
    int64_t taps_row, taps_step, first, x_step;
    void *y;
    int64_t y_pitch, y_step, height, width, channels;
} channels_last_job;

typedef void channels_last_fn(const channels_last_job *job);

/* copy: to[j * pitch + c] = from[j * step + c] for j < samples, c < channels, in elements. */
typedef void channels_last_copy_fn(const void *from, int64_t step, int64_t samples,
                                   int64_t channels, int64_t pitch, void *to);

/* Lines of channels that lie `step` apart, at most a vector of them, turned into samples of `lanes`
 * channels, `pitch` apart, and the other way round: for j < samples, c < channels
 *
 *      turn_in:  samples[j * pitch + c] = lines[c * step + j], and for the other lanes anything
 *      turn_out: lines[c * step + j] = samples[j * lanes + c]
 *
 * The caller grants: of each line a whole vector readable, which where there are less samples
 * begins up to `back` before it; as many samples readable. */
typedef void channels_last_turn_in_fn(const void *lines, int64_t step, int64_t count,
                                      int64_t channels, int64_t back, int64_t pitch, void *samples);
typedef void channels_last_turn_out_fn(const void *samples, int64_t count, int64_t channels,
                                       int64_t step, void *lines);

typedef struct {
    channels_last_fn *filter;
    channels_last_copy_fn *copy;
    channels_last_turn_in_fn *turn_in; /* NULL, with the other: none for this dtype */
    channels_last_turn_out_fn *turn_out;
    int32_t lanes, outputs, run; /* samples in a vector; outputs of a tile; taps of a run */
} channels_last_kernels;

/* plane_grad: for i < rows, c < columns, at most the table's,
 *      sums[i * sums_pitch + c] += sum over r < height, j < width of
 *          g[r * g_pitch + j] * x[(r + i) * x_pitch + offsets[c] + j]
 *
 * each of sums a vector of partial sums. The caller grants: height >= rows; x readable in lines of
 * whole vectors, and g where width is less than one. */
typedef struct {
    const void *g, *x;
    int64_t g_pitch, x_pitch, height, width;
    int64_t rows, columns;
    const int64_t *offsets;
    void *sums;
    int64_t sums_pitch; /* vectors */
} plane_grad_job;

typedef void plane_grad_fn(const plane_grad_job *job);

typedef struct {
    plane_grad_fn *grad;
    int32_t vector, rows, columns; /* elements; the tile */
} plane_grad_kernels;

/* One line a dtype that has it: X(dtype, DTYPE). */
#define PYCONVC_FOR_PLANE_GRAD(X)                                                                  \
    X(f32, F32)                                                                                    \
    X(f64, F64)

/* One tap of mix: where it reads x and its weights, in elements. */
typedef struct {
    int64_t x, w;
} mix_tap;

/* mix: for k < channels, r < height, j < width
 *      y[k * y_channel + r * y_pitch + j] = (accumulate ? itself : bias[k]) + sum over taps
 *      w[k / C * block_step + k % C * channel_step + tap.w] * x[r * row_step + tap.x + j]
 *
 * with C the table's channels, all steps and width in elements (a complex sample has two).
 * channel_step of one sample means packed weights, w[tap][C], and is the faster. x is gone through
 * in groups of `group` vectors, each for all channels: what the taps of a group meet is best held
 * by the nearest cache. Where `panel` is not 0, a line of x is cut into vectors, the last one moved
 * back by what it lacks, and they lie `panel` elements apart. The caller grants: w readable for
 * whole blocks of C channels; x readable at each tap up to width, or to a whole vector where width
 * is less. */
typedef struct {
    const mix_tap *taps;
    int64_t count;
    const void *w;
    int64_t channel_step, block_step;
    const void *bias; /* NULL: zero */
    int64_t channels;
    const void *x;
    int64_t row_step, panel;
    void *y;
    int64_t y_channel, y_pitch, height, width;
    int64_t group;
    int flags;
} mix_job;

typedef void mix_fn(const mix_job *job);

typedef struct {
    mix_fn *mix;
    int32_t lanes, channels, vectors; /* samples in a vector; channels and vectors of a tile */
} mix_kernels;

/* Weights to come, which `across` turns by the way: to[t * C + k] = w[k * step + t] for k <
 * channels and t < chunk of the job; none if channels is 0. */
typedef struct {
    const void *w;
    int64_t step, channels;
    void *to;
    int64_t fetch; /* from w to what is best asked for by now: the weights after these */
} across_next;

/* across: for k < C, i < height * width, with the pixel i = r * width + j
 *      sums[i * C + k] = (accumulate ? itself : bias[k]) + sum over t < chunk
 *      w[t * C + k] * x[r * row_step + j * column_step + taps[first + t].x]
 *
 * with C the table's channels; the order of summation is that of mix. `pack` brings what all
 * `count` taps meet of x to panels, count * height * width elements; `across` reads them, once for
 * each C channels. `apart` takes all taps from x itself, with tap t's weights at w + taps[t].w
 * instead. The caller grants: x readable where it is met, bias for C channels; with `next`,
 * channels and chunk multiples of the table's `ahead`, and for as many channels a tile of so many
 * of the table's pixels. */
typedef struct {
    const mix_tap *taps;
    int64_t count;
    const void *x;
    int64_t row_step, column_step, height, width;
    void *panels;
    int64_t first, chunk;
    const void *w, *bias; /* bias NULL: zero */
    int64_t ahead;        /* from w to what is best asked for by now */
    void *sums;
    int accumulate;
    across_next next;
} across_job;

typedef struct {
    void (*pack)(const across_job *job);
    void (*across)(const across_job *job);
    void (*apart)(const across_job *job);
    int32_t lanes, channels, pixels, ahead; /* samples in a vector; C */
} across_kernels;

/* One line a dtype that has it: X(dtype, DTYPE). */
#define PYCONVC_FOR_ACROSS(X)                                                                      \
    X(f32, F32)                                                                                    \
    X(f64, F64)

/* dot: for k < channels, t < offsets of the kernel, with all lengths in elements,
 *      sums[k][t] += sum over r < height, j < width of
 *          g[k * g_channel + r * g_pitch + j] * x[r * x_pitch + offsets[t] + j]
 *
 * each of sums a vector of partial sums. The caller grants: lines of g and, from each
 * offset, of x readable up to width rounded up to whole vectors, g zero from width on. */
typedef struct {
    const void *g;
    int64_t g_channel, g_pitch;
    const void *x;
    const int64_t *offsets;
    int64_t x_pitch, height, width;
    void *sums;
} dot_job;

typedef void dot_fn(const dot_job *job);

/* Sums of rows x columns lie tile by tile, `across` tiles of by_channel x by_offset side by side.
 * reduce adds up the lanes of each and writes them row by row, `pitch` samples apart. */
typedef struct {
    int64_t rows, columns, by_channel, by_offset, across, pitch;
} dot_grid;

typedef void reduce_fn(const void *sums, const dot_grid *grid, void *out);

typedef struct {
    dot_fn *many, *one; /* channels x offsets, and 1 x offsets_of_one */
    reduce_fn *reduce;
    int32_t vector; /* elements */
    int32_t channels, offsets, offsets_of_one;
} dot_kernels;

/* outer: for t < columns of the kernel, l < elements of the tile (`wide`: vectors of the table;
 * `narrow`: one), with all lengths in elements,
 *      sums[t * sums_pitch + l] = (anew ? 0 : itself) + sum over r < height, j < width of
 *          a[(r * width + j) * a_step + l] * b[offsets[t] + r * b_pitch + j * b_step]
 *
 * A complex b is two columns, by part. The sum of one call is added to sums once, so long sums are
 * sums of blocks. b is read fastest where the columns of a tile lie one after the other, and those
 * of the next j behind them. */
typedef struct {
    const void *a;
    int64_t a_step;
    const void *b;
    const int64_t *offsets;
    int64_t b_step, b_pitch, height, width;
    void *sums;
    int64_t sums_pitch;
    int anew;
} outer_job;

typedef void outer_fn(const outer_job *job);

/* The same sums, not stored but put in their places: those of two columns next to each other are
 * the even and the odd samples of a piece of a line,
 *      to[n][at[q] + 2 * i + e] = start[q] + sum of column 2 * q + e, element i of vector n
 *
 * for q < pairs, i < samples[n], e < 2; where sums are not made anew, sums holds a part of them. */
#define OUTER_MOST_VECTORS 4

typedef struct {
    outer_job product;
    int64_t pairs;     /* of the tile's columns */
    const int64_t *at; /* elements */
    const void *start; /* NULL: zero */
    void *to[OUTER_MOST_VECTORS];
    int64_t samples[OUTER_MOST_VECTORS];
} outer_pairs_job;

typedef void outer_pairs_fn(const outer_pairs_job *job);

/* A row of `used` elements of b dealt to the tiles of columns, zeros up to the end of the last:
 * to[c / columns * step + c % columns] = row[c], in elements. */
typedef void deal_fn(const void *row, int64_t used, int64_t step, void *to);

/* to[c * to_pitch + r] = from[r * from_pitch + c] for r < rows, c < columns; in samples. */
typedef void transpose_fn(const void *from, int64_t from_pitch, int64_t rows, int64_t columns,
                          void *to, int64_t to_pitch);

/* Sums as outer leaves them, one complex row being two by part of b, joined and put in their
 * places: to[r * row_step + c * column_step], in samples. One of the steps is 1. */
typedef void finish_fn(const void *sums, int64_t pitch, int64_t rows, int64_t columns, void *to,
                       int64_t row_step, int64_t column_step);

typedef struct {
    outer_fn *wide, *narrow;
    outer_pairs_fn *wide_pairs, *narrow_pairs; /* NULL: none */
    deal_fn *deal;
    transpose_fn *transpose;
    finish_fn *finish;
    int32_t lanes, vectors, columns; /* samples in a vector; the tile */
} outer_kernels;

/* A line of `width` samples, `step` apart, as `phases` rows: sample i is z[i % phases * pitch + i /
 * phases]. */
typedef struct {
    int64_t width, step, phases, pitch;
} fold_line;

/* add: to[j] += from[j]. weave: y[i] = (start ? *start : y[i]) + z's sample i. */
typedef struct {
    void (*add)(void *to, const void *from, int64_t samples);
    void (*weave)(const fold_line *line, const void *z, const void *start, void *y);
} fold_kernels;

typedef struct winograd_kernels winograd_kernels; /* see winograd_types.h */

#define PYCONVC_DTYPE_COUNT 9

typedef struct {
    const char *name;
    filter_kernels filter[PYCONVC_DTYPE_COUNT];
    plane_kernels plane[PYCONVC_DTYPE_COUNT];
    channels_last_kernels channels_last[PYCONVC_DTYPE_COUNT];
    const plane_grad_kernels *plane_grad[PYCONVC_DTYPE_COUNT]; /* NULL: none for this dtype */
    mix_kernels mix[PYCONVC_DTYPE_COUNT];
    const across_kernels *across[PYCONVC_DTYPE_COUNT]; /* NULL: none for this dtype */
    dot_kernels dot[PYCONVC_DTYPE_COUNT];
    outer_kernels outer[PYCONVC_DTYPE_COUNT];
    fold_kernels fold[PYCONVC_DTYPE_COUNT];
    const group_kernels *group[PYCONVC_DTYPE_COUNT];       /* NULL: none for this dtype */
    const twin_kernels *twin[PYCONVC_DTYPE_COUNT];         /* NULL: none for this dtype */
    const winograd_kernels *winograd[PYCONVC_DTYPE_COUNT]; /* NULL: none for this dtype */
    pool_kernel pool[POOL_OPS][PYCONVC_DTYPE_COUNT];
    shifted_kernels shifted[PYCONVC_ELEMENTS], fused[PYCONVC_ELEMENTS];
    box_kernels box[PYCONVC_ELEMENTS];
    integer_kernels integer;
    convert_kernels convert[PYCONVC_ELEMENTS];
    present_kernels present[PYCONVC_ELEMENTS];
    fourier_kernels fourier[PYCONVC_ELEMENTS];
    filter_present_kernels filter_present[PYCONVC_ELEMENTS];
} kernel_table;

#endif
