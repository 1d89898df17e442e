/* pool.h -- how the pool kernels are applied to a problem: decided once a call, read by all
 * workers.
 *
 * Forward and adjoint are one thing here: every sample written is folded from a window of samples
 * read. The windows of an adjoint are the outputs whose windows hold a sample: neighbours too. */
#ifndef PYCONVC_POOL_H
#define PYCONVC_POOL_H

#include <stddef.h>

#include "dispatch.h"
#include "problem.h"

/* One axis: `to` windows over `from` samples, window o being first[o] + t * step, t < count[o]. */
typedef struct {
    int64_t from, to, step;
    int64_t *first, *count, *divisor;
    /* Where windows are all alike but for the ends: o * stride - pad + t * step, t < kernel, on
     * samples that stand `spread` apart (an adjoint's, when the windows' stride was that). */
    int regular;
    int64_t kernel, stride, pad, spread;
} pool_axis;

/* A block of columns: outputs from `output` on, folded from lines that begin at sample `from`,
 * spread out. */
typedef struct {
    pool_program program;
    int64_t from, output;
} pool_columns;

typedef struct {
    pool_kernel kernel;
    pool_op op;
    int32_t stored;
    int64_t bytes, stored_bytes; /* of a sample that is computed with, and of one in memory */
    pool_axis axis[PYCONVC_RANK];
    /* Of what is read and written: image, plane, depth, height, width. */
    int64_t x_step[5], y_step[5];
    int64_t images, planes;
    int64_t position_depth, position_row;
    /* Channels side by side in a line: those that lie so in memory, or small planes that each task
     * turns so; else 1. */
    int64_t channels;
    int turned;

    pool_columns *columns;
    int64_t blocks, block_outputs;
    int64_t pitch; /* of the kernel's lines */

    /* Tasks: image x some planes x output depth x band of output rows x block of columns. A task
     * gathers strips of x where its lines cannot be read in place, and scatters strips of outputs
     * where lines of y cannot be written. */
    int gathered, scattered;
    int64_t planes_at_once, plane_groups, band_rows, bands, tasks;
    int64_t strip_depth, strip_rows, strip_pitch; /* most planes of depth, rows of x, samples */
    int64_t strip_plane;                          /* the product */
    int64_t lines_bytes, gathered_bytes, scattered_bytes; /* of a worker */
    int workers;
} pool_plan;

/* Decides everything; free with pool_plan_free also after a failure. */
pyconvc_status pool_plan_make(pool_plan *plan, const pyconvc_pool *p, int with_index, int adjoint,
                              const pyconvc_run *run);
void pool_plan_free(pool_plan *plan);

/* Rows of x that the windows of output rows row .. row + rows - 1 lie in: from *first up to *end.
 */
void pool_rows(const pool_axis *axis, int64_t row, int64_t rows, int64_t *first, int64_t *end);

pyconvc_status pool_run(const pool_plan *plan, const void *x, void *y, int64_t *index,
                        const pyconvc_run *run);

#endif
