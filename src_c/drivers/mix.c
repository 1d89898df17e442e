/* SPDX-License-Identifier: BSD-3-Clause
 * mix.c -- one task: some input channels after the other, pack their tile of the input, then all
 * output channels on it (see mix.h). */
#include "mix.h"

#include <string.h>

#include "arena.h"
#include "gather.h"
#include "parallel.h"

#define CACHE_LINE 64
#define TURNED     16 /* columns of all channels that are put to their places together */
#define AHEAD      4  /* planes whose lines are asked for before they are copied */

enum { D, H, W };

typedef struct {
    const mix_plan *plan;
    const char *x, *bias;
    char *y;
} job;

typedef struct {
    tile_place at;
    const tile_shape *tile;
    const mix_tap *taps;
    int64_t taps_per_plane, first_depth, end_depth; /* of the task's region */
    int64_t channel, channels;                      /* output channels of the group */
} task;

typedef struct {
    char *tile;
    char *rows; /* outputs, where y has no lines to write to */
    /* Where output channels are lanes: panels of the tile, sums, [block][pixel][channel], the bias
     * of whole blocks, and the weights of a block in a pass and of the next one, of which so many
     * channels are there. */
    char *panels, *sums, *bias, *weights, *ahead;
    int64_t turned;
} scratch;

/* Samples from a panel to the next: an odd number of cache lines, as they are written in turn. */
static int64_t panel_pitch(const mix_plan *plan) {
    const int64_t line = CACHE_LINE / plan->bytes;
    return (ceil_div(plan->channels_at_once * plan->kernels->lanes, line) | 1) * line;
}

/* Taps of a pass. */
static int64_t taps_at_once(const mix_plan *plan) {
    return plan->channels_at_once * plan->depth_at_once * plan->p.kernel[H] * plan->p.kernel[W];
}

/* Turned weights of a chunk. */
static int64_t weights_bytes(const mix_plan *plan) {
    return plan->weights ? 0 : plan->chunk * plan->block * plan->bytes;
}

static size_t lay_out(const mix_plan *plan, char *base, scratch *s) {
    const int64_t channels = ceil_div(plan->blocks, plan->parts_of_blocks) * plan->block;
    const int64_t rows = plan->y_in_place ? 0 : channels * plan->rows * plan->columns;
    int64_t plane = 0;
    for (int64_t i = 0; i < plan->axis[W].region_count && !plan->in_place; i++)
        plane = max64(plane, plan->tiles[i].plane_pitch);
    const int64_t tile = plan->panels
                             ? ceil_div(plan->columns, plan->kernels->lanes) * panel_pitch(plan)
                             : plan->channels_at_once * plan->depth_at_once * plane;
    arena a = {base, 0};
    s->tile = carve(&a, tile * plan->bytes);
    s->rows = carve(&a, rows * plan->bytes);
    if (!plan->across) return (size_t)a.bytes;
    const int64_t pixels = plan->rows * plan->columns;
    s->panels = carve(&a, plan->apart ? 0 : pixels * taps_at_once(plan) * plan->bytes);
    s->sums = carve(&a, channels * pixels * plan->bytes);
    s->bias = carve(&a, channels * plan->bytes);
    s->weights = carve(&a, weights_bytes(plan));
    s->ahead = carve(&a, weights_bytes(plan));
    return (size_t)a.bytes;
}

size_t mix_scratch(const mix_plan *plan) {
    scratch s;
    return lay_out(plan, NULL, &s);
}

