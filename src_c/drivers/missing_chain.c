/* SPDX-License-Identifier: BSD-3-Clause
 * missing_chain.c -- chains without missing samples (see missing.h): of each band what is there and
 * whether it is are copied, and each copy is a chain's input; the bands stay in the cache. */
#include <stdlib.h>

#include "arena.h"
#include "gather.h"
#include "missing_stages.h"
#include "parallel.h"

#define STREAM_FROM (4 << 20) /* bytes of y */

typedef struct {
    const pyconvc_chain *c, *sizes;
    const char *x;
    const uint8_t *mask;
    const int64_t *mask_step;
    char *y;
    missing_cut cut;
    int64_t bands, bytes, x_bytes, y_bytes, chain_bytes;
    missing_stages samples[2], weights[2]; /* of all bands but the last, and of that */
    present_scale by;
    int stream;       /* whether y is written past the cache */
    int beyond_lacks; /* whether the constant beyond the edges counts as missing */
    const present_kernels *kernels;
    const convert_kernels *convert;
    const pyconvc_run *run;
} job;

/* What a worker's scratch holds: two buffers of what is there and two of whether it is, between
 * which stages go; a line as it is in memory, and one of the mask; what chains need. */
typedef struct {
    char *x[2], *valid[2], *line;
    uint8_t *flags;
    void *chain;
} scratch;

/* Rows of an image from `row` on, and how their lines are read. */
typedef struct {
    const job *j;
    const scratch *s;
    int64_t image, row, width;
    gather_line line, flags;
    gather_range range;
} band;

static size_t lay_out(const job *j, char *base, scratch *s) {
    const missing_stages *m = &j->samples[0];
    const int64_t width = max64(m->chain[0].input[W], j->c->output[W]);
    arena a = {base, 0};
    for (int i = 0; i < 2; i++) {
        s->x[i] = carve(&a, missing_buffer(m, i));
        s->valid[i] = carve(&a, missing_buffer(m, i));
    }
    s->line = carve(&a, width * max64(j->x_bytes, j->y_bytes));
    s->flags = carve(&a, width);
    s->chain = carve(&a, j->chain_bytes);
    return (size_t)a.bytes;
}

/* ---- a band ---------------------------------------------------------------------------------- */

static void open_band(band *b, const job *j, const scratch *s, int64_t image, int64_t row,
                      const missing_stages *m) {
    static const unsigned char nothing[16];
    const pyconvc_chain *c = j->c;
    const int32_t rule = chain_rule(c, W);
    *b = (band){.j = j, .s = s, .image = image, .row = row - j->cut.before};
    b->width = m->chain[0].input[W];
    b->line = (gather_line){j->x_bytes, c->input[W], c->x_step[3], rule, nothing};
    b->flags = (gather_line){1, c->input[W], j->mask ? j->mask_step[3] : 1, rule, nothing};
    b->range = gather_find(&b->line, j->cut.axis == W ? b->row : 0, 1, b->width);
}

static int is_inside(const band *b, const gather_line *line) {
    return line->step == 1 && b->range.inside == b->width;
}

/* The samples of a line of x as they are computed with; `to` has room for them. */
static const char *read_line(const band *b, const int64_t *place, char *to) {
    const job *j = b->j;
    const int64_t *step = j->c->x_step;
    const int same = j->c->x_sample == PYCONVC_SAMPLE_AS_COMPUTED;
    const char *x =
        j->x + (b->image * step[0] + place[D] * step[1] + place[H] * step[2]) * j->x_bytes;
    if (is_inside(b, &b->line)) {
        x += b->range.first * j->x_bytes;
    } else {
        gather(&b->line, &b->range, x, 0, same ? to : b->s->line);
        x = same ? to : b->s->line;
    }
    if (same) return x;
    j->convert->widen[j->c->x_sample](x, b->width, to);
    return to;
}

