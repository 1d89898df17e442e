/* SPDX-License-Identifier: BSD-3-Clause
 *
 * filter.c -- the row-reuse filter, one plane out (contract: filter_fn in kernel_types.h).
 *
 *   y[r][j] += taps[i] * x[r + i][column + j]      for the taps i of a block
 *
 * A tile of R rows x V vectors of y stays in registers. For each block its n taps are broadcast
 * once; then each of the R + n - 1 input rows is loaded once and serves all (r, i) with r + i =
 * row: R * n multiply-adds for R + n - 1 loads. The line kernel is the same tile with rows one
 * vector apart in a single line, V = 1.
 *
 * The sum of an output runs over blocks in order, then over taps in order, whatever tile it falls
 * in: tiling never changes a bit.
 */
#include "kernel_types.h"
#include "vec.h"

#define MAX_CHUNK 8
#define LINE_TAPS (LINE_CHUNK / PARTS) /* a complex tap takes two registers */
#define MAX_SUMS  32 /* in one tile; a plain constant, so that the array becomes registers */

typedef struct {
    vec part[PARTS];
} sum;

INLINE vec finish(const sum *s) {
#if PARTS == 2
    return join(s->part[0], s->part[1]);
#else
    return s->part[0];
#endif
}

/* One block of n taps on the tile; R, V, n and line are constants at every call. */
INLINE void step(sum *acc, const int R, const int V, const int n, const int line,
                 const elem *const *rows, int64_t column, const elem *taps) {
    vec w[MAX_CHUNK * PARTS];
    UNROLL(16)
    for (int i = 0; i < n * PARTS; i++)
        w[i] = held(set1(taps[i]));
    UNROLL(32)
    for (int row = 0; row < R + n - 1; row++) {
        const elem *x = (line ? rows[0] + row * VL : rows[row]) + column;
        UNROLL(8)
        for (int v = 0; v < V; v++) {
            const int twice = n * PARTS == 2 && R > 1 && row > 0 && row < R;
            const vec a = twice ? held(load(x + v * VL)) : load(x + v * VL);
            UNROLL(8)
            for (int i = 0; i < n; i++) {
                const int r = row - i;
                if (r < 0 || r >= R) continue;
                UNROLL(2)
                for (int p = 0; p < PARTS; p++)
                    acc[r * V + v].part[p] = madd(acc[r * V + v].part[p], w[i * PARTS + p], a);
            }
        }
    }
}

/* What the sum of a vector starts from. */
INLINE vec start(const elem *y, vec bias, int64_t elements, int flags) {
    if (!(flags & FILTER_ACCUMULATE)) return bias;
    return elements == VL ? load(y) : load_part(y, elements);
}

INLINE void put(elem *y, vec out, int64_t elements, int flags) {
    if (elements != VL)
        store_part(y, out, elements);
    else if (flags & FILTER_STREAM)
        stream(y, out);
    else
        store(y, out);
}

/* The commonest kernel: one block, computed without loops. */
INLINE int is_3x3(const filter_program *program) {
    return program->count == 1 && program->blocks->length == 3 && program->blocks->columns == 3;
}

/* R rows x V vectors of y, `right` of the row pointers; the last vector has `last` elements. */
INLINE void tile(const int R, const int V, const int line, const filter_program *program,
                 const elem *taps, vec bias, const elem *const *rows, int64_t right, elem *y,
                 int64_t y_pitch, int64_t last, int flags) {
    const elem *const here[1] = {rows[0] + right};
    const int64_t pitch = line ? VL : y_pitch;
    sum acc[MAX_SUMS];
    UNROLL(32)
    for (int k = 0; k < R * V; k++) {
        acc[k].part[0] =
            start(y + (k / V) * pitch + (k % V) * VL, bias, k % V == V - 1 ? last : VL, flags);
#if PARTS == 2
        acc[k].part[1] = (vec){0};
#endif
    }
    int64_t b = 0;
    if (R > 1 && !line && is_3x3(program)) {
        const filter_block block = program->blocks[b++];
        UNROLL(3)
        for (int c = 0; c < 3; c++)
            step(acc, R, V, 3, line, rows + block.row, block.column + right + c * block.step,
                 taps + c * 3 * PARTS);
    }
    for (; b < program->count; b++) {
        const filter_block block = program->blocks[b];
        const elem *const *from = line ? here : rows + block.row;
        const int64_t column = line ? block.column : block.column + right;
        switch (block.length) {
#define CASE(n)                                                                                    \
    case n:                                                                                        \
        if (n <= (line ? LINE_TAPS : TILE_CHUNK))                                                  \
            for (int32_t c = 0; c < block.columns; c++)                                            \
                step(acc, R, V, n, line, from, column + c * block.step, taps + c * n * PARTS);     \
        break;
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#undef CASE
        }
        taps += block.columns * block.length * PARTS;
    }
    UNROLL(32)
    for (int k = 0; k < R * V; k++)
        put(y + (k / V) * pitch + (k % V) * VL, finish(&acc[k]), k % V == V - 1 ? last : VL, flags);
}

INLINE vec spread(const elem *bias) {
    elem a[VL];
    for (int j = 0; j < VL; j++)
        a[j] = bias ? bias[j % PARTS] : 0;
    return load(a);
}

