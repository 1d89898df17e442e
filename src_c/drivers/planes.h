/* planes.h -- small planes packed whole, padding included, so that they stay in the first level
 * cache.
 *
 * A slot holds what a band of output rows of one group reads. Its rows are in the order in which
 * kernels meet them. Output rows are taken in `sets`, every sets-th row of a band, and kernel rows
 * in `classes`, every classes-th row: with these, tap k + 1 of output q of one set and class meets
 * the input row that tap k of output q + 1 does, at any stride and dilation; a class of a set is a
 * run of rows. A row holds the phases of a strided line one after the other; or the line as it is,
 * where the kernel takes every second column of it by itself.
 */
#ifndef PYCONVC_PLANES_H
#define PYCONVC_PLANES_H

#include "arena.h"
#include "gather.h"
#include "phases.h"
#include "problem.h"

typedef struct {
    const pyconvc_problem *p;
    const plane_kernels *kernels;
    int64_t bytes, planes; /* of a sample; input channels x depth taps of a group */
    axis_phases phases;
    int64_t columns, column_step;   /* that are packed of a line for all outputs */
    int64_t phase_pitch, row_pitch; /* samples from one to the next */
    int64_t band_rows, sets, classes;
    int64_t rows_per_class, rows_per_plane, rows_per_set;
    int64_t slots, slot_samples, spare_rows;
    int across; /* the samples of neighbouring groups are neighbours: all slots are packed together */
} plane_layout;

/* Packed by `kernels`, for kernels of so many lanes, whose tiles have so many rows. whole: lines
 * are packed as they are. Returns 0 where planes are too large. */
int planes_size(plane_layout *to, const pyconvc_problem *p, const plane_kernels *kernels,
                int64_t lanes, int64_t tile_rows, int whole);

/* Rows of a set of a band that has so many. */
static inline int64_t planes_rows_of_set(const plane_layout *l, int64_t rows, int64_t set) {
    return rows > set ? (rows - set - 1) / l->sets + 1 : 0;
}

/* Where tap (h, w) of the first plane reads for the first output, in samples of a slot. */
int64_t planes_tap_row(const plane_layout *l, int64_t h);
int64_t planes_tap_column(const plane_layout *l, int64_t w);

/* Whether 3 x 3 kernels with a stride of `step` along both axes meet planes that kernels may read
 * as they are, if vectors of outputs have so many lanes; and their edges for the outputs from a row
 * on.
 */
int planes_have_edges(const pyconvc_problem *p, int64_t step, int64_t lanes);
plane_edges planes_edges(const pyconvc_problem *p, int64_t row);

/* Which outputs a task computes: rows of one depth of an image. */
typedef struct {
    int64_t image, depth, row, rows;
} plane_band;

/* What a worker keeps for a band: all that does not depend on the group. */
typedef struct {
    gather_move *moves;   /* of all input lines but those of the constant */
    gather_range *ranges; /* of each phase of a line */
    char *slots;
    int64_t count;
} plane_packer;

void planes_lay_out(const plane_layout *l, arena *a, plane_packer *to);

void planes_begin(const plane_layout *l, const plane_band *band, plane_packer *k);

/* Packs the groups first .. first + count - 1 into the slots; x: the input. */
void planes_pack(const plane_layout *l, const plane_packer *k, const char *x, int64_t image,
                 int64_t first, int64_t count);

#endif
