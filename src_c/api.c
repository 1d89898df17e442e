/* SPDX-License-Identifier: BSD-3-Clause
 * api.c -- the entry points: recheck, state as correlate problems, plan, run. */
#include <stdlib.h>

#include "drivers/adjoint.h"
#include "drivers/chain.h"
#include "drivers/channels_last.h"
#include "drivers/columns.h"
#include "drivers/dot.h"
#include "drivers/filter.h"
#include "drivers/gather.h"
#include "drivers/group.h"
#include "drivers/missing.h"
#include "drivers/mix.h"
#include "drivers/twin.h"
#include "drivers/winograd.h"
#include "pyconvc.h"

static int no_outputs(const pyconvc_problem *p) {
    return !p->batch || !p->channels_out || !p->output[0] || !p->output[1] || !p->output[2];
}

static int no_inputs(const pyconvc_problem *p) {
    return !p->input[0] || !p->input[1] || !p->input[2];
}

static char *moved(const void *base, int64_t samples, const pyconvc_problem *p) {
    return (char *)base + samples * pyconvc_sample_bytes(p->dtype);
}

/* y = bias, where there is nothing to sum. */
static void put_bias(const pyconvc_problem *p, const void *bias, char *y) {
    static const char zero[16] = {0};
    for (int64_t n = 0; n < p->batch; n++)
        for (int64_t c = 0; c < p->groups * p->channels_out; c++) {
            const void *value = bias ? moved(bias, c, p) : zero;
            const int64_t channel =
                c / p->channels_out * p->y_step[1] + c % p->channels_out * p->y_step[2];
            for (int64_t d = 0; d < p->output[0]; d++)
                for (int64_t h = 0; h < p->output[1]; h++)
                    for (int64_t w = 0; w < p->output[2]; w++)
                        gather_fill(pyconvc_sample_bytes(p->dtype), value, 1,
                                    moved(y,
                                          n * p->y_step[0] + channel + d * p->y_step[3] +
                                              h * p->y_step[4] + w * p->y_step[5],
                                          p));
        }
}

/* w = 0, where there is nothing to sum. */
static void put_zeros(const pyconvc_problem *p, void *w) {
    pyconvc_problem as_output = *p;
    as_output.batch = p->channels_in;
    for (int a = 0; a < PYCONVC_RANK; a++)
        as_output.output[a] = p->kernel[a];
    for (int i = 0; i < 6; i++)
        as_output.y_step[i] = p->w_step[i < 3 ? (i + 2) % 3 : i];
    put_bias(&as_output, NULL, w);
}

static pyconvc_status by_filter(const pyconvc_problem *p, const void *x, const void *w,
                                const void *bias, void *y, const pyconvc_run *run) {
    filter_plan plan;
    pyconvc_status status = filter_plan_make(&plan, p, w, y, run);
    if (!status) status = filter_run(&plan, x, bias, y, run);
    filter_plan_free(&plan);
    return status;
}

static pyconvc_status by_mix(const pyconvc_problem *p, const void *x, const void *w,
                             const void *bias, void *y, const pyconvc_run *run) {
    mix_plan plan;
    pyconvc_status status = mix_plan_make(&plan, p, w, 0, run);
    if (!status) status = mix_run(&plan, x, bias, y, run);
    mix_plan_free(&plan);
    return status;
}

int32_t pyconvc_winograd_axis(int64_t taps, int64_t stride, int32_t outputs, int alone,
                              int64_t *parts) {
    winograd_axis axis;
    if (!winograd_find_axis(taps, stride, outputs, alone, &axis)) return 0;
    *parts = axis.parts;
    return axis.elements;
}

/* Winograd's method; the direct one for tiles that it would spoil. */
static pyconvc_status run_winograd(const winograd_plan *plan, const void *x, const void *w,
                                   const void *bias, void *y, const pyconvc_run *run) {
    const pyconvc_problem *p = &plan->p;
    unsigned char *marks = calloc((size_t)winograd_marks(plan), 1);
    winograd_rest rest;
    winograd_cursor at = {0};
    if (!marks) return PYCONVC_NO_MEMORY;
    pyconvc_status status = winograd_run(plan, x, w, bias, y, marks, run);
    while (!status && winograd_next_rest(plan, marks, &at, &rest))
        status = pyconvc_correlate(&rest.problem, moved(x, rest.x_at, p), moved(w, rest.w_at, p),
                                   bias ? moved(bias, rest.bias_at, p) : NULL,
                                   moved(y, rest.y_at, p), run);
    free(marks);
    return status;
}

static pyconvc_status by_winograd(const pyconvc_problem *p, const void *x, const void *w,
                                  const void *bias, void *y, const pyconvc_run *run) {
    winograd_plan plan;
    pyconvc_status status = winograd_plan_make(&plan, p, NULL, w, 0, run);
    if (!status) status = run_winograd(&plan, x, w, bias, y, run);
    winograd_plan_free(&plan);
    return status;
}

