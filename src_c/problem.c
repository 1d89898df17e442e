/* SPDX-License-Identifier: BSD-3-Clause
 * problem.c -- what the numbers of a problem mean (see problem.h and pyconvc.h). */
#include "problem.h"

#include <math.h>

#include "kernels/dtypes.h"

/* Most places beyond an edge are near it: those take no division. */
static int64_t modulo(int64_t i, int64_t n) {
    if (i >= -n && i < n) return i < 0 ? i + n : i;
    const int64_t r = i % n;
    return r < 0 ? r + n : r;
}

int64_t pyconvc_beyond(int32_t rule, int64_t i, int64_t n) {
    switch (rule) {
    case PYCONVC_REPLICATE:
        return i < 0 ? 0 : n - 1;
    case PYCONVC_CIRCULAR:
        return modulo(i, n);
    case PYCONVC_REFLECT: {
        if (n == 1) return 0;
        const int64_t r = modulo(i, 2 * n - 2);
        return r < n ? r : 2 * n - 2 - r;
    }
    case PYCONVC_SYMMETRIC: {
        const int64_t r = modulo(i, 2 * n);
        return r < n ? r : 2 * n - 1 - r;
    }
    default:
        return -1;
    }
}

int64_t pyconvc_sample_bytes(int32_t dtype) {
#define BYTES(name, elem, parts) (int64_t)sizeof(elem) * parts,
    static const int64_t bytes[] = {PYCONVC_FOR_DTYPES(BYTES)};
    return bytes[dtype];
}

/* *product *= factor, unless the result does not fit. */
static int multiply(int64_t *product, int64_t factor) {
    return __builtin_mul_overflow(*product, factor, product);
}

static pyconvc_status output_size(pyconvc_problem *p, int a) {
    int64_t padded, extent;
    if (__builtin_add_overflow(p->input[a], p->pad_before[a], &padded) ||
        __builtin_add_overflow(padded, p->pad_after[a], &padded))
        return PYCONVC_OVERFLOW;
    extent = p->kernel[a] - 1;
    if (multiply(&extent, p->dilation[a])) return PYCONVC_OVERFLOW;
    p->output[a] = padded > extent ? (padded - extent - 1) / p->stride[a] + 1 : 0;
    return PYCONVC_OK;
}

static int bad_axis(const pyconvc_problem *p, int a) {
    const int beyond = p->pad_before[a] > 0 || p->pad_after[a] > 0;
    return p->input[a] < 0 || p->kernel[a] < 1 || p->stride[a] < 1 || p->dilation[a] < 1 ||
           p->boundary[a] < PYCONVC_CONSTANT || p->boundary[a] > PYCONVC_CIRCULAR ||
           (beyond && p->input[a] == 0 && p->boundary[a] != PYCONVC_CONSTANT);
}

pyconvc_status pyconvc_complete(pyconvc_problem *p) {
    if (p->dtype < 0 || p->dtype >= PYCONVC_DTYPES || p->batch < 0 || p->groups < 1 ||
        p->channels_in < 1 || p->channels_out < 0)
        return PYCONVC_BAD_PROBLEM;
    int64_t x = pyconvc_sample_bytes(p->dtype), w = x, y = x;
    if (multiply(&x, max64(p->batch, 1)) || multiply(&y, max64(p->batch, 1)) ||
        multiply(&w, p->groups) || multiply(&x, p->groups) || multiply(&y, p->groups) ||
        multiply(&x, max64(p->channels_in, 1)) || multiply(&w, max64(p->channels_in, 1)) ||
        multiply(&w, max64(p->channels_out, 1)) || multiply(&y, max64(p->channels_out, 1)))
        return PYCONVC_OVERFLOW;
    for (int a = 0; a < PYCONVC_RANK; a++) {
        if (bad_axis(p, a)) return PYCONVC_BAD_PROBLEM;
        const pyconvc_status status = output_size(p, a);
        if (status) return status;
        if (multiply(&x, max64(p->input[a], 1)) || multiply(&w, p->kernel[a]) ||
            multiply(&y, max64(p->output[a], 1)))
            return PYCONVC_OVERFLOW;
    }
    return PYCONVC_OK;
}

/* Whether nothing happens along an axis. */
static int is_idle(const pyconvc_problem *p, int a) {
    return p->kernel[a] == 1 && p->stride[a] == 1 && !p->pad_before[a] && !p->pad_after[a];
}

int pyconvc_is_pointwise(const pyconvc_problem *p) {
    for (int a = 0; a < PYCONVC_RANK; a++)
        if (!is_idle(p, a)) return 0;
    return 1;
}

void pyconvc_join_lines(pyconvc_problem *p) {
    enum { D, H, W };
    if (!pyconvc_is_pointwise(p)) return;
    for (int a = H; a >= D; a--) {
        if (p->input[a] > 1 && (p->x_step[3 + a] != p->input[W] * p->x_step[5] ||
                                p->y_step[3 + a] != p->output[W] * p->y_step[5]))
            return;
        p->input[W] *= p->input[a];
        p->output[W] *= p->output[a];
        p->input[a] = p->output[a] = 1;
    }
}

void pyconvc_lower_depth(pyconvc_problem *p) {
    enum { D, H, W };
    if (p->channels_in * p->channels_out > 1 || p->kernel[D] == 1 || !is_idle(p, H) ||
        !is_idle(p, W) || p->x_step[3 + H] != p->input[W] * p->x_step[3 + W] ||
        p->y_step[3 + H] != p->output[W] * p->y_step[3 + W])
        return;
    p->input[W] *= p->input[H];
    p->output[W] *= p->output[H];
    int64_t *const sizes[] = {p->input,      p->output,     p->kernel,    p->stride,
                              p->dilation,   p->pad_before, p->pad_after, p->x_step + 3,
                              p->w_step + 3, p->y_step + 3};
    for (int i = 0; i < (int)(sizeof sizes / sizeof *sizes); i++)
        sizes[i][H] = sizes[i][D];
    p->boundary[H] = p->boundary[D];
    p->input[D] = p->output[D] = p->kernel[D] = p->stride[D] = p->dilation[D] = 1;
    p->pad_before[D] = p->pad_after[D] = 0;
}

void pyconvc_conjugate(int32_t dtype, void *sample) {
    if (dtype == PYCONVC_C64) ((float *)sample)[1] = -((float *)sample)[1];
    if (dtype == PYCONVC_C128) ((double *)sample)[1] = -((double *)sample)[1];
}

int pyconvc_all_finite(int32_t dtype, const void *from, int64_t samples) {
    const int64_t count = samples * parts_of(dtype);
    int finite = 1;
    if (dtype == PYCONVC_F32 || dtype == PYCONVC_C64)
        for (int64_t i = 0; i < count; i++)
            finite &= isfinite(((const float *)from)[i]) != 0;
    else if (dtype == PYCONVC_F64 || dtype == PYCONVC_C128)
        for (int64_t i = 0; i < count; i++)
            finite &= isfinite(((const double *)from)[i]) != 0;
    return finite;
}
