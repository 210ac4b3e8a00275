// Preloaded, this has MKL take the paths that it keeps for Intel's processors on every processor with the same instructions.
int mkl_serv_intel_cpu_true(void) { return 1; }
