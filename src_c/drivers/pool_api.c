/* SPDX-License-Identifier: BSD-3-Clause
 * pool_api.c -- the entry points of pools: recheck, plan, run. */
#include "pool.h"

/* The dtype that is computed with what is stored. */
static int32_t dtype_of(const pyconvc_pool *p) {
    if (p->stored == PYCONVC_AS_COMPUTED) return p->dtype;
    if (p->stored == PYCONVC_HALF || p->stored == PYCONVC_BFLOAT16) return PYCONVC_F32;
    return p->stored == PYCONVC_SINGLE ? PYCONVC_F64 : PYCONVC_U64;
}

static int bad_axis(const pyconvc_pool_axis *a) {
    if (a->input < 0 || a->output < 0 || a->kernel < 0) return 1;
    return a->kernel && (a->stride < 1 || a->dilation < 1 || a->pad < 0);
}

static pyconvc_status check(const pyconvc_pool *p, const pyconvc_run *run) {
    int bad = p->dtype < 0 || p->dtype >= PYCONVC_DTYPES || p->stored < 0 ||
              p->stored >= PYCONVC_STORED || p->batch < 0 || p->channels < 0 || run->workers < 1 ||
              (p->op != PYCONVC_AVERAGE && p->op != PYCONVC_MAXIMUM);
    bad |= !bad && p->dtype != dtype_of(p);
    for (int a = 0; a < PYCONVC_RANK; a++)
        bad |= bad_axis(&p->axis[a]);
    return bad ? PYCONVC_BAD_PROBLEM : PYCONVC_OK;
}

static int is_empty(const pyconvc_pool *p, int adjoint) {
    int empty = !p->batch || !p->channels;
    for (int a = 0; a < PYCONVC_RANK; a++)
        empty |= !(adjoint ? p->axis[a].input : p->axis[a].output);
    return empty;
}

static pyconvc_status apply(const pyconvc_pool *p, const void *x, void *y, int64_t *index,
                            int adjoint, const pyconvc_run *run) {
    pool_plan plan;
    pyconvc_status status = check(p, run);
    if (status || is_empty(p, adjoint)) return status;
    status = pool_plan_make(&plan, p, index != NULL, adjoint, run);
    if (!status) status = pool_run(&plan, x, y, index, run);
    pool_plan_free(&plan);
    return status;
}

pyconvc_status pyconvc_pool_forward(const pyconvc_pool *p, const void *x, void *y, int64_t *index,
                                    const pyconvc_run *run) {
    return apply(p, x, y, index, 0, run);
}

pyconvc_status pyconvc_pool_adjoint(const pyconvc_pool *p, const void *y, void *x,
                                    const pyconvc_run *run) {
    if (p->op != PYCONVC_AVERAGE) return PYCONVC_BAD_PROBLEM;
    return apply(p, y, x, NULL, 1, run);
}
