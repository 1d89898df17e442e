/* pool_copy.h -- samples between memory and strips: over two axes, converted on the way. */
#ifndef PYCONVC_POOL_COPY_H
#define PYCONVC_POOL_COPY_H

#include "pyconvc.h"

/* Items, and the steps of both sides in samples. */
typedef struct {
    int64_t count, from, to;
} copy_axis;

/* From memory to samples of so many bytes to compute with, and back; `inner` runs faster. */
void pool_load(int32_t stored, int64_t bytes, const copy_axis *outer, const copy_axis *inner,
               const void *from, void *to);
void pool_store(int32_t stored, int64_t bytes, const copy_axis *outer, const copy_axis *inner,
                const void *from, void *to);

/* Of a sample in memory. */
int64_t pool_stored_bytes(int32_t stored, int64_t bytes);

#endif
