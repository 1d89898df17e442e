/* SPDX-License-Identifier: BSD-3-Clause
 * winograd_plan.c -- weights and tiling of the method (see winograd.h). */
#include <stdlib.h>

#include "large.h"
#include "parallel.h"
#include "winograd.h"

#define INPUT_BYTES    (256 << 10) /* what the transformed input of a task should fit in */
#define ONCE_BYTES     (768 << 10) /* or may, so that weights of several phases are read once */
#define MOST_BYTES     (8 << 20)   /* and must */
#define SUMS_BYTES     (384 << 10) /* what the sums of a block of output channels should fit in */
#define PACKED_BYTES   (32 << 10)  /* the same of the input as it is, before it is transformed */
#define BLOCK_CHANNELS 32          /* output channels whose sums stay in the cache */
#define BLOCK_BYTES    (512 << 10) /* and whose weights do, if they are transformed at use */
#define CACHE_LINE     64
#define LEAST_BESIDE   8 /* grids of the width whose tiles are worth lying side by side */

enum { D, H, W };

/* A grid has the boundary rule of the whole if that is constant, or never called upon. */
static int has_grids(const pyconvc_problem *p, int a) {
    return p->dilation[a] <= p->input[a] &&
           (p->boundary[a] == PYCONVC_CONSTANT || (p->pad_before[a] <= 0 && p->pad_after[a] <= 0));
}

static int is_plain(const pyconvc_problem *p, int a) {
    return p->dilation[a] == 1 || (a != D && p->stride[a] == 1 && has_grids(p, a));
}

/* Parts of so many taps each. */
static int64_t count_parts(int64_t taps, int64_t apart, int64_t most) {
    int64_t parts = 0;
    for (int64_t phase = 0; phase < min64(apart, taps); phase++)
        parts += ceil_div(ceil_div(taps - phase, apart), most);
    return parts;
}

int winograd_find_axis(int64_t taps, int64_t stride, int64_t outputs, int alone,
                       winograd_axis *axis) {
    static const struct {
        int32_t outputs, phases, taps;
    } list[] = {
#define NUMBERS(M, S, R) {M, S, R},
        PYCONVC_FOR_WINOGRAD_AXES(NUMBERS)};
    int64_t least = INT64_MAX;
    if (taps > WINOGRAD_LONG) return 0;
    for (int32_t i = 0; i < (int32_t)(sizeof list / sizeof *list); i++) {
        const int32_t m = list[i].outputs, s = list[i].phases, r = list[i].taps,
                      elements = s * m + r - s;
        const int64_t apart = stride / s, parts = apart ? count_parts(taps, apart, r) : 0;
        if (m != (taps == 1 ? 1 : outputs) || (s > 1 && s != stride) ||
            r > ceil_div(taps, max64(1, apart)) || (r == 1 && taps > 1) ||
            (!alone && r > WINOGRAD_BESIDE) || parts * elements >= least)
            continue;
        least = parts * elements;
        *axis = (winograd_axis){i, m, s, r, elements, taps, parts, apart};
    }
    return least < INT64_MAX;
}

static int find_form(const pyconvc_problem *p, winograd_form *form) {
    const int64_t rows = p->kernel[H], columns = p->kernel[W];
    const int alone = rows == 1 || columns == 1;
    if (rows * columns == 1 || rows * columns > WINOGRAD_KERNEL ||
        !winograd_find_axis(rows, p->stride[H], p->winograd, alone, &form->down) ||
        !winograd_find_axis(columns, p->stride[W], p->winograd, alone, &form->across))
        return 0;
    form->elements = (int64_t)form->down.elements * form->across.elements;
    form->parts = form->down.parts * form->across.parts;
    return 1;
}

/* Whether this method computes p, with tiles of p->winograd outputs along the width. */
static int suits(const pyconvc_problem *p) {
    const kernel_table *table = pyconvc_kernels();
    winograd_form form;
    return table && table->winograd[p->dtype] && is_plain(p, D) && is_plain(p, H) &&
           is_plain(p, W) && find_form(p, &form);
}

/* Samples from one element of the transform to the next, for so many of each. */
static int64_t apart(const winograd_plan *plan, int64_t samples) {
    const int64_t line = CACHE_LINE / plan->bytes;
    return (ceil_div(samples, line) | 1) * line;
}

/* Where runs of tiles are longer than a task has tiles, by far, there is a line for each sample of
 * a tile: most that lie between them are of other tasks. */
