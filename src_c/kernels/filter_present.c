/* SPDX-License-Identifier: BSD-3-Clause
 *
 * filter_present.c -- filters over samples of which some are missing (contract: filter_present in
 * kernel_types.h), by the kernels that take all samples.
 *
 * A piece of y is first filtered as if nothing were missing, unless something was in the piece
 * before. What is shows in the sums, which are NaN; then the piece is computed again, from input
 * that is turned into what is there, with 0 for what is missing. Kernels with images sum what is
 * lost, sample by sample (lost.h) where few are missing. Else the input is also turned into 1 or 0
 * for whether it is there, or lost, and both are filtered, a block of taps at a time. Kernels of
 * 3x3 taps have tiles of both sums (nine.h), which also compute single vectors again.
 *
 * Sums of samples and of sizes run in the order of the program, sums of counts are exact, so the
 * way a piece is computed never changes a bit.
 */
#include <stdlib.h>

#include "kernel_types.h"
#include "vec.h"

#include "present.h"

#define TILE_LINES 36 /* of y in a piece, at most: whole tiles */
#define LOW_LINES  12 /* the same where nothing is searched: the nearest cache holds turned lines */
#define LINE_LINES 4
#define TILE_PIECE ((int64_t)(768 / sizeof(elem))) /* elements of a line of y in it */
#define LINE_PIECE (2 * TILE_PIECE)
#define SPAN       ((int64_t)(256 / sizeof(elem))) /* that the taps of a part reach over, at most */
#define LEFT       0.125                           /* of a count: with less, sizes are summed */
#define AHEAD      4                               /* lines */
#define POINTERS   1024                            /* of a piece that is filtered as it is */

#include "lost.h"
#include "nine.h"

/* Of turned input: */
#define MOST_LINES  80
#define TILE_PITCH  (TILE_PIECE + MOST(SPAN, REACH) + VL)
#define LINE_PITCH  (LINE_PIECE + SPAN + LINE_CHUNK * VL)
#define MOST_BLOCKS 16
#define MOST(a, b)  ((a) > (b) ? (a) : (b))
#define ROOM        MOST(MOST_LINES *TILE_PITCH, LINE_LINES *LINE_PITCH)

/* What weights are summed over: nothing, or 1 for samples that are missing, or that are there. */
enum { NOTHING, LOST, THERE };

/* What pieces are computed with. */
typedef struct {
    const filter_program *program;
    const filter_present *present;
    const elem *taps, *bias;
    filter_fn *kernel;
    int line, is_3x3;
    int64_t height, width, pitch; /* of a piece; elements of a turned line */
    nine nine;
    int64_t lost_pitch; /* elements of a line of weights */
    double most_lost; /* samples for each output while few, counted for each run that meets them */
    const void *x_rows[MOST_LINES], *valid_rows[MOST_LINES], *table[POINTERS],
        *lost_table[POINTERS];
    elem x[ROOM] __attribute__((aligned(64))), valid[ROOM] __attribute__((aligned(64)));
    elem lost[TILE_LINES * LOST_PITCH], size[TILE_LINES * LOST_PITCH];
} pieces;

/* A piece: `right` of the row pointers, height x width of y. */
typedef struct {
    const elem *const *rows;
    int64_t right, height, width;
    elem *y;
    int64_t y_pitch;
} piece;

/* Sums over a piece: of samples, if they are wanted, to y; of weights, which lie `behind` the taps.
 */
typedef struct {
    int samples, kind;
    int64_t behind;
    elem *weight;
    flags missing; /* where something was, so far */
    int how;       /* accumulates all parts but the first */
} sums;

/* Blocks of taps that are met at once: they reach over the rows first_row .. last_row of the table
 * and so many elements of a line. */
typedef struct {
    const elem *taps;
    int64_t count, first_row, last_row, first, last;
    filter_block blocks[MOST_BLOCKS + 1];
} part;

/* ---- sums of what samples are turned into ---------------------------------------------------- */

INLINE void turn_vector(const int kind, vec a, elem *x, elem *valid, flags *missing) {
    const flags there = test(a == a);
    store(x, where(there, a));
    if (kind != NOTHING) store(valid, where(kind == LOST ? ~there : there, set1(1)));
    *missing |= ~there;
}

