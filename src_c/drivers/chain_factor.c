/* SPDX-License-Identifier: BSD-3-Clause
 * chain_factor.c -- weights of sums of pairs of bytes in two factors (contract: factored_weights in
 * chain_types.h).
 *
 * A weight of 15 bits alone would leave an error that is often met: products of two small factors
 * come much closer to what is wanted, for there are many of them. */
#include <math.h>
#include <stdlib.h>

#include "chain.h"

#define LARGEST_FIRST  64    /* 255 + 255 times this fits into 16 bits, the sign included */
#define LARGEST_SECOND 32767 /* which fits too */
#define MOST_PAIR      510.0 /* the sum of two bytes */
#define MOST_DOUBT     0.01  /* of a unit of the result */

typedef struct {
    int32_t first, second;
} factors;

static factors closest(double scaled) {
    factors best = {1, 0};
    double least = HUGE_VAL;
    for (int32_t first = 1; first <= LARGEST_FIRST; first++) {
        const double second = fmin(nearbyint(scaled / first), LARGEST_SECOND);
        const double error = fabs(first * second - scaled);
        if (error < least) least = error, best = (factors){first, (int32_t)second};
    }
    return best;
}

/* What sums with the factors have too much and too little at most: roundings of the sum in double,
 * unless all of its terms are exact, and errors of weights. */
pyconvc_status chain_factor(const pyconvc_pass *pass, int32_t sample, const factored_weights **to) {
    const double *w = pass->w, scale = ldexp(1, FACTORED_BITS);
    const size_t n = (size_t)pass->terms, twos = n / 2 + 1;
    if (sample != PYCONVC_SAMPLE_U8 || pass->kind != PYCONVC_PAIRS) return PYCONVC_OK;
    factored_weights *factored = calloc(1, sizeof *factored + (n + twos) * sizeof(int32_t));
    if (!factored) return PYCONVC_NO_MEMORY;
    int32_t *first = (int32_t *)(factored + 1), *second = first + n;
    double whole = 0, most = 0, least = 0, negative = 0;
    for (size_t i = 0; i < n; i++) {
        const double wanted = (i ? w[i] : w[0] / 2) * scale;
        const factors f = closest(wanted);
        const double error = (double)f.first * f.second - wanted;
        first[i] = f.first * 0x01010101;
        second[i / 2] |= (int32_t)((uint32_t)f.second << (i % 2 * 16));
        whole += MOST_PAIR * wanted;
        *(error > 0 ? &most : &least) += MOST_PAIR * error;
        negative += !(w[i] >= 0);
    }
    const double rounding = most > least ? 1 + 0x1p-52 * (double)(n + 2) * whole : 0;
    factored->first = first;
    factored->second = second;
    factored->above = (int32_t)ceil(rounding - least);
    factored->doubt = factored->above + (int32_t)ceil(rounding + most);
    if (!negative && whole + factored->doubt < 256 * scale && factored->doubt < MOST_DOUBT * scale)
        *to = factored;
    else
        free(factored);
    return PYCONVC_OK;
}
