/* SPDX-License-Identifier: BSD-3-Clause
 * mix.c -- one task: pack its tile of the input, then every block of output channels on it (see mix.h). */
#include "mix.h"

#include <string.h>

#include "filter.h"
#include "gather.h"
#include "parallel.h"

enum { D, H, W };

typedef struct {
    const mix_plan *plan;
    const char *x, *bias;
    char *y;
} job;

typedef struct {
    int64_t image, group, depth, row, rows, column, columns, first_block, end_block; /* of the outputs */
    int64_t first_plane, planes;
} task;

typedef struct {
    char *tile;
    char *rows; /* outputs of one block of channels, where y has no lines to write to */
} scratch;

static size_t lay_out(const mix_plan *plan, char *base, scratch *s) {
    const int64_t tile = plan->in_place ? 0 : plan->planes_at_once * plan->rows_in_tile * plan->row_pitch;
    const int64_t rows = plan->p.y_step[5] == 1 ? 0 : plan->kernels->channels * plan->band_rows * plan->columns;
    const size_t tile_bytes = (size_t)round_up(tile * plan->bytes, 64);
    s->tile = base;
    s->rows = base + tile_bytes;
    return tile_bytes + (size_t)(rows * plan->bytes);
}

size_t mix_scratch(const mix_plan *plan) {
    scratch s;
    return lay_out(plan, NULL, &s);
}

/* One input line, all phases. */
static void pack_line(const mix_plan *plan, const task *t, const char *from, char *to) {
    const pyconvc_problem *p = &plan->p;
    const gather_line line = {plan->bytes, p->input[W], p->x_step[5], p->boundary[W], p->fill};
    const int64_t first = t->column * p->stride[W] - p->pad_before[W];
    const int64_t count = t->columns + (p->kernel[W] - 1) * p->dilation[W] / p->stride[W];
    const int64_t slack = min64(plan->phase_pitch - count, plan->kernels->lanes);
    for (int64_t f = 0; f < plan->phases; f++, to += plan->phase_pitch * plan->bytes) {
        if (from)
            gather(&line, from, first + plan->phase_offset[f], p->stride[W], count, to);
        else
            gather_fill(plan->bytes, p->fill, count, to);
        memset(to + count * plan->bytes, 0, (size_t)(slack * plan->bytes));
    }
}

/* The tile: every line that an output of the band meets, for each plane. */
static void pack(const job *j, const task *t, char *to) {
    const mix_plan *plan = j->plan;
    const pyconvc_problem *p = &plan->p;
    const row_numbering rows = filter_rows(p, plan->band_rows);
    const int64_t top = t->row * p->stride[H] - p->pad_before[H];
    const int64_t used = (t->rows - 1) * p->stride[H] + (p->kernel[H] - 1) * p->dilation[H] + 1;
    for (int64_t plane = t->first_plane; plane < t->first_plane + t->planes; plane++) {
        const int64_t c = plane / p->kernel[D], tap = plane % p->kernel[D];
        const int64_t z = pyconvc_boundary_index(p->boundary[D], t->depth * p->stride[D] + tap * p->dilation[D] - p->pad_before[D], p->input[D]);
        const int64_t first = t->image * p->x_step[0] + t->group * p->x_step[1] + c * p->x_step[2] + z * p->x_step[3];
        for (int64_t i = 0; i < rows.count; i++, to += plan->row_pitch * plan->bytes) {
            const int64_t offset = rows.dense ? i : i % plan->band_rows * p->stride[H] + i / plan->band_rows * p->dilation[H];
            if (rows.dense ? i >= used : i % plan->band_rows >= t->rows) continue;
            const int64_t row = pyconvc_boundary_index(p->boundary[H], top + offset, p->input[H]);
            pack_line(plan, t, z < 0 || row < 0 ? NULL : j->x + (first + row * p->x_step[4]) * plan->bytes, to);
        }
    }
}

/* Dense rows of a block of channels to or from their places in y. */
static void copy_block(const job *j, const task *t, const mix_job *m, char *y, int out) {
    const pyconvc_problem *p = &j->plan->p;
    const int64_t bytes = j->plan->bytes;
    const gather_line line = {bytes, t->columns, p->y_step[5], PYCONVC_CONSTANT, NULL};
    char *dense = m->y;
    for (int64_t k = 0; k < m->channels; k++)
        for (int64_t r = 0; r < t->rows; r++, dense += t->columns * bytes) {
            char *row = y + (k * p->y_step[2] + r * p->y_step[4]) * bytes;
            if (out)
                scatter(bytes, dense, t->columns, p->y_step[5], row);
            else
                gather(&line, row, 0, 1, t->columns, dense);
        }
}

