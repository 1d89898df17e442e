/* SPDX-License-Identifier: BSD-3-Clause
 * pool_index.c -- samples picked, put and added up by position, plane by plane. */
#include <string.h>

#include "kernels/dtypes.h"
#include "parallel.h"
#include "problem.h"

#define TASK_INDICES  4096 /* planes are grouped until a task has so many */
#define WORK_AN_INDEX 16   /* in multiply-adds, for parallel_workers */

typedef struct {
    int32_t op, dtype;
    int64_t planes, at_once, indices, samples, bytes;
    const char *from;
    const int64_t *index;
    char *to;
} job;

typedef struct {
    uint64_t half[2];
} sample16;

static void pick(int64_t bytes, int64_t n, const void *from, const int64_t *index, void *to) {
#define PICK(T)                                                                                    \
    for (int64_t i = 0; i < n; i++)                                                                \
        if (index[i] >= 0) memcpy((T *)to + i, (const T *)from + index[i], sizeof(T));
    switch (bytes) {
    case 1:
        PICK(uint8_t) break;
    case 2:
        PICK(uint16_t) break;
    case 4:
        PICK(uint32_t) break;
    case 8:
        PICK(uint64_t) break;
    default:
        PICK(sample16) break;
    }
#undef PICK
}

static void put(int64_t bytes, int64_t n, const void *from, const int64_t *index, void *to) {
#define PUT(T)                                                                                     \
    for (int64_t i = 0; i < n; i++)                                                                \
        if (index[i] >= 0) memcpy((T *)to + index[i], (const T *)from + i, sizeof(T));
    switch (bytes) {
    case 1:
        PUT(uint8_t) break;
    case 2:
        PUT(uint16_t) break;
    case 4:
        PUT(uint32_t) break;
    case 8:
        PUT(uint64_t) break;
    default:
        PUT(sample16) break;
    }
#undef PUT
}

static void add(int32_t dtype, int64_t n, const void *from, const int64_t *index, void *to) {
    int code = 0;
#define ADD(name, elem, parts)                                                                     \
    if (dtype == code++)                                                                           \
        for (int64_t i = 0; i < n; i++)                                                            \
            for (int p = 0; p < parts && index[i] >= 0; p++) {                                     \
                elem *sum = (elem *)to + index[i] * parts + p;                                     \
                const elem a = ((const elem *)from)[i * parts + p];                                \
                *sum = LOGICAL_##name ? *sum != 0 || a != 0 : *sum + a;                            \
            }
    PYCONVC_FOR_DTYPES(ADD)
#undef ADD
}

static void do_task(const void *context, int64_t task, void *scratch) {
    const job *j = context;
    (void)scratch;
    for (int64_t plane = task * j->at_once; plane < min64(j->planes, (task + 1) * j->at_once);
         plane++) {
        const int picks = j->op == PYCONVC_PICK;
        const char *from = j->from + plane * (picks ? j->samples : j->indices) * j->bytes;
        const int64_t *index = j->index + plane * j->indices;
        char *to = j->to + plane * (picks ? j->indices : j->samples) * j->bytes;
        memset(to, 0, (size_t)((picks ? j->indices : j->samples) * j->bytes));
        if (picks)
            pick(j->bytes, j->indices, from, index, to);
        else if (j->op == PYCONVC_PUT)
            put(j->bytes, j->indices, from, index, to);
        else
            add(j->dtype, j->indices, from, index, to);
    }
}

pyconvc_status pyconvc_by_index(int32_t op, int32_t dtype, int64_t planes, int64_t indices,
                                int64_t samples, const void *from, const int64_t *index, void *to,
                                const pyconvc_run *run) {
    if (dtype < 0 || dtype >= PYCONVC_DTYPES || planes < 0 || indices < 0 || samples < 0 ||
        run->workers < 1)
        return PYCONVC_BAD_PROBLEM;
    const int64_t at_once = max64(1, TASK_INDICES / max64(1, max64(indices, samples)));
    const job j = {op,   dtype, planes, at_once, indices, samples, pyconvc_sample_bytes(dtype),
                   from, index, to};
    const double work =
        (double)planes * (double)max64(indices, samples) * WORK_AN_INDEX * (double)j.bytes;
    return parallel_for(ceil_div(planes, at_once), parallel_workers(run, work), 0, do_task, &j,
                        run);
}
