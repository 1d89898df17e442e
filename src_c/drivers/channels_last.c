/* SPDX-License-Identifier: BSD-3-Clause
 * channels_last.c -- see channels_last.h. */
#include "channels_last.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "dispatch.h"
#include "gather.h"
#include "parallel.h"
#include "planes.h"
#include "problem.h"

#define CACHE_LINE   64
#define WAY_BYTES    4096 /* of the nearest cache, which has so many ways */
#define WAYS         8
#define NEAR_BYTES   (36 << 10)  /* a ring: about L1 */
#define WHOLE_BYTES  (64 << 10)  /* a ring of lines with all channels, which are read as they lie */
#define FEW_TAPS     9           /* with which copying in pieces costs more than reading from L2: */
#define FEW_BYTES    (192 << 10) /* such a ring then */
#define MOST_TWICE   8           /* one in so many samples may be packed twice */
#define FAR_BYTES    (1 << 20)   /* what the narrowest ring may take */
#define TURNED_BYTES (8 << 10)   /* outputs that are turned at once */
#define LEAST_TAPS   9           /* that repay turning */
#define LEAST_TILES  4           /* of a line that is read where it lies */
#define PLANE_BYTES  (16 << 10)  /* a ring that holds all lines of a block */
#define TASK_WORK    1e7 /* multiply-adds: a few milliseconds, so that a call can be interrupted */
#define WORKER_TASKS 8

enum { D, H, W };

typedef struct {
    const pyconvc_problem *p;
    const channels_last_kernels *kernels;
    int64_t bytes, parts; /* of a sample */
    int turned;           /* x and y have channels one after the other */
    int in_place;         /* but for a tile at either end, lines are read where they lie */

    /* Outputs of a line are taken in `sets`, every sets-th, and kernel columns in `classes`, every
     * classes-th: tap k + 1 of output q of a set and class then meets the sample that tap k of
     * output q + 1 does, at any stride and dilation. */
    int64_t sets, classes, run_count;
    channels_last_run *runs;
    char *taps; /* [block of channels][kernel row][kernel column][channel] */
    int64_t tap_bytes, block_taps;

    /* Tasks: image x depth x band of rows x block of columns x blocks of
     * channels. */
    int64_t channels, blocks, columns, column_blocks, rows, bands, tasks;
    int64_t blocks_at_once, block_parts; /* blocks of a task */
    int64_t window; /* lines of the input from the first to the last that an output meets */
    int64_t lines, line_bytes; /* of the ring: one window for each depth tap */
    int64_t samples;           /* of a line that are packed */
    int64_t rows_at_once;      /* of outputs, for the kernel; turned, together */
    int64_t turned_rows;
    int workers;
} plan;

typedef struct {
    const plan *plan;
    const char *x, *bias;
    char *y;
} job;

/* What a worker's scratch holds. */
typedef struct {
    const void **rows;  /* of the kernel: packed, */
    const void **there; /* and where they lie */
    int64_t *held;      /* which line each of the ring holds, from the first of the task */
    const char **at;    /* and where: there, or the line of the constant */
    const char **from;  /* and what it was packed from, or that */
    char *ring;         /* and a line of the constant */
    char *outputs;      /* to be turned */
} scratch;

typedef struct {
    int64_t image, depth, row, rows, column, columns;
    int64_t block, end;        /* of channels: this one, and after the last */
    int64_t channel, channels; /* of the block */
    gather_range range;        /* of the samples of a line */
} task;

/* ---- sizes -------------------------------------------------------------------------------------
 */

/* Samples that so many outputs of a line meet; tiles are computed whole. */
static int64_t samples_met(const plan *k, int64_t columns) {
    const pyconvc_problem *p = k->p;
    const int64_t sets = min64(k->sets, columns),
                  steps = max64(ceil_div(columns, sets), k->kernels->outputs) - 1;
    return (sets - 1 + steps * k->sets) * p->stride[W] + (p->kernel[W] - 1) * p->dilation[W] + 1;
}

static double ring_bytes(const plan *k, int64_t columns, int64_t channels) {
    return (double)(k->lines + 1) * (double)samples_met(k, columns) * (double)(channels * k->bytes);
}

