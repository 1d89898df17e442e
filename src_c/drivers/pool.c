/* SPDX-License-Identifier: BSD-3-Clause
 * pool.c -- one task: some planes, an output depth, a band of rows, a block of columns (see
 * pool.h). */
#include "pool.h"

#include <stdlib.h>
#include <string.h>

#include "gather.h"
#include "parallel.h"
#include "pool_copy.h"

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

/* ---- strips ------------------------------------------------------------------------------------
 */

typedef void copy_fn(int32_t stored, int64_t bytes, const copy_axis *outer, const copy_axis *inner,
                     const void *from, void *to);

/* Planes in turn where they are closer in memory than columns. */
static void copy_row(const pool_plan *plan, copy_fn *copy, const copy_axis *planes,
                     const copy_axis *columns, int planes_are_closer, const void *from, void *to) {
    if (!plan->stored && planes->from == 1 && columns->to == 1) {
        gather_turned(plan->bytes, from, columns->from, columns->count, planes->count, planes->to,
                      to);
        return;
    }
    copy(plan->stored, plan->bytes, planes_are_closer ? columns : planes,
         planes_are_closer ? planes : columns, from, to);
}

/* Strips of all planes of the task, [plane][depth][row][pitch]; x is at the first row. */
static void gather_strips(const pool_plan *plan, const task *t, const char *x, char *strips) {
    const pool_axis *w = &plan->axis[W];
    const int64_t from = t->columns->from, rows = t->end_row - t->first_row;
    const int64_t spread = t->columns->program.along == POOL_EACH ? 1 : w->spread;
    const int64_t first = ceil_div(from, spread);
    const int64_t end = ceil_div(from + t->columns->program.width, spread);
    const copy_axis planes = {t->planes, plan->x_step[1], plan->strip_plane};
    const copy_axis columns = {max64(0, end - first), plan->x_step[4], spread};
    const int closer = llabs(planes.from) < llabs(columns.from);
    if (spread > 1) memset(strips, 0, (size_t)(t->planes * plan->strip_plane * plan->bytes));
    for (int64_t d = 0; d < plan->axis[D].count[t->depth]; d++)
        for (int64_t r = 0; r < rows; r++) {
            const int64_t depth = d * plan->axis[D].step;
            const int64_t source =
                depth * plan->x_step[2] + r * plan->x_step[3] + first * plan->x_step[4];
            const int64_t target =
                (d * plan->strip_rows + r) * plan->strip_pitch + first * spread - from;
            copy_row(plan, pool_load, &planes, &columns, closer, x + source * plan->stored_bytes,
                     strips + target * plan->bytes);
        }
}

/* Strips of planes that are turned, [depth][row][column][plane]; x is at the first row. */
static void turn_strips(const pool_plan *plan, const task *t, const char *x, char *strips) {
    const int64_t samples = (t->end_row - t->first_row) * plan->axis[W].from;
    if (t->planes < plan->channels) memset(strips, 0, (size_t)plan->gathered_bytes);
    for (int64_t d = 0; d < plan->axis[D].count[t->depth]; d++)
        gather_turned(plan->bytes, x + d * plan->axis[D].step * plan->x_step[2] * plan->bytes,
                      plan->x_step[1], t->planes, samples, plan->channels,
                      strips + d * plan->strip_rows * plan->strip_pitch * plan->bytes);
}

/* Back from strips of outputs, [plane][row][column] or [row][column][channel]; y is at the first
 * output. */
static void scatter_strips(const pool_plan *plan, const task *t, const pool_call *call, char *y) {
    const int64_t channels = plan->channels, count = t->columns->program.outputs / channels;
    if (plan->turned) {
        gather_turned(plan->bytes, call->y, channels, t->rows * count, t->planes, plan->y_step[1],
                      y);
        return;
    }
    const copy_axis planes = channels > 1 ? (copy_axis){channels, 1, plan->y_step[1]}
                                          : (copy_axis){t->planes, call->y_plane, plan->y_step[1]};
    const copy_axis columns = {count, channels, plan->y_step[4]};
    const int closer = llabs(planes.to) < llabs(columns.to);
    for (int64_t r = 0; r < t->rows; r++)
        copy_row(plan, pool_store, &planes, &columns, closer,
                 (const char *)call->y + r * call->y_row * plan->bytes,
                 y + r * plan->y_step[3] * plan->stored_bytes);
}

