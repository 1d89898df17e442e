/* gather.h -- copies samples of one line, extended by its boundary rule, into a contiguous strip.
 */
#ifndef PYCONVC_GATHER_H
#define PYCONVC_GATHER_H

#include "kernels/kernel_types.h"
#include "pyconvc.h"

typedef struct {
    int64_t bytes;  /* of a sample: 1, 2, 4, 8 or 16 */
    int64_t length; /* samples of the line */
    int64_t step;   /* samples from one to the next in memory */
    int32_t rule;   /* pyconvc_boundary */
    const unsigned char *fill;
} gather_line;

/* The samples first, first + stride, ... of a line (stride >= 1, first anywhere): how many lie
 * before it, inside and after it. The same for all lines of one length, so found once for many. */
typedef struct {
    int64_t first, stride, before, inside, after;
} gather_range;

gather_range gather_find(const gather_line *line, int64_t first, int64_t stride, int64_t count);

/* The samples of the range, then `slack` zeros. */
void gather(const gather_line *line, const gather_range *range, const void *from, int64_t slack,
            void *to);

/* The same for many lines, those at NULL left out; the copies are `pitch` samples apart. */
void gather_lines(const gather_line *line, const gather_range *range, const void *const *from,
                  int64_t count, int64_t slack, int64_t pitch, void *to);

typedef line_move gather_move;

/* The samples of the range of many lines; what a CONSTANT rule has beyond their ends is there
 * already. */
void gather_moves(const gather_line *line, const gather_range *range, const void *from,
                  const gather_move *moves, int64_t count, void *to);

/* What a CONSTANT rule has beyond the ends of these lines, and `slack` zeros after each. */
void gather_ends(const gather_line *line, const gather_range *range, const gather_move *moves,
                 int64_t count, int64_t slack, void *to);

/* gather_moves for two ranges that are each other's gaps: every second sample of the lines, and
 * those between. */
void gather_pairs(const gather_line *line, const gather_range range[2], const void *from,
                  const gather_move *moves, int64_t count, void *to, void *to_between);

/* gather_moves for `across` lines that begin one sample apart, as those of the channels of an image
 * do that is channels-last in memory; the copies are `pitch` samples apart. */
void gather_across(const gather_line *line, const gather_range *range, const void *from,
                   int64_t across, const gather_move *moves, int64_t count, int64_t pitch,
                   void *to);

/* to[j] = from[j * step] for j < count. */
void gather_all(int64_t bytes, const void *from, int64_t count, int64_t step, void *to);

/* to[k * pitch + j] = from[j * step + k] for j < samples, k < across. */
void gather_turned(int64_t bytes, const void *from, int64_t step, int64_t samples, int64_t across,
                   int64_t pitch, void *to);

/* to[j] = from[at[j]] for j < count. */
void gather_at(int64_t bytes, const void *from, const int64_t *at, int64_t count, void *to);

/* to[j * step] = from[j] for j < count. */
void scatter(int64_t bytes, const void *from, int64_t count, int64_t step, void *to);

/* to[j * lines + i] = from[i * pitch + j] for j < count, i < lines. */
void interleave(int64_t bytes, const void *from, int64_t pitch, int64_t lines, int64_t count,
                void *to);

/* to[j] = *sample for j < count. */
void gather_fill(int64_t bytes, const void *sample, int64_t count, void *to);

#endif
