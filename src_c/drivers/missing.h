/* missing.h -- correlate, and chains, over inputs with missing samples, which are left out of every
 * sum.
 *
 * The filter driver's plan, with kernels that take NaN for missing. With a mask, bands of the input
 * are copied with NaN where it is set, and each is a problem of its own. */
#ifndef PYCONVC_MISSING_H
#define PYCONVC_MISSING_H

#include "present_types.h"
#include "pyconvc.h"

/* The problem has one image of one channel, F32 or F64. UNSUITED, with nothing written, where a
 * window has more lines than are held at once. */
pyconvc_status missing_correlate(const pyconvc_problem *p, const void *x, const uint8_t *mask,
                                 const void *w, double least, int normalize, void *y,
                                 const pyconvc_run *run);

/* The caller grants two chains with outputs that differ only in weights and constants (see
 * pyconvc_chain_present). UNSUITED, with nothing written, where a band would take too much. */
pyconvc_status missing_chain(const pyconvc_chain *c, const pyconvc_chain *sizes, const void *x,
                             const uint8_t *mask, const int64_t *mask_step, double least,
                             int normalize, void *y, const pyconvc_run *run);

#endif
