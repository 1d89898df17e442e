/* SPDX-License-Identifier: BSD-3-Clause
 * table.c -- the kernel table of one tier; compiled once a tier, with its flags. */
#include "kernel_types.h"

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define STRING_(a) #a
#define STRING(a) STRING_(a)
#define FILTER_(dtype, tier) pyconvc_filter_##dtype##__##tier
#define FILTER(dtype, tier) FILTER_(dtype, tier)

#define DECLARE(dtype, elem, parts) extern const filter_kernels FILTER(dtype, PYCONVC_TIER);
PYCONVC_FOR_DTYPES(DECLARE)

const kernel_table *CAT(pyconvc_table_, PYCONVC_TIER)(void) {
    static kernel_table table = {.name = STRING(PYCONVC_TIER)};
    kernel_table *t = &table;
    int dtype = 0;
#define FILL(name, elem, parts) t->filter[dtype++] = FILTER(name, PYCONVC_TIER);
    PYCONVC_FOR_DTYPES(FILL)
    return t;
}
