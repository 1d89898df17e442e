/* present.h -- what kernels of missing samples share: selecting elements by a comparison, and the
 * scaling of sums (formula: present_scale). Include after vec.h, for f32 or f64. */
#include <float.h>
#include <math.h>

#include "present_types.h"

/* An integer for each element, all bits set where a comparison holds. */
#define WHOLE_f32 int32_t
#define WHOLE_f64 int64_t
typedef CAT(WHOLE_, PYCONVC_DTYPE) whole;
#if VEC_BYTES >= 32
#    define SIGNS_f32 __builtin_ia32_movmskps256
#    define SIGNS_f64 __builtin_ia32_movmskpd256
#else
#    define SIGNS_f32 __builtin_ia32_movmskps
#    define SIGNS_f64 __builtin_ia32_movmskpd
#endif
#define SIGNS CAT(SIGNS_, PYCONVC_DTYPE) /* the signs of a part of a vector, on x86 */
#if VEC_BYTES
typedef whole flags __attribute__((vector_size(sizeof(vec)), may_alias));
INLINE flags test(flags condition) {
    return condition;
}
#else
typedef whole flags;
INLINE flags test(int condition) {
    return -(flags)condition;
}
#endif

INLINE flags bits_of(vec a) {
    flags bits;
    memcpy(&bits, &a, sizeof a);
    return bits;
}

INLINE vec vec_of(flags bits) {
    vec a;
    memcpy(&a, &bits, sizeof a);
    return a;
}

/* a where the flags are set, else 0. */
INLINE vec where(flags set, vec a) {
    return vec_of(bits_of(a) & set);
}

INLINE vec choose(flags set, vec a, vec b) {
    return vec_of((bits_of(a) & set) | (bits_of(b) & ~set));
}

/* A bit for each element, the first one lowest. */
INLINE uint32_t bits_set(flags set) {
    uint32_t bits = 0;
#if VEC_BYTES && defined(__x86_64__)
    enum { PART = VEC_BYTES < 32 ? VEC_BYTES : 32, IN_PART = PART / sizeof(elem) };
    typedef elem piece __attribute__((vector_size(PART)));
    piece parts[sizeof set / PART];
    memcpy(parts, &set, sizeof set);
    for (int i = 0; i < (int)(sizeof set / PART); i++)
        bits |= (uint32_t)SIGNS(parts[i]) << i * IN_PART;
#else
    whole element[VL];
    memcpy(element, &set, sizeof element);
    for (int i = 0; i < VL; i++)
        bits |= (uint32_t)(element[i] & 1) << i;
#endif
    return bits;
}

INLINE int any(flags set) {
    return bits_set(set) != 0;
}

/* Of a present_scale, in every element: windows that weigh more than `below` count; from `full` on
 * nothing is made up for. */
typedef struct {
    vec total, full, below;
} scale_limits;

INLINE scale_limits limits_of(const present_scale *by) {
    const double rest = 1 - 64 * (sizeof(elem) == 4 ? FLT_EPSILON : DBL_EPSILON);
    const elem least = (elem)(by->least * rest);
    elem below = by->total > 0 ? 0 : -1;
    if (least > 0) below = sizeof(elem) == 4 ? nextafterf((float)least, -1) : nextafter(least, -1);
    const elem full = by->normalize ? (elem)(by->total * rest) : -1;
    return (scale_limits){set1((elem)by->total), set1(full), set1(below)};
}

INLINE vec scaled(vec sum, vec weight, const scale_limits *by) {
    const vec factor = choose(test(weight >= by->full), set1(1), by->total / weight);
    return vec_of(bits_of(sum * factor) | test(weight <= by->below)); /* all bits set: NaN */
}
