#define _DEFAULT_SOURCE  // clocks under -std=c11
#include "product.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const orientations[] = {"forward", "dgrad", "wgrad"};

// MARK: Operands

float element(int operand, size_t row, size_t column) {
    uint64_t h = (operand + 1) * 0x9E3779B97F4A7C15u ^ row * 0xBF58476D1CE4E5B9u ^ column * 0x94D049BB133111EBu;
    h = (h ^ h >> 31) * 0xD6E8FEB86659FD93u;
    return (float)(h >> 40) * 0x1p-24f - 0.5f;
}

float *floats(size_t count) {
    size_t bytes = (count * sizeof(float) + 63) / 64 * 64;
    float *memory = aligned_alloc(64, bytes ? bytes : 64);
    if (!memory) abort();
    memset(memory, 0, bytes);
    return memory;
}

float *row_major(int operand, size_t rows, size_t columns, bool transposed) {
    float *m = floats(rows * columns);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) m[transposed ? c * rows + r : r * columns + c] = element(operand, r, c);
    return m;
}

blas_call blas_call_make(const problem *p, bool outputs_first) {
    int rows = (int)p->rows, inputs = (int)p->inputs, outputs = (int)p->outputs;
    blas_call call = {0};
    if (p->orientation == WGRAD) {
        float *x = row_major(X, p->rows, p->inputs, false), *dy = row_major(DY, p->rows, p->outputs, false);
        call = outputs_first ? (blas_call){.m = outputs, .n = inputs, .a = dy, .b = x, .transposed_result = true}
                             : (blas_call){.m = inputs, .n = outputs, .a = x, .b = dy};
        call.k = rows;
        call.transpose_a = true;
    } else {
        bool forward = p->orientation == FORWARD;
        call.m = rows;
        call.n = forward ? outputs : inputs;
        call.k = forward ? inputs : outputs;
        call.a = row_major(forward ? X : DY, p->rows, call.k, false);
        call.b = row_major(W, p->inputs, p->outputs, outputs_first);
        call.transpose_b = forward == outputs_first;
    }
    call.lda = call.transpose_a ? call.m : call.k;
    call.ldb = call.transpose_b ? call.k : call.n;
    call.c = floats((size_t)call.m * call.n);
    return call;
}

float blas_call_result(const blas_call *call, size_t row, size_t column) {
    return call->transposed_result ? call->c[column * call->n + row] : call->c[row * call->n + column];
}

void blas_call_free(blas_call *call) {
    free(call->a);
    free(call->b);
    free(call->c);
}

// MARK: Checking

static double expected(const problem *p, size_t row, size_t column, double *magnitude) {
    size_t terms = p->orientation == FORWARD ? p->inputs : p->orientation == DGRAD ? p->outputs : p->rows;
    double sum = 0;
    *magnitude = 0;
    for (size_t k = 0; k < terms; k++) {
        double a = p->orientation == FORWARD ? element(X, row, k) : p->orientation == DGRAD ? element(DY, row, k) : element(X, k, row);
        double b = p->orientation == FORWARD ? element(W, k, column) : p->orientation == DGRAD ? element(W, column, k) : element(DY, k, column);
        sum += a * b;
        *magnitude += fabs(a * b);
    }
    return sum;
}

// The largest error of 64 elements spread over the result, relative to Σ|ab|; a float32 chain of k terms stays below k·2⁻²⁴.
static double largest_error(const problem *p) {
    size_t rows = p->orientation == WGRAD ? p->inputs : p->rows, columns = p->orientation == DGRAD ? p->inputs : p->outputs;
    double worst = 0;
    for (size_t i = 0; i < 64; i++) {
        size_t row = i * 7919 % rows, column = i * 104729 % columns;
        double magnitude, value = expected(p, row, column, &magnitude);
        double error = fabs(variant_result(row, column) - value) / magnitude;
        if (!(error <= worst)) worst = error;
    }
    return worst;
}

// MARK: Timing

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double seconds_of(size_t runs) {
    double begin = now();
    for (size_t i = 0; i < runs; i++) variant_run();
    return (now() - begin) / (double)runs;
}

// Threads that have slept may be woken on one processor, and be moved apart only some 10 to 50 ms later.
static const double seconds_to_part = 0.06;

// The median of samples of 50 µs or one run, whichever is longer; at least three.
static double median_seconds(double seconds, int threads) {
    enum { MOST = 20000 };
    static double samples[MOST];
    variant_run();
    if (threads > 1)
        for (double end = now() + seconds_to_part; now() < end;) variant_run();
    double once = seconds_of(1);
    size_t runs = once < 50e-6 ? (size_t)(50e-6 / once) + 1 : 1, count = 0;
    if (once < 1e-3) seconds_of(10 * runs);
    for (double end = now() + seconds; count < MOST && (count < 3 || now() < end);) samples[count++] = seconds_of(runs);
    qsort(samples, count, sizeof *samples, ascending);
    return samples[count / 2];
}

// MARK: The protocol

static void answer(const problem *p, const settings *s) {
    double error = 0;
    int answered = 0;
    printf("{\"microseconds\": {");
    for (int v = 0; variant_name(v); v++) {
        if (!variant_prepare(v, p)) continue;
        double seconds = median_seconds(s->seconds, s->threads), e = largest_error(p);
        if (!(e <= error)) error = e;
        variant_free();
        printf("%s\"%s\": %.4g", answered++ ? ", " : "", variant_name(v), seconds * 1e6);
    }
    printf("}, \"threads\": %d, \"error\": %.1e}\n", s->threads, error);
    fflush(stdout);
}

static bool parse(const char *line, problem *p) {
    char name[16];
    if (sscanf(line, "go %15s %zu %zu %zu", name, &p->rows, &p->inputs, &p->outputs) != 4) return false;
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, orientations[i])) {
            p->orientation = (orientation)i;
            return true;
        }
    return false;
}

int main(int count, char **arguments) {
    settings s = {.threads = 1, .seconds = 0.015};
    for (int i = 1; i + 1 < count; i += 2) {
        const char *key = arguments[i], *value = arguments[i + 1];
        if (!strcmp(key, "--threads")) s.threads = atoi(value);
        else if (!strcmp(key, "--seconds")) s.seconds = atof(value);
        else if (!strcmp(key, "--library")) s.library = value;
        else if (!strcmp(key, "--symbol")) s.symbol = value;
        else {
            fprintf(stderr, "%s: unknown option %s\n", arguments[0], key);
            return 64;
        }
    }
    if (!library_open(&s)) return 70;
    puts("READY");
    fflush(stdout);
    problem p;
    for (char line[128]; fgets(line, sizeof line, stdin) && parse(line, &p);) answer(&p, &s);
    return 0;
}
