/* SPDX-License-Identifier: BSD-3-Clause
 * columns_fold.c -- columns added up in the lines of x that they meet (see columns_parts.h). */
#include <string.h>

#include "columns_parts.h"

/* Column t of channel c, from row r of the band on. */
static const char *column(const columns_plan *plan, const columns_scratch *s, int64_t c, int64_t t,
                          int64_t r) {
    return s->columns + ((c * plan->taps + t) * plan->pitch + r * plan->p->output[W]) * plan->bytes;
}

/* The sum of what the band's columns from depth tap kd on hold of row h of a channel of x: the
 * stride phases of its line, *pitch samples apart; NULL where they hold nothing. */
static const char *sum_line(const columns_plan *plan, const columns_band *b,
                            const columns_scratch *s, int64_t c, int64_t kd, int64_t h,
                            int64_t *pitch) {
    const pyconvc_problem *p = plan->p;
    int met = 0;
    *pitch = plan->alone ? plan->pitch : plan->line;
    for (int64_t kh = 0; kh < p->kernel[H]; kh++) {
        const int64_t at = h + p->pad_before[H] - kh * p->dilation[H],
                      r = at / p->stride[H] - b->row;
        if (at < 0 || at % p->stride[H] || r < 0 || r >= b->rows) continue;
        const char *from = column(plan, s, c, (kd * p->kernel[H] + kh) * p->kernel[W], r);
        if (plan->alone) return from;
        if (!met++) memset(s->lines, 0, (size_t)(p->stride[W] * plan->line * plan->bytes));
        for (const columns_run *run = plan->runs; run < plan->runs + p->kernel[W];
             run++, from += plan->pitch * plan->bytes)
            plan->fold->add(s->lines + run->to * plan->bytes, from + run->from * plan->bytes,
                            run->count);
    }
    return met ? s->lines : NULL;
}

/* What the band adds to row h of depth d of a channel of x, met by depth tap kd. */
static void fold_line_of(const columns_job *j, const columns_band *b, const columns_scratch *s,
                         int64_t c, int64_t d, int64_t kd, int64_t h) {
    static const char zero[16] = {0};
    const columns_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    fold_line line = {p->input[W], p->x_step[5], p->stride[W], 0};
    const char *sums = sum_line(plan, b, s, c, kd, h, &line.pitch);
    if (!sums) return;
    const int64_t channel = b->channel + c;
    const int is_first = plan->first[D][d] == b->depth && plan->first[H][h] >= b->row;
    const char *start =
        j->bias ? j->bias + (b->group * p->channels_in + channel) * plan->bytes : zero;
    const int64_t to = b->image * p->x_step[0] + b->group * p->x_step[1] + channel * p->x_step[2] +
                       d * p->x_step[3] + h * p->x_step[4];
    plan->fold->weave(&line, sums, is_first ? start : NULL, j->x + to * plan->bytes);
}

void columns_fold(const columns_job *j, const columns_band *b, const columns_scratch *s) {
    const pyconvc_problem *p = j->plan->p;
    const int64_t top = b->row * p->stride[H] - p->pad_before[H],
                  end =
                      top + (b->rows - 1) * p->stride[H] + (p->kernel[H] - 1) * p->dilation[H] + 1;
    for (int64_t c = 0; c < b->channels; c++)
        for (int64_t kd = 0; kd < p->kernel[D]; kd++) {
            const int64_t d = b->depth * p->stride[D] + kd * p->dilation[D] - p->pad_before[D];
            if (d < 0 || d >= p->input[D]) continue;
            for (int64_t h = max64(0, top); h < min64(p->input[H], end); h++)
                fold_line_of(j, b, s, c, d, kd, h);
        }
}

/* Lines that no sample of y meets are the bias alone. */
void columns_put_bias(const columns_job *j, const columns_band *b) {
    static const char zero[16] = {0};
    const columns_plan *plan = j->plan;
    const pyconvc_problem *p = plan->p;
    for (int64_t c = b->channel; c < b->channel + b->channels; c++)
        for (int64_t d = 0; d < p->input[D]; d++)
            for (int64_t h = 0; h < p->input[H]; h++) {
                if (plan->first[D][d] >= 0 && plan->first[H][h] >= 0) continue;
                const char *start =
                    j->bias ? j->bias + (b->group * p->channels_in + c) * plan->bytes : zero;
                const int64_t to = b->image * p->x_step[0] + b->group * p->x_step[1] +
                                   c * p->x_step[2] + d * p->x_step[3] + h * p->x_step[4];
                for (int64_t i = 0; i < p->input[W]; i++)
                    memcpy(j->x + (to + i * p->x_step[5]) * plan->bytes, start,
                           (size_t)plan->bytes);
            }
}
