/* lost.h -- what missing samples take from the outputs that they would have met, where they are
 * few: counts of taps, added sample by sample (see filter_present). Include after present.h.
 *
 * Lines are turned into what is there, with 0 for what is missing, which bits tell. Each missing
 * sample adds the rows of an image to the lines of outputs that it meets. */

#define REACH      FILTER_PRESENT_REACH
#define LOST_PITCH (TILE_PIECE + 2 * REACH + VL) /* outputs begin `reach` elements from its left */
#define WORDS      ((TILE_PIECE + REACH) / 64 + 2)

/* Turns up to 64 elements, whole vectors; returns bits that are set where they are missing. */
INLINE uint64_t turn_word(const elem *from, int64_t n, elem *to) {
    uint64_t bits = 0;
    for (int64_t i = 0; i < n; i += VL) {
        const vec a = load(from + i);
        const flags there = test(a == a);
        store(to + i, where(there, a));
        bits |= (uint64_t)bits_set(~there) << i;
    }
    return bits;
}

/* n elements of a line; returns whether any is missing. */
INLINE int turn_bits(const elem *from, int64_t n, elem *to, uint64_t *bits) {
    uint64_t all = 0;
    for (; n >= 64; n -= 64, from += 64, to += 64)
        all |= *bits++ = turn_word(from, 64, to);
    const int64_t vectors = n / VL * VL;
    uint64_t word = turn_word(from, vectors, to);
    for (int64_t i = vectors; i < n; i++) {
        const int there = from[i] == from[i];
        to[i] = there ? from[i] : 0;
        word |= (uint64_t)!there << i;
    }
    *bits = word;
    return (all | word) != 0;
}

/* Of n elements, but for less than a vector. */
INLINE int64_t count_missing(const elem *from, int64_t n) {
    flags sum = {0};
    whole each[VL];
    int64_t count = 0;
    for (int64_t j = 0; j + VL <= n; j += VL) {
        const vec a = load(from + j);
        sum -= test(a != a);
    }
    memcpy(each, &sum, sizeof sum);
    for (int i = 0; i < VL; i++)
        count += each[i];
    return count;
}

INLINE void clear_lost(int64_t lines, int64_t n, elem *lost) {
    for (int64_t l = 0; l < lines; l++)
        memset(lost + l * LOST_PITCH, 0, sizeof *lost * (size_t)n);
}

/* What a line of n elements, number `line` of a run, takes from `height` lines of outputs; V
 * vectors hold a row of the image. */
INLINE void take(const int V, const uint64_t *bits, int64_t n, const filter_present_run *run,
                 int64_t line, int64_t height, elem *lost) {
    const int64_t begin = line < height ? 0 : line - height + 1,
                  end = line < run->rows ? line + 1 : run->rows;
    const elem *image = (const elem *)run->image + begin * FILTER_PRESENT_PITCH;
    lost += (line - begin) * LOST_PITCH;
    for (int64_t j = 0; j < n; j += 64)
        for (uint64_t word = *bits++; word; word &= word - 1) {
            elem *to = lost + j + __builtin_ctzll(word);
            const elem *from = image;
            for (int64_t i = begin; i < end; i++, to -= LOST_PITCH, from += FILTER_PRESENT_PITCH) {
                UNROLL(8)
                for (int v = 0; v < V; v++)
                    store(to + v * VL, load(to + v * VL) + load(from + v * VL));
            }
        }
}

static void take_line(int64_t vectors, const uint64_t *bits, int64_t n,
                      const filter_present_run *run, int64_t line, int64_t height, elem *lost) {
    switch (vectors) {
    case 1:
        take(1, bits, n, run, line, height, lost);
        break;
    case 2:
        take(2, bits, n, run, line, height, lost);
        break;
    default:
        for (int64_t v = 0; v < vectors; v++) {
            const filter_present_run part = {run->row, run->rows,
                                             (const elem *)run->image + v * VL};
            take(1, bits, n, &part, line, height, lost + v * VL);
        }
    }
}
