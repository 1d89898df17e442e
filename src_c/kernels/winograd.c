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
 * 1, 2 has more than twice as much). Lanes are tiles, next to each other along a row, or output
 * channels.
 */
#include "kernel_types.h"
#include "vec.h"
#include "winograd_types.h"

#include "turn.h"

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
#define PANEL    (VL < CHANNELS ? CHANNELS : VL)

/* u = G g; lanes are output channels. */
INLINE void weigh(const int M, const vec *g, vec *u) {
    if (M == 1) u[0] = g[0];
    if (M == 2) {
        const vec even = set1(.5) * (g[0] + g[2]), odd = set1(.5) * g[1];
        u[0] = g[0];
        u[1] = even + odd;
        u[2] = even - odd;
        u[3] = g[2];
    }
    if (M == 4) {
        const double at_p = 1 / (2 * PP * (PP - QQ)), at_q = 1 / (2 * QQ * (QQ - PP));
        const vec even_p = set1(at_p) * g[0] + set1(at_p * PP) * g[2];
        const vec even_q = set1(at_q) * g[0] + set1(at_q * QQ) * g[2];
        const vec odd_p = set1(P * at_p) * g[1], odd_q = set1(Q * at_q) * g[1];
        u[0] = set1(1 / (PP * QQ)) * g[0];
        u[1] = even_p + odd_p;
        u[2] = even_p - odd_p;
        u[3] = even_q + odd_q;
        u[4] = even_q - odd_q;
        u[5] = g[2];
    }
}

enum { TAPS = 3 };

/* One kernel of VL output channels; tap i is at g + i * step. */
INLINE void weigh_kernel(const int MH, const int MW, const elem *g, int64_t step, elem *to,
                         int64_t to_element) {
    const int rows = MH == 1 ? 1 : TAPS;
    vec half[TAPS][MOST], u[MOST];
    for (int t = 0; t < TAPS; t++) {
        vec line[TAPS];
        for (int h = 0; h < rows; h++)
            line[h] = load(g + (h * TAPS + t) * step);
        weigh(MH, line, half[t]);
    }
    for (int i = 0; i < ELEMENTS(MH); i++) {
        const vec line[TAPS] = {half[0][i], half[1][i], half[2][i]};
        weigh(MW, line, u);
        for (int j = 0; j < ELEMENTS(MW); j++)
            store(to + (i * ELEMENTS(MW) + j) * to_element, u[j]);
    }
}

/* to[i][l] = from[l * pitch + i], i < count, at least VL. */
INLINE void turn_run(const int count, const elem *from, int64_t pitch, elem *to) {
    for (int i = 0; i < count; i += VL) {
        const int at = i + VL <= count ? i : count - VL;
        turn_block(from + at, pitch, to + at * VL, VL);
    }
}

/* The taps of a kernel, of so many output channels: to[tap][lane]. */
INLINE void read_kernel(const int rows, const winograd_weights *job, int64_t channels,
                        const elem *w, elem *to) {
    memset(to, 0, sizeof(elem) * (size_t)(rows * TAPS * VL));
    for (int64_t k = 0; k < channels; k++)
        for (int h = 0; h < rows; h++)
            for (int t = 0; t < TAPS; t++)
                to[(h * TAPS + t) * VL + k] =
                    w[k * job->by_output + h * job->by_row + t * job->by_column];
}

/* Asks for the kernels of VL output channels ahead of their use: each is read from a place of its
 * own. */
INLINE void fetch(const winograd_weights *job, const elem *w) {
    UNROLL(16)
    for (int k = 0; k < VL; k++)
        __builtin_prefetch(w + k * job->by_output);
}

/* VL output channels, at most `channels` of them there. Kernels that lie in one run, forwards or
 * backwards, are read by turning vectors of it. */
INLINE void weigh_lanes(const int MH, const int MW, const winograd_weights *job, int64_t channels,
                        const elem *w, elem *to) {
    enum { RUN = VL };
    const int rows = MH == 1 ? 1 : TAPS, taps = rows * TAPS;
    const int64_t way = job->by_column, ahead = way < 0 ? taps - 1 : 0;
    const int joined = channels >= VL && way * way == 1 && (rows == 1 || job->by_row == TAPS * way);
    elem g[RUN * TAPS * TAPS * VL];
    int64_t c = 0;
    for (; joined && job->by_input == taps && c + RUN <= job->channels_in; c += RUN) {
        turn_run(RUN * taps, w + c * taps - ahead, job->by_output, g);
        for (int i = 0; i < RUN; i++) {
            const int at = (i * taps + ahead) * VL;
            fetch(job, w + (c + RUN + i) * taps);
            weigh_kernel(MH, MW, g + at, way * VL, to + (c + i) * PANEL, job->to_element);
        }
    }
    for (; c < job->channels_in; c++) {
        const elem *kernel = w + c * job->by_input;
        const int turned = joined && taps >= VL;
        fetch(job, kernel + RUN * job->by_input);
        if (turned)
            turn_run(taps, kernel - ahead, job->by_output, g);
        else
            read_kernel(rows, job, channels, kernel, g);
        weigh_kernel(MH, MW, g + (turned ? ahead * VL : 0), turned ? way * VL : VL, to + c * PANEL,
                     job->to_element);
    }
}

