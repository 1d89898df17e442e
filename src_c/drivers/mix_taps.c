/* SPDX-License-Identifier: BSD-3-Clause
 * mix_taps.c -- weights and where the taps read them and x (see mix.h). */
#include <stdlib.h>
#include <string.h>

#include "large.h"
#include "mix_parts.h"
#include "parallel.h"

#define BLOCKS_AT_ONCE 8 /* of output channels, packed by one task */

enum { D, H, W };

static int64_t flipped(const pyconvc_problem *p, int a, int64_t tap) {
    return p->flip ? p->kernel[a] - 1 - tap : tap;
}

/* Where a tap lies in w. */
static int64_t in_memory(const pyconvc_problem *p, int64_t d, int64_t h, int64_t w) {
    return flipped(p, D, d) * p->w_step[3] + flipped(p, H, h) * p->w_step[4] +
           flipped(p, W, w) * p->w_step[5];
}

/* Where it meets x, from where the first one does. */
static int64_t in_input(const pyconvc_problem *p, int64_t c, int64_t d, int64_t h, int64_t w) {
    return c * p->x_step[2] + d * p->dilation[D] * p->x_step[3] +
           h * p->dilation[H] * p->x_step[4] + w * p->dilation[W] * p->x_step[5];
}

static mix_tap place_tap(const mix_plan *plan, const tile_shape *tile, int64_t c, int64_t d,
                         int64_t h, int64_t w) {
    const pyconvc_problem *p = &plan->p;
    const int64_t plane = c * p->kernel[D] + d,
                  packed = (plane * p->kernel[H] + h) * p->kernel[W] + w,
                  at_once = plan->channels_at_once * plan->depth_at_once;
    const mix_tap tap = {plan->panels     ? c * plan->kernels->lanes
                         : plan->in_place ? in_input(p, c, d, h, w)
                                          : tile_offset(tile, plane % at_once, h, w),
                         plan->weights || plan->across ? packed * plan->block
                                                       : c * p->w_step[2] + in_memory(p, d, h, w)};
    return (mix_tap){tap.x * plan->parts, tap.w * plan->parts};
}

static mix_tap *place_region(const mix_plan *plan, const tile_shape *tile, const mix_region *rd,
                             const mix_region *rh, const mix_region *rw, mix_tap *to) {
    const mix_tap *const first = to;
    for (int64_t d = rd->first_tap; d < rd->end_tap; d++)
        for (int64_t h = rh->first_tap; h < rh->end_tap; h++)
            for (int64_t w = rw->first_tap; w < rw->end_tap; w++)
                *to++ = place_tap(plan, tile, 0, d, h, w);
    const int64_t taps = to - first; /* those of a channel; the next ones lie a step further */
    const mix_tap here = place_tap(plan, tile, 0, 0, 0, 0),
                  next = place_tap(plan, tile, 1, 0, 0, 0),
                  step = {next.x - here.x, next.w - here.w};
    for (int64_t i = taps; i < plan->channels_at_once * taps; i++, to++)
        *to = (mix_tap){first[i - taps].x + step.x, first[i - taps].w + step.w};
    return to;
}

static int64_t taps_of(const mix_axis *axis) {
    int64_t sum = 0;
    for (int64_t i = 0; i < axis->region_count; i++)
        sum += axis->regions[i].end_tap - axis->regions[i].first_tap;
    return sum;
}

pyconvc_status mix_place_taps(mix_plan *plan) {
    const mix_axis *a = plan->axis;
    const int64_t tables = a[D].region_count * a[H].region_count * a[W].region_count;
    const int64_t taps = plan->channels_at_once * taps_of(&a[D]) * taps_of(&a[H]) * taps_of(&a[W]);
    plan->taps = malloc((size_t)max64(1, taps) * sizeof *plan->taps);
    plan->tables = malloc((size_t)tables * sizeof *plan->tables);
    if (!plan->taps || !plan->tables) return PYCONVC_NO_MEMORY;
    mix_tap *to = plan->taps, **table = plan->tables;
    for (int64_t i = 0; i < a[D].region_count; i++)
        for (int64_t j = 0; j < a[H].region_count; j++)
            for (int64_t k = 0; k < a[W].region_count; k++) {
                *table++ = to;
                to = place_region(plan, plan->tiles + k, a[D].regions + i, a[H].regions + j,
                                  a[W].regions + k, to);
            }
    return PYCONVC_OK;
}

/* Taps are packed in runs: all of an output channel at once where they lie in order, else those of
 * one input channel, for some blocks before the next one, so that what lies side by side in w is
 * read together. */
typedef struct {
    const mix_plan *plan;
    const char *w;
    int64_t *taps; /* where each lies, from the first of its run on */
    int64_t count, runs;
    int in_order; /* one after the other, as packed */
} packing;