/* Parts of a line of outputs, of not less than so many, whose ring takes at most so many bytes. */
static int64_t find_parts(const plan *k, int64_t channels, double bytes) {
    const int64_t width = k->p->output[W], least = min64(width, 2 * k->kernels->outputs * k->sets);
    int64_t parts = 1;
    while (ring_bytes(k, ceil_div(width, parts), channels) > bytes &&
           ceil_div(width, parts + 1) >= least)
        parts++;
    return parts;
}

/* Whether samples of so many channels are so far apart that those which a tile meets, and those of
 * its outputs, drive each other out of the nearest cache: at powers of two they share few sets. */
static int samples_collide(const plan *k, int64_t channels) {
    const pyconvc_problem *p = k->p;
    const int64_t tile = k->kernels->outputs,
                  places = WAY_BYTES / max64(gcd64(channels * k->bytes, WAY_BYTES), CACHE_LINE);
    return p->kernel[D] * p->kernel[H] * samples_met(k, tile) + tile > places * WAYS;
}

/* Columns and channels whose ring stays near: first narrower lines with all channels, which are
 * copied in one piece, if few samples are packed twice for that, and a cache line further apart if
 * they would collide; else narrower lines, then more channels. */
static void size_blocks(plan *k) {
    const pyconvc_problem *p = k->p;
    const double most =
        p->kernel[D] * p->kernel[H] * p->kernel[W] <= FEW_TAPS ? FEW_BYTES : WHOLE_BYTES;
    const int64_t lanes = k->kernels->lanes, line = max64(lanes, CACHE_LINE / k->bytes),
                  groups = round_up(p->groups, lanes), width = p->output[W],
                  parts = find_parts(k, groups, most), part = ceil_div(width, parts);
    if (k->turned) {
        k->channels = lanes;
        k->columns = width;
    } else if (ring_bytes(k, part, groups) <= most &&
               MOST_TWICE * (samples_met(k, part) * parts - samples_met(k, width)) <=
                   samples_met(k, width)) {
        k->channels = samples_collide(k, groups) ? groups + line : groups;
        k->columns = part;
    } else {
        k->channels = min64(line, groups);
        k->columns = ceil_div(width, find_parts(k, k->channels, NEAR_BYTES));
        while (k->channels < groups && ring_bytes(k, k->columns, k->channels + line) <= NEAR_BYTES)
            k->channels = min64(k->channels + line, groups);
    }
    k->blocks = ceil_div(p->groups, k->channels);
    k->column_blocks = ceil_div(p->output[W], k->columns);
    k->samples = samples_met(k, k->columns);
    k->line_bytes = k->samples * k->channels * k->bytes;
    const int64_t turned = TURNED_BYTES / (p->output[W] * k->channels * k->bytes);
    k->turned_rows = p->y_step[4] == p->output[W] ? max64(1, turned) : 1;
    k->rows_at_once = 1;
}

/* A ring that never turns, if that is near: then the kernel goes through all rows at once. */
static void size_ring(plan *k) {
    const pyconvc_problem *p = k->p;
    const int64_t lines = (p->output[H] - 1) * p->stride[H] + p->kernel[H];
    if (p->kernel[D] > 1 || p->dilation[H] > 1 || (lines + 1) * k->line_bytes > PLANE_BYTES) return;
    k->window = k->lines = lines;
    k->rows_at_once = k->turned ? k->turned_rows : p->output[H];
}

/* Enough tasks for all workers, of bounded work. */
static void size_tasks(plan *k) {
    const pyconvc_problem *p = k->p;
    const int64_t others = p->batch * p->output[D] * k->blocks * k->column_blocks,
                  wanted = k->workers > 1 ? WORKER_TASKS * k->workers : 1;
    const double work =
        (double)(k->columns * k->channels) * (double)(p->kernel[D] * p->kernel[H] * p->kernel[W]);
    const int64_t most = max64(1, min64((int64_t)(TASK_WORK / work), p->output[H]));
    k->bands = max64(ceil_div(p->output[H], most), min64(p->output[H], ceil_div(wanted, others)));
    k->rows = ceil_div(p->output[H], k->bands);
    k->bands = ceil_div(p->output[H], k->rows);
    k->blocks_at_once = max64(
        1, min64((int64_t)(TASK_WORK / (work * (double)k->rows)), others * k->bands / wanted));
    k->blocks_at_once = min64(k->blocks_at_once, k->blocks);
    k->block_parts = ceil_div(k->blocks, k->blocks_at_once);
    k->tasks = others / k->blocks * k->block_parts * k->bands;
}

