/* filter_planes.h -- the filter method on many small planes.
 *
 * The input rows of a plane, padded, are packed side by side into a slot that stays in the first
 * level cache, and the kernel runs over all columns of all rows at once: no regions, no strips. A
 * task does the same band of many planes, so what depends on the band alone (row tables, padding,
 * where lines go) is made once. Several slots are packed before any is read, so that loads do not
 * wait for the stores before them.
 */
#ifndef PYCONVC_FILTER_PLANES_H
#define PYCONVC_FILTER_PLANES_H

#include "filter.h"

/* Whether planes are small enough; then sets what depends on it. */
int planes_size(filter_plan *plan);

size_t planes_scratch(const filter_plan *plan);

void planes_do_task(const void *context, int64_t index, void *memory);

#endif
