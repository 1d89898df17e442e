/* SPDX-License-Identifier: BSD-3-Clause
 * missing.c -- bands of outputs whose windows lack samples (see missing.h). */
#include "missing.h"

#include <math.h>
#include <stdlib.h>

#include "dispatch.h"
#include "gather.h"
#include "parallel.h"
#include "problem.h"

#define BAND_BYTES  (1 << 19) /* of a band and its copies: what an L2 cache holds */
#define MOST_BYTES  (12 << 20)
#define HALO_SHARES 4 /* times the rows of the halo that a band has at least */

enum { D, H, W };

typedef struct {
    pyconvc_problem p;    /* of the whole */
    pyconvc_problem band; /* of a band: x and w contiguous, nothing beyond the edges of `axis` */
    const char *x;
    const uint8_t *mask;
    const void *w, *sizes; /* taps, and their absolute values, contiguous */
    char *y;
    double total, least; /* weight of a whole window; part of it that an output needs */
    int normalize;
    int axis; /* along which the output is cut into bands */
    int64_t rows, bands, bytes;
    int fill_is_missing;
    const pyconvc_run *run;
    const present_kernels *kernels;
    correlate_fn *correlate;
    int status; /* of the first band that failed */
} job;

/* What a worker's scratch holds: a band of x without NaN, what of it is there, the weights of the
 * band's windows, and one line of x, of the mask or of y. */
typedef struct {
    char *x, *valid, *weight, *line;
    uint8_t *mask;
} scratch;

static int64_t samples(const int64_t size[PYCONVC_RANK]) {
    return size[D] * size[H] * size[W];
}

/* Input rows of `rows` output rows. */
static int64_t reach(const pyconvc_problem *p, int a, int64_t rows) {
    return (rows - 1) * p->stride[a] + (p->kernel[a] - 1) * p->dilation[a] + 1;
}

/* Bytes from line to line: whole cache lines, and lines apart in the cache. */
static int64_t pitch_bytes(int64_t width, int64_t bytes) {
    const int64_t pitch = round_up(width * bytes, 64);
    return pitch % 512 ? pitch : pitch + 64;
}

/* Steps of lines that lie so. */
static void lay_lines(int64_t step[3 + PYCONVC_RANK], const int64_t size[PYCONVC_RANK],
                      int64_t bytes) {
    step[5] = 1;
    step[4] = pitch_bytes(size[W], bytes) / bytes;
    step[3] = step[4] * size[H];
    step[0] = step[1] = step[2] = 0;
}

static int64_t lines_bytes(const int64_t whole[PYCONVC_RANK], int axis, int64_t rows,
                           int64_t bytes) {
    int64_t size[] = {whole[D], whole[H], whole[W]};
    size[axis] = rows;
    return size[D] * size[H] * pitch_bytes(size[W], bytes);
}

static int64_t input_bytes(const job *j, int64_t rows) {
    return lines_bytes(j->p.input, j->axis, reach(&j->p, j->axis, rows), j->bytes);
}

static int64_t output_bytes(const job *j, int64_t rows) {
    return lines_bytes(j->p.output, j->axis, rows, j->bytes);
}

/* What is written lies half a page from what is read for it: a load is held up by an earlier store
 * to the same place within another page. */
static size_t lay_out(const job *j, char *base, scratch *s) {
    const int64_t in = input_bytes(j, j->rows), out = output_bytes(j, j->rows);
    const int64_t width = j->axis == W ? reach(&j->p, W, j->rows) : j->p.input[W];
    int64_t at = 0;
    s->x = base + at, at += round_up(in, 4096) + 2048;
    s->valid = base + at, at += round_up(in, 4096) + 2048;
    s->weight = base + at, at += out;
    s->line = base + at, at += max64(width, j->p.output[W]) * j->bytes;
    s->mask = (uint8_t *)base + at, at += width;
    return (size_t)at;
}

/* ---- lines of a band ------------------------------------------------------------------------- */

/* A band: its first row of input, and how its lines are read. */
typedef struct {
    const job *j;
    const scratch *s;
    int64_t first;
    pyconvc_problem problem;
    gather_line line, flags;
    gather_range range;
} band;

static const unsigned char nothing_masked = 0;

static void open_band(band *b, const job *j, const scratch *s, int64_t row, int64_t end) {
    const pyconvc_problem *p = &j->p;
    *b = (band){.j = j, .s = s, .problem = j->band};
    b->first = row * p->stride[j->axis] - p->pad_before[j->axis];
    b->problem.input[j->axis] = reach(p, j->axis, end - row);
    b->problem.output[j->axis] = end - row;
    lay_lines(b->problem.x_step, b->problem.input, j->bytes);
    b->line = (gather_line){j->bytes, p->input[W], p->x_step[5], p->boundary[W], p->fill};
    b->flags = (gather_line){1, p->input[W], 1, p->boundary[W], &nothing_masked};
    b->range = gather_find(&b->line, j->axis == W ? b->first : 0, 1, b->problem.input[W]);
}

