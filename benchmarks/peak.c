/* The rate of fused multiply-adds that a core can reach: as many sums side by side as hide their
 * latency, nothing loaded or stored. Returns a value that depends on all of them. */

#if defined(__AVX512F__)
#    define BYTES 64
#elif defined(__AVX__)
#    define BYTES 32
#else
#    define BYTES 16
#endif
#define SUMS 12

#define PEAK(NAME, T)                                                                              \
    double NAME(long rounds, T factor, T term) {                                                   \
        typedef T vector __attribute__((vector_size(BYTES)));                                      \
        vector sum[SUMS], by = (vector){0} + factor, add = (vector){0} + term;                     \
        for (int i = 0; i < SUMS; i++)                                                             \
            sum[i] = (vector){0} + (T)i;                                                           \
        while (rounds--) {                                                                         \
            _Pragma("GCC unroll 12") for (int i = 0; i < SUMS; i++) sum[i] = sum[i] * by + add;    \
        }                                                                                          \
        double all = 0;                                                                            \
        for (int i = 0; i < SUMS; i++)                                                             \
            all += sum[i][0];                                                                      \
        return all;                                                                                \
    }

PEAK(peak_float32, float)
PEAK(peak_float64, double)

int flops_float32(void) {
    return 2 * SUMS * BYTES / (int)sizeof(float);
}
int flops_float64(void) {
    return 2 * SUMS * BYTES / (int)sizeof(double);
}
