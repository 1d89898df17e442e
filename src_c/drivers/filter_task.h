/* filter_task.h -- what the two kinds of task of the filter method share: filter.c's, which read x
 * in place as far as they can, and filter_planes.c's, which pack small planes. */
#ifndef PYCONVC_FILTER_TASK_H
#define PYCONVC_FILTER_TASK_H

#include "filter.h"

typedef struct {
    const filter_plan *plan;
    const char *x, *bias;
    char *y;
} filter_job;

typedef struct {
    int64_t image, group, depth, row, rows, column, columns; /* of the outputs */
    int64_t first_plane, planes;
    row_numbering rows_in;
} filter_task;

/* Samples of scratch for outputs of one channel, where y has no lines to write to. */
int64_t filter_dense(const filter_plan *plan);

/* The kernel for every output channel, on `rows` output rows from `row` of the task on, `pitch`
 * apart; `dense` is the scratch. */
void filter_apply(const filter_job *j, const filter_task *t, const void *const *table, int64_t row,
                  int64_t pitch, int64_t rows, int flags, char *dense);

#endif
