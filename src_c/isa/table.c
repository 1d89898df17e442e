/* SPDX-License-Identifier: BSD-3-Clause
 * table.c -- the kernel table of one tier; compiled once a tier, with its flags. */
#include "kernel_types.h"
#include "pyconvc.h"

#define CAT_(a, b)                  a##b
#define CAT(a, b)                   CAT_(a, b)
#define STRING_(a)                  #a
#define STRING(a)                   STRING_(a)
#define KERNELS_(stem, dtype, tier) pyconvc_##stem##_##dtype##__##tier
#define KERNELS(stem, dtype, tier)  KERNELS_(stem, dtype, tier)

#define DECLARE(dtype, elem, parts)                                                                \
    extern const filter_kernels KERNELS(filter, dtype, PYCONVC_TIER);                              \
    extern const mix_kernels KERNELS(mix, dtype, PYCONVC_TIER);                                    \
    extern const dot_kernels KERNELS(dot, dtype, PYCONVC_TIER);                                    \
    extern const outer_kernels KERNELS(outer, dtype, PYCONVC_TIER);
PYCONVC_FOR_DTYPES(DECLARE)

#define DECLARE_POOL(stem, op, dtype, DTYPE)                                                       \
    extern const pool_kernel KERNELS(stem, dtype, PYCONVC_TIER);
PYCONVC_FOR_POOLS(DECLARE_POOL)

const kernel_table *CAT(pyconvc_table_, PYCONVC_TIER)(void) {
    static kernel_table table = {.name = STRING(PYCONVC_TIER)};
    int i = 0;
#define FILL(dtype, elem, parts)                                                                   \
    table.filter[i] = KERNELS(filter, dtype, PYCONVC_TIER);                                        \
    table.mix[i] = KERNELS(mix, dtype, PYCONVC_TIER);                                              \
    table.dot[i] = KERNELS(dot, dtype, PYCONVC_TIER);                                              \
    table.outer[i] = KERNELS(outer, dtype, PYCONVC_TIER);                                          \
    i++;
    PYCONVC_FOR_DTYPES(FILL)
#define FILL_POOL(stem, op, dtype, DTYPE)                                                          \
    table.pool[POOL_##op][PYCONVC_##DTYPE] = KERNELS(stem, dtype, PYCONVC_TIER);
    PYCONVC_FOR_POOLS(FILL_POOL)
    return &table;
}
