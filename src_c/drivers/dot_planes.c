/* SPDX-License-Identifier: BSD-3-Clause
 * dot_planes.c -- the weight gradient of many groups of few channels, on packed planes (planes.h).
 *
 * A task owns some groups, and their sums over all images, depths and bands: [group][output
 * channel][plane][tap], each a vector whose lanes are added up at the end.
 */
#include <string.h>

#include "dispatch.h"
#include "dot.h"
#include "dot_plan.h"
#include "parallel.h"
#include "planes.h"

#define LEAST_GROUPS 8         /* fewer are not enough tasks */
#define MOST_PAIRS   16        /* of input and output channels in a group */
#define SUMS_BYTES   (1 << 15) /* of a task */
#define WORKER_TASKS 8

enum { D, H, W };

typedef struct {
    const pyconvc_problem *p;
    const plane_grad_kernels *kernels;
    reduce_fn *reduce;
    plane_layout layout;
    int64_t bytes, bands, taps; /* of a sample; taps of all planes */
    int64_t group_sums;         /* bytes */
    int64_t groups_at_once, tasks;
    int packs_y, dense; /* dense: a channel's taps lie in w as its sums do */
} plan;

typedef struct {
    const plan *plan;
    const char *x, *y;
    char *w;
} job;

static int has_few_channels(const pyconvc_problem *p) {
    return p->groups >= LEAST_GROUPS && p->channels_in * p->channels_out <= MOST_PAIRS;
}

static int find_layout(const pyconvc_problem *p, plane_layout *layout) {
    const kernel_table *table = pyconvc_kernels();
    const plane_grad_kernels *kernels = table ? table->plane_grad[p->dtype] : NULL;
    return kernels &&
           planes_size(layout, p, &table->plane[p->dtype], kernels->vector, kernels->rows, 0);
}

int dot_planes_suits(const pyconvc_problem *p) {
    plane_layout layout;
    return has_few_channels(p) && find_layout(p, &layout);
}

static void make(plan *d, const pyconvc_problem *p, int workers) {
    const kernel_table *table = pyconvc_kernels();
    *d = (plan){.p = p,
                .kernels = table->plane_grad[p->dtype],
                .reduce = table->dot[p->dtype].reduce,
                .bytes = pyconvc_sample_bytes(p->dtype),
                .dense = dot_lies_dense(p)};
    find_layout(p, &d->layout);
    d->bands = ceil_div(p->output[H], d->layout.band_rows);
    d->taps = d->layout.planes * p->kernel[H] * p->kernel[W];
    d->group_sums = p->channels_out * d->taps * d->kernels->vector * d->bytes;
    d->packs_y = p->y_step[5] != 1 || p->output[W] < d->kernels->vector;
    const int64_t even = ceil_div(p->groups, workers > 1 ? WORKER_TASKS * workers : 1);
    d->groups_at_once = max64(1, min64(even, SUMS_BYTES / d->group_sums));
    d->tasks = ceil_div(p->groups, d->groups_at_once);
}

/* ---- a task ------------------------------------------------------------------------------------
 */

typedef struct {
    plane_packer packer;
    char *sums, *lines, *taps; /* lines: of y, packed; taps: of one channel */
    int64_t line;              /* samples from one line to the next */
    int64_t *columns;          /* where each tap of a row reads */
} scratch;

static size_t lay_out(const plan *d, char *memory, scratch *s) {
    arena a = {memory, 0};
    planes_lay_out(&d->layout, &a, &s->packer);
    s->line = round_up(d->p->output[W], d->kernels->vector);
    s->sums = carve(&a, d->groups_at_once * d->group_sums);
    s->lines = carve(&a, d->packs_y ? d->layout.band_rows * s->line * d->bytes : 0);
    s->taps = carve(&a, d->taps * d->bytes);
    s->columns = carve(&a, d->p->kernel[W] * (int64_t)sizeof *s->columns);
    return (size_t)a.bytes;
}

/* A plane of y in a band: where its lines begin, and how far apart they are. */
typedef struct {
    const char *first;
    int64_t pitch;
} lines;

static lines find_y(const job *j, const scratch *s, const plane_band *band, int64_t group,
                    int64_t channel) {
    const plan *d = j->plan;
    const int64_t *step = d->p->y_step;
    const char *y = j->y + (band->image * step[0] + group * step[1] + channel * step[2] +
                            band->depth * step[3] + band->row * step[4]) *
                               d->bytes;
    if (!d->packs_y) return (lines){y, step[4]};
    for (int64_t r = 0; r < band->rows; r++)
        gather_all(d->bytes, y + r * step[4] * d->bytes, d->p->output[W], step[5],
                   s->lines + r * s->line * d->bytes);
    return (lines){s->lines, s->line};
}

/* The next of nearly equal parts, none larger than `most`. */
static int64_t chunk(int64_t left, int64_t most) {
    return left <= most ? left : ceil_div(left, ceil_div(left, most));
}

/* Sums of some rows of taps, first of its class; g is at the first line of y that they meet. */
static void add_columns(const plan *d, const scratch *s, plane_grad_job *g, char *sums) {
    const int64_t taps = d->p->kernel[W];
    for (int64_t w = 0; w < taps; w += g->columns) {
        g->columns = chunk(taps - w, d->kernels->columns);
        g->offsets = s->columns + w;
        g->sums = sums + w * d->kernels->vector * d->bytes;
        d->kernels->grad(g);
    }
}

/* Sums of a plane of taps over one set of rows: slot is where the set's rows of that plane
 * begin. */
