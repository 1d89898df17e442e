/* SPDX-License-Identifier: BSD-3-Clause
 * pool_plan.c -- windows, ways of folding, blocks, tasks (see pool.h). Nothing here depends on the
 * number of workers: results have the same bits for each. */
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "pool_axis.h"
#include "pool_copy.h"

#define TASK_SAMPLES    (1 << 16) /* read by a task, about */
#define LINE_BYTES      (1 << 14) /* of a block of columns: lines stay in L1 */
#define LEAST_OUTPUTS   16        /* of a block of columns */
#define LEAST_POSITIONS 4         /* the same of channels side by side */
#define LEAST_CHANNELS  8         /* that are worth folding side by side */
#define TURNED_VECTORS  4         /* of small planes that are turned together */
#define TURNED_BYTES    (1 << 15) /* of such planes */
#define STRIP_BYTES     (1 << 20) /* gathered by a task, unless one window takes more */
#define MOST_BYTES      0x1p56    /* of what a plane's windows reach: no memory has more */
#define PLANES_TOGETHER 16        /* gathered at once where planes are closer than columns */
#define WORK_A_SAMPLE   8         /* in multiply-adds, for parallel_workers */

enum { D, H, W };

/* ---- the problem as windows ------------------------------------------------------------------ */

static pyconvc_status set_axes(pool_plan *plan, const pyconvc_pool *p, int adjoint) {
    for (int a = 0; a < PYCONVC_RANK; a++) {
        const pyconvc_status status =
            pool_axis_make(&plan->axis[a], &p->axis[a], p->count_pad, adjoint);
        if (status) return status;
        for (int64_t o = 0; o < plan->axis[a].to && p->divisor && !adjoint; o++)
            plan->axis[a].divisor[o] = a == H ? p->divisor : 1;
    }
    memcpy(plan->x_step, adjoint ? p->y_step : p->x_step, sizeof plan->x_step);
    memcpy(plan->y_step, adjoint ? p->x_step : p->y_step, sizeof plan->y_step);
    plan->position_row = plan->axis[W].from;
    plan->position_depth = plan->axis[H].from * plan->axis[W].from;
    return PYCONVC_OK;
}

/* A window that is a whole contiguous plane, or volume, is one run of samples. */
static void join_axes(pool_plan *plan) {
    pool_axis *w = &plan->axis[W];
    for (int a = H; a >= D; a--) {
        pool_axis *outer = &plan->axis[a];
        if (!pool_axis_is_whole(w) || !pool_axis_is_whole(outer)) return;
        if (w->from > 1 && plan->x_step[2 + W] != 1) return;
        if (outer->from > 1 && plan->x_step[2 + a] != w->from) return;
        if (w->from == 1) plan->x_step[2 + W] = 1;
        pool_axis_join(outer, w);
    }
}

/* Channels that are neighbours in lines without gaps are folded side by side: a line has those of
 * all its positions. Adjoints and maxima with positions take planes one by one. */
static void join_channels(pool_plan *plan, const pyconvc_pool *p) {
    if (p->channels < LEAST_CHANNELS || plan->x_step[1] != 1 || plan->op == POOL_ARGMAX) return;
    if (plan->x_step[2 + W] != p->channels && p->axis[W].input > 1) return;
    plan->channels = p->channels;
    plan->x_step[2 + W] = 1;
}

/* Planes so small that their lines are hardly vectors are turned: a line then has a sample of each.
 */
static void turn_planes(pool_plan *plan, const pyconvc_pool *p) {
    const pool_axis *h = &plan->axis[H], *w = &plan->axis[W];
    const int64_t together = TURNED_VECTORS * plan->kernel.lanes;
    if (plan->stored || plan->op == POOL_ARGMAX || p->channels < together) return;
    if (pool_axis_is_whole(w) || w->to >= 2 * plan->kernel.lanes) return;
    if (plan->x_step[2 + W] != 1 || plan->x_step[2 + H] != w->from) return;
    if (plan->y_step[2 + W] != 1 || plan->y_step[2 + H] != w->to) return;
    if (h->from * w->from > TURNED_BYTES / plan->bytes / together) return;
    plan->channels = together;
    plan->turned = 1;
}

/* Images whose planes continue each other are one. */
static void join_images(pool_plan *plan, const pyconvc_pool *p) {
    const int together = plan->channels > 1 && !plan->turned;
    plan->images = p->batch, plan->planes = together ? 1 : p->channels;
    if (together) return;
    if (plan->x_step[0] != p->channels * plan->x_step[1] ||
        plan->y_step[0] != p->channels * plan->y_step[1])
        return;
    plan->planes *= plan->images;
    plan->images = 1;
}

