/* SPDX-License-Identifier: BSD-3-Clause
 *
 * mix.c -- the dense filter, several output channels at a time (contract: mix_fn in
 * kernel_types.h).
 *
 *   y[k][r][j] += w[k][t] * x[r * row_step + offset[t] + j]      for all taps t of all input
 * channels
 *
 * A tile of K channels x N vectors of pixels stays in registers: for each tap, N vectors of x are
 * loaded and K weights broadcast for K * N multiply-adds. The vectors of a tile need not lie in one
 * line: lines of any width are cut into vectors, and the vectors of all lines are taken N at a
 * time.
 *
 * The sum of an output runs over the taps in order, whatever tile it falls in.
 */
#include "kernel_types.h"
#include "vec.h"

#define MOST_SUMS 24
#define MOST_VECS 6

typedef struct {
    vec part[PARTS];
} sum;

INLINE vec finish(const sum *s) {
#if PARTS == 2
    return join(s->part[0], s->part[1]);
#else
    return s->part[0];
#endif
}

/* Where a vector of pixels is read and written. */
typedef struct {
    const elem *x;
    elem *y;
    int64_t elements;
} place;

/* The sums of K channels x N vectors over all taps, from `from` and to `to`: y itself, or a scratch
 * tile. K, N and packed are constants at every call. Nothing else may live here, or the sums leave
 * the registers. */
INLINE void sums(const int K, const int N, const int packed, const mix_job *job, const place *at,
                 const elem *const *from, int64_t from_channel, elem *const *to,
                 int64_t to_channel) {
    const elem *w = job->w;
    const int64_t channel_step = packed ? PARTS : job->channel_step * PARTS,
                  tap_step = packed ? K * PARTS : PARTS;
    const elem *x[MOST_VECS];
    sum acc[MOST_SUMS];
    UNROLL(6)
    for (int n = 0; n < N; n++)
        x[n] = at[n].x;
    UNROLL(24)
    for (int i = 0; i < K * N; i++) {
        acc[i].part[0] = load(from[i % N] + i / N * from_channel);
#if PARTS == 2
        acc[i].part[1] = (vec){0};
#endif
    }
    for (int64_t t = 0; t < job->taps; t++, w += tap_step) {
        const int64_t offset = job->offsets[t];
        vec a[MOST_VECS];
        UNROLL(6)
        for (int n = 0; n < N; n++)
            a[n] = load(x[n] + offset);
        UNROLL(8)
        for (int k = 0; k < K; k++) {
            UNROLL(2)
            for (int p = 0; p < PARTS; p++) {
                const vec b = set1(w[k * channel_step + p]);
                UNROLL(6)
                for (int n = 0; n < N; n++)
                    acc[k * N + n].part[p] = madd(acc[k * N + n].part[p], b, a[n]);
            }
        }
    }
    UNROLL(24)
    for (int i = 0; i < K * N; i++)
        store(to[i % N] + i / N * to_channel, finish(&acc[i]));
}

/* A tile of which `channels` channels and `elements` of each vector count, through scratch where
 * they are not all. */
INLINE void tile(const int K, const int N, const int packed, const mix_job *job, int64_t channels,
                 const place *at) {
    elem tile[MOST_SUMS * VL];
    elem *to[MOST_VECS], *y[MOST_VECS];
    const elem *bias = job->bias;
    int whole = channels == K;
    for (int n = 0; n < N; n++) {
        to[n] = tile + n * VL;
        y[n] = at[n].y;
        whole &= at[n].elements == VL;
    }
    if (whole && job->flags & FILTER_ACCUMULATE) {
        sums(K, N, packed, job, at, (const elem *const *)y, job->y_channel, y, job->y_channel);
        return;
    }
    for (int64_t k = 0; k < K; k++)
        for (int n = 0; n < N; n++)
            for (int64_t j = 0; j < VL; j++) {
                elem *cell = to[n] + k * N * VL + j;
                *cell = bias && k < channels ? bias[k * PARTS + j % PARTS] : 0;
                if (job->flags & FILTER_ACCUMULATE && k < channels && j < at[n].elements)
                    *cell = at[n].y[k * job->y_channel + j];
            }
    if (whole) {
        sums(K, N, packed, job, at, (const elem *const *)to, N * VL, y, job->y_channel);
        return;
    }
    sums(K, N, packed, job, at, (const elem *const *)to, N * VL, to, N * VL);
    for (int64_t k = 0; k < channels; k++)
        for (int n = 0; n < N; n++)
            for (int64_t j = 0; j < at[n].elements; j++)
                at[n].y[k * job->y_channel + j] = to[n][k * N * VL + j];
}

/* All vectors of the job, N at a time; the rest one by one. */
INLINE void sweep(const int K, const int N, const int packed, const mix_job *job) {
    /* A last vector that is not full is moved back to be so, where computing a sum twice does no
     * harm. */
    const int overlap = job->width >= VL && !(job->flags & FILTER_ACCUMULATE);
    place at[MOST_VECS];
    int n = 0;
    for (int64_t r = 0; r < job->height; r++)
        for (int64_t j = 0; j < job->width; j += VL) {
            const int64_t at_most = job->width - j,
                          from = at_most < VL && overlap ? job->width - VL : j;
            const elem *x = (const elem *)job->x + r * job->row_step + from;
            at[n++] = (place){x, (elem *)job->y + r * job->y_pitch + from,
                              at_most < VL && !overlap ? at_most : VL};
            if (n < N) continue;
            tile(K, N, packed, job, job->channels, at);
            n = 0;
        }
    for (int i = 0; i < n; i++)
        tile(K, 1, packed, job, job->channels, at + i);
}

#define MANY (MIX_CHANNELS / PARTS)
#define FEW  (MIX_CHANNELS / 2 / PARTS)

/* Every count of channels up to MANY goes through one of two tiles; the narrow one has twice the
 * vectors. */
static void mix(const mix_job *job) {
    const int packed = job->channel_step == 0, few = job->channels <= FEW;
    if (few && packed)
        sweep(FEW, 2 * MIX_VECS, 1, job);
    else if (packed)
        sweep(MANY, MIX_VECS, 1, job);
    else if (job->channels == MANY)
        sweep(MANY, MIX_VECS, 0, job);
    else
        sweep(1, MIX_VECS, 0, job);
}

const mix_kernels NAME(mix) = {
    .mix = mix, .lanes = VL / PARTS, .channels = MANY, .few = FEW, .vectors = MIX_VECS};
