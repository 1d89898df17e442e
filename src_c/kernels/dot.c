/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dot.c -- many sums over pixels at once, for the weight gradient (contract: dot_fn in
 * kernel_types.h).
 *
 *   sums[k][t] += sum_{r,j} g[k][r][j] * x[r][offset[t] + j]
 *
 * A tile of K x T sums stays in registers, each a vector whose lanes take every VL-th pixel of a
 * line: K vectors of g and T of x are loaded for K * T multiply-adds, both contiguous. Lanes are
 * added up once, by reduce, when all images are done.
 */
#include "kernel_types.h"
#include "masked.h"

#define MOST_SUMS    24
#define MOST_OFFSETS 10

INLINE void add(const int K, const int T, vec *acc, const elem *g, int64_t g_channel,
                const elem *const *x, int64_t j, const bits *mask) {
    vec a[MOST_OFFSETS];
    UNROLL(10)
    for (int t = 0; t < T; t++)
        a[t] = mask ? keep(load(x[t] + j), mask) : load(x[t] + j);
    UNROLL(4)
    for (int k = 0; k < K; k++) {
        const vec b = load(g + k * g_channel + j);
        UNROLL(10)
        for (int t = 0; t < T; t++)
            acc[k * T + t] = madd(acc[k * T + t], b, a[t]);
    }
}

INLINE void dots(const int K, const int T, const dot_job *job) {
    const int64_t whole = job->width / VL * VL, rest = job->width - whole;
    const elem *g = job->g, *x[MOST_OFFSETS];
    elem *sums = job->sums;
    bits mask = {0};
    vec acc[MOST_SUMS];
    memset(&mask, 0xff, (size_t)rest * sizeof(elem));
    UNROLL(10)
    for (int t = 0; t < T; t++)
        x[t] = (const elem *)job->x + job->offsets[t];
    UNROLL(24)
    for (int i = 0; i < K * T; i++)
        acc[i] = load(sums + i * VL);
    for (int64_t r = 0; r < job->height; r++) {
        for (int64_t j = 0; j < whole; j += VL)
            add(K, T, acc, g, job->g_channel, x, j, 0);
        if (rest) add(K, T, acc, g, job->g_channel, x, whole, &mask);
        g += job->g_pitch;
        UNROLL(10)
        for (int t = 0; t < T; t++)
            x[t] += job->x_pitch;
    }
    UNROLL(24)
    for (int i = 0; i < K * T; i++)
        store(sums + i * VL, acc[i]);
}

static void many(const dot_job *job) {
    dots(DOT_CHANNELS, DOT_OFFSETS, job);
}
static void one(const dot_job *job) {
    dots(1, MOST_OFFSETS, job);
}

#if LOGICAL
#    define PLUS(a, b) ((a) | (b))
#else
#    define PLUS(a, b) ((a) + (b))
#endif

#if VEC_BYTES > 16
#    define LEAST ((int)(16 / sizeof(elem))) /* elements of the least vector */
/* Those of a vector, added up in halves. */
INLINE void add_halves(const elem *lanes, elem *out) {
    typedef elem least __attribute__((vector_size(16), aligned(1), may_alias));
    least a[VEC_BYTES / 16];
    UNROLL(4)
    for (int i = 0; i < VEC_BYTES / 16; i++)
        a[i] = *(const least *)(lanes + i * LEAST);
    UNROLL(4)
    for (int half = VEC_BYTES / 32; half; half /= 2)
        for (int i = 0; i < half; i++)
            a[i] = PLUS(a[i], a[i + half]);
    *(least *)out = a[0];
}
#else
#    define LEAST VL
INLINE void add_halves(const elem *lanes, elem *out) {
    memcpy(out, lanes, VL * sizeof(elem));
}
#endif

/* The lanes of a vector added up in halves, each part of a sample for itself. */
INLINE void add_lanes(const elem *lanes, elem *out) {
    elem a[LEAST];
    add_halves(lanes, a);
    UNROLL(8)
    for (int half = LEAST / 2; half >= PARTS; half /= 2)
        for (int j = 0; j < half; j++)
            a[j] = (elem)PLUS(a[j], a[j + half]);
    memcpy(out, a, PARTS * sizeof(elem));
}

static void reduce(const void *sums, const dot_grid *grid, void *out) {
    const elem *from = sums;
    for (int64_t k = 0; k < grid->rows; k++) {
        elem *to = (elem *)out + k * grid->pitch * PARTS;
        for (int64_t t = 0; t < grid->columns; t += grid->by_offset) {
            const int64_t tile = k / grid->by_channel * grid->across + t / grid->by_offset;
            const int64_t first =
                (tile * grid->by_channel + k % grid->by_channel) * grid->by_offset;
            const int64_t here =
                grid->columns - t < grid->by_offset ? grid->columns - t : grid->by_offset;
            for (int64_t i = 0; i < here; i++, to += PARTS)
                add_lanes(from + (first + i) * VL, to);
        }
    }
}

const dot_kernels NAME(dot) = {
    .many = many,
    .one = one,
    .reduce = reduce,
    .vector = VL,
    .channels = DOT_CHANNELS,
    .offsets = DOT_OFFSETS,
    .offsets_of_one = MOST_OFFSETS,
};
