/* SPDX-License-Identifier: BSD-3-Clause
 * filter.c -- one task: a band of rows and a block of columns of all output channels of an image,
 * at one depth or at several in turn.
 *
 * For each region of the columns: a table of pointers to the input rows that the band needs (built
 * once, whatever the rank, the boundary or the number of channels), then the kernel for every
 * output channel. */
#include "filter.h"

#include <string.h>

#include "arena.h"
#include "filter_planes.h"
#include "filter_task.h"
#include "gather.h"
#include "parallel.h"

enum { D, H, W };

/* What a worker's scratch holds. */
typedef struct {
    const char **source; /* [plane][row]: input rows, NULL for rows of the constant */
    const char **region; /* the same rows as a region of columns sees them */
    const void **table;  /* as the kernel takes them: [plane][rows_per_plane] */
    char *constant;      /* a line of the constant */
    char *strips;
    char *rows; /* outputs of one channel, where y has no lines to write to */
} scratch;

/* Samples that a line of the constant must have. */
static int64_t constant_samples(const filter_plan *plan) {
    const int has_inside = plan->inside_to > plan->inside_from;
    const int64_t inside = has_inside ? phases_samples(&plan->phases, plan->block_columns) : 0;
    return max64(inside, plan->phases.count * plan->phase_pitch) + plan->kernels->lanes;
}

/* Rows of outputs that do not lie side by side. */
typedef struct {
    char *first;
    int64_t pitch, step;
} view;

/* Between a view and dense rows; `out` is to the view. */
static void copy_rows(const filter_plan *plan, const view *y, char *dense, int64_t rows,
                      int64_t columns, int out) {
    for (int64_t r = 0; r < rows; r++, dense += columns * plan->bytes) {
        char *row = y->first + r * y->pitch * plan->bytes;
        if (out)
            scatter(plan->bytes, dense, columns, y->step, row);
        else
            gather_all(plan->bytes, row, columns, y->step, dense);
    }
}

int64_t filter_dense(const filter_plan *plan) {
    return plan->band_rows * max64(plan->block_columns, plan->strip_columns);
}

static size_t lay_out(const filter_plan *plan, char *base, scratch *s) {
    const int64_t rows = plan->planes_at_once * number_rows(plan->p, plan->band_rows).count;
    const int64_t table = plan->planes_at_once * plan->rows_per_plane;
    arena a = {base, 0};
    s->source = carve(&a, rows * (int64_t)sizeof *s->source);
    s->region = carve(&a, rows * (int64_t)sizeof *s->region);
    s->table = carve(&a, max64(table, plan->band_rows) * (int64_t)sizeof *s->table);
    s->constant = carve(&a, constant_samples(plan) * plan->bytes);
    s->strips = carve(&a, rows * plan->phases.count * plan->phase_pitch * plan->bytes);
    s->rows = carve(&a, plan->p->y_step[5] == 1 ? 0 : filter_dense(plan) * plan->bytes);
    return (size_t)a.bytes;
}

size_t filter_scratch(const filter_plan *plan) {
    scratch s;
    return plan->packed ? filter_planes_scratch(plan) : lay_out(plan, NULL, &s);
}

/* The input row that has number i of the task; -1: the constant. */
static int64_t input_row(const pyconvc_problem *p, const filter_task *t, int64_t i) {
    const int64_t row =
        t->row * p->stride[H] - p->pad_before[H] + numbered_row(p, &t->rows_in, t->rows, i);
    return pyconvc_boundary_index(p->boundary[H], row, p->input[H]);
}

/* The input plane at a depth tap; -1: the constant. */
static int64_t input_plane(const pyconvc_problem *p, const filter_task *t, int64_t tap) {
    const int64_t z = t->depth * p->stride[D] + tap * p->dilation[D] - p->pad_before[D];
    return pyconvc_boundary_index(p->boundary[D], z, p->input[D]);
}

/* Pointers to the first sample of each input row that the task needs, in its planes from one on. */
static void find_rows(const filter_job *j, const filter_task *t, const scratch *s, int64_t from) {
    const filter_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    const char **to = s->source + from * t->rows_in.count;
    int outside = 0;
    for (int64_t plane = t->first_plane + from; plane < t->first_plane + t->planes; plane++) {
        const int64_t channel = plane / p->kernel[D], z = input_plane(p, t, plane % p->kernel[D]);
        const int64_t first = t->image * p->x_step[0] + t->group * p->x_step[1] +
                              channel * p->x_step[2] + z * p->x_step[3];
        for (int64_t i = 0; i < t->rows_in.count; i++, to++) {
            const int64_t row = input_row(p, t, i);
            const int constant = z < 0 || row < 0;
            *to = constant ? NULL : j->x + (first + row * p->x_step[4]) * plan->bytes;
            outside |= constant;
        }
    }
    if (outside) gather_fill(plan->bytes, p->fill, constant_samples(plan), s->constant);
}

