/* SPDX-License-Identifier: BSD-3-Clause
 * mix_plan.c -- sizes of tiles, passes and tasks of the dense method (see mix.h). */
#include <stdlib.h>
#include <string.h>

#include "mix_parts.h"
#include "parallel.h"

#define NEAR_BYTES       (19 << 10)  /* of x, taps and a block's weights, in the nearest cache */
#define WEIGHT_BYTES     (192 << 10) /* of a pass: part of an L2 cache */
#define TILE_BYTES       (256 << 10) /* a task's packed input: the same */
#define OUTPUT_BYTES     (512 << 10) /* what a task adds to in several passes */
#define TILE_MOST        (8 << 20)
#define CACHE_LINE       64
#define NEAR_SETS        64 /* of the nearest cache, and how many of its lines a set may give */
#define NEAR_WAYS        4
#define MOST_COLUMNS     1024
#define LEAST_TAPS       96          /* of a pass that holds a whole image near */
#define PANEL_BYTES      (192 << 10) /* panels of a tile of outputs: part of an L2 cache */
#define PANEL_CHANNELS   48          /* output channels, and bytes of weights, from which on */
#define PANEL_WEIGHTS    (32 << 10)  /* panels pay */
#define PANEL_PART       128         /* output channels for which panels may be packed anew */
#define PANEL_TILES      4           /* of a task, at the least */
#define TASKS_PER_WORKER 4
#define ACROSS_PIXELS    200  /* up to which output channels may be lanes */
#define ACROSS_TAPS      128  /* whose weights, for a block of these, stay near */
#define ACROSS_WORK      0.95 /* of that with pixels as lanes: what theirs must come down to */
#define APART_TAPS       256  /* of an output, from which on pixels may be apart */
#define APART_WORK       1.05 /* as ACROSS_WORK */
#define LEAST_CHANNELS   3
#define COPY_CHANNELS    13   /* output channels for which planes that collide are copied */
#define FEW_PIXELS       100  /* for which weights are not packed */
#define COPY_ROW         15.0 /* cycles to start a copied row, and of each sample */
#define COPY_SAMPLE      0.4

enum { D, H, W };

int mix_suits(const pyconvc_problem *p) {
    return p->channels_out >= LEAST_CHANNELS;
}

int64_t mix_weight_bytes(const mix_plan *plan) {
    return plan->p.groups * plan->blocks * plan->block_samples * plan->bytes;
}

/* Whether the planes of x begin in so few sets of the nearest cache that those of a pass would
 * drive each other out, and are met by so many output channels that a copy costs less. */
static int planes_collide(const pyconvc_problem *p) {
    const int64_t step = p->x_step[2] * pyconvc_sample_bytes(p->dtype);
    int64_t sets = NEAR_SETS;
    for (int64_t part = step / CACHE_LINE; sets > 1 && part % 2 == 0; part /= 2)
        sets /= 2;
    return step % CACHE_LINE == 0 && p->channels_in > NEAR_WAYS * sets &&
           p->channels_out >= COPY_CHANNELS;
}

/* Whether outputs meet the samples of x in their places, or channels beside them, at whole vectors.
 */
static int reads_in_place(const pyconvc_problem *p, int64_t lanes) {
    for (int a = 0; a < PYCONVC_RANK; a++)
        if (p->kernel[a] != 1 || p->pad_before[a] || p->pad_after[a]) return 0;
    return p->stride[W] == 1 && (p->x_step[5] == 1 || p->x_step[2] == 1) && p->output[W] >= lanes;
}

/* Whether outputs meet only samples of x, or have no taps for others, so that these may be read in
 * their places. */
static int is_inside(const mix_plan *plan) {
    const pyconvc_problem *p = &plan->p;
    for (int a = 0; a < PYCONVC_RANK; a++)
        if (plan->axis[a].region_count == 1 && (p->pad_before[a] || p->pad_after[a])) return 0;
    return 1;
}

/* Whether the taps of an output channel lie one after the other in w, in the order of the sum. */
static int weights_in_order(const pyconvc_problem *p) {
    const int64_t count[] = {p->channels_in, p->kernel[D], p->kernel[H], p->kernel[W]};
    int64_t step = 1;
    for (int i = 3; i >= 0; step *= count[i--])
        if (count[i] > 1 && (p->w_step[2 + i] != step || (i > 0 && p->flip))) return 0;
    return !p->conjugate;
}

