/* SPDX-License-Identifier: BSD-3-Clause
 * gather.c -- three runs: before the line, inside it, after it. Only the outer two ask the rule. */
#include "gather.h"

#include <string.h>

#include "problem.h"

#define CACHE_LINE  64
#define FEW_SAMPLES 4   /* at the ends of lines */
#define SHORT_LINE  256 /* bytes up to which a loop is faster than a call */

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
    if (step == 1)
        memcpy(to, from, (size_t)(count * bytes));
    else
        FOR_SIZE(bytes, LOOP)
#undef LOOP
}

void interleave(int64_t bytes, const void *from, int64_t pitch, int64_t lines, int64_t count,
                void *to) {
#define PAIRS(T)                                                                                   \
    {                                                                                              \
        const T *restrict a = from, *restrict b = a + pitch;                                       \
        T *restrict d = to;                                                                        \
        for (int64_t j = 0; j < count; j++) {                                                      \
            d[2 * j] = a[j];                                                                       \
            d[2 * j + 1] = b[j];                                                                   \
        }                                                                                          \
    }
#define LOOP(T)                                                                                    \
    {                                                                                              \
        const T *s = from;                                                                         \
        T *d = to;                                                                                 \
        for (int64_t j = 0; j < count; j++)                                                        \
            for (int64_t i = 0; i < lines; i++)                                                    \
                d[j * lines + i] = s[i * pitch + j];                                               \
    }
    if (lines == 2)
        FOR_SIZE(bytes, PAIRS)
    else
        FOR_SIZE(bytes, LOOP)
#undef LOOP
#undef PAIRS
}

void gather_at(int64_t bytes, const void *from, const int64_t *at, int64_t count, void *to) {
#define LOOP(T)                                                                                    \
    {                                                                                              \
        const T *s = from;                                                                         \
        T *d = to;                                                                                 \
        for (int64_t j = 0; j < count; j++)                                                        \
            memcpy(d + j, s + at[j], sizeof(T));                                                   \
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

/* The first sample that is in the line; where there is none, some place in it. */
static int64_t first_inside(const gather_range *range) {
    return range->inside ? range->first + range->before * range->stride : 0;
}

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

/* For lines of any length. */
static inline void copy_any_line(const char *from, int64_t bytes, char *to) {
    if (bytes <= SHORT_LINE)
        copy_line(from, bytes, to);
    else
        memcpy(to, from, (size_t)bytes);
}

static inline void clear_line(int64_t bytes, char *to) {
    static const char zeros[SHORT_LINE];
    if (bytes <= SHORT_LINE)
        copy_line(zeros, bytes, to);
    else
        memset(to, 0, (size_t)bytes);
}

/* Three runs, and zeros. What lies beyond the ends is found once for all lines. */
#define GATHER(T)                                                                                  \
    static void ends_##T(const gather_line *line, const gather_range *range,                       \
                         const void *const *from, int64_t count, int64_t pitch, int64_t first,     \
                         int64_t end, T *to) {                                                     \
        int64_t at[FEW_SAMPLES];                                                                   \
        T value = {0};                                                                             \
        if (first >= end) return;                                                                  \
        const int constant = line->rule == PYCONVC_CONSTANT;                                       \
        if (constant) memcpy(&value, line->fill, sizeof(T));                                       \
        for (; first < end; first += FEW_SAMPLES) {                                                \
            const int64_t some = min64(FEW_SAMPLES, end - first);                                  \
            for (int64_t j = 0; j < some && !constant; j++)                                        \
                at[j] = source(line, range, first + j);                                            \
            for (int64_t i = 0; i < count; i++)                                                    \
                for (int64_t j = 0; j < some && from[i]; j++)                                      \
                    to[i * pitch + first + j] = constant ? value : ((const T *)from[i])[at[j]];    \
        }                                                                                          \
    }                                                                                              \
    static void inside_##T(const T *from, int64_t step, int64_t count, T *to) {                    \
        if (step == 1)                                                                             \
            copy_any_line((const char *)from, count *(int64_t)sizeof(T), (char *)to);              \
        else if (step == 2) /* by far the most frequent stride: a constant lets it be shuffled */  \
            for (int64_t j = 0; j < count; j++)                                                    \
                to[j] = from[2 * j];                                                               \
        else                                                                                       \
            for (int64_t j = 0; j < count; j++)                                                    \
                to[j] = from[j * step];                                                            \
    }                                                                                              \
    static void gather_##T(const gather_line *line, const gather_range *range,                     \
                           const void *const *from, int64_t count, int64_t slack, int64_t pitch,   \
                           T *to) {                                                                \
        const int64_t after = range->before + range->inside, end = after + range->after;           \
        const int64_t step = range->stride * line->step, first = first_inside(range) * line->step; \
        for (int64_t i = 0; i < count; i++) {                                                      \
            if (!from[i]) continue;                                                                \
            T *d = to + i * pitch;                                                                 \
            inside_##T((const T *)from[i] + first, step, range->inside, d + range->before);        \
            clear_line(slack *(int64_t)sizeof(T), (char *)(d + end));                              \
        }                                                                                          \
        ends_##T(line, range, from, count, pitch, 0, range->before, to);                           \
        ends_##T(line, range, from, count, pitch, after, end, to);                                 \
    }
