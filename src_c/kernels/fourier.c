/* SPDX-License-Identifier: BSD-3-Clause
 *
 * fourier.c -- the steps of convolution by Fourier transforms (contracts: fourier_types.h).
 *
 * Transforms work in place, by decimation in frequency on the way there and in time on the way back
 * (Gentleman & Sande 1966; Cooley & Tukey 1965), so that no pass puts frequencies in order. Lanes
 * are columns next to each other, or lines, which are transposed for it as they are read.
 */
#include "fourier_types.h"
#include "kernel_types.h"
#include "vec.h"

#include "turn.h"

#define MOST_RADIX 8

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

/* y[q * jump] = sum_j x[j] exp(-2 pi i j q / 4) */
INLINE void small_4(const complex_vec *x, complex_vec *y, const int jump) {
    const complex_vec even = sum(x[0], x[2]), odd = sum(x[1], x[3]);
    y[0] = sum(even, odd);
    y[2 * jump] = difference(even, odd);
    across(difference(x[0], x[2]), difference(x[1], x[3]), &y[jump], &y[3 * jump]);
}

/* Even places from sums of samples half the length apart, odd ones from their differences. */
INLINE void small_8(const complex_vec *x, complex_vec *y) {
    const vec root = set1((elem)0.70710678118654752440);
    complex_vec s[4], d[4];
    UNROLL(4)
    for (int j = 0; j < 4; j++) {
        s[j] = sum(x[j], x[j + 4]);
        d[j] = difference(x[j], x[j + 4]);
    }
    const complex_vec a = {d[1].im + d[1].re, d[1].im - d[1].re};
    const complex_vec b = {d[3].im - d[3].re, d[3].im + d[3].re};
    d[1] = (complex_vec){root * a.re, root * a.im};
    d[2] = (complex_vec){d[2].im, -d[2].re};
    d[3] = (complex_vec){root * b.re, -root * b.im};
    small_4(s, y, 2);
    small_4(d, y + 1, 2);
}

