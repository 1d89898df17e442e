/* SPDX-License-Identifier: BSD-3-Clause
 * api.c -- the entry points: recheck, state as correlate problems, plan, run. */
#include <stdlib.h>

#include "drivers/adjoint.h"
#include "drivers/columns.h"
#include "drivers/dot.h"
#include "drivers/filter.h"
#include "drivers/gather.h"
#include "drivers/missing.h"
#include "drivers/mix.h"
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

pyconvc_status pyconvc_correlate(const pyconvc_problem *p, const void *x, const void *w,
                                 const void *bias, void *y, const pyconvc_run *run) {
    pyconvc_problem checked = *p;
    pyconvc_status status = pyconvc_complete(&checked);
    if (status || no_outputs(&checked)) return status;
    if (run->workers < 1) return PYCONVC_BAD_PROBLEM;
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
    return missing_correlate(&checked, x, mask, w, least, normalize, y, run, pyconvc_correlate);
}

pyconvc_status pyconvc_input_grad(const pyconvc_problem *p, const void *y, const void *w,
                                  const void *bias, void *x, const pyconvc_run *run) {
    pyconvc_problem checked = *p;
    pyconvc_status status = pyconvc_complete(&checked);
    if (!status && run->workers >= 1 && !no_outputs(&checked) && !no_inputs(&checked) &&
        columns_suits(&checked))
        return columns_input_grad(&checked, y, w, bias, x, run);
    int64_t phase[PYCONVC_RANK];
    const int64_t phases[] = {adjoint_phases(p, 0), adjoint_phases(p, 1), adjoint_phases(p, 2)};
    for (phase[0] = 0; phase[0] < phases[0] && !status; phase[0]++)
        for (phase[1] = 0; phase[1] < phases[1] && !status; phase[1]++)
            for (phase[2] = 0; phase[2] < phases[2] && !status; phase[2]++) {
                const adjoint q = adjoint_input(&checked, phase);
                char *to = moved(x, q.y_at, p);
                if (no_outputs(&q.problem)) continue;
                if (q.empty || !checked.channels_out || !checked.output[0] || !checked.output[1] ||
                    !checked.output[2])
                    put_bias(&q.problem, bias, to);
                else
                    status = pyconvc_correlate(&q.problem, y, moved(w, q.w_at, p), bias, to, run);
            }
    return status;
}

pyconvc_status pyconvc_weight_grad(const pyconvc_problem *p, const void *x, const void *y, void *w,
                                   const pyconvc_run *run) {
    pyconvc_problem checked = *p;
    const pyconvc_status status = pyconvc_complete(&checked);
    if (status) return status;
    if (run->workers < 1) return PYCONVC_BAD_PROBLEM;
    if (!no_outputs(&checked)) return dot_weight_grad(&checked, x, y, w, run);
    put_zeros(&checked, w);
    return PYCONVC_OK;
}

struct pyconvc_plan {
    pyconvc_problem problem;
    const void *w;
    int by_mix; /* else the filter method, which packs few taps at each call */
    mix_plan mix;
};

pyconvc_status pyconvc_plan_make(const pyconvc_problem *p, const void *w, const pyconvc_run *run,
                                 pyconvc_plan **plan) {
    pyconvc_plan *made = calloc(1, sizeof *made);
    *plan = NULL;
    if (!made) return PYCONVC_NO_MEMORY;
    made->problem = *p;
    made->w = w;
    pyconvc_status status = pyconvc_complete(&made->problem);
    made->by_mix = !status && !no_outputs(&made->problem) && mix_suits(&made->problem);
    if (made->by_mix) status = mix_plan_make(&made->mix, &made->problem, w, 1, run);
    if (status)
        pyconvc_plan_free(made);
    else
        *plan = made;
    return status;
}

pyconvc_status pyconvc_plan_run(const pyconvc_plan *plan, const void *x, const void *bias, void *y,
                                const pyconvc_run *run) {
    if (plan->by_mix) return mix_run(&plan->mix, x, bias, y, run);
    return pyconvc_correlate(&plan->problem, x, plan->w, bias, y, run);
}

int64_t pyconvc_plan_bytes(const pyconvc_plan *plan) {
    return plan->by_mix ? mix_weight_bytes(&plan->mix) : 0;
}

int64_t pyconvc_plan_workspace(const pyconvc_plan *plan) {
    filter_plan filter;
    const pyconvc_run run = {.workers = 1};
    if (plan->by_mix) return (int64_t)mix_scratch(&plan->mix);
    if (no_outputs(&plan->problem)) return 0;
    const pyconvc_status status = filter_plan_make(&filter, &plan->problem, plan->w, NULL, &run);
    const int64_t bytes = status ? 0 : (int64_t)filter_scratch(&filter);
    filter_plan_free(&filter);
    return bytes;
}

void pyconvc_plan_free(pyconvc_plan *plan) {
    if (plan && plan->by_mix) mix_plan_free(&plan->mix);
    free(plan);
}
