/* twin.h -- the input gradient where the stride along the width is 2, without columns.
 *
 * The samples x[c, i] of one stride phase of the other axes are a correlation of stride 1 over y
 * (adjoint.h); along the width both phases are made at once and written by turns, so that y is read
 * and x written once, and nothing is folded.
 */
#ifndef PYCONVC_TWIN_H
#define PYCONVC_TWIN_H

#include "pyconvc.h"

/* Whether this method suits the problem. */
int twin_suits(const pyconvc_problem *p);

/* PYCONVC_UNSUITED, and nothing is written, where a weight is infinite or NaN: a product with a
 * zero beyond the edge would spread it. */
pyconvc_status twin_input_grad(const pyconvc_problem *p, const void *y, const void *w,
                               const void *bias, void *x, const pyconvc_run *run);

#endif
