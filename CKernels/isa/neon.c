#include "../core/table.h"
#if FATHOM_ARM

#define LANES 4
#define KERNEL(name) name##_neon
#define TABLE fathom_neon_kernels

#include "instantiate.h"

#endif
