/* SPDX-License-Identifier: BSD-3-Clause
 * fourier.c -- convolution by Fourier transforms: tiles, their lines, threads.
 *
 * A tile goes through five stages: its lines are read by the first pass along the columns, which
 * are transformed, its lines transformed, multiplied and transformed back, its columns transformed
 * back, and its lines written by the last pass. Lines that X has as they are, and those that Y
 * takes whole, are read and written there; others are copied into the tile before, or out of it
 * afterwards. Workers share the tiles or, where these are few, the parts of each stage; no sum
 * depends on it. */
#include <stdlib.h>
#include <string.h>

#include "dispatch.h"
#include "gather.h"
#include "large.h"
#include "parallel.h"
#include "problem.h"

#define LANES      16 /* columns that are transformed side by side, or more */
#define CACHE_LINE 64
#define PARTS      32 /* of a stage that workers share */

enum { D, H, W };
enum { READ, COLUMNS, LINES, COLUMNS_BACK, WRITE, STAGES };

typedef struct {
    const pyconvc_fourier *f;
    const fourier_kernels *kernels;
    fourier_shape shape;
    int is_complex;
    int64_t bytes, element;  /* of a sample of X and Y, and of each part of one in a tile */
    int64_t block, tiles[3]; /* block: samples that transforms leave together */
    const char *x;
    void *spectrum;
    char *y;
    int make;
    /* where workers share the parts of a stage */
    int64_t tile;
    int stage;
    char *samples;
} job;

static int64_t tile_bytes(const job *j) {
    return round_up(j->f->rows * j->shape.pitch * j->element, CACHE_LINE);
}

/* Of a worker's copies of the lines of complex samples that a pass takes together; those of real
 * samples lie in the tile. */
static int64_t copies_bytes(const job *j) {
    return j->is_complex ? 4 * j->f->columns * j->bytes : 0;
}

typedef struct {
    const char *x;
    char *y;
    int64_t first[3], kept[3]; /* the tile's sample 0 in X, and its outputs */
    int64_t output[3];         /* the first of these */
    int64_t tile;
} place;

/* The memory of a tile, and of its worker. */
typedef struct {
    char *samples, *copies;
} room;

static place place_of(const job *j, int64_t tile) {
    const pyconvc_fourier *f = j->f;
    const int64_t *tiles = j->tiles, item = tile / (tiles[D] * tiles[H] * tiles[W]);
    const int64_t at[3] = {tile / (tiles[H] * tiles[W]) % tiles[D], tile / tiles[W] % tiles[H],
                           tile % tiles[W]};
    place p = {.x = j->x + item * f->x_step[0] * j->bytes, .tile = tile};
    if (!j->make) p.y = j->y + item * f->y_step[0] * j->bytes;
    for (int a = 0; a < 3; a++) {
        p.output[a] = at[a] * f->advance[a];
        p.first[a] = f->start[a] + p.output[a];
        p.kept[a] = min64(f->advance[a], f->output[a] - p.output[a]);
    }
    return p;
}

/* Lines of X and Y that a pass takes together. */
static int lines_at_once(const job *j) {
    return j->is_complex ? 4 : 8;
}

/* Where line `row`, one of those, may be copied: in the tile itself, of all of whose lines the
 * first half has the real parts. */
static char *copy_of(const job *j, int64_t row, const room *r) {
    const int64_t rows = j->f->rows, imaginary = row >= rows ? rows : 0;
    if (j->is_complex) return r->copies + row / (rows / 4) * j->f->columns * j->bytes;
    return r->samples +
           ((row - imaginary) * j->shape.pitch + (imaginary ? j->f->columns : 0)) * j->bytes;
}

/* `columns` samples of X: line `row` of those that the tile holds; a copy unless they follow each
 * other in X. */
static const char *source_of(const job *j, const place *p, int64_t row, char *own) {
    const pyconvc_fourier *f = j->f;
    const int64_t first = p->first[W] + (f->line ? row * f->columns : 0);
    const int64_t of[2] = {f->line ? 0 : row / f->height, f->line ? 0 : row % f->height};
    /* Lines that make no whole depth would come back where depths begin. */
    const int beyond = !f->line && of[D] == f->rows * lines_at_once(j) / 4 / f->height;
    const char *from = p->x;
    for (int a = D; a <= H; a++) {
        const int64_t at = pyconvc_boundary_index(f->boundary[a], p->first[a] + of[a], f->input[a]);
        if (at < 0 || beyond) {
            gather_fill(j->bytes, f->fill, f->columns, own);
            return own;
        }
        from += at * f->x_step[1 + a] * j->bytes;
    }
    const int inside = first >= 0 && first + f->columns <= f->input[W];
    if (inside && f->x_step[3] == 1) return from + first * j->bytes;
    const gather_line line = {j->bytes, f->input[W], f->x_step[3], f->boundary[W], f->fill};
    const gather_range range = gather_find(&line, first, 1, f->columns);
    gather(&line, &range, from, 0, own);
    return own;
}

