// The list of reference kernels: the definition of every operation, in plain C. No slot is empty.
#include "../core/table.h"

fathom_kernel *const fathom_reference_kernels[FATHOM_OPERATIONS] = {0};
