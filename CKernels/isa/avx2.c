#include "../core/table.h"
#if FATHOM_X86

#define LANES 8
#define KERNEL(name) name##_avx2
#define TABLE fathom_avx2_kernels

#define REGISTERS 16
#define TILE_ROWS 6
#define TILE_VECTORS 12
#define DEPTH_BLOCK 256
#define WGRAD_DEPTH_BLOCK 128
#define WGRAD_SQUARE 32
#define ROW_BLOCK 512
#define A_BLOCK (64 * 1024)

// prfchw: a processor that lacks it takes the instruction for a nop.
#pragma clang attribute push(__attribute__((target("avx2,fma,prfchw"))), apply_to = function)
#include "instantiate.h"
#pragma clang attribute pop

#endif
