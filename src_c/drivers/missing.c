/* SPDX-License-Identifier: BSD-3-Clause
 * missing.c -- plans whose kernels leave out what is missing (see missing.h). */
#include "missing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "filter.h"
#include "gather.h"
#include "parallel.h"

#define BAND_BYTES  (1 << 18) /* of the copy of a band: what an L2 cache holds beside other lines */
#define MOST_BYTES  (12 << 20)
#define HALO_SHARES 4 /* times the rows of the halo that a band has at least */

enum { D, H, W };

/* ---- a problem whose missing samples are all NaN --------------------------------------------- */

typedef struct {
    const void *w;
    double least; /* part of the weight of a whole window that an output needs */
    int normalize;
} leaving_out;

#define EXACT(T) (sizeof(T) == 4 ? 1 << 24 : 1LL << 53) /* whole numbers below it are */

/* Puts behind the taps their sizes, and behind these their counts. There is room for what
 * rounding adds. */
#define ADD_WEIGHTS(T)                                                                             \
    static void add_weights_##T(T *taps, int64_t taps_count, filter_present *present) {            \
        T *size = taps + taps_count, *count = size + taps_count;                                   \
        T total = 0;                                                                               \
        double all = 0;                                                                            \
        int exponent = 0;                                                                          \
        for (int64_t t = 0; t < taps_count; t++) {                                                 \
            total += size[t] = (T)fabs(taps[t]);                                                   \
            all += size[t];                                                                        \
        }                                                                                          \
        present->by_size.total = total;                                                            \
        frexp(all / (double)(EXACT(T) - taps_count), &exponent);                                   \
        for (int64_t t = 0; t < taps_count; t++)                                                   \
            present->by_count.total += count[t] = (T)nearbyint(ldexp(size[t], -exponent));         \
    }
ADD_WEIGHTS(float)
ADD_WEIGHTS(double)
#undef ADD_WEIGHTS

static pyconvc_status add_weights(filter_plan *plan, const leaving_out *o,
                                  filter_present *present) {
    const int64_t count = plan->planes * plan->taps_per_plane;
    char *taps = realloc(plan->taps, (size_t)(3 * count * plan->bytes));
    if (!taps) return PYCONVC_NO_MEMORY;
    plan->taps = taps;
    present->sizes = count;
    present->counts = 2 * count;
    if (plan->p->dtype == PYCONVC_F32)
        add_weights_float((float *)taps, count, present);
    else
        add_weights_double((double *)taps, count, present);
    present_scale *by[] = {&present->by_size, &present->by_count};
    for (int i = 0; i < 2; i++) {
        by[i]->least = o->least * by[i]->total;
        by[i]->normalize = o->normalize;
    }
    return PYCONVC_OK;
}

/* Calls see(context, row, column) for the taps of a program in their order. */
typedef void see_fn(void *context, int64_t row, int64_t column);

static void for_taps(const filter_plan *plan, see_fn *see, void *context) {
    for (int64_t b = 0; b < plan->program.count; b++) {
        const filter_block *block = &plan->program.blocks[b];
        for (int32_t c = 0; c < block->columns; c++)
            for (int32_t i = 0; i < block->length; i++) {
                const int64_t column = block->column + c * block->step;
                if (plan->use_line)
                    see(context, block->row, column + i * plan->kernels->lanes);
                else
                    see(context, block->row + i, column);
            }
    }
}

/* The images of runs (see filter_present), a run being a class of a plane. */
typedef struct {
    const filter_plan *plan;
    filter_present *present;
    char *image;
    const char *count; /* of the next tap */
} imager;

static void reach_tap(void *context, int64_t row, int64_t column) {
    filter_present *present = ((imager *)context)->present;
    const int64_t last = max64(present->first + present->reach, column);
    present->last_row = max64(present->last_row, row);
    present->first = min64(present->first, column);
    present->reach = last - present->first;
}

static void put_count(void *context, int64_t row, int64_t column) {
    imager *m = context;
    const int64_t rows = m->plan->rows_per_class, bytes = m->plan->bytes;
    const int64_t line = row / rows * m->present->runs[0].rows + row % rows;
    const int64_t at = m->present->first + m->present->reach - column;
    memcpy(m->image + (line * FILTER_PRESENT_PITCH + at) * bytes, m->count, (size_t)bytes);
    m->count += bytes;
}

static int has_images(const filter_plan *plan, const filter_present *present) {
    /* What lies between the phases of a strip is not written. */
    return !plan->use_line && plan->phases.count == 1 &&
           present->runs[0].rows <= FILTER_PRESENT_ROWS && present->reach < FILTER_PRESENT_REACH;
}

