/* pairs.h -- the sums of pairs of shifted.c where pairs lie around their sample along an axis, the
 * outermost first (contract: `around` of shifted_job).
 *
 * Along rows, two neighbouring outputs meet the same samples at successive pairs, so that each
 * loaded vector serves both. Along a line, loads that begin anywhere would cost twice as much as
 * those that do not cross lines of the cache: vectors are loaded PIECE apart, and those that begin
 * between them are shuffled from two. Both add up a sum in the same order, however it is tiled.
 */

#define PIECE                                                                                      \
    (VEC_BYTES ? (int)(16 / sizeof(elem)) : 1) /* samples within which shuffles are cheap */
#define FOUR 4                                 /* rows of a tile */
#define FEW  4                                 /* so many pairs, spelled out */
#define LONG 6                                 /* vectors of a tile of a line */

INLINE vec both(const kind k, vec a, vec b) {
    return k == PAIRS ? a + b : a - b;
}

/* What all tiles of a job share. */
typedef struct {
    const elem *w;
    int64_t pairs, pitch, reach, y_pitch; /* reach: samples from an output to its outermost pair */
    int stream;
} shared;

INLINE void put(const shared *s, elem *y, vec sum, int64_t left) {
    if (left < VL)
        store_part(y, sum, left);
    else if (STREAMS && s->stream)
        stream(y, sum);
    else
        store(y, sum);
}

/* ---- around rows ------------------------------------------------------------------------------
 */

/* A vector of each of four rows: their sums, and what their next pair takes above and below them,
 * at places that go round. */
typedef struct {
    vec sum[FOUR], above[FOUR], below[FOUR];
} tile;

/* The next n pairs, a constant; `above` and `below` are the rows beyond those in the tile. */
INLINE void pairs_around(const kind k, const int n, const elem *w, int64_t pitch, const elem *above,
                         const elem *below, tile *t) {
    UNROLL(8)
    for (int i = 0; i < n; i++) {
        const vec weight = set1(w[i]);
        UNROLL(8)
        for (int r = 0; r < FOUR; r++)
            t->sum[r] = t->sum[r] +
                        weight * both(k, t->above[(r + i) % FOUR], t->below[(r + FOUR - i) % FOUR]);
        t->above[i] = load(above + i * pitch);
        t->below[FOUR - 1 - i] = load(below - i * pitch);
    }
}

/* Four rows of a vector; a pair needs two samples that the one before it has not loaded. */
INLINE void four_rows(const kind k, const shared *s, const elem *x, elem *y, int64_t left) {
    const int64_t pitch = s->pitch;
    const elem *above = x - s->reach, *below = x + s->reach, *w = s->w + 1;
    tile t;
    UNROLL(8)
    for (int r = 0; r < FOUR; r++) {
        t.sum[r] = load(x + r * pitch) * set1(s->w[0]);
        t.above[r] = load(above + r * pitch);
        t.below[r] = load(below + r * pitch);
    }
    above += FOUR * pitch, below -= pitch;
    int64_t pairs = s->pairs;
    for (; pairs >= FOUR; pairs -= FOUR, w += FOUR, above += FOUR * pitch, below -= FOUR * pitch)
        pairs_around(k, FOUR, w, pitch, above, below, &t);
    if (pairs == 1) pairs_around(k, 1, w, pitch, above, below, &t);
    if (pairs == 2) pairs_around(k, 2, w, pitch, above, below, &t);
    if (pairs == 3) pairs_around(k, 3, w, pitch, above, below, &t);
    UNROLL(8)
    for (int r = 0; r < FOUR; r++)
        put(s, y + r * s->y_pitch, t.sum[r], left);
}

INLINE void one_row(const kind k, const shared *s, const elem *x, elem *y, int64_t left) {
    const elem *above = x - s->reach, *below = x + s->reach;
    vec sum = load(x) * set1(s->w[0]);
    for (int64_t i = 1; i <= s->pairs; i++, above += s->pitch, below -= s->pitch)
        sum = sum + set1(s->w[i]) * both(k, load(above), load(below));
    put(s, y, sum, left);
}

/* Weights of few pairs in registers, which stores cannot change. */
typedef struct {
    vec of[1 + FEW];
} weights;

INLINE weights load_weights(const shared *s, const int P) {
    weights w;
    UNROLL(8)
    for (int i = 0; i <= P; i++)
        w.of[i] = set1(s->w[i]);
    return w;
}

/* Four rows with P pairs, a constant: each sample is loaded once. */
INLINE void few_rows(const kind k, const int P, const shared *s, const weights *w, const elem *x,
                     elem *y, int64_t left) {
    const int64_t pitch = s->pitch;
    vec row[FOUR + 2 * FEW];
    UNROLL(16)
    for (int r = 0; r < FOUR + 2 * P; r++)
        row[r] = load(x + r % 4 * pitch + r / 4 * 4 * pitch);
    UNROLL(16)
    for (int r = 0; r < FOUR; r++) {
        vec sum = row[P + r] * w->of[0];
        UNROLL(16)
        for (int i = 0; i < P; i++)
            sum = sum + w->of[1 + i] * both(k, row[r + i], row[r + 2 * P - i]);
        put(s, y + r * s->y_pitch, sum, left);
    }
}

INLINE void four_by_four(const kind k, const int P, const shared *s, const elem *x, elem *y,
                         int64_t width) {
    const weights w = load_weights(s, P);
    int64_t j = 0;
    x -= s->reach;
    for (; j + VL <= width; j += VL)
        few_rows(k, P, s, &w, x + j, y + j, VL);
    if (j < width) few_rows(k, P, s, &w, x + j, y + j, width - j);
}

