/* SPDX-License-Identifier: BSD-3-Clause
 * winograd.c -- one task: the stages on a block of tiles (see winograd.h). */
#include "winograd.h"

#include <math.h>
#include <string.h>

#include "arena.h"
#include "gather.h"
#include "parallel.h"

enum { D, H, W };

typedef struct {
    const winograd_plan *plan;
    const char *x, *w, *bias;
    char *y;
    unsigned char *marks;
} job;

/* The part of a task's tiles that lies in one run. */
typedef struct {
    const winograd_grid *grid;
    int64_t lane, tiles, sample, depth, row, column; /* from the first output on */
} segment;

typedef struct {
    int64_t group, first, lanes; /* tiles of the task */
    int64_t first_block, end_block, segments;
} task;

/* The memory of a task: [segment][plane][rows] as packed; then [element][plane][lane], except
 * outputs [phase across][row][lane][column] of one channel and a flag for each lane. */
typedef struct {
    segment *segments;
    char *packed, *peaks, *input, *sums, *outputs, *unfit, *weights; /* the last if at_use */
} scratch;

/* With room for the whole vectors of tiles that are read beyond the last segment, and written. */
static size_t lay_out(const winograd_plan *plan, char *base, scratch *s) {
    const winograd_form *form = &plan->form;
    const int64_t slack = plan->kernels->lanes * (form->across.outputs + 1);
    arena a = {base, 0};
    s->segments = carve(&a, plan->segments * (int64_t)sizeof *s->segments);
    s->packed =
        carve(&a, (plan->planes_packed * plan->segments * plan->plane + slack) * plan->bytes);
    s->peaks = carve(&a, plan->segments * plan->plane * plan->bytes);
    s->input = carve(&a, form->elements * plan->input_step * plan->bytes);
    s->sums = carve(&a, form->elements * plan->sums_step * plan->bytes);
    s->outputs = carve(&a, plan->shares.taps.column_step * plan->outputs * plan->bytes);
    s->unfit = carve(&a, (plan->lanes + slack) * plan->bytes);
    s->weights = carve(&a, plan->at_use ? plan->block_samples * plan->bytes : 0);
    return (size_t)a.bytes;
}

size_t winograd_scratch(const winograd_plan *plan) {
    scratch s;
    return lay_out(plan, NULL, &s);
}

/* The segment that begins at a lane of the task. */
static segment find_segment(const winograd_plan *plan, const task *t, int64_t lane) {
    const int64_t tile = t->first + lane, in_image = tile % plan->image_tiles;
    const int64_t image = tile / plan->image_tiles, slice = image / plan->grid_count;
    segment s = {.grid = plan->grids + image % plan->grid_count,
                 .lane = lane,
                 .sample = slice / plan->p.output[D],
                 .depth = slice % plan->p.output[D]};
    s.row = in_image / plan->across * plan->form.down.outputs;
    s.column = winograd_column(plan, in_image % plan->across);
    s.tiles = min64(plan->run - in_image % plan->run, t->lanes - lane);
    return s;
}

static void find_segments(const winograd_plan *plan, task *t, segment *segments) {
    for (int64_t lane = 0; lane < t->lanes; lane += segments[t->segments++].tiles)
        segments[t->segments] = find_segment(plan, t, lane);
}

/* Raises the peaks of a segment to some of its planes. */
static void find_peaks(const winograd_plan *plan, const char *packed, int64_t planes, char *peaks) {
    winograd_peaks part = {.count = plan->grids->tile.rows * plan->grids->tile.row_pitch,
                           .to = peaks};
    for (int64_t i = 0; i < planes; i++) {
        part.x = packed + i * plan->plane * plan->bytes;
        plan->kernels->peaks(&part);
    }
}

/* Segment after segment: one is written in whole vectors, and what that spills over belongs to
 * those that follow. */
static void transform_plane(const winograd_plan *plan, const task *t, const scratch *s,
                            int64_t part_of_taps, const char *packed, char *to) {
    const winograd_form *form = &plan->form;
    winograd_input part = {
        .form = form,
        .lines = &plan->lines,
        .down = winograd_find_part(&form->down, part_of_taps / form->across.parts).first,
        .across = winograd_find_part(&form->across, part_of_taps % form->across.parts).first,
        .x = packed,
        .to = to,
        .to_element = plan->input_step};
    for (int64_t i = 0; i < t->segments; i++) {
        part.tiles = s->segments[i].tiles;
        plan->kernels->input(&part);
        part.x = (const char *)part.x + plan->planes_packed * plan->plane * plan->bytes;
        part.to = (char *)part.to + part.tiles * plan->bytes;
    }
}