/* ---- ways of folding ------------------------------------------------------------------------- */

static int64_t binary_digits(int64_t n) {
    return n < 2 ? n : 1 + binary_digits(n / 2);
}

/* Operations for a row of outputs, about. */
static double cost_of_sliding(const pool_axis *w, int64_t lanes, int64_t kernel) {
    const double line = (double)(w->to - 1) * (double)w->stride + 1;
    return line / (double)lanes * (double)kernel + (w->stride > 2 ? (double)w->to : 0);
}

static double cost_of_each(const pool_axis *w, int64_t lanes) {
    double cost = 0;
    for (int64_t o = 0; o < w->to; o++) {
        const int64_t n = w->count[o], lone = n < lanes ? n : n % lanes + 3 * binary_digits(lanes);
        cost += (double)(n / lanes + lone + 3);
    }
    return cost;
}

static pool_along choose_along(const pool_plan *plan) {
    const pool_axis *w = &plan->axis[W];
    const int64_t lanes = plan->kernel.lanes;
    if (!w->regular) return POOL_EACH;
    const int64_t doubling = 2 * binary_digits(w->kernel) + 1, taps = min64(w->kernel, doubling);
    if (plan->channels > 1) /* those of windows that hardly overlap have no line in common */
        return w->kernel > doubling * w->stride ? POOL_DOUBLING : POOL_TAPS;
    if (w->step == 1 && cost_of_each(w, lanes) < cost_of_sliding(w, lanes, taps)) return POOL_EACH;
    return w->kernel > doubling ? POOL_DOUBLING : POOL_TAPS;
}

/* How many output rows should share the ends and beginnings of their windows. */
static int64_t choose_row_block(const pool_plan *plan) {
    const pool_axis *h = &plan->axis[H];
    if (!h->regular || h->step != 1 || h->spread != 1) return 1;
    const int64_t block = min64(h->to, ceil_div(h->kernel, h->stride));
    return block > 1 && h->kernel > 2 * h->stride + 4 ? block : 1;
}

/* ---- columns --------------------------------------------------------------------------------- */

/* Whether all windows hold the axis's only sample. */
static int is_one_row(const pool_axis *axis) {
    int one = axis->from == 1;
    for (int64_t o = 0; o < axis->to && one; o++)
        one = axis->count[o] == 1;
    return one;
}

static pool_program common_program(const pool_plan *plan, const pyconvc_pool *p, int adjoint) {
    const pool_axis *h = &plan->axis[H], *w = &plan->axis[W];
    pool_program g = {.first = h->first, .count = h->count, .row_step = h->step, .rows = h->from};
    g.row_block = choose_row_block(plan);
    g.row_stride = h->stride, g.row_pad = h->pad, g.row_kernel = h->kernel;
    g.along = choose_along(plan);
    g.channels = plan->channels;
    g.in_place =
        plan->channels == 1 && g.along == POOL_EACH && is_one_row(&plan->axis[D]) && is_one_row(h);
    g.kernel = w->kernel, g.stride = w->stride, g.dilation = w->step;
    g.row_divisor = adjoint || plan->op != POOL_SUM ? NULL : h->divisor;
    g.is_unsigned = !p->is_signed;
    return g;
}

/* Windows by themselves: from the first sample of the first one to the last of the last. */
static void set_each(pool_columns *c, const pool_axis *w) {
    pool_program *g = &c->program;
    int64_t end = c->from = w->first[c->output];
    g->start = w->first + c->output, g->run = w->count + c->output;
    for (int64_t o = 0; o < g->outputs; o++)
        end = max64(end, g->start[o] + g->run[o]);
    g->start_origin = c->from;
    g->before = 0;
    g->length = g->width = end - c->from;
}

static void set_sliding(pool_columns *c, const pool_axis *w) {
    pool_program *g = &c->program;
    const int64_t first = c->output * w->stride - w->pad, n = (w->from - 1) * w->spread + 1;
    g->length = (g->outputs - 1) * w->stride + (w->kernel - 1) * w->step + 1;
    c->from = min64(max64(first, 0), n);
    g->before = min64(max64(c->from - first, 0), g->length);
    g->width = max64(0, min64(n - c->from, g->length - g->before));
}

