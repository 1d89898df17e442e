/* neon -- AArch64's baseline: 32 registers of 16 bytes with FMA. */
#define VEC_BYTES    16
#define MIX_CHANNELS 8
#define MIX_VECS     3
#define DOT_CHANNELS 4
#define DOT_OFFSETS  6
#define OUTER_VECS   4
#define OUTER_COLS   6
#define TILE_ROWS    4
#define TILE_VECS    4
#define TILE_CHUNK   7
#define TILE_TALL    8
#define TILE_HELD    2
#define NINE_ROWS    4
#define NINE_VECS    4
#define LINE_ROWS    16
#define LINE_CHUNK   8
#define PLANE_ROWS   7
#define GRAD_ROWS    3
#define GRAD_COLUMNS 4
/* Products of Winograd's method: output channels, a power of two, x vectors. */
#define WINOGRAD_CHANNELS 8
#define WINOGRAD_VECS     3
