/* SPDX-License-Identifier: BSD-3-Clause
 *
 * integer.c -- the sums of shifted.c on samples of at most 16 bits, computed in double and stored
 * as they are in memory (contract: shifted_job in chain_types.h).
 *
 * What is exact is done in 32-bit integers: sums of pairs, and sums that are divided. Every other
 * operation is rounded as a double, and what comes of it cut off towards zero; the unit is compiled
 * without contraction.
 *
 * Only sums near a whole number need all of that. Others are the same integers in float32 and
 * fixed point, with weights in two parts: sums with the high ones are exact, so that the fraction
 * is known to within the small error of the low ones. Of sums with whole weights only the bits that
 * are stored are computed.
 */
#include "chain_types.h"
#include "vec.h"

#define RUN                                                                                        \
    4 /* groups of vectors in registers: enough sums in flight to hide an addition's latency */

#define SAMPLE_i8  PYCONVC_SAMPLE_I8
#define SAMPLE_u8  PYCONVC_SAMPLE_U8
#define SAMPLE_i16 PYCONVC_SAMPLE_I16
#define SAMPLE_u16 PYCONVC_SAMPLE_U16

typedef enum { TERMS, PAIRS, ODD_PAIRS, QUOTIENT } kind;

/* Whole numbers: a vector of 32-bit ones, or one; as doubles they take two vectors, or one. */
#if VEC_BYTES == 0
#    define WIDE   1
#    define HALVES 1
typedef int32_t words, half;
#    define CONVERT(a, type) ((type)(a))
#    define REALS_OF(half)   ((elem)(half))
#    define CUT_OFF(reals)   ((int32_t)(reals))
#else
#    define WIDE    (2 * VL)
#    define HALVES  2
typedef int32_t words __attribute__((vector_size(VEC_BYTES), may_alias));
typedef float floats __attribute__((vector_size(VEC_BYTES), may_alias));
typedef int32_t half __attribute__((vector_size(VEC_BYTES / 2), may_alias));
#    define CONVERT __builtin_convertvector
#    ifndef REALS_OF /* else the tier has its own */
#        define REALS_OF(half) __builtin_convertvector(half, vec)
#        define CUT_OFF(reals) __builtin_convertvector(reals, half)
#    endif
#endif

typedef struct {
    vec part[HALVES];
} reals;

INLINE reals to_reals(words a) {
    half h[HALVES];
    reals r;
    memcpy(h, &a, sizeof a);
    for (int i = 0; i < HALVES; i++)
        r.part[i] = REALS_OF(h[i]);
    return r;
}

typedef struct {
    half part[HALVES];
} halves;

INLINE halves cut_off(reals r) {
    halves h;
    for (int i = 0; i < HALVES; i++)
        h.part[i] = CUT_OFF(r.part[i]);
    return h;
}

INLINE words joined(const half *h) {
    words a;
    memcpy(&a, h, sizeof a);
    return a;
}

/* Samples of each type: loaded, and stored with their upper bits dropped. */
#if VEC_BYTES == 0
#    define SAMPLES(name, type) typedef type samples_##name;
#else
#    define SAMPLES(name, type)                                                                    \
        typedef type samples_##name                                                                \
            __attribute__((vector_size(WIDE * sizeof(type)), may_alias, aligned(1)));
#endif
PYCONVC_FOR_INTEGERS(SAMPLES)
#ifndef WORDS_AT_u8
#    define WORDS_AT_i8(p)  CONVERT(*(const samples_i8 *)(p), words)
#    define WORDS_AT_u8(p)  CONVERT(*(const samples_u8 *)(p), words)
#    define WORDS_AT_i16(p) CONVERT(*(const samples_i16 *)(p), words)
#    define WORDS_AT_u16(p) CONVERT(*(const samples_u16 *)(p), words)
#    define PUT_i8(h, p)    (*(samples_i8 *)(p) = CONVERT(joined(h), samples_i8))
#    define PUT_u8(h, p)    (*(samples_u8 *)(p) = CONVERT(joined(h), samples_u8))
#    define PUT_i16(h, p)   (*(samples_i16 *)(p) = CONVERT(joined(h), samples_i16))
#    define PUT_u16(h, p)   (*(samples_u16 *)(p) = CONVERT(joined(h), samples_u16))
#endif

