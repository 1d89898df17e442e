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
 * Kernels of 3x3 and of 5x5 taps have tiles that are compiled for them: the rows that a band meets
 * are looked up once, and no program is read. Those of 3x3 taps in several planes have larger tiles
 * than any program, for its blocks are all of three rows.
 *
 * The sum of an output runs over blocks in order, then over taps in order (of 3x3 taps over their
 * rows in order), whatever tile it falls in: tiling never changes a bit.
 *
 * The tier's header has the sizes: tiles of TILE_ROWS x TILE_VECS, in a column of single vectors of
 * TILE_TALL rows, for 3x3 taps of NINE_ROWS x NINE_VECS; blocks of TILE_CHUNK taps at most, of
 * which those of up to TILE_HELD load a vector once, where a compiler would rather load it for each
 * use.
 */
#include "kernel_types.h"
#include "sums.h"

#define MAX_CHUNK  8
#define LINE_TAPS  (LINE_CHUNK / PARTS) /* a complex tap takes two registers */
#define MAX_SUMS   32 /* in one tile; a plain constant, so that the array becomes registers */
#define VECS       (TILE_VECS / PARTS)
#define ROWS       (TILE_ROWS * TILE_VECS / PARTS / VECS)
#define THREE_ROWS (PARTS == 1 ? NINE_ROWS : ROWS)
#define THREE_VECS (PARTS == 1 ? NINE_VECS : VECS)
#define WIDE       8 /* tiles across: moving the last one back costs little */
#define HAS_FIVE   (REAL && TILE_CHUNK >= 5) /* integers gain nothing */
#define LINE_BYTES 64                        /* of a cache */
#define PAGE_BYTES 4096
#define MAX_ROWS   16 /* of the input that a tile of a square kernel meets */

/* Kinds of tile: for any program, for lines, for 3x3 taps in several planes, and for square kernels
 * of so many rows. */
enum { TILE = 0, LINE = 1, DEEP = 2, THREE = 3, FIVE = 5 };

/* What all tiles of a call share. */
typedef struct {
    const filter_program *program;
    const elem *taps;
    vec bias;
    int64_t y_pitch;
    int flags, again; /* again: computing an output twice does no harm */
    int ahead;        /* whether tiles fetch what the band below needs */
    vec nine[9];      /* THREE: the taps */
} filter;

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
            const int twice = V > 1 && n * PARTS <= TILE_HELD && row > 0 && row < R + n - 2;
            const vec a = twice ? held(load(x + v * VL)) : load(x + v * VL);
            meet(acc + v, R, V, w, n, row, a);
        }
    }
}

INLINE void put(elem *y, vec out, int flags) {
    if (flags & FILTER_STREAM)
        stream(y, out);
    else
        store(y, out);
}

/* Whether a call is that of a kernel of size x size taps side by side. */
INLINE int is_square(const filter_program *program, int flags, int size) {
    const filter_block *b = program->blocks;
    return !(flags & FILTER_ACCUMULATE) && program->count == 1 && b->length == size &&
           b->columns == size && b->step == PARTS;
}

/* Whether a call is that of a kernel of 3x3 taps in each of several planes. */
INLINE int is_deep(const filter_program *program) {
    int deep = REAL && program->count > 1;
    for (int64_t b = 0; deep && b < program->count; b++) {
        const filter_block *block = &program->blocks[b];
        deep = block->length == 3 && block->columns == 3 && block->step == PARTS;
    }
    return deep;
}

/* The rows that R rows of outputs meet; those of a square kernel from where its first column reads,
 * in registers as far as these go. */
INLINE const elem *const *rows_of(const int kind, const int R, const filter *f,
                                  const elem *const *rows, const elem **found) {
    if (kind < THREE) return rows;
    const filter_block *block = f->program->blocks;
    UNROLL(16)
    for (int i = 0; i < R + kind - 1; i++)
        found[i] = rows[block->row + i] + block->column;
    return found;
}

static int64_t bytes_apart(const elem *a, const elem *b) {
    return (intptr_t)b - (intptr_t)a;
}

