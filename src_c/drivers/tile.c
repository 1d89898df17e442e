/* SPDX-License-Identifier: BSD-3-Clause
 * tile.c -- see tile.h. */
#include "tile.h"

#include <string.h>

#include "gather.h"

#define CACHE_LINE 64
#define MOST_MOVES 64 /* lines that are looked up once for all planes */

enum { D, H, W };

tile_shape tile_make(const pyconvc_problem *p, int64_t lanes, int flat) {
    return (tile_shape){.p = p,
                        .bytes = pyconvc_sample_bytes(p->dtype),
                        .lanes = lanes,
                        .flat = flat,
                        .across = flat ? phases_find(p, W, 1) : phases_across(p)};
}

/* An odd number of cache lines: planes do not meet in the same sets of a cache. */
static int64_t spread(const tile_shape *tile, int64_t samples) {
    const int64_t line = CACHE_LINE / tile->bytes;
    return (ceil_div(samples, line) | 1) * line;
}

static int64_t rows_of_phase(const tile_shape *tile) {
    return phases_samples(&tile->down, tile->rows_out);
}

void tile_size(tile_shape *tile, int64_t rows_out, int64_t columns) {
    tile->rows_out = rows_out;
    tile->columns = columns;
    tile->down = phases_find(tile->p, H, 0);
    if (tile->down.count * rows_of_phase(tile) > tile->p->kernel[H] * rows_out)
        tile->down = phases_find(tile->p, H, 1);
    tile->rows = tile->down.count * rows_of_phase(tile);
    if (tile->flat) {
        tile->row_pitch = columns;
        tile->phase_pitch = round_up(tile->rows * columns, tile->lanes);
    } else {
        tile->phase_pitch = phases_pitch(&tile->across, columns, tile->lanes);
        tile->row_pitch = tile->across.count * tile->phase_pitch;
    }
    tile->plane_pitch =
        spread(tile, tile->flat ? tile->across.count * tile->phase_pitch + tile->lanes
                                : tile->rows * tile->row_pitch);
}

int64_t tile_plane(const tile_shape *tile, int64_t rows_out, int64_t columns) {
    tile_shape other = *tile;
    tile_size(&other, rows_out, columns);
    return other.plane_pitch;
}

int64_t tile_offset(const tile_shape *tile, int64_t plane, int64_t h, int64_t w) {
    return plane * tile->plane_pitch +
           phases_tap(&tile->down, rows_of_phase(tile), h) * tile->row_pitch +
           phases_tap(&tile->across, tile->phase_pitch, w);
}

/* The lines of a column phase, or of two that are packed together. */
typedef struct {
    const tile_shape *tile;
    const tile_place *at;
    gather_line line;
    gather_range range[2];
    int64_t phases, samples, slack;
} lines;

/* Some rows of the tile: from the begin of a plane in x to that in the tile; those of the constant
 * come from nowhere. */
typedef struct {
    gather_move inside[MOST_MOVES], constant[MOST_MOVES];
    int64_t insides, constants;
} some_rows;

static lines find_lines(const tile_shape *tile, const tile_place *at, int64_t f) {
    const pyconvc_problem *p = tile->p;
    const axis_phases *across = &tile->across;
    const int64_t left = at->column * p->stride[W] - p->pad_before[W],
                  samples = phases_samples(across, at->columns);
    lines l = {
        .tile = tile,
        .at = at,
        .line = {tile->bytes, p->input[W], p->x_step[5], p->boundary[W], p->fill},
        .phases = 1,
        .samples = samples,
        .slack = tile->flat || !tile->lanes ? 0 : round_up(at->columns, tile->lanes) - at->columns};
    if (p->stride[W] == 2 && f + 1 < across->count &&
        phases_first(across, f + 1) == phases_first(across, f) + 1)
        l.phases = 2;
    for (int64_t i = 0; i < l.phases; i++)
        l.range[i] =
            gather_find(&l.line, left + phases_first(across, f + i), p->stride[W], samples);
    return l;
}

