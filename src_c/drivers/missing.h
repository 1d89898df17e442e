/* missing.h -- correlate over inputs with missing samples, which are left out of every sum.
 *
 * Each task takes a band of the output. Where its input lacks nothing, it is filtered as it is.
 * Else it is copied with missing samples as 0, beside it 1 where a sample is there and 0 where none
 * is; both are filtered, the second with the absolute values of the taps, and the sums are scaled
 * by what the window lacks. All of it stays in the cache. */
#ifndef PYCONVC_MISSING_H
#define PYCONVC_MISSING_H

#include "pyconvc.h"

/* The problem has one image of one channel, F32 or F64. `correlate` is the correlate pass, which
 * every band calls with one worker. */
typedef pyconvc_status correlate_fn(const pyconvc_problem *p, const void *x, const void *w,
                                    const void *bias, void *y, const pyconvc_run *run);

pyconvc_status missing_correlate(const pyconvc_problem *p, const void *x, const uint8_t *mask,
                                 const void *w, double least, int normalize, void *y,
                                 const pyconvc_run *run, correlate_fn *correlate);

#endif
