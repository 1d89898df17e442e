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

void gather_fill(int64_t bytes, const void *sample, int64_t count, void *to){
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

gather_range gather_find(const gather_line *line, int64_t first, int64_t stride, int64_t count) {
    gather_range r = {.first = first, .stride = stride};
    r.before = first < 0 ? min64(count, ceil_div(-first, stride)) : 0;
    const int64_t next = first + r.before * stride;
    if (next < line->length)
        r.inside = min64(count - r.before, ceil_div(line->length - next, stride));
    r.after = count - r.before - r.inside;
    return r;
}

static int64_t source(const gather_line *line, const gather_range *range, int64_t j) {
    return pyconvc_boundary_index(line->rule, range->first + j * range->stride, line->length) *
           line->step;
}

/* Three runs, and zeros. */
#define GATHER(T)                                                                                  \
    static void gather_##T(const gather_line *line, const gather_range *range, const T *from,      \
                           int64_t slack, T *to) {                                                 \
        const int64_t count = range->before + range->inside + range->after;                        \
        const int64_t step = range->stride * line->step;                                           \
        const T *s = from + (range->first + range->before * range->stride) * line->step;           \
        T *d = to + range->before;                                                                 \
        if (step == 1)                                                                             \
            memcpy(d, s, (size_t)range->inside * sizeof(T));                                       \
        else if (step == 2) /* by far the most frequent stride: a constant lets it be shuffled */  \
            for (int64_t j = 0; j < range->inside; j++)                                            \
                d[j] = s[2 * j];                                                                   \
        else                                                                                       \
            for (int64_t j = 0; j < range->inside; j++)                                            \
                d[j] = s[j * step];                                                                \
        for (int64_t i = 0; i < range->before + range->after; i++) {                               \
            const int64_t j = i < range->before ? i : i + range->inside;                           \
            if (line->rule == PYCONVC_CONSTANT)                                                    \
                memcpy(to + j, line->fill, sizeof(T));                                             \
            else                                                                                   \
                to[j] = from[source(line, range, j)];                                              \
        }                                                                                          \
        memset(to + count, 0, (size_t)slack * sizeof(T));                                          \
    }
GATHER(uint8_t)
GATHER(uint16_t)
GATHER(uint32_t)
GATHER(uint64_t)
GATHER(sample16)
#undef GATHER

void gather(const gather_line *line, const gather_range *range, const void *from, int64_t slack,
            void *to) {
#define LOOP(T) gather_##T(line, range, from, slack, to);
    FOR_SIZE(line->bytes, LOOP)
#undef LOOP
}

void gather_all(int64_t bytes, const void *from, int64_t count, int64_t step, void *to) {
    const gather_line line = {bytes, count, step, PYCONVC_CONSTANT, NULL};
    const gather_range range = {0, 1, 0, count, 0};
    gather(&line, &range, from, 0, to);
}

/* ---- many lines --------------------------------------------------------------------------------
 */

typedef uint64_t block __attribute__((vector_size(16), may_alias));

#define COPY(T, at)                                                                                \
    {                                                                                              \
        T a;                                                                                       \
        memcpy(&a, from + (at), sizeof a);                                                         \
        memcpy(to + (at), &a, sizeof a);                                                           \
    }

/* memcpy without a call, for lines of some dozens of bytes: the last block may lie over the one
 * before. */
static inline void copy_line(const char *from, int64_t bytes, char *to) {
    if (bytes >= 16) {
        for (int64_t i = 0; i + 16 <= bytes; i += 16)
            COPY(block, i)
        COPY(block, bytes - 16)
    } else if (bytes >= 8) {
        COPY(uint64_t, 0)
        COPY(uint64_t, bytes - 8)
    } else {
        for (int64_t i = 0; i < bytes; i++)
            to[i] = from[i];
    }
}

static void copy_lines(int64_t bytes, const char *from, const gather_move *moves, int64_t count,
                       int64_t samples, char *to) {
    for (int64_t i = 0; i < count; i++)
        copy_line(from + moves[i].from * bytes, samples * bytes, to + moves[i].to * bytes);
}

#define STEP_LINES(T)                                                                              \
    static void step_lines_##T(const T *from, int64_t step, const gather_move *moves,              \
                               int64_t count, int64_t samples, T *to) {                            \
        for (int64_t i = 0; i < count; i++) {                                                      \
            const T *s = from + moves[i].from;                                                     \
            T *d = to + moves[i].to;                                                               \
            if (step == 2)                                                                         \
                for (int64_t j = 0; j < samples; j++)                                              \
                    d[j] = s[2 * j];                                                               \
            else                                                                                   \
                for (int64_t j = 0; j < samples; j++)                                              \
                    d[j] = s[j * step];                                                            \
        }                                                                                          \
    }
STEP_LINES(uint8_t)
STEP_LINES(uint16_t)
STEP_LINES(uint32_t)
STEP_LINES(uint64_t)
STEP_LINES(sample16)
#undef STEP_LINES

void gather_moves(const gather_line *line, const gather_range *range, const void *from,
                  const gather_move *moves, int64_t count, void *to) {
    const int64_t bytes = line->bytes, step = range->stride * line->step;
    if (line->rule != PYCONVC_CONSTANT) {
        for (int64_t i = 0; i < count; i++)
            gather(line, range, (const char *)from + moves[i].from * bytes, 0,
                   (char *)to + moves[i].to * bytes);
        return;
    }
    const int64_t first = (range->first + range->before * range->stride) * line->step;
    const char *s = (const char *)from + first * bytes;
    char *d = (char *)to + range->before * bytes;
    if (step == 1) {
        copy_lines(bytes, s, moves, count, range->inside, d);
        return;
    }
#define LOOP(T) step_lines_##T((const T *)s, step, moves, count, range->inside, (T *)d);
    FOR_SIZE(bytes, LOOP)
#undef LOOP
}
