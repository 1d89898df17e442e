/* SPDX-License-Identifier: BSD-3-Clause
 * tile.c -- see tile.h. */
#include "tile.h"

#include <stdlib.h>
#include <string.h>

#include "gather.h"
#include "phases.h"

#define CACHE_LINE 64

enum { D, H, W };

row_numbering number_rows(const pyconvc_problem *p, int64_t outputs) {
    const int64_t dense = (outputs - 1) * p->stride[H] + (p->kernel[H] - 1) * p->dilation[H] + 1;
    const int64_t sparse = outputs * p->kernel[H];
    if (dense <= sparse) return (row_numbering){dense, p->stride[H], p->dilation[H], 1};
    return (row_numbering){sparse, 1, outputs, 0};
}

int64_t numbered_row(const pyconvc_problem *p, const row_numbering *rows, int64_t outputs,
                     int64_t i) {
    return rows->dense ? i : i % outputs * p->stride[H] + i / outputs * p->dilation[H];
}

pyconvc_status tile_make(tile_shape *tile, const pyconvc_problem *p, int64_t lanes) {
    *tile = (tile_shape){.p = p, .bytes = pyconvc_sample_bytes(p->dtype), .lanes = lanes};
    tile->phases = phases_find(p, &tile->phase_offset);
    return tile->phases ? PYCONVC_OK : PYCONVC_NO_MEMORY;
}

pyconvc_status tile_flatten(tile_shape *tile) {
    const int64_t taps = tile->p->kernel[W];
    free(tile->phase_offset);
    tile->phase_offset = malloc((size_t)taps * sizeof *tile->phase_offset);
    if (!tile->phase_offset) return PYCONVC_NO_MEMORY;
    for (int64_t t = 0; t < taps; t++)
        tile->phase_offset[t] = t * tile->p->dilation[W];
    tile->phases = taps;
    tile->flat = 1;
    return PYCONVC_OK;
}

void tile_free(tile_shape *tile) {
    free(tile->phase_offset);
}

/* Rows of one output each, in a flat tile. */
static row_numbering rows_of(const tile_shape *tile, int64_t outputs) {
    const pyconvc_problem *p = tile->p;
    if (tile->flat && p->stride[H] > 1)
        return (row_numbering){outputs * p->kernel[H], 1, outputs, 0};
    return number_rows(p, outputs);
}

/* An odd number of cache lines: planes do not meet in the same sets of a cache. */
static int64_t spread(const tile_shape *tile, int64_t samples) {
    const int64_t line = CACHE_LINE / tile->bytes;
    return (ceil_div(samples, line) | 1) * line;
}

void tile_size(tile_shape *tile, int64_t rows_out, int64_t columns) {
    tile->rows_out = rows_out;
    tile->columns = columns;
    tile->rows = rows_of(tile, rows_out);
    if (tile->flat) {
        tile->pitch = tile->row_pitch = columns;
        tile->phase_pitch = round_up(tile->rows.count * columns, tile->lanes);
    } else {
        tile->pitch = tile->phase_pitch = phases_pitch(tile->p, columns, tile->lanes);
        tile->row_pitch = tile->phases * tile->pitch;
    }
    tile->by_row = tile->rows.by_output * tile->row_pitch;
    tile->plane_pitch = spread(tile, tile->flat ? tile->phases * tile->phase_pitch + tile->lanes
                                                : tile->rows.count * tile->row_pitch);
}

int64_t tile_plane(const tile_shape *tile, int64_t rows_out, int64_t columns) {
    tile_shape other = *tile;
    tile_size(&other, rows_out, columns);
    return other.plane_pitch;
}

int64_t tile_offset(const tile_shape *tile, int64_t plane, int64_t h, int64_t w) {
    const int64_t row = plane * tile->plane_pitch + h * tile->rows.by_tap * tile->row_pitch;
    return row + (tile->flat ? w * tile->phase_pitch
                             : phases_column(tile->p, tile->phase_offset, tile->pitch, w));
}

/* The lines of one phase of a plane: tile row i is input row top + numbered_row(i). */
typedef struct {
    const tile_shape *tile;
    const tile_place *at;
    gather_line line;
    gather_range range;
    int64_t left, count, slack, top, used;
} lines;

static lines find_lines(const tile_shape *tile, const tile_place *at, int64_t f) {
    const pyconvc_problem *p = tile->p;
    lines l = {.tile = tile,
               .at = at,
               .line = {tile->bytes, p->input[W], p->x_step[5], p->boundary[W], p->fill},
               .left = at->column * p->stride[W] - p->pad_before[W] + tile->phase_offset[f],
               .count = tile->flat ? at->columns : phases_samples(p, at->columns),
               .top = at->row * p->stride[H] - p->pad_before[H],
               .used = (at->rows - 1) * p->stride[H] + (p->kernel[H] - 1) * p->dilation[H] + 1};
    l.slack = tile->flat ? 0 : min64(tile->pitch - l.count, tile->lanes);
    l.range = gather_find(&l.line, l.left, p->stride[W], l.count);
    return l;
}

