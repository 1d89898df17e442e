/* channels_last.h -- depthwise layers on arrays whose channels lie side by side in memory, and on
 * small planes.
 *
 * Channels are the kernel's lanes, a block of them at a time. What a block's kernel rows read lies
 * in a ring of packed lines, each sample one after the other with its padding: a line of the input
 * is packed once for all outputs of a task that meet it. Stride and dilation are steps from sample
 * to sample, so nothing is gathered. Of long lines with all channels only the ends are packed,
 * where padding is: what is between is read where it lies.
 *
 * Planes whose lines would leave much of a vector empty, or would have to be taken apart for their
 * stride, are turned as they are packed, a vector of channels at a time, and so are the outputs.
 */
#ifndef PYCONVC_CHANNELS_LAST_H
#define PYCONVC_CHANNELS_LAST_H

#include <stddef.h>

#include "pyconvc.h"

/* Whether this method suits the problem and its arrays. */
int channels_last_suits(const pyconvc_problem *p);

/* Bytes of scratch that one worker needs. */
size_t channels_last_scratch(const pyconvc_problem *p);

pyconvc_status channels_last_correlate(const pyconvc_problem *p, const void *x, const void *w,
                                       const void *bias, void *y, const pyconvc_run *run);

#endif
