/* SPDX-License-Identifier: BSD-3-Clause
 * missing.c -- bands of outputs whose windows lack samples (see missing.h). */
#include "missing.h"

#include <math.h>
#include <stdlib.h>

#include "gather.h"
#include "parallel.h"
#include "problem.h"

#define BAND_BYTES  (1 << 18) /* of a band and its copies: half an L2 cache */
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
    correlate_fn *correlate;
    int status; /* of the first band that failed */
} job;

typedef struct {
    char *x, *valid, *weight;
    uint8_t *mask;
} scratch;

static int64_t samples(const int64_t size[PYCONVC_RANK]) {
    return size[D] * size[H] * size[W];
}

/* Input rows of `rows` output rows. */
static int64_t reach(const pyconvc_problem *p, int a, int64_t rows) {
    return (rows - 1) * p->stride[a] + (p->kernel[a] - 1) * p->dilation[a] + 1;
}

static int64_t band_bytes(const job *j, int64_t rows) {
    const int64_t in = samples(j->p.input) / j->p.input[j->axis] * reach(&j->p, j->axis, rows),
                  out = samples(j->p.output) / j->p.output[j->axis] * rows;
    return (2 * in + out) * j->bytes;
}

static size_t lay_out(const job *j, char *base, scratch *s) {
    const int64_t in = samples(j->p.input) / j->p.input[j->axis] * reach(&j->p, j->axis, j->rows),
                  out = samples(j->p.output) / j->p.output[j->axis] * j->rows;
    const int64_t in_bytes = round_up(in * j->bytes, 64), out_bytes = round_up(out * j->bytes, 64);
    s->x = base;
    s->valid = base + in_bytes;
    s->weight = base + 2 * in_bytes;
    s->mask = (uint8_t *)base + 2 * in_bytes + out_bytes;
    return (size_t)(2 * in_bytes + out_bytes + (j->mask ? j->p.input[W] + in : 0));
}

static void contiguous(int64_t step[3 + PYCONVC_RANK], const int64_t size[PYCONVC_RANK]) {
    step[5] = 1;
    step[4] = size[W];
    step[3] = size[W] * size[H];
    step[0] = step[1] = step[2] = 0;
}

/* ---- one line of a band: NaN and what is masked become 0, and `valid` tells */

#define SPLIT(elem, whole)                                                                         \
    static int64_t split_##elem(elem *x, const uint8_t *mask, int64_t count, elem *valid) {        \
        whole there = 0;                                                                           \
        for (int64_t i = 0; mask && i < count; i++)                                                \
            x[i] = mask[i] ? (elem)NAN : x[i];                                                     \
        for (int64_t i = 0; i < count; i++) {                                                      \
            const whole ok = x[i] == x[i];                                                         \
            valid[i] = ok ? 1 : 0;                                                                 \
            x[i] = ok ? x[i] : 0;                                                                  \
            there += ok;                                                                           \
        }                                                                                          \
        return count - there;                                                                      \
    }
SPLIT(float, int32_t)
SPLIT(double, int64_t)

#define SCALE(elem)                                                                                \
    static void scale_##elem(elem *y, int64_t step, const elem *weight, int64_t count, elem total, \
                             elem least, int normalize) {                                          \
        for (int64_t i = 0; i < count; i++) {                                                      \
            const elem part = weight[i] / total;                                                   \
            const elem by = normalize ? 1 / part : 1;                                              \
            y[i * step] *= part > 0 && part >= least ? by : (elem)NAN;                             \
        }                                                                                          \
    }
SCALE(float)
SCALE(double)

