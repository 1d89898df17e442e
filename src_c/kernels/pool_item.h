/* pool_item.h -- what a pool folds: a vector of samples, with POOL_ARGMAX a vector of their
 * positions too.
 *
 * POOL_OP is SUM, MAX or ARGMAX. Integers are compared as signed ones; a bias makes unsigned ones
 * such. */
#include <math.h>

#include "pool_types.h"
#include "vec.h"

#define SUM      1
#define MAX      2
#define ARGMAX   3
#define FLOATING ((elem)0.5 != 0)
#define BIASED   (!FLOATING && POOL_OP != SUM)

/* A signed integer of an element's size: positions, results of comparisons. */
typedef __typeof__(__builtin_choose_expr(
    sizeof(elem) == 8, (int64_t)0,
    __builtin_choose_expr(sizeof(elem) == 4, (int32_t)0,
                          __builtin_choose_expr(sizeof(elem) == 2, (int16_t)0, (int8_t)0)))) lane;
#define LANE_MAX ((lane)(~UINT64_C(0) >> (65 - 8 * sizeof(lane))))

#if VEC_BYTES == 0 && PARTS == 1
typedef lane lanes;
INLINE lanes yes(int condition) {
    return (lanes)-condition;
}
INLINE lanes lanes1(lane a) {
    return a;
}
INLINE lanes count_up(void) {
    return 0;
}
INLINE vec choose(lanes mask, vec a, vec b) {
    return mask ? a : b;
}
INLINE vec bias_by(vec a, lane bias) {
    return BIASED ? (vec)((lane)a ^ bias) : a;
}
INLINE vec every_second(vec a, vec b, const int offset) {
    return offset ? b : a;
}
INLINE lanes every_second_lane(lanes a, lanes b, const int offset) {
    return offset ? b : a;
}
#else
typedef lane lanes __attribute__((vector_size(VL * sizeof(lane)), may_alias));
#    define yes(condition) ((lanes)(condition))
INLINE lanes lanes1(lane a) {
    return a - (lanes){0};
}
INLINE lanes count_up(void) {
    lanes n;
    UNROLL(64)
    for (int j = 0; j < VL; j++)
        n[j] = (lane)j;
    return n;
}
INLINE vec choose(lanes mask, vec a, vec b) {
    return (vec)(((lanes)a & mask) | ((lanes)b & ~mask));
}
INLINE vec bias_by(vec a, lane bias) {
    return BIASED ? (vec)((lanes)a ^ lanes1(bias)) : a;
}

/* Samples offset, offset + 2, ... of a followed by b, offset 0 or 1. */
INLINE lanes every_second_lane(lanes a, lanes b, const int offset) {
    lanes n;
#    ifdef __clang__
    UNROLL(64)
    for (int j = 0; j < VL; j++) {
        const int from = (j / PARTS * 2 + offset) * PARTS + j % PARTS;
        n[j] = from < VL ? a[from] : b[from - VL];
    }
    return n;
#    else
    UNROLL(64)
    for (int j = 0; j < VL; j++)
        n[j] = (lane)((j / PARTS * 2 + offset) * PARTS + j % PARTS);
    return __builtin_shuffle(a, b, n);
#    endif
}
INLINE vec every_second(vec a, vec b, const int offset) {
    return (vec)every_second_lane((lanes)a, (lanes)b, offset);
}
#endif

typedef struct {
    vec v;
#if POOL_OP == ARGMAX
    lanes at;
#endif
} item;

/* Items of neighbouring samples, in scratch. */
typedef struct {
    elem *v;
#if POOL_OP == ARGMAX
    lane *at;
#endif
} line;

/* What changes nothing when it is folded. A sample at any position is before LANE_MAX. */
INLINE elem identity_sample(void) {
#if POOL_OP == SUM
    return 0;
#else
    const double least = -INFINITY;
    return FLOATING ? (elem)least : (elem)(-LANE_MAX - 1);
#endif
}

INLINE item identity(void) {
    item a = {set1(identity_sample())};
#if POOL_OP == ARGMAX
    a.at = lanes1(LANE_MAX);
#endif
    return a;
}

INLINE lanes differ(vec a, vec b) {
    return yes(a != b);
}
INLINE lanes is_nan(vec a) {
    return FLOATING ? differ(a, a) : (lanes){0};
}

/* a and b as one: their sum, or the larger. Where neither is, the first; NaN is larger than
 * anything. With `ordered`, b comes after a in memory. */
INLINE item fold(item a, item b, const int ordered) {
#if POOL_OP == SUM
    (void)ordered;
    return (item){a.v + b.v};
#else
    lanes take = FLOATING ? yes(b.v > a.v) : yes((lanes)b.v > (lanes)a.v);
    lanes nan = is_nan(b.v);
#    if POOL_OP == ARGMAX
    if (!ordered) {
        take |= yes(b.v == a.v) & yes(b.at < a.at);
        nan &= ~(is_nan(a.v) & yes(a.at > b.at));
    }
    take |= nan;
    return (item){choose(take, b.v, a.v), (take & b.at) | (~take & a.at)};
#    else
    (void)ordered;
    return (item){choose(take | nan, b.v, a.v)};
#    endif
#endif
}

INLINE item load_item(line l, int64_t j) {
    item a = {load(l.v + j)};
#if POOL_OP == ARGMAX
    memcpy(&a.at, l.at + j, sizeof a.at);
#endif
    return a;
}

INLINE void store_item(line l, int64_t j, item a) {
    store(l.v + j, a.v);
#if POOL_OP == ARGMAX
    memcpy(l.at + j, &a.at, sizeof a.at);
#endif
}

/* One sample in all lanes. */
INLINE vec spread_sample(const elem *x) {
#if PARTS == 1
    return set1(*x);
#else
    elem a[VL];
    for (int i = 0; i < VL; i++)
        a[i] = x[i % PARTS];
    return load(a);
#endif
}

INLINE item spread_item(line l, int64_t j) {
    item a = {spread_sample(l.v + j)};
#if POOL_OP == ARGMAX
    a.at = lanes1(l.at[j]);
#endif
    return a;
}

INLINE item every_second_item(item a, item b, const int offset) {
    item c = {every_second(a.v, b.v, offset)};
#if POOL_OP == ARGMAX
    c.at = every_second_lane(a.at, b.at, offset);
#endif
    return c;
}

/* All samples of a vector as one, in its first lane. */
INLINE item fold_lanes(item a) {
    UNROLL(8)
    for (int n = VL / PARTS; n > 1; n /= 2)
        a = fold(every_second_item(a, a, 0), every_second_item(a, a, 1), 0);
    return a;
}
