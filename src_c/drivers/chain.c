/* SPDX-License-Identifier: BSD-3-Clause
 * chain.c -- one task: a block loaded, passed on from buffer to buffer, stored (see chain.h). */
#include "chain.h"

#include <string.h>

#include "arena.h"
#include "chain_step.h"
#include "gather.h"
#include "parallel.h"

#define BESIDE 64 /* bytes that kernels may read before a line and behind it */

static int64_t slab_planes(const chain_plan *plan) {
    return plan->slab ? plan->slab + plan->halo[D] : 0;
}

/* So many bytes of lines, before and beyond which a kernel may read. */
static char *carve_beside(arena *a, int64_t bytes) {
    return (char *)carve(a, bytes ? BESIDE + bytes + BESIDE : 0) + BESIDE;
}

static size_t lay_out(const chain_plan *plan, char *base, chain_scratch *s) {
    const int64_t buffer = plan->buffer * plan->bytes;
    const int64_t line = max64(plan->x_bytes, plan->y_bytes) * (plan->block[W] + plan->halo[W]);
    const int64_t slab = slab_planes(plan) * plan->slab_plane * plan->bytes;
    arena a = {base, 0};
    s->buffer[0] = carve_beside(&a, buffer);
    s->buffer[1] = carve_beside(&a, buffer);
    s->buffer[2] = carve_beside(&a, plan->stores_itself ? 0 : buffer);
    s->slab = carve_beside(&a, slab);
    s->turned[0] = carve(&a, plan->turned * plan->bytes);
    s->turned[1] = carve(&a, plan->turned * plan->bytes);
    s->sums = carve(&a, plan->sums);
    s->line = carve(&a, line + BESIDE);
    s->table = carve(&a, plan->pointers * (int64_t)sizeof *s->table);
    s->beyond = carve(&a, 2 * plan->halo[W] * (int64_t)sizeof *s->beyond); /* at both ends */
    return (size_t)a.bytes;
}

static void locate(const chain_plan *plan, int64_t index, chain_task *t) {
    for (int a = W; a >= D; a--) {
        t->first[a] = index % plan->blocks[a] * plan->block[a];
        t->size[a] = min64(plan->block[a], plan->c->output[a] - t->first[a]);
        index /= plan->blocks[a];
    }
    t->image = index;
}

static void take(chain_step *p, int i) {
    p->pass = &p->plan->c->pass[i];
    p->filter = &p->plan->filter[i];
    for (int a = 0; a < PYCONVC_RANK; a++)
        p->n[a] -= p->pass->kernel[a] - 1;
}

static void write_to(chain_step *p, const chain_block *y) {
    p->to = *y;
    p->flags = p->plan->flags;
}

/* Whether rows [from, to) of the block lie in x, and can be read up to whole vectors. */
static int lie_in_x(const chain_step *p, int64_t from, int64_t to) {
    const chain_plan *plan = p->plan;
    const int64_t *size = plan->c->input, pitch = plan->c->x_step[2];
    const int64_t above = p->t->first[H] - plan->before[H], next = above + to;
    const int64_t beyond = size[W] - p->columns->first - p->columns->inside;
    return plan->direct && above + from >= 0 && next <= size[H] && pitch > 0 &&
           ((size[H] - next) * pitch + beyond) * plan->bytes >= 64;
}

/* Asks for n rows of the plane after the one that a block is in: rows of a block are too short for
 * the processor to foresee what comes. */
static void fetch_next_plane(const chain_step *p, const chain_block *b, int64_t n) {
    const int64_t bytes = p->plan->bytes, line = 64;
    for (int64_t r = 0; r < n; r++) {
        const char *row = b->first + (b->plane + r * b->row) * bytes;
        for (int64_t at = 0; at < p->columns->inside * bytes; at += line)
            __builtin_prefetch(row + at, 0, 2);
    }
}

/* Rows [from, to) of plane d, in x or in the buffer, where those before `loaded` already are. */
static chain_block find_rows(const chain_step *p, const chain_block *buffer, int64_t d,
                             int64_t from, int64_t to, int64_t loaded) {
    const chain_plan *plan = p->plan;
    const int64_t *step = plan->c->x_step, *first = p->t->first;
    chain_block b = *buffer;
    if (lie_in_x(p, from, to)) {
        const int64_t h = first[H] - plan->before[H] + from;
        const int64_t z = chain_source(plan, p->t, D, d);
        const int64_t at = p->t->image * step[0] + z * step[1] + h * step[2];
        b = (chain_block){(char *)p->j->x + (at + p->columns->first) * plan->bytes, step[1],
                          step[2]};
        if (plan->slab && z + 1 < plan->c->input[D]) fetch_next_plane(p, &b, to - from);
        return b;
    }
    if (plan->direct) { /* one band at a time */
        b.first -= sample(plan, &b, d, from, 0) - b.first;
        loaded = from;
    }
    chain_load_rows(p->j, p->t, p->s, p->columns, &b, d, loaded, to);
    b.first = sample(plan, &b, d, from, p->columns->before);
    return b;
}

