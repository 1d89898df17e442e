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

#define MOST_SUMS  24
#define MOST_VECS  6
#define MOST_GROUP 48
#define CACHE_LINE 64

#define MANY       (MIX_CHANNELS / PARTS)
#define FEW        (MIX_CHANNELS / 2 / PARTS)

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

/* A block of output channels. */
typedef struct {
    const elem *w, *bias;
    int64_t y, channels; /* first element in y, from that of a place on */
} block;

/* The taps of K channels x N vectors, added to acc; K, N and packed are constants at every call.
 * What is reused most is loaded first, so that sums and loads fit into the registers. */
INLINE void add_taps(const int K, const int N, const int packed, const mix_job *job,
                     const elem *weights, const place *at, sum *acc) {
    const int64_t channel_step = packed ? PARTS : job->channel_step;
    const mix_tap *tap = job->taps, *end = tap + job->count;
    const elem *x[MOST_VECS];
    UNROLL(6)
    for (int n = 0; n < N; n++)
        x[n] = at[n].x;
    for (; tap < end; tap++) {
        const elem *w = weights + tap->w;
        const int64_t offset = tap->x;
        if (K >= N) {
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
        } else {
            vec b[2 * MOST_VECS];
            UNROLL(12)
            for (int i = 0; i < K * PARTS; i++)
                b[i] = set1(w[i / PARTS * channel_step + i % PARTS]);
            UNROLL(6)
            for (int n = 0; n < N; n++) {
                const vec a = load(x[n] + offset);
                UNROLL(12)
                for (int i = 0; i < K * PARTS; i++)
                    acc[i / PARTS * N + n].part[i % PARTS] =
                        madd(acc[i / PARTS * N + n].part[i % PARTS], b[i], a);
            }
        }
    }
}

/* The bias of the k-th channel in all lanes, zero beyond the block. Never by way of memory: loads of
 * a tile would wait behind the stores of the one before. */
INLINE vec bias_of(const block *b, int64_t k) {
    vec v = {0};
    if (!b->bias || k >= b->channels) return v;
#if PARTS == 2
    for (int j = 0; j < VL; j++)
        v[j] = b->bias[k * PARTS + j % PARTS];
    return v;
#else
    return set1(b->bias[k]);
#endif
}

/* Sums of K channels x N vectors over all taps, from the bias or from what is in `to`: y itself or
 * a scratch tile. */
INLINE void sums(const int K, const int N, const int packed, const mix_job *job, const block *b,
                 const place *at, elem *const *to, int64_t to_channel) {
    sum acc[MOST_SUMS];
    UNROLL(12)
    for (int k = 0; k < K; k++) {
        const vec bias = bias_of(b, k);
        UNROLL(6)
        for (int n = 0; n < N; n++) {
            sum *s = acc + k * N + n;
            s->part[0] = job->flags & FILTER_ACCUMULATE ? load(to[n] + k * to_channel) : bias;
#if PARTS == 2
            s->part[1] = (vec){0};
#endif
        }
    }
    add_taps(K, N, packed, job, b->w, at, acc);
    UNROLL(24)
    for (int i = 0; i < K * N; i++)
        store(to[i % N] + i / N * to_channel, finish(&acc[i]));
}

/* Elements that count, between y and the scratch tile cells[k][n][VL]. */
INLINE void copy(const int N, const mix_job *job, const block *b, const place *at, elem *cells,
                 int out) {
    for (int64_t k = 0; k < b->channels; k++)
        for (int n = 0; n < N; n++) {
            elem *y = at[n].y + b->y + k * job->y_channel, *cell = cells + (k * N + n) * VL;
            for (int64_t j = 0; j < at[n].elements; j++)
                *(out ? y + j : cell + j) = *(out ? cell + j : y + j);
        }
}

/* A tile, through scratch where not all of its channels or elements count. */
INLINE void tile(const int K, const int N, const int packed, const mix_job *job, const block *b,
                 const place *at) {
    elem cells[MOST_SUMS * VL], *to[MOST_VECS];
    int whole = b->channels >= K;
    for (int n = 0; n < N; n++)
        whole &= at[n].elements == VL;
    const int64_t to_channel = whole ? job->y_channel : N * VL;
    for (int n = 0; n < N; n++)
        to[n] = whole ? at[n].y + b->y : cells + n * VL;
    if (!whole && job->flags & FILTER_ACCUMULATE) {
        memset(cells, 0, sizeof cells);
        copy(N, job, b, at, cells, 0);
    }
    sums(K, N, packed, job, b, at, to, to_channel);
    if (!whole) copy(N, job, b, at, cells, 1);
}

