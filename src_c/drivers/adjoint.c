/* SPDX-License-Identifier: BSD-3-Clause
 * adjoint.c -- see adjoint.h.
 *
 * Input gradient, one axis: x[i] collects y[o] * w[t] where o * s + t * d = i + pad. With g =
 * gcd(s, d), the taps that meet phase r = (i + pad) mod s are t0, t0 + s/g, t0 + 2 s/g, ...; going
 * from one to the next moves o back by d/g. So each phase is a convolution of stride 1 and dilation
 * d/g over y (the decomposition of a transposed convolution by phases: no zeros are inserted, no
 * product is wasted).
 *
 * With d = 1, phase r has the taps r, r + s, ..., and where i + pad = q s + r, all phases read the
 * same samples of y: at most ceil(taps / s) up to q.
 */
#include "adjoint.h"

#include "problem.h"

enum { D, H, W };

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

/* The arrays change places. */
static adjoint swap(const pyconvc_problem *p) {
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
    return q;
}

adjoint adjoint_input(const pyconvc_problem *p, const int64_t phase[PYCONVC_RANK]) {
    adjoint q = swap(p);
    for (int a = 0; a < PYCONVC_RANK; a++)
        input_axis(p, a, phase[a], &q);
    return q;
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

int adjoint_has_set(const pyconvc_problem *p) {
    int64_t taps = 1;
    for (int a = H; a <= W; a++) {
        if (p->dilation[a] > 1 || p->kernel[a] < p->stride[a] || p->kernel[a] > WINOGRAD_KERNEL)
            return 0;
        taps *= round_up(p->kernel[a], p->stride[a]);
    }
    return p->stride[H] * p->stride[W] > 1 && taps <= WINOGRAD_KERNEL;
}

/* The least q of phase r along an axis that has an output. */
static int64_t first_met(const pyconvc_problem *p, int a, int64_t r) {
    return -floor_div(r - p->pad_before[a], p->stride[a]);
}

/* Where the outputs of a phase begin: at its q = first, and from the samples that meet it there. */
typedef struct {
    int64_t tap, at, skip, output;
} place;

/* `common` is what q is for the first outputs of phases that have all taps. Those that lack the
 * last one may be a sample ahead. */
static place find_place(const pyconvc_problem *p, int a, int64_t r, int64_t common) {
    const int64_t s = p->stride[a], taps = ceil_div(p->kernel[a], s), before = r - p->pad_before[a];
    const int lacks = r + s * (taps - 1) >= p->kernel[a];
    const int64_t first = lacks ? min64(common, first_met(p, a, r)) : common;
    return (place){p->kernel[a] - 1 - r - s * (taps - 1 + first - common), first * s + before,
                   first_met(p, a, r) - first,
                   max64(0, -floor_div(before - p->input[a], s) - first)};
}

/* Returns the `common` of find_place. */
static int64_t share_axis(const pyconvc_problem *p, int a, adjoint *q) {
    pyconvc_problem *to = &q->problem;
    const int64_t s = p->stride[a], taps = ceil_div(p->kernel[a], s),
                  full = p->kernel[a] - s * (taps - 1), first = first_met(p, a, full - 1);
    to->input[a] = p->output[a];
    to->output[a] = 0;
    for (int64_t r = 0; r < s; r++)
        to->output[a] = max64(to->output[a], find_place(p, a, r, first).output);
    to->kernel[a] = taps;
    to->stride[a] = 1;
    to->boundary[a] = PYCONVC_CONSTANT;
    to->pad_before[a] = taps - 1 - first;
    to->pad_after[a] = to->output[a] + taps - 1 - to->input[a] - to->pad_before[a];
    to->x_step[3 + a] = p->y_step[3 + a];
    to->y_step[3 + a] = p->x_step[3 + a] * s;
    if (p->flip) {
        q->w_at += (p->kernel[a] - 1) * p->w_step[3 + a];
        to->w_step[3 + a] = -p->w_step[3 + a];
    }
    return first;
}

/* The i-th phase along an axis, in the order in which their outputs begin. */
static place nth_place(const pyconvc_problem *p, int a, int64_t i, int64_t common) {
    const int64_t s = p->stride[a];
    int64_t least = 0;
    for (int64_t r = 1; r < s; r++)
        if (find_place(p, a, r, common).at < find_place(p, a, least, common).at) least = r;
    return find_place(p, a, (least + i) % s, common);
}

void adjoint_share(const pyconvc_problem *p, int64_t depth, adjoint_set *set) {
    adjoint *q = &set->common;
    *q = swap(p);
    input_axis(p, D, depth, q);
    const int64_t row = share_axis(p, H, q), column = share_axis(p, W, q),
                  count = p->stride[H] * p->stride[W];
    for (int64_t i = 0; i < count; i++) {
        const place h = nth_place(p, H, i / p->stride[W], row),
                    w = nth_place(p, W, i % p->stride[W], column);
        set->taps[i] = (winograd_tap){h.tap, w.tap};
        set->outputs[i] = (winograd_outputs){q->y_at + h.at * p->x_step[4] + w.at * p->x_step[5],
                                             {h.skip, w.skip},
                                             {h.output, w.output}};
    }
    set->shares = (winograd_shares){
        {p->kernel[H], p->kernel[W], p->stride[H], p->stride[W], count, set->taps}, set->outputs};
}
