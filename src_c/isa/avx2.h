/* avx2 -- 16 registers of 32 bytes with FMA: 8 accumulators cover latency 4 x 2 pipes, 4 hold taps.
 */
#include <immintrin.h>
#define VEC_BYTES    32
#define MIX_CHANNELS 4
#define MIX_VECS     3
#define DOT_CHANNELS 2
#define DOT_OFFSETS  5
#define OUTER_VECS   2
#define OUTER_COLS   6
#define TILE_ROWS    4
#define TILE_VECS    2
#define TILE_CHUNK   4
#define LINE_ROWS    8
#define LINE_CHUNK   4
#define STREAM(p, v) _mm256_stream_si256((__m256i *)(p), (__m256i)(v))
