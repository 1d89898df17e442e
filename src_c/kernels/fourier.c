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

#define WIDTH (64 / (int)sizeof(elem)) /* samples of a cache line */
#define BLOCK (32 / (int)sizeof(elem)) /* samples that transforms leave together */
#define NEAR  (1 << 14)                /* bytes of columns that are transformed side by side */
_Static_assert(BLOCK % VL == 0, "a block is whole vectors");

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

/* One small transform of samples `jump` apart, imaginary parts `im` behind the real ones; inputs
 * are multiplied with the factors w, on the way back outputs with their conjugates. */
INLINE void butterfly(const int radix, const int inverse, const complex_vec *w, elem *at,
                      int64_t jump, int64_t im) {
    complex_vec x[MOST_RADIX], y[MOST_RADIX];
    UNROLL(8)
    for (int j = 0; j < radix; j++) {
        x[j] = load_complex(at + j * jump, im);
        if (!inverse && j) x[j] = times(x[j], w[j].re, w[j].im);
    }
    small(radix, x, y);
    UNROLL(8)
    for (int q = 0; q < radix; q++) {
        complex_vec to = y[place_of(radix, inverse, q)];
        if (inverse && q) to = over(to, w[q].re, w[q].im);
        store_complex(at + q * jump, im, to);
    }
}

/* What transforms run along: samples `step` apart, `width` of them side by side, or, with a step of
 * 1, samples next to each other. */
typedef struct {
    int64_t step, width, im;
} direction;

/* One pass over `nodes` polynomials, each cut into radix parts of `part` samples. */
INLINE void pass_of(const int radix, const int inverse, int64_t nodes, int64_t part,
                    const elem *factors, const direction *d, elem *at) {
    const int64_t runs = d->step == 1 ? 1 : part, run = d->step == 1 ? part : d->width;
    const int64_t step = d->step, im = d->im;
    for (int64_t node = 0; node < nodes; node++, at += radix * part * step) {
        complex_vec w[MOST_RADIX];
        UNROLL(8)
        for (int q = 1; q < radix; q++, factors += 2)
            w[q] = factor(factors);
        for (int64_t k = 0; k < runs; k++)
            for (int64_t v = 0; v < run; v += VL)
                butterfly(radix, inverse, w, at + k * step + v, part * step, im);
    }
}

#define PASS(inverse)                                                                              \
    if (radix == 3) pass_of(3, inverse, nodes, part, w, d, at);                                    \
    if (radix == 4) pass_of(4, inverse, nodes, part, w, d, at);                                    \
    if (radix == 5) pass_of(5, inverse, nodes, part, w, d, at);                                    \
    if (radix == 8) pass_of(8, inverse, nodes, part, w, d, at);

static int count_of(const fourier_axis *axis) {
    int passes = 0;
    while (axis->radices[passes])
        passes++;
    return passes;
}

/* The passes from `first` to `end` - 1; where their factors end. */
static const elem *forward(const fourier_axis *axis, const elem *w, int first, int end,
                           const direction *d, elem *at) {
    int64_t part = axis->length, nodes = 1;
    for (int i = 0; i < end; i++) {
        const int radix = axis->radices[i];
        part /= radix;
        if (i >= first) {
            PASS(0)
        }
        w += 2 * nodes * (radix - 1);
        nodes *= radix;
    }
    return w;
}

/* The same passes back, the last one first; w: where their factors end. */
static void inverse(const fourier_axis *axis, const elem *w, int first, int end, const direction *d,
                    elem *at) {
    int64_t part = axis->length, nodes = 1;
    for (int i = 0; i < end; i++) {
        part /= axis->radices[i];
        nodes *= axis->radices[i];
    }
    for (int i = end - 1; i >= first; i--) {
        const int radix = axis->radices[i];
        nodes /= radix;
        w -= 2 * nodes * (radix - 1);
        PASS(1)
        part *= radix;
    }
}

/* ---- columns */

/* The factors of the first pass of an axis, and of the last one back. */
INLINE void end_factors(const fourier_shape *shape, complex_vec *w) {
    UNROLL(4)
    for (int j = 1; j < 4; j++)
        w[j] = factor((const elem *)shape->rows.twiddles + 2 * j - 2);
}

/* A vector of complex samples: lines of real ones hold their parts, or one line both side by side.
 */
INLINE complex_vec read_samples(const elem *const *from, int64_t c, const int side_by_side) {
    if (!side_by_side) return (complex_vec){load(from[0] + c), load(from[4] + c)};
    vec v[2] = {load(from[0] + 2 * c), load(from[0] + 2 * c + VL)};
    split(v, 2);
    return (complex_vec){v[0], v[1]};
}

