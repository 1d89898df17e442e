/* SPDX-License-Identifier: BSD-3-Clause
 * chain_plan.c -- sizes of blocks and buffers, taps (see chain.h). Nothing here depends on the
 * number of workers. */
#include <string.h>

#include "chain.h"
#include "parallel.h"

#define BLOCK_BYTES (224 << 10) /* of a loaded block: two of them fit in an L2 cache */
#define MOST_ROWS   256
#define FAR         256       /* rows of a halo for which blocks are narrow */
#define STREAM_FROM (4 << 20) /* bytes of y */

enum { D, H, W };

int chain_axis(const pyconvc_pass *pass) {
    return pass->kernel[D] > 1 ? D : pass->kernel[H] > 1 ? H : W;
}

int chain_levels(int64_t kernel) {
    int levels = 0;
    for (int64_t n = 10; kernel >= 8 && (levels == 0 || n < kernel); n *= 10)
        levels++;
    return levels;
}

int64_t chain_radix(int64_t kernel) {
    const int levels = chain_levels(kernel);
    for (int64_t radix = 2;; radix++) {
        int64_t n = radix;
        for (int i = 0; i < levels; i++)
            n *= radix;
        if (n >= kernel) return radix;
    }
}

static int is_box(const pyconvc_pass *pass) {
    return pass->kind == PYCONVC_MEAN || pass->kind == PYCONVC_QUOTIENT;
}

static int64_t sample_bytes(int32_t sample, int64_t computed) {
#define BYTES(name, type, way) (int64_t)sizeof(type),
    static const int64_t bytes[] = {PYCONVC_FOR_SAMPLES(BYTES)};
    return sample == PYCONVC_SAMPLE_AS_COMPUTED ? computed : bytes[sample];
}

static int is_real(const pyconvc_chain *c) {
    return c->dtype == PYCONVC_F32 || c->dtype == PYCONVC_F64;
}

static int bad_sample(const pyconvc_chain *c, int32_t sample) {
    return sample < PYCONVC_SAMPLE_AS_COMPUTED || sample >= PYCONVC_SAMPLES ||
           (sample != PYCONVC_SAMPLE_AS_COMPUTED && !is_real(c));
}

static int bad_pass(const pyconvc_chain *c, const pyconvc_pass *pass) {
    int axes = 0;
    for (int a = 0; a < PYCONVC_RANK; a++) {
        if (pass->kernel[a] < 1 || pass->pad[a] < 0 || pass->pad[a] >= pass->kernel[a] ||
            pass->boundary[a] < PYCONVC_CONSTANT || pass->boundary[a] > PYCONVC_CIRCULAR)
            return 1;
        axes += pass->kernel[a] > 1;
    }
    if (pass->kind < PYCONVC_SUM || pass->kind > PYCONVC_QUOTIENT) return 1;
    if (pass->kind == PYCONVC_SUM || is_box(pass)) return axes > 1;
    return pass->terms < 1 || !pass->at || !is_real(c);
}

static pyconvc_status check(const pyconvc_chain *c) {
    int used[PYCONVC_RANK] = {0};
    if (c->dtype < PYCONVC_F32 || c->dtype > PYCONVC_C128 || bad_sample(c, c->x_sample) ||
        bad_sample(c, c->y_sample) || c->passes < 1 || c->passes > PYCONVC_RANK || c->batch < 0)
        return PYCONVC_BAD_PROBLEM;
    for (int i = 0; i < c->passes; i++) {
        if (bad_pass(c, &c->pass[i])) return PYCONVC_BAD_PROBLEM;
        for (int a = 0; a < PYCONVC_RANK; a++)
            if (c->size[a] < 0 || (c->pass[i].kernel[a] > 1 && used[a]++))
                return PYCONVC_BAD_PROBLEM;
    }
    return PYCONVC_OK;
}