static void size_tiles(winograd_plan *plan) {
    const winograd_form *form = &plan->form;
    const int64_t *kernel = plan->p.kernel, *stride = plan->p.stride;
    const int beside = plan->lines.beside, far = beside && plan->run > 2 * plan->lanes;
    const tile_shape *tile = &plan->grids->tile;
    for (winograd_grid *g = plan->grids; g < plan->grids + plan->grid_count; g++) {
        if (beside) g->tile.across = phases_find(&g->p, W, far);
        tile_size(&g->tile, form->down.outputs,
                  min64(plan->run, plan->lanes) * (beside ? 1 : form->across.outputs));
    }
    plan->lines.down =
        (winograd_line){tile->down.count, tile->down.by_tap ? kernel[H] : stride[H],
                        tile->rows / tile->down.count * tile->row_pitch, tile->row_pitch};
    plan->lines.across = (winograd_line){tile->across.count, stride[W], tile->phase_pitch, 1};
    if (beside) plan->lines.across = (winograd_line){1, 1, 0, far ? tile->phase_pitch : plan->run};
}

/* Vectors of tiles of a task. */
static int64_t vectors_at_once(const winograd_plan *plan) {
    const winograd_form *form = &plan->form;
    const int64_t lanes = plan->kernels->lanes, group = plan->kernels->vectors,
                  phases = plan->shares.taps.count, most = ceil_div(plan->tiles, lanes),
                  bytes = form->elements * plan->bytes * lanes,
                  channels = max64(BLOCK_CHANNELS, plan->kernels->panel * phases),
                  input = plan->planes * form->parts * bytes,
                  fit = min64(INPUT_BYTES / input, SUMS_BYTES / (channels * bytes));
    if (phases > 1 && most * input <= ONCE_BYTES) return most;
    return min64(most, max64(group, fit / group * group));
}

static void size_input(winograd_plan *plan) {
    const winograd_form *form = &plan->form;
    const int64_t per_tile = form->elements * plan->bytes, lanes = plan->kernels->lanes;
    plan->lanes = plan->tiles <= lanes ? round_up(plan->tiles, plan->kernels->few)
                                       : lanes * vectors_at_once(plan);
    plan->segments = ceil_div(min64(plan->lanes, plan->tiles) - 1, plan->run) + 1;
    const int64_t runs = MOST_BYTES / (plan->planes_summed * form->parts * plan->lanes * per_tile);
    plan->planes_at_once = min64(plan->planes, plan->planes_summed * max64(1, runs));
    plan->input_step = apart(plan, plan->planes_at_once * form->parts * plan->lanes + lanes);
    plan->outputs = form->down.outputs * form->across.outputs * plan->lanes +
                    lanes * (form->across.outputs + 1);
    size_tiles(plan);
    plan->plane = plan->grids->tile.plane_pitch;
    plan->planes_packed =
        min64(plan->planes_at_once,
              max64(1, PACKED_BYTES / (plan->plane * plan->segments * plan->bytes)));
}

/* Panels of a block: with few tiles whole register tiles of the product, if one fits; and all
 * phases of a channel. */
static int64_t panels_of_block(const winograd_plan *plan) {
    const winograd_kernels *k = plan->kernels;
    const int64_t most = max64(1, BLOCK_CHANNELS / k->panel),
                  tile = plan->tiles > k->lanes ? 1 : k->few_channels / k->panel;
    return round_up(most < tile ? most : most - most % tile, plan->shares.taps.count);
}

static void size_sums(winograd_plan *plan) {
    const int64_t panel = plan->kernels->panel,
                  planes = plan->form.parts *
                           (plan->at_use ? min64(plan->planes_summed, plan->planes) : plan->planes);
    plan->panels = ceil_div(plan->p.channels_out, panel) * plan->shares.taps.count;
    plan->block_panels = min64(plan->panels, panels_of_block(plan));
    if (plan->at_use) {
        const int64_t phases = plan->shares.taps.count,
                      bytes = plan->form.elements * planes * panel * plan->bytes;
        plan->block_panels =
            min64(plan->block_panels, max64(1, BLOCK_BYTES / (bytes * phases)) * phases);
    }
    plan->blocks = ceil_div(plan->panels, plan->block_panels);
    plan->sums_step = apart(plan, plan->block_panels * panel * plan->lanes);
    plan->weights_step = apart(plan, plan->block_panels * panel * planes);
    plan->block_samples = plan->form.elements * plan->weights_step;
}

/* Parts of the channels are no more than make one task for each worker: each transforms the input
 * again. */
