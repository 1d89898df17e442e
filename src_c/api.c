/* SPDX-License-Identifier: BSD-3-Clause
 * api.c -- the entry points: recheck, plan, run. */
#include "drivers/filter.h"
#include "pyconvc.h"

static int empty(const pyconvc_problem *p) {
    return !p->batch || !p->channels_out || !p->output[0] || !p->output[1] || !p->output[2];
}

pyconvc_status pyconvc_correlate(const pyconvc_problem *p, const void *x, const void *w,
                                 const void *bias, void *y, const pyconvc_run *run) {
    pyconvc_problem checked = *p;
    pyconvc_status status = pyconvc_complete(&checked);
    if (status || empty(&checked)) return status;
    if (checked.y_step[4] != 1 || run->workers < 1) return PYCONVC_BAD_PROBLEM;
    filter_plan plan;
    status = filter_plan_make(&plan, &checked, w, y, run);
    if (!status) status = filter_run(&plan, x, bias, y, run);
    filter_plan_free(&plan);
    return status;
}