/* Whether dense lines are read where they lie, which saves copying most of them. */
static int reads_in_place(const plan *k) {
    const pyconvc_problem *p = k->p;
    const int64_t tile = k->kernels->outputs, last = (p->output[W] - tile - 1) * p->stride[W] -
                                                     p->pad_before[W] +
                                                     (p->kernel[W] - 1) * p->dilation[W];
    return !k->turned && k->sets == 1 && k->rows_at_once == 1 && k->column_blocks == 1 &&
           k->channels == p->groups && p->x_step[5] == p->groups && p->pad_before[W] >= 0 &&
           p->output[W] >= LEAST_TILES * tile && p->pad_before[W] <= tile * p->stride[W] &&
           last < p->input[W];
}

static void size(plan *k, const pyconvc_problem *p, const kernel_table *table) {
    const int64_t common = gcd64(p->stride[W], p->dilation[W]);
    *k = (plan){.p = p,
                .kernels = &table->channels_last[p->dtype],
                .bytes = pyconvc_sample_bytes(p->dtype),
                .parts = parts_of(p->dtype),
                .turned = p->x_step[1] != 1,
                .sets = p->dilation[W] / common,
                .classes = min64(p->stride[W] / common, p->kernel[W]),
                .window = (p->kernel[H] - 1) * p->dilation[H] + 1,
                .workers = 1};
    k->lines = k->window * p->kernel[D];
    size_blocks(k);
    size_ring(k);
    k->in_place = reads_in_place(k);
}

/* Whether the samples of neighbouring groups are neighbours, and fill vectors well. */
static int lies_across(const pyconvc_problem *p, int64_t lanes) {
    return p->channels_in == 1 && p->channels_out == 1 && p->x_step[1] == 1 && p->y_step[1] == 1 &&
           2 * p->groups >= lanes && p->groups > 1;
}

/* Whether tiles of samples of channels waste less than vectors of samples of a line do: of narrow
 * planes, or where lines would have to be taken apart for their stride. */
static int fills_tiles(const pyconvc_problem *p, const channels_last_kernels *kernels) {
    const int64_t sets = p->dilation[W] / gcd64(p->stride[W], p->dilation[W]), width = p->output[W],
                  turned = sets * round_up(ceil_div(width, sets), kernels->outputs),
                  others = round_up(width, kernels->lanes);
    return p->stride[W] > 1 ? turned <= others : turned < others && width < 2 * kernels->lanes;
}

/* Whether planes are dense, and turning them costs less than it gains. */
static int is_turned(const pyconvc_problem *p, const channels_last_kernels *kernels) {
    const int64_t taps = p->kernel[D] * p->kernel[H] * p->kernel[W];
    return kernels->turn_in && p->channels_in == 1 && p->channels_out == 1 &&
           2 * p->groups >= kernels->lanes && p->groups > 1 && p->x_step[5] == 1 &&
           p->x_step[4] == p->input[W] && p->input[H] * p->input[W] >= kernels->lanes &&
           p->y_step[5] == 1 && p->boundary[W] == PYCONVC_CONSTANT && taps >= LEAST_TAPS &&
           fills_tiles(p, kernels) &&
           !(p->stride[W] <= 2 && planes_have_edges(p, p->stride[W], kernels->lanes));
}

int channels_last_suits(const pyconvc_problem *p) {
    const kernel_table *table = pyconvc_kernels();
    plan k;
    if (!table) return 0;
    const channels_last_kernels *kernels = &table->channels_last[p->dtype];
    if (!lies_across(p, kernels->lanes) && !is_turned(p, kernels)) return 0;
    size(&k, p, table);
    return ring_bytes(&k, k.columns, k.channels) <= (k.turned ? NEAR_BYTES : FAR_BYTES);
}

/* ---- taps --------------------------------------------------------------------------------------
 */

static int64_t flipped(const pyconvc_problem *p, int a, int64_t tap) {
    return p->flip ? p->kernel[a] - 1 - tap : tap;
}

