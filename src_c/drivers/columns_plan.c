/* SPDX-License-Identifier: BSD-3-Clause
 * columns_plan.c -- sizes of bands and blocks, and where columns meet lines of x (see
 * columns_parts.h). */
#include <stdlib.h>

#include "columns.h"
#include "columns_parts.h"

#define FEW_PIXELS     256 /* for which this suits any stride: weights are read as they lie */
#define LEAST_CHANNELS 16  /* of y: what is summed for each column */
#define LEAST_COLUMNS  16
#define MOST_WIDTH     512       /* of y: a band has whole rows */
#define PIXELS         512       /* of a band, */
#define COLUMNS        144       /* of a block, */
#define PAIRED_COLUMNS 384       /* where none are kept, */
#define CHANNELS       160       /* of y at once */
#define Y_BYTES        (1 << 20) /* of y's samples in a band */
#define ENOUGH_TASKS   8
#define FOLDED_SAMPLE  1.4 /* cycles of folding a line of x, for each sample of a line of y, */
#define FOLDED_DEPTH   120 /* and more where a band has one depth only */
#define PART_PUT       68  /* of putting part of a vector in its place */

int columns_suits(const pyconvc_problem *p) {
    const int64_t taps = p->kernel[D] * p->kernel[H] * p->kernel[W];
    const int strided = p->stride[D] > 1 || p->stride[H] > 1 || p->stride[W] > 1;
    return (strided || p->output[D] * p->output[H] * p->output[W] <= FEW_PIXELS) &&
           p->channels_out >= LEAST_CHANNELS && p->channels_in * taps >= LEAST_COLUMNS &&
           taps <= COLUMNS && p->output[W] <= MOST_WIDTH &&
           p->channels_out * p->output[W] * pyconvc_sample_bytes(p->dtype) <= 2 * Y_BYTES;
}

/* The first output along an axis that meets sample i of the input, or -1. */
static int64_t first_output(const pyconvc_problem *p, int a, int64_t i) {
    for (int64_t t = p->kernel[a] - 1; t >= 0; t--) {
        const int64_t at = i + p->pad_before[a] - t * p->dilation[a];
        if (at >= 0 && at % p->stride[a] == 0 && at / p->stride[a] < p->output[a])
            return at / p->stride[a];
    }
    return -1;
}

static columns_run run_of(const columns_plan *plan, int64_t tap) {
    const pyconvc_problem *p = plan->p;
    const int64_t s = p->stride[W], at = tap * p->dilation[W] - p->pad_before[W];
    const int64_t phase = (at % s + s) % s, shift = (at - phase) / s;
    const int64_t first = max64(0, -shift), end = min64(p->output[W], plan->line - shift);
    return (columns_run){first, phase * plan->line + first + shift, max64(0, end - first)};
}

static int is_dense(const pyconvc_problem *p) {
    int64_t size = 1;
    for (int a = W; a >= D; a--) {
        if (p->kernel[a] > 1 && (p->flip || p->w_step[3 + a] != size)) return 0;
        size *= p->kernel[a];
    }
    return !(p->conjugate && parts_of(p->dtype) > 1) &&
           (p->channels_in == 1 || p->w_step[2] == size);
}

static int keeps_apart(const pyconvc_problem *p, int a) {
    return (p->kernel[a] - 1) * p->dilation[a] < p->stride[a];
}

/* Whether the taps of a row are the stride phases of a line of x, one each. */
static int meets_alone(const pyconvc_problem *p) {
    return keeps_apart(p, H) && p->kernel[W] == p->stride[W] && p->dilation[W] == 1 &&
           !p->pad_before[W] && p->input[W] <= p->output[W] * p->stride[W];
}

/* Whether all that taps along an axis meet lies in x. */
static int lies_inside(const pyconvc_problem *p, int a) {
    return !p->pad_before[a] &&
           (p->output[a] - 1) * p->stride[a] + (p->kernel[a] - 1) * p->dilation[a] < p->input[a];
}

/* Whether pairs cost less than folding though lines of y end in part of a vector, whose other lanes
 * are summed for nothing: cycles of a line of x. */
static int repays_lanes(const columns_plan *plan) {
    const pyconvc_problem *p = plan->p;
    const int64_t lanes = plan->outer->lanes, wide = p->output[W],
                  empty = round_up(wide, lanes) - wide;
    const double folding = FOLDED_SAMPLE * (double)wide + (p->output[D] > 1 ? FOLDED_DEPTH : 0),
                 parts = PART_PUT + (double)(empty * p->channels_out) / (double)lanes;
    return !empty || parts <= folding;
}

