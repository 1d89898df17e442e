/* SPDX-License-Identifier: BSD-3-Clause
 * planes.c -- see planes.h. */
#include "planes.h"

#include <string.h>

#define SLOT_BYTES   (20 << 10) /* a slot, beside the lines of x and y that come and go: L1 */
#define SLOTS_BYTES  (12 << 10) /* all slots, where there are several */
#define ACROSS_BYTES (64 << 10) /* where they are packed together, or in sets: some way into L2 */
#define MOST_SLOTS   8
#define SHORT_BYTES  64 /* lines that are copied without a loop */
#define LEAST_ROWS   16 /* so that few rows are packed for two bands */
#define LEAST_LINES  4  /* where none are */

enum { D, H, W };

/* ---- sizes -------------------------------------------------------------------------------------
 */

static void size_band(plane_layout *l, int64_t rows) {
    const pyconvc_problem *p = l->p;
    const int64_t common = gcd64(p->stride[H], p->dilation[H]);
    l->band_rows = rows;
    l->sets = min64(p->dilation[H] / common, rows);
    l->classes = min64(p->stride[H] / common, p->kernel[H]);
    l->rows_per_class = ceil_div(rows, l->sets) + ceil_div(p->kernel[H], l->classes) - 1;
    l->rows_per_plane = l->classes * l->rows_per_class;
    l->rows_per_set = l->planes * l->rows_per_plane;
}

static double slot_bytes(const plane_layout *l, int64_t rows) {
    plane_layout other = *l;
    size_band(&other, rows);
    return (double)other.sets * (double)other.rows_per_set * (double)l->row_pitch *
           (double)l->bytes;
}

/* Whether the samples of neighbouring groups are neighbours. */
static int lies_across(const pyconvc_problem *p) {
    return p->groups >= MOST_SLOTS && p->x_step[1] == 1 && p->x_step[5] != 1;
}

static void cut_bands(plane_layout *l, double most, int64_t tile_rows) {
    const int64_t output = l->p->output[H];
    int64_t bands = 1;
    while (slot_bytes(l, ceil_div(output, bands)) > most && bands < output)
        bands++;
    const int64_t rows = ceil_div(output, bands);
    size_band(l, min64(output, round_up(rows, min64(rows, tile_rows))));
}

int planes_size(plane_layout *to, const pyconvc_problem *p, const plane_kernels *kernels,
                int64_t lanes, int64_t tile_rows, int whole) {
    plane_layout l = {.p = p,
                      .kernels = kernels,
                      .bytes = pyconvc_sample_bytes(p->dtype),
                      .planes = p->channels_in * p->kernel[D],
                      .phases = phases_across(p),
                      .columns = p->output[W],
                      .column_step = p->stride[W],
                      .spare_rows = tile_rows,
                      .across = lies_across(p)};
    if (whole) {
        l.columns = (p->output[W] - 1) * p->stride[W] + 1;
        l.column_step = 1;
        l.phases = (axis_phases){1, p->dilation[W], p->kernel[W], 1, 0};
    }
    l.phase_pitch = phases_pitch(&l.phases, l.columns, lanes * (whole ? p->stride[W] : 1));
    l.row_pitch = l.phases.count * l.phase_pitch;
    const int64_t least = p->kernel[H] == 1 ? LEAST_LINES : LEAST_ROWS;
    if (slot_bytes(&l, min64(p->output[H], least)) > SLOT_BYTES) return 0;
    cut_bands(&l, l.across ? ACROSS_BYTES / MOST_SLOTS : SLOT_BYTES, tile_rows);
    l.slot_samples = round_up(l.sets * l.rows_per_set * l.row_pitch, 64 / min64(l.bytes, 64));
    /* A kernel goes through each set of all slots: short ones repay that these are further away. */
    const int64_t fit = (l.sets > 1 ? ACROSS_BYTES : SLOTS_BYTES) / (l.slot_samples * l.bytes);
    l.slots = min64(l.across ? MOST_SLOTS : max64(1, min64(fit, MOST_SLOTS)), p->groups);
    *to = l;
    return 1;
}

