/* SPDX-License-Identifier: BSD-3-Clause
 * twin.c -- see twin.h. */
#include "twin.h"

#include <stdlib.h>
#include <string.h>

#include "adjoint.h"
#include "arena.h"
#include "dispatch.h"
#include "gather.h"
#include "large.h"
#include "parallel.h"
#include "problem.h"

#define LEAST_PIXELS   256         /* of y, for which weights are packed */
#define LEAST_CHANNELS 16          /* of y: what is summed for each sample */
#define MOST_CHANNELS  96          /* with more of them, columns are the faster way */
#define LEAST_COLUMNS  16          /* of y: a line has a gap behind it */
#define MOST_PHASES    4           /* along the height, */
#define MOST_TAPS      8           /* which make lines of a halo */
#define Y_BYTES        (256 << 10) /* of y's samples in a band: part of an L2 cache */
#define W_BYTES        (144 << 10) /* of weights, for a block of x's channels: the same */
#define ENOUGH_TASKS   8
#define PACK_CHANNELS  16  /* of y, whose weights a task packs */
#define PIXELS         512 /* of a band, at the most */
#define FEWEST_PIXELS  128 /* of one that is made for the sake of more tasks */
#define MOST_ROWS      128 /* that a pass sums: their panels lie in the nearest cache */
#define CACHE_LINE     64

enum { D, H, W };

/* The phase of x's lines that begins with line `first`. */
typedef struct {
    adjoint parity[2];              /* its even and its odd samples */
    int64_t taps;                   /* along the height */
    int64_t channels;               /* of y: in a pass */
    int64_t block;                  /* channels of x whose weights stay near: whole tiles */
    int64_t weights;                /* where its packed ones begin, in samples */
    const int64_t *rows;            /* of a pass: where each channel and tap of the height begins */
    int64_t shifts[TWIN_MOST_TAPS]; /* of the taps along the width, even ones first */
} line_phase;

typedef struct {
    const pyconvc_problem *p;
    const twin_kernels *kernels;
    int64_t bytes;
    line_phase phase[MOST_PHASES];
    int64_t phases, even, odd;    /* phases of lines; taps of the width by parity */
    int64_t tiles, group_weights; /* of x's channels; packed samples of a group */
    int64_t above, below;         /* lines of y beyond the first and last that have x's number */
    int64_t left, right;          /* samples of a line, likewise */
    int64_t rows, bands;          /* lines of a band, by phase; */
    int64_t columns, across;      /* pairs of a line in a band; bands side by side */
    int64_t row, pitch;           /* of packed y: samples from line to line, channel to channel */
    int64_t *tables;
    char *weights;
} twin_plan;

typedef struct {
    const twin_plan *plan;
    const char *y, *w, *bias;
    char *x;
} job;

typedef struct {
    char *y, *sums, *tile, *start;
} scratch;

typedef struct {
    int64_t image, group, depth, row, rows, column, columns;
} band;

static const twin_kernels *kernels_of(const pyconvc_problem *p) {
    const kernel_table *table = pyconvc_kernels();
    return table ? table->twin[p->dtype] : NULL;
}

int twin_suits(const pyconvc_problem *p) {
    const twin_kernels *kernels = kernels_of(p);
    const int flat =
        p->kernel[D] == 1 && p->stride[D] == 1 && !p->pad_before[D] && p->input[D] == p->output[D];
    return kernels && kernels->lanes && flat && p->stride[W] == 2 && p->dilation[W] == 1 &&
           (p->kernel[W] == 3 || p->kernel[W] == 4) && p->dilation[H] == 1 &&
           p->stride[H] <= MOST_PHASES && p->kernel[H] >= p->stride[H] &&
           p->kernel[H] <= MOST_TAPS && p->input[H] >= p->stride[H] &&
           p->output[W] >= LEAST_COLUMNS && p->input[W] >= LEAST_COLUMNS &&
           p->output[H] * p->output[W] >= LEAST_PIXELS && p->channels_out >= LEAST_CHANNELS &&
           p->channels_out <= MOST_CHANNELS && p->channels_in >= kernels->channels &&
           p->x_step[5] == 1;
}

