/* SPDX-License-Identifier: BSD-3-Clause
 *
 * across.c -- the dense filter with output channels as lanes (contract: across_kernels in
 * kernel_types.h).
 *
 *   sums[i][l] += panel[t][i] * w[t][l]      for all taps t of all input channels
 *
 * A tile of OUTER_VECS vectors of channels x up to OUTER_COLS pixels stays in registers: for each
 * tap, the vectors of weights are loaded and one sample broadcast for each pixel. What the pixels
 * of a tile meet of x is packed, tap by tap: read where it lies, every tap would wait for a cache
 * line of its own. No lane is lost on the last pixels: some tiles take one pixel less where they do
 * not come out even.
 *
 * Where there are many pixels, those of a tile meet lines that the tile before has brought near:
 * they are read where they lie, whatever the stride, and the tap says where its weights are.
 *
 * Weights lie by output channel and have to be turned for this, which with so few pixels takes
 * long. Those of the next block are turned meanwhile, two samples a tap: multiplications leave the
 * ports for loads and stores half idle.
 *
 * The sum of an output runs over the taps in order, as that of mix.c.
 */
#include "kernel_types.h"
#include "vec.h"

#define CHANNELS  (OUTER_VECS * VL)
#define SOME_TAPS 48
#define MOST      12 /* pixels for which there is a tile */
#define AHEAD     2  /* channels that are turned with a tile */

/* What P pixels meet; P is a constant at every call. */
INLINE void gather(const int P, const across_job *job, const elem *const *at, elem *to) {
    const elem *x[MOST];
    UNROLL(12)
    for (int p = 0; p < P; p++)
        x[p] = at[p];
    for (const mix_tap *tap = job->taps, *end = tap + job->count; tap < end; tap++, to += P)
        UNROLL(12)
    for (int p = 0; p < P; p++)
        to[p] = x[p][tap->x];
}

/* The same for pixels side by side with samples beyond them: whole vectors, of which the next tap
 * writes over the rest. */
INLINE void copy(const int P, const across_job *job, const elem *x, elem *to) {
    const mix_tap *tap = job->taps, *last = tap + job->count - 1;
    for (; tap < last; tap++, to += P)
        UNROLL(12)
    for (int p = 0; p < P; p += VL)
        store(to + p, load(x + tap->x + p));
    for (int p = 0; p < P; p++)
        to[p] = x[last->x + p];
}

/* Sums of P pixels over some taps. With a place to turn weights to, two of them at each tap. */
INLINE void add_some(const int P, const int turning, int64_t taps, const elem *x, const elem *w,
                     vec *acc, const elem *from, int64_t fetch, elem *to) {
    for (const elem *end = x + taps * P; x != end; x += P, w += CHANNELS) {
        vec v[OUTER_VECS];
        __builtin_prefetch((turning ? from : w) + fetch);
        if (turning) {
            elem pair[2];
            memcpy(pair, from, sizeof pair);
            memcpy(to, pair, sizeof *pair);
            memcpy(to + CHANNELS, pair + 1, sizeof *pair);
            from += 2;
            to += 2 * CHANNELS;
        }
        UNROLL(4)
        for (int n = 0; n < OUTER_VECS; n++)
            v[n] = load(w + n * VL);
        UNROLL(12)
        for (int p = 0; p < P; p++) {
            const vec s = set1(x[p]);
            UNROLL(4)
            for (int n = 0; n < OUTER_VECS; n++)
                acc[p * OUTER_VECS + n] = madd(acc[p * OUTER_VECS + n], s, v[n]);
        }
    }
}

/* What vector i of a tile's sums begins with. */
INLINE vec begin(const across_job *job, const elem *sums, int i) {
    return job->accumulate ? load(sums + i * VL)
           : job->bias     ? load((const elem *)job->bias + i % OUTER_VECS * VL)
                           : set1(0);
}

/* The sums of P pixels. */
INLINE void add_taps(const int P, const across_job *job, const elem *x, elem *sums,
                     int64_t channel) {
    x += job->first * P;
    const elem *w = job->w, *from = (const elem *)job->next.w + channel * job->next.step;
    elem *to = (elem *)job->next.to + channel;
    vec acc[MOST * OUTER_VECS];
    UNROLL(48)
    for (int i = 0; i < P * OUTER_VECS; i++)
        acc[i] = begin(job, sums, i);
    if (channel < job->next.channels) {
        const int64_t half = job->chunk / AHEAD;
        for (int i = 0; i < AHEAD; i++, from += job->next.step, to++)
            add_some(P, 1, half, x + i * half * P, w + i * half * CHANNELS, acc, from,
                     job->next.fetch, to);
    } else
        add_some(P, 0, job->chunk, x, w, acc, NULL, job->ahead, NULL);
    UNROLL(48)
    for (int i = 0; i < P * OUTER_VECS; i++)
        store(sums + i * VL, acc[i]);
}

