/* SPDX-License-Identifier: BSD-3-Clause
 * gather.c -- three runs: before the line, inside it, after it. Only the outer two ask the rule. */
#include "gather.h"

#include <string.h>

#include "problem.h"

typedef struct {
    uint64_t half[2];
} sample16;

/* One copy loop for each size of a sample. */
#define FOR_SIZE(bytes, LOOP)                                                                      \
    switch (bytes) {                                                                               \
    case 1:                                                                                        \
        LOOP(uint8_t) break;                                                                       \
    case 2:                                                                                        \
        LOOP(uint16_t) break;                                                                      \
    case 4:                                                                                        \
        LOOP(uint32_t) break;                                                                      \
    case 8:                                                                                        \
        LOOP(uint64_t) break;                                                                      \
    default:                                                                                       \
        LOOP(sample16) break;                                                                      \
    }

static void copy_inside(int64_t bytes, const void *from, int64_t step, int64_t count, void *to) {
    if (step == 1) {
        memcpy(to, from, (size_t)(count * bytes));
        return;
    }
#define LOOP(T)                                                                                    \
    {                                                                                              \
        const T *s = from;                                                                         \
        T *d = to;                                                                                 \
        for (int64_t j = 0; j < count; j++)                                                        \
            memcpy(d + j, s + j * step, sizeof(T));                                                \
    }
    FOR_SIZE(bytes, LOOP)
#undef LOOP
}

void scatter(int64_t bytes, const void *from, int64_t count, int64_t step, void *to) {
#define LOOP(T)                                                                                    \
    {                                                                                              \
        const T *s = from;                                                                         \
        T *d = to;                                                                                 \
        for (int64_t j = 0; j < count; j++)                                                        \
            memcpy(d + j * step, s + j, sizeof(T));                                                \
    }
    FOR_SIZE(bytes, LOOP)
#undef LOOP
}

void gather_fill(int64_t bytes, const void *sample, int64_t count, void *to) {
#define LOOP(T)                                                                                    \
    {                                                                                              \
        T value, *d = to;                                                                          \
        memcpy(&value, sample, sizeof value);                                                      \
        for (int64_t j = 0; j < count; j++)                                                        \
            d[j] = value;                                                                          \
    }
    FOR_SIZE(bytes, LOOP)
#undef LOOP
}

static void copy_outside(const gather_line *line, const char *from, int64_t first, int64_t stride,
                         int64_t count, char *to) {
    const size_t bytes = (size_t)line->bytes;
    if (line->rule == PYCONVC_CONSTANT) {
        gather_fill(line->bytes, line->fill, count, to);
        return;
    }
    for (int64_t j = 0; j < count; j++) {
        const int64_t i = pyconvc_boundary_index(line->rule, first + j * stride, line->length);
        memcpy(to + (size_t)j * bytes, from + i * line->step * line->bytes, bytes);
    }
}

void gather(const gather_line *line, const void *from, int64_t first, int64_t stride, int64_t count,
            void *to) {
    const char *s = from;
    char *d = to;
    const int64_t before = first < 0 ? min64(count, ceil_div(-first, stride)) : 0;
    const int64_t next = first + before * stride;
    const int64_t inside =
        next < line->length ? min64(count - before, ceil_div(line->length - next, stride)) : 0;
    const int64_t after = count - before - inside;
    if (before > 0) copy_outside(line, s, first, stride, before, d);
    d += before * line->bytes;
    if (inside > 0)
        copy_inside(line->bytes, s + next * line->step * line->bytes, stride * line->step, inside,
                    d);
    d += inside * line->bytes;
    if (after > 0) copy_outside(line, s, next + inside * stride, stride, after, d);
}
