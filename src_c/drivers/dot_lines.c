/* SPDX-License-Identifier: BSD-3-Clause
 * dot_lines.c -- sums over pixels with pixels as lanes: for few channels.
 *
 * Lines of y against lines of the packed input; each sum is a vector, whose lanes are added up when
 * a unit is done.
 */
#include <string.h>

#include "arena.h"
#include "dot_plan.h"
#include "gather.h"

#define CHANNELS_OF_UNIT 32
#define TILE_BYTES       (256 << 10) /* packed input of a unit, and packed lines of y */
#define MOST_COLUMNS     4096

enum { D, H, W };

typedef struct {
    char *sums, *lines;
    char *parts; /* complex: reduced sums of real and imaginary rows */
    int64_t sums_bytes;
} scratch;

static size_t lay_out(const dot_plan *plan, char *base, scratch *s) {
    const int64_t size = dot_element(plan);
    const int64_t sums = plan->rows_k * plan->offsets_padded * plan->dot->vector * size;
    const int64_t lines = plan->rows_k * plan->tile.rows_out * plan->line * size;
    const int64_t parts = plan->parts == 1 ? 0 : plan->rows_k * plan->offsets_padded * plan->bytes;
    arena a = {base, 0};
    s->sums = carve(&a, sums);
    s->lines = carve(&a, lines);
    s->parts = carve(&a, parts);
    s->sums_bytes = sums;
    return (size_t)a.bytes;
}

static size_t bytes_needed(const dot_plan *plan, size_t *sums) {
    scratch s;
    const size_t all = lay_out(plan, NULL, &s);
    *sums = (size_t)s.sums_bytes;
    return all;
}

static int64_t tile_bytes(const dot_plan *plan, int64_t rows, int64_t columns) {
    return plan->planes_of_unit * tile_plane(&plan->tile, rows, columns) * plan->bytes;
}

static void size(dot_plan *plan) {
    const pyconvc_problem *q = &plan->q;
    int64_t columns = min64(q->output[W], MOST_COLUMNS), rows = q->output[H];
    plan->channels_of_unit = min64(q->channels_out, CHANNELS_OF_UNIT);
    plan->planes_of_unit = min64(plan->planes, CHANNELS_OF_UNIT);
    while (plan->planes_of_unit > 4 && tile_bytes(plan, 1, columns) > TILE_BYTES)
        plan->planes_of_unit /= 2;
    while (columns > 256 && tile_bytes(plan, 1, columns) > TILE_BYTES)
        columns = ceil_div(columns, 2);
    const int64_t line = (columns + plan->dot->vector) * plan->bytes * plan->parts;
    while (rows > 1 && (tile_bytes(plan, rows, columns) > TILE_BYTES ||
                        plan->channels_of_unit * rows * line > TILE_BYTES))
        rows = ceil_div(rows, 2);
    dot_cut(plan, columns, rows * columns);
    const int64_t rows_k = plan->channels_of_unit * plan->parts,
                  offsets = plan->planes_of_unit * plan->taps_per_plane;
    plan->line = round_up(plan->tile.columns * plan->parts, plan->dot->vector);
    plan->by_channel = rows_k == 1 ? 1 : plan->dot->channels;
    plan->columns = rows_k == 1 ? plan->dot->offsets_of_one : plan->dot->offsets;
    plan->columns_of_tap = 1;
    plan->rows_k = round_up(rows_k, plan->by_channel);
    plan->offsets_padded = round_up(offsets, plan->columns);
}

/* A complex line of y as two: its real parts, each twice, and its imaginary parts, each twice; so
 * that products with the (re, im) pairs of x are lane by lane. */
static void split_parts(const dot_plan *plan, char *line, char *real, char *imaginary,
                        int64_t samples) {
    const size_t half = (size_t)dot_element(plan);
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
static void pack_lines(const dot_plan *plan, const dot_unit *u, const tile_place *at, const char *y,
                       char *to) {
    const pyconvc_problem *q = &plan->q;
    const int64_t line_bytes = plan->line * dot_element(plan),
                  channel_bytes = plan->tile.rows_out * line_bytes;
    for (int64_t k = 0; k < u->channels; k++)
        for (int64_t r = 0; r < at->rows; r++) {
            const int64_t first = dot_y_at(plan, u, at) + k * q->y_step[2] + r * q->y_step[4];
            char *real = to + k * plan->parts * channel_bytes + r * line_bytes,
                 *imaginary = real + channel_bytes;
            const int64_t used = at->columns * plan->bytes;
            gather_all(plan->bytes, y + first * plan->bytes, at->columns, q->y_step[5], real);
            memset(real + used, 0, (size_t)(line_bytes - used));
            if (plan->parts == 1) continue;
            memset(imaginary + used, 0, (size_t)(line_bytes - used));
            split_parts(plan, real, real, imaginary, at->columns);
        }
}

static void add(const dot_plan *plan, const dot_unit *u, const tile_place *at, const char *x,
                const char *y, char *memory) {
    const int64_t size = dot_element(plan), rows = u->channels * plan->parts,
                  used = u->planes * plan->taps_per_plane;
    const int64_t sums = plan->by_channel * plan->columns * plan->dot->vector * size;
    scratch s;
    lay_out(plan, memory, &s);
    pack_lines(plan, u, at, y, s.lines);
    dot_job d = {.g_channel = plan->tile.rows_out * plan->line, .g_pitch = plan->line, .x = x};
    d.x_pitch = plan->tile.row_pitch * plan->parts;
    d.height = at->rows;
    d.width = at->columns * plan->parts;
    for (int64_t k = 0; k < rows; k += plan->by_channel)
        for (int64_t t = 0; t < used; t += plan->columns) {
            d.g = s.lines + k * d.g_channel * size;
            d.offsets = plan->offsets + t;
            d.sums = s.sums + (k / plan->by_channel * (plan->offsets_padded / plan->columns) +
                               t / plan->columns) *
                                  sums;
            (plan->by_channel == 1 ? plan->dot->one : plan->dot->many)(&d);
        }
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

static void finish(const dot_plan *plan, const dot_unit *u, char *memory, const dot_target *to) {
    const int64_t count = u->planes * plan->taps_per_plane, row = count * plan->bytes;
    const int complex = plan->parts == 2;
    scratch s;
    lay_out(plan, memory, &s);
    const dot_grid grid = {.rows = u->channels * plan->parts,
                           .columns = count,
                           .by_channel = plan->by_channel,
                           .by_offset = plan->columns,
                           .across = plan->offsets_padded / plan->columns,
                           .pitch = complex ? count : to->pitch};
    plan->dot->reduce(s.sums, &grid, complex ? s.parts : to->to);
    for (int64_t k = 0; k < u->channels && complex; k++)
        join_parts(plan->q.dtype, s.parts + 2 * k * row, s.parts + (2 * k + 1) * row, count,
                   to->to + k * to->pitch * plan->bytes);
}

const dot_form dot_lines = {size, bytes_needed, add, finish};