/* Samples to parts, each as often as a sample has parts. */
static void spread_parts(const plan *k, const char *samples, int64_t count, char *to) {
    const int64_t part = k->bytes / 2;
    for (int i = 0; i < 2; i++)
        for (int64_t j = 0; j < count; j++)
            for (int twice = 0; twice < 2; twice++)
                memcpy(to + i * k->tap_bytes / 2 + j * k->bytes + twice * part,
                       samples + j * k->bytes + i * part, (size_t)part);
}

/* One tap of some channels. */
static void pack_tap(const plan *k, const char *w, int64_t channels, char *samples, char *to) {
    gather_all(k->bytes, w, channels, k->p->w_step[0], k->parts == 1 ? to : samples);
    if (k->parts == 1) return;
    for (int64_t j = 0; j < channels && k->p->conjugate; j++)
        pyconvc_conjugate(k->p->dtype, samples + j * k->bytes);
    spread_parts(k, samples, channels, to);
}

/* Whether the taps of a channel lie one after the other, so that they are turned. */
static int turns_taps(const plan *k) {
    const pyconvc_problem *p = k->p;
    const int64_t *n = p->kernel, *step = p->w_step;
    return k->kernels->turn_in && k->block_taps >= k->kernels->lanes && step[5] == 1 &&
           step[4] == n[W] && (n[D] == 1 || step[3] == n[H] * n[W]);
}

static void turn_taps(const plan *k, const char *w) {
    const pyconvc_problem *p = k->p;
    const int64_t lanes = k->kernels->lanes, last = k->block_taps - 1;
    for (int64_t first = 0; first < p->groups; first += lanes)
        k->kernels->turn_in(
            w + first * p->w_step[0] * k->bytes, p->w_step[0], k->block_taps,
            min64(lanes, p->groups - first), 0, p->flip ? -k->channels : k->channels,
            k->taps + first / k->channels * k->block_taps * k->tap_bytes +
                first % k->channels * k->bytes + (p->flip ? last : 0) * k->tap_bytes);
}

static void pack_taps(const plan *k, const char *w, char *samples) {
    const pyconvc_problem *p = k->p;
    char *to = k->taps;
    for (int64_t first = 0; first < p->groups; first += k->channels)
        for (int64_t d = 0; d < p->kernel[D]; d++)
            for (int64_t h = 0; h < p->kernel[H]; h++)
                for (int64_t t = 0; t < p->kernel[W]; t++, to += k->tap_bytes) {
                    const int64_t at = first * p->w_step[0] + flipped(p, D, d) * p->w_step[3] +
                                       flipped(p, H, h) * p->w_step[4] +
                                       flipped(p, W, t) * p->w_step[5];
                    pack_tap(k, w + at * k->bytes, min64(k->channels, p->groups - first), samples,
                             to);
                }
}

/* Runs of nearly equal length, none longer than the kernel's. */
static void find_runs(plan *k) {
    const pyconvc_problem *p = k->p;
    for (int64_t class = 0; class < k->classes; class ++) {
        int64_t left = ceil_div(p->kernel[W] - class, k->classes), tap = class;
        for (int64_t runs = ceil_div(left, k->kernels->run); runs > 0; runs--) {
            const int64_t length = ceil_div(left, runs);
            k->runs[k->run_count++] = (channels_last_run){
                tap * p->dilation[W] * k->channels * k->parts, tap, k->classes, (int32_t)length};
            tap += length * k->classes;
            left -= length;
        }
    }
}

static pyconvc_status prepare(plan *k, const void *w) {
    const pyconvc_problem *p = k->p;
    k->tap_bytes = k->channels * k->bytes * k->parts;
    k->block_taps = p->kernel[D] * p->kernel[H] * p->kernel[W];
    k->runs = malloc((size_t)p->kernel[W] * sizeof *k->runs);
    k->taps = calloc((size_t)(k->blocks * k->block_taps), (size_t)k->tap_bytes);
    char *samples = malloc((size_t)(k->channels * k->bytes));
    if (k->runs && k->taps && samples) {
        find_runs(k);
        if (turns_taps(k))
            turn_taps(k, w);
        else
            pack_taps(k, w, samples);
    }
    free(samples);
    return k->runs && k->taps && samples ? PYCONVC_OK : PYCONVC_NO_MEMORY;
}

