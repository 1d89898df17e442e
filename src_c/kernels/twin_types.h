/* twin_types.h -- the even and the odd samples of lines, each a sum over taps of its own.
 *
 *      to[c * to_pitch + 2 * j + e] = start[c] + sum over i < count, taps t of parity e of
 *          w[(i * taps + t) * C + c] * y[rows[i] + shifts[t] + j]
 *
 * for c < C, the table's channels, j < samples of a tile (`wide`: vectors of the table; `narrow`:
 * one) and e < 2, in elements. Of the taps the even ones come first; the kernel is that of
 * [even - 1][odd - 1] taps, one or two each. Where `to` is NULL the sums are kept in `sums`, a
 * vector each, channel by channel; unless made `anew` they begin with what is there. */
#ifndef PYCONVC_TWIN_TYPES_H
#define PYCONVC_TWIN_TYPES_H

#include <stdint.h>

#define TWIN_MOST_TAPS 4

typedef struct {
    const void *y, *w;
    const int64_t *rows;
    int64_t count;
    int64_t shifts[TWIN_MOST_TAPS];
    void *sums;
    int anew;
    void *to;
    int64_t to_pitch;
    const void *start; /* NULL: zero */
} twin_job;

typedef void twin_fn(const twin_job *job);

typedef struct {
    twin_fn *wide[2][2], *narrow[2][2];
    int32_t lanes, vectors, channels; /* samples in a vector, 0: no kernel; the tile */
} twin_kernels;

/* One line a dtype that has it: X(dtype, DTYPE). */
#define PYCONVC_FOR_TWINS(X)                                                                       \
    X(f32, F32)                                                                                    \
    X(f64, F64)

#endif
