/* pool_axis.h -- the windows of one axis, from its numbers. */
#ifndef PYCONVC_POOL_AXIS_H
#define PYCONVC_POOL_AXIS_H

#include "pool.h"

/* Free with pool_axis_free also after a failure. */
pyconvc_status pool_axis_make(pool_axis *axis, const pyconvc_pool_axis *a, int count_pad,
                              int adjoint);
void pool_axis_free(pool_axis *axis);

/* Makes `inner` the axis of both, where each has one window that holds everything. */
void pool_axis_join(pool_axis *outer, pool_axis *inner);
int pool_axis_is_whole(const pool_axis *axis);

#endif
