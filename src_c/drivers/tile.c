/* SPDX-License-Identifier: BSD-3-Clause
 * tile.c -- see tile.h. */
#include "tile.h"

#include <stdlib.h>

#include "gather.h"
#include "phases.h"

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

void tile_size(tile_shape *tile, int64_t rows_out, int64_t columns) {
    tile->rows_out = rows_out;
    tile->columns = columns;
    tile->rows = number_rows(tile->p, rows_out);
    tile->pitch = phases_pitch(tile->p, columns, tile->lanes);
    tile->row_pitch = tile->phases * tile->pitch;
    tile->by_row = tile->rows.by_output * tile->row_pitch;
}

void tile_free(tile_shape *tile) {
    free(tile->phase_offset);
}

int64_t tile_plane(const tile_shape *tile, int64_t rows_out, int64_t columns) {
    return number_rows(tile->p, rows_out).count * tile->phases *
           phases_pitch(tile->p, columns, tile->lanes);
}

int64_t tile_offset(const tile_shape *tile, int64_t plane, int64_t h, int64_t w) {
    return (plane * tile->rows.count + h * tile->rows.by_tap) * tile->row_pitch +
           phases_column(tile->p, tile->phase_offset, tile->pitch, w);
}

/* The lines of one phase of all planes; outside its axis, a line is of the constant. */
static void pack_phase(const tile_shape *tile, const tile_place *at, int64_t f, const char *x,
                       char *to) {
    const pyconvc_problem *p = tile->p;
    const gather_line line = {tile->bytes, p->input[W], p->x_step[5], p->boundary[W], p->fill};
    const int64_t left = at->column * p->stride[W] - p->pad_before[W] + tile->phase_offset[f];
    const int64_t count = at->columns + (p->kernel[W] - 1) * p->dilation[W] / p->stride[W];
    const int64_t slack = min64(tile->pitch - count, tile->lanes);
    const gather_range range = gather_find(&line, left, p->stride[W], count);
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
        for (int64_t i = 0; i < tile->rows.count; i++, to += tile->row_pitch * tile->bytes) {
            if (tile->rows.dense ? i >= used : i % tile->rows_out >= at->rows) continue;
            const int64_t down = top + numbered_row(p, &tile->rows, tile->rows_out, i);
            const int64_t row = pyconvc_boundary_index(p->boundary[H], down, p->input[H]);
            if (z < 0 || row < 0)
                gather(&constant, &outside, x, slack, to);
            else
                gather(&line, &range, x + (first + row * p->x_step[4]) * tile->bytes, slack, to);
        }
    }
}

void tile_pack(const tile_shape *tile, const tile_place *at, const void *x, void *to) {
    for (int64_t f = 0; f < tile->phases; f++)
        pack_phase(tile, at, f, x, (char *)to + f * tile->pitch * tile->bytes);
}
