/* SPDX-License-Identifier: BSD-3-Clause
 * pool_axis.c -- see pool_axis.h. */
#include "pool_axis.h"

#include <stdlib.h>

static pyconvc_status allocate(pool_axis *axis) {
    axis->first = malloc((size_t)max64(1, 3 * axis->to) * sizeof(int64_t));
    if (!axis->first) return PYCONVC_NO_MEMORY;
    axis->count = axis->first + axis->to;
    axis->divisor = axis->count + axis->to;
    return PYCONVC_OK;
}

void pool_axis_free(pool_axis *axis) {
    free(axis->first);
    axis->first = NULL;
}

/* Windows that move by a stride; what they have of the padding counts only for the divisor. */
static void set_sliding(pool_axis *axis, const pyconvc_pool_axis *a, int count_pad) {
    for (int64_t o = 0; o < axis->to; o++) {
        const int64_t start = o * a->stride - a->pad, n = a->input;
        const int64_t skipped = start < 0 ? ceil_div(-start, a->dilation) : 0;
        const int64_t first = start + skipped * a->dilation;
        const int64_t inside = first < n ? (n - 1 - first) / a->dilation + 1 : 0;
        axis->first[o] = first;
        axis->count[o] = max64(0, min64(a->kernel - skipped, inside));
        axis->divisor[o] =
            count_pad ? min64(start + a->kernel, n + a->pad) - start : axis->count[o];
    }
    axis->step = a->dilation;
    axis->regular = 1;
    axis->kernel = a->kernel, axis->stride = a->stride, axis->pad = a->pad;
}

/* Windows that divide the axis; all alike where it can be divided evenly. */
static void set_dividing(pool_axis *axis, const pyconvc_pool_axis *a) {
    const int64_t n = a->input, m = a->output;
    int64_t at = 0, rest = 0; /* o * n == at * m + rest, which as a product may not fit */
    for (int64_t o = 0; o < m; o++) {
        axis->first[o] = at;
        at += n / m, rest += n % m;
        if (rest >= m) at++, rest -= m;
        axis->count[o] = axis->divisor[o] = at + (rest > 0) - axis->first[o];
    }
    axis->step = 1;
    axis->regular = m && n % m == 0;
    if (axis->regular) axis->kernel = axis->stride = n / m;
}

/* The windows of the adjoint: both ends of the windows that hold sample i grow with i. */
static pyconvc_status invert(pool_axis *axis) {
    pool_axis inverse = {.from = axis->to, .to = axis->from, .step = 1};
    const pyconvc_status status = allocate(&inverse);
    if (status) return status;
    int64_t begin = 0, end = 0;
    for (int64_t i = 0; i < inverse.to; i++) {
        while (begin < axis->to && axis->first[begin] + axis->count[begin] <= i)
            begin++;
        end = max64(end, begin);
        while (end < axis->to && axis->first[end] <= i)
            end++;
        inverse.first[i] = begin;
        inverse.count[i] = end - begin;
        inverse.divisor[i] = 1;
    }
    inverse.regular = axis->regular && axis->kernel > axis->pad;
    inverse.kernel = axis->kernel, inverse.stride = 1, inverse.spread = axis->stride;
    inverse.pad = axis->kernel - 1 - axis->pad;
    pool_axis_free(axis);
    *axis = inverse;
    return PYCONVC_OK;
}

pyconvc_status pool_axis_make(pool_axis *axis, const pyconvc_pool_axis *a, int count_pad,
                              int adjoint) {
    *axis = (pool_axis){.from = a->input, .to = a->output, .spread = 1};
    const pyconvc_status status = allocate(axis);
    if (status) return status;
    if (a->kernel)
        set_sliding(axis, a, count_pad);
    else
        set_dividing(axis, a);
    return adjoint ? invert(axis) : PYCONVC_OK;
}

int pool_axis_is_whole(const pool_axis *axis) {
    return axis->to == 1 && axis->first[0] == 0 && axis->count[0] == axis->from && axis->step == 1;
}

void pool_axis_join(pool_axis *outer, pool_axis *inner) {
    inner->from *= outer->from;
    inner->count[0] *= outer->count[0];
    inner->divisor[0] *= outer->divisor[0];
    inner->regular = 0;
    outer->from = outer->count[0] = outer->divisor[0] = 1;
    outer->regular = 0;
}
