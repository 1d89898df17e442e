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
#define LEVELS         256   /* values of a byte, which sums stay below */
#define LARGEST_REST   32767 /* of a whole unit: more sums would be in doubt too often */
#define LARGEST_REACH  127
#define SCALE          (double)(1 << FACTORED_BITS)

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

static double product(factors f) {
    return (double)f.first * f.second;
}

/* One more or one less, where that adds least to the error; whether there is such a weight. */
static int change_one(const double *wanted, factors *f, size_t n, int by) {
    factors *place = NULL, best = {0};
    double least = HUGE_VAL;
    for (size_t i = 0; i < n; i++) {
        const double next = product(f[i]) + by;
        const double more = fabs(next - wanted[i]) - fabs(next - by - wanted[i]);
        if (next < 0 || more >= least) continue;
        const factors g = closest(next);
        if (product(g) == next) least = more, best = g, place = &f[i];
    }
    if (place) *place = best;
    return place != NULL;
}

/* The products, changed until they add up to what is wanted: then level samples have no error. */
static void choose_factors(const double *wanted, factors *f, size_t n) {
    double lack = 0;
    for (size_t i = 0; i < n; i++)
        f[i] = closest(wanted[i]), lack += wanted[i] - product(f[i]);
    for (lack = nearbyint(lack); lack != 0 && fabs(lack) <= (double)n; lack -= lack > 0 ? 1 : -1)
        if (!change_one(wanted, f, n, lack > 0 ? 1 : -1)) return;
}

/* What the products have too much and too little at most, each times the sum of a pair: what
 * level samples are off by, and what pairs are for each unit that they are not level; roundings of
 * sums in double, unless all terms are exact. */
typedef struct {
    double most, least, level, slope, rounding;
} errors;

static errors find_errors(const double *wanted, const factors *f, size_t n) {
    errors e = {0};
    double sum = 0, whole = 0;
    for (size_t i = 0; i < n; i++) {
        const double error = product(f[i]) - wanted[i];
        *(error > 0 ? &e.most : &e.least) += MOST_PAIR * error;
        whole += MOST_PAIR * wanted[i];
        sum += error;
        e.slope += i ? fabs(error) : 0;
    }
    if (e.most > e.least) e.rounding = 1 + 0x1p-52 * (double)(n + 2) * whole;
    e.level = MOST_PAIR * fabs(sum);
    return e;
}

static int32_t in_halves(double limit) {
    return (int32_t)fmax(0, fmin(limit, LARGEST_REST)) * 0x00010001;
}

/* Near is what has an error below half the smallest weight: most often one sample alone is not
 * level, and then the fraction is that. A pair differs from twice its centre by no more than one
 * beside twice what its mean does. */
static int find_limits(const errors *e, double smallest, factored_weights *to) {
    const double flat = e->level + e->rounding, above = ceil(e->rounding - e->least);
    const double doubt = above + ceil(e->rounding + e->most);
    const double most = ((smallest / 2 - flat) / e->slope - 1) / 2;
    const double reach = floor(fmax(1, fmin(most, LARGEST_REACH)));
    const double error = flat + e->slope * (2 * reach + 1);
    to->above = (int32_t)above;
    to->doubt = in_halves(doubt);
    to->reach = (int32_t)reach * 0x01010101;
    to->less_below = in_halves(floor(above - error));
    to->sure_from = in_halves(ceil(above + error));
    return doubt <= LARGEST_REST;
}

static void write_factors(const factors *f, size_t n, int32_t *first, int32_t *second) {
    for (size_t i = 0; i < n; i++) {
        first[i] = f[i].first * 0x01010101;
        second[i / 2] |= (int32_t)((uint32_t)f[i].second << (i % 2 * 16));
    }
}

/* Sums of level samples beside those in double, which the kernel finds without factors. */
static void find_less(const pyconvc_pass *pass, shifted_fn *in_double, const void **from,
                      const factors *f, factored_weights *to) {
    uint8_t level[LEVELS], result[LEVELS];
    double whole = 0;
    for (int v = 0; v < LEVELS; v++)
        level[v] = (uint8_t)v;
    for (int64_t i = 0; i < 2 * pass->terms - 1; i++)
        from[i] = level;
    for (int64_t i = 0; i < pass->terms; i++)
        whole += 2 * product(f[i]);
    const shifted_job job = {.from = from,
                             .w = pass->w,
                             .count = pass->terms,
                             .y = result,
                             .height = 1,
                             .width = LEVELS};
    in_double(&job);
    for (int v = 0; v < LEVELS; v++) {
        const int32_t sum = (v * (int32_t)whole + to->above) >> FACTORED_BITS;
        uint8_t *less = &to->less[v / 128][v / 8 % 16];
        less[0] = less[16] = (uint8_t)(less[0] | (sum != result[v]) << v % 8);
    }
}

static double smallest(const double *wanted, size_t n) {
    double least = HUGE_VAL;
    for (size_t i = 1; i < n; i++)
        least = fmin(least, wanted[i]);
    return least;
}

/* The weights in units of the products; whether their sums fit. */
static int scale_weights(const pyconvc_pass *pass, double *wanted) {
    const double *w = pass->w;
    double sum = 0;
    for (int64_t i = 0; i < pass->terms; i++) {
        wanted[i] = (i ? w[i] : w[0] / 2) * SCALE;
        if (!(wanted[i] >= 0)) return 0;
        sum += wanted[i];
    }
    return MOST_PAIR * sum < LEVELS * SCALE - LARGEST_REST;
}

static pyconvc_status factor(const pyconvc_pass *pass, shifted_fn *in_double, void *scratch,
                             const factored_weights **to) {
    const size_t n = (size_t)pass->terms;
    double *wanted = scratch;
    factors *f = (factors *)(wanted + n);
    const void **from = (const void **)(f + n);
    if (!scale_weights(pass, wanted)) return PYCONVC_OK;
    factored_weights *factored = calloc(1, sizeof *factored + (2 * n + 1) * sizeof(int32_t));
    if (!factored) return PYCONVC_NO_MEMORY;
    int32_t *first = (int32_t *)(factored + 1);
    factored->first = first;
    factored->second = first + n;
    choose_factors(wanted, f, n);
    write_factors(f, n, first, first + n);
    const errors e = find_errors(wanted, f, n);
    if (find_limits(&e, smallest(wanted, n), factored)) {
        find_less(pass, in_double, from, f, factored);
        *to = factored;
    } else {
        free(factored);
    }
    return PYCONVC_OK;
}

pyconvc_status chain_factor(const pyconvc_pass *pass, int32_t sample, shifted_fn *in_double,
                            const factored_weights **to) {
    if (sample != PYCONVC_SAMPLE_U8 || pass->kind != PYCONVC_PAIRS) return PYCONVC_OK;
    void *scratch =
        malloc((size_t)pass->terms * (sizeof(double) + sizeof(factors) + 2 * sizeof(void *)));
    if (!scratch) return PYCONVC_NO_MEMORY;
    const pyconvc_status status = factor(pass, in_double, scratch, to);
    free(scratch);
    return status;
}
