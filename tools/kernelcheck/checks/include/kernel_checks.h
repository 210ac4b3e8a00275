// Checks and times every kernel of CKernels against its plain-C reference, on every instruction set of the machine.
// One list of operations (list.c) drives the checks, the timing, the profiler's samples and the tests.
#ifndef KERNEL_CHECKS_H
#define KERNEL_CHECKS_H

#include "../../../../CKernels/include/fathom_kernels.h"

enum { KERNEL_CHECK_MESSAGE = 2048, KERNEL_CHECK_EVERY_CASE = -1 };

typedef struct kernel_check_options {
    uint64_t seed;
    bool full;           // every case; else the quick selection: all small sizes, fewer large ones
    long long only_case;  // this case alone, or KERNEL_CHECK_EVERY_CASE
    size_t every;         // each so many cases one is checked; 1: all
} kernel_check_options;

// What became of one operation on one instruction set. `failure` is empty where it passed; else it tells operation, set, sizes, flags,
// element, expected and got value, and the command that repeats the case.
typedef struct kernel_check_result {
    const char *isa;
    size_t cases;
    bool passed;
    char failure[KERNEL_CHECK_MESSAGE];
} kernel_check_result;

// Checks one operation on `count` instruction sets; each case's reference is computed once. True where all passed. Safe to call from
// several threads at once, for different operations.
bool kernel_check(fathom_operation operation, const kernel_check_options *options, const char *const isas[], size_t count,
                  kernel_check_result results[]);

// Checks how calls are divided over threads, and shares into pieces that idle threads take over. Safe to call beside kernel_check.
bool shares_check(uint64_t seed, char message[KERNEL_CHECK_MESSAGE]);

// A call of an operation on ordinary data in contiguous matrices, for measuring. Products and transposition use all three sizes,
// the others rows × outputs. NULL where the memory cannot be had.
typedef struct kernel_sample kernel_sample;
kernel_sample *kernel_sample_create(fathom_operation operation, size_t rows, size_t inputs, size_t outputs, fathom_activation activation);
const fathom_call *kernel_sample_call(const kernel_sample *sample);
void kernel_sample_destroy(kernel_sample *sample);

// Seconds of one call on one thread: the best of interleaved rounds, for the reference and for each instruction set of `isas`.
void kernel_time(fathom_operation operation, const char *const isas[], size_t count, double *reference_seconds, double seconds[],
                 double *flops, double *bytes);

// The machine's limits, measured once, now, on `threads` threads: GFLOP/s of independent chains of fused multiply-adds on the best
// instruction set of the processor (0 where it has none), over a few milliseconds;
double machine_fma_gflops(int threads);
// and GB/s of y[i] = a·y[i] + x[i] over arrays of `count` floats, two reads and one write counted, after a pass that is not: of the cache that holds
// both, or of memory.
double machine_bandwidth(int threads, float *x, float *y, size_t count);
// and the seconds of a barrier, of some thousand one behind the other.
double machine_barrier_seconds(int threads);

#endif
