/* dot.h -- the weight gradient as sums over pixels: y against the packed input.
 *
 *   w[g,k,c,t] = sum_{n,o} X[n,g,c, o*stride + t*dilation - pad_before] * y[n,g,k,o]
 *
 * A unit owns a block of output channels and a block of planes (input channel, depth tap) of a
 * group, and runs over all images, depths and bands in order; where units are few, the bands are
 * dealt to a number of slices that depends on the problem alone, whose sums are added in order. So
 * results have the same bits for every number of workers.
 */
#ifndef PYCONVC_DOT_H
#define PYCONVC_DOT_H

#include "pyconvc.h"

pyconvc_status dot_weight_grad(const pyconvc_problem *p, const void *x, const void *y, void *w,
                               const pyconvc_run *run);

/* The same for many groups of few channels, whose small planes are packed whole. */
int dot_planes_suits(const pyconvc_problem *p);
pyconvc_status dot_planes_weight_grad(const pyconvc_problem *p, const void *x, const void *y,
                                      void *w, const pyconvc_run *run);

#endif