/* Packs some planes of all segments and transforms them, part by part. */
static void transform_planes(const job *j, const task *t, const scratch *s, int64_t first,
                             int64_t planes, char *to) {
    const winograd_plan *plan = j->plan;
    const winograd_form *form = &plan->form;
    const int64_t bytes = plan->bytes, pitch = plan->planes_packed * plan->plane;
    char *packed = s->packed, *peaks = s->peaks;
    for (const segment *g = s->segments; g < s->segments + t->segments; g++) {
        const tile_place at = {.image = g->sample,
                               .group = t->group,
                               .depth = g->depth,
                               .row = g->row,
                               .rows = form->down.outputs,
                               .column = g->column,
                               .columns =
                                   g->tiles * (plan->lines.beside ? 1 : form->across.outputs),
                               .first_plane = first,
                               .planes = planes};
        tile_pack(&g->grid->tile, &at, j->x + g->grid->x_at * bytes, packed);
        find_peaks(plan, packed, planes, peaks);
        peaks += plan->plane * bytes;
        packed += pitch * bytes;
    }
    for (int64_t i = 0; i < planes; i++)
        for (int64_t p = 0; p < form->parts; p++, to += plan->lanes * bytes)
            transform_plane(plan, t, s, p, s->packed + i * plan->plane * bytes, to);
}

static void transform_input(const job *j, const task *t, const scratch *s, int64_t first,
                            int64_t planes) {
    const winograd_plan *plan = j->plan;
    for (int64_t i = 0; i < planes; i += plan->planes_packed)
        transform_planes(j, t, s, first + i, min64(plan->planes_packed, planes - i),
                         s->input + i * plan->form.parts * plan->lanes * plan->bytes);
}

/* Output channels of a panel. */
static int64_t panel_channels(const winograd_plan *plan, int64_t panel) {
    const int64_t most = plan->kernels->panel;
    return min64(most, plan->p.channels_out - panel / plan->shares.taps.count * most);
}

/* What is summed for block b: channels of all phases, to the last of the last panel. */
static int64_t block_channels(const winograd_plan *plan, int64_t b) {
    const int64_t last = winograd_panels(plan, b) - 1;
    return last * plan->kernels->panel + panel_channels(plan, b * plan->block_panels + last);
}

/* Sums of block b of output channels over `planes` of them from `first` on, of which the input is
 * transformed from `start` on. */
static void multiply(const winograd_plan *plan, const task *t, const scratch *s, int64_t b,
                     int64_t start, int64_t first, int64_t planes) {
    const int64_t panel = plan->kernels->panel, bytes = plan->bytes, parts = plan->form.parts;
    const int64_t before = (t->group * plan->blocks + b) * plan->block_samples,
                  panels = winograd_panels(plan, b) * panel;
    const char *w =
        plan->at_use ? s->weights : plan->weights + (before + first * parts * panels) * bytes;
    winograd_product m = {
        .lanes = plan->lanes, .outputs = block_channels(plan, b), .tiles = t->lanes};
    for (int64_t e = 0; e < plan->form.elements; e++)
        for (int64_t i = 0; i < planes; i += plan->planes_summed) {
            m.channels = min64(plan->planes_summed, planes - i) * parts;
            m.w = w + (e * plan->weights_step + i * parts * panels) * bytes;
            m.v = s->input +
                  (e * plan->input_step + (first - start + i) * parts * plan->lanes) * bytes;
            m.sums = s->sums + e * plan->sums_step * bytes;
            m.accumulate = first + i > 0;
            plan->kernels->product(&m);
        }
}

/* The same; weights that are used once are transformed as far as they are summed up at once. */
static void sum_block(const job *j, const task *t, const scratch *s, int64_t b, int64_t start,
                      int64_t planes) {
    const winograd_plan *plan = j->plan;
    const int64_t step = plan->at_use ? plan->planes_summed : planes;
    for (int64_t i = start; i < start + planes; i += step) {
        const int64_t count = min64(step, start + planes - i);
        if (plan->at_use) winograd_transform_block(plan, j->w, t->group, b, i, count, s->weights);
        multiply(plan, t, s, b, start, i, count);
    }
}

/* Outputs first .. end - 1 of a row of tiles of one phase, `column` the first of the row: those
 * that lie inside the image. */
