/* SPDX-License-Identifier: BSD-3-Clause
 *
 * fourier.c -- the steps of convolution by Fourier transforms (contracts: fourier_types.h).
 *
 * Transforms work in place, by decimation in frequency on the way there and in time on the way back
 * (Gentleman & Sande 1966; Cooley & Tukey 1965), so that no pass puts frequencies in order. Lanes are
 * columns next to each other, or lines, which are transposed for it as they are read.
 */
#include "fourier_types.h"
#include "kernel_types.h"
#include "vec.h"

#define MOST_RADIX 5

typedef struct {
    vec re, im;
} complex_vec;

INLINE complex_vec times(complex_vec a, vec re, vec im) {
    return (complex_vec){a.re * re - a.im * im, a.re * im + a.im * re};
}

/* a times the conjugate */
INLINE complex_vec over(complex_vec a, vec re, vec im) {
    return (complex_vec){a.re * re + a.im * im, a.im * re - a.re * im};
}

INLINE complex_vec sum(complex_vec a, complex_vec b) {
    return (complex_vec){a.re + b.re, a.im + b.im};
}

INLINE complex_vec difference(complex_vec a, complex_vec b) {
    return (complex_vec){a.re - b.re, a.im - b.im};
}

/* to[0], to[1] = a - i b, a + i b */
INLINE void across(complex_vec a, complex_vec b, complex_vec *minus, complex_vec *plus) {
    *minus = (complex_vec){a.re + b.im, a.im - b.re};
    *plus = (complex_vec){a.re - b.im, a.im + b.re};
}

/* y[q] = sum_j x[j] exp(-2 pi i j q / radix) */
INLINE void small(const int radix, const complex_vec *x, complex_vec *y) {
    if (radix == 2) {
        y[0] = sum(x[0], x[1]);
        y[1] = difference(x[0], x[1]);
    }
    if (radix == 3) {
        const vec half = set1((elem).5), sine = set1((elem)0.86602540378443864676);
        const complex_vec t = sum(x[1], x[2]), d = difference(x[1], x[2]);
        y[0] = sum(x[0], t);
        across((complex_vec){x[0].re - half * t.re, x[0].im - half * t.im},
               (complex_vec){sine * d.re, sine * d.im}, &y[1], &y[2]);
    }
    if (radix == 4) {
        const complex_vec even = sum(x[0], x[2]), odd = sum(x[1], x[3]);
        y[0] = sum(even, odd);
        y[2] = difference(even, odd);
        across(difference(x[0], x[2]), difference(x[1], x[3]), &y[1], &y[3]);
    }
    if (radix == 5) {
        const vec c1 = set1((elem)0.30901699437494742410), c2 = set1((elem)-0.80901699437494742410);
        const vec s1 = set1((elem)0.95105651629515357212), s2 = set1((elem)0.58778525229247312917);
        const complex_vec t1 = sum(x[1], x[4]), t2 = sum(x[2], x[3]);
        const complex_vec d1 = difference(x[1], x[4]), d2 = difference(x[2], x[3]);
        y[0] = sum(x[0], sum(t1, t2));
        across((complex_vec){x[0].re + c1 * t1.re + c2 * t2.re, x[0].im + c1 * t1.im + c2 * t2.im},
               (complex_vec){s1 * d1.re + s2 * d2.re, s1 * d1.im + s2 * d2.im}, &y[1], &y[4]);
        across((complex_vec){x[0].re + c2 * t1.re + c1 * t2.re, x[0].im + c2 * t1.im + c1 * t2.im},
               (complex_vec){s2 * d1.re - s1 * d2.re, s2 * d1.im - s1 * d2.im}, &y[2], &y[3]);
    }
}

/* One small transform of samples `step` apart, imaginary parts `im` behind the real ones; outputs
 * are multiplied with the twiddle factors w, on the way back inputs with their conjugates. The
 * inverse has the outputs of the transform in the opposite order. */