/* n elements of a line; returns where something is missing. The last vector may be moved back. The
 * cache may still lack `next`, a line to come. */
INLINE flags turn(const int kind, const elem *from, const elem *next, int64_t n, elem *x,
                  elem *valid) {
    flags missing = {0};
    int64_t j = 0;
    for (; j + VL <= n; j += VL) {
        __builtin_prefetch(next + j);
        turn_vector(kind, load(from + j), x + j, valid + j, &missing);
    }
    const int64_t last = n - VL;
    if (j < n && last >= 0)
        turn_vector(kind, load(from + last), x + last, valid + last, &missing);
    else if (j < n)
        turn_vector(kind, load_part(from + j, n - j), x + j, valid + j, &missing);
    return missing;
}

static flags turn_line(const int kind, const elem *from, const elem *next, int64_t n, elem *x,
                       elem *valid) {
    switch (kind) {
    case LOST:
        return turn(LOST, from, next, n, x, valid);
    case THERE:
        return turn(THERE, from, next, n, x, valid);
    default:
        return turn(NOTHING, from, next, n, x, valid);
    }
}

/* The line AHEAD of one, or the last of `count`. */
INLINE const elem *ahead(const elem *const *rows, int64_t row, int64_t count) {
    return rows[row + AHEAD < count ? row + AHEAD : count - 1];
}

/* A part of several has an empty block besides: for one block the kernel may have another order. */
static void add_part(pieces *p, part *t, const piece *at, sums *s, int several) {
    const filter_program program = {t->blocks, t->count + several, NULL};
    const int64_t lines = at->height + t->last_row - t->first_row;
    const int64_t count = at->width + t->last - t->first;
    for (int64_t b = 0; b < t->count; b++)
        t->blocks[b].row -= t->first_row, t->blocks[b].column -= t->first;
    t->blocks[t->count] = (filter_block){.length = 1};
    const elem *const *rows = at->rows + t->first_row;
    const int64_t right = t->first + at->right;
    for (int64_t l = 0; l < lines; l++)
        s->missing |= turn_line(s->kind, rows[l] + right, ahead(rows, l, lines) + right, count,
                                p->x + l * p->pitch, p->valid + l * p->pitch);
    if (s->samples)
        p->kernel(&program, t->taps, p->bias, p->x_rows, at->y, at->y_pitch, at->height, at->width,
                  s->how);
    if (s->kind != NOTHING)
        p->kernel(&program, t->taps + s->behind, NULL, p->valid_rows, s->weight, p->lost_pitch,
                  at->height, at->width, s->how);
    s->how = FILTER_ACCUMULATE;
    t->count = 0;
}

/* Adds a block to the part, if the lines of both can be held. */
static int joins(const pieces *p, part *t, const filter_block *block, int64_t height) {
    const int64_t last_row = block->row + (p->line ? 0 : block->length - 1);
    const int64_t far = block->column + (block->columns - 1) * block->step;
    const int64_t first = far < block->column ? far : block->column; /* phases may go back */
    const int64_t last = MOST(far, block->column) + (p->line ? (block->length - 1) * VL : 0);
    if (!t->count) *t = (part){t->taps, 0, block->row, last_row, first, last, {{0}}};
    part both = {.first_row = block->row < t->first_row ? block->row : t->first_row,
                 .last_row = MOST(last_row, t->last_row),
                 .first = first < t->first ? first : t->first,
                 .last = MOST(last, t->last)};
    const int64_t room = p->line ? SPAN + (LINE_CHUNK - 1) * VL : SPAN;
    /* The table has rows that no block meets, with nothing in them. */
    const int apart = block->row > t->last_row + height || t->first_row > last_row + height;
    if (t->count && (t->count == MOST_BLOCKS || apart || both.last - both.first > room ||
                     height + both.last_row - both.first_row > MOST_LINES))
        return 0;
    t->first_row = both.first_row, t->last_row = both.last_row;
    t->first = both.first, t->last = both.last;
    t->blocks[t->count++] = *block;
    return 1;
}