/* ---- packed lines ------------------------------------------------------------------------------
 */

/* Lines of a plane that so many rows of outputs meet, which are each line if those are several. */
static int64_t lines_met(const pyconvc_problem *p, int64_t rows) {
    return p->kernel[H] + (rows - 1) * p->stride[H];
}

static size_t lay_out(const plan *k, char *base, scratch *s) {
    const pyconvc_problem *p = k->p;
    arena a = {base, 0};
    s->rows = carve(&a, p->kernel[D] * lines_met(p, k->rows_at_once) * (int64_t)sizeof *s->rows);
    s->there = carve(&a, k->in_place ? p->kernel[D] * p->kernel[H] * (int64_t)sizeof *s->there : 0);
    s->held = carve(&a, k->lines * (int64_t)sizeof *s->held);
    s->at = carve(&a, k->lines * (int64_t)sizeof *s->at);
    s->from = carve(&a, k->lines * (int64_t)sizeof *s->from);
    s->ring = carve(&a, (k->lines + 1) * k->line_bytes);
    s->outputs = carve(&a, k->turned ? max64(k->turned_rows * p->output[W], k->kernels->lanes) *
                                           k->channels * k->bytes
                                     : 0);
    return (size_t)a.bytes;
}

size_t channels_last_scratch(const pyconvc_problem *p) {
    plan k;
    scratch s;
    size(&k, p, pyconvc_kernels());
    return lay_out(&k, NULL, &s);
}

/* What the first and the last tile of a line meet. */
static void copy_ends(const plan *k, const gather_range *r, const char *from, char *to) {
    const int64_t pitch = k->channels * k->bytes, tile = k->kernels->outputs,
                  head = min64(r->inside, max64(0, samples_met(k, tile) - r->before)),
                  tail = max64(head, (k->p->output[W] - tile) * k->p->stride[W] - r->before);
    memcpy(to, from, (size_t)(head * pitch));
    if (tail < r->inside)
        memcpy(to + tail * pitch, from + tail * pitch, (size_t)((r->inside - tail) * pitch));
}

/* Samples of line y of a plane, from one on; where they are turned, x is the plane's first. */
static void pack_inside(const plan *k, const task *t, const char *x, int64_t y, char *to) {
    const pyconvc_problem *p = k->p;
    const gather_range *r = &t->range;
    const int64_t step = p->x_step[5] * k->bytes, pitch = k->channels * k->bytes,
                  bytes = t->channels * k->bytes, column = r->first + r->before,
                  at = y * p->x_step[4] + column * p->x_step[5];
    const char *from = x + at * k->bytes;
    if (k->in_place)
        copy_ends(k, r, from, to);
    else if (k->turned && r->inside)
        k->kernels->turn_in(from, p->x_step[1], r->inside, t->channels, at, k->channels, to);
    else if (k->turned)
        return;
    else if (step == pitch && bytes == pitch)
        memcpy(to, from, (size_t)(r->inside * pitch));
    else
        k->kernels->copy(from, p->x_step[5] * k->parts, r->inside, t->channels * k->parts,
                         k->channels * k->parts, to);
}

/* Line y of a plane. What a CONSTANT rule has beyond its ends is there already. */
static void pack_line(const plan *k, const task *t, const char *x, int64_t y, char *to) {
    const pyconvc_problem *p = k->p;
    const gather_range *r = &t->range;
    const int64_t pitch = k->channels * k->bytes;
    pack_inside(k, t, x, y, to + r->before * pitch);
    for (int64_t i = 0; i < r->before + r->after && p->boundary[W] != PYCONVC_CONSTANT; i++) {
        const int64_t j = i < r->before ? i : i + r->inside,
                      column = pyconvc_boundary_index(p->boundary[W], r->first + j, p->input[W]);
        memcpy(to + j * pitch, x + (y * p->x_step[4] + column * p->x_step[5]) * k->bytes,
               (size_t)(t->channels * k->bytes));
    }
}