INLINE void butterfly(const int radix, const int inverse, const elem *w, elem *at, int64_t step,
                      int64_t im) {
    complex_vec x[MOST_RADIX], y[MOST_RADIX];
    UNROLL(5)
    for (int j = 0; j < radix; j++)
        x[j] = (complex_vec){load(at + j * step), load(at + j * step + im)};
    if (inverse && w) {
        UNROLL(5)
        for (int j = 1; j < radix; j++)
            x[j] = over(x[j], set1(w[2 * j - 2]), set1(w[2 * j - 1]));
    }
    small(radix, x, y);
    UNROLL(5)
    for (int q = 0; q < radix; q++) {
        complex_vec to = y[inverse ? (radix - q) % radix : q];
        if (!inverse && w && q) to = times(to, set1(w[2 * q - 2]), set1(w[2 * q - 1]));
        store(at + q * step, to.re);
        store(at + q * step + im, to.im);
    }
}

/* One pass over `count` vectors beside each other of samples `step` apart. */
INLINE void pass_of(const int radix, const int inverse, const fourier_axis *axis, int64_t block,
                    const elem *w, elem *at, int64_t step, int64_t im, int64_t count) {
    const int64_t part = block / radix;
    for (int64_t b = 0; b < axis->length; b += block)
        for (int64_t v = 0; v < count; v++)
            butterfly(radix, inverse, NULL, at + b * step + v * VL, part * step, im);
    for (int64_t k = 1; k < part; k++) {
        const elem *factors = w + 2 * k * (radix - 1);
        for (int64_t b = k; b < axis->length; b += block)
            for (int64_t v = 0; v < count; v++)
                butterfly(radix, inverse, factors, at + b * step + v * VL, part * step, im);
    }
}

#define PASS(inverse)                                                                              \
    if (radix == 2) pass_of(2, inverse, axis, block, w, at, step, im, count);                      \
    if (radix == 3) pass_of(3, inverse, axis, block, w, at, step, im, count);                      \
    if (radix == 4) pass_of(4, inverse, axis, block, w, at, step, im, count);                      \
    if (radix == 5) pass_of(5, inverse, axis, block, w, at, step, im, count);

static void forward(const fourier_axis *axis, elem *at, int64_t step, int64_t im, int64_t count) {
    const elem *w = axis->twiddles;
    int64_t block = axis->length;
    for (const int32_t *r = axis->radices; *r; r++) {
        const int radix = *r;
        PASS(0)
        block /= radix;
        w += 2 * block * (radix - 1);
    }
}

static void inverse(const fourier_axis *axis, elem *at, int64_t step, int64_t im, int64_t count) {
    const elem *w = axis->twiddles;
    int64_t block = axis->length;
    int passes = 0;
    for (; axis->radices[passes]; passes++) {
        const int radix = axis->radices[passes];
        block /= radix;
        w += 2 * block * (radix - 1);
    }
    while (passes--) {
        const int radix = axis->radices[passes];
        w -= 2 * block * (radix - 1);
        block *= radix;
        PASS(1)
    }
}

/* ---- columns */

#define LINE_VECS (64 / (int)sizeof(vec) > 0 ? 64 / (int)sizeof(vec) : 1) /* of a cache line */

static void columns(const fourier_shape *shape, void *tile, int64_t first, int64_t count,
                    int back) {
    const int64_t im = shape->columns.length, width = LINE_VECS * VL;
    for (int64_t c = first; c < first + count; c += width) {
        const int64_t left = first + count - c, vectors = (left < width ? left : width) / VL;
        if (back)
            inverse(&shape->rows, (elem *)tile + c, shape->pitch, im, vectors);
        else
            forward(&shape->rows, (elem *)tile + c, shape->pitch, im, vectors);
    }
}

/* ---- rows */

/* The elements of VL vectors as a matrix, transposed: for d = VL / 2 .. 1, blocks of d x d elements
 * beside the diagonal change places. */
