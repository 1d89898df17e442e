/* shuffle.h -- lanes of real vectors in another order, known to the compiler. To be included after
 * vec.h.
 */

/* Returns a vector whose lane j is element `place` of a and b, one after the other. */
#if VEC_BYTES && PARTS == 1
#    ifdef __clang__
#        define SHUFFLE(a, b, j, place)                                                            \
            vec c;                                                                                 \
            UNROLL(64)                                                                             \
            for (int j = 0; j < VL; j++) {                                                         \
                const int from = place;                                                            \
                c[j] = from < VL ? (a)[from] : (b)[from - VL];                                     \
            }                                                                                      \
            return c
#    else
#        define SHUFFLE(a, b, j, place)                                                            \
            __typeof__((vec){0} < (vec){0}) order;                                                 \
            UNROLL(64)                                                                             \
            for (int j = 0; j < VL; j++)                                                           \
                order[j] = place;                                                                  \
            return __builtin_shuffle(a, b, order)
#    endif

/* One element further back, or further on; what comes in is zero. */
INLINE vec one_back(vec v) {
    SHUFFLE(v, (vec){0}, j, j ? j - 1 : VL);
}
INLINE vec one_on(vec v) {
    SHUFFLE(v, (vec){0}, j, j + 1);
}
#elif PARTS == 1
INLINE vec one_back(vec v) {
    (void)v;
    return 0;
}
INLINE vec one_on(vec v) {
    (void)v;
    return 0;
}
#endif