/* The inner samples of rows whose ends are what the same rule takes from them: it makes no
 * difference whether a rule is applied before or after a pass along another axis. */
static void run_inner(const chain_step *whole) {
    const chain_columns *c = whole->columns;
    chain_step p = *whole;
    p.n[W] = c->inside;
    p.to.first = sample(p.plan, &p.to, 0, 0, c->before);
    chain_run_pass(&p);
    chain_settle(&p);
    for (int64_t h = 0; h < p.n[H]; h++)
        chain_extend(p.plan->bytes, c, p.s->beyond, sample(p.plan, &p.to, 0, h, 0),
                     sample(p.plan, &whole->to, 0, h, 0));
}

/* Where pass i writes rows of the block, n counting their samples. */
static void write_rows(chain_step *p, int i, const chain_block *rows) {
    const chain_plan *plan = p->plan;
    if (i < plan->c->passes - 1) {
        p->to = *rows;
        chain_run_pass(p);
        chain_settle(p);
    } else if (plan->stores_itself) {
        write_to(p, rows);
        chain_run_pass(p);
    } else {
        p->to = (chain_block){p->s->buffer[2], plan->plane, plan->row};
        chain_run_pass(p);
        chain_store_block(plan, p->s, p->n, &p->to, rows);
    }
}

/* Two passes in turn over plane d, some rows at a time, which stay in the nearest cache: pass i,
 * whose input is loaded as far as it is needed if that is yet to be done, then one along rows. */
static void run_by_rows(const chain_step *whole, int i, int64_t d, const chain_block *y) {
    const chain_plan *plan = whole->plan;
    const int64_t beyond = whole->pass->kernel[H] - 1;
    const int64_t bytes = i + 2 < plan->c->passes ? plan->bytes : plan->y_bytes;
    for (int64_t h = 0, next, loaded = 0; h < whole->n[H]; h = next) {
        chain_step p = *whole;
        p.at = h;
        next = h + (chain_shares(plan->held, p.pass) == CHAIN_RUNS ? beyond + 1 - chain_place(&p, H)
                                                                   : plan->rows);
        p.n[D] = 1;
        p.n[H] = min64(next, whole->n[H]) - h;
        p.to.first += plan->lead * plan->bytes;
        if (plan->loads_rows) {
            p.from = find_rows(&p, &whole->from, d, h, h + p.n[H] + beyond, loaded);
            loaded = h + p.n[H] + beyond;
            run_inner(&p);
        } else {
            p.from.first = sample(plan, &whole->from, d, h, 0);
            chain_run_pass(&p);
            chain_settle(&p);
        }
        p.at = 0;
        p.from = p.to;
        chain_put_constant(plan, p.t, i + 1, &p.from, p.n);
        take(&p, i + 1);
        const chain_block rows = {y->first + h * y->row * bytes, y->plane, y->row};
        write_rows(&p, i + 1, &rows);
    }
}

static chain_block slab_plane(const chain_step *p, int64_t i) {
    const chain_plan *plan = p->plan;
    chain_block plane = {p->s->slab, plan->slab_plane, plan->slab_row};
    plane.first = sample(plan, &plane, i, 0, 0);
    return plane;
}

/* A plane of the slab that is none of x: of the constant, or the same as another, number `same` of
 * the slab's planes. */
static void repeat_plane(const chain_step *p, int64_t i, int64_t same) {
    const chain_plan *plan = p->plan;
    const chain_block to = slab_plane(p, i);
    if (same >= 0) {
        memcpy(to.first, slab_plane(p, same).first, (size_t)(plan->slab_plane * plan->bytes));
        return;
    }
    for (int64_t h = 0; h < p->t->size[H]; h++)
        gather_fill(plan->bytes, plan->fill[2], p->t->size[W], sample(plan, &to, 0, h, 0));
}

/* Planes [from, to) of the slab, whose first is plane d of the block: two passes over planes of x,
 * then those that the rule names beyond its ends. */
static void fill_slab(const chain_step *whole, int64_t d, int64_t from, int64_t to) {
    const int64_t first = whole->t->first[D] - whole->plan->before[D] + d;
    for (int beyond = 0; beyond < 2; beyond++)
        for (int64_t i = from; i < to; i++) {
            const int64_t z = chain_source(whole->plan, whole->t, D, d + i);
            const int held = z >= max64(first, 0) && z < first + to;
            if (beyond != (z < 0 || z != first + i)) continue;
            if (beyond && (held || z < 0)) {
                repeat_plane(whole, i, held ? z - first : -1);
                continue;
            }
            const chain_block plane = slab_plane(whole, i);
            run_by_rows(whole, 0, d + i, &plane);
        }
}