/* Whether panels pay: there are channels that read them, and planes that would be copied anyway or
 * so many weights that in the nearest cache they drive out what lies scattered. */
static int reads_panels(const pyconvc_problem *p) {
    return p->output[D] * p->output[H] == 1 && p->channels_out >= PANEL_CHANNELS &&
           (planes_collide(p) ||
            p->channels_out * p->channels_in * pyconvc_sample_bytes(p->dtype) >= PANEL_WEIGHTS);
}

static int has_few_pixels(const pyconvc_problem *p) {
    return p->output[D] * p->output[H] * p->output[W] <= FEW_PIXELS;
}

static int64_t taps_of_output(const pyconvc_problem *p) {
    return p->channels_in * p->kernel[D] * p->kernel[H] * p->kernel[W];
}

static int64_t largest(const mix_axis *axis) {
    int64_t count = 0;
    for (int64_t i = 0; i < axis->region_count; i++)
        count = max64(count, axis->regions[i].count);
    return count;
}

/* Whether the lanes that a flat tile saves are worth its copies: cycles of a row of a channel. */
static int flat_pays(const mix_plan *plan) {
    const pyconvc_problem *p = &plan->p;
    const int64_t lanes = plan->kernels->lanes;
    const double copies =
        (double)(phases_find(p, H, 0).count * (p->kernel[W] - plan->tiles->across.count));
    double wasted = 0;
    for (int64_t i = 0; i < plan->axis[W].region_count; i++) {
        const int64_t columns = plan->axis[W].regions[i].count;
        wasted += (double)(round_up(columns, lanes) - columns) / (double)lanes;
    }
    const double saved = wasted / 2 * (double)(p->kernel[H] * p->kernel[W] * p->channels_out);
    return saved > copies * (COPY_ROW + COPY_SAMPLE * (double)plan->columns);
}

/* Samples of a plane of the first tile, for so many rows of outputs. */
static int64_t plane_of_tile(const mix_plan *plan, int64_t rows) {
    return tile_plane(plan->tiles, mix_in_tile(plan, H, rows), mix_in_tile(plan, W, plan->columns));
}

/* Bytes of the cache lines that n pieces of `bytes` meet, each `step` bytes after the one before.
 */
static double covered(int64_t n, double step, double bytes) {
    const double apart = (double)n * (bytes + CACHE_LINE),
                 joined = (double)(n - 1) * step + bytes + CACHE_LINE;
    return apart < joined ? apart : joined;
}

/* Bytes that the taps of one input channel and depth tap meet, for so many pixels. */
static double met(const mix_plan *plan, int64_t pixels) {
    const pyconvc_problem *p = &plan->p;
    const double bytes = (double)(pixels * plan->bytes), sample = (double)plan->bytes;
    const axis_phases across = plan->tiles->across, down = phases_find(p, H, 0);
    if (plan->in_place) return covered(1, 0, bytes);
    if (!plan->flat)
        return (double)(p->kernel[H] * across.count) * covered(ceil_div(p->kernel[W], across.count),
                                                               sample * (double)p->dilation[W],
                                                               bytes);
    return (double)(across.count * down.count) *
           covered(ceil_div(p->kernel[H], down.count),
                   sample * (double)(ceil_div(p->dilation[H], p->stride[H]) * plan->columns),
                   bytes);
}

/* Taps of an axis that an output meets, of those that there are. */
static double taps_met(const mix_plan *plan, int a) {
    int64_t outputs = 0, met = 0;
    for (const mix_region *r = plan->axis[a].regions;
         r < plan->axis[a].regions + plan->axis[a].region_count; r++) {
        outputs += r->count;
        met += r->count * (r->end_tap - r->first_tap);
    }
    return (double)met / (double)(outputs * plan->p.kernel[a]);
}

/* Bytes that one input channel takes near: of x for so many pixels, and of its taps and their
 * weights in a block of output channels. */
