/* mix.h -- the dense method: several output channels share each loaded input vector.
 *
 * The input that a task needs is packed once for all its output channels: boundary rule, stride and
 * dilation are gone from the tile, every line of it starts alike, and each tap is one offset into
 * it. A 1x1 kernel without padding or stride reads x in place. The tile of a task is small; no
 * padded or unfolded copy of the whole input exists.
 */
#ifndef PYCONVC_MIX_H
#define PYCONVC_MIX_H

#include <stddef.h>

#include "dispatch.h"
#include "tile.h"

typedef struct {
    pyconvc_problem p;
    const mix_kernels *kernels;
    int64_t bytes, parts;

    /* Taps of `planes_at_once` planes (input channel, depth tap) as offsets into a task's tile. */
    int64_t *offsets;
    int64_t planes, planes_at_once, taps_per_plane;

    /* Packed weights: blocks of kernels->channels output channels, the last one maybe the `few`
     * tile's. NULL: so few pixels that packing would cost more than it saves; w is read as it lies.
     */
    char *weights;
    const char *w;
    int64_t blocks, block_bytes;

    int in_place; /* x itself is the tile */
    tile_shape tile;

    /* Tasks: image x depth x group x band of rows x block of columns x part of the channels. */
    int64_t band_rows, bands, columns, column_blocks, parts_of_blocks, images, tasks;
    int workers;
} mix_plan;

/* Whether this method suits the problem. */
int mix_suits(const pyconvc_problem *p);

/* Decides everything and packs w, always if it is to be used `again`. w must outlast the plan. Free
 * with mix_plan_free also after a failure. */
pyconvc_status mix_plan_make(mix_plan *plan, const pyconvc_problem *p, const void *w, int again,
                             const pyconvc_run *run);
void mix_plan_free(mix_plan *plan);

size_t mix_scratch(const mix_plan *plan);

pyconvc_status mix_run(const mix_plan *plan, const void *x, const void *bias, void *y,
                       const pyconvc_run *run);

#endif