/* Line (d, h) of the band, with what masks it: in x itself where it can be read there. */
static const void *read_line(const band *b, int64_t d, int64_t h, const uint8_t **mask) {
    const job *j = b->j;
    const pyconvc_problem *p = &j->p;
    const scratch *s = b->s;
    int64_t place[] = {d, h, 0};
    if (j->axis != W)
        place[j->axis] = pyconvc_boundary_index(p->boundary[j->axis], b->first + place[j->axis],
                                                p->input[j->axis]);
    *mask = NULL;
    if (place[D] < 0 || place[H] < 0) {
        gather_fill(j->bytes, p->fill, b->problem.input[W], s->line);
        return s->line;
    }
    const char *x = j->x + (place[D] * p->x_step[3] + place[H] * p->x_step[4]) * j->bytes;
    const uint8_t *flags =
        j->mask ? j->mask + (place[D] * p->input[H] + place[H]) * p->input[W] : NULL;
    if (b->range.inside == b->problem.input[W] && b->line.step == 1) {
        if (flags) *mask = flags + b->range.first;
        return x + b->range.first * j->bytes;
    }
    gather(&b->line, &b->range, x, 0, s->line);
    if (flags) gather(&b->flags, &b->range, flags, 0, s->mask), *mask = s->mask;
    return s->line;
}

/* Whether a sample of the band is missing. */
static int lacks(const band *b) {
    const uint8_t *mask;
    for (int64_t d = 0; d < b->problem.input[D]; d++)
        for (int64_t h = 0; h < b->problem.input[H]; h++) {
            const void *x = read_line(b, d, h, &mask);
            if (b->j->kernels->lacks(x, mask, b->problem.input[W])) return 1;
        }
    return 0;
}

/* The band with 0 for what is missing, and beside it what is there. */
static void split(const band *b) {
    const pyconvc_problem *p = &b->problem;
    const uint8_t *mask;
    for (int64_t d = 0; d < p->input[D]; d++)
        for (int64_t h = 0; h < p->input[H]; h++) {
            const int64_t at = (d * p->x_step[3] + h * p->x_step[4]) * b->j->bytes;
            const void *x = read_line(b, d, h, &mask);
            b->j->kernels->split(x, mask, p->input[W], b->s->x + at, b->s->valid + at);
        }
}

/* A line of y scaled in place. */
static void scale_line(const job *j, char *y, const char *weight, int64_t count, char *line) {
    const present_scale by = {j->total, j->least * j->total, j->normalize};
    const int64_t step = j->p.y_step[5];
    if (step == 1) {
        j->kernels->scale(y, weight, count, &by, y);
        return;
    }
    gather_all(j->bytes, y, count, step, line);
    j->kernels->scale(line, weight, count, &by, line);
    scatter(j->bytes, line, count, step, y);
}

/* The weights have the steps of p->y_step. */
static void scale(const band *b, const pyconvc_problem *p, char *y) {
    const job *j = b->j;
    for (int64_t d = 0; d < p->output[D]; d++)
        for (int64_t h = 0; h < p->output[H]; h++)
            scale_line(j, y + (d * j->p.y_step[3] + h * j->p.y_step[4]) * j->bytes,
                       b->s->weight + (d * p->y_step[3] + h * p->y_step[4]) * j->bytes,
                       p->output[W], b->s->line);
}

static void put_fill(const job *j, pyconvc_problem *b, double value) {
    if (j->bytes == 4)
        *(float *)b->fill = (float)value;
    else
        *(double *)b->fill = value;
}

/* A band of x itself. */
static int filter_plainly(const band *b, char *y, const pyconvc_run *run) {
    const int axis = b->j->axis;
    pyconvc_problem p = b->j->p;
    for (int i = 0; i < 6; i++)
        p.w_step[i] = b->problem.w_step[i];
    p.output[axis] = b->problem.output[axis];
    p.pad_before[axis] = -b->first;
    p.pad_after[axis] = b->problem.input[axis] + b->first - p.input[axis];
    return b->j->correlate(&p, b->j->x, b->j->w, NULL, y, run);
}

static int filter_present(const band *b, char *y, const pyconvc_run *run) {
    const job *j = b->j;
    pyconvc_problem p = b->problem;
    split(b);
    int status = j->correlate(&p, b->s->x, j->w, NULL, y, run);
    if (status || !(j->total > 0)) return status;
    put_fill(j, &p, !j->fill_is_missing);
    lay_lines(p.y_step, p.output, j->bytes);
    status = j->correlate(&p, b->s->valid, j->sizes, NULL, b->s->weight, run);
    if (!status) scale(b, &p, y);
    return status;
}

static void do_band(const void *context, int64_t index, void *memory) {
    job *j = (job *)context;
    const int64_t rows = j->p.output[j->axis], row = rows * index / j->bands,
                  end = rows * (index + 1) / j->bands;
    const pyconvc_run run = {1, j->run->flush_denormals, NULL, NULL};
    char *y = j->y + row * j->p.y_step[3 + j->axis] * j->bytes;
    scratch s;
    band b;
    lay_out(j, memory, &s);
    open_band(&b, j, &s, row, end);
    const int status =
        j->fill_is_missing || lacks(&b) ? filter_present(&b, y, &run) : filter_plainly(&b, y, &run);
    if (status) __atomic_store_n(&j->status, status, __ATOMIC_RELAXED);
}