GATHER(uint8_t)
GATHER(uint16_t)
GATHER(uint32_t)
GATHER(uint64_t)
GATHER(sample16)
#undef GATHER

void gather_lines(const gather_line *line, const gather_range *range, const void *const *from,
                  int64_t count, int64_t slack, int64_t pitch, void *to) {
#define LOOP(T) gather_##T(line, range, from, count, slack, pitch, to);
    FOR_SIZE(line->bytes, LOOP)
#undef LOOP
}

void gather(const gather_line *line, const gather_range *range, const void *from, int64_t slack,
            void *to) {
    gather_lines(line, range, &from, 1, slack, 0, to);
}

void gather_all(int64_t bytes, const void *from, int64_t count, int64_t step, void *to) {
    const gather_line line = {bytes, count, step, PYCONVC_CONSTANT, NULL};
    const gather_range range = {0, 1, 0, count, 0};
    gather(&line, &range, from, 0, to);
}

/* ---- many lines --------------------------------------------------------------------------------
 */

/* copy_line for 16 to 64 bytes, without a loop: blocks from the begin and from the end. */
static inline void copy_short_line(const char *from, int64_t bytes, char *to) {
    COPY(block, 0)
    if (bytes > 32) {
        COPY(block, 16)
        COPY(block, bytes - 32)
    }
    COPY(block, bytes - 16)
}

static void copy_lines(int64_t bytes, const char *from, const gather_move *moves, int64_t count,
                       int64_t samples, char *to) {
    const int64_t line = samples * bytes;
    if (line >= 16 && line <= 64) {
        for (int64_t i = 0; i < count; i++)
            copy_short_line(from + moves[i].from * bytes, line, to + moves[i].to * bytes);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        copy_line(from + moves[i].from * bytes, line, to + moves[i].to * bytes);
}

typedef uint32_t words __attribute__((vector_size(16), may_alias));
#ifdef __clang__
#    define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#    define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (words){i, j, k, l})
#endif

static inline words load_words(const uint32_t *from) {
    words a;
    memcpy(&a, from, sizeof a);
    return a;
}

static inline void store_words(uint32_t *to, words a) {
    memcpy(to, &a, sizeof a);
}

/* Every second of some dozens of samples, and nothing read beyond the last. */
static inline void halve_line(const uint32_t *from, int64_t samples, uint32_t *to) {
    for (int64_t j = 0; j < samples && samples >= 4; j += 4) {
        const int64_t at = min64(j, samples - 4);
        const words a = load_words(from + 2 * at), b = load_words(from + 2 * at + 3);
        store_words(to + at, SHUFFLE(a, b, 0, 2, 5, 7));
    }
    for (int64_t j = 0; j < samples && samples < 4; j++)
        to[j] = from[2 * j];
}

static void halve_lines(const uint32_t *from, const gather_move *moves, int64_t count,
                        int64_t samples, uint32_t *to) {
    for (int64_t i = 0; i < count; i++)
        halve_line(from + moves[i].from, samples, to + moves[i].to);
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
    const int64_t first = first_inside(range) * line->step;
    const char *s = (const char *)from + first * bytes;
    char *d = (char *)to + range->before * bytes;
    if (step == 1) {
        copy_lines(bytes, s, moves, count, range->inside, d);
        return;
    }
    if (step == 2 && bytes == 4) {
        halve_lines((const uint32_t *)s, moves, count, range->inside, (uint32_t *)d);
        return;
    }
#define LOOP(T) step_lines_##T((const T *)s, step, moves, count, range->inside, (T *)d);
    FOR_SIZE(bytes, LOOP)
#undef LOOP
}

/* The same samples in each line from a place on: few of them place after place, many line by line.
 */
#define FILL(T)                                                                                    \
    static void fill_##T(const void *sample, const gather_move *moves, int64_t count,              \
                         int64_t first, int64_t samples, T *to) {                                  \
        T value;                                                                                   \
        memcpy(&value, sample, sizeof value);                                                      \
        to += first;                                                                               \
        if (samples <= FEW_SAMPLES)                                                                \
            for (T *end = to + samples; to < end; to++)                                            \
                for (int64_t i = 0; i < count; i++)                                                \
                    to[moves[i].to] = value;                                                       \
        else                                                                                       \
            for (int64_t i = 0; i < count; i++)                                                    \
                for (int64_t j = 0; j < samples; j++)                                              \
                    to[moves[i].to + j] = value;                                                   \
    }
