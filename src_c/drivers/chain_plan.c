/* SPDX-License-Identifier: BSD-3-Clause
 * chain_plan.c -- sizes of blocks and buffers, taps (see chain.h). Nothing here depends on the
 * number of workers. */
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "parallel.h"

#define BLOCK_BYTES (224 << 10) /* of a loaded block: two of them fit in an L2 cache */
#define ROWS_BYTES  (12 << 10)  /* of rows between two passes: some part of an L1 cache */
#define ROWS_STEP   4           /* which all kernels take at once */
#define LEAST_ROWS  8
#define MOST_ROWS   256
#define RUNS_BYTES  (1536 << 10) /* of three runs of rows */
#define RUN_COLUMNS 256
#define STRIP_BYTES (8 << 10)   /* of a row that is read in x: long enough for prefetching */
#define LINE_BYTES  (64 << 10)  /* the same, where a rule joins its ends */
#define FEW_ROWS    12          /* of x that begin in one set of an L1 cache: more would collide */
#define NEAR_ROWS   64          /* of x whose pages are at hand */
#define SETS        64          /* of an L1 cache, one line each */
#define SLAB_BYTES  (512 << 10) /* of a slab */
#define SLAB_ROW    2048        /* bytes of its rows */
#define MOST_SLAB   16          /* planes between two moves */
#define SWEPT       64          /* planes of y, or as many times the kernel's halo as SWEPT_HALOS */
#define SWEPT_HALOS 8
#define FAR         256       /* rows of a halo for which blocks are narrow */
#define STREAM_FROM (4 << 20) /* bytes of y */
#define ADDRESSABLE 1e16      /* samples of a block, beyond which bytes of buffers would not fit */
#define BESIDE      128       /* samples by which lines of buffers are longer, at most */
#define EIGHTS_FROM 16        /* samples of a window from which sums are shared */
#define RUNS_FROM   129       /* and from which eights along rows are too many, and rows of a run */

enum { D, H, W };
enum { EIGHT = 8 };

int chain_axis(const pyconvc_pass *pass) {
    return pass->kernel[D] > 1 ? D : pass->kernel[H] > 1 ? H : W;
}

static int is_box(const pyconvc_pass *pass) {
    return pass->kind == PYCONVC_MEAN || pass->kind == PYCONVC_QUOTIENT;
}

chain_sharing chain_shares(int32_t held, const pyconvc_pass *pass) {
    const int64_t taps = pass->kernel[chain_axis(pass)];
    if (!is_box(pass) || taps < EIGHTS_FROM || held != PYCONVC_SAMPLE_AS_COMPUTED)
        return CHAIN_PLAIN;
    return pass->kernel[W] > 1 && taps < RUNS_FROM ? CHAIN_EIGHTS : CHAIN_RUNS;
}

/* Whether a pass and the next one can. */
static int go_by_rows(const chain_plan *plan, const pyconvc_pass *pass) {
    const int axis = chain_axis(pass);
    return pass->kernel[W] == 1 && chain_axis(pass + 1) == W &&
           (chain_shares(plan->held, pass) == CHAIN_PLAIN ||
            (axis == H && pass->kernel[H] < RUNS_FROM)) &&
           chain_shares(plan->held, pass + 1) != CHAIN_RUNS;
}

int chain_goes_by_rows(const chain_plan *plan, int i) {
    return i == plan->c->passes - 2 && go_by_rows(plan, &plan->c->pass[i]);
}

/* Whether a slab can be between the first two passes and the third. */
static int goes_by_planes(const chain_plan *plan) {
    const pyconvc_chain *c = plan->c;
    return c->passes == 3 && go_by_rows(plan, c->pass) && c->pass[0].kernel[H] > 1 &&
           c->pass[2].kernel[D] > 1 && chain_shares(plan->held, &c->pass[0]) != CHAIN_RUNS &&
           chain_shares(plan->held, &c->pass[2]) == CHAIN_PLAIN;
}

