/* shuffle.h -- lanes of real vectors in another order, known to the compiler, and loads at the edge
 * of a line. To be included after vec.h.
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

#    ifdef MASKED_LOAD
/* A vector at x of which element `but` may lie beyond the edge: it is zero, and not read. */
INLINE vec load_but(const elem *x, const int but) {
    typedef int words __attribute__((vector_size(sizeof(vec))));
    const int size = sizeof(elem) < 8 ? 1 : (int)sizeof(elem) / 4; /* words of an element */
    words mask;
    UNROLL(64)
    for (int i = 0; i < (int)sizeof(vec) / 4; i++)
        mask[i] = i / size == but ? 0 : -1;
    return (vec)MASKED_LOAD(x, mask);
}
#    endif
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

#if PARTS == 1
/* A vector at x whose first element, or last one, is beyond the edge: it is zero, and not read. */
INLINE vec load_from_edge(const elem *x) {
#    ifdef MASKED_LOAD
    if (sizeof(elem) >= 4) return load_but(x, 0);
#    endif
    return one_back(load(x + 1));
}
INLINE vec load_to_edge(const elem *x) {
#    ifdef MASKED_LOAD
    if (sizeof(elem) >= 4) return load_but(x, VL - 1);
#    endif
    return one_on(load(x - 1));
}
#endif
