/* SPDX-License-Identifier: BSD-3-Clause
 * mix.c -- one task: pack its tile of the input, then every block of output channels on it (see
 * mix.h). */
#include "mix.h"

#include "gather.h"
#include "parallel.h"

enum { D, H, W };

typedef struct {
    const mix_plan *plan;
    const char *x, *bias;
    char *y;
} job;

typedef struct {
    tile_place at;
    int64_t first_block, end_block;
} task;

typedef struct {
    char *tile;
    char *rows; /* outputs of one block of channels, where y has no lines to write to */
} scratch;

static size_t lay_out(const mix_plan *plan, char *base, scratch *s) {
    const int64_t tile =
        plan->in_place
            ? 0
            : plan->planes_at_once * tile_plane(&plan->tile, plan->band_rows, plan->columns);
    const int64_t rows =
        plan->p.y_step[5] == 1 ? 0 : plan->kernels->channels * plan->band_rows * plan->columns;
    const size_t tile_bytes = (size_t)round_up(tile * plan->bytes, 64);
    s->tile = base;
    s->rows = base + tile_bytes;
    return tile_bytes + (size_t)(rows * plan->bytes);
}

size_t mix_scratch(const mix_plan *plan) {
    scratch s;
    return lay_out(plan, NULL, &s);
}

/* Dense rows of a block of channels to or from their places in y. */
static void copy_block(const job *j, const task *t, const mix_job *m, char *y, int out) {
    const pyconvc_problem *p = &j->plan->p;
    const int64_t bytes = j->plan->bytes;
    char *dense = m->y;
    for (int64_t k = 0; k < m->channels; k++)
        for (int64_t r = 0; r < t->at.rows; r++, dense += t->at.columns * bytes) {
            char *row = y + (k * p->y_step[2] + r * p->y_step[4]) * bytes;
            if (out)
                scatter(bytes, dense, t->at.columns, p->y_step[5], row);
            else
                gather_all(bytes, row, t->at.columns, p->y_step[5], dense);
        }
}

static void set_weights(const mix_plan *plan, const task *t, int64_t b, mix_job *m) {
    const pyconvc_problem *p = &plan->p;
    const int64_t channels = plan->kernels->channels, few = plan->kernels->few;
    const int64_t taps = t->at.first_plane * plan->taps_per_plane;
    if (plan->weights) {
        const int64_t tile = m->channels <= few ? few : channels;
        m->w = plan->weights + (t->at.group * plan->blocks + b) * plan->block_bytes +
               taps * tile * plan->bytes;
    } else {
        const int64_t at = t->at.group * p->w_step[0] + b * channels * p->w_step[1] + taps;
        m->w = plan->w + at * plan->bytes;
        m->channel_step = p->w_step[1];
    }
}

/* The tile's channels at once; of weights not packed, a rest of the channels one by one. */
static void run_kernel(const mix_plan *plan, const mix_job *m) {
    mix_job one = *m;
    if (plan->weights || m->channels == plan->kernels->channels) {
        plan->kernels->mix(m);
        return;
    }
    one.channels = 1;
    for (int64_t k = 0; k < m->channels; k++) {
        one.w = (const char *)m->w + k * m->channel_step * plan->bytes;
        one.y = (char *)m->y + k * m->y_channel * (plan->bytes / plan->parts);
        one.bias = m->bias ? (const char *)m->bias + k * plan->bytes : NULL;
        plan->kernels->mix(&one);
    }
}

static void do_block(const job *j, const task *t, const scratch *s, int64_t b, mix_job m) {
    const mix_plan *plan = j->plan;
    const pyconvc_problem *p = &plan->p;
    const int64_t channel = b * plan->kernels->channels;
    const int64_t at = t->at.image * p->y_step[0] + t->at.group * p->y_step[1] +
                       channel * p->y_step[2] + t->at.depth * p->y_step[3] +
                       t->at.row * p->y_step[4] + t->at.column * p->y_step[5];
    char *y = j->y + at * plan->bytes;
    m.channels = min64(plan->kernels->channels, p->channels_out - channel);
    set_weights(plan, t, b, &m);
    m.bias = j->bias ? j->bias + (t->at.group * p->channels_out + channel) * plan->bytes : NULL;
    if (p->y_step[5] == 1) {
        m.y = y;
        m.y_channel = p->y_step[2] * plan->parts;
        m.y_pitch = p->y_step[4] * plan->parts;
        run_kernel(plan, &m);
        return;
    }
    m.y = s->rows;
    m.y_pitch = t->at.columns * plan->parts;
    m.y_channel = t->at.rows * m.y_pitch;
    if (m.flags & FILTER_ACCUMULATE) copy_block(j, t, &m, y, 0);
    run_kernel(plan, &m);
    copy_block(j, t, &m, y, 1);
}

static void locate(const mix_plan *plan, int64_t index, task *t) {
    const pyconvc_problem *p = &plan->p;
    const int64_t part = index % plan->parts_of_blocks, block = index / plan->parts_of_blocks;
    const int64_t column = block % plan->column_blocks,
                  band = block / plan->column_blocks % plan->bands;
    const int64_t image = block / plan->column_blocks / plan->bands;
    t->first_block = plan->blocks * part / plan->parts_of_blocks;
    t->end_block = plan->blocks * (part + 1) / plan->parts_of_blocks;
    t->at.column = column * plan->columns;
    t->at.columns = min64(plan->columns, p->output[W] - t->at.column);
    t->at.row = band * plan->band_rows;
    t->at.rows = min64(plan->band_rows, p->output[H] - t->at.row);
    t->at.depth = image % p->output[D];
    t->at.group = image / p->output[D] % p->groups;
    t->at.image = image / p->output[D] / p->groups;
}

static void do_task(const void *context, int64_t index, void *memory) {
    const job *j = context;
    const mix_plan *plan = j->plan;
    const pyconvc_problem *p = &plan->p;
    scratch s;
    task t;
    lay_out(plan, memory, &s);
    locate(plan, index, &t);
    for (t.at.first_plane = 0; t.at.first_plane < plan->planes;
         t.at.first_plane += plan->planes_at_once) {
        t.at.planes = min64(plan->planes_at_once, plan->planes - t.at.first_plane);
        mix_job m = {.offsets = plan->offsets,
                     .taps = t.at.planes * plan->taps_per_plane,
                     .height = t.at.rows,
                     .width = t.at.columns * plan->parts};
        m.flags = t.at.first_plane ? FILTER_ACCUMULATE : 0;
        if (plan->in_place) {
            const int64_t at = t.at.image * p->x_step[0] + t.at.group * p->x_step[1] +
                               t.at.first_plane * p->x_step[2] +
                               t.at.depth * p->stride[D] * p->x_step[3] +
                               t.at.row * p->stride[H] * p->x_step[4] + t.at.column;
            m.x = j->x + at * plan->bytes;
            m.row_step = p->stride[H] * p->x_step[4] * plan->parts;
        } else {
            tile_pack(&plan->tile, &t.at, j->x, s.tile);
            m.x = s.tile;
            m.row_step = plan->tile.by_row * plan->parts;
        }
        for (int64_t b = t.first_block; b < t.end_block; b++)
            do_block(j, &t, &s, b, m);
    }
}

pyconvc_status mix_run(const mix_plan *plan, const void *x, const void *bias, void *y,
                       const pyconvc_run *run) {
    const job j = {plan, x, bias, y};
    return parallel_for(plan->tasks, plan->workers, mix_scratch(plan), do_task, &j, run);
}
