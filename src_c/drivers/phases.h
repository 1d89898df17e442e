/* phases.h -- a strided axis as lines of stride 1: phase f holds the samples first, first + stride,
 * first + 2 * stride ... of it.
 *
 * Packed data hold the phases that some tap meets, one after the other. Where taps lie so far apart
 * that most samples between them meet none, each tap has a phase of its own, which begins where it
 * reads first.
 */
#ifndef PYCONVC_PHASES_H
#define PYCONVC_PHASES_H

#include "pyconvc.h"

typedef struct {
    int64_t stride, dilation, taps, count;
    int by_tap; /* each tap has a phase of its own */
} axis_phases;

axis_phases phases_find(const pyconvc_problem *p, int axis, int by_tap);

/* Those of the width, by tap where that saves more than the columns of one piece. A line in memory
 * then never stands for a packed one. */
axis_phases phases_across(const pyconvc_problem *p);

/* The first sample of phase f, from where tap 0 reads for the first output. */
int64_t phases_first(const axis_phases *phases, int64_t f);

/* Samples of a phase that so many outputs read. */
int64_t phases_samples(const axis_phases *phases, int64_t outputs);

/* Samples from one phase of a line to the next, for so many output columns, with room to read
 * `lanes` beyond. */
int64_t phases_pitch(const axis_phases *phases, int64_t columns, int64_t lanes);

/* Where tap t reads for the first output, phases being `pitch` apart. */
int64_t phases_tap(const axis_phases *phases, int64_t pitch, int64_t t);

#endif
