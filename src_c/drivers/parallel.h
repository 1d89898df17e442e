/* parallel.h -- the one place with threads: tasks 0 .. count-1, each done once by some worker.
 *
 * A task owns what it writes; results may not depend on who does it or when. Each worker has a
 * scratch block of its own, allocated before the first task starts. */
#ifndef PYCONVC_PARALLEL_H
#define PYCONVC_PARALLEL_H

#include <stddef.h>

#include "pyconvc.h"

typedef void task_fn(const void *context, int64_t task, void *scratch);

/* Threads worth starting for so much work, in multiply-adds times bytes of a sample; small work is
 * done by the caller alone. */
int parallel_workers(const pyconvc_run *run, double work);

pyconvc_status parallel_for(int64_t count, int workers, size_t scratch_bytes, task_fn *task,
                            const void *context, const pyconvc_run *run);

#endif
