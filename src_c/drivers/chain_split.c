/* SPDX-License-Identifier: BSD-3-Clause
 * chain_split.c -- weights of sums of small integers: whole ones, or in two parts (contract:
 * split_weights in chain_types.h).
 *
 * A sum of products of integers with float32 weights is exact, in any order, if the weights are
 * multiples of a unit and no sum can exceed 2^24 units. High parts are such multiples; low ones are
 * the rest, so small that the rounding of their sum hardly counts. */
#include <math.h>
#include <stdlib.h>

#include "chain.h"

#define MOST_DOUBT 0.01 /* of a unit of the result: more sums would be computed again too often */

/* The largest magnitude that weight i meets. */
static double largest(const pyconvc_pass *pass, int64_t i, int32_t sample) {
    static const double most[PYCONVC_INTEGERS] = {128, 255, 32768, 65535};
    return most[sample] * (pass->kind == PYCONVC_TERMS || i == 0 ? 1 : 2);
}

/* The largest magnitude of a sum. */
static double largest_sum(const pyconvc_pass *pass, int32_t sample) {
    const double *w = pass->w;
    double sum = 0;
    for (int64_t i = 0; i < pass->terms; i++)
        sum += fabs(w[i]) * largest(pass, i, sample);
    return sum;
}

int chain_is_whole(const pyconvc_pass *pass, int32_t sample) {
    const double *w = pass->w;
    for (int64_t i = 0; i < pass->terms; i++)
        if (w[i] != nearbyint(w[i])) return 0;
    return largest_sum(pass, sample) < 0x1p31;
}

pyconvc_status chain_whole(const pyconvc_pass *pass, int32_t **to) {
    const double *w = pass->w;
    *to = malloc((size_t)pass->terms * sizeof **to);
    if (!*to) return PYCONVC_NO_MEMORY;
    for (int64_t i = 0; i < pass->terms; i++)
        (*to)[i] = (int32_t)w[i];
    return PYCONVC_OK;
}

/* The error: roundings of the low parts and of their sum, of the sum in double, and two units for
 * what is cut off to fixed point. */
pyconvc_status chain_split(const pyconvc_pass *pass, int32_t sample, const split_weights **to) {
    const double *w = pass->w, u = 0x1p-24, n = (double)pass->terms + 2;
    const double whole = largest_sum(pass, sample);
    double highs = 0, lows = 0;
    if (!(whole < 0x1p24)) return PYCONVC_OK;
    split_weights *split = malloc(sizeof *split + 2 * sizeof(float) * (size_t)pass->terms);
    if (!split) return PYCONVC_NO_MEMORY;
    const int exponent = ilogb(whole < 1 ? 1 : whole), bits = 29 - exponent; /* sums below 2^30 */
    const double unit = ldexp(1, exponent - 22), scale = ldexp(1, bits);
    float *parts = (float *)(split + 1);
    for (int64_t i = 0; i < pass->terms; i++) {
        const double high = nearbyint(w[i] / unit) * unit, most = largest(pass, i, sample);
        parts[2 * i] = (float)(high * scale);
        parts[2 * i + 1] = (float)((w[i] - high) * scale);
        highs += fabs(high) * most;
        lows += fabs(w[i] - high) * most;
    }
    const double error = 1.01 * n * (u * lows + 0x1p-53 * whole) * scale + 2;
    *split = (split_weights){parts, bits, (int32_t)error};
    if (highs <= 0x1p24 * unit && error < MOST_DOUBT * scale)
        *to = split;
    else
        free(split);
    return PYCONVC_OK;
}