/* Whether tiles of a square kernel fetch what the band below them needs. Not where rows lie whole
 * pages apart: all would have one place in the nearest cache. */
INLINE int may_look_ahead(const filter_program *program, const elem *const *rows, int64_t y_pitch,
                          int64_t height, int flags) {
    const filter_block *b = program->blocks;
    if (flags & FILTER_STREAM || b->length < THREE) return 0;
    const elem *const *middle = rows + b->row + (height + b->length - 1) / 2;
    return bytes_apart(middle[-1], middle[0]) % PAGE_BYTES != 0 &&
           y_pitch * (int64_t)sizeof(elem) % PAGE_BYTES != 0;
}

/* What the band below reads and writes for the first time, beside a tile of this one that meets
 * `met` rows. A row of an image is too short for a processor to foresee it in time. */
INLINE void look_ahead(const int R, const int V, const int met, const elem *const *rows,
                       int64_t right, const elem *y, int64_t y_pitch) {
    const int64_t x_bytes = bytes_apart(rows[met - 2], rows[met - 1]);
    const int64_t y_bytes = y_pitch * (int64_t)sizeof(elem);
    const intptr_t x_next = (intptr_t)(rows[met - 1] + right) + x_bytes;
    const intptr_t y_next = (intptr_t)y + R * y_bytes;
    UNROLL(8)
    for (int r = 0; r < R; r++) {
        UNROLL(4)
        for (int at = LINE_BYTES; at < LINE_BYTES + V * (int)sizeof(vec); at += LINE_BYTES) {
            __builtin_prefetch((const void *)(x_next + r * x_bytes + at), 0, 2);
            __builtin_prefetch((const void *)(y_next + r * y_bytes + at), 1);
        }
    }
}

/* The tile for 3x3 taps, which the registers hold: an input row is loaded at each of the three
 * columns, meets all taps there and is done with, so that no more than three rows of sums are in
 * flight. */
INLINE void tile_3x3(const int R, const int V, const filter *f, const elem *const *rows,
                     int64_t right, elem *y, int64_t y_pitch, int flags) {
    vec acc[MAX_SUMS];
    UNROLL(32)
    for (int row = 0; row < R + 2; row++) {
        const elem *x = rows[row] + right;
        UNROLL(8)
        for (int v = 0; v < V; v++) {
            if (row < R) acc[row * V + v] = f->bias;
            UNROLL(3)
            for (int c = 0; c < 3; c++) {
                const vec a = held(load(x + c + v * VL));
                UNROLL(3)
                for (int i = 0; i < 3; i++) {
                    const int r = row - i;
                    if (r < 0 || r >= R) continue;
                    acc[r * V + v] = madd(acc[r * V + v], f->nine[c * 3 + i], a);
                }
            }
            if (row >= 2) put(y + (row - 2) * y_pitch + v * VL, acc[(row - 2) * V + v], flags);
        }
    }
}

