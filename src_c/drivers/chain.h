/* chain.h -- chains of passes over blocks: decided once a call, read by all workers.
 *
 * A task loads a block of x with the halos of all passes, as elements to compute with or as small
 * integers are in memory, into a buffer that fits in the cache, runs the passes from buffer to
 * buffer and stores the block of y.
 * Rules are applied where the block is loaded: passes along different axes commute with reading
 * samples from elsewhere. Only constants are put in anew before each pass.
 *
 * Of two passes, the first along rows' columns, only the rows of a band are loaded, without the
 * ends that a rule adds: the first pass reads them in x itself wherever it can, and what it leaves
 * is extended.
 *
 * Of three passes, along columns, rows and planes, the first two go through a plane of the block in
 * that way, and leave it in a slab of planes that the third reads; the slab moves on through the
 * block, so that only the block's first planes are computed for another block too.
 */
#ifndef PYCONVC_CHAIN_H
#define PYCONVC_CHAIN_H

#include "filter.h"

typedef struct {
    const pyconvc_chain *c;
    const kernel_table *table;
    const shifted_kernels *shifted, *fused;
    const convert_kernels *convert;
    const box_kernels *box;
    convert_fn *widen;          /* what is in x to what is in a buffer */
    int32_t held;               /* pyconvc_sample of integers in a buffer; AS_COMPUTED: elements */
    int64_t bytes, parts;       /* of a sample in a buffer */
    int32_t x_sample, y_sample; /* pyconvc_sample; AS_COMPUTED: as in a buffer */
    int64_t x_bytes, y_bytes;
    unsigned char fill[PYCONVC_RANK][16]; /* of each pass, as in a buffer */

    int64_t origin[PYCONVC_RANK]; /* sample of y from which runs of windows are counted */
    int64_t block[PYCONVC_RANK], blocks[PYCONVC_RANK]; /* samples of y, and how many blocks */
    int64_t halo[PYCONVC_RANK], before[PYCONVC_RANK];  /* samples beyond a block, before it */
    int64_t row, plane, buffer; /* samples from one row, plane and buffer to the next */
    int64_t rows;               /* between two passes that go by rows */
    int loads_rows;             /* when the first of them needs them: then they are still near */
    int turned_x;               /* rows of a block are columns of memory */
    int direct;                 /* which is where they lie in x, but beyond its ends */
    int64_t slab;               /* planes of y between two moves of a slab; 0 where there is none */
    int64_t slab_row, slab_plane;
    int64_t lead;             /* samples before a row between them: its inner part is aligned */
    int64_t pointers;         /* that a table of rows or terms has */
    int stores_itself, flags; /* the last pass writes to y, with these FILTER_ flags */
    int box_alone;            /* so few rows that their means are not made side by side */
    int64_t turned;           /* samples of lines side by side */
    int64_t sums;             /* bytes for the ends of windows */
    int64_t tasks;
    int workers;

    /* SUMs that are filters; no taps where a pass is none. */
    pyconvc_problem problem[PYCONVC_RANK];
    filter_plan filter[PYCONVC_RANK];
    int around[PYCONVC_RANK];                 /* pairs that lie around their sample along an axis */
    int32_t *whole[PYCONVC_RANK];             /* weights of sums of small integers; NULL: others */
    const split_weights *split[PYCONVC_RANK]; /* of sums of small integers; NULL where none */
    const factored_weights *factored[PYCONVC_RANK];
} chain_plan;

/* Whether a chain makes sense. */
pyconvc_status chain_check(const pyconvc_chain *c);

/* Free with chain_plan_free also after a failure. */
pyconvc_status chain_plan_make(chain_plan *plan, const pyconvc_chain *c, const void *x,
                               const void *y, const pyconvc_run *run);
void chain_plan_free(chain_plan *plan);

/* Bytes of a pyconvc_sample; AS_COMPUTED: `computed`. */
int64_t chain_sample_bytes(int32_t sample, int64_t computed);

/* The axis that a pass has its kernel along. */
int chain_axis(const pyconvc_pass *pass);

/* The boundary rule along an axis; PYCONVC_CONSTANT where nothing is beyond it. */
int32_t chain_rule(const pyconvc_chain *c, int axis);

/* Whether a pass is a mean of so many samples that their sums are shared, and how: along rows in
 * eights, or in runs of whole windows; `held` is what buffers hold, a pyconvc_sample. */
typedef enum { CHAIN_PLAIN, CHAIN_EIGHTS, CHAIN_RUNS } chain_sharing;
chain_sharing chain_shares(int32_t held, const pyconvc_pass *pass);

/* Whether passes i and i + 1, the last two, go by rows, or by runs of rows: other means take whole
 * blocks. */
int chain_goes_by_rows(const chain_plan *plan, int i);

/* Whether the weights of a sum of small integers are whole numbers, and sums fit into 32 bits; and
 * these weights. */
int chain_is_whole(const pyconvc_pass *pass, int32_t sample);
pyconvc_status chain_whole(const pyconvc_pass *pass, int32_t **to);

/* Weights of a sum of small integers in two parts; leaves *to alone where none are of use. */
pyconvc_status chain_split(const pyconvc_pass *pass, int32_t sample, const split_weights **to);

/* Those of sums of pairs of bytes in two factors, likewise; in_double: the kernel of such sums. */
pyconvc_status chain_factor(const pyconvc_pass *pass, int32_t sample, shifted_fn *in_double,
                            const factored_weights **to);

pyconvc_status chain_run(const chain_plan *plan, const void *x, void *y, const pyconvc_run *run);

/* The same as one task of others, which grants the scratch. */
size_t chain_scratch_bytes(const chain_plan *plan);
void chain_run_alone(const chain_plan *plan, const void *x, void *y, void *memory);

/* A plan that is used once. */
pyconvc_status chain_filter(const pyconvc_chain *c, const void *x, void *y, const pyconvc_run *run);

#endif
