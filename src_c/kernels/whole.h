/* whole.h -- sums with whole weights of samples of 8 or 16 bits: their lower bits, which those of
 * samples and weights decide. So they are computed as they are stored, a vector of samples at once.
 */
#define WHOLE_RUN 4 /* vectors in registers */

#if VEC_BYTES == 0
#    define WHOLE_LANES(bits) 1
#    define WHOLE_VECTOR(bits)                                                                     \
        typedef uint##bits##_t whole_##bits __attribute__((may_alias));                            \
        typedef whole_##bits whole_##bits##_in_memory;
#else
#    define WHOLE_LANES(bits) (VEC_BYTES * 8 / (bits))
#    define WHOLE_VECTOR(bits)                                                                     \
        typedef uint##bits##_t whole_##bits __attribute__((vector_size(VEC_BYTES), may_alias));    \
        typedef whole_##bits whole_##bits##_in_memory __attribute__((aligned(1)));
#endif

/* G vectors of a row, the last of which has `last` samples; k and G are constants at every call.
 * Few weights are neither 0 nor 1, -1 or 2, and bytes are not multiplied by themselves. */
#define WHOLE_SUMS(bits)                                                                           \
    WHOLE_VECTOR(bits)                                                                             \
    INLINE whole_##bits whole_at_##bits(const shifted_job *job, int64_t i, int64_t at) {           \
        return *(const whole_##bits##_in_memory *)((const uint##bits##_t *)job->from[i] + at);     \
    }                                                                                              \
    INLINE whole_##bits whole_term_##bits(const kind k, const shifted_job *job, int64_t i,         \
                                          int64_t at) {                                            \
        if (k == TERMS || i == 0) return whole_at_##bits(job, i, at);                              \
        const whole_##bits a = whole_at_##bits(job, 2 * i - 1, at);                                \
        const whole_##bits b = whole_at_##bits(job, 2 * i, at);                                    \
        return k == PAIRS ? a + b : a - b;                                                         \
    }                                                                                              \
    INLINE void whole_run_##bits(const kind k, const int G, const shifted_job *job, int64_t from,  \
                                 uint##bits##_t *y, int64_t last) {                                \
        const int lanes = WHOLE_LANES(bits);                                                       \
        whole_##bits sum[WHOLE_RUN] = {0};                                                         \
        for (int64_t i = 0; i < job->count; i++) {                                                 \
            const int32_t w = job->whole[i];                                                       \
            whole_##bits x[WHOLE_RUN];                                                             \
            if (!w) continue;                                                                      \
            UNROLL(4)                                                                              \
            for (int g = 0; g < G; g++)                                                            \
                x[g] = whole_term_##bits(k, job, i, from + g * lanes);                             \
            if (w == 2) {                                                                          \
                UNROLL(4)                                                                          \
                for (int g = 0; g < G; g++)                                                        \
                    x[g] += x[g];                                                                  \
            } else if (w != 1 && w != -1) {                                                        \
                UNROLL(4)                                                                          \
                for (int g = 0; g < G; g++)                                                        \
                    x[g] *= (uint##bits##_t)w;                                                     \
            }                                                                                      \
            UNROLL(4)                                                                              \
            for (int g = 0; g < G; g++)                                                            \
                sum[g] = w == -1 ? sum[g] - x[g] : sum[g] + x[g];                                  \
        }                                                                                          \
        UNROLL(4)                                                                                  \
        for (int g = 0; g < G - 1; g++)                                                            \
            *(whole_##bits##_in_memory *)(y + g * lanes) = sum[g];                                 \
        memcpy(y + (G - 1) * lanes, &sum[G - 1], (size_t)last * sizeof *y);                        \
    }                                                                                              \
    INLINE void whole_rows_##bits(const kind k, const shifted_job *job) {                          \
        const int64_t lanes = WHOLE_LANES(bits), n = job->width;                                   \
        for (int64_t r = 0; r < job->height; r++) {                                                \
            const int64_t from = r * job->pitch;                                                   \
            uint##bits##_t *y = (uint##bits##_t *)job->y + r * job->y_pitch;                       \
            int64_t j = 0;                                                                         \
            for (; j + WHOLE_RUN * lanes <= n; j += WHOLE_RUN * lanes)                             \
                whole_run_##bits(k, WHOLE_RUN, job, from + j, y + j, lanes);                       \
            for (; j + lanes <= n; j += lanes)                                                     \
                whole_run_##bits(k, 1, job, from + j, y + j, lanes);                               \
            if (j < n) whole_run_##bits(k, 1, job, from + j, y + j, n - j);                        \
        }                                                                                          \
    }
WHOLE_SUMS(8)
WHOLE_SUMS(16)
#undef WHOLE_SUMS

/* Whether the weights are such; in a copy, which no store can change. */
INLINE int by_whole(const pyconvc_sample type, const kind k, const shifted_job *job) {
    if (k == QUOTIENT || !job->whole) return 0;
    const shifted_job copy = *job;
    if (type == SAMPLE_i8 || type == SAMPLE_u8)
        whole_rows_8(k, &copy);
    else
        whole_rows_16(k, &copy);
    return 1;
}

/* Bytes to samples of 16 bits. */
#if VEC_BYTES == 0
#    define WIDE_BYTES(name, type)                                                                 \
        typedef type name##_bytes;                                                                 \
        typedef int16_t name##_shorts;
#else
#    define WIDE_BYTES(name, type)                                                                 \
        typedef type name##_bytes                                                                  \
            __attribute__((vector_size(VEC_BYTES / 2), may_alias, aligned(1)));                    \
        typedef int16_t name##_shorts                                                              \
            __attribute__((vector_size(VEC_BYTES), may_alias, aligned(1)));
#endif
#define WIDEN(name, type)                                                                          \
    WIDE_BYTES(name, type)                                                                         \
    static void widen_##name(const void *from, int64_t n, void *to) {                              \
        const type *s = from;                                                                      \
        int16_t *d = to;                                                                           \
        int64_t j = 0;                                                                             \
        for (; j + WHOLE_LANES(16) <= n; j += WHOLE_LANES(16))                                     \
            *(name##_shorts *)(d + j) = CONVERT(*(const name##_bytes *)(s + j), name##_shorts);    \
        for (; j < n; j++)                                                                         \
            d[j] = s[j];                                                                           \
    }
WIDEN(i8, int8_t)
WIDEN(u8, uint8_t)
#undef WIDEN
