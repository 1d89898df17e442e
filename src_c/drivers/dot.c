/* SPDX-License-Identifier: BSD-3-Clause
 * dot.c -- units and slices of a weight gradient, and its sums put in place (see dot.h). */
#include "dot.h"

#include <string.h>

#include "dot_plan.h"
#include "gather.h"
#include "parallel.h"

enum { D, H, W };

typedef struct {
    const dot_plan *plan;
    const char *x, *y;
    char *w;
} job;

static dot_unit locate(const dot_plan *plan, int64_t index) {
    dot_unit u = {.group = index / (plan->channel_blocks * plan->plane_blocks)};
    u.channel = index / plan->plane_blocks % plan->channel_blocks * plan->channels_of_unit;
    u.channels = min64(plan->channels_of_unit, plan->q.channels_out - u.channel);
    u.first_plane = index % plan->plane_blocks * plan->planes_of_unit;
    u.planes = min64(plan->planes_of_unit, plan->planes - u.first_plane);
    return u;
}

/* The same unit in p's channels and planes. */
static dot_unit given(const dot_plan *plan, const dot_unit *u) {
    return plan->swapped ? (dot_unit){u->group, u->first_plane, u->planes, u->channel, u->channels}
                         : *u;
}

static int64_t channel_at(const pyconvc_problem *p, const dot_unit *u, int64_t k) {
    return u->group * p->w_step[0] + (u->channel + k) * p->w_step[1];
}

/* Sums of a unit in one slice: [channel][plane tap]. */
static char *partial(const dot_plan *plan, int64_t slice, int64_t index) {
    return plan->partial + (slice * plan->units + index) * dot_unit_bytes(plan);
}

static dot_target target(const job *j, int64_t slice, int64_t index, const dot_unit *computed) {
    const dot_plan *plan = j->plan;
    const dot_unit u = given(plan, computed);
    if (plan->partial)
        return (dot_target){partial(plan, slice, index), u.planes * plan->taps_per_plane};
    const int64_t at = channel_at(plan->p, &u, 0) + u.first_plane * plan->taps_per_plane;
    return (dot_target){j->w + at * plan->bytes, plan->p->w_step[1]};
}

static tile_place place(const dot_plan *plan, const dot_unit *u, int64_t piece) {
    const int64_t *output = plan->q.output;
    const int64_t line = piece / plan->column_blocks, plane = line / plan->bands;
    tile_place at = {.group = u->group, .first_plane = u->first_plane, .planes = u->planes};
    at.column = piece % plan->column_blocks * plan->tile.columns;
    at.columns = min64(plan->tile.columns, output[W] - at.column);
    at.row = line % plan->bands * plan->tile.rows_out;
    at.rows = min64(plan->tile.rows_out, output[H] - at.row);
    at.depth = plane % output[D];
    at.image = plane / output[D];
    return at;
}

/* A task's memory: that of the form, then the packed input. */
static size_t lay_out(const dot_plan *plan, size_t *sums, size_t *tile) {
    *tile = (size_t)round_up((int64_t)plan->form->scratch(plan, sums), 64);
    const int64_t samples =
        plan->in_place ? 0
                       : plan->planes_of_unit *
                             tile_plane(&plan->tile, plan->tile.rows_out, plan->tile.columns);
    return *tile + (size_t)(samples * plan->bytes);
}

/* The first sample that a piece reads of its unit's first plane. */
static const char *in_place(const dot_plan *plan, const tile_place *at, const char *x) {
    const pyconvc_problem *q = &plan->q;
    const int64_t first =
        at->image * q->x_step[0] + at->group * q->x_step[1] +
        at->first_plane / q->kernel[D] * q->x_step[2] + at->depth * q->stride[D] * q->x_step[3] +
        at->row * q->stride[H] * q->x_step[4] + at->column * q->stride[W] * q->x_step[5];
    return x + first * plan->bytes;
}

