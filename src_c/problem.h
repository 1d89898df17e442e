/* problem.h -- plain arithmetic on a problem: sizes, index maps, offsets. No samples are touched.
 */
#ifndef PYCONVC_PROBLEM_H
#define PYCONVC_PROBLEM_H

#include "pyconvc.h"

/* Where sample i beyond an axis of n samples is read, or -1 for the constant. n >= 1 unless
 * CONSTANT. Rules repeat: an index far outside is reflected or wrapped again. */
int64_t pyconvc_beyond(int32_t rule, int64_t i, int64_t n);

/* The same for any sample. */
static inline int64_t pyconvc_boundary_index(int32_t rule, int64_t i, int64_t n) {
    return i >= 0 && i < n ? i : pyconvc_beyond(rule, i, n);
}

int64_t pyconvc_sample_bytes(int32_t dtype);

/* Elements that make a sample: 2 for complex dtypes. */
static inline int64_t parts_of(int32_t dtype) {
    return dtype == PYCONVC_C64 || dtype == PYCONVC_C128 ? 2 : 1;
}

/* Whether a kernel has one tap, at every sample: x and y then play the same role. */
int pyconvc_is_pointwise(const pyconvc_problem *p);

/* For such a kernel a plane is a long row: axes along which nothing happens become one line, where
 * their lines follow each other in x and y. */
void pyconvc_join_lines(pyconvc_problem *p);

/* For kernels along the depth alone, of one channel: planes become lines, and the depth the height
 * of one plane, whose rows a kernel meets together; where lines follow each other in x and y. */
void pyconvc_lower_depth(pyconvc_problem *p);

/* Conjugates one sample of a complex dtype in place. */
void pyconvc_conjugate(int32_t dtype, void *sample);

/* Whether none of the samples is infinite or NaN. */
int pyconvc_all_finite(int32_t dtype, const void *from, int64_t samples);

static inline int64_t min64(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static inline int64_t max64(int64_t a, int64_t b) {
    return a > b ? a : b;
}
static inline int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}
static inline int64_t round_up(int64_t a, int64_t b) {
    return ceil_div(a, b) * b;
}
static inline int64_t gcd64(int64_t a, int64_t b) {
    while (b) {
        const int64_t rest = a % b;
        a = b, b = rest;
    }
    return a;
}

#endif
