/* SPDX-License-Identifier: BSD-3-Clause
 *
 * plane.c -- the row-reuse filter on packed planes (contract: plane_fn in kernel_types.h).
 *
 *   y[r][j] += taps[i] * x[r + i][column + j]      for the taps i of a block
 *
 * A tile of PLANE_ROWS rows x one vector of y, or of PAIR_ROWS rows x two, stays in registers;
 * where there are fewer rows, one of them x WIDE_VECS. For each column of a block its n taps are
 * broadcast once, n being the whole height of most kernels; then each input vector is loaded once
 * and serves all rows that meet it. Rows lie at one pitch, so that no pointers are looked up, and
 * planes follow one another without a return to the driver.
 *
 * The sum of an output runs over blocks in order, then over taps in order, whatever tile it falls
 * in.
 *
 * With every second column, vectors of x are halved as they are loaded, within 16 bytes, as such
 * shuffles are the cheap ones. So lanes are in another order until sums are stored.
 *
 * Kernels of 3 x 3 taps keep all of these in registers instead, and the sums of the rows that meet
 * the current input row: each of its vectors is loaded once a column and serves three rows. They
 * also take planes that are not packed: rows beyond the edge are zeros from elsewhere, a sample
 * beside it is left out where a vector is loaded.
 */
#include "kernel_types.h"
#include "sums.h"

#include "shuffle.h"

#define ROWS      (PLANE_ROWS / PARTS)
#define PAIR_ROWS 4
#define WIDE_VECS (MOST / PARTS) /* of a tile of one row */
#define MOST      8 /* sums, and taps; a plain constant, so that arrays become registers */

#define HALVES    (PARTS == 1 && sizeof(elem) >= 4) /* smaller ones would take many shuffles */

#if VEC_BYTES && PARTS == 1
#    define QUAD ((int)(16 / sizeof(elem)))

/* Elements first, first + 2, ... of a and b: of each 16 bytes of a, then of those of b, and so on.
 */
INLINE vec halve(vec a, vec b, const int first) {
    SHUFFLE(a, b, j, j / QUAD * QUAD + j % (QUAD / 2) * 2 + first + j % QUAD / (QUAD / 2) * VL);
}

/* The same lanes in the order of the elements. */
INLINE vec in_order(vec v) {
    SHUFFLE(v, v, j, j % (VL / 2) / (QUAD / 2) * QUAD + j / (VL / 2) * (QUAD / 2) + j % (QUAD / 2));
}
#else
INLINE vec halve(vec a, vec b, const int first) {
    return first ? b : a;
}
#    if PARTS == 1
INLINE vec in_order(vec v) {
    return v;
}
#    endif
#endif

/* A vector of every `columns`-th element. */
INLINE vec every(const int columns, const elem *x) {
    return columns == 1 ? load(x) : halve(load(x), load(x + VL), 0);
}

/* Row `row` of those that are `pitch` bytes apart, every third of which has a pointer: what is
 * between is reached by scaled addresses. */
INLINE const elem *at(const char *const *third, int row, int64_t pitch, int64_t right) {
    return (const elem *)(third[row / 3] + row % 3 * pitch) + right;
}

/* One column of n taps on a tile of R rows x V vectors, `right` of the rows' pointers. */
INLINE void step(sum *acc, const int R, const int V, const int n, const int by,
                 const char *const *third, int64_t pitch, int64_t right, const elem *taps) {
    vec w[MOST * PARTS];
    UNROLL(16)
    for (int i = 0; i < n * PARTS; i++)
        w[i] = held(set1(taps[i]));
    UNROLL(16)
    for (int row = 0; row < R + n - 1; row++) {
        UNROLL(8)
        for (int v = 0; v < V; v++) {
            const vec a = held(every(by, at(third, row, pitch, right) + v * by * VL));
            meet(acc + v, R, V, w, n, row, a);
        }
    }
}

INLINE void columns(sum *acc, const int R, const int V, const int n, const int by,
                    const filter_block *block, const elem *x, int64_t x_pitch, const elem *taps) {
    const int64_t pitch = x_pitch * (int64_t)sizeof(elem);
    const char *third[MOST];
    UNROLL(8)
    for (int i = 0; i <= (R + n - 2) / 3; i++)
        third[i] = (const char *)(x + block->column) + (block->row + 3 * i) * pitch;
    for (int64_t c = 0, right = 0; c < block->columns; c++, right += block->step)
        step(acc, R, V, n, by, third, pitch, right, taps + c * n * PARTS);
}