static pyconvc_status add_images(filter_plan *plan, filter_present *present) {
    const int64_t runs = plan->planes * plan->classes, rows = plan->p->kernel[H];
    imager m = {plan, present, NULL, plan->taps + present->counts * plan->bytes};
    present->first = plan->blocks[0].column;
    for_taps(plan, reach_tap, &m);
    filter_present_run *run = calloc((size_t)runs, sizeof *run);
    present->runs = run;
    if (!run) return PYCONVC_NO_MEMORY;
    present->count = runs;
    for (int64_t i = 0; i < runs; i++)
        run[i] = (filter_present_run){i * plan->rows_per_class,
                                      ceil_div(rows - i % plan->classes, plan->classes), NULL};
    if (!has_images(plan, present)) return PYCONVC_OK;
    const int64_t image = run[0].rows * FILTER_PRESENT_PITCH * plan->bytes; /* of the longest */
    present->images = m.image = calloc((size_t)runs, (size_t)image);
    if (!m.image) return PYCONVC_NO_MEMORY;
    for_taps(plan, put_count, &m);
    for (int64_t i = 0; i < runs; i++)
        run[i].image = m.image + i * image;
    return PYCONVC_OK;
}

static void free_images(filter_present *present) {
    free((void *)present->images);
    free((void *)present->runs);
}

/* Makes a plan one that leaves out what is missing. */
static pyconvc_status leave_out(filter_plan *plan, const leaving_out *o, filter_present *present) {
    const kernel_table *table = pyconvc_kernels();
    const filter_present_kernels *kernels = &table->filter_present[plan->p->dtype];
    if (plan->planes_at_once < plan->planes) return PYCONVC_UNSUITED;
    present->plain = plan->kernels;
    plan->program.present = present;
    plan->kernel = plan->use_line ? kernels->line : kernels->tile;
    plan->flags = 0;
    const pyconvc_status status = add_weights(plan, o, present);
    return status ? status : add_images(plan, present);
}

static pyconvc_status filter(const leaving_out *o, const pyconvc_problem *p, const void *x, void *y,
                             const pyconvc_run *run) {
    filter_plan plan;
    filter_present present = {0};
    pyconvc_status status = filter_plan_kernel(&plan, p, o->w, run);
    if (!status) status = leave_out(&plan, o, &present);
    if (!status) status = filter_run(&plan, x, NULL, y, run);
    free_images(&present);
    filter_plan_free(&plan);
    return status;
}

/* ---- with a mask: bands, copied with NaN where it is set ------------------------------------- */

typedef struct {
    const leaving_out *how;
    const pyconvc_problem *p; /* of the whole */
    const char *x;
    const uint8_t *mask;
    char *y;
    int axis; /* along which the output is cut into bands */
    int64_t rows, bands, bytes;
    const pyconvc_run *run;
    const present_kernels *kernels;
    int status; /* of the first band that failed */
} job;

/* What a worker's scratch holds: a band, and one line of x and of the mask. */
typedef struct {
    char *x, *line;
    uint8_t *mask;
} scratch;

/* Input rows of `rows` output rows. */
static int64_t reach(const pyconvc_problem *p, int a, int64_t rows) {
    return (rows - 1) * p->stride[a] + (p->kernel[a] - 1) * p->dilation[a] + 1;
}

/* Bytes from line to line: whole cache lines, and lines apart in the cache. */
static int64_t pitch_bytes(int64_t width, int64_t bytes) {
    const int64_t pitch = round_up(width * bytes, 64);
    return pitch % 512 ? pitch : pitch + 64;
}

static int64_t band_bytes(const job *j, int64_t rows) {
    const pyconvc_problem *p = j->p;
    int64_t size[] = {p->input[D], p->input[H], p->input[W]};
    size[j->axis] = reach(p, j->axis, rows);
    return size[D] * size[H] * pitch_bytes(size[W], j->bytes);
}

static size_t lay_out(const job *j, char *base, scratch *s) {
    const int64_t width = j->axis == W ? reach(j->p, W, j->rows) : j->p->input[W];
    arena a = {base, 0};
    s->x = carve(&a, band_bytes(j, j->rows));
    s->line = carve(&a, width * j->bytes);
    s->mask = carve(&a, width);
    return (size_t)a.bytes;
}

/* A band: its first row of input, its problem, and how its lines are read. */
typedef struct {
    const job *j;
    const scratch *s;
    int64_t first;
    pyconvc_problem problem; /* nothing lies beyond the edges of the axis */
    gather_line line, flags;
    gather_range range;
} band;

static const unsigned char nothing_masked = 0;

