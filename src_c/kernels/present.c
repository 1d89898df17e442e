/* SPDX-License-Identifier: BSD-3-Clause
 *
 * present.c -- lines of samples of which some are missing (contract: present_kernels).
 *
 * Plain loops without branches, which the compiler turns into the tier's comparisons and blends.
 */
#include <float.h>
#include <math.h>

#include "present_types.h"
#include "vec.h"

/* An integer as wide as a sample. */
#define WHOLE_f32 int32_t
#define WHOLE_f64 int64_t
typedef CAT(WHOLE_, PYCONVC_DTYPE) whole;
#define BLOCK 512

static int lacks(const void *x, const uint8_t *mask, int64_t n) {
    const elem *from = x;
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t last = n - first < BLOCK ? n : first + BLOCK;
        whole missing = 0;
        uint8_t masked = 0;
        for (int64_t j = first; j < last; j++)
            missing |= from[j] != from[j];
        for (int64_t j = first; mask && j < last; j++)
            masked |= mask[j];
        if (missing | masked) return 1;
    }
    return 0;
}

static void split(const void *x, const uint8_t *mask, int64_t n, void *to, void *valid) {
    const elem *from = x;
    elem *there = valid, *t = to;
    if (mask)
        for (int64_t j = 0; j < n; j++) {
            const elem sample = from[j];
            const whole ok = (sample == sample) & !mask[j];
            there[j] = ok ? 1 : 0;
            t[j] = ok ? sample : 0;
        }
    else
        for (int64_t j = 0; j < n; j++) {
            const elem sample = from[j];
            there[j] = sample == sample ? 1 : 0;
            t[j] = sample == sample ? sample : 0;
        }
}

/* The factors apart from their choice, which a compiler would else take for a reason to branch. */
static void scale_block(const elem *x, const elem *weight, int64_t n, const present_scale *by,
                        elem *y) {
    const double rounding = 64 * (sizeof(elem) == 4 ? FLT_EPSILON : DBL_EPSILON);
    const elem total = (elem)by->total, whole = (elem)(by->total * (1 - rounding)),
               least = (elem)(by->least * (1 - rounding));
    elem factor[BLOCK];
    for (int64_t j = 0; j < n; j++)
        factor[j] = by->normalize ? total / weight[j] : 1;
    for (int64_t j = 0; j < n; j++)
        factor[j] = weight[j] >= whole ? 1 : factor[j];
    for (int64_t j = 0; j < n; j++)
        y[j] = x[j] * (((weight[j] > 0) & (weight[j] >= least)) ? factor[j] : (elem)NAN);
}

static void scale(const void *x, const void *weight, int64_t n, const present_scale *by, void *y) {
    for (int64_t j = 0; j < n; j += BLOCK)
        scale_block((const elem *)x + j, (const elem *)weight + j, n - j < BLOCK ? n - j : BLOCK,
                    by, (elem *)y + j);
}

const present_kernels NAME(present) = {.lacks = lacks, .split = split, .scale = scale};
