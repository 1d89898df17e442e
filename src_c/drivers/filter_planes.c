/* SPDX-License-Identifier: BSD-3-Clause
 * filter_planes.c -- see filter_planes.h. */
#include "filter_planes.h"

#include "filter_task.h"
#include "gather.h"

#define SLOT_BYTES   (20 << 10) /* a slot, beside the lines of x and y that come and go: L1 */
#define SLOTS_BYTES  (12 << 10) /* all slots, where there are several */
#define ACROSS_BYTES (64 << 10) /* all slots, where they are packed together: some way into L2 */
#define MOST_SLOTS   8
#define LEAST_ROWS   16  /* so that few rows are packed for two bands */
#define TASK_WORK    1e7 /* multiply-adds: a few milliseconds, so that a call can be interrupted */
#define WORKER_TASKS 8

enum { D, H, W };

/* ---- sizes -------------------------------------------------------------------------------------
 */

static double slot_bytes(const filter_plan *plan, int64_t rows) {
    return (double)plan->planes * (double)number_rows(plan->p, rows).count *
           (double)plan->phases.count * (double)plan->phase_pitch * (double)plan->bytes;
}

/* Whether the samples of neighbouring groups are neighbours: then MOST_SLOTS are packed together.
 */
static int lies_across(const pyconvc_problem *p) {
    return p->groups >= MOST_SLOTS && p->x_step[1] == 1 && p->x_step[5] != 1;
}

static void size_bands(filter_plan *plan, double most) {
    const pyconvc_problem *p = plan->p;
    int64_t bands = 1;
    while (slot_bytes(plan, ceil_div(p->output[H], bands)) > most && bands < p->output[H])
        bands++;
    const int64_t rows = ceil_div(p->output[H], bands);
    plan->band_rows = min64(p->output[H], round_up(rows, min64(rows, plan->kernels->tile_rows)));
    plan->bands = ceil_div(p->output[H], plan->band_rows);
}

static void size_slots(filter_plan *plan) {
    plan->across = lies_across(plan->p);
    size_bands(plan, plan->across ? ACROSS_BYTES / MOST_SLOTS : SLOT_BYTES);
    const int64_t fit = SLOTS_BYTES / (int64_t)slot_bytes(plan, plan->band_rows);
    plan->slots = plan->across ? MOST_SLOTS : max64(1, min64(fit, MOST_SLOTS));
    plan->slots = min64(plan->slots, plan->p->groups);
}

int planes_size(filter_plan *plan) {
    const pyconvc_problem *p = plan->p;
    plan->phase_pitch = phases_pitch(&plan->phases, p->output[W], plan->kernels->lanes);
    if (slot_bytes(plan, min64(p->output[H], LEAST_ROWS)) > SLOT_BYTES) return 0;
    size_slots(plan);
    const int64_t others = p->batch * p->output[D] * plan->bands;
    const double work = (double)(plan->band_rows * p->output[W] * p->channels_out) *
                        (double)(plan->planes * plan->taps_per_plane);
    const int64_t most = max64(plan->slots, (int64_t)(TASK_WORK / work));
    const int64_t parts = ceil_div(plan->workers > 1 ? WORKER_TASKS * plan->workers : 1, others);
    plan->groups_at_once = round_up(min64(most, ceil_div(p->groups, parts)), plan->slots);
    plan->group_parts = ceil_div(p->groups, plan->groups_at_once);
    plan->planes_at_once = plan->planes;
    plan->block_columns = plan->strip_columns = p->output[W];
    plan->tasks = others * plan->group_parts;
    return 1;
}

/* ---- what depends on the band alone ------------------------------------------------------------
 */

/* What a worker's scratch holds. */
typedef struct {
    gather_move *moves;   /* of all input lines but those of the constant, to places in a slot */
    const char **region;  /* the rows of a slot, as numbered */
    const void **tables;  /* as the kernel takes them: [slot][set] */
    gather_range *ranges; /* of each phase of a line */
    char *constant, *slots, *dense;
    int64_t table_pitch, slot_bytes, move_count;
} scratch;

