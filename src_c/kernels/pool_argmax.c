/* SPDX-License-Identifier: BSD-3-Clause
 * pool_argmax.c -- maxima and where they are of windows (see pool.h). */
#define POOL_OP ARGMAX
#include "pool.h"

const pool_kernel NAME(pool_argmax) = {.fold = pool, .lanes = VL / PARTS};
