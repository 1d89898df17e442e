/* SPDX-License-Identifier: BSD-3-Clause
 * pool_sum.c -- sums and averages of windows (see pool.h). */
#define POOL_OP SUM
#include "pool.h"

const pool_kernel NAME(pool_sum) = {.fold = pool, .lanes = VL / PARTS};
