// The machine's peak: independent chains of fused multiply-adds that never leave the registers, on each thread.
//
// It prints READY; then for each line `go` on standard input it measures for --seconds on --threads threads and prints one JSON line with
// `peak_gflops`, the median of bursts of a few milliseconds. Anything else ends it.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__AVX512F__)
enum { LANES = 16, CHAINS = 24 };
#define REGISTER "v"
#elif defined(__AVX2__) && defined(__FMA__)
enum { LANES = 8, CHAINS = 12 };
#define REGISTER "x"
#elif defined(__aarch64__)
enum { LANES = 4, CHAINS = 24 };
#define REGISTER "w"
#else
#error "no fused multiply-add that this program knows"
#endif
typedef float vector __attribute__((vector_size(4 * LANES)));

enum { BURST = 1 << 20, MOST = 4096 };

static int threads = 1;
static atomic_int arrived, finished;
static double begin, end;
static volatile float sink;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

// The empty statement keeps each chain in its register and in its order.
static void chains(size_t rounds) {
    vector a = (vector){0} + 0.999999f, b = (vector){0} + 1e-6f, c[CHAINS];
    for (int i = 0; i < CHAINS; i++) c[i] = b * (float)i;
    for (size_t r = 0; r < rounds; r++)
#pragma GCC unroll 24
        for (int i = 0; i < CHAINS; i++) {
            c[i] = c[i] * a + b;
            __asm__ volatile("" : "+" REGISTER(c[i]));
        }
    for (int i = 1; i < CHAINS; i++) c[0] += c[i];
    sink = c[0][0];
}

static void meet(atomic_int *count) {
    atomic_fetch_add(count, 1);
    while (atomic_load(count) < threads) {}
}

// From when all are there to when all have finished.
static void *burst(void *is_first) {
    chains(BURST / 8);
    meet(&arrived);
    if (is_first) begin = now();
    chains(BURST);
    meet(&finished);
    if (is_first) end = now();
    return NULL;
}

static double gflops_of_a_burst(void) {
    pthread_t others[256];
    atomic_store(&arrived, 0);
    atomic_store(&finished, 0);
    for (int t = 1; t < threads; t++)
        if (pthread_create(&others[t], NULL, burst, NULL)) exit(70);
    burst(&begin);
    for (int t = 1; t < threads; t++) pthread_join(others[t], NULL);
    return threads * (double)BURST * CHAINS * LANES * 2 / (end - begin) * 1e-9;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_gflops(double seconds) {
    static double bursts[MOST];
    size_t count = 0;
    for (double stop = now() + seconds; count < MOST && (count < 3 || now() < stop);) bursts[count++] = gflops_of_a_burst();
    qsort(bursts, count, sizeof *bursts, ascending);
    return bursts[count / 2];
}

int main(int count, char **arguments) {
    double seconds = 0.1;
    for (int i = 1; i + 1 < count; i += 2) {
        if (!strcmp(arguments[i], "--threads")) threads = atoi(arguments[i + 1]);
        else if (!strcmp(arguments[i], "--seconds")) seconds = atof(arguments[i + 1]);
    }
    if (threads < 1 || threads > 256) return 64;
    puts("READY");
    fflush(stdout);
    for (char line[64]; fgets(line, sizeof line, stdin) && !strcmp(line, "go\n");) {
        printf("{\"peak_gflops\": %.2f, \"threads\": %d}\n", median_gflops(seconds), threads);
        fflush(stdout);
    }
    return 0;
}
