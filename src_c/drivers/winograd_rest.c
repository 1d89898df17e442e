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

/* `image` counts those of all groups. */
static void state(const winograd_plan *plan, int64_t image, int64_t row, int64_t rows,
                  int64_t column, int64_t columns, winograd_rest *rest) {
    winograd_grid grid = plan->grids[image % plan->grid_count];
    const pyconvc_problem *p = &grid.p;
    const int64_t group = image / plan->images, slice = image % plan->images / plan->grid_count,
                  depth = slice % p->output[D], sample = slice / p->output[D];
    const int64_t top = row * plan->form.down.outputs,
                  left = column / (plan->lines.beside ? plan->run : 1) * plan->form.across.outputs;
    pyconvc_problem *q = &rest->problem;
    if (plan->lines.beside) {
        grid.p.kernel[W] = plan->p.kernel[W];
        winograd_take_grid(&grid, W, column % plan->run);
    }
    *q = *p;
    q->winograd = 0;
    q->batch = q->groups = 1;
    crop(q, D, depth, 1);
    crop(q, H, top, min64(rows * plan->form.down.outputs, p->output[H] - top));
    crop(q, W, left, min64(columns * plan->form.across.outputs, p->output[W] - left));
    rest->x_at = grid.x_at + sample * p->x_step[0] + group * p->x_step[1];
    rest->w_at = group * p->w_step[0];
    rest->bias_at = group * p->channels_out;
    rest->y_at = grid.y_at + sample * p->y_step[0] + group * p->y_step[1] + depth * p->y_step[3] +
                 top * p->y_step[4] + left * p->y_step[5];
}

int winograd_next_rest(const winograd_plan *plan, unsigned char *marks, int64_t *from,
                       winograd_rest *rest) {
    const int64_t count = winograd_marks(plan);
    const unsigned char *found =
        *from < count ? memchr(marks + *from, 1, (size_t)(count - *from)) : NULL;
    if (!found) return 0;
    const int64_t first = *from = found - marks, image = first / plan->image_tiles;
    const int64_t row = first % plan->image_tiles / plan->across, column = first % plan->across;
    const int64_t columns = plan->lines.beside ? 1 : marked(marks + first, plan->across - column);
    int64_t rows = 0;
    while (row + rows < plan->down &&
           marked(marks + first + rows * plan->across, columns) == columns)
        memset(marks + first + rows++ * plan->across, 0, (size_t)columns);
    state(plan, image, row, rows, column, columns, rest);
    return 1;
}
