/* SPDX-License-Identifier: BSD-3-Clause
 *
 * channels_last.c -- depthwise rows with channels as lanes (contract: channels_last_fn in
 * kernel_types.h).
 *
 *   y[j][c] += taps[t][c] * x[j + t][c]      for the taps t of a run
 *
 * A tile of OUTPUTS samples of y, one vector of channels of each, stays in registers. For each run
 * its n taps are loaded once, n being a whole row of most kernels; then each of the OUTPUTS + n - 1
 * samples of the input is loaded once and serves all outputs that meet it. Where y has fewer
 * outputs than a tile, what is too many is computed and not stored.
 *
 * Lines of channels are turned into samples of channels, and back, by blocks in registers.
 *
 * The sum of an output runs over rows, then over runs, then over taps in order, whatever tile it
 * falls in.
 */
#include "kernel_types.h"
#include "sums.h"

#if REAL && VEC_BYTES
#    include "turn.h"
#endif

#define OUTPUTS (PLANE_ROWS / PARTS)
#define CHUNK   (7 / PARTS)
#define MOST    8 /* outputs, and taps; a plain constant, so that arrays become registers */

/* Sample j of those that are `step` bytes apart, every third of which has a pointer: what is
 * between is reached by scaled addresses. */
INLINE const elem *at(const char *const *third, int j, int64_t step) {
    return (const elem *)(third[j / 3] + j % 3 * step);
}

/* n taps, `step` apart, on the tile, whose outputs are `by` samples of x apart, these x_step. */
INLINE void add_run(sum *acc, const int n, const int by, const elem *x, int64_t x_step,
                    const elem *taps, int64_t step, int64_t part) {
    const int samples = by * (OUTPUTS - 1) + n;
    vec w[MOST * PARTS];
    UNROLL(16)
    for (int k = 0; k < n * PARTS; k++)
        w[k] = held(load(taps + k / PARTS * step + k % PARTS * part));
    const int64_t apart = x_step * (int64_t)sizeof(elem);
    const char *third[MOST];
    UNROLL(8)
    for (int i = 0; i <= (samples - 1) / 3; i++)
        third[i] = (const char *)x + 3 * i * apart;
    UNROLL(32)
    for (int j = 0; j < samples; j++) {
        const vec a = held(load(at(third, j, apart)));
        UNROLL(8)
        for (int t = 0; t < n; t++) {
            const int o = (j - t) / by;
            if (j < t || (j - t) % by || o >= OUTPUTS) continue;
            UNROLL(2)
            for (int p = 0; p < PARTS; p++)
                acc[o].part[p] = madd(acc[o].part[p], w[t * PARTS + p], a);
        }
    }
}

/* Taps of a row, where the kernel is compiled for them: of the only run, or of two with stride
 * 2. */
typedef enum { ANY = 0, THREE = 3, FIVE = 5, SEVEN = 7, THREE_BY_2 = -3, FIVE_BY_2 = -5 } kind;

/* All taps on the tile; right: of the rows' pointers, taps: at its channels. */
INLINE void add_rows(sum *acc, const kind k, const channels_last_job *job, int64_t right,
                     const elem *taps) {
    const int64_t part = job->taps_step / PARTS;
    for (int64_t i = 0; i < job->row_count; i++, taps += job->taps_row) {
        const elem *x = (const elem *)job->rows[i] + right;
        if (k != ANY) {
            const int by = k > 0 ? 1 : 2;
            add_run(acc, k > 0 ? (int)k : -(int)k, by, x, job->x_step / by, taps, job->taps_step,
                    part);
            continue;
        }
        for (int64_t r = 0; r < job->run_count; r++) {
            const channels_last_run *run = &job->runs[r];
            const elem *from = taps + run->tap * job->taps_step;
            const int64_t step = job->taps_step * run->tap_step;
            switch (run->length) {
#define CASE(n)                                                                                    \
    case n:                                                                                        \
        if (n <= CHUNK) add_run(acc, n, 1, x + run->column, job->x_step, from, step, part);        \
        break;
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)
#undef CASE
            }
        }
    }
}

/* The first `count` outputs of a tile, `elements` of each. */
INLINE void put(const sum *acc, elem *y, int64_t step, int64_t count, int64_t elements) {
    UNROLL(8)
    for (int o = 0; o < OUTPUTS; o++, y += step) {
        if (o == count) return;
        if (elements >= VL)
            store(y, finish(&acc[o]));
        else
            store_part(y, finish(&acc[o]), elements);
    }
}

INLINE void line(const kind k, const channels_last_job *job) {
    for (int64_t j = 0; j < job->width; j += OUTPUTS) {
        const int64_t column = begin(j, OUTPUTS, job->width);
        elem *y = (elem *)job->y + column * job->y_step;
        for (int64_t c = 0; c < job->channels; c += VL) {
            const int64_t at = begin(c, VL, job->channels), left = job->channels - at;
            const elem *bias = job->bias ? (const elem *)job->bias + at : 0;
            const vec start = !bias ? (vec){0} : left < VL ? load_part(bias, left) : load(bias);
            sum acc[MOST];
            UNROLL(8)
            for (int o = 0; o < OUTPUTS; o++)
                acc[o] = (sum){{start}};
            add_rows(acc, k, job, job->first + column * job->x_step + at,
                     (const elem *)job->taps + at);
            put(acc, y + at, job->y_step, job->width - column, left);
        }
    }
}

