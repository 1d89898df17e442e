/* SPDX-License-Identifier: BSD-3-Clause
 * missing_stages.c -- cuts and stages (see missing_stages.h). */
#include "missing_stages.h"

#include <stdlib.h>

#include "gather.h"

#define BAND_BYTES  (1 << 19) /* of a copy: four of them stay in a cache beside what chains need */
#define LINE_BYTES  (1 << 17) /* the same of pieces of lines, whose halo takes little */
#define NEAR_BYTES  (1 << 20) /* the same, where its halo takes more */
#define MOST_BYTES  (3 << 20)
#define LONG_LINE   8192 /* samples */
#define HALO_SHARES 2.0  /* times the rows of the halo that a band has, at least */
#define LEAST_SHARE 0.25 /* the same where that is too much */

static const pyconvc_run serial = {1, 0, NULL, NULL};

/* ---- cutting --------------------------------------------------------------------------------- */

/* Bytes from line to line: whole cache lines, and lines apart in the cache. */
static int64_t pitch_bytes(int64_t width, int64_t bytes) {
    const int64_t pitch = round_up(width * bytes, 64);
    return pitch % 512 ? pitch : pitch + 64;
}

/* Of what is read or of what is written. */
static double copy_bytes(const pyconvc_chain *c, const missing_cut *cut) {
    int64_t size[PYCONVC_RANK];
    for (int a = 0; a < PYCONVC_RANK; a++)
        size[a] = a == cut->axis ? cut->rows + cut->halo : max64(c->input[a], c->output[a]);
    return (double)size[D] * (double)size[H] *
           (double)pitch_bytes(size[W], pyconvc_sample_bytes(c->dtype));
}

/* Rows along an axis: so many times the halo, and more as far as there is room. */
static missing_cut cut_along(const pyconvc_chain *c, int axis, double shares) {
    missing_cut cut = {.axis = axis};
    const double room = axis == W ? LINE_BYTES : BAND_BYTES;
    int64_t run = 1;
    for (int i = 0; i < c->passes; i++) {
        const pyconvc_pass *pass = &c->pass[i];
        cut.halo += pass->kernel[axis] - 1, cut.before += pass->pad[axis];
        if (pass->kernel[axis] > 1 && chain_shares(PYCONVC_SAMPLE_AS_COMPUTED, pass) == CHAIN_RUNS)
            run = pass->kernel[axis];
    }
    cut.rows = max64(1, (int64_t)(shares * (double)cut.halo));
    missing_cut twice = cut;
    while (cut.rows < c->output[axis] && (twice.rows = 2 * cut.rows, copy_bytes(c, &twice) <= room))
        cut.rows = twice.rows;
    cut.rows = round_up(cut.rows, run);
    return cut;
}

/* Passes along the axis of the cut take what its halo has for nothing, but the first. So that is
 * cut, unless there is an axis without passes; lines only where there is nothing else. */
pyconvc_status missing_find_cut(const pyconvc_chain *c, missing_cut *cut) {
    const int first = chain_axis(&c->pass[0]);
    const double most[] = {NEAR_BYTES, MOST_BYTES, MOST_BYTES, MOST_BYTES};
    const double shares[] = {HALO_SHARES, HALO_SHARES, 1, LEAST_SHARE};
    for (int i = 0; i < 4; i++)
        for (int way = 0; way < 3; way++)
            for (int a = D; a <= W; a++) {
                *cut = cut_along(c, a, shares[i]);
                const int suits = way == 0   ? a != W && !cut->halo
                                  : way == 1 ? a != W && a == first
                                             : 1;
                if (suits && c->output[a] > 1 && copy_bytes(c, cut) <= most[i]) return PYCONVC_OK;
            }
    *cut = cut_along(c, W, LEAST_SHARE);
    return copy_bytes(c, cut) <= MOST_BYTES ? PYCONVC_OK : PYCONVC_UNSUITED;
}

/* ---- stages ---------------------------------------------------------------------------------- */

/* The steps of lines at their pitch. */
static void set_steps(int64_t bytes, const int64_t *size, int64_t *step) {
    step[3] = 1;
    step[2] = pitch_bytes(size[W], bytes) / bytes;
    step[1] = step[2] * size[H];
    step[0] = 0;
}

/* The chain over a copy of a band: nothing lies beyond the edges of the axis. */
static pyconvc_chain on_copy(const pyconvc_chain *c, const missing_cut *cut, int64_t rows) {
    pyconvc_chain q = *c;
    q.batch = 1;
    q.x_sample = q.y_sample = PYCONVC_SAMPLE_AS_COMPUTED;
    q.input[cut->axis] = rows + cut->halo;
    q.output[cut->axis] = rows;
    for (int i = 0; i < q.passes; i++) {
        q.pass[i].pad[cut->axis] = 0;
        q.pass[i].boundary[cut->axis] = PYCONVC_CONSTANT;
    }
    return q;
}