FILL(uint8_t)
FILL(uint16_t)
FILL(uint32_t)
FILL(uint64_t)
FILL(sample16)
#undef FILL

void gather_ends(const gather_line *line, const gather_range *range, const gather_move *moves,
                 int64_t count, int64_t slack, void *to) {
    static const char zeros[16];
    const int constant = line->rule == PYCONVC_CONSTANT;
    const int64_t after = range->before + range->inside, end = after + range->after;
#define LOOP(T)                                                                                    \
    {                                                                                              \
        if (constant) fill_##T(line->fill, moves, count, 0, range->before, to);                    \
        if (constant) fill_##T(line->fill, moves, count, after, range->after, to);                 \
        fill_##T(zeros, moves, count, end, slack, to);                                             \
    }
    FOR_SIZE(line->bytes, LOOP)
#undef LOOP
}

/* from[0], from[2], ... and from[1], from[3], ... */
static inline void split_line(const uint32_t *from, int64_t pairs, uint32_t *even, uint32_t *odd) {
    for (int64_t j = 0; j < pairs && pairs >= 4; j += 4) {
        const int64_t at = min64(j, pairs - 4);
        const words a = load_words(from + 2 * at), b = load_words(from + 2 * at + 4);
        store_words(even + at, SHUFFLE(a, b, 0, 2, 4, 6));
        store_words(odd + at, SHUFFLE(a, b, 1, 3, 5, 7));
    }
    for (int64_t j = 0; j < pairs && pairs < 4; j++)
        even[j] = from[2 * j], odd[j] = from[2 * j + 1];
}

void gather_pairs(const gather_line *line, const gather_range range[2], const void *from,
                  const gather_move *moves, int64_t count, void *to, void *to_between) {
    const int64_t first[2] = {first_inside(&range[0]), first_inside(&range[1])};
    const int odd = first[1] < first[0]; /* the early one */
    const gather_range *early = &range[odd], *late = &range[1 - odd];
    const int64_t pairs = min64(early->inside, late->inside);
    if (line->bytes != 4 || line->step != 1 || line->rule != PYCONVC_CONSTANT ||
        early->stride != 2 || first[1 - odd] != first[odd] + 1 || late->inside > pairs ||
        early->inside > pairs + 1) {
        gather_moves(line, &range[0], from, moves, count, to);
        gather_moves(line, &range[1], from, moves, count, to_between);
        return;
    }
    const uint32_t *s = (const uint32_t *)from + first[odd];
    uint32_t *even_to = (uint32_t *)(odd ? to_between : to) + early->before;
    uint32_t *odd_to = (uint32_t *)(odd ? to : to_between) + late->before;
    for (int64_t i = 0; i < count; i++) {
        const uint32_t *at = s + moves[i].from;
        split_line(at, pairs, even_to + moves[i].to, odd_to + moves[i].to);
        if (early->inside > pairs) even_to[moves[i].to + pairs] = at[2 * pairs];
    }
}

/* ---- many neighbours of many lines -------------------------------------------------------------
 */

#define TURN(T)                                                                                    \
    static void turn_##T(const T *from, int64_t step, int64_t samples, int64_t across,             \
                         int64_t pitch, T *to) {                                                   \
        for (int64_t j = 0; j < samples; j++)                                                      \
            for (int64_t k = 0; k < across; k++)                                                   \
                to[k * pitch + j] = from[j * step + k];                                            \
    }
