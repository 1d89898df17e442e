/* SPDX-License-Identifier: BSD-3-Clause
 * chain_box.c -- windows of equal weights, whose sums are shared (see chain_step.h). */
#include "chain_step.h"
#include "gather.h"

int64_t chain_place(const chain_step *p, int axis) {
    const int64_t taps = p->pass->kernel[axis];
    const int64_t at =
        (p->t->first[axis] + p->at + p->plan->origin[axis] - p->pass->pad[axis]) % taps;
    return at < 0 ? at + taps : at;
}

static box_job box(const chain_step *p, int axis) {
    return (box_job){.rows = p->s->table,
                     .count = p->pass->kernel[axis],
                     .place = chain_place(p, axis),
                     .w = p->pass->w,
                     .divide = p->pass->kind == PYCONVC_QUOTIENT,
                     .sums = p->s->sums};
}

static void box_rows(const chain_step *p, int axis) {
    const chain_plan *plan = p->plan;
    const int64_t outer = axis == D ? p->n[H] : p->n[D];
    box_job job = box(p, axis);
    job.y_pitch = (axis == D ? p->to.plane : p->to.row) * plan->parts;
    job.height = axis == D ? p->n[D] : p->n[H];
    job.width = p->n[W] * plan->parts;
    for (int64_t i = 0; i < outer; i++) {
        point_to_rows(p, axis, i, job.height + job.count - 1);
        job.y = first_row(p, &p->to, axis, i);
        plan->box->means(&job);
    }
}

/* Means along `lines` rows, which lie side by side, one to a lane. */
static void box_turned(const chain_step *p, const char *from, char *to, int64_t lines) {
    const chain_plan *plan = p->plan;
    const int64_t lanes = plan->box->columns / plan->parts, bytes = plan->bytes;
    const int64_t samples = p->n[W] + p->pass->kernel[W] - 1;
    char *turned = p->s->turned[0], *means = p->s->turned[1];
    box_job job = box(p, W);
    job.y = means;
    job.y_pitch = lanes * plan->parts;
    job.height = p->n[W];
    job.width = lines * plan->parts;
    for (int64_t i = 0; i < samples; i++)
        p->s->table[i] = turned + i * lanes * bytes;
    gather_turned(bytes, from, p->from.row, lines, samples, lanes, turned);
    plan->box->means(&job);
    gather_turned(bytes, means, lanes, p->n[W], lines, p->to.row, to);
}

/* Along rows. */
static void box_columns(const chain_step *p) {
    const int64_t lanes = p->plan->box->columns / p->plan->parts;
    for (int64_t d = 0; d < p->n[D]; d++)
        for (int64_t h = 0; h < p->n[H]; h += lanes)
            box_turned(p, sample(p->plan, &p->from, d, h, 0), sample(p->plan, &p->to, d, h, 0),
                       min64(lanes, p->n[H] - h));
}

/* Along rows, one after the other: in eights, or in runs. */
static void box_lines_of(const chain_step *p, void (*lines)(const line_job *job)) {
    const chain_plan *plan = p->plan;
    line_job job = {.x_step = plan->parts,
                    .pitch = p->from.row * plan->parts,
                    .count = p->pass->kernel[W],
                    .place = chain_place(p, W),
                    .w = p->pass->w,
                    .divide = p->pass->kind == PYCONVC_QUOTIENT,
                    .sums = p->s->sums,
                    .y_pitch = p->to.row * plan->parts,
                    .height = p->n[H],
                    .width = p->n[W] * plan->parts,
                    .stream = (p->flags & FILTER_STREAM) != 0};
    for (int64_t d = 0; d < p->n[D]; d++) {
        job.x = sample(plan, &p->from, d, 0, 0);
        job.y = sample(plan, &p->to, d, 0, 0);
        lines(&job);
    }
}

void chain_box(const chain_step *p) {
    const int axis = chain_axis(p->pass);
    if (chain_shares(p->plan->held, p->pass) == CHAIN_EIGHTS)
        box_lines_of(p, p->plan->box->lines);
    else if (axis == W && p->plan->box_alone)
        box_lines_of(p, p->plan->box->runs);
    else if (axis == W)
        box_columns(p);
    else
        box_rows(p, axis);
}