static double near_bytes(const mix_plan *plan, int64_t pixels) {
    const pyconvc_problem *p = &plan->p;
    const int64_t taps = p->kernel[H] * p->kernel[W],
                  of_tap = (int64_t)sizeof(mix_tap) + plan->kernels->channels * plan->bytes;
    const double fraction = taps_met(plan, H) * taps_met(plan, W);
    return (double)p->kernel[D] * (fraction > 0.1 ? fraction : 0.1) *
           (met(plan, pixels) + (double)(taps * of_tap));
}

/* Input channels of a pass: as many as stay near, for a whole image if it is so small that few taps
 * of it do, else for one tile of outputs. Nothing here may depend on the batch or the workers. */
static void size_pass(mix_plan *plan) {
    const pyconvc_problem *p = &plan->p;
    const int64_t lanes = plan->kernels->lanes, tile = plan->kernels->vectors;
    const int64_t taps = p->kernel[D] * p->kernel[H] * p->kernel[W],
                  pixels = largest(&plan->axis[H]) * largest(&plan->axis[W]);
    const double image = near_bytes(plan, round_up(pixels, lanes));
    const int whole = image / (double)taps * LEAST_TAPS <= NEAR_BYTES;
    const int64_t fitting =
        (int64_t)(NEAR_BYTES / (whole ? image : near_bytes(plan, tile * lanes)));
    const int64_t of_weights =
        max64(LEAST_TAPS, WEIGHT_BYTES / (p->channels_out * plan->bytes)) / taps;
    const int64_t passes = ceil_div(p->channels_in, max64(1, min64(fitting, of_weights)));
    plan->channels_at_once = ceil_div(p->channels_in, passes);
    plan->depth_at_once = p->kernel[D];
    while (plan->depth_at_once > 1 && plan->channels_at_once == 1 && !plan->in_place &&
           plan->depth_at_once * plane_of_tile(plan, 1) * plan->bytes > TILE_MOST)
        plan->depth_at_once = ceil_div(plan->depth_at_once, 2);
    plan->group = whole ? ceil_div(pixels, lanes) + largest(&plan->axis[H]) : tile;
    while (!whole &&
           (double)plan->channels_at_once * near_bytes(plan, (plan->group + tile) * lanes) <=
               NEAR_BYTES)
        plan->group += tile;
}

/* Columns of a task so that panels of all their channels, and their outputs, fit into a cache, and
 * that all workers have some. */
static void size_panels(mix_plan *plan) {
    const pyconvc_problem *p = &plan->p;
    const int64_t lanes = plan->kernels->lanes, tile = plan->kernels->vectors * lanes,
                  wide = p->output[W];
    const int64_t passes = ceil_div(p->channels_in * tile * plan->bytes, PANEL_BYTES);
    plan->channels_at_once = ceil_div(p->channels_in, passes);
    plan->depth_at_once = 1;
    plan->group = plan->kernels->vectors;
    const int64_t most =
                      min64(TILE_BYTES / plan->channels_at_once, OUTPUT_BYTES / p->channels_out) /
                      plan->bytes,
                  wanted =
                      ceil_div(wide, plan->workers == 1 ? 1 : TASKS_PER_WORKER * plan->workers);
    plan->columns = min64(wide, max64(PANEL_TILES, min64(most, wanted) / tile) * tile);
}

/* Where output channels are lanes: input channels of a chunk, whose weights are near at a time. All
 * alike and an even number of taps, if possible, as then one may be turned while another is
 * used. */
static int64_t channels_of_chunk(int64_t channels, int64_t taps) {
    const int64_t least = ceil_div(channels, max64(1, ACROSS_TAPS / taps));
    for (int64_t n = least; n < 2 * least; n++)
        if (channels % n == 0 && channels / n * taps % 2 == 0) return channels / n;
    return min64(channels, round_up(ceil_div(channels, least), 2));
}

/* A pass has as many of them as have their panels in the second cache. */
static void size_across(mix_plan *plan) {
    const pyconvc_problem *p = &plan->p;
    const int64_t taps = p->kernel[D] * p->kernel[H] * p->kernel[W],
                  chunk = channels_of_chunk(p->channels_in, taps),
                  of_chunk = p->output[H] * p->output[W] * chunk * taps * plan->bytes,
                  chunks = ceil_div(p->channels_in, chunk),
                  passes = ceil_div(chunks, max64(1, PANEL_BYTES / of_chunk));
    plan->chunk = chunk * taps;
    plan->channels_at_once = min64(p->channels_in, chunk * ceil_div(chunks, passes));
    plan->depth_at_once = p->kernel[D];
}