int64_t planes_tap_row(const plane_layout *l, int64_t h) {
    return h % l->classes * l->rows_per_class + h / l->classes;
}

int64_t planes_tap_column(const plane_layout *l, int64_t w) {
    return phases_tap(&l->phases, l->phase_pitch, w);
}

/* ---- planes as they are ------------------------------------------------------------------------
 */

static int is_zero(const unsigned char *fill) {
    static const unsigned char zero[16];
    return memcmp(fill, zero, sizeof zero) == 0;
}

int planes_have_edges(const pyconvc_problem *p, int64_t step, int64_t lanes) {
    const int64_t beyond = step * (p->output[W] - 1) + 3 - p->pad_before[W] - p->input[W];
    for (int a = H; a <= W; a++)
        if (p->boundary[a] != PYCONVC_CONSTANT || p->kernel[a] != 3 || p->dilation[a] != 1 ||
            p->stride[a] != step)
            return 0;
    return p->kernel[D] == 1 && p->pad_before[D] == 0 && p->pad_after[D] <= 0 && is_zero(p->fill) &&
           p->x_step[5] == 1 && p->y_step[5] == 1 && p->output[W] >= lanes &&
           p->pad_before[W] >= 0 && p->pad_before[W] <= 1 && beyond <= 1;
}

plane_edges planes_edges(const pyconvc_problem *p, int64_t row) {
    return (plane_edges){p->pad_before[H] - row * p->stride[H], p->pad_before[W], p->input[H],
                         p->input[W]};
}

/* ---- what depends on the band alone ------------------------------------------------------------
 */

static int64_t slots_samples(const plane_layout *l) {
    return l->slots * l->slot_samples + l->spare_rows * l->row_pitch;
}

void planes_lay_out(const plane_layout *l, arena *a, plane_packer *to) {
    to->moves = carve(a, l->sets * l->rows_per_set * (int64_t)sizeof *to->moves);
    to->ranges = carve(a, l->phases.count * (int64_t)sizeof *to->ranges);
    to->slots = carve(a, slots_samples(l) * l->bytes);
}

static gather_line line_of(const plane_layout *l) {
    const pyconvc_problem *p = l->p;
    return (gather_line){l->bytes, p->input[W], p->x_step[5], p->boundary[W], p->fill};
}

/* The input row that is row q of a class and set, from where the band begins. */
static int64_t row_offset(const plane_layout *l, int64_t outputs, int64_t set, int64_t class,
                          int64_t q) {
    const int64_t output = min64(q, outputs - 1), tap = class + (q - output) * l->classes;
    return (set + output * l->sets) * l->p->stride[H] + tap * l->p->dilation[H];
}

/* Those of one class of a set; first: of its plane in x, to: of its rows in a slot. */
static void find_class(const plane_layout *l, const plane_band *band, int64_t set, int64_t class,
                       int64_t first, int64_t to, plane_packer *k) {
    const pyconvc_problem *p = l->p;
    const int64_t outputs = planes_rows_of_set(l, band->rows, set),
                  taps = ceil_div(p->kernel[H] - class, l->classes),
                  top = band->row * p->stride[H] - p->pad_before[H];
    for (int64_t q = 0; q < outputs + taps - 1 && outputs; q++) {
        const int64_t row = pyconvc_boundary_index(
            p->boundary[H], top + row_offset(l, outputs, set, class, q), p->input[H]);
        if (row >= 0)
            k->moves[k->count++] =
                (gather_move){first + row * p->x_step[4], (to + q) * l->row_pitch};
    }
}

static void find_lines(const plane_layout *l, const plane_band *band, plane_packer *k) {
    const pyconvc_problem *p = l->p;
    k->count = 0;
    for (int64_t plane = 0; plane < l->planes; plane++) {
        const int64_t tap = plane % p->kernel[D],
                      z = pyconvc_boundary_index(p->boundary[D],
                                                 band->depth * p->stride[D] - p->pad_before[D] +
                                                     tap * p->dilation[D],
                                                 p->input[D]);
        const int64_t first = plane / p->kernel[D] * p->x_step[2] + z * p->x_step[3];
        for (int64_t set = 0; set < l->sets && z >= 0; set++)
            for (int64_t class = 0; class < l->classes; class ++)
                find_class(l, band, set, class, first,
                           set * l->rows_per_set + plane * l->rows_per_plane +
                               class * l->rows_per_class,
                           k);
    }
}