INLINE void weights(const int MH, const int MW, const winograd_weights *job) {
    for (int64_t k = 0; k < PANEL; k += VL)
        weigh_lanes(MH, MW, job, job->channels - k < VL ? job->channels - k : VL,
                    (const elem *)job->w + k * job->by_output, (elem *)job->to + k);
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

/* A register tile of CHANNELS x N vectors over all input channels; lanes are tiles. */
INLINE void multiply(const int N, const winograd_product *job, const elem *w, const elem *v,
                     elem *sums) {
    vec acc[MOST_SUMS];
    UNROLL(24)
    for (int i = 0; i < CHANNELS * N; i++)
        acc[i] = (vec){0};
    for (int64_t c = 0; c < job->channels; c++, w += PANEL, v += job->lanes) {
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

static void product_of_many(const winograd_product *job) {
    const int64_t vectors = (job->tiles + VL - 1) / VL;
    const int64_t parts = (vectors + WINOGRAD_VECS - 1) / WINOGRAD_VECS;
    for (int64_t k = 0; k < job->outputs; k += CHANNELS) {
        const elem *w = (const elem *)job->w + k / PANEL * job->channels * PANEL + k % PANEL;
        elem *sums = (elem *)job->sums + k * job->lanes;
        for (int64_t i = 0; i < parts; i++) {
            const int64_t first = vectors * i / parts, end = vectors * (i + 1) / parts;
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

/* Where there are fewer tiles than lanes: lanes are output channels, FEW tiles at a time. The sums
 * are the same, in the same order. */
enum { FEW = 4, FEW_VECS = CHANNELS * WINOGRAD_VECS / FEW };

/* acc[n][t] += sum_c w[n][c * step] * v[c][t] */
INLINE void sum_few(const int N, int64_t channels, const elem *const *w, int64_t step,
                    const elem *v, int64_t pitch, vec *acc) {
    const elem *end = v + channels * pitch;
    for (int64_t at = 0; v != end; v += pitch, at += step) {
        vec a[MOST_VECS];
        UNROLL(6)
        for (int n = 0; n < N; n++)
            a[n] = load(w[n] + at);
        UNROLL(4)
        for (int t = 0; t < FEW; t++) {
            const vec b = set1(v[t]);
            UNROLL(6)
            for (int n = 0; n < N; n++)
                acc[n * FEW + t] = madd(acc[n * FEW + t], a[n], b);
        }
    }
}

/* sums[l][t] (+)= acc[t][l] */
INLINE void put_few(vec *acc, elem *sums, int64_t pitch, int accumulate) {
    typedef elem quad __attribute__((vector_size(QUAD * sizeof(elem))));
    UNROLL(4)
    for (int t = 0; t < FEW; t += QUAD) {
        turn(acc + t, 1, QUAD, 1);
        UNROLL(4)
        for (int i = 0; i < QUAD; i++) {
            quad part[VL / QUAD];
            memcpy(part, &acc[t + i], sizeof part);
            UNROLL(4)
            for (int b = 0; b < VL / QUAD; b++) {
                elem *to = sums + (b * QUAD + i) * pitch + t;
                quad before = {0};
                if (accumulate) memcpy(&before, to, sizeof before);
                part[b] += before;
                memcpy(to, &part[b], sizeof before);
            }
        }
    }
}

INLINE void multiply_few(const int N, const winograd_product *job, int64_t k) {
    const elem *w[MOST_VECS];
    UNROLL(6)
    for (int n = 0; n < N; n++) {
        const int64_t first = k + n * VL;
        w[n] = (const elem *)job->w + first / PANEL * job->channels * PANEL + first % PANEL;
    }
    for (int64_t t = 0; t < job->tiles; t += FEW) {
        vec acc[MOST_SUMS];
        UNROLL(24)
        for (int i = 0; i < N * FEW; i++)
            acc[i] = (vec){0};
        sum_few(N, job->channels, w, PANEL, (const elem *)job->v + t, job->lanes, acc);
        UNROLL(6)
        for (int n = 0; n < N; n++)
            put_few(acc + n * FEW, (elem *)job->sums + (k + n * VL) * job->lanes + t, job->lanes,
                    job->accumulate);
    }
}

static void product_of_few(const winograd_product *job) {
    int64_t k = 0;
    for (; k + FEW_VECS * VL <= job->outputs; k += FEW_VECS * VL)
        multiply_few(FEW_VECS, job, k);
    for (; k + 2 * VL <= job->outputs; k += 2 * VL)
        multiply_few(2, job, k);
    for (; k < job->outputs; k += VL)
        multiply_few(1, job, k);
}

static void product(const winograd_product *job) {
    if (FEW <= VL && job->tiles <= VL)
        product_of_few(job);
    else
        product_of_many(job);
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
                                         .panel = PANEL,
                                         .vectors = WINOGRAD_VECS,
                                         .few = FEW < VL ? FEW : VL};
