/* SPDX-License-Identifier: BSD-3-Clause
 * columns.c -- see columns.h. */
#include "columns.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "columns_parts.h"
#include "gather.h"
#include "parallel.h"

static int keeps_sums(const columns_plan *plan) {
    return !plan->paired || plan->channels_at_once < plan->p->channels_out;
}

static size_t lay_out(const columns_plan *plan, char *base, columns_scratch *s) {
    const int64_t row = plan->pitch * plan->bytes, whole = plan->parts > 1;
    const int64_t sums = keeps_sums(plan) ? plan->columns * row : 0;
    const int64_t columns = whole ? plan->channels * plan->taps * row : 0;
    const int64_t y = plan->p->channels_out * row;
    const int64_t weights = plan->columns * (plan->bytes / plan->parts);
    const int64_t lines = plan->p->stride[W] * plan->line * plan->bytes;
    arena a = {base, 0};
    s->sums = carve(&a, sums);
    s->columns = whole ? carve(&a, columns) : s->sums;
    s->y = carve(&a, y);
    s->w = carve(&a, plan->columns / plan->outer->columns * plan->tile_bytes);
    s->row = carve(&a, plan->dense ? 0 : weights);
    s->start = carve(&a, weights);
    s->lines = carve(&a, lines);
    return (size_t)a.bytes;
}

/* ---- product ------------------------------------------------------------------------------- */

/* From the first sample of a channel of y to a line of a band, in samples. */
static int64_t line_at(const columns_plan *plan, const columns_band *b, int64_t r) {
    const pyconvc_problem *p = plan->p;
    const int64_t line = b->row + r;
    return (b->depth + line / p->output[H]) * p->y_step[3] + line % p->output[H] * p->y_step[4];
}

/* A band of y: [channel][row and column]. */
static void pack_y(const columns_job *j, const columns_band *b, char *to) {
    const columns_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    const int64_t *step = p->y_step, bytes = plan->bytes;
    const int whole =
        plan->row == p->output[W] && step[4] == plan->row * step[5] &&
        line_at(plan, b, b->rows - 1) - line_at(plan, b, 0) == (b->rows - 1) * step[4];
    const int64_t rows = whole ? 1 : b->rows, pitch = whole ? plan->pitch : plan->row,
                  columns = whole ? b->rows * plan->row : p->output[W];
    for (int64_t i = 0; i < p->channels_out; i++, to += plan->pitch * bytes) {
        const int64_t at = b->image * step[0] + b->group * step[1] + i * step[2];
        for (int64_t r = 0; r < rows; r++)
            gather_all(bytes, j->y + (at + line_at(plan, b, r)) * bytes, columns, step[5],
                       to + r * plan->row * bytes);
        for (int64_t r = 0; r < rows; r++)
            memset(to + (r * plan->row + columns) * bytes, 0, (size_t)((pitch - columns) * bytes));
        const int64_t used = whole ? plan->pitch : rows * plan->row;
        memset(to + used * bytes, 0, (size_t)((plan->pitch - used) * bytes));
    }
}

static void pack_taps(const pyconvc_problem *p, int64_t bytes, const char *w, char *to) {
    for (int64_t d = 0; d < p->kernel[D]; d++)
        for (int64_t h = 0; h < p->kernel[H]; h++)
            for (int64_t v = 0; v < p->kernel[W]; v++, to += bytes) {
                const int64_t at[] = {d, h, v};
                int64_t from = 0;
                for (int a = 0; a < PYCONVC_RANK; a++)
                    from += (p->flip ? p->kernel[a] - 1 - at[a] : at[a]) * p->w_step[3 + a];
                memcpy(to, w + from * bytes, (size_t)bytes);
                if (p->conjugate) pyconvc_conjugate(p->dtype, to);
            }
}

/* Weights from some channels of y to a block of x's: [tile of columns][channel of y][column], where
 * the columns are [channel of x][tap] (and part). */
