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

#define TILE_LINES 12 /* of y in a piece, at most: whole tiles */
#define LINE_LINES 4
#define TILE_PIECE ((int64_t)(768 / sizeof(elem))) /* elements of a line of y in it */
#define LINE_PIECE (2 * TILE_PIECE)
#define SPAN       ((int64_t)(256 / sizeof(elem))) /* that the taps of a part reach over, at most */

/* Of split input: */
#define MOST_LINES  (TILE_LINES + 12)
#define TILE_PITCH  (TILE_PIECE + SPAN + VL)
#define LINE_PITCH  (LINE_PIECE + SPAN + LINE_CHUNK * VL)
#define MOST_BLOCKS 16
#define MOST(a, b)  ((a) > (b) ? (a) : (b))
#define ROOM        MOST(MOST_LINES *TILE_PITCH, LINE_LINES *LINE_PITCH)

/* What pieces are computed with. */
typedef struct {
    const filter_program *program;
    filter_fn *kernel;
    int line;
    int64_t height, width, pitch; /* of a piece; elements of a split line */
    scale_limits limits;
    const void *x_rows[MOST_LINES], *valid_rows[MOST_LINES];
    elem x[ROOM], valid[ROOM], sum[TILE_LINES * TILE_PIECE], weight[TILE_LINES * TILE_PIECE];
} pieces;

/* A piece: `right` of the row pointers, height x width of y. */
typedef struct {
    const elem *const *rows;
    const void *bias;
    int64_t right, height, width;
    elem *y;
    int64_t y_pitch;
    flags missing; /* where something was, so far */
    int how;       /* accumulates all parts but the first */
} piece;

/* Blocks of taps that are met at once: they reach over the rows first_row .. last_row of the table
 * and so many elements of a line. */
typedef struct {
    const elem *taps;
    int64_t count, first_row, last_row, first, last;
    filter_block blocks[MOST_BLOCKS];
} part;

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

/* Both sums of a part, on split lines. */
static void add_part(pieces *p, part *t, piece *at) {
    const filter_program program = {t->blocks, t->count, NULL};
    const int64_t lines = at->height + t->last_row - t->first_row;
    const int64_t count = at->width + t->last - t->first;
    for (int64_t b = 0; b < t->count; b++)
        t->blocks[b].row -= t->first_row, t->blocks[b].column -= t->first;
    for (int64_t l = 0; l < lines; l++)
        at->missing |= split(at->rows[t->first_row + l] + t->first + at->right, count,
                             p->x + l * p->pitch, p->valid + l * p->pitch);
    p->kernel(&program, t->taps, at->how ? NULL : at->bias, p->x_rows, p->sum, p->width, at->height,
              at->width, at->how);
    p->kernel(&program, t->taps + p->program->present->sizes, NULL, p->valid_rows, p->weight,
              p->width, at->height, at->width, at->how);
    at->how = FILTER_ACCUMULATE;
    t->count = 0;
}

/* Adds a block to the part, if the split lines of both can be held. */
static int joins(const pieces *p, part *t, const filter_block *block, int64_t height) {
    const int64_t last_row = block->row + (p->line ? 0 : block->length - 1);
    const int64_t last = block->column + (block->columns - 1) * block->step +
                         (p->line ? (block->length - 1) * VL : 0);
    if (!t->count) *t = (part){t->taps, 0, block->row, last_row, block->column, last, {{0}}};
    part both = {.first_row = block->row < t->first_row ? block->row : t->first_row,
                 .last_row = MOST(last_row, t->last_row),
                 .first = block->column < t->first ? block->column : t->first,
                 .last = MOST(last, t->last)};
    const int64_t room = p->line ? SPAN + (LINE_CHUNK - 1) * VL : SPAN;
    if (t->count && (t->count == MOST_BLOCKS || both.last - both.first > room ||
                     height + both.last_row - both.first_row > MOST_LINES))
        return 0;
    t->first_row = both.first_row, t->last_row = both.last_row;
    t->first = both.first, t->last = both.last;
    t->blocks[t->count++] = *block;
    return 1;
}

static void scale(const pieces *p, const piece *at) {
    for (int64_t r = 0; r < at->height; r++) {
        elem *y = at->y + r * at->y_pitch;
        const elem *sum = p->sum + r * p->width, *weight = p->weight + r * p->width;
        int64_t j = 0;
        for (; j + VL <= at->width; j += VL)
            store(y + j, scaled(load(sum + j), load(weight + j), &p->limits));
        const int64_t rest = at->width - j;
        if (rest)
            store_part(y + j,
                       scaled(load_part(sum + j, rest), load_part(weight + j, rest), &p->limits),
                       rest);
    }
}

/* Whether something was missing. Blocks that reach far are cut. */
static int filter_piece(pieces *p, const elem *taps, piece *at) {
    part t = {.taps = taps};
    for (int64_t b = 0; b < p->program->count; b++) {
        filter_block block = p->program->blocks[b];
        const int32_t columns = block.columns;
        const int64_t most = block.step ? 1 + SPAN / block.step : columns;
        for (int64_t c = 0; c < columns; c += most, block.column += most * block.step) {
            block.columns = (int32_t)(columns - c < most ? columns - c : most);
            if (!joins(p, &t, &block, at->height)) {
                add_part(p, &t, at);
                t.taps = taps;
                joins(p, &t, &block, at->height);
            }
            taps += block.columns * block.length;
        }
    }
    add_part(p, &t, at);
    scale(p, at);
    return any(at->missing);
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
    const int rows = program->present->plain->tile_rows;
    p->height = line ? LINE_LINES : TILE_LINES / rows * rows;
    p->width = line ? LINE_PIECE : TILE_PIECE;
    p->pitch = line ? LINE_PITCH : TILE_PITCH;
    p->limits = limits_of(&program->present->scale);
    for (int64_t l = 0; l < MOST_LINES; l++) {
        p->x_rows[l] = p->x + l * p->pitch;
        p->valid_rows[l] = p->valid + l * p->pitch;
    }
}

static void filter(const filter_program *program, int line, const elem *taps, const void *bias,
                   const void *const *table, elem *y, int64_t y_pitch, int64_t height,
                   int64_t width) {
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
            piece at = {(const elem *const *)table + r, bias, j, lines, count, y + j, y_pitch};
            lacking += filter_piece(&p, taps, &at);
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
