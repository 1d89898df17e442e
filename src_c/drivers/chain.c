/* SPDX-License-Identifier: BSD-3-Clause
 * chain.c -- one task: a block loaded, passed on from buffer to buffer, stored (see chain.h). */
#include "chain.h"

#include "gather.h"
#include "parallel.h"

#define ROWS_BYTES (12 << 10) /* rows between two passes: some part of an L1 cache */

enum { D, H, W };

typedef struct {
    const chain_plan *plan;
    const char *x;
    char *y;
} job;

/* What a worker's scratch holds. */
typedef struct {
    char *buffer[3], *level; /* blocks; partial sums, one buffer after the other */
    char *line;              /* a line as it is in memory */
    const void **table;
} scratch;

typedef struct {
    int64_t image, first[PYCONVC_RANK], size[PYCONVC_RANK];
} task;

/* Samples of a buffer, or of y: where they begin and their steps. */
typedef struct {
    char *first;
    int64_t plane, row;
} block;

static size_t aligned(int64_t bytes) {
    return (size_t)round_up(bytes, 64);
}

static size_t lay_out(const chain_plan *plan, char *base, scratch *s) {
    const size_t buffer = aligned(plan->buffer * plan->bytes) + 64;
    const int64_t line = max64(plan->x_bytes, plan->y_bytes) * (plan->block[W] + plan->halo[W]);
    size_t at = 0;
    s->buffer[0] = base + at, at += buffer;
    s->buffer[1] = base + at, at += buffer;
    s->buffer[2] = base + at, at += plan->stores_itself ? 0 : buffer;
    s->level = base + at, at += buffer * (size_t)plan->levels;
    s->line = base + at, at += aligned(line + 64);
    s->table = (const void **)(base + at);
    return at + aligned(plan->pointers * (int64_t)sizeof(void *));
}

