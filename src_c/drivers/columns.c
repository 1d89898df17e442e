/* SPDX-License-Identifier: BSD-3-Clause
 * columns.c -- see columns.h. */
#include "columns.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "dispatch.h"
#include "gather.h"
#include "parallel.h"
#include "problem.h"

#define FEW_PIXELS     256 /* for which this suits any stride: weights are read as they lie */
#define LEAST_CHANNELS 16  /* of y: what is summed for each column */
#define LEAST_COLUMNS  16
#define MOST_WIDTH     512       /* of y: a band has whole rows */
#define PIXELS         512       /* of a band, */
#define COLUMNS        144       /* of a block, */
#define PAIRED_COLUMNS 384       /* where none are kept, */
#define CHANNELS       160       /* of y at once */
#define Y_BYTES        (1 << 20) /* of y's samples in a band */
#define ENOUGH_TASKS   8
#define FOLDED_SAMPLE  1.4 /* cycles of folding a line of x, for each sample of a line of y, */
#define FOLDED_DEPTH   120 /* and more where a band has one depth only */
#define PART_PUT       68  /* of putting part of a vector in its place */
#define CACHE_LINE     64

enum { D, H, W };

/* Of a row of a column, the samples that lie in x, and where in the phases of its line. */
typedef struct {
    int64_t from, to, count;
} tap_run;

typedef struct {
    const pyconvc_problem *p;
    const outer_kernels *outer;
    const fold_kernels *fold;
    int64_t bytes, parts, taps;
    int64_t channels, blocks; /* of x: in a block */
    int64_t columns;          /* of a block, by part, in whole tiles */
    int64_t channels_at_once; /* of y */
    int64_t tile_bytes;       /* of packed weights, from tile to tile of columns */
    int64_t depths, lines;    /* of y: a band has lines of one depth, if paired of any */
    int64_t rows, bands;      /* lines in a band, bands of a depth */
    int64_t row, pitch; /* samples from line to line, from column to column and channel of y */
    int64_t line;       /* samples of a stride phase of a line of x */
    tap_run *runs;      /* one for each tap along the width */
    int64_t *offsets;   /* of the columns of a tile of weights */
    int64_t *first[2];  /* first depth and row of y that meet each depth and row of x, or -1 */
    int dense;          /* the taps of successive channels lie in w one after the other */
    int alone;       /* each sample of x meets one tap: the columns are the phases of its lines */
    int paired;      /* and are put in their places, by twos, from registers */
    int64_t *places; /* in x: of the pairs of columns of a block */
    /* Tasks: image x group x part of the blocks x part of the bands. A part is one band where no
     * two bands meet the same line of x, and else all. */
    int64_t parts_of_blocks, parts_of_bands;
} columns_plan;

typedef struct {
    const columns_plan *plan;
    const char *y, *w, *bias;
    char *x;
} job;

typedef struct {
    char *sums, *columns; /* the same, if samples have one part */
    char *y, *w, *row, *lines, *start;
} scratch;

typedef struct {
    int64_t image, group, channel, channels, depth, row, rows;
} band;

int columns_suits(const pyconvc_problem *p) {
    const int64_t taps = p->kernel[D] * p->kernel[H] * p->kernel[W];
    const int strided = p->stride[D] > 1 || p->stride[H] > 1 || p->stride[W] > 1;
    return (strided || p->output[D] * p->output[H] * p->output[W] <= FEW_PIXELS) &&
           p->channels_out >= LEAST_CHANNELS && p->channels_in * taps >= LEAST_COLUMNS &&
           taps <= COLUMNS && p->output[W] <= MOST_WIDTH &&
           p->channels_out * p->output[W] * pyconvc_sample_bytes(p->dtype) <= 2 * Y_BYTES;
}

static int keeps_sums(const columns_plan *plan) {
    return !plan->paired || plan->channels_at_once < plan->p->channels_out;
}

