/* SPDX-License-Identifier: BSD-3-Clause
 * missing_chain.c -- chains without missing samples (see missing.h): of each band what is there and
 * whether it is are copied, and each copy is a chain's input; the bands stay in the cache. */
#include "arena.h"
#include "chain.h"
#include "gather.h"
#include "missing.h"
#include "parallel.h"

#define BAND_BYTES  (1 << 17) /* of a copy: what an L2 cache holds beside two others */
#define MOST_BYTES  (4 << 20)
#define HALO_SHARES 4 /* times the rows of the halo that a band has at least */

enum { D, H, W };

typedef struct {
    const pyconvc_chain *c, *sizes;
    const char *x;
    const uint8_t *mask;
    char *y;
    int axis; /* along which the output is cut into bands */
    int64_t halo, before, rows, bands, bytes;
    present_scale by;
    const present_kernels *kernels;
    const pyconvc_run *run;
    int status; /* of the first band that failed */
} job;

/* What a worker's scratch holds: of a band what is there, whether it is, and the sums of that. */
typedef struct {
    char *x, *valid, *weight;
} scratch;

/* Rows [row, row + rows) of an image. */
typedef struct {
    int64_t image, row, rows;
} band;

/* Bytes from line to line: whole cache lines, and lines apart in the cache. */
static int64_t pitch_bytes(const job *j, int64_t width) {
    const int64_t pitch = round_up(width * j->bytes, 64);
    return pitch % 512 ? pitch : pitch + 64;
}

/* Of lines of a band, of which so many lie along the axis. */
static int64_t copy_bytes(const job *j, const int64_t *size, int64_t rows) {
    return (j->axis == D ? rows * size[H] : size[D] * rows) * pitch_bytes(j, size[W]);
}

static size_t lay_out(const job *j, char *base, scratch *s) {
    arena a = {base, 0};
    s->x = carve(&a, copy_bytes(j, j->c->input, j->rows + j->halo));
    s->valid = carve(&a, copy_bytes(j, j->c->input, j->rows + j->halo));
    s->weight = carve(&a, copy_bytes(j, j->c->output, j->rows));
    return (size_t)a.bytes;
}

/* The steps of dense lines at their pitch. */
static void set_steps(const job *j, const int64_t *size, int64_t *step) {
    step[3] = 1;
    step[2] = pitch_bytes(j, size[W]) / j->bytes;
    step[1] = step[2] * size[H];
    step[0] = 0;
}

/* A chain over a copy of a band: nothing lies beyond the edges of the axis. */
static pyconvc_chain cut(const job *j, const pyconvc_chain *c, const band *b) {
    pyconvc_chain q = *c;
    q.batch = 1;
    q.input[j->axis] = b->rows + j->halo;
    q.output[j->axis] = b->rows;
    set_steps(j, q.input, q.x_step);
    for (int i = 0; i < q.passes; i++) {
        q.pass[i].pad[j->axis] = 0;
        q.pass[i].boundary[j->axis] = PYCONVC_CONSTANT;
    }
    return q;
}

/* Line (d, h) of a band; what is beyond a constant edge is as before all passes. */
static void split_line(const job *j, const band *b, int64_t d, int64_t h, char *to, char *valid) {
    const pyconvc_chain *c = j->c;
    int64_t place[] = {d, h};
    place[j->axis] = pyconvc_boundary_index(chain_rule(c, j->axis),
                                            b->row - j->before + place[j->axis], c->input[j->axis]);
    if (place[j->axis] < 0) {
        gather_fill(j->bytes, c->pass[0].fill, c->input[W], to);
        gather_fill(j->bytes, j->sizes->pass[0].fill, c->input[W], valid);
        return;
    }
    const int64_t line = (b->image * c->input[D] + place[D]) * c->input[H] + place[H];
    const int64_t at = b->image * c->x_step[0] + place[D] * c->x_step[1] + place[H] * c->x_step[2];
    j->kernels->split(j->x + at * j->bytes, j->mask ? j->mask + line * c->input[W] : NULL,
                      c->input[W], to, valid);
}