static void do_task(const void *context, int64_t task, void *memory) {
    const job *j = context;
    const dot_plan *plan = j->plan;
    const int64_t slice = task % plan->slices, index = task / plan->slices;
    const dot_unit u = locate(plan, index);
    size_t sums, tile;
    lay_out(plan, &sums, &tile);
    char *packed = (char *)memory + tile;
    memset(memory, 0, sums);
    for (int64_t piece = plan->pieces * slice / plan->slices;
         piece < plan->pieces * (slice + 1) / plan->slices; piece++) {
        const tile_place at = place(plan, &u, piece);
        if (!plan->in_place) tile_pack(&plan->tile, &at, j->x, packed);
        plan->form->add(plan, &u, &at, plan->in_place ? in_place(plan, &at, j->x) : packed, j->y,
                        memory);
    }
    const dot_target to = target(j, slice, index, &u);
    plan->form->finish(plan, &u, memory, &to);
}

/* total += more, element by element. */
static void add_row(int32_t dtype, void *total, const void *more, int64_t samples) {
#define ADD(T, n)                                                                                  \
    {                                                                                              \
        T *a = total;                                                                              \
        const T *b = more;                                                                         \
        for (int64_t i = 0; i < n * samples; i++)                                                  \
            a[i] = (T)(a[i] + b[i]);                                                               \
    }                                                                                              \
    break;
    switch (dtype) {
    case PYCONVC_F32:
        ADD(float, 1)
    case PYCONVC_F64:
        ADD(double, 1)
    case PYCONVC_C64:
        ADD(float, 2)
    case PYCONVC_C128:
        ADD(double, 2)
    case PYCONVC_U8:
        ADD(uint8_t, 1)
    case PYCONVC_U16:
        ADD(uint16_t, 1)
    case PYCONVC_U32:
        ADD(uint32_t, 1)
    case PYCONVC_U64:
        ADD(uint64_t, 1)
    default:
        for (int64_t i = 0; i < samples; i++)
            ((uint8_t *)total)[i] |= ((const uint8_t *)more)[i];
    }
#undef ADD
}

static void put_row(const dot_plan *plan, const dot_unit *u, const char *from, char *w) {
    const pyconvc_problem *p = plan->p;
    const int64_t count = u->planes * plan->taps_per_plane;
    if (plan->dense) {
        memcpy(w + u->first_plane * plan->taps_per_plane * plan->bytes, from,
               (size_t)(count * plan->bytes));
        return;
    }
    for (int64_t t = 0; t < count; t++, from += plan->bytes) {
        const int64_t plane = u->first_plane + t / plan->taps_per_plane,
                      tap = t % plan->taps_per_plane;
        const int64_t at[] = {plane % p->kernel[D], tap / p->kernel[W], tap % p->kernel[W]};
        int64_t to = plane / p->kernel[D] * p->w_step[2];
        for (int a = 0; a < PYCONVC_RANK; a++)
            to += (p->flip ? p->kernel[a] - 1 - at[a] : at[a]) * p->w_step[3 + a];
        memcpy(w + to * plan->bytes, from, (size_t)plan->bytes);
    }
}

/* Adds the slices in order, and puts every sum in its place. */
static void deliver(const dot_plan *plan, char *w) {
    for (int64_t index = 0; index < plan->units && plan->partial; index++) {
        const dot_unit computed = locate(plan, index), u = given(plan, &computed);
        const int64_t count = u.planes * plan->taps_per_plane;
        char *total = partial(plan, 0, index);
        for (int64_t slice = 1; slice < plan->slices; slice++)
            add_row(plan->p->dtype, total, partial(plan, slice, index), u.channels * count);
        for (int64_t k = 0; k < u.channels; k++)
            put_row(plan, &u, total + k * count * plan->bytes,
                    w + channel_at(plan->p, &u, k) * plan->bytes);
    }
}

pyconvc_status dot_weight_grad(const pyconvc_problem *p, const void *x, const void *y, void *w,
                               const pyconvc_run *run) {
    dot_plan plan;
    size_t sums, tile;
    pyconvc_status status = dot_plan_make(&plan, p);
    if (!status) {
        const job j = {&plan, plan.swapped ? y : x, plan.swapped ? x : y, w};
        const double work = (double)plan.pieces * (double)plan.units *
                            (double)(plan.tile.rows_out * plan.tile.columns) *
                            (double)(plan.channels_of_unit * plan.parts) *
                            (double)plan.offsets_padded * (double)plan.bytes;
        status = parallel_for(plan.units * plan.slices, parallel_workers(run, work),
                              lay_out(&plan, &sums, &tile), do_task, &j, run);
    }
    if (!status) deliver(&plan, w);
    dot_plan_free(&plan);
    return status;
}
