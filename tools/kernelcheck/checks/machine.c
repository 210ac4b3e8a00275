// The machine's limits, to which speeds are held: multiply-adds that never leave the registers, a pass over memory, and how long threads take to meet.
// They run on the team of threads that the kernels run on.
#define _DEFAULT_SOURCE  // clocks under -std=c11
#include "kernel_checks.h"

#include "../../../CKernels/core/table.h"

#include <time.h>

#if FATHOM_X86
#define NAME(n) n##_avx2
#define LANES 8
#define CHAINS 12
#define REGISTER "x"
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "chains.h"
#pragma clang attribute pop

#define NAME(n) n##_avx512
#define LANES 16
#define CHAINS 24
#define REGISTER "v"
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#include "chains.h"
#pragma clang attribute pop
#elif FATHOM_ARM
#define NAME(n) n##_neon
#define LANES 4
#define CHAINS 24
#define REGISTER "w"
#include "chains.h"
#endif

typedef struct chains {
    float (*run)(size_t rounds);
    double flops;  // of one round
} chains;

static chains best_chains(void) {
#if FATHOM_X86
    if (__builtin_cpu_supports("avx512f")) return (chains){chains_avx512, 2 * 16 * 24};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return (chains){chains_avx2, 2 * 8 * 12};
#elif FATHOM_ARM
    return (chains){chains_neon, 2 * 4 * 24};
#endif
    return (chains){NULL, 0};
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

typedef struct burst {
    chains chains;
    size_t rounds;
    float *x, *y;
    size_t count;
    double begin, end;
    int team;
    volatile float sink;
} burst;

// Thread 0 keeps the time, from when all are there to when all have finished.
static void run_chains(void *context, int thread, fathom_team team) {
    burst *b = context;
    b->sink = b->chains.run(b->rounds / 8);
    fathom_barrier(team);
    if (thread == 0) b->begin = now();
    b->sink = b->chains.run(b->rounds);
    fathom_barrier(team);
    if (thread == 0) b->end = now();
    if (thread == 0) b->team = team.threads;
}

double machine_fma_gflops(int threads) {
    burst b = {.chains = best_chains(), .rounds = 200000};
    if (!b.chains.run) return 0;
    fathom_parallel(threads, run_chains, &b);
    return b.team * b.rounds * b.chains.flops / (b.end - b.begin) * 1e-9;
}

// Passes over a thread's own part, of which the first only brings it to where it stays.
static void run_passes(void *context, int thread, fathom_team team) {
    burst *b = context;
    size_t begin = b->count * thread / team.threads, end = b->count * (thread + 1) / team.threads;
    for (size_t pass = 0; pass <= b->rounds; pass++) {
        if (pass == 1) fathom_barrier(team);
        if (pass == 1 && thread == 0) b->begin = now();
        for (size_t i = begin; i < end; i++) b->y[i] = 0.999f * b->y[i] + b->x[i];
    }
    fathom_barrier(team);
    if (thread == 0) b->end = now();
}

double machine_bandwidth(int threads, float *x, float *y, size_t count) {
    enum { LEAST = 4 << 20 };  // elements: some milliseconds
    burst b = {.x = x, .y = y, .count = count, .rounds = count < LEAST ? LEAST / (count ? count : 1) : 1};
    fathom_parallel(threads, run_passes, &b);
    return 12e-9 * count * b.rounds / (b.end - b.begin);
}

static void run_barriers(void *context, int thread, fathom_team team) {
    burst *b = context;
    for (size_t i = 0; i < b->rounds; i++) {
        if (i == b->rounds / 4 && thread == 0) b->begin = now();
        fathom_barrier(team);
    }
    if (thread == 0) b->end = now();
}

double machine_barrier_seconds(int threads) {
    burst b = {.rounds = 4000};
    fathom_parallel(threads, run_barriers, &b);
    return (b.end - b.begin) / (b.rounds - b.rounds / 4);
}
