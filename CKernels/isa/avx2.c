#include "../core/table.h"
#if FATHOM_X86

#define LANES 8
#define KERNEL(name) name##_avx2
#define TABLE fathom_avx2_kernels

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "instantiate.h"
#pragma clang attribute pop

#endif