/* Three passes, the last of them over the planes of a slab. */
static void run_by_planes(const chain_step *first, const chain_block *y) {
    const chain_plan *plan = first->plan;
    const int64_t *size = first->t->size, halo = plan->halo[D];
    chain_step two = *first;
    two.from = (chain_block){first->to.first, 0, first->to.row}; /* one plane at a time */
    two.to.first = two.s->buffer[1];
    take(&two, 0);
    for (int64_t d = 0, have = 0, count; d < size[D]; d += count, have = halo) {
        count = min64(plan->slab, size[D] - d);
        fill_slab(&two, d, have, count + halo);
        chain_step p = *first;
        p.from = (chain_block){p.s->slab, plan->slab_plane, plan->slab_row};
        p.n[D] = count + halo, p.n[H] = size[H], p.n[W] = size[W];
        take(&p, 2);
        const chain_block planes = {y->first + d * y->plane * plan->y_bytes, y->plane, y->row};
        write_rows(&p, 2, &planes);
        memmove(p.from.first, sample(plan, &p.from, count, 0, 0),
                (size_t)(halo * plan->slab_plane * plan->bytes));
    }
}

static void run_passes(const chain_step *first, const chain_block *y) {
    const chain_plan *plan = first->plan;
    chain_step p = *first;
    for (int i = 0; i < plan->c->passes; i++) {
        const int last = i == plan->c->passes - 1;
        if (!plan->loads_rows) chain_put_constant(plan, p.t, i, &p.to, p.n);
        p.from = p.to;
        p.to.first = p.s->buffer[(i + 1) % 2];
        take(&p, i);
        if (chain_goes_by_rows(plan, i)) {
            for (int64_t d = 0; d < p.n[D]; d++) {
                const chain_block plane = {y->first + d * y->plane * plan->y_bytes, y->plane,
                                           y->row};
                run_by_rows(&p, i, d, &plane);
            }
            return;
        }
        if (last && plan->stores_itself) write_to(&p, y);
        chain_run_pass(&p);
        if (!last) chain_settle(&p);
    }
    if (!plan->stores_itself) chain_store_block(plan, p.s, p.n, &p.to, y);
}

static void do_task(const void *context, int64_t index, void *memory) {
    const chain_job *j = context;
    const chain_plan *plan = j->plan;
    const pyconvc_chain *c = plan->c;
    chain_scratch s;
    chain_task t;
    lay_out(plan, memory, &s);
    locate(plan, index, &t);
    const int64_t at = t.image * c->y_step[0] + t.first[D] * c->y_step[1] +
                       t.first[H] * c->y_step[2] + t.first[W] * c->y_step[3];
    const chain_block y = {j->y + at * plan->y_bytes, c->y_step[1], c->y_step[2]};
    const chain_columns columns = chain_find_columns(plan, &t, &s);
    chain_step p = {.plan = plan, .s = &s, .j = j, .t = &t, .columns = &columns};
    p.to = (chain_block){s.buffer[0], plan->plane, plan->row};
    for (int a = 0; a < PYCONVC_RANK; a++)
        p.n[a] = t.size[a] + plan->halo[a];
    for (int64_t d = 0; d < p.n[D] && !plan->loads_rows; d++)
        chain_load_rows(j, &t, &s, &columns, &p.to, d, 0, p.n[H]);
    if (plan->slab)
        run_by_planes(&p, &y);
    else
        run_passes(&p, &y);
}

size_t chain_scratch_bytes(const chain_plan *plan) {
    chain_scratch none;
    return lay_out(plan, NULL, &none);
}

pyconvc_status chain_run(const chain_plan *plan, const void *x, void *y, const pyconvc_run *run) {
    const chain_job j = {plan, x, y};
    if (!plan->tasks) return PYCONVC_OK;
    return parallel_for(plan->tasks, plan->workers, chain_scratch_bytes(plan), do_task, &j, run);
}

void chain_run_alone(const chain_plan *plan, const void *x, void *y, void *memory) {
    const chain_job j = {plan, x, y};
    for (int64_t i = 0; i < plan->tasks; i++) {
        arena_spoil(memory, chain_scratch_bytes(plan));
        do_task(&j, i, memory);
    }
}

pyconvc_status chain_filter(const pyconvc_chain *c, const void *x, void *y,
                            const pyconvc_run *run) {
    chain_plan plan;
    pyconvc_status status = chain_plan_make(&plan, c, x, y, run);
    if (!status) status = chain_run(&plan, x, y, run);
    chain_plan_free(&plan);
    return status;
}
