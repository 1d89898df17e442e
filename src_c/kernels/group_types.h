/* group_types.h -- 3 x 3 kernels over few planes, which are read as they are.
 *
 *      y[k][r][j] = bias[k] + sum over c < channels, h, t < 3 of
 *          w[((c * 3 + h) * 3 + t) * C + k] * x[c][r + h - top][j + t - left]
 *
 * for k < C, the table's channels, r < height, j < width; channels and rows are x_channel and
 * x_pitch elements apart in x, y_channel and y_pitch in y. Of x there are edges.rows x
 * edges.columns samples, those beyond are zero. The caller grants: height >= the table's vectors,
 * width >= its lanes; at most one column beyond either side.
 */
#ifndef PYCONVC_GROUP_TYPES_H
#define PYCONVC_GROUP_TYPES_H

#include <stdint.h>

/* Where a plane is: so far within what the taps of the first output meet, and its size. */
typedef struct {
    int64_t top, left, rows, columns;
} plane_edges;

typedef struct {
    const void *x, *w, *bias; /* bias NULL: zero */
    void *y;
    plane_edges edges;
    int64_t channels, x_channel, x_pitch, y_channel, y_pitch, height, width;
} group_job;

typedef void group_fn(const group_job *job);

typedef struct group_kernels {
    group_fn *group;
    int32_t lanes, channels, vectors; /* samples in a vector; output channels, vectors of a tile */
} group_kernels;

/* One line a dtype that has it: X(dtype, DTYPE). */
#define PYCONVC_FOR_GROUPS(X)                                                                      \
    X(f32, F32)                                                                                    \
    X(f64, F64)

#endif
