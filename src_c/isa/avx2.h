/* avx2 -- 16 registers of 32 bytes with FMA: latency 4 x 2 pipes wants more than 8 accumulators;
 * 10, 4 taps and a loaded vector fill 15. */
#include "avx2_bytes.h"
#include "avx2_convert.h"

#define VEC_BYTES    32
#define MIX_CHANNELS 4
#define MIX_VECS     3
#define DOT_CHANNELS 2
#define DOT_OFFSETS  5
#define OUTER_VECS   2
#define OUTER_COLS   6
/* The image filter. 9 sums, 5 taps and a loaded vector fill 15 registers; products of integers and
 * of complex samples take more of them. */
#define TILE_ROWS    (REAL ? 3 : 5)
#define TILE_VECS    (REAL ? 3 : 2)
#define TILE_CHUNK   (REAL ? 5 : 4)
#define TILE_TALL    (REAL ? 7 : 10)
#define TILE_HELD    (REAL ? 5 : 2)
#define NINE_ROWS    5
#define NINE_VECS    2
#define LINE_ROWS    10
#define LINE_CHUNK   4
#define PLANE_ROWS   7
#define GRAD_ROWS    3
#define GRAD_COLUMNS 4
/* Products of Winograd's method: output channels, a power of two, x vectors. */
#define WINOGRAD_CHANNELS 4
#define WINOGRAD_VECS     3
/* A vector at x whose words are zero, and not read, where those of the mask are. */
#define MASKED_LOAD(x, mask) __builtin_ia32_maskloadps256((const void *)(x), mask)
