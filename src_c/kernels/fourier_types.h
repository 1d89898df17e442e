/* fourier_types.h -- the kernels of convolution by Fourier transforms: types and contract.
 *
 * A tile is `rows` lines of `columns` complex samples, `pitch` elements apart: first the real parts
 * of a line, then the imaginary ones. Both sizes are multiples of `lanes`. Transforms leave the
 * frequencies in the order of their passes, which the way back takes them in: it is the same for
 * all spectra of a shape. None divides by the number of samples.
 *
 * - enter: the first pass along the rows' axis, of radix 4, for the rows k + j * rows / 4, j < 4. Their
 *   real parts are read at lines[j], the imaginary ones at lines[j + 4], which may be their places in
 *   the tile, and multiplied with their turns.
 * - columns: the other passes along that axis, in place, of `count` columns from `first` on, or, with
 *   `back`, those of the inverse; both multiples of `lanes`.
 * - rows: the lines first .. first + lanes - 1, times the slant: transformed, multiplied with
 *   `spectrum`, transformed back and divided by the slant, in place. With `make` their transform
 *   times `scale` is what becomes the spectrum. It has 2 * columns elements for each line:
 *   of as many lines as there are lanes one column after the other, first the real parts; the scratch
 *   has 2 * columns * lanes.
 * - leave: the last pass of the inverse for the rows k + j * rows / 4, of `count` columns from `from`
 *   on, divided by the turns and written to lines[j] and lines[j + 4]: these columns' own places, or
 *   elsewhere, or NULL where they are of no use.
 *
 * Before all that, how loud the input is. Largest absolute values compare as integers of the
 * magnitudes' bits: NaN counts as larger than infinity.
 *
 * - lift: to[j] is raised to |x[j]| for j < count, or set to it with `start`.
 * - loudest: the largest of count values |x[j]| goes to *to.
 */
#ifndef PYCONVC_FOURIER_TYPES_H
#define PYCONVC_FOURIER_TYPES_H

#include <stdint.h>

/* The passes of a transform: radices 3, 4 and 5, the first one 4, the last one perhaps 8, then 0.
 * For a pass that takes blocks of L samples as radix parts of m, exp(-2 pi i k q / L) for k < m and
 * 0 < q < radix, as (re, im), one pass after the other. */
typedef struct {
    int64_t length;
    const int32_t *radices;
    const void *twiddles;
} fourier_axis;

/* The turn is what each row is multiplied with, as (re, im). The slant is what the samples of a
 * tile are multiplied with between the transforms of its columns and those of its lines, laid out
 * like a spectrum; NULL: nothing. */
typedef struct {
    fourier_axis rows, columns;
    int64_t pitch;
    const void *turn, *slant;
} fourier_shape;

typedef struct {
    int lanes;
    void (*enter)(const fourier_shape *shape, int64_t k, const void *const *lines, void *tile);
    void (*columns)(const fourier_shape *shape, void *tile, int64_t first, int64_t count, int back);
    void (*rows)(const fourier_shape *shape, void *tile, int64_t first, void *spectrum, int make,
                 double scale, void *scratch);
    void (*leave)(const fourier_shape *shape, int64_t k, const void *tile, int64_t from,
                  int64_t count, void *const *lines);
    void (*lift)(const void *x, int64_t count, int start, void *to);
    void (*loudest)(const void *x, int64_t count, void *to);
} fourier_kernels;

#endif
