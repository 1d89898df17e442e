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

/* Lines side by side, one to a lane: `lines` of them, from one to the next `step` samples in x and
 * `y_step` in y, of `columns` windows, the last of `last`. */
typedef struct {
    const char *x;
    char *y;
    int64_t lines, step, y_step, columns, last;
} box_lines;

static void box_turned(const chain_step *p, const box_lines *l) {
    const chain_plan *plan = p->plan;
    const int64_t lanes = plan->box->columns / plan->parts, bytes = plan->bytes;
    const int64_t whole = l->lines - 1, halo = p->pass->kernel[W] - 1;
    char *from = p->s->turned[0], *to = p->s->turned[1];
    box_job job = box(p, W);
    job.y = to;
    job.y_pitch = lanes * plan->parts;
    job.height = l->columns;
    job.width = l->lines * plan->parts;
    for (int64_t i = 0; i < l->columns + halo; i++)
        p->s->table[i] = from + i * lanes * bytes;
    const int same = l->last == l->columns;
    gather_turned(bytes, l->x, l->step, same ? l->lines : whole, l->columns + halo, lanes, from);
    if (!same)
        gather_turned(bytes, l->x + whole * l->step * bytes, l->step, 1, l->last + halo, lanes,
                      from + whole * bytes);
    plan->box->means(&job);
    gather_turned(bytes, to, lanes, l->columns, same ? l->lines : whole, l->y_step, l->y);
    if (!same)
        gather_turned(bytes, to + whole * bytes, lanes, l->last, 1, l->y_step,
                      l->y + whole * l->y_step * bytes);
}

/* Along rows: many of them side by side, or pieces of one. */
static void box_columns(const chain_step *p) {
    const chain_plan *plan = p->plan;
    const int64_t lanes = plan->box->columns / plan->parts, piece = plan->box_piece;
    for (int64_t d = 0; d < p->n[D]; d++)
        for (int64_t h = 0; h < p->n[H];) {
            box_lines l = {sample(plan, &p->from, d, h, 0), sample(plan, &p->to, d, h, 0)};
            if (piece) {
                l.columns = min64(piece, p->n[W]);
                l.lines = ceil_div(p->n[W], piece);
                l.step = l.y_step = piece;
                l.last = p->n[W] - (l.lines - 1) * piece;
            } else {
                l.columns = l.last = p->n[W];
                l.lines = min64(lanes, p->n[H] - h);
                l.step = p->from.row;
                l.y_step = p->to.row;
            }
            h += piece ? 1 : l.lines;
            box_turned(p, &l);
        }
}

/* Along rows, in eights. */
static void box_eights(const chain_step *p) {
    const chain_plan *plan = p->plan;
    line_job job = {.x_step = plan->parts,
                    .pitch = p->from.row * plan->parts,
                    .count = p->pass->kernel[W],
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
        plan->box->lines(&job);
    }
}

void chain_box(const chain_step *p) {
    const int axis = chain_axis(p->pass);
    if (chain_shares(p->pass) == CHAIN_EIGHTS)
        box_eights(p);
    else if (axis == W)
        box_columns(p);
    else
        box_rows(p, axis);
}