/* A line into a slot of the ring; x: the plane, or NULL. */
static void hold_line(const plan *k, const task *t, const char *x, int64_t line, int64_t slot,
                      const scratch *s) {
    const pyconvc_problem *p = k->p;
    const int64_t y = pyconvc_boundary_index(p->boundary[H], line - p->pad_before[H], p->input[H]);
    char *to = s->ring + (x && y >= 0 ? slot : k->lines) * k->line_bytes;
    if (x && y >= 0) pack_line(k, t, x, y, to);
    s->at[slot] = to;
    s->from[slot] = x && y >= 0 ? x + y * p->x_step[4] * k->bytes : to;
    s->held[slot] = line;
}

/* The lines that some rows of outputs meet, packed where they are not yet; those that a row before
 * met are known. */
static void find_rows(const job *j, const task *t, int64_t row, int64_t count, const scratch *s) {
    const plan *k = j->plan;
    const pyconvc_problem *p = k->p;
    const int64_t rows = lines_met(p, count), step = p->dilation[H],
                  known = row > t->row && step == 1 && k->rows_at_once == 1
                              ? max64(0, rows - p->stride[H])
                              : 0,
                  first = row * p->stride[H] + known * step, place = first % k->window;
    const void **to = s->rows;
    const void **there = s->there;
    for (int64_t d = 0; d < p->kernel[D]; d++, to += rows, there += rows) {
        if (known) memmove(to, to + p->stride[H], (size_t)known * sizeof *to);
        if (known && k->in_place)
            memmove(there, there + p->stride[H], (size_t)known * sizeof *there);
        const int64_t z = pyconvc_boundary_index(
            p->boundary[D], t->depth * p->stride[D] - p->pad_before[D] + d * p->dilation[D],
            p->input[D]);
        const char *plane =
            j->x +
            (t->image * p->x_step[0] + t->channel * p->x_step[1] + z * p->x_step[3]) * k->bytes;
        for (int64_t h = known, in = place, line = first; h < rows; h++, line += step) {
            const int64_t slot = d * k->window + in;
            if (s->held[slot] != line) hold_line(k, t, z < 0 ? NULL : plane, line, slot, s);
            to[h] = s->at[slot];
            if (k->in_place) there[h] = s->from[slot];
            in += step;
            if (in >= k->window) in -= k->window;
        }
    }
}

/* ---- tasks -------------------------------------------------------------------------------------
 */

static void locate(const plan *k, int64_t index, task *t) {
    const pyconvc_problem *p = k->p;
    t->block = index % k->block_parts * k->blocks_at_once;
    t->end = min64(k->blocks, t->block + k->blocks_at_once);
    index /= k->block_parts;
    t->column = index % k->column_blocks * k->columns;
    t->columns = min64(k->columns, p->output[W] - t->column);
    index /= k->column_blocks;
    t->row = index % k->bands * k->rows;
    t->rows = min64(k->rows, p->output[H] - t->row);
    t->depth = index / k->bands % p->output[D];
    t->image = index / k->bands / p->output[D];
    const gather_line line = {k->bytes, p->input[W], p->x_step[5], p->boundary[W], p->fill};
    t->range = gather_find(&line, t->column * p->stride[W] - p->pad_before[W], 1,
                           samples_met(k, t->columns));
}

/* The first output of a task's row r in y, in bytes. */
static int64_t place(const plan *k, const task *t, int64_t r) {
    const int64_t *step = k->p->y_step;
    return (t->image * step[0] + t->channel * step[1] + t->depth * step[3] + r * step[4] +
            t->column * step[5]) *
           k->bytes;
}

/* A row of outputs: a tile, what is inside, and a tile. */
static void do_in_place(const plan *k, const scratch *s, channels_last_job *c, char *y) {
    const pyconvc_problem *p = k->p;
    const int64_t tile = k->kernels->outputs, width = p->output[W],
                  columns[] = {0, tile, width - tile, width};
    for (int i = 0; i < 3; i++) {
        const int64_t at = columns[i] * p->stride[W] - (i == 1 ? p->pad_before[W] : 0);
        c->rows = i == 1 ? s->there : s->rows;
        c->first = at * k->channels * k->parts;
        c->y = y + columns[i] * p->y_step[5] * k->bytes;
        c->width = columns[i + 1] - columns[i];
        k->kernels->filter(c);
    }
}

/* Rows of outputs to y, `pitch` samples apart, the samples `step`; c has what does not depend on
 * the row. */