static void find_halos(chain_plan *plan) {
    for (int i = 0; i < plan->c->passes; i++) {
        const pyconvc_pass *pass = &plan->c->pass[i];
        for (int a = 0; a < PYCONVC_RANK; a++) {
            plan->halo[a] += pass->kernel[a] - 1;
            plan->before[a] += pass->pad[a];
        }
        if (is_box(pass) && chain_levels(pass->kernel[chain_axis(pass)]) > plan->levels)
            plan->levels = chain_levels(pass->kernel[chain_axis(pass)]);
    }
}

static int64_t loaded(const chain_plan *plan) {
    int64_t samples = 1;
    for (int a = 0; a < PYCONVC_RANK; a++)
        samples *= plan->block[a] + plan->halo[a];
    return samples;
}

/* Samples that are loaded more than once, per sample of y, if an axis had twice the block. */
static double waste(const chain_plan *plan, int a) {
    return plan->block[a] >= plan->c->size[a] ? 0 : (double)plan->halo[a] / (double)plan->block[a];
}

/* Grows the block where its halo is the largest part of it: as far as buffers fit in the cache, and
 * further where the halo would be larger than the block. */
static void size_blocks(chain_plan *plan) {
    const int64_t *size = plan->c->size, most = BLOCK_BYTES / plan->bytes;
    const int64_t lines = plan->halo[D] + plan->halo[H] < FAR ? 64 : 16;
    const int64_t columns = lines * plan->table->filter[plan->c->dtype].lanes;
    int64_t *block = plan->block;
    block[D] = block[H] = 1;
    block[W] = min64(size[W], columns);
    for (;;) {
        int grow = -1;
        double worst = 0;
        for (int a = 0; a < PYCONVC_RANK; a++)
            if (waste(plan, a) > worst) worst = waste(plan, a), grow = a;
        const int needed = worst > 1;
        if (grow < 0) grow = block[H] < min64(size[H], MOST_ROWS) ? H : block[D] < size[D] ? D : W;
        const int64_t old = block[grow];
        block[grow] = min64(2 * old, size[grow]);
        if (block[grow] == old || (loaded(plan) > most && !needed)) {
            block[grow] = old;
            break;
        }
    }
    for (int a = 0; a < PYCONVC_RANK; a++) {
        const int64_t parts = ceil_div(size[a], block[a]);
        block[a] = a == W ? min64(size[W], round_up(ceil_div(size[a], parts), 16))
                          : ceil_div(size[a], parts);
        plan->blocks[a] = ceil_div(size[a], block[a]);
    }
}

static void size_buffers(chain_plan *plan) {
    const int64_t lanes = plan->table->filter[plan->c->dtype].lanes, line = 64 / plan->bytes;
    plan->row = round_up(plan->block[W] + plan->halo[W] + lanes, line);
    if (plan->row * plan->bytes % 512 == 0) plan->row += line; /* rows apart in the cache */
    plan->plane = plan->row * (plan->block[H] + plan->halo[H]);
    if (plan->plane * plan->bytes % 512 == 0) plan->plane += line;
    plan->buffer = round_up(plan->plane * (plan->block[D] + plan->halo[D]) + 2 * lanes, line);
    plan->pointers = 12 + 12 * plan->levels; /* pieces of a sum */
    for (int a = 0; a < PYCONVC_RANK; a++)
        plan->pointers = max64(plan->pointers, plan->block[a] + plan->halo[a]);
    for (int i = 0; i < plan->c->passes; i++)
        plan->pointers = max64(plan->pointers, 2 * plan->c->pass[i].terms);
}