static size_t lay_out(const twin_plan *plan, char *base, scratch *s) {
    const twin_kernels *kernels = plan->kernels;
    const int64_t vector = kernels->lanes * plan->bytes,
                  tile = 2 * kernels->channels * kernels->vectors * vector;
    arena a = {base, 0};
    s->y = carve(&a, plan->p->channels_out * plan->pitch * plan->bytes);
    s->sums = carve(&a, plan->tiles * tile);
    s->tile = carve(&a, tile);
    s->start = carve(&a, plan->tiles * kernels->channels * plan->bytes);
    return (size_t)a.bytes;
}

/* ---- plan ---------------------------------------------------------------------------------- */

/* Where along an axis of y tap t of a phase lies from the sample that has the output's number. */
static int64_t shift_of(const pyconvc_problem *q, int a, int64_t t) {
    return t * q->dilation[a] - q->pad_before[a];
}

static void find_phases(twin_plan *plan) {
    const pyconvc_problem *p = plan->p;
    for (plan->phases = 0; plan->phases < p->stride[H]; plan->phases++) {
        line_phase *phase = plan->phase + plan->phases;
        int64_t *shift = phase->shifts;
        for (int64_t e = 0; e < 2; e++) {
            phase->parity[e] = adjoint_input(p, (const int64_t[]){0, plan->phases, e});
            const pyconvc_problem *q = &phase->parity[e].problem;
            for (int64_t t = 0; t < q->kernel[W]; t++) {
                *shift = shift_of(q, W, t);
                plan->left = max64(plan->left, -*shift);
                plan->right = max64(plan->right, *shift++);
            }
        }
        const pyconvc_problem *q = &phase->parity[0].problem;
        phase->taps = q->kernel[H];
        plan->above = max64(plan->above, -shift_of(q, H, 0));
        plan->below = max64(plan->below, shift_of(q, H, q->kernel[H] - 1));
        plan->even = q->kernel[W];
        plan->odd = phase->parity[1].problem.kernel[W];
    }
}

static void size_bands(twin_plan *plan) {
    const pyconvc_problem *p = plan->p, *q = &plan->phase[0].parity[0].problem;
    const int64_t lanes = plan->kernels->lanes, lines = q->output[H], pairs = q->output[W];
    const int64_t pixels = min64(PIXELS, Y_BYTES / (p->channels_out * plan->bytes));
    plan->across = ceil_div(pairs, pixels);
    plan->columns = ceil_div(pairs, plan->across);
    const int64_t others = p->batch * p->groups * p->input[D] * plan->across;
    plan->bands =
        max64(ceil_div(lines, max64(1, pixels / plan->columns)),
              min64(lines * plan->columns / FEWEST_PIXELS, ceil_div(ENOUGH_TASKS, others)));
    plan->rows = ceil_div(lines, plan->bands);
    plan->bands = ceil_div(lines, plan->rows);
    /* What lies beyond the ends of a line is zero: one gap may stand for both. */
    plan->row =
        plan->columns + (plan->across == 1 && pairs == p->output[W] ? max64(plan->left, plan->right)
                                                                    : plan->left + plan->right);
    const int64_t samples = plan->left + (plan->rows + plan->above + plan->below) * plan->row +
                            plan->right + plan->kernels->vectors * lanes;
    plan->pitch = (ceil_div(samples * plan->bytes, CACHE_LINE) | 1) * CACHE_LINE / plan->bytes;
}

/* Samples of a channel of y in a tile of a phase. */
static int64_t row_weights(const twin_plan *plan, const line_phase *phase) {
    return phase->taps * (plan->even + plan->odd) * plan->kernels->channels;
}

