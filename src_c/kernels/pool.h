/* pool.h -- windows of rows folded into rows of outputs (contract: pool_fn in pool_types.h). A
 * template: its includer defines POOL_OP.
 *
 * Through a line in scratch that stays in L1:
 *
 *   down    line[j] = fold of x[row][j] over the rows of the window: each row is read once for all
 * columns along   y[o] = fold of line[o * stride + t * dilation], t < kernel
 *
 * Before and after x's samples the line has the identity, so no window along it is a special case.
 * Tall windows that overlap share work as van Herk (1992) and Gil & Werman (1993) have it: n
 * windows that start in a block of n rows are each an end of that block and a beginning of what
 * follows, both of which grow a few rows at a time. Nothing is ever subtracted: sums do not drift,
 * and NaN stays where it is. */
#include "pool_item.h"

#define TILE         4  /* vectors of one row folded side by side */
#define ROWS_AT_ONCE 16 /* of tall windows: so many streams of memory */
#define LINE         0
#define SPARE        1
#define LEVEL        2
#define DIVISOR      3
#define BLOCK        4 /* from here on: two beginnings, then the ends */

typedef struct {
    const pool_program *g;
    const pool_call *c;
    const elem *x;
    int64_t position;
    lane bias;       /* what makes unsigned integers compare as signed ones */
    int64_t divided; /* what set_divisors was last called for, if it was */
} job;

INLINE line line_at(const job *j, int64_t number) {
    const int64_t pitch = j->g->pitch * PARTS;
#if POOL_OP == ARGMAX
    elem *v = (elem *)j->c->scratch + 2 * number * pitch;
    return (line){v, (lane *)(v + pitch)};
#else
    return (line){(elem *)j->c->scratch + number * pitch};
#endif
}

INLINE line moved(line l, int64_t elements) {
    l.v += elements;
#if POOL_OP == ARGMAX
    l.at += elements;
#endif
    return l;
}

/* ---- down ------------------------------------------------------------------------------------ */

/* Rows to fold: count of them in each of depth planes. */
typedef struct {
    const elem *x;
    int64_t depth, depth_step, count, step;
    int64_t position, position_depth, position_step;
} rows;

INLINE rows rows_from(const job *j, int64_t first, int64_t count, int64_t depth, int64_t depths) {
    const pool_call *c = j->c;
    const int64_t by = j->g->row_step;
    rows r = {j->x + (depth * c->x_depth + (first - c->origin) * c->x_row) * PARTS,
              depths,
              c->x_depth * PARTS,
              count,
              by * c->x_row * PARTS,
              0,
              0,
              0};
    r.position = j->position + depth * c->position_depth + first * c->position_row;
    r.position_depth = c->position_depth;
    r.position_step = by * c->position_row;
    return r;
}

/* Elements k .. of one row, only the first n of them if n < VL. */
INLINE item read_row(const rows *r, int64_t d, int64_t i, int64_t k, int64_t n, lane bias) {
    const elem *x = r->x + d * r->depth_step + i * r->step + k;
    item a = {bias_by(n < VL ? load_part(x, n) : load(x), bias)};
#if POOL_OP == ARGMAX
    a.at =
        lanes1((lane)(r->position + d * r->position_depth + i * r->position_step + k)) + count_up();
#endif
    return a;
}

/* V vectors of the fold of all rows, and of `carry` if there is one. */
INLINE void fold_tile(const int V, const rows *r, const line *carry, line to, int64_t k, int64_t n,
                      lane bias) {
    item sum[TILE];
    UNROLL(TILE)
    for (int v = 0; v < V; v++)
        sum[v] = read_row(r, 0, 0, k + v * VL, n, bias);
    int64_t i = 1;
    for (int64_t d = 0; d < r->depth; d++, i = 0)
        for (; i < r->count; i++) {
            UNROLL(TILE)
            for (int v = 0; v < V; v++)
                sum[v] = fold(sum[v], read_row(r, d, i, k + v * VL, n, bias), 1);
        }
    UNROLL(TILE)
    for (int v = 0; v < V; v++) {
        if (carry) sum[v] = fold(load_item(*carry, k + v * VL), sum[v], 0);
        store_item(to, k + v * VL, sum[v]);
    }
}

