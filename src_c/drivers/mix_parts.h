/* mix_parts.h -- the steps of making a mix_plan, in their order (see mix.h). */
#ifndef PYCONVC_MIX_PARTS_H
#define PYCONVC_MIX_PARTS_H

#include "mix.h"

/* Cuts the outputs of each axis into regions, more than one only where that saves work. */
pyconvc_status mix_find_regions(mix_plan *plan, const void *w);

/* Where each tap reads, once tiles and weights are laid out. */
pyconvc_status mix_place_taps(mix_plan *plan);

pyconvc_status mix_pack_weights(mix_plan *plan, const void *w, const pyconvc_run *run);

#endif