/* Tables of rows, and where packed weights lie. */
static pyconvc_status place_rows(twin_plan *plan) {
    const pyconvc_problem *p = plan->p;
    int64_t rows = 0;
    plan->tiles = ceil_div(p->channels_in, plan->kernels->channels);
    for (line_phase *phase = plan->phase; phase < plan->phase + plan->phases; phase++) {
        const int64_t most = max64(LEAST_CHANNELS, MOST_ROWS / phase->taps);
        phase->channels = ceil_div(p->channels_out, ceil_div(p->channels_out, most));
        rows += phase->channels * phase->taps;
        const int64_t tile_bytes = p->channels_out * row_weights(plan, phase) * plan->bytes;
        phase->block = max64(1, W_BYTES / tile_bytes) * plan->kernels->channels;
    }
    int64_t *to = plan->tables = malloc((size_t)rows * sizeof *to);
    if (!to) return PYCONVC_NO_MEMORY;
    for (line_phase *phase = plan->phase; phase < plan->phase + plan->phases; phase++) {
        phase->rows = to;
        phase->weights = plan->group_weights;
        plan->group_weights += p->channels_out * plan->tiles * row_weights(plan, phase);
        for (int64_t k = 0; k < phase->channels; k++)
            for (int64_t t = 0; t < phase->taps; t++)
                *to++ = k * plan->pitch + plan->left +
                        (plan->above + shift_of(&phase->parity[0].problem, H, t)) * plan->row;
    }
    plan->weights = large_alloc(p->groups * plan->group_weights * plan->bytes);
    return plan->weights ? PYCONVC_OK : PYCONVC_NO_MEMORY;
}

static pyconvc_status make(twin_plan *plan, const pyconvc_problem *p) {
    *plan = (twin_plan){.p = p, .kernels = kernels_of(p), .bytes = pyconvc_sample_bytes(p->dtype)};
    find_phases(plan);
    size_bands(plan);
    return place_rows(plan);
}

/* ---- weights ------------------------------------------------------------------------------- */

/* Packed weights of a tile, from channel k of y on: passes of channels hold all tiles. */
static char *weights_of(const twin_plan *plan, const line_phase *phase, int64_t group, int64_t k,
                        int64_t tile) {
    const int64_t count = min64(phase->channels, plan->p->channels_out - k);
    return plan->weights + (group * plan->group_weights + phase->weights +
                            (k * plan->tiles + tile * count) * row_weights(plan, phase)) *
                               plan->bytes;
}

/* Where in w, from the first tap of a filter on, the taps of a phase lie: [height][width]. */
static int64_t find_taps(const line_phase *phase, int64_t *to) {
    int64_t count = 0;
    for (int64_t h = 0; h < phase->taps; h++)
        for (const adjoint *a = phase->parity; a < phase->parity + 2; a++) {
            const pyconvc_problem *q = &a->problem;
            for (int64_t t = q->kernel[W] - 1; t >= 0; t--)
                to[count++] = a->w_at + (q->kernel[H] - 1 - h) * q->w_step[4] + t * q->w_step[5];
        }
    return count;
}

/* Filters of some channels of x, `step` bytes apart, as [tap][channel] with zeros for those that
 * lack to a tile. */
static inline __attribute__((always_inline)) void pack_filters(const size_t bytes, const char *from,
                                                               int64_t step, int64_t channels,
                                                               int64_t tile, const int64_t *taps,
                                                               int64_t count, char *to) {
    for (const int64_t *tap = taps; tap < taps + count; tap++)
        for (int64_t c = 0; c < tile; c++, to += bytes) {
            if (c < channels)
                memcpy(to, from + c * step + *tap * (int64_t)bytes, bytes);
            else
                memset(to, 0, bytes);
        }
}

/* The filters of some channels of y, in the order in which they lie, for all phases. */
static void pack_task(const void *context, int64_t index, void *memory) {
    const job *j = context;
    const twin_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    const int64_t bytes = plan->bytes, tile = plan->kernels->channels, step = p->w_step[2] * bytes,
                  tasks = ceil_div(p->channels_out, PACK_CHANNELS), group = index / tasks,
                  first = index % tasks * PACK_CHANNELS,
                  end = min64(first + PACK_CHANNELS, p->channels_out);
    for (const line_phase *phase = plan->phase; phase < plan->phase + plan->phases; phase++) {
        const int64_t count = find_taps(phase, memory);
        for (int64_t k = first; k < end; k++)
            for (int64_t c = 0; c < p->channels_in; c += tile) {
                const int64_t pass = k / phase->channels * phase->channels,
                              channels = min64(tile, p->channels_in - c);
                const char *from =
                    j->w + (group * p->w_step[0] + k * p->w_step[1]) * bytes + c * step;
                char *to = weights_of(plan, phase, group, pass, c / tile) +
                           (k - pass) * row_weights(plan, phase) * bytes;
                if (bytes == 4)
                    pack_filters(4, from, step, channels, tile, memory, count, to);
                else
                    pack_filters(8, from, step, channels, tile, memory, count, to);
            }
    }
}

/* ---- a band -------------------------------------------------------------------------------- */