static const uint8_t *read_mask(const band *b, const int64_t *place) {
    const int64_t *step = b->j->mask_step;
    const uint8_t *mask = b->j->mask;
    if (!mask) return NULL;
    mask += b->image * step[0] + place[D] * step[1] + place[H] * step[2];
    if (is_inside(b, &b->flags)) return mask + b->range.first;
    gather(&b->flags, &b->range, mask, 0, b->s->flags);
    return b->s->flags;
}

/* n samples from `at` on of both copies, which lie beyond a constant edge: as before all passes. */
static void put_constant(const job *j, int64_t at, int64_t n, char *to, char *valid) {
    gather_fill(j->bytes, j->c->pass[0].fill, n, to + at * j->bytes);
    gather_fill(j->bytes, j->sizes->pass[0].fill, n, valid + at * j->bytes);
}

/* Line (d, h) of a band; returns whether something of it is missing within the edges. */
static int split_line(const band *b, int64_t d, int64_t h, char *to, char *valid) {
    const job *j = b->j;
    const int axis = j->cut.axis;
    int64_t place[] = {d, h, 0};
    if (axis != W)
        place[axis] =
            pyconvc_boundary_index(chain_rule(j->c, axis), b->row + place[axis], j->c->input[axis]);
    if (place[D] < 0 || place[H] < 0) {
        put_constant(j, 0, b->width, to, valid);
        return 0;
    }
    const char *x = read_line(b, place, to);
    const int missing = j->kernels->split(x, read_mask(b, place), b->width, to, valid);
    if (b->line.rule == PYCONVC_CONSTANT) {
        put_constant(j, 0, b->range.before, to, valid);
        put_constant(j, b->width - b->range.after, b->range.after, to, valid);
    }
    return missing;
}

/* Returns whether something is missing, or may be beyond the edges. */
static int split_band(const band *b, const missing_stages *m) {
    const pyconvc_chain *c = &m->chain[0];
    int missing = b->j->beyond_lacks;
    for (int64_t d = 0; d < c->input[D]; d++)
        for (int64_t h = 0; h < c->input[H]; h++) {
            const int64_t at = (d * c->x_step[1] + h * c->x_step[2]) * b->j->bytes;
            missing |= split_line(b, d, h, b->s->x[0] + at, b->s->valid[0] + at);
        }
    return missing;
}

/* A line of sums, scaled by their weights, if any, to y; the sums may be overwritten. */
static void put_line(const job *j, char *sums, const char *weights, int64_t n, char *line,
                     char *y) {
    const int64_t step = j->c->y_step[3];
    const int same = j->c->y_sample == PYCONVC_SAMPLE_AS_COMPUTED, direct = same && step == 1;
    if (weights) j->kernels->scale(sums, weights, n, &j->by, j->stream, direct ? y : sums);
    if (weights && direct) return;
    if (!same) j->convert->narrow[j->c->y_sample](sums, n, step == 1 ? y : line);
    if (same || step != 1) scatter(j->y_bytes, same ? sums : line, n, step, y);
}

static void put_band(const job *j, const scratch *s, const missing_stages *m, int lacking,
                     char *y) {
    const pyconvc_chain *c = &m->chain[m->count - 1];
    char *sums = s->x[m->count % 2];
    const char *weights = s->valid[m->count % 2];
    for (int64_t d = 0; d < c->output[D]; d++)
        for (int64_t h = 0; h < c->output[H]; h++) {
            const int64_t at = (d * c->y_step[1] + h * c->y_step[2]) * j->bytes;
            put_line(j, sums + at, lacking ? weights + at : NULL, c->output[W], s->line,
                     y + (d * j->c->y_step[1] + h * j->c->y_step[2]) * j->y_bytes);
        }
}