int64_t chain_sample_bytes(int32_t sample, int64_t computed) {
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
        if (pass->kernel[a] < 1 || pass->pad[a] >= pass->kernel[a] ||
            (pass->kernel[a] == 1 && pass->pad[a]) || pass->boundary[a] < PYCONVC_CONSTANT ||
            pass->boundary[a] > PYCONVC_CIRCULAR)
            return 1;
        axes += pass->kernel[a] > 1;
    }
    if (pass->kind < PYCONVC_SUM || pass->kind > PYCONVC_QUOTIENT) return 1;
    if (pass->kind == PYCONVC_SUM) return axes > 1;
    if (is_box(pass)) return axes > 1 || c->dtype > PYCONVC_C128;
    return pass->terms < 1 || !pass->at || !is_real(c);
}

int32_t chain_rule(const pyconvc_chain *c, int axis) {
    for (int i = 0; i < c->passes; i++)
        if (c->pass[i].kernel[axis] > 1) return c->pass[i].boundary[axis];
    return PYCONVC_CONSTANT;
}

/* Also where sums reach no sample of x. */
static int bad_axis(const pyconvc_chain *c, int a) {
    const int64_t n = c->input[a];
    int64_t pad = 0;
    int passes = 0;
    for (int i = 0; i < c->passes; i++)
        passes += c->pass[i].kernel[a] > 1, pad += c->pass[i].pad[a];
    return passes > 1 || n < 0 || c->output[a] < 0 || pad < -n ||
           (c->output[a] && (!n || c->output[a] - pad > n));
}

/* Whether blocks as large as y could be numbered. */
static int fits(const pyconvc_chain *c) {
    double samples = 1;
    for (int a = 0; a < PYCONVC_RANK; a++) {
        double line = (double)c->output[a] + BESIDE;
        for (int i = 0; i < c->passes; i++)
            line += (double)c->pass[i].kernel[a];
        samples *= line;
    }
    return samples <= ADDRESSABLE;
}

pyconvc_status chain_check(const pyconvc_chain *c) {
    if (c->dtype < 0 || c->dtype >= PYCONVC_DTYPES || bad_sample(c, c->x_sample) ||
        bad_sample(c, c->y_sample) || c->passes < 1 || c->passes > PYCONVC_RANK || c->batch < 0)
        return PYCONVC_BAD_PROBLEM;
    for (int i = 0; i < c->passes; i++)
        if (bad_pass(c, &c->pass[i])) return PYCONVC_BAD_PROBLEM;
    for (int a = 0; a < PYCONVC_RANK; a++)
        if (bad_axis(c, a)) return PYCONVC_BAD_PROBLEM;
    return fits(c) ? PYCONVC_OK : PYCONVC_OVERFLOW;
}

