/* SPDX-License-Identifier: BSD-3-Clause
 * winograd_rest.c -- tiles whose arithmetic would spoil an output (see winograd.h). */
#include <string.h>

#include "winograd.h"

enum { D, H, W };

/* Marked tiles from `tile` on in its row of tiles. */
static int64_t marked(const unsigned char *tile, int64_t most) {
    int64_t n = 0;
    while (n < most && tile[n])
        n++;
    return n;
}

/* Outputs first .. first + count - 1 of an axis: the same samples of the same input. */
static void crop(pyconvc_problem *p, int a, int64_t first, int64_t count) {
    p->pad_before[a] -= first * p->stride[a];
    p->pad_after[a] = (count - 1) * p->stride[a] + p->kernel[a] - p->input[a] - p->pad_before[a];
    p->output[a] = count;
}

/* The taps of a phase along an axis that are there, `step` apart, of all that a kernel has: where
 * the sample with the least index lies. */
static int64_t take_taps(pyconvc_problem *p, int a, int64_t all, int64_t first, int64_t step) {
    const int64_t by = p->w_step[3 + a];
    if (first < 0) {
        first += step;
        p->kernel[a]--;
        p->pad_before[a]--;
    }
    if (first + step * (p->kernel[a] - 1) >= all) p->kernel[a]--;
    p->w_step[3 + a] = by * step;
    return (p->flip ? all - 1 - first - step * (p->kernel[a] - 1) : first) * by;
}

/* The tiles of the rectangle, in one phase; `image` counts those of all groups. Returns whether
 * there are outputs. */
static int state(const winograd_plan *plan, const winograd_cursor *at, winograd_rest *rest) {
    const int64_t image = at->first / plan->image_tiles, in_image = at->first % plan->image_tiles,
                  row = in_image / plan->across, in_row = in_image % plan->across;
    winograd_grid grid = plan->grids[image % plan->grid_count];
    int64_t column = in_row;
    if (plan->lines.beside) {
        grid.p.kernel[W] = plan->p.kernel[W];
        winograd_take_grid(&grid, W, in_row % plan->run);
        column /= plan->run;
    }
    const winograd_phases *taps = &plan->shares.taps;
    const winograd_tap *first = taps->first + at->phase;
    const winograd_outputs to = winograd_outputs_of(plan, &grid, at->phase);
    const pyconvc_problem *p = &grid.p;
    const int64_t group = image / plan->images, slice = image % plan->images / plan->grid_count,
                  depth = slice % p->output[D], sample = slice / p->output[D];
    const int64_t tall = plan->form.down.outputs, wide = plan->form.across.outputs;
    const int64_t top = max64(row * tall, to.skip[0]), left = max64(column * wide, to.skip[1]),
                  end = min64((row + at->rows) * tall, to.output[0]),
                  right = min64((column + at->columns) * wide, to.output[1]);
    pyconvc_problem *q = &rest->problem;
    if (top >= end || left >= right) return 0;
    *q = *p;
    q->winograd = 0;
    q->batch = q->groups = 1;
    rest->w_at = group * p->w_step[0] + take_taps(q, H, taps->rows, first->row, taps->row_step) +
                 take_taps(q, W, taps->columns, first->column, taps->column_step);
    crop(q, D, depth, 1);
    crop(q, H, top, end - top);
    crop(q, W, left, right - left);
    rest->x_at = grid.x_at + sample * p->x_step[0] + group * p->x_step[1];
    rest->bias_at = group * p->channels_out;
    rest->y_at = to.y_at + sample * p->y_step[0] + group * p->y_step[1] + depth * p->y_step[3] +
                 top * p->y_step[4] + left * p->y_step[5];
    return 1;
}

/* Takes the next rectangle of marked tiles. */
static int next_rectangle(const winograd_plan *plan, unsigned char *marks, winograd_cursor *at) {
    const int64_t count = winograd_marks(plan);
    const unsigned char *found =
        at->first < count ? memchr(marks + at->first, 1, (size_t)(count - at->first)) : NULL;
    if (!found) return 0;
    at->first = found - marks;
    const int64_t row = at->first % plan->image_tiles / plan->across,
                  column = at->first % plan->across;
    unsigned char *tile = marks + at->first;
    at->columns = plan->lines.beside ? 1 : marked(tile, plan->across - column);
    for (at->rows = 0; row + at->rows < plan->down && marked(tile, at->columns) == at->columns;
         at->rows++) {
        memset(tile, 0, (size_t)at->columns);
        tile += plan->across;
    }
    at->phase = 0;
    return 1;
}

int winograd_next_rest(const winograd_plan *plan, unsigned char *marks, winograd_cursor *at,
                       winograd_rest *rest) {
    while (at->rows || next_rectangle(plan, marks, at)) {
        const int there = state(plan, at, rest);
        if (++at->phase == plan->shares.taps.count) at->rows = 0;
        if (there) return 1;
    }
    return 0;
}