#define BYTES_f32 4
#define BYTES_f64 8
#define INDEX_f32 int32_t
#define INDEX_f64 int64_t
#if VEC_BYTES == 0
INLINE void transpose(vec *v) {
    (void)v;
}
#else
#    define LIST2(f, e, d)  f(e, d), f(e + 1, d)
#    define LIST4(f, e, d)  LIST2(f, e, d), LIST2(f, e + 2, d)
#    define LIST8(f, e, d)  LIST4(f, e, d), LIST4(f, e + 4, d)
#    define LIST16(f, e, d) LIST8(f, e, d), LIST8(f, e + 8, d)
#    if VEC_BYTES / CAT(BYTES_, PYCONVC_DTYPE) == 2
#        define LIST LIST2
#    elif VEC_BYTES / CAT(BYTES_, PYCONVC_DTYPE) == 4
#        define LIST LIST4
#    elif VEC_BYTES / CAT(BYTES_, PYCONVC_DTYPE) == 8
#        define LIST LIST8
#    else
#        define LIST LIST16
#    endif
#    define UPPER(e, d) ((e) & (d) ? VL + (e) - (d) : (e))
#    define LOWER(e, d) ((e) & (d) ? VL + (e) : ((e) + (d)) % VL)
#    ifdef __clang__
#        define PICK(a, b, f, d) __builtin_shufflevector(a, b, LIST(f, 0, d))
#    else
typedef CAT(INDEX_, PYCONVC_DTYPE) places __attribute__((vector_size(sizeof(vec))));
#        define PICK(a, b, f, d) __builtin_shuffle(a, b, (places){LIST(f, 0, d)})
#    endif
#    define EXCHANGE(d)                                                                            \
        if (VL > (d)) {                                                                            \
            UNROLL(16)                                                                             \
            for (int i = 0; i < VL; i++)                                                           \
                if (!(i & (d))) {                                                                  \
                    const vec upper = v[i], lower = v[i + (d)];                                    \
                    v[i] = PICK(upper, lower, UPPER, d);                                           \
                    v[i + (d)] = PICK(upper, lower, LOWER, d);                                     \
                }                                                                                  \
        }
INLINE void transpose(vec *v) {
    EXCHANGE(8)
    EXCHANGE(4)
    EXCHANGE(2)
    EXCHANGE(1)
}
#endif

/* Lines of the tile, times the slant, become lanes. */
INLINE void turn_in(const fourier_shape *shape, const elem *line, const elem *slant, elem *to) {
    const int64_t n = shape->columns.length;
    for (int64_t c = 0; c < n; c += VL) {
        vec re[VL], im[VL];
        UNROLL(16)
        for (int i = 0; i < VL; i++) {
            complex_vec a = {load(line + i * shape->pitch + c),
                             load(line + i * shape->pitch + n + c)};
            if (slant) a = times(a, load(slant + i * 2 * n + c), load(slant + i * 2 * n + n + c));
            re[i] = a.re;
            im[i] = a.im;
        }
        transpose(re);
        transpose(im);
        UNROLL(16)
        for (int i = 0; i < VL; i++) {
            store(to + (c + i) * 2 * VL, re[i]);
            store(to + (c + i) * 2 * VL + VL, im[i]);
        }
    }
}

INLINE void turn_out(const fourier_shape *shape, const elem *from, const elem *slant, elem *line) {
    const int64_t n = shape->columns.length;
    for (int64_t c = 0; c < n; c += VL) {
        vec re[VL], im[VL];
        UNROLL(16)
        for (int i = 0; i < VL; i++) {
            re[i] = load(from + (c + i) * 2 * VL);
            im[i] = load(from + (c + i) * 2 * VL + VL);
        }
        transpose(re);
        transpose(im);
        UNROLL(16)
        for (int i = 0; i < VL; i++) {
            complex_vec a = {re[i], im[i]};
            if (slant) a = over(a, load(slant + i * 2 * n + c), load(slant + i * 2 * n + n + c));
            store(line + i * shape->pitch + c, a.re);
            store(line + i * shape->pitch + n + c, a.im);
        }
    }
}

INLINE void multiply(elem *to, const elem *spectrum, int64_t columns) {
    for (int64_t i = 0; i < columns * 2 * VL; i += 2 * VL) {
        const complex_vec a = {load(to + i), load(to + i + VL)};
        const complex_vec product = times(a, load(spectrum + i), load(spectrum + i + VL));
        store(to + i, product.re);
        store(to + i + VL, product.im);
    }
}

static void rows(const fourier_shape *shape, void *tile, int64_t first, void *spectrum, int make,
                 double scale, void *scratch) {
    const int64_t n = shape->columns.length;
    elem *line = (elem *)tile + first * shape->pitch, *kernel = (elem *)spectrum + first * 2 * n;
    const elem *slant = shape->slant ? (const elem *)shape->slant + first * 2 * n : NULL;
    elem *lanes = make ? kernel : scratch;
    if (slant)
        turn_in(shape, line, slant, lanes);
    else
        turn_in(shape, line, NULL, lanes);
    forward(&shape->columns, lanes, 2 * VL, VL, 1);
    if (make) {
        for (int64_t i = 0; i < 2 * n * VL; i += VL)
            store(lanes + i, set1((elem)scale) * load(lanes + i));
        return;
    }
    multiply(lanes, kernel, n);
    inverse(&shape->columns, lanes, 2 * VL, VL, 1);
    if (slant)
        turn_out(shape, lanes, slant, line);
    else
        turn_out(shape, lanes, NULL, line);
}

