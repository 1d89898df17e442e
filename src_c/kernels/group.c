/* SPDX-License-Identifier: BSD-3-Clause
 *
 * group.c -- 3 x 3 kernels of stride 1 over few planes (contract: group_types.h).
 *
 *   y[k][r][j] = bias[k] + sum over c, h, t of w[c][h][t][k] * x[c][r + h - top][j + t - left]
 *
 * A tile of CHANNELS output channels x VECS vectors stays in registers through all taps of all
 * input channels: for each tap, VECS vectors of x are loaded and CHANNELS weights broadcast. The
 * vectors lie side by side, where loads collide the least; the rest of a line, one below the other.
 * A row beyond the edge is a row of zeros; a sample beside it is zero, shifted in where the tile
 * lies at the edge.
 *
 * The sum of an output runs over channels, rows and columns in order, whatever tile it falls in.
 */
#include "kernel_types.h"
#include "sums.h"

#include "shuffle.h"

enum { CHANNELS = 4, VECS = 3, TAPS = 3, ROWS_MET = VECS + TAPS - 1, ROWS_AHEAD = 5 };

/* The rows that a tile meets, and what leads from a channel to the next: nothing for zeros. */
typedef struct {
    const elem *x[ROWS_MET];
    int64_t step[ROWS_MET];
} rows_in;

static const elem zeros[VECS * VL + 2];

/* Here compilers forget what was read: vectors that another tap meets too are read again, or sums
 * would have to leave their registers. */
#define AFRESH() __asm__ volatile("" ::: "memory")

/* Column t of the taps; that of the middle lies at x, beside it may be the edge. */
INLINE vec column(const elem *x, const int t, const int left, const int right) {
    if (t == 0 && left) return load_from_edge(x - 1);
    if (t == 2 && right) return load_to_edge(x + 1);
    return load(x + t - 1);
}

/* Asks for what a tile will meet some rows further down. */
INLINE void fetch(const elem *x) {
    enum { LINE = 64 / sizeof(elem) };
    UNROLL(4)
    for (int i = 0; i < VECS * VL; i += LINE)
        __builtin_prefetch(x + i);
}

/* VECS vectors of y of each channel: in as many rows (`down`), or side by side in one. */
INLINE void tile(const group_job *job, const rows_in *rows, const int down, const int left,
                 const int right, elem *y) {
    const elem *w = job->w, *bias = job->bias, *x[ROWS_MET];
    const int met = down ? ROWS_MET : TAPS;
    const int64_t apart = down ? job->y_pitch : VL;
    vec acc[CHANNELS * VECS];
    UNROLL(8)
    for (int i = 0; i < ROWS_MET; i++)
        x[i] = i < met ? rows->x[i] : NULL;
    UNROLL(24)
    for (int i = 0; i < CHANNELS * VECS; i++)
        acc[i] = spread(bias ? bias + i / VECS : NULL);
    for (int64_t c = job->channels; c > 0; c--) {
        UNROLL(9)
        for (int tap = 0; tap < TAPS * TAPS; tap++) {
            const int h = tap / TAPS, t = tap % TAPS;
            vec a[VECS];
            AFRESH();
            UNROLL(8)
            for (int n = 0; n < VECS; n++)
                a[n] = held(down ? column(x[h + n], t, left, right)
                                 : column(x[h] + n * VL, t, left && !n, right && n == VECS - 1));
            UNROLL(8)
            for (int k = 0; k < CHANNELS; k++) {
                const vec b = set1(w[tap * CHANNELS + k]);
                UNROLL(8)
                for (int n = 0; n < VECS; n++)
                    acc[k * VECS + n] = madd(acc[k * VECS + n], b, a[n]);
            }
        }
        if (!down) fetch(x[TAPS - 1] + ROWS_AHEAD * job->x_pitch);
        w += TAPS * TAPS * CHANNELS;
        UNROLL(8)
        for (int i = 0; i < ROWS_MET; i++)
            if (i < met) x[i] += rows->step[i];
    }
    UNROLL(24)
    for (int i = 0; i < CHANNELS * VECS; i++)
        store(y + i / VECS * job->y_channel + i % VECS * apart, acc[i]);
}

/* Functions of their own: compilers then find registers for the one loop in each. */
typedef void tile_fn(const group_job *job, const rows_in *rows, elem *y);
#define TILE(name, down, left, right)                                                              \
    static __attribute__((noinline)) void name(const group_job *job, const rows_in *rows,          \
                                               elem *y) {                                          \
        tile(job, rows, down, left, right, y);                                                     \
    }
#define TILES(name, down)                                                                          \
    TILE(name##_inside, down, 0, 0)                                                                \
    TILE(name##_first, down, 1, 0)                                                                 \
    TILE(name##_last, down, 0, 1)                                                                  \
    TILE(name##_only, down, 1, 1)                                                                  \
    static tile_fn *const name[2][2] = {{name##_inside, name##_last}, {name##_first, name##_only}};
TILES(across, 0)
TILES(down, 1)

/* The rows for outputs from row r and column j on; the sample in the middle of the taps. */
INLINE void find_rows(const group_job *job, const int count, int64_t r, int64_t j, rows_in *rows) {
    const elem *x = (const elem *)job->x + j + 1 - job->edges.left;
    UNROLL(8)
    for (int i = 0; i < count; i++) {
        const int64_t row = r + i - job->edges.top;
        const int there = row >= 0 && row < job->edges.rows;
        rows->x[i] = there ? x + row * job->x_pitch : zeros + 1;
        rows->step[i] = there ? job->x_channel : 0;
    }
}

/* A tile at row r and column j, `width` samples wide. */
INLINE void at(const group_job *job, tile_fn *const tiles[2][2], const int count, int64_t r,
               int64_t j, int64_t width) {
    const int left = job->edges.left > 0 && j == 0,
              right = j + width == job->width &&
                      job->width + TAPS - 1 - job->edges.left > job->edges.columns;
    rows_in rows;
    find_rows(job, count, r, j, &rows);
    tiles[left][right](job, &rows, (elem *)job->y + r * job->y_pitch + j);
}

static void group(const group_job *job) {
    const int64_t wide = job->width / (VECS * VL) * VECS * VL;
    for (int64_t i = 0; i < job->height; i += VECS) {
        const int64_t first = begin(i, VECS, job->height);
        for (int64_t r = i; r < first + VECS; r++)
            for (int64_t j = 0; j < wide; j += VECS * VL)
                at(job, across, TAPS, r, j, VECS * VL);
        for (int64_t j = wide; j < job->width; j += VL)
            at(job, down, ROWS_MET, first, begin(j, VL, job->width), VL);
    }
}

const group_kernels NAME(group) = {
    .group = group, .lanes = VL, .channels = CHANNELS, .vectors = VECS};
