/* masked.h -- vectors of which only some lanes count: part of the vector vocabulary (vec.h) for
 * sums over lines that end within a vector.
 */
#include "vec.h"

typedef uint8_t bits __attribute__((vector_size(sizeof(vec))));

/* v with the lanes that the mask clears set to zero, whatever they hold. */
INLINE vec keep(vec v, const bits *mask) {
    bits b;
    memcpy(&b, &v, sizeof v);
    b &= *mask;
    memcpy(&v, &b, sizeof v);
    return v;
}
