/* fpmode.h -- the thread's floating-point control word: subnormal numbers as they are, or as zero.
 */
#ifndef PYCONVC_FPMODE_H
#define PYCONVC_FPMODE_H

#if defined(__x86_64__)
#    include <xmmintrin.h>
typedef unsigned fpmode;
#    define FLUSH_TO_ZERO      0x8000u
#    define DENORMALS_ARE_ZERO 0x0040u
static inline fpmode fpmode_get(void) {
    return _mm_getcsr();
}
static inline void fpmode_set(fpmode mode) {
    _mm_setcsr(mode);
}
#    define FLUSH_BITS (FLUSH_TO_ZERO | DENORMALS_ARE_ZERO)
#elif defined(__aarch64__)
typedef unsigned long fpmode;
#    define FLUSH_BITS (1ul << 24)
static inline fpmode fpmode_get(void) {
    fpmode mode;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
static inline void fpmode_set(fpmode mode) {
    __asm__ __volatile__("msr fpcr, %0" ::"r"(mode));
}
#else
typedef int fpmode;
#    define FLUSH_BITS 0
static inline fpmode fpmode_get(void) {
    return 0;
}
static inline void fpmode_set(fpmode mode) {
    (void)mode;
}
#endif

/* Sets flushing; returns the mode before, to be given to fpmode_set. */
static inline fpmode fpmode_flush(void) {
    const fpmode before = fpmode_get();
    fpmode_set(before | FLUSH_BITS);
    return before;
}

#endif
