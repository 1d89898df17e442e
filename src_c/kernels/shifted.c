/* SPDX-License-Identifier: BSD-3-Clause
 *
 * shifted.c -- sums of shifted blocks, term after term (contract: shifted_job in chain_types.h).
 *
 * A run of vectors of one row stays in registers while the terms are added to it in their order.
 * The unit is compiled without contraction: a product is rounded before it is added, so that
 * results are those of any other program that rounds each operation.
 */
#include "chain_types.h"
#include "vec.h"

#ifndef STEM
#    define STEM shifted
#endif
#define RUN 6 /* vectors in registers: enough sums in flight to hide an addition's latency */

typedef enum { TERMS, PAIRS, ODD_PAIRS, MEAN, QUOTIENT } kind;

INLINE vec at(const shifted_job *job, int64_t i, int64_t offset) {
    return load((const elem *)job->from[i] + offset);
}

INLINE vec term(const kind k, const shifted_job *job, int64_t i, int64_t offset) {
    if (k == MEAN || k == QUOTIENT || k == TERMS || i == 0) return at(job, i, offset);
    const vec a = at(job, 2 * i - 1, offset), b = at(job, 2 * i, offset);
    return k == PAIRS ? a + b : a - b;
}

/* V vectors from `offset` on; k and V are constants at every call. */
INLINE void run(const kind k, const int V, const shifted_job *job, int64_t offset, elem *y,
                int64_t last) {
    const elem *w = job->w;
    const int weighted = k != MEAN && k != QUOTIENT;
    vec sum[RUN];
    UNROLL(8)
    for (int v = 0; v < V; v++)
        sum[v] = term(k, job, 0, offset + v * VL);
    if (weighted) {
        UNROLL(8)
        for (int v = 0; v < V; v++)
            sum[v] = sum[v] * set1(w[0]);
    }
    for (int64_t i = 1; i < job->count; i++) {
        const vec weight = set1(weighted ? w[i] : 0);
        UNROLL(8)
        for (int v = 0; v < V; v++) {
            const vec x = term(k, job, i, offset + v * VL);
            sum[v] = sum[v] + (weighted ? (vec)(weight * x) : x);
        }
    }
    UNROLL(8)
    for (int v = 0; v < V; v++) {
        if (k == MEAN) sum[v] = sum[v] * set1(w[0]);
        if (k == QUOTIENT) sum[v] = sum[v] / set1(w[0]);
        if (v == V - 1 && last < VL)
            store_part(y + v * VL, sum[v], last);
        else if (job->stream)
            stream(y + v * VL, sum[v]);
        else
            store(y + v * VL, sum[v]);
    }
}

#include "pairs.h"

INLINE void all(const kind k, const shifted_job *job) {
    if ((k == PAIRS || k == ODD_PAIRS) && job->around == SHIFTED_ROWS) {
        around_rows(k, job);
        return;
    }
    if ((k == PAIRS || k == ODD_PAIRS) && job->around == SHIFTED_LINE) {
        if (job->count == 2) few_pairs(k, 1, job);
        if (job->count == 3) few_pairs(k, 2, job);
        if (job->count == 4) few_pairs(k, 3, job);
        if (job->count > 4) around_line(k, job);
        if (job->count > 1) return;
    }
    for (int64_t r = 0; r < job->height; r++) {
        const int64_t from = r * job->pitch;
        elem *y = (elem *)job->y + r * job->y_pitch;
        int64_t j = 0;
        for (; j + RUN * VL <= job->width; j += RUN * VL)
            run(k, RUN, job, from + j, y + j, VL);
        if (j < job->width && job->width >= RUN * VL && !job->stream) { /* some of them once more */
            j = job->width - RUN * VL;
            run(k, RUN, job, from + j, y + j, VL);
            j = job->width;
        }
        for (; j < job->width; j += VL)
            run(k, 1, job, from + j, y + j, job->width - j);
    }
}

/* A copy of the job, which no store of a vector can change. */
#define KERNEL(name, k)                                                                            \
    static void name(const shifted_job *job) {                                                     \
        const shifted_job copy = *job;                                                             \
        all(k, &copy);                                                                             \
    }
KERNEL(terms, TERMS)
KERNEL(pairs, PAIRS)
KERNEL(odd_pairs, ODD_PAIRS)
KERNEL(mean, MEAN)
KERNEL(quotient, QUOTIENT)

const shifted_kernels NAME_(CAT(pyconvc_, STEM), PYCONVC_DTYPE, PYCONVC_TIER) = {
    .terms = terms,
    .pairs = pairs,
    .odd_pairs = odd_pairs,
    .mean = mean,
    .quotient = quotient,
    .vector = VL,
};
