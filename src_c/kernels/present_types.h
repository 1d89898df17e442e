/* present_types.h -- the kernels of missing samples: samples and what tells whether they are there.
 */
#ifndef PYCONVC_PRESENT_TYPES_H
#define PYCONVC_PRESENT_TYPES_H

#include <stdint.h>

/* Sums over what is there, and what becomes of them: y = x * total / weight where `normalize` is
 * set, else x; NaN where weight is 0 or less than `least`. Weights that rounding alone may have
 * kept from total or least have reached it. Where total is 0, y = x. */
typedef struct {
    double total, least;
    int normalize;
} present_scale;

typedef struct {
    /* A sample is missing where x[j] is NaN or mask[j] is not 0; mask may be NULL. For j < n: */
    int (*lacks)(const void *x, const uint8_t *mask, int64_t n); /* whether one is */
    /* valid[j] is 0 where it is, else 1; to[j] is 0 there, else x[j]. x may be `to`. Returns
     * whether one is. */
    int (*split)(const void *x, const uint8_t *mask, int64_t n, void *to, void *valid);
    /* to[j] is NaN where mask[j] is not 0, else x[j]. */
    void (*blank)(const void *x, const uint8_t *mask, int64_t n, void *to);
    /* x may be y. With stream, y is aligned to a vector and written past the cache. */
    void (*scale)(const void *x, const void *weight, int64_t n, const present_scale *by, int stream,
                  void *y);
} present_kernels;

#endif
