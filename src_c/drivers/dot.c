/* SPDX-License-Identifier: BSD-3-Clause
 * dot.c -- see dot.h. */
#include "dot.h"

#include <stdlib.h>
#include <string.h>

#include "dispatch.h"
#include "gather.h"
#include "parallel.h"
#include "tile.h"

#define CHANNELS_OF_UNIT 32
#define TILE_BYTES       (256 << 10) /* packed input of a unit, and packed lines of y */
#define MOST_COLUMNS     4096
#define ENOUGH_UNITS     16

enum { D, H, W };

typedef struct {
    const pyconvc_problem *p;
    const dot_kernels *kernels;
    int64_t bytes, parts;
    tile_shape tile;
    /* Planes and channels of a unit; rows of sums: `rows_k` of y's channels (complex: two each, by
     * part). */
    int64_t planes, planes_of_unit, plane_blocks, channels_of_unit, channel_blocks, taps_per_plane;
    int64_t by_channel, by_offset, rows_k,
        offsets_padded; /* the kernel's tile; sums of a unit, in whole tiles */
    int64_t *offsets;
    int64_t line; /* elements of a packed line of y */
    int64_t bands, column_blocks, pieces, units,
        slices;    /* pieces: image x depth x band x column block */
    char *partial; /* [slice][unit][channel][plane tap]: reduced sums */
} dot_plan;

typedef struct {
    const dot_plan *plan;
    const char *x, *y;
} job;

typedef struct {
    char *tile, *lines, *sums;
    char *parts; /* complex: reduced sums of real and imaginary rows */
} scratch;

static int64_t elem_bytes(const dot_plan *plan) {
    return plan->bytes / plan->parts;
}

static size_t lay_out(const dot_plan *plan, char *base, scratch *s) {
    const int64_t tile = plan->planes_of_unit *
                         tile_plane(&plan->tile, plan->tile.rows_out, plan->tile.columns) *
                         plan->bytes;
    const int64_t lines = plan->rows_k * plan->tile.rows_out * plan->line * elem_bytes(plan);
    const int64_t sums =
        plan->rows_k * plan->offsets_padded * plan->kernels->vector * elem_bytes(plan);
    s->tile = base;
    s->lines = s->tile + round_up(tile, 64);
    s->sums = s->lines + round_up(lines, 64);
    s->parts = s->sums + round_up(sums, 64);
    const int64_t parts = plan->parts == 1 ? 0 : plan->rows_k * plan->offsets_padded * plan->bytes;
    return (size_t)(round_up(tile, 64) + round_up(lines, 64) + round_up(sums, 64) + parts);
}

/* ---- plan
 * ---------------------------------------------------------------------------------------- */

static void size_tile(dot_plan *plan) {
    const pyconvc_problem *p = plan->p;
    int64_t columns = min64(p->output[W], MOST_COLUMNS), rows = p->output[H];
    plan->planes_of_unit = min64(plan->planes, max64(1, CHANNELS_OF_UNIT));
    while (plan->planes_of_unit > 4 &&
           plan->planes_of_unit * tile_plane(&plan->tile, 1, columns) * plan->bytes > TILE_BYTES)
        plan->planes_of_unit /= 2;
    while (columns > 256 &&
           plan->planes_of_unit * tile_plane(&plan->tile, 1, columns) * plan->bytes > TILE_BYTES)
        columns = ceil_div(columns, 2);
    const int64_t line = (columns + plan->kernels->vector) * plan->bytes;
    while (
        rows > 1 &&
        (plan->planes_of_unit * tile_plane(&plan->tile, rows, columns) * plan->bytes > TILE_BYTES ||
         plan->channels_of_unit * rows * line * plan->parts > TILE_BYTES))
        rows = ceil_div(rows, 2);
    tile_size(&plan->tile, rows, columns);
    plan->bands = ceil_div(p->output[H], rows);
    plan->column_blocks = ceil_div(p->output[W], columns);
    plan->line = round_up(columns * plan->parts, plan->kernels->vector);
}

static void place_offsets(dot_plan *plan) {
    const pyconvc_problem *p = plan->p;
    const int64_t used = plan->planes_of_unit * plan->taps_per_plane;
    int64_t *to = plan->offsets;
    for (int64_t plane = 0; plane < plan->planes_of_unit; plane++)
        for (int64_t h = 0; h < p->kernel[H]; h++)
            for (int64_t w = 0; w < p->kernel[W]; w++)
                *to++ = tile_offset(&plan->tile, plane, h, w) * plan->parts;
    for (int64_t i = used; i < plan->offsets_padded; i++)
        *to++ = 0; /* computed and thrown away */
}