/* Returns whether something was missing. Blocks that reach far are cut. */
static int add_up(pieces *p, const piece *at, sums s) {
    const elem *taps = p->taps;
    part t = {.taps = taps};
    for (int64_t b = 0; b < p->program->count; b++) {
        filter_block block = p->program->blocks[b];
        const int32_t columns = block.columns;
        const int64_t most = block.step ? 1 + SPAN / llabs(block.step) : columns;
        for (int64_t c = 0; c < columns; c += most, block.column += most * block.step) {
            block.columns = (int32_t)(columns - c < most ? columns - c : most);
            if (!joins(p, &t, &block, at->height)) {
                add_part(p, &t, at, &s, 1);
                t.taps = taps;
                joins(p, &t, &block, at->height);
            }
            taps += block.columns * block.length;
        }
    }
    add_part(p, &t, at, &s, s.how == FILTER_ACCUMULATE);
    return any(s.missing);
}

/* ---- scaling -----------------------------------------------------------------------------------
 */

static void scale_by_size(const pieces *p, const piece *at) {
    const scale_limits limits = limits_of(&p->present->by_size);
    for (int64_t r = 0; r < at->height; r++) {
        elem *y = at->y + r * at->y_pitch;
        const elem *size = p->size + r * p->lost_pitch;
        int64_t j = 0;
        for (; j + VL <= at->width; j += VL)
            store(y + j, scaled(load(y + j), load(size + j), &limits));
        const int64_t rest = at->width - j;
        if (rest) store_part(y + j, scaled(load_part(y + j, rest), load(size + j), &limits), rest);
    }
}

/* By counts, and by sizes where so much is lost that these are summed. */
typedef struct {
    scale_limits count, size;
    vec total, most; /* counts: of a window, and lost from it at most */
} scaling;

INLINE scaling make_scaling(const filter_present *o) {
    const double total = o->by_count.total;
    return (scaling){limits_of(&o->by_count), limits_of(&o->by_size), set1((elem)total),
                     set1((elem)((1 - LEFT) * total))};
}

static int too_much(const pieces *p, const piece *at) {
    const scaling s = make_scaling(p->present);
    flags much = {0};
    for (int64_t r = 0; r < at->height; r++) {
        const elem *lost = p->lost + p->present->reach + r * LOST_PITCH;
        int64_t j = 0;
        for (; j + VL <= at->width; j += VL)
            much |= test(load(lost + j) > s.most);
        if (j < at->width) much |= test(load_part(lost + j, at->width - j) > s.most);
    }
    return any(much);
}

INLINE vec by_count(const int sized, const scaling *s, vec sum, vec lost, const elem *size) {
    const vec counted = scaled(sum, s->total - lost, &s->count);
    return sized ? choose(test(lost > s->most), scaled(sum, load(size), &s->size), counted)
                 : counted;
}

INLINE void scale_by_count(const int sized, const pieces *p, const piece *at) {
    const scaling s = make_scaling(p->present);
    for (int64_t r = 0; r < at->height; r++) {
        elem *y = at->y + r * at->y_pitch;
        const elem *lost = p->lost + p->present->reach + r * LOST_PITCH,
                   *size = p->size + r * LOST_PITCH;
        int64_t j = 0;
        for (; j + VL <= at->width; j += VL)
            store(y + j, by_count(sized, &s, load(y + j), load(lost + j), size + j));
        const int64_t rest = at->width - j;
        if (rest)
            store_part(y + j, by_count(sized, &s, load_part(y + j, rest), load(lost + j), size + j),
                       rest);
    }
}

/* ---- pieces ------------------------------------------------------------------------------------
 */

/* As if nothing were missing; returns whether there is room for that. */
static int filter_whole(pieces *p, const piece *at) {
    const int64_t rows = p->present->last_row + at->height;
    if (rows > POINTERS) return 0;
    for (int64_t i = 0; i < rows; i++)
        p->table[i] = at->rows[i] + at->right;
    p->kernel(p->program, p->taps, p->bias, p->table, at->y, at->y_pitch, at->height, at->width, 0);
    return 1;
}

