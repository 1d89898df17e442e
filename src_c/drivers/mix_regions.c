/* SPDX-License-Identifier: BSD-3-Clause
 * mix_regions.c -- which outputs meet which taps, and whether to treat them apart.
 *
 * A product with a zero beyond the edge may be left out where no weight is infinite or NaN. */
#include <stdlib.h>
#include <string.h>

#include "mix_parts.h"

#define MOST_REGIONS  24
#define WORTH_CUTTING 0.85 /* of the work without: what a cut must come down to */
#define WORTH_DEPTH   0.98 /* a plane more or less has no lines to cut */

enum { D, H, W };

static mix_region region_of(const pyconvc_problem *p, int a, int64_t o) {
    const int64_t before = p->pad_before[a] - o * p->stride[a],
                  after = p->input[a] - 1 + before; /* the last sample, from tap 0 on */
    mix_region r = {.first = o, .count = 1};
    if (before > 0) r.first_tap = min64(p->kernel[a], ceil_div(before, p->dilation[a]));
    if (after >= 0) r.end_tap = min64(p->kernel[a], after / p->dilation[a] + 1);
    if (r.end_tap <= r.first_tap) r.first_tap = r.end_tap = 0;
    return r;
}

/* The last output that meets no sample beyond the end. */
static int64_t last_inside(const pyconvc_problem *p, int a) {
    const int64_t reach = (p->kernel[a] - 1) * p->dilation[a];
    return min64(p->output[a] - 1, (p->input[a] - 1 + p->pad_before[a] - reach) / p->stride[a]);
}

/* Regions of an axis, up to MOST_REGIONS of them; 0: more than that. */
static int64_t cut(const pyconvc_problem *p, int a, mix_region *to) {
    int64_t count = 0;
    for (int64_t o = 0; o < p->output[a];) {
        mix_region next = region_of(p, a, o), *last = to + count - 1;
        if (next.first_tap == 0 && next.end_tap == p->kernel[a])
            next.count = last_inside(p, a) - o + 1;
        o += next.count;
        if (count && next.first_tap == last->first_tap && next.end_tap == last->end_tap)
            last->count += next.count;
        else if (count == MOST_REGIONS)
            return 0;
        else
            to[count++] = next;
    }
    return count;
}

static int64_t whole(const pyconvc_problem *p, int a, mix_region *to) {
    to[0] = (mix_region){0, p->output[a], 0, p->kernel[a]};
    return 1;
}

typedef struct {
    mix_region regions[MOST_REGIONS];
    int64_t count;
} cutting;

/* Tiles times taps of a plane. */
static double work(const mix_plan *plan, const cutting *h, const cutting *w) {
    const int64_t tile = plan->kernels->lanes * plan->kernels->vectors;
    double sum = 0;
    for (const mix_region *i = h->regions; i < h->regions + h->count; i++)
        for (const mix_region *j = w->regions; j < w->regions + w->count; j++)
            sum += (double)ceil_div(i->count * j->count, tile) *
                   (double)((i->end_tap - i->first_tap) * (j->end_tap - j->first_tap));
    return sum;
}

static double depth_work(const cutting *d) {
    double sum = 0;
    for (const mix_region *i = d->regions; i < d->regions + d->count; i++)
        sum += (double)(i->count * (i->end_tap - i->first_tap));
    return sum;
}

/* The least work wins; the whole image unless a cut saves enough. */
static int choose(const mix_plan *plan, const cutting *uncut, const cutting *cuts,
                  const cutting **taken) {
    double least = WORTH_CUTTING * work(plan, &uncut[H], &uncut[W]);
    int any = 0;
    for (int i = 1; i < 4; i++) {
        const cutting *h = i & 1 ? &cuts[H] : &uncut[H], *w = i & 2 ? &cuts[W] : &uncut[W];
        if (!h->count || !w->count || work(plan, h, w) >= least) continue;
        least = work(plan, h, w);
        taken[H] = h;
        taken[W] = w;
        any = 1;
    }
    if (!cuts[D].count || depth_work(&cuts[D]) >= WORTH_DEPTH * depth_work(&uncut[D])) return any;
    taken[D] = &cuts[D];
    return 1;
}

/* Axes of w from `axis` on, one by one until the rest of them lies in one run. */
static int is_finite(const pyconvc_problem *p, const char *w, int axis) {
    const int64_t count[] = {p->groups,    p->channels_out, p->channels_in,
                             p->kernel[D], p->kernel[H],    p->kernel[W]};
    int64_t run = 1;
    int dense = 1, finite = 1;
    for (int i = 5; i >= axis; run *= count[i--])
        dense &= count[i] == 1 || p->w_step[i] == run;
    if (dense) return pyconvc_all_finite(p->dtype, w, run);
    for (int64_t i = 0; i < count[axis] && finite; i++)
        finite = is_finite(p, w + i * p->w_step[axis] * pyconvc_sample_bytes(p->dtype), axis + 1);
    return finite;
}

static int zeros_beyond(const pyconvc_problem *p) {
    static const unsigned char zeros[16];
    return !memcmp(p->fill, zeros, (size_t)pyconvc_sample_bytes(p->dtype));
}

pyconvc_status mix_find_regions(mix_plan *plan, const void *w) {
    const pyconvc_problem *p = &plan->p;
    cutting uncut[PYCONVC_RANK], cuts[PYCONVC_RANK];
    const cutting *taken[] = {&uncut[D], &uncut[H], &uncut[W]};
    for (int a = 0; a < PYCONVC_RANK; a++) {
        uncut[a].count = whole(p, a, uncut[a].regions);
        cuts[a].count = p->boundary[a] == PYCONVC_CONSTANT ? cut(p, a, cuts[a].regions) : 0;
    }
    if (zeros_beyond(p) && choose(plan, uncut, cuts, taken) && !is_finite(p, w, 0))
        for (int a = 0; a < PYCONVC_RANK; a++)
            taken[a] = &uncut[a];
    for (int a = 0; a < PYCONVC_RANK; a++) {
        const size_t bytes = (size_t)taken[a]->count * sizeof *taken[a]->regions;
        plan->axis[a].regions = malloc(bytes);
        if (!plan->axis[a].regions) return PYCONVC_NO_MEMORY;
        memcpy(plan->axis[a].regions, taken[a]->regions, bytes);
        plan->axis[a].region_count = taken[a]->count;
    }
    return PYCONVC_OK;
}