pyconvc_status pyconvc_correlate(const pyconvc_problem *p, const void *x, const void *w,
                                 const void *bias, void *y, const pyconvc_run *run) {
    pyconvc_problem checked = *p;
    pyconvc_status status = pyconvc_complete(&checked);
    if (status || no_outputs(&checked)) return status;
    if (run->workers < 1) return PYCONVC_BAD_PROBLEM;
    if (checked.winograd) return by_winograd(&checked, x, w, bias, y, run);
    pyconvc_lower_depth(&checked);
    if (channels_last_suits(&checked)) return channels_last_correlate(&checked, x, w, bias, y, run);
    if (group_suits(&checked)) return group_correlate(&checked, x, w, bias, y, run);
    return mix_suits(&checked) ? by_mix(&checked, x, w, bias, y, run)
                               : by_filter(&checked, x, w, bias, y, run);
}

pyconvc_status pyconvc_correlate_present(const pyconvc_problem *p, const void *x,
                                         const uint8_t *mask, const void *w, double least,
                                         int normalize, void *y, const pyconvc_run *run) {
    pyconvc_problem checked = *p;
    const pyconvc_status status = pyconvc_complete(&checked);
    if (status || no_outputs(&checked)) return status;
    if (p->dtype > PYCONVC_F64 || p->batch * p->groups * p->channels_in * p->channels_out != 1 ||
        run->workers < 1)
        return PYCONVC_BAD_PROBLEM;
    return missing_correlate(&checked, x, mask, w, least, normalize, y, run);
}

/* One phase of the input gradient. */
static pyconvc_status by_phase(const pyconvc_problem *p, const int64_t phase[PYCONVC_RANK],
                               const void *y, const void *w, const void *bias, void *x,
                               const pyconvc_run *run) {
    const adjoint q = adjoint_input(p, phase);
    char *to = moved(x, q.y_at, p);
    if (no_outputs(&q.problem)) return PYCONVC_OK;
    if (!q.empty && p->channels_out && p->output[0] && p->output[1] && p->output[2])
        return pyconvc_correlate(&q.problem, y, moved(w, q.w_at, p), bias, to, run);
    put_bias(&q.problem, bias, to);
    return PYCONVC_OK;
}

/* All phases along the last two axes by Winograd's method. */
static pyconvc_status by_set(const pyconvc_problem *p, const void *y, const void *w,
                             const void *bias, void *x, const pyconvc_run *run) {
    pyconvc_status status = PYCONVC_OK;
    for (int64_t depth = 0; depth < adjoint_phases(p, 0) && !status; depth++) {
        adjoint_set set;
        winograd_plan plan;
        adjoint_share(p, depth, &set);
        const adjoint *q = &set.common;
        const char *first = moved(w, q->w_at, p);
        if (q->empty) return PYCONVC_BAD_PROBLEM;
        if (no_outputs(&q->problem)) continue;
        status = winograd_plan_make(&plan, &q->problem, &set.shares, first, 0, run);
        if (!status) status = run_winograd(&plan, y, first, bias, x, run);
        winograd_plan_free(&plan);
    }
    return status;
}

pyconvc_status pyconvc_input_grad(const pyconvc_problem *p, const void *y, const void *w,
                                  const void *bias, void *x, const pyconvc_run *run) {
    pyconvc_problem checked = *p;
    pyconvc_status status = pyconvc_complete(&checked);
    if (!status && run->workers >= 1 && !no_outputs(&checked) && !no_inputs(&checked) &&
        !checked.winograd) {
        if (twin_suits(&checked)) {
            status = twin_input_grad(&checked, y, w, bias, x, run);
            if (status != PYCONVC_UNSUITED) return status;
            status = PYCONVC_OK;
        }
        if (columns_suits(&checked)) return columns_input_grad(&checked, y, w, bias, x, run);
    }
    if (!status && run->workers >= 1 && checked.winograd && !no_outputs(&checked) &&
        !no_inputs(&checked) && adjoint_has_set(&checked))
        return by_set(&checked, y, w, bias, x, run);
    int64_t phase[PYCONVC_RANK];
    const int64_t phases[] = {adjoint_phases(p, 0), adjoint_phases(p, 1), adjoint_phases(p, 2)};
    for (phase[0] = 0; phase[0] < phases[0] && !status; phase[0]++)
        for (phase[1] = 0; phase[1] < phases[1] && !status; phase[1]++)
            for (phase[2] = 0; phase[2] < phases[2] && !status; phase[2]++)
                status = by_phase(&checked, phase, y, w, bias, x, run);
    return status;
}

pyconvc_status pyconvc_weight_grad(const pyconvc_problem *p, const void *x, const void *y, void *w,
                                   const pyconvc_run *run) {
    pyconvc_problem checked = *p;
    const pyconvc_status status = pyconvc_complete(&checked);
    if (status) return status;
    if (run->workers < 1) return PYCONVC_BAD_PROBLEM;
    if (no_outputs(&checked)) {
        put_zeros(&checked, w);
        return PYCONVC_OK;
    }
    return dot_planes_suits(&checked) ? dot_planes_weight_grad(&checked, x, y, w, run)
                                      : dot_weight_grad(&checked, x, y, w, run);
}