/* What is beyond the edges, the same for all groups: ends of lines, and lines of the constant. */
static void pad_slots(const plane_layout *l, const plane_packer *k) {
    const gather_line line = line_of(l);
    const int64_t slack = l->phase_pitch - phases_samples(&l->phases, l->columns);
    if (k->count < l->sets * l->rows_per_set) {
        gather_fill(l->bytes, l->p->fill, slots_samples(l), k->slots);
        return;
    }
    for (int64_t slot = 0; slot < l->slots; slot++)
        for (int64_t f = 0; f < l->phases.count; f++)
            gather_ends(&line, &k->ranges[f], k->moves, k->count, slack,
                        k->slots + (slot * l->slot_samples + f * l->phase_pitch) * l->bytes);
}

void planes_begin(const plane_layout *l, const plane_band *band, plane_packer *k) {
    const pyconvc_problem *p = l->p;
    const gather_line line = line_of(l);
    const int64_t count = phases_samples(&l->phases, l->columns);
    for (int64_t f = 0; f < l->phases.count; f++)
        k->ranges[f] = gather_find(&line, phases_first(&l->phases, f) - p->pad_before[W],
                                   l->column_step, count);
    find_lines(l, band, k);
    pad_slots(l, k);
}

/* ---- planes ------------------------------------------------------------------------------------
 */

/* Whether lines are copied as they are, in whole vectors. */
static int copies(const plane_layout *l, const gather_range *range) {
    const pyconvc_problem *p = l->p;
    return p->boundary[W] == PYCONVC_CONSTANT && p->x_step[5] * range->stride == 1 &&
           range->inside * l->bytes > SHORT_BYTES && range->inside >= l->kernels->lanes;
}

static void copy(const plane_layout *l, const plane_packer *k, const gather_range *range,
                 const char *x, char *to) {
    l->kernels->copy(x + (range->first + range->before) * l->bytes, k->moves, k->count,
                     range->inside, to + range->before * l->bytes);
}

/* Packs one group, x being at it. */
static void pack_slot(const plane_layout *l, const plane_packer *k, const char *x, char *slot) {
    const gather_line line = line_of(l);
    const int64_t pitch = l->phase_pitch * l->bytes;
    if (l->phases.count == 2) {
        gather_pairs(&line, k->ranges, x, k->moves, k->count, slot, slot + pitch);
        return;
    }
    for (int64_t f = 0; f < l->phases.count; f++)
        if (copies(l, &k->ranges[f]))
            copy(l, k, &k->ranges[f], x, slot + f * pitch);
        else
            gather_moves(&line, &k->ranges[f], x, k->moves, k->count, slot + f * pitch);
}

/* Packs groups that are neighbours in memory, x being at the first. */
static void pack_across(const plane_layout *l, const plane_packer *k, const char *x,
                        int64_t groups) {
    const gather_line line = line_of(l);
    const int64_t pitch = l->phase_pitch * l->bytes;
    for (int64_t f = 0; f < l->phases.count; f++)
        gather_across(&line, &k->ranges[f], x, groups, k->moves, k->count, l->slot_samples,
                      k->slots + f * pitch);
}

void planes_pack(const plane_layout *l, const plane_packer *k, const char *x, int64_t image,
                 int64_t first, int64_t count) {
    const int64_t *step = l->p->x_step;
    x += (image * step[0] + first * step[1]) * l->bytes;
    if (l->across) {
        pack_across(l, k, x, count);
        return;
    }
    for (int64_t slot = 0; slot < count; slot++)
        pack_slot(l, k, x + slot * step[1] * l->bytes,
                  k->slots + slot * l->slot_samples * l->bytes);
}
