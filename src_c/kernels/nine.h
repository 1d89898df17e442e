/* nine.h -- 3x3 taps over samples of which some are missing: both sums in tiles that read the input
 * itself. Include after kernel_types.h and present.h.
 *
 * As a vector is loaded it becomes what is there, with 0 for what is missing, and 1 or 0 for
 * whether it is; they meet all taps, and their sizes. The sums of samples have the order of
 * filter.c's tile for such taps.
 */

#define NINE_TALL  8 /* lines of a tile, of whose sums three are in flight */
#define NINE_LINES (5 * NINE_TALL)
#define NINE_PIECE ((int64_t)(4096 / sizeof(elem)))
#define NINE_MUCH  10 /* one of so many vectors of the input, or about a third of those of y */

typedef struct {
    vec tap[9], size[9], bias; /* by columns */
    scale_limits by;
} nine;

/* What 3x3 taps are applied to: lines of the input, from the first that they meet. */
typedef struct {
    const elem *const *rows;
    elem *y;
    int64_t y_pitch, height, width;
    int64_t right; /* of the row pointers */
} nine_piece;

/* R lines of a vector, or of n elements if that is less. */
INLINE void nine_tile(const int R, const nine *f, const elem *const *rows, int64_t right, elem *y,
                      int64_t y_pitch, int64_t n) {
    vec sum[NINE_TALL], weight[NINE_TALL];
    UNROLL(16)
    for (int row = 0; row < R + 2; row++) {
        const elem *x = rows[row] + right;
        if (row < R) sum[row] = f->bias, weight[row] = set1(0);
        UNROLL(3)
        for (int c = 0; c < 3; c++) {
            const vec all = load(x + c);
            const flags there = test(all == all);
            const vec a = held(where(there, all)), one = held(where(there, set1(1)));
            UNROLL(3)
            for (int i = 0; i < 3; i++) {
                const int r = row - i;
                if (r < 0 || r >= R) continue;
                sum[r] = madd(sum[r], f->tap[c * 3 + i], a);
                weight[r] = madd(weight[r], f->size[c * 3 + i], one);
            }
        }
        if (row < 2) continue;
        const vec out = scaled(sum[row - 2], weight[row - 2], &f->by);
        if (n < VL)
            store_part(y + (row - 2) * y_pitch, out, n);
        else
            store(y + (row - 2) * y_pitch, out);
    }
}

/* Where the vector at j begins: the last is moved back if there is room. */
INLINE int64_t nine_begin(int64_t j, int64_t width) {
    return width >= VL && j + VL > width ? width - VL : j;
}

INLINE void nine_lines(const int R, const nine *f, const nine_piece *p, int64_t r) {
    for (int64_t j = 0; j < p->width; j += VL) {
        const int64_t at = nine_begin(j, p->width);
        nine_tile(R, f, p->rows + r, p->right + at, p->y + r * p->y_pitch + at, p->y_pitch,
                  p->width - at);
    }
}

/* All of a piece. */
static __attribute__((noinline)) void nine_fill(nine f, nine_piece p) {
    int64_t r = 0;
    for (; r + NINE_TALL <= p.height; r += NINE_TALL)
        nine_lines(NINE_TALL, &f, &p, r);
    for (; r < p.height; r++)
        nine_lines(1, &f, &p, r);
}

/* Puts into `found` where vectors of a line have NaN; returns how many do. */
INLINE int64_t nine_find(const elem *y, int64_t width, int32_t *found) {
    int64_t count = 0, j = 0;
    for (; j + VL <= width; j += VL) {
        const vec a = load(y + j);
        found[count] = (int32_t)j;
        count += any(test(a != a));
    }
    for (int64_t i = j; i < width; i++)
        if (y[i] != y[i]) {
            found[count++] = (int32_t)nine_begin(j, width);
            break;
        }
    return count;
}

/* Whether so many vectors of the input lack something that single ones are not worth finding: a
 * line of each tile tells. */
static int nine_lacks_much(const nine_piece *p) {
    int32_t found[NINE_PIECE / VL + 1];
    int64_t count = 0, all = 0;
    for (int64_t r = 0; r < p->height; r += NINE_TALL, all += p->width)
        count += nine_find(p->rows[r] + p->right, p->width, found);
    return count * NINE_MUCH * VL > all;
}

/* Only the vectors that have NaN. */
static __attribute__((noinline)) void nine_mend(nine f, nine_piece p) {
    int32_t found[NINE_PIECE / VL + 1];
    for (int64_t r = 0; r < p.height; r++) {
        elem *y = p.y + r * p.y_pitch;
        const int64_t here = nine_find(y, p.width, found);
        for (int64_t i = 0; i < here; i++)
            nine_tile(1, &f, p.rows + r, p.right + found[i], y + found[i], 0, p.width - found[i]);
    }
}