static void open_band(band *b, const job *j, const scratch *s, int64_t row, int64_t end) {
    const pyconvc_problem *p = j->p;
    *b = (band){.j = j, .s = s, .problem = *p};
    pyconvc_problem *q = &b->problem;
    q->pad_before[j->axis] = q->pad_after[j->axis] = 0;
    q->boundary[j->axis] = PYCONVC_CONSTANT;
    q->input[j->axis] = reach(p, j->axis, end - row);
    q->output[j->axis] = end - row;
    q->x_step[5] = 1;
    q->x_step[4] = pitch_bytes(q->input[W], j->bytes) / j->bytes;
    q->x_step[3] = q->x_step[4] * q->input[H];
    b->first = row * p->stride[j->axis] - p->pad_before[j->axis];
    b->line = (gather_line){j->bytes, p->input[W], p->x_step[5], p->boundary[W], p->fill};
    b->flags = (gather_line){1, p->input[W], 1, p->boundary[W], &nothing_masked};
    b->range = gather_find(&b->line, j->axis == W ? b->first : 0, 1, q->input[W]);
}

/* Line (d, h) of the band, to `to`. */
static void copy_line(const band *b, int64_t d, int64_t h, char *to) {
    const job *j = b->j;
    const pyconvc_problem *p = j->p;
    int64_t place[] = {d, h, 0};
    if (j->axis != W)
        place[j->axis] = pyconvc_boundary_index(p->boundary[j->axis], b->first + place[j->axis],
                                                p->input[j->axis]);
    if (place[D] < 0 || place[H] < 0) {
        gather_fill(j->bytes, p->fill, b->problem.input[W], to);
        return;
    }
    const char *x = j->x + (place[D] * p->x_step[3] + place[H] * p->x_step[4]) * j->bytes;
    const uint8_t *mask = j->mask + (place[D] * p->input[H] + place[H]) * p->input[W];
    if (b->range.inside == b->problem.input[W] && b->line.step == 1) {
        j->kernels->blank(x + b->range.first * j->bytes, mask + b->range.first, b->range.inside,
                          to);
        return;
    }
    gather(&b->line, &b->range, x, 0, b->s->line);
    gather(&b->flags, &b->range, mask, 0, b->s->mask);
    j->kernels->blank(b->s->line, b->s->mask, b->problem.input[W], to);
}

static void do_band(const void *context, int64_t index, void *memory) {
    job *j = (job *)context;
    const int64_t rows = j->p->output[j->axis], row = rows * index / j->bands,
                  end = rows * (index + 1) / j->bands;
    const pyconvc_run run = {1, j->run->flush_denormals, NULL, NULL};
    scratch s;
    band b;
    lay_out(j, memory, &s);
    open_band(&b, j, &s, row, end);
    for (int64_t d = 0; d < b.problem.input[D]; d++)
        for (int64_t h = 0; h < b.problem.input[H]; h++)
            copy_line(&b, d, h,
                      s.x + (d * b.problem.x_step[3] + h * b.problem.x_step[4]) * j->bytes);
    const int status =
        filter(j->how, &b.problem, s.x, j->y + row * j->p->y_step[3 + j->axis] * j->bytes, &run);
    if (status) __atomic_store_n(&j->status, status, __ATOMIC_RELAXED);
}

static void size_bands(job *j) {
    const pyconvc_problem *p = j->p;
    j->axis = p->output[D] > 1 ? D : p->output[H] > 1 ? H : W;
    const int64_t all = p->output[j->axis];
    int64_t rows = max64(1, HALO_SHARES * (reach(p, j->axis, 1) - 1));
    while (rows < all && band_bytes(j, 2 * rows) <= BAND_BYTES)
        rows *= 2;
    while (rows > 1 && band_bytes(j, rows) > MOST_BYTES)
        rows /= 2;
    j->bands = ceil_div(all, min64(rows, all));
    j->rows = ceil_div(all, j->bands);
}

static pyconvc_status filter_masked(const leaving_out *o, const pyconvc_problem *p, const void *x,
                                    const uint8_t *mask, void *y, const pyconvc_run *run) {
    job j = {.how = o, .p = p, .x = x, .mask = mask, .y = y, .run = run};
    scratch unused;
    j.kernels = &pyconvc_kernels()->present[p->dtype];
    j.bytes = pyconvc_sample_bytes(p->dtype);
    size_bands(&j);
    double work = 2.0 * (double)j.bytes;
    for (int a = 0; a < PYCONVC_RANK; a++)
        work *= (double)p->output[a] * (double)p->kernel[a];
    const pyconvc_status status = parallel_for(j.bands, parallel_workers(run, work),
                                               lay_out(&j, NULL, &unused), do_band, &j, run);
    return status ? status : (pyconvc_status)j.status;
}

pyconvc_status missing_correlate(const pyconvc_problem *p, const void *x, const uint8_t *mask,
                                 const void *w, double least, int normalize, void *y,
                                 const pyconvc_run *run) {
    const leaving_out how = {w, least, normalize};
    if (!pyconvc_kernels()) return PYCONVC_NO_ISA;
    return mask ? filter_masked(&how, p, x, mask, y, run) : filter(&how, p, x, y, run);
}
