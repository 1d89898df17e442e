/* SPDX-License-Identifier: BSD-3-Clause
 * tiers.c -- every tier that runs here against the scalar one, through pyconvc.h alone: for
 * processors that Python is not at hand for (make neon), and for sanitizers (make sanitize).
 *
 * Random problems of all passes, pools, chains, dtypes and boundary rules, some without samples that
 * are missing. Integers and maxima must have the same bits; sums of floats of at most 1 may differ
 * by 2 units of rounding a term. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pyconvc.h"

#define PROBLEMS 200 /* of each dtype */
#define AXES     (3 + PYCONVC_RANK)

static const pyconvc_run serial = {.workers = 1}, shared = {.workers = 3};
static int failures, compared;

static uint64_t random_bits(void) {
    static uint64_t state = 88172645463325252u; /* xorshift, Marsaglia (2003) */
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static int64_t up_to(int64_t least, int64_t most) {
    return least + (int64_t)(random_bits() % (uint64_t)(most - least + 1));
}

/* ---- arrays */

static const size_t bytes_of[] = {4, 8, 8, 16, 1, 2, 4, 8, 1};

static int is_single(int dtype) {
    return dtype == PYCONVC_F32 || dtype == PYCONVC_C64;
}

static int is_floating(int dtype) {
    return dtype <= PYCONVC_C128;
}

/* Samples that are not zeroed are noticed where nothing is written. */
static void *new_array(int dtype, int64_t samples) {
    const size_t bytes = bytes_of[dtype] * (size_t)samples;
    unsigned char *a = malloc(bytes + 1);
    if (!a) exit(2);
    for (size_t i = 0; i < bytes; i++)
        a[i] = (unsigned char)(random_bits() >> 24) & (dtype == PYCONVC_BOOL ? 1 : 255);
    if (is_single(dtype))
        for (size_t i = 0; i < bytes / 4; i++)
            ((float *)a)[i] = (float)up_to(-1000, 1000) / 1000;
    else if (is_floating(dtype))
        for (size_t i = 0; i < bytes / 8; i++)
            ((double *)a)[i] = (double)up_to(-1000, 1000) / 1000;
    return a;
}

static double part_at(int dtype, const void *a, size_t i) {
    return is_single(dtype) ? ((const float *)a)[i] : ((const double *)a)[i];
}

/* The larger of two errors, of which NaN is the largest. */
static double worse(double a, double b) {
    return a > b || isnan(a) ? a : b;
}

static double error_of(double got, double want) {
    return isnan(got) && isnan(want) ? 0 : fabs(got - want);
}

static void compare(const char *tier, const char *pass, int dtype, const void *got,
                    const void *want, int64_t samples, int64_t terms) {
    const size_t bytes = bytes_of[dtype] * (size_t)samples;
    const double unit = is_single(dtype) ? FLT_EPSILON : DBL_EPSILON;
    double error = 0;
    int same = memcmp(got, want, bytes) == 0;
    if (!same && is_floating(dtype) && terms) {
        for (size_t i = 0; i < bytes / (is_single(dtype) ? 4 : 8); i++)
            error = worse(error, error_of(part_at(dtype, got, i), part_at(dtype, want, i)));
        same = error <= 2 * unit * (double)terms;
    }
    compared++;
    if (same) return;
    failures++;
    printf("%s: %s of dtype %d differs from scalar's by up to %g\n", tier, pass, dtype, error);
}

static void check(pyconvc_status status, const char *call) {
    if (status == PYCONVC_OK) return;
    printf("%s: status %d\n", call, status);
    exit(2);
}

/* ---- problems */

static void contiguous(int64_t *step, int axes, const int64_t *size) {
    for (int64_t a = axes - 1, n = 1; a >= 0; n *= size[a--])
        step[a] = n;
}

/* One channel in each group, and the groups beside each other. */
static void channels_last(int64_t *step, const int64_t *size) {
    step[1] = step[2] = 1;
    step[5] = size[1];
    step[4] = size[5] * step[5];
    step[3] = size[4] * step[4];
    step[0] = size[3] * step[3];
}

static int64_t product(const int64_t *n, int count) {
    return count ? *n * product(n + 1, count - 1) : 1;
}

static pyconvc_problem random_problem(int dtype, int64_t *samples) {
    pyconvc_problem p = {.dtype = dtype, .flip = (int32_t)up_to(0, 1), .batch = up_to(1, 2)};
    const int rank = (int)up_to(1, PYCONVC_RANK), rule = (int)up_to(-4, PYCONVC_CIRCULAR);
    const int depthwise = up_to(0, 3) == 0, dense = !depthwise && up_to(0, 3) == 0;
    const int64_t most = (rank == 1 ? 200 : 30) / (depthwise || dense ? 3 : 1);
    p.groups = depthwise ? up_to(2, 40) : dense ? 1 : up_to(1, 3);
    p.channels_in = depthwise ? 1 : up_to(1, dense ? 40 : 5);
    p.channels_out = depthwise ? 1 : up_to(1, dense ? 40 : 10);
    for (int a = 0; a < PYCONVC_RANK; a++) {
        const int used = a >= PYCONVC_RANK - rank;
        p.boundary[a] = rule < 0 ? PYCONVC_CONSTANT : rule;
        p.kernel[a] = used ? up_to(1, rank == 1 ? 12 : 5) : 1;
        p.stride[a] = used ? up_to(1, 3) : 1;
        p.dilation[a] = used ? up_to(1, 3) : 1;
        p.input[a] = used ? up_to(1, most) : 1;
        p.pad_before[a] = used ? up_to(0, 3) : 0;
        p.pad_after[a] = p.dilation[a] * (p.kernel[a] - 1) + (used ? up_to(0, 3) : 0);
    }
    check(pyconvc_complete(&p), "complete");
    const int64_t x[] = {p.batch, p.groups, p.channels_in, p.input[0], p.input[1], p.input[2]};
    const int64_t w[] = {p.groups,    p.channels_out, p.channels_in,
                         p.kernel[0], p.kernel[1],    p.kernel[2]};
    const int64_t y[] = {p.batch, p.groups, p.channels_out, p.output[0], p.output[1], p.output[2]};
    contiguous(p.x_step, AXES, x), contiguous(p.w_step, AXES, w), contiguous(p.y_step, AXES, y);
    if (depthwise && up_to(0, 1)) channels_last(p.x_step, x), channels_last(p.y_step, y);
    samples[0] = product(x, AXES), samples[1] = product(w, AXES), samples[2] = product(y, AXES);
    return p;
}

static const char *passes[] = {"correlate", "input_grad", "weight_grad"};

static void run_pass(int pass, const pyconvc_problem *p, void *const *arrays, const void *bias,
                     void *result, const pyconvc_run *run) {
    void *const x = arrays[0], *const w = arrays[1], *const y = arrays[2];
    if (pass == 0)
        check(pyconvc_correlate(p, x, w, bias, result, run), passes[pass]);
    else if (pass == 1)
        check(pyconvc_input_grad(p, y, w, bias, result, run), passes[pass]);
    else
        check(pyconvc_weight_grad(p, x, y, result, run), passes[pass]);
}

static void compare_passes(int dtype) {
    static const int result_of[] = {2, 0, 1};
    int64_t samples[3];
    pyconvc_problem p = random_problem(dtype, samples);
    void *arrays[3], *bias = new_array(dtype, p.groups * (p.channels_in + p.channels_out));
    for (int i = 0; i < 3; i++)
        arrays[i] = new_array(dtype, samples[i]);
    for (int pass = 0; pass < 3; pass++) {
        if (pass == 1 && p.boundary[0] != PYCONVC_CONSTANT) continue;
        const int64_t n = samples[result_of[pass]], taps = product(p.kernel, PYCONVC_RANK);
        const int64_t terms = pass == 0   ? p.channels_in * taps
                              : pass == 1 ? p.channels_out * taps
                                          : p.batch * product(p.output, PYCONVC_RANK);
        void *want = new_array(dtype, n), *got = new_array(dtype, n);
        check(pyconvc_isa_select("scalar"), "scalar");
        run_pass(pass, &p, arrays, bias, want, &serial);
        for (int i = 1; pyconvc_isa_available(i); i++) {
            check(pyconvc_isa_select(pyconvc_isa_available(i)), "select");
            run_pass(pass, &p, arrays, bias, got, &shared);
            compare(pyconvc_isa_name(), passes[pass], dtype, got, want, n, 2 * terms + 2);
        }
        free(want), free(got);
    }
    for (int i = 0; i < 3; i++)
        free(arrays[i]);
    free(bias);
}

/* ---- without missing samples */

static void compare_missing(int dtype) {
    int64_t samples[3];
    pyconvc_problem p;
    do
        p = random_problem(dtype, samples);
    while (p.groups > 1 || p.channels_in > 1 || p.channels_out > 1);
    const int64_t taps = product(p.kernel, PYCONVC_RANK);
    const int normalize = (int)up_to(0, 1);
    void *x = new_array(dtype, samples[0]), *w = new_array(dtype, taps);
    void *want = new_array(dtype, samples[2]), *got = new_array(dtype, samples[2]);
    uint8_t *mask = new_array(PYCONVC_BOOL, samples[0]);
    p.batch = 1;
    for (int64_t i = 0, lost = up_to(1, 10); i < samples[0]; i++) {
        mask[i] = up_to(0, 99) < lost;
        if (up_to(0, 99) >= lost) continue;
        if (is_single(dtype))
            ((float *)x)[i] = NAN;
        else
            ((double *)x)[i] = NAN;
    }
    for (int64_t t = 0; t < taps && normalize; t++) /* of one sign */
        if (is_single(dtype))
            ((float *)w)[t] = fabsf(((float *)w)[t]);
        else
            ((double *)w)[t] = fabs(((double *)w)[t]);
    /* Scaling by at most 5. */
    const double least = normalize ? 0.2 : 0;
    const int64_t outputs = product(p.output, PYCONVC_RANK);
    check(pyconvc_isa_select("scalar"), "scalar");
    check(pyconvc_correlate_present(&p, x, mask, w, least, normalize, want, &serial), "present");
    for (int i = 1; pyconvc_isa_available(i); i++) {
        check(pyconvc_isa_select(pyconvc_isa_available(i)), "select");
        check(pyconvc_correlate_present(&p, x, mask, w, least, normalize, got, &shared), "present");
        compare(pyconvc_isa_name(), "present", dtype, got, want, outputs, 10 * taps + 10);
    }
    free(x), free(w), free(want), free(got), free(mask);
}

/* ---- chains */

#define TERMS 6

/* Passes along an axis each, or the only one along all; the number of rounded terms in *terms. */
static pyconvc_chain random_chain(int dtype, int64_t at[][3 * (2 * TERMS - 1)], void *const *w,
                                  int64_t *terms) {
    pyconvc_chain c = {.dtype = dtype, .x_sample = -1, .y_sample = -1, .batch = up_to(1, 2)};
    const int first = (int)up_to(0, PYCONVC_RANK - 1), complex = dtype >= PYCONVC_C64;
    int64_t product = 1, sum = 0;
    c.passes = (int32_t)up_to(1, PYCONVC_RANK);
    for (int a = 0; a < PYCONVC_RANK; a++)
        c.input[a] = c.output[a] = up_to(1, a == PYCONVC_RANK - 1 ? 150 : 20);
    for (int i = 0; i < c.passes; i++) {
        static const int kinds[] = {PYCONVC_SUM, PYCONVC_MEAN, PYCONVC_TERMS, PYCONVC_PAIRS};
        pyconvc_pass *pass = &c.pass[i];
        pass->kind = kinds[up_to(0, complex ? 1 : 3)];
        pass->at = at[i], pass->w = w[i];
        const int listed = pass->kind == PYCONVC_TERMS || pass->kind == PYCONVC_PAIRS;
        for (int a = 0; a < PYCONVC_RANK; a++) {
            const int along = a == (first + i) % PYCONVC_RANK || (listed && c.passes == 1);
            pass->boundary[a] = (int32_t)up_to(PYCONVC_CONSTANT, PYCONVC_CIRCULAR);
            pass->kernel[a] = along ? up_to(1, 20) : 1;
            pass->pad[a] = up_to(0, pass->kernel[a] - 1);
        }
        pass->terms = listed ? up_to(1, TERMS) : 0;
        for (int64_t t = 0; t < 2 * pass->terms - 1; t++)
            for (int a = 0; a < PYCONVC_RANK; a++)
                at[i][PYCONVC_RANK * t + a] = up_to(0, pass->kernel[a] - 1);
        const int64_t n = pass->kernel[0] * pass->kernel[1] * pass->kernel[2];
        product *= listed ? 2 * pass->terms : n;
        sum += listed ? 2 * pass->terms : n;
    }
    *terms = product * sum;
    contiguous(c.x_step + 1, PYCONVC_RANK, c.input);
    c.x_step[0] = c.input[0] * c.x_step[1];
    memcpy(c.y_step, c.x_step, sizeof c.y_step);
    return c;
}

static void compare_chains(int dtype) {
    int64_t at[PYCONVC_RANK][3 * (2 * TERMS - 1)], terms;
    void *w[PYCONVC_RANK];
    for (int i = 0; i < PYCONVC_RANK; i++)
        w[i] = new_array(dtype, 20);
    const pyconvc_chain c = random_chain(dtype, at, w, &terms);
    const int64_t samples = c.batch * product(c.input, PYCONVC_RANK);
    void *x = new_array(dtype, samples), *want = new_array(dtype, samples);
    void *got = new_array(dtype, samples);
    check(pyconvc_isa_select("scalar"), "scalar");
    check(pyconvc_chain_run(&c, x, want, &serial), "chain");
    for (int i = 1; pyconvc_isa_available(i); i++) {
        check(pyconvc_isa_select(pyconvc_isa_available(i)), "select");
        check(pyconvc_chain_run(&c, x, got, &shared), "chain");
        compare(pyconvc_isa_name(), "chain", dtype, got, want, samples, 2 * terms + 2);
    }
    for (int i = 0; i < PYCONVC_RANK; i++)
        free(w[i]);
    free(x), free(want), free(got);
}

/* ---- pools */

/* Averages without dilation: every window has a sample. */
static pyconvc_pool random_pool(int dtype, int op, int64_t *samples) {
    pyconvc_pool p = {.op = op, .dtype = dtype, .count_pad = (int32_t)up_to(0, 1)};
    int64_t x[2 + PYCONVC_RANK], y[2 + PYCONVC_RANK];
    x[0] = y[0] = p.batch = up_to(1, 2);
    x[1] = y[1] = p.channels = up_to(1, 4);
    p.is_signed = (int32_t)up_to(0, 1);
    for (int a = 0; a < PYCONVC_RANK; a++) {
        pyconvc_pool_axis *axis = &p.axis[a];
        *axis = (pyconvc_pool_axis){up_to(1, a ? 50 : 4),
                                    0,
                                    up_to(1, 6),
                                    up_to(1, 4),
                                    op == PYCONVC_AVERAGE ? 1 : up_to(1, 2),
                                    0};
        axis->pad = up_to(0, axis->kernel / 2);
        const int64_t room = axis->input + 2 * axis->pad - axis->dilation * (axis->kernel - 1) - 1;
        if (room < 0) *axis = (pyconvc_pool_axis){axis->input, 0, 1, 1, 1, 0};
        axis->output = (room < 0 ? axis->input - 1 : room / axis->stride) + 1;
        x[2 + a] = axis->input, y[2 + a] = axis->output;
    }
    contiguous(p.x_step, 2 + PYCONVC_RANK, x), contiguous(p.y_step, 2 + PYCONVC_RANK, y);
    samples[0] = product(x, 2 + PYCONVC_RANK), samples[1] = product(y, 2 + PYCONVC_RANK);
    return p;
}

static void compare_pools(int dtype, int op, int with_index) {
    int64_t samples[2];
    const pyconvc_pool p = random_pool(dtype, op, samples);
    void *x = new_array(dtype, samples[0]), *want = new_array(dtype, samples[1]);
    void *got = new_array(dtype, samples[1]);
    int64_t *at = new_array(PYCONVC_U64, samples[1]), *got_at = new_array(PYCONVC_U64, samples[1]);
    const int64_t terms = p.axis[0].kernel * p.axis[1].kernel * p.axis[2].kernel;
    check(pyconvc_isa_select("scalar"), "scalar");
    check(pyconvc_pool_forward(&p, x, want, with_index ? at : NULL, &serial), "pool");
    for (int i = 1; pyconvc_isa_available(i); i++) {
        check(pyconvc_isa_select(pyconvc_isa_available(i)), "select");
        check(pyconvc_pool_forward(&p, x, got, with_index ? got_at : NULL, &shared), "pool");
        const char *name = op == PYCONVC_AVERAGE ? "average" : "maximum";
        compare(pyconvc_isa_name(), name, dtype, got, want, samples[1],
                op == PYCONVC_AVERAGE ? terms : 0);
        if (with_index)
            compare(pyconvc_isa_name(), "index", PYCONVC_U64, got_at, at, samples[1], 0);
    }
    free(x), free(want), free(got), free(at), free(got_at);
}

static int has_average(int dtype) {
    return is_floating(dtype) || dtype == PYCONVC_U64;
}

static int has_maximum(int dtype) {
    return dtype != PYCONVC_C64 && dtype != PYCONVC_C128;
}

static int has_index(int dtype) {
    return dtype == PYCONVC_F32 || dtype == PYCONVC_F64 || dtype == PYCONVC_U64;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; pyconvc_isa_available(i); i++)
        printf("%s%s", i ? ", " : "tiers: ", pyconvc_isa_available(i));
    printf("\n");
    for (int dtype = 0; dtype < PYCONVC_DTYPES; dtype++)
        for (int i = 0; i < PROBLEMS; i++) {
            compare_passes(dtype);
            if (is_floating(dtype)) compare_chains(dtype);
            if (dtype <= PYCONVC_F64) compare_missing(dtype);
            if (has_average(dtype)) compare_pools(dtype, PYCONVC_AVERAGE, 0);
            if (has_maximum(dtype)) compare_pools(dtype, PYCONVC_MAXIMUM, 0);
            if (has_index(dtype)) compare_pools(dtype, PYCONVC_MAXIMUM, 1);
        }
    printf("%d comparisons with the scalar tier, %d failed\n", compared, failures);
    return failures || !compared;
}