static size_t lay_out(const columns_plan *plan, char *base, scratch *s) {
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

/* ---- plan ---------------------------------------------------------------------------------- */

/* The first output along an axis that meets sample i of the input, or -1. */
static int64_t first_output(const pyconvc_problem *p, int a, int64_t i) {
    for (int64_t t = p->kernel[a] - 1; t >= 0; t--) {
        const int64_t at = i + p->pad_before[a] - t * p->dilation[a];
        if (at >= 0 && at % p->stride[a] == 0 && at / p->stride[a] < p->output[a])
            return at / p->stride[a];
    }
    return -1;
}

static tap_run run_of(const columns_plan *plan, int64_t tap) {
    const pyconvc_problem *p = plan->p;
    const int64_t s = p->stride[W], at = tap * p->dilation[W] - p->pad_before[W];
    const int64_t phase = (at % s + s) % s, shift = (at - phase) / s;
    const int64_t first = max64(0, -shift), end = min64(p->output[W], plan->line - shift);
    return (tap_run){first, phase * plan->line + first + shift, max64(0, end - first)};
}

static int is_dense(const pyconvc_problem *p) {
    int64_t size = 1;
    for (int a = W; a >= D; a--) {
        if (p->kernel[a] > 1 && (p->flip || p->w_step[3 + a] != size)) return 0;
        size *= p->kernel[a];
    }
    return !(p->conjugate && parts_of(p->dtype) > 1) &&
           (p->channels_in == 1 || p->w_step[2] == size);
}

static int keeps_apart(const pyconvc_problem *p, int a) {
    return (p->kernel[a] - 1) * p->dilation[a] < p->stride[a];
}

/* Whether the taps of a row are the stride phases of a line of x, one each. */
static int meets_alone(const pyconvc_problem *p) {
    return keeps_apart(p, H) && p->kernel[W] == p->stride[W] && p->dilation[W] == 1 &&
           !p->pad_before[W] && p->input[W] <= p->output[W] * p->stride[W];
}

/* Whether all that taps along an axis meet lies in x. */
static int lies_inside(const pyconvc_problem *p, int a) {
    return !p->pad_before[a] &&
           (p->output[a] - 1) * p->stride[a] + (p->kernel[a] - 1) * p->dilation[a] < p->input[a];
}

/* Whether pairs cost less than folding though lines of y end in part of a vector, whose other lanes
 * are summed for nothing: cycles of a line of x. */
static int repays_lanes(const columns_plan *plan) {
    const pyconvc_problem *p = plan->p;
    const int64_t lanes = plan->outer->lanes, wide = p->output[W],
                  empty = round_up(wide, lanes) - wide;
    const double folding = FOLDED_SAMPLE * (double)wide + (p->output[D] > 1 ? FOLDED_DEPTH : 0),
                 parts = PART_PUT + (double)(empty * p->channels_out) / (double)lanes;
    return !empty || parts <= folding;
}

static int puts_pairs(const columns_plan *plan) {
    const pyconvc_problem *p = plan->p;
    return plan->outer->wide_pairs && plan->alone && keeps_apart(p, D) && lies_inside(p, D) &&
           lies_inside(p, H) && lies_inside(p, W) && p->stride[W] == 2 && p->x_step[5] == 1 &&
           repays_lanes(plan);
}

static void size_bands(columns_plan *plan) {
    const pyconvc_problem *p = plan->p;
    const int64_t lanes = plan->outer->lanes,
                  pixels = min64(PIXELS, Y_BYTES / (p->channels_out * plan->bytes));
    plan->depths = plan->paired ? 1 : p->output[D];
    plan->lines = plan->paired ? p->output[D] * p->output[H] : p->output[H];
    plan->row = plan->paired ? round_up(p->output[W], lanes) : p->output[W];
    plan->rows = min64(plan->lines, max64(1, pixels / plan->row));
    plan->bands = ceil_div(plan->lines, plan->rows);
    plan->rows = ceil_div(plan->lines, plan->bands);
    plan->pitch = round_up(plan->rows * plan->row, lanes);
    if (plan->pitch * plan->bytes % 128 == 0) plan->pitch += lanes; /* no aliasing */
    const int apart = keeps_apart(p, D) && keeps_apart(p, H);
    plan->parts_of_bands = apart ? plan->depths * plan->bands : 1;
}

static void size_blocks(columns_plan *plan) {
    const pyconvc_problem *p = plan->p;
    const int64_t most = plan->paired && p->channels_out <= CHANNELS ? PAIRED_COLUMNS : COLUMNS;
    const int64_t wanted = ceil_div(ENOUGH_TASKS, p->batch * p->groups * plan->parts_of_bands);
    const int64_t blocks = ceil_div(p->channels_in, max64(1, most / plan->taps));
    plan->channels = ceil_div(p->channels_in, min64(p->channels_in, max64(blocks, wanted)));
    plan->blocks = ceil_div(p->channels_in, plan->channels);
    plan->parts_of_blocks = min64(plan->blocks, wanted);
    plan->columns = round_up(plan->channels * plan->taps * plan->parts, plan->outer->columns);
    plan->channels_at_once = ceil_div(p->channels_out, ceil_div(p->channels_out, CHANNELS));
    const int64_t lines = ceil_div(
        plan->channels_at_once * plan->outer->columns * (plan->bytes / plan->parts), CACHE_LINE);
    plan->tile_bytes = (lines | 1) * CACHE_LINE; /* tiles begin in all sets of a cache */
    plan->line = ceil_div(p->input[W], p->stride[W]);
}

/* Where in x the pairs of columns of a block put their first samples. */
static void find_places(const columns_plan *plan) {
    const pyconvc_problem *p = plan->p;
    int64_t *to = plan->places;
    for (int64_t c = 0; c < plan->channels; c++)
        for (int64_t d = 0; d < p->kernel[D]; d++)
            for (int64_t h = 0; h < p->kernel[H]; h++)
                *to++ = c * p->x_step[2] + d * p->dilation[D] * p->x_step[3] +
                        h * p->dilation[H] * p->x_step[4];
}

static pyconvc_status make(columns_plan *plan, const pyconvc_problem *p) {
    const kernel_table *table = pyconvc_kernels();
    *plan = (columns_plan){.p = p, .taps = p->kernel[D] * p->kernel[H] * p->kernel[W]};
    if (!table) return PYCONVC_NO_ISA;
    plan->outer = &table->outer[p->dtype];
    plan->fold = &table->fold[p->dtype];
    plan->bytes = pyconvc_sample_bytes(p->dtype);
    plan->parts = parts_of(p->dtype);
    plan->dense = is_dense(p);
    plan->alone = meets_alone(p);
    plan->paired = puts_pairs(plan);
    size_bands(plan);
    size_blocks(plan);
    const int64_t columns = plan->outer->columns, places = plan->paired ? plan->columns : 0;
    plan->offsets =
        malloc((size_t)(columns + p->input[D] + p->input[H] + places) * sizeof *plan->offsets);
    plan->runs = malloc((size_t)p->kernel[W] * sizeof *plan->runs);
    if (!plan->offsets || !plan->runs) return PYCONVC_NO_MEMORY;
    for (int64_t t = 0; t < p->kernel[W]; t++)
        plan->runs[t] = run_of(plan, t);
    for (int64_t t = 0; t < columns; t++)
        plan->offsets[t] = t;
    plan->first[D] = plan->offsets + columns;
    plan->first[H] = plan->first[D] + p->input[D];
    for (int a = D; a <= H; a++)
        for (int64_t i = 0; i < p->input[a]; i++)
            plan->first[a][i] = first_output(p, a, i);
    plan->places = plan->first[H] + p->input[H];
    if (plan->paired) find_places(plan);
    return PYCONVC_OK;
}

/* ---- product ------------------------------------------------------------------------------- */

/* From the first sample of a channel of y to a line of a band, in samples. */
static int64_t line_at(const columns_plan *plan, const band *b, int64_t r) {
    const pyconvc_problem *p = plan->p;
    const int64_t line = b->row + r;
    return (b->depth + line / p->output[H]) * p->y_step[3] + line % p->output[H] * p->y_step[4];
}

/* A band of y: [channel][row and column]. */
static void pack_y(const job *j, const band *b, char *to) {
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
static void pack_w(const job *j, const band *b, int64_t k, int64_t count, const scratch *s) {
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

static ahead weights_ahead(const job *j, const band *b, int64_t k, int64_t count) {
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
static void place(const job *j, const band *b, int64_t first, int64_t vectors,
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
static void multiply(const job *j, const band *b, int64_t k, int64_t count, const scratch *s,
                     ahead *next) {
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
static void spread_bias(const job *j, const band *b, char *to) {
    const columns_plan *plan = j->plan;
    const int64_t pairs = plan->taps / 2, first = b->group * plan->p->channels_in + b->channel;
    for (int64_t i = 0; i < b->channels * pairs; i++)
        memcpy(to + i * plan->bytes, j->bias + (first + i / pairs) * plan->bytes,
               (size_t)plan->bytes);
}

/* ---- fold ---------------------------------------------------------------------------------- */

/* Column t of channel c, from row r of the band on. */
static const char *column(const columns_plan *plan, const scratch *s, int64_t c, int64_t t,
                          int64_t r) {
    return s->columns + ((c * plan->taps + t) * plan->pitch + r * plan->p->output[W]) * plan->bytes;
}

/* The sum of what the band's columns from depth tap kd on hold of row h of a channel of x: the
 * stride phases of its line, *pitch samples apart; NULL where they hold nothing. */
static const char *sum_line(const columns_plan *plan, const band *b, const scratch *s, int64_t c,
                            int64_t kd, int64_t h, int64_t *pitch) {
    const pyconvc_problem *p = plan->p;
    int met = 0;
    *pitch = plan->alone ? plan->pitch : plan->line;
    for (int64_t kh = 0; kh < p->kernel[H]; kh++) {
        const int64_t at = h + p->pad_before[H] - kh * p->dilation[H],
                      r = at / p->stride[H] - b->row;
        if (at < 0 || at % p->stride[H] || r < 0 || r >= b->rows) continue;
        const char *from = column(plan, s, c, (kd * p->kernel[H] + kh) * p->kernel[W], r);
        if (plan->alone) return from;
        if (!met++) memset(s->lines, 0, (size_t)(p->stride[W] * plan->line * plan->bytes));
        for (const tap_run *run = plan->runs; run < plan->runs + p->kernel[W];
             run++, from += plan->pitch * plan->bytes)
            plan->fold->add(s->lines + run->to * plan->bytes, from + run->from * plan->bytes,
                            run->count);
    }
    return met ? s->lines : NULL;
}

/* What the band adds to row h of depth d of a channel of x, met by depth tap kd. */
static void fold_line_of(const job *j, const band *b, const scratch *s, int64_t c, int64_t d,
                         int64_t kd, int64_t h) {
    static const char zero[16] = {0};
    const columns_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    fold_line line = {p->input[W], p->x_step[5], p->stride[W], 0};
    const char *sums = sum_line(plan, b, s, c, kd, h, &line.pitch);
    if (!sums) return;
    const int64_t channel = b->channel + c;
    const int is_first = plan->first[D][d] == b->depth && plan->first[H][h] >= b->row;
    const char *start =
        j->bias ? j->bias + (b->group * p->channels_in + channel) * plan->bytes : zero;
    const int64_t to = b->image * p->x_step[0] + b->group * p->x_step[1] + channel * p->x_step[2] +
                       d * p->x_step[3] + h * p->x_step[4];
    plan->fold->weave(&line, sums, is_first ? start : NULL, j->x + to * plan->bytes);
}

static void fold_band(const job *j, const band *b, const scratch *s) {
    const pyconvc_problem *p = j->plan->p;
    const int64_t top = b->row * p->stride[H] - p->pad_before[H],
                  end =
                      top + (b->rows - 1) * p->stride[H] + (p->kernel[H] - 1) * p->dilation[H] + 1;
    for (int64_t c = 0; c < b->channels; c++)
        for (int64_t kd = 0; kd < p->kernel[D]; kd++) {
            const int64_t d = b->depth * p->stride[D] + kd * p->dilation[D] - p->pad_before[D];
            if (d < 0 || d >= p->input[D]) continue;
            for (int64_t h = max64(0, top); h < min64(p->input[H], end); h++)
                fold_line_of(j, b, s, c, d, kd, h);
        }
}

/* Lines that no sample of y meets are the bias alone. */
static void put_bias(const job *j, const band *b) {
    static const char zero[16] = {0};
    const columns_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    for (int64_t c = b->channel; c < b->channel + b->channels; c++)
        for (int64_t d = 0; d < p->input[D]; d++)
            for (int64_t h = 0; h < p->input[H]; h++) {
                if (plan->first[D][d] >= 0 && plan->first[H][h] >= 0) continue;
                const char *start =
                    j->bias ? j->bias + (b->group * p->channels_in + c) * plan->bytes : zero;
                const int64_t to = b->image * p->x_step[0] + b->group * p->x_step[1] +
                                   c * p->x_step[2] + d * p->x_step[3] + h * p->x_step[4];
                for (int64_t i = 0; i < p->input[W]; i++)
                    memcpy(j->x + (to + i * p->x_step[5]) * plan->bytes, start,
                           (size_t)plan->bytes);
            }
}

/* ---- tasks --------------------------------------------------------------------------------- */

/* `then` is the block after this one. */
static void do_block(const job *j, const band *b, const band *then, const scratch *s) {
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
    if (!plan->paired) fold_band(j, b, s);
}

static int64_t part_of(int64_t count, int64_t part, int64_t parts) {
    return count * part / parts;
}

static void set_block(const columns_plan *plan, band *b, int64_t block) {
    b->channel = block * plan->channels;
    b->channels = min64(plan->channels, plan->p->channels_in - b->channel);
}

static void do_task(const void *context, int64_t index, void *memory) {
    const job *j = context;
    const columns_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    const int64_t of_bands = index % plan->parts_of_bands, rest = index / plan->parts_of_bands;
    const int64_t of_blocks = rest % plan->parts_of_blocks, image = rest / plan->parts_of_blocks;
    const int64_t bands = plan->depths * plan->bands,
                  last = part_of(bands, of_bands + 1, plan->parts_of_bands),
                  start = part_of(plan->blocks, of_blocks, plan->parts_of_blocks),
                  end = part_of(plan->blocks, of_blocks + 1, plan->parts_of_blocks);
    band b = {.image = image / p->groups, .group = image % p->groups};
    scratch s;
    lay_out(plan, memory, &s);
    for (int64_t i = part_of(bands, of_bands, plan->parts_of_bands); i < last; i++) {
        b.depth = i / plan->bands;
        b.row = i % plan->bands * plan->rows;
        b.rows = min64(plan->rows, plan->lines - b.row);
        pack_y(j, &b, s.y);
        for (int64_t block = start; block < end; block++) {
            band then = b;
            set_block(plan, &b, block);
            set_block(plan, &then, block + 1 < end ? block + 1 : start);
            do_block(j, &b, &then, &s);
            if (i == 0) put_bias(j, &b);
        }
    }
}

pyconvc_status columns_input_grad(const pyconvc_problem *p, const void *y, const void *w,
                                  const void *bias, void *x, const pyconvc_run *run) {
    columns_plan plan;
    scratch s;
    pyconvc_status status = make(&plan, p);
    if (!status) {
        const job j = {&plan, y, w, bias, x};
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
