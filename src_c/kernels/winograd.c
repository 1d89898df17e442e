/* SPDX-License-Identifier: BSD-3-Clause
 *
 * winograd.c -- the stages of minimal filtering (contracts: kernel_types.h).
 *
 * A tile of M outputs and 3 taps along an axis comes from M + 2 products instead of 3 M (Winograd
 * 1980; Lavin & Gray, arXiv:1509.09308). Along one axis, with d the M + 2 samples and g the taps,
 *
 *   y = A' [(G g) * (B' d)]
 *
 * where sample and tap polynomials are taken at M + 1 points and at infinity. Along two axes each
 * matrix works on the columns, then on the rows. Points: 0, 1, -1 for M = 2 and 0, P, -P, Q, -Q for
 * M = 4, P = 11/16 and Q = 3/2: of the pairs of sixteenths the one with the least error (the usual
 * 1, 2 has more than twice as much). Lanes are tiles, next to each other along a row.
 */
#include "kernel_types.h"
#include "vec.h"
#include "winograd_types.h"

#define P         (11.0 / 16)
#define Q         (3.0 / 2)
#define PP        (P * P)
#define QQ        (Q * Q)

#define MOST      6  /* elements of a tile along an axis */
#define MOST_VECS 6  /* vectors of the product's register tile */
#define MOST_SUMS 24 /* and its sums */

/* Elements of the transform along an axis of M outputs; M = 1 is an axis that has no taps. */
#define ELEMENTS(M) ((M) == 1 ? 1 : (M) + 2)

/* v = B' d; the rows that belong to a point and its negative share their even and odd powers. */
INLINE void evaluate(const int M, const vec *d, vec *v) {
    if (M == 1) v[0] = d[0];
    if (M == 2) {
        v[0] = d[0] - d[2];
        v[1] = d[1] + d[2];
        v[2] = d[2] - d[1];
        v[3] = d[3] - d[1];
    }
    if (M == 4) {
        const vec pp = set1(PP), qq = set1(QQ), both = set1(PP + QQ), ends = set1(PP * QQ);
        const vec even_p = d[4] - qq * d[2], odd_p = set1(P) * (d[3] - qq * d[1]);
        const vec even_q = d[4] - pp * d[2], odd_q = set1(Q) * (d[3] - pp * d[1]);
        v[0] = d[4] - both * d[2] + ends * d[0];
        v[1] = even_p + odd_p;
        v[2] = even_p - odd_p;
        v[3] = even_q + odd_q;
        v[4] = even_q - odd_q;
        v[5] = d[5] - both * d[3] + ends * d[1];
    }
}

/* y = A' s. */
INLINE void interpolate(const int M, const vec *s, vec *y) {
    if (M == 1) y[0] = s[0];
    if (M == 2) {
        y[0] = s[0] + s[1] + s[2];
        y[1] = s[1] - s[2] + s[3];
    }
    if (M == 4) {
        const vec even_p = s[1] + s[2], odd_p = s[1] - s[2];
        const vec even_q = s[3] + s[4], odd_q = s[3] - s[4];
        y[0] = s[0] + even_p + even_q;
        y[1] = set1(P) * odd_p + set1(Q) * odd_q;
        y[2] = set1(PP) * even_p + set1(QQ) * even_q;
        y[3] = s[5] + set1(P * PP) * odd_p + set1(Q * QQ) * odd_q;
    }
}

#define CHANNELS WINOGRAD_CHANNELS

/* The panels of two input channels side by side: they lie so where they are stored. */
enum { PAIR = 2 };
typedef elem pair __attribute__((vector_size(PAIR * CHANNELS * sizeof(elem)), may_alias));

