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
#include "kernel_types.h"
#include "vec.h"

INLINE vec plus(vec a, vec b) {
#if LOGICAL
    return a | b;
#else
    return a + b;
#endif
}

INLINE void outer(const int N, const outer_job *job) {
    const elem *a = job->a, *b[OUTER_COLS];
    vec acc[OUTER_COLS * OUTER_VECS];
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
    elem *sums = job->sums;
    UNROLL(16)
    for (int t = 0; t < OUTER_COLS; t++, sums += job->sums_pitch)
        UNROLL(4)
    for (int n = 0; n < N; n++)
        store(sums + n * VL, plus(load(sums + n * VL), acc[t * N + n]));
}

static void wide(const outer_job *job) {
    outer(OUTER_VECS, job);
}

static void narrow(const outer_job *job) {
    outer(1, job);
}

typedef struct {
    elem part[PARTS];
} sample;

static void transpose(const void *from, int64_t from_pitch, int64_t rows, int64_t columns, void *to,
                      int64_t to_pitch) {
    for (int64_t c = 0; c < columns; c++)
        for (int64_t r = 0; r < rows; r++)
            ((sample *)to)[c * to_pitch + r] = ((const sample *)from)[r * from_pitch + c];
}

/* Sample r, c of the sums; of a complex one, with R = sum re(b) * a and I = sum im(b) * a of the
 * product a * b, R + i * I. */
INLINE sample summed(const sample *sums, int64_t pitch, int64_t r, int64_t c) {
#if PARTS == 2
    const sample re = sums[2 * r * pitch + c], im = sums[(2 * r + 1) * pitch + c];
    return (sample){{re.part[0] - im.part[1], re.part[1] + im.part[0]}};
#else
    return sums[r * pitch + c];
#endif
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

const outer_kernels NAME(outer) = {
    .wide = wide,
    .narrow = narrow,
    .transpose = transpose,
    .finish = finish,
    .lanes = VL / PARTS,
    .vectors = OUTER_VECS,
    .columns = OUTER_COLS,
};