/* Those from number `first` on, as far as there is room. Returns the next. */
static int64_t find_rows(const tile_shape *tile, const tile_place *at, int64_t first,
                         some_rows *to) {
    const pyconvc_problem *p = tile->p;
    const int64_t top = at->row * p->stride[H] - p->pad_before[H], of_phase = rows_of_phase(tile),
                  end = min64(tile->rows, first + MOST_MOVES);
    to->insides = to->constants = 0;
    for (int64_t i = first; i < end; i++) {
        const int64_t phase = i / of_phase, o = i % of_phase;
        if (o >= phases_samples(&tile->down, at->rows)) continue;
        const int64_t down = top + phases_first(&tile->down, phase) + o * p->stride[H];
        const int64_t row = pyconvc_boundary_index(p->boundary[H], down, p->input[H]);
        if (row >= 0)
            to->inside[to->insides++] = (gather_move){row * p->x_step[4], i * tile->row_pitch};
        else if (!at->only_inside[H])
            to->constant[to->constants++] = (gather_move){0, i * tile->row_pitch};
    }
    return end;
}

static void pack_constant(const lines *l, const gather_move *rows, int64_t count, char *to) {
    const gather_line constant = {l->tile->bytes, 0, 1, PYCONVC_CONSTANT, l->tile->p->fill};
    const gather_range outside = {.after = l->samples};
    for (int64_t i = 0; i < l->phases; i++)
        gather_ends(&constant, &outside, rows, count, l->slack,
                    to + i * l->tile->phase_pitch * l->tile->bytes);
}

/* The channels whose planes begin one sample apart and are packed together, as those of an image
 * that is channels-last in memory; else 1. */
static int64_t channels_beside(const lines *l) {
    const pyconvc_problem *p = l->tile->p;
    const int beside = p->x_step[2] == 1 && p->x_step[5] != 1 && l->at->planes % p->kernel[D] == 0;
    return beside ? l->at->planes / p->kernel[D] : 1;
}

/* Some rows of the planes of several channels. */
static void pack_across(const lines *l, const some_rows *rows, const char *x, int64_t channels,
                        char *to) {
    const tile_shape *tile = l->tile;
    const int64_t pitch = tile->p->kernel[D] * tile->plane_pitch;
    for (int64_t i = 0; i < l->phases; i++, to += tile->phase_pitch * tile->bytes) {
        for (int64_t c = 0; c < channels; c++)
            gather_ends(&l->line, &l->range[i], rows->inside, rows->insides, l->slack,
                        to + c * pitch * tile->bytes);
        gather_across(&l->line, &l->range[i], x, channels, rows->inside, rows->insides, pitch, to);
    }
}

/* Some rows of a plane; where x is NULL, all are of the constant. */
static void pack_rows(const lines *l, const some_rows *rows, const char *x, char *to) {
    char *next = to + l->tile->phase_pitch * l->tile->bytes;
    pack_constant(l, rows->constant, rows->constants, to);
    if (!x) {
        pack_constant(l, rows->inside, rows->insides, to);
        return;
    }
    for (int64_t i = 0; i < l->phases; i++)
        gather_ends(&l->line, &l->range[i], rows->inside, rows->insides, l->slack, i ? next : to);
    if (l->phases == 2)
        gather_pairs(&l->line, l->range, x, rows->inside, rows->insides, to, next);
    else
        gather_moves(&l->line, &l->range[0], x, rows->inside, rows->insides, to);
}

/* Whether lines of a flat tile lie in x as in the tile, one after the other, but for a shift. */
static int are_joined(const lines *l) {
    const pyconvc_problem *p = l->tile->p;
    return l->tile->flat && !l->tile->down.by_tap && p->stride[H] == 1 && p->stride[W] == 1 &&
           l->samples == p->input[W] && l->range[0].inside && p->x_step[5] == 1 &&
           (p->input[H] == 1 || p->x_step[4] == p->input[W]) &&
           p->boundary[H] == PYCONVC_CONSTANT && p->boundary[W] == PYCONVC_CONSTANT;
}