static void locate(const chain_plan *plan, int64_t index, task *t) {
    for (int a = W; a >= D; a--) {
        t->first[a] = index % plan->blocks[a] * plan->block[a];
        t->size[a] = min64(plan->block[a], plan->c->size[a] - t->first[a]);
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
    int32_t rule = PYCONVC_CONSTANT;
    for (int p = 0; p < plan->c->passes; p++)
        if (plan->c->pass[p].kernel[a] > 1) rule = plan->c->pass[p].boundary[a];
    return pyconvc_boundary_index(rule, t->first[a] - plan->before[a] + i, plan->c->size[a]);
}

static void load_block(const job *j, const task *t, const scratch *s, const block *to) {
    static const unsigned char zero[16] = {0};
    const chain_plan *plan = j->plan;
    const pyconvc_chain *c = plan->c;
    gather_line line = {plan->x_bytes, c->size[W], c->x_step[3], PYCONVC_CONSTANT, zero};
    for (int p = 0; p < c->passes; p++)
        if (c->pass[p].kernel[W] > 1) line.rule = c->pass[p].boundary[W];
    const int64_t columns = t->size[W] + plan->halo[W];
    const gather_range range = gather_find(&line, t->first[W] - plan->before[W], 1, columns);
    const int same = c->x_sample == PYCONVC_SAMPLE_AS_COMPUTED;
    for (int64_t d = 0; d < t->size[D] + plan->halo[D]; d++)
        for (int64_t h = 0; h < t->size[H] + plan->halo[H]; h++) {
            const int64_t z = source(plan, t, D, d), r = source(plan, t, H, h);
            if (z < 0 || r < 0) continue; /* constants, put in before the pass that reads them */
            const int64_t at = t->image * c->x_step[0] + z * c->x_step[1] + r * c->x_step[2];
            char *row = sample(plan, to, d, h, 0);
            gather(&line, &range, j->x + at * plan->x_bytes, 0, same ? row : s->line);
            if (!same) plan->convert->widen[c->x_sample](s->line, columns, row);
        }
}

static void store_block(const job *j, const task *t, const scratch *s, const block *from, char *y) {
    const chain_plan *plan = j->plan;
    const pyconvc_chain *c = plan->c;
    const int same = c->y_sample == PYCONVC_SAMPLE_AS_COMPUTED;
    for (int64_t d = 0; d < t->size[D]; d++)
        for (int64_t h = 0; h < t->size[H]; h++) {
            const char *row = sample(plan, from, d, h, 0);
            char *to = y + (d * c->y_step[1] + h * c->y_step[2]) * plan->y_bytes;
            char *line = c->y_step[3] == 1 ? to : s->line;
            if (!same) plan->convert->narrow[c->y_sample](row, t->size[W], line);
            if (c->y_step[3] != 1)
                scatter(plan->y_bytes, same ? row : line, t->size[W], c->y_step[3], to);
        }
}

/* The constant of a pass, in what it reads beyond the edges; n: samples of the block. */
static void put_constant(const chain_plan *plan, const task *t, const pyconvc_pass *pass,
                         const block *b, const int64_t *n) {
    for (int a = 0; a < PYCONVC_RANK; a++) {
        if (pass->boundary[a] != PYCONVC_CONSTANT || pass->kernel[a] == 1) continue;
        const int64_t from = t->first[a] - pass->pad[a];
        const int64_t before = min64(n[a], max64(0, -from));
        const int64_t inside = max64(before, min64(n[a], plan->c->size[a] - from));
        for (int64_t d = 0; d < n[D]; d++)
            for (int64_t h = 0; h < n[H]; h++) {
                const int64_t at = a == D ? d : h;
                if (a == W) {
                    gather_fill(plan->bytes, pass->fill, before, sample(plan, b, d, h, 0));
                    gather_fill(plan->bytes, pass->fill, n[W] - inside,
                                sample(plan, b, d, h, inside));
                } else if (at < before || at >= inside) {
                    gather_fill(plan->bytes, pass->fill, n[W], sample(plan, b, d, h, 0));
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
    block from, to;
    int64_t n[PYCONVC_RANK];
    int flags;
} step;

static shifted_job shifted(const step *p, const void *w, int64_t count, int64_t height) {
    const int64_t parts = p->plan->parts;
    return (shifted_job){.from = p->s->table,
                         .w = w,
                         .count = count,
                         .pitch = p->from.row * parts,
                         .y_pitch = p->to.row * parts,
                         .height = height,
                         .width = p->n[W] * parts,
                         .stream = (p->flags & FILTER_STREAM) != 0};
}

/* Along an axis, with the filter that is planned for it. */
static void filter_lines(const step *p, int axis) {
    const chain_plan *plan = p->plan;
    const int64_t parts = plan->parts, pitch = axis == D ? p->from.plane : p->from.row;
    const int64_t outer = axis == D ? p->n[H] : p->n[D], inner = axis == D ? p->n[D] : p->n[H];
    const int64_t rows = inner + (axis == W ? 0 : p->pass->kernel[axis] - 1);
    for (int64_t i = 0; i < outer; i++) {
        const int64_t d = axis == D ? 0 : i, h = axis == D ? i : 0;
        for (int64_t r = 0; r < rows; r++)
            p->s->table[r] = sample(plan, &p->from, d, h, r * pitch);
        p->filter->kernel(
            &p->filter->program, p->filter->taps, NULL, p->s->table, sample(plan, &p->to, d, h, 0),
            (axis == D ? p->to.plane : p->to.row) * parts, inner, p->n[W] * parts, p->flags);
    }
}

/* Rows or planes added up. */
static void add_lines(const step *p, int axis) {
    const int64_t taps = p->pass->kernel[axis];
    shifted_job job = shifted(p, p->pass->w, taps, p->n[H]);
    for (int64_t d = 0; d < p->n[D]; d++) {
        for (int64_t i = 0; i < taps; i++)
            p->s->table[i] = axis == D ? sample(p->plan, &p->from, d + i, 0, 0)
                                       : sample(p->plan, &p->from, d, i, 0);
        job.y = sample(p->plan, &p->to, d, 0, 0);
        p->plan->fused->terms(&job);
    }
}

static void sum(const step *p) {
    if (p->filter->taps)
        filter_lines(p, chain_axis(p->pass));
    else
        add_lines(p, chain_axis(p->pass));
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

/* Sums of radix^level samples from each of `n` planes and rows on, of those of the level below. */
typedef struct {
    const char *from;
    char *to;
    int64_t radix, between; /* how many are added, samples from one to the next */
    int64_t n[PYCONVC_RANK];
} level;

static void add_level(const step *p, const level *l) {
    static const float one_f32 = 1;
    static const double one_f64 = 1;
    const chain_plan *plan = p->plan;
    const int is_double = plan->bytes / plan->parts == sizeof one_f64;
    shifted_job job = shifted(p, is_double ? (const void *)&one_f64 : &one_f32, l->radix, l->n[H]);
    job.y_pitch = job.pitch;
    job.width = l->n[W] * plan->parts;
    job.stream = 0;
    for (int64_t d = 0; d < l->n[D]; d++) {
        const int64_t plane = d * p->from.plane * plan->bytes;
        for (int64_t i = 0; i < l->radix; i++)
            p->s->table[i] = l->from + plane + i * l->between * plan->bytes;
        job.y = l->to + plane;
        plan->shifted->mean(&job);
    }
}

/* A region with its partial sums; n planes, rows and columns of sums. */
typedef struct {
    int axis, levels;
    int64_t radix, unit; /* samples from one to the next along the axis */
    char *sums[20];      /* of each level */
    int64_t n[PYCONVC_RANK];
} region;

static void add_levels(const step *p, region *r, char *from) {
    const chain_plan *plan = p->plan;
    const int64_t taps = p->pass->kernel[r->axis];
    const int64_t buffer = (int64_t)aligned(plan->buffer * plan->bytes) + 64;
    r->unit = r->axis == D ? p->from.plane : r->axis == H ? p->from.row : 1;
    r->sums[0] = from;
    int64_t samples = 1;
    for (int i = 1; i <= r->levels; i++) {
        level l = {r->sums[i - 1],
                   p->s->level + (i - 1) * buffer,
                   r->radix,
                   samples * r->unit,
                   {r->n[D], r->n[H], r->n[W]}};
        samples *= r->radix;
        l.n[r->axis] += taps - samples;
        r->sums[i] = l.to;
        add_level(p, &l);
    }
}

/* The sums; the order of each is the same wherever it stands. */
static void combine(const step *p, shifted_fn *kernel, const region *r, const block *to) {
    const chain_plan *plan = p->plan;
    const int64_t taps = p->pass->kernel[r->axis];
    shifted_job job = shifted(p, p->pass->w, 0, r->n[H]);
    job.y_pitch = to->row * plan->parts;
    for (int64_t d = 0; d < r->n[D]; d++) {
        int64_t at = 0, piece = 1;
        job.count = 0;
        for (int i = 0; i < r->levels; i++)
            piece *= r->radix;
        for (int i = r->levels; i >= 0; i--, piece /= r->radix)
            for (; at + piece <= taps; at += piece)
                p->s->table[job.count++] =
                    r->sums[i] + (d * p->from.plane + at * r->unit) * plan->bytes;
        job.y = sample(plan, to, d, 0, 0);
        kernel(&job);
    }
}

static void add_box(const step *p, shifted_fn *kernel) {
    region r = {.axis = chain_axis(p->pass), .n = {p->n[D], p->n[H], p->n[W]}};
    const int64_t taps = p->pass->kernel[r.axis];
    r.levels = chain_levels(taps);
    r.radix = chain_radix(taps);
    const int whole =
        r.axis == D || !r.levels; /* else partial sums of one line or plane at a time */
    const int64_t planes = whole ? 1 : p->n[D], rows = whole || r.axis == H ? 1 : p->n[H];
    if (planes > 1) r.n[D] = 1;
    if (rows > 1) r.n[H] = 1;
    for (int64_t d = 0; d < planes; d++)
        for (int64_t h = 0; h < rows; h++) {
            const block to = {sample(p->plan, &p->to, d, h, 0), p->to.plane, p->to.row};
            add_levels(p, &r, sample(p->plan, &p->from, d, h, 0));
            combine(p, kernel, &r, &to);
        }
}

static void run_pass(const step *p) {
    const shifted_kernels *k = p->plan->shifted;
    const int64_t terms = p->pass->terms;
    switch (p->pass->kind) {
    case PYCONVC_SUM:
        sum(p);
        break;
    case PYCONVC_TERMS:
        add_terms(p, p->plan->c->dtype == PYCONVC_F32 ? p->plan->fused->terms : k->terms, terms);
        break;
    case PYCONVC_PAIRS:
        add_terms(p, k->pairs, 2 * terms - 1);
        break;
    case PYCONVC_ODD_PAIRS:
        add_terms(p, k->odd_pairs, 2 * terms - 1);
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
    if (plan->c->y_sample == PYCONVC_SAMPLE_AS_COMPUTED) return;
    for (int64_t d = 0; d < p->n[D]; d++)
        for (int64_t h = 0; h < p->n[H]; h++) {
            char *row = sample(plan, &p->to, d, h, 0);
            plan->convert->settle[plan->c->y_sample](row, p->n[W], row);
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

/* The last two passes in turn, some rows at a time, which stay in the nearest cache: pass i, whose
 * input is whole, then one along rows. `last` is where that one writes. */
static void run_by_rows(const step *whole, int i, const task *t, const block *last, int itself) {
    const chain_plan *plan = whole->plan;
    const int64_t most = max64(1, ROWS_BYTES / (plan->row * plan->bytes));
    for (int64_t d = 0; d < whole->n[D]; d++)
        for (int64_t h = 0; h < whole->n[H]; h += most) {
            step p = *whole;
            p.from.first = sample(plan, &whole->from, d, h, 0);
            p.n[D] = 1;
            p.n[H] = min64(most, whole->n[H] - h);
            run_pass(&p);
            settle(&p);
            p.from = p.to;
            put_constant(plan, t, &plan->c->pass[i + 1], &p.from, p.n);
            take(&p, i + 1);
            const block rows = {sample(plan, last, d, h, 0), last->plane, last->row};
            p.to = rows;
            if (itself) write_to(&p, &rows);
            run_pass(&p);
        }
}

/* Whether the last two passes go by rows: partial sums are of whole blocks. */
static int goes_by_rows(const chain_plan *plan, int i) {
    const pyconvc_pass *pass = &plan->c->pass[i];
    const int is_box = pass->kind == PYCONVC_MEAN || pass->kind == PYCONVC_QUOTIENT;
    return i == plan->c->passes - 2 && pass->kernel[W] == 1 && chain_axis(pass + 1) == W &&
           !(is_box && chain_levels(pass->kernel[chain_axis(pass)]));
}

static void do_task(const void *context, int64_t index, void *memory) {
    const job *j = context;
    const chain_plan *plan = j->plan;
    const pyconvc_chain *c = plan->c;
    const int itself = plan->stores_itself;
    scratch s;
    task t;
    lay_out(plan, memory, &s);
    locate(plan, index, &t);
    const int64_t at = t.image * c->y_step[0] + t.first[D] * c->y_step[1] +
                       t.first[H] * c->y_step[2] + t.first[W] * c->y_step[3];
    const block y = {j->y + at * plan->y_bytes, c->y_step[1], c->y_step[2]};
    step p = {.plan = plan, .s = &s, .to = {s.buffer[0], plan->plane, plan->row}};
    for (int a = 0; a < PYCONVC_RANK; a++)
        p.n[a] = t.size[a] + plan->halo[a];
    load_block(j, &t, &s, &p.to);
    for (int i = 0; i < c->passes; i++) {
        const int last = i == c->passes - 1;
        put_constant(plan, &t, &c->pass[i], &p.to, p.n);
        p.from = p.to;
        p.to.first = s.buffer[(i + 1) % 2];
        take(&p, i);
        if (goes_by_rows(plan, i)) {
            const block after = itself ? y : (block){s.buffer[2], plan->plane, plan->row};
            run_by_rows(&p, i, &t, &after, itself);
            p.to = after;
            break;
        }
        if (last && itself) write_to(&p, &y);
        run_pass(&p);
        if (!last) settle(&p);
    }
    if (!itself) store_block(j, &t, &s, &p.to, y.first);
}

pyconvc_status chain_run(const chain_plan *plan, const void *x, void *y, const pyconvc_run *run) {
    const job j = {plan, x, y};
    scratch none;
    if (!plan->tasks) return PYCONVC_OK;
    return parallel_for(plan->tasks, plan->workers, lay_out(plan, NULL, &none), do_task, &j, run);
}
