/* SPDX-License-Identifier: BSD-3-Clause
 *
 * filter_present.c -- filters over samples of which some are missing (contract: filter_present in
 * kernel_types.h), by the kernels that take all samples.
 *
 * Rows are first filtered as if nothing were missing. What is shows in the sums, which are NaN:
 * pieces with such sums are computed again, and where most are, the next rows at once in the second
 * way. For that the input of a block of taps is split into what is there, with 0 for what is
 * missing, and 1 or 0 for whether it is, which the nearest cache holds. The sums of both run in the
 * order of the program, so the way a piece is computed never changes a bit.
 */
#include "kernel_types.h"
#include "vec.h"

#include "present.h"

#define TILE_LINES (2 * TILE_ROWS) /* of y in a piece */
#define LINE_LINES 4
#define TILE_PIECE ((int64_t)(1024 / sizeof(elem))) /* elements of a line of y in it */
#define LINE_PIECE (2 * TILE_PIECE)
#define SPAN       ((int64_t)(256 / sizeof(elem))) /* between the taps of a line that are met at once */

#define MOST_LINES (TILE_LINES + TILE_CHUNK)
#define LINE_PITCH (LINE_PIECE + SPAN + LINE_CHUNK * VL)
#define MOST(a, b) ((a) > (b) ? (a) : (b))
#define ROOM                                                                                       \
    (MOST(MOST_LINES * (TILE_PIECE + SPAN + VL), LINE_LINES * LINE_PITCH) * (int64_t)sizeof(elem))

/* What pieces are computed with. */
typedef struct {
    const filter_program *program;
    filter_fn *kernel;
    int line;
    int64_t height, width, pitch; /* of a piece; elements of a split line */
    scale_limits limits;
    const void *x_rows[MOST_LINES], *valid_rows[MOST_LINES];
    elem x[ROOM / sizeof(elem)], valid[ROOM / sizeof(elem)], weight[ROOM / sizeof(elem)];
} pieces;

/* Returns where something is missing. */
INLINE flags split(const elem *from, int64_t n, elem *x, elem *valid) {
    const vec one = set1(1);
    flags missing = {0};
    for (int64_t j = 0; j < n; j += VL) {
        const vec a = load(from + j);
        const flags there = test(a == a);
        store(x + j, where(there, a));
        store(valid + j, where(there, one));
        missing |= ~there;
    }
    return missing;
}

/* Both sums of a block of taps, on split lines. */
static flags add_block(pieces *p, const filter_block *block, const elem *taps, const void *bias,
                       const elem *const *rows, int64_t right, elem *y, int64_t y_pitch,
                       int64_t height, int64_t width, int how) {
    const filter_block here = {0, 0, block->step, block->columns, block->length};
    const filter_program program = {&here, 1, NULL};
    const int64_t lines = height + (p->line ? 0 : block->length - 1);
    const int64_t count =
        width + (block->columns - 1) * block->step + (p->line ? (block->length - 1) * VL : 0);
    flags missing = {0};
    for (int64_t l = 0; l < lines; l++)
        missing |= split(rows[block->row + l] + block->column + right, count, p->x + l * p->pitch,
                         p->valid + l * p->pitch);
    p->kernel(&program, taps, bias, p->x_rows, y, y_pitch, height, width, how);
    p->kernel(&program, taps + p->program->present->sizes, NULL, p->valid_rows, p->weight, p->width,
              height, width, how);
    return missing;
}

static void scale(const pieces *p, elem *y, int64_t y_pitch, int64_t height, int64_t width) {
    for (int64_t r = 0; r < height; r++) {
        elem *to = y + r * y_pitch;
        const elem *weight = p->weight + r * p->width;
        int64_t j = 0;
        for (; j + VL <= width; j += VL)
            store(to + j, scaled(load(to + j), load(weight + j), &p->limits));
        if (j < width)
            store_part(
                to + j,
                scaled(load_part(to + j, width - j), load_part(weight + j, width - j), &p->limits),
                width - j);
    }
}

/* Whether something was missing. */
static int filter_piece(pieces *p, const elem *taps, const void *bias, const elem *const *rows,
                        int64_t right, elem *y, int64_t y_pitch, int64_t height, int64_t width) {
    flags missing = {0};
    int how = 0;
    for (int64_t b = 0; b < p->program->count; b++) {
        filter_block block = p->program->blocks[b];
        const int32_t columns = block.columns;
        const int64_t most = block.step ? 1 + SPAN / block.step : columns;
        for (int64_t c = 0; c < columns; c += most, block.column += most * block.step) {
            block.columns = (int32_t)(columns - c < most ? columns - c : most);
            missing |= add_block(p, &block, taps, how ? NULL : bias, rows, right, y, y_pitch,
                                 height, width, how);
            taps += block.columns * block.length;
            how = FILTER_ACCUMULATE;
        }
    }
    scale(p, y, y_pitch, height, width);
    return any(missing);
}

static int has_nan(const elem *y, int64_t y_pitch, int64_t height, int64_t width) {
    flags nan = {0};
    for (int64_t r = 0; r < height; r++, y += y_pitch)
        for (int64_t j = 0; j < width; j += VL) {
            const vec a = width - j < VL ? load_part(y + j, width - j) : load(y + j);
            nan |= test(a != a);
        }
    return any(nan);
}

static void open_pieces(pieces *p, const filter_program *program, int line) {
    p->program = program;
    p->kernel = line ? program->present->plain->line : program->present->plain->tile;
    p->line = line;
    p->height = line ? LINE_LINES : TILE_LINES;
    p->width = line ? LINE_PIECE : TILE_PIECE;
    p->pitch = line ? LINE_PITCH : TILE_PIECE + SPAN + VL;
    p->limits = limits_of(&program->present->scale);
    for (int64_t l = 0; l < MOST_LINES; l++) {
        p->x_rows[l] = p->x + l * p->pitch;
        p->valid_rows[l] = p->valid + l * p->pitch;
    }
}

static void filter(const filter_program *program, int line, const elem *taps, const void *bias,
                   const void *const *table, elem *y, int64_t y_pitch, int64_t height,
                   int64_t width) {
    const elem *const *rows = (const elem *const *)table;
    pieces p;
    int expected = 0; /* whether most pieces lack something */
    open_pieces(&p, program, line);
    for (int64_t r = 0; r < height; r += p.height, y += p.height * y_pitch) {
        const int64_t lines = height - r < p.height ? height - r : p.height;
        int64_t all = 0, lacking = 0;
        if (!expected) p.kernel(program, taps, bias, table + r, y, y_pitch, lines, width, 0);
        for (int64_t j = 0; j < width; j += p.width, all++) {
            const int64_t count = width - j < p.width ? width - j : p.width;
            if (!expected && !has_nan(y + j, y_pitch, lines, count)) continue;
            lacking += filter_piece(&p, taps, bias, rows + r, j, y + j, y_pitch, lines, count);
        }
        expected = 2 * lacking > all;
    }
}

static void filter_tile(const filter_program *program, const void *taps, const void *bias,
                        const void *const *rows, void *y, int64_t y_pitch, int64_t height,
                        int64_t width, int flags) {
    (void)flags;
    filter(program, 0, taps, bias, rows, y, y_pitch, height, width);
}

static void filter_line(const filter_program *program, const void *taps, const void *bias,
                        const void *const *rows, void *y, int64_t y_pitch, int64_t height,
                        int64_t width, int flags) {
    (void)flags;
    filter(program, 1, taps, bias, rows, y, y_pitch, height, width);
}

const filter_present_kernels NAME(filter_present) = {.tile = filter_tile, .line = filter_line};
