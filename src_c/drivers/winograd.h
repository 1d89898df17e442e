/* winograd.h -- layers by minimal filtering: fewer products, sums of other samples.
 *
 * Along the width, the height, or both. Taps along the depth are sums as over channels: what is
 * transformed are planes, each an input channel at a depth tap, as in tile.h. The taps of a dilated
 * kernel are neighbours on grids of samples that lie a dilation apart. Each grid of each depth of a
 * sample of the batch is an image, but the grids of a width that is dilated far: these are one
 * image, where tiles of neighbouring grids lie side by side. Of a transposed layer with a stride,
 * several phases of the outputs may be computed from the same samples, as further output channels
 * are.
 *
 * A block of tiles is packed with the boundary rule applied (tile.c), transformed for all input
 * channels, multiplied by the transformed weights of some output channels, and transformed back;
 * what lies between the stages is a task's own and stays in its cache. A tile is computed again by
 * the direct method if an output is NaN or infinite, so that such values stay local, and if a sum
 * over quiet samples would be lost beside the loudest sample of the tile.
 */
#ifndef PYCONVC_WINOGRAD_H
#define PYCONVC_WINOGRAD_H

#include <stddef.h>

#include "dispatch.h"
#include "kernels/winograd_types.h"
#include "tile.h"

/* Transformed planes of one register sum, about; such sums are added up. Fewer rounding errors, and
 * what is read again for each panel stays in the first cache. */
#define MOST_SUMMED 128

/* Some outputs and the samples that they meet: a problem without dilation on the same arrays. */
typedef struct {
    pyconvc_problem p;
    int64_t x_at, y_at; /* first samples in x and y */
    tile_shape tile;
} winograd_grid;

/* The outputs of one phase, of which the first `skip` along the height and the width are not
 * there. */
typedef struct {
    int64_t y_at, skip[2], output[2];
} winograd_outputs;

/* Phases of the outputs that are computed at once, row by row those across, each of so many taps
 * along an axis as the problem says. In a line the first outputs of successive phases across are
 * neighbours. Flipped taps are counted backwards. */
typedef struct {
    winograd_phases taps;
    const winograd_outputs *outputs; /* of each; NULL: of the one that there is, the problem's */
} winograd_shares;

typedef struct {
    pyconvc_problem p;
    winograd_shares shares;
    const winograd_kernels *kernels;
    winograd_form form;
    winograd_lines lines; /* of what is packed */
    int64_t bytes;
    winograd_grid *grids;
    int64_t grid_count;

    /* Weights: [group][block of output channels][element][run of planes][panel][phase][plane][part]
     * [channel of panel], the order in which they are read. Panels of all phases are counted. From
     * one element to the next it is an odd number of cache lines, here and in the other stages
     * (`step`), or all elements would compete for a few sets of the cache. */
    char *weights;
    int at_use; /* weights are used once: each task transforms those of a block, then uses them */
    int64_t panels, blocks, block_panels, block_samples, weights_step;

    int64_t planes, images;                   /* planes of an image, images of a group */
    int64_t planes_summed;                    /* in one register sum, all parts of each */
    int64_t down, across, image_tiles, tiles; /* of the largest image, and of all of a group */
    int64_t run;             /* tiles of a row that are packed together: all, or one of each grid */
    int64_t lanes, segments; /* tiles of a task, and pieces of runs that they are */
    int64_t planes_at_once, input_step; /* planes that are transformed at once */
    int64_t planes_packed, plane;       /* and packed at once; samples of one in a segment */
    int64_t sums_step, outputs;         /* samples of the outputs of a channel in one phase */

    /* Tasks: group x block of tiles x part of the output channels. */
    int64_t tile_blocks, parts_of_blocks, tasks;
    double work; /* as parallel_workers takes it */
} winograd_plan;

/* The form for so many taps, if there is one: that of the fewest products. Rounding errors of two
 * axes multiply, so unless one is alone only short forms count. */
int winograd_find_axis(int64_t taps, int64_t stride, int64_t outputs, int alone,
                       winograd_axis *axis);

/* Decides everything, and transforms w, but where the plan is not used again and each weight meets
 * one block of tiles. shares: NULL, or of a problem without dilation, valid as long as the plan; w
 * begins with a kernel's taps and y with its outputs for all phases. Free with winograd_plan_free
 * also after a failure. */
pyconvc_status winograd_plan_make(winograd_plan *plan, const pyconvc_problem *p,
                                  const winograd_shares *shares, const void *w, int again,
                                  const pyconvc_run *run);
void winograd_plan_free(winograd_plan *plan);

/* The first output of a tile of a row. */
static inline int64_t winograd_column(const winograd_plan *plan, int64_t tile) {
    const int64_t outputs = plan->form.across.outputs;
    return plan->lines.beside ? tile / plan->run * outputs * plan->run + tile % plan->run
                              : tile * outputs;
}

/* Of the outputs of an axis r, r + dilation ... */
void winograd_take_grid(winograd_grid *grid, int axis, int64_t r);

/* The outputs of a phase on a grid. */
static inline winograd_outputs winograd_outputs_of(const winograd_plan *plan,
                                                   const winograd_grid *grid, int64_t phase) {
    const pyconvc_problem *p = &grid->p;
    return plan->shares.outputs
               ? plan->shares.outputs[phase]
               : (winograd_outputs){grid->y_at, {0, 0}, {p->output[1], p->output[2]}};
}

/* Panels of a block of output channels; the last one may have fewer. */
int64_t winograd_panels(const winograd_plan *plan, int64_t block);

/* The weights w of a block of output channels and some planes, as in plan->weights. */
void winograd_transform_block(const winograd_plan *plan, const void *w, int64_t group,
                              int64_t block, int64_t first, int64_t planes, void *to);

int64_t winograd_weight_bytes(const winograd_plan *plan);

size_t winograd_scratch(const winograd_plan *plan);

/* Tiles to be computed again, one byte each: [group][sample][depth][grid][down]
 * [across]. */
int64_t winograd_marks(const winograd_plan *plan);

/* Computes y, and sets the marks, zero before, of tiles to be computed again. */
pyconvc_status winograd_run(const winograd_plan *plan, const void *x, const void *w,
                            const void *bias, void *y, unsigned char *marks,
                            const pyconvc_run *run);

/* A rectangle of marked tiles as a problem for the direct method. */
typedef struct {
    pyconvc_problem problem;
    int64_t x_at, w_at, bias_at, y_at; /* first samples of its operands in those of the original */
} winograd_rest;

/* Where to look on for marks, all 0 at first: a rectangle of tiles, and its next phase. */
typedef struct {
    int64_t first, rows, columns, phase;
} winograd_cursor;

/* Takes the next phase of the next rectangle out of the marks; 0 if there is none left. */
int winograd_next_rest(const winograd_plan *plan, unsigned char *marks, winograd_cursor *at,
                       winograd_rest *rest);

#endif