static void size_tasks(winograd_plan *plan, int workers) {
    const int64_t others = plan->p.groups * plan->tile_blocks;
    plan->parts_of_blocks = min64(plan->blocks, ceil_div(workers, others));
    plan->tasks = others * plan->parts_of_blocks;
}

int64_t winograd_panels(const winograd_plan *plan, int64_t block) {
    return min64(plan->block_panels, plan->panels - block * plan->block_panels);
}

/* Some planes of a panel; the taps of a channel along the depth are a run of planes. */
static void transform_planes(const winograd_plan *plan, winograd_weights job, int64_t first,
                             int64_t count) {
    const pyconvc_problem *p = &plan->p;
    const int64_t deep = p->kernel[D], by_depth = p->flip ? -p->w_step[3] : p->w_step[3];
    const char *w = job.w;
    char *to = job.to;
    job.by_input = deep == 1 ? p->w_step[2] : by_depth;
    for (int64_t plane = first; plane < first + count; plane += job.channels_in) {
        const int64_t left = first + count - plane;
        job.to_phase = count * plan->form.parts * plan->kernels->panel;
        job.channels_in = deep == 1 ? left : min64(left, deep - plane % deep);
        job.w = w + (plane / deep * p->w_step[2] + plane % deep * by_depth) * plan->bytes;
        job.to = to + (plane - first) * plan->form.parts * plan->kernels->panel * plan->bytes;
        plan->kernels->weights(&job);
    }
}

/* Planes first .. first + planes - 1 of a panel of weights w and of those of its other phases, to
 * their places in the block that begins at `to`. */
static void transform_panel(const winograd_plan *plan, const char *w, int64_t group, int64_t panel,
                            int64_t first, int64_t planes, char *to) {
    const pyconvc_problem *p = &plan->p;
    const winograd_phases *taps = &plan->shares.taps;
    const int64_t channels = plan->kernels->panel, flip = p->flip ? -1 : 1,
                  channel = panel / taps->count * channels;
    const int64_t panels = winograd_panels(plan, panel / plan->block_panels);
    int64_t at = group * p->w_step[0] + channel * p->w_step[1];
    if (p->flip)
        at += (p->kernel[D] - 1) * p->w_step[3] + (taps->rows - 1) * p->w_step[4] +
              (taps->columns - 1) * p->w_step[5];
    winograd_weights job = {.form = &plan->form,
                            .phases = taps,
                            .w = w + at * plan->bytes,
                            .by_output = p->w_step[1],
                            .by_row = flip * p->w_step[4],
                            .by_column = flip * p->w_step[5],
                            .channels = min64(channels, p->channels_out - channel),
                            .to_element = plan->weights_step};
    for (int64_t i = 0; i < planes; i += plan->planes_summed) {
        const int64_t count = min64(plan->planes_summed, planes - i);
        const int64_t before = panels * i + panel % plan->block_panels * count;
        job.to = to + before * plan->form.parts * channels * plan->bytes;
        transform_planes(plan, job, first + i, count);
    }
}

void winograd_transform_block(const winograd_plan *plan, const void *w, int64_t group,
                              int64_t block, int64_t first, int64_t planes, void *to) {
    const int64_t panel = block * plan->block_panels, phases = plan->shares.taps.count;
    for (int64_t i = panel; i < panel + winograd_panels(plan, block); i += phases)
        transform_panel(plan, w, group, i, first, planes, to);
}

typedef struct {
    const winograd_plan *plan;
    const char *w;
} packing;

static void transform_task(const void *context, int64_t index, void *scratch) {
    const packing *k = context;
    const winograd_plan *plan = k->plan;
    const int64_t phases = plan->shares.taps.count, of_group = plan->panels / phases,
                  panel = index % of_group * phases, group = index / of_group,
                  block = group * plan->blocks + panel / plan->block_panels;
    (void)scratch;
    transform_panel(plan, k->w, group, panel, 0, plan->planes,
                    plan->weights + block * plan->block_samples * plan->bytes);
}

int64_t winograd_weight_bytes(const winograd_plan *plan) {
    return plan->p.groups * plan->blocks * plan->block_samples * plan->bytes;
}

static pyconvc_status transform_weights(winograd_plan *plan, const void *w,
                                        const pyconvc_run *run) {
    const packing k = {plan, w};
    const int64_t bytes = winograd_weight_bytes(plan);
    plan->weights = large_alloc(bytes);
    if (!plan->weights) return PYCONVC_NO_MEMORY;
    const int workers = parallel_workers(run, (double)bytes * 4);
    return parallel_for(plan->p.groups * plan->panels / plan->shares.taps.count, workers, 0,
                        transform_task, &k, run);
}