/* The length of a program's only block, where the kernel is compiled for it; or any, for every
 * second column. */
typedef enum { ANY = 0, FIVE = 5, SEVEN = 7, BY_2 = -1 } kind;

INLINE void tile(sum *acc, const kind k, const int R, const int V, const filter_program *program,
                 const elem *taps, const elem *x, int64_t pitch) {
    const int by = k == BY_2 ? 2 : 1;
    if (k > ANY) {
        columns(acc, R, V, (int)k, by, program->blocks, x, pitch, taps);
        return;
    }
    for (int64_t b = 0; b < program->count; b++) {
        const filter_block *block = &program->blocks[b];
        switch (block->length) {
#define CASE(n)                                                                                    \
    case n:                                                                                        \
        if (n <= TILE_CHUNK) columns(acc, R, V, n, by, block, x, pitch, taps);                     \
        break;
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#undef CASE
        }
        taps += block->columns * block->length * PARTS;
    }
}

INLINE vec ordered(const kind k, const sum *s) {
#if PARTS == 1
    if (k == BY_2) return in_order(s->part[0]);
#endif
    return finish(s);
}

/* Rows that a vector may be written to whole of which less is asked for. Where lines shorter than a
 * vector follow each other, its end is what the next line will overwrite. */
INLINE int64_t whole_rows(const plane_job *job) {
    if (job->y_pitch != job->width) return 0;
    const int64_t beyond = (VL - 1) / job->width; /* lines that a vector reaches into */
    return job->height > beyond ? job->height - beyond : 0;
}

INLINE void put(const kind k, const int R, const int V, const sum *acc, elem *y, int64_t pitch,
                int past_cache) {
    UNROLL(8)
    for (int i = 0; i < R * V; i++)
        if (past_cache)
            stream(y + i / V * pitch + i % V * VL, ordered(k, &acc[i]));
        else
            store(y + i / V * pitch + i % V * VL, ordered(k, &acc[i]));
}

/* Functions of their own: compilers then find registers for the one loop in each. */
#define ALONE __attribute__((noinline))

/* Some elements, less than a vector; by 16 bytes, the last of which may lie over those before. */
INLINE void copy_part(const elem *from, int64_t elements, elem *to) {
    const int64_t bytes = elements * (int64_t)sizeof(elem);
    const char *a = (const char *)from;
    char *b = (char *)to;
    for (int64_t i = 0; i < bytes - 16; i += 16)
        memcpy(b + i, a + i, 16);
    if (bytes >= 16)
        memcpy(b + bytes - 16, a + bytes - 16, 16);
    else
        store_part(to, load(from), elements);
}

/* The rows first .. end - 1 of a tile of one vector to y, those below `whole` in whole vectors, of
 * the others some elements. */
static ALONE void put_rows(const elem *from, elem *y, int64_t pitch, int64_t first, int64_t end,
                           int64_t whole, int64_t elements) {
    for (int64_t r = first; r < end; r++)
        if (r < whole)
            store(y + r * pitch, load(from + r * VL));
        else
            copy_part(from + r * VL, elements, y + r * pitch);
}

/* V vectors of y down all rows, in tiles of R; there are at least R rows, or V is 1. */
INLINE void down(const kind k, const int R, const int V, const plane_job *job, const elem *x,
                 const elem *taps, vec start, elem *y, int64_t column, int64_t whole) {
    const int64_t left = job->width - column;
    x += column * (k == BY_2 ? 2 : 1);
    y += column;
    for (int64_t r = 0; r < job->height; r += R) {
        const int64_t row = begin(r, R, job->height), rows = job->height - row;
        elem *to = y + row * job->y_pitch;
        sum acc[MOST];
        UNROLL(8)
        for (int i = 0; i < R * V; i++)
            acc[i] = (sum){{start}};
        tile(acc, k, R, V, job->program, taps, x + row * job->x_pitch, job->x_pitch);
        if (V > 1 || (rows >= R && left >= VL)) {
            put(k, R, V, acc, to, job->y_pitch, job->stream);
            continue;
        }
        const int64_t first = left < VL ? whole - row : R;
        const int most = rows >= R && first >= R - 1; /* nearly always: the others end a plane */
        elem all[MOST * VL];
        if (most) put(k, R - 1, 1, acc, to, job->y_pitch, 0);
        put(k, R, 1, acc, all, VL, 0);
        put_rows(all, to, job->y_pitch, most ? R - 1 : 0, rows < R ? rows : R, first, left);
    }
}