/* The inside: x itself, from the first column that the region reads. */
static void see_inside(const filter_job *j, const filter_task *t, const scratch *s) {
    const filter_plan *plan = j->plan;
    const int64_t offset = (t->column - plan->p->pad_before[W]) * plan->bytes;
    for (int64_t i = 0; i < t->planes * t->rows_in.count; i++)
        s->region[i] = s->source[i] ? s->source[i] + offset : s->constant;
}

/* Elsewhere: strips, gathered through the boundary rule, one phase of a strided line after the
 * other. Those of a plane stay where they are while the task goes from depth to depth; planes
 * before `from` have theirs. */
static void see_strips(const filter_job *j, const filter_task *t, const scratch *s, int64_t from) {
    const filter_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    const gather_line line = {plan->bytes, p->input[W], p->x_step[5], p->boundary[W], p->fill};
    const int64_t first = t->column * p->stride[W] - p->pad_before[W];
    const int64_t count = phases_samples(&plan->phases, t->columns);
    const int64_t slack = min64(plan->phase_pitch - count, plan->kernels->lanes);
    const int64_t pitch = plan->phases.count * plan->phase_pitch, rows = t->rows_in.count;
    for (int64_t plane = from; plane < t->planes; plane++) {
        const char **source = s->source + plane * rows, **region = s->region + plane * rows;
        char *strips = s->strips + (t->depth + plane) % t->planes * rows * pitch * plan->bytes;
        for (int64_t f = 0; f < plan->phases.count; f++) {
            const int64_t phase = first + phases_first(&plan->phases, f);
            const gather_range range = gather_find(&line, phase, p->stride[W], count);
            gather_lines(&line, &range, (const void *const *)source, rows, slack, pitch,
                         strips + f * plan->phase_pitch * plan->bytes);
        }
        for (int64_t i = 0; i < rows; i++)
            region[i] = source[i] ? strips + i * pitch * plan->bytes : s->constant;
    }
}

void filter_apply(const filter_job *j, const filter_task *t, const void *const *table, int64_t row,
                  int64_t pitch, int64_t rows, int flags, char *dense) {
    const filter_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    filter_program program = plan->program;
    program.count = t->planes * plan->blocks_per_plane;
    for (int64_t k = 0; k < p->channels_out; k++) {
        const int64_t channel = t->group * p->channels_out + k;
        const char *taps = plan->taps + (channel * plan->planes + t->first_plane) *
                                            plan->taps_per_plane * plan->bytes;
        const int64_t at = t->image * p->y_step[0] + t->group * p->y_step[1] + k * p->y_step[2] +
                           t->depth * p->y_step[3] + (t->row + row) * p->y_step[4] +
                           t->column * p->y_step[5];
        const view y = {j->y + at * plan->bytes, pitch * p->y_step[4], p->y_step[5]};
        const char *bias = j->bias ? j->bias + channel * plan->bytes : NULL;
        if (y.step == 1) {
            plan->kernel(&program, taps, bias, table, y.first, y.pitch * plan->parts, rows,
                         t->columns * plan->parts, flags);
            continue;
        }
        if (flags & FILTER_ACCUMULATE) copy_rows(plan, &y, dense, rows, t->columns, 0);
        plan->kernel(&program, taps, bias, table, dense, t->columns * plan->parts, rows,
                     t->columns * plan->parts, flags);
        copy_rows(plan, &y, dense, rows, t->columns, 1);
    }
}

/* Fills the table for the output rows set, set + sets, ... of the task; region[plane][number] are
 * its input rows. Returns how many output rows these are. */
static int64_t fill_table(const filter_plan *plan, const filter_task *t, int64_t set,
                          const char *const *region, const void **table) {
    const row_numbering *numbering = &t->rows_in;
    const int64_t sets = plan->sets, classes = plan->classes;
    const int64_t outputs = ceil_div(t->rows - set, sets);
    for (int64_t i = 0; i < t->planes; i++, region += numbering->count)
        for (int64_t c = 0; c < classes; c++) {
            const int64_t taps = ceil_div(plan->p->kernel[H] - c, classes);
            const void **to = table + i * plan->rows_per_plane + c * plan->rows_per_class;
            for (int64_t q = 0; q < outputs + taps - 1; q++) {
                const int64_t output = min64(q, outputs - 1), tap = c + (q - output) * classes;
                to[q] =
                    region[(set + output * sets) * numbering->by_output + tap * numbering->by_tap];
            }
        }
    return outputs;
}

/* Whether the input rows as they are numbered are the kernel's table. */
static int is_table(const filter_plan *plan, const filter_task *t) {
    const pyconvc_problem *p = plan->p;
    return p->stride[H] == 1 && p->dilation[H] == 1 &&
           (t->planes == 1 || t->rows_in.count == plan->rows_per_plane);
}

