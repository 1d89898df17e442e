/* SPDX-License-Identifier: BSD-3-Clause
 *
 * twin.c -- even and odd samples of lines at once (contract: twin_kernels in twin_types.h).
 *
 * A tile of TWIN_CHANNELS x 2 x N vectors of sums stays in registers. Each loaded vector of y
 * serves all channels, and each weight N vectors; at the end even and odd sums are joined by turns.
 */
#include <stddef.h>

#include "kernel_types.h"
#include "vec.h"

#include "turn.h"

#define TWIN_CHANNELS (OUTER_COLS / 2)
#define TWIN_VECS     OUTER_VECS
#define CACHE_LINE    64

#if VEC_BYTES
INLINE void finish(const int N, const twin_job *job, const vec *acc) {
    UNROLL(8)
    for (int c = 0; c < TWIN_CHANNELS; c++) {
        const vec start = set1(job->start ? ((const elem *)job->start)[c] : 0);
        elem *to = (elem *)job->to + c * job->to_pitch;
        UNROLL(4)
        for (int n = 0; n < N; n++) {
            const vec even = start + acc[2 * c * N + n], odd = start + acc[(2 * c + 1) * N + n];
            store(to + 2 * n * VL, zip(even, odd, 0, 1, VL));
            store(to + (2 * n + 1) * VL, zip(even, odd, 1, 1, VL));
        }
    }
}

/* EVEN and ODD: taps that even and odd samples meet. */
INLINE void twin(const int N, const int EVEN, const int ODD, const twin_job *job) {
    const elem *y = job->y, *w = job->w;
    elem *sums = job->sums;
    vec acc[TWIN_CHANNELS * 2 * TWIN_VECS];
    UNROLL(32)
    for (int i = 0; i < TWIN_CHANNELS * 2 * N; i++)
        acc[i] = job->anew ? set1(0) : load(sums + i * VL);
    const int64_t *shift = job->shifts;
    const int64_t shifts[] = {shift[0], shift[1], shift[2], shift[3]};
    for (const int64_t *row = job->rows, *end = row + job->count; row < end; row++) {
        UNROLL(4)
        for (int t = 0; t < EVEN + ODD; t++) {
            const int odd = t >= EVEN;
            const elem *from = y + *row + shifts[t];
            vec v[TWIN_VECS];
            UNROLL(4)
            for (int n = 0; n < N; n++)
                v[n] = load(from + n * VL);
            UNROLL(8)
            for (int c = 0; c < TWIN_CHANNELS; c++) {
                const vec s = set1(w[t * TWIN_CHANNELS + c]);
                UNROLL(4)
                for (int n = 0; n < N; n++)
                    acc[(2 * c + odd) * N + n] = madd(acc[(2 * c + odd) * N + n], s, v[n]);
            }
        }
        w += (EVEN + ODD) * TWIN_CHANNELS;
    }
    if (job->to) {
        finish(N, job, acc);
        return;
    }
    UNROLL(32)
    for (int i = 0; i < TWIN_CHANNELS * 2 * N; i++)
        store(sums + i * VL, acc[i]);
}

#    define DEFINE(EVEN, ODD)                                                                      \
        static void wide_##EVEN##_##ODD(const twin_job *job) {                                     \
            twin(TWIN_VECS, EVEN, ODD, job);                                                       \
        }                                                                                          \
        static void narrow_##EVEN##_##ODD(const twin_job *job) {                                   \
            twin(1, EVEN, ODD, job);                                                               \
        }
DEFINE(1, 1)
DEFINE(1, 2)
DEFINE(2, 1)
DEFINE(2, 2)

const twin_kernels NAME(twin) = {
    .wide = {{wide_1_1, wide_1_2}, {wide_2_1, wide_2_2}},
    .narrow = {{narrow_1_1, narrow_1_2}, {narrow_2_1, narrow_2_2}},
    .lanes = VL,
    .vectors = TWIN_VECS,
    .channels = TWIN_CHANNELS,
};
#else
const twin_kernels NAME(twin) = {.lanes = 0};
#endif