INLINE void around_rows(const kind k, const shifted_job *job) {
    const int64_t width = job->width, height = job->height, pairs = job->count - 1;
    const shared s = {job->w, pairs, job->pitch, pairs * job->pitch, job->y_pitch, job->stream};
    const elem *x = job->from[0];
    elem *y = job->y;
    int64_t r = 0;
    for (; r + FOUR <= height; r += FOUR, x += FOUR * s.pitch, y += FOUR * s.y_pitch) {
        if (pairs == 1) four_by_four(k, 1, &s, x, y, width);
        if (pairs == 2) four_by_four(k, 2, &s, x, y, width);
        if (pairs == 3) four_by_four(k, 3, &s, x, y, width);
        if (pairs == 4) four_by_four(k, 4, &s, x, y, width);
        for (int64_t j = 0; pairs > FEW && j < width; j += VL)
            four_rows(k, &s, x + j, y + j, width - j);
    }
    for (; r < height; r++, x += s.pitch, y += s.y_pitch)
        for (int64_t j = 0; j < width; j += VL)
            one_row(k, &s, x + j, y + j, width - j);
}

/* ---- along a line -----------------------------------------------------------------------------
 */

/* The vector that begins `by` samples after that of `low`, by a constant up to PIECE; `high`
 * begins PIECE after it. */
INLINE vec between(vec low, vec high, const int by) {
#if VEC_BYTES > 0
    if (by > 0 && by < PIECE) {
#    ifdef __clang__
        vec result = low;
        UNROLL(16)
        for (int i = 0; i < VL; i++)
            result[i] = i % PIECE + by < PIECE ? low[i + by] : high[i + by - PIECE];
        return result;
#    else
        __typeof__(low < high) from;
        UNROLL(16)
        for (int i = 0; i < VL; i++)
            from[i] = i % PIECE + by < PIECE ? i + by : VL + i + by - PIECE;
        return __builtin_shuffle(low, high, from);
#    endif
    }
#endif
    return by ? high : low;
}

/* Pairs `n`, n - 1, ... 1 beyond `base`, which is a multiple of PIECE; n and V are constants. */
INLINE void group(const kind k, const int n, const int V, const elem *x, int64_t base,
                  const elem *w, vec *sum) {
    UNROLL(8)
    for (int v = 0; v < V; v++) {
        const elem *at = x + v * VL;
        const vec left = load(at - base - PIECE), before = load(at - base);
        const vec after = load(at + base), right = load(at + base + PIECE);
        UNROLL(8)
        for (int i = 0; i < n; i++) {
            const vec a = between(left, before, PIECE - n + i), b = between(after, right, n - i);
            sum[v] = sum[v] + set1(w[i]) * both(k, a, b);
        }
    }
}

/* V vectors of a line; V is a constant at every call. */
INLINE void along(const kind k, const int V, const shared *s, const elem *x, elem *y,
                  int64_t left) {
    const elem *w = s->w + 1;
    int64_t base = s->pairs / PIECE * PIECE;
    const int64_t beyond = s->pairs - base;
    vec sum[LONG];
    UNROLL(8)
    for (int v = 0; v < V; v++)
        sum[v] = load(x + v * VL) * set1(s->w[0]);
    if (beyond == 1) group(k, 1, V, x, base, w, sum);
    if (beyond == 2) group(k, 2, V, x, base, w, sum);
    if (beyond == 3) group(k, 3, V, x, base, w, sum);
    for (w += beyond; base > 0; w += PIECE) {
        base -= PIECE;
        group(k, PIECE, V, x, base, w, sum);
    }
    UNROLL(8)
    for (int v = 0; v < V; v++)
        put(s, y + v * VL, sum[v], left - v * VL);
}

/* V vectors of a line with P pairs, constants, fewer than a group. */
INLINE void along_few(const kind k, const int P, const int V, const shared *s, const weights *w,
                      const elem *x, elem *y, int64_t left) {
    UNROLL(8)
    for (int v = 0; v < V; v++) {
        const elem *at = x + v * VL;
        vec sum = load(at) * w->of[0];
        UNROLL(8)
        for (int i = 0; i < P; i++)
            sum = sum + w->of[1 + i] * both(k, load(at + i - P), load(at + P - i));
        put(s, y + v * VL, sum, left - v * VL);
    }
}

INLINE void few_pairs(const kind k, const int P, const shifted_job *job) {
    const shared s = {job->w, P, job->pitch, 0, job->y_pitch, job->stream};
    const weights w = load_weights(&s, P);
    for (int64_t r = 0; r < job->height; r++) {
        const elem *x = (const elem *)job->from[0] + r * s.pitch;
        elem *y = (elem *)job->y + r * s.y_pitch;
        int64_t j = 0;
        for (; j + 4 * VL <= job->width; j += 4 * VL)
            along_few(k, P, 4, &s, &w, x + j, y + j, 4 * VL);
        for (; j < job->width; j += VL)
            along_few(k, P, 1, &s, &w, x + j, y + j, job->width - j);
    }
}

INLINE void around_line(const kind k, const shifted_job *job) {
    const int64_t width = job->width;
    const shared s = {job->w, job->count - 1, job->pitch, 0, job->y_pitch, job->stream};
    const elem *x = job->from[0];
    elem *y = job->y;
    for (int64_t r = 0; r < job->height; r++, x += s.pitch, y += s.y_pitch) {
        int64_t j = 0;
        for (; j + LONG * VL <= width; j += LONG * VL)
            along(k, LONG, &s, x + j, y + j, LONG * VL);
        if (j < width && width >= LONG * VL && !s.stream) { /* some once more */
            along(k, LONG, &s, x + width - LONG * VL, y + width - LONG * VL, LONG * VL);
            j = width;
        }
        for (; j < width; j += VL)
            along(k, 1, &s, x + j, y + j, width - j);
    }
}