static void apply_rows(const filter_job *j, const filter_task *t, const scratch *s, int flags) {
    const filter_plan *plan = j->plan;
    if (plan->use_line) {
        for (int64_t r = 0; r < t->rows; r++)
            s->table[r] = s->region[r * t->rows_in.by_output];
        filter_apply(j, t, s->table, 0, 1, t->rows, flags, s->rows);
        return;
    }
    if (is_table(plan, t)) {
        filter_apply(j, t, (const void *const *)s->region, 0, 1, t->rows, flags, s->rows);
        return;
    }
    for (int64_t set = 0; set < min64(plan->sets, t->rows); set++) {
        const int64_t rows = fill_table(plan, t, set, s->region, s->table);
        filter_apply(j, t, s->table, set, plan->sets, rows, flags, s->rows);
    }
}

/* One region of columns; regions that need strips come in pieces that fit. */
static void apply_region(const filter_job *j, const filter_task *t, const scratch *s, int64_t from,
                         int64_t to, int inside, int flags) {
    const int64_t most = inside ? to - from : j->plan->strip_columns;
    for (int64_t column = from; column < to; column += most) {
        filter_task piece = *t;
        piece.column = column;
        piece.columns = min64(most, to - column);
        if (inside)
            see_inside(j, &piece, s);
        else
            see_strips(j, &piece, s, 0);
        apply_rows(j, &piece, s, inside ? flags : flags & ~FILTER_STREAM);
    }
}

static void locate(const filter_plan *plan, int64_t index, filter_task *t, int64_t *from,
                   int64_t *to) {
    const pyconvc_problem *p = plan->p;
    const int64_t block = index % plan->column_blocks,
                  band = index / plan->column_blocks % plan->bands;
    const int64_t image = index / (plan->column_blocks * plan->bands);
    t->depth = image % plan->depth_runs * plan->depths;
    t->group = image / plan->depth_runs % p->groups;
    t->image = image / plan->depth_runs / p->groups;
    t->row = band * plan->band_rows;
    t->rows = min64(plan->band_rows, p->output[H] - t->row);
    t->rows_in = number_rows(p, t->rows);
    *from = block ? plan->inside_from + block * plan->block_columns : 0;
    *to = block == plan->column_blocks - 1 ? p->output[W]
                                           : plan->inside_from + (block + 1) * plan->block_columns;
}

/* Where the region behind the inside [a, b) begins: kernels write parts of vectors slowly, so it
 * takes a whole one, if computing some outputs again does no harm. */
static int64_t whole_vector(const filter_plan *plan, int64_t a, int64_t b, int64_t to, int flags) {
    const int once = flags & (FILTER_ACCUMULATE | FILTER_STREAM);
    return once ? b : max64(a, min64(b, to - plan->kernels->lanes));
}

/* All regions of the columns [from, to) at one depth. */
static void do_regions(const filter_job *j, filter_task *t, const scratch *s, int64_t from,
                       int64_t to) {
    const filter_plan *plan = j->plan;
    const int64_t a = min64(max64(from, plan->inside_from), to),
                  b = max64(a, min64(to, plan->inside_to));
    const int none = plan->inside_to <= plan->inside_from;
    for (t->first_plane = 0; t->first_plane < plan->planes;
         t->first_plane += plan->planes_at_once) {
        t->planes = min64(plan->planes_at_once, plan->planes - t->first_plane);
        const int flags = t->first_plane ? plan->flags | FILTER_ACCUMULATE : plan->flags;
        find_rows(j, t, s, 0);
        if (!none) apply_region(j, t, s, a, b, 1, flags);
        apply_region(j, t, s, from, none ? to : a, 0, flags);
        if (!none && b < to)
            apply_region(j, t, s, whole_vector(plan, a, b, to, flags), to, 0, flags);
    }
}

/* A run of depths: all planes but one have been copied for the depth before. */
static void do_depths(const filter_job *j, filter_task *t, const scratch *s, int64_t from,
                      int64_t to) {
    const filter_plan *plan = j->plan;
    const int64_t first = t->depth, end = min64(first + plan->depths, plan->p->output[D]);
    const int64_t kept = plan->planes - 1, rows = t->rows_in.count;
    t->planes = plan->planes;
    t->column = from;
    t->columns = to - from;
    for (; t->depth < end; t->depth++) {
        const int64_t have = t->depth > first ? kept : 0;
        memmove(s->region, s->region + rows, (size_t)(have * rows) * sizeof *s->region);
        find_rows(j, t, s, have);
        see_strips(j, t, s, have);
        apply_rows(j, t, s, plan->flags & ~FILTER_STREAM);
    }
}

static void do_task(const void *context, int64_t index, void *memory) {
    const filter_job *j = context;
    scratch s;
    filter_task t = {0};
    int64_t from, to;
    lay_out(j->plan, memory, &s);
    locate(j->plan, index, &t, &from, &to);
    if (j->plan->depths > 1)
        do_depths(j, &t, &s, from, to);
    else
        do_regions(j, &t, &s, from, to);
}

pyconvc_status filter_run(const filter_plan *plan, const void *x, const void *bias, void *y,
                          const pyconvc_run *run) {
    const filter_job j = {plan, x, bias, y};
    return parallel_for(plan->tasks, plan->workers, filter_scratch(plan),
                        plan->packed ? filter_planes_do_task : do_task, &j, run);
}