/* All blocks on the tile. */
INLINE void blocks(sum *acc, const int line, const int R, const int V, const filter *f,
                   const elem *const *rows, int64_t right) {
    const elem *const here[1] = {rows[0] + right}, *taps = f->taps;
    for (int64_t b = 0; b < f->program->count; b++) {
        const filter_block block = f->program->blocks[b];
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
}

/* All blocks on the tile, which are of 3x3 taps. */
INLINE void planes(sum *acc, const int R, const int V, const filter *f, const elem *const *rows,
                   int64_t right) {
    const elem *taps = f->taps;
    for (int64_t b = 0; b < f->program->count; b++, taps += 9 * PARTS) {
        const filter_block *block = &f->program->blocks[b];
        UNROLL(3)
        for (int c = 0; c < 3; c++)
            step(acc, R, V, 3, 0, rows + block->row, block->column + right + c * PARTS,
                 taps + c * 3 * PARTS);
    }
}

/* All columns of a square kernel on the tile. */
INLINE void square(sum *acc, const int size, const int R, const int V, const filter *f,
                   const elem *const *rows, int64_t right) {
    for (int c = 0; c < size; c++)
        step(acc, R, V, size, 0, rows, right + c * PARTS, f->taps + c * size * PARTS);
}

/* R rows x V vectors of y, `right` of the row pointers. */
INLINE void tile(const int kind, const int R, const int V, const filter *f, const elem *const *rows,
                 int64_t right, elem *y, int64_t y_pitch, int flags) {
    if (kind >= THREE && V * sizeof(vec) >= LINE_BYTES && f->ahead)
        look_ahead(R, V, R + kind - 1, rows, right, y, y_pitch);
    if (kind == THREE && PARTS == 1) {
        tile_3x3(R, V, f, rows, right, y, y_pitch, flags);
        return;
    }
    const int64_t pitch = kind == LINE ? VL : y_pitch;
    sum acc[MAX_SUMS];
    UNROLL(32)
    for (int k = 0; k < R * V; k++) {
        acc[k].part[0] =
            flags & FILTER_ACCUMULATE ? load(y + (k / V) * pitch + (k % V) * VL) : f->bias;
#if PARTS == 2
        acc[k].part[1] = (vec){0};
#endif
    }
    UNROLL(32)
    for (int k = 0; k < R * V * PARTS; k++) /* or they would be kept for no blocks at all */
        acc[k / PARTS].part[k % PARTS] = held(acc[k / PARTS].part[k % PARTS]);
    if (kind >= THREE)
        square(acc, kind, R, V, f, rows, right);
    else if (kind == DEEP)
        planes(acc, R, V, f, rows, right);
    else
        blocks(acc, kind == LINE, R, V, f, rows, right);
    UNROLL(32)
    for (int k = 0; k < R * V; k++)
        put(y + (k / V) * pitch + (k % V) * VL, finish(&acc[k]), flags);
}

/* R rows of n elements. */
INLINE void copy_part(const int R, const elem *from, int64_t from_pitch, elem *to, int64_t to_pitch,
                      int64_t n) {
    for (int r = 0; r < R; r++)
        memcpy(to + r * to_pitch, from + r * from_pitch, (size_t)n * sizeof(elem));
}

/* R rows x 1 vector, of which y may have but n elements. */
INLINE void narrow(const int kind, const int R, const filter *f, const elem *const *rows,
                   int64_t right, elem *y, int64_t n) {
    elem whole[MAX_SUMS * VL];
    const elem *found[MAX_ROWS];
    const int part = n < VL;
    if (part && f->flags & FILTER_ACCUMULATE) copy_part(R, y, f->y_pitch, whole, VL, n);
    tile(kind, R, 1, f, rows_of(kind, R, f, rows, found), right, part ? whole : y,
         part ? VL : f->y_pitch, part ? f->flags & ~FILTER_STREAM : f->flags);
    if (part) copy_part(R, whole, VL, y, f->y_pitch, n);
}

INLINE filter make_filter(const filter_program *program, const void *taps, const void *bias,
                          int64_t y_pitch, int flags, int ahead) {
    return (filter){.program = program,
                    .taps = taps,
                    .bias = spread(bias),
                    .y_pitch = y_pitch,
                    .flags = flags,
                    .ahead = ahead,
                    .again = !(flags & (FILTER_ACCUMULATE | FILTER_STREAM))};
}

/* Whether the last of the tiles across is rather moved back than replaced by columns. */
INLINE int overlaps(const int V, const filter *f, int64_t width) {
    return f->again && width >= WIDE * V * VL;
}

/* R rows: tiles of V vectors as far as whole ones go. The last is moved back by a second round: a
 * choice at every tile would cost more. */
INLINE void band(const int kind, const int R, const int V, const filter *f, const elem *const *rows,
                 elem *y, int64_t width) {
    const elem *found[MAX_ROWS];
    const elem *const *from = rows_of(kind, R, f, rows, found);
    const int moved = overlaps(V, f, width);
    int64_t j = 0;
    do {
        for (; j + V * VL <= width; j += V * VL)
            tile(kind, R, V, f, from, j, y + j, f->y_pitch, f->flags);
        if (j >= width) break;
        j = width - V * VL;
    } while (moved);
}

/* A column of single vectors, or of n elements if that is less: tiles of `tall` rows, so that as
 * many sums are in flight, then of R. */
INLINE void column(const int kind, const int tall, const int R, const filter *f,
                   const elem *const *rows, int64_t j, elem *y, int64_t height, int64_t n) {
    const int steps[] = {tall, R};
    int64_t r = 0;
    UNROLL(2)
    for (int i = 0; i < 2; i++)
        for (; r < height && (i == 0 || tall != R); r += steps[i]) {
            const int64_t at = f->again ? begin(r, steps[i], height) : r;
            if (at + steps[i] > height) break;
            narrow(kind, steps[i], f, rows + at, j, y + at * f->y_pitch + j, n);
        }
    for (; r < height; r++)
        narrow(kind, 1, f, rows + r, j, y + r * f->y_pitch + j, n);
}

/* Rows of y that tiles of R rows take: the last are moved back where that does no harm. */
INLINE int64_t whole_rows(const int R, const filter *f, int64_t height) {
    return f->again && height >= R ? height : height / R * R;
}

/* y by tiles of R rows x V vectors; where there are fewer rows, by none. */
INLINE void bands(const int kind, const int R, const int V, const filter *f,
                  const elem *const *rows, elem *y, int64_t height, int64_t width) {
    for (int64_t r = 0; r < height; r += R) {
        const int64_t at = begin(r, R, height);
        band(kind, R, V, f, rows + at, y + at * f->y_pitch, width);
    }
}

/* Whether tiles of V vectors leave columns over. */
INLINE int leaves(const int V, const filter *f, int64_t width) {
    return width % (V * VL) && !overlaps(V, f, width);
}

/* Some rows: the columns that tiles of `vecs` vectors leave over. */
INLINE void columns(const int kind, const int R, int vecs, const filter *f, const elem *const *rows,
                    elem *y, int64_t height, int64_t width) {
    for (int64_t j = width / (vecs * VL) * (vecs * VL); j < width; j += VL) {
        const int64_t at = f->again ? begin(j, VL, width) : j;
        column(kind, TILE_TALL / PARTS, R, f, rows, at, y, height, width - at);
    }
}

/* How functions get what all tiles share: GCC keeps complex sums in registers where that comes by
 * value; with the taps of 3x3, which only others have, that would be much to copy. */
#if PARTS == 2
typedef filter handed;
#    define HAND(f)  (*(f))
#    define TAKEN(f) (f)
#else
typedef const filter *handed;
#    define HAND(f)  (f)
#    define TAKEN(f) (*(f))
#endif

/* A copy of what all tiles share, which no store can change, with the taps of 3x3 in registers. */
INLINE filter own_copy(const int kind, handed given) {
    filter f = TAKEN(given);
    UNROLL(9)
    for (int i = 0; i < 9 && kind == THREE && PARTS == 1; i++)
        f.nine[i] = held(set1(f.taps[i]));
    return f;
}

/* Compilers hold more in registers where each kind of tile is a function of its own. */
#define APART static __attribute__((noinline)) void
#define TILES(name, kind, R, V)                                                                    \
    APART name##_bands(handed given, const elem *const *rows, elem *y, int64_t height,             \
                       int64_t width) {                                                            \
        const filter f = own_copy(kind, given);                                                    \
        bands(kind, R, V, &f, rows, y, height, width);                                             \
    }                                                                                              \
    APART name##_columns(handed given, int vecs, const elem *const *rows, elem *y, int64_t height, \
                         int64_t width) {                                                          \
        const filter f = own_copy(kind, given);                                                    \
        columns(kind, R, vecs, &f, rows, y, height, width);                                        \
    }
