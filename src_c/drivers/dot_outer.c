/* SPDX-License-Identifier: BSD-3-Clause
 * dot_outer.c -- sums over pixels as outer products, with y's channels as lanes.
 *
 * y is packed in panels of the tile's channels, [pixel][channel], which stay in the L1 cache while
 * the samples of x that meet a pixel are broadcast against it. Sums: [plane tap (and
 * part)][channel].
 */
#include <string.h>

#include "arena.h"
#include "dot_plan.h"
#include "gather.h"

#define PANEL_BYTES   (40 << 10) /* flows from the L1 and L2 caches */
#define LEAST_PIXELS  400        /* of a piece, if panels are so large */
#define MOST_PIXELS   640
#define PIECES        8           /* of an image that has more pixels */
#define SUMS_BYTES    (256 << 10) /* of a unit, and of its packed input */
#define MOST_CHANNELS 256

enum { D, H, W };

typedef struct {
    char *sums, *panel;
    char *lines;      /* of y, where its samples do not lie side by side */
    int64_t *offsets; /* of a tile that no unit fills */
    int64_t sums_bytes;
} scratch;

static int64_t panel_channels(const dot_plan *plan) {
    return plan->outer->lanes * plan->outer->vectors;
}

/* Samples of a row of sums. */
static int64_t sums_pitch(const dot_plan *plan) {
    return round_up(plan->channels_of_unit, plan->outer->lanes);
}

static size_t lay_out(const dot_plan *plan, char *base, scratch *s) {
    const int64_t sums = plan->offsets_padded * sums_pitch(plan) * plan->bytes;
    const int64_t panel =
        plan->tile.rows_out * plan->tile.columns * panel_channels(plan) * plan->bytes;
    const int64_t lines =
        plan->q.y_step[5] == 1 ? 0 : plan->tile.columns * panel_channels(plan) * plan->bytes;
    arena a = {base, 0};
    s->sums = carve(&a, sums);
    s->panel = carve(&a, panel);
    s->lines = carve(&a, lines);
    s->offsets = carve(&a, plan->columns * (int64_t)sizeof *s->offsets);
    s->sums_bytes = sums;
    return (size_t)a.bytes;
}

static size_t bytes_needed(const dot_plan *plan, size_t *sums) {
    scratch s;
    const size_t all = lay_out(plan, NULL, &s);
    *sums = (size_t)s.sums_bytes;
    return all;
}

/* Blocks of equal size, at most so many, in whole steps. */
static int64_t even(int64_t count, int64_t most, int64_t step) {
    return min64(count, round_up(ceil_div(count, ceil_div(count, max64(most, step))), step));
}

/* Pixels of a piece: the more, the fewer times sums are loaded and stored. */
static int64_t most_pixels(const dot_plan *plan) {
    const int64_t fitting = PANEL_BYTES / (panel_channels(plan) * plan->bytes),
                  piece = ceil_div(plan->q.output[H] * plan->q.output[W], PIECES);
    return min64(min64(fitting, MOST_PIXELS), max64(LEAST_PIXELS, piece));
}

static void size(dot_plan *plan) {
    const pyconvc_problem *q = &plan->q;
    const int64_t row = plan->taps_per_plane * plan->bytes, pixels = most_pixels(plan);
    dot_cut(plan, pixels, pixels);
    plan->channels_of_unit =
        even(q->channels_out, min64(MOST_CHANNELS, SUMS_BYTES / row), panel_channels(plan));
    const int64_t tile =
        plan->in_place ? 0 : tile_plane(&plan->tile, plan->tile.rows_out, plan->tile.columns);
    plan->planes_of_unit =
        even(plan->planes, SUMS_BYTES / max64(row * sums_pitch(plan), tile * plan->bytes),
             q->kernel[D]); /* whole channels: depth taps of all units alike */
    plan->columns = plan->outer->columns;
    plan->columns_of_tap = plan->parts;
    plan->offsets_padded =
        round_up(plan->planes_of_unit * plan->taps_per_plane * plan->parts, plan->columns);
}

/* Some of y's channels as [pixel][channel]; a panel's missing ones are zero. */
static void pack_panel(const dot_plan *plan, const tile_place *at, const char *y, int64_t channels,
                       int64_t pitch, const scratch *s) {
    const int64_t *step = plan->q.y_step, bytes = plan->bytes;
    const int whole = step[5] == 1 && step[4] == at->columns;
    const int64_t rows = whole ? 1 : at->rows,
                  columns = whole ? at->rows * at->columns : at->columns;
    char *to = s->panel;
    if (channels < pitch) memset(to, 0, (size_t)(rows * columns * pitch * bytes));
    for (int64_t r = 0; r < rows; r++, to += columns * pitch * bytes, y += step[4] * bytes) {
        if (step[5] == 1) {
            plan->outer->transpose(y, step[2], channels, columns, to, pitch);
            continue;
        }
        for (int64_t k = 0; k < channels; k++)
            gather_all(bytes, y + k * step[2] * bytes, columns, step[5],
                       s->lines + k * columns * bytes);
        plan->outer->transpose(s->lines, columns, channels, columns, to, pitch);
    }
}

/* Those of a tile from column t on, of a unit that uses so many: what is there beyond is computed
 * and thrown away, and may have no samples in x where the last unit has fewer planes. */
static const int64_t *offsets_from(const dot_plan *plan, const scratch *s, int64_t t,
                                   int64_t used) {
    const int64_t *offsets = plan->offsets + t;
    if (used - t >= plan->columns) return offsets;
    memset(s->offsets, 0, (size_t)plan->columns * sizeof *offsets);
    return memcpy(s->offsets, offsets, (size_t)(used - t) * sizeof *offsets);
}

static void add(const dot_plan *plan, const dot_unit *u, const tile_place *at, const char *x,
                const char *y, char *memory) {
    const outer_kernels *outer = plan->outer;
    const int64_t used = u->planes * plan->taps_per_plane * plan->parts;
    const int64_t row_bytes = sums_pitch(plan) * plan->bytes;
    scratch s;
    lay_out(plan, memory, &s);
    outer_job o = {.a = s.panel,
                   .b = x,
                   .b_step = plan->column_step,
                   .b_pitch = plan->row_step,
                   .height = at->rows,
                   .width = at->columns,
                   .sums_pitch = sums_pitch(plan) * plan->parts};
    y += dot_y_at(plan, u, at) * plan->bytes;
    for (int64_t k = 0; k < u->channels; k += panel_channels(plan)) {
        const int64_t channels = min64(panel_channels(plan), u->channels - k);
        const int is_narrow = channels <= outer->lanes;
        const int64_t pitch = is_narrow ? outer->lanes : panel_channels(plan);
        pack_panel(plan, at, y + k * plan->q.y_step[2] * plan->bytes, channels, pitch, &s);
        o.a_step = pitch * plan->parts;
        for (int64_t t = 0; t < used; t += plan->columns) {
            o.offsets = offsets_from(plan, &s, t, used);
            o.sums = s.sums + t * row_bytes + k * plan->bytes;
            (is_narrow ? outer->narrow : outer->wide)(&o);
        }
    }
}

static void finish(const dot_plan *plan, const dot_unit *u, char *memory, const dot_target *to) {
    const int64_t rows = u->planes * plan->taps_per_plane;
    scratch s;
    lay_out(plan, memory, &s);
    plan->outer->finish(s.sums, sums_pitch(plan), rows, u->channels, to->to,
                        plan->swapped ? to->pitch : 1, plan->swapped ? 1 : to->pitch);
}

const dot_form dot_outer = {size, bytes_needed, add, finish};
