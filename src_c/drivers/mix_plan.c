/* SPDX-License-Identifier: BSD-3-Clause
 * mix_plan.c -- weights, offsets and tiling of the dense method (see mix.h). */
#include <stdlib.h>
#include <string.h>

#include "mix.h"
#include "parallel.h"

#define TILE_BYTES                                                                                 \
    (384 << 10) /* what a task's packed input should fit in: under half an L2 cache */
#define MOST_COLUMNS     1024
#define IN_PLACE_BYTES   (256 << 10)
#define TASKS_PER_WORKER 4
#define LEAST_CHANNELS   3
#define FEW_PIXELS       1000 /* for which weights are not packed */

enum { D, H, W };

int mix_suits(const pyconvc_problem *p) {
    return p->channels_out >= LEAST_CHANNELS;
}

/* Columns of a block in place: none so narrow that a whole vector would not fit into it. */
static int64_t whole_vectors(int64_t columns, int64_t width, int64_t lanes) {
    while (width % columns && width % columns < lanes && columns > 2 * lanes)
        columns -= lanes;
    return width % columns && width % columns < lanes ? width : columns;
}

/* Axes along which nothing happens are one line: a 1x1 kernel sees a plane as a long row. */
static void collapse(pyconvc_problem *p) {
    for (int a = 0; a < PYCONVC_RANK; a++)
        if (p->kernel[a] != 1 || p->stride[a] != 1 || p->pad_before[a] || p->pad_after[a]) return;
    for (int a = W - 1; a >= 0; a--) {
        if (p->input[a] > 1 && (p->x_step[3 + a] != p->input[W] * p->x_step[5] ||
                                p->y_step[3 + a] != p->output[W] * p->y_step[5]))
            return;
        p->input[W] *= p->input[a];
        p->output[W] *= p->output[a];
        p->input[a] = p->output[a] = 1;
    }
}

static int reads_in_place(const pyconvc_problem *p, int64_t lanes) {
    for (int a = 0; a < PYCONVC_RANK; a++)
        if (p->kernel[a] != 1 || p->pad_before[a] || p->pad_after[a]) return 0;
    return p->stride[W] == 1 && p->x_step[5] == 1 && p->output[W] >= lanes;
}

static int64_t tile_bytes(const mix_plan *plan, int64_t planes, int64_t rows, int64_t columns) {
    return planes * tile_plane(&plan->tile, rows, columns) * plan->bytes;
}

static void size_tile(mix_plan *plan) {
    const pyconvc_problem *p = &plan->p;
    const int64_t lanes = plan->kernels->lanes;
    plan->planes_at_once = plan->planes;
    plan->columns =
        min64(p->output[W], plan->in_place
                                ? max64(lanes * 12, IN_PLACE_BYTES / (plan->planes * plan->bytes))
                                : MOST_COLUMNS);
    while (plan->columns > 12 * lanes && !plan->in_place &&
           tile_bytes(plan, plan->planes, 1, plan->columns) > TILE_BYTES)
        plan->columns = plan->columns / 2;
    if (plan->columns < p->output[W])
        plan->columns = whole_vectors(round_up(plan->columns, lanes * 3), p->output[W], lanes);
    while (plan->planes_at_once > 1 && !plan->in_place &&
           tile_bytes(plan, plan->planes_at_once, 1, plan->columns) > 2 * TILE_BYTES)
        plan->planes_at_once = ceil_div(plan->planes_at_once, 2);
    int64_t rows = p->output[H];
    while (rows > 1 && !plan->in_place &&
           tile_bytes(plan, plan->planes_at_once, rows, plan->columns) > TILE_BYTES)
        rows--;
    plan->band_rows = rows;
    plan->column_blocks = ceil_div(p->output[W], plan->columns);
    plan->images = p->batch * p->output[D] * p->groups;
}

/* Enough tasks for all workers: more bands first, as far as their halo costs little, then parts of
 * the channels. */