/* The lines of y that a band meets: [channel][line and column], zero beyond its edges. */
static void pack_y(const job *j, const band *b, char *to) {
    const twin_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    const int64_t *step = p->y_step, bytes = plan->bytes;
    const int64_t first = max64(0, b->column - plan->left),
                  end = min64(p->output[W], b->column + b->columns + plan->right),
                  top = max64(0, b->row - plan->above),
                  bottom = min64(p->output[H], b->row + b->rows + plan->below);
    memset(to, 0, (size_t)(p->channels_out * plan->pitch * bytes));
    for (int64_t k = 0; k < p->channels_out; k++, to += plan->pitch * bytes)
        for (int64_t h = top; h < bottom && first < end; h++) {
            const int64_t from = b->image * step[0] + b->group * step[1] + k * step[2] +
                                 b->depth * step[3] + h * step[4] + first * step[5],
                          at = plan->left + (h - b->row + plan->above) * plan->row + first -
                               b->column;
            gather_all(bytes, j->y + from * bytes, end - first, step[5], to + at * bytes);
        }
}

/* A panel: pairs of a phase's lines in a band, counted through from line to line. */
typedef struct {
    const job *j;
    const band *b;
    const scratch *s;
    const line_phase *phase;
    int64_t lines, first, pairs;
} panel;

/* First sample in x of pair `column` of line r of the band, in a channel of x. */
static char *x_at(const panel *a, int64_t channel, int64_t r, int64_t column) {
    const pyconvc_problem *p = a->j->plan->p;
    const int64_t *step = p->x_step, line = (a->b->row + r) * p->stride[H];
    return a->j->x + (a->b->image * step[0] + a->b->group * step[1] + channel * step[2] +
                      a->b->depth * step[3] + line * step[4] + a->phase->parity[0].y_at +
                      2 * (a->b->column + column)) *
                         a->j->plan->bytes;
}

/* The pieces of lines in a tile, that is not whole or of more than one line, to their places. */
static void copy_tile(const panel *a, int64_t channel, int64_t channels) {
    const twin_plan *plan = a->j->plan;
    const int64_t row = plan->row, most = plan->p->input[W] - 2 * a->b->column;
    for (int64_t f = a->first, end = a->first + a->pairs; f < end; f += row - f % row) {
        const int64_t column = f % row, r = f / row,
                      pairs = min64(end - f, min64(row, a->b->columns) - column),
                      samples = min64(2 * pairs, most - 2 * column);
        if (samples <= 0 || r >= a->lines) continue;
        for (int64_t c = 0; c < channels; c++)
            memcpy(x_at(a, channel + c, r, column),
                   a->s->tile + (c * a->pairs + f - a->first) * 2 * plan->bytes,
                   (size_t)(samples * plan->bytes));
    }
}

/* Lines that a tile is put into come while it is summed. */
static void fetch(const char *to, int64_t channels, int64_t pitch, int64_t bytes) {
    for (int64_t c = 0; c < channels; c++, to += pitch)
        for (int64_t i = 0; i < bytes; i += CACHE_LINE)
            __builtin_prefetch(to + i, 1);
}

/* A block of channels of x: their sums over some channels of y, from k on, the last of which puts
 * them in their places. */
static void do_pass(const panel *a, int64_t first, int64_t end, int64_t k) {
    const twin_plan *plan = a->j->plan;
    const twin_kernels *kernels = plan->kernels;
    const pyconvc_problem *p = plan->p;
    twin_fn *kernel = (a->pairs > kernels->lanes ? kernels->wide
                                                 : kernels->narrow)[plan->even - 1][plan->odd - 1];
    const int64_t column = a->first % plan->row, bytes = plan->bytes,
                  count = min64(a->phase->channels, p->channels_out - k),
                  x_step = p->x_step[2] * bytes;
    const int in_place =
        column + a->pairs <= a->b->columns && 2 * (a->b->column + column + a->pairs) <= p->input[W];
    const int last = k + count == p->channels_out;
    const char *w = weights_of(plan, a->phase, a->b->group, k, first / kernels->channels);
    char *x = x_at(a, first, a->first / plan->row, column), *sums = a->s->sums;
    twin_job o = {.rows = a->phase->rows,
                  .count = count * a->phase->taps,
                  .y = a->s->y + (k * plan->pitch + a->first) * bytes,
                  .anew = k == 0};
    memcpy(o.shifts, a->phase->shifts, sizeof o.shifts);
    for (int64_t c = first; c < end; c += kernels->channels) {
        const int64_t channels = min64(kernels->channels, end - c);
        const int direct = in_place && channels == kernels->channels;
        o.w = w;
        o.sums = sums;
        if (last) {
            o.to = direct ? x : a->s->tile;
            o.to_pitch = direct ? p->x_step[2] : 2 * a->pairs;
            o.start = a->j->bias ? a->s->start + c * bytes : NULL;
            if (direct) fetch(x, channels, x_step, 2 * a->pairs * bytes);
        }
        kernel(&o);
        if (last && !direct) copy_tile(a, c, channels);
        w += count * row_weights(plan, a->phase) * bytes;
        x += kernels->channels * x_step;
        sums += 2 * kernels->channels * a->pairs * bytes;
    }
}