/* Where the last of some equal steps over n begins: so that it ends with n, if computing what lies
 * before it again does no harm. */
INLINE int64_t begin(int64_t at, int64_t step, int64_t n, int again) {
    return again && at + step > n && n >= step ? n - step : at;
}

/* R rows: tiles of V vectors as far as whole ones go. */
INLINE void band(const int R, const int V, const filter_program *program, const elem *taps,
                 vec bias, const elem *const *rows, elem *y, int64_t y_pitch, int64_t width,
                 int flags) {
    for (int64_t j = 0; j + V * VL <= width; j += V * VL)
        tile(R, V, 0, program, taps, bias, rows, j, y + j, y_pitch, VL, flags);
}

/* A column of single vectors: taller tiles, so that as many sums are in flight. */
INLINE void column(const filter_program *program, const elem *taps, vec bias,
                   const elem *const *rows, int64_t j, elem *y, int64_t y_pitch, int64_t height,
                   int64_t last, int again, int flags) {
    const int tall = 2 * TILE_ROWS / PARTS;
    int64_t r = 0;
    for (; r + tall <= height; r += tall)
        tile(tall, 1, 0, program, taps, bias, rows + r, j, y + r * y_pitch + j, y_pitch, last,
             flags);
    for (; r < height; r += TILE_ROWS) {
        const int64_t at = begin(r, TILE_ROWS, height, again);
        if (at + TILE_ROWS > height) break;
        tile(TILE_ROWS, 1, 0, program, taps, bias, rows + at, j, y + at * y_pitch + j, y_pitch,
             last, flags);
    }
    for (; r < height; r++)
        tile(1, 1, 0, program, taps, bias, rows + r, j, y + r * y_pitch + j, y_pitch, last, flags);
}

/* Some rows: the columns that whole tiles of V vectors leave over, up to width. */
INLINE void columns(const int V, const filter_program *program, const elem *taps, vec bias,
                    const elem *const *rows, elem *y, int64_t y_pitch, int64_t height,
                    int64_t width, int again, int flags) {
    for (int64_t j = width / (V * VL) * (V * VL); j < width; j += VL) {
        const int64_t at = begin(j, VL, width, again);
        column(program, taps, bias, rows, at, y, y_pitch, height, width - at < VL ? width - at : VL,
               again, flags);
    }
}

static void filter_tile(const filter_program *program, const void *taps, const void *bias,
                        const void *const *table, void *out, int64_t y_pitch, int64_t height,
                        int64_t width, int flags) {
    const elem *const *rows = (const elem *const *)table;
    const vec b = spread(bias);
    const int V = TILE_VECS / PARTS, S = TILE_ROWS * TILE_VECS / 2 / PARTS;
    const int again = !(flags & (FILTER_ACCUMULATE | FILTER_STREAM));
    elem *y = out;
    int64_t r = 0;
    for (; r < height; r += TILE_ROWS) {
        const int64_t at = begin(r, TILE_ROWS, height, again);
        if (at + TILE_ROWS > height) break;
        band(TILE_ROWS, V, program, taps, b, rows + at, y + at * y_pitch, y_pitch, width, flags);
    }
    if (r > height) r = height;
    columns(V, program, taps, b, rows, y, y_pitch, r, width, again, flags);
    for (; r < height; r++) {
        band(1, S, program, taps, b, rows + r, y + r * y_pitch, y_pitch, width, flags);
        columns(S, program, taps, b, rows + r, y + r * y_pitch, y_pitch, 1, width, again, flags);
    }
}

static void filter_line(const filter_program *program, const void *taps, const void *bias,
                        const void *const *table, void *out, int64_t y_pitch, int64_t height,
                        int64_t width, int flags) {
    const elem *const *rows = (const elem *const *)table;
    const vec b = spread(bias);
    const int R = LINE_ROWS / PARTS;
    const int again = !(flags & (FILTER_ACCUMULATE | FILTER_STREAM));
    for (int64_t r = 0; r < height; r++) {
        elem *y = (elem *)out + r * y_pitch;
        int64_t j = 0;
        for (; j + R * VL <= width; j += R * VL)
            tile(R, 1, 1, program, taps, b, rows + r, j, y + j, 0, VL, flags);
        while (j < width && (j + 4 * VL <= width || (again && width >= 4 * VL))) {
            const int64_t at = begin(j, 4 * VL, width, again);
            tile(4, 1, 1, program, taps, b, rows + r, at, y + at, 0, VL, flags);
            j = at + 4 * VL;
        }
        for (; j < width; j += VL)
            tile(1, 1, 1, program, taps, b, rows + r, j, y + j, 0, width - j < VL ? width - j : VL,
                 flags);
    }
}

const filter_kernels NAME(filter) = {
    .tile = filter_tile,
    .line = filter_line,
    .lanes = VL / PARTS,
    .tile_rows = TILE_ROWS,
    .tile_columns = TILE_VECS / PARTS * VL / PARTS,
    .tile_chunk = TILE_CHUNK,
    .line_columns = LINE_ROWS / PARTS * VL / PARTS,
    .line_chunk = LINE_TAPS,
    .streams = STREAMS,
};
