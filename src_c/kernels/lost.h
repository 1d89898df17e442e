/* lost.h -- what missing samples take from the outputs that they would have met, where they are few:
 * counts of taps, added sample by sample (see filter_present). Include after present.h.
 *
 * Samples are searched by lines, into bits. For WIDE columns of outputs the bits in reach make a
 * list, whose order is that of the lines; each tile of TALL rows then takes its part of it, the sums
 * being in registers. */

#define TALL       FILTER_PRESENT_TALL
#define WIDE       (2 * VL)
#define BITS_LINES (TILE_LINES + FILTER_PRESENT_ROWS)
#define WORDS      ((TILE_PIECE + FILTER_PRESENT_REACH) / 64 + 2)

typedef uint64_t bit_line[WORDS];

/* Bits of n samples, set where they are missing; returns how many are. */
INLINE int64_t find(const elem *x, int64_t n, uint64_t *bits) {
    int64_t count = 0, j = 0;
    for (; j < n; j += 64) {
        uint64_t word = 0;
        for (int64_t i = 0; i < 64 && j + i < n; i += VL) {
            const int64_t rest = n - j - i;
            const vec a = rest < VL ? load_part(x + j + i, rest) : load(x + j + i);
            word |= (uint64_t)bits_set(test(a != a)) << i;
        }
        *bits++ = word;
        if (word) count += __builtin_popcountll(word);
    }
    *bits = 0;
    return count;
}

/* Missing samples of WIDE columns of a piece and of what their taps reach over, line by line: where
 * their images begin that are for the outputs of the first line. */
typedef struct {
    int32_t at[BITS_LINES * FILTER_PRESENT_REACH], *begin[BITS_LINES + 1];
} column;

static void list(column *c, const bit_line *missing, int64_t lines, int64_t j, int64_t reach) {
    const uint64_t all = ~0ULL >> (64 - (reach + WIDE));
    int32_t first = (int32_t)(reach + WIDE - 1), *to = c->at;
    for (int64_t row = 0; row < lines; row++, first += FILTER_PRESENT_PITCH) {
        uint64_t bits;
        memcpy(&bits, (const char *)missing[row] + j / 8, sizeof bits);
        c->begin[row] = to;
        for (bits = bits >> j % 8 & all; bits; bits &= bits - 1)
            *to++ = first - __builtin_ctzll(bits);
    }
    c->begin[lines] = to;
}

/* What all of the list take from WIDE columns of outputs. */
static void take(const column *c, const filter_present_run *run, int64_t height, elem *lost,
                 int64_t pitch) {
    const int64_t lines = height + run->rows - 1;
    for (int64_t r = 0; r < height; r += TALL, lost += TALL * pitch) {
        const int64_t last = r + TALL + run->rows - 1;
        const int32_t *end = c->begin[last < lines ? last : lines];
        const elem *image = (const elem *)run->image - r * FILTER_PRESENT_PITCH;
        if (c->begin[r] == end) continue;
        vec sum[TALL][2];
        UNROLL(TALL)
        for (int i = 0; i < TALL; i++)
            sum[i][0] = load(lost + i * pitch), sum[i][1] = load(lost + i * pitch + VL);
        for (const int32_t *at = c->begin[r]; at < end; at++) {
            const elem *from = image + *at;
            UNROLL(TALL)
            for (int i = 0; i < TALL; i++) {
                sum[i][0] += load(from + (TALL - 1 - i) * FILTER_PRESENT_PITCH);
                sum[i][1] += load(from + (TALL - 1 - i) * FILTER_PRESENT_PITCH + VL);
            }
        }
        UNROLL(TALL)
        for (int i = 0; i < TALL; i++)
            store(lost + i * pitch, sum[i][0]), store(lost + i * pitch + VL, sum[i][1]);
    }
}

/* Whether that is quicker than summing all counts of a run, in cycles for a line of WIDE outputs:
 * about 8 to list what is missing there, and for each such sample 5, and 5 for each tile that it
 * meets. */
static int few(const filter_present_run *run, int64_t columns, int64_t searched, int64_t missing) {
    const double listed = (double)(missing * (columns + WIDE)) / (double)searched;
    const double tiles = (double)(run->rows + TALL - 1) / TALL;
    return 8 + 5 * listed * (1 + tiles) < (double)(run->rows * columns);
}