static int has_nan(const piece *at) {
    flags nan = {0};
    for (int64_t r = 0; r < at->height; r++) {
        const elem *y = at->y + r * at->y_pitch;
        int64_t j = 0;
        for (; j + VL <= at->width; j += VL) {
            const vec a = load(y + j);
            nan |= test(a != a);
        }
        if (j < at->width) {
            const vec a = load_part(y + j, at->width - j);
            nan |= test(a != a);
        }
    }
    return any(nan);
}

/* Returns whether something was missing. */
static int filter_by_size(pieces *p, const piece *at) {
    const sums both = {1, THERE, p->present->sizes, p->size};
    const int missing = add_up(p, at, both);
    scale_by_size(p, at);
    return missing;
}

/* Whether samples are missing that are more quickly summed by taps: every eighth line tells. */
static int lacks_much(const pieces *p, const piece *at) {
    const filter_present *o = p->present;
    const int64_t right = o->first + at->right, count = at->width + o->reach;
    int64_t missing = 0, lines = 0;
    for (const filter_present_run *run = o->runs; run < o->runs + o->count; run++)
        for (int64_t l = run->rows / 2; l < at->height + run->rows - 1; l += 8, lines++)
            missing += count_missing(at->rows[run->row + l] + right, count);
    const int64_t all = o->count * (at->height + o->runs[0].rows - 1);
    return (double)(missing * all) > p->most_lost * (double)(lines * at->height * at->width);
}

/* Turns all lines that a piece meets, and sums what their missing samples take from it; returns
 * whether there are any. */
static int hold(pieces *p, const piece *at) {
    const filter_present *o = p->present;
    const int64_t count = at->width + o->reach, vectors = (o->reach + VL) / VL;
    elem *to = p->x;
    uint64_t bits[WORDS];
    int missing = 0;
    for (const filter_present_run *run = o->runs; run < o->runs + o->count; run++)
        for (int64_t l = 0; l < at->height + run->rows - 1; l++, to += TILE_PITCH) {
            p->table[run->row + l] = to - o->first;
            if (!turn_bits(at->rows[run->row + l] + o->first + at->right, count, to, bits))
                continue;
            if (!missing) clear_lost(at->height, count + vectors * VL, p->lost);
            missing = 1;
            take_line(vectors, bits, count, run, l, at->height, p->lost);
        }
    return missing;
}

/* The same, but what is lost is summed by taps. */
static int hold_lost(pieces *p, const piece *at) {
    const filter_present *o = p->present;
    flags missing = {0};
    int64_t to = 0;
    for (const filter_present_run *run = o->runs; run < o->runs + o->count; run++) {
        const elem *const *rows = at->rows + run->row;
        const int64_t right = o->first + at->right, lines = at->height + run->rows - 1;
        for (int64_t l = 0; l < lines; l++, to += TILE_PITCH) {
            p->table[run->row + l] = p->x + to - o->first;
            p->lost_table[run->row + l] = p->valid + to - o->first;
            missing |= turn(LOST, rows[l] + right, ahead(rows, l, lines) + right,
                            at->width + o->reach, p->x + to, p->valid + to);
        }
    }
    p->kernel(p->program, p->taps + o->counts, NULL, p->lost_table, p->lost + o->reach, LOST_PITCH,
              at->height, at->width, 0);
    return any(missing);
}

/* Returns whether something was missing. */
static int filter_by_count(pieces *p, const piece *at) {
    const filter_present *o = p->present;
    const sums samples = {1, LOST, o->counts, p->lost + o->reach};
    const sums sizes = {0, THERE, o->sizes, p->size};
    int missing;
    if (p->most_lost > 0) {
        missing = lacks_much(p, at) ? hold_lost(p, at) : hold(p, at);
        p->kernel(p->program, p->taps, p->bias, p->table, at->y, at->y_pitch, at->height, at->width,
                  0);
    } else {
        missing = add_up(p, at, samples);
    }
    if (!missing) return 0;
    if (too_much(p, at)) {
        add_up(p, at, sizes);
        scale_by_count(1, p, at);
    } else {
        scale_by_count(0, p, at);
    }
    return 1;
}

/* The lines of a piece and of what it meets. What is lost is summed by taps at about two of them a
 * cycle, by samples at about three cycles for each vector of an image. */