/* Vectors of the job: those of all lines. The last one of a line, if not full, is moved back to be
 * so: what it shares with the one before is then computed twice. Where sums go on from y, both must
 * fall in one tile. */
typedef struct {
    const mix_job *job;
    int64_t by_line, count;
} vectors;

INLINE int moved_back(const vectors *v, int64_t i) {
    return v->by_line > 1 && i < v->count && (i + 1) % v->by_line == 0 && v->job->width % VL;
}

INLINE place find_place(const vectors *v, int64_t i) {
    const mix_job *job = v->job;
    const int64_t r = i / v->by_line, j = moved_back(v, i) ? job->width - VL : i % v->by_line * VL;
    return (place){(const elem *)job->x + r * job->row_step + j,
                   (elem *)job->y + r * job->y_pitch + j, job->width < VL ? job->width : VL};
}

/* Whether n vectors make a good tile of those from i on to `end`: none is left alone. */
INLINE int fits(const vectors *v, int64_t n, int64_t i, int64_t end) {
    return n <= end - i && end - i != n + 1 && !(i + n < end && moved_back(v, i + n));
}

/* The vectors first .. end for a block of channels, N at a time as far as possible. */
INLINE void sweep(const int K, const int N, const int packed, const vectors *v, const block *b,
                  const place *at, int64_t first, int64_t end) {
    for (int64_t i = first, n; i < end; i += n) {
        const place *here = at + (i - first);
        if (fits(v, n = N, i, end))
            tile(K, N, packed, v->job, b, here);
        else if (N > 3 && fits(v, n = 3, i, end))
            tile(K, N > 3 ? 3 : 1, packed, v->job, b, here);
        else if (N > 2 && fits(v, n = 2, i, end))
            tile(K, N > 2 ? 2 : 1, packed, v->job, b, here);
        else
            n = 1, tile(K, 1, packed, v->job, b, here);
    }
}

/* Asks for the weights of a block ahead of their use: where a block's begin, no stream of loads
 * leads. Taps that lie one after the other are taken for granted; others lose nothing but this. */
INLINE void fetch(const int packed, const mix_job *job, const elem *w) {
    const int64_t by_tap = packed ? MANY * PARTS : PARTS, rows = packed ? 1 : MANY,
                  line = (int64_t)(CACHE_LINE / sizeof(elem)),
                  step = by_tap < line ? line / by_tap : 1;
    for (int64_t t = 0; t < job->count; t += step)
        for (int64_t k = 0; k < rows; k++)
            __builtin_prefetch(w + job->taps[t].w + k * job->channel_step);
}

/* The vectors first .. end for all channels. A last block of few channels has a tile of its own
 * with twice the vectors. */
static void all_channels(const vectors *v, int64_t first, int64_t end) {
    const mix_job *job = v->job;
    const int packed = job->channel_step == PARTS;
    place at[MOST_GROUP];
    for (int64_t i = first; i < end; i++)
        at[i - first] = find_place(v, i);
    for (int64_t k = 0; k < job->channels; k += MANY) {
        const elem *bias = job->bias;
        const int64_t left = job->channels - k;
        const block b = {(const elem *)job->w + k / MANY * job->block_step,
                         bias ? bias + k * PARTS : bias, k * job->y_channel,
                         left < MANY ? left : MANY};
        if (left > MANY && end - first > MIX_VECS) fetch(packed, job, b.w + job->block_step);
        if (!packed)
            sweep(MANY, MIX_VECS, 0, v, &b, at, first, end);
        else if (b.channels > FEW)
            sweep(MANY, MIX_VECS, 1, v, &b, at, first, end);
        else
            sweep(FEW, 2 * MIX_VECS, 1, v, &b, at, first, end);
    }
}

static void mix(const mix_job *job) {
    const int64_t by_line = (job->width + VL - 1) / VL;
    const int64_t group = job->group < MIX_VECS     ? MIX_VECS
                          : job->group > MOST_GROUP ? MOST_GROUP
                                                    : job->group;
    const vectors v = {job, by_line, by_line * job->height};
    for (int64_t i = 0, end; i < v.count; i = end) {
        end = i + group + 1 < v.count ? i + group : v.count;
        if (end - i > MOST_GROUP) end--;
        if (end < v.count && moved_back(&v, end)) end--;
        all_channels(&v, i, end);
    }
}

const mix_kernels NAME(mix) = {
    .mix = mix, .lanes = VL / PARTS, .channels = MANY, .vectors = MIX_VECS};