static void put_part(int64_t bytes, const winograd_outputs *to, int64_t column, int64_t first,
                     int64_t end, int64_t step, const char *from, char *y) {
    const int64_t here = max64(first, to->skip[1] - column),
                  there = min64(end, to->output[1] - column);
    if (here < there)
        scatter(bytes, from + here * bytes, there - here, step, y + here * step * bytes);
}

/* A row of tiles of all phases across, side by side where there is an output of each. */
static void put_line(const winograd_plan *plan, const winograd_outputs *to, int64_t column,
                     int64_t count, int64_t step, const char *from, char *y) {
    const int64_t phases = plan->shares.taps.column_step, bytes = plan->bytes;
    int64_t first = 0, end = count;
    if (phases == 1) {
        put_part(bytes, to, column, 0, count, step, from, y);
        return;
    }
    for (int64_t f = 0; f < phases; f++) {
        first = max64(first, to[f].skip[1] - column);
        end = min64(end, to[f].output[1] - column);
    }
    if (step == phases && first < end)
        interleave(bytes, from + first * bytes, plan->outputs, phases, end - first,
                   y + first * step * bytes);
    else
        first = end = count;
    for (int64_t f = 0; f < phases; f++) {
        const char *line = from + f * plan->outputs * bytes;
        char *at = y + f * (step / phases) * bytes;
        put_part(bytes, to + f, column, 0, first, step, line, at);
        put_part(bytes, to + f, column, end, count, step, line, at);
    }
}

/* The outputs of a channel, in phases across from `phase` on, that lie inside the image. */
static void put_segment(const job *j, const task *t, const scratch *s, const segment *g, int64_t k,
                        int64_t phase) {
    const winograd_plan *plan = j->plan;
    const winograd_form *form = &plan->form;
    const pyconvc_problem *p = &g->grid->p;
    winograd_outputs to[WINOGRAD_KERNEL];
    for (int64_t f = 0; f < plan->shares.taps.column_step; f++)
        to[f] = winograd_outputs_of(plan, g->grid, phase + f);
    const int64_t width = form->across.outputs, bytes = plan->bytes,
                  beside = plan->lines.beside ? width : 1; /* pieces of a row */
    const int64_t at = to->y_at + g->sample * p->y_step[0] + t->group * p->y_step[1] +
                       k * p->y_step[2] + g->depth * p->y_step[3];
    const int64_t end = min64(form->down.outputs, to->output[0] - g->row);
    for (int64_t i = max64(0, to->skip[0] - g->row) * beside; i < end * beside; i++) {
        const int64_t column = g->column + i % beside * plan->run;
        put_line(plan, to, column, g->tiles * width / beside, p->y_step[5],
                 s->outputs + (i * plan->lanes + g->lane) * width / beside * bytes,
                 j->y +
                     (at + (g->row + i / beside) * p->y_step[4] + column * p->y_step[5]) * bytes);
    }
}

/* Channel k of the phases across, from that of a panel on. */
static void transform_channel(const job *j, const task *t, const scratch *s, int64_t panel,
                              int64_t k, const char *sums) {
    const winograd_plan *plan = j->plan;
    const int64_t phases = plan->shares.taps.count,
                  in_group = panel / phases * plan->kernels->panel + k,
                  channel = t->group * plan->p.channels_out + in_group;
    winograd_output part = {.form = &plan->form,
                            .sums = sums,
                            .bias = j->bias ? j->bias + channel * plan->bytes : NULL,
                            .element = plan->sums_step,
                            .vectors = ceil_div(t->lanes, plan->kernels->lanes),
                            .to = s->outputs,
                            .unfit = s->unfit,
                            .lanes = plan->lanes,
                            .beside = plan->lines.beside};
    for (int64_t f = 0; f < plan->shares.taps.column_step; f++) {
        plan->kernels->output(&part);
        part.sums = (const char *)part.sums + plan->kernels->panel * plan->lanes * plan->bytes;
        part.to = (char *)part.to + plan->outputs * plan->bytes;
    }
    for (const segment *g = s->segments; g < s->segments + t->segments; g++)
        put_segment(j, t, s, g, in_group, panel % phases);
}

