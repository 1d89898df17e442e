/* SPDX-License-Identifier: BSD-3-Clause
 * fourier.c -- convolution by Fourier transforms: tiles, their lines, threads.
 *
 * A tile goes through five stages: its lines are read, its columns transformed, its lines transformed,
 * multiplied and transformed back, its columns transformed back, its lines written. Workers share the
 * tiles or, where these are few, the parts of each stage; no sum depends on it. */
#include <stdlib.h>
#include <string.h>

#include "dispatch.h"
#include "gather.h"
#include "large.h"
#include "parallel.h"
#include "problem.h"

#define LANES      16 /* what sizes of tiles are multiples of: the lanes of any tier divide it */
#define CACHE_LINE 64
#define PARTS      32 /* of a stage that workers share */

enum { READ, COLUMNS, ROWS, COLUMNS_BACK, WRITE, STAGES };

typedef struct {
    const pyconvc_fourier *f;
    const fourier_kernels *kernels;
    fourier_shape shape;
    int64_t bytes, tiles[2];
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
    return round_up(j->f->rows * j->shape.pitch * j->bytes, CACHE_LINE);
}

/* Two lines, or the lanes of one group. */
static int64_t work_bytes(const job *j) {
    return 2 * LANES * j->f->columns * j->bytes;
}

typedef struct {
    const char *x;
    char *y;
    int64_t first[2], kept[2]; /* the tile's sample 0 in X, and its outputs */
    int64_t output[2];         /* the first of these */
} place;

static place place_of(const job *j, int64_t tile) {
    const pyconvc_fourier *f = j->f;
    const int64_t item = tile / (j->tiles[0] * j->tiles[1]);
    const int64_t at[2] = {tile / j->tiles[1] % j->tiles[0], tile % j->tiles[1]};
    place p = {.x = j->x + item * f->x_step[0] * j->bytes};
    if (!j->make) p.y = j->y + item * f->y_step[0] * j->bytes;
    for (int a = 0; a < 2; a++) {
        p.output[a] = at[a] * f->advance[a];
        p.first[a] = f->start[a] + p.output[a];
        p.kept[a] = min64(f->advance[a], f->output[a] - p.output[a]);
    }
    return p;
}

/* `columns` samples of X: line `row` of those that the tile holds. */
static const char *line_of(const job *j, const place *p, int64_t row, char *work) {
    const pyconvc_fourier *f = j->f;
    const gather_line line = {j->bytes, f->input[1], f->x_step[2], f->boundary[1], f->fill};
    int64_t first = p->first[1], height = 0;
    if (f->line)
        first += row * f->columns;
    else
        height = pyconvc_boundary_index(f->boundary[0], p->first[0] + row, f->input[0]);
    if (height < 0) {
        gather_fill(j->bytes, f->fill, f->columns, work);
        return work;
    }
    const char *from = p->x + height * f->x_step[1] * j->bytes;
    const gather_range range = gather_find(&line, first, 1, f->columns);
    if (range.inside == f->columns && f->x_step[2] == 1) return from + first * j->bytes;
    gather(&line, &range, from, 0, work);
    return work;
}

static const void *turn_of(const job *j, int64_t row) {
    return (const char *)j->f->turn + 2 * row * j->bytes;
}

static void read_lines(const job *j, const place *p, int64_t first, int64_t end, char *samples,
                       char *work) {
    const int64_t line_bytes = j->f->columns * j->bytes;
    for (int64_t r = first; r < end; r++) {
        const char *re = line_of(j, p, r, work);
        const char *im = line_of(j, p, r + j->f->rows, work + line_bytes);
        j->kernels->enter(re, im, turn_of(j, r), j->f->columns,
                          samples + r * j->shape.pitch * j->bytes);
    }
}

/* What is kept of line `row` of those that the tile holds. */
static void write_line(const job *j, const place *p, int64_t row, const char *samples, char *work) {
    const pyconvc_fourier *f = j->f;
    int64_t from = f->skip[1], to = 0, count = p->kept[1], height = 0;
    if (f->line) { /* the samples of this line among all that are kept */
        const int64_t begin = row * f->columns, kept = f->skip[1];
        const int64_t low = max64(begin, kept), high = min64(begin + f->columns, kept + count);
        from = low - begin, to = low - kept, count = high - low;
    } else {
        height = row - f->skip[0];
        if (height < 0 || height >= p->kept[0]) return;
    }
    if (count <= 0) return;
    const int64_t r = row % f->rows, step = f->y_step[2];
    const char *line = samples + r * j->shape.pitch * j->bytes;
    char *y =
        p->y + ((p->output[0] + height) * f->y_step[1] + (p->output[1] + to) * step) * j->bytes;
    const int imaginary = row >= f->rows;
    j->kernels->leave(line, f->columns, turn_of(j, r), imaginary, from, count,
                      step == 1 ? y : work);
    if (step != 1) scatter(j->bytes, work, count, step, y);
}

