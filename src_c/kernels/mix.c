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
#include "sums.h"

#define MOST_SUMS  24
#define MOST_VECS  6
#define MOST_GROUP 48
#define CACHE_LINE 64

#define MANY       (MIX_CHANNELS / PARTS)
#define FEW        (MIX_CHANNELS / 2 / PARTS)

/* Where a vector of pixels is read and written. */
typedef struct {
    const elem *x;
    elem *y;
    int64_t elements;
} place;

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

/* Where the sums of a tile begin, and what they end in: y[n] + first + k * channel. */
typedef struct {
    const vec *start; /* one for each channel; NULL: they go on from what they end in */
    int64_t first, channel;
} ends;

/* Sums of K channels x N vectors over all taps. */
INLINE void sums(const int K, const int N, const int packed, const mix_job *job, const elem *w,
                 const place *at, const ends *e) {
    const int64_t first = e->first, channel = e->channel;
    sum acc[MOST_SUMS];
    elem *y[MOST_VECS];
    UNROLL(24)
    for (int i = 0; i < K * N; i++) {
        acc[i].part[0] = e->start ? e->start[i / N] : load(at[i % N].y + first + i / N * channel);
#if PARTS == 2
        acc[i].part[1] = (vec){0};
#endif
    }
    add_taps(K, N, packed, job, w, at, acc);
    UNROLL(6)
    for (int n = 0; n < N; n++)
        y[n] = at[n].y + first;
    UNROLL(24)
    for (int i = 0; i < K * N; i++)
        store(y[i % N] + i / N * channel, finish(&acc[i]));
}

/* A tile is a function of its own, so that the compiler gives its sums all registers: inlined, they
 * were carried through the stack. */
typedef void tile_fn(const mix_job *job, const elem *w, const place *at, const ends *e);

#define TILE(name, K, N, packed)                                                                   \
    static __attribute__((noinline)) void name(const mix_job *job, const elem *w, const place *at, \
                                               const ends *e) {                                    \
        sums(K, N, packed, job, w, at, e);                                                         \
    }