static void size_tasks(mix_plan *plan) {
    const pyconvc_problem *p = &plan->p;
    const int64_t wanted = plan->workers == 1 ? 1 : TASKS_PER_WORKER * plan->workers;
    const int64_t others = plan->images * plan->column_blocks,
                  least = max64(1, 4 * (p->kernel[H] - 1) * p->dilation[H]);
    if (ceil_div(p->output[H], plan->band_rows) * others < wanted)
        plan->band_rows = max64(min64(least, plan->band_rows),
                                min64(plan->band_rows, p->output[H] * others / wanted));
    plan->bands = ceil_div(p->output[H], plan->band_rows);
    plan->band_rows = ceil_div(p->output[H], plan->bands);
    plan->parts_of_blocks = max64(1, min64(plan->blocks, ceil_div(wanted, plan->bands * others)));
    plan->tasks = plan->bands * others * plan->parts_of_blocks;
}

/* Whether the taps of an output channel lie in w one after the other, input channel by input
 * channel. */
static int lies_dense(const pyconvc_problem *p) {
    int64_t size = 1;
    for (int a = W; a >= D; a--) {
        if (p->kernel[a] > 1 && p->w_step[3 + a] != size) return 0;
        size *= p->kernel[a];
    }
    return !p->conjugate && (p->channels_in == 1 || p->w_step[2] == size);
}

static int64_t flipped(const pyconvc_problem *p, int a, int64_t tap) {
    return p->flip ? p->kernel[a] - 1 - tap : tap;
}

/* Offset of each tap in the tile, or of each channel in x, in the order of the weights: packed ones
 * go by tap, w as it lies by memory, which is the reverse where the kernel is flipped. */
static void place_taps(mix_plan *plan) {
    const pyconvc_problem *p = &plan->p;
    const int by_memory = p->flip && !plan->weights;
    int64_t *to = plan->offsets;
    for (int64_t plane = 0; plane < plan->planes_at_once; plane++)
        for (int64_t h = 0; h < p->kernel[H]; h++)
            for (int64_t w = 0; w < p->kernel[W]; w++) {
                const int64_t d = plane % p->kernel[D], c = plane - d;
                const int64_t tile_plane = by_memory ? c + flipped(p, D, d) : plane;
                const int64_t at =
                    tile_offset(&plan->tile, tile_plane, by_memory ? flipped(p, H, h) : h,
                                by_memory ? flipped(p, W, w) : w);
                *to++ = (plan->in_place ? plane * p->x_step[2] : at) * plan->parts;
            }
}

/* Channels of block b, and of the tile that computes it. */
static int64_t block_channels(const mix_plan *plan, int64_t b) {
    return min64(plan->kernels->channels, plan->p.channels_out - b * plan->kernels->channels);
}

static int64_t tile_channels(const mix_plan *plan, int64_t b) {
    return block_channels(plan, b) <= plan->kernels->few ? plan->kernels->few
                                                         : plan->kernels->channels;
}

typedef struct {
    const mix_plan *plan;
    const char *w;
    int64_t *taps; /* where each tap of a plane lies, from the plane's first sample on */
} packing;

static void find_taps(packing *k) {
    const pyconvc_problem *p = &k->plan->p;
    int64_t *to = k->taps;
    for (int64_t h = 0; h < p->kernel[H]; h++)
        for (int64_t w = 0; w < p->kernel[W]; w++)
            *to++ = flipped(p, H, h) * p->w_step[4] + flipped(p, W, w) * p->w_step[5];
}

/* One plane of some channels that lie `step` apart: to[t][i] = from[i * step + taps[t]], t < count.
 */