TILES(any, TILE, ROWS, VECS)
TILES(three, THREE, THREE_ROWS, THREE_VECS)
TILES(deep, DEEP, NINE_ROWS, NINE_VECS)
TILES(five, FIVE, ROWS, VECS)

/* Rows that bands leave over: by tiles of one. */
#define SINGLES(name, kind, R, V)                                                                  \
    APART name##_singles(handed given, const elem *const *rows, elem *y, int64_t height,           \
                         int64_t width) {                                                          \
        const filter f = own_copy(kind, given);                                                    \
        const int vecs = (R) * (V) / 2;                                                            \
        for (int64_t r = 0; r < height; r++)                                                       \
            band(kind, 1, vecs, &f, rows + r, y + r * f.y_pitch, width);                           \
        if (leaves(vecs, &f, width)) name##_columns(given, vecs, rows, y, height, width);          \
    }
SINGLES(any, TILE, ROWS, VECS)
SINGLES(three, THREE, THREE_ROWS, THREE_VECS)

/* The rows left over are summed in the order of the tiles: only that of 3x3 taps is its own. */
#define AREA(name, R, V, singles)                                                                  \
    static void name(const filter *f, const elem *const *rows, elem *y, int64_t height,            \
                     int64_t width) {                                                              \
        const int64_t whole = whole_rows(R, f, height);                                            \
        name##_bands(HAND(f), rows, y, whole, width);                                              \
        if (whole && leaves(V, f, width)) name##_columns(HAND(f), V, rows, y, whole, width);       \
        if (whole < height)                                                                        \
            singles(HAND(f), rows + whole, y + whole * f->y_pitch, height - whole, width);         \
    }