/* Passes [first, next) of a chain, and what the others along an axis leave. */
static void set_stage(pyconvc_chain *q, const pyconvc_chain *whole, int first, int next) {
    const int64_t bytes = pyconvc_sample_bytes(whole->dtype);
    *q = *whole;
    q->passes = next - first;
    for (int i = first; i < next; i++)
        q->pass[i - first] = whole->pass[i];
    for (int i = 0; i < whole->passes; i++) {
        const int a = chain_axis(&whole->pass[i]);
        if (i < first) q->input[a] = whole->output[a];
        if (i >= next) q->output[a] = whole->input[a];
    }
    set_steps(bytes, q->input, q->x_step);
    set_steps(bytes, q->output, q->y_step);
}

pyconvc_status missing_plan(missing_stages *m, const pyconvc_chain *c, const missing_cut *cut,
                            int64_t rows) {
    const pyconvc_chain whole = on_copy(c, cut, rows);
    const int first = c->passes == 3 && chain_axis(c->pass) == D ? 1 : c->passes;
    pyconvc_status status = PYCONVC_OK;
    for (int from = 0, next = first; from < c->passes && !status; from = next, next = c->passes) {
        const int i = m->count++;
        set_stage(&m->chain[i], &whole, from, next);
        status = chain_plan_make(&m->plan[i], &m->chain[i], NULL, m, &serial);
        m->plan[i].flags = 0; /* what is written is read next */
        m->plan[i].origin[cut->axis] = -cut->before;
    }
    return status;
}

void missing_free(missing_stages *m) {
    for (int i = 0; i < m->count; i++)
        chain_plan_free(&m->plan[i]);
}

static int64_t bytes_of(const pyconvc_chain *c, const int64_t *size) {
    return size[D] * size[H] * pitch_bytes(size[W], pyconvc_sample_bytes(c->dtype));
}

int64_t missing_buffer(const missing_stages *m, int i) {
    int64_t most = 0;
    for (int k = 0; k < m->count; k++)
        most = max64(most,
                     bytes_of(&m->chain[k], k % 2 == i ? m->chain[k].input : m->chain[k].output));
    return most;
}

int64_t missing_scratch(const missing_stages *m) {
    int64_t most = 0;
    for (int i = 0; i < m->count; i++)
        most = max64(most, (int64_t)chain_scratch_bytes(&m->plan[i]));
    return most;
}

void missing_run(const missing_stages *m, char *const *buffer, void *scratch) {
    for (int i = 0; i < m->count; i++)
        chain_run_alone(&m->plan[i], buffer[i % 2], buffer[(i + 1) % 2], scratch);
}

/* ---- weights --------------------------------------------------------------------------------- */

/* A line, for kernels choose their order by its length; others around it are the same. */
pyconvc_status missing_weigh(const pyconvc_chain *sizes, double *total) {
    pyconvc_chain q = *sizes;
    const int64_t n = min64(q.output[W], LONG_LINE), bytes = pyconvc_sample_bytes(q.dtype);
    const float one = 1;
    const double double_one = 1;
    q.batch = 1;
    q.x_sample = q.y_sample = PYCONVC_SAMPLE_AS_COMPUTED;
    for (int a = 0; a < PYCONVC_RANK; a++) {
        q.input[a] = q.output[a] = a == W ? n : 1;
        for (int i = 0; i < q.passes; i++)
            q.pass[i].pad[a] = 0, q.pass[i].boundary[a] = PYCONVC_REPLICATE;
    }
    set_steps(bytes, q.input, q.x_step);
    set_steps(bytes, q.output, q.y_step);
    char *line = malloc((size_t)(2 * n * bytes));
    if (!line) return PYCONVC_NO_MEMORY;
    const int is_single = q.dtype == PYCONVC_F32;
    char *sums = line + n * bytes;
    gather_fill(bytes, is_single ? (const void *)&one : &double_one, n, line);
    const pyconvc_status status = chain_filter(&q, line, sums, &serial);
    *total = is_single ? *(float *)sums : *(double *)sums;
    free(line);
    return status;
}

double missing_taps(const pyconvc_chain *c) {
    double taps = 0;
    for (int i = 0; i < c->passes; i++)
        taps += (double)c->pass[i].kernel[chain_axis(&c->pass[i])];
    return taps;
}
