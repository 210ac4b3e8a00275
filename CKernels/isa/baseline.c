// What every processor of the architecture can run (SSE2, NEON), with the fused multiply-add emulated: slow, and the same bits.
#define LANES 4
#define EMULATE_FMA
#define KERNEL(name) name##_baseline
#define TABLE fathom_baseline_kernels

#include "instantiate.h"
