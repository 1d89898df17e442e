/* SPDX-License-Identifier: BSD-3-Clause
 *
 * fused.c -- the sums of shifted.c with products that are not rounded, where a tier has fused
 * multiply-adds. */
#define STEM fused
#include "shifted.c"
