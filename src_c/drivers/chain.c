/* SPDX-License-Identifier: BSD-3-Clause
 * chain.c -- one task: a block loaded, passed on from buffer to buffer, stored (see chain.h). */
#include "chain.h"

#include <string.h>

#include "arena.h"
#include "gather.h"
#include "parallel.h"

#define BESIDE 64 /* bytes that kernels may read before a line and behind it */

enum { D, H, W };

typedef struct {
    const chain_plan *plan;
    const char *x;
    char *y;
} job;

/* What a worker's scratch holds. */
typedef struct {
    char *buffer[3]; /* blocks */
    char *slab;      /* planes between the second and the third pass */
    char *line;      /* a line as it is in memory */
    char *turned[2]; /* lines of a box filter, side by side */
    char *sums;      /* of the ends of its windows */
    const void **table;
    int64_t *beyond; /* where samples beyond the ends of a row are in x, from the row's first */
} scratch;

typedef struct {
    int64_t image, first[PYCONVC_RANK], size[PYCONVC_RANK];
} task;

/* Samples of a buffer, or of y: where they begin and their steps. */
typedef struct {
    char *first;
    int64_t plane, row;
} block;

static int64_t slab_planes(const chain_plan *plan) {
    return plan->slab ? plan->slab + plan->halo[D] : 0;
}

/* So many bytes of lines, before and beyond which a kernel may read. */
static char *carve_beside(arena *a, int64_t bytes) {
    return (char *)carve(a, bytes ? BESIDE + bytes + BESIDE : 0) + BESIDE;
}

