/* SPDX-License-Identifier: BSD-3-Clause
 * filter_plan.c -- tap programs, regions, tiling (see filter.h). Nothing here depends on who
 * computes what, except the number of tasks: results have the same bits for every number of
 * workers. */
#include <stdlib.h>
#include <unistd.h>

#include "filter.h"
#include "filter_planes.h"
#include "gather.h"
#include "parallel.h"

#define STRIP_BYTES      (1 << 19) /* what strips should fit in: about half an L2 cache */
#define STRIP_LIMIT      (6 << 20) /* what they may take at most */
#define SWEEP_BYTES      (1 << 18) /* input rows that a sweep down a block of columns keeps near */
#define MOST_COLUMNS     4096
#define LINE_BLOCK       16384
#define INSIDE           8          /* times the borders of a line that is read in place */
#define SMALL_BYTES      (12 << 10) /* outputs of a plane whose lines are copied whole */
#define TASKS_PER_WORKER 8
#define MOST_DEPTHS      32 /* of a task: few of its planes are copied for another task too */
#define VOLUME_TAPS      9  /* of a volume's kernel that repay the copies of its lines */

enum { D, H, W }; /* the spatial axes */

static int is_line(const pyconvc_problem *p, const filter_kernels *k) {
    return p->channels_in == 1 && p->kernel[D] == 1 && p->kernel[H] == 1 && p->stride[W] == 1 &&
           p->dilation[W] == 1 && p->output[W] >= 4 * k->lanes;
}

/* ---- taps ------------------------------------------------------------------------------------ */

/* Chunks of nearly equal length, none longer than `most`. */
static int64_t chunk_length(int64_t count, int64_t most, int64_t chunk) {
    const int64_t chunks = ceil_div(count, most);
    return count / chunks + (chunk < count % chunks);
}

typedef struct {
    filter_plan *plan;
    int64_t block;
    int64_t *order; /* gets where the taps of a plane lie in w; NULL when placing blocks */
} packer;

static int64_t flipped(const pyconvc_problem *p, int a, int64_t tap) {
    return p->flip ? p->kernel[a] - 1 - tap : tap;
}

static void put_tap(packer *k, int64_t row, int64_t column) {
    const pyconvc_problem *p = k->plan->p;
    if (k->order)
        *k->order++ = flipped(p, H, row) * p->w_step[4] + flipped(p, W, column) * p->w_step[5];
}

/* Whether a run continues a block; a block of one column takes the step that it needs. */
static int continues(const filter_block *b, int64_t row, int64_t column, int64_t length) {
    const int64_t step = b->columns == 1 ? column - b->column : b->step;
    return b->row == row && b->length == length && column == b->column + b->columns * step;
}

static void put_run(packer *k, int64_t row, int64_t column, int64_t length) {
    filter_block *last = k->plan->blocks + k->block - 1;
    if (k->order) return;
    if (k->block && continues(last, row, column, length)) {
        last->step = (column - last->column) / last->columns;
        last->columns++;
    } else {
        k->plan->blocks[k->block++] = (filter_block){row, column, 0, 1, (int32_t)length};
    }
}

/* Where tap column t reads, from the pointer of a row or strip. */
static int64_t tap_column(const filter_plan *plan, int64_t t) {
    return phases_tap(&plan->phases, plan->phase_pitch, t) * plan->parts;
}

/* One plane for the tile kernel: classes of kernel rows in chunks, for each the kernel columns. */
static void walk_tile(packer *k, int64_t first_row) {
    const filter_plan *plan = k->plan;
    for (int64_t c = 0; c < plan->classes; c++) {
        const int64_t taps = ceil_div(plan->p->kernel[H] - c, plan->classes);
        for (int64_t row = 0, chunk = 0; row < taps; chunk++) {
            const int64_t length = chunk_length(taps, plan->kernels->tile_chunk, chunk);
            const int64_t at = first_row + c * plan->rows_per_class + row;
            for (int64_t column = 0; column < plan->p->kernel[W]; column++) {
                put_run(k, at, tap_column(plan, column), length);
                for (int64_t i = 0; i < length; i++)
                    put_tap(k, c + (row + i) * plan->classes, column);
            }
            row += length;
        }
    }
}