/* Where pixels are apart: so many that what a tile meets, and the weights of a block, stay near. */
static void size_apart(mix_plan *plan) {
    const pyconvc_problem *p = &plan->p;
    const double taps = (double)(p->kernel[D] * p->kernel[H] * p->kernel[W]) * taps_met(plan, D) *
                        taps_met(plan, H) * taps_met(plan, W);
    const int64_t passes = ceil_div(p->channels_in, max64(1, (int64_t)(ACROSS_TAPS / taps)));
    plan->channels_at_once = ceil_div(p->channels_in, passes);
    plan->depth_at_once = p->kernel[D];
}

static int64_t planes_at_once(const mix_plan *plan) {
    return plan->channels_at_once * plan->depth_at_once;
}

static void size_columns(mix_plan *plan) {
    const pyconvc_problem *p = &plan->p;
    const int64_t lanes = plan->kernels->lanes, wide = largest(&plan->axis[W]);
    const int64_t most = max64(lanes * 12, OUTPUT_BYTES / (p->channels_out * plan->bytes));
    plan->columns = min64(wide, plan->in_place ? most : min64(most, MOST_COLUMNS));
    if (plan->columns < wide)
        plan->columns = round_up(plan->columns, lanes * plan->kernels->vectors);
}

/* Whether the lines of a task's outputs lie in y as the kernel writes them. */
static int writes_in_place(const mix_plan *plan) {
    const pyconvc_problem *p = &plan->p;
    if (plan->across) return p->y_step[5] == 1 || p->y_step[2] == 1;
    if (p->y_step[5] != 1) return 0;
    return !plan->flat ||
           (plan->axis[W].region_count == 1 && (p->output[H] == 1 || p->y_step[4] == p->output[W]));
}

static void size_rows(mix_plan *plan) {
    const pyconvc_problem *p = &plan->p;
    int64_t rows = largest(&plan->axis[H]);
    if (!plan->y_in_place || plan->channels_at_once < p->channels_in)
        rows =
            max64(1, min64(rows, OUTPUT_BYTES / (p->channels_out * plan->columns * plan->bytes)));
    while (rows > 1 && !plan->in_place &&
           planes_at_once(plan) * plane_of_tile(plan, rows) * plan->bytes > TILE_BYTES)
        rows--;
    plan->rows = rows;
}

/* Pieces of the regions of an axis, of at most so many outputs. */
static int64_t pieces(const mix_axis *axis, int64_t most) {
    int64_t count = 0;
    for (int64_t i = 0; i < axis->region_count; i++)
        count += ceil_div(axis->regions[i].count, most);
    return count;
}

/* A rest of fewer than `least` joins the piece before it. */
static pyconvc_status make_spans(mix_axis *axis, int64_t most, int even, int64_t least) {
    axis->span_count = pieces(axis, most);
    axis->spans = malloc((size_t)axis->span_count * sizeof *axis->spans);
    if (!axis->spans) return PYCONVC_NO_MEMORY;
    mix_span *to = axis->spans;
    for (int64_t i = 0; i < axis->region_count; i++) {
        const mix_region *r = axis->regions + i;
        const int64_t step = even ? ceil_div(r->count, ceil_div(r->count, most)) : most;
        for (int64_t left = r->count, count; left > 0; left -= count) {
            count = left - step < max64(1, least) ? left : step;
            *to++ = (mix_span){r->first + r->count - left, count, i};
        }
    }
    axis->span_count = to - axis->spans;
    return PYCONVC_OK;
}

/* Enough tasks for all workers: more bands first, as far as their halo costs little, then parts of
 * the channels. */
