/* SPDX-License-Identifier: BSD-3-Clause
 *
 * outer.c -- a sum of outer products (contract: outer_fn in kernel_types.h).
 *
 *   sums[t][l] += sum_{r,j} a[r * width + j][l] * b[r * b_pitch + offsets[t] + j * b_step]
 *
 * A tile of OUTER_COLS x N vectors of sums stays in registers: for each (r, j), N vectors of a
 * are loaded and one sample of b broadcast for each column. b may lie anyhow, and no lane is lost
 * on short lines.
 */
#include <stddef.h>

#include "kernel_types.h"
#include "vec.h"

#include "turn.h"

INLINE vec plus(vec a, vec b) {
#if LOGICAL
    return a | b;
#else
    return a + b;
#endif
}

/* Sums of a tile of N vectors: [column][vector]. */
INLINE void sum(const int N, const outer_job *job, vec *acc) {
    const elem *a = job->a, *b[OUTER_COLS];
    UNROLL(32)
    for (int i = 0; i < OUTER_COLS * N; i++)
        acc[i] = set1(0);
    UNROLL(16)
    for (int t = 0; t < OUTER_COLS; t++)
        b[t] = (const elem *)job->b + job->offsets[t];
    for (int64_t r = 0; r < job->height; r++) {
        const elem *end = a + job->width * job->a_step;
        for (int64_t j = 0; a != end; a += job->a_step, j += job->b_step) {
            vec v[OUTER_VECS];
            UNROLL(4)
            for (int n = 0; n < N; n++)
                v[n] = load(a + n * VL);
            UNROLL(16)
            for (int t = 0; t < OUTER_COLS; t++) {
                const vec s = set1(b[t][j]);
                UNROLL(4)
                for (int n = 0; n < N; n++)
                    acc[t * N + n] = madd(acc[t * N + n], s, v[n]);
            }
        }
        UNROLL(16)
        for (int t = 0; t < OUTER_COLS; t++)
            b[t] += job->b_pitch;
    }
    if (job->anew) return;
    const elem *sums = job->sums;
    UNROLL(16)
    for (int t = 0; t < OUTER_COLS; t++, sums += job->sums_pitch)
        UNROLL(4)
    for (int n = 0; n < N; n++)
        acc[t * N + n] = plus(load(sums + n * VL), acc[t * N + n]);
}

INLINE void outer(const int N, const outer_job *job) {
    vec acc[OUTER_COLS * OUTER_VECS];
    sum(N, job, acc);
    elem *sums = job->sums;
    UNROLL(16)
    for (int t = 0; t < OUTER_COLS; t++, sums += job->sums_pitch)
        UNROLL(4)
    for (int n = 0; n < N; n++)
        store(sums + n * VL, acc[t * N + n]);
}

static void wide(const outer_job *job) {
    outer(OUTER_VECS, job);
}

static void narrow(const outer_job *job) {
    outer(1, job);
}

#define CACHE_LINE 64

/* Whether vectors of samples are taken apart and joined in registers. */
#define TURNS (PARTS == 1 && VL > 1 && sizeof(elem) >= 4)

#if PARTS == 1 && VEC_BYTES
INLINE void put_pair(elem *to, vec even, vec odd, int64_t samples) {
    const vec first = zip(even, odd, 0, 1, VL), second = zip(even, odd, 1, 1, VL);
    if (samples == VL) {
        store(to, first);
        store(to + VL, second);
        return;
    }
    store_part(to, first, 2 * samples < VL ? 2 * samples : VL);
    if (2 * samples > VL) store_part(to + VL, second, 2 * samples - VL);
}

/* The lines that sums go to come while these are made. */
INLINE void fetch_lines(const int N, const outer_pairs_job *job) {
    for (int q = 0; q < job->pairs; q++)
        UNROLL(4)
    for (int n = 0; n < N; n++)
        UNROLL(4)
    for (size_t i = 0; i < 2 * sizeof(vec); i += CACHE_LINE)
        __builtin_prefetch((char *)((elem *)job->to[n] + job->at[q]) + i, 1);
}