static void do_band(const void *context, int64_t index, void *memory) {
    const job *j = context;
    const int64_t image = index / j->bands, i = index % j->bands, row = i * j->cut.rows;
    const int last = j->bands > 1 && i == j->bands - 1;
    const missing_stages *m = &j->samples[last];
    scratch s;
    band b;
    lay_out(j, memory, &s);
    open_band(&b, j, &s, image, row, m);
    const int lacking = split_band(&b, m);
    missing_run(m, s.x, s.chain);
    if (lacking) missing_run(&j->weights[last], s.valid, s.chain);
    const int64_t at = image * j->c->y_step[0] + row * j->c->y_step[1 + j->cut.axis];
    put_band(j, &s, m, lacking, j->y + at * j->y_bytes);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static pyconvc_status plan_bands(job *j) {
    const int64_t all = j->c->output[j->cut.axis];
    j->bands = ceil_div(all, j->cut.rows);
    pyconvc_status status = PYCONVC_OK;
    for (int i = 0; i < 2 && i < j->bands; i++) {
        const int64_t rows = i ? all - (j->bands - 1) * j->cut.rows : min64(all, j->cut.rows);
        status = missing_plan(&j->samples[i], j->c, &j->cut, rows);
        if (!status) status = missing_plan(&j->weights[i], j->sizes, &j->cut, rows);
        if (status) break;
        j->chain_bytes = max64(j->chain_bytes, missing_scratch(&j->samples[i]));
        j->chain_bytes = max64(j->chain_bytes, missing_scratch(&j->weights[i]));
    }
    return status;
}

static pyconvc_status run_bands(job *j) {
    scratch unused;
    const int64_t *n = j->c->output;
    const double work = 2 * missing_taps(j->c) * (double)j->bytes * (double)j->c->batch *
                        (double)n[D] * (double)n[H] * (double)n[W];
    return parallel_for(j->c->batch * j->bands, parallel_workers(j->run, work),
                        lay_out(j, NULL, &unused), do_band, j, j->run);
}

/* Whether all lines of a large y are aligned to any vector. */
static int can_stream(const job *j) {
    const pyconvc_chain *c = j->c;
    const int64_t vector = 64, counts[] = {c->batch, c->output[D], c->output[H]};
    double bytes = (double)j->bytes * (double)c->output[W];
    if (c->y_sample != PYCONVC_SAMPLE_AS_COMPUTED || c->y_step[3] != 1 || (intptr_t)j->y % vector)
        return 0;
    for (int i = 0; i < 3; i++) {
        if (counts[i] > 1 && c->y_step[i] * j->bytes % vector) return 0;
        bytes *= (double)counts[i];
    }
    return bytes >= STREAM_FROM && (j->cut.axis != W || j->cut.rows * j->bytes % vector == 0);
}

static int is_zero(const unsigned char *sample, int64_t bytes) {
    int any = 0;
    for (int64_t i = 0; i < bytes; i++)
        any |= sample[i];
    return !any;
}

pyconvc_status missing_chain(const pyconvc_chain *c, const pyconvc_chain *sizes, const void *x,
                             const uint8_t *mask, const int64_t *mask_step, double least,
                             int normalize, void *y, const pyconvc_run *run) {
    job j = {.c = c, .sizes = sizes, .x = x, .mask = mask, .mask_step = mask_step, .y = y};
    const kernel_table *table = pyconvc_kernels();
    if (!table) return PYCONVC_NO_ISA;
    j.run = run;
    j.kernels = &table->present[c->dtype];
    j.convert = &table->convert[c->dtype == PYCONVC_F64];
    j.bytes = pyconvc_sample_bytes(c->dtype);
    j.x_bytes = chain_sample_bytes(c->x_sample, j.bytes);
    j.y_bytes = chain_sample_bytes(c->y_sample, j.bytes);
    j.beyond_lacks = is_zero(sizes->pass[0].fill, j.bytes);
    pyconvc_status status = missing_find_cut(c, &j.cut);
    j.stream = can_stream(&j);
    if (!status) status = missing_weigh(sizes, &j.by.total);
    j.by.least = least * j.by.total;
    j.by.normalize = normalize;
    if (!status) status = plan_bands(&j);
    if (!status) status = run_bands(&j);
    for (int i = 0; i < 2; i++)
        missing_free(&j.samples[i]), missing_free(&j.weights[i]);
    return status;
}
