/* turn.h -- vectors turned: rows become columns, in registers.
 *
 * In two steps, as shuffles within 16 bytes are the cheap ones: first these move as wholes, then
 * their samples. For real elements of 4 or 8 bytes, of which VL vectors fit into the registers.
 * To be included after vec.h.
 */

/* Samples of 16 bytes. */
#define QUAD (VEC_BYTES ? (int)(16 / sizeof(elem)) : 1)
#if VEC_BYTES
typedef __typeof__((vec){0} < (vec){0}) order;

/* Samples n[j] of a and b, those of b counted from VL on. */
INLINE vec pick(vec a, vec b, order n) {
#    ifdef __clang__
    vec c;
    UNROLL(16)
    for (int j = 0; j < VL; j++)
        c[j] = (int)n[j] < VL ? a[(int)n[j]] : b[(int)n[j] - VL];
    return c;
#    else
    return __builtin_shuffle(a, b, n);
#    endif
}

/* Of each `span` samples of a and b one half, `grain` samples from each by turns. */
INLINE vec zip(vec a, vec b, const int half, const int grain, const int span) {
    order n;
    UNROLL(16)
    for (int j = 0; j < VL; j++) {
        const int turn = j % span / grain;
        n[j] = j / span * span + half * span / 2 + turn / 2 * grain + j % grain + turn % 2 * VL;
    }
    return pick(a, b, n);
}

/* Every second sample of a, then of b, from `first` on. */
INLINE vec unzip(vec a, vec b, const int first) {
    order n;
    UNROLL(16)
    for (int j = 0; j < VL; j++)
        n[j] = 2 * j + first;
    return pick(a, b, n);
}

/* a without its first sample, then the first of b. */
INLINE vec shift(vec a, vec b) {
    order n;
    UNROLL(16)
    for (int j = 0; j < VL; j++)
        n[j] = j + 1;
    return pick(a, b, n);
}
#else
INLINE vec zip(vec a, vec b, const int half, const int grain, const int span) {
    return half ? b : a;
}

INLINE vec unzip(vec a, vec b, const int first) {
    return first ? b : a;
}

INLINE vec shift(vec a, vec b) {
    return b;
}
#endif

/* Sample j of the result is n[j] of a run of samples in three vectors. */
#if VEC_BYTES
INLINE vec pick_of_three(const vec *v, const int *n) {
    order first, last;
    UNROLL(16)
    for (int j = 0; j < VL; j++) {
        first[j] = n[j] < 2 * VL ? n[j] : 0;
        last[j] = n[j] < 2 * VL ? j : n[j] - VL;
    }
    return pick(pick(v[0], v[1], first), v[2], last);
}
#else
INLINE vec pick_of_three(const vec *v, const int *n) {
    return v[n[0]];
}
#endif

/* split() and merge() of three vectors. */
INLINE void split_three(vec *v) {
    vec u[3];
    UNROLL(3)
    for (int i = 0; i < 3; i++) {
        int n[VL];
        UNROLL(16)
        for (int j = 0; j < VL; j++)
            n[j] = 3 * j + i;
        u[i] = pick_of_three(v, n);
    }
    UNROLL(3)
    for (int i = 0; i < 3; i++)
        v[i] = u[i];
}

INLINE void merge_three(vec *v) {
    vec u[3];
    UNROLL(3)
    for (int i = 0; i < 3; i++) {
        int n[VL];
        UNROLL(16)
        for (int j = 0; j < VL; j++)
            n[j] = (i * VL + j) % 3 * VL + (i * VL + j) / 3;
        u[i] = pick_of_three(v, n);
    }
    UNROLL(3)
    for (int i = 0; i < 3; i++)
        v[i] = u[i];
}

/* Of a run of samples in `count` vectors, 3 or a power of two, v[i] gets every count-th from i
 * on. */
INLINE void split(vec *v, const int count) {
    if (count == 3) {
        split_three(v);
        return;
    }
    vec u[VL + 4];
    UNROLL(4)
    for (int round = 1; round < count; round *= 2) {
        UNROLL(16)
        for (int i = 0; i < count; i++)
            u[i] = unzip(v[2 * i % count], v[2 * i % count + 1], 2 * i / count);
        UNROLL(16)
        for (int i = 0; i < count; i++)
            v[i] = u[i];
    }
}

/* The inverse. */
INLINE void merge(vec *v, const int count) {
    if (count == 3) {
        merge_three(v);
        return;
    }
    vec u[VL + 4];
    UNROLL(4)
    for (int round = 1; round < count; round *= 2) {
        UNROLL(16)
        for (int i = 0; i < count; i++)
            u[i] = zip(v[i / 2], v[(i + count) / 2], i % 2, 1, VL);
        UNROLL(16)
        for (int i = 0; i < count; i++)
            v[i] = u[i];
    }
}

/* Grain i of each span of v[j * step] becomes grain j of v[i * step], for i and j < count: the
 * grains of a span. */
INLINE void turn(vec *v, const int step, const int count, const int grain) {
    vec u[VL];
    UNROLL(4)
    for (int round = 1; round < count; round *= 2) {
        UNROLL(16)
        for (int i = 0; i < count; i++)
            u[i] = zip(v[i / 2 * step], v[(i + count) / 2 * step], i % 2, grain, count * grain);
        UNROLL(16)
        for (int i = 0; i < count; i++)
            v[i * step] = u[i];
    }
}

/* v[c][r] becomes v[r][c] for r, c < VL */
INLINE void turn_all(vec *v) {
    UNROLL(4)
    for (int i = 0; i < QUAD; i++)
        turn(v + i, QUAD, VL / QUAD, QUAD);
    UNROLL(4)
    for (int i = 0; i < VL; i += QUAD)
        turn(v + i, 1, QUAD, 1);
}

/* to[c * to_pitch + r] = from[r * from_pitch + c] for r, c < VL */
INLINE void turn_block(const elem *from, int64_t from_pitch, elem *to, int64_t to_pitch) {
    vec v[VL];
    UNROLL(16)
    for (int l = 0; l < VL; l++)
        v[l] = load(from + l * from_pitch);
    turn_all(v);
    UNROLL(16)
    for (int i = 0; i < VL; i++)
        store(to + i * to_pitch, v[i]);
}