static void open_images(pieces *p) {
    const filter_present *o = p->present;
    const int rows = o->plain->tile_rows;
    const int64_t runs = o->count, high = o->runs[0].rows - 1;
    const int64_t most = runs > 1 ? LOW_LINES : TILE_LINES, room = MOST_LINES / runs - high;
    p->height = MOST((room < most ? room : most) / rows, 1) * rows;
    const int fits = runs * (p->height + high) <= MOST_LINES && o->last_row + p->height <= POINTERS;
    const double vectors = (double)((o->reach + VL) / VL);
    const double taps = (double)(runs * (high + 1) * (o->reach + 1));
    p->most_lost = fits ? taps / (2 * VL) / (3 * vectors * (double)(high + 1)) : 0;
}

/* 3x3 taps: the commonest kernel. */
static int is_3x3(const filter_program *program, int line) {
    const filter_block *b = program->blocks;
    return !line && program->count == 1 && b->length == 3 && b->columns == 3 && b->step == 1;
}

static void filter_3x3(pieces *p, const piece *at) {
    const filter_block *b = p->program->blocks;
    const nine_piece piece = {at->rows + b->row, at->y,     at->y_pitch,
                              at->height,        at->width, at->right + b->column};
    if (!nine_lacks_much(&piece) && filter_whole(p, at))
        nine_mend(p->nine, piece);
    else
        nine_fill(p->nine, piece);
}

static int filter_piece(pieces *p, const piece *at, int expected) {
    if (!expected && filter_whole(p, at) && !has_nan(at)) return 0;
    return p->present->images ? filter_by_count(p, at) : filter_by_size(p, at);
}

static void open_3x3(pieces *p) {
    const elem *taps = p->taps, *sizes = taps + p->present->sizes;
    p->height = NINE_LINES, p->width = NINE_PIECE;
    p->nine.bias = set1(p->bias ? *p->bias : 0);
    p->nine.by = limits_of(&p->present->by_size);
    for (int i = 0; i < 9; i++)
        p->nine.tap[i] = set1(taps[i]), p->nine.size[i] = set1(sizes[i]);
}

static void open_pieces(pieces *p, const filter_program *program, int line, const elem *taps,
                        const elem *bias) {
    const filter_present *o = program->present;
#ifdef __SANITIZE_ADDRESS__
    memset(p, 0xff, sizeof *p); /* NaNs, and pointers that lead nowhere */
#endif
    p->program = program, p->present = o;
    p->taps = taps, p->bias = bias;
    p->kernel = line ? o->plain->line : o->plain->tile;
    p->line = line;
    const int rows = o->plain->tile_rows;
    p->height = line ? LINE_LINES : LOW_LINES / rows * rows;
    p->width = line ? LINE_PIECE : TILE_PIECE;
    p->pitch = line ? LINE_PITCH : TILE_PITCH;
    p->is_3x3 = is_3x3(program, line);
    p->lost_pitch = line ? LINE_PIECE : LOST_PITCH;
    if (o->images) open_images(p);
    if (p->is_3x3) open_3x3(p);
    for (int64_t l = 0; l < MOST_LINES; l++) {
        p->x_rows[l] = p->x + l * p->pitch;
        p->valid_rows[l] = p->valid + l * p->pitch;
    }
}

static void filter(const filter_program *program, int line, const elem *taps, const void *bias,
                   const void *const *table, elem *y, int64_t y_pitch, int64_t height,
                   int64_t width) {
    pieces p;
    int expected = 0; /* that something is missing, as it was in the piece before */
    open_pieces(&p, program, line, taps, bias);
    for (int64_t r = 0; r < height; r += p.height, y += p.height * y_pitch)
        for (int64_t j = 0; j < width; j += p.width) {
            const int64_t lines = height - r < p.height ? height - r : p.height;
            const int64_t count = width - j < p.width ? width - j : p.width;
            const piece at = {(const elem *const *)table + r, j, lines, count, y + j, y_pitch};
            if (p.is_3x3)
                filter_3x3(&p, &at);
            else
                expected = filter_piece(&p, &at, expected);
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
