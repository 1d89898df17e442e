/* SPDX-License-Identifier: BSD-3-Clause
 * chain_load.c -- blocks loaded with what boundary rules put beyond the edges, and stored (see
 * chain_step.h). */
#include <string.h>

#include "chain_step.h"
#include "gather.h"

int64_t chain_source(const chain_plan *plan, const chain_task *t, int a, int64_t i) {
    return pyconvc_boundary_index(chain_rule(plan->c, a), t->first[a] - plan->before[a] + i,
                                  plan->c->input[a]);
}

chain_columns chain_find_columns(const chain_plan *plan, const chain_task *t,
                                 const chain_scratch *s) {
    const int64_t n = plan->c->input[W], count = t->size[W] + plan->halo[W];
    const int64_t first = t->first[W] - plan->before[W], next = first + count;
    chain_columns c = {max64(0, first), max64(0, -first), 0, max64(0, next - n), 0};
    c.inside = count - c.before - c.after;
    int64_t *beyond = s->beyond;
    for (int64_t i = 0; i < c.before + c.after; i++) {
        const int64_t from = chain_source(plan, t, W, i < c.before ? i : i + c.inside);
        beyond[i] = plan->loads_rows ? from - c.first : from * plan->c->x_step[3];
        c.constant |= from < 0;
    }
    return c;
}

void chain_extend(int64_t bytes, const chain_columns *c, const int64_t *beyond, const char *from,
                  char *to) {
    if (c->constant) return;
    gather_at(bytes, from, beyond, c->before, to);
    gather_at(bytes, from, beyond + c->before, c->after, to + (c->before + c->inside) * bytes);
}

/* A row of the block, as it is in memory, whose inner samples may be in `to` already. */
static void load_row(const chain_plan *plan, const chain_columns *c, const int64_t *beyond,
                     const char *from, int is_there, char *to) {
    const int64_t bytes = plan->x_bytes, step = plan->c->x_step[3];
    const char *first = from + c->first * step * bytes;
    if (!is_there) gather_all(bytes, first, c->inside, step, to + c->before * bytes);
    if (!plan->loads_rows) chain_extend(bytes, c, beyond, from, to);
}

/* Rows that are columns of x, all of them at once: their inner samples as they are in memory. */
static void turn_rows(const chain_plan *plan, const chain_columns *c, const char *from,
                      int64_t rows, char *to) {
    const int64_t bytes = plan->x_bytes, step = plan->c->x_step[3];
    gather_turned(bytes, from + c->first * step * bytes, step, c->inside, rows,
                  plan->row * plan->bytes / bytes, to + c->before * bytes);
}

void chain_load_rows(const chain_job *j, const chain_task *t, const chain_scratch *s,
                     const chain_columns *c, const chain_block *b, int64_t d, int64_t from,
                     int64_t to) {
    const chain_plan *plan = j->plan;
    const int64_t *step = plan->c->x_step, z = chain_source(plan, t, D, d);
    const char *plane = j->x + (t->image * step[0] + z * step[1]) * plan->x_bytes;
    const int same = plan->x_sample == PYCONVC_SAMPLE_AS_COMPUTED;
    const int64_t count = c->before + c->inside + c->after;
    const int64_t skip = plan->loads_rows ? c->before : 0;
    const int64_t above = t->first[H] - plan->before[H];
    const int64_t first = max64(from, -above), next = min64(to, plan->c->input[H] - above);
    const int turned = plan->turned_x && z >= 0 && first < next;
    if (turned)
        turn_rows(plan, c, plane + (above + first) * plan->x_bytes, next - first,
                  sample(plan, b, d, first, 0));
    for (int64_t h = from; h < to; h++) {
        const int64_t r = chain_source(plan, t, H, h);
        const int is_there = turned && h >= first && h < next;
        char *row = sample(plan, b, d, h, 0), *line = same ? row : s->line;
        if (plan->loads_rows && r < 0) gather_fill(plan->bytes, plan->fill[0], count, row);
        if (z < 0 || r < 0) continue; /* constants, likewise */
        if (is_there && !same) memcpy(line, row, (size_t)(count * plan->x_bytes));
        load_row(plan, c, s->beyond, plane + r * step[2] * plan->x_bytes, is_there, line);
        if (!same)
            plan->widen(line + skip * plan->x_bytes, plan->loads_rows ? c->inside : count,
                        row + skip * plan->bytes);
    }
}

void chain_store_block(const chain_plan *plan, const chain_scratch *s, const int64_t *n,
                       const chain_block *from, const chain_block *y) {
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

void chain_put_constant(const chain_plan *plan, const chain_task *t, int i, const chain_block *b,
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
