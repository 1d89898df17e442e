/* SPDX-License-Identifier: BSD-3-Clause
 * dot_plan.c -- see dot_plan.h. */
#include "dot_plan.h"

#include <stdlib.h>

#define ENOUGH_UNITS 8

enum { D, H, W };

static pyconvc_problem exchange(const pyconvc_problem *p) {
    pyconvc_problem q = *p;
    q.channels_in = p->channels_out;
    q.channels_out = p->channels_in;
    for (int i = 0; i < 6; i++)
        q.x_step[i] = p->y_step[i], q.y_step[i] = p->x_step[i];
    q.w_step[1] = p->w_step[2];
    q.w_step[2] = p->w_step[1];
    return q;
}

/* Whether outer products serve so many channels as lanes, and so many samples against each: fewer
 * would leave most of a tile empty. */
static int fills_tile(const dot_plan *plan, int64_t lanes, int64_t samples) {
    return lanes >= plan->outer->lanes && samples * plan->parts >= plan->outer->columns;
}

/* Outer products have channels as lanes, which must be packed: so rather the fewer ones, where x
 * and y can be exchanged. Else lines have pixels as lanes. */
static void choose_form(dot_plan *plan) {
    const pyconvc_problem *p = plan->p;
    const int64_t k = p->channels_out, c = p->channels_in;
    plan->taps_per_plane = p->kernel[H] * p->kernel[W];
    const int fills = fills_tile(plan, k, c * p->kernel[D] * plan->taps_per_plane);
    plan->swapped = pyconvc_is_pointwise(p) && fills_tile(plan, c, k) && (!fills || c < k);
    plan->form = fills || plan->swapped ? &dot_outer : &dot_lines;
    plan->q = plan->swapped ? exchange(p) : *p;
    if (plan->form == &dot_outer) pyconvc_join_lines(&plan->q);
    plan->planes = plan->q.channels_in * p->kernel[D];
}

void dot_cut(dot_plan *plan, int64_t columns, int64_t samples) {
    const int64_t *output = plan->q.output;
    plan->column_blocks = ceil_div(output[W], columns);
    columns = ceil_div(output[W], plan->column_blocks);
    plan->bands = ceil_div(output[H], min64(output[H], max64(1, samples / columns)));
    tile_size(&plan->tile, ceil_div(output[H], plan->bands), columns);
}

/* Whether every sample that is read lies inside x. */
static int has_no_borders(const pyconvc_problem *q) {
    for (int a = 0; a < PYCONVC_RANK; a++)
        if (q->pad_before[a] || q->pad_after[a] > 0) return 0;
    return 1;
}

static int64_t offset_in_x(const pyconvc_problem *q, int64_t plane, int64_t h, int64_t w) {
    return plane / q->kernel[D] * q->x_step[2] +
           plane % q->kernel[D] * q->dilation[D] * q->x_step[3] +
           h * q->dilation[H] * q->x_step[4] + w * q->dilation[W] * q->x_step[5];
}

/* Where each plane and tap of a unit is read, from the first sample that a piece reads. */
static void place_offsets(dot_plan *plan) {
    const pyconvc_problem *q = &plan->q;
    int64_t *to = plan->offsets;
    plan->column_step = plan->parts * (plan->in_place ? q->stride[W] * q->x_step[5] : 1);
    plan->row_step =
        plan->parts * (plan->in_place ? q->stride[H] * q->x_step[4] : plan->tile.row_pitch);
    for (int64_t plane = 0; plane < plan->planes_of_unit; plane++)
        for (int64_t h = 0; h < q->kernel[H]; h++)
            for (int64_t w = 0; w < q->kernel[W]; w++)
                for (int64_t part = 0; part < plan->columns_of_tap; part++)
                    *to++ = (plan->in_place ? offset_in_x(q, plane, h, w)
                                            : tile_offset(&plan->tile, plane, h, w)) *
                                plan->parts +
                            part;
    while (to < plan->offsets + plan->offsets_padded)
        *to++ = 0; /* computed and thrown away */
}

int dot_lies_dense(const pyconvc_problem *p) {
    const int64_t taps[] = {p->kernel[H] * p->kernel[W], p->kernel[W], 1};
    for (int a = 0; a < PYCONVC_RANK; a++)
        if (p->kernel[a] > 1 && (p->flip || p->w_step[3 + a] != taps[a])) return 0;
    return p->channels_in == 1 || p->w_step[2] == p->kernel[D] * taps[0];
}

pyconvc_status dot_plan_make(dot_plan *plan, const pyconvc_problem *p) {
    const kernel_table *table = pyconvc_kernels();
    *plan = (dot_plan){.p = p};
    if (!table) return PYCONVC_NO_ISA;
    plan->dot = &table->dot[p->dtype];
    plan->outer = &table->outer[p->dtype];
    plan->bytes = pyconvc_sample_bytes(p->dtype);
    plan->parts = parts_of(p->dtype);
    choose_form(plan);
    plan->in_place = plan->form == &dot_outer && has_no_borders(&plan->q);
    plan->tile = tile_make(&plan->q, plan->form == &dot_outer ? 0 : plan->dot->vector, 0);
    plan->form->size(plan);
    plan->channel_blocks = ceil_div(plan->q.channels_out, plan->channels_of_unit);
    plan->plane_blocks = ceil_div(plan->planes, plan->planes_of_unit);
    plan->units = p->groups * plan->channel_blocks * plan->plane_blocks;
    plan->pieces = p->batch * plan->q.output[D] * plan->bands * plan->column_blocks;
    plan->slices =
        plan->units >= ENOUGH_UNITS ? 1 : min64(plan->pieces, ceil_div(ENOUGH_UNITS, plan->units));
    plan->dense = dot_lies_dense(p);
    plan->offsets = malloc((size_t)plan->offsets_padded * sizeof *plan->offsets);
    if (!plan->offsets) return PYCONVC_NO_MEMORY;
    place_offsets(plan);
    if (plan->slices == 1 && plan->dense) return PYCONVC_OK;
    plan->partial = malloc((size_t)(plan->slices * plan->units * dot_unit_bytes(plan)));
    return plan->partial ? PYCONVC_OK : PYCONVC_NO_MEMORY;
}

void dot_plan_free(dot_plan *plan) {
    free(plan->offsets);
    free(plan->partial);
}
