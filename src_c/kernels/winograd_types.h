/* winograd_types.h -- what the kernels of Winograd's method are: their types and their contract.
 *
 * 3 taps of stride 1 along an axis, M outputs of a tile from M + 2 products. A tile is
 * rows x columns outputs, transformed it has `elements`; lanes are tiles. Steps count elements of
 * the dtype. The stages, each for one block of tiles:
 *
 * - weights: to[e * to_element + c * panel + k] is the transformed kernel of output channel k and
 *   input channel c; a panel has the table's `panel`, those from job->channels on are zero.
 * - input: to[e * to_element + t] is tile t transformed, whose samples begin at x + t * columns.
 * The caller grants that for tiles rounded up to whole vectors `to` can be written, and x be read
 * with a vector beyond them.
 * - peaks: to[i] is raised to |x[i]| for i < count: over all channels, the loudest samples.
 * - quiet: unfit[t] turns NaN for tile t if one of its kernels meets only samples that are quiet
 *   beside the loudest of the tile, and not all zero; peaks lie as x does in input.
 * - product: sums[k][t] (+)= sum_c w[panel][c][k of panel] * v[c][t] for k < outputs, t < tiles,
 *   each rounded up: the first to a panel, the second to a vector, but to `few` where there is only
 *   one vector.
 * - output: to[row][column][t] are the outputs of one channel; unfit[t] turns NaN if one of
 *   them is NaN or infinite.
 * - place: the first rows x columns outputs of a row of tiles, from those to y.
 */
#ifndef PYCONVC_WINOGRAD_TYPES_H
#define PYCONVC_WINOGRAD_TYPES_H

#include <stdint.h>

typedef struct {
    const void *w;
    int64_t by_output, by_input, by_row, by_column, channels, channels_in;
    void *to;
    int64_t to_element;
} winograd_weights;

typedef struct {
    const void *x;
    int64_t x_row, tiles;
    void *to;
    int64_t to_element;
} winograd_input;

typedef struct {
    const void *x;
    int64_t count;
    void *to;
} winograd_peaks;

typedef struct {
    const void *peaks;
    int64_t x_row, tiles;
    void *unfit;
} winograd_quiet;

typedef struct {
    const void *w, *v;
    void *sums;
    int64_t lanes; /* from one channel to the next in v and in sums */
    int64_t channels, outputs, tiles;
    int accumulate;
} winograd_product;

typedef struct {
    const void *sums, *bias; /* one sample, or NULL: zero */
    int64_t element, vectors;
    void *to, *unfit;
    int64_t lanes;
} winograd_output;

typedef struct {
    const void *from;
    int64_t lanes, rows, columns;
    void *y;
    int64_t y_row, y_column;
} winograd_place;

typedef struct {
    int32_t rows, columns, elements;
    void (*weights)(const winograd_weights *job);
    void (*input)(const winograd_input *job);
    void (*quiet)(const winograd_quiet *job);
    void (*output)(const winograd_output *job);
    void (*place)(const winograd_place *job);
} winograd_form;

enum { WINOGRAD_FORMS = 3 };

typedef struct winograd_kernels {
    winograd_form form[WINOGRAD_FORMS];
    void (*peaks)(const winograd_peaks *job);
    void (*product)(const winograd_product *job);
    int32_t lanes, panel, vectors; /* tiles in a vector, output channels of a panel, vectors of the
                                      product's register tile */
    int32_t few;                   /* see product */
} winograd_kernels;

/* One line for each dtype that has them: X(name, NAME). */
#define PYCONVC_FOR_WINOGRAD(X)                                                                    \
    X(f32, F32)                                                                                    \
    X(f64, F64)

#endif
