/* scalar -- the tier that every other one is measured against: plain C, one lane. */
#define VEC_BYTES    0
#define MIX_CHANNELS 4
#define MIX_VECS     2
#define DOT_CHANNELS 2
#define DOT_OFFSETS  3
#define OUTER_VECS   2
#define OUTER_COLS   3
#define TILE_ROWS    4
#define TILE_VECS    2
#define TILE_CHUNK   3
#define TILE_TALL    8
#define TILE_HELD    2
#define NINE_ROWS    4
#define NINE_VECS    2
#define LINE_ROWS    8
#define LINE_CHUNK   3
#define PLANE_ROWS   4
#define GRAD_ROWS    3
#define GRAD_COLUMNS 3
/* Products of Winograd's method: output channels, a power of two, x vectors. */
#define WINOGRAD_CHANNELS 4
#define WINOGRAD_VECS     2
