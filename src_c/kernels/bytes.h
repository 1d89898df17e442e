/* bytes.h -- sums of pairs of bytes in fixed point (weights: factored_weights in chain_types.h),
 * for tiers that multiply and add neighbouring bytes, and neighbouring 16-bit words.
 *
 * Samples of a pair are put side by side: a product with the first factor of its weight and the
 * sum of both are one operation. So are, on the 16-bit sums of two pairs, the products with their
 * second factors and the sum of these. The centre is a pair of its own, with half its weight.
 */
typedef char chars __attribute__((vector_size(VEC_BYTES), may_alias));
typedef chars chars_in_memory __attribute__((aligned(1)));
typedef int16_t shorts __attribute__((vector_size(VEC_BYTES), may_alias));

#define BYTE_SUMS 4 /* vectors of 32-bit sums for one of bytes */

typedef struct {
    shorts low, high;
} byte_pairs;

INLINE byte_pairs pair_up(const shifted_job *job, int64_t i, int64_t at) {
    const chars a = *(const chars_in_memory *)((const char *)job->from[i ? 2 * i - 1 : 0] + at);
    const chars b = *(const chars_in_memory *)((const char *)job->from[2 * i] + at);
    const chars factor = (chars)(job->factored->first[i] - (words){0});
    return (byte_pairs){MADD_BYTES(LOW_BYTES(a, b), factor), MADD_BYTES(HIGH_BYTES(a, b), factor)};
}

INLINE void add_two(byte_pairs p, byte_pairs q, int32_t factors, words *sum) {
    const shorts factor = (shorts)(factors - (words){0});
    sum[0] += (words)MADD_WORDS(LOW_WORDS(p.low, q.low), factor);
    sum[1] += (words)MADD_WORDS(HIGH_WORDS(p.low, q.low), factor);
    sum[2] += (words)MADD_WORDS(LOW_WORDS(p.high, q.high), factor);
    sum[3] += (words)MADD_WORDS(HIGH_WORDS(p.high, q.high), factor);
}

/* VEC_BYTES sums; whether they are known to be those in double. Between zero and one they are,
 * from whichever side zero is met. */
INLINE int guess_bytes(const shifted_job *job, int64_t at, uint8_t *y) {
    const factored_weights *w = job->factored;
    const int32_t below = (1 << FACTORED_BITS) - 1;
    const int64_t twos = job->count / 2;
    words sum[BYTE_SUMS], cut[BYTE_SUMS], least = below - (words){0};
    UNROLL(4)
    for (int v = 0; v < BYTE_SUMS; v++)
        sum[v] = w->above - (words){0};
    for (int64_t i = 0; i < twos; i++)
        add_two(pair_up(job, 2 * i, at), pair_up(job, 2 * i + 1, at), w->second[i], sum);
    if (job->count % 2) add_two(pair_up(job, 2 * twos, at), (byte_pairs){0}, w->second[twos], sum);
    UNROLL(4)
    for (int v = 0; v < BYTE_SUMS; v++) {
        const words near = sum[v] & below;
        least = LEAST_WORDS(least, near);
        cut[v] = sum[v] >> FACTORED_BITS;
    }
    *(chars_in_memory *)y = PACK_BYTES(PACK_WORDS(cut[0], cut[1]), PACK_WORDS(cut[2], cut[3]));
    if (!ANY(least < w->doubt)) return 1;
    words doubtful = {0};
    UNROLL(4)
    for (int v = 0; v < BYTE_SUMS; v++)
        doubtful |= ((sum[v] & below) < w->doubt) & (sum[v] > below);
    return !ANY(doubtful);
}