INLINE void outputs(const kind k, const channels_last_job *given) {
    channels_last_job job = *given; /* which no store can change */
    for (int64_t q = 0; q < given->height; q++) {
        line(k, &job);
        job.rows += job.rows_step;
        job.y = (elem *)job.y + job.y_pitch;
    }
}

static void any(const channels_last_job *job) {
    outputs(ANY, job);
}
static void three(const channels_last_job *job) {
    outputs(THREE, job);
}
static void five(const channels_last_job *job) {
    outputs(FIVE, job);
}
static void seven(const channels_last_job *job) {
    outputs(SEVEN, job);
}
static void three_by_2(const channels_last_job *job) {
    outputs(THREE_BY_2, job);
}
static void five_by_2(const channels_last_job *job) {
    outputs(FIVE_BY_2, job);
}

/* Whether every second of so many taps is in a run, the others in another: those of stride 2. */
static int are_by_2(const channels_last_job *job, int32_t taps) {
    const channels_last_run *runs = job->runs;
    return taps <= CHUNK && job->run_count == 2 && runs[0].length == (taps + 1) / 2 &&
           runs[1].length == taps / 2 && !runs[0].column && runs[0].tap_step == 2 &&
           runs[1].tap == 1 && 2 * runs[1].column == job->x_step;
}

/* Loops without a choice in them, for kernels whose rows are one run, or two of stride 2. */
static void filter(const channels_last_job *job) {
    const int32_t length = job->run_count == 1 && !job->runs->column ? job->runs->length : 0;
    if (are_by_2(job, 3))
        three_by_2(job);
    else if (are_by_2(job, 5))
        five_by_2(job);
    else if (length == 3)
        three(job);
    else if (length == 5 && CHUNK >= 5)
        five(job);
    else if (length == 7 && CHUNK >= 7)
        seven(job);
    else
        any(job);
}

/* V whole vectors of each sample. */
INLINE void copy_vectors(const int V, const elem *from, int64_t step, int64_t samples,
                         int64_t pitch, elem *to) {
    for (int64_t j = 0; j < samples; j++, from += step, to += pitch) {
        UNROLL(2)
        for (int v = 0; v < V; v++)
            store(to + v * VL, load(from + v * VL));
    }
}

static void copy(const void *from, int64_t step, int64_t samples, int64_t channels, int64_t pitch,
                 void *to) {
    if (channels == VL)
        copy_vectors(1, from, step, samples, pitch, to);
    else if (channels == 2 * VL)
        copy_vectors(2, from, step, samples, pitch, to);
    else
        for (int64_t j = 0; j < samples; j++)
            memcpy((elem *)to + j * pitch, (const elem *)from + j * step,
                   (size_t)channels * sizeof(elem));
}

#if REAL && VEC_BYTES
/* A block of lines of which so many channels exist, `lead` before the first sample asked for. */
INLINE void turn_in_block(const elem *lines, int64_t step, int64_t channels, vec *v) {
    UNROLL(16)
    for (int l = 0; l < VL; l++)
        v[l] = load(lines + (l < channels ? l : channels - 1) * step);
    turn_all(v);
}

static void turn_in(const void *lines, int64_t step, int64_t count, int64_t channels, int64_t back,
                    int64_t pitch, void *samples) {
    const elem *from = lines;
    elem *to = samples;
    vec v[VL];
    if (count < VL) {
        const int64_t lead = back < VL - count ? back : VL - count;
        turn_in_block(from - lead, step, channels, v);
        UNROLL(16)
        for (int i = 0; i < VL; i++)
            if (i >= lead && i < lead + count) store(to + (i - lead) * pitch, v[i]);
        return;
    }
    for (int64_t j = 0; j < count; j += VL) {
        const int64_t at = begin(j, VL, count);
        turn_in_block(from + at, step, channels, v);
        UNROLL(16)
        for (int i = 0; i < VL; i++)
            store(to + (at + i) * pitch, v[i]);
    }
}

static void turn_out(const void *samples, int64_t count, int64_t channels, int64_t step,
                     void *lines) {
    const elem *from = samples;
    elem *to = lines;
    for (int64_t j = 0; j < count; j += VL) {
        const int64_t at = begin(j, VL, count);
        vec v[VL];
        UNROLL(16)
        for (int i = 0; i < VL; i++)
            v[i] = load(from + (at + (i < count ? i : 0)) * VL);
        turn_all(v);
        UNROLL(16)
        for (int l = 0; l < VL; l++)
            if (l >= channels)
                break;
            else if (count < VL)
                store_part(to + l * step, v[l], count);
            else
                store(to + l * step + at, v[l]);
    }
}
#endif

const channels_last_kernels NAME(channels_last) = {
    .filter = filter,
    .copy = copy,
#if REAL && VEC_BYTES
    .turn_in = turn_in,
    .turn_out = turn_out,
#endif
    .lanes = VL / PARTS > 0 ? VL / PARTS : 1,
    .outputs = OUTPUTS,
    .run = CHUNK,
};
