/* columns.h -- the input gradient as a matrix product and a fold.
 *
 *   column[c,t][o] = sum_k w[k,c,t] * y[k,o],   x[c, o*stride + t*dilation - pad] += column[c,t][o]
 *
 * One product serves all taps and phases, whatever the stride: y is read once, and x written line
 * by line with all phases of a line. Columns exist for a band of y and a block of channels at a
 * time.
 */
#ifndef PYCONVC_COLUMNS_H
#define PYCONVC_COLUMNS_H

#include "pyconvc.h"

/* Whether this method suits the problem. */
int columns_suits(const pyconvc_problem *p);

pyconvc_status columns_input_grad(const pyconvc_problem *p, const void *y, const void *w,
                                  const void *bias, void *x, const pyconvc_run *run);

#endif