/* The line kernel reads a line as rows of `lanes` samples: tap s + lanes * q is kernel row q,
 * column s. */
static void walk_line(packer *k) {
    const int64_t taps = k->plan->p->kernel[W], lanes = k->plan->kernels->lanes;
    const int64_t rows = ceil_div(taps, lanes);
    for (int64_t row = 0, chunk = 0; row < rows; chunk++) {
        const int64_t length = chunk_length(rows, k->plan->kernels->line_chunk, chunk);
        for (int64_t s = 0; s < lanes && row * lanes + s < taps; s++) {
            const int64_t first = row * lanes + s,
                          here = min64(length, ceil_div(taps - first, lanes));
            put_run(k, 0, first * k->plan->parts, here);
            for (int64_t i = 0; i < here; i++)
                put_tap(k, 0, first + i * lanes);
        }
        row += length;
    }
}

static void walk(packer *k, int64_t plane) {
    if (k->plan->use_line)
        walk_line(k);
    else
        walk_tile(k, plane * k->plan->rows_per_plane);
}

/* Blocks of a plane if no two runs could be joined. */
static int64_t most_blocks(const filter_plan *plan) {
    const int64_t lanes = plan->kernels->lanes, taps = plan->p->kernel[W];
    if (!plan->use_line)
        return plan->classes * taps *
               ceil_div(ceil_div(plan->p->kernel[H], plan->classes), plan->kernels->tile_chunk);
    return min64(taps, ceil_div(ceil_div(taps, lanes), plan->kernels->line_chunk) * lanes);
}

static void pack_channel(filter_plan *plan, const char *w, const int64_t *order, char *to) {
    const pyconvc_problem *p = plan->p;
    for (int64_t c = 0; c < p->channels_in; c++)
        for (int64_t d = 0; d < p->kernel[D]; d++) {
            const int64_t at = c * p->w_step[2] + flipped(p, D, d) * p->w_step[3];
            gather_at(plan->bytes, w + at * plan->bytes, order, plan->taps_per_plane, to);
            to += plan->taps_per_plane * plan->bytes;
        }
}

static pyconvc_status pack_taps(filter_plan *plan, const char *w) {
    const pyconvc_problem *p = plan->p;
    const int64_t outputs = p->groups * p->channels_out,
                  channel_bytes = plan->planes * plan->taps_per_plane * plan->bytes;
    int64_t *order = malloc((size_t)plan->taps_per_plane * sizeof *order);
    plan->blocks =
        malloc((size_t)(plan->planes_at_once * plan->blocks_per_plane) * sizeof *plan->blocks);
    plan->taps = malloc((size_t)(outputs * channel_bytes));
    if (!order || !plan->blocks || !plan->taps) {
        free(order);
        return PYCONVC_NO_MEMORY;
    }
    packer place = {plan, 0, NULL}, list = {plan, 0, order};
    for (int64_t plane = 0; plane < plan->planes_at_once; plane++)
        walk(&place, plane);
    walk(&list, 0);
    plan->program = (filter_program){plan->blocks, place.block};
    plan->blocks_per_plane = place.block / plan->planes_at_once;
    for (int64_t k = 0; k < outputs; k++) {
        const int64_t at = k / p->channels_out * p->w_step[0] + k % p->channels_out * p->w_step[1];
        pack_channel(plan, w + at * plan->bytes, order, plan->taps + k * channel_bytes);
    }
    free(order);
    if (p->conjugate)
        for (int64_t i = 0; i < outputs * channel_bytes; i += plan->bytes)
            pyconvc_conjugate(p->dtype, plan->taps + i);
    return PYCONVC_OK;
}