static pyconvc_status make(dot_plan *plan, const pyconvc_problem *p) {
    const kernel_table *table = pyconvc_kernels();
    *plan = (dot_plan){.p = p,
                       .planes = p->channels_in * p->kernel[D],
                       .taps_per_plane = p->kernel[H] * p->kernel[W]};
    if (!table) return PYCONVC_NO_ISA;
    plan->kernels = &table->dot[p->dtype];
    plan->bytes = pyconvc_sample_bytes(p->dtype);
    plan->parts = parts_of(p->dtype);
    plan->channels_of_unit = min64(p->channels_out, CHANNELS_OF_UNIT);
    const pyconvc_status status = tile_make(&plan->tile, p, plan->kernels->vector);
    if (status) return status;
    size_tile(plan);
    const int64_t rows_k = plan->channels_of_unit * plan->parts,
                  offsets = plan->planes_of_unit * plan->taps_per_plane;
    plan->by_channel = rows_k == 1 ? 1 : plan->kernels->channels;
    plan->by_offset = rows_k == 1 ? plan->kernels->offsets_of_one : plan->kernels->offsets;
    plan->rows_k = round_up(rows_k, plan->by_channel);
    plan->offsets_padded = round_up(offsets, plan->by_offset);
    plan->channel_blocks = ceil_div(p->channels_out, plan->channels_of_unit);
    plan->plane_blocks = ceil_div(plan->planes, plan->planes_of_unit);
    plan->units = p->groups * plan->channel_blocks * plan->plane_blocks;
    plan->pieces = p->batch * p->output[D] * plan->bands * plan->column_blocks;
    plan->slices =
        plan->units >= ENOUGH_UNITS ? 1 : min64(plan->pieces, ceil_div(ENOUGH_UNITS, plan->units));
    plan->offsets = malloc((size_t)plan->offsets_padded * sizeof *plan->offsets);
    plan->partial = malloc(
        (size_t)(plan->slices * plan->units * offsets * plan->channels_of_unit * plan->bytes));
    if (!plan->offsets || !plan->partial) return PYCONVC_NO_MEMORY;
    place_offsets(plan);
    return PYCONVC_OK;
}

/* ---- work
 * ---------------------------------------------------------------------------------------- */

typedef struct {
    int64_t group, channel, channels, first_plane, planes;
} unit;

static unit locate(const dot_plan *plan, int64_t index) {
    unit u = {.group = index / (plan->channel_blocks * plan->plane_blocks)};
    u.channel = index / plan->plane_blocks % plan->channel_blocks * plan->channels_of_unit;
    u.channels = min64(plan->channels_of_unit, plan->p->channels_out - u.channel);
    u.first_plane = index % plan->plane_blocks * plan->planes_of_unit;
    u.planes = min64(plan->planes_of_unit, plan->planes - u.first_plane);
    return u;
}

/* A complex line of y as two: its real parts, each twice, and its imaginary parts, each twice; so
 * that products with the (re, im) pairs of x are lane by lane. */
static void split_parts(const dot_plan *plan, char *line, char *real, char *imaginary,
                        int64_t samples) {
    const size_t half = (size_t)elem_bytes(plan);
    for (int64_t j = samples - 1; j >= 0; j--) {
        char sample[16];
        memcpy(sample, line + j * plan->bytes, (size_t)plan->bytes);
        for (int twice = 0; twice < 2; twice++) {
            memcpy(imaginary + j * plan->bytes + twice * half, sample + half, half);
            memcpy(real + j * plan->bytes + twice * half, sample, half);
        }
    }
}

/* Lines of y, zero behind their end: [channel (and part)][row]. */
static void pack_lines(const job *j, const unit *u, const tile_place *at, char *to) {
    const dot_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    const int64_t line_bytes = plan->line * elem_bytes(plan),
                  channel_bytes = plan->tile.rows_out * line_bytes;
    for (int64_t k = 0; k < u->channels; k++)
        for (int64_t r = 0; r < at->rows; r++) {
            const int64_t first = at->image * p->y_step[0] + u->group * p->y_step[1] +
                                  (u->channel + k) * p->y_step[2] + at->depth * p->y_step[3] +
                                  (at->row + r) * p->y_step[4] + at->column * p->y_step[5];
            char *real = to + k * plan->parts * channel_bytes + r * line_bytes,
                 *imaginary = real + channel_bytes;
            const int64_t used = at->columns * plan->bytes;
            gather_all(plan->bytes, j->y + first * plan->bytes, at->columns, p->y_step[5], real);
            memset(real + used, 0, (size_t)(line_bytes - used));
            if (plan->parts == 1) continue;
            memset(imaginary + used, 0, (size_t)(line_bytes - used));
            split_parts(plan, real, real, imaginary, at->columns);
        }
}

