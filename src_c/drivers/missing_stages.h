/* missing_stages.h -- chains over copies of bands (see missing_chain.c): where an array is cut, and
 * the stages of a chain on such a copy.
 *
 * A stage is a chain of some of the passes. Where a pass over planes comes before two in them it is
 * one by itself, and the planes that only it needs are left behind. */
#ifndef PYCONVC_MISSING_STAGES_H
#define PYCONVC_MISSING_STAGES_H

#include "chain.h"
#include "missing.h"

enum { D, H, W };
enum { MISSING_STAGES = 2 };

/* The axis along which outputs are cut into bands of so many rows; the samples beyond a band that
 * it meets, and how many of them lie before it. */
typedef struct {
    int axis;
    int64_t rows, halo, before;
} missing_cut;

/* Stage i goes from buffer i to the other one. */
typedef struct {
    int count;
    pyconvc_chain chain[MISSING_STAGES];
    chain_plan plan[MISSING_STAGES]; /* each points to its chain */
} missing_stages;

/* UNSUITED where even the smallest bands are too large. */
pyconvc_status missing_find_cut(const pyconvc_chain *c, missing_cut *cut);

/* The stages over a band of so many rows; free with missing_free also after a failure. */
pyconvc_status missing_plan(missing_stages *m, const pyconvc_chain *c, const missing_cut *cut,
                            int64_t rows);
void missing_free(missing_stages *m);

/* Bytes of a buffer, and of what missing_run needs besides. */
int64_t missing_buffer(const missing_stages *m, int i);
int64_t missing_scratch(const missing_stages *m);

/* From buffer[0] to buffer[count % 2]. */
void missing_run(const missing_stages *m, char *const *buffer, void *scratch);

/* The sum of a window's weights, added up as in a band. */
pyconvc_status missing_weigh(const pyconvc_chain *sizes, double *total);

/* Samples that all passes meet. */
double missing_taps(const pyconvc_chain *c);

#endif