/* u = G g */
INLINE void weigh(const int M, const pair *g, pair *u) {
    if (M == 1) u[0] = g[0];
    if (M == 2) {
        const pair even = (elem).5 * (g[0] + g[2]), odd = (elem).5 * g[1];
        u[0] = g[0];
        u[1] = even + odd;
        u[2] = even - odd;
        u[3] = g[2];
    }
    if (M == 4) {
        const double at_p = 1 / (2 * PP * (PP - QQ)), at_q = 1 / (2 * QQ * (QQ - PP));
        const pair even_p = (elem)at_p * g[0] + (elem)(at_p * PP) * g[2];
        const pair even_q = (elem)at_q * g[0] + (elem)(at_q * QQ) * g[2];
        const pair odd_p = (elem)(P * at_p) * g[1], odd_q = (elem)(Q * at_q) * g[1];
        u[0] = (elem)(1 / (PP * QQ)) * g[0];
        u[1] = even_p + odd_p;
        u[2] = even_p - odd_p;
        u[3] = even_q + odd_q;
        u[4] = even_q - odd_q;
        u[5] = g[2];
    }
}

/* The panels of one or two input channels. */
INLINE void weigh_panels(const int MH, const int MW, const int inputs, const winograd_weights *job,
                         int64_t channels, const elem *w, elem *to) {
    enum { TAPS = 3 };
    const int rows = MH == 1 ? 1 : TAPS;
    pair g[TAPS][TAPS], half[TAPS][MOST], u[MOST];
    for (int t = 0; t < TAPS; t++)
        for (int h = 0; h < rows; h++) {
            pair taps = {0};
            for (int c = 0; c < inputs; c++)
                for (int64_t k = 0; k < channels; k++)
                    taps[c * CHANNELS + k] = w[c * job->by_input + k * job->by_output +
                                               h * job->by_row + t * job->by_column];
            g[t][h] = taps;
        }
    for (int t = 0; t < TAPS; t++)
        weigh(MH, g[t], half[t]);
    for (int i = 0; i < ELEMENTS(MH); i++) {
        const pair line[TAPS] = {half[0][i], half[1][i], half[2][i]};
        weigh(MW, line, u);
        for (int j = 0; j < ELEMENTS(MW); j++)
            memcpy(to + (i * ELEMENTS(MW) + j) * job->to_element, &u[j],
                   (size_t)inputs * CHANNELS * sizeof(elem));
    }
}

INLINE void weights(const int MH, const int MW, const winograd_weights *job) {
    const elem *w = job->w;
    elem *to = job->to;
    int64_t c = 0;
    for (; job->channels == CHANNELS && c + PAIR <= job->channels_in; c += PAIR)
        weigh_panels(MH, MW, PAIR, job, CHANNELS, w + c * job->by_input, to + c * CHANNELS);
    for (; c < job->channels_in; c++)
        weigh_panels(MH, MW, 1, job, job->channels, w + c * job->by_input, to + c * CHANNELS);
}

/* d[j][t] = line[t * M + j]: the samples of neighbouring tiles, one lane each. `tiles` is a
 * multiple of VL, and one tile more is made: its first two samples are the last two of the tile
 * before. */
INLINE void part(const int M, const elem *line, int64_t tiles, elem *restrict d, int64_t pitch) {
    for (int64_t t = 0; t < tiles; t++)
        for (int j = 0; j < M; j++)
            d[j * pitch + t] = line[t * M + j];
    for (int j = 0; j < 2; j++)
        d[j % M * pitch + tiles + j / M] = line[tiles * M + j];
}

#define CHUNK 8 /* vectors of tiles that are transformed at a time */

/* At most CHUNK vectors of tiles of a plane. */
INLINE void transform(const int MH, const int MW, const winograd_input *job, const elem *x,
                      int64_t vectors, elem *to) {
    enum { PITCH = CHUNK * VL + VL + 2 };
    elem columns[MOST][(CHUNK * 4 + 1) * VL + 2], lanes[MOST][4 * PITCH];
    const int EH = ELEMENTS(MH), EW = ELEMENTS(MW);
    for (int64_t j = 0; j < vectors * MW * VL + 2; j += VL) {
        vec d[MOST], v[MOST];
        for (int i = 0; i < EH; i++)
            d[i] = load(x + i * job->x_row + j);
        evaluate(MH, d, v);
        for (int i = 0; i < EH; i++)
            store(columns[i] + j, v[i]);
    }
    for (int i = 0; i < EH; i++)
        part(MW, columns[i], vectors * VL, lanes[i], PITCH);
    for (int i = 0; i < EH; i++)
        for (int64_t n = 0; n < vectors; n++) {
            vec d[MOST], v[MOST];
            for (int j = 0; j < EW; j++)
                d[j] = load(lanes[i] + j % MW * PITCH + n * VL + j / MW);
            evaluate(MW, d, v);
            for (int j = 0; j < EW; j++)
                store(to + (i * EW + j) * job->to_element + n * VL, v[j]);
        }
}