/* Dense rows of the task's channels to their places in y. */
static void copy_out(const mix_plan *plan, const task *t, const char *dense, char *y) {
    const pyconvc_problem *p = &plan->p;
    const int64_t bytes = plan->bytes;
    if (p->y_step[2] == 1) {
        for (int64_t r = 0; r < t->at.rows; r++)
            for (int64_t j = 0; j < t->at.columns; j += TURNED)
                gather_turned(bytes, dense + (r * t->at.columns + j) * bytes,
                              t->at.rows * t->at.columns, t->channels,
                              min64(TURNED, t->at.columns - j), p->y_step[5],
                              y + (r * p->y_step[4] + j * p->y_step[5]) * bytes);
        return;
    }
    for (int64_t k = 0; k < t->channels; k++)
        for (int64_t r = 0; r < t->at.rows; r++, dense += t->at.columns * bytes)
            scatter(bytes, dense, t->at.columns, p->y_step[5],
                    y + (k * p->y_step[2] + r * p->y_step[4]) * bytes);
}

/* The weights of the task's output channels, from an input channel on. */
static void set_weights(const mix_plan *plan, const task *t, int64_t channel_in, mix_job *m) {
    const pyconvc_problem *p = &plan->p;
    const int64_t taps = p->kernel[D] * p->kernel[H] * p->kernel[W],
                  block = t->channel / plan->block;
    if (plan->weights) {
        m->w = plan->weights + ((t->at.group * plan->blocks + block) * plan->block_samples +
                                channel_in * taps * plan->block) *
                                   plan->bytes;
        m->channel_step = plan->parts;
        m->block_step = plan->block_samples * plan->parts;
    } else {
        m->w = plan->w + (t->at.group * p->w_step[0] + t->channel * p->w_step[1] +
                          channel_in * p->w_step[2]) *
                             plan->bytes;
        m->channel_step = p->w_step[1] * plan->parts;
        m->block_step = plan->block * m->channel_step;
    }
}

static void set_output(const mix_plan *plan, const task *t, char *y, char *rows, mix_job *m) {
    const pyconvc_problem *p = &plan->p;
    m->height = plan->flat ? 1 : t->at.rows;
    m->width = t->at.columns * (plan->flat ? t->at.rows : 1) * plan->parts;
    m->y = plan->y_in_place ? y : rows;
    m->y_pitch = plan->y_in_place ? p->y_step[4] * plan->parts : t->at.columns * plan->parts;
    m->y_channel =
        plan->y_in_place ? p->y_step[2] * plan->parts : t->at.rows * t->at.columns * plan->parts;
}

/* The panels of the task where channels lie side by side; see mix_job for the last one. */
static void turn_panels(const mix_plan *plan, const task *t, const char *x, char *to) {
    const int64_t last = t->at.columns - plan->kernels->lanes,
                  step = panel_pitch(plan) * plan->bytes, samples = plan->p.x_step[5];
    for (int64_t j = 0; j < t->at.columns; j += plan->kernels->lanes, to += step)
        gather_turned(plan->bytes, x + min64(j, last) * samples * plan->bytes, samples,
                      plan->kernels->lanes, t->at.planes, plan->kernels->lanes, to);
}

/* The same, a channel after the other, where samples do. */
static inline void copy_panels(const mix_plan *plan, const task *t, const char *x, size_t bytes,
                               char *to) {
    const int64_t last = t->at.columns - plan->kernels->lanes,
                  step = panel_pitch(plan) * plan->bytes;
    const int64_t plane = plan->p.x_step[2] * plan->bytes;
    for (int64_t c = 0; c < t->at.planes; c++, x += plane, to += bytes) {
        char *panel = to;
        for (int64_t j = 0; j < t->at.columns * plan->bytes; j += CACHE_LINE)
            __builtin_prefetch(x + AHEAD * plane + j);
        for (int64_t j = 0; j < last; j += plan->kernels->lanes, panel += step)
            memcpy(panel, x + j * plan->bytes, bytes);
        memcpy(panel, x + last * plan->bytes, bytes);
    }
}

/* For the widths of vectors that there are, copies of whole vectors. */
static void pack_panels(const mix_plan *plan, const task *t, const char *x, char *to) {
    const size_t bytes = (size_t)(plan->kernels->lanes * plan->bytes);
    if (plan->p.x_step[5] != 1)
        turn_panels(plan, t, x, to);
    else if (bytes == 16)
        copy_panels(plan, t, x, 16, to);
    else if (bytes == 32)
        copy_panels(plan, t, x, 32, to);
    else if (bytes == 64)
        copy_panels(plan, t, x, 64, to);
    else
        copy_panels(plan, t, x, bytes, to);
}

