/* filter.h -- how the filter kernels are applied to a problem: decided once a call, read by all
 * workers.
 *
 * Regions of an output line: `before` and `after` the inside, where taps meet padding, are computed
 * from strips: short copies of the input lines with the boundary rule applied. Inside, kernels read
 * x itself. Above, below, in front and behind, a row pointer leads to the line that the rule names,
 * or to a line of the constant. So no kernel knows of borders, and no padded copy of the input
 * exists.
 */
#ifndef PYCONVC_FILTER_H
#define PYCONVC_FILTER_H

#include <stddef.h>

#include "dispatch.h"
#include "phases.h"
#include "planes.h"
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
    const filter_kernels *kernels;
    const plane_kernels *plane;
    filter_fn *kernel;
    int use_line;
    int64_t bytes, parts; /* of a sample */

    /* Taps, packed block by block for every output channel. Planes (input channel, depth tap) are
     * summed `planes` at a time, so that their strips fit; the program is that of one such group.
     */
    filter_program program;
    filter_block *blocks;
    char *taps;
    int64_t planes, planes_at_once, blocks_per_plane, taps_per_plane;

    /* The kernel's row table. Output rows go to the kernel in `sets`, every sets-th row of a band,
     * and kernel rows in `classes`, every classes-th row: with these, tap k + 1 of output q of one
     * set and class meets the input row that tap k of output q + 1 does, at any stride and
     * dilation.
     */
    int64_t sets, classes;
    int64_t rows_per_class, rows_per_plane; /* pitches of the table */

    /* Columns: the inside [inside_from, inside_to), empty where lines are always gathered. A strip
     * holds the phases of a strided line one after the other, phase_pitch samples each. */
    int64_t inside_from, inside_to;
    axis_phases phases;
    int64_t phase_pitch;

    /* Tasks: image x run of output depths x band of rows x block of columns. A run is one depth, or
     * several where lines are copied: each copy then serves all depths that meet it. */
    int64_t depths, band_rows, block_columns, strip_columns;
    int64_t depth_runs, bands, column_blocks, images, tasks;
    int flags, workers;

    /* Small planes are packed, or read as they are with their edges, those of groups_at_once groups
     * by a task (see filter_planes.h). */
    int packed, edged;
    plane_layout layout;
    int64_t groups_at_once, group_parts;
} filter_plan;

/* Packs w and decides everything; free with filter_plan_free also after a failure. */
pyconvc_status filter_plan_make(filter_plan *plan, const pyconvc_problem *p, const void *w,
                                const void *y, const pyconvc_run *run);
/* The same for callers that apply the kernel by themselves, to a table of rows. */
pyconvc_status filter_plan_kernel(filter_plan *plan, const pyconvc_problem *p, const void *w,
                                  const pyconvc_run *run);
void filter_plan_free(filter_plan *plan);

/* Scratch bytes that one worker needs. */
size_t filter_scratch(const filter_plan *plan);

pyconvc_status filter_run(const filter_plan *plan, const void *x, const void *bias, void *y,
                          const pyconvc_run *run);

#endif
