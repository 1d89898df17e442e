/* SPDX-License-Identifier: BSD-3-Clause
 * table.c -- the kernel table of one tier; compiled once a tier.
 *
 * The build says for each kernel, by a macro OWNER_kernel_dtype, whose it is: this tier's own, that
 * of a tier below, or another of the same type. */
#include "kernel_types.h"
#include "pyconvc.h"
#include "winograd_types.h"

#define CAT_(a, b)           a##b
#define CAT(a, b)            CAT_(a, b)
#define STRING_(a)           #a
#define STRING(a)            STRING_(a)
#define KERNELS(stem, dtype) CAT(pyconvc_, OWNER_##stem##_##dtype)

#define DECLARE(dtype, elem, parts)                                                                \
    extern const filter_kernels KERNELS(filter, dtype);                                            \
    extern const plane_kernels KERNELS(plane, dtype);                                              \
    extern const channels_last_kernels KERNELS(channels_last, dtype);                              \
    extern const mix_kernels KERNELS(mix, dtype);                                                  \
    extern const dot_kernels KERNELS(dot, dtype);                                                  \
    extern const outer_kernels KERNELS(outer, dtype);                                              \
    extern const fold_kernels KERNELS(fold, dtype);
PYCONVC_FOR_DTYPES(DECLARE)

#define DECLARE_WINOGRAD(dtype, DTYPE) extern const winograd_kernels KERNELS(winograd, dtype);
PYCONVC_FOR_WINOGRAD(DECLARE_WINOGRAD)

#define DECLARE_ACROSS(dtype, DTYPE) extern const across_kernels KERNELS(across, dtype);
PYCONVC_FOR_ACROSS(DECLARE_ACROSS)

#define DECLARE_PLANE_GRAD(dtype, DTYPE) extern const plane_grad_kernels KERNELS(plane_grad, dtype);
PYCONVC_FOR_PLANE_GRAD(DECLARE_PLANE_GRAD)

#define DECLARE_GROUP(dtype, DTYPE) extern const group_kernels KERNELS(group, dtype);
PYCONVC_FOR_GROUPS(DECLARE_GROUP)

#define DECLARE_TWIN(dtype, DTYPE) extern const twin_kernels KERNELS(twin, dtype);
PYCONVC_FOR_TWINS(DECLARE_TWIN)

#define DECLARE_POOL(stem, op, dtype, DTYPE) extern const pool_kernel KERNELS(stem, dtype);
PYCONVC_FOR_POOLS(DECLARE_POOL)

#define DECLARE_ELEMENT(dtype, index)                                                              \
    extern const shifted_kernels KERNELS(shifted, dtype);                                          \
    extern const shifted_kernels KERNELS(fused, dtype);                                            \
    extern const box_kernels KERNELS(box, dtype);                                                  \
    extern const convert_kernels KERNELS(convert, dtype);                                          \
    extern const present_kernels KERNELS(present, dtype);                                          \
    extern const fourier_kernels KERNELS(fourier, dtype);                                          \
    extern const filter_present_kernels KERNELS(filter_present, dtype);
PYCONVC_FOR_ELEMENTS(DECLARE_ELEMENT)
extern const integer_kernels KERNELS(integer, f64);

const kernel_table *CAT(pyconvc_table_, PYCONVC_TIER)(void) {
    static kernel_table table = {.name = STRING(PYCONVC_TIER)};
    int i = 0;
#define FILL(dtype, elem, parts)                                                                   \
    table.filter[i] = KERNELS(filter, dtype);                                                      \
    table.plane[i] = KERNELS(plane, dtype);                                                        \
    table.channels_last[i] = KERNELS(channels_last, dtype);                                        \
    table.mix[i] = KERNELS(mix, dtype);                                                            \
    table.dot[i] = KERNELS(dot, dtype);                                                            \
    table.outer[i] = KERNELS(outer, dtype);                                                        \
    table.fold[i] = KERNELS(fold, dtype);                                                          \
    i++;
    PYCONVC_FOR_DTYPES(FILL)
#define FILL_WINOGRAD(dtype, DTYPE) table.winograd[PYCONVC_##DTYPE] = &KERNELS(winograd, dtype);
    PYCONVC_FOR_WINOGRAD(FILL_WINOGRAD)
#define FILL_ACROSS(dtype, DTYPE) table.across[PYCONVC_##DTYPE] = &KERNELS(across, dtype);
    PYCONVC_FOR_ACROSS(FILL_ACROSS)
#define FILL_PLANE_GRAD(dtype, DTYPE)                                                              \
    table.plane_grad[PYCONVC_##DTYPE] = &KERNELS(plane_grad, dtype);
    PYCONVC_FOR_PLANE_GRAD(FILL_PLANE_GRAD)
#define FILL_GROUP(dtype, DTYPE) table.group[PYCONVC_##DTYPE] = &KERNELS(group, dtype);
    PYCONVC_FOR_GROUPS(FILL_GROUP)
#define FILL_TWIN(dtype, DTYPE) table.twin[PYCONVC_##DTYPE] = &KERNELS(twin, dtype);
    PYCONVC_FOR_TWINS(FILL_TWIN)
#define FILL_POOL(stem, op, dtype, DTYPE)                                                          \
    table.pool[POOL_##op][PYCONVC_##DTYPE] = KERNELS(stem, dtype);
    PYCONVC_FOR_POOLS(FILL_POOL)
#define FILL_ELEMENT(dtype, index)                                                                 \
    table.shifted[index] = KERNELS(shifted, dtype);                                                \
    table.fused[index] = KERNELS(fused, dtype);                                                    \
    table.box[index] = KERNELS(box, dtype);                                                        \
    table.convert[index] = KERNELS(convert, dtype);                                                \
    table.present[index] = KERNELS(present, dtype);                                                \
    table.fourier[index] = KERNELS(fourier, dtype);                                                \
    table.filter_present[index] = KERNELS(filter_present, dtype);
    PYCONVC_FOR_ELEMENTS(FILL_ELEMENT)
    table.integer = KERNELS(integer, f64);
    return &table;
}