/* ---- tasks -------------------------------------------------------------------------------------
 */

static void see_inputs(const job *j, const task *t, char *strips, pool_call *call) {
    const pool_plan *plan = j->plan;
    const int64_t depth = plan->axis[D].first[t->depth];
    const int64_t first = t->image * plan->x_step[0] + t->plane * plan->x_step[1] +
                          depth * plan->x_step[2] + t->first_row * plan->x_step[3];
    call->depth = plan->axis[D].count[t->depth];
    call->position = depth * plan->position_depth + t->columns->from;
    call->position_depth = plan->axis[D].step * plan->position_depth;
    call->position_row = plan->position_row;
    call->origin = t->first_row;
    if (plan->turned) {
        turn_strips(plan, t, j->x + first * plan->bytes, strips);
        call->x = strips + t->columns->from * plan->bytes;
        call->x_row = plan->strip_pitch;
        call->x_depth = plan->strip_rows * plan->strip_pitch;
        return;
    }
    if (plan->gathered) {
        gather_strips(plan, t, j->x + first * plan->stored_bytes, strips);
        call->x = strips;
        call->x_row = plan->strip_pitch;
        call->x_depth = plan->strip_rows * plan->strip_pitch;
        call->x_plane = plan->strip_plane;
        return;
    }
    call->x = j->x + (first + t->columns->from) * plan->bytes;
    call->x_row = plan->x_step[3];
    call->x_depth = plan->axis[D].step * plan->x_step[2];
    call->x_plane = plan->x_step[1];
}

/* Where the kernel writes; returns where the outputs belong. */
static char *see_outputs(const job *j, const task *t, char *strips, pool_call *call) {
    const pool_plan *plan = j->plan;
    const int64_t *step = plan->y_step, output = t->columns->output;
    char *y =
        j->y + plan->stored_bytes * (t->image * step[0] + t->plane * step[1] + t->depth * step[2] +
                                     t->row * step[3] + output * step[4]);
    call->y = plan->scattered ? strips : y;
    call->y_row = plan->scattered ? plan->block_outputs * plan->channels : step[3];
    call->y_plane = plan->scattered ? plan->band_rows * call->y_row : step[1];
    call->index_row = plan->axis[W].to;
    call->index_plane = plan->axis[D].to * plan->axis[H].to * call->index_row;
    if (j->index)
        call->index = j->index + (t->image * plan->planes + t->plane) * call->index_plane +
                      (t->depth * plan->axis[H].to + t->row) * call->index_row + output;
    return y;
}

static void do_task(const void *context, int64_t number, void *memory) {
    const job *j = context;
    const pool_plan *plan = j->plan;
    char *strips = (char *)memory + plan->lines_bytes;
    task t;
    locate(plan, number, &t);
    pool_call call = {
        .planes = plan->turned ? 1 : t.planes, .row = t.row, .height = t.rows, .scratch = memory};
    call.divisor = plan->axis[D].divisor[t.depth];
    see_inputs(j, &t, strips, &call);
    char *y = see_outputs(j, &t, strips + plan->gathered_bytes, &call);
    plan->kernel.fold(&t.columns->program, &call);
    if (plan->scattered) scatter_strips(plan, &t, &call, y);
}

pyconvc_status pool_run(const pool_plan *plan, const void *x, void *y, int64_t *index,
                        const pyconvc_run *run) {
    const job j = {plan, x, y, index};
    const int64_t bytes = plan->lines_bytes + plan->gathered_bytes + plan->scattered_bytes;
    return parallel_for(plan->tasks, plan->workers, (size_t)bytes, do_task, &j, run);
}
