/* tile.h -- a packed piece of the input: what a band of output rows and a block of columns read.
 *
 * The boundary rule, the stride and the dilation are gone from it: tap (plane, h, w) of output (r,
 * j) is the sample tile_offset(plane, h, w) + r * tile->row_pitch + j, a plane being an input
 * channel and a depth tap. Rows come phase by phase, or tap by tap where that makes fewer of them
 * (phases.h). Two layouts of a row:
 *
 *   by lines   [plane][row][column phase][pitch]: a line serves all taps along the width
 *   flat       [plane][tap along the width][row][column]: every tap has lines of its own, which
 * hold nothing but the outputs' columns, so that all rows together are one line of outputs
 */
#ifndef PYCONVC_TILE_H
#define PYCONVC_TILE_H

#include "phases.h"
#include "problem.h"

typedef struct {
    const pyconvc_problem *p;
    int64_t bytes, lanes; /* of a sample; samples that may be read beyond the last column */
    int flat;
    int64_t rows_out, columns;
    axis_phases down, across;
    int64_t rows, row_pitch, phase_pitch, plane_pitch; /* of all phases; from one to the next */
} tile_shape;

/* Which outputs: an image, a group, a depth, rows and columns; and which planes. only_inside:
 * no tap reads a line that lies beyond the edges of an axis, so it need not be written. */
typedef struct {
    int64_t image, group, depth, row, rows, column, columns, first_plane, planes;
    int only_inside[PYCONVC_RANK];
} tile_place;

tile_shape tile_make(const pyconvc_problem *p, int64_t lanes, int flat);

/* For at most so many rows and columns of outputs. */
void tile_size(tile_shape *tile, int64_t rows_out, int64_t columns);

/* Samples of one plane, for the size given or for others. */
int64_t tile_plane(const tile_shape *tile, int64_t rows_out, int64_t columns);

int64_t tile_offset(const tile_shape *tile, int64_t plane, int64_t h, int64_t w);

void tile_pack(const tile_shape *tile, const tile_place *at, const void *x, void *to);

#endif
