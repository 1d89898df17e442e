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

/* A vector of input row `row` meets n taps: those whose outputs are in a tile of R rows, V sums
 * apart. */
INLINE void meet(sum *acc, const int R, const int V, const vec *w, const int n, const int row,
                 vec a) {
    UNROLL(8)
    for (int i = 0; i < n; i++) {
        const int r = row - i;
        if (r < 0 || r >= R) continue;
        UNROLL(2)
        for (int p = 0; p < PARTS; p++)
            acc[r * V].part[p] = madd(acc[r * V].part[p], w[i * PARTS + p], a);
    }
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