/* From lines elsewhere. */
INLINE void enter_of(const int side_by_side, const fourier_shape *shape, int64_t k,
                     const void *const *lines, void *tile) {
    const int64_t n = shape->columns.length, jump = shape->rows.length / 4 * shape->pitch;
    const elem *from[8];
    elem *to = (elem *)tile + k * shape->pitch;
    complex_vec w[4];
    end_factors(shape, w);
    UNROLL(8)
    for (int i = 0; i < 8; i++)
        from[i] = lines[side_by_side ? i % 4 : i];
    for (int64_t c = 0; c < n; c += VL) {
        complex_vec x[4], y[4];
        UNROLL(4)
        for (int j = 0; j < 4; j++) {
            x[j] = read_samples(from + j, c, side_by_side);
            if (j) x[j] = times(x[j], w[j].re, w[j].im);
        }
        small(4, x, y);
        UNROLL(4)
        for (int q = 0; q < 4; q++)
            store_complex(to + q * jump + c, n, y[q]);
    }
}

static void enter(const fourier_shape *shape, int64_t k, const void *const *lines, void *tile) {
    enter_of(0, shape, k, lines, tile);
}

static void enter_complex(const fourier_shape *shape, int64_t k, const void *const *lines,
                          void *tile) {
    enter_of(1, shape, k, lines, tile);
}

/* What line i gets is out[i] and, of complex samples, out[i + 4] behind it. */
INLINE void leave_at(const int side_by_side, const elem *at, int64_t jump, int64_t n,
                     const complex_vec *w, vec *out) {
    complex_vec x[4], y[4];
    UNROLL(4)
    for (int j = 0; j < 4; j++)
        x[j] = load_complex(at + j * jump, n);
    small(4, x, y);
    UNROLL(4)
    for (int q = 0; q < 4; q++) {
        complex_vec a = y[place_of(4, 1, q)];
        if (q) a = over(a, w[q].re, w[q].im);
        vec parts[2] = {a.re, a.im};
        if (side_by_side) merge(parts, 2);
        out[q] = parts[0];
        out[q + 4] = parts[1];
    }
}

INLINE void leave_of(const int side_by_side, const fourier_shape *shape, int64_t k,
                     const void *tile, int64_t from, int64_t count, void *const *lines) {
    const int64_t n = shape->columns.length, jump = shape->rows.length / 4 * shape->pitch;
    const elem *at = (const elem *)tile + k * shape->pitch + from;
    elem *to[8], beyond[2 * VL];
    int64_t c = 0, step[8]; /* elements for a column */
    complex_vec w[4];
    end_factors(shape, w);
    UNROLL(8)
    for (int i = 0; i < 8; i++) {
        elem *line = lines[side_by_side ? i % 4 : i];
        step[i] = line ? 1 + side_by_side : 0;
        to[i] = line ? line : beyond;
        if (side_by_side && i >= 4) to[i] += VL;
    }
    vec out[8];
    for (; c + VL <= count; c += VL) {
        leave_at(side_by_side, at + c, jump, n, w, out);
        UNROLL(8)
        for (int i = 0; i < 8; i++)
            store(to[i] + c * step[i], out[i]);
    }
    if (c == count) return;
    leave_at(side_by_side, at + c, jump, n, w, out);
    const int64_t rest = (count - c) * (1 + side_by_side);
    for (int i = 0; i < 8; i++) {
        const int64_t part = side_by_side && i >= 4 ? rest - VL : rest;
        if (part >= VL)
            store(to[i] + c * step[i], out[i]);
        else if (part > 0)
            store_part(to[i] + c * step[i], out[i], part);
    }
}

static void leave(const fourier_shape *shape, int64_t k, const void *tile, int64_t from,
                  int64_t count, void *const *lines) {
    leave_of(0, shape, k, tile, from, count, lines);
}

static void leave_complex(const fourier_shape *shape, int64_t k, const void *tile, int64_t from,
                          int64_t count, void *const *lines) {
    leave_of(1, shape, k, tile, from, count, lines);
}

static void columns(const fourier_shape *shape, void *tile, int64_t first, int64_t count,
                    int back) {
    const fourier_axis *axis = &shape->rows;
    const int64_t most = NEAR / (2 * (int)sizeof(elem) * axis->length) / WIDTH * WIDTH;
    const int64_t each = most > WIDTH ? most : WIDTH, end = first + count;
    const int passes = count_of(axis);
    const elem *w = axis->twiddles;
    for (int64_t c = first; c < end; c += each) {
        const direction d = {shape->pitch, c + each < end ? each : end - c, shape->columns.length};
        if (back)
            inverse(axis, w + 2 * (axis->length - 1), 1, passes, &d, (elem *)tile + c);
        else
            forward(axis, w, 1, passes, &d, (elem *)tile + c);
    }
}

