/* avx2_bytes.h -- what sums of bytes in fixed point are made of (kernels/bytes.h), for tiers with
 * 32-byte vectors.
 *
 * Low and high are those of each 16 bytes, which packing puts together again. */
#ifndef __clang__
#    define MADD_BYTES(bytes, factors) __builtin_ia32_pmaddubsw256(bytes, factors)
#    define MADD_WORDS(pairs, factors) __builtin_ia32_pmaddwd256(pairs, factors)
#    define MULTIPLY_HIGH(a, b)                                                                    \
        ((byte_words)__builtin_ia32_pmulhuw256((shorts)(a), (shorts)(b))) /* of words */
#    define LOW_BYTES(a, b)        __builtin_ia32_punpcklbw256(a, b)
#    define HIGH_BYTES(a, b)       __builtin_ia32_punpckhbw256(a, b)
#    define LOW_WORDS(a, b)        __builtin_ia32_punpcklwd256(a, b)
#    define HIGH_WORDS(a, b)       __builtin_ia32_punpckhwd256(a, b)
#    define PACK_WORDS(low, high)  __builtin_ia32_packssdw256(low, high)
#    define PACK_BYTES(low, high)  __builtin_ia32_packuswb256(low, high)
#    define PACK_MASKS(low, high)  __builtin_ia32_packsswb256(low, high)
#    define MASK_OF(bytes)         ((uint32_t)__builtin_ia32_pmovmskb256(bytes))
#    define MEAN_BYTES(a, b)       __builtin_ia32_pavgb256(a, b) /* rounded up */
#    define LEAST_BYTES(a, b)      __builtin_ia32_pminub256(a, b)
#    define MOST_BYTES(a, b)       __builtin_ia32_pmaxub256(a, b)
#    define LOOK_UP(table, places) __builtin_ia32_pshufb256(table, places)
#    define CHOOSE(mask, a, b)     __builtin_ia32_pblendvb256(b, a, mask)
#endif