void winograd_take_grid(winograd_grid *g, int a, int64_t r) {
    pyconvc_problem *p = &g->p;
    const int64_t d = p->dilation[a], start = r - p->pad_before[a], first = (start % d + d) % d;
    g->x_at += first * p->x_step[3 + a];
    g->y_at += r * p->y_step[3 + a];
    p->input[a] = first < p->input[a] ? (p->input[a] - 1 - first) / d + 1 : 0;
    p->output[a] = r < p->output[a] ? (p->output[a] - 1 - r) / d + 1 : 0;
    p->pad_before[a] = (first - start) / d;
    p->pad_after[a] =
        (p->output[a] - 1) * p->stride[a] + p->kernel[a] - p->input[a] - p->pad_before[a];
    p->dilation[a] = 1;
    p->x_step[3 + a] *= d;
    p->y_step[3 + a] *= d;
}

static pyconvc_status make_grids(winograd_plan *plan, const pyconvc_problem *p) {
    const int64_t *dilation = p->dilation;
    const int64_t columns = plan->lines.beside ? 1 : dilation[W];
    plan->grid_count = dilation[H] * columns;
    plan->grids = calloc((size_t)plan->grid_count, sizeof *plan->grids);
    if (!plan->grids) return PYCONVC_NO_MEMORY;
    for (int64_t i = 0; i < plan->grid_count; i++) {
        winograd_grid *g = plan->grids + i;
        g->p = *p;
        winograd_take_grid(g, H, i / columns);
        if (plan->lines.beside)
            g->p.kernel[W] += plan->form.across.outputs - 1; /* all samples of a tile */
        else
            winograd_take_grid(g, W, i % columns);
    }
    return PYCONVC_OK;
}

static void find_tiles(winograd_plan *plan) {
    const int64_t grids = plan->lines.beside ? plan->p.dilation[W] : 1;
    for (winograd_grid *g = plan->grids; g < plan->grids + plan->grid_count; g++) {
        g->tile = tile_make(&g->p, 0, 0);
        plan->down = max64(plan->down, ceil_div(g->p.output[H], plan->form.down.outputs));
        plan->across = max64(plan->across,
                             grids * ceil_div(g->p.output[W], grids * plan->form.across.outputs));
    }
    plan->run = plan->lines.beside ? grids : plan->across;
    plan->image_tiles = plan->down * plan->across;
    plan->images = plan->p.batch * plan->p.output[D] * plan->grid_count;
    plan->tiles = plan->images * plan->image_tiles;
}

static winograd_shares share_out(const pyconvc_problem *p) {
    static const winograd_tap first = {0, 0};
    return (winograd_shares){{p->kernel[H], p->kernel[W], 1, 1, 1, &first}, NULL};
}

pyconvc_status winograd_plan_make(winograd_plan *plan, const pyconvc_problem *p,
                                  const winograd_shares *shares, const void *w, int again,
                                  const pyconvc_run *run) {
    const kernel_table *table = pyconvc_kernels();
    *plan = (winograd_plan){.p = *p};
    if (!table) return PYCONVC_NO_ISA;
    if (!suits(p)) return PYCONVC_BAD_PROBLEM;
    plan->kernels = table->winograd[p->dtype];
    plan->bytes = pyconvc_sample_bytes(p->dtype);
    plan->shares = shares ? *shares : share_out(p);
    find_form(p, &plan->form);
    plan->lines.beside = p->kernel[W] > 1 && p->dilation[W] >= LEAST_BESIDE;
    if (make_grids(plan, p)) return PYCONVC_NO_MEMORY;
    find_tiles(plan);
    plan->planes = p->channels_in * p->kernel[D];
    plan->planes_summed = max64(1, MOST_SUMMED / plan->form.parts);
    size_input(plan);
    plan->tile_blocks = ceil_div(plan->tiles, plan->lanes);
    plan->at_use = !again && plan->tile_blocks == 1;
    size_sums(plan);
    plan->work = (double)plan->tiles *
                 (double)(p->groups * p->channels_out * plan->shares.taps.count) *
                 (double)(plan->planes * plan->form.parts * plan->form.elements * plan->bytes);
    size_tasks(plan, parallel_workers(run, plan->work));
    return plan->at_use ? PYCONVC_OK : transform_weights(plan, w, run);
}

void winograd_plan_free(winograd_plan *plan) {
    free(plan->grids);
    free(plan->weights);
}