AREA(any, ROWS, VECS, any_singles)
AREA(three, THREE_ROWS, THREE_VECS, (REAL ? three_singles : any_singles))
AREA(deep, NINE_ROWS, NINE_VECS, any_singles)
AREA(five, ROWS, VECS, any_singles)

static void filter_tile(const filter_program *program, const void *taps, const void *bias,
                        const void *const *table, void *out, int64_t y_pitch, int64_t height,
                        int64_t width, int flags) {
    const elem *const *rows = (const elem *const *)table;
    const filter f = make_filter(program, taps, bias, y_pitch, flags,
                                 may_look_ahead(program, rows, y_pitch, height, flags));
    if (is_square(program, flags, THREE))
        three(&f, rows, out, height, width);
    else if (HAS_FIVE && is_square(program, flags, FIVE))
        five(&f, rows, out, height, width);
    else if (REAL && is_deep(program))
        deep(&f, rows, out, height, width);
    else
        any(&f, rows, out, height, width);
}

static void filter_line(const filter_program *program, const void *taps, const void *bias,
                        const void *const *table, void *out, int64_t y_pitch, int64_t height,
                        int64_t width, int flags) {
    const elem *const *rows = (const elem *const *)table;
    const filter f = make_filter(program, taps, bias, y_pitch, flags, 0);
    const int R = LINE_ROWS / PARTS;
    /* A whole tile that is moved back takes less than two of 4 rows, which wait for their sums. */
    const int moved = f.again && width >= R * VL && width % (R * VL) > 4 * VL;
    for (int64_t r = 0; r < height; r++) {
        elem *y = (elem *)out + r * y_pitch;
        int64_t j = 0;
        for (;;) {
            for (; j + R * VL <= width; j += R * VL)
                tile(LINE, R, 1, &f, rows + r, j, y + j, 0, flags);
            if (!moved || j == width) break;
            j = width - R * VL;
        }
        while (j < width && (j + 4 * VL <= width || (f.again && width >= 4 * VL))) {
            const int64_t at = f.again ? begin(j, 4 * VL, width) : j;
            tile(LINE, 4, 1, &f, rows + r, at, y + at, 0, flags);
            j = at + 4 * VL;
        }
        for (; j < width; j += VL)
            narrow(LINE, 1, &f, rows + r, j, y + j, width - j);
    }
}

const filter_kernels NAME(filter) = {
    .tile = filter_tile,
    .line = filter_line,
    .lanes = VL / PARTS,
    .tile_rows = ROWS,
    .tile_columns = VECS * VL / PARTS,
    .tile_chunk = TILE_CHUNK,
    .line_columns = LINE_ROWS / PARTS * VL / PARTS,
    .line_chunk = LINE_TAPS,
    .streams = STREAMS,
};
