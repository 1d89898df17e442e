/* SPDX-License-Identifier: BSD-3-Clause
 *
 * present.c -- lines of samples of which some are missing (contract: present_kernels).
 *
 * lacks and split are plain loops without branches, which the compiler turns into the tier's
 * comparisons and blends.
 */
#include "vec.h"

#include "present.h"

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

static int split(const void *x, const uint8_t *mask, int64_t n, void *to, void *valid) {
    const elem *from = x;
    elem *there = valid, *t = to;
    whole missing = 0;
    if (mask)
        for (int64_t j = 0; j < n; j++) {
            const elem sample = from[j];
            const whole ok = (sample == sample) & !mask[j];
            there[j] = ok ? 1 : 0;
            t[j] = ok ? sample : 0;
            missing |= !ok;
        }
    else
        for (int64_t j = 0; j < n; j++) {
            const elem sample = from[j];
            there[j] = sample == sample ? 1 : 0;
            t[j] = sample == sample ? sample : 0;
            missing |= sample != sample;
        }
    return missing != 0;
}

static void blank(const void *x, const uint8_t *mask, int64_t n, void *to) {
    const elem *from = x;
    elem *t = to;
    for (int64_t j = 0; j < n; j++)
        t[j] = mask[j] ? (elem)NAN : from[j];
}

static void scale(const void *x, const void *weight, int64_t n, const present_scale *by,
                  int to_memory, void *y) {
    const elem *sums = x, *weights = weight;
    const scale_limits limits = limits_of(by);
    elem *to = y;
    int64_t j = 0;
    for (; to_memory && j + VL <= n; j += VL)
        stream(to + j, scaled(load(sums + j), load(weights + j), &limits));
    for (; j + VL <= n; j += VL)
        store(to + j, scaled(load(sums + j), load(weights + j), &limits));
    if (j < n)
        store_part(to + j,
                   scaled(load_part(sums + j, n - j), load_part(weights + j, n - j), &limits),
                   n - j);
}

const present_kernels NAME(present) = {
    .lacks = lacks, .split = split, .blank = blank, .scale = scale};
