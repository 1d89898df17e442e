/* SPDX-License-Identifier: BSD-3-Clause
 *
 * convert.c -- samples in memory <-> elements (contract: convert_fn in chain_types.h).
 *
 * Plain loops, which the compiler turns into the tier's conversions.
 */
#include "chain_types.h"
#include "vec.h"

/* What memory makes of an element. Values beyond int64 that fit into uint64 take that way. */
#define TO_i8(way, v)  (int8_t)(way)(v)
#define TO_u8(way, v)  (uint8_t)(way)(v)
#define TO_i16(way, v) (int16_t)(way)(v)
#define TO_u16(way, v) (uint16_t)(way)(v)
#define TO_i32(way, v) (int32_t)(way)(v)
#define TO_u32(way, v) (uint32_t)(way)(v)
#define TO_i64(way, v) (int64_t)(way)(v)
#define TO_u64(way, v) ((v) < (elem)0x1p63 ? (uint64_t)(way)(v) : (uint64_t)(v))
#define TO_b8(way, v)  ((uint8_t)(way)(v) != 0)
#define TO_f32(way, v) (float)(v)
#define TO_f64(way, v) (double)(v)

#define CONVERT(name, type, way)                                                                   \
    static void widen_##name(const void *from, int64_t n, void *to) {                              \
        const type *restrict s = from;                                                             \
        elem *restrict d = to;                                                                     \
        for (int64_t j = 0; j < n; j++)                                                            \
            d[j] = (elem)s[j];                                                                     \
    }                                                                                              \
    static void narrow_##name(const void *from, int64_t n, void *to) {                             \
        const elem *restrict s = from;                                                             \
        type *restrict d = to;                                                                     \
        for (int64_t j = 0; j < n; j++)                                                            \
            d[j] = TO_##name(way, s[j]);                                                           \
    }                                                                                              \
    static void settle_##name(const void *from, int64_t n, void *to) {                             \
        const elem *s = from;                                                                      \
        elem *d = to;                                                                              \
        for (int64_t j = 0; j < n; j++) {                                                          \
            const type memory = TO_##name(way, s[j]);                                              \
            d[j] = (elem)memory;                                                                   \
        }                                                                                          \
    }
PYCONVC_FOR_SAMPLES(CONVERT)

#define WIDEN(name, type, way)  widen_##name,
#define NARROW(name, type, way) narrow_##name,
#define SETTLE(name, type, way) settle_##name,

const convert_kernels NAME(convert) = {
    .widen = {PYCONVC_FOR_SAMPLES(WIDEN)},
    .narrow = {PYCONVC_FOR_SAMPLES(NARROW)},
    .settle = {PYCONVC_FOR_SAMPLES(SETTLE)},
};