static void do_block(const job *j, const task *t, const scratch *s, int64_t b, mix_job m) {
    const mix_plan *plan = j->plan;
    const pyconvc_problem *p = &plan->p;
    const int64_t channel = b * plan->kernels->channels;
    const int64_t at = t->image * p->y_step[0] + t->group * p->y_step[1] + channel * p->y_step[2] + t->depth * p->y_step[3] +
                       t->row * p->y_step[4] + t->column * p->y_step[5];
    char *y = j->y + at * plan->bytes;
    m.channels = min64(plan->kernels->channels, p->channels_out - channel);
    const int64_t tile = m.channels <= plan->kernels->few ? plan->kernels->few : plan->kernels->channels;
    m.w = plan->weights + (t->group * plan->blocks + b) * plan->block_bytes + t->first_plane * plan->taps_per_plane * tile * plan->bytes;
    m.bias = j->bias ? j->bias + (t->group * p->channels_out + channel) * plan->bytes : NULL;
    if (p->y_step[5] == 1) {
        m.y = y;
        m.y_channel = p->y_step[2] * plan->parts;
        m.y_pitch = p->y_step[4] * plan->parts;
        plan->kernels->mix(&m);
        return;
    }
    m.y = s->rows;
    m.y_pitch = t->columns * plan->parts;
    m.y_channel = t->rows * m.y_pitch;
    if (m.flags & FILTER_ACCUMULATE) copy_block(j, t, &m, y, 0);
    plan->kernels->mix(&m);
    copy_block(j, t, &m, y, 1);
}

static void locate(const mix_plan *plan, int64_t index, task *t) {
    const pyconvc_problem *p = &plan->p;
    const int64_t part = index % plan->parts_of_blocks, block = index / plan->parts_of_blocks;
    const int64_t column = block % plan->column_blocks, band = block / plan->column_blocks % plan->bands;
    const int64_t image = block / plan->column_blocks / plan->bands;
    t->first_block = plan->blocks * part / plan->parts_of_blocks;
    t->end_block = plan->blocks * (part + 1) / plan->parts_of_blocks;
    t->column = column * plan->columns;
    t->columns = min64(plan->columns, p->output[W] - t->column);
    t->row = band * plan->band_rows;
    t->rows = min64(plan->band_rows, p->output[H] - t->row);
    t->depth = image % p->output[D];
    t->group = image / p->output[D] % p->groups;
    t->image = image / p->output[D] / p->groups;
}

static void do_task(const void *context, int64_t index, void *memory) {
    const job *j = context;
    const mix_plan *plan = j->plan;
    const pyconvc_problem *p = &plan->p;
    scratch s;
    task t;
    lay_out(plan, memory, &s);
    locate(plan, index, &t);
    for (t.first_plane = 0; t.first_plane < plan->planes; t.first_plane += plan->planes_at_once) {
        t.planes = min64(plan->planes_at_once, plan->planes - t.first_plane);
        mix_job m = {.offsets = plan->offsets, .taps = t.planes * plan->taps_per_plane, .height = t.rows, .width = t.columns * plan->parts};
        m.flags = t.first_plane ? FILTER_ACCUMULATE : 0;
        if (plan->in_place) {
            const int64_t at = t.image * p->x_step[0] + t.group * p->x_step[1] + t.first_plane * p->x_step[2] + t.depth * p->stride[D] * p->x_step[3] +
                               t.row * p->stride[H] * p->x_step[4] + t.column;
            m.x = j->x + at * plan->bytes;
            m.row_step = p->stride[H] * p->x_step[4] * plan->parts;
        } else {
            pack(j, &t, s.tile);
            m.x = s.tile;
            m.row_step = filter_rows(p, plan->band_rows).by_output * plan->row_pitch * plan->parts;
        }
        for (int64_t b = t.first_block; b < t.end_block; b++) do_block(j, &t, &s, b, m);
    }
}

pyconvc_status mix_run(const mix_plan *plan, const void *x, const void *bias, void *y, const pyconvc_run *run) {
    const job j = {plan, x, bias, y};
    return parallel_for(plan->tasks, plan->workers, mix_scratch(plan), do_task, &j, run);
}