/* ---- rows of the input ------------------------------------------------------------------------
 */

row_numbering number_rows(const pyconvc_problem *p, int64_t outputs) {
    const int64_t dense = (outputs - 1) * p->stride[H] + (p->kernel[H] - 1) * p->dilation[H] + 1;
    const int64_t sparse = outputs * p->kernel[H];
    if (dense <= sparse) return (row_numbering){dense, p->stride[H], p->dilation[H], 1};
    return (row_numbering){sparse, 1, outputs, 0};
}

int64_t numbered_row(const pyconvc_problem *p, const row_numbering *rows, int64_t outputs,
                     int64_t i) {
    return rows->dense ? i : i % outputs * p->stride[H] + i / outputs * p->dilation[H];
}

/* ---- columns --------------------------------------------------------------------------------- */

static int64_t halo(const pyconvc_problem *p) {
    return (p->kernel[W] - 1) * p->dilation[W];
}

/* Whether the lines of a volume are copied to strips everywhere: those that an output meets lie
 * planes apart, where they drive each other out of the nearest cache, and each serves several taps.
 */
static int copies_lines(const filter_plan *plan) {
    const pyconvc_problem *p = plan->p;
    return p->kernel[D] > 1 && p->kernel[W] > 1 && !(plan->flags & FILTER_STREAM) &&
           plan->planes * plan->taps_per_plane >= VOLUME_TAPS;
}

/* Whether the line kernel reads x itself but for the borders: short lines cost less to copy
 * whole. */
static int in_place(const filter_plan *plan) {
    const pyconvc_problem *p = plan->p;
    const int64_t inside = p->input[W] - halo(p);
    return plan->use_line && p->x_step[5] == 1 && inside >= INSIDE * (p->output[W] - inside);
}

/* Columns whose taps all meet x itself, read in whole vectors; from where stores may be streamed.
 */
static void find_inside(filter_plan *plan, const char *y) {
    const pyconvc_problem *p = plan->p;
    const int64_t lanes = plan->kernels->lanes, vector = lanes * plan->bytes;
    plan->inside_from = plan->inside_to = 0;
    if (p->x_step[5] != 1 || p->stride[W] != 1 || plan->phases.by_tap) return;
    if (copies_lines(plan)) return;
    int64_t from = round_up(max64(0, p->pad_before[W]), lanes);
    if (plan->flags & FILTER_STREAM)
        while ((intptr_t)(y + from * plan->bytes) % vector)
            from++;
    const int64_t to = min64(p->output[W], p->input[W] + p->pad_before[W] - halo(p));
    if (to - from < 2 * plan->kernels->tile_columns) return;
    if (plan->use_line && !in_place(plan)) return;
    plan->inside_from = from;
    plan->inside_to = from + (to - from) / lanes * lanes;
}

/* Whether a plane's regions, tables and strips would cost more than copies of its lines. */
static int is_small(const filter_plan *plan) {
    return plan->p->output[H] * plan->p->output[W] * plan->bytes <= SMALL_BYTES;
}

static int64_t strip_pitch(const filter_plan *plan, int64_t columns) {
    return plan->phases.count * phases_pitch(&plan->phases, columns, plan->kernels->lanes);
}

/* Strips beside an inside are narrow, and the lines of a band side by side then stay near. */
static void narrow_strips(filter_plan *plan) {
    const int64_t lanes = plan->kernels->lanes, after = plan->p->output[W] - plan->inside_to;
    if (plan->inside_to <= plan->inside_from) return;
    plan->strip_columns = round_up(max64(1, max64(plan->inside_from, after)), lanes);
    plan->phase_pitch = strip_pitch(plan, plan->strip_columns);
}

static int64_t cache_bytes(void) {
#ifdef _SC_LEVEL3_CACHE_SIZE
    const long bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (bytes > 0) return bytes;
#endif
    return 16 << 20;
}

/* Streaming pays where y outgrows the cache; it needs every line to start alike, on a sample's
 * bound. */
