/* SPDX-License-Identifier: BSD-3-Clause
 * group.c -- see group.h. */
#include "group.h"

#include <stdlib.h>
#include <string.h>

#include "dispatch.h"
#include "parallel.h"
#include "planes.h"
#include "problem.h"

#define MOST_CHANNELS 16         /* in and out: with more, mix.c is as good */
#define NEAR_BYTES    (24 << 10) /* rows that several blocks of output channels meet: L1 */
#define TASK_WORK     1e7 /* multiply-adds: a few milliseconds, so that a call can be interrupted */
#define WORKER_TASKS  8

enum { D, H, W, TAPS = 9 };

typedef struct {
    const pyconvc_problem *p;
    const group_kernels *kernels;
    int64_t bytes;
    char *weights; /* [group][block of output channels][channel][tap][channel of block] */
    int64_t blocks, block_bytes; /* of output channels */
    int64_t bands, parts, tasks; /* of rows, of groups */
    int workers;
} plan;

typedef struct {
    const plan *plan;
    const char *x, *bias;
    char *y;
} job;

int group_suits(const pyconvc_problem *p) {
    const kernel_table *table = pyconvc_kernels();
    const group_kernels *kernels = table ? table->group[p->dtype] : NULL;
    return kernels && max64(p->channels_in, p->channels_out) <= MOST_CHANNELS &&
           p->channels_out % kernels->channels == 0 && p->output[H] >= kernels->vectors &&
           planes_have_edges(p, 1, kernels->lanes);
}

/* Bands of at least the rows of a tile, so near that all blocks find them, and enough for all
 * workers.
 */
static void size(plan *k, const pyconvc_run *run) {
    const pyconvc_problem *p = k->p;
    const double row = (double)(p->channels_in * p->input[W] * k->bytes),
                 row_work = (double)(p->output[W] * p->channels_out * p->channels_in * TAPS),
                 work = row_work * (double)(p->batch * p->groups * p->output[D] * p->output[H]);
    const int64_t most = p->output[H] / k->kernels->vectors, images = p->batch * p->output[D];
    k->workers = parallel_workers(run, work * (double)k->bytes);
    const int64_t wanted = k->workers > 1 ? ceil_div(WORKER_TASKS * k->workers, images) : 1,
                  near = k->blocks > 1 ? (int64_t)(row * (double)p->output[H] / NEAR_BYTES) + 1 : 1;
    k->parts = min64(wanted, p->groups);
    k->bands = max64(1, min64(most, max64(near, ceil_div(wanted, k->parts))));
    const double task = work / (double)(images * k->bands * k->parts);
    if (task > TASK_WORK) k->parts = min64(p->groups, k->parts * (int64_t)(task / TASK_WORK + 1));
    k->tasks = images * k->bands * k->parts;
}

/* The weights of a block of output channels, w being at the first. Inlined for a size of samples:
 * copies are then no calls. */
static inline void pack_block(const plan *k, size_t bytes, const char *w, char *to) {
    const pyconvc_problem *p = k->p;
    for (int64_t c = 0; c < p->channels_in; c++)
        for (int64_t t = 0; t < TAPS; t++) {
            const int64_t tap = p->flip ? TAPS - 1 - t : t,
                          at = c * p->w_step[2] + tap / 3 * p->w_step[4] + tap % 3 * p->w_step[5];
            for (int64_t i = 0; i < k->kernels->channels; i++, to += bytes)
                memcpy(to, w + (at + i * p->w_step[1]) * (int64_t)bytes, bytes);
        }
}

static void pack(const plan *k, const char *w) {
    const int64_t *step = k->p->w_step;
    for (int64_t g = 0; g < k->p->groups; g++)
        for (int64_t b = 0; b < k->blocks; b++) {
            const char *from = w + (g * step[0] + b * k->kernels->channels * step[1]) * k->bytes;
            char *to = k->weights + (g * k->blocks + b) * k->block_bytes;
            if (k->bytes == 4)
                pack_block(k, 4, from, to);
            else
                pack_block(k, 8, from, to);
        }
}

/* A band of rows of one group, all output channels. */
static void do_group(const job *j, int64_t image, int64_t depth, int64_t group, int64_t row,
                     int64_t rows) {
    const plan *k = j->plan;
    const pyconvc_problem *p = k->p;
    group_job of = {.x = j->x + (image * p->x_step[0] + group * p->x_step[1] +
                                 depth * p->stride[D] * p->x_step[3]) *
                                    k->bytes,
                    .edges = planes_edges(p, row),
                    .channels = p->channels_in,
                    .x_channel = p->x_step[2],
                    .x_pitch = p->x_step[4],
                    .y_channel = p->y_step[2],
                    .y_pitch = p->y_step[4],
                    .height = rows,
                    .width = p->output[W]};
    char *y = j->y + (image * p->y_step[0] + group * p->y_step[1] + depth * p->y_step[3] +
                      row * p->y_step[4]) *
                         k->bytes;
    for (int64_t b = 0; b < k->blocks; b++) {
        const int64_t first = b * k->kernels->channels;
        of.w = k->weights + (group * k->blocks + b) * k->block_bytes;
        of.bias = j->bias ? j->bias + (group * p->channels_out + first) * k->bytes : NULL;
        of.y = y + first * p->y_step[2] * k->bytes;
        k->kernels->group(&of);
    }
}

static void do_task(const void *context, int64_t index, void *memory) {
    const job *j = context;
    const plan *k = j->plan;
    const pyconvc_problem *p = k->p;
    (void)memory;
    const int64_t part = index % k->parts, band = index / k->parts % k->bands,
                  image = index / k->parts / k->bands;
    const int64_t row = band * p->output[H] / k->bands,
                  rows = (band + 1) * p->output[H] / k->bands - row;
    for (int64_t g = part * p->groups / k->parts; g < (part + 1) * p->groups / k->parts; g++)
        do_group(j, image / p->output[D], image % p->output[D], g, row, rows);
}

pyconvc_status group_correlate(const pyconvc_problem *p, const void *x, const void *w,
                               const void *bias, void *y, const pyconvc_run *run) {
    const group_kernels *kernels = pyconvc_kernels()->group[p->dtype];
    plan k = {.p = p,
              .kernels = kernels,
              .bytes = pyconvc_sample_bytes(p->dtype),
              .blocks = p->channels_out / kernels->channels};
    k.block_bytes = p->channels_in * TAPS * kernels->channels * k.bytes;
    size(&k, run);
    k.weights = malloc((size_t)(p->groups * k.blocks * k.block_bytes));
    if (!k.weights) return PYCONVC_NO_MEMORY;
    pack(&k, w);
    const job j = {&k, x, bias, y};
    const pyconvc_status status = parallel_for(k.tasks, k.workers, 0, do_task, &j, run);
    free(k.weights);
    return status;
}
