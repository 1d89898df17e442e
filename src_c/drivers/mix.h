/* mix.h -- the dense method: several output channels share each loaded input vector.
 *
 * The input that a task needs is packed once for all its output channels: boundary rule, stride and
 * dilation are gone from the tile, every line of it starts alike, and each tap is one offset into
 * it. The sum goes a few input channels at a time, so many that what a tile of outputs meets of
 * them stays in the nearest cache while all output channels go over it. No padded or unfolded copy
 * of the whole input exists.
 *
 * A 1x1 kernel without padding or stride reads x in place, or as panels: the vectors of all input
 * channels of a pass that meet one vector of outputs, one after the other. In x they lie planes
 * apart, each on a page of its own; a panel flows from the second cache as fast as it is used.
 *
 * Images of few pixels would leave lanes empty. There, output channels are lanes: what a few pixels
 * meet is packed tap by tap, from x itself where no output meets its edge. Weights are turned for
 * that, block by block and a chunk of taps at a time, each while the one before is used.
 *
 * They are lanes too where sums are long: each pixel is then read from where it lies, be it in x or
 * in a tile, in which lines need no phases and no lane is left empty.
 *
 * Where channels lie side by side in memory, tiles and panels are turned as they are packed, and
 * outputs as they are copied to y.
 *
 * Outputs of an axis fall into regions: those that meet the same taps, the others meeting only
 * zeros beyond the edge. Where that saves work, taps that meet only zeros are left out.
 */
#ifndef PYCONVC_MIX_H
#define PYCONVC_MIX_H

#include <stddef.h>

#include "dispatch.h"
#include "tile.h"

/* Successive outputs of an axis, and the taps that they meet. */
typedef struct {
    int64_t first, count, first_tap, end_tap;
} mix_region;

/* Those that one task takes of a region. */
typedef struct {
    int64_t first, count, region;
} mix_span;

typedef struct {
    mix_region *regions;
    mix_span *spans;
    int64_t region_count, span_count;
} mix_axis;

typedef struct {
    pyconvc_problem p;
    const mix_kernels *kernels;
    const across_kernels *across; /* output channels are lanes; NULL: pixels are */
    int apart;                    /* these take each pixel from where it lies */
    const outer_kernels *outer;   /* turns what they read and write */
    int64_t bytes, parts;
    int64_t block; /* output channels whose weights are packed together */

    mix_axis axis[PYCONVC_RANK];
    tile_shape *tiles;               /* one for each region of the width */
    pyconvc_problem tiled;           /* what they are made for */
    int64_t tile_step[PYCONVC_RANK]; /* its outputs from one of p's to the next */
    int in_place;                    /* x itself is the tile, or panels of it are */
    int panels;
    int flat;       /* the rows of a task are one line of outputs */
    int y_in_place; /* y has the lines that the kernel writes */

    /* A pass over the taps takes some input channels, or one and some of its depth taps. A table
     * has the taps of the first pass, or of all taps of a channel, for each region of depth, height
     * and width. */
    int64_t channels_at_once, depth_at_once;
    int64_t chunk; /* taps whose weights are near at a time, where output channels are lanes */
    mix_tap *taps, **tables;

    /* Packed weights, [group][block of the kernel's channels][tap][channel]. NULL: so few pixels
     * that packing would cost more than it saves; w is read as it lies. */
    char *weights;
    const char *w;
    int64_t blocks, block_samples;

    /* Tasks: image x depth x group x rows x columns x part of the channels. */
    int64_t rows, columns, group, parts_of_blocks, tasks;
    int workers; /* for whom tasks are sized; any number may run them */
    double work; /* as parallel_workers takes it */
} mix_plan;

/* Outputs of the tiles' problem that so many of an axis span. */
static inline int64_t mix_in_tile(const mix_plan *plan, int axis, int64_t outputs) {
    return (outputs - 1) * plan->tile_step[axis] + 1;
}

/* Whether this method suits the problem. */
int mix_suits(const pyconvc_problem *p);

/* Decides everything and packs w, always if it is to be used `again`. w must outlast the plan. Free
 * with mix_plan_free also after a failure. */
pyconvc_status mix_plan_make(mix_plan *plan, const pyconvc_problem *p, const void *w, int again,
                             const pyconvc_run *run);
void mix_plan_free(mix_plan *plan);

size_t mix_scratch(const mix_plan *plan);
int64_t mix_weight_bytes(const mix_plan *plan);

pyconvc_status mix_run(const mix_plan *plan, const void *x, const void *bias, void *y,
                       const pyconvc_run *run);

#endif