static void find_halos(chain_plan *plan) {
    for (int i = 0; i < plan->c->passes; i++) {
        const pyconvc_pass *pass = &plan->c->pass[i];
        for (int a = 0; a < PYCONVC_RANK; a++) {
            plan->halo[a] += pass->kernel[a] - 1;
            plan->before[a] += pass->pad[a];
        }
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
    return plan->block[a] >= plan->c->output[a] ? 0
                                                : (double)plan->halo[a] / (double)plan->block[a];
}

/* Whole lines along the axes of kernels, and so many of them that buffers fit in the cache. */
static void begin_in_place(chain_plan *plan) {
    const int64_t *size = plan->c->output, most = BLOCK_BYTES / plan->bytes;
    for (int a = 0; a < PYCONVC_RANK; a++)
        if (plan->halo[a]) plan->block[a] = size[a];
    if (!plan->halo[W])
        while (plan->block[W] > 16 && loaded(plan) > most)
            plan->block[W] /= 2;
}

/* Cuts the axes into as many blocks of one size. */
static void cut(chain_plan *plan) {
    const int64_t *size = plan->c->output;
    int64_t *block = plan->block;
    for (int a = 0; a < PYCONVC_RANK; a++) {
        const int64_t parts = ceil_div(size[a], block[a]);
        block[a] = a == W ? min64(size[W], round_up(ceil_div(size[a], parts), 16))
                          : ceil_div(size[a], parts);
        plan->blocks[a] = ceil_div(size[a], block[a]);
    }
}

/* Whether samples [first, next) of x along a row have those that a rule names for [from, to). */
static int have_named(const chain_plan *plan, int64_t first, int64_t next, int64_t from,
                      int64_t to) {
    for (int64_t i = from; i < to; i++) {
        const int64_t at = pyconvc_beyond(chain_rule(plan->c, W), i, plan->c->input[W]);
        if (at >= 0 && (at < first || at >= next)) return 0;
    }
    return 1;
}

/* Whether each block has all samples that a rule names beyond the ends of a row. */
static int has_ends(const chain_plan *plan) {
    const int64_t n = plan->c->input[W], count = plan->c->output[W];
    for (int64_t at = 0; at < count; at += plan->block[W]) {
        const int64_t first = at - plan->before[W];
        const int64_t next = first + min64(plan->block[W], count - at) + plan->halo[W];
        if (!have_named(plan, first, next, first, 0) || !have_named(plan, first, next, n, next))
            return 0;
    }
    return 1;
}

/* Blocks of long rows, which are not loaded. */
static void size_direct(chain_plan *plan) {
    const int64_t *size = plan->c->output;
    const int64_t most =
        (chain_rule(plan->c, W) == PYCONVC_CIRCULAR ? LINE_BYTES : STRIP_BYTES) / plan->bytes;
    plan->block[W] = min64(size[W], most);
    plan->block[H] = min64(size[H], MOST_ROWS);
    plan->block[D] = min64(size[D], max64(1, MOST_ROWS * most / (plan->block[W] * plan->block[H])));
    cut(plan);
}

/* Grows the block where its halo is the largest part of it: as far as buffers fit in the cache, and
 * further where the halo would be larger than the block. */
static void size_blocks(chain_plan *plan, int in_place) {
    const int64_t *size = plan->c->output, most = BLOCK_BYTES / plan->bytes;
    const int64_t lines = plan->halo[D] + plan->halo[H] < FAR ? 64 : 16;
    const int64_t columns = lines * plan->table->filter[plan->c->dtype].lanes *
                            pyconvc_sample_bytes(plan->c->dtype) / plan->bytes;
    int64_t *block = plan->block;
    block[D] = block[H] = 1;
    block[W] = min64(size[W], columns);
    if (in_place) begin_in_place(plan);
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
    cut(plan);
}

/* Blocks of which two runs of rows, and what comes of one, fit in the cache. */
static void size_runs(chain_plan *plan) {
    const int64_t *size = plan->c->output, taps = plan->c->pass[0].kernel[H];
    const int64_t fitting = RUNS_BYTES / (3 * taps * plan->bytes);
    plan->block[W] = min64(size[W], max64(RUN_COLUMNS, min64(fitting, STRIP_BYTES / plan->bytes)));
    plan->block[H] = min64(size[H], MOST_ROWS);
    plan->block[D] = 1;
    cut(plan);
}

/* Blocks whose slab fits in the cache, of many planes. */
static void size_slabs(chain_plan *plan) {
    const int64_t *size = plan->c->output, halo = plan->halo[D];
    const int joins = chain_rule(plan->c, W) == PYCONVC_CIRCULAR;
    plan->slab = min64(size[D], max64(ROWS_STEP, min64(halo, MOST_SLAB)));
    plan->block[W] = min64(size[W], (joins ? LINE_BYTES : SLAB_ROW) / plan->bytes);
    const int64_t row = (halo + plan->slab) * plan->block[W] * plan->bytes;
    plan->block[H] = min64(size[H], max64(ROWS_STEP, SLAB_BYTES / row));
    plan->block[D] = min64(size[D], max64(SWEPT, SWEPT_HALOS * halo));
    cut(plan);
}

/* Whether the first pass can read its rows where they are in x, in a cache that holds them all. */
static int can_read_rows(const chain_plan *plan) {
    const int64_t rows = plan->c->pass[0].kernel[H], *step = plan->c->x_step;
    int64_t begin[SETS] = {0}, most = 0;
    if (plan->x_sample != PYCONVC_SAMPLE_AS_COMPUTED || step[3] != 1 || rows > NEAR_ROWS ||
        chain_shares(plan->held, &plan->c->pass[0]) == CHAIN_RUNS)
        return 0;
    for (int64_t r = 0; r < rows; r++)
        most = max64(most, ++begin[(uint64_t)(r * step[2] * plan->bytes) / 64 % SETS]);
    return most <= FEW_ROWS;
}

/* Whether the rows of a block are columns of memory, which are turned many at a time. */
static int is_turned(const chain_plan *plan) {
    const int64_t *step = plan->c->x_step;
    return step[2] == 1 && step[3] != 1 && plan->c->input[H] > 1 && plan->c->input[W] > 1 &&
           plan->bytes % plan->x_bytes == 0;
}

/* Rows are loaded as they are needed, or not at all, if the first of two passes goes by rows and
 * the second can have its ends from what that leaves. */
static void choose_blocks(chain_plan *plan, int in_place) {
    const pyconvc_chain *c = plan->c;
    const int whole = in_place || plan->turned_x;
    int by_rows =
        c->passes == 2 && chain_goes_by_rows(plan, 0) && c->pass[0].kernel[D] == 1 && !whole;
    if (goes_by_planes(plan) && !whole) {
        size_slabs(plan);
        by_rows = has_ends(plan);
        if (!by_rows) plan->slab = 0;
    }
    if (by_rows && can_read_rows(plan)) {
        if (!plan->slab) size_direct(plan);
        plan->direct = has_ends(plan);
    }
    if (by_rows && chain_shares(plan->held, &c->pass[0]) == CHAIN_RUNS)
        size_runs(plan);
    else if (!plan->direct && !plan->slab)
        size_blocks(plan, in_place);
    plan->loads_rows = by_rows && has_ends(plan);
}

static int64_t lanes_of(const chain_plan *plan) {
    return max64(plan->table->filter[plan->c->dtype].lanes, plan->shifted->vector / plan->parts);
}

/* Rows between two passes, whole tiles of whatever kernel. */
static void size_rows(chain_plan *plan) {
    const int64_t lanes = lanes_of(plan), line = 64 / plan->bytes;
    plan->lead = plan->loads_rows ? round_up(plan->before[W], line) - plan->before[W] : 0;
    plan->row = round_up(plan->lead + plan->block[W] + plan->halo[W] + lanes + EIGHT, line);
    if (plan->row * plan->bytes % 512 == 0) plan->row += line; /* rows apart in the cache */
    const int64_t rows = ROWS_BYTES / (plan->row * plan->bytes);
    plan->rows = max64(LEAST_ROWS, rows / ROWS_STEP * ROWS_STEP);
}

static void size_buffers(chain_plan *plan) {
    const int64_t lanes = lanes_of(plan), line = 64 / plan->bytes;
    const int one = plan->direct && !plan->slab; /* band, or plane, at a time */
    const int64_t rows = one ? min64(plan->rows, plan->block[H]) : plan->block[H];
    plan->plane = plan->row * (rows + plan->halo[H]);
    if (plan->plane * plan->bytes % 512 == 0) plan->plane += line;
    const int64_t planes = one ? 1 : plan->slab ? plan->slab : plan->block[D] + plan->halo[D];
    plan->buffer = round_up(plan->plane * planes + 2 * lanes, line);
    plan->slab_row = round_up(plan->block[W] + lanes, line);
    plan->slab_plane = plan->slab_row * plan->block[H];
    if (plan->slab_plane * plan->bytes % 512 == 0) plan->slab_plane += line;
    plan->pointers = 0;
    for (int a = 0; a < PYCONVC_RANK; a++)
        plan->pointers = max64(plan->pointers, plan->block[a] + plan->halo[a]);
    for (int i = 0; i < plan->c->passes; i++)
        plan->pointers = max64(plan->pointers, 2 * plan->c->pass[i].terms);
}

static void size_boxes(chain_plan *plan) {
    const int64_t lanes = plan->box->columns / plan->parts;
    for (int i = 0; i < plan->c->passes; i++) {
        const pyconvc_pass *pass = &plan->c->pass[i];
        const int64_t taps = pass->kernel[chain_axis(pass)];
        if (chain_shares(plan->held, pass) == CHAIN_EIGHTS)
            plan->sums = max64(plan->sums, (plan->row + lanes) * plan->bytes);
        if (chain_shares(plan->held, pass) != CHAIN_RUNS) continue;
        plan->sums =
            max64(plan->sums, taps * max64(2, plan->box->columns) * (int64_t)sizeof(double));
        if (chain_axis(pass) != W) continue;
        plan->box_alone = 4 * (plan->block[H] + plan->halo[H]) < lanes;
        if (!plan->box_alone) plan->turned = lanes * (plan->block[W] + plan->halo[W]);
    }
}

/* Whether the last pass may write to y, and whether past the cache. */
static void find_stores(chain_plan *plan, const char *y) {
    const pyconvc_chain *c = plan->c;
    const int64_t vector = 64;
    const int64_t counts[] = {c->batch, c->output[D], c->output[H]};
    plan->stores_itself = plan->y_sample == PYCONVC_SAMPLE_AS_COMPUTED && c->y_step[3] == 1;
    int aligned = plan->stores_itself && (intptr_t)y % vector == 0 &&
                  plan->block[W] * plan->bytes % vector == 0;
    for (int i = 0; i < 3; i++)
        if (counts[i] > 1 && c->y_step[i] * plan->bytes % vector) aligned = 0;
    const double samples =
        (double)c->batch * (double)(c->output[D] * c->output[H]) * (double)c->output[W];
    if (aligned && samples * (double)plan->bytes >= STREAM_FROM) plan->flags = FILTER_STREAM;
}

static int is_integer_sum(const chain_plan *plan, const pyconvc_pass *pass) {
    return plan->held != PYCONVC_SAMPLE_AS_COMPUTED && pass->kind != PYCONVC_QUOTIENT;
}

/* Whether pairs lie around their sample along an axis, the outermost first. */
static int is_around(const pyconvc_pass *pass) {
    const int axis = chain_axis(pass);
    const int64_t taps = pass->kernel[axis], pairs = pass->terms - 1;
    if (pass->kind != PYCONVC_PAIRS && pass->kind != PYCONVC_ODD_PAIRS) return 0;
    for (int64_t t = 0; t < 2 * pairs + 1; t++) {
        const int64_t place = t == 0 ? pairs : t % 2 ? t / 2 : taps - t / 2;
        for (int a = 0; a < PYCONVC_RANK; a++)
            if (pass->at[3 * t + a] != (a == axis ? place : 0)) return 0;
    }
    return taps == 2 * pairs + 1;
}

/* SUMs are filters: of rows, or of columns. */
static int is_filter(const pyconvc_pass *pass) {
    return pass->kind == PYCONVC_SUM;
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
    return status ? status : filter_plan_kernel(&plan->filter[i], p, pass->w, run);
}

static double work(const chain_plan *plan) {
    const pyconvc_chain *c = plan->c;
    double taps = 0;
    for (int i = 0; i < c->passes; i++) {
        const pyconvc_pass *pass = &c->pass[i];
        const int64_t kernel = pass->kernel[chain_axis(pass)];
        taps += (double)(is_box(pass) ? min64(kernel, 16) : max64(kernel, pass->terms));
    }
    return taps * (double)c->batch * (double)(c->output[D] * c->output[H]) * (double)c->output[W] *
           (double)plan->bytes;
}

/* The constants of the passes as a small integer in memory: whether it holds them all. */
static int narrow_fills(chain_plan *plan, int32_t sample) {
    for (int i = 0; i < plan->c->passes; i++) {
        const pyconvc_pass *pass = &plan->c->pass[i];
        double given, held;
        memcpy(&given, pass->fill, sizeof given);
        plan->convert->narrow[sample](&given, 1, plan->fill[i]);
        plan->convert->widen[sample](plan->fill[i], 1, &held);
        if (held != given && pass->kernel[chain_axis(pass)] > 1) {
            for (int a = 0; a < PYCONVC_RANK; a++)
                if (pass->boundary[a] == PYCONVC_CONSTANT) return 0;
        }
    }
    return 1;
}

static int is_small(int32_t sample) {
    return sample >= 0 && sample < PYCONVC_INTEGERS;
}

/* Whether long sums of bytes need not be shared. */
static int is_byte_mean(const chain_plan *plan, const pyconvc_pass *pass) {
    return plan->c->x_sample == PYCONVC_SAMPLE_U8 &&
           pass->kernel[chain_axis(pass)] <= plan->table->integer.byte_means;
}

/* Whether all passes can go from small integers to the same, or, with whole weights, from bytes to
 * larger ones: then buffers hold what y does. */
static int stays_integer(chain_plan *plan) {
    const pyconvc_chain *c = plan->c;
    if (c->dtype != PYCONVC_F64 || !is_small(c->x_sample) || !is_small(c->y_sample)) return 0;
    const int widens = chain_sample_bytes(c->x_sample, 0) < chain_sample_bytes(c->y_sample, 0);
    if (c->x_sample != c->y_sample && !widens) return 0;
    for (int i = 0; i < c->passes; i++) {
        const pyconvc_pass *pass = &c->pass[i];
        if (pass->kind == PYCONVC_SUM || pass->kind == PYCONVC_MEAN) return 0;
        if (widens && (pass->kind == PYCONVC_QUOTIENT || !chain_is_whole(pass, c->y_sample)))
            return 0;
        if (chain_shares(plan->held, pass) != CHAIN_PLAIN && !is_byte_mean(plan, pass)) return 0;
    }
    return narrow_fills(plan, c->y_sample);
}

static void choose_samples(chain_plan *plan) {
    const pyconvc_chain *c = plan->c;
    const int element = c->dtype == PYCONVC_F64 || c->dtype == PYCONVC_C128;
    plan->convert = &plan->table->convert[element];
    plan->box = &plan->table->box[element];
    plan->bytes = pyconvc_sample_bytes(c->dtype);
    plan->parts = parts_of(c->dtype);
    plan->held = PYCONVC_SAMPLE_AS_COMPUTED;
    plan->x_sample = c->x_sample;
    plan->y_sample = c->y_sample;
    if (stays_integer(plan)) {
        const integer_kernels *k = &plan->table->integer;
        plan->shifted = plan->fused = &k->of[c->y_sample];
        plan->held = c->y_sample;
        plan->bytes = chain_sample_bytes(plan->held, 0);
        plan->y_sample = PYCONVC_SAMPLE_AS_COMPUTED;
        if (c->x_sample == plan->held) plan->x_sample = PYCONVC_SAMPLE_AS_COMPUTED;
        plan->widen = k->widen[c->x_sample];
    } else {
        plan->shifted = &plan->table->shifted[element];
        plan->fused = &plan->table->fused[element];
        if (c->x_sample >= 0) plan->widen = plan->convert->widen[c->x_sample];
        for (int i = 0; i < c->passes; i++)
            memcpy(plan->fill[i], c->pass[i].fill, sizeof plan->fill[i]);
    }
    plan->x_bytes = chain_sample_bytes(plan->x_sample, plan->bytes);
    plan->y_bytes = chain_sample_bytes(plan->y_sample, plan->bytes);
}

static pyconvc_status weights_of_integers(chain_plan *plan, int i) {
    const pyconvc_pass *pass = &plan->c->pass[i];
    const int32_t sample = plan->held;
    if (chain_is_whole(pass, sample)) return chain_whole(pass, &plan->whole[i]);
    const pyconvc_status status = chain_split(pass, sample, &plan->split[i]);
    return status ? status : chain_factor(pass, sample, plan->shifted->pairs, &plan->factored[i]);
}

pyconvc_status chain_plan_make(chain_plan *plan, const pyconvc_chain *c, const void *x,
                               const void *y, const pyconvc_run *run) {
    *plan = (chain_plan){.c = c, .table = pyconvc_kernels()};
    if (!plan->table) return PYCONVC_NO_ISA;
    pyconvc_status status = chain_check(c);
    if (status) return status;
    choose_samples(plan);
    if (!c->batch || !c->output[D] || !c->output[H] || !c->output[W]) return PYCONVC_OK;
    find_halos(plan);
    plan->turned_x = is_turned(plan);
    choose_blocks(plan, x == y);
    size_rows(plan);
    size_buffers(plan);
    size_boxes(plan);
    find_stores(plan, y);
    plan->tasks = c->batch * plan->blocks[D] * plan->blocks[H] * plan->blocks[W];
    plan->workers = parallel_workers(run, work(plan));
    for (int i = 0; i < c->passes; i++)
        plan->around[i] = is_around(&c->pass[i]);
    for (int i = 0; i < c->passes && !status; i++)
        if (is_filter(&c->pass[i]))
            status = plan_filter(plan, i, run);
        else if (is_integer_sum(plan, &c->pass[i]))
            status = weights_of_integers(plan, i);
    return status;
}

void chain_plan_free(chain_plan *plan) {
    for (int i = 0; i < PYCONVC_RANK; i++)
        filter_plan_free(&plan->filter[i]), free(plan->whole[i]), free((void *)plan->split[i]),
            free((void *)plan->factored[i]);
}