static size_t lay_out(const chain_plan *plan, char *base, scratch *s) {
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

static void locate(const chain_plan *plan, int64_t index, task *t) {
    for (int a = W; a >= D; a--) {
        t->first[a] = index % plan->blocks[a] * plan->block[a];
        t->size[a] = min64(plan->block[a], plan->c->output[a] - t->first[a]);
        index /= plan->blocks[a];
    }
    t->image = index;
}

static char *sample(const chain_plan *plan, const block *b, int64_t d, int64_t h, int64_t w) {
    return b->first + (d * b->plane + h * b->row + w) * plan->bytes;
}

/* ---- loading and storing ----------------------------------------------------------------------
 */

/* Where sample i of the loaded block is in x along an axis; -1: nowhere. */
static int64_t source(const chain_plan *plan, const task *t, int a, int64_t i) {
    return pyconvc_boundary_index(chain_rule(plan->c, a), t->first[a] - plan->before[a] + i,
                                  plan->c->input[a]);
}

/* What of x the rows of a block have. Samples beyond its ends are counted from the first of x, or
 * from that of the row where rows are extended after the first pass. */
typedef struct {
    int64_t first, before, inside, after; /* sample of x; counts */
    int constant;                         /* what lies beyond the ends of a row of x */
} columns;

static columns find_columns(const chain_plan *plan, const task *t, const scratch *s) {
    const int64_t n = plan->c->input[W], count = t->size[W] + plan->halo[W];
    const int64_t first = t->first[W] - plan->before[W], next = first + count;
    columns c = {max64(0, first), max64(0, -first), 0, max64(0, next - n), 0};
    c.inside = count - c.before - c.after;
    int64_t *beyond = s->beyond;
    for (int64_t i = 0; i < c.before + c.after; i++) {
        const int64_t from = source(plan, t, W, i < c.before ? i : i + c.inside);
        beyond[i] = plan->loads_rows ? from - c.first : from * plan->c->x_step[3];
        c.constant |= from < 0;
    }
    return c;
}

/* What a row has beyond its inner samples. Constants are put in before the pass that reads them. */
static void extend(int64_t bytes, const columns *c, const int64_t *beyond, const char *from,
                   char *to) {
    if (c->constant) return;
    gather_at(bytes, from, beyond, c->before, to);
    gather_at(bytes, from, beyond + c->before, c->after, to + (c->before + c->inside) * bytes);
}

/* A row of the block, as it is in memory. */
static void load_row(const chain_plan *plan, const columns *c, const int64_t *beyond,
                     const char *from, char *to) {
    const int64_t bytes = plan->x_bytes, step = plan->c->x_step[3];
    const char *first = from + c->first * step * bytes;
    gather_all(bytes, first, c->inside, step, to + c->before * bytes);
    if (!plan->loads_rows) extend(bytes, c, beyond, from, to);
}

/* Rows [from, to) of plane d of the block. */
static void load_rows(const job *j, const task *t, const scratch *s, const columns *c,
                      const block *b, int64_t d, int64_t from, int64_t to) {
    const chain_plan *plan = j->plan;
    const int64_t *step = plan->c->x_step, z = source(plan, t, D, d);
    const int same = plan->x_sample == PYCONVC_SAMPLE_AS_COMPUTED;
    const int64_t count = c->before + c->inside + c->after;
    const int64_t skip = plan->loads_rows ? c->before : 0;
    for (int64_t h = from; h < to; h++) {
        const int64_t r = source(plan, t, H, h);
        char *row = sample(plan, b, d, h, 0);
        if (plan->loads_rows && r < 0) gather_fill(plan->bytes, plan->fill[0], count, row);
        if (z < 0 || r < 0) continue; /* constants, likewise */
        const int64_t at = t->image * step[0] + z * step[1] + r * step[2];
        load_row(plan, c, s->beyond, j->x + at * plan->x_bytes, same ? row : s->line);
        if (!same)
            plan->convert->widen[plan->x_sample](s->line + skip * plan->x_bytes,
                                                 plan->loads_rows ? c->inside : count,
                                                 row + skip * plan->bytes);
    }
}

/* n counts the samples. */
static void store_block(const chain_plan *plan, const scratch *s, const int64_t *n,
                        const block *from, const block *y) {
    const int64_t step = plan->c->y_step[3];
    const int same = plan->y_sample == PYCONVC_SAMPLE_AS_COMPUTED;
    for (int64_t d = 0; d < n[D]; d++)
        for (int64_t h = 0; h < n[H]; h++) {
            const char *row = sample(plan, from, d, h, 0);
            char *to = y->first + (d * y->plane + h * y->row) * plan->y_bytes;
            char *line = step == 1 ? to : s->line;
            if (!same) plan->convert->narrow[plan->y_sample](row, n[W], line);
            if (step != 1) scatter(plan->y_bytes, same ? row : line, n[W], step, to);
        }
}

/* The constant of a pass, in what it reads beyond the edges; n: samples of the block. */
static void put_constant(const chain_plan *plan, const task *t, int i, const block *b,
                         const int64_t *n) {
    const pyconvc_pass *pass = &plan->c->pass[i];
    const unsigned char *fill = plan->fill[i];
    for (int a = 0; a < PYCONVC_RANK; a++) {
        if (pass->boundary[a] != PYCONVC_CONSTANT || pass->kernel[a] == 1) continue;
        const int64_t from = t->first[a] - pass->pad[a];
        const int64_t before = min64(n[a], max64(0, -from));
        const int64_t inside = max64(before, min64(n[a], plan->c->input[a] - from));
        for (int64_t d = 0; d < n[D]; d++)
            for (int64_t h = 0; h < n[H]; h++) {
                const int64_t at = a == D ? d : h;
                if (a == W) {
                    gather_fill(plan->bytes, fill, before, sample(plan, b, d, h, 0));
                    gather_fill(plan->bytes, fill, n[W] - inside, sample(plan, b, d, h, inside));
                } else if (at < before || at >= inside) {
                    gather_fill(plan->bytes, fill, n[W], sample(plan, b, d, h, 0));
                }
            }
    }
}

/* ---- passes: from one block to another; n counts the samples that they write --------------------
 */

typedef struct {
    const chain_plan *plan;
    const pyconvc_pass *pass;
    const filter_plan *filter;
    const scratch *s;
    const job *j;
    const task *t;
    const columns *columns;
    block from, to;
    int64_t n[PYCONVC_RANK];
    int flags;
    int64_t at; /* number of the first row in its block */
} step;

static shifted_job shifted(const step *p, const void *w, int64_t count, int64_t height) {
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
                         .split = p->plan->split[pass],
                         .factored = p->plan->factored[pass]};
}

/* The first row of those that lie one behind the other along an axis (W: as for H), number i of
 * them side by side. */
static char *first_row(const step *p, const block *b, int axis, int64_t i) {
    return axis == D ? sample(p->plan, b, 0, i, 0) : sample(p->plan, b, i, 0, 0);
}

static void point_to_rows(const step *p, int axis, int64_t i, int64_t rows) {
    const char *first = first_row(p, &p->from, axis, i);
    const int64_t pitch = (axis == D ? p->from.plane : p->from.row) * p->plan->bytes;
    for (int64_t r = 0; r < rows; r++)
        p->s->table[r] = first + r * pitch;
}