static pyconvc_status size_tasks(mix_plan *plan) {
    const pyconvc_problem *p = &plan->p;
    const int64_t wanted = plan->workers == 1 ? 1 : TASKS_PER_WORKER * plan->workers;
    const int64_t others =
                      p->batch * p->output[D] * p->groups * pieces(&plan->axis[W], plan->columns),
                  least = max64(1, 4 * (p->kernel[H] - 1) * p->dilation[H]);
    if (pieces(&plan->axis[H], plan->rows) * others < wanted)
        plan->rows =
            max64(min64(least, plan->rows), min64(plan->rows, p->output[H] * others / wanted));
    if (make_spans(&plan->axis[D], 1, 0, 0) || make_spans(&plan->axis[H], plan->rows, 1, 0) ||
        make_spans(&plan->axis[W], plan->columns, 0, plan->in_place ? plan->kernels->lanes : 0))
        return PYCONVC_NO_MEMORY;
    for (int64_t i = 0; i < plan->axis[W].span_count; i++)
        plan->columns = max64(plan->columns, plan->axis[W].spans[i].count);
    const int64_t tasks = p->batch * p->groups * plan->axis[D].span_count *
                          plan->axis[H].span_count * plan->axis[W].span_count;
    const int64_t most =
        plan->panels ? max64(plan->workers, p->channels_out / PANEL_PART) : plan->blocks;
    const int64_t sums = p->channels_out * plan->rows * plan->columns * plan->bytes,
                  parts = max64(plan->across ? ceil_div(sums, OUTPUT_BYTES) : 1,
                                ceil_div(wanted, tasks));
    plan->parts_of_blocks = max64(1, min64(min64(most, plan->blocks), parts));
    plan->tasks = tasks * plan->parts_of_blocks;
    return PYCONVC_OK;
}

/* Where pixels are apart, lines need no stride unless that leaves something out. */
static void find_tiled(mix_plan *plan) {
    plan->tiled = plan->p;
    for (int a = 0; a < PYCONVC_RANK; a++) {
        const int apart =
            a != D && plan->apart && phases_find(&plan->p, a, 0).count == plan->p.stride[a];
        plan->tile_step[a] = apart ? plan->p.stride[a] : 1;
        plan->tiled.stride[a] /= plan->tile_step[a];
    }
}

static pyconvc_status make_tiles(mix_plan *plan) {
    const int64_t count = plan->axis[W].region_count;
    plan->tiles = calloc((size_t)count, sizeof *plan->tiles);
    if (!plan->tiles) return PYCONVC_NO_MEMORY;
    const int64_t lanes = plan->across ? 1 : plan->kernels->lanes;
    find_tiled(plan);
    plan->tiles[0] = tile_make(&plan->tiled, lanes, 0);
    plan->flat = !plan->in_place && !plan->across && plan->columns == largest(&plan->axis[W]) &&
                 flat_pays(plan);
    for (int64_t i = 0; i < count; i++)
        plan->tiles[i] = tile_make(&plan->tiled, lanes, plan->flat);
    return PYCONVC_OK;
}

static void size_tiles(mix_plan *plan) {
    for (int64_t i = 0; i < plan->axis[W].region_count; i++)
        tile_size(plan->tiles + i, mix_in_tile(plan, H, plan->rows),
                  mix_in_tile(plan, W, min64(plan->columns, plan->axis[W].regions[i].count)));
}

/* Weights are read as they lie where an image (not the batch, which may change no bit) is so small
 * that packing them would take long. */
static int reads_weights_in_place(const mix_plan *plan) {
    const pyconvc_problem *p = &plan->p;
    return has_few_pixels(p) && !p->conjugate && p->channels_out % plan->block == 0;
}

/* Whether all outputs meet all taps of the axis. */
static int meets_all_taps(const mix_plan *plan, int a) {
    const mix_region *r = plan->axis[a].regions;
    return plan->axis[a].region_count == 1 && r->first_tap == 0 && r->end_tap == plan->p.kernel[a];
}

/* Whether output channels are lanes: where an image has so few pixels that these would leave lanes
 * empty, and all meet all taps, which are few enough for panels. Pixels that read x in place have
 * their own panels packed in less time. */
