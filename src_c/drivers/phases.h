/* phases.h -- a strided line as lines of stride 1: phase f holds the samples f, f + stride, f + 2
 * stride ...
 *
 * Packed lines hold the phases that some tap meets one after the other, each `pitch` samples long.
 * Where taps lie so far apart that most samples between them meet none, each tap has a phase of its
 * own, which begins where it reads first.
 */
#ifndef PYCONVC_PHASES_H
#define PYCONVC_PHASES_H

#include "pyconvc.h"

/* Whether each tap has a phase of its own: a line in memory then never stands for a packed one. */
int phases_by_tap(const pyconvc_problem *p);

/* Samples of a phase that so many output columns read. */
int64_t phases_samples(const pyconvc_problem *p, int64_t columns);

/* Number of phases that taps of the width axis meet; *offsets gets the first sample of each (free
 * it). 0: no memory. */
int64_t phases_find(const pyconvc_problem *p, int64_t **offsets);

/* Samples of a phase for so many output columns, with room to read `lanes` beyond. */
int64_t phases_pitch(const pyconvc_problem *p, int64_t columns, int64_t lanes);

/* Where tap t of the width axis reads, from the start of a packed line. */
int64_t phases_column(const pyconvc_problem *p, const int64_t *offsets, int64_t pitch, int64_t t);

#endif