INLINE void input(const int MH, const int MW, const winograd_input *job) {
    const int64_t vectors = (job->tiles + VL - 1) / VL;
    for (int64_t n = 0; n < vectors; n += CHUNK)
        transform(MH, MW, job, (const elem *)job->x + n * VL * MW,
                  vectors - n < CHUNK ? vectors - n : CHUNK, (elem *)job->to + n * VL);
}

static void peaks(const winograd_peaks *job) {
    const elem *restrict x = job->x;
    elem *restrict to = job->to;
    for (int64_t i = 0; i < job->count; i++) {
        const elem a = (elem)__builtin_fabs(x[i]);
        to[i] = to[i] < a ? a : to[i];
    }
}

/* How much louder the loudest sample of a tile may be: 1 / (4 sqrt(u)), which leaves half of the
 * digits; u is the unit roundoff. */
#define LOUDER ((elem)(sizeof(elem) == 4 ? 1 << 10 : 1 << 24))

INLINE elem larger(elem a, elem b) {
    return a < b ? b : a;
}

/* Whether a kernel meets only samples that are lost beside the loudest of the tile. */
INLINE int has_quiet(const int MH, const int MW, const elem *x, int64_t x_row) {
    elem along[MOST][4], loudest = 0;
    int quiet = 0;
    for (int i = 0; i < ELEMENTS(MH); i++, x += x_row)
        for (int j = 0; j < MW; j++) {
            along[i][j] = larger(x[j], larger(x[j + 1], x[j + 2]));
            loudest = larger(loudest, along[i][j]);
        }
    for (int i = 0; i < MH; i++)
        for (int j = 0; j < MW; j++) {
            elem met = along[i][j];
            if (MH > 1) met = larger(met, larger(along[i + 1][j], along[i + 2][j]));
            quiet |= met > 0 && met * LOUDER < loudest;
        }
    return quiet;
}

INLINE void quiet(const int MH, const int MW, const winograd_quiet *job) {
    const elem *x = job->peaks;
    elem *unfit = job->unfit;
    for (int64_t t = 0; t < job->tiles; t++)
        if (has_quiet(MH, MW, x + t * MW, job->x_row)) unfit[t] = (elem)__builtin_nan("");
}

/* A register tile of CHANNELS x N vectors over all input channels. */
INLINE void multiply(const int N, const winograd_product *job, const elem *w, const elem *v,
                     elem *sums) {
    vec acc[MOST_SUMS];
    UNROLL(24)
    for (int i = 0; i < CHANNELS * N; i++)
        acc[i] = (vec){0};
    for (int64_t c = 0; c < job->channels; c++, w += CHANNELS, v += job->lanes) {
        vec a[MOST_VECS];
        UNROLL(6)
        for (int n = 0; n < N; n++)
            a[n] = load(v + n * VL);
        UNROLL(8)
        for (int k = 0; k < CHANNELS; k++) {
            const vec b = set1(w[k]);
            UNROLL(6)
            for (int n = 0; n < N; n++)
                acc[k * N + n] = madd(acc[k * N + n], b, a[n]);
        }
    }
    UNROLL(24)
    for (int i = 0; i < CHANNELS * N; i++) {
        elem *to = sums + i / N * job->lanes + i % N * VL;
        if (job->accumulate) acc[i] += load(to);
        store(to, acc[i]);
    }
}