static void pack_w(const columns_job *j, const columns_band *b, int64_t k, int64_t count,
                   const columns_scratch *s) {
    const columns_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    const int64_t bytes = plan->bytes, columns = plan->outer->columns,
                  step = plan->tile_bytes / (bytes / plan->parts);
    for (int64_t i = 0; i < count; i++) {
        const char *from =
            j->w +
            (b->group * p->w_step[0] + (k + i) * p->w_step[1] + b->channel * p->w_step[2]) * bytes;
        for (int64_t c = 0; c < b->channels && !plan->dense; c++)
            pack_taps(p, bytes, from + c * p->w_step[2] * bytes, s->row + c * plan->taps * bytes);
        plan->outer->deal(plan->dense ? from : s->row, b->channels * plan->taps * plan->parts, step,
                          s->w + i * columns * (bytes / plan->parts));
    }
}

/* Weights that are packed next, which come from far while sums are made. */
typedef struct {
    const char *at;
    int64_t step, rows, lines; /* bytes from row to row; cache lines of a row */
    int64_t row, line;         /* to come */
} ahead;

static ahead weights_ahead(const columns_job *j, const columns_band *b, int64_t k, int64_t count) {
    const columns_plan *plan = j->plan;
    const int64_t *step = plan->p->w_step,
                  at = b->group * step[0] + k * step[1] + b->channel * step[2];
    return (ahead){.at = j->w + at * plan->bytes,
                   .step = step[1] * plan->bytes,
                   .rows = plan->dense ? count : 0,
                   .lines = ceil_div(b->channels * plan->taps * plan->bytes, CACHE_LINE)};
}

static void fetch(ahead *a, int64_t lines) {
    for (; lines > 0 && a->row < a->rows; lines--) {
        __builtin_prefetch(a->at + a->row * a->step + a->line * CACHE_LINE, 0, 2);
        if (++a->line < a->lines) continue;
        a->line = 0;
        a->row++;
    }
}

/* Where in x the vectors of a panel go, from pixel `first` of the band on. */
static void place(const columns_job *j, const columns_band *b, int64_t first, int64_t vectors,
                  outer_pairs_job *to) {
    const columns_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    const int64_t *step = p->x_step;
    const int64_t at = b->image * step[0] + b->group * step[1] + b->channel * step[2];
    for (int64_t n = 0; n < vectors; n++, first += plan->outer->lanes) {
        const int64_t line = b->row + first / plan->row, column = first % plan->row;
        const int64_t d = line / p->output[H] * p->stride[D],
                      h = line % p->output[H] * p->stride[H];
        to->to[n] = j->x + (at + d * step[3] + h * step[4] + 2 * column) * plan->bytes;
        to->samples[n] = min64(plan->outer->lanes, p->output[W] - column);
    }
}

/* All columns of a band, from some channels of y on; the last of them put pairs in their places. */
static void multiply(const columns_job *j, const columns_band *b, int64_t k, int64_t count,
                     const columns_scratch *s, ahead *next) {
    const columns_plan *plan = j->plan;
    const outer_kernels *outer = plan->outer;
    const int64_t pixels = b->rows * plan->row, panel = outer->lanes * outer->vectors,
                  used = b->channels * plan->taps * plan->parts;
    const int put = plan->paired && k + count == plan->p->channels_out;
    outer_pairs_job q = {.product = {.a_step = plan->pitch * plan->parts,
                                     .b_step = outer->columns,
                                     .offsets = plan->offsets,
                                     .height = 1,
                                     .width = count,
                                     .sums_pitch = plan->pitch * plan->parts,
                                     .anew = k == 0}};
    outer_job *o = &q.product;
    const int64_t calls = ceil_div(pixels, panel) * ceil_div(used, outer->columns),
                  lines = ceil_div(next->rows * next->lines, calls);
    for (int64_t first = 0, here; first < pixels; first += here) {
        const int is_wide = pixels - first > outer->lanes && plan->pitch - first >= panel;
        here = is_wide ? panel : outer->lanes;
        o->a = s->y + (k * plan->pitch + first) * plan->bytes;
        if (put) place(j, b, first, is_wide ? outer->vectors : 1, &q);
        for (int64_t t = 0; t < used; t += outer->columns) {
            o->b = s->w + t / outer->columns * plan->tile_bytes;
            o->sums = s->sums + (t * plan->pitch + first) * plan->bytes;
            fetch(next, lines);
            if (!put) {
                (is_wide ? outer->wide : outer->narrow)(o);
                continue;
            }
            q.pairs = min64(outer->columns, used - t) / 2;
            q.at = plan->places + t / 2;
            q.start = j->bias ? s->start + t / 2 * plan->bytes : NULL;
            (is_wide ? outer->wide_pairs : outer->narrow_pairs)(&q);
        }
    }
}

