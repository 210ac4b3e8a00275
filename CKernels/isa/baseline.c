// What every processor of the architecture can run (SSE2, NEON), with the fused multiply-add emulated: slow, and the same bits.
#define LANES 4
#define EMULATE_FMA
#define KERNEL(name) name##_baseline
#define TABLE fathom_baseline_kernels

#define REGISTERS 16
#define TILE_ROWS 2
#define TILE_VECTORS 8
#define DEPTH_BLOCK 256
#define WGRAD_DEPTH_BLOCK 128
#define WGRAD_SQUARE 32
#define ROW_BLOCK 512
#define A_BLOCK (128 * 1024)

#include "instantiate.h"
