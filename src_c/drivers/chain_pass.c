/* SPDX-License-Identifier: BSD-3-Clause
 * chain_pass.c -- one pass over a block, by the kernel of its kind (see chain_step.h). */
#include "chain_step.h"

static shifted_job shifted(const chain_step *p, const void *w, int64_t count, int64_t height) {
    const int64_t parts = p->plan->parts, pass = p->pass - p->plan->c->pass;
    return (shifted_job){.from = p->s->table,
                         .w = w,
                         .count = count,
                         .pitch = p->from.row * parts,
                         .y_pitch = p->to.row * parts,
                         .height = height,
                         .width = p->n[W] * parts,
                         .stream = (p->flags & FILTER_STREAM) != 0,
                         .around = SHIFTED_ANYWHERE,
                         .whole = p->plan->whole[pass],
                         .split = p->plan->split[pass],
                         .factored = p->plan->factored[pass]};
}

/* Along an axis, with the filter that is planned for it. */
static void filter_lines(const chain_step *p, int axis) {
    const int64_t parts = p->plan->parts, pitch = axis == D ? p->to.plane : p->to.row;
    const int64_t outer = axis == D ? p->n[H] : p->n[D], inner = axis == D ? p->n[D] : p->n[H];
    for (int64_t i = 0; i < outer; i++) {
        point_to_rows(p, axis, i, inner + (axis == W ? 0 : p->pass->kernel[axis] - 1));
        p->filter->kernel(&p->filter->program, p->filter->taps, NULL, p->s->table,
                          first_row(p, &p->to, axis, i), pitch * parts, inner, p->n[W] * parts,
                          p->flags);
    }
}

/* Columns, rows or planes added up. */
static void add_lines(const chain_step *p, int axis, shifted_fn *kernel) {
    const int64_t taps = p->pass->kernel[axis];
    shifted_job job = shifted(p, p->pass->w, taps, p->n[H]);
    if (axis == H) job.around = SHIFTED_ROWS;
    for (int64_t d = 0; d < p->n[D]; d++) {
        for (int64_t i = 0; i < taps; i++)
            p->s->table[i] =
                sample(p->plan, &p->from, d + (axis == D) * i, (axis == H) * i, (axis == W) * i);
        job.y = sample(p->plan, &p->to, d, 0, 0);
        kernel(&job);
    }
}

static void add_terms(const chain_step *p, shifted_fn *kernel, int64_t pointers) {
    shifted_job job = shifted(p, p->pass->w, p->pass->terms, p->n[H]);
    const int64_t *at = p->pass->at;
    for (int64_t d = 0; d < p->n[D]; d++) {
        for (int64_t i = 0; i < pointers; i++)
            p->s->table[i] = sample(p->plan, &p->from, d + at[3 * i], at[3 * i + 1], at[3 * i + 2]);
        job.y = sample(p->plan, &p->to, d, 0, 0);
        kernel(&job);
    }
}

/* Pairs, which lie around their sample along an axis where the plan says so: rows that lie one
 * behind the other along D are planes. */
static void add_pairs(const chain_step *p, shifted_fn *kernel) {
    const chain_plan *plan = p->plan;
    const int64_t pointers = 2 * p->pass->terms - 1, *at = p->pass->at;
    const int axis = chain_axis(p->pass);
    if (!plan->around[p->pass - plan->c->pass]) {
        add_terms(p, kernel, pointers);
        return;
    }
    const int64_t outer = axis == D ? p->n[H] : p->n[D];
    shifted_job job = shifted(p, p->pass->w, p->pass->terms, axis == D ? p->n[D] : p->n[H]);
    job.around = axis == W ? SHIFTED_LINE : SHIFTED_ROWS;
    if (axis == D) job.pitch = p->from.plane, job.y_pitch = p->to.plane;
    for (int64_t i = 0; i < outer; i++) {
        char *first = first_row(p, &p->from, axis, i);
        const int64_t step = axis == D ? p->from.plane : axis == H ? p->from.row : 1;
        for (int64_t t = 0; t < pointers; t++)
            p->s->table[t] = first + at[3 * t + axis] * step * plan->bytes;
        job.y = first_row(p, &p->to, axis, i);
        kernel(&job);
    }
}

/* Of equal weights. */
static void add_mean(const chain_step *p, shifted_fn *kernel) {
    if (chain_shares(p->plan->held, p->pass) == CHAIN_PLAIN)
        add_lines(p, chain_axis(p->pass), kernel);
    else
        chain_box(p);
}

void chain_run_pass(const chain_step *p) {
    const shifted_kernels *k = p->plan->c->dtype == PYCONVC_F32 ? p->plan->fused : p->plan->shifted;
    switch (p->pass->kind) {
    case PYCONVC_SUM:
        filter_lines(p, chain_axis(p->pass));
        break;
    case PYCONVC_TERMS:
        add_terms(p, k->terms, p->pass->terms);
        break;
    case PYCONVC_PAIRS:
        add_pairs(p, k->pairs);
        break;
    case PYCONVC_ODD_PAIRS:
        add_pairs(p, k->odd_pairs);
        break;
    case PYCONVC_MEAN:
        add_mean(p, k->mean);
        break;
    default:
        add_mean(p, k->quotient);
        break;
    }
}

void chain_settle(const chain_step *p) {
    const chain_plan *plan = p->plan;
    if (plan->y_sample == PYCONVC_SAMPLE_AS_COMPUTED) return;
    for (int64_t d = 0; d < p->n[D]; d++)
        for (int64_t h = 0; h < p->n[H]; h++) {
            char *row = sample(plan, &p->to, d, h, 0);
            plan->convert->settle[plan->y_sample](row, p->n[W], row);
        }
}