/* Taps and their absolute values, contiguous, in place of w. */
static void *copy_taps(job *j, const char *w) {
    pyconvc_problem *b = &j->band;
    const int64_t taps = samples(b->kernel);
    char *copy = malloc((size_t)(2 * taps * j->bytes));
    if (!copy) return NULL;
    for (int64_t d = 0; d < b->kernel[D]; d++)
        for (int64_t h = 0; h < b->kernel[H]; h++)
            gather_all(j->bytes, w + (d * b->w_step[3] + h * b->w_step[4]) * j->bytes, b->kernel[W],
                       b->w_step[5], copy + (d * b->kernel[H] + h) * b->kernel[W] * j->bytes);
    for (int64_t t = 0; t < taps; t++)
        if (j->bytes == 4)
            ((float *)copy)[taps + t] = fabsf(((float *)copy)[t]);
        else
            ((double *)copy)[taps + t] = fabs(((double *)copy)[t]);
    b->w_step[5] = 1;
    b->w_step[4] = b->kernel[W];
    b->w_step[3] = b->kernel[H] * b->kernel[W];
    j->w = copy;
    j->sizes = copy + taps * j->bytes;
    return copy;
}

/* The weight of a whole window, summed as in a line of the output, so that windows that lack
 * nothing have it to the last bit. */
static pyconvc_status weigh(job *j, int64_t width) {
    pyconvc_problem b = j->band;
    for (int a = 0; a < PYCONVC_RANK; a++) {
        b.output[a] = a == W ? width : 1;
        b.input[a] = reach(&b, a, b.output[a]);
        b.pad_before[a] = b.pad_after[a] = 0;
    }
    lay_lines(b.x_step, b.input, j->bytes);
    lay_lines(b.y_step, b.output, j->bytes);
    const int64_t count = b.x_step[3] * b.input[D];
    char *ones = malloc((size_t)((count + width) * j->bytes));
    if (!ones) return PYCONVC_NO_MEMORY;
    put_fill(j, &b, 1);
    gather_fill(j->bytes, b.fill, count, ones);
    const pyconvc_run run = {1, j->run->flush_denormals, NULL, NULL};
    char *total = ones + count * j->bytes;
    const pyconvc_status status = j->correlate(&b, ones, j->sizes, NULL, total, &run);
    j->total = j->bytes == 4 ? *(float *)total : *(double *)total;
    free(ones);
    return status;
}

static void size_bands(job *j) {
    const pyconvc_problem *p = &j->p;
    j->axis = p->output[D] > 1 ? D : p->output[H] > 1 ? H : W;
    const int64_t all = p->output[j->axis];
    int64_t rows = max64(1, HALO_SHARES * (reach(p, j->axis, 1) - 1));
    while (rows < all && 2 * input_bytes(j, 2 * rows) + output_bytes(j, 2 * rows) <= BAND_BYTES)
        rows *= 2;
    while (rows > 1 && 2 * input_bytes(j, rows) + output_bytes(j, rows) > MOST_BYTES)
        rows /= 2;
    j->bands = ceil_div(all, min64(rows, all));
    j->rows = ceil_div(all, j->bands);
}

pyconvc_status missing_correlate(const pyconvc_problem *p, const void *x, const uint8_t *mask,
                                 const void *w, double least, int normalize, void *y,
                                 const pyconvc_run *run, correlate_fn *correlate) {
    job j = {.p = *p, .band = *p, .x = x, .mask = mask, .y = y, .least = least};
    const kernel_table *table = pyconvc_kernels();
    scratch unused;
    if (!table) return PYCONVC_NO_ISA;
    j.kernels = &table->present[p->dtype];
    j.normalize = normalize;
    j.bytes = pyconvc_sample_bytes(p->dtype);
    j.run = run;
    j.correlate = correlate;
    j.fill_is_missing =
        p->dtype == PYCONVC_F32 ? isnan(*(const float *)p->fill) : isnan(*(const double *)p->fill);
    size_bands(&j);
    j.band.pad_before[j.axis] = j.band.pad_after[j.axis] = 0;
    j.band.boundary[j.axis] = PYCONVC_CONSTANT;
    if (j.fill_is_missing) put_fill(&j, &j.band, 0);
    void *taps = copy_taps(&j, w);
    pyconvc_status status = taps ? PYCONVC_OK : PYCONVC_NO_MEMORY;
    if (!status) status = weigh(&j, j.axis == W ? j.rows : p->output[W]);
    const int workers = parallel_workers(run, (double)samples(p->output) *
                                                  (double)samples(p->kernel) * (double)j.bytes * 2);
    if (!status)
        status = parallel_for(j.bands, workers, lay_out(&j, NULL, &unused), do_band, &j, run);
    free(taps);
    return status ? status : (pyconvc_status)j.status;
}