/* to = fold of carry and rows; `to` is not `carry`. The last vector overlaps the one before it. */
static void fold_rows(const job *j, const rows *r, const line *carry, line to) {
    const int64_t n = j->g->width * PARTS;
    int64_t k = 0;
    if (r->count <= 0 || r->depth <= 0) {
        for (; k < n; k += VL)
            store_item(to, k, carry ? load_item(*carry, k) : identity());
        return;
    }
    for (; k + TILE * VL <= n; k += TILE * VL)
        fold_tile(TILE, r, carry, to, k, VL, j->bias);
    for (; k + VL <= n; k += VL)
        fold_tile(1, r, carry, to, k, VL, j->bias);
    if (k == n) return;
    if (n >= VL)
        fold_tile(1, r, carry, to, n - VL, VL, j->bias);
    else
        fold_tile(1, r, carry, to, 0, n, j->bias);
}

/* The line of one window by itself, some rows at a time: the lines that carry take turns, the line
 * is the last. */
static void fold_window(const job *j, int64_t first, int64_t count, line to, line spare) {
    const int64_t depth = j->c->depth;
    const line turns[2] = {to, spare};
    if (depth * count <= ROWS_AT_ONCE) {
        const rows r = rows_from(j, first, count, 0, depth);
        fold_rows(j, &r, NULL, to);
        return;
    }
    const int64_t pieces = (count + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    const line *carry = NULL;
    for (int64_t d = 0, left = depth * pieces; d < depth; d++)
        for (int64_t i = 0; i < count; i += ROWS_AT_ONCE) {
            const int64_t here = count - i < ROWS_AT_ONCE ? count - i : ROWS_AT_ONCE;
            const rows r = rows_from(j, first + i * j->g->row_step, here, d, 1);
            const line *target = &turns[--left & 1];
            fold_rows(j, &r, carry, *target);
            carry = target;
        }
}

/* ---- along ----------------------------------------------------------------------------------- */

INLINE item fold_taps(line l, int64_t k, int64_t kernel, int64_t step) {
    item sum = load_item(l, k);
    for (int64_t t = 1; t < kernel; t++)
        sum = fold(sum, load_item(l, k + t * step), 0);
    return sum;
}

/* to[k] = fold of from[k + t * step], t < kernel, for k < n. */
static void slide(line from, line to, int64_t n, int64_t kernel, int64_t step) {
    for (int64_t k = 0; k < n; k += VL)
        store_item(to, k, fold_taps(from, k, kernel, step));
}

/* The same by the binary digits of kernel: level holds folds of 2^b samples; where b is a digit,
 * they are joined to what the lower digits gave. Returns the line that has the result. */
static line slide_doubling(line from, line level, line sum, int64_t n, int64_t kernel,
                           int64_t step) {
    int64_t joined = 0, reach = n + (kernel - 1) * step;
    line at = from;
    for (int64_t run = 1;; run *= 2) {
        if (kernel & run) {
            if (joined + run == kernel && !joined) return at;
            for (int64_t k = 0; k < n; k += VL) {
                const item a = load_item(at, k + joined * step);
                store_item(sum, k, joined ? fold(load_item(sum, k), a, 0) : a);
            }
            joined += run;
            if (joined == kernel) return sum;
        }
        reach -= run * step;
        for (int64_t k = 0; k < reach; k += VL)
            store_item(level, k, fold(load_item(at, k), load_item(at, k + run * step), 0));
        at = level;
    }
}

/* Items of a line, or of a row in place. */
typedef struct {
    line l;
    const rows *r;
    lane bias;
} source;

INLINE item load_source(const source *s, int64_t k) {
    return s->r ? read_row(s->r, 0, 0, k, VL, s->bias) : load_item(s->l, k);
}

INLINE item spread_source(const source *s, int64_t k) {
    if (!s->r) return spread_item(s->l, k);
    item a = {bias_by(spread_sample(s->r->x + k), s->bias)};
#if POOL_OP == ARGMAX
    a.at = lanes1((lane)(s->r->position + k));
#endif
    return a;
}

/* One window of n elements from k on, into the first lane. */
INLINE item fold_run(const source *s, int64_t k, int64_t n) {
    const int64_t end = k + n;
    item sum;
    if (n >= VL) {
        sum = load_source(s, k);
        for (k += VL; k + VL <= end; k += VL)
            sum = fold(sum, load_source(s, k), 0);
        sum = fold_lanes(sum);
    } else {
        sum = spread_source(s, k);
        k += PARTS;
    }
    for (; k < end; k += PARTS)
        sum = fold(sum, spread_source(s, k), 0);
    return sum;
}

/* ---- outputs --------------------------------------------------------------------------------- */

#if POOL_OP == SUM
INLINE vec quotient(vec a, vec by, int is_unsigned) {
    if (FLOATING) return a / by;
    elem n[VL], d[VL];
    store(n, a), store(d, by);
    for (int j = 0; j < VL; j++) {
        if (is_unsigned)
            n[j] = n[j] / d[j];
        else /* the least integer has no quotient by -1 */
            n[j] = (lane)d[j] == -1 ? -n[j] : (elem)((lane)n[j] / (lane)d[j]);
    }
    return load(n);
}

/* The divisors of a row of outputs. Where integers have none, and in lanes beyond the last, it is
 * 1: the sum over a window without samples is 0. */
static void set_divisors(const job *j, int64_t of_row) {
    elem *to = line_at(j, DIVISOR).v;
    const int64_t each = j->g->channels * PARTS;
    for (int64_t o = 0; o < j->g->outputs / j->g->channels; o++) {
        const elem samples = (elem)of_row * (elem)j->g->column_divisor[o];
        const elem by = FLOATING || samples != 0 ? samples : 1;
        for (int64_t k = 0; k < each; k++)
            *to++ = by;
    }
    for (int64_t k = 0; k < VL * PARTS; k++)
        *to++ = 1;
}
#endif

typedef struct {
    elem *y;
    int64_t *index;
} target;

/* Outputs o .. of a row, as many as a vector has or as there are. */
INLINE void put(const job *j, const target *to, int64_t o, item a) {
    const int64_t n = j->g->outputs * PARTS - o < VL ? j->g->outputs * PARTS - o : VL;
#if POOL_OP == SUM
    if (j->g->column_divisor)
        a.v = quotient(a.v, load(line_at(j, DIVISOR).v + o), j->g->is_unsigned);
#else
    a.v = bias_by(a.v, j->bias);
#endif
    if (n == VL)
        store(to->y + o, a.v);
    else
        store_part(to->y + o, a.v, n);
#if POOL_OP == ARGMAX
    lane at[VL];
    memcpy(at, &a.at, sizeof at);
    for (int64_t i = 0; i < n; i++)
        to->index[o + i] = at[i] == LANE_MAX ? -1 : at[i];
#endif
}

/* The vector of outputs from o on: windows at o * stride. */
INLINE item window(const int stride, line l, int64_t o, int64_t kernel, int64_t step) {
    if (stride == 1) return fold_taps(l, o, kernel, step);
    return every_second_item(fold_taps(l, 2 * o, kernel, step),
                             fold_taps(l, 2 * o + VL, kernel, step), 0);
}

INLINE void put_windows(const job *j, const target *to, const int stride, line l, int64_t kernel,
                        int64_t step) {
    const int64_t n = j->g->outputs * PARTS;
    int64_t o = 0;
    for (; o + VL <= n; o += VL)
        put(j, to, o, window(stride, l, o, kernel, step));
    if (o == n) return;
    if (n >= VL) o = n - VL;
    put(j, to, o, window(stride, l, o, kernel, step));
}

static void put_each(const job *j, const target *to, const source *s) {
    const pool_program *g = j->g;
    const line gathered = line_at(j, SPARE);
    elem few[VL];
    for (int64_t o = 0; o < g->outputs; o++) {
        const int64_t from = (g->start[o] - g->start_origin) * PARTS;
        const item a = g->run[o] > 0 ? fold_run(s, from, g->run[o] * PARTS) : identity();
        store(few, a.v);
        for (int p = 0; p < PARTS; p++)
            gathered.v[o * PARTS + p] = few[p];
#if POOL_OP == ARGMAX
        lane at[VL];
        memcpy(at, &a.at, sizeof at);
        gathered.at[o] = at[0];
#endif
    }
    put_windows(j, to, 1, gathered, 1, 0);
}

/* Every stride-th sample, from a line that has a window at each. */
INLINE void put_picked(const job *j, const target *to, line l) {
    const int64_t stride = j->g->stride * PARTS;
    const line picked = line_at(j, LEVEL);
    for (int64_t o = 0, k = 0; o < j->g->outputs; o++, k += stride) {
        for (int p = 0; p < PARTS; p++)
            picked.v[o * PARTS + p] = l.v[k + p];
#if POOL_OP == ARGMAX
        picked.at[o] = l.at[k];
#endif
    }
    put_windows(j, to, 1, picked, 1, 0);
}

/* Windows of positions, for all channels of each: where a vector reaches beyond the last channel,
 * the outputs there are put again by the next window. */
static void put_channels(const job *j, const target *to, line l, int64_t kernel, int64_t step) {
    const pool_program *g = j->g;
    const int64_t channels = g->channels * PARTS;
    for (int64_t o = 0; o < g->outputs / g->channels; o++) {
        const int each = g->along == POOL_EACH;
        const int64_t from = (each ? g->start[o] - g->start_origin : o * g->stride) * channels;
        const int64_t taps = each ? g->run[o] : kernel;
        for (int64_t k = 0; k < channels; k += VL)
            put(j, to, o * channels + k,
                taps > 0 ? fold_taps(l, from + k, taps, step) : identity());
    }
}

static void put_row_of_channels(const job *j, const target *to, line l) {
    const pool_program *g = j->g;
    const int64_t step = g->dilation * PARTS;
    const int64_t n = ((g->outputs / g->channels - 1) * g->stride + 1) * g->channels * PARTS;
    int64_t kernel = g->kernel;
    if (g->along == POOL_DOUBLING) {
        l = slide_doubling(l, line_at(j, LEVEL), line_at(j, SPARE), n, kernel, step);
        kernel = 1;
    }
    if (g->along != POOL_EACH && g->stride == 1)
        put_windows(j, to, 1, l, kernel, step);
    else
        put_channels(j, to, l, kernel, step);
}

static void put_row(const job *j, const target *to, line l) {
    const pool_program *g = j->g;
    if (g->channels > 1) {
        put_row_of_channels(j, to, l);
        return;
    }
    const int64_t step = g->dilation * PARTS;
    const int64_t n = ((g->outputs - 1) * g->stride + 1) * PARTS;
    int64_t kernel = g->kernel;
    if (g->along == POOL_EACH) {
        const source s = {l, NULL, 0};
        put_each(j, to, &s);
        return;
    }
    if (g->along == POOL_DOUBLING) {
        l = slide_doubling(l, line_at(j, LEVEL), line_at(j, SPARE), n, kernel, step);
        kernel = 1;
    } else if (g->stride > 2 && kernel > 1) {
        slide(l, line_at(j, SPARE), n, kernel, step);
        l = line_at(j, SPARE);
        kernel = 1;
    }
    if (g->stride == 1)
        put_windows(j, to, 1, l, kernel, step);
    else if (g->stride == 2)
        put_windows(j, to, 2, l, kernel, step);
    else
        put_picked(j, to, l);
}

/* ---- rows of outputs ------------------------------------------------------------------------- */

INLINE target row_of(const job *j, int64_t plane, int64_t r) {
    const pool_call *c = j->c;
    target to = {(elem *)c->y + (plane * c->y_plane + r * c->y_row) * PARTS, NULL};
#if POOL_OP == ARGMAX
    to.index = c->index + plane * c->index_plane + r * c->index_row;
#endif
    return to;
}

static void fill_ends(const job *j) {
    const int64_t before = j->g->before * PARTS, n = before + j->g->width * PARTS;
    const line l = line_at(j, LINE);
    for (int64_t k = 0; k < before; k += VL)
        store_item(l, k, identity());
    for (int64_t k = n; k < j->g->length * PARTS + VL; k += VL)
        store_item(l, k, identity());
}

/* What the sums of a row are divided by. */
INLINE void find_divisors(job *j, int64_t r) {
#if POOL_OP == SUM
    if (!j->g->column_divisor) return;
    const int64_t of_row = j->g->row_divisor[j->c->row + r] * j->c->divisor;
    if (of_row != j->divided) set_divisors(j, of_row);
    j->divided = of_row;
#else
    (void)j, (void)r;
#endif
}

static void put_line(job *j, int64_t plane, int64_t r, line inside) {
    const target to = row_of(j, plane, r);
    find_divisors(j, r);
    if (j->g->width * PARTS < VL) store_item(inside, j->g->width * PARTS, identity());
    put_row(j, &to, line_at(j, LINE));
}

/* Windows of x's only row. */
static void put_plane_in_place(job *j, int64_t plane) {
    for (int64_t r = 0; r < j->c->height; r++) {
        const target to = row_of(j, plane, r);
        const rows x = rows_from(j, 0, 1, 0, 1);
        const source s = {line_at(j, LINE), &x, j->bias};
        find_divisors(j, r);
        put_each(j, &to, &s);
    }
}

/* Each row of outputs by itself. */
static void put_plane(job *j, int64_t plane) {
    const line inside = moved(line_at(j, LINE), j->g->before * PARTS);
    const line spare = moved(line_at(j, SPARE), j->g->before * PARTS);
    for (int64_t r = 0; r < j->c->height; r++) {
        const int64_t o = j->c->row + r;
        fold_window(j, j->g->first[o], j->g->count[o], inside, spare);
        put_line(j, plane, r, inside);
    }
}

/* The part of rows from .. to - 1 that x has. */
INLINE rows rows_between(const job *j, int64_t from, int64_t to) {
    from = from < 0 ? 0 : from;
    to = to > j->g->rows ? j->g->rows : to;
    return rows_from(j, from, to - from, 0, j->c->depth);
}

/* Blocks of output rows: end q of the block is its rows from q * stride on, beginning q the q *
 * stride rows after it. */
static void put_plane_in_blocks(job *j, int64_t plane) {
    const pool_program *g = j->g;
    const line inside = moved(line_at(j, LINE), g->before * PARTS);
    for (int64_t r = 0; r < j->c->height; r += g->row_block) {
        const int64_t n = j->c->height - r < g->row_block ? j->c->height - r : g->row_block;
        const int64_t top = (j->c->row + r) * g->row_stride - g->row_pad,
                      bottom = top + g->row_kernel;
        for (int64_t q = n - 1; q >= 0; q--) {
            const line carry = line_at(j, BLOCK + 2 + q + 1), end = line_at(j, BLOCK + 2 + q);
            const rows more = rows_between(j, top + q * g->row_stride,
                                           q == n - 1 ? bottom : top + (q + 1) * g->row_stride);
            fold_rows(j, &more, q == n - 1 ? NULL : &carry, end);
        }
        for (int64_t q = 0; q < n; q++) {
            const line end = line_at(j, BLOCK + 2 + q), beginning = line_at(j, BLOCK + q % 2),
                       carry = line_at(j, BLOCK + 1 - q % 2);
            if (q) {
                const rows more =
                    rows_between(j, bottom + (q - 1) * g->row_stride, bottom + q * g->row_stride);
                fold_rows(j, &more, q == 1 ? NULL : &carry, beginning);
            }
            for (int64_t k = 0; k < g->width * PARTS; k += VL)
                store_item(inside, k,
                           q ? fold(load_item(end, k), load_item(beginning, k), 0)
                             : load_item(end, k));
            store_item(inside, g->width * PARTS, identity());
            put_line(j, plane, r + q, inside);
        }
    }
}

static void pool(const pool_program *g, const pool_call *c) {
    const lane sign = (lane)(-LANE_MAX - 1);
    job j = {g, c, NULL, c->position, POOL_OP != SUM && g->is_unsigned ? sign : 0, INT64_MIN};
    if (!g->in_place) fill_ends(&j);
    for (int64_t plane = 0; plane < c->planes; plane++) {
        j.x = (const elem *)c->x + plane * c->x_plane * PARTS;
        if (g->in_place)
            put_plane_in_place(&j, plane);
        else if (g->row_block > 1)
            put_plane_in_blocks(&j, plane);
        else
            put_plane(&j, plane);
    }
}
