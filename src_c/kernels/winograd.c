/* SPDX-License-Identifier: BSD-3-Clause
 *
 * winograd.c -- the stages of minimal filtering (contracts: kernel_types.h).
 *
 * M outputs of R taps along an axis come from N = M + R - 1 products instead of M R (Winograd 1980;
 * Lavin & Gray, arXiv:1509.09308). Along one axis, with d the N samples and g the taps,
 *
 *   y = A' [(G g) * (B' d)]
 *
 * where sample and tap polynomials are taken at N points: 0, pairs p and -p, and infinity if N is
 * even. Along two axes each matrix works on the columns, then on the rows. Each matrix is a `map`,
 * one for each (M, R); what combines them does not depend on either. Lanes are tiles, next to each
 * other along a row, or output channels.
 */
#include "kernel_types.h"
#include "vec.h"
#include "winograd_types.h"

#include "turn.h"

#define MOST       9  /* elements of a tile along an axis */
#define MOST_N     8  /* and those of a phase */
#define MOST_PAIRS 3  /* pairs of points */
#define MOST_PART  9  /* taps of a part along both axes */
#define MOST_HALF  27 /* taps along one by elements along the other */
#define MOST_VECS  6  /* vectors of the product's register tile */
#define MOST_SUMS  24 /* and its sums */
#define AHEAD      64 /* channels, whose weights are asked for before their use */

/* The pairs of N points, by N: of simple fractions those with about the least error. (The usual 1
 * and 2 of N = 6 have more than twice as much.) */
static const double POINTS[MOST_N + 1][MOST_PAIRS] = {
    [3] = {3. / 2},
    [4] = {1},
    [5] = {3. / 4, 21. / 8},
    [6] = {11. / 16, 3. / 2},
    [7] = {1. / 2, 5. / 4, 3},
    [8] = {1. / 2, 1, 2},
};
#define PAIRS(N)    (((N)-1) / 2)
#define INFINITE(N) ((N) % 2 == 0)

INLINE double square(double a) {
    return a * a;
}

/* The coefficients of the product of x^2 - p^2 over all pairs but one, lowest first; the highest is
 * 1. */
INLINE void expand(const int N, const int but, double *c) {
    int degree = 0;
    c[0] = 1;
    UNROLL(3)
    for (int i = 0; i < PAIRS(N); i++) {
        const double pp = square(POINTS[N][i]);
        if (i == but) continue;
        c[++degree] = 1;
        UNROLL(3)
        for (int j = degree - 1; j > 0; j--)
            c[j] = c[j - 1] - pp * c[j];
        c[0] *= -pp;
    }
}

/* x[0] c[0] + x[2] c[1] + ... + x[2 n] */
INLINE vec combine(const int n, const double *c, const vec *x) {
    vec sum = x[2 * n];
    UNROLL(3)
    for (int i = n - 1; i >= 0; i--)
        sum += set1((elem)c[i]) * x[2 * i];
    return sum;
}

/* v = B' d, from the coefficients of the product of x - q over all points q but one; the rows of a
 * pair share their even and odd powers. */
INLINE void evaluate(const int M, const int R, const vec *d, vec *v) {
    const int N = M + R - 1;
    double c[MOST_PAIRS + 1];
    if (R == 1) {
        UNROLL(4)
        for (int j = 0; j < M; j++)
            v[j] = d[j];
        return;
    }
    expand(N, -1, c);
    v[0] = combine(PAIRS(N), c, d);
    if (INFINITE(N)) v[N - 1] = combine(PAIRS(N), c, d + 1);
    UNROLL(3)
    for (int i = 0; i < PAIRS(N); i++) {
        expand(N, i, c);
        const vec even = combine(PAIRS(N) - 1, c, d + 2);
        const vec odd = set1((elem)POINTS[N][i]) * combine(PAIRS(N) - 1, c, d + 1);
        v[1 + 2 * i] = even + odd;
        v[2 + 2 * i] = even - odd;
    }
}

