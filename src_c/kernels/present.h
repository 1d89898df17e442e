/* present.h -- what kernels of missing samples share: selecting elements by a comparison, and the
 * scaling of sums (formula: present_scale). Include after vec.h, for f32 or f64. */
#include <float.h>
#include <math.h>

#include "present_types.h"

/* An integer for each element, all bits set where a comparison holds. */
#define WHOLE_f32 int32_t
#define WHOLE_f64 int64_t
typedef CAT(WHOLE_, PYCONVC_DTYPE) whole;
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

INLINE int any(flags set) {
    whole bits[VL], all = 0;
    memcpy(bits, &set, sizeof bits);
    for (int j = 0; j < VL; j++)
        all |= bits[j];
    return all != 0;
}

/* Of a present_scale, in every element. `none` is what a window without samples weighs; where all
 * taps are 0, nothing is. */
typedef struct {
    vec total, whole, least, none;
    int normalize;
} scale_limits;

INLINE scale_limits limits_of(const present_scale *by) {
    const double rounding = 64 * (sizeof(elem) == 4 ? FLT_EPSILON : DBL_EPSILON);
    return (scale_limits){set1((elem)by->total), set1((elem)(by->total * (1 - rounding))),
                          set1((elem)(by->least * (1 - rounding))), set1(by->total > 0 ? 0 : -1),
                          by->normalize};
}

INLINE vec scaled(vec sum, vec weight, const scale_limits *by) {
    const vec one = set1(1), nan = set1((elem)NAN);
    vec factor = one;
    if (by->normalize) factor = choose(test(weight >= by->whole), one, by->total / weight);
    return sum * choose(test(weight > by->none) & test(weight >= by->least), factor, nan);
}