/* ---- lines in and out */

static void enter(const void *re, const void *im, const void *turn, int64_t count, void *line) {
    const vec cosine = set1(((const elem *)turn)[0]), sine = set1(((const elem *)turn)[1]);
    for (int64_t j = 0; j < count; j += VL) {
        const complex_vec x = {load((const elem *)re + j), load((const elem *)im + j)};
        const complex_vec a = times(x, cosine, sine);
        store((elem *)line + j, a.re);
        store((elem *)line + count + j, a.im);
    }
}

static void leave(const void *line, int64_t columns, const void *turn, int imaginary, int64_t from,
                  int64_t count, void *to) {
    const vec cosine = set1(((const elem *)turn)[0]), sine = set1(((const elem *)turn)[1]);
    const elem *re = (const elem *)line + from, *im = re + columns;
    elem *y = to;
    for (int64_t j = 0; j < count; j += VL) {
        const int64_t n = count - j < VL ? count - j : VL;
        const complex_vec a = {load(re + j), load(im + j)};
        const complex_vec part = over(a, cosine, sine);
        const vec out = imaginary ? part.im : part.re;
        if (n == VL)
            store(y + j, out);
        else
            store_part(y + j, out, n);
    }
}

/* ---- how loud samples are */

typedef CAT(INDEX_, PYCONVC_DTYPE) magnitude;
#if VEC_BYTES == 0
typedef magnitude magnitudes;
INLINE magnitudes larger(magnitudes a, magnitudes b) {
    return a > b ? a : b;
}
#else
typedef magnitude magnitudes __attribute__((vector_size(sizeof(vec)), may_alias));
INLINE magnitudes larger(magnitudes a, magnitudes b) {
    const magnitudes above = (magnitudes)(a > b);
    return (a & above) | (b & ~above);
}
#endif

INLINE magnitudes magnitudes_of(vec v) {
    const magnitude all_but_sign = (magnitude)(~UINT64_C(0) >> (65 - 8 * (int)sizeof(magnitude)));
    magnitudes bits;
    memcpy(&bits, &v, sizeof bits);
    return bits & all_but_sign;
}

INLINE vec values_of(magnitudes bits) {
    vec v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static void lift(const void *x, int64_t count, int start, void *to) {
    const elem *from = x;
    elem *y = to;
    int64_t j = 0;
    for (; j + VL <= count; j += VL) {
        const magnitudes m = magnitudes_of(load(from + j));
        store(y + j, values_of(start ? m : larger(m, magnitudes_of(load(y + j)))));
    }
    if (j == count) return;
    const magnitudes m = magnitudes_of(load_part(from + j, count - j));
    const vec before = load_part(y + j, count - j);
    store_part(y + j, values_of(start ? m : larger(m, magnitudes_of(before))), count - j);
}

static void loudest(const void *x, int64_t count, void *to) {
    const elem *from = x;
    magnitudes found[2];
    magnitude lanes[VL], most = 0;
    int64_t j = 0;
    memset(found, 0, sizeof found);
    for (; j + 2 * VL <= count; j += 2 * VL) {
        found[0] = larger(found[0], magnitudes_of(load(from + j)));
        found[1] = larger(found[1], magnitudes_of(load(from + j + VL)));
    }
    for (; j < count; j += VL) {
        const vec v = j + VL <= count ? load(from + j) : load_part(from + j, count - j);
        found[0] = larger(found[0], magnitudes_of(v));
    }
    found[0] = larger(found[0], found[1]);
    memcpy(lanes, found, sizeof lanes);
    for (int i = 0; i < VL; i++)
        most = lanes[i] > most ? lanes[i] : most;
    memcpy(to, &most, sizeof most);
}

const fourier_kernels NAME(fourier) = {VL, enter, columns, rows, leave, lift, loudest};