/* Line (d, h) of the band that begins at input row `first`, and how many samples it lacks. */
static int64_t take_line(const job *j, int64_t first, int64_t d, int64_t h, const scratch *s,
                         int64_t at) {
    const pyconvc_problem *p = &j->p, *b = &j->band;
    int64_t place[] = {d, h, 0};
    if (j->axis != W) {
        place[j->axis] =
            pyconvc_boundary_index(p->boundary[j->axis], first + place[j->axis], p->input[j->axis]);
        first = 0;
    }
    const gather_line line = {j->bytes, p->input[W], p->x_step[5], p->boundary[W], p->fill};
    const unsigned char present = 0;
    const gather_line flags = {1, p->input[W], 1, p->boundary[W], &present};
    const gather_range range = gather_find(&line, first, 1, b->input[W]);
    char *x = s->x + at * j->bytes, *valid = s->valid + at * j->bytes;
    if (place[D] < 0 || place[H] < 0) {
        gather_fill(j->bytes, p->fill, b->input[W], x);
    } else {
        gather(&line, &range, j->x + (place[D] * p->x_step[3] + place[H] * p->x_step[4]) * j->bytes,
               0, x);
        if (j->mask)
            gather(&flags, &range, j->mask + (place[D] * p->input[H] + place[H]) * p->input[W], 0,
                   s->mask);
    }
    const uint8_t *mask = j->mask && place[D] >= 0 && place[H] >= 0 ? s->mask : NULL;
    return j->bytes == 4 ? split_float((float *)x, mask, b->input[W], (float *)valid)
                         : split_double((double *)x, mask, b->input[W], (double *)valid);
}

static void scale_line(const job *j, char *y, const char *weight, int64_t count) {
    const int64_t step = j->p.y_step[5];
    if (j->bytes == 4)
        scale_float((float *)y, step, (const float *)weight, count, (float)j->total,
                    (float)j->least, j->normalize);
    else
        scale_double((double *)y, step, (const double *)weight, count, j->total, j->least,
                     j->normalize);
}

static void scale(const job *j, const pyconvc_problem *b, char *y, const char *weight) {
    for (int64_t d = 0; d < b->output[D]; d++)
        for (int64_t h = 0; h < b->output[H]; h++)
            scale_line(j, y + (d * j->p.y_step[3] + h * j->p.y_step[4]) * j->bytes,
                       weight + (d * b->output[H] + h) * b->output[W] * j->bytes, b->output[W]);
}

static void put_fill(const job *j, pyconvc_problem *b, double value) {
    if (j->bytes == 4)
        *(float *)b->fill = (float)value;
    else
        *(double *)b->fill = value;
}

static void do_band(const void *context, int64_t index, void *memory) {
    job *j = (job *)context;
    const int64_t row = j->p.output[j->axis] * index / j->bands,
                  end = j->p.output[j->axis] * (index + 1) / j->bands;
    const int64_t first = row * j->p.stride[j->axis] - j->p.pad_before[j->axis];
    const pyconvc_run run = {1, j->run->flush_denormals, NULL, NULL};
    char *y = j->y + row * j->p.y_step[3 + j->axis] * j->bytes;
    scratch s;
    lay_out(j, memory, &s);
    pyconvc_problem b = j->band;
    b.input[j->axis] = reach(&j->p, j->axis, end - row);
    b.output[j->axis] = end - row;
    contiguous(b.x_step, b.input);
    job here = *j;
    here.band = b;
    int64_t missing = 0;
    for (int64_t d = 0; d < b.input[D]; d++)
        for (int64_t h = 0; h < b.input[H]; h++)
            missing += take_line(&here, first, d, h, &s, (d * b.input[H] + h) * b.input[W]);
    int status = j->correlate(&b, s.x, j->w, NULL, y, &run);
    if (!status && j->total > 0 && (missing || j->fill_is_missing)) {
        put_fill(j, &b, !j->fill_is_missing);
        contiguous(b.y_step, b.output);
        status = j->correlate(&b, s.valid, j->sizes, NULL, s.weight, &run);
        if (!status) scale(j, &b, y, s.weight);
    }
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
    contiguous(b->w_step, b->kernel);
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
    contiguous(b.x_step, b.input);
    contiguous(b.y_step, b.output);
    const int64_t count = samples(b.input);
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
    while (rows < all && band_bytes(j, 2 * rows) <= BAND_BYTES)
        rows *= 2;
    while (rows > 1 && band_bytes(j, rows) > MOST_BYTES)
        rows /= 2;
    j->bands = ceil_div(all, min64(rows, all));
    j->rows = ceil_div(all, j->bands);
}

pyconvc_status missing_correlate(const pyconvc_problem *p, const void *x, const uint8_t *mask,
                                 const void *w, double least, int normalize, void *y,
                                 const pyconvc_run *run, correlate_fn *correlate) {
    job j = {.p = *p, .band = *p, .x = x, .mask = mask, .y = y, .least = least};
    scratch unused;
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