/* What a task is to its tile. */
static tile_place in_tile(const mix_plan *plan, const tile_place *at) {
    tile_place in = *at;
    in.row *= plan->tile_step[H];
    in.rows = mix_in_tile(plan, H, at->rows);
    in.column *= plan->tile_step[W];
    in.columns = mix_in_tile(plan, W, at->columns);
    return in;
}

static void set_input(const job *j, const task *t, char *tile, mix_job *m) {
    const mix_plan *plan = j->plan;
    const pyconvc_problem *p = &plan->p;
    if (plan->in_place) {
        const int64_t at = t->at.image * p->x_step[0] + t->at.group * p->x_step[1] +
                           t->at.first_plane / p->kernel[D] * p->x_step[2] +
                           (t->at.depth * p->stride[D] - p->pad_before[D]) * p->x_step[3] +
                           (t->at.row * p->stride[H] - p->pad_before[H]) * p->x_step[4] +
                           (t->at.column * p->stride[W] - p->pad_before[W]) * p->x_step[5];
        m->x = j->x + at * plan->bytes;
        m->row_step = p->stride[H] * p->x_step[4] * plan->parts;
        if (!plan->panels) return;
        pack_panels(plan, t, m->x, tile);
        m->x = tile;
        m->panel = panel_pitch(plan) * plan->parts;
    } else {
        const tile_place at = in_tile(plan, &t->at);
        tile_pack(t->tile, &at, j->x, tile);
        m->x = tile;
        m->row_step = plan->tile_step[H] * t->tile->row_pitch * plan->parts;
    }
}

/* The taps of the pass that starts at a depth tap of an input channel. */
static void set_taps(const mix_plan *plan, const task *t, int64_t depth, mix_job *m) {
    const int64_t kernel = plan->p.kernel[D], channels = max64(1, t->at.planes / kernel);
    const int64_t first = max64(depth, t->first_depth),
                  end = min64(depth + min64(t->at.planes, kernel), t->end_depth);
    m->taps = t->taps + (first - t->first_depth) * t->taps_per_plane;
    m->count = channels * max64(0, end - first) * t->taps_per_plane;
}

static const mix_region *region(const mix_axis *axis, const mix_span *span) {
    return axis->regions + span->region;
}

static void locate(const mix_plan *plan, int64_t index, task *t) {
    const pyconvc_problem *p = &plan->p;
    const mix_axis *a = plan->axis;
    const int64_t part = index % plan->parts_of_blocks, area = index / plan->parts_of_blocks;
    const mix_span *w = a[W].spans + area % a[W].span_count,
                   *h = a[H].spans + area / a[W].span_count % a[H].span_count;
    const int64_t image = area / a[W].span_count / a[H].span_count;
    const mix_span *d = a[D].spans + image % a[D].span_count;
    const mix_region *rd = region(&a[D], d), *rh = region(&a[H], h), *rw = region(&a[W], w);
    const int64_t first = plan->blocks * part / plan->parts_of_blocks,
                  end = plan->blocks * (part + 1) / plan->parts_of_blocks;
    *t = (task){.at = {.image = image / a[D].span_count / p->groups,
                       .group = image / a[D].span_count % p->groups,
                       .depth = d->first,
                       .row = h->first,
                       .rows = h->count,
                       .column = w->first,
                       .columns = w->count,
                       .only_inside = {a[D].region_count > 1, a[H].region_count > 1,
                                       a[W].region_count > 1}},
                .tile = plan->tiles + w->region,
                .taps =
                    plan->tables[(d->region * a[H].region_count + h->region) * a[W].region_count +
                                 w->region],
                .taps_per_plane = (rh->end_tap - rh->first_tap) * (rw->end_tap - rw->first_tap),
                .first_depth = rd->first_tap,
                .end_depth = rd->end_tap,
                .channel = first * plan->block};
    t->channels = min64(end * plan->block, p->channels_out) - t->channel;
}

