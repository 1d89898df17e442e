/* group.h -- groups of few channels with 3 x 3 kernels, on planes as they are.
 *
 * A task computes a band of rows of some groups. Nothing is packed but the weights: edges are the
 * kernel's (group_types.h).
 */
#ifndef PYCONVC_GROUP_H
#define PYCONVC_GROUP_H

#include "pyconvc.h"

/* Whether this method suits the problem and its arrays. */
int group_suits(const pyconvc_problem *p);

pyconvc_status group_correlate(const pyconvc_problem *p, const void *x, const void *w,
                               const void *bias, void *y, const pyconvc_run *run);

#endif