static void do_block(panel *a, int64_t first, int64_t end) {
    const twin_plan *plan = a->j->plan;
    const int64_t lanes = plan->kernels->lanes, wide = lanes * plan->kernels->vectors;
    a->lines = min64(a->b->rows, a->phase->parity[0].problem.output[H] - a->b->row);
    const int64_t pairs = (a->lines - 1) * plan->row + a->b->columns;
    for (; a->first < pairs; a->first += a->pairs) {
        a->pairs = pairs - a->first > lanes ? wide : lanes;
        for (int64_t k = 0; k < plan->p->channels_out; k += a->phase->channels)
            do_pass(a, first, end, k);
    }
}

static void do_task(const void *context, int64_t index, void *memory) {
    const job *j = context;
    const twin_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    const int64_t across = index % plan->across, rest = index / plan->across,
                  down = rest % plan->bands, plane = rest / plan->bands;
    const pyconvc_problem *q = &plan->phase[0].parity[0].problem;
    band b = {.depth = plane % p->input[D],
              .group = plane / p->input[D] % p->groups,
              .image = plane / p->input[D] / p->groups,
              .row = down * plan->rows,
              .column = across * plan->columns};
    scratch s;
    lay_out(plan, memory, &s);
    b.rows = min64(plan->rows, q->output[H] - b.row);
    b.columns = min64(plan->columns, q->output[W] - b.column);
    if (j->bias) {
        memset(s.start, 0, (size_t)(plan->tiles * plan->kernels->channels * plan->bytes));
        memcpy(s.start, j->bias + b.group * p->channels_in * plan->bytes,
               (size_t)(p->channels_in * plan->bytes));
    }
    pack_y(j, &b, s.y);
    for (const line_phase *phase = plan->phase; phase < plan->phase + plan->phases; phase++)
        for (int64_t c = 0; c < p->channels_in; c += phase->block)
            do_block(&(panel){.j = j, .b = &b, .s = &s, .phase = phase}, c,
                     min64(c + phase->block, p->channels_in));
}

pyconvc_status twin_input_grad(const pyconvc_problem *p, const void *y, const void *w,
                               const void *bias, void *x, const pyconvc_run *run) {
    twin_plan plan;
    scratch s;
    pyconvc_status status = make(&plan, p);
    const job j = {&plan, y, w, bias, x};
    const double of_sample = (double)(p->groups * p->channels_out * p->channels_in) *
                             (double)(p->kernel[H] * p->kernel[W]) * (double)plan.bytes;
    const double work =
        of_sample * (double)p->batch * (double)p->output[D] * (double)(p->output[H] * p->output[W]);
    if (!status)
        status = parallel_for(
            p->groups * ceil_div(p->channels_out, PACK_CHANNELS), parallel_workers(run, work),
            (size_t)(p->kernel[H] * p->kernel[W]) * sizeof(int64_t), pack_task, &j, run);
    if (!status && !pyconvc_all_finite(p->dtype, plan.weights, p->groups * plan.group_weights))
        status = PYCONVC_UNSUITED;
    if (!status)
        status =
            parallel_for(p->batch * p->groups * p->input[D] * plan.bands * plan.across,
                         parallel_workers(run, work), lay_out(&plan, NULL, &s), do_task, &j, run);
    free(plan.tables);
    free(plan.weights);
    return status;
}