/* ---- lines */

/* The product with a block of a spectrum, whose samples i - j are at BLOCK - 1 + i - j. */
INLINE void product(const elem *spectrum, elem *at, int64_t im) {
    vec rr[BLOCK / VL], ii[BLOCK / VL], ri[BLOCK / VL], ir[BLOCK / VL];
    UNROLL(8)
    for (int v = 0; v < BLOCK / VL; v++)
        rr[v] = ii[v] = ri[v] = ir[v] = set1(0);
    UNROLL(8)
    for (int j = 0; j < BLOCK; j++) {
        const vec re = held(set1(at[j])), imaginary = held(set1(at[im + j]));
        UNROLL(8)
        for (int v = 0; v < BLOCK / VL; v++) {
            const elem *s = spectrum + BLOCK - 1 - j + v * VL;
            const vec a = held(load(s)), b = held(load(s + 2 * BLOCK));
            rr[v] += re * a;
            ii[v] += imaginary * b;
            ri[v] += re * b;
            ir[v] += imaginary * a;
        }
    }
    UNROLL(8)
    for (int v = 0; v < BLOCK / VL; v++)
        store_complex(at + v * VL, im, (complex_vec){rr[v] - ii[v], ri[v] + ir[v]});
}

/* A block as the spectrum has it: what z^BLOCK stands for, times the samples beyond it, then all of
 * them. */
static void spread(const elem *c, double scale, const elem *at, int64_t im, elem *to) {
    to[2 * BLOCK - 1] = to[4 * BLOCK - 1] = 0;
    for (int i = 0; i < BLOCK; i++) {
        const elem re = (elem)scale * at[i], imaginary = (elem)scale * at[im + i];
        to[BLOCK - 1 + i] = re;
        to[3 * BLOCK - 1 + i] = imaginary;
        if (!i) continue;
        to[i - 1] = c[0] * re - c[1] * imaginary;
        to[2 * BLOCK + i - 1] = c[0] * imaginary + c[1] * re;
    }
}

/* The pass between blocks, there or back. */
INLINE void pass_blocks(const int radix, const int back, int64_t n, const elem *factors, elem *at) {
    for (int64_t b = 0; b < n; b += radix * BLOCK) {
        complex_vec w[MOST_RADIX];
        UNROLL(8)
        for (int q = 1; q < radix; q++, factors += 2)
            w[q] = factor(factors);
        UNROLL(8)
        for (int v = 0; v < BLOCK; v += VL)
            butterfly(radix, back, w, at + b + v, BLOCK, n);
    }
}

/* The last pass, the product, and the first pass back. */
INLINE void middle_of(const int radix, int64_t n, const elem *factors, const elem *spectrum,
                      elem *at) {
    pass_blocks(radix, 0, n, factors, at);
    for (int64_t q = 0; q < n; q += BLOCK)
        product(spectrum + 4 * q, at + q, n);
    pass_blocks(radix, 1, n, factors, at);
}

static void line(const fourier_shape *shape, void *tile, int64_t row, void *spectrum, int make,
                 double scale) {
    const fourier_axis *axis = &shape->columns;
    const int64_t n = axis->length;
    const int last = count_of(axis) - 1, radix = axis->radices[last];
    const direction d = {1, 0, n};
    elem *at = (elem *)tile + row * shape->pitch, *kernel = (elem *)spectrum + row * 4 * n;
    const elem *w = (const elem *)axis->twiddles + row * axis->step;
    w = forward(axis, w, 0, last + make, &d, at);
    if (make) {
        for (int64_t b = 0; b < n; b += BLOCK, w += 2)
            spread(w, scale, at + b, n, kernel + 4 * b);
        return;
    }
    if (radix == 3) middle_of(3, n, w, kernel, at);
    if (radix == 4) middle_of(4, n, w, kernel, at);
    if (radix == 5) middle_of(5, n, w, kernel, at);
    if (radix == 8) middle_of(8, n, w, kernel, at);
    inverse(axis, w, 0, last, &d, at);
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

const fourier_kernels NAME(fourier) = {
    .enter = {enter, enter_complex},
    .columns = columns,
    .line = line,
    .leave = {leave, leave_complex},
    .lift = lift,
    .loudest = loudest,
};