/* Every tile of sums over one piece. */
static void add_piece(const dot_plan *plan, const unit *u, const tile_place *at, const scratch *s) {
    const int64_t size = elem_bytes(plan), used_k = u->channels * plan->parts,
                  used = u->planes * plan->taps_per_plane;
    const int64_t sums = plan->by_channel * plan->by_offset * plan->kernels->vector * size;
    dot_job d = {
        .g_channel = plan->tile.rows_out * plan->line, .g_pitch = plan->line, .x = s->tile};
    d.x_pitch = plan->tile.by_row * plan->parts;
    d.height = at->rows;
    d.width = at->columns * plan->parts;
    for (int64_t k = 0; k < used_k; k += plan->by_channel)
        for (int64_t t = 0; t < used; t += plan->by_offset) {
            d.g = s->lines + k * d.g_channel * size;
            d.offsets = plan->offsets + t;
            d.sums = s->sums + (k / plan->by_channel * (plan->offsets_padded / plan->by_offset) +
                                t / plan->by_offset) *
                                   sums;
            (plan->by_channel == 1 ? plan->kernels->one : plan->kernels->many)(&d);
        }
}

/* Sums of a unit in one slice: [channel][plane tap]. */
static char *partial(const dot_plan *plan, int64_t slice, int64_t index) {
    return plan->partial + (slice * plan->units + index) * plan->channels_of_unit *
                               plan->planes_of_unit * plan->taps_per_plane * plan->bytes;
}

/* Rows of a channel's real and imaginary parts, both over (re, im) pairs of x, into its complex
 * row. */
#define JOIN(T)                                                                                    \
    for (int64_t i = 0; i < count; i++) {                                                          \
        const T *re = (const T *)real + 2 * i, *im = (const T *)imaginary + 2 * i;                 \
        const T joined[2] = {re[0] - im[1], re[1] + im[0]};                                        \
        memcpy((T *)to + 2 * i, joined, sizeof joined);                                            \
    }
static void join_parts(int32_t dtype, const char *real, const char *imaginary, int64_t count,
                       char *to) {
    if (dtype == PYCONVC_C64)
        JOIN(float)
    else
        JOIN(double)
}
#undef JOIN

static void finish_unit(const dot_plan *plan, const unit *u, const scratch *s, char *to) {
    const int64_t count = u->planes * plan->taps_per_plane, row = count * plan->bytes;
    const dot_grid grid = {u->channels * plan->parts, count, plan->by_channel, plan->by_offset,
                           plan->offsets_padded / plan->by_offset};
    plan->kernels->reduce(s->sums, &grid, plan->parts == 1 ? to : s->parts);
    for (int64_t k = 0; k < u->channels && plan->parts == 2; k++)
        join_parts(plan->p->dtype, s->parts + 2 * k * row, s->parts + (2 * k + 1) * row, count,
                   to + k * row);
}

static void do_task(const void *context, int64_t task, void *memory) {
    const job *j = context;
    const dot_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    const int64_t slice = task % plan->slices, index = task / plan->slices;
    const unit u = locate(plan, index);
    scratch s;
    memset(memory, 0, lay_out(plan, memory, &s));
    for (int64_t piece = plan->pieces * slice / plan->slices;
         piece < plan->pieces * (slice + 1) / plan->slices; piece++) {
        const int64_t line = piece / plan->column_blocks, plane = line / plan->bands;
        tile_place at = {.group = u.group, .first_plane = u.first_plane, .planes = u.planes};
        at.column = piece % plan->column_blocks * plan->tile.columns;
        at.columns = min64(plan->tile.columns, p->output[W] - at.column);
        at.row = line % plan->bands * plan->tile.rows_out;
        at.rows = min64(plan->tile.rows_out, p->output[H] - at.row);
        at.depth = plane % p->output[D];
        at.image = plane / p->output[D];
        tile_pack(&plan->tile, &at, j->x, s.tile);
        pack_lines(j, &u, &at, s.lines);
        add_piece(plan, &u, &at, &s);
    }
    finish_unit(plan, &u, &s, partial(plan, slice, index));
}