struct pyconvc_plan {
    pyconvc_problem problem;
    const void *w;
    /* The filter method packs few taps at each call, and where there are no outputs nothing is
     * prepared. */
    enum { BY_CALL, BY_MIX, BY_WINOGRAD } method;
    union {
        mix_plan mix;
        winograd_plan winograd;
    } by;
};

pyconvc_status pyconvc_plan_make(const pyconvc_problem *p, const void *w, const pyconvc_run *run,
                                 pyconvc_plan **plan) {
    pyconvc_plan *made = calloc(1, sizeof *made);
    *plan = NULL;
    if (!made) return PYCONVC_NO_MEMORY;
    made->problem = *p;
    made->w = w;
    const pyconvc_problem *q = &made->problem;
    pyconvc_status status = pyconvc_complete(&made->problem);
    if (!status && !q->winograd) pyconvc_lower_depth(&made->problem);
    if (!status && !no_outputs(q))
        made->method = q->winograd                       ? BY_WINOGRAD
                       : mix_suits(q) && !group_suits(q) ? BY_MIX
                                                         : BY_CALL;
    if (made->method == BY_MIX) status = mix_plan_make(&made->by.mix, q, w, 1, run);
    if (made->method == BY_WINOGRAD)
        status = winograd_plan_make(&made->by.winograd, q, NULL, w, 1, run);
    if (status)
        pyconvc_plan_free(made);
    else
        *plan = made;
    return status;
}

pyconvc_status pyconvc_plan_run(const pyconvc_plan *plan, const void *x, const void *bias, void *y,
                                const pyconvc_run *run) {
    switch (plan->method) {
    case BY_MIX:
        return mix_run(&plan->by.mix, x, bias, y, run);
    case BY_WINOGRAD:
        return run_winograd(&plan->by.winograd, x, plan->w, bias, y, run);
    default:
        return pyconvc_correlate(&plan->problem, x, plan->w, bias, y, run);
    }
}

int64_t pyconvc_plan_bytes(const pyconvc_plan *plan) {
    if (plan->method == BY_WINOGRAD) return winograd_weight_bytes(&plan->by.winograd);
    return plan->method == BY_MIX ? mix_weight_bytes(&plan->by.mix) : 0;
}

int64_t pyconvc_plan_workspace(const pyconvc_plan *plan) {
    filter_plan filter;
    const pyconvc_run run = {.workers = 1};
    if (plan->method == BY_MIX) return (int64_t)mix_scratch(&plan->by.mix);
    if (plan->method == BY_WINOGRAD) return (int64_t)winograd_scratch(&plan->by.winograd);
    if (no_outputs(&plan->problem)) return 0;
    if (group_suits(&plan->problem)) return 0;
    if (channels_last_suits(&plan->problem)) return (int64_t)channels_last_scratch(&plan->problem);
    const pyconvc_status status = filter_plan_make(&filter, &plan->problem, plan->w, NULL, &run);
    const int64_t bytes = status ? 0 : (int64_t)filter_scratch(&filter);
    filter_plan_free(&filter);
    return bytes;
}

void pyconvc_plan_free(pyconvc_plan *plan) {
    if (plan && plan->method == BY_MIX) mix_plan_free(&plan->by.mix);
    if (plan && plan->method == BY_WINOGRAD) winograd_plan_free(&plan->by.winograd);
    free(plan);
}

pyconvc_status pyconvc_chain_run(const pyconvc_chain *c, const void *x, void *y,
                                 const pyconvc_run *run) {
    if (run->workers < 1) return PYCONVC_BAD_PROBLEM;
    return chain_filter(c, x, y, run);
}

/* Whether two chains differ in nothing but weights and constants. */
static int are_alike(const pyconvc_chain *a, const pyconvc_chain *b) {
    int alike = a->dtype == b->dtype && a->passes == b->passes && a->batch == b->batch;
    for (int i = 0; i < PYCONVC_RANK; i++) {
        alike &= a->input[i] == b->input[i] && a->output[i] == b->output[i];
        for (int k = 0; k < a->passes && k < PYCONVC_RANK; k++)
            alike &= a->pass[k].kernel[i] == b->pass[k].kernel[i] &&
                     a->pass[k].pad[i] == b->pass[k].pad[i] &&
                     a->pass[k].boundary[i] == b->pass[k].boundary[i];
    }
    return alike;
}

pyconvc_status pyconvc_chain_present(const pyconvc_chain *c, const pyconvc_chain *sizes,
                                     const void *x, const uint8_t *mask, const int64_t *mask_step,
                                     double least, int normalize, void *y, const pyconvc_run *run) {
    if (run->workers < 1 || c->passes < 1 || c->passes > PYCONVC_RANK || !are_alike(c, sizes) ||
        (c->dtype != PYCONVC_F32 && c->dtype != PYCONVC_F64))
        return PYCONVC_BAD_PROBLEM;
    const pyconvc_status status = chain_check(c);
    if (status || !c->batch || !c->output[0] || !c->output[1] || !c->output[2]) return status;
    return missing_chain(c, sizes, x, mask, mask_step, least, normalize, y, run);
}