/* In what follows the type, the kind and G, groups of WIDE samples, are constants at every call. */
INLINE words load_words(const pyconvc_sample type, const void *from, int64_t at) {
#define LOAD(name, c_type)                                                                         \
    if (type == SAMPLE_##name) return (words)WORDS_AT_##name((const c_type *)from + at);
    PYCONVC_FOR_INTEGERS(LOAD)
    return (words){0};
}

INLINE void store_words(const pyconvc_sample type, const half *h, void *to, int64_t at, int64_t n) {
#define STORE(name, c_type)                                                                        \
    if (type == SAMPLE_##name && n >= WIDE) PUT_##name(h, (c_type *)to + at);                      \
    if (type == SAMPLE_##name && n < WIDE) {                                                       \
        c_type part[WIDE];                                                                         \
        PUT_##name(h, part);                                                                       \
        memcpy((c_type *)to + at, part, (size_t)(n & (WIDE - 1)) * sizeof(c_type));                \
    }
    PYCONVC_FOR_INTEGERS(STORE)
}

INLINE words term(const pyconvc_sample type, const kind k, const shifted_job *job, int64_t i,
                  int64_t at) {
    if (k == TERMS || k == QUOTIENT || i == 0) return load_words(type, job->from[i], at);
    const words a = load_words(type, job->from[2 * i - 1], at);
    const words b = load_words(type, job->from[2 * i], at);
    return k == PAIRS ? a + b : a - b;
}

INLINE void weigh(const pyconvc_sample type, const kind k, const int G, const shifted_job *job,
                  int64_t at, halves *result) {
    const elem *w = job->w;
    reals sum[RUN] = {0};
    for (int64_t i = 0; i < job->count; i++) {
        const vec weight = set1(w[i]);
        UNROLL(8)
        for (int g = 0; g < G; g++) {
            const reals x = to_reals(term(type, k, job, i, at + g * WIDE));
            UNROLL(2)
            for (int h = 0; h < HALVES; h++)
                sum[g].part[h] += weight * x.part[h];
        }
    }
    UNROLL(8)
    for (int g = 0; g < G; g++)
        result[g] = cut_off(sum[g]);
}

#if VEC_BYTES > 0
#    ifndef FUSED
#        define FUSED(a, b, c) ((c) + (a) * (b))
INLINE int any(words a) {
    int32_t part[WIDE], found = 0;
    memcpy(part, &a, sizeof a);
    for (int i = 0; i < WIDE; i++)
        found |= part[i];
    return found;
}
#        define ANY any
#    endif

/* The same in float32 and 32-bit integers; whether it is known to be the same. */
INLINE int guess(const pyconvc_sample type, const kind k, const int G, const shifted_job *job,
                 int64_t at, halves *result) {
    const float *w = job->split->parts;
    const int bits = job->split->bits, below = (1 << bits) - 1, doubt = job->split->doubt;
    floats high[RUN] = {0}, low[RUN] = {0};
    for (int64_t i = 0; i < job->count; i++) {
        const floats w_high = w[2 * i] - (floats){0}, w_low = w[2 * i + 1] - (floats){0};
        UNROLL(8)
        for (int g = 0; g < G; g++) {
            const floats x = CONVERT(term(type, k, job, i, at + g * WIDE), floats);
            high[g] = FUSED(w_high, x, high[g]);
            low[g] = FUSED(w_low, x, low[g]);
        }
    }
    words doubtful = {0};
    UNROLL(8)
    for (int g = 0; g < G; g++) {
        const words sum = CONVERT(high[g], words) + CONVERT(low[g], words);
        const words cut = (sum + ((sum >> 31) & below)) >> bits, near = sum + doubt;
        const words is_zero = (near >= 0) & (near <= 2 * doubt); /* from both sides */
        doubtful |= ((near & below) <= 2 * doubt) & ~is_zero;
        memcpy(result[g].part, &cut, sizeof cut);
    }
    return !ANY(doubtful);
}
#else
INLINE int guess(const pyconvc_sample type, const kind k, const int G, const shifted_job *job,
                 int64_t at, halves *result) {
    (void)type, (void)k, (void)G, (void)job, (void)at, (void)result;
    return 0;
}
#endif

INLINE void divide(const pyconvc_sample type, const int G, const shifted_job *job, int64_t at,
                   halves *result) {
    const vec divisor = set1(*(const elem *)job->w);
    words sum[RUN] = {0};
    for (int64_t i = 0; i < job->count; i++) {
        UNROLL(8)
        for (int g = 0; g < G; g++)
            sum[g] += load_words(type, job->from[i], at + g * WIDE);
    }
    UNROLL(8)
    for (int g = 0; g < G; g++) {
        reals x = to_reals(sum[g]);
        UNROLL(2)
        for (int h = 0; h < HALVES; h++)
            x.part[h] = x.part[h] / divisor;
        result[g] = cut_off(x);
    }
}

/* Where samples are level, sums may be near whole numbers for long: then there are pauses. */
typedef struct {
    int pause, next;
} caution;

INLINE int may_guess(caution *c) {
    return VEC_BYTES > 0 && (c->pause == 0 || c->pause-- == 0);
}

INLINE int was_right(caution *c, int certain) {
    const int longest = 15;
    c->pause = certain ? 0 : c->next;
    c->next = certain ? 0 : c->next < longest ? 2 * c->next + 1 : longest;
    return certain;
}

/* The last group has `last` samples. */
INLINE void run(const pyconvc_sample type, const kind k, const int G, const shifted_job *job,
                int64_t from, int64_t to, int64_t last, caution *c) {
    halves result[RUN];
    if (k == QUOTIENT)
        divide(type, G, job, from, result);
    else if (!job->split || !may_guess(c) || !was_right(c, guess(type, k, G, job, from, result)))
        weigh(type, k, G, job, from, result);
    UNROLL(8)
    for (int g = 0; g < G; g++)
        store_words(type, result[g].part, job->y, to + g * WIDE, g == G - 1 ? last : WIDE);
}

#ifdef MADD_BYTES
#    include "bytes.h"

/* The sums of P pairs of bytes in fixed point, then those in doubt in double. */
INLINE void run_bytes(const int P, const shifted_job *job, int64_t from, uint8_t *y) {
    const int64_t lanes = (1LL << WIDE) - 1;
    for (int64_t unknown = guess_bytes(P, job, from, y); unknown; unknown >>= WIDE) {
        halves result;
        if (unknown & lanes) {
            weigh(SAMPLE_u8, PAIRS, 1, job, from, &result);
            store_words(SAMPLE_u8, result.part, y, 0, WIDE);
        }
        from += WIDE, y += WIDE;
    }
}

/* Rows of at least a vector. */
INLINE void rows_of_bytes(const int P, const shifted_job *job) {
    for (int64_t r = 0; r < job->height; r++) {
        const int64_t from = r * job->pitch, n = job->width - VEC_BYTES;
        uint8_t *y = (uint8_t *)job->y + r * job->y_pitch;
        for (int64_t j = 0; j < n; j += VEC_BYTES)
            run_bytes(P, job, from + j, y + j);
        run_bytes(P, job, from + n, y + n); /* some of them once more */
    }
}

/* Whether the sums were such; in copies, which no store can change. */
INLINE int by_bytes(const shifted_job *job) {
    if (!job->factored || job->width < VEC_BYTES) return 0;
    const factored_weights weights = *job->factored;
    shifted_job copy = *job;
    copy.factored = &weights;
    if (job->count == 5)
        rows_of_bytes(5, &copy);
    else
        rows_of_bytes(0, &copy);
    return 1;
}
#else
INLINE int by_bytes(const shifted_job *job) {
    (void)job;
    return 0;
}
#endif

#include "whole.h"

#ifdef MULTIPLY_HIGH
#    include "byte_means.h"
#else
#    define BYTE_MEANS 0
INLINE int by_byte_means(const shifted_job *job) {
    (void)job;
    return 0;
}
#endif

INLINE void all(const pyconvc_sample type, const kind k, const shifted_job *job) {
    const int64_t n = job->width;
    caution c = {0};
    if (by_whole(type, k, job)) return;
    if (type == SAMPLE_u8 && k == QUOTIENT && by_byte_means(job)) return;
    if (type == SAMPLE_u8 && k == PAIRS && by_bytes(job)) return;
    for (int64_t r = 0; r < job->height; r++) {
        const int64_t from = r * job->pitch, to = r * job->y_pitch;
        int64_t j = 0;
        for (; j + RUN * WIDE <= n; j += RUN * WIDE)
            run(type, k, RUN, job, from + j, to + j, WIDE, &c);
        if (j < n && n >= RUN * WIDE) { /* some of them once more */
            run(type, k, RUN, job, from + n - RUN * WIDE, to + n - RUN * WIDE, WIDE, &c);
            j = n;
        }
        for (; j < n; j += WIDE)
            run(type, k, 1, job, from + j, to + j, n - j, &c);
    }
}

#define KERNEL(stem, name, k)                                                                      \
    static void stem##_##name(const shifted_job *job) {                                            \
        all(SAMPLE_##name, k, job);                                                                \
    }
#define KERNELS_OF(name, type)                                                                     \
    KERNEL(terms, name, TERMS)                                                                     \
    KERNEL(pairs, name, PAIRS)                                                                     \
    KERNEL(odd_pairs, name, ODD_PAIRS)                                                             \
    KERNEL(quotient, name, QUOTIENT)
PYCONVC_FOR_INTEGERS(KERNELS_OF)

#define ENTRY(name, type)                                                                          \
    {.terms = terms_##name,                                                                        \
     .pairs = pairs_##name,                                                                        \
     .odd_pairs = odd_pairs_##name,                                                                \
     .quotient = quotient_##name,                                                                  \
     .vector = WIDE},
const integer_kernels NAME(integer) = {
    .of = {PYCONVC_FOR_INTEGERS(ENTRY)},
    .byte_means = BYTE_MEANS,
    .widen = {[PYCONVC_SAMPLE_I8] = widen_i8, [PYCONVC_SAMPLE_U8] = widen_u8},
};