/* y = A' s: the powers of the points. */
INLINE void interpolate(const int M, const int R, const vec *s, vec *y) {
    const int N = M + R - 1;
    UNROLL(4)
    for (int j = 0; j < M; j++)
        y[j] = s[j];
    if (R == 1) return;
    UNROLL(4)
    for (int j = 1; j < M; j++)
        y[j] = j == M - 1 && INFINITE(N) ? s[N - 1] : (vec){0};
    UNROLL(3)
    for (int i = 0; i < PAIRS(N); i++) {
        const vec even = s[1 + 2 * i] + s[2 + 2 * i], odd = s[1 + 2 * i] - s[2 + 2 * i];
        double power = 1;
        UNROLL(4)
        for (int j = 0; j < M; j++, power *= POINTS[N][i])
            y[j] += set1((elem)power) * (j % 2 ? odd : even);
    }
}

/* u = G g: the powers of the points over the products of their differences; `step` taps apart. */
INLINE void weigh(const int M, const int R, const vec *g, const int step, vec *u) {
    const int N = M + R - 1;
    double c[MOST_PAIRS + 1];
    if (R == 1) {
        UNROLL(4)
        for (int j = 0; j < M; j++)
            u[j] = g[0];
        return;
    }
    expand(N, -1, c);
    u[0] = set1((elem)(1 / c[0])) * g[0];
    if (INFINITE(N)) u[N - 1] = g[(R - 1) * step];
    UNROLL(3)
    for (int i = 0; i < PAIRS(N); i++) {
        const double pp = square(POINTS[N][i]);
        double value = 1, power;
        expand(N, i, c);
        UNROLL(3)
        for (int j = PAIRS(N) - 2; j >= 0; j--)
            value = value * pp + c[j];
        power = 1 / (2 * pp * value);
        vec sum[2] = {set1((elem)power) * g[0], (vec){0}};
        UNROLL(4)
        for (int t = 1; t < R; t++) {
            power *= POINTS[N][i];
            sum[t % 2] += set1((elem)power) * g[t * step];
        }
        u[1 + 2 * i] = sum[0] + sum[1];
        u[2 + 2 * i] = sum[0] - sum[1];
    }
}

/* A stride of S: of the samples of its phase f, outputs meet taps f, f + S ... One after the other
 * the phases have elements and sums of their own; those of an output are added up. */
#define TAPS(S, R, f)     (((R) - (f) + (S)-1) / (S))
#define ELEMENTS(M, S, R) ((S) * (M) + (R) - (S))

#define FIRST(M, S, R)    ((M) + TAPS(S, R, 0) - 1) /* elements of the first of two */

INLINE void evaluate_phases(const int M, const int S, const int R, const vec *d, vec *v) {
    const int e = FIRST(M, S, R);
    evaluate(M, TAPS(S, R, 0), d, v);
    if (S > 1) evaluate(M, TAPS(S, R, S - 1), d + e, v + e);
}

INLINE void interpolate_phases(const int M, const int S, const int R, const vec *s, vec *y) {
    interpolate(M, TAPS(S, R, 0), s, y);
    if (S > 1) {
        vec z[4];
        interpolate(M, TAPS(S, R, S - 1), s + FIRST(M, S, R), z);
        UNROLL(4)
        for (int j = 0; j < M; j++)
            y[j] += z[j];
    }
}

INLINE void weigh_phases(const int M, const int S, const int R, const vec *g, vec *u) {
    weigh(M, TAPS(S, R, 0), g, S, u);
    if (S > 1) weigh(M, TAPS(S, R, S - 1), g + S - 1, S, u + FIRST(M, S, R));
}

/* How far apart, and how many. */
typedef struct {
    int64_t count, from, to;
} loop;

/* What a matrix works on: columns in two loops, the elements of each `step` apart, or those of each
 * phase of samples. */
typedef struct {
    const elem *from;
    int64_t step;
    elem *to;
    int64_t to_step;
    loop inner, outer;
    const int64_t *phases; /* where they begin */
} columns;

