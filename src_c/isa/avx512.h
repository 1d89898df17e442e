/* avx512 -- 32 registers of 64 bytes (F, BW, DQ, VL): 16 accumulators, up to 8 taps. */
#define VEC_BYTES    64
#define MIX_CHANNELS 8
#define MIX_VECS     3
#define DOT_CHANNELS 4
#define DOT_OFFSETS  6
#define OUTER_VECS   2
#define OUTER_COLS   12
#define TILE_ROWS    4
#define TILE_VECS    4
#define TILE_CHUNK   7
#define TILE_TALL    8
#define TILE_HELD    2
#define NINE_ROWS    4
#define NINE_VECS    4
#define LINE_ROWS    16
#define LINE_CHUNK   8
#define STREAM       __builtin_ia32_movntdq512
#define PLANE_ROWS   7
#define GRAD_ROWS    3
#define GRAD_COLUMNS 4
/* Products of Winograd's method: output channels, a power of two, x vectors. */
#define WINOGRAD_CHANNELS 8
#define WINOGRAD_VECS     3
