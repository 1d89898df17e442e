/* bytes.h -- sums of pairs of bytes in fixed point (weights: factored_weights in chain_types.h),
 * for tiers that multiply and add neighbouring bytes, and neighbouring 16-bit words.
 *
 * Samples of a pair are put side by side: a product with the first factor of its weight and the
 * sum of both are one operation. So are, on the 16-bit sums of two pairs, the products with their
 * second factors and the sum of these. The centre is a pair of its own, with half its weight.
 *
 * The error is that of the weights times the samples. In smooth places sums are near whole numbers,
 * but there it is smaller too: weights have the sum that they should have, so that only differences
 * of samples from the centre count.
 */
typedef char chars __attribute__((vector_size(VEC_BYTES), may_alias));
typedef chars chars_in_memory __attribute__((aligned(1)));
typedef unsigned char bytes __attribute__((vector_size(VEC_BYTES), may_alias)); /* these may wrap */
typedef int64_t longs __attribute__((vector_size(VEC_BYTES), may_alias));
typedef int16_t shorts __attribute__((vector_size(VEC_BYTES), may_alias));

#define BYTE_SUMS 4 /* vectors of 32-bit sums for one of bytes */

typedef struct {
    shorts low, high;
} byte_pairs;

INLINE chars load_bytes(const void *from, int64_t at) {
    return *(const chars_in_memory *)((const char *)from + at);
}

INLINE byte_pairs pair_up(const shifted_job *job, int64_t i, int64_t at) {
    const chars a = load_bytes(job->from[i ? 2 * i - 1 : 0], at);
    const chars b = load_bytes(job->from[2 * i], at);
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

/* Sums as whole bytes and what is left in fixed point, as far as it fits into 15 bits. */
typedef struct {
    chars whole;
    shorts rest[2];
} parted;

INLINE parted part(const words *sum) {
    const int32_t below = (1 << FACTORED_BITS) - 1;
    words whole[BYTE_SUMS], rest[BYTE_SUMS];
    UNROLL(4)
    for (int v = 0; v < BYTE_SUMS; v++) {
        whole[v] = sum[v] >> FACTORED_BITS;
        rest[v] = sum[v] & below;
    }
    return (parted){PACK_BYTES(PACK_WORDS(whole[0], whole[1]), PACK_WORDS(whole[2], whole[3])),
                    {(shorts)PACK_WORDS(rest[0], rest[1]), (shorts)PACK_WORDS(rest[2], rest[3])}};
}

/* Where less is left than a limit, which is there twice. */
INLINE chars rest_below(const parted *p, int32_t limit) {
    const shorts most = (shorts)(limit - (words){0});
    return PACK_MASKS(p->rest[0] < most, p->rest[1] < most);
}

/* How pairs lie around their centre: whether all add up to twice that, or differ by little. */
typedef struct {
    chars level, near;
} nearness;

INLINE nearness near_centre(const int P, const shifted_job *job, int64_t at) {
    const int64_t pairs = P ? P : job->count;
    const chars centre = load_bytes(job->from[0], at);
    const chars reach = (chars)(job->factored->reach - (words){0});
    chars most = centre, least = centre, odd = {0};
    UNROLL(4)
    for (int64_t i = 1; i < pairs; i++) {
        const chars a = load_bytes(job->from[2 * i - 1], at), b = load_bytes(job->from[2 * i], at);
        const chars mean = MEAN_BYTES(a, b);
        most = MOST_BYTES(most, mean);
        least = LEAST_BYTES(least, mean);
        odd |= a ^ b;
    }
    const bytes above = (bytes)most - (bytes)centre, below = (bytes)centre - (bytes)least;
    const chars beside = MOST_BYTES((chars)above, (chars)below);
    return (nearness){(beside | (odd & 1)) == 0, MOST_BYTES(beside, reach) == reach};
}

/* Minus one for each byte whose bit of the table `less` is set. */
INLINE chars less_for(const factored_weights *w, chars level) {
    const chars bits = (chars)(0x8040201008040201 - (longs){0});
    const chars place = (chars)((shorts)level >> 3) & 15, bit = LOOK_UP(bits, level & 7);
    const chars low = LOOK_UP(load_bytes(w->less[0], 0), place);
    const chars high = LOOK_UP(load_bytes(w->less[1], 0), place);
    return (CHOOSE(level, high, low) & bit) == bit;
}

/* What is in doubt, looked at more closely; returns where it still is. */
INLINE chars settle_doubt(const int P, const shifted_job *job, int64_t at, const parted *p,
                          chars doubt, chars *y) {
    const factored_weights *w = job->factored;
    const nearness n = near_centre(P, job, at);
    const chars less = rest_below(p, w->less_below) & doubt & n.near;
    const chars sure = less | (n.near & ~rest_below(p, w->sure_from));
    *y = p->whole + CHOOSE(n.level, less_for(w, load_bytes(job->from[0], at)), less);
    return doubt & ~sure & ~n.level;
}

/* P pairs, the centre among them; P is a constant, 0 for any number. */
INLINE void add_pairs(const int P, const shifted_job *job, int64_t at, words *sum) {
    const int32_t *second = job->factored->second;
    const int64_t pairs = P ? P : job->count, twos = pairs / 2;
    UNROLL(4)
    for (int64_t i = 0; i < twos; i++)
        add_two(pair_up(job, 2 * i, at), pair_up(job, 2 * i + 1, at), second[i], sum);
    if (pairs % 2) add_two(pair_up(job, 2 * twos, at), (byte_pairs){0}, second[twos], sum);
}

/* VEC_BYTES sums; a bit for each that may not be the one in double. Those between zero and one are
 * stored as zero from whichever side that is met. */
INLINE uint32_t guess_bytes(const int P, const shifted_job *job, int64_t at, uint8_t *y) {
    const factored_weights *w = job->factored;
    words sum[BYTE_SUMS];
    UNROLL(4)
    for (int v = 0; v < BYTE_SUMS; v++)
        sum[v] = w->above - (words){0};
    add_pairs(P, job, at, sum);
    parted p = part(sum);
    chars doubt = rest_below(&p, w->doubt) & (p.whole != 0);
    if (MASK_OF(doubt)) doubt = settle_doubt(P, job, at, &p, doubt, &p.whole);
    *(chars_in_memory *)y = p.whole;
    return MASK_OF(doubt);
}