/* The bias of each pair of columns of a block. */
static void spread_bias(const columns_job *j, const columns_band *b, char *to) {
    const columns_plan *plan = j->plan;
    const int64_t pairs = plan->taps / 2, first = b->group * plan->p->channels_in + b->channel;
    for (int64_t i = 0; i < b->channels * pairs; i++)
        memcpy(to + i * plan->bytes, j->bias + (first + i / pairs) * plan->bytes,
               (size_t)plan->bytes);
}

/* ---- tasks --------------------------------------------------------------------------------- */

/* `then` is the block after this one. */
static void do_block(const columns_job *j, const columns_band *b, const columns_band *then,
                     const columns_scratch *s) {
    const columns_plan *plan = j->plan;
    const int64_t channels = plan->p->channels_out;
    if (plan->paired && j->bias) spread_bias(j, b, s->start);
    for (int64_t k = 0; k < channels; k += plan->channels_at_once) {
        const int64_t count = min64(plan->channels_at_once, channels - k);
        const int64_t next = k + count < channels ? k + count : 0;
        ahead a = weights_ahead(j, next ? b : then, next, min64(count, channels - next));
        pack_w(j, b, k, count, s);
        multiply(j, b, k, count, s, &a);
    }
    if (plan->parts > 1)
        plan->outer->finish(s->sums, plan->pitch, b->channels * plan->taps,
                            b->rows * plan->p->output[W], s->columns, plan->pitch, 1);
    if (!plan->paired) columns_fold(j, b, s);
}

static int64_t part_of(int64_t count, int64_t part, int64_t parts) {
    return count * part / parts;
}

static void set_block(const columns_plan *plan, columns_band *b, int64_t block) {
    b->channel = block * plan->channels;
    b->channels = min64(plan->channels, plan->p->channels_in - b->channel);
}

static void do_task(const void *context, int64_t index, void *memory) {
    const columns_job *j = context;
    const columns_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    const int64_t of_bands = index % plan->parts_of_bands, rest = index / plan->parts_of_bands;
    const int64_t of_blocks = rest % plan->parts_of_blocks, image = rest / plan->parts_of_blocks;
    const int64_t bands = plan->depths * plan->bands,
                  last = part_of(bands, of_bands + 1, plan->parts_of_bands),
                  start = part_of(plan->blocks, of_blocks, plan->parts_of_blocks),
                  end = part_of(plan->blocks, of_blocks + 1, plan->parts_of_blocks);
    columns_band b = {.image = image / p->groups, .group = image % p->groups};
    columns_scratch s;
    lay_out(plan, memory, &s);
    for (int64_t i = part_of(bands, of_bands, plan->parts_of_bands); i < last; i++) {
        b.depth = i / plan->bands;
        b.row = i % plan->bands * plan->rows;
        b.rows = min64(plan->rows, plan->lines - b.row);
        pack_y(j, &b, s.y);
        for (int64_t block = start; block < end; block++) {
            columns_band then = b;
            set_block(plan, &b, block);
            set_block(plan, &then, block + 1 < end ? block + 1 : start);
            do_block(j, &b, &then, &s);
            if (i == 0) columns_put_bias(j, &b);
        }
    }
}

pyconvc_status columns_input_grad(const pyconvc_problem *p, const void *y, const void *w,
                                  const void *bias, void *x, const pyconvc_run *run) {
    columns_plan plan;
    columns_scratch s;
    pyconvc_status status = columns_make(&plan, p);
    if (!status) {
        const columns_job j = {&plan, y, w, bias, x};
        const int64_t tasks = p->batch * p->groups * plan.parts_of_blocks * plan.parts_of_bands;
        const double work = (double)(p->batch * p->groups * p->channels_out) *
                            (double)(p->channels_in * plan.taps) *
                            (double)(p->output[D] * p->output[H] * p->output[W]) *
                            (double)plan.bytes;
        status = parallel_for(tasks, parallel_workers(run, work), lay_out(&plan, NULL, &s), do_task,
                              &j, run);
    }
    free(plan.offsets);
    free(plan.runs);
    return status;
}