static int may_stream(const filter_plan *plan, const char *y) {
    const pyconvc_problem *p = plan->p;
    const int64_t vector = plan->kernels->lanes * plan->bytes,
                  images = p->batch * p->groups * p->channels_out;
    const int64_t size = images * p->output[D] * p->output[H] * p->output[W] * plan->bytes;
    int aligned = plan->kernels->streams && p->y_step[5] == 1 && (intptr_t)y % plan->bytes == 0 &&
                  plan->planes_at_once == plan->planes;
    const int64_t counts[] = {p->batch, p->groups, p->channels_out, p->output[D], p->output[H]};
    for (int i = 0; i < 5; i++)
        if (counts[i] > 1 && p->y_step[i] * plan->bytes % vector) aligned = 0;
    return aligned && size >= min64(cache_bytes() / 2, 16 << 20);
}

/* ---- tiling ---------------------------------------------------------------------------------- */

/* Fewest rows of outputs that use a kernel's reuse of rows fully. */
static int64_t least_rows(const filter_plan *plan) {
    const pyconvc_problem *p = plan->p;
    return p->dilation[H] == 1 ? min64(p->output[H], plan->kernels->tile_rows) : 1;
}

static double strip_bytes(const filter_plan *plan, int64_t planes, int64_t rows, int64_t columns) {
    return (double)planes * (double)number_rows(plan->p, rows).count *
           (double)strip_pitch(plan, columns) * (double)plan->bytes;
}

/* Strips first at a comfortable size; where even the least is too large, fewer planes at a time. */
static void size_strips(filter_plan *plan) {
    const int64_t tile = plan->use_line ? plan->kernels->line_columns : plan->kernels->tile_columns;
    const int64_t rows = least_rows(plan);
    int64_t columns = round_up(min64(plan->p->output[W], plan->use_line ? LINE_BLOCK : 1024), tile);
    while (columns > tile && strip_bytes(plan, plan->planes, rows, columns) > STRIP_BYTES)
        columns = round_up(columns / 2, tile);
    plan->strip_columns = columns;
    plan->planes_at_once = plan->planes;
    while (plan->planes_at_once > 1 &&
           strip_bytes(plan, plan->planes_at_once, rows, columns) > STRIP_LIMIT)
        plan->planes_at_once = ceil_div(plan->planes_at_once, 2);
    plan->phase_pitch = strip_pitch(plan, columns) / plan->phases.count;
}

/* Whether the copied lines of a plane serve the next output depth too. */
static int keeps_planes(const filter_plan *plan) {
    const pyconvc_problem *p = plan->p;
    return plan->inside_to <= plan->inside_from && p->channels_in == 1 && p->kernel[D] > 1 &&
           p->stride[D] == 1 && p->dilation[D] == 1 && plan->planes_at_once == plan->planes;
}

/* Needs everything else about tasks. */
static void size_depths(filter_plan *plan) {
    const pyconvc_problem *p = plan->p;
    const int64_t others = p->batch * p->groups * plan->bands * plan->column_blocks;
    const int64_t enough = ceil_div(TASKS_PER_WORKER * plan->workers, max64(1, others));
    const int64_t depths = max64(p->kernel[D], ceil_div(p->output[D], enough));
    plan->depths = keeps_planes(plan) ? min64(depths, MOST_DEPTHS) : 1;
    plan->depth_runs = ceil_div(p->output[D], plan->depths);
    plan->images = p->batch * p->groups * plan->depth_runs;
}