/* One by one; outside its axis, a line is of the constant, as are all lines where x is NULL. */
static void pack_lines(const lines *l, const char *x, char *to) {
    const tile_shape *tile = l->tile;
    const pyconvc_problem *p = tile->p;
    const gather_range outside = {.after = l->count};
    const gather_line constant = {tile->bytes, 0, 1, PYCONVC_CONSTANT, p->fill};
    for (int64_t i = 0; i < tile->rows.count; i++, to += tile->row_pitch * tile->bytes) {
        if (tile->rows.dense ? i >= l->used : i % tile->rows_out >= l->at->rows) continue;
        const int64_t down = l->top + numbered_row(p, &tile->rows, tile->rows_out, i);
        const int64_t row = pyconvc_boundary_index(p->boundary[H], down, p->input[H]);
        if (row < 0 && l->at->only_inside[H]) continue;
        if (!x || row < 0)
            gather(&constant, &outside, to, l->slack, to);
        else
            gather(&l->line, &l->range, x + row * p->x_step[4] * tile->bytes, l->slack, to);
    }
}

/* Whether lines of a flat tile lie in x as in the tile, one after the other, but for a shift. */
static int are_joined(const lines *l) {
    const pyconvc_problem *p = l->tile->p;
    return l->tile->flat && l->tile->rows.dense && p->stride[H] == 1 && p->stride[W] == 1 &&
           l->count == p->input[W] && l->range.inside && p->x_step[5] == 1 &&
           (p->input[H] == 1 || p->x_step[4] == p->input[W]) &&
           p->boundary[H] == PYCONVC_CONSTANT && p->boundary[W] == PYCONVC_CONSTANT;
}

/* They are copied in one go; what a shift brings in at the ends of lines is the constant. */
static void pack_joined(const lines *l, const char *x, char *to) {
    const pyconvc_problem *p = l->tile->p;
    const int64_t bytes = l->tile->bytes, width = p->input[W], shift = l->left,
                  moved = shift < 0 ? -shift : shift, first = min64(l->used, max64(0, -l->top)),
                  end = max64(first, min64(l->used, p->input[H] - l->top));
    const int64_t count = (end - first) * width - moved;
    char *lines_at = to + first * width * bytes;
    if (count > 0)
        memcpy(lines_at + max64(0, -shift) * bytes,
               x + ((l->top + first) * width + max64(0, shift)) * bytes, (size_t)(count * bytes));
    for (int64_t i = first; i < end && moved; i++)
        gather_fill(bytes, p->fill, moved,
                    to + (i * width + (shift < 0 ? 0 : width - moved)) * bytes);
    if (l->at->only_inside[H]) return;
    gather_fill(bytes, p->fill, first * width, to);
    gather_fill(bytes, p->fill, (l->used - end) * width, to + end * width * bytes);
}

/* One phase of all planes. */
static void pack_phase(const tile_shape *tile, const tile_place *at, int64_t f, const char *x,
                       char *to) {
    const pyconvc_problem *p = tile->p;
    const lines l = find_lines(tile, at, f);
    const int joined = are_joined(&l);
    const int64_t front = at->depth * p->stride[D] - p->pad_before[D];
    if (!l.range.inside && tile->flat && at->only_inside[W]) return;
    for (int64_t i = 0; i < at->planes; i++, to += tile->plane_pitch * tile->bytes) {
        const int64_t plane = at->first_plane + i, c = plane / p->kernel[D],
                      tap = plane % p->kernel[D] * p->dilation[D];
        const int64_t z = pyconvc_boundary_index(p->boundary[D], front + tap, p->input[D]);
        const int64_t first = at->image * p->x_step[0] + at->group * p->x_step[1] +
                              c * p->x_step[2] + z * p->x_step[3];
        if (z < 0 && at->only_inside[D]) continue;
        if (z < 0)
            pack_lines(&l, NULL, to);
        else if (joined)
            pack_joined(&l, x + first * tile->bytes, to);
        else
            pack_lines(&l, x + first * tile->bytes, to);
    }
}

void tile_pack(const tile_shape *tile, const tile_place *at, const void *x, void *to) {
    for (int64_t f = 0; f < tile->phases; f++)
        pack_phase(tile, at, f, x, (char *)to + f * tile->phase_pitch * tile->bytes);
}
