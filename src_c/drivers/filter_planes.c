/* SPDX-License-Identifier: BSD-3-Clause
 * filter_planes.c -- see filter_planes.h. */
#include "filter_planes.h"

#include "filter_task.h"
#include "gather.h"

#define TASK_WORK    1e7 /* multiply-adds: a few milliseconds, so that a call can be interrupted */
#define WORKER_TASKS 8

enum { D, H, W };

/* Whether there are planes for all workers. */
static int enough(const filter_plan *plan) {
    const pyconvc_problem *p = plan->p;
    return plan->workers == 1 ||
           p->batch * p->groups * p->output[D] >= WORKER_TASKS * plan->workers;
}

int filter_planes_size(filter_plan *plan) {
    const pyconvc_problem *p = plan->p;
    plane_layout *l = &plan->layout;
    const int halves = plan->plane->halves && p->kernel[H] > 1 && p->stride[W] == 2 &&
                       plan->phases.count == 2 && !plan->phases.by_tap;
    if (!planes_size(l, p, plan->plane, plan->plane->lanes, plan->plane->rows, halves)) return 0;
    plan->edged = plan->plane->edges && plan->planes == 1 && p->stride[W] <= 2 &&
                  (halves || p->stride[W] == 1) &&
                  planes_have_edges(p, p->stride[W], plan->plane->lanes);
    plan->phases = l->phases;
    plan->band_rows = plan->edged && enough(plan) ? p->output[H] : l->band_rows;
    plan->bands = ceil_div(p->output[H], l->band_rows);
    const int64_t others = p->batch * p->output[D] * plan->bands;
    const double work = (double)(plan->band_rows * p->output[W] * p->channels_out) *
                        (double)(plan->planes * plan->taps_per_plane);
    const int64_t most = max64(l->slots, (int64_t)(TASK_WORK / work));
    const int64_t parts = ceil_div(plan->workers > 1 ? WORKER_TASKS * plan->workers : 1, others);
    plan->groups_at_once = round_up(min64(most, ceil_div(p->groups, parts)), l->slots);
    plan->group_parts = ceil_div(p->groups, plan->groups_at_once);
    plan->phase_pitch = l->phase_pitch;
    plan->sets = l->sets;
    plan->classes = l->classes;
    plan->rows_per_class = l->rows_per_class;
    plan->rows_per_plane = l->rows_per_plane;
    plan->planes_at_once = plan->planes;
    plan->block_columns = plan->strip_columns = p->output[W];
    plan->tasks = others * plan->group_parts;
    return 1;
}

/* What a worker's scratch holds. */
typedef struct {
    plane_packer packer;
    const void **lines; /* of one slot, for the line kernel */
    char *dense;        /* outputs of one plane, where y has no lines to write to */
} scratch;

static size_t lay_out(const filter_plan *plan, char *base, scratch *s) {
    arena a = {base, 0};
    planes_lay_out(&plan->layout, &a, &s->packer);
    s->lines = carve(&a, plan->use_line ? plan->band_rows * (int64_t)sizeof *s->lines : 0);
    s->dense = carve(&a, plan->p->y_step[5] == 1 ? 0 : filter_dense(plan) * plan->bytes);
    return (size_t)a.bytes;
}

size_t filter_planes_scratch(const filter_plan *plan) {
    scratch s;
    return plan->edged ? 0 : lay_out(plan, NULL, &s);
}

/* The line kernel on the planes of some groups, which are packed, t being at the first. */
static void by_line(const filter_job *j, const filter_task *t, const scratch *s, int64_t groups) {
    const filter_plan *plan = j->plan;
    const plane_layout *l = &plan->layout;
    filter_task at = *t;
    for (int64_t slot = 0; slot < groups; slot++, at.group++) {
        for (int64_t r = 0; r < t->rows; r++)
            s->lines[r] =
                s->packer.slots + (slot * l->slot_samples +
                                   (r % l->sets * l->rows_per_set + r / l->sets) * l->row_pitch) *
                                      l->bytes;
        filter_apply(j, &at, s->lines, 0, 1, t->rows, plan->flags, s->dense);
    }
}

/* Puts the outputs of one plane, which are dense, in their places. */
static void put_dense(const filter_plan *plan, const plane_job *job, int64_t row_step, char *y) {
    const char *from = job->y;
    for (int64_t r = 0; r < job->height; r++)
        scatter(plan->bytes, from + r * plan->p->output[W] * plan->bytes, plan->p->output[W],
                plan->p->y_step[5], y + r * row_step * plan->bytes);
}

