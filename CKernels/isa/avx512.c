#include "../core/table.h"
#if FATHOM_X86

#define LANES 16
#define KERNEL(name) name##_avx512
#define TABLE fathom_avx512_kernels

#define REGISTERS 32
#define TILE_ROWS 12
#define TILE_VECTORS 24
#define DEPTH_BLOCK 256
#define WGRAD_DEPTH_BLOCK 256
#define WGRAD_SQUARE 16
#define ROW_BLOCK 512
#define A_BLOCK (128 * 1024)

#ifdef FATHOM_SPLIT_AVX512  // the same 16 lanes on AVX2: see tools/kernelcheck/split
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma clang attribute push(__attribute__((target("avx512f,avx2,fma,prfchw"))), apply_to = function)
#endif
#include "instantiate.h"
#pragma clang attribute pop

#endif
