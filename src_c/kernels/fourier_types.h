/* fourier_types.h -- the kernels of convolution by Fourier transforms: types and contract.
 *
 * A tile is `rows` lines of `columns` complex samples, `pitch` elements apart: first the real parts
 * of a line, then the imaginary ones. The columns are a multiple of 64 bytes.
 *
 * A transform takes samples as coefficients of a polynomial modulo z^n - c, |c| = 1: with the root
 * s = c^(1 / radix), a pass cuts it into residues modulo z^(n / radix) - s exp(-2 pi i q / radix),
 * 0 <= q < radix, each of which the next pass takes as such. The rows' axis begins with c = i and
 * ends with single samples; that of the columns begins for each line with its own c, and ends with
 * blocks of 32 bytes of real parts: these residues are multiplied as they are. So no pass puts
 * frequencies in order, and no samples are turned. None divides by the number of samples.
 *
 * - enter: the first pass along the rows' axis, of radix 4, for the rows k + j * rows / 4, j < 4. Their
 *   real parts are read at lines[j], the imaginary ones at lines[j + 4], which may be their places in
 *   the tile. Of complex lines, which hold both parts of a sample side by side, there are lines[j]
 *   alone, and none in the tile.
 * - columns: the other passes along that axis, in place, of `count` columns from `first` on, or, with
 *   `back`, those of the inverse; both multiples of 64 bytes.
 * - line: one line transformed, multiplied with the spectrum and transformed back, in place. With
 *   `make` its transform times `scale` becomes the spectrum: 4 * columns elements for each line, of
 *   each block with coefficients h and n samples c h[1] .. c h[n - 1], h[0] .. h[n - 1], 0, first
 *   the real parts.
 * - leave: the last pass of the inverse for the rows k + j * rows / 4, of `count` columns from `from`
 *   on, written to lines[j] and lines[j + 4]: these columns' own places, or elsewhere, or NULL where
 *   they are of no use; complex ones to lines[j], elsewhere or NULL.
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

/* The passes of a transform: radices 3, 4, 5 and 8, of the rows' axis the first one 4, then 0. The
 * powers s^j, 0 < j < radix, of each polynomial, as (re, im), one pass after the other; of the
 * columns' axis then c of each block. There the table of each line begins `step` elements after
 * that of the line before. */
typedef struct {
    int64_t length;
    const int32_t *radices;
    const void *twiddles;
    int64_t step;
} fourier_axis;

typedef struct {
    fourier_axis rows, columns;
    int64_t pitch;
} fourier_shape;

typedef void fourier_enter(const fourier_shape *shape, int64_t k, const void *const *lines,
                           void *tile);
typedef void fourier_leave(const fourier_shape *shape, int64_t k, const void *tile, int64_t from,
                           int64_t count, void *const *lines);

typedef struct {
    fourier_enter *enter[2]; /* of real lines, of complex ones */
    void (*columns)(const fourier_shape *shape, void *tile, int64_t first, int64_t count, int back);
    void (*line)(const fourier_shape *shape, void *tile, int64_t row, void *spectrum, int make,
                 double scale);
    fourier_leave *leave[2];
    void (*lift)(const void *x, int64_t count, int start, void *to);
    void (*loudest)(const void *x, int64_t count, void *to);
} fourier_kernels;

#endif