/* Along an axis, with the filter that is planned for it. */
static void filter_lines(const step *p, int axis) {
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
static void add_lines(const step *p, int axis, shifted_fn *kernel) {
    const int64_t taps = p->pass->kernel[axis];
    shifted_job job = shifted(p, p->pass->w, taps, p->n[H]);
    for (int64_t d = 0; d < p->n[D]; d++) {
        for (int64_t i = 0; i < taps; i++)
            p->s->table[i] =
                sample(p->plan, &p->from, d + (axis == D) * i, (axis == H) * i, (axis == W) * i);
        job.y = sample(p->plan, &p->to, d, 0, 0);
        kernel(&job);
    }
}

static void add_terms(const step *p, shifted_fn *kernel, int64_t pointers) {
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
static void add_pairs(const step *p, shifted_fn *kernel) {
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

/* ---- windows of equal weights ------------------------------------------------------------------
 */

/* The place of the first window of a pass in its run of windows; runs are counted from one end of
 * the axis, so that no block changes a bit. */
static int64_t place(const step *p, int axis) {
    const int64_t taps = p->pass->kernel[axis];
    const int64_t at = (p->t->first[axis] + p->at - p->pass->pad[axis]) % taps;
    return at < 0 ? at + taps : at;
}

static box_job box(const step *p, int axis) {
    return (box_job){.rows = p->s->table,
                     .count = p->pass->kernel[axis],
                     .place = place(p, axis),
                     .w = p->pass->w,
                     .divide = p->pass->kind == PYCONVC_QUOTIENT,
                     .sums = p->s->sums};
}

static void box_rows(const step *p, int axis) {
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

static void box_turned(const step *p, const box_lines *l) {
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
static void box_columns(const step *p) {
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
static void box_eights(const step *p) {
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

static void add_box(const step *p, shifted_fn *kernel) {
    const int axis = chain_axis(p->pass);
    const chain_sharing sharing = chain_shares(p->pass);
    if (sharing == CHAIN_PLAIN)
        add_lines(p, axis, kernel);
    else if (sharing == CHAIN_EIGHTS)
        box_eights(p);
    else if (axis == W)
        box_columns(p);
    else
        box_rows(p, axis);
}

static void run_pass(const step *p) {
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
        add_box(p, k->mean);
        break;
    default:
        add_box(p, k->quotient);
        break;
    }
}

static void settle(const step *p) {
    const chain_plan *plan = p->plan;
    if (plan->y_sample == PYCONVC_SAMPLE_AS_COMPUTED) return;
    for (int64_t d = 0; d < p->n[D]; d++)
        for (int64_t h = 0; h < p->n[H]; h++) {
            char *row = sample(plan, &p->to, d, h, 0);
            plan->convert->settle[plan->y_sample](row, p->n[W], row);
        }
}

static void take(step *p, int i) {
    p->pass = &p->plan->c->pass[i];
    p->filter = &p->plan->filter[i];
    for (int a = 0; a < PYCONVC_RANK; a++)
        p->n[a] -= p->pass->kernel[a] - 1;
}

static void write_to(step *p, const block *y) {
    p->to = *y;
    p->flags = p->plan->flags;
}

/* ---- tasks -------------------------------------------------------------------------------------
 */

/* Whether rows [from, to) of the block lie in x, and can be read up to whole vectors. */
static int lie_in_x(const step *p, int64_t from, int64_t to) {
    const chain_plan *plan = p->plan;
    const int64_t *size = plan->c->input, pitch = plan->c->x_step[2];
    const int64_t above = p->t->first[H] - plan->before[H], next = above + to;
    const int64_t beyond = size[W] - p->columns->first - p->columns->inside;
    return plan->direct && above + from >= 0 && next <= size[H] && pitch > 0 &&
           ((size[H] - next) * pitch + beyond) * plan->bytes >= 64;
}

/* Asks for n rows of the plane after the one that a block is in: rows of a block are too short for
 * the processor to foresee what comes. */
static void fetch_next_plane(const step *p, const block *b, int64_t n) {
    const int64_t bytes = p->plan->bytes, line = 64;
    for (int64_t r = 0; r < n; r++) {
        const char *row = b->first + (b->plane + r * b->row) * bytes;
        for (int64_t at = 0; at < p->columns->inside * bytes; at += line)
            __builtin_prefetch(row + at, 0, 2);
    }
}

/* Rows [from, to) of plane d, in x or in the buffer, where those before `loaded` already are. */
static block find_rows(const step *p, const block *buffer, int64_t d, int64_t from, int64_t to,
                       int64_t loaded) {
    const chain_plan *plan = p->plan;
    const int64_t *step = plan->c->x_step, *first = p->t->first;
    block b = *buffer;
    if (lie_in_x(p, from, to)) {
        const int64_t h = first[H] - plan->before[H] + from;
        const int64_t z = source(plan, p->t, D, d);
        const int64_t at = p->t->image * step[0] + z * step[1] + h * step[2];
        b = (block){(char *)p->j->x + (at + p->columns->first) * plan->bytes, step[1], step[2]};
        if (plan->slab && z + 1 < plan->c->input[D]) fetch_next_plane(p, &b, to - from);
        return b;
    }
    if (plan->direct) { /* one band at a time */
        b.first -= sample(plan, &b, d, from, 0) - b.first;
        loaded = from;
    }
    load_rows(p->j, p->t, p->s, p->columns, &b, d, loaded, to);
    b.first = sample(plan, &b, d, from, p->columns->before);
    return b;
}

/* The inner samples of rows whose ends are what the same rule takes from them: it makes no
 * difference whether a rule is applied before or after a pass along another axis. */
static void run_inner(const step *whole) {
    const columns *c = whole->columns;
    step p = *whole;
    p.n[W] = c->inside;
    p.to.first = sample(p.plan, &p.to, 0, 0, c->before);
    run_pass(&p);
    settle(&p);
    for (int64_t h = 0; h < p.n[H]; h++)
        extend(p.plan->bytes, c, p.s->beyond, sample(p.plan, &p.to, 0, h, 0),
               sample(p.plan, &whole->to, 0, h, 0));
}

/* Where pass i writes rows of the block, n counting their samples. */
static void write_rows(step *p, int i, const block *rows) {
    const chain_plan *plan = p->plan;
    if (i < plan->c->passes - 1) {
        p->to = *rows;
        run_pass(p);
        settle(p);
    } else if (plan->stores_itself) {
        write_to(p, rows);
        run_pass(p);
    } else {
        p->to = (block){p->s->buffer[2], plan->plane, plan->row};
        run_pass(p);
        store_block(plan, p->s, p->n, &p->to, rows);
    }
}

/* Two passes in turn over plane d, some rows at a time, which stay in the nearest cache: pass i,
 * whose input is loaded as far as it is needed if that is yet to be done, then one along rows. */
static void run_by_rows(const step *whole, int i, int64_t d, const block *y) {
    const chain_plan *plan = whole->plan;
    const int64_t beyond = whole->pass->kernel[H] - 1;
    const int64_t bytes = i + 2 < plan->c->passes ? plan->bytes : plan->y_bytes;
    for (int64_t h = 0, next, loaded = 0; h < whole->n[H]; h = next) {
        step p = *whole;
        p.at = h;
        next = h + (chain_shares(p.pass) == CHAIN_RUNS ? beyond + 1 - place(&p, H) : plan->rows);
        p.n[D] = 1;
        p.n[H] = min64(next, whole->n[H]) - h;
        p.to.first += plan->lead * plan->bytes;
        if (plan->loads_rows) {
            p.from = find_rows(&p, &whole->from, d, h, h + p.n[H] + beyond, loaded);
            loaded = h + p.n[H] + beyond;
            run_inner(&p);
        } else {
            p.from.first = sample(plan, &whole->from, d, h, 0);
            run_pass(&p);
            settle(&p);
        }
        p.at = 0;
        p.from = p.to;
        put_constant(plan, p.t, i + 1, &p.from, p.n);
        take(&p, i + 1);
        const block rows = {y->first + h * y->row * bytes, y->plane, y->row};
        write_rows(&p, i + 1, &rows);
    }
}

static block slab_plane(const step *p, int64_t i) {
    const chain_plan *plan = p->plan;
    block plane = {p->s->slab, plan->slab_plane, plan->slab_row};
    plane.first = sample(plan, &plane, i, 0, 0);
    return plane;
}

/* A plane of the slab that is none of x: of the constant, or the same as another, number `same` of
 * the slab's planes. */
static void repeat_plane(const step *p, int64_t i, int64_t same) {
    const chain_plan *plan = p->plan;
    const block to = slab_plane(p, i);
    if (same >= 0) {
        memcpy(to.first, slab_plane(p, same).first, (size_t)(plan->slab_plane * plan->bytes));
        return;
    }
    for (int64_t h = 0; h < p->t->size[H]; h++)
        gather_fill(plan->bytes, plan->fill[2], p->t->size[W], sample(plan, &to, 0, h, 0));
}

/* Planes [from, to) of the slab, whose first is plane d of the block: two passes over planes of x,
 * then those that the rule names beyond its ends. */
static void fill_slab(const step *whole, int64_t d, int64_t from, int64_t to) {
    const int64_t first = whole->t->first[D] - whole->plan->before[D] + d;
    for (int beyond = 0; beyond < 2; beyond++)
        for (int64_t i = from; i < to; i++) {
            const int64_t z = source(whole->plan, whole->t, D, d + i);
            const int held = z >= max64(first, 0) && z < first + to;
            if (beyond != (z < 0 || z != first + i)) continue;
            if (beyond && (held || z < 0)) {
                repeat_plane(whole, i, held ? z - first : -1);
                continue;
            }
            const block plane = slab_plane(whole, i);
            run_by_rows(whole, 0, d + i, &plane);
        }
}

/* Three passes, the last of them over the planes of a slab. */
static void run_by_planes(const step *first, const block *y) {
    const chain_plan *plan = first->plan;
    const int64_t *size = first->t->size, halo = plan->halo[D];
    step two = *first;
    two.from = (block){first->to.first, 0, first->to.row}; /* one plane at a time */
    two.to.first = two.s->buffer[1];
    take(&two, 0);
    for (int64_t d = 0, have = 0, count; d < size[D]; d += count, have = halo) {
        count = min64(plan->slab, size[D] - d);
        fill_slab(&two, d, have, count + halo);
        step p = *first;
        p.from = (block){p.s->slab, plan->slab_plane, plan->slab_row};
        p.n[D] = count + halo, p.n[H] = size[H], p.n[W] = size[W];
        take(&p, 2);
        const block planes = {y->first + d * y->plane * plan->y_bytes, y->plane, y->row};
        write_rows(&p, 2, &planes);
        memmove(p.from.first, sample(plan, &p.from, count, 0, 0),
                (size_t)(halo * plan->slab_plane * plan->bytes));
    }
}

static void run_passes(const step *first, const block *y) {
    const chain_plan *plan = first->plan;
    step p = *first;
    for (int i = 0; i < plan->c->passes; i++) {
        const int last = i == plan->c->passes - 1;
        if (!plan->loads_rows) put_constant(plan, p.t, i, &p.to, p.n);
        p.from = p.to;
        p.to.first = p.s->buffer[(i + 1) % 2];
        take(&p, i);
        if (chain_goes_by_rows(plan->c, i)) {
            for (int64_t d = 0; d < p.n[D]; d++) {
                const block plane = {y->first + d * y->plane * plan->y_bytes, y->plane, y->row};
                run_by_rows(&p, i, d, &plane);
            }
            return;
        }
        if (last && plan->stores_itself) write_to(&p, y);
        run_pass(&p);
        if (!last) settle(&p);
    }
    if (!plan->stores_itself) store_block(plan, p.s, p.n, &p.to, y);
}

static void do_task(const void *context, int64_t index, void *memory) {
    const job *j = context;
    const chain_plan *plan = j->plan;
    const pyconvc_chain *c = plan->c;
    scratch s;
    task t;
    lay_out(plan, memory, &s);
    locate(plan, index, &t);
    const int64_t at = t.image * c->y_step[0] + t.first[D] * c->y_step[1] +
                       t.first[H] * c->y_step[2] + t.first[W] * c->y_step[3];
    const block y = {j->y + at * plan->y_bytes, c->y_step[1], c->y_step[2]};
    const columns columns = find_columns(plan, &t, &s);
    step p = {.plan = plan, .s = &s, .j = j, .t = &t, .columns = &columns};
    p.to = (block){s.buffer[0], plan->plane, plan->row};
    for (int a = 0; a < PYCONVC_RANK; a++)
        p.n[a] = t.size[a] + plan->halo[a];
    for (int64_t d = 0; d < p.n[D] && !plan->loads_rows; d++)
        load_rows(j, &t, &s, &columns, &p.to, d, 0, p.n[H]);
    if (plan->slab)
        run_by_planes(&p, &y);
    else
        run_passes(&p, &y);
}

pyconvc_status chain_run(const chain_plan *plan, const void *x, void *y, const pyconvc_run *run) {
    const job j = {plan, x, y};
    scratch none;
    if (!plan->tasks) return PYCONVC_OK;
    return parallel_for(plan->tasks, plan->workers, lay_out(plan, NULL, &none), do_task, &j, run);
}
