/* adjoint.h -- the input gradient stated as correlate problems. */
#ifndef PYCONVC_ADJOINT_H
#define PYCONVC_ADJOINT_H

#include "drivers/winograd.h"
#include "pyconvc.h"

typedef struct {
    pyconvc_problem problem;
    int64_t x_at, w_at, y_at; /* first samples of its operands in those of the original */
    int empty;                /* no tap reaches these samples: they are the bias alone */
} adjoint;

/* How many stride phases the input gradient of p falls into along axis a. */
int64_t adjoint_phases(const pyconvc_problem *p, int a);

/* The samples x[i] with (i + pad_before) mod stride = phase on each axis, as a correlation of
 * stride 1: its x is p's y, its y is p's x, its taps are those that meet the phase. */
adjoint adjoint_input(const pyconvc_problem *p, const int64_t phase[PYCONVC_RANK]);

/* All phases along the height and the width, at one phase of the depth, as a problem of stride 1
 * whose outputs they share out: for Winograd's method. Each has as many taps as the first; what it
 * lacks is zero. */
typedef struct {
    adjoint common;
    winograd_shares shares;
    winograd_tap taps[WINOGRAD_KERNEL];
    winograd_outputs outputs[WINOGRAD_KERNEL];
} adjoint_set;

/* Whether p has several such phases, no more taps than those, and of dilation 1. */
int adjoint_has_set(const pyconvc_problem *p);

void adjoint_share(const pyconvc_problem *p, int64_t depth, adjoint_set *set);

#endif
