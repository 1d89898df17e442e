/* SPDX-License-Identifier: BSD-3-Clause
 *
 * fold.c -- rows added up, and the stride phases of a line woven into it (contract: fold_kernels in
 * kernel_types.h). Plain loops: the compiler's vectors serve them.
 */
#include "kernel_types.h"
#include "vec.h"

INLINE elem plus(elem a, elem b) {
#if LOGICAL
    return a | b;
#else
    return (elem)(a + b);
#endif
}

static void add(void *to, const void *from, int64_t samples) {
    elem *a = to;
    const elem *b = from;
    for (int64_t j = 0; j < samples * PARTS; j++)
        a[j] = plus(a[j], b[j]);
}

/* One phase: every `step`-th sample of y. */
INLINE void weave_phase(const elem *z, int64_t samples, const elem *start, elem *y, int64_t step) {
    for (int64_t j = 0; j < samples; j++)
        for (int p = 0; p < PARTS; p++)
            y[j * step * PARTS + p] =
                plus(start ? start[p] : y[j * step * PARTS + p], z[j * PARTS + p]);
}

INLINE void weave_pairs(const elem *z, int64_t pitch, int64_t pairs, const elem *start, elem *y) {
    const elem *next = z + pitch * PARTS;
    for (int64_t j = 0; j < pairs; j++)
        for (int p = 0; p < PARTS; p++) {
            elem *a = y + 2 * j * PARTS + p, *b = a + PARTS;
            const elem even = start ? start[p] : *a, odd = start ? start[p] : *b;
            *a = plus(even, z[j * PARTS + p]);
            *b = plus(odd, next[j * PARTS + p]);
        }
}

INLINE void weave_all(const fold_line *line, const elem *z, const elem *start, elem *y) {
    const int64_t s = line->phases;
    int64_t done = 0;
    if (s == 1 && line->step == 1) {
        weave_phase(z, line->width, start, y, 1);
        return;
    }
    if (s == 2 && line->step == 1) {
        done = line->width / 2;
        weave_pairs(z, line->pitch, done, start, y);
    }
    for (int64_t r = 0; r < s && r < line->width; r++)
        weave_phase(z + (r * line->pitch + done) * PARTS, (line->width - 1 - r) / s + 1 - done,
                    start, y + (done * s + r) * line->step * PARTS, s * line->step);
}

static void weave(const fold_line *line, const void *z, const void *start, void *y) {
    if (start)
        weave_all(line, z, start, y);
    else
        weave_all(line, z, NULL, y);
}

const fold_kernels NAME(fold) = {.add = add, .weave = weave};
