/* SPDX-License-Identifier: BSD-3-Clause
 * pool_max.c -- maxima of windows (see pool.h). */
#define POOL_OP MAX
#include "pool.h"

const pool_kernel NAME(pool_max) = {.fold = pool, .lanes = VL / PARTS};