/* The sums of P pixels that are read where they lie. */
INLINE void add_apart(const int P, const across_job *job, const elem *const *at, elem *sums) {
    const elem *x[MOST];
    vec acc[MOST * OUTER_VECS];
    UNROLL(12)
    for (int p = 0; p < P; p++)
        x[p] = at[p];
    UNROLL(48)
    for (int i = 0; i < P * OUTER_VECS; i++)
        acc[i] = begin(job, sums, i);
    const mix_tap *tap = job->taps, *end = tap + job->count;
    for (; tap < end; tap++) {
        const elem *w = (const elem *)job->w + tap->w;
        const int64_t offset = tap->x;
        vec v[OUTER_VECS];
        UNROLL(4)
        for (int n = 0; n < OUTER_VECS; n++)
            v[n] = load(w + n * VL);
        UNROLL(12)
        for (int p = 0; p < P; p++) {
            const vec s = set1(x[p][offset]);
            UNROLL(4)
            for (int n = 0; n < OUTER_VECS; n++)
                acc[p * OUTER_VECS + n] = madd(acc[p * OUTER_VECS + n], s, v[n]);
        }
    }
    UNROLL(48)
    for (int i = 0; i < P * OUTER_VECS; i++)
        store(sums + i * VL, acc[i]);
}

/* Functions of their own for each number of pixels, as in mix.c. */
typedef struct {
    void (*gather)(const across_job *job, const elem *const *at, elem *to);
    void (*copy)(const across_job *job, const elem *x, elem *to);
    void (*add)(const across_job *job, const elem *x, elem *sums, int64_t channel);
    void (*add_apart)(const across_job *job, const elem *const *at, elem *sums);
} tile;

#define TILE(n)                                                                                    \
    enum { PIXELS##n = n < OUTER_COLS ? n : OUTER_COLS };                                          \
    static void gather##n(const across_job *job, const elem *const *at, elem *to) {                \
        gather(PIXELS##n, job, at, to);                                                            \
    }                                                                                              \
    static void copy##n(const across_job *job, const elem *x, elem *to) {                          \
        copy(PIXELS##n, job, x, to);                                                               \
    }                                                                                              \
    static void add##n(const across_job *job, const elem *x, elem *sums, int64_t channel) {        \
        add_taps(PIXELS##n, job, x, sums, channel);                                                \
    }                                                                                              \
    static void apart##n(const across_job *job, const elem *const *at, elem *sums) {               \
        add_apart(PIXELS##n, job, at, sums);                                                       \
    }
TILE(1)
TILE(2)
TILE(3)
TILE(4)
TILE(5)
TILE(6)
TILE(7)
TILE(8)
TILE(9)
TILE(10)
TILE(11)
TILE(12)

#define LINE(n)                                                                                    \
    { gather##n, copy##n, add##n, apart##n }
static const tile tiles[MOST + 1] = {{0},      LINE(1),  LINE(2), LINE(3), LINE(4),
                                     LINE(5),  LINE(6),  LINE(7), LINE(8), LINE(9),
                                     LINE(10), LINE(11), LINE(12)};

/* Tiles of the job's pixels, as few as hold them all, and as even: those of index below `larger`
 * have one pixel more than the others. */
typedef struct {
    int64_t count, pixels, larger;
} tiling;

INLINE tiling cut(const across_job *job) {
    const int64_t pixels = job->height * job->width, count = (pixels + OUTER_COLS - 1) / OUTER_COLS;
    return (tiling){count, pixels / count, pixels % count};
}

/* Some taps of a tile, whose panel lies at `to`. */
static void pack_part(const across_job *job, int64_t first, int64_t pixels, elem *to) {
    const elem *at[OUTER_COLS];
    const int64_t room = (pixels + VL - 1) / VL * VL;
    for (int64_t p = 0; p < pixels; p++)
        at[p] = (const elem *)job->x + (first + p) / job->width * job->row_step +
                (first + p) % job->width * job->column_step;
    if (job->column_step == 1 && first % job->width + room <= job->width)
        tiles[pixels].copy(job, at[0], to);
    else
        tiles[pixels].gather(job, at, to);
}

/* A few taps for all pixels, so that a cache line serves all tiles that meet it. */
static void pack(const across_job *job) {
    const tiling t = cut(job);
    across_job part = *job;
    for (int64_t tap = 0; tap < job->count; tap += part.count) {
        part.taps = job->taps + tap;
        part.count = job->count - tap < SOME_TAPS ? job->count - tap : SOME_TAPS;
        for (int64_t i = 0, first = 0; i < t.count; i++) {
            const int64_t pixels = t.pixels + (i < t.larger);
            pack_part(&part, first, pixels,
                      (elem *)job->panels + first * job->count + tap * pixels);
            first += pixels;
        }
    }
}

static void across(const across_job *job) {
    const tiling t = cut(job);
    for (int64_t i = 0, first = 0; i < t.count; i++) {
        const int64_t pixels = t.pixels + (i < t.larger);
        tiles[pixels].add(job, (const elem *)job->panels + first * job->count,
                          (elem *)job->sums + first * CHANNELS, AHEAD * i);
        first += pixels;
    }
}

static void across_apart(const across_job *job) {
    const tiling t = cut(job);
    const elem *row = job->x;
    elem *sums = job->sums;
    for (int64_t i = 0, j = 0; i < t.count; i++) {
        const int64_t pixels = t.pixels + (i < t.larger);
        const elem *at[OUTER_COLS];
        for (int64_t p = 0; p < pixels; p++) {
            at[p] = row + j * job->column_step;
            if (++j < job->width) continue;
            j = 0;
            row += job->row_step;
        }
        tiles[pixels].add_apart(job, at, sums);
        sums += pixels * CHANNELS;
    }
}

const across_kernels NAME(across) = {.pack = pack,
                                     .across = across,
                                     .apart = across_apart,
                                     .lanes = VL,
                                     .channels = CHANNELS,
                                     .pixels = OUTER_COLS,
                                     .ahead = AHEAD};
