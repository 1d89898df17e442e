/* avx2_convert.h -- vectors of doubles, or 32-bit words, from and to those of narrower samples, for
 * tiers with 32-byte vectors.
 *
 * GCC's vector types take these conversions apart and put them together again. */
#ifndef __clang__
typedef char bytes_16 __attribute__((vector_size(16)));
typedef short shorts_16 __attribute__((vector_size(16), may_alias, aligned(1)));
typedef float floats_16 __attribute__((vector_size(16), may_alias, aligned(1)));
typedef float floats_32 __attribute__((vector_size(32)));
typedef int words_16 __attribute__((vector_size(16)));
typedef long long pair_16 __attribute__((vector_size(16)));
typedef long long eight_bytes __attribute__((may_alias, aligned(1)));

#    define EIGHT_BYTES(p)  ((bytes_16)(pair_16){*(const eight_bytes *)(p), 0})
#    define WORDS_AT_i8(p)  __builtin_ia32_pmovsxbd256(EIGHT_BYTES(p))
#    define WORDS_AT_u8(p)  __builtin_ia32_pmovzxbd256(EIGHT_BYTES(p))
#    define WORDS_AT_i16(p) __builtin_ia32_pmovsxwd256(*(const shorts_16 *)(p))
#    define WORDS_AT_u16(p) __builtin_ia32_pmovzxwd256(*(const shorts_16 *)(p))

/* The lower bits of the words of two halves. */
#    define PACK(h, mask)                                                                          \
        __builtin_ia32_packusdw128((words_16)h[0] & (mask), (words_16)h[1] & (mask))
#    define PACK_TWICE(h)   __builtin_ia32_packuswb128(PACK(h, 0xff), PACK(h, 0xff))
#    define PUT_u8(h, p)    (*(eight_bytes *)(p) = ((pair_16)PACK_TWICE(h))[0])
#    define PUT_u16(h, p)   (*(shorts_16 *)(p) = PACK(h, 0xffff))
#    define PUT_i8          PUT_u8
#    define PUT_i16         PUT_u16

#    define FUSED(a, b, c)  __builtin_ia32_vfmaddps256(a, b, c)
#    define ANY(words)      __builtin_ia32_movmskps256((floats_32)(words))
#    define REALS_AT_f32(p) __builtin_ia32_cvtps2pd256(*(const floats_16 *)(p))
#    define REALS_OF(half)  __builtin_ia32_cvtdq2pd256((words_16)(half))
#    define CUT_OFF(reals)  __builtin_ia32_cvttpd2dq256(reals)
#endif
