/* chain_step.h -- what the parts of chain.c share: a task, the blocks that its passes read and
 * write, one pass over them (see chain.h). */
#ifndef PYCONVC_CHAIN_STEP_H
#define PYCONVC_CHAIN_STEP_H

#include "chain.h"

enum { D, H, W };

typedef struct {
    const chain_plan *plan;
    const char *x;
    char *y;
} chain_job;

/* What a worker's scratch holds. */
typedef struct {
    char *buffer[3]; /* blocks */
    char *slab;      /* planes between the second and the third pass */
    char *line;      /* a line as it is in memory */
    char *turned[2]; /* lines of a box filter, side by side */
    char *sums;      /* of the ends of its windows */
    const void **table;
    int64_t *beyond; /* where samples beyond the ends of a row are in x, from the row's first */
} chain_scratch;

typedef struct {
    int64_t image, first[PYCONVC_RANK], size[PYCONVC_RANK];
} chain_task;

/* Samples of a buffer, or of y: where they begin and their steps. */
typedef struct {
    char *first;
    int64_t plane, row;
} chain_block;

/* What of x the rows of a block have. Samples beyond its ends are counted from the first of x, or
 * from that of the row where rows are extended after the first pass. */
typedef struct {
    int64_t first, before, inside, after; /* sample of x; counts */
    int constant;                         /* what lies beyond the ends of a row of x */
} chain_columns;

/* A pass from one block to another; n counts the samples that it writes. */
typedef struct {
    const chain_plan *plan;
    const pyconvc_pass *pass;
    const filter_plan *filter;
    const chain_scratch *s;
    const chain_job *j;
    const chain_task *t;
    const chain_columns *columns;
    chain_block from, to;
    int64_t n[PYCONVC_RANK];
    int flags;
    int64_t at; /* number of the first row in its block */
} chain_step;

static inline char *sample(const chain_plan *plan, const chain_block *b, int64_t d, int64_t h,
                           int64_t w) {
    return b->first + (d * b->plane + h * b->row + w) * plan->bytes;
}

/* The first row of those that lie one behind the other along an axis (W: as for H), number i of
 * them side by side. */
static inline char *first_row(const chain_step *p, const chain_block *b, int axis, int64_t i) {
    return axis == D ? sample(p->plan, b, 0, i, 0) : sample(p->plan, b, i, 0, 0);
}

static inline void point_to_rows(const chain_step *p, int axis, int64_t i, int64_t rows) {
    const char *first = first_row(p, &p->from, axis, i);
    const int64_t pitch = (axis == D ? p->from.plane : p->from.row) * p->plan->bytes;
    for (int64_t r = 0; r < rows; r++)
        p->s->table[r] = first + r * pitch;
}

/* ---- chain_load.c: x to a block, a block to y */

/* Where sample i of the loaded block is in x along an axis; -1: nowhere. */
int64_t chain_source(const chain_plan *plan, const chain_task *t, int a, int64_t i);

chain_columns chain_find_columns(const chain_plan *plan, const chain_task *t,
                                 const chain_scratch *s);

/* What a row has beyond its inner samples. Constants are put in before the pass that reads them. */
void chain_extend(int64_t bytes, const chain_columns *c, const int64_t *beyond, const char *from,
                  char *to);

/* Rows [from, to) of plane d of the block. */
void chain_load_rows(const chain_job *j, const chain_task *t, const chain_scratch *s,
                     const chain_columns *c, const chain_block *b, int64_t d, int64_t from,
                     int64_t to);

/* n counts the samples. */
void chain_store_block(const chain_plan *plan, const chain_scratch *s, const int64_t *n,
                       const chain_block *from, const chain_block *y);

/* The constant of pass i, in what it reads beyond the edges; n: samples of the block. */
void chain_put_constant(const chain_plan *plan, const chain_task *t, int i, const chain_block *b,
                        const int64_t *n);

/* ---- chain_pass.c */

void chain_run_pass(const chain_step *p);

/* What is computed becomes what y's samples can hold. */
void chain_settle(const chain_step *p);

/* ---- chain_box.c */

/* A mean whose sums are shared. */
void chain_box(const chain_step *p);

/* The place of the first window of a pass in its run of windows; runs are counted from one end of
 * the axis, so that no block changes a bit. */
int64_t chain_place(const chain_step *p, int axis);

#endif
