/* sse2 -- x86-64's baseline: 16 registers of 16 bytes, multiply and add apart. */
#define VEC_BYTES    16
#define MIX_CHANNELS 4
#define MIX_VECS     3
#define DOT_CHANNELS 2
#define DOT_OFFSETS  5
#define OUTER_VECS   2
#define OUTER_COLS   6
#define TILE_ROWS    4
#define TILE_VECS    2
#define TILE_CHUNK   4
#define TILE_TALL    8
#define TILE_HELD    2
#define NINE_ROWS    4
#define NINE_VECS    2
#define LINE_ROWS    8
#define LINE_CHUNK   4
#define PLANE_ROWS   7
#define GRAD_ROWS    3
#define GRAD_COLUMNS 3
/* Products of Winograd's method: output channels, a power of two, x vectors. */
#define WINOGRAD_CHANNELS 4
#define WINOGRAD_VECS     3