/* total += more, element by element. */
static void add_row(int32_t dtype, void *total, const void *more, int64_t samples) {
#define ADD(T, n)                                                                                  \
    {                                                                                              \
        T *a = total;                                                                              \
        const T *b = more;                                                                         \
        for (int64_t i = 0; i < n * samples; i++)                                                  \
            a[i] = (T)(a[i] + b[i]);                                                               \
    }                                                                                              \
    break;
    switch (dtype) {
    case PYCONVC_F32:
        ADD(float, 1)
    case PYCONVC_F64:
        ADD(double, 1)
    case PYCONVC_C64:
        ADD(float, 2)
    case PYCONVC_C128:
        ADD(double, 2)
    case PYCONVC_U8:
        ADD(uint8_t, 1)
    case PYCONVC_U16:
        ADD(uint16_t, 1)
    case PYCONVC_U32:
        ADD(uint32_t, 1)
    case PYCONVC_U64:
        ADD(uint64_t, 1)
    default:
        for (int64_t i = 0; i < samples; i++)
            ((uint8_t *)total)[i] |= ((const uint8_t *)more)[i];
    }
#undef ADD
}

/* Whether a channel's planes and taps lie in w as they do in a row of sums. */
static int lies_dense(const pyconvc_problem *p) {
    const int64_t taps[] = {p->kernel[H] * p->kernel[W], p->kernel[W], 1};
    for (int a = 0; a < PYCONVC_RANK; a++)
        if (p->kernel[a] > 1 && (p->flip || p->w_step[3 + a] != taps[a])) return 0;
    return p->channels_in == 1 || p->w_step[2] == p->kernel[D] * taps[0];
}

static void put_row(const dot_plan *plan, const unit *u, const char *from, char *w) {
    const pyconvc_problem *p = plan->p;
    const int64_t count = u->planes * plan->taps_per_plane;
    if (lies_dense(p)) {
        memcpy(w + u->first_plane * plan->taps_per_plane * plan->bytes, from,
               (size_t)(count * plan->bytes));
        return;
    }
    for (int64_t t = 0; t < count; t++, from += plan->bytes) {
        const int64_t plane = u->first_plane + t / plan->taps_per_plane,
                      tap = t % plan->taps_per_plane;
        const int64_t at[] = {plane % p->kernel[D], tap / p->kernel[W], tap % p->kernel[W]};
        int64_t to = plane / p->kernel[D] * p->w_step[2];
        for (int a = 0; a < PYCONVC_RANK; a++)
            to += (p->flip ? p->kernel[a] - 1 - at[a] : at[a]) * p->w_step[3 + a];
        memcpy(w + to * plan->bytes, from, (size_t)plan->bytes);
    }
}

/* Adds the slices in order, and puts every sum in its place. */
static void deliver(const dot_plan *plan, char *w) {
    const pyconvc_problem *p = plan->p;
    for (int64_t index = 0; index < plan->units; index++) {
        const unit u = locate(plan, index);
        const int64_t count = u.planes * plan->taps_per_plane;
        char *total = partial(plan, 0, index);
        for (int64_t slice = 1; slice < plan->slices; slice++)
            add_row(p->dtype, total, partial(plan, slice, index), u.channels * count);
        for (int64_t k = 0; k < u.channels; k++)
            put_row(plan, &u, total + k * count * plan->bytes,
                    w + (u.group * p->w_step[0] + (u.channel + k) * p->w_step[1]) * plan->bytes);
    }
}

pyconvc_status dot_weight_grad(const pyconvc_problem *p, const void *x, const void *y, void *w,
                               const pyconvc_run *run) {
    dot_plan plan;
    scratch s;
    pyconvc_status status = make(&plan, p);
    if (!status) {
        const job j = {&plan, x, y};
        const double work = (double)plan.pieces * (double)plan.units *
                            (double)(plan.tile.rows_out * plan.tile.columns) *
                            (double)(plan.rows_k * plan.offsets_padded) * (double)plan.bytes;
        status = parallel_for(plan.units * plan.slices, parallel_workers(run, work),
                              lay_out(&plan, NULL, &s), do_task, &j, run);
    }
    if (!status) deliver(&plan, w);
    free(plan.offsets);
    free(plan.partial);
    tile_free(&plan.tile);
    return status;
}
