/* SPDX-License-Identifier: BSD-3-Clause
 * loudest.c -- the largest magnitudes of the parts of planes: bands of lines, pieces of a band. */
#include <string.h>

#include "dispatch.h"
#include "gather.h"
#include "parallel.h"
#include "problem.h"

#define PIECE  (1 << 12) /* samples of a line that are looked at together, in whole parts */
#define NARROW 32        /* of a part, up to which a call for each would cost more than a line's */

typedef struct {
    const fourier_kernels *kernels;
    int64_t bytes, size[2], step[2], part[2], parts[2]; /* step: batch, height */
    int64_t piece, pieces;                              /* in parts */
    const char *x;
    char *to;
} job;

/* Of each sample of a line, the largest from there as far as a part is long. */
static void widen(const job *j, int64_t width, char *line) {
    for (int64_t reach = 1, step; reach < j->part[1]; reach += step) {
        step = min64(reach, j->part[1] - reach);
        j->kernels->lift(line + step * j->bytes, width - step, 0, line);
    }
}

static void do_piece(const void *context, int64_t task, void *scratch) {
    const job *j = context;
    const int64_t band = task / j->pieces, item = band / j->parts[0], row = band % j->parts[0];
    const int64_t from = task % j->pieces * j->piece, end = min64(from + j->piece, j->parts[1]);
    const int64_t first = row * j->part[0], left = from * j->part[1];
    const int64_t lines = row == j->parts[0] - 1 ? j->size[0] - first : j->part[0];
    const int64_t width = (end == j->parts[1] ? j->size[1] : end * j->part[1]) - left;
    const char *x = j->x + (item * j->step[0] + first * j->step[1] + left) * j->bytes;
    char *to = j->to + (band * j->parts[1] + from) * j->bytes,
         *high = j->part[1] == 1 ? to : scratch;
    if (lines > 1 || j->part[1] <= NARROW) {
        for (int64_t i = 0; i < lines; i++)
            j->kernels->lift(x + i * j->step[1] * j->bytes, width, i == 0, high);
        x = high;
    }
    if (high == to) return;
    if (j->part[1] <= NARROW) {
        widen(j, width, high);
        gather_all(j->bytes, high, end - from, j->part[1], to);
    }
    for (int64_t p = j->part[1] > NARROW ? from : end - 1; p < end; p++) {
        const int64_t at = (p - from) * j->part[1];
        j->kernels->loudest(x + at * j->bytes, p == j->parts[1] - 1 ? width - at : j->part[1],
                            to + (p - from) * j->bytes);
    }
}

pyconvc_status pyconvc_loudest(int32_t dtype, const void *x, int64_t batch, const int64_t size[2],
                               const int64_t step[2], const int64_t part[2], void *to,
                               const pyconvc_run *run) {
    const kernel_table *table = pyconvc_kernels();
    if (!table) return PYCONVC_NO_ISA;
    if (dtype < PYCONVC_F32 || dtype > PYCONVC_F64 || run->workers < 1) return PYCONVC_BAD_PROBLEM;
    job j = {.kernels = &table->fourier[dtype], .x = x, .to = to};
    j.bytes = pyconvc_sample_bytes(dtype);
    for (int a = 0; a < 2; a++) {
        if (part[a] < 1 || part[a] > size[a]) return PYCONVC_BAD_PROBLEM;
        j.size[a] = size[a], j.step[a] = step[a], j.part[a] = part[a];
        j.parts[a] = size[a] / part[a];
    }
    j.piece = max64(1, PIECE / part[1]);
    j.pieces = ceil_div(j.parts[1], j.piece);
    const double samples = (double)batch * (double)size[0] * (double)size[1];
    const int64_t widest = min64(size[1], (j.piece + 1) * part[1]);
    const int high = part[0] > 1 || size[0] > j.parts[0] || part[1] <= NARROW;
    const size_t scratch = high ? (size_t)(widest * j.bytes) : 0;
    return parallel_for(batch * j.parts[0] * j.pieces,
                        parallel_workers(run, 4 * samples * (double)j.bytes), scratch, do_piece, &j,
                        run);
}