/* Part `part` of `parts` of a stage. */
static void do_part(const job *j, const place *p, int stage, int64_t part, int64_t parts,
                    char *samples, char *work) {
    const int by_columns = stage == COLUMNS || stage == COLUMNS_BACK;
    const int64_t groups = (by_columns ? j->f->columns : j->f->rows) / LANES;
    const int64_t first = groups * part / parts * LANES, end = groups * (part + 1) / parts * LANES;
    if (stage == READ) read_lines(j, p, first, end, samples, work);
    if (by_columns && end > first)
        j->kernels->columns(&j->shape, samples, first, end - first, stage == COLUMNS_BACK);
    if (stage == ROWS)
        for (int64_t r = first; r < end; r += j->kernels->lanes)
            j->kernels->rows(&j->shape, samples, r, j->spectrum, j->make,
                             1.0 / (double)(j->f->rows * j->f->columns), work);
    if (stage == WRITE)
        for (int64_t r = first; r < end; r++) {
            write_line(j, p, r, samples, work);
            write_line(j, p, r + j->f->rows, samples, work);
        }
}

static void do_tile(const void *context, int64_t tile, void *scratch) {
    const job *j = context;
    const place p = place_of(j, tile);
    char *samples = scratch;
    for (int stage = READ; stage < (j->make ? COLUMNS_BACK : STAGES); stage++)
        do_part(j, &p, stage, 0, 1, samples, samples + tile_bytes(j));
}

static void do_shared(const void *context, int64_t part, void *scratch) {
    const job *j = context;
    const place p = place_of(j, j->tile);
    do_part(j, &p, j->stage, part, PARTS, j->samples, scratch);
}

/* One tile after the other, each stage of it shared. */
static pyconvc_status share_stages(job *j, int64_t tiles, int workers, const pyconvc_run *run) {
    pyconvc_status status = PYCONVC_OK;
    j->samples = large_alloc(tile_bytes(j));
    if (!j->samples) return PYCONVC_NO_MEMORY;
    for (j->tile = 0; j->tile < tiles; j->tile++)
        for (j->stage = READ; j->stage < (j->make ? COLUMNS_BACK : STAGES) && !status; j->stage++)
            status = parallel_for(PARTS, workers, (size_t)work_bytes(j), do_shared, j, run);
    free(j->samples);
    return status;
}

static fourier_axis axis_of(const pyconvc_fourier_axis *axis, int64_t length) {
    return (fourier_axis){length, axis->radices, axis->twiddles};
}

static pyconvc_status run_job(job *j, const pyconvc_run *run) {
    const pyconvc_fourier *f = j->f;
    const kernel_table *table = pyconvc_kernels();
    if (!table) return PYCONVC_NO_ISA;
    if (f->dtype < PYCONVC_F32 || f->dtype > PYCONVC_F64 || run->workers < 1 || f->rows < LANES ||
        f->columns < LANES || f->rows % LANES || f->columns % LANES)
        return PYCONVC_BAD_PROBLEM;
    j->kernels = &table->fourier[f->dtype];
    j->bytes = pyconvc_sample_bytes(f->dtype);
    /* One line of the cache more, so that the samples of a column fall into different sets. */
    const int64_t pitch = 2 * f->columns + CACHE_LINE / j->bytes;
    j->shape = (fourier_shape){axis_of(&f->of_rows, f->rows), axis_of(&f->of_columns, f->columns),
                               pitch, f->line ? f->slant : NULL};
    for (int a = 0; a < 2; a++)
        j->tiles[a] = j->make ? 1 : ceil_div(f->output[a], f->advance[a]);
    const int64_t tiles = f->batch * j->tiles[0] * j->tiles[1];
    const double work = 60.0 * (double)(tiles * f->rows * f->columns * j->bytes);
    const int workers = parallel_workers(run, work);
    if (workers > 1 && tiles < 2 * workers) return share_stages(j, tiles, workers, run);
    return parallel_for(tiles, workers, (size_t)(tile_bytes(j) + work_bytes(j)), do_tile, j, run);
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