TURN(uint8_t)
TURN(uint16_t)
TURN(uint32_t)
TURN(uint64_t)
TURN(sample16)
#undef TURN

static inline void turn_4x4(const uint32_t *from, int64_t step, int64_t pitch, uint32_t *to) {
    const words a = load_words(from), b = load_words(from + step);
    const words c = load_words(from + 2 * step), d = load_words(from + 3 * step);
    const words e = SHUFFLE(a, b, 0, 4, 1, 5), f = SHUFFLE(a, b, 2, 6, 3, 7);
    const words g = SHUFFLE(c, d, 0, 4, 1, 5), h = SHUFFLE(c, d, 2, 6, 3, 7);
    store_words(to, SHUFFLE(e, g, 0, 1, 4, 5));
    store_words(to + pitch, SHUFFLE(e, g, 2, 3, 6, 7));
    store_words(to + 2 * pitch, SHUFFLE(f, h, 0, 1, 4, 5));
    store_words(to + 3 * pitch, SHUFFLE(f, h, 2, 3, 6, 7));
}

typedef uint64_t pair __attribute__((vector_size(16), may_alias));
#ifdef __clang__
#    define PAIR(a, b, i, j) __builtin_shufflevector(a, b, i, j)
#else
#    define PAIR(a, b, i, j) __builtin_shuffle(a, b, (pair){i, j})
#endif

static inline void turn_2x2(const uint64_t *from, int64_t step, int64_t pitch, uint64_t *to) {
    pair a, b, c;
    memcpy(&a, from, sizeof a);
    memcpy(&b, from + step, sizeof b);
    c = PAIR(a, b, 0, 2);
    memcpy(to, &c, sizeof c);
    c = PAIR(a, b, 1, 3);
    memcpy(to + pitch, &c, sizeof c);
}

/* In blocks of N x N, the last of which may lie over the one before: all of a cache line's samples,
 * then those beside them, so that lines are read and written whole. */
#define TURN_BLOCKS(T, N)                                                                          \
    static void turn_blocks_##T(const T *from, int64_t step, int64_t samples, int64_t across,      \
                                int64_t pitch, T *to) {                                            \
        const int64_t line = CACHE_LINE / (int64_t)sizeof(T);                                      \
        if (samples < N || across < N) {                                                           \
            turn_##T(from, step, samples, across, pitch, to);                                      \
            return;                                                                                \
        }                                                                                          \
        for (int64_t first = 0; first < samples; first += line)                                    \
            for (int64_t k = 0; k < across; k += N) {                                              \
                const int64_t row = min64(k, across - N);                                          \
                for (int64_t j = first; j < min64(first + line, samples); j += N) {                \
                    const int64_t column = min64(j, samples - N);                                  \
                    turn_##N##x##N(from + column * step + row, step, pitch,                        \
                                   to + row * pitch + column);                                     \
                }                                                                                  \
            }                                                                                      \
    }
TURN_BLOCKS(uint32_t, 4)
TURN_BLOCKS(uint64_t, 2)
#undef TURN_BLOCKS

void gather_turned(int64_t bytes, const void *from, int64_t step, int64_t samples, int64_t across,
                   int64_t pitch, void *to) {
    if (bytes == 4) {
        turn_blocks_uint32_t(from, step, samples, across, pitch, to);
        return;
    }
    if (bytes == 8) {
        turn_blocks_uint64_t(from, step, samples, across, pitch, to);
        return;
    }
#define LOOP(T) turn_##T(from, step, samples, across, pitch, to);
    FOR_SIZE(bytes, LOOP)
#undef LOOP
}

void gather_across(const gather_line *line, const gather_range *range, const void *from,
                   int64_t across, const gather_move *moves, int64_t count, int64_t pitch,
                   void *to) {
    const int64_t bytes = line->bytes, step = range->stride * line->step;
    if (line->rule != PYCONVC_CONSTANT) {
        for (int64_t k = 0; k < across; k++)
            gather_moves(line, range, (const char *)from + k * bytes, moves, count,
                         (char *)to + k * pitch * bytes);
        return;
    }
    const int64_t first = first_inside(range) * line->step;
    for (int64_t i = 0; i < count; i++) {
        const char *s = (const char *)from + (moves[i].from + first) * bytes;
        char *d = (char *)to + (moves[i].to + range->before) * bytes;
        gather_turned(bytes, s, step, range->inside, across, pitch, d);
    }
}