#define TILES(name, K, packed)                                                                     \
    TILE(name##1, K, 1, packed)                                                                    \
    TILE(name##2, K, 2, packed)                                                                    \
    TILE(name##3, K, 3, packed)
TILES(many, MANY, 1)
TILES(loose, MANY, 0)
TILES(few, FEW, 1)
TILE(few_most, FEW, 2 * MIX_VECS, 1)

/* The tiles of a block of channels: vectors of the largest, and a function for each size. */
typedef struct {
    int64_t channels, most;
    tile_fn *of[MOST_VECS + 1];
} tiles;

static const tiles many = {MANY, MIX_VECS, {NULL, many1, many2, many3}},
                   loose = {MANY, MIX_VECS, {NULL, loose1, loose2, loose3}},
                   few = {FEW, 2 * MIX_VECS, {NULL, few1, few2, few3, [2 * MIX_VECS] = few_most}};

/* A block of output channels. */
typedef struct {
    const elem *w;
    int64_t first, channels; /* first element in y, from that of a place on */
    const vec *start;        /* NULL: sums go on from y */
} block;

/* Elements that count, between y and the scratch tile cells[k][n][VL]. */
static void copy(int64_t vectors, const mix_job *job, const block *b, const place *at, elem *cells,
                 int out) {
    for (int64_t k = 0; k < b->channels; k++)
        for (int64_t n = 0; n < vectors; n++) {
            elem *y = at[n].y + b->first + k * job->y_channel,
                 *cell = cells + (k * vectors + n) * VL;
            for (int64_t j = 0; j < at[n].elements; j++)
                *(out ? y + j : cell + j) = *(out ? cell + j : y + j);
        }
}

/* A tile of so many vectors through scratch, for not all of its channels or elements count. */
static void part_of_tile(tile_fn *tile, int64_t vectors, const mix_job *job, const block *b,
                         const place *at) {
    elem cells[MOST_SUMS * VL];
    place to[MOST_VECS];
    const ends e = {b->start, 0, vectors * VL};
    for (int64_t n = 0; n < vectors; n++)
        to[n] = (place){at[n].x, cells + n * VL, VL};
    if (!b->start) {
        memset(cells, 0, sizeof cells);
        copy(vectors, job, b, at, cells, 0);
    }
    tile(job, b->w, to, &e);
    copy(vectors, job, b, at, cells, 1);
}

/* Vectors of the job: those of all lines. The last one of a line, if not full, is moved back to be
 * so: what it shares with the one before is then computed twice. Where sums go on from y, both must
 * fall in one tile. */
typedef struct {
    const mix_job *job;
    int64_t by_line, count;
} vectors;

INLINE int moved_back(const vectors *v, int64_t i) {
    return v->job->width % VL && v->by_line > 1 && i < v->count && (i + 1) % v->by_line == 0;
}

INLINE place find_place(const vectors *v, int64_t i) {
    const mix_job *job = v->job;
    const int64_t r = i / v->by_line, n = i % v->by_line,
                  j = moved_back(v, i) ? job->width - VL : n * VL;
    return (place){(const elem *)job->x + r * job->row_step + (job->panel ? n * job->panel : j),
                   (elem *)job->y + r * job->y_pitch + j, job->width < VL ? job->width : VL};
}

/* Whether n vectors make a good tile of those from i on to `end`: none is left alone. */
INLINE int fits(const vectors *v, int64_t n, int64_t i, int64_t end) {
    return n <= end - i && end - i != n + 1 && !(i + n < end && moved_back(v, i + n));
}

/* Cuts the vectors first .. end into tiles, `most` at a time as far as possible: their sizes. */
static int cut(const vectors *v, int64_t most, int64_t first, int64_t end, int8_t *sizes) {
    int count = 0;
    for (int64_t i = first, n; i < end; i += n) {
        n = most;
        while (n > 1 && !fits(v, n, i, end))
            n = n > 3 ? 3 : n - 1;
        sizes[count++] = (int8_t)n;
    }
    return count;
}

/* One block of channels of the tiles that `sizes` has. */
static void sweep(const tiles *t, const mix_job *job, const block *b, const place *at,
                  const int8_t *sizes, int count) {
    const ends e = {b->start, b->first, job->y_channel};
    const int whole = b->channels >= t->channels && at->elements == VL;
    for (int i = 0; i < count; at += sizes[i++])
        if (whole)
            t->of[sizes[i]](job, b->w, at, &e);
        else
            part_of_tile(t->of[sizes[i]], sizes[i], job, b, at);
}

/* Vectors of the bias, where sums begin. */
INLINE void spread_all(const elem *bias, int64_t channels, vec *start) {
    for (int64_t k = 0; k < MANY; k++)
        start[k] = spread(bias && k < channels ? bias + k * PARTS : NULL);
}

/* Asks for the weights of a block ahead of their use: where a block's begin, no stream of loads
 * leads. Taps that lie one after the other are taken for granted; others lose nothing but this. */
static void fetch(const mix_job *job, const elem *w) {
    const int packed = job->channel_step == PARTS;
    const int64_t by_tap = packed ? MANY * PARTS : PARTS, rows = packed ? 1 : MANY,
                  line = (int64_t)(CACHE_LINE / sizeof(elem)),
                  step = by_tap < line ? line / by_tap : 1;
    for (int64_t t = 0; t < job->count; t += step)
        for (int64_t k = 0; k < rows; k++)
            __builtin_prefetch(w + job->taps[t].w + k * job->channel_step);
}

/* The vectors first .. end for all channels. A last block of few channels has tiles of its own with
 * twice the vectors. */
static void all_channels(const vectors *v, int64_t first, int64_t end) {
    const mix_job *job = v->job;
    const elem *bias = job->bias;
    const tiles *t = job->channel_step == PARTS ? &many : &loose;
    place at[MOST_GROUP];
    int8_t sizes[MOST_GROUP];
    vec start[MANY];
    for (int64_t i = first; i < end; i++)
        at[i - first] = find_place(v, i);
    int count = cut(v, t->most, first, end, sizes);
    for (int64_t k = 0; k < job->channels; k += MANY) {
        const int64_t left = job->channels - k;
        const block b = {(const elem *)job->w + k / MANY * job->block_step, k * job->y_channel,
                         left < MANY ? left : MANY, job->flags & FILTER_ACCUMULATE ? NULL : start};
        if (b.start) spread_all(bias ? bias + k * PARTS : NULL, b.channels, start);
        if (t == &many && b.channels <= FEW) {
            t = &few;
            count = cut(v, t->most, first, end, sizes);
        }
        /* The first vectors find them far away, later ones near; panels have longer streams. */
        if (first == 0 && left > MANY && !job->panel) fetch(job, b.w + job->block_step);
        sweep(t, job, &b, at, sizes, count);
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