/* From positions to samples of all channels. */
static void set_channels(pool_columns *c, int64_t channels) {
    pool_program *g = &c->program;
    g->outputs *= channels, g->before *= channels, g->width *= channels, g->length *= channels;
    g->dilation *= channels, c->from *= channels;
}

static pyconvc_status set_columns(pool_plan *plan, const pyconvc_pool *p, int adjoint) {
    const pool_axis *w = &plan->axis[W];
    const pool_program common = common_program(plan, p, adjoint);
    const int64_t moves = max64(1, w->from * w->spread / w->to);
    const int64_t column_bytes = plan->bytes * plan->channels;
    const int64_t least = min64(plan->channels > 1 ? LEAST_POSITIONS : LEAST_OUTPUTS,
                                max64(1, STRIP_BYTES / column_bytes / moves));
    plan->block_outputs = max64(LINE_BYTES / column_bytes, 2 * w->kernel) / moves;
    plan->block_outputs = min64(max64(plan->block_outputs, least), w->to);
    plan->blocks = ceil_div(w->to, plan->block_outputs);
    plan->columns = malloc((size_t)plan->blocks * sizeof *plan->columns);
    if (!plan->columns) return PYCONVC_NO_MEMORY;
    for (int64_t b = 0; b < plan->blocks; b++) {
        pool_columns *c = &plan->columns[b];
        *c = (pool_columns){common, 0, b * plan->block_outputs};
        c->program.outputs = min64(plan->block_outputs, w->to - c->output);
        if (common.row_divisor) c->program.column_divisor = w->divisor + c->output;
        if (common.along == POOL_EACH)
            set_each(c, w);
        else
            set_sliding(c, w);
        set_channels(c, plan->channels);
        const int64_t length = common.in_place ? 0 : c->program.length;
        plan->pitch =
            max64(plan->pitch, pool_pitch(length, c->program.outputs, plan->kernel.lanes));
        plan->strip_pitch = max64(plan->strip_pitch, c->program.width);
    }
    for (int64_t b = 0; b < plan->blocks; b++)
        plan->columns[b].program.pitch = plan->pitch;
    return PYCONVC_OK;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

void pool_rows(const pool_axis *h, int64_t row, int64_t rows, int64_t *first, int64_t *end) {
    *first = h->from, *end = 0;
    for (int64_t r = row; r < row + rows; r++) {
        if (h->count[r] <= 0) continue;
        *first = min64(*first, h->first[r]);
        *end = max64(*end, h->first[r] + (h->count[r] - 1) * h->step + 1);
    }
    *first = min64(*first, *end);
}

static int64_t most_rows(const pool_plan *plan) {
    int64_t most = 0;
    for (int64_t row = 0; row < plan->axis[H].to; row += plan->band_rows) {
        int64_t first, end;
        pool_rows(&plan->axis[H], row, min64(plan->band_rows, plan->axis[H].to - row), &first,
                  &end);
        most = max64(most, end - first);
    }
    return most;
}

static void size_bands(pool_plan *plan, int64_t rows) {
    const int64_t block = plan->columns[0].program.row_block;
    plan->band_rows = min64(round_up(max64(rows, block), block), plan->axis[H].to);
    plan->bands = ceil_div(plan->axis[H].to, plan->band_rows);
    plan->strip_rows = most_rows(plan);
    plan->strip_plane = plan->strip_depth * plan->strip_rows * plan->strip_pitch;
}

/* Bytes of strips; a plane at a time, or all that a task has. */
static int64_t size_strips(pool_plan *plan, int64_t planes) {
    const int64_t outputs = plan->band_rows * plan->block_outputs * plan->channels;
    plan->gathered_bytes =
        plan->gathered ? round_up(planes * plan->strip_plane * plan->bytes, 64) : 0;
    plan->scattered_bytes = plan->scattered ? planes * outputs * plan->bytes : 0;
    return plan->gathered_bytes + plan->scattered_bytes;
}

/* Whether planes, such as colours, are neighbours in memory. */
static int interleaved(const pool_plan *plan) {
    return (plan->gathered && llabs(plan->x_step[1]) < llabs(plan->x_step[4])) ||
           (plan->scattered && llabs(plan->y_step[1]) < llabs(plan->y_step[4]));
}

static void size_tasks(pool_plan *plan) {
    const pool_axis *h = &plan->axis[H];
    const int64_t block = plan->columns[0].program.row_block;
    const int64_t line = max64(
        1, max64(plan->strip_pitch * plan->strip_depth, plan->block_outputs * plan->channels));
    size_bands(plan, max64(TASK_SAMPLES / line * h->to / max64(h->from, h->to), 2 * block));
    while (size_strips(plan, 1) > STRIP_BYTES && plan->band_rows > block)
        size_bands(plan, plan->band_rows / 2);
    const int64_t rows = max64(1, max64(plan->strip_rows, plan->band_rows));
    plan->planes_at_once =
        max64(TASK_SAMPLES / (line * rows), interleaved(plan) ? PLANES_TOGETHER : 1);
    plan->planes_at_once = min64(plan->planes_at_once, plan->planes);
    while (size_strips(plan, plan->planes_at_once) > STRIP_BYTES && plan->planes_at_once > 1)
        plan->planes_at_once /= 2;
    if (plan->turned) {
        plan->planes_at_once = plan->channels;
        size_strips(plan, 1);
    }
    plan->plane_groups = ceil_div(plan->planes, plan->planes_at_once);
    plan->lines_bytes = round_up(pool_lines(plan->op, block) * plan->pitch * plan->bytes, 64);
    plan->tasks = plan->images * plan->plane_groups * plan->axis[D].to * plan->bands * plan->blocks;
}

static double samples_read(const pool_plan *plan) {
    double samples = (double)(plan->images * plan->planes);
    for (int a = 0; a < PYCONVC_RANK; a++)
        samples *= (double)max64(plan->axis[a].from, plan->axis[a].to);
    return samples;
}

/* Whether lines of outputs are lines of y. */
static int writes_in_place(const pool_plan *plan) {
    const int64_t column = plan->channels;
    return (plan->channels == 1 || plan->y_step[1] == 1) &&
           (plan->axis[W].to <= 1 || plan->y_step[4] == column);
}

/* Whether sizes could overflow. Arrays whose steps are zero can be that large. */
static int is_too_large(const pool_plan *plan) {
    const pool_axis *w = &plan->axis[W];
    const double line =
        (double)w->from * (double)w->spread + 2 * (double)w->kernel * (double)w->step;
    return line * (double)plan->axis[H].from * (double)plan->axis[D].from *
               (double)(plan->channels * plan->bytes) >
           MOST_BYTES;
}

pyconvc_status pool_plan_make(pool_plan *plan, const pyconvc_pool *p, int with_index, int adjoint,
                              const pyconvc_run *run) {
    const kernel_table *table = pyconvc_kernels();
    const int32_t dtype = p->dtype == PYCONVC_BOOL ? PYCONVC_U8 : p->dtype;
    *plan = (pool_plan){.channels = 1,
                        .op = p->op == PYCONVC_AVERAGE ? POOL_SUM
                              : with_index             ? POOL_ARGMAX
                                                       : POOL_MAX};
    if (!table) return PYCONVC_NO_ISA;
    plan->kernel = table->pool[plan->op][dtype];
    plan->bytes = pyconvc_sample_bytes(dtype);
    plan->stored = p->stored;
    plan->stored_bytes = pool_stored_bytes(p->stored, plan->bytes);
    if (!plan->kernel.fold) return PYCONVC_BAD_PROBLEM;
    pyconvc_status status = set_axes(plan, p, adjoint);
    if (status) return status;
    if (!adjoint) {
        join_channels(plan, p);
        if (plan->channels == 1) join_axes(plan);
        if (plan->channels == 1) turn_planes(plan, p);
    }
    join_images(plan, p);
    if (is_too_large(plan)) return PYCONVC_NO_MEMORY;
    status = set_columns(plan, p, adjoint);
    if (status) return status;
    if (plan->turned) plan->strip_pitch = plan->axis[W].from * plan->channels;
    const int spread = plan->axis[W].spread > 1 && plan->columns[0].program.along != POOL_EACH;
    plan->gathered =
        plan->stored || plan->turned || spread || (plan->x_step[4] != 1 && plan->axis[W].from > 1);
    plan->scattered = plan->stored || plan->turned || !writes_in_place(plan);
    for (int64_t d = 0; d < plan->axis[D].to; d++)
        plan->strip_depth = max64(plan->strip_depth, plan->axis[D].count[d]);
    size_tasks(plan);
    plan->workers = parallel_workers(run, samples_read(plan) * WORK_A_SAMPLE * (double)plan->bytes);
    return PYCONVC_OK;
}

void pool_plan_free(pool_plan *plan) {
    for (int a = 0; a < PYCONVC_RANK; a++)
        pool_axis_free(&plan->axis[a]);
    free(plan->columns);
}