#define PACK(T)                                                                                    \
    static void pack_##T(const T *from, int64_t step, int64_t channels, const int64_t *taps,       \
                         int64_t count, int64_t pitch, T *to) {                                    \
        for (int64_t i = 0; i < channels; i++)                                                     \
            for (int64_t t = 0; t < count; t++)                                                    \
                to[t * pitch + i] = from[i * step + taps[t]];                                      \
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

static void pack_plane(const packing *k, int64_t at, int64_t channels, int64_t pitch, char *to) {
    const pyconvc_problem *p = &k->plan->p;
    const int64_t step = p->w_step[1], count = k->plan->taps_per_plane;
#define PACK(T) pack_##T((const T *)k->w + at, step, channels, k->taps, count, pitch, (T *)to)
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

static void pack_block(const void *context, int64_t index, void *scratch) {
    const packing *k = context;
    const mix_plan *plan = k->plan;
    const pyconvc_problem *p = &plan->p;
    const int64_t group = index / plan->blocks, b = index % plan->blocks;
    const int64_t channels = block_channels(plan, b), tile = tile_channels(plan, b);
    char *block = plan->weights + index * plan->block_bytes;
    (void)scratch;
    if (channels < tile) memset(block, 0, (size_t)plan->block_bytes);
    for (int64_t plane = 0; plane < plan->planes; plane++) {
        const int64_t c = plane / p->kernel[D], d = flipped(p, D, plane % p->kernel[D]);
        const int64_t at = group * p->w_step[0] + b * plan->kernels->channels * p->w_step[1] +
                           c * p->w_step[2] + d * p->w_step[3];
        pack_plane(k, at, channels, tile,
                   block + plane * plan->taps_per_plane * tile * plan->bytes);
    }
    if (p->conjugate)
        for (int64_t i = 0; i < plan->block_bytes; i += plan->bytes)
            pyconvc_conjugate(p->dtype, block + i);
}

static pyconvc_status pack_weights(mix_plan *plan, const void *w, const pyconvc_run *run) {
    packing k = {plan, w, malloc((size_t)plan->taps_per_plane * sizeof *k.taps)};
    const int64_t count = plan->p.groups * plan->blocks;
    if (posix_memalign((void **)&plan->weights, 64, (size_t)(count * plan->block_bytes))) {
        plan->weights = NULL;
        free(k.taps);
        return PYCONVC_NO_MEMORY;
    }
    if (!k.taps) return PYCONVC_NO_MEMORY;
    find_taps(&k);
    const int workers = parallel_workers(run, (double)(count * plan->block_bytes) * 4);
    const pyconvc_status status = parallel_for(count, workers, 0, pack_block, &k, run);
    free(k.taps);
    return status;
}

pyconvc_status mix_plan_make(mix_plan *plan, const pyconvc_problem *p, const void *w, int again,
                             const pyconvc_run *run) {
    pyconvc_status packed = PYCONVC_OK;
    const kernel_table *table = pyconvc_kernels();
    *plan = (mix_plan){.p = *p, .w = w};
    if (!table) return PYCONVC_NO_ISA;
    collapse(&plan->p);
    plan->kernels = &table->mix[p->dtype];
    plan->bytes = pyconvc_sample_bytes(p->dtype);
    plan->parts = parts_of(p->dtype);
    plan->planes = p->channels_in * p->kernel[D];
    plan->taps_per_plane = p->kernel[H] * p->kernel[W];
    plan->in_place = reads_in_place(&plan->p, plan->kernels->lanes);
    plan->blocks = ceil_div(p->channels_out, plan->kernels->channels);
    plan->block_bytes = plan->planes * plan->taps_per_plane * plan->kernels->channels * plan->bytes;
    const pyconvc_status status = tile_make(&plan->tile, &plan->p, plan->kernels->lanes);
    if (status) return status;
    const double work = (double)p->batch * (double)(p->groups * p->channels_out) *
                        (double)(p->output[D] * p->output[H]) * (double)p->output[W] *
                        (double)(plan->planes * plan->taps_per_plane) * (double)plan->bytes;
    plan->workers = parallel_workers(run, work);
    size_tile(plan);
    size_tasks(plan);
    tile_size(&plan->tile, plan->band_rows, plan->columns);
    plan->offsets =
        malloc((size_t)(plan->planes_at_once * plan->taps_per_plane) * sizeof *plan->offsets);
    if (!plan->offsets) return PYCONVC_NO_MEMORY;
    const int64_t pixels = p->output[D] * p->output[H] *
                           p->output[W]; /* of an image, so that no batch changes a bit */
    const int whole_kernels = plan->planes_at_once % p->kernel[D] == 0;
    if (again || pixels > FEW_PIXELS || !whole_kernels || !lies_dense(p))
        packed = pack_weights(plan, w, run);
    if (!packed) place_taps(plan);
    return packed;
}

void mix_plan_free(mix_plan *plan) {
    free(plan->offsets);
    free(plan->weights);
    tile_free(&plan->tile);
}