/* The plane's next: x and y by their steps, taps and bias by theirs. */
INLINE void next(plane_job *job) {
    job->x = (const elem *)job->x + job->x_step;
    job->y = (elem *)job->y + job->y_step;
    job->taps = (const elem *)job->taps + job->taps_step;
    if (job->bias) job->bias = (const elem *)job->bias + job->bias_step;
}

/* The columns from .. to - 1 of all planes by tiles of R rows x V vectors. */
INLINE void sweep(const kind k, const int R, const int V, const plane_job *given, int64_t from,
                  int64_t to) {
    plane_job job = *given; /* which no store can change */
    const int64_t whole = whole_rows(given);
    for (int64_t i = 0; i < given->planes; i++, next(&job)) {
        const vec start = spread(job.bias);
        for (int64_t j = from; j < to; j += V * VL)
            down(k, R, V, &job, job.x, job.taps, start, job.y,
                 job.stream ? j : begin(j, V * VL, job.width), whole);
    }
}

/* Columns that tiles of pairs of vectors take, which keep more sums in flight: none where they
 * compute more that is not asked for than that gains. */
static int64_t paired(const plane_job *job) {
    const int64_t tall = (job->height + ROWS - 1) / ROWS * ROWS,
                  low = (job->height + PAIR_ROWS - 1) / PAIR_ROWS * PAIR_ROWS,
                  rest = job->width % (2 * VL);
    if (!REAL || job->width < 2 * VL || job->height < PAIR_ROWS ||
        low * ROWS >= tall * (2 * PAIR_ROWS))
        return 0;
    return rest <= VL || job->stream ? job->width - rest : job->width;
}

static ALONE void low_wide(const plane_job *job, int64_t to) {
    sweep(ANY, 1, WIDE_VECS, job, 0, to);
}
static ALONE void low_single(const plane_job *job, int64_t from) {
    sweep(ANY, 1, 1, job, from, job->width);
}

/* Fewer rows than a tile has, line by line: those too many would be computed for nothing. */
static void low(const plane_job *job) {
    const int64_t step = WIDE_VECS * VL, rest = job->width % step,
                  wide = job->width < step                 ? 0
                         : rest <= step / 2 || job->stream ? job->width - rest
                                                           : job->width;
    if (wide) low_wide(job, wide);
    if (wide < job->width) low_single(job, wide);
}

#define PLANES(name, k)                                                                            \
    static ALONE void name##_single(const plane_job *job, int64_t from, int64_t to) {              \
        sweep(k, ROWS, 1, job, from, to);                                                          \
    }                                                                                              \
    static ALONE void name##_pairs(const plane_job *job, int64_t to) {                             \
        sweep(k, PAIR_ROWS, REAL ? 2 : 1, job, 0, to);                                             \
    }                                                                                              \
    static void name(const plane_job *job) {                                                       \
        const int64_t pairs = paired(job);                                                         \
        if (pairs) name##_pairs(job, pairs);                                                       \
        if (pairs < job->width) name##_single(job, pairs, job->width);                             \
    }
PLANES(any, ANY)
PLANES(five, FIVE)
PLANES(seven, SEVEN)

#if PARTS == 1
static void any_by_2(const plane_job *job) {
    sweep(BY_2, ROWS, 1, job, 0, job->width);
}

/* sum += the products of three columns, vector v of each, with row i of the taps. */
INLINE vec add_row(vec sum, const int i, const vec *w, const vec *x) {
    UNROLL(3)
    for (int c = 0; c < 3; c++)
        sum = madd(sum, w[3 * c + i], x[c]);
    return sum;
}

/* A 3 x 3 kernel, its taps [column][row], on rows of x that are numbered from the first that the
 * first output meets. Those from `top` on, `rows` of them, exist; others are zero, and so is the
 * sample before the first column if it is beyond the edge (`left`), and that after the last. */
typedef struct {
    vec w[9];
    int64_t step;       /* from a column to the next */
    int64_t pitch, odd; /* from a row to the next of its class; from the first to the second */
    int64_t top, rows;
    int left, right;
} kernel_3x3;

static const elem zeros[4 * VL + 4];

/* Row i, `at` from x on. */
INLINE const elem *row_at(const kernel_3x3 *k, const elem *x, int64_t at, int64_t i) {
    return (uint64_t)(i - k->top) < (uint64_t)k->rows ? x + at : zeros;
}

