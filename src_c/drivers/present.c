/* SPDX-License-Identifier: BSD-3-Clause
 * present.c -- the kernels of missing samples over contiguous arrays: entry points of pyconvc.h. */
#include "dispatch.h"
#include "parallel.h"
#include "problem.h"

#define BLOCK (1 << 15) /* samples of a task */

typedef struct {
    const present_kernels *kernels;
    int64_t n, bytes;
    const char *from;
    const uint8_t *mask;
    const char *weight;
    char *to, *valid;
    present_scale by;
} job;

static pyconvc_status open_job(job *j, int32_t dtype, int64_t n, const void *from, void *to) {
    const kernel_table *table = pyconvc_kernels();
    if (!table) return PYCONVC_NO_ISA;
    if (dtype < PYCONVC_F32 || dtype > PYCONVC_F64 || n < 0) return PYCONVC_BAD_PROBLEM;
    *j = (job){.kernels = &table->present[dtype], .n = n, .from = from, .to = to};
    j->bytes = pyconvc_sample_bytes(dtype);
    return PYCONVC_OK;
}

static pyconvc_status run_job(const job *j, task_fn *task, const pyconvc_run *run) {
    if (run->workers < 1) return PYCONVC_BAD_PROBLEM;
    const int workers = parallel_workers(run, 4.0 * (double)j->n * (double)j->bytes);
    return parallel_for(ceil_div(j->n, BLOCK), workers, 0, task, j, run);
}

static void split(const void *context, int64_t task, void *scratch) {
    const job *j = context;
    const int64_t first = task * BLOCK, at = first * j->bytes;
    (void)scratch;
    j->kernels->split(j->from + at, j->mask ? j->mask + first : NULL, min64(BLOCK, j->n - first),
                      j->to + at, j->valid + at);
}

static void scale(const void *context, int64_t task, void *scratch) {
    const job *j = context;
    const int64_t first = task * BLOCK, at = first * j->bytes;
    (void)scratch;
    j->kernels->scale(j->from + at, j->weight + at, min64(BLOCK, j->n - first), &j->by, 0,
                      j->to + at);
}

pyconvc_status pyconvc_lacks(int32_t dtype, const void *x, const uint8_t *mask, int64_t n,
                             int32_t *lacks) {
    job j;
    const pyconvc_status status = open_job(&j, dtype, n, x, NULL);
    if (!status) *lacks = j.kernels->lacks(x, mask, n);
    return status;
}

pyconvc_status pyconvc_split_present(int32_t dtype, const void *x, const uint8_t *mask, int64_t n,
                                     void *copy, void *valid, const pyconvc_run *run) {
    job j;
    const pyconvc_status status = open_job(&j, dtype, n, x, copy);
    if (status) return status;
    j.mask = mask;
    j.valid = valid;
    return run_job(&j, split, run);
}

pyconvc_status pyconvc_scale_present(int32_t dtype, const void *sums, const void *weight, int64_t n,
                                     double total, double least, int normalize, void *y,
                                     const pyconvc_run *run) {
    job j;
    const pyconvc_status status = open_job(&j, dtype, n, sums, y);
    if (status) return status;
    j.weight = weight;
    j.by = (present_scale){total, least, normalize};
    return run_job(&j, scale, run);
}
