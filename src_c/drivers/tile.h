/* tile.h -- a packed piece of the input: what a band of output rows and a block of columns read.
 *
 * The boundary rule, the stride along the width and the dilation are gone from it: tap (plane, h,
 * w) of output (r, j) is the sample tile_offset(plane, h, w) + r * tile->by_row + j, a plane being
 * an input channel and a depth tap. Two layouts:
 *
 *   by lines   [plane][row][phase][pitch]: a line serves all taps along the width
 *   flat       [plane][tap along the width][row][column]: every tap has lines of its own, which
 * hold nothing but the outputs' columns, so that all rows together are one line of outputs
 */
#ifndef PYCONVC_TILE_H
#define PYCONVC_TILE_H

#include "problem.h"

/* A band of output rows needs input rows from all its taps. They are numbered densely, or, where
 * stride or dilation leave gaps, tap by tap: output row o meets tap t in row o * by_output + t *
 * by_tap. */
typedef struct {
    int64_t count, by_output, by_tap;
    int dense;
} row_numbering;

row_numbering number_rows(const pyconvc_problem *p, int64_t outputs);

/* Offset of the input row that has number i, from the first one that the band meets. */
int64_t numbered_row(const pyconvc_problem *p, const row_numbering *rows, int64_t outputs,
                     int64_t i);

typedef struct {
    const pyconvc_problem *p;
    int64_t bytes, lanes; /* of a sample; samples that may be read beyond the last column */
    int flat;
    int64_t rows_out, columns;
    row_numbering rows;
    int64_t phases, *phase_offset, pitch, phase_pitch, row_pitch, plane_pitch, by_row;
} tile_shape;

/* Which outputs: an image, a group, a depth, rows and columns; and which planes. only_inside:
 * no tap reads a line that lies beyond the edges of an axis, so it need not be written. */
typedef struct {
    int64_t image, group, depth, row, rows, column, columns, first_plane, planes;
    int only_inside[PYCONVC_RANK];
} tile_place;

/* A tile by lines; free with tile_free also after a failure. tile_flatten makes it a flat one. */
pyconvc_status tile_make(tile_shape *tile, const pyconvc_problem *p, int64_t lanes);
pyconvc_status tile_flatten(tile_shape *tile);

/* For at most so many rows and columns of outputs. */
void tile_size(tile_shape *tile, int64_t rows_out, int64_t columns);
void tile_free(tile_shape *tile);

/* Samples of one plane, for the size given or for others. */
int64_t tile_plane(const tile_shape *tile, int64_t rows_out, int64_t columns);

int64_t tile_offset(const tile_shape *tile, int64_t plane, int64_t h, int64_t w);

void tile_pack(const tile_shape *tile, const tile_place *at, const void *x, void *to);

#endif