static void product(const winograd_product *job) {
    const int64_t parts = (job->vectors + WINOGRAD_VECS - 1) / WINOGRAD_VECS;
    for (int64_t panel = 0; panel < job->panels; panel++) {
        const elem *w = (const elem *)job->w + panel * job->channels * CHANNELS;
        elem *sums = (elem *)job->sums + panel * CHANNELS * job->lanes;
        for (int64_t i = 0; i < parts; i++) {
            const int64_t first = job->vectors * i / parts, end = job->vectors * (i + 1) / parts;
            const elem *v = (const elem *)job->v + first * VL;
            if (end - first == 1)
                multiply(1, job, w, v, sums + first * VL);
            else if (end - first == 2)
                multiply(2, job, w, v, sums + first * VL);
            else if (end - first == 3)
                multiply(3, job, w, v, sums + first * VL);
            else
                multiply(WINOGRAD_VECS, job, w, v, sums + first * VL);
        }
    }
}

/* Outputs of a channel, [MH][MW][lanes]; unfit gets NaN for tiles that have one. */
INLINE void output(const int MH, const int MW, const winograd_output *job) {
    const int EH = ELEMENTS(MH), EW = ELEMENTS(MW);
    const vec bias = set1(job->bias ? *(const elem *)job->bias : 0);
    const elem *sums = job->sums;
    elem *to = job->to, *unfit = job->unfit;
    for (int64_t n = 0; n < job->vectors; n++) {
        vec half[MOST][MOST], watch = load(unfit + n * VL);
        for (int j = 0; j < EW; j++) {
            vec s[MOST];
            for (int i = 0; i < EH; i++)
                s[i] = load(sums + (i * EW + j) * job->element + n * VL);
            vec y[MOST];
            interpolate(MH, s, y);
            for (int i = 0; i < MH; i++)
                half[i][j] = y[i];
        }
        for (int i = 0; i < MH; i++) {
            vec y[MOST];
            interpolate(MW, half[i], y);
            for (int j = 0; j < MW; j++) {
                y[j] += bias;
                watch += y[j] * set1(0);
                store(to + (i * MW + j) * job->lanes + n * VL, y[j]);
            }
        }
        store(unfit + n * VL, watch);
    }
}

/* y[(t * M + j) * step] = d[j][t] */
INLINE void join_line(const int M, const elem *d, int64_t lanes, int64_t columns, int64_t step,
                      elem *restrict y) {
    const int64_t whole = columns / M;
    for (int64_t t = 0; t < whole; t++)
        for (int j = 0; j < M; j++)
            y[(t * M + j) * step] = d[j * lanes + t];
    for (int64_t i = whole * M; i < columns; i++)
        y[i * step] = d[i % M * lanes + i / M];
}

INLINE void place(const int MW, const winograd_place *job) {
    const elem *from = job->from;
    elem *y = job->y;
    for (int64_t r = 0; r < job->rows; r++, from += MW * job->lanes, y += job->y_row) {
        if (job->y_column == 1)
            join_line(MW, from, job->lanes, job->columns, 1, y);
        else
            join_line(MW, from, job->lanes, job->columns, job->y_column, y);
    }
}

#define FORM(MH, MW)                                                                               \
    static void weights_##MH##MW(const winograd_weights *job) {                                    \
        weights(MH, MW, job);                                                                      \
    }                                                                                              \
    static void input_##MH##MW(const winograd_input *job) {                                        \
        input(MH, MW, job);                                                                        \
    }                                                                                              \
    static void quiet_##MH##MW(const winograd_quiet *job) {                                        \
        quiet(MH, MW, job);                                                                        \
    }                                                                                              \
    static void output_##MH##MW(const winograd_output *job) {                                      \
        output(MH, MW, job);                                                                       \
    }                                                                                              \
    static void place_##MH##MW(const winograd_place *job) {                                        \
        place(MW, job);                                                                            \
    }
FORM(2, 2)
FORM(4, 4)
FORM(1, 4)

#define ENTRY(MH, MW)                                                                              \
    {                                                                                              \
        MH, MW, ELEMENTS(MH) * ELEMENTS(MW), weights_##MH##MW, input_##MH##MW, quiet_##MH##MW,     \
            output_##MH##MW, place_##MH##MW                                                        \
    }

const winograd_kernels NAME(winograd) = {.form = {ENTRY(2, 2), ENTRY(4, 4), ENTRY(1, 4)},
                                         .peaks = peaks,
                                         .product = product,
                                         .lanes = VL,
                                         .channels = CHANNELS,
                                         .vectors = WINOGRAD_VECS};
