/* dot_plan.h -- a weight gradient cut into units, pieces and slices (see dot.h); and the two forms
 * in which a unit's sums over a piece are computed.
 */
#ifndef PYCONVC_DOT_PLAN_H
#define PYCONVC_DOT_PLAN_H

#include <stddef.h>

#include "dispatch.h"
#include "tile.h"

typedef struct dot_form dot_form;

typedef struct {
    const pyconvc_problem *p;
    /* What is computed: p, or p with the roles of x and y exchanged, where it is symmetric. */
    pyconvc_problem q;
    int swapped;
    const dot_form *form;
    const dot_kernels *dot;
    const outer_kernels *outer;
    int64_t bytes, parts; /* of a sample */
    int in_place;         /* x itself is read, not packed */
    tile_shape tile;
    /* Planes (input channel, depth tap) and output channels of a unit. */
    int64_t planes, planes_of_unit, plane_blocks, channels_of_unit, channel_blocks, taps_per_plane;
    /* Columns of sums of a channel: `columns_of_tap` for each tap, padded to tiles of `columns`;
     * where each reads the packed input, in elements. */
    int64_t *offsets, columns, columns_of_tap, offsets_padded;
    int64_t column_step, row_step; /* elements of x from one output to the next */
    /* Pieces: image x depth x band of rows x column block. */
    int64_t bands, column_blocks, pieces, units, slices;
    char *partial; /* [slice][unit][channel][plane tap]; NULL: units write to w themselves */

    int dense; /* a row of sums lies in w as it is */

    /* The form of lines. */
    int64_t by_channel, rows_k, line; /* a tile's rows of sums, a unit's; elements of a line */
} dot_plan;

typedef struct {
    int64_t group, channel, channels, first_plane, planes;
} dot_unit;

/* Where a unit's sums go: sums[row][column] of p's channels and plane taps. */
typedef struct {
    char *to;
    int64_t pitch; /* samples from row to row */
} dot_target;

struct dot_form {
    /* Sets the sizes of units and tiles, and lengths that follow from them. */
    void (*size)(dot_plan *plan);
    /* Bytes of a task's memory; of them, the sums come first. */
    size_t (*scratch)(const dot_plan *plan, size_t *sums);
    /* Adds a piece to the sums; x: the piece's input, packed or in place, for the plan's offsets.
     */
    void (*add)(const dot_plan *plan, const dot_unit *u, const tile_place *at, const char *x,
                const char *y, char *memory);
    void (*finish)(const dot_plan *plan, const dot_unit *u, char *memory, const dot_target *to);
};

extern const dot_form dot_lines, dot_outer;

/* Rows and columns of a piece: at most so many columns and samples, in even parts. */
void dot_cut(dot_plan *plan, int64_t columns, int64_t samples);

pyconvc_status dot_plan_make(dot_plan *plan, const pyconvc_problem *p);
void dot_plan_free(dot_plan *plan);

/* Whether a channel's planes and taps lie in w as they do in a row of sums. */
int dot_lies_dense(const pyconvc_problem *p);

static inline int64_t dot_element(const dot_plan *plan) {
    return plan->bytes / plan->parts;
}

/* What a unit's sums take. */
static inline int64_t dot_unit_bytes(const dot_plan *plan) {
    return plan->channels_of_unit * plan->planes_of_unit * plan->taps_per_plane * plan->bytes;
}

/* Samples of y from its start on, for the first output of a unit's channel in a piece. */
static inline int64_t dot_y_at(const dot_plan *plan, const dot_unit *u, const tile_place *at) {
    const int64_t *step = plan->q.y_step;
    return at->image * step[0] + u->group * step[1] + u->channel * step[2] + at->depth * step[3] +
           at->row * step[4] + at->column * step[5];
}

#endif