static int puts_pairs(const columns_plan *plan) {
    const pyconvc_problem *p = plan->p;
    return plan->outer->wide_pairs && plan->alone && keeps_apart(p, D) && lies_inside(p, D) &&
           lies_inside(p, H) && lies_inside(p, W) && p->stride[W] == 2 && p->x_step[5] == 1 &&
           repays_lanes(plan);
}

static void size_bands(columns_plan *plan) {
    const pyconvc_problem *p = plan->p;
    const int64_t lanes = plan->outer->lanes,
                  pixels = min64(PIXELS, Y_BYTES / (p->channels_out * plan->bytes));
    plan->depths = plan->paired ? 1 : p->output[D];
    plan->lines = plan->paired ? p->output[D] * p->output[H] : p->output[H];
    plan->row = plan->paired ? round_up(p->output[W], lanes) : p->output[W];
    plan->rows = min64(plan->lines, max64(1, pixels / plan->row));
    plan->bands = ceil_div(plan->lines, plan->rows);
    plan->rows = ceil_div(plan->lines, plan->bands);
    plan->pitch = round_up(plan->rows * plan->row, lanes);
    if (plan->pitch * plan->bytes % 128 == 0) plan->pitch += lanes; /* no aliasing */
    const int apart = keeps_apart(p, D) && keeps_apart(p, H);
    plan->parts_of_bands = apart ? plan->depths * plan->bands : 1;
}

static void size_blocks(columns_plan *plan) {
    const pyconvc_problem *p = plan->p;
    const int64_t most = plan->paired && p->channels_out <= CHANNELS ? PAIRED_COLUMNS : COLUMNS;
    const int64_t wanted = ceil_div(ENOUGH_TASKS, p->batch * p->groups * plan->parts_of_bands);
    const int64_t blocks = ceil_div(p->channels_in, max64(1, most / plan->taps));
    plan->channels = ceil_div(p->channels_in, min64(p->channels_in, max64(blocks, wanted)));
    plan->blocks = ceil_div(p->channels_in, plan->channels);
    plan->parts_of_blocks = min64(plan->blocks, wanted);
    plan->columns = round_up(plan->channels * plan->taps * plan->parts, plan->outer->columns);
    plan->channels_at_once = ceil_div(p->channels_out, ceil_div(p->channels_out, CHANNELS));
    const int64_t lines = ceil_div(
        plan->channels_at_once * plan->outer->columns * (plan->bytes / plan->parts), CACHE_LINE);
    plan->tile_bytes = (lines | 1) * CACHE_LINE; /* tiles begin in all sets of a cache */
    plan->line = ceil_div(p->input[W], p->stride[W]);
}

/* Where in x the pairs of columns of a block put their first samples. */
static void find_places(const columns_plan *plan) {
    const pyconvc_problem *p = plan->p;
    int64_t *to = plan->places;
    for (int64_t c = 0; c < plan->channels; c++)
        for (int64_t d = 0; d < p->kernel[D]; d++)
            for (int64_t h = 0; h < p->kernel[H]; h++)
                *to++ = c * p->x_step[2] + d * p->dilation[D] * p->x_step[3] +
                        h * p->dilation[H] * p->x_step[4];
}

pyconvc_status columns_make(columns_plan *plan, const pyconvc_problem *p) {
    const kernel_table *table = pyconvc_kernels();
    *plan = (columns_plan){.p = p, .taps = p->kernel[D] * p->kernel[H] * p->kernel[W]};
    if (!table) return PYCONVC_NO_ISA;
    plan->outer = &table->outer[p->dtype];
    plan->fold = &table->fold[p->dtype];
    plan->bytes = pyconvc_sample_bytes(p->dtype);
    plan->parts = parts_of(p->dtype);
    plan->dense = is_dense(p);
    plan->alone = meets_alone(p);
    plan->paired = puts_pairs(plan);
    size_bands(plan);
    size_blocks(plan);
    const int64_t columns = plan->outer->columns, places = plan->paired ? plan->columns : 0;
    plan->offsets =
        malloc((size_t)(columns + p->input[D] + p->input[H] + places) * sizeof *plan->offsets);
    plan->runs = malloc((size_t)p->kernel[W] * sizeof *plan->runs);
    if (!plan->offsets || !plan->runs) return PYCONVC_NO_MEMORY;
    for (int64_t t = 0; t < p->kernel[W]; t++)
        plan->runs[t] = run_of(plan, t);
    for (int64_t t = 0; t < columns; t++)
        plan->offsets[t] = t;
    plan->first[D] = plan->offsets + columns;
    plan->first[H] = plan->first[D] + p->input[D];
    for (int a = D; a <= H; a++)
        for (int64_t i = 0; i < p->input[a]; i++)
            plan->first[a][i] = first_output(p, a, i);
    plan->places = plan->first[H] + p->input[H];
    if (plan->paired) find_places(plan);
    return PYCONVC_OK;
}
