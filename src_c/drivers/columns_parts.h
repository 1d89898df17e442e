/* columns_parts.h -- what the parts of columns.c share: the plan, a band of y with a block of x's
 * channels, and the columns of these (see columns.h). */
#ifndef PYCONVC_COLUMNS_PARTS_H
#define PYCONVC_COLUMNS_PARTS_H

#include "dispatch.h"
#include "problem.h"

enum { D, H, W };

#define CACHE_LINE 64

/* Of a row of a column, the samples that lie in x, and where in the phases of its line. */
typedef struct {
    int64_t from, to, count;
} columns_run;

typedef struct {
    const pyconvc_problem *p;
    const outer_kernels *outer;
    const fold_kernels *fold;
    int64_t bytes, parts, taps;
    int64_t channels, blocks; /* of x: in a block */
    int64_t columns;          /* of a block, by part, in whole tiles */
    int64_t channels_at_once; /* of y */
    int64_t tile_bytes;       /* of packed weights, from tile to tile of columns */
    int64_t depths, lines;    /* of y: a band has lines of one depth, if paired of any */
    int64_t rows, bands;      /* lines in a band, bands of a depth */
    int64_t row, pitch; /* samples from line to line, from column to column and channel of y */
    int64_t line;       /* samples of a stride phase of a line of x */
    columns_run *runs;  /* one for each tap along the width */
    int64_t *offsets;   /* of the columns of a tile of weights */
    int64_t *first[2];  /* first depth and row of y that meet each depth and row of x, or -1 */
    int dense;          /* the taps of successive channels lie in w one after the other */
    int alone;       /* each sample of x meets one tap: the columns are the phases of its lines */
    int paired;      /* and are put in their places, by twos, from registers */
    int64_t *places; /* in x: of the pairs of columns of a block */
    /* Tasks: image x group x part of the blocks x part of the bands. A part is one band where no
     * two bands meet the same line of x, and else all. */
    int64_t parts_of_blocks, parts_of_bands;
} columns_plan;

typedef struct {
    const columns_plan *plan;
    const char *y, *w, *bias;
    char *x;
} columns_job;

typedef struct {
    char *sums, *columns; /* the same, if samples have one part */
    char *y, *w, *row, *lines, *start;
} columns_scratch;

typedef struct {
    int64_t image, group, channel, channels, depth, row, rows;
} columns_band;

/* What to free is in plan->offsets and plan->runs. */
pyconvc_status columns_make(columns_plan *plan, const pyconvc_problem *p);

/* Adds the columns of a band to the lines of x that they meet; a line first met begins with the
 * bias. */
void columns_fold(const columns_job *j, const columns_band *b, const columns_scratch *s);

/* Lines that no sample of y meets are the bias alone. */
void columns_put_bias(const columns_job *j, const columns_band *b);

#endif