INLINE void outer_pairs(const int N, const outer_pairs_job *job) {
    vec acc[OUTER_COLS * OUTER_VECS];
    fetch_lines(N, job);
    sum(N, &job->product, acc);
    UNROLL(8)
    for (int q = 0; q < OUTER_COLS / 2; q++) {
        if (q == job->pairs) break;
        const vec start = set1(job->start ? ((const elem *)job->start)[q] : 0);
        const vec *even = acc + 2 * q * N, *odd = even + N;
        UNROLL(4)
        for (int n = 0; n < N; n++)
            put_pair((elem *)job->to[n] + job->at[q], plus(start, even[n]), plus(start, odd[n]),
                     job->samples[n]);
    }
}

static void put_wide(const outer_pairs_job *job) {
    if (TURNS) outer_pairs(OUTER_VECS, job);
}

static void put_narrow(const outer_pairs_job *job) {
    if (TURNS) outer_pairs(1, job);
}
#else
#    define put_wide   NULL
#    define put_narrow NULL
#endif

static void deal(const void *row, int64_t used, int64_t step, void *to) {
    const elem *from = row;
    elem *tile = to;
    for (; used >= OUTER_COLS; used -= OUTER_COLS, from += OUTER_COLS, tile += step)
        memcpy(tile, from, OUTER_COLS * sizeof(elem));
    if (!used) return;
    memset(tile, 0, OUTER_COLS * sizeof(elem));
    memcpy(tile, from, (size_t)used * sizeof(elem));
}

typedef struct {
    elem part[PARTS];
} sample;

/* Rows first .. end of columns first_column .. end_column. */
INLINE void transpose_part(const sample *from, int64_t from_pitch, int64_t first, int64_t end,
                           int64_t first_column, int64_t end_column, sample *to, int64_t to_pitch) {
    for (int64_t c = first_column; c < end_column; c++)
        for (int64_t r = first; r < end; r++)
            to[c * to_pitch + r] = from[r * from_pitch + c];
}

/* By strips of columns as wide as a cache line, so that each line is read once. */
static void transpose(const void *from, int64_t from_pitch, int64_t rows, int64_t columns, void *to,
                      int64_t to_pitch) {
    enum { STRIP = CACHE_LINE / sizeof(elem) };
    const int64_t whole_rows = TURNS ? rows / VL * VL : 0,
                  whole_columns = TURNS ? columns / VL * VL : 0;
    for (int64_t strip = 0; strip < whole_columns; strip += STRIP)
        for (int64_t r = 0; r < whole_rows; r += VL)
            for (int64_t c = strip; c < strip + STRIP && c < whole_columns; c += VL)
                turn_block((const elem *)from + r * from_pitch + c, from_pitch,
                           (elem *)to + c * to_pitch + r, to_pitch);
    transpose_part(from, from_pitch, whole_rows, rows, 0, whole_columns, to, to_pitch);
    transpose_part(from, from_pitch, 0, rows, whole_columns, columns, to, to_pitch);
}

/* Complex sums: with R = sum re(b) * a and I = sum im(b) * a of the product a * b, R + i * I. */
#if PARTS == 2
INLINE sample summed(const sample *sums, int64_t pitch, int64_t r, int64_t c) {
    const sample re = sums[2 * r * pitch + c], im = sums[(2 * r + 1) * pitch + c];
    return (sample){{re.part[0] - im.part[1], re.part[1] + im.part[0]}};
}

static void finish(const void *sums, int64_t pitch, int64_t rows, int64_t columns, void *to,
                   int64_t row_step, int64_t column_step) {
    if (column_step == 1)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                ((sample *)to)[r * row_step + c] = summed(sums, pitch, r, c);
    else
        for (int64_t c = 0; c < columns; c++)
            for (int64_t r = 0; r < rows; r++)
                ((sample *)to)[r * row_step + c * column_step] = summed(sums, pitch, r, c);
}
#else
static void finish(const void *sums, int64_t pitch, int64_t rows, int64_t columns, void *to,
                   int64_t row_step, int64_t column_step) {
    if (column_step != 1)
        transpose(sums, pitch, rows, columns, to, column_step);
    else
        for (int64_t r = 0; r < rows; r++)
            memcpy((sample *)to + r * row_step, (const sample *)sums + r * pitch,
                   (size_t)columns * sizeof(sample));
}
#endif

const outer_kernels NAME(outer) = {
    .wide = wide,
    .narrow = narrow,
    .wide_pairs = TURNS ? put_wide : NULL,
    .narrow_pairs = TURNS ? put_narrow : NULL,
    .deal = deal,
    .transpose = transpose,
    .finish = finish,
    .lanes = VL / PARTS,
    .vectors = OUTER_VECS,
    .columns = OUTER_COLS,
};
