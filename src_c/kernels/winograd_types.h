/* winograd_types.h -- what the kernels of Winograd's method are: their types and their contract.
 *
 * M outputs of a tile along an axis from M + R - 1 products, for R taps. More taps are parts of R
 * that are summed as channels are, each over samples of its own. A stride makes phases of samples,
 * with taps of their own: these are parts, or what a form is made of. A tile is rows x columns
 * outputs; lanes are tiles. Steps count elements of the dtype. The stages, each for one block of
 * tiles:
 *
 * - weights: to[f * to_phase + e * to_element + (c * parts + p) * panel + k] is part p,
 *   transformed, of the taps of phase f in the kernel of output channel k and input channel c; a
 *   panel has the table's `panel`, those from job->channels on are zero.
 * - input: to[e * to_element + t] is a part of tile t, transformed; samples of tiles lie as `lines`
 *   says. The caller grants that for tiles rounded up to whole vectors `to` can be written, and x
 *   be read with a vector beyond them.
 * - peaks: to[i] is raised to |x[i]| for i < count: over all channels, the loudest samples.
 * - quiet: unfit[t] turns NaN for tile t if one of its kernels meets only samples that are quiet
 *   beside the loudest of the tile, and not all zero; peaks lie as x does in input, of all parts.
 *   Kernels may be without their first or last row, or column.
 * - product: sums[k][t] (+)= sum_c w[panel][c][k of panel] * v[c][t] for k < outputs, t < tiles,
 *   each rounded up: the first to a panel, the second to a vector, but to `few` where there is only
 *   one vector.
 * - output: to[row][t][column] are the outputs of one channel, or, where tiles lie side by side,
 *   to[row][column][t], t < lanes; unfit[t] turns NaN if one of them is NaN or infinite.
 */
#ifndef PYCONVC_WINOGRAD_TYPES_H
#define PYCONVC_WINOGRAD_TYPES_H

#include <stdint.h>

/* What there is along an axis, X(M, S, R), S being the stride; the first is one without taps. */
#define PYCONVC_FOR_WINOGRAD_AXES(X)                                                               \
    X(1, 1, 1)                                                                                     \
    X(2, 1, 3) X(3, 1, 3) X(4, 1, 2) X(4, 1, 3) X(4, 1, 4) X(4, 1, 5) X(2, 2, 3) X(4, 2, 3)

enum {
    WINOGRAD_TAPS = 5,                 /* most of R */
    WINOGRAD_PHASES = 2,               /* most of S */
    WINOGRAD_BESIDE = 3,               /* where both axes have taps: errors multiply */
    WINOGRAD_LONG = 16,                /* taps of a kernel along an axis */
    WINOGRAD_KERNEL = 64,              /* and together, at most */
    WINOGRAD_SIDE = 4 * WINOGRAD_LONG, /* samples that they and a tile meet */
};

typedef struct {
    int32_t form;                  /* the place in the list above */
    int32_t outputs, phases, taps; /* M, S and R */
    int32_t elements;              /* M + R - 1 of all phases, R being the taps of each */
    int64_t kernel, parts, apart;  /* taps of the kernel, parts of R that they are, and from one
                                      tap of a part to the next */
} winograd_axis;

typedef struct {
    winograd_axis down, across;
    int64_t elements, parts; /* along both */
} winograd_form;

/* Taps of a part: the first, and from which to which of its R it has. Others are zero in it: those
 * that the part before has as well, for the last one of a phase ends with it, and those beyond the
 * kernel. */
typedef struct {
    int64_t first, from, end;
} winograd_part;

static inline winograd_part winograd_find_part(const winograd_axis *axis, int64_t part) {
    for (int64_t phase = 0;; phase++) {
        const int64_t taps = (axis->kernel - phase - 1) / axis->apart + 1,
                      parts = (taps - 1) / axis->taps + 1, most = taps - axis->taps,
                      at = part * axis->taps,
                      first = most < 0    ? 0
                              : at < most ? at
                                          : most;
        if (part < parts)
            return (winograd_part){phase + first * axis->apart, at - first,
                                   most < 0 ? taps : axis->taps};
        part -= parts;
    }
}

/* Where the samples of an axis lie that a tap meets, those of a phase one after the other. */
typedef struct {
    int64_t phases, stride;
    int64_t phase, sample; /* from one to the next */
} winograd_line;

typedef struct {
    winograd_line down, across;
    int beside; /* tiles begin one sample apart, not as many as they have outputs of a row */
} winograd_lines;

/* The sample that tap t of the first output meets. */
static inline int64_t winograd_at(const winograd_line *line, int64_t t) {
    return t % line->phases * line->phase + t / line->stride * line->sample;
}

/* The taps of a kernel of rows x columns may be shared out among phases of the outputs, each of
 * which has every row_step-th and column_step-th from its first one on; or all are of one phase.
 */
typedef struct {
    int64_t row, column;
} winograd_tap;

typedef struct {
    int64_t rows, columns, row_step, column_step, count;
    const winograd_tap *first; /* of each phase */
} winograd_phases;

typedef struct {
    const winograd_form *form;
    const winograd_phases *phases;
    const void *w;
    int64_t by_output, by_input, by_row, by_column, channels, channels_in;
    void *to;
    int64_t to_element, to_phase;
} winograd_weights;

typedef struct {
    const winograd_form *form;
    const winograd_lines *lines;
    int64_t down, across; /* first taps of the part */
    const void *x;
    int64_t tiles;
    void *to;
    int64_t to_element;
} winograd_input;

typedef struct {
    const void *x;
    int64_t count;
    void *to;
} winograd_peaks;

typedef struct {
    const winograd_form *form;
    const winograd_lines *lines;
    const void *peaks;
    int64_t tiles;
    int less_rows, less_columns;
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
    const winograd_form *form;
    const void *sums, *bias; /* one sample, or NULL: zero */
    int64_t element, vectors;
    void *to, *unfit;
    int64_t lanes;
    int beside; /* as in winograd_lines */
} winograd_output;

typedef struct winograd_kernels {
    void (*weights)(const winograd_weights *job);
    void (*input)(const winograd_input *job);
    void (*quiet)(const winograd_quiet *job);
    void (*output)(const winograd_output *job);
    void (*peaks)(const winograd_peaks *job);
    void (*product)(const winograd_product *job);
    int32_t lanes, panel, vectors; /* tiles in a vector, output channels of a panel, vectors of the
                                      product's register tile */
    int32_t few, few_channels;     /* see product; output channels of its register tile, at least a
                                      panel, where there are so few tiles */
} winograd_kernels;

/* One line for each dtype that has them: X(name, NAME). */
#define PYCONVC_FOR_WINOGRAD(X)                                                                    \
    X(f32, F32)                                                                                    \
    X(f64, F64)

#endif