static void find_taps(packing *k) {
    const pyconvc_problem *p = &k->plan->p;
    int64_t *to = k->taps;
    for (int64_t c = 0; c < p->channels_in; c++)
        for (int64_t d = 0; d < p->kernel[D]; d++)
            for (int64_t h = 0; h < p->kernel[H]; h++)
                for (int64_t w = 0; w < p->kernel[W]; w++)
                    *to++ = c * p->w_step[2] + in_memory(p, d, h, w);
    k->in_order = 1;
    for (int64_t t = 0; t < k->count; t++)
        k->in_order &= k->taps[t] == t;
    k->runs = k->in_order ? 1 : p->channels_in;
    k->count /= k->runs;
}

/* Channels that lie `step` apart: to[t][i] = from[i * step + taps[t]], t < count. Four at a time in
 * loops that compilers turn into shuffles where taps lie in order. */
#define PACK(T)                                                                                    \
    static void pack_##T(const T *restrict from, int64_t step, int64_t channels, const packing *k, \
                         int64_t pitch, T *restrict to) {                                          \
        int64_t i = 0;                                                                             \
        for (; i + 4 <= channels; i += 4, from += 4 * step, to += 4)                               \
            if (k->in_order && pitch == 4)                                                         \
                for (int64_t t = 0; t < k->count; t++)                                             \
                    for (int64_t j = 0; j < 4; j++)                                                \
                        to[4 * t + j] = from[j * step + t];                                        \
            else                                                                                   \
                for (int64_t t = 0; t < k->count; t++)                                             \
                    for (int64_t j = 0; j < 4; j++)                                                \
                        to[t * pitch + j] = from[j * step + k->taps[t]];                           \
        for (; i < channels; i++, from += step, to++)                                              \
            for (int64_t t = 0; t < k->count; t++)                                                 \
                to[t * pitch] = from[k->taps[t]];                                                  \
    }
typedef struct {
    uint64_t half[2];
} sample16;
PACK(uint8_t)
PACK(uint16_t)
PACK(uint32_t)
PACK(uint64_t)
PACK(sample16)
#undef PACK

static void pack_channels(const packing *k, int64_t at, int64_t channels, char *to) {
    const int64_t step = k->plan->p.w_step[1], pitch = k->plan->block;
#define PACK(T) pack_##T((const T *)k->w + at, step, channels, k, pitch, (T *)to)
    switch (k->plan->bytes) {
    case 1:
        PACK(uint8_t);
        break;
    case 2:
        PACK(uint16_t);
        break;
    case 4:
        PACK(uint32_t);
        break;
    case 8:
        PACK(uint64_t);
        break;
    default:
        PACK(sample16);
    }
#undef PACK
}

/* One run of a block. */
static void pack_run(const packing *k, int64_t group, int64_t b, int64_t run) {
    const mix_plan *plan = k->plan;
    const pyconvc_problem *p = &plan->p;
    const int64_t pitch = plan->block, first = b * pitch,
                  channels = min64(pitch, p->channels_out - first);
    const int64_t bytes = k->count * pitch * plan->bytes;
    char *to = plan->weights + (group * plan->blocks + b) * plan->block_samples * plan->bytes +
               run * bytes;
    if (channels < pitch) memset(to, 0, (size_t)bytes);
    pack_channels(k, group * p->w_step[0] + first * p->w_step[1] + run * p->w_step[2], channels,
                  to);
    if (p->conjugate)
        for (int64_t i = 0; i < bytes; i += plan->bytes)
            pyconvc_conjugate(p->dtype, to + i);
}

static void pack_blocks(const void *context, int64_t index, void *scratch) {
    const packing *k = context;
    const int64_t tasks = ceil_div(k->plan->blocks, BLOCKS_AT_ONCE), group = index / tasks,
                  first = index % tasks * BLOCKS_AT_ONCE,
                  end = min64(first + BLOCKS_AT_ONCE, k->plan->blocks);
    (void)scratch;
    for (int64_t run = 0; run < k->runs; run++)
        for (int64_t b = first; b < end; b++)
            pack_run(k, group, b, run);
}

pyconvc_status mix_pack_weights(mix_plan *plan, const void *w, const pyconvc_run *run) {
    const int64_t taps = plan->block_samples / plan->block,
                  tasks = plan->p.groups * ceil_div(plan->blocks, BLOCKS_AT_ONCE),
                  bytes = mix_weight_bytes(plan);
    packing k = {plan, w, malloc((size_t)taps * sizeof *k.taps), taps, 1, 0};
    plan->weights = large_alloc(bytes);
    if (!k.taps || !plan->weights) {
        free(k.taps);
        return PYCONVC_NO_MEMORY;
    }
    find_taps(&k);
    const pyconvc_status status =
        parallel_for(tasks, parallel_workers(run, (double)bytes * 4), 0, pack_blocks, &k, run);
    free(k.taps);
    return status;
}
