/* SPDX-License-Identifier: BSD-3-Clause
 * phases.c -- see phases.h. */
#include "phases.h"

#include "problem.h"

enum { W = 2 };

#define FAR_REACH (1 << 17) /* samples of a phase from the first tap to the last */
#define FAR_TAPS  (1 << 12) /* and from one to the next: more than columns come in one piece */

/* Taps t and t + period read the same phase. */
axis_phases phases_find(const pyconvc_problem *p, int axis, int by_tap) {
    axis_phases f = {p->stride[axis], p->dilation[axis], p->kernel[axis], p->kernel[axis], by_tap};
    if (!by_tap) f.count = min64(f.taps, f.stride / gcd64(f.stride, f.dilation));
    return f;
}

static int64_t reach(const axis_phases *phases) {
    return phases->by_tap ? 0 : (phases->taps - 1) * phases->dilation / phases->stride;
}

axis_phases phases_across(const pyconvc_problem *p) {
    const axis_phases shared = phases_find(p, W, 0);
    return phases_find(p, W,
                       reach(&shared) > FAR_REACH && p->dilation[W] / p->stride[W] > FAR_TAPS);
}

int64_t phases_first(const axis_phases *phases, int64_t f) {
    const int64_t first = f * phases->dilation;
    return phases->by_tap ? first : first % phases->stride;
}

int64_t phases_samples(const axis_phases *phases, int64_t outputs) {
    return outputs + reach(phases);
}

int64_t phases_pitch(const axis_phases *phases, int64_t columns, int64_t lanes) {
    return phases_samples(phases, columns) + 1 + lanes;
}

int64_t phases_tap(const axis_phases *phases, int64_t pitch, int64_t t) {
    if (phases->by_tap) return t * pitch;
    return t % phases->count * pitch + t * phases->dilation / phases->stride;
}
