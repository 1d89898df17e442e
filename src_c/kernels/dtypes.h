/* dtypes.h -- what a dtype is made of: its element, and how many elements make one sample.
 *
 * A complex sample is two parts side by side, (re, im). Kernels see rows of parts.
 */
#ifndef PYCONVC_DTYPES_H
#define PYCONVC_DTYPES_H

#include <stdint.h>

/* One line a dtype, in the order of pyconvc_dtype: X(name, element, parts). */
#define PYCONVC_FOR_DTYPES(X)                                                                      \
    X(f32, float, 1)                                                                               \
    X(f64, double, 1)                                                                              \
    X(c64, float, 2)                                                                               \
    X(c128, double, 2)                                                                             \
    X(u8, uint8_t, 1)                                                                              \
    X(u16, uint16_t, 1)                                                                            \
    X(u32, uint32_t, 1)                                                                            \
    X(u64, uint64_t, 1)                                                                            \
    X(b8, uint8_t, 1)

#define ELEM_f32   float
#define ELEM_f64   double
#define ELEM_c64   float
#define ELEM_c128  double
#define ELEM_u8    uint8_t
#define ELEM_u16   uint16_t
#define ELEM_u32   uint32_t
#define ELEM_u64   uint64_t
#define ELEM_b8    uint8_t

#define PARTS_f32  1
#define PARTS_f64  1
#define PARTS_c64  2
#define PARTS_c128 2
#define PARTS_u8   1
#define PARTS_u16  1
#define PARTS_u32  1
#define PARTS_u64  1
#define PARTS_b8   1

/* A float or a double. */
#define REAL_f32     1
#define REAL_f64     1
#define REAL_c64     0
#define REAL_c128    0
#define REAL_u8      0
#define REAL_u16     0
#define REAL_u32     0
#define REAL_u64     0
#define REAL_b8      0

#define LOGICAL_f32  0
#define LOGICAL_f64  0
#define LOGICAL_c64  0
#define LOGICAL_c128 0
#define LOGICAL_u8   0
#define LOGICAL_u16  0
#define LOGICAL_u32  0
#define LOGICAL_u64  0
#define LOGICAL_b8   1

#endif