/* They are copied in one go; what a shift brings in at the ends of lines is the constant. */
static void pack_joined(const lines *l, const char *x, char *to) {
    const pyconvc_problem *p = l->tile->p;
    const int64_t bytes = l->tile->bytes, width = p->input[W], shift = l->range[0].first,
                  top = l->at->row - p->pad_before[H],
                  used = phases_samples(&l->tile->down, l->at->rows),
                  moved = shift < 0 ? -shift : shift, first = min64(used, max64(0, -top)),
                  end = max64(first, min64(used, p->input[H] - top));
    const int64_t count = (end - first) * width - moved;
    char *lines_at = to + first * width * bytes;
    if (count > 0)
        memcpy(lines_at + max64(0, -shift) * bytes,
               x + ((top + first) * width + max64(0, shift)) * bytes, (size_t)(count * bytes));
    for (int64_t i = first; i < end && moved; i++)
        gather_fill(bytes, p->fill, moved,
                    to + (i * width + (shift < 0 ? 0 : width - moved)) * bytes);
    if (l->at->only_inside[H]) return;
    gather_fill(bytes, p->fill, first * width, to);
    gather_fill(bytes, p->fill, (used - end) * width, to + end * width * bytes);
}

/* The begin of a plane in x, NULL for one of the constant. */
static const char *find_plane(const tile_shape *tile, const tile_place *at, int64_t plane,
                              const char *x) {
    const pyconvc_problem *p = tile->p;
    const int64_t tap = plane % p->kernel[D] * p->dilation[D],
                  z = pyconvc_boundary_index(p->boundary[D],
                                             at->depth * p->stride[D] - p->pad_before[D] + tap,
                                             p->input[D]);
    const int64_t first = at->image * p->x_step[0] + at->group * p->x_step[1] +
                          plane / p->kernel[D] * p->x_step[2] + z * p->x_step[3];
    return z < 0 ? NULL : x + first * tile->bytes;
}

/* Some rows of all planes, or all rows, where they are joined and `rows` is NULL. */
static void pack_planes(const lines *l, const some_rows *rows, const char *x, char *to) {
    const tile_shape *tile = l->tile;
    const int64_t used = phases_samples(&tile->down, l->at->rows) * tile->row_pitch,
                  channels = channels_beside(l);
    for (int64_t i = 0; i < l->at->planes; i++, to += tile->plane_pitch * tile->bytes) {
        const char *plane = find_plane(tile, l->at, l->at->first_plane + i, x);
        if (!plane && l->at->only_inside[D]) continue;
        if (rows && plane && channels > 1) {
            pack_constant(l, rows->constant, rows->constants, to);
            if (i < tile->p->kernel[D]) pack_across(l, rows, plane, channels, to);
        } else if (rows)
            pack_rows(l, rows, plane, to);
        else if (plane)
            pack_joined(l, plane, to);
        else
            gather_fill(tile->bytes, tile->p->fill, used, to);
    }
}

void tile_pack(const tile_shape *tile, const tile_place *at, const void *x, void *to) {
    some_rows rows;
    for (int64_t f = 0, phases; f < tile->across.count; f += phases) {
        const lines l = find_lines(tile, at, f);
        char *first = (char *)to + f * tile->phase_pitch * tile->bytes;
        phases = l.phases;
        if (tile->flat && at->only_inside[W] && l.range[0].inside + l.range[1].inside == 0)
            continue;
        if (are_joined(&l))
            pack_planes(&l, NULL, x, first);
        else
            for (int64_t row = 0; row < tile->rows;) {
                row = find_rows(tile, at, row, &rows);
                pack_planes(&l, &rows, x, first);
            }
    }
}