static int lies_across(const mix_plan *plan, const across_kernels *across, int again) {
    const pyconvc_problem *p = &plan->p;
    const int64_t pixels = p->output[H] * p->output[W], lanes = plan->kernels->lanes;
    if (!across || pixels > ACROSS_PIXELS ||
        p->kernel[D] * p->kernel[H] * p->kernel[W] > ACROSS_TAPS)
        return 0;
    for (int a = 0; a < PYCONVC_RANK; a++)
        if (!meets_all_taps(plan, a)) return 0;
    const double here = (double)(pixels * round_up(p->channels_out, across->channels)),
                 there = (double)(round_up(pixels, lanes) *
                                  round_up(p->channels_out, plan->kernels->channels));
    return here <= (reads_in_place(p, lanes) ? ACROSS_WORK : 1) * there &&
           (again || weights_in_order(p));
}

/* Whether they are so, each pixel read from where it lies: sums must be long enough to repay their
 * turning, and lines of x that may be read in their places are better lanes. */
static int reads_apart(const mix_plan *plan, const across_kernels *across) {
    const pyconvc_problem *p = &plan->p;
    return across && taps_of_output(p) >= APART_TAPS && !has_few_pixels(p) &&
           !reads_in_place(p, plan->kernels->lanes) &&
           (double)round_up(p->channels_out, across->channels) <=
               APART_WORK * (double)round_up(p->channels_out, plan->kernels->channels);
}

/* What lanes are, and what is read in its place. */
static void find_form(mix_plan *plan, int again) {
    const pyconvc_problem *p = &plan->p;
    const across_kernels *across = pyconvc_kernels()->across[p->dtype];
    if (lies_across(plan, across, again)) plan->across = across;
    if (!plan->across && reads_apart(plan, across)) {
        plan->across = across;
        plan->apart = 1;
    }
    plan->block = plan->across ? across->channels : plan->kernels->channels;
    plan->in_place = plan->across ? is_inside(plan) : reads_in_place(p, plan->kernels->lanes);
    plan->panels = !plan->across && plan->in_place && reads_panels(p);
    if (plan->apart ? planes_collide(p)
                    : !plan->panels && !plan->across && (planes_collide(p) || p->x_step[5] != 1))
        plan->in_place = 0;
}

static pyconvc_status make(mix_plan *plan, const void *w, int again, const pyconvc_run *run) {
    const pyconvc_problem *p = &plan->p;
    const int64_t taps = taps_of_output(p);
    plan->bytes = pyconvc_sample_bytes(p->dtype);
    plan->parts = parts_of(p->dtype);
    plan->p.conjugate &= plan->parts == 2;
    plan->work = (double)p->batch * (double)(p->groups * p->channels_out) *
                 (double)(p->output[D] * p->output[H]) * (double)p->output[W] * (double)taps *
                 (double)plan->bytes;
    plan->workers = parallel_workers(run, plan->work);
    pyconvc_status status = mix_find_regions(plan, w);
    if (status) return status;
    find_form(plan, again);
    plan->blocks = ceil_div(p->channels_out, plan->block);
    plan->block_samples = taps * plan->block;
    if (plan->panels)
        size_panels(plan);
    else
        size_columns(plan);
    if ((status = make_tiles(plan))) return status;
    if (plan->apart)
        size_apart(plan);
    else if (plan->across)
        size_across(plan);
    else if (!plan->panels)
        size_pass(plan);
    plan->y_in_place = writes_in_place(plan);
    size_rows(plan);
    if ((status = size_tasks(plan))) return status;
    size_tiles(plan);
    if (again || plan->apart || !(plan->across || reads_weights_in_place(plan)))
        status = mix_pack_weights(plan, w, run);
    return status ? status : mix_place_taps(plan);
}

pyconvc_status mix_plan_make(mix_plan *plan, const pyconvc_problem *p, const void *w, int again,
                             const pyconvc_run *run) {
    const kernel_table *table = pyconvc_kernels();
    *plan = (mix_plan){.p = *p, .w = w};
    if (!table) return PYCONVC_NO_ISA;
    pyconvc_join_lines(&plan->p);
    plan->kernels = &table->mix[p->dtype];
    plan->outer = &table->outer[p->dtype];
    return make(plan, w, again, run);
}

void mix_plan_free(mix_plan *plan) {
    for (int a = 0; a < PYCONVC_RANK; a++) {
        free(plan->axis[a].spans);
        free(plan->axis[a].regions);
    }
    free(plan->tiles);
    free(plan->taps);
    free(plan->tables);
    free(plan->weights);
}
