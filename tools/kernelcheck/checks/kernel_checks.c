#include "kernel_checks.h"