/* y[q] = sum_j x[j] exp(-2 pi i j q / radix) */
INLINE void small(const int radix, const complex_vec *x, complex_vec *y) {
    if (radix == 3) {
        const vec half = set1((elem).5), sine = set1((elem)0.86602540378443864676);
        const complex_vec t = sum(x[1], x[2]), d = difference(x[1], x[2]);
        y[0] = sum(x[0], t);
        across((complex_vec){x[0].re - half * t.re, x[0].im - half * t.im},
               (complex_vec){sine * d.re, sine * d.im}, &y[1], &y[2]);
    }
    if (radix == 4) small_4(x, y, 1);
    if (radix == 8) small_8(x, y);
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

#define GROUP (64 / (int)sizeof(vec) > 0 ? 64 / (int)sizeof(vec) : 1) /* vectors of a cache line */
#define WIDTH (GROUP * VL)

INLINE complex_vec load_complex(const elem *at, int64_t im) {
    return (complex_vec){held(load(at)), held(load(at + im))};
}

INLINE void store_complex(elem *at, int64_t im, complex_vec a) {
    store(at, a.re);
    store(at + im, a.im);
}

INLINE complex_vec factor(const elem *w) {
    return (complex_vec){set1(w[0]), set1(w[1])};
}

/* Where output q of a small transform goes: the inverse has them in the opposite order. */
INLINE int place_of(const int radix, const int inverse, const int q) {
    return inverse ? (radix - q) % radix : q;
}

/* One small transform of samples `step` apart, imaginary parts `im` behind the real ones; outputs
 * are multiplied with the twiddle factors w, on the way back inputs with their conjugates. On the
 * outside of that, samples are multiplied with a slant laid out as they are. */
INLINE void butterfly(const int radix, const int inverse, const complex_vec *w, const elem *slant,
                      elem *at, int64_t step, int64_t im) {
    complex_vec x[MOST_RADIX], y[MOST_RADIX];
    UNROLL(8)
    for (int j = 0; j < radix; j++) {
        x[j] = load_complex(at + j * step, im);
        if (inverse && w && j) x[j] = over(x[j], w[j].re, w[j].im);
        if (!inverse && slant)
            x[j] = times(x[j], load(slant + j * step), load(slant + j * step + im));
    }
    small(radix, x, y);
    UNROLL(8)
    for (int q = 0; q < radix; q++) {
        complex_vec to = y[place_of(radix, inverse, q)];
        if (!inverse && w && q) to = times(to, w[q].re, w[q].im);
        if (inverse && slant) to = over(to, load(slant + q * step), load(slant + q * step + im));
        store_complex(at + q * step, im, to);
    }
}

/* The butterflies k of the blocks, on a group of vectors each. */
INLINE void blocks(const int radix, const int inverse, int64_t length, int64_t block, int64_t k,
                   const complex_vec *w, const elem *slant, elem *at, int64_t step, int64_t im) {
    for (int64_t b = k; b < length; b += block)
        for (int v = 0; v < WIDTH; v += VL) {
            const int64_t first = b * step + v;
            butterfly(radix, inverse, w, slant ? slant + first : NULL, at + first,
                      block / radix * step, im);
        }
}

/* One pass over samples `step` apart. */
INLINE void pass_of(const int radix, const int inverse, int64_t length, int64_t block,
                    const elem *factors, const elem *slant, elem *at, int64_t step, int64_t im) {
    blocks(radix, inverse, length, block, 0, NULL, slant, at, step, im);
    for (int64_t k = 1; k < block / radix; k++) {
        complex_vec w[MOST_RADIX];
        UNROLL(8)
        for (int q = 1; q < radix; q++)
            w[q] = factor(factors + 2 * (k * (radix - 1) + q - 1));
        blocks(radix, inverse, length, block, k, w, slant, at, step, im);
    }
}

#define PASS(inverse)                                                                              \
    if (radix == 3) pass_of(3, inverse, axis->length, block, w, NULL, at, step, im);               \
    if (radix == 4) pass_of(4, inverse, axis->length, block, w, NULL, at, step, im);               \
    if (radix == 5) pass_of(5, inverse, axis->length, block, w, NULL, at, step, im);               \
    if (radix == 8) blocks(8, inverse, axis->length, 8, 0, NULL, NULL, at, step, im);

/* Passes of an axis; the last of the way there is the first of the way back. */
static int count_of(const fourier_axis *axis) {
    int passes = 0;
    while (axis->radices[passes])
        passes++;
    return passes;
}

/* The passes from `first` to `end` - 1. */
static void forward(const fourier_axis *axis, int first, int end, elem *at, int64_t step,
                    int64_t im) {
    const elem *w = axis->twiddles;
    int64_t block = axis->length;
    for (int i = 0; i < end; i++) {
        const int radix = axis->radices[i];
        if (i >= first) {
            PASS(0)
        }
        block /= radix;
        w += 2 * block * (radix - 1);
    }
}

/* The same passes back, the last one first. */
static void inverse(const fourier_axis *axis, int first, int end, elem *at, int64_t step,
                    int64_t im) {
    const elem *w = axis->twiddles;
    int64_t block = axis->length;
    for (int i = 0; i < end; i++) {
        const int radix = axis->radices[i];
        block /= radix;
        w += 2 * block * (radix - 1);
    }
    for (int i = end - 1; i >= first; i--) {
        const int radix = axis->radices[i];
        w -= 2 * block * (radix - 1);
        block *= radix;
        PASS(1)
    }
}

/* ---- columns */

/* The factors of the first pass of an axis, and of the last one back, for its rows k + j * length /
 * 4: twiddle factors and turns. */
typedef struct {
    complex_vec w[4], turn[4];
} end_factors;

INLINE end_factors end_factors_of(const fourier_shape *shape, int64_t k) {
    const int64_t part = shape->rows.length / 4;
    const elem *w = (const elem *)shape->rows.twiddles + 6 * k;
    const elem *turn = (const elem *)shape->turn + 2 * k;
    end_factors f;
    UNROLL(4)
    for (int j = 0; j < 4; j++) {
        f.w[j] = j ? factor(w + 2 * j - 2) : (complex_vec){set1(1), set1(0)};
        f.turn[j] = factor(turn + 2 * j * part);
    }
    return f;
}

/* From lines elsewhere: factors are the same all along a line. */
static void enter(const fourier_shape *shape, int64_t k, const void *const *lines, void *tile) {
    const int64_t n = shape->columns.length, jump = shape->rows.length / 4 * shape->pitch;
    const end_factors f = end_factors_of(shape, k);
    const elem *from[8];
    elem *to = (elem *)tile + k * shape->pitch;
    UNROLL(8)
    for (int i = 0; i < 8; i++)
        from[i] = lines[i];
    for (int64_t c = 0; c < n; c += VL) {
        complex_vec x[4], y[4];
        UNROLL(4)
        for (int j = 0; j < 4; j++) {
            x[j] = (complex_vec){load(from[j] + c), load(from[j + 4] + c)};
            x[j] = times(x[j], f.turn[j].re, f.turn[j].im);
        }
        small(4, x, y);
        UNROLL(4)
        for (int q = 0; q < 4; q++)
            store_complex(to + q * jump + c, n, q ? times(y[q], f.w[q].re, f.w[q].im) : y[q]);
    }
}

INLINE void leave_at(const elem *at, int64_t jump, int64_t n, const end_factors *f, vec *out) {
    complex_vec x[4], y[4];
    UNROLL(4)
    for (int j = 0; j < 4; j++) {
        x[j] = load_complex(at + j * jump, n);
        if (j) x[j] = over(x[j], f->w[j].re, f->w[j].im);
    }
    small(4, x, y);
    UNROLL(4)
    for (int q = 0; q < 4; q++) {
        const complex_vec a = over(y[place_of(4, 1, q)], f->turn[q].re, f->turn[q].im);
        out[q] = a.re;
        out[q + 4] = a.im;
    }
}

static void leave(const fourier_shape *shape, int64_t k, const void *tile, int64_t from,
                  int64_t count, void *const *lines) {
    const int64_t n = shape->columns.length, jump = shape->rows.length / 4 * shape->pitch;
    const end_factors f = end_factors_of(shape, k);
    const elem *at = (const elem *)tile + k * shape->pitch + from;
    elem *to[8], beyond[2 * VL];
    int64_t c = 0, wanted[8];
    UNROLL(8)
    for (int i = 0; i < 8; i++) {
        wanted[i] = lines[i] != NULL;
        to[i] = lines[i] ? lines[i] : beyond;
    }
    vec out[8];
    for (; c + VL <= count; c += VL) {
        leave_at(at + c, jump, n, &f, out);
        UNROLL(8)
        for (int i = 0; i < 8; i++)
            store(to[i] + c * wanted[i], out[i]);
    }
    if (c == count) return;
    leave_at(at + c, jump, n, &f, out);
    for (int i = 0; i < 8; i++)
        store_part(to[i] + c * wanted[i], out[i], count - c);
}

static void columns(const fourier_shape *shape, void *tile, int64_t first, int64_t count,
                    int back) {
    const fourier_axis *axis = &shape->rows;
    const int64_t im = shape->columns.length;
    const int passes = count_of(axis);
    for (int64_t c = first; c < first + count; c += WIDTH)
        (back ? inverse : forward)(axis, 1, passes, (elem *)tile + c, shape->pitch, im);
}

/* ---- rows */

/* The lines of a group become lanes, one column after the other. */
static void turn_in(const elem *line, int64_t pitch, int64_t n, elem *to) {
    for (int v = 0; v < WIDTH; v += VL)
        for (int64_t c = 0; c < n; c += VL)
            for (int part = 0; part < 2; part++)
                turn_block(line + v * pitch + part * n + c, pitch, to + (2 * c + part) * WIDTH + v,
                           2 * WIDTH);
}

static void turn_out(const elem *from, elem *line, int64_t pitch, int64_t n) {
    for (int v = 0; v < WIDTH; v += VL)
        for (int64_t c = 0; c < n; c += VL)
            for (int part = 0; part < 2; part++)
                turn_block(from + (2 * c + part) * WIDTH + v, 2 * WIDTH,
                           line + v * pitch + part * n + c, pitch);
}

/* The last pass of the way there, which has no twiddle factors, the product with the spectrum, and
 * the first pass back. */
INLINE void middle_of(const int radix, int64_t length, const elem *spectrum, elem *at) {
    for (int64_t i = 0; i < length * 2 * WIDTH; i += radix * 2 * WIDTH)
        for (int v = 0; v < WIDTH; v += VL) {
            complex_vec x[MOST_RADIX], y[MOST_RADIX];
            UNROLL(8)
            for (int j = 0; j < radix; j++)
                x[j] = load_complex(at + i + v + j * 2 * WIDTH, WIDTH);
            small(radix, x, y);
            UNROLL(8)
            for (int q = 0; q < radix; q++) {
                const elem *s = spectrum + i + v + q * 2 * WIDTH;
                x[q] = times(y[q], load(s), load(s + WIDTH));
            }
            small(radix, x, y);
            UNROLL(8)
            for (int q = 0; q < radix; q++)
                store_complex(at + i + v + q * 2 * WIDTH, WIDTH, y[place_of(radix, 1, q)]);
        }
}

static void middle(const fourier_axis *axis, int radix, const elem *spectrum, elem *at) {
    if (radix == 3) middle_of(3, axis->length, spectrum, at);
    if (radix == 4) middle_of(4, axis->length, spectrum, at);
    if (radix == 5) middle_of(5, axis->length, spectrum, at);
    if (radix == 8) middle_of(8, axis->length, spectrum, at);
}

static void rows(const fourier_shape *shape, void *tile, int64_t first, void *spectrum, int make,
                 double scale, void *scratch) {
    const fourier_axis *axis = &shape->columns;
    const int64_t n = axis->length;
    const int last = count_of(axis) - 1;
    elem *line = (elem *)tile + first * shape->pitch, *kernel = (elem *)spectrum + first * 2 * n;
    const elem *slant = shape->slant ? (const elem *)shape->slant + first * 2 * n : NULL;
    elem *lanes = make ? kernel : scratch;
    turn_in(line, shape->pitch, n, lanes);
    if (slant) pass_of(4, 0, n, n, axis->twiddles, slant, lanes, 2 * WIDTH, WIDTH);
    forward(axis, slant != NULL, last + make, lanes, 2 * WIDTH, WIDTH);
    if (make) {
        for (int64_t i = 0; i < 2 * n * WIDTH; i += VL)
            store(lanes + i, set1((elem)scale) * load(lanes + i));
        return;
    }
    middle(axis, axis->radices[last], kernel, lanes);
    inverse(axis, slant != NULL, last, lanes, 2 * WIDTH, WIDTH);
    if (slant) pass_of(4, 1, n, n, axis->twiddles, slant, lanes, 2 * WIDTH, WIDTH);
    turn_out(lanes, line, shape->pitch, n);
}

/* ---- how loud samples are */

#define INDEX_f32 int32_t
#define INDEX_f64 int64_t
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

const fourier_kernels NAME(fourier) = {WIDTH, enter, columns, rows, leave, lift, loudest};