static void do_rows(const job *j, const task *t, int64_t r, int64_t count, const scratch *s,
                    channels_last_job *c, char *y, int64_t pitch, int64_t step) {
    const plan *k = j->plan;
    find_rows(j, t, r, count, s);
    c->height = count;
    c->y_pitch = pitch * k->parts;
    c->y_step = k->sets * step * k->parts;
    if (k->in_place) {
        do_in_place(k, s, c, y);
        return;
    }
    for (int64_t set = 0; set < min64(k->sets, t->columns); set++) {
        c->first = set * k->p->stride[W] * k->channels * k->parts;
        c->y = y + set * step * k->bytes;
        c->width = k->sets == 1 ? t->columns : ceil_div(t->columns - set, k->sets);
        k->kernels->filter(c);
    }
}

/* All rows of a task whose outputs are turned, some at a time. */
static void do_turned(const job *j, const task *t, const scratch *s, channels_last_job *c) {
    const plan *k = j->plan;
    const int64_t line = t->columns * k->channels;
    for (int64_t r = 0, count; r < t->rows; r += count) {
        count = min64(k->turned_rows, t->rows - r);
        for (int64_t i = 0; i < count; i += k->rows_at_once)
            do_rows(j, t, t->row + r + i, min64(k->rows_at_once, count), s, c,
                    s->outputs + i * line * k->bytes, line, k->channels);
        k->kernels->turn_out(s->outputs, count * t->columns, t->channels, k->p->y_step[1],
                             j->y + place(k, t, t->row + r));
    }
}

/* A block of channels. */
static void do_block(const job *j, task *t, const scratch *s) {
    const plan *k = j->plan;
    const pyconvc_problem *p = k->p;
    const int64_t taps_step = k->tap_bytes / (k->bytes / k->parts);
    t->channel = t->block * k->channels;
    t->channels = min64(k->channels, p->groups - t->channel);
    channels_last_job c = {.rows = s->rows,
                           .rows_step = p->stride[H],
                           .row_count = p->kernel[D] * p->kernel[H],
                           .runs = k->runs,
                           .run_count = k->run_count,
                           .bias = j->bias ? j->bias + t->channel * k->bytes : NULL,
                           .taps = k->taps + t->block * k->block_taps * k->tap_bytes,
                           .taps_row = p->kernel[W] * taps_step,
                           .taps_step = taps_step,
                           .x_step = k->channels * k->parts * k->sets * p->stride[W],
                           .channels = t->channels * k->parts};
    memset(s->held, -1, (size_t)k->lines * sizeof *s->held);
    if (k->turned)
        do_turned(j, t, s, &c);
    else
        for (int64_t r = 0; r < t->rows; r += k->rows_at_once)
            do_rows(j, t, t->row + r, min64(k->rows_at_once, t->rows), s, &c,
                    j->y + place(k, t, t->row + r), p->y_step[4], p->y_step[5]);
}

/* What a CONSTANT rule has beyond the ends of lines is the same for all blocks. */
static void do_task(const void *context, int64_t index, void *memory) {
    const job *j = context;
    const plan *k = j->plan;
    scratch s;
    task t;
    lay_out(k, memory, &s);
    locate(k, index, &t);
    gather_fill(k->bytes, k->p->fill, (k->lines + 1) * k->samples * k->channels, s.ring);
    for (; t.block < t.end; t.block++)
        do_block(j, &t, &s);
}

static double multiply_adds(const plan *k) {
    const pyconvc_problem *p = k->p;
    return (double)(p->batch * p->groups) * (double)(p->output[D] * p->output[H]) *
           (double)p->output[W] * (double)(p->kernel[D] * p->kernel[H] * p->kernel[W]);
}

pyconvc_status channels_last_correlate(const pyconvc_problem *p, const void *x, const void *w,
                                       const void *bias, void *y, const pyconvc_run *run) {
    plan k;
    scratch s;
    size(&k, p, pyconvc_kernels());
    k.workers = parallel_workers(run, multiply_adds(&k) * (double)k.bytes);
    size_tasks(&k);
    const job j = {&k, x, bias, y};
    pyconvc_status status = prepare(&k, w);
    if (!status) status = parallel_for(k.tasks, k.workers, lay_out(&k, NULL, &s), do_task, &j, run);
    free(k.runs);
    free(k.taps);
    return status;
}
