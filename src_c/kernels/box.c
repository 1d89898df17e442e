/* SPDX-License-Identifier: BSD-3-Clause
 *
 * box.c -- means of long windows of rows, for a time that does not grow with the window (contract:
 * box_job in chain_types.h), and of shorter ones.
 *
 * Rows are taken in runs of as many as a window has. A window is the end of one run and the
 * beginning of the next: sums of the ends are made once for a run, going backwards, and the sum of
 * the beginning grows by a row with each window (van Herk 1992, Gil and Werman 1993). Nothing is
 * subtracted, so that a NaN reaches only the windows that hold it, and nothing is carried further
 * than a run. Added up in double, whatever the elements.
 */
#include "chain_types.h"
#include "vec.h"

#define UNITS 4 /* sums in flight: enough to hide an addition's latency */

/* A vector of doubles, and as many elements. */
#if VEC_BYTES == 0
#    define LANES 1
typedef double reals;
typedef elem unit;
#    define CONVERT(a, type) ((type)(a))
#else
#    define LANES   (VEC_BYTES / (int)sizeof(double))
typedef double reals __attribute__((vector_size(VEC_BYTES), may_alias));
typedef elem unit __attribute__((vector_size(LANES * sizeof(elem)), may_alias, aligned(1)));
#    define CONVERT __builtin_convertvector
#endif
#define COLUMNS (UNITS * LANES)

#ifndef REALS_AT_f32 /* else the tier has its own */
#    define REALS_AT_f32(p) CONVERT(*(const unit *)(p), reals)
#endif
#define REALS_AT_f64(p) (*(const unit *)(p))

INLINE reals load_unit(const elem *p) {
    return CAT(REALS_AT_, PYCONVC_DTYPE)(p);
}

INLINE void store_unit(elem *p, reals a) {
    *(unit *)p = CONVERT(a, unit);
}

/* U units of all rows, from column j on; U is a constant at every call. */
INLINE void add_rows(const int U, reals *sum, const box_job *job, int64_t row, int64_t j) {
    const elem *x = (const elem *)job->rows[row] + j;
    UNROLL(4)
    for (int u = 0; u < U; u++)
        sum[u] += load_unit(x + u * LANES);
}

/* What a window's sum becomes, divided by w or times it. */
INLINE void put(const int U, const int divide, double w, const reals *sum, const reals *end,
                elem *y, int64_t columns) {
    UNROLL(4)
    for (int u = 0; u < U; u++) {
        const reals whole = sum[u] + end[u];
        const reals result = divide ? whole / w : whole * w;
        elem part[LANES];
        if (columns >= LANES) {
            store_unit(y + u * LANES, result);
            continue;
        }
        store_unit(part, result);
        memcpy(y, part, (size_t)columns * sizeof(elem));
    }
}

/* The windows that begin in one run: `windows` of them, the first of row `from`, `rows` before the
 * end of the run. */
INLINE void one_run(const int U, const int divide, const box_job *job, int64_t from, int64_t rows,
                    int64_t windows, int64_t j, int64_t columns) {
    const int64_t count = job->count, pitch = job->y_pitch;
    const double w = *(const elem *)job->w;
    reals *ends = job->sums;
    elem *y = (elem *)job->y + from * job->y_pitch + j;
    reals sum[UNITS] = {0};
    for (int64_t i = rows - 1; i >= 0; i--) {
        add_rows(U, sum, job, from + i, j);
        UNROLL(4)
        for (int u = 0; u < U; u++)
            ends[i * U + u] = sum[u];
    }
    UNROLL(4)
    for (int u = 0; u < U; u++)
        sum[u] = (reals){0};
    int64_t next = rows;
    for (int64_t i = 0; i < windows; i++, y += pitch) {
        for (; next < i + count; next++)
            add_rows(U, sum, job, from + next, j);
        put(U, divide, w, sum, ends + i * U, y, columns);
    }
}

INLINE void all_rows(const int U, const box_job *job, int64_t j, int64_t columns) {
    int64_t rows = job->count - job->place;
    for (int64_t r = 0; r < job->height; r += rows, rows = job->count) {
        const int64_t left = job->height - r;
        if (job->divide)
            one_run(U, 1, job, r, rows, rows < left ? rows : left, j, columns);
        else
            one_run(U, 0, job, r, rows, rows < left ? rows : left, j, columns);
    }
}

static void means(const box_job *job) {
    int64_t j = 0;
    for (; j + COLUMNS <= job->width; j += COLUMNS)
        all_rows(UNITS, job, j, COLUMNS);
    for (; j < job->width; j += LANES)
        all_rows(1, job, j, job->width - j);
}

/* The sums of the ends of a run's first n windows, backwards. */
INLINE void sum_ends(const elem *x, int64_t step, int64_t n, double *ends) {
    double sum = 0;
    for (int64_t i = n - 1; i >= 0; i--)
        ends[i] = sum += x[i * step];
}

/* The windows of `means` along a line, sample after sample: while the sum of the beginning grows,
 * the ends of the next run are made, and neither waits for the other. */
INLINE void one_line(const int divide, const line_job *job, const elem *x, elem *y) {
    const int64_t count = job->count, step = job->x_step, width = job->width / step;
    const double w = *(const elem *)job->w;
    double *ends = job->sums, *next_ends = ends + count;
    int64_t rows = count - job->place;
    sum_ends(x, step, rows, ends);
    for (int64_t r = 0; r < width; r += rows, rows = count) {
        const elem *next = x + (r + rows) * step, *newest = next;
        const int64_t left = width - r, windows = rows < left ? rows : left;
        const int64_t ahead = rows < left ? rows : 0;
        double sum = 0, back = 0, *other = ends;
        for (int64_t i = 1; i < count - rows; i++, newest += step)
            sum += *newest;
        for (int64_t i = 0; i < windows; i++) {
            if (i + count > rows) sum += *newest, newest += step;
            const double whole = sum + ends[i];
            y[(r + i) * step] = (elem)(divide ? whole / w : whole * w);
            if (ahead) next_ends[count - 1 - i] = back += next[(count - 1 - i) * step];
        }
        for (int64_t i = ahead; ahead && i < count; i++)
            next_ends[count - 1 - i] = back += next[(count - 1 - i) * step];
        ends = next_ends;
        next_ends = other;
    }
}

static void runs(const line_job *job) {
    for (int64_t r = 0; r < job->height; r++)
        for (int64_t part = 0; part < job->x_step; part++) {
            const elem *x = (const elem *)job->x + r * job->pitch + part;
            elem *y = (elem *)job->y + r * job->y_pitch + part;
            if (job->divide)
                one_line(1, job, x, y);
            else
                one_line(0, job, x, y);
        }
}

#include "eights.h"

const box_kernels NAME(box) = {.means = means, .columns = COLUMNS, .lines = lines, .runs = runs};