/* What lanes without a channel work on is finite and not slow. */
static void begin_across(const mix_plan *plan, const task *t, const char *bias, scratch *s) {
    if (bias) memcpy(s->bias, bias, (size_t)(t->channels * plan->bytes));
    const int64_t used = t->channels % plan->block;
    if (!used) return;
    memset(s->bias + t->channels * plan->bytes, 0, (size_t)((plan->block - used) * plan->bytes));
    memset(s->weights, 0, (size_t)weights_bytes(plan));
    memset(s->ahead, 0, (size_t)weights_bytes(plan));
}

/* Where output channels are lanes, the weights of a block are turned chunk by chunk,
 * [tap][channel]: the channels from `first` on. */
static void turn_weights(const mix_plan *plan, const across_job *a, const char *w, int64_t first,
                         int64_t channels, char *to) {
    const int64_t step = plan->p.w_step[1];
    if (first < channels)
        plan->outer->transpose(w + first * step * plan->bytes, step, channels - first, a->chunk,
                               to + first * plan->bytes, plan->block);
}

/* From the weights of the chunk that begins with tap `first` to those of the next one, in this
 * block or the next. */
static int64_t to_next_chunk(const mix_plan *plan, const across_job *a, int64_t first) {
    return first + plan->chunk < a->count ? plan->chunk : plan->block * plan->p.w_step[1] - first;
}

/* What the work on a chunk turns of the next one, if that is as long. */
static across_next next_weights(const mix_plan *plan, const across_job *a, const char *w,
                                int64_t channels, char *to) {
    const across_kernels *kernels = plan->across;
    const int64_t tiles = ceil_div(a->height * a->width, kernels->pixels),
                  next = a->first + a->chunk < a->count ? a->first + a->chunk : 0;
    if (next == 0) channels -= plan->block;
    if (a->chunk % kernels->ahead || min64(plan->chunk, a->count - next) != a->chunk) channels = 0;
    const int64_t most = max64(0, min64(min64(channels, plan->block), kernels->ahead * tiles));
    return (across_next){.w = w + to_next_chunk(plan, a, a->first) * plan->bytes,
                         .step = plan->p.w_step[1],
                         .channels = most - most % max64(kernels->lanes, kernels->ahead),
                         .to = to,
                         .fetch = to_next_chunk(plan, a, next)};
}

/* A chunk, whose weights lie at w, in a block of which so many channels are left. */
static void add_chunk(const mix_plan *plan, across_job *a, const char *w, int64_t channels,
                      scratch *s) {
    a->w = w;
    a->ahead = a->chunk * plan->block;
    if (!plan->weights) {
        a->ahead = 0;
        turn_weights(plan, a, w, s->turned, min64(plan->block, channels), s->weights);
        a->w = s->weights;
        a->next = next_weights(plan, a, w, channels, s->ahead);
        s->turned = a->next.channels;
        s->ahead = s->weights;
        s->weights = a->next.to;
    }
    plan->across->across(a);
}

/* A block, whose weights lie at w: chunk by chunk, of which so many channels are left. */
static void add_chunks(const mix_plan *plan, across_job *a, const char *w, int64_t channels,
                       scratch *s) {
    const int64_t step = plan->weights ? plan->block * plan->bytes : plan->bytes;
    for (a->first = 0; a->first < a->count; a->first += a->chunk, a->accumulate = 1) {
        a->chunk = min64(plan->chunk, a->count - a->first);
        add_chunk(plan, a, w + a->first * step, channels, s);
    }
}

