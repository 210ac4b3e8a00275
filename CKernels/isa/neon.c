#include "../core/table.h"
#if FATHOM_ARM

#define LANES 4
#define KERNEL(name) name##_neon
#define TABLE fathom_neon_kernels

#define REGISTERS 32
#define TILE_ROWS 6
#define TILE_VECTORS 24
#define DEPTH_BLOCK 256
#define WGRAD_DEPTH_BLOCK 128
#define WGRAD_SQUARE 32
#define ROW_BLOCK 512
#define A_BLOCK (128 * 1024)

#include "instantiate.h"

#endif