static int64_t table_sets(const filter_plan *plan) {
    return plan->use_line ? 1 : min64(plan->sets, plan->band_rows);
}

static size_t aligned(int64_t bytes) {
    return (size_t)round_up(bytes, 64);
}

static size_t lay_out(const filter_plan *plan, char *base, scratch *s) {
    const int64_t rows = plan->planes * number_rows(plan->p, plan->band_rows).count;
    size_t at = 0;
    s->table_pitch = max64(plan->planes * plan->rows_per_plane, plan->band_rows);
    s->slot_bytes = round_up((int64_t)slot_bytes(plan, plan->band_rows), 64);
    s->moves = (gather_move *)(base + at), at += aligned(rows * (int64_t)sizeof(gather_move));
    s->region = (const char **)(base + at), at += aligned(rows * (int64_t)sizeof(char *));
    s->tables = (const void **)(base + at);
    at += aligned(plan->slots * table_sets(plan) * s->table_pitch * (int64_t)sizeof(char *));
    s->ranges = (gather_range *)(base + at);
    at += aligned(plan->phases.count * (int64_t)sizeof(gather_range));
    s->constant = base + at, at += aligned(filter_constant(plan) * plan->bytes);
    s->slots = base + at, at += (size_t)(plan->slots * s->slot_bytes);
    s->dense = base + at;
    at += plan->p->y_step[5] == 1 ? 0 : aligned(filter_dense(plan) * plan->bytes);
    return at;
}

size_t planes_scratch(const filter_plan *plan) {
    scratch s;
    return lay_out(plan, NULL, &s);
}

static void find_lines(const filter_plan *plan, const filter_task *t, scratch *s) {
    const pyconvc_problem *p = plan->p;
    const int64_t row_pitch = plan->phases.count * plan->phase_pitch;
    s->move_count = 0;
    for (int64_t plane = 0, at = 0; plane < plan->planes; plane++) {
        const int64_t z = filter_depth(p, t, plane % p->kernel[D]);
        const int64_t first = plane / p->kernel[D] * p->x_step[2] + z * p->x_step[3];
        for (int64_t i = 0; i < t->rows_in.count; i++, at++) {
            const int64_t row = filter_row(p, t, i);
            const int constant = z < 0 || row < 0;
            s->region[at] = constant ? NULL : s->slots + at * row_pitch * plan->bytes;
            if (!constant)
                s->moves[s->move_count++] =
                    (gather_move){first + row * p->x_step[4], at * row_pitch};
        }
    }
}

static void find_tables(const filter_plan *plan, const filter_task *t, scratch *s) {
    const int64_t rows = plan->planes * t->rows_in.count;
    for (int64_t i = 0; i < rows; i++)
        if (!s->region[i]) s->region[i] = s->constant;
    for (int64_t slot = 0; slot < plan->slots; slot++) {
        const void **table = s->tables + slot * table_sets(plan) * s->table_pitch;
        if (plan->use_line)
            for (int64_t r = 0; r < t->rows; r++)
                table[r] = s->region[r * t->rows_in.by_output];
        else
            for (int64_t set = 0; set < min64(plan->sets, t->rows); set++)
                filter_table(plan, t, set, s->region, table + set * s->table_pitch);
        for (int64_t i = 0; i < rows; i++)
            if (s->region[i] != s->constant) s->region[i] += s->slot_bytes;
    }
}

/* ---- planes ------------------------------------------------------------------------------------
 */

static gather_line line_of(const filter_plan *plan) {
    const pyconvc_problem *p = plan->p;
    return (gather_line){plan->bytes, p->input[W], p->x_step[5], p->boundary[W], p->fill};
}

static void find_ranges(const filter_plan *plan, const scratch *s) {
    const pyconvc_problem *p = plan->p;
    const gather_line line = line_of(plan);
    const int64_t count = phases_samples(&plan->phases, p->output[W]);
    for (int64_t f = 0; f < plan->phases.count; f++)
        s->ranges[f] = gather_find(&line, phases_first(&plan->phases, f) - p->pad_before[W],
                                   p->stride[W], count);
}