/* A pass, block by block. */
static void add_across(const mix_plan *plan, const task *t, const mix_job *m, scratch *s) {
    const int64_t pixels = t->at.rows * t->at.columns, block = plan->block * plan->bytes;
    across_job a = {.taps = m->taps,
                    .count = m->count,
                    .x = m->x,
                    .row_step = m->row_step,
                    .column_step =
                        plan->in_place ? plan->p.stride[W] * plan->p.x_step[5] : plan->tile_step[W],
                    .height = t->at.rows,
                    .width = t->at.columns,
                    .panels = s->panels};
    if (!plan->apart) plan->across->pack(&a);
    for (int64_t i = 0; i * plan->block < t->channels; i++) {
        a.w = (const char *)m->w + i * m->block_step * plan->bytes;
        a.bias = m->bias ? s->bias + i * block : NULL;
        a.sums = s->sums + i * pixels * block;
        a.accumulate = m->flags & FILTER_ACCUMULATE;
        if (plan->apart)
            plan->across->apart(&a);
        else
            add_chunks(plan, &a, a.w, t->channels - i * plan->block, s);
    }
}

/* Their sums to y, or to rows of outputs. */
static void turn_out(const mix_plan *plan, const task *t, const scratch *s, const mix_job *m) {
    const int64_t pixels = t->at.rows * t->at.columns,
                  pixel = plan->y_in_place ? plan->p.y_step[5] : 1,
                  at_once = m->y_pitch == t->at.columns * pixel ? pixels : t->at.columns;
    for (int64_t k = 0; k < t->channels; k += plan->block)
        for (int64_t i = 0; i < pixels; i += at_once)
            plan->outer->finish(s->sums + (k * pixels + i * plan->block) * plan->bytes, plan->block,
                                at_once, min64(plan->block, t->channels - k),
                                (char *)m->y + (k * m->y_channel + i / t->at.columns * m->y_pitch) *
                                                   plan->bytes,
                                pixel, m->y_channel);
}

static void do_task(const void *context, int64_t index, void *memory) {
    const job *j = context;
    const mix_plan *plan = j->plan;
    const pyconvc_problem *p = &plan->p;
    scratch s = {0};
    task t;
    lay_out(plan, memory, &s);
    locate(plan, index, &t);
    const int64_t channel = t.at.group * p->channels_out + t.channel;
    char *y =
        j->y + (t.at.image * p->y_step[0] + t.at.group * p->y_step[1] + t.channel * p->y_step[2] +
                t.at.depth * p->y_step[3] + t.at.row * p->y_step[4] + t.at.column * p->y_step[5]) *
                   plan->bytes;
    mix_job m = {.bias = j->bias ? j->bias + channel * plan->bytes : NULL,
                 .channels = t.channels,
                 .group = plan->group};
    set_output(plan, &t, y, s.rows, &m);
    if (plan->across) begin_across(plan, &t, m.bias, &s);
    for (int64_t c = 0; c < p->channels_in; c += plan->channels_at_once)
        for (int64_t d = 0; d < p->kernel[D]; d += plan->depth_at_once) {
            t.at.first_plane = c * p->kernel[D] + d;
            t.at.planes = min64(plan->channels_at_once, p->channels_in - c) *
                          min64(plan->depth_at_once, p->kernel[D] - d);
            set_input(j, &t, s.tile, &m);
            set_weights(plan, &t, c, &m);
            set_taps(plan, &t, d, &m);
            if (plan->across)
                add_across(plan, &t, &m, &s);
            else
                plan->kernels->mix(&m);
            m.flags = FILTER_ACCUMULATE;
        }
    if (plan->across) turn_out(plan, &t, &s, &m);
    if (!plan->y_in_place) copy_out(plan, &t, s.rows, y);
}

pyconvc_status mix_run(const mix_plan *plan, const void *x, const void *bias, void *y,
                       const pyconvc_run *run) {
    const job j = {plan, x, bias, y};
    return parallel_for(plan->tasks, parallel_workers(run, plan->work), mix_scratch(plan), do_task,
                        &j, run);
}