/* What is read of a row for a vector of y: one of each of three columns, which are neighbours with
 * stride 2. The first sample or the last one may lie beyond the edge. */
INLINE void load_row(const elem *x, const int stride, const kernel_3x3 *k, int left, int right,
                     vec *to) {
    if (stride == 1) {
        to[1] = held(load(x + k->step));
        to[0] = held(left ? load_from_edge(x) : load(x));
        to[2] = held(right ? load_to_edge(x + 2) : load(x + 2 * k->step));
    } else {
        const vec on = load(x + 1), b = load(x + VL), a = left ? load_from_edge(x) : load(x);
        to[0] = halve(a, b, 0);
        to[1] = halve(a, b, 1);
        to[2] = halve(on, right ? load_to_edge(x + VL + 1) : load(x + VL + 1), 1);
    }
}

/* Asks for the lines of the cache that V vectors of y will meet some rows further down. From one
 * row to the next these are so far apart that nobody else does. */
INLINE void fetch(const int V, const int stride, const kernel_3x3 *k, const elem *x) {
    enum { ROWS_AHEAD = 8, LINE = 64 / sizeof(elem) };
    x += ROWS_AHEAD * k->pitch - 1;
    UNROLL(4)
    for (int i = LINE; i <= V * stride * VL; i += LINE) {
        __builtin_prefetch(x + i);
        if (stride == 2) __builtin_prefetch(x + k->odd + i);
    }
}

/* Where one vector of y is, or two that begin `gap` apart: of one alone, so many elements count,
 * and only the first `whole` rows may be written in whole vectors. */
typedef struct {
    elem *y;
    int64_t y_pitch, height, gap, whole, elements;
    int stream;
} output_3x3;

/* V vectors of y down all rows. An input row is added to the output rows that it ends, goes on with
 * (`begun`, stride 1) and begins. */
INLINE void roll(const int V, const int stride, const kernel_3x3 *k, vec start, const elem *x,
                 int left, int right, const output_3x3 *out) {
    const int64_t gap = out->gap;
    vec ending[2], begun[2], in[3];
    const elem *row = row_at(k, x, 0, 0);
    UNROLL(2)
    for (int v = 0; v < V; v++) {
        load_row(row + v * stride * gap, stride, k, !v && left, v == V - 1 && right, in);
        ending[v] = add_row(start, 0, k->w, in);
    }
    row = row_at(k, x, k->odd, 1);
    UNROLL(2)
    for (int v = 0; v < V && stride == 1; v++) {
        load_row(row + v * stride * gap, stride, k, !v && left, v == V - 1 && right, in);
        ending[v] = add_row(ending[v], 1, k->w, in);
        begun[v] = add_row(start, 0, k->w, in);
    }
    elem *y = out->y;
    int64_t at = stride == 1 ? 2 * k->pitch : k->pitch;
    for (int64_t r = 0; r < out->height; r++, at += k->pitch, y += out->y_pitch) {
        const elem *odd = row_at(k, x, at - k->pitch + k->odd, 2 * r + 1);
        row = row_at(k, x, at, stride * r + 2);
        if (V == 2) fetch(V, stride, k, x + at);
        UNROLL(2)
        for (int v = 0; v < V; v++) {
            if (stride == 2) {
                load_row(odd + v * stride * gap, stride, k, !v && left, v == V - 1 && right, in);
                ending[v] = add_row(ending[v], 1, k->w, in);
            }
            load_row(row + v * stride * gap, stride, k, !v && left, v == V - 1 && right, in);
            const vec sums = add_row(ending[v], 2, k->w, in),
                      ordered = stride == 2 ? in_order(sums) : sums;
            ending[v] = stride == 1 ? add_row(begun[v], 1, k->w, in) : add_row(start, 0, k->w, in);
            if (stride == 1) begun[v] = add_row(start, 0, k->w, in);
            if (V == 1 && r >= out->whole)
                store_part(y, ordered, out->elements);
            else if (out->stream)
                stream(y + v * gap, ordered);
            else
                store(y + v * gap, ordered);
        }
    }
}

