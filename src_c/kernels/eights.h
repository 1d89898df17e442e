/* eights.h -- means of windows of moderate length (contract: line_job in chain_types.h).
 *
 * A window is some runs of EIGHT samples and a rest. The sum of eight is made once for each place,
 * and every window that has it takes it from memory. A sum has the same order wherever it lies, and
 * few roundings.
 */

#define EIGHT 8

/* Sum of `count` <= EIGHT samples, a constant: those of pairs, then of these. */
INLINE vec sum_of(const int count, const vec *x) {
    if (count == 1) return x[0];
    vec sum = x[0] + x[1];
    if (count >= 4) sum = sum + (x[2] + x[3]);
    if (count == 8) return sum + ((x[4] + x[5]) + (x[6] + x[7]));
    if (count >= 6) sum = sum + (x[4] + x[5]);
    if (count % 2) sum = sum + x[count - 1];
    return sum;
}

INLINE void put_mean(const line_job *job, vec sum, vec w, elem *y, int64_t left) {
    const vec mean = job->divide ? (vec)(sum / w) : (vec)(sum * w);
    if (left < VL)
        store_part(y, mean, left);
    else if (STREAMS && job->stream)
        stream(y, mean);
    else
        store(y, mean);
}

/* Sums of eight of the next vector at `newest`, and means of the windows of `whole` eights that end
 * with its rest; without any yet if `whole` is 0. `parts`, x_step, is a constant at every call. */
INLINE void line_tile(const int rest, const int parts, int64_t whole, const line_job *job, vec w,
                      const elem *x, elem *newest, elem *y, int64_t left) {
    const int step = EIGHT * parts;
    vec at[EIGHT];
    UNROLL(16)
    for (int i = 0; i < EIGHT; i++)
        at[i] = load(x + i * parts);
    store(newest, sum_of(EIGHT, at));
    if (!whole) return;
    const elem *eights = newest - whole * step;
    vec sum = load(eights);
    if (rest) sum = sum + sum_of(rest, at);
    for (int64_t k = 1; k < whole; k++)
        sum = sum + load(eights + k * step);
    put_mean(job, sum, w, y, left);
}

INLINE void all_lines(const int rest, const int parts, const line_job *job) {
    const vec w = set1(*(const elem *)job->w);
    const int64_t whole = job->count / EIGHT, before = EIGHT * whole * parts;
    elem *sums = job->sums;
    for (int64_t r = 0; r < job->height; r++) {
        const elem *x = (const elem *)job->x + r * job->pitch;
        elem *y = (elem *)job->y + r * job->y_pitch;
        int64_t j = 0;
        for (; j < before; j += VL)
            line_tile(rest, parts, 0, job, w, x + j, sums + j, y, VL);
        for (j = 0; j < job->width; j += VL)
            line_tile(rest, parts, whole, job, w, x + before + j, sums + before + j, y + j,
                      job->width - j);
    }
}

static void lines(const line_job *given) {
    const line_job job = *given; /* which no store of a vector can change */
#define REST(n)                                                                                    \
    case n:                                                                                        \
        if (job.x_step == 1)                                                                       \
            all_lines(n, 1, &job);                                                                 \
        else                                                                                       \
            all_lines(n, 2, &job);                                                                 \
        break;
    switch (job.count % EIGHT) {
        REST(0)
        REST(1)
        REST(2)
        REST(3)
        REST(4)
        REST(5)
        REST(6)
        REST(7)
    }
#undef REST
}
