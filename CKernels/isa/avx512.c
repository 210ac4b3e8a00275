#include "../core/table.h"
#if FATHOM_X86

#define LANES 16
#define KERNEL(name) name##_avx512
#define TABLE fathom_avx512_kernels

#pragma clang attribute push(__attribute__((target("avx512f,avx2,fma"))), apply_to = function)
#include "instantiate.h"
#pragma clang attribute pop

#endif