/* All phases of a channel, then the next. */
static void transform_output(const job *j, const task *t, const scratch *s, int64_t b) {
    const winograd_plan *plan = j->plan;
    const winograd_phases *phases = &plan->shares.taps;
    const int64_t first = b * plan->block_panels, end = first + winograd_panels(plan, b);
    for (int64_t panel = first; panel < end; panel += phases->count)
        for (int64_t k = 0; k < panel_channels(plan, panel); k++)
            for (int64_t f = 0; f < phases->count; f += phases->column_step) {
                const int64_t row = (panel + f - first) * plan->kernels->panel + k;
                transform_channel(j, t, s, panel + f, k, s->sums + row * plan->lanes * plan->bytes);
            }
}

static void find_quiet(const winograd_plan *plan, const task *t, const scratch *s) {
    const winograd_phases *taps = &plan->shares.taps;
    winograd_quiet part = {.form = &plan->form,
                           .lines = &plan->lines,
                           .peaks = s->peaks,
                           .less_rows = taps->rows % taps->row_step != 0,
                           .less_columns = taps->columns % taps->column_step != 0};
    for (const segment *g = s->segments; g < s->segments + t->segments; g++) {
        part.tiles = g->tiles;
        part.unfit = s->unfit + g->lane * plan->bytes;
        plan->kernels->quiet(&part);
        part.peaks = (const char *)part.peaks + plan->plane * plan->bytes;
    }
}

static int is_nan(const winograd_plan *plan, const char *sample) {
    return plan->bytes == sizeof(double) ? isnan(*(const double *)sample)
                                         : isnan(*(const float *)sample);
}

/* Tiles of a segment that have outputs: images may be smaller than the largest. */
static int64_t tiles_inside(const winograd_plan *plan, const segment *g) {
    const int64_t *output = g->grid->p.output,
                  apart = plan->lines.beside ? 1 : plan->form.across.outputs;
    return g->row < output[H] ? min64(g->tiles, ceil_div(output[W] - g->column, apart)) : 0;
}

/* Tiles that are not to be had this way. */
static void mark(const job *j, const task *t, const scratch *s) {
    const winograd_plan *plan = j->plan;
    unsigned char *marks = j->marks + t->group * plan->tiles + t->first;
    for (const segment *g = s->segments; g < s->segments + t->segments; g++) {
        const int64_t end = g->lane + tiles_inside(plan, g);
        for (int64_t lane = g->lane; lane < end; lane++)
            if (is_nan(plan, s->unfit + lane * plan->bytes))
                __atomic_store_n(marks + lane, 1, __ATOMIC_RELAXED); /* by any part of channels */
    }
}

static void locate(const winograd_plan *plan, int64_t index, task *t) {
    const int64_t part = index % plan->parts_of_blocks, at = index / plan->parts_of_blocks;
    t->first = at % plan->tile_blocks * plan->lanes;
    t->group = at / plan->tile_blocks;
    t->lanes = min64(plan->lanes, plan->tiles - t->first);
    t->first_block = plan->blocks * part / plan->parts_of_blocks;
    t->segments = 0;
    t->end_block = plan->blocks * (part + 1) / plan->parts_of_blocks;
}

static void do_task(const void *context, int64_t index, void *memory) {
    const job *j = context;
    const winograd_plan *plan = j->plan;
    const int64_t all = plan->planes;
    scratch s;
    task t;
    lay_out(plan, memory, &s);
    locate(plan, index, &t);
    find_segments(plan, &t, s.segments);
    memset(s.unfit, 0, (size_t)(plan->lanes * plan->bytes));
    memset(s.peaks, 0, (size_t)(plan->segments * plan->plane * plan->bytes));
    for (int64_t b = t.first_block; b < t.end_block; b++) {
        for (int64_t i = 0; i < all; i += plan->planes_at_once) {
            const int64_t planes = min64(plan->planes_at_once, all - i);
            if (b == t.first_block || plan->planes_at_once < all)
                transform_input(j, &t, &s, i, planes);
            sum_block(j, &t, &s, b, i, planes);
        }
        transform_output(j, &t, &s, b);
    }
    find_quiet(plan, &t, &s);
    mark(j, &t, &s);
}

int64_t winograd_marks(const winograd_plan *plan) {
    return plan->p.groups * plan->tiles;
}

pyconvc_status winograd_run(const winograd_plan *plan, const void *x, const void *w,
                            const void *bias, void *y, unsigned char *marks,
                            const pyconvc_run *run) {
    const job j = {plan, x, w, bias, y, marks};
    return parallel_for(plan->tasks, parallel_workers(run, plan->work), winograd_scratch(plan),
                        do_task, &j, run);
}
