/* SPDX-License-Identifier: BSD-3-Clause
 * chain.c -- one task: a block loaded, passed on from buffer to buffer, stored (see chain.h). */
#include "chain.h"

#include "gather.h"
#include "parallel.h"

enum { D, H, W };

typedef struct {
    const chain_plan *plan;
    const char *x;
    char *y;
} job;

/* What a worker's scratch holds. */
typedef struct {
    char *buffer[2], *level; /* blocks; partial sums, one buffer after the other */
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

static void filter_rows(const step *p, int64_t count, int64_t pitch, int64_t height, char *to,
                        int64_t to_pitch, const char *from) {
    const int64_t parts = p->plan->parts;
    for (int64_t i = 0; i < count; i++)
        p->s->table[i] = from + i * pitch * p->plan->bytes;
    p->filter->kernel(&p->filter->program, p->filter->taps, NULL, p->s->table, to, to_pitch * parts,
                      height, p->n[W] * parts, p->flags);
}

static void sum(const step *p) {
    const chain_plan *plan = p->plan;
    const int axis = chain_axis(p->pass);
    const int64_t more = axis == W ? 0 : p->pass->kernel[axis] - 1;
    const int64_t outer = axis == D ? p->n[H] : p->n[D], inner = axis == D ? p->n[D] : p->n[H];
    for (int64_t i = 0; i < outer; i++)
        filter_rows(p, inner + more, axis == D ? p->from.plane : p->from.row, inner,
                    axis == D ? sample(plan, &p->to, 0, i, 0) : sample(plan, &p->to, i, 0, 0),
                    axis == D ? p->to.plane : p->to.row,
                    axis == D ? sample(plan, &p->from, 0, i, 0) : sample(plan, &p->from, i, 0, 0));
}

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

/* Sums of 4^level samples from each of `n` planes and rows on, made of those of the level below. */
typedef struct {
    const char *from;
    char *to;
    int64_t between; /* samples from one to the next of the four */
    int64_t n[PYCONVC_RANK];
} level;

static void add_level(const step *p, const level *l) {
    static const float one_f32 = 1;
    static const double one_f64 = 1;
    const chain_plan *plan = p->plan;
    const int is_double = plan->bytes / plan->parts == sizeof one_f64;
    shifted_job job = shifted(p, is_double ? (const void *)&one_f64 : &one_f32, 4, l->n[H]);
    job.y_pitch = job.pitch;
    job.width = l->n[W] * plan->parts;
    job.stream = 0;
    for (int64_t d = 0; d < l->n[D]; d++) {
        const int64_t plane = d * p->from.plane * plan->bytes;
        for (int i = 0; i < 4; i++)
            p->s->table[i] = l->from + plane + i * l->between * plan->bytes;
        job.y = l->to + plane;
        plan->shifted->mean(&job);
    }
}

/* A region of whole lines along the axis: partial sums of 4, 16, ... samples, then of them the sum
 * of `kernel`. The order of a sum is the same wherever it stands. */
static void add_region(const step *p, shifted_fn *kernel, int axis, char *from, char *to,
                       const int64_t *n) {
    const chain_plan *plan = p->plan;
    const int64_t taps = p->pass->kernel[axis];
    const int64_t unit = axis == D ? p->from.plane : axis == H ? p->from.row : 1;
    const int64_t buffer = (int64_t)aligned(plan->buffer * plan->bytes) + 64;
    const int levels = chain_levels(taps);
    char *sums[33] = {from};
    int64_t samples = 1;
    for (int i = 1; i <= levels; i++) {
        level l = {sums[i - 1], p->s->level + (i - 1) * buffer, samples * unit, {n[D], n[H], n[W]}};
        samples *= 4;
        l.n[axis] += taps - samples;
        sums[i] = l.to;
        add_level(p, &l);
    }
    shifted_job job = shifted(p, p->pass->w, 0, n[H]);
    for (int64_t d = 0; d < n[D]; d++) {
        int64_t at = 0, piece = samples;
        job.count = 0;
        for (int i = levels; i >= 0; i--, piece /= 4)
            for (; at + piece <= taps; at += piece)
                p->s->table[job.count++] = sums[i] + (d * p->from.plane + at * unit) * plan->bytes;
        job.y = to + d * p->to.plane * plan->bytes;
        kernel(&job);
    }
}

static void add_box(const step *p, shifted_fn *kernel) {
    const int axis = chain_axis(p->pass);
    int64_t n[] = {p->n[D], p->n[H], p->n[W]};
    const int64_t planes = axis == D ? 1 : n[D], rows = axis == W ? n[H] : 1;
    if (axis != D) n[D] = 1;
    if (axis == W) n[H] = 1;
    for (int64_t d = 0; d < planes; d++)
        for (int64_t h = 0; h < rows; h++)
            add_region(p, kernel, axis, sample(p->plan, &p->from, d, h, 0),
                       sample(p->plan, &p->to, d, h, 0), n);
}

static void run_pass(const step *p) {
    const shifted_kernels *k = p->plan->shifted;
    const int64_t terms = p->pass->terms;
    switch (p->pass->kind) {
    case PYCONVC_SUM:
        sum(p);
        break;
    case PYCONVC_TERMS:
        add_terms(p, k->terms, terms);
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
    char *y = j->y + at * plan->y_bytes;
    step p = {.plan = plan, .s = &s, .to = {s.buffer[0], plan->plane, plan->row}};
    for (int a = 0; a < PYCONVC_RANK; a++)
        p.n[a] = t.size[a] + plan->halo[a];
    load_block(j, &t, &s, &p.to);
    for (int i = 0; i < c->passes; i++) {
        const int last = i == c->passes - 1;
        p.pass = &c->pass[i];
        p.filter = &plan->filter[i];
        p.from = p.to;
        p.to.first = s.buffer[(i + 1) % 2];
        put_constant(plan, &t, p.pass, &p.from, p.n);
        for (int a = 0; a < PYCONVC_RANK; a++)
            p.n[a] -= p.pass->kernel[a] - 1;
        if (last && plan->stores_itself) p.to = (block){y, c->y_step[1], c->y_step[2]};
        if (last && plan->stores_itself) p.flags = plan->flags;
        run_pass(&p);
        if (!last) settle(&p);
    }
    if (!plan->stores_itself) store_block(j, &t, &s, &p.to, y);
}

pyconvc_status chain_run(const chain_plan *plan, const void *x, void *y, const pyconvc_run *run) {
    const job j = {plan, x, y};
    scratch none;
    if (!plan->tasks) return PYCONVC_OK;
    return parallel_for(plan->tasks, plan->workers, lay_out(plan, NULL, &none), do_task, &j, run);
}
