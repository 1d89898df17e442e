/* vec.h -- the vector vocabulary of one (tier, dtype): everything a template may say.
 *
 * The tier's header (isa/) gives VEC_BYTES and may give STREAM; the compiler's vector types do the
 * rest. VL is the number of elements of a vec; loads and stores need no alignment, stream() needs
 * VEC_BYTES.
 */
#include <stdint.h>
#include <string.h>

#include "dtypes.h"

#define CAT_(a, b)                a##b
#define CAT(a, b)                 CAT_(a, b)
#define NAME__(stem, dtype, tier) stem##_##dtype##__##tier
#define NAME_(stem, dtype, tier)  NAME__(stem, dtype, tier)
/* The address of a kernel: op_dtype__isa. */
#define NAME(stem)         NAME_(pyconvc_##stem, PYCONVC_DTYPE, PYCONVC_TIER)
#define TIER_HEADER_(name) #name
#define TIER_HEADER(tier)  TIER_HEADER_(tier.h)
#include TIER_HEADER(PYCONVC_TIER)

#define INLINE        static inline __attribute__((always_inline))
#define PRAGMA_(text) _Pragma(#text)
#ifdef __clang__
#    define UNROLL(n) PRAGMA_(clang loop unroll(full))
#else
#    define UNROLL(n) PRAGMA_(GCC unroll n)
#endif

typedef CAT(ELEM_, PYCONVC_DTYPE) elem;
#define PARTS   CAT(PARTS_, PYCONVC_DTYPE)
#define LOGICAL CAT(LOGICAL_, PYCONVC_DTYPE)
#define REAL    CAT(REAL_, PYCONVC_DTYPE)

#if VEC_BYTES == 0 && PARTS == 1
#    define VL 1
typedef elem vec;
INLINE vec set1(elem a) {
    return a;
}
#else
#    if VEC_BYTES == 0 /* one complex sample */
#        define VL 2
#    else
#        define VL ((int)(VEC_BYTES / sizeof(elem)))
#    endif
typedef elem vec __attribute__((vector_size(VL * sizeof(elem)), may_alias));
INLINE vec set1(elem a) {
    return a - (vec){0};
} /* a + 0 would turn -0 into +0, and cost an add */
#endif

/* A vec anywhere in memory. GCC may take a memcpy of one through the stack. */
typedef vec vec_in_memory __attribute__((aligned(1), may_alias));

INLINE vec load(const elem *p) {
    return *(const vec_in_memory *)p;
}

INLINE void store(elem *p, vec v) {
    *(vec_in_memory *)p = v;
}

/* v in a register: a compiler may load or broadcast it again for each use, where loads are scarcer
 * than registers. */
INLINE vec held(vec v) {
#if VEC_BYTES && defined(__x86_64__)
    __asm__("" : "+v"(v));
#elif VEC_BYTES && defined(__aarch64__)
    __asm__("" : "+w"(v));
#endif
    return v;
}

/* A store that does not read the line into the cache first. Worth its while only for vectors of a
 * whole cache line: parts of one are written to memory apart. Builtins: the intrinsics' headers
 * would be a quarter of the time that a kernel takes to compile. */
#ifdef STREAM
#    define STREAMS 1
#else
#    define STREAMS 0
#endif
INLINE void stream(elem *p, vec v) {
#if STREAMS && defined(__clang__)
    __builtin_nontemporal_store(v, (vec *)p);
#elif STREAMS
    typedef long long words __attribute__((vector_size(sizeof(vec)), may_alias));
    STREAM((words *)p, (words)v);
#else
    store(p, v);
#endif
}

/* As many bytes as a vector has, or less; no loop, which a compiler would make a call. */
INLINE void copy_bytes(void *to, const void *from, int64_t bytes) {
    char *a = (char *)to;
    const char *b = (const char *)from;
#define COPY(size)                                                                                 \
    if ((int)sizeof(vec) >= size && bytes >= size)                                                 \
    memcpy(a, b, size), a += size, b += size, bytes -= size
    COPY(64);
    COPY(32);
    COPY(16);
    COPY(8);
    COPY(4);
    COPY(2);
    COPY(1);
#undef COPY
}

/* The first n elements only: functions, for these are seldom called, from many places. */
#define SELDOM static __attribute__((noinline, unused))
SELDOM void store_part(elem *p, vec v, int64_t n) {
    copy_bytes(p, &v, n * (int64_t)sizeof(elem));
}

SELDOM vec load_part(const elem *p, int64_t n) {
    vec v = {0};
    copy_bytes(&v, p, n * (int64_t)sizeof(elem));
    return v;
}

/* acc + w * x; bool has OR of ANDs. No processor multiplies vectors of bytes: products of pairs,
 * with the even bytes from the low half and the odd ones in the high half. */
INLINE vec madd(vec acc, vec w, vec x) {
#if LOGICAL
    return acc | (w & x);
#else
#    if VEC_BYTES > 0
    if (sizeof(elem) == 1) {
        typedef uint16_t pairs __attribute__((vector_size(sizeof(vec)), may_alias));
        const pairs even = (pairs)w * (pairs)x & 0xff, odd = ((pairs)w >> 8) * ((pairs)x & 0xff00);
        return acc + (vec)(even | odd);
    }
#    endif
    return acc + w * x;
#endif
}

/* Complex product with a tap (wr, wi) as two real sums over (re, im) pairs: with R = sum wr * x and
 * I = sum wi * x, the result is R + i * I: even elements R - I of the odd neighbour, odd ones R + I
 * of the even one. */
#if PARTS == 2
INLINE vec join(vec r, vec i) {
    elem a[VL], b[VL];
    store(a, i);
    for (int j = 0; j < VL; j += 2) {
        b[j] = -a[j + 1];
        b[j + 1] = a[j];
    }
    return r + load(b);
}
#endif