static void add_set(const plan *d, const scratch *s, const lines *y, int64_t set, int64_t height,
                    const char *slot, char *sums) {
    const plane_layout *l = &d->layout;
    const int64_t tap_bytes = d->kernels->vector * d->bytes, row = d->p->kernel[W] * tap_bytes;
    plane_grad_job g = {.g = y->first + set * y->pitch * d->bytes,
                        .g_pitch = l->sets * y->pitch,
                        .x_pitch = l->row_pitch,
                        .height = height,
                        .width = d->p->output[W],
                        .sums_pitch = l->classes * d->p->kernel[W]};
    for (int64_t class = 0; class < l->classes; class ++)
        for (int64_t h = class; h < d->p->kernel[H]; h += g.rows * l->classes) {
            g.rows =
                chunk(ceil_div(d->p->kernel[H] - h, l->classes), min64(d->kernels->rows, height));
            g.x = slot + planes_tap_row(l, h) * l->row_pitch * d->bytes;
            add_columns(d, s, &g, sums + h * row);
        }
}

/* Sums of a group, which lies in a slot. */
static void add_group(const job *j, const scratch *s, const plane_band *band, int64_t group,
                      const char *slot, char *sums) {
    const plan *d = j->plan;
    const plane_layout *l = &d->layout;
    const int64_t plane_sums = d->group_sums / (d->p->channels_out * l->planes);
    for (int64_t k = 0; k < d->p->channels_out; k++) {
        const lines y = find_y(j, s, band, group, k);
        for (int64_t plane = 0; plane < l->planes; plane++, sums += plane_sums)
            for (int64_t set = 0; set < l->sets; set++) {
                const int64_t height = planes_rows_of_set(l, band->rows, set),
                              row = set * l->rows_per_set + plane * l->rows_per_plane;
                if (height)
                    add_set(d, s, &y, set, height, slot + row * l->row_pitch * d->bytes, sums);
            }
    }
}

static void add_band(const job *j, const scratch *s, plane_band *band, int64_t first, int64_t end) {
    const plan *d = j->plan;
    const plane_layout *l = &d->layout;
    for (band->image = 0; band->image < d->p->batch; band->image++)
        for (int64_t group = first, count; group < end; group += count) {
            count = min64(l->slots, end - group);
            planes_pack(l, &s->packer, j->x, band->image, group, count);
            for (int64_t slot = 0; slot < count; slot++)
                add_group(j, s, band, group + slot,
                          s->packer.slots + slot * l->slot_samples * d->bytes,
                          s->sums + (group + slot - first) * d->group_sums);
        }
}

static void put_taps(const plan *d, const char *from, char *w) {
    const pyconvc_problem *p = d->p;
    const int64_t taps = p->kernel[H] * p->kernel[W];
    for (int64_t t = 0; t < d->taps; t++, from += d->bytes) {
        const int64_t plane = t / taps;
        const int64_t at[] = {plane % p->kernel[D], t % taps / p->kernel[W], t % p->kernel[W]};
        int64_t to = plane / p->kernel[D] * p->w_step[2];
        for (int a = 0; a < PYCONVC_RANK; a++)
            to += (p->flip ? p->kernel[a] - 1 - at[a] : at[a]) * p->w_step[3 + a];
        memcpy(w + to * d->bytes, from, (size_t)d->bytes);
    }
}

static void finish(const job *j, const scratch *s, int64_t first, int64_t end) {
    const plan *d = j->plan;
    const pyconvc_problem *p = d->p;
    const dot_grid grid = {1, d->taps, 1, d->taps, 1, d->taps};
    const char *sums = s->sums;
    for (int64_t k = first * p->channels_out; k < end * p->channels_out; k++) {
        char *w = j->w + (k / p->channels_out * p->w_step[0] + k % p->channels_out * p->w_step[1]) *
                             d->bytes;
        d->reduce(sums, &grid, d->dense ? w : s->taps);
        if (!d->dense) put_taps(d, s->taps, w);
        sums += d->group_sums / p->channels_out;
    }
}

static void do_task(const void *context, int64_t index, void *memory) {
    const job *j = context;
    const plan *d = j->plan;
    const pyconvc_problem *p = d->p;
    const int64_t first = index * d->groups_at_once,
                  end = min64(p->groups, first + d->groups_at_once);
    scratch s;
    plane_band band = {0};
    lay_out(d, memory, &s);
    for (int64_t c = 0; c < p->kernel[W]; c++)
        s.columns[c] = planes_tap_column(&d->layout, c);
    memset(s.sums, 0, (size_t)((end - first) * d->group_sums));
    for (band.depth = 0; band.depth < p->output[D]; band.depth++)
        for (band.row = 0; band.row < p->output[H]; band.row += d->layout.band_rows) {
            band.rows = min64(d->layout.band_rows, p->output[H] - band.row);
            planes_begin(&d->layout, &band, &s.packer);
            add_band(j, &s, &band, first, end);
        }
    finish(j, &s, first, end);
}

pyconvc_status dot_planes_weight_grad(const pyconvc_problem *p, const void *x, const void *y,
                                      void *w, const pyconvc_run *run) {
    const double outputs =
        (double)(p->batch * p->output[D]) * (double)(p->output[H] * p->output[W]);
    plan d;
    scratch s;
    make(&d, p, 1);
    const double work =
        outputs * (double)(p->groups * p->channels_out) * (double)(d.taps * d.bytes);
    const int workers = parallel_workers(run, work);
    make(&d, p, workers);
    const job j = {&d, x, y, w};
    return parallel_for(d.tasks, workers, lay_out(&d, NULL, &s), do_task, &j, run);
}