typedef void map(const columns *at);

/* Neighbouring tiles along a line; their first samples are M apart, and the last ones of a tile are
 * the first of the next. */
INLINE void evaluate_line(const int M, const int R, const columns *at, const elem *line, elem *to) {
    const int64_t step = at->to_step;
    for (int64_t n = at->inner.count; n > 0; n--, line += M * VL, to += VL) {
        vec d[MOST_N], v[MOST_N];
        UNROLL(4)
        for (int j = 0; j < M; j++)
            d[j] = load(line + j * VL);
        split(d, M);
        UNROLL(4)
        for (int j = 0; j < R - 1; j++)
            d[M + j] = shift(d[j], set1(line[M * VL + j]));
        evaluate(M, R, d, v);
        UNROLL(8)
        for (int j = 0; j < M + R - 1; j++)
            store(to + j * step, v[j]);
    }
}

/* The outputs of a row of tiles, and whether those of a tile are finite. They lie tile by tile, in
 * `to_step` = VL, or those of each column farther apart. */
INLINE void finish_row(const int M, const int S, const int R, const columns *at, const elem *from,
                       vec bias, elem *unfit, elem *to) {
    const int64_t step = at->step, to_step = at->to_step;
    for (int64_t n = at->inner.count; n > 0; n--, from += VL, unfit += VL, to += at->inner.to) {
        vec s[MOST], y[4], watch = load(unfit);
        UNROLL(9)
        for (int j = 0; j < ELEMENTS(M, S, R); j++)
            s[j] = load(from + j * step);
        interpolate_phases(M, S, R, s, y);
        UNROLL(4)
        for (int j = 0; j < M; j++) {
            y[j] += bias;
            watch += y[j] * set1(0);
        }
        store(unfit, watch);
        if (at->inner.to > VL) merge(y, M);
        UNROLL(4)
        for (int j = 0; j < M; j++)
            store(to + j * to_step, y[j]);
    }
}

/* Kernels of VL output channels each, [row][column][lane], maybe backwards. */
typedef struct {
    const elem *first;
    int64_t count, next, row, column;
    const elem *later; /* the kernels to be read after these, or NULL */
    int64_t by_output, by_input;
} taps;

/* Asks for a kernel of VL output channels ahead of its use: each is read from a place of its
 * own. */
INLINE void fetch(const elem *w, int64_t by_output) {
    UNROLL(16)
    for (int k = 0; k < VL; k++)
        __builtin_prefetch(w + k * by_output);
}

/* Kernels whose axes are of one form. */
/* A pointer that is computed anew: a compiler may hold all that are a multiple of a step apart, of
 * which there are more than registers. */
INLINE elem *held_pointer(elem *p) {
    __asm__("" : "+r"(p));
    return p;
}

INLINE void weigh_square(const int M, const int S, const int R, const taps *g, elem *to,
                         int64_t to_element, int64_t to_next) {
    const int N = ELEMENTS(M, S, R);
    const int64_t row = g->row, column = g->column;
    const elem *first = g->first;
    for (int64_t c = 0; c < g->count; c++, first += g->next, to += to_next) {
        elem *line_to = to;
        if (g->later) fetch(g->later + c * g->by_input, g->by_output);
        vec half[MOST][WINOGRAD_BESIDE];
        UNROLL(3)
        for (int t = 0; t < R; t++) {
            vec line[WINOGRAD_BESIDE], u[MOST];
            UNROLL(3)
            for (int h = 0; h < R; h++)
                line[h] = load(first + h * row + t * column);
            weigh_phases(M, S, R, line, u);
            UNROLL(9)
            for (int i = 0; i < N; i++)
                half[i][t] = u[i];
        }
        UNROLL(9)
        for (int i = 0; i < N; i++) {
            vec u[MOST];
            weigh_phases(M, S, R, half[i], u);
            UNROLL(9)
            for (int j = 0; j < N; j++)
                store(line_to + j * to_element, u[j]);
            line_to = held_pointer(line_to + N * to_element);
        }
    }
}

