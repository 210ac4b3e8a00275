// Instantiates every tuned kernel for one instruction set. Parameters, set by the including file:
//   LANES, EMULATE_FMA, KERNEL(n)          see simd/vector.h
//   TABLE                                  the name of the list of kernels made here
//   TILE_ROWS, TILE_PANELS                 the register tile of forward and dgrad products, rows × panels
//   WGRAD_ROWS, WGRAD_PANELS               the register tile of wgrad products
#include "../core/table.h"
#include "../simd/vector.h"

fathom_kernel *const TABLE[FATHOM_OPERATIONS] = {0};
