/* SPDX-License-Identifier: BSD-3-Clause
 * adjoint.c -- see adjoint.h.
 *
 * Input gradient, one axis: x[i] collects y[o] * w[t] where o * s + t * d = i + pad. With g =
 * gcd(s, d), the taps that meet phase r = (i + pad) mod s are t0, t0 + s/g, t0 + 2 s/g, ...; going
 * from one to the next moves o back by d/g. So each phase is a convolution of stride 1 and dilation
 * d/g over y (the decomposition of a transposed convolution by phases: no zeros are inserted, no
 * product is wasted).
 */
#include "adjoint.h"

#include "problem.h"

int64_t adjoint_phases(const pyconvc_problem *p, int a) {
    return min64(p->stride[a], max64(1, p->input[a]));
}

/* Smallest i >= 0 with i congruent to r modulo s. */
static int64_t congruent(int64_t r, int64_t s) {
    return (r % s + s) % s;
}

/* First tap t >= 0 with t * d congruent to r modulo s, or -1 where there is none below `taps`. */
static int64_t first_tap(int64_t r, int64_t s, int64_t d, int64_t taps) {
    for (int64_t t = 0; t < min64(taps, s); t++)
        if (congruent(t * d - r, s) == 0) return t;
    return -1;
}

static void input_axis(const pyconvc_problem *p, int a, int64_t first, adjoint *q) {
    pyconvc_problem *to = &q->problem;
    const int64_t s = p->stride[a], d = p->dilation[a], g = gcd64(s, d), jump = s / g;
    const int64_t r = congruent(first + p->pad_before[a], s), t0 = first_tap(r, s, d, p->kernel[a]);
    to->input[a] = p->output[a];
    to->output[a] = first < p->input[a] ? (p->input[a] - 1 - first) / s + 1 : 0;
    to->x_step[3 + a] = p->y_step[3 + a];
    to->y_step[3 + a] = p->x_step[3 + a] * s;
    q->y_at += first * p->x_step[3 + a];
    if (t0 < 0) {
        q->empty = 1;
        return;
    }
    const int64_t taps = (p->kernel[a] - 1 - t0) / jump + 1,
                  step = p->flip ? -p->w_step[3 + a] : p->w_step[3 + a];
    const int64_t nearest =
        (first + p->pad_before[a] - t0 * d) / s; /* the o that meets tap t0; exact */
    to->kernel[a] = taps;
    to->dilation[a] = d / g;
    to->stride[a] = 1;
    to->boundary[a] = PYCONVC_CONSTANT;
    to->pad_before[a] = (taps - 1) * to->dilation[a] - nearest;
    to->pad_after[a] =
        to->output[a] + (taps - 1) * to->dilation[a] - to->input[a] - to->pad_before[a];
    to->w_step[3 + a] = jump * step;
    q->w_at += (p->flip ? (p->kernel[a] - 1) * p->w_step[3 + a] : 0) + t0 * step;
}

adjoint adjoint_input(const pyconvc_problem *p, const int64_t phase[PYCONVC_RANK]) {
    adjoint q = {.problem = *p};
    pyconvc_problem *to = &q.problem;
    to->channels_in = p->channels_out;
    to->channels_out = p->channels_in;
    to->flip = 1;
    for (int i = 0; i < 16; i++)
        to->fill[i] = 0;
    for (int i = 0; i < 3; i++)
        to->x_step[i] = p->y_step[i], to->y_step[i] = p->x_step[i];
    to->w_step[1] = p->w_step[2];
    to->w_step[2] = p->w_step[1];
    for (int a = 0; a < PYCONVC_RANK; a++)
        input_axis(p, a, phase[a], &q);
    return q;
}