/* The rows k + j * rows / 4, j < 4, which a pass takes together. */
static void read_lines(const job *j, const place *p, int64_t k, const room *r) {
    const void *source[8];
    for (int i = 0; i < lines_at_once(j); i++) {
        const int64_t row = k + i * (j->f->rows / 4);
        source[i] = source_of(j, p, row, copy_of(j, row, r));
    }
    j->kernels->enter[j->is_complex](&j->shape, k, source, r->samples);
}

/* What is kept of a line of the tile: `count` samples from `from` on, and where they go. */
typedef struct {
    int64_t from, count;
    char *y;
} kept_part;

static kept_part kept_of(const job *j, const place *p, int64_t row) {
    const pyconvc_fourier *f = j->f;
    /* Where the line begins among all that the tile holds along the width. */
    const int64_t begin = f->line ? row * f->columns : 0;
    const int64_t from = max64(begin, f->skip[W]);
    const int64_t to = min64(begin + f->columns, f->skip[W] + p->kept[W]);
    const int64_t of[2] = {f->line ? 0 : row / f->height - f->skip[D],
                           f->line ? 0 : row % f->height - f->skip[H]};
    char *y = p->y + (p->output[W] + from - f->skip[W]) * f->y_step[3] * j->bytes;
    if (from >= to) return (kept_part){0, 0, NULL};
    for (int a = D; a <= H; a++) {
        if (of[a] < 0 || of[a] >= p->kept[a]) return (kept_part){0, 0, NULL};
        y += (p->output[a] + of[a]) * f->y_step[1 + a] * j->bytes;
    }
    return (kept_part){from - begin, to - from, y};
}

static void write_lines(const job *j, const place *p, int64_t k, const room *r) {
    const pyconvc_fourier *f = j->f;
    const int64_t from = f->line ? 0 : f->skip[W], count = f->line ? f->columns : p->kept[W];
    kept_part kept[8];
    void *target[8];
    for (int i = 0; i < lines_at_once(j); i++) {
        const int64_t row = k + i * (f->rows / 4);
        kept[i] = kept_of(j, p, row);
        target[i] = kept[i].y;
        if (!kept[i].y || (kept[i].count == count && f->y_step[3] == 1))
            kept[i].count = 0; /* nothing to copy */
        else
            target[i] = copy_of(j, row, r) + from * j->bytes;
    }
    j->kernels->leave[j->is_complex](&j->shape, k, r->samples, from, count, target);
    for (int i = 0; i < lines_at_once(j); i++)
        if (kept[i].count)
            scatter(j->bytes, copy_of(j, k + i * (f->rows / 4), r) + kept[i].from * j->bytes,
                    kept[i].count, f->y_step[3], kept[i].y);
}

/* The magnitudes of a share of X, about that which this part of the tile reads next. */
static void look(const job *j, int64_t tile, int64_t part, int64_t parts) {
    const pyconvc_fourier *f = j->f;
    const int64_t count = f->input[W] / f->part, shares = j->tiles[W] * parts;
    const int64_t share = tile * parts + part, end = count * (share + 1) / shares;
    for (int64_t i = count * share / shares; i < end; i++) {
        const int64_t first = i * f->part;
        j->kernels->loudest(j->x + first * j->bytes, i + 1 == count ? f->input[W] - first : f->part,
                            (char *)f->levels + i * j->bytes);
    }
}

/* Part `part` of `parts` of a stage. */
static void do_part(const job *j, const place *p, int stage, int64_t part, int64_t parts,
                    const room *r) {
    const int64_t rows = j->f->rows, columns = j->f->columns;
    const int64_t units[] = {rows / 4, columns / LANES, rows, columns / LANES, rows / 4};
    const int64_t first = units[stage] * part / parts, end = units[stage] * (part + 1) / parts;
    if (stage == READ && j->f->levels) look(j, p->tile, part, parts);
    if (stage == COLUMNS || stage == COLUMNS_BACK) {
        if (end > first)
            j->kernels->columns(&j->shape, r->samples, first * LANES, (end - first) * LANES,
                                stage == COLUMNS_BACK);
        return;
    }
    for (int64_t k = first; k < end; k++) {
        if (stage == READ) read_lines(j, p, k, r);
        if (stage == LINES)
            j->kernels->line(&j->shape, r->samples, k, j->spectrum, j->make,
                             1.0 / (double)(rows * columns / j->block));
        if (stage == WRITE) write_lines(j, p, k, r);
    }
}

