/* SPDX-License-Identifier: BSD-3-Clause
 * phases.c -- see phases.h. */
#include "phases.h"

#include <stdlib.h>

#include "problem.h"

enum { W = 2 };

int64_t phases_find(const pyconvc_problem *p, int64_t **offsets) {
    const int64_t stride = p->stride[W];
    int64_t count = 0;
    int64_t *to = *offsets = malloc((size_t)min64(stride, p->kernel[W]) * sizeof **offsets);
    if (!to) return 0;
    for (int64_t t = 0; t < p->kernel[W] && count < stride; t++) {
        const int64_t phase = t * p->dilation[W] % stride;
        int64_t known = 0;
        while (known < count && to[known] != phase)
            known++;
        if (known == count) to[count++] = phase;
    }
    return count;
}

int64_t phases_pitch(const pyconvc_problem *p, int64_t columns, int64_t lanes) {
    return columns + (p->kernel[W] - 1) * p->dilation[W] / p->stride[W] + 1 + lanes;
}

int64_t phases_column(const pyconvc_problem *p, const int64_t *offsets, int64_t pitch, int64_t t) {
    const int64_t at = t * p->dilation[W];
    int64_t phase = 0;
    while (offsets[phase] != at % p->stride[W])
        phase++;
    return phase * pitch + at / p->stride[W];
}