static void size_tasks(filter_plan *plan) {
    const pyconvc_problem *p = plan->p;
    const int64_t tile = plan->use_line ? plan->kernels->line_columns : plan->kernels->tile_columns;
    const int64_t rows = least_rows(plan);
    int64_t columns = plan->strip_columns;
    if (plan->inside_to > plan->inside_from) {
        columns = plan->use_line
                      ? LINE_BLOCK
                      : SWEEP_BYTES / ((p->kernel[H] + plan->kernels->tile_rows) * plan->bytes);
        columns = round_up(
            max64(min64(columns, plan->use_line ? LINE_BLOCK : MOST_COLUMNS), 2 * tile), tile);
    }
    plan->block_columns = columns;
    plan->column_blocks = max64(1, ceil_div(p->output[W] - plan->inside_from, columns));
    const int64_t images = p->batch * p->groups * p->output[D];
    const int64_t enough =
        ceil_div(TASKS_PER_WORKER * plan->workers, max64(1, images * plan->column_blocks));
    int64_t band = plan->workers == 1 ? 128 : ceil_div(p->output[H], enough);
    band = max64(min64(band, 128), 16);
    while (band > rows &&
           strip_bytes(plan, plan->planes_at_once, band, plan->strip_columns) > STRIP_BYTES)
        band /= 2;
    plan->band_rows = min64(round_up(band, rows), max64(1, p->output[H]));
    plan->bands = ceil_div(p->output[H], plan->band_rows);
    size_depths(plan);
    plan->tasks = plan->images * plan->bands * plan->column_blocks;
}

static void size_table(filter_plan *plan) {
    const pyconvc_problem *p = plan->p;
    const int64_t common = gcd64(p->stride[H], p->dilation[H]);
    plan->sets = p->dilation[H] / common;
    plan->classes = min64(p->stride[H] / common, p->kernel[H]);
    plan->rows_per_class =
        ceil_div(plan->band_rows, plan->sets) + ceil_div(p->kernel[H], plan->classes) - 1;
    plan->rows_per_plane = plan->classes * plan->rows_per_class;
}

static double multiply_adds(const filter_plan *plan) {
    const pyconvc_problem *p = plan->p;
    return (double)(p->batch * p->groups * p->channels_out) *
           (double)(p->output[D] * p->output[H]) * (double)p->output[W] *
           (double)(plan->planes * plan->taps_per_plane);
}

static pyconvc_status make(filter_plan *plan, const pyconvc_problem *p, const void *w,
                           const void *y, const pyconvc_run *run, int may_pack) {
    const kernel_table *table = pyconvc_kernels();
    *plan = (filter_plan){.p = p,
                          .planes = p->channels_in * p->kernel[D],
                          .taps_per_plane = p->kernel[H] * p->kernel[W]};
    if (!table) return PYCONVC_NO_ISA;
    plan->kernels = &table->filter[p->dtype];
    plan->plane = &table->plane[p->dtype];
    plan->use_line = is_line(p, plan->kernels);
    plan->kernel = plan->use_line ? plan->kernels->line : plan->kernels->tile;
    plan->bytes = pyconvc_sample_bytes(p->dtype);
    plan->parts = parts_of(p->dtype);
    plan->phases = phases_across(p);
    plan->workers = parallel_workers(run, multiply_adds(plan) * (double)plan->bytes);
    plan->packed = may_pack && (!in_place(plan) || is_small(plan)) && filter_planes_size(plan);
    if (!plan->packed) size_strips(plan);
    if (may_stream(plan, y)) plan->flags |= FILTER_STREAM;
    if (!plan->packed) {
        find_inside(plan, y);
        narrow_strips(plan);
        size_tasks(plan);
        size_table(plan);
    }
    plan->blocks_per_plane = most_blocks(plan);
    return pack_taps(plan, w);
}

pyconvc_status filter_plan_make(filter_plan *plan, const pyconvc_problem *p, const void *w,
                                const void *y, const pyconvc_run *run) {
    return make(plan, p, w, y, run, 1);
}

pyconvc_status filter_plan_kernel(filter_plan *plan, const pyconvc_problem *p, const void *w,
                                  const pyconvc_run *run) {
    return make(plan, p, w, NULL, run, 0);
}

void filter_plan_free(filter_plan *plan) {
    free(plan->blocks);
    free(plan->taps);
}
