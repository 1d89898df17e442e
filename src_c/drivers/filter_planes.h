/* filter_planes.h -- the filter method on many small planes.
 *
 * Planes are packed with their padding (planes.h), and the kernel runs over all columns of all rows
 * at once: no regions, no strips. A task does the same band of many planes, so what depends on the
 * band alone is found once. Several planes are packed before any is read, so that loads do not wait
 * for the stores before them. Planes that 3 x 3 kernels meet are read as they are, if these know
 * their edges.
 */
#ifndef PYCONVC_FILTER_PLANES_H
#define PYCONVC_FILTER_PLANES_H

#include "filter.h"

/* Whether planes are small enough; then sets what depends on it. */
int filter_planes_size(filter_plan *plan);

size_t filter_planes_scratch(const filter_plan *plan);

void filter_planes_do_task(const void *context, int64_t index, void *memory);

#endif