/* One plane. What is inside has a loop without the edges. */
INLINE void plane_3x3(const int stride, const plane_job *job, const kernel_3x3 *k, const elem *x,
                      int64_t whole) {
    const vec start = spread(job->bias);
    for (int64_t j = 0, rest; (rest = job->width - j) > 0;) {
        const int two = rest > VL;
        const int64_t gap = job->width < 2 * VL ? job->width - VL : VL, step = two ? gap + VL : VL,
                      at = begin(j, step, job->width);
        const int left = k->left && !at, right = k->right && at + step >= job->width;
        output_3x3 out = {(elem *)job->y + at,
                          job->y_pitch,
                          job->height,
                          gap,
                          job->width < VL ? whole : job->height,
                          job->width - at,
                          job->stream && gap == VL && at % VL == 0};
        if (!two) {
            roll(1, stride, k, start, x + stride * at, left, right, &out);
        } else if (left || right || gap < VL) {
            roll(2, stride, k, start, x + stride * at, left, right, &out);
        } else {
            out.gap = VL;
            roll(2, stride, k, start, x + stride * at, 0, 0, &out);
        }
        j += step;
    }
}

INLINE void planes_3x3(const int stride, const plane_job *given) {
    plane_job job = *given;
    const filter_block *block = job.program->blocks;
    const plane_edges *edges = job.edges;
    kernel_3x3 k = {
        .step = block->step, .pitch = job.x_pitch, .odd = job.x_pitch, .rows = INT64_MAX};
    int64_t first = block->row * job.x_pitch + block->column;
    if (stride == 2) k.odd = (block[1].row - block->row) * job.x_pitch;
    if (edges) {
        k.odd = job.x_pitch;
        k.pitch = stride * job.x_pitch;
        k.top = edges->top, k.rows = edges->rows;
        k.left = edges->left > 0;
        k.right = stride * (job.width - 1) + 3 - edges->left > edges->columns;
        first = -edges->top * job.x_pitch - edges->left;
    }
    const int64_t whole = whole_rows(given);
    for (int64_t i = 0; i < given->planes; i++, next(&job)) {
        const elem *taps = job.taps;
        UNROLL(9)
        for (int t = 0; t < 9; t++) {
            const int even = t / 3 * 2 + t % 3 / 2, odd = 6 + t / 3; /* rows, with stride 2 */
            k.w[t] = held(set1(taps[stride == 1 ? t : t % 3 == 1 ? odd : even]));
        }
        plane_3x3(stride, &job, &k, (const elem *)job.x + first, whole);
    }
}

static void is_3x3(const plane_job *job) {
    planes_3x3(1, job);
}
static void is_3x3_by_2(const plane_job *job) {
    planes_3x3(2, job);
}

/* Whether the blocks are those of 3 x 3 neighbours at stride 2: even rows, then odd rows. */
static int has_stride_2(const filter_program *program) {
    const filter_block *b = program->blocks;
    return program->count == 2 && b[0].length == 2 && b[1].length == 1 && b[0].columns == 3 &&
           b[1].columns == 3 && b[0].step == 1 && b[0].column == b[1].column;
}
#endif

/* Loops without a choice in them, for kernels of one block. */
static void filter(const plane_job *job) {
    const filter_block *block = job->program->blocks;
    const int32_t length = job->program->count == 1 ? block->length : 0;
#if PARTS == 1
    if (HALVES && job->x_column == 2 && has_stride_2(job->program)) {
        is_3x3_by_2(job);
        return;
    }
    if (HALVES && job->x_column == 2) {
        any_by_2(job);
        return;
    }
    if (length == 3 && block->columns == 3) {
        is_3x3(job);
        return;
    }
#endif
    if (job->height < PAIR_ROWS)
        low(job);
    else if (length == 5 && TILE_CHUNK >= 5)
        five(job);
    else if (length == 7 && TILE_CHUNK >= 7)
        seven(job);
    else
        any(job);
}

static void copy(const void *from, const line_move *moves, int64_t count, int64_t samples,
                 void *to) {
    const int64_t n = samples * PARTS;
    for (int64_t i = 0; i < count; i++) {
        const elem *x = (const elem *)from + moves[i].from * PARTS;
        elem *y = (elem *)to + moves[i].to * PARTS;
        int64_t j = 0;
        for (; j + 4 * VL <= n; j += 4 * VL) {
            UNROLL(4)
            for (int v = 0; v < 4; v++)
                store(y + j + v * VL, load(x + j + v * VL));
        }
        for (; j < n; j += VL) {
            const int64_t at = begin(j, VL, n);
            store(y + at, load(x + at));
        }
    }
}

const plane_kernels NAME(plane) = {
    .filter = filter,
    .copy = copy,
    .lanes = VL / PARTS,
    .rows = ROWS,
    .halves = HALVES,
    .edges = PARTS == 1,
};