/* What lies beyond the ends of lines, where that is the same for all planes. */
static void pad_slots(const filter_plan *plan, const scratch *s) {
    const gather_line line = line_of(plan);
    const int64_t pitch = plan->phase_pitch * plan->bytes,
                  count = phases_samples(&plan->phases, plan->p->output[W]);
    const int64_t slack = min64(plan->phase_pitch - count, plan->kernels->lanes);
    for (int64_t slot = 0; slot < plan->slots; slot++)
        for (int64_t f = 0; f < plan->phases.count; f++)
            gather_ends(&line, &s->ranges[f], s->moves, s->move_count, slack,
                        s->slots + slot * s->slot_bytes + f * pitch);
}

/* Packs one group, x being at it. */
static void pack_slot(const filter_plan *plan, const scratch *s, const char *x, char *slot) {
    const gather_line line = line_of(plan);
    const int64_t pitch = plan->phase_pitch * plan->bytes;
    if (plan->phases.count == 2) {
        gather_pairs(&line, s->ranges, x, s->moves, s->move_count, slot, slot + pitch);
        return;
    }
    for (int64_t f = 0; f < plan->phases.count; f++)
        gather_moves(&line, &s->ranges[f], x, s->moves, s->move_count, slot + f * pitch);
}

/* Packs groups that are neighbours in memory, x being at the first. */
static void pack_across(const filter_plan *plan, const scratch *s, const char *x, int64_t groups) {
    const gather_line line = line_of(plan);
    const int64_t pitch = plan->phase_pitch * plan->bytes;
    for (int64_t f = 0; f < plan->phases.count; f++)
        gather_across(&line, &s->ranges[f], x, groups, s->moves, s->move_count,
                      s->slot_bytes / plan->bytes, s->slots + f * pitch);
}

static void filter(const filter_job *j, const filter_task *t, const scratch *s, int64_t slot) {
    const filter_plan *plan = j->plan;
    const void **table = s->tables + slot * table_sets(plan) * s->table_pitch;
    if (plan->use_line) {
        filter_apply(j, t, table, 0, 1, t->rows, plan->flags, s->dense);
        return;
    }
    for (int64_t set = 0; set < min64(plan->sets, t->rows); set++)
        filter_apply(j, t, table + set * s->table_pitch, set, plan->sets,
                     ceil_div(t->rows - set, plan->sets), plan->flags, s->dense);
}

static void locate(const filter_plan *plan, int64_t index, filter_task *t, int64_t *end_group) {
    const pyconvc_problem *p = plan->p;
    const int64_t part = index % plan->group_parts;
    index /= plan->group_parts;
    *t = (filter_task){.columns = p->output[W], .planes = plan->planes};
    t->row = index % plan->bands * plan->band_rows;
    t->rows = min64(plan->band_rows, p->output[H] - t->row);
    t->rows_in = number_rows(p, t->rows);
    t->depth = index / plan->bands % p->output[D];
    t->image = index / plan->bands / p->output[D];
    t->group = part * plan->groups_at_once;
    *end_group = min64(p->groups, t->group + plan->groups_at_once);
}

void planes_do_task(const void *context, int64_t index, void *memory) {
    const filter_job *j = context;
    const filter_plan *plan = j->plan;
    const int64_t *step = plan->p->x_step;
    scratch s;
    filter_task t;
    int64_t end;
    lay_out(plan, memory, &s);
    locate(plan, index, &t, &end);
    gather_fill(plan->bytes, plan->p->fill, filter_constant(plan), s.constant);
    find_lines(plan, &t, &s);
    find_tables(plan, &t, &s);
    find_ranges(plan, &s);
    pad_slots(plan, &s);
    while (t.group < end) {
        const int64_t slots = min64(plan->slots, end - t.group);
        const char *x = j->x + (t.image * step[0] + t.group * step[1]) * plan->bytes;
        for (int64_t slot = 0; slot < slots && !plan->across; slot++)
            pack_slot(plan, &s, x + slot * step[1] * plan->bytes, s.slots + slot * s.slot_bytes);
        if (plan->across) pack_across(plan, &s, x, slots);
        for (int64_t slot = 0; slot < slots; slot++, t.group++)
            filter(j, &t, &s, slot);
    }
}