/* Where sample j of a tile lies, those of all phases counted. */
INLINE int64_t sample_at(const int M, const int S, const int R, const columns *at, int j) {
    UNROLL(2)
    for (int f = 0; f < S; f++) {
        const int count = M + TAPS(S, R, f) - 1;
        if (j < count) return at->phases[f] + j * at->step;
        j -= count;
    }
    return 0;
}

#define MAP(name, element, matrix, rows, cols)                                                     \
    static void name(const columns *at) {                                                          \
        const int64_t to_step = at->to_step;                                                       \
        for (int64_t o = 0; o < at->outer.count; o++) {                                            \
            const elem *from = at->from + o * at->outer.from;                                      \
            elem *to = at->to + o * at->outer.to;                                                  \
            for (int64_t n = at->inner.count; n > 0; n--) {                                        \
                vec x[MOST], y[MOST];                                                              \
                UNROLL(9)                                                                          \
                for (int j = 0; j < (cols); j++)                                                   \
                    x[j] = load(from + (element));                                                 \
                matrix;                                                                            \
                UNROLL(9)                                                                          \
                for (int i = 0; i < (rows); i++)                                                   \
                    store(to + i * to_step, y[i]);                                                 \
                from += at->inner.from;                                                            \
                to += at->inner.to;                                                                \
            }                                                                                      \
        }                                                                                          \
    }
#define STAGES(M, S, R)                                                                            \
    MAP(weigh_##M##S##R, j * at->step, weigh_phases(M, S, R, x, y), ELEMENTS(M, S, R), R)          \
    MAP(evaluate_##M##S##R, sample_at(M, S, R, at, j), evaluate_phases(M, S, R, x, y),             \
        ELEMENTS(M, S, R), ELEMENTS(M, S, R))                                                      \
    MAP(interpolate_##M##S##R, j * at->step, interpolate_phases(M, S, R, x, y), M,                 \
        ELEMENTS(M, S, R))                                                                         \
    static void square_##M##S##R(const taps *g, elem *to, int64_t to_element, int64_t to_next) {   \
        if (R <= WINOGRAD_BESIDE) weigh_square(M, S, R, g, to, to_element, to_next);               \
    }                                                                                              \
    static void lines_##M##S##R(const columns *at) {                                               \
        for (int64_t i = 0; i < at->outer.count; i++) {                                            \
            const elem *from = at->from + i * at->outer.from;                                      \
            elem *to = at->to + i * at->outer.to;                                                  \
            evaluate_line(M, TAPS(S, R, 0), at, from + at->phases[0], to);                         \
            if (S > 1)                                                                             \
                evaluate_line(M, TAPS(S, R, S - 1), at, from + at->phases[S - 1],                  \
                              to + FIRST(M, S, R) * at->to_step);                                  \
        }                                                                                          \
    }                                                                                              \
    static void finish_##M##S##R(const columns *at, vec bias, elem *unfit) {                       \
        for (int64_t i = 0; i < at->outer.count; i++)                                              \
            finish_row(M, S, R, at, at->from + i * at->outer.from, bias, unfit,                    \
                       at->to + i * at->outer.to);                                                 \
    }
PYCONVC_FOR_WINOGRAD_AXES(STAGES)

