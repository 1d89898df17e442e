/* SPDX-License-Identifier: BSD-3-Clause
 * pool.c -- one task: some planes, an output depth, a band of rows, a block of columns (see
 * pool.h). */
#include "pool.h"

#include <stdlib.h>
#include <string.h>

#include "parallel.h"

enum { D, H, W };

typedef struct {
    const pool_plan *plan;
    const char *x;
    char *y;
    int64_t *index;
} job;

typedef struct {
    int64_t image, plane, planes, depth, row, rows;
    const pool_columns *columns;
    int64_t first_row, end_row; /* of x */
} task;

static int64_t lines_bytes(const pool_plan *plan) {
    return round_up(
        pool_lines(plan->op, plan->columns[0].program.row_block) * plan->pitch * plan->bytes, 64);
}

static int64_t strips_bytes(const pool_plan *plan) {
    if (!plan->gathered) return 0;
    return plan->planes_at_once * plan->strip_depth * plan->strip_rows * plan->strip_pitch *
           plan->bytes;
}

static void locate(const pool_plan *plan, int64_t i, task *t) {
    t->columns = &plan->columns[i % plan->blocks];
    i /= plan->blocks;
    t->row = i % plan->bands * plan->band_rows;
    t->rows = min64(plan->band_rows, plan->axis[H].to - t->row);
    i /= plan->bands;
    t->depth = i % plan->axis[D].to;
    i /= plan->axis[D].to;
    t->plane = i % plan->plane_groups * plan->planes_at_once;
    t->planes = min64(plan->planes_at_once, plan->planes - t->plane);
    t->image = i / plan->plane_groups;
    pool_rows(&plan->axis[H], t->row, t->rows, &t->first_row, &t->end_row);
}

/* ---- strips
 * ---------------------------------------------------------------------------------------- */

typedef struct {
    int64_t count, from, to; /* items, and steps of both sides */
} copy_axis;

typedef struct {
    uint64_t half[2];
} sample16;

/* Samples of two axes; the inner one is the second. */
static void copy_samples(int64_t bytes, const copy_axis *outer, const copy_axis *inner,
                         const void *from, void *to) {
    if (inner->from == 1 && inner->to == 1) {
        for (int64_t i = 0; i < outer->count; i++)
            memcpy((char *)to + i * outer->to * bytes, (const char *)from + i * outer->from * bytes,
                   (size_t)(inner->count * bytes));
        return;
    }
#define COPY(T)                                                                                    \
    for (int64_t i = 0; i < outer->count; i++) {                                                   \
        const T *s = (const T *)from + i * outer->from;                                            \
        T *d = (T *)to + i * outer->to;                                                            \
        for (int64_t k = 0; k < inner->count; k++)                                                 \
            memcpy(d + k * inner->to, s + k * inner->from, sizeof(T));                             \
    }
    switch (bytes) {
    case 1:
        COPY(uint8_t) break;
    case 2:
        COPY(uint16_t) break;
    case 4:
        COPY(uint32_t) break;
    case 8:
        COPY(uint64_t) break;
    default:
        COPY(sample16) break;
    }
#undef COPY
}

/* Strips of all planes of the task, [plane][depth][row][pitch]; planes in turn where they are
 * closer in memory than columns. */
static void gather_strips(const pool_plan *plan, const task *t, const char *x, char *strips) {
    const pool_axis *w = &plan->axis[W];
    const int64_t depth = plan->axis[D].count[t->depth], rows = t->end_row - t->first_row;
    const int64_t spread = t->columns->program.along == POOL_EACH ? 1 : w->spread;
    const int64_t first = ceil_div(t->columns->from, spread),
                  end = t->columns->from + t->columns->program.width;
    const copy_axis planes = {t->planes, plan->x_step[1],
                              plan->strip_depth * plan->strip_rows * plan->strip_pitch};
    const copy_axis columns = {max64(0, ceil_div(end, spread) - first), plan->x_step[4], spread};
    const int planes_first = llabs(planes.from) < llabs(columns.from);
    if (spread > 1) memset(strips, 0, (size_t)strips_bytes(plan));
    for (int64_t d = 0; d < depth; d++)
        for (int64_t r = 0; r < rows; r++) {
            const int64_t from = d * plan->axis[D].step * plan->x_step[2] + r * plan->x_step[3] +
                                 first * plan->x_step[4];
            const int64_t to =
                (d * plan->strip_rows + r) * plan->strip_pitch + first * spread - t->columns->from;
            copy_samples(plan->bytes, planes_first ? &columns : &planes,
                         planes_first ? &planes : &columns, x + from * plan->bytes,
                         strips + to * plan->bytes);
        }
}

/* ---- tasks
 * ----------------------------------------------------------------------------------------- */

static void see_inputs(const job *j, const task *t, char *strips, pool_call *call) {
    const pool_plan *plan = j->plan;
    const int64_t depth = plan->axis[D].first[t->depth];
    int64_t first =
        t->image * plan->x_step[0] + t->plane * plan->x_step[1] + depth * plan->x_step[2];
    call->depth = plan->axis[D].count[t->depth];
    call->position = depth * plan->position_depth + t->columns->from;
    call->position_depth = plan->axis[D].step * plan->position_depth;
    call->position_row = plan->position_row;
    call->origin = t->first_row;
    first += t->first_row * plan->x_step[3];
    if (plan->gathered) {
        gather_strips(plan, t, j->x + first * plan->bytes, strips);
        call->x = strips;
        call->x_row = plan->strip_pitch;
        call->x_depth = plan->strip_rows * call->x_row;
        call->x_plane = plan->strip_depth * call->x_depth;
        return;
    }
    call->x = j->x + (first + t->columns->from) * plan->bytes;
    call->x_row = plan->x_step[3];
    call->x_depth = plan->axis[D].step * plan->x_step[2];
    call->x_plane = plan->x_step[1];
}

static void see_outputs(const job *j, const task *t, pool_call *call) {
    const pool_plan *plan = j->plan;
    const int64_t *step = plan->y_step;
    const int64_t first = t->image * step[0] + t->plane * step[1] + t->depth * step[2] +
                          t->row * step[3] + t->columns->output;
    call->y = j->y + first * plan->bytes;
    call->y_plane = step[1], call->y_row = step[3];
    if (!j->index) return;
    const int64_t row = plan->axis[W].to, depth = plan->axis[H].to * row,
                  plane = plan->axis[D].to * depth;
    call->index = j->index + (t->image * plan->planes + t->plane) * plane + t->depth * depth +
                  t->row * row + t->columns->output;
    call->index_plane = plane, call->index_row = row;
}

static void do_task(const void *context, int64_t number, void *memory) {
    const job *j = context;
    task t;
    locate(j->plan, number, &t);
    pool_call call = {.planes = t.planes, .row = t.row, .height = t.rows, .scratch = memory};
    call.divisor = j->plan->axis[D].divisor[t.depth];
    see_inputs(j, &t, (char *)memory + lines_bytes(j->plan), &call);
    see_outputs(j, &t, &call);
    j->plan->kernel.fold(&t.columns->program, &call);
}

pyconvc_status pool_run(const pool_plan *plan, const void *x, void *y, int64_t *index,
                        const pyconvc_run *run) {
    const job j = {plan, x, y, index};
    return parallel_for(plan->tasks, plan->workers,
                        (size_t)(lines_bytes(plan) + strips_bytes(plan)), do_task, &j, run);
}