/* Whether the last pass may write to y, and whether past the cache. */
static void find_stores(chain_plan *plan, const char *y) {
    const pyconvc_chain *c = plan->c;
    const int64_t vector = 64;
    const int64_t counts[] = {c->batch, c->size[D], c->size[H]};
    plan->stores_itself = c->y_sample == PYCONVC_SAMPLE_AS_COMPUTED && c->y_step[3] == 1;
    int aligned = plan->stores_itself && (intptr_t)y % vector == 0 &&
                  plan->block[W] * plan->bytes % vector == 0;
    for (int i = 0; i < 3; i++)
        if (counts[i] > 1 && c->y_step[i] * plan->bytes % vector) aligned = 0;
    const double samples =
        (double)c->batch * (double)(c->size[D] * c->size[H]) * (double)c->size[W];
    if (aligned && samples * (double)plan->bytes >= STREAM_FROM) plan->flags = FILTER_STREAM;
}

/* SUMs along rows, and complex ones, are filters: of rows, or of columns. */
static int is_filter(const chain_plan *plan, const pyconvc_pass *pass) {
    return pass->kind == PYCONVC_SUM && (chain_axis(pass) == W || plan->parts == 2);
}

static pyconvc_status plan_filter(chain_plan *plan, int i, const pyconvc_run *run) {
    const pyconvc_pass *pass = &plan->c->pass[i];
    const int axis = chain_axis(pass), along = axis == W ? W : H;
    pyconvc_problem *p = &plan->problem[i];
    *p = (pyconvc_problem){.dtype = plan->c->dtype, .batch = 1, .groups = 1};
    p->channels_in = p->channels_out = 1;
    for (int a = 0; a < PYCONVC_RANK; a++)
        p->input[a] = p->kernel[a] = p->stride[a] = p->dilation[a] = 1;
    p->kernel[along] = p->input[along] = pass->kernel[axis];
    p->input[W] += plan->block[W] + plan->halo[W];
    p->w_step[4] = 1;
    p->x_step[5] = p->w_step[5] = p->y_step[5] = 1;
    const pyconvc_status status = pyconvc_complete(p);
    return status ? status : filter_plan_make(&plan->filter[i], p, pass->w, NULL, run);
}

static double work(const chain_plan *plan) {
    const pyconvc_chain *c = plan->c;
    double taps = 0;
    for (int i = 0; i < c->passes; i++) {
        const pyconvc_pass *pass = &c->pass[i];
        const int64_t kernel = pass->kernel[chain_axis(pass)];
        taps += (double)(is_box(pass) ? min64(kernel, 16) : max64(kernel, pass->terms));
    }
    return taps * (double)c->batch * (double)(c->size[D] * c->size[H]) * (double)c->size[W] *
           (double)plan->bytes;
}

pyconvc_status chain_plan_make(chain_plan *plan, const pyconvc_chain *c, const void *y,
                               const pyconvc_run *run) {
    *plan = (chain_plan){.c = c, .table = pyconvc_kernels()};
    if (!plan->table) return PYCONVC_NO_ISA;
    pyconvc_status status = check(c);
    if (status) return status;
    const int element = c->dtype == PYCONVC_F64 || c->dtype == PYCONVC_C128;
    plan->shifted = &plan->table->shifted[element];
    plan->fused = &plan->table->fused[element];
    plan->convert = &plan->table->convert[element];
    plan->bytes = pyconvc_sample_bytes(c->dtype);
    plan->parts = parts_of(c->dtype);
    plan->x_bytes = sample_bytes(c->x_sample, plan->bytes);
    plan->y_bytes = sample_bytes(c->y_sample, plan->bytes);
    if (!c->batch || !c->size[D] || !c->size[H] || !c->size[W]) return PYCONVC_OK;
    find_halos(plan);
    size_blocks(plan);
    size_buffers(plan);
    find_stores(plan, y);
    plan->tasks = c->batch * plan->blocks[D] * plan->blocks[H] * plan->blocks[W];
    plan->workers = parallel_workers(run, work(plan));
    for (int i = 0; i < c->passes && !status; i++)
        if (is_filter(plan, &c->pass[i])) status = plan_filter(plan, i, run);
    return status;
}

void chain_plan_free(chain_plan *plan) {
    for (int i = 0; i < PYCONVC_RANK; i++)
        filter_plan_free(&plan->filter[i]);
}