/* The kernel on some planes, whose outputs begin at y; dense outputs one plane at a time. */
static void run(const filter_plan *plan, plane_job job, int64_t row_step, char *y, char *dense) {
    const int64_t parts = plan->parts, size = plan->bytes / parts;
    if (plan->p->y_step[5] == 1) {
        job.y = y;
        job.y_pitch = row_step * parts;
        plan->plane->filter(&job);
        return;
    }
    job.y = dense;
    job.y_pitch = job.width;
    for (int64_t planes = job.planes; planes > 0; planes--, y += job.y_step * size) {
        job.planes = 1;
        plan->plane->filter(&job);
        put_dense(plan, &job, row_step, y);
        job.x = (const char *)job.x + job.x_step * size;
        job.taps = (const char *)job.taps + job.taps_step * size;
        if (job.bias) job.bias = (const char *)job.bias + job.bias_step * size;
    }
}

/* All output channels of one set of rows of some groups, t being at the first. */
static void all_channels(const filter_job *j, const filter_task *t, int64_t set, plane_job job,
                         char *dense) {
    const filter_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    const int64_t channel_taps = plan->planes * plan->taps_per_plane;
    job.height = planes_rows_of_set(&plan->layout, t->rows, set);
    for (int64_t k = 0; k < p->channels_out; k++) {
        const int64_t channel = t->group * p->channels_out + k;
        const int64_t at = t->image * p->y_step[0] + t->group * p->y_step[1] + k * p->y_step[2] +
                           t->depth * p->y_step[3] + (t->row + set) * p->y_step[4];
        job.taps = plan->taps + channel * channel_taps * plan->bytes;
        job.bias = j->bias ? j->bias + channel * plan->bytes : NULL;
        run(plan, job, plan->sets * p->y_step[4], j->y + at * plan->bytes, dense);
    }
}

/* The same for groups that are packed. */
static void by_plane(const filter_job *j, const filter_task *t, const scratch *s, int64_t groups,
                     int64_t set, plane_job job) {
    const plane_layout *l = &j->plan->layout;
    job.x = s->packer.slots + set * l->rows_per_set * l->row_pitch * l->bytes;
    job.planes = groups;
    all_channels(j, t, set, job, s->dense);
}

static void locate(const filter_plan *plan, int64_t index, filter_task *t, int64_t *end_group) {
    const pyconvc_problem *p = plan->p;
    const int64_t part = index % plan->group_parts;
    index /= plan->group_parts;
    *t = (filter_task){.columns = p->output[W], .planes = plan->planes};
    t->row = index % plan->bands * plan->band_rows;
    t->rows = min64(plan->band_rows, p->output[H] - t->row);
    t->depth = index / plan->bands % p->output[D];
    t->image = index / plan->bands / p->output[D];
    t->group = part * plan->groups_at_once;
    *end_group = min64(p->groups, t->group + plan->groups_at_once);
}

/* All output channels of some groups, whose planes are read as they are. */
static void beside(const filter_job *j, const filter_task *t, int64_t groups, plane_job job) {
    const filter_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    const plane_edges edges = planes_edges(p, t->row);
    job.edges = &edges;
    job.planes = groups;
    job.x_step = p->x_step[1];
    job.x_pitch = p->x_step[4];
    job.x = j->x + (t->image * p->x_step[0] + t->group * p->x_step[1] +
                    t->depth * p->stride[D] * p->x_step[3]) *
                       plan->bytes;
    all_channels(j, t, 0, job, NULL);
}

void filter_planes_do_task(const void *context, int64_t index, void *memory) {
    const filter_job *j = context;
    const filter_plan *plan = j->plan;
    const plane_layout *l = &plan->layout;
    const pyconvc_problem *p = plan->p;
    scratch s;
    filter_task t;
    int64_t end;
    locate(plan, index, &t, &end);
    const plane_band band = {t.image, t.depth, t.row, t.rows};
    plane_job job = {.program = &plan->program,
                     .taps_step =
                         p->channels_out * plan->planes * plan->taps_per_plane * plan->parts,
                     .bias_step = p->channels_out * plan->parts,
                     .x_step = l->slot_samples * plan->parts,
                     .y_step = p->y_step[1] * plan->parts,
                     .x_pitch = l->row_pitch * plan->parts,
                     .x_column = p->stride[W] / l->column_step,
                     .width = p->output[W] * plan->parts,
                     .stream = (plan->flags & FILTER_STREAM) != 0};
    if (plan->edged) {
        beside(j, &t, end - t.group, job);
        return;
    }
    lay_out(plan, memory, &s);
    planes_begin(l, &band, &s.packer);
    for (int64_t groups; t.group < end; t.group += groups) {
        groups = min64(l->slots, end - t.group);
        planes_pack(l, &s.packer, j->x, t.image, t.group, groups);
        if (plan->use_line) by_line(j, &t, &s, groups);
        for (int64_t set = 0; set < l->sets && !plan->use_line; set++)
            by_plane(j, &t, &s, groups, set, job);
    }
}