static void do_tile(const void *context, int64_t tile, void *scratch) {
    const job *j = context;
    const place p = place_of(j, tile);
    const room r = {scratch, (char *)scratch + tile_bytes(j)};
    for (int stage = READ; stage < (j->make ? COLUMNS_BACK : STAGES); stage++)
        do_part(j, &p, stage, 0, 1, &r);
}

static void do_shared(const void *context, int64_t part, void *scratch) {
    const job *j = context;
    const place p = place_of(j, j->tile);
    const room r = {j->samples, scratch};
    do_part(j, &p, j->stage, part, PARTS, &r);
}

/* One tile after the other, each stage of it shared. */
static pyconvc_status share_stages(job *j, int64_t tiles, int workers, const pyconvc_run *run) {
    pyconvc_status status = PYCONVC_OK;
    j->samples = large_alloc(tile_bytes(j));
    if (!j->samples) return PYCONVC_NO_MEMORY;
    for (j->tile = 0; j->tile < tiles; j->tile++)
        for (j->stage = READ; j->stage < (j->make ? COLUMNS_BACK : STAGES) && !status; j->stage++)
            status = parallel_for(PARTS, workers, (size_t)copies_bytes(j), do_shared, j, run);
    free(j->samples);
    return status;
}

static fourier_axis axis_of(const pyconvc_fourier_axis *axis, int64_t length) {
    return (fourier_axis){length, axis->radices, axis->twiddles, axis->step};
}

static pyconvc_status run_job(job *j, const pyconvc_run *run) {
    const pyconvc_fourier *f = j->f;
    const kernel_table *table = pyconvc_kernels();
    if (!table) return PYCONVC_NO_ISA;
    if (f->dtype < PYCONVC_F32 || f->dtype > PYCONVC_C128 || run->workers < 1 || f->rows < 4 ||
        f->columns < LANES || f->height < 1 || f->rows % 4 || f->columns % LANES)
        return PYCONVC_BAD_PROBLEM;
    j->is_complex = f->dtype >= PYCONVC_C64;
    if (f->levels && (j->is_complex || !f->line || f->batch != 1 || f->x_step[3] != 1 ||
                      f->part < 1 || f->part > f->input[W]))
        return PYCONVC_BAD_PROBLEM;
    j->kernels = &table->fourier[j->is_complex ? f->dtype - PYCONVC_C64 : f->dtype];
    j->bytes = pyconvc_sample_bytes(f->dtype);
    j->element = j->bytes / (1 + j->is_complex);
    j->block = 32 / j->element;
    /* One line of the cache more, so that the samples of a column fall into different sets. */
    const int64_t pitch = 2 * f->columns + CACHE_LINE / j->element;
    j->shape =
        (fourier_shape){axis_of(&f->of_rows, f->rows), axis_of(&f->of_columns, f->columns), pitch};
    for (int a = D; a <= W; a++)
        j->tiles[a] = j->make ? 1 : ceil_div(f->output[a], f->advance[a]);
    const int64_t tiles = f->batch * j->tiles[D] * j->tiles[H] * j->tiles[W];
    const double work = 60.0 * (double)(tiles * f->rows * f->columns * j->bytes);
    const int workers = parallel_workers(run, work);
    if (workers > 1 && tiles < 2 * workers) return share_stages(j, tiles, workers, run);
    return parallel_for(tiles, workers, (size_t)(tile_bytes(j) + copies_bytes(j)), do_tile, j, run);
}

pyconvc_status pyconvc_fourier_spectrum(const pyconvc_fourier *f, const void *w, void *spectrum,
                                        const pyconvc_run *run) {
    job j = {.f = f, .x = w, .spectrum = spectrum, .make = 1};
    return run_job(&j, run);
}

pyconvc_status pyconvc_fourier_run(const pyconvc_fourier *f, const void *x, const void *spectrum,
                                   void *y, const pyconvc_run *run) {
    job j = {.f = f, .x = x, .spectrum = (void *)spectrum, .y = y};
    return run_job(&j, run);
}