static pyconvc_status do_chains(const job *j, const band *b, const scratch *s) {
    const pyconvc_run run = {1, j->run->flush_denormals, NULL, NULL};
    const pyconvc_chain c = cut(j, j->c, b);
    pyconvc_chain sizes = cut(j, j->sizes, b);
    set_steps(j, sizes.output, sizes.y_step);
    for (int64_t d = 0; d < c.input[D]; d++)
        for (int64_t h = 0; h < c.input[H]; h++) {
            const int64_t at = (d * c.x_step[1] + h * c.x_step[2]) * j->bytes;
            split_line(j, b, d, h, s->x + at, s->valid + at);
        }
    char *y = j->y + (b->image * c.y_step[0] + b->row * c.y_step[1 + j->axis]) * j->bytes;
    pyconvc_status status = chain_filter(&c, s->x, y, &run);
    if (!status) status = chain_filter(&sizes, s->valid, s->weight, &run);
    for (int64_t d = 0; d < c.output[D] && !status; d++)
        for (int64_t h = 0; h < c.output[H]; h++) {
            const int64_t at = (d * sizes.y_step[1] + h * sizes.y_step[2]) * j->bytes;
            char *line = y + (d * c.y_step[1] + h * c.y_step[2]) * j->bytes;
            j->kernels->scale(line, s->weight + at, c.output[W], &j->by, line);
        }
    return status;
}

static void do_band(const void *context, int64_t index, void *memory) {
    job *j = (job *)context;
    const int64_t all = j->c->output[j->axis], i = index % j->bands;
    band b = {index / j->bands, all * i / j->bands, 0};
    b.rows = all * (i + 1) / j->bands - b.row;
    scratch s;
    lay_out(j, memory, &s);
    const int status = do_chains(j, &b, &s);
    if (status) __atomic_store_n(&j->status, status, __ATOMIC_RELAXED);
}

static void size_bands(job *j) {
    const pyconvc_chain *c = j->c;
    const int axis = j->axis = c->output[D] > 1 ? D : H;
    for (int i = 0; i < c->passes; i++)
        j->halo += c->pass[i].kernel[axis] - 1, j->before += c->pass[i].pad[axis];
    const int64_t all = c->output[axis];
    int64_t rows = max64(1, HALO_SHARES * j->halo);
    while (rows < all && copy_bytes(j, c->input, 2 * rows + j->halo) <= BAND_BYTES)
        rows *= 2;
    while (rows > 1 && copy_bytes(j, c->input, rows + j->halo) > MOST_BYTES)
        rows /= 2;
    j->bands = ceil_div(all, min64(rows, all));
    j->rows = ceil_div(all, j->bands);
}

pyconvc_status missing_chain(const pyconvc_chain *c, const pyconvc_chain *sizes, const void *x,
                             const uint8_t *mask, const present_scale *by, void *y,
                             const pyconvc_run *run) {
    job j = {.c = c, .sizes = sizes, .x = x, .mask = mask, .y = y, .by = *by, .run = run};
    scratch unused;
    if (!pyconvc_kernels()) return PYCONVC_NO_ISA;
    j.kernels = &pyconvc_kernels()->present[c->dtype];
    j.bytes = pyconvc_sample_bytes(c->dtype);
    const int64_t *taps = c->pass[0].kernel;
    double work = 2 * (double)(taps[D] * taps[H] * taps[W]) * (double)j.bytes * (double)c->batch;
    for (int a = 0; a < PYCONVC_RANK; a++)
        work *= (double)c->output[a];
    if (work <= 0) return PYCONVC_OK;
    size_bands(&j);
    if (copy_bytes(&j, c->input, j.rows + j.halo) > MOST_BYTES) return PYCONVC_UNSUITED;
    const pyconvc_status status = parallel_for(c->batch * j.bands, parallel_workers(run, work),
                                               lay_out(&j, NULL, &unused), do_band, &j, run);
    return status ? status : (pyconvc_status)j.status;
}
