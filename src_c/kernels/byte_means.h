/* byte_means.h -- means of bytes, cut off, for tiers that multiply 16-bit words and keep the upper
 * halves of the products.
 *
 * Sums of even bytes and of odd ones fit into words. A sum s is divided by n as s m >> (16 + k),
 * where 2^k < n <= 2^(k + 1), with m = ceil(2^(16 + k) / n). So m n exceeds 2^(16 + k) by some
 * e < n, and the quotient is not lifted to the next whole number, for s e < 255 n^2 <= 2^(16 + k)
 * as long as n <= BYTE_MEANS.
 */
#define BYTE_MEANS 128
#define BYTE_UNITS 2 /* vectors of bytes at once: a line of the cache, of most tiers */

typedef uint16_t byte_words __attribute__((vector_size(VEC_BYTES), may_alias));
typedef byte_words byte_words_in_memory __attribute__((aligned(1)));

typedef struct {
    byte_words even, odd;
} byte_sums;

typedef struct {
    uint16_t factor;
    int shift;
} reciprocal;

INLINE reciprocal reciprocal_of(int32_t n) {
    const int shift = 31 - __builtin_clz((unsigned)n - 1); /* n > 1 */
    return (reciprocal){(uint16_t)(((1U << (16 + shift)) + (unsigned)n - 1) / (unsigned)n), shift};
}

/* U vectors of a row, at `from`, are added to sums or, with `less`, taken from them. */
INLINE void add_byte_row(const int U, const int less, const uint8_t *from, byte_sums *s) {
    UNROLL(2)
    for (int u = 0; u < U; u++) {
        const byte_words x = *(const byte_words_in_memory *)(from + u * VEC_BYTES);
        const byte_words even = x & 0xff, odd = x >> 8;
        s[u].even = less ? s[u].even - even : s[u].even + even;
        s[u].odd = less ? s[u].odd - odd : s[u].odd + odd;
    }
}

INLINE void put_byte_means(const int U, reciprocal n, const byte_sums *s, uint8_t *y) {
    const byte_words factor = n.factor - (byte_words){0};
    UNROLL(2)
    for (int u = 0; u < U; u++) {
        const byte_words even = MULTIPLY_HIGH(s[u].even, factor) >> n.shift;
        const byte_words odd = MULTIPLY_HIGH(s[u].odd, factor) >> n.shift;
        *(byte_words_in_memory *)(y + u * VEC_BYTES) = even | odd << 8;
    }
}

/* Down the columns of U vectors: a row comes in, a row goes out. */
INLINE void byte_means_down(const int U, reciprocal n, const shifted_job *job, int64_t j) {
    const uint8_t *first = (const uint8_t *)job->from[0] + j, *next = first;
    uint8_t *y = (uint8_t *)job->y + j;
    byte_sums sum[BYTE_UNITS] = {0};
    for (int64_t i = 1; i < job->count; i++, next += job->pitch)
        add_byte_row(U, 0, next, sum);
    for (int64_t r = 0; r < job->height; r++, y += job->y_pitch) {
        add_byte_row(U, 0, next, sum);
        put_byte_means(U, n, sum, y);
        add_byte_row(U, 1, first, sum);
        next += job->pitch, first += job->pitch;
    }
}

INLINE void byte_means_anywhere(const int U, reciprocal n, const shifted_job *job, int64_t j) {
    for (int64_t r = 0; r < job->height; r++) {
        const int64_t at = r * job->pitch + j;
        byte_sums sum[BYTE_UNITS] = {0};
        for (int64_t i = 0; i < job->count; i++)
            add_byte_row(U, 0, (const uint8_t *)job->from[i] + at, sum);
        put_byte_means(U, n, sum, (uint8_t *)job->y + r * job->y_pitch + j);
    }
}

INLINE void byte_means_from(const int U, reciprocal n, const shifted_job *job, int64_t j) {
    if (job->around == SHIFTED_ROWS)
        byte_means_down(U, n, job, j);
    else
        byte_means_anywhere(U, n, job, j);
}

/* Whether the means were such, of rows of at least a vector. */
INLINE int by_byte_means(const shifted_job *given) {
    const int64_t width = given->width, units = BYTE_UNITS * VEC_BYTES;
    if (given->count < 2 || given->count > BYTE_MEANS || width < VEC_BYTES) return 0;
    const shifted_job job = *given; /* which no store can change */
    const reciprocal n = reciprocal_of((int32_t)job.count);
    int64_t j = 0;
    for (; j + units <= width; j += units)
        byte_means_from(BYTE_UNITS, n, &job, j);
    for (; j < width; j += VEC_BYTES) /* some of them once more */
        byte_means_from(1, n, &job, j + VEC_BYTES <= width ? j : width - VEC_BYTES);
    return 1;
}
