/* SPDX-License-Identifier: BSD-3-Clause
 * tile.c -- see tile.h. */
#include "tile.h"

#include <stdlib.h>

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

/* The lines of one phase of all planes; outside its axis, a line is of the constant. */
static void pack_phase(const tile_shape *tile, const tile_place *at, int64_t f, const char *x,
                       char *plane_at) {
    const pyconvc_problem *p = tile->p;
    const gather_line line = {tile->bytes, p->input[W], p->x_step[5], p->boundary[W], p->fill};
    const int64_t left = at->column * p->stride[W] - p->pad_before[W] + tile->phase_offset[f];
    const int64_t beyond = tile->flat ? 0 : (p->kernel[W] - 1) * p->dilation[W] / p->stride[W];
    const int64_t count = at->columns + beyond;
    const int64_t slack = tile->flat ? 0 : min64(tile->pitch - count, tile->lanes);
    const gather_range range = gather_find(&line, left, p->stride[W], count);
    if (!range.inside && tile->flat && at->only_inside[W]) return;
    const gather_range outside = {.after = count};
    const gather_line constant = {tile->bytes, 0, 1, PYCONVC_CONSTANT, p->fill};
    const int64_t top = at->row * p->stride[H] - p->pad_before[H];
    const int64_t front = at->depth * p->stride[D] - p->pad_before[D];
    const int64_t used = (at->rows - 1) * p->stride[H] + (p->kernel[H] - 1) * p->dilation[H] + 1;
    for (int64_t plane = at->first_plane; plane < at->first_plane + at->planes; plane++) {
        const int64_t c = plane / p->kernel[D], tap = plane % p->kernel[D] * p->dilation[D];
        const int64_t z = pyconvc_boundary_index(p->boundary[D], front + tap, p->input[D]);
        const int64_t first = at->image * p->x_step[0] + at->group * p->x_step[1] +
                              c * p->x_step[2] + z * p->x_step[3];
        char *to = plane_at + (plane - at->first_plane) * tile->plane_pitch * tile->bytes;
        if (z < 0 && at->only_inside[D]) continue;
        for (int64_t i = 0; i < tile->rows.count; i++, to += tile->row_pitch * tile->bytes) {
            if (tile->rows.dense ? i >= used : i % tile->rows_out >= at->rows) continue;
            const int64_t down = top + numbered_row(p, &tile->rows, tile->rows_out, i);
            const int64_t row = pyconvc_boundary_index(p->boundary[H], down, p->input[H]);
            if (row < 0 && at->only_inside[H]) continue;
            if (z < 0 || row < 0)
                gather(&constant, &outside, x, slack, to);
            else
                gather(&line, &range, x + (first + row * p->x_step[4]) * tile->bytes, slack, to);
        }
    }
}

void tile_pack(const tile_shape *tile, const tile_place *at, const void *x, void *to) {
    for (int64_t f = 0; f < tile->phases; f++)
        pack_phase(tile, at, f, x, (char *)to + f * tile->phase_pitch * tile->bytes);
}
