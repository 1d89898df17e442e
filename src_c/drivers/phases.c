/* SPDX-License-Identifier: BSD-3-Clause
 * phases.c -- see phases.h. */
#include "phases.h"

#include <stdlib.h>

#include "problem.h"

enum { W = 2 };

#define FAR_REACH (1 << 17) /* samples of a phase from the first tap to the last */
#define FAR_TAPS  (1 << 12) /* and from one to the next: more than columns come in one piece */

static int64_t reach(const pyconvc_problem *p) {
    return (p->kernel[W] - 1) * p->dilation[W] / p->stride[W];
}

int phases_by_tap(const pyconvc_problem *p) {
    return reach(p) > FAR_REACH && p->dilation[W] / p->stride[W] > FAR_TAPS;
}

int64_t phases_samples(const pyconvc_problem *p, int64_t columns) {
    return columns + (phases_by_tap(p) ? 0 : reach(p));
}

int64_t phases_find(const pyconvc_problem *p, int64_t **offsets) {
    const int64_t stride = p->stride[W], taps = p->kernel[W];
    const int by_tap = phases_by_tap(p);
    int64_t count = 0;
    int64_t *to = *offsets = malloc((size_t)(by_tap ? taps : min64(stride, taps)) * sizeof *to);
    if (!to) return 0;
    for (; by_tap && count < taps; count++)
        to[count] = count * p->dilation[W];
    if (by_tap) return count;
    for (int64_t t = 0; t < taps && count < stride; t++) {
        const int64_t phase = t * p->dilation[W] % stride;
        int64_t known = 0;
        while (known < count && to[known] != phase)
            known++;
        if (known == count) to[count++] = phase;
    }
    return count;
}

int64_t phases_pitch(const pyconvc_problem *p, int64_t columns, int64_t lanes) {
    return phases_samples(p, columns) + 1 + lanes;
}

int64_t phases_column(const pyconvc_problem *p, const int64_t *offsets, int64_t pitch, int64_t t) {
    const int64_t at = t * p->dilation[W];
    int64_t phase = 0;
    if (phases_by_tap(p)) return t * pitch;
    while (offsets[phase] != at % p->stride[W])
        phase++;
    return phase * pitch + at / p->stride[W];
}
