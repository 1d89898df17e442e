/* SPDX-License-Identifier: BSD-3-Clause
 *
 * plane_grad.c -- the weight gradient of packed planes (contract: plane_grad_fn in kernel_types.h).
 *
 *   sums[i][c] += g[r][j] * x[r + i][offsets[c] + j]
 *
 * A tile of R x C sums stays in registers, each a vector whose lanes take every VL-th column. Down
 * one vector's columns the last R rows of g are kept as well: each vector of x is loaded once and
 * serves R rows of taps.
 */
#include "kernel_types.h"
#include "masked.h"

#define MOST 16 /* sums; a plain constant, so that arrays become registers */

INLINE vec get(const elem *p, const bits *mask) {
    return mask ? keep(load(p), mask) : load(p);
}

/* The products of one row of x, for the rows of taps from .. to - 1, with g[i] what row i meets. */
INLINE void add_row(vec *acc, const int C, const int from, const int to, const vec *g,
                    const elem *x, const int64_t *offsets, const bits *mask) {
    UNROLL(4)
    for (int c = 0; c < C; c++) {
        const vec a = held(get(x + offsets[c], mask));
        UNROLL(4)
        for (int i = from; i < to; i++)
            acc[i * C + c] = madd(acc[i * C + c], g[i], a);
    }
}

INLINE void push(vec *g, const int R, vec next) {
    UNROLL(4)
    for (int i = R - 1; i > 0; i--)
        g[i] = g[i - 1];
    g[0] = next;
}

/* One vector's columns down all rows, of which there are at least R. */
INLINE void roll(vec *acc, const int R, const int C, const plane_grad_job *job, int64_t column,
                 const int64_t *offsets, const bits *mask) {
    const elem *g = (const elem *)job->g + column, *x = (const elem *)job->x + column;
    vec rows[4] = {0};
    UNROLL(4)
    for (int r = 0; r < R - 1; r++, g += job->g_pitch, x += job->x_pitch) {
        push(rows, R, get(g, mask));
        add_row(acc, C, 0, r + 1, rows, x, offsets, mask);
    }
    for (int64_t r = R - 1; r < job->height; r++, g += job->g_pitch, x += job->x_pitch) {
        push(rows, R, get(g, mask));
        add_row(acc, C, 0, R, rows, x, offsets, mask);
    }
    UNROLL(4)
    for (int i = 1; i < R; i++, x += job->x_pitch) {
        push(rows, R, rows[0]);
        add_row(acc, C, i, R, rows, x, offsets, mask);
    }
}

/* Ones in the lanes from .. to - 1. */
INLINE bits lanes(int64_t from, int64_t to) {
    bits b = {0};
    memset((char *)&b + from * (int64_t)sizeof(elem), 0xff, (size_t)(to - from) * sizeof(elem));
    return b;
}

INLINE void sums(const int R, const int C, const plane_grad_job *job) {
    const int64_t rest = job->width % VL, whole = job->width - rest;
    elem *to = job->sums;
    int64_t offsets[4];
    vec acc[MOST];
    UNROLL(4)
    for (int c = 0; c < C; c++)
        offsets[c] = job->offsets[c];
    UNROLL(16)
    for (int k = 0; k < R * C; k++)
        acc[k] = load(to + (k / C * job->sums_pitch + k % C) * VL);
    for (int64_t j = 0; j < whole; j += VL)
        roll(acc, R, C, job, j, offsets, 0);
    if (rest) { /* with whole vectors that end where lines do, if those are long enough */
        const bits mask = whole ? lanes(VL - rest, VL) : lanes(0, rest);
        roll(acc, R, C, job, whole ? job->width - VL : 0, offsets, &mask);
    }
    UNROLL(16)
    for (int k = 0; k < R * C; k++)
        store(to + (k / C * job->sums_pitch + k % C) * VL, acc[k]);
}

#define CASE(R, C)                                                                                 \
    if (R <= GRAD_ROWS && C <= GRAD_COLUMNS && job->rows == R && job->columns == C) {              \
        sums(R, C, job);                                                                           \
        return;                                                                                    \
    }
#define CASES(R) CASE(R, 1) CASE(R, 2) CASE(R, 3) CASE(R, 4)

static void grad(const plane_grad_job *job) {
    CASE(3, 3) /* the commonest */
    CASES(1) CASES(2) CASES(3)
}

const plane_grad_kernels NAME(plane_grad) = {
    .grad = grad,
    .vector = VL,
    .rows = GRAD_ROWS,
    .columns = GRAD_COLUMNS,
};
