/* SPDX-License-Identifier: BSD-3-Clause
 * pool_copy.c -- see pool_copy.h. */
#include "pool_copy.h"

#include <string.h>

/* ---- floating-point numbers of two bytes -------------------------------------------------------
 */

typedef union {
    uint32_t bits;
    float value;
} word;

/* The exponents of binary16 and binary32 differ by 112; 31 stands for infinity and NaN. */
static inline float from_half(uint16_t h) {
    word w = {.bits = (uint32_t)(h & 0x7fff) << 13};
    w.value *= 0x1p112f;
    if ((h & 0x7c00) == 0x7c00) w.bits |= 0x7f800000;
    w.bits |= (uint32_t)(h & 0x8000) << 16;
    return w.value;
}

/* Rounds to even. Below 2^-14, the step of the result is that of numbers around 1/2: adding it
 * rounds. */
static inline uint16_t to_half(float value) {
    word w = {.value = value};
    const uint32_t sign = w.bits & 0x80000000;
    w.bits ^= sign;
    uint32_t h;
    if (w.bits > 0x7f800000) {
        h = 0x7e00;
    } else if (w.bits >= 0x47800000) {
        h = 0x7c00;
    } else if (w.bits < 0x38800000) {
        w.value += 0.5f;
        h = w.bits - 0x3f000000;
    } else {
        h = (w.bits - 0x38000000 + 0xfff + (w.bits >> 13 & 1)) >> 13;
    }
    return (uint16_t)(h | sign >> 16);
}

static inline float from_bfloat16(uint16_t b) {
    const word w = {.bits = (uint32_t)b << 16};
    return w.value;
}

static inline uint16_t to_bfloat16(float value) {
    const word w = {.value = value};
    if ((w.bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(w.bits >> 16 | 0x40);
    return (uint16_t)((w.bits + 0x7fff + (w.bits >> 16 & 1)) >> 16);
}

/* ---- copies ------------------------------------------------------------------------------------
 */

typedef struct {
    uint64_t half[2];
} sample16;

/* X(pyconvc_stored, type in memory, type to compute with, from the one, to the one) */
#define FOR_CONVERSIONS(X)                                                                         \
    X(PYCONVC_HALF, uint16_t, float, from_half, to_half)                                           \
    X(PYCONVC_BFLOAT16, uint16_t, float, from_bfloat16, to_bfloat16)                               \
    X(PYCONVC_SINGLE, float, double, , (float))                                                    \
    X(PYCONVC_INT8, int8_t, int64_t, , (int8_t))                                                   \
    X(PYCONVC_UINT8, uint8_t, int64_t, , (uint8_t))                                                \
    X(PYCONVC_INT16, int16_t, int64_t, , (int16_t))                                                \
    X(PYCONVC_UINT16, uint16_t, int64_t, , (uint16_t))                                             \
    X(PYCONVC_INT32, int32_t, int64_t, , (int32_t))                                                \
    X(PYCONVC_UINT32, uint32_t, int64_t, , (uint32_t))

/* The second loop is one that compilers make vectors of. */
#define COPY(S, D, convert)                                                                        \
    for (int64_t i = 0; i < outer->count; i++) {                                                   \
        const S *s = (const S *)from + i * outer->from;                                            \
        D *d = (D *)to + i * outer->to;                                                            \
        if (inner->from != 1 || inner->to != 1)                                                    \
            for (int64_t k = 0; k < inner->count; k++)                                             \
                d[k * inner->to] = convert(s[k * inner->from]);                                    \
        else                                                                                       \
            for (int64_t k = 0; k < inner->count; k++)                                             \
                d[k] = convert(s[k]);                                                              \
    }

static void copy(int64_t bytes, const copy_axis *outer, const copy_axis *inner, const void *from,
                 void *to) {
    switch (bytes) {
    case 1:
        COPY(uint8_t, uint8_t, )
        break;
    case 2:
        COPY(uint16_t, uint16_t, )
        break;
    case 4:
        COPY(uint32_t, uint32_t, )
        break;
    case 8:
        COPY(uint64_t, uint64_t, )
        break;
    default:
        COPY(sample16, sample16, )
    }
}

void pool_load(int32_t stored, int64_t bytes, const copy_axis *outer, const copy_axis *inner,
               const void *from, void *to) {
    switch (stored) {
#define LOAD(code, memory, computed, load, store)                                                  \
    case code:                                                                                     \
        COPY(memory, computed, load)                                                               \
        break;
        FOR_CONVERSIONS(LOAD)
    default:
        copy(bytes, outer, inner, from, to);
    }
}

void pool_store(int32_t stored, int64_t bytes, const copy_axis *outer, const copy_axis *inner,
                const void *from, void *to) {
    switch (stored) {
#define STORE(code, memory, computed, load, store)                                                 \
    case code:                                                                                     \
        COPY(computed, memory, store)                                                              \
        break;
        FOR_CONVERSIONS(STORE)
    default:
        copy(bytes, outer, inner, from, to);
    }
}

int64_t pool_stored_bytes(int32_t stored, int64_t bytes) {
    switch (stored) {
#define BYTES(code, memory, computed, load, store)                                                 \
    case code:                                                                                     \
        return sizeof(memory);
        FOR_CONVERSIONS(BYTES)
    default:
        return bytes;
    }
}