static const struct {
    map *weigh, *evaluate, *interpolate, *evaluate_lines;
    void (*weigh_square)(const taps *g, elem *to, int64_t to_element, int64_t to_next);
    void (*finish)(const columns *at, vec bias, elem *unfit);
} stages[] = {
#define ENTRY(M, S, R)                                                                             \
    {weigh_##M##S##R, evaluate_##M##S##R, interpolate_##M##S##R,                                   \
     lines_##M##S##R, square_##M##S##R,   finish_##M##S##R},
    PYCONVC_FOR_WINOGRAD_AXES(ENTRY)};

#define CHANNELS WINOGRAD_CHANNELS
#define PANEL    (VL < CHANNELS ? CHANNELS : VL)

/* to[i][l] = from[l * pitch + i], i < count, at least VL. */
INLINE void turn_run(const int count, const elem *from, int64_t pitch, elem *to) {
    for (int i = 0; i < count; i += VL) {
        const int at = i + VL <= count ? i : count - VL;
        turn_block(from + at, pitch, to + at * VL, VL);
    }
}

/* The taps of a kernel, of so many output channels: to[tap][lane]. */
INLINE void read_kernel(const winograd_weights *job, int64_t channels, const elem *w, elem *to) {
    const int64_t columns = job->phases->columns, rows = job->phases->rows;
    memset(to, 0, sizeof(elem) * (size_t)(rows * columns * VL));
    for (int64_t k = 0; k < channels; k++)
        for (int64_t h = 0; h < rows; h++)
            for (int64_t t = 0; t < columns; t++)
                to[(h * columns + t) * VL + k] =
                    w[k * job->by_output + h * job->by_row + t * job->by_column];
}

/* One part of some kernels, at most VL. */
static void weigh_part(const winograd_weights *job, const taps *g, elem *to, int64_t to_next) {
    const winograd_axis *down = &job->form->down, *across = &job->form->across;
    const int64_t e = job->to_element, line = across->taps * VL, half = down->elements * line;
    elem halves[MOST_HALF * VL * VL];
    if (down->form == across->form) {
        stages[down->form].weigh_square(g, to, e, to_next);
        return;
    }
    columns at = {
        g->first, g->row, halves, line, {across->taps, g->column, VL}, {g->count, g->next, half}};
    if (across->elements == 1) at.to = to, at.to_step = e, at.outer.to = to_next;
    taps turned;
    if (down->elements > 1) {
        stages[down->form].weigh(&at);
        turned = (taps){halves, g->count, half, line, VL, NULL, 0, 0};
        g = &turned;
    }
    if (across->elements > 1) {
        const int64_t row = across->elements * e;
        at = (columns){g->first,
                       g->column,
                       to,
                       e,
                       {down->elements, g->row, row},
                       {g->count, g->next, to_next}};
        stages[across->form].weigh(&at);
    }
}

/* A part of them by itself. */
INLINE taps cut(const winograd_form *form, const taps *g, int64_t part, elem *to) {
    const winograd_axis *down = &form->down, *across = &form->across;
    const winograd_part of_rows = winograd_find_part(down, part / across->parts),
                        of_row = winograd_find_part(across, part % across->parts);
    const taps cut = {to, g->count, down->taps * across->taps * VL, across->taps * VL, VL, NULL,
                      0,  0};
    const int64_t row = down->apart * g->row, column = across->apart * g->column;
    const elem *from = g->first + of_rows.first * g->row + of_row.first * g->column;
    for (int64_t c = 0; c < g->count; c++)
        for (int64_t h = 0; h < down->taps; h++)
            for (int64_t t = 0; t < across->taps; t++) {
                const int has =
                    of_rows.from <= h && h < of_rows.end && of_row.from <= t && t < of_row.end;
                store(to + c * cut.next + h * cut.row + t * VL,
                      has ? load(from + c * g->next + h * row + t * column) : (vec){0});
            }
    return cut;
}

enum {
    FEW_TAPS = 16,
    MOST_READ = FEW_TAPS * VL < WINOGRAD_KERNEL ? WINOGRAD_KERNEL : FEW_TAPS * VL
};

/* Some kernels of one phase, part by part. */
static void weigh_parts(const winograd_weights *job, const taps *g, elem *to) {
    const winograd_form *form = job->form;
    const int64_t to_next = form->parts * PANEL;
    elem some[MOST_PART * VL * VL];
    if (form->parts == 1) {
        weigh_part(job, g, to, to_next);
        return;
    }
    for (int64_t p = 0; p < form->parts; p++, to += PANEL) {
        const taps of_part = cut(form, g, p, some);
        weigh_part(job, &of_part, to, to_next);
    }
}

/* The taps of a phase; beyond those of the kernel they are zero. */
INLINE taps pick_phase(const winograd_weights *job, const taps *g, int64_t f, elem *to) {
    const winograd_phases *phases = job->phases;
    const int64_t top = phases->first[f].row, left = phases->first[f].column,
                  rows = job->form->down.kernel, columns = job->form->across.kernel;
    taps picked = *g;
    picked.first += top * g->row + left * g->column;
    picked.row *= phases->row_step;
    picked.column *= phases->column_step;
    if (f) picked.later = NULL;
    if (top >= 0 && left >= 0 && top + (rows - 1) * phases->row_step < phases->rows &&
        left + (columns - 1) * phases->column_step < phases->columns)
        return picked;
    const elem *from = picked.first;
    for (int64_t h = 0; h < rows; h++)
        for (int64_t t = 0; t < columns; t++) {
            const int64_t row = top + h * phases->row_step, column = left + t * phases->column_step;
            const int there =
                row >= 0 && row < phases->rows && column >= 0 && column < phases->columns;
            for (int64_t c = 0; c < g->count; c++)
                store(to + ((c * rows + h) * columns + t) * VL,
                      there ? load(from + c * g->next + h * picked.row + t * picked.column)
                            : (vec){0});
        }
    return (taps){to, g->count,     rows * columns * VL, columns * VL,
                  VL, picked.later, g->by_output,        g->by_input};
}

/* Some kernels, phase by phase. */
static void weigh_kernels(const winograd_weights *job, const taps *g, elem *to) {
    elem some[MOST_READ * VL];
    if (job->phases->count == 1) {
        weigh_parts(job, g, to);
        return;
    }
    for (int64_t f = 0; f < job->phases->count; f++, to += job->to_phase) {
        const taps of_phase = pick_phase(job, g, f, some);
        weigh_parts(job, &of_phase, to);
    }
}

/* VL output channels, at most `channels` of them there. Kernels that lie in one run, forwards or
 * backwards, are read by turning vectors of it, some of them at once if they are small. */
static void weigh_lanes(const winograd_weights *job, int64_t channels, const elem *w, elem *to) {
    const int64_t rows = job->phases->rows, columns = job->phases->columns, count = rows * columns,
                  to_next = job->form->parts * PANEL;
    const int64_t way = job->by_column, ahead = way < 0 ? count - 1 : 0;
    const int joined =
        channels >= VL && way * way == 1 && (rows == 1 || job->by_row == columns * way);
    elem g[MOST_READ * VL];
    const int64_t row = columns * VL;
    taps some = {g + ahead * VL, VL, count * VL, row * way, way * VL, NULL, job->by_output, count};
    int64_t c = 0;
    for (; joined && count <= FEW_TAPS && job->by_input == count && c + VL <= job->channels_in;
         c += VL) {
        turn_run((int)count * VL, w + c * count - ahead, job->by_output, g);
        some.later = w + (c + 2 * VL) * count; /* memory takes longer than VL kernels */
        weigh_kernels(job, &some, to + c * to_next);
    }
    const int64_t most = count <= FEW_TAPS ? VL : 1;
    const int turned = joined && count >= VL;
    some.later = NULL;
    if (!turned) some = (taps){g, 1, count * VL, row, VL, NULL, 0, 0};
    for (; c < job->channels_in; c += some.count) {
        some.count = job->channels_in - c < most ? job->channels_in - c : most;
        for (int64_t i = 0; i < some.count; i++) {
            const elem *kernel = w + (c + i) * job->by_input;
            fetch(kernel + VL * job->by_input, job->by_output);
            if (turned)
                turn_run((int)count, kernel - ahead, job->by_output, g + i * count * VL);
            else
                read_kernel(job, channels, kernel, g + i * count * VL);
        }
        weigh_kernels(job, &some, to + c * to_next);
    }
}

static void weights(const winograd_weights *job) {
    for (int64_t k = 0; k < PANEL; k += VL)
        weigh_lanes(job, job->channels - k < VL ? job->channels - k : VL,
                    (const elem *)job->w + k * job->by_output, (elem *)job->to + k);
}

#define CHUNK 8 /* vectors of tiles that are transformed at a time */

/* Where the phases begin of a part that begins with so many taps before it. */
INLINE void find_phases(const winograd_line *line, int64_t before, int64_t *phases) {
    for (int f = 0; f < WINOGRAD_PHASES; f++)
        phases[f] = winograd_at(line, before + f);
}

/* At most CHUNK vectors of tiles of a plane. Along an axis without taps there is nothing to do.
 * Between the two axes there are lines of samples for each element along the first: of each phase,
 * or, for tiles that lie side by side, of each sample of a tile. */
static void transform(const winograd_input *job, const elem *x, int64_t vectors, elem *to) {
    enum { LINE = (CHUNK * 4 + 1) * VL + WINOGRAD_TAPS, SIDE = CHUNK * VL, ROW = 2 * LINE };
    const winograd_lines *lie = job->lines;
    const winograd_axis *down = &job->form->down, *across = &job->form->across;
    elem lines[MOST * ROW];
    int64_t rows[WINOGRAD_PHASES], samples[WINOGRAD_PHASES], phases[WINOGRAD_PHASES];
    const int64_t run = vectors * across->outputs * VL + across->taps - 1,
                  to_row = across->elements * job->to_element;
    const loop tiles = {vectors, VL, VL};
    find_phases(&lie->down, job->down, rows);
    find_phases(&lie->across, job->across, samples);
    columns at = {x + samples[0], lie->down.sample, to, to_row, tiles, {1, 0, 0}, rows};
    if (across->elements == 1) {
        stages[down->form].evaluate(&at);
        return;
    }
    if (down->elements > 1) {
        at.to_step = ROW;
        if (lie->beside)
            at.outer = (loop){across->elements, lie->across.sample, SIDE};
        else
            at.inner.count = (run + VL - 1) / VL;
        for (int f = 0; f < across->phases; f++) {
            phases[f] = f * LINE;
            at.from = x + samples[f];
            at.to = lines + f * LINE;
            stages[down->form].evaluate(&at);
        }
        at = (columns){lines, SIDE, to, job->to_element, tiles, {down->elements, ROW, to_row},
                       phases};
    } else
        at = (columns){x + rows[0], lie->across.sample, to,     job->to_element,
                       tiles,       {1, 0, 0},          samples};
    (lie->beside ? stages[across->form].evaluate : stages[across->form].evaluate_lines)(&at);
}

static void input(const winograd_input *job) {
    const int64_t vectors = (job->tiles + VL - 1) / VL,
                  tile = job->lines->beside ? 1 : job->form->across.outputs;
    for (int64_t n = 0; n < vectors; n += CHUNK)
        transform(job, (const elem *)job->x + n * VL * tile,
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

/* Where the samples of a tile lie along an axis, and which of them the taps of the first output
 * meet. A kernel that is without a tap at either end is as one with fewer taps of more outputs. */
typedef struct {
    int64_t samples[WINOGRAD_SIDE], count, of_phase, taps[WINOGRAD_LONG], outputs, kernel;
} reach;

static reach find_reach(const winograd_axis *axis, const winograd_line *line, int less) {
    reach r = {.of_phase = axis->outputs + (axis->kernel - 1) / line->stride,
               .outputs = axis->outputs + less,
               .kernel = axis->kernel - less};
    for (int64_t f = 0; f < line->phases; f++)
        for (int64_t i = 0; i < r.of_phase; i++)
            r.samples[r.count++] = f * line->phase + i * line->sample;
    for (int64_t t = 0; t < axis->kernel; t++)
        r.taps[t] = t % line->phases * r.of_phase + t / line->stride;
    return r;
}

/* Whether a kernel meets only samples that are lost beside the loudest of the tile. */
static int has_quiet(const reach *down, const reach *across, const elem *x) {
    elem along[WINOGRAD_SIDE][5], loudest = 0;
    int quiet = 0;
    for (int64_t i = 0; i < down->count; i++) {
        const elem *line = x + down->samples[i];
        for (int64_t j = 0; j < across->count; j++)
            loudest = larger(loudest, line[across->samples[j]]);
        for (int64_t j = 0; j < across->outputs; j++) {
            along[i][j] = 0;
            for (int64_t t = 0; t < across->kernel; t++)
                along[i][j] = larger(along[i][j], line[across->samples[across->taps[t] + j]]);
        }
    }
    for (int64_t i = 0; i < down->outputs; i++)
        for (int64_t j = 0; j < across->outputs; j++) {
            elem met = 0;
            for (int64_t t = 0; t < down->kernel; t++)
                met = larger(met, along[down->taps[t] + i][j]);
            quiet |= met > 0 && met * LOUDER < loudest;
        }
    return quiet;
}

static void quiet(const winograd_quiet *job) {
    const winograd_form *form = job->form;
    const reach down = find_reach(&form->down, &job->lines->down, job->less_rows),
                across = find_reach(&form->across, &job->lines->across, job->less_columns);
    const int64_t tile = job->lines->beside ? 1 : form->across.outputs;
    const elem *x = job->peaks;
    elem *unfit = job->unfit;
    for (int64_t t = 0; t < job->tiles; t++)
        if (has_quiet(&down, &across, x + t * tile)) unfit[t] = (elem)__builtin_nan("");
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
        __builtin_prefetch(w + AHEAD * PANEL);
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
    for (int64_t i = 0; i < parts; i++) {
        const int64_t first = vectors * i / parts, end = vectors * (i + 1) / parts;
        const elem *v = (const elem *)job->v + first * VL;
        for (int64_t k = 0; k < job->outputs; k += CHANNELS) {
            const elem *w = (const elem *)job->w + k / PANEL * job->channels * PANEL + k % PANEL;
            elem *sums = (elem *)job->sums + k * job->lanes;
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

/* Outputs of a channel, [row][lane][column]; unfit gets NaN for tiles that have one. */
static void output(const winograd_output *job) {
    const winograd_axis *down = &job->form->down, *across = &job->form->across;
    const vec bias = set1(job->bias ? *(const elem *)job->bias : 0);
    const int64_t row = across->elements * CHUNK * VL,
                  tile = VL * (job->beside ? 1 : across->outputs);
    elem half[4 * MOST * CHUNK * VL];
    for (int64_t n = 0; n < job->vectors; n += CHUNK) {
        const int64_t vectors = job->vectors - n < CHUNK ? job->vectors - n : CHUNK;
        const elem *sums = (const elem *)job->sums + n * VL;
        columns at = {sums,
                      across->elements * job->element,
                      half,
                      row,
                      {vectors, VL, VL},
                      {across->elements, job->element, CHUNK * VL}};
        if (down->elements > 1) stages[down->form].interpolate(&at);
        at = (columns){half,
                       CHUNK * VL,
                       (elem *)job->to + n * tile,
                       job->beside ? job->lanes : VL,
                       {vectors, VL, tile},
                       {down->outputs, row, across->outputs * job->lanes}};
        if (down->elements == 1) at.from = sums, at.step = job->element;
        stages[across->form].finish(&at, bias, (elem *)job->unfit + n * VL);
    }
}

const winograd_kernels NAME(winograd) = {.weights = weights,
                                         .input = input,
                                         .quiet = quiet,
                                         .output = output,
                                         .peaks = peaks,
                                         .product = product,
                                         .lanes = VL,
                                         .panel = PANEL,
                                         .vectors = WINOGRAD_VECS,
                                         .few = FEW < VL ? FEW : VL,
                                         .few_channels = FEW > VL ? PANEL : FEW_VECS *VL};
