/* sums.h -- what kernels have in common that keep tiles of sums in registers: part of the vector
 * vocabulary (vec.h).
 */
#include "vec.h"

/* Of a vector of outputs. A complex product is two real sums over pairs, joined at the end. */
typedef struct {
    vec part[PARTS];
} sum;

INLINE vec finish(const sum *s) {
#if PARTS == 2
    return join(s->part[0], s->part[1]);
#else
    return s->part[0];
#endif
}

/* One bias in all lanes, or zeros. */
INLINE vec spread(const elem *bias) {
#if PARTS == 2
    elem a[VL];
    for (int j = 0; j < VL; j++)
        a[j] = bias ? bias[j % PARTS] : 0;
    return load(a);
#else
    return set1(bias ? *bias : 0);
#endif
}

/* Where the last of some equal steps over n begins: so that it ends with n, computing again what
 * lies before it. */
INLINE int64_t begin(int64_t at, int64_t step, int64_t n) {
    return at + step > n && n >= step ? n - step : at;
}
