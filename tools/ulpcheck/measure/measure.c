// Walks through the floats, counts errors and hashes results.
#include "ulp_measure.h"
#include "fathom_kernels.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { BLOCK = 4096 };

void ulp_evaluate(const ulp_function *f, const char *isa, const float *x, float *y, size_t count) {
    if (f->pass == ULP_ELEMENTARY) return ulp_evaluate_elementary(f->kind, x, y, count);
    bool forward = f->pass == ULP_FORWARD;
    size_t rows = count / FATHOM_PANEL;
    fathom_arguments a;
    // A slope that is saved is made beside y.
    bool saved = !forward && fathom_activation_saves_slope(f->kind);
    static _Thread_local float beside[BLOCK] __attribute__((aligned(64)));
    if (forward || saved) {
        a.activation_forward = (fathom_activation_forward_arguments){
            rows, FATHOM_PANEL, f->kind, f->parameter, x, count, saved ? beside : y, count, saved ? y : NULL, count};
    } else {
        for (size_t i = 0; i < count; i++) y[i] = 1;
        a.activation_backward = (fathom_activation_backward_arguments){rows, FATHOM_PANEL, f->kind, f->parameter, x, count, y, count, y, count, {0}};
    }
    fathom_operation operation = forward || saved ? FATHOM_ACTIVATION_FORWARD : FATHOM_ACTIVATION_BACKWARD;
    fathom_kernels_named(isa)->kernels[operation](&a, (fathom_range){0, rows, 0, 1});
}

// The unit in the last place of a float32 of this size: 23 binades below it.
static double unit(double size) {
    size = size < 0x1p-126 ? 0x1p-126 : size < 0x1p127 ? size : 0x1p127;
    uint64_t bits;
    memcpy(&bits, &size, sizeof bits);
    bits = (bits & 0x7ff0000000000000) - ((uint64_t)23 << 52);
    memcpy(&size, &bits, sizeof bits);
    return size;
}

static void compare(const ulp_function *f, float x, float y, ulp_result *result) {
    if (!isnan(x) && !(x >= f->low && x <= f->high)) return;
    result->inputs++;
    double terms, truth = f->truth(x, f->parameter, &terms);
    bool special = isnan(truth) || isinf(x), minus_zero = f->kind == FATHOM_RELU && f->pass == ULP_FORWARD && y == 0 && signbit(y);
    if (minus_zero || (special ? !(isnan(truth) ? isnan(y) : (float)truth == y) : isnan(y))) {
        result->wrong++;
        result->wrong_at = x;
        return;
    }
    if (special) return;
    // An overflow on one side only is an error in units of the last binade.
    double value = fmin(fmax(y, -0x1p128), 0x1p128), exact = fmin(fmax(truth, -0x1p128), 0x1p128);
    double error = fabs(value - exact) / unit(terms);
    if (error > result->worst) {
        result->worst = error;
        result->worst_at = x;
    }
}

// Zeros, infinities, NaN, and the ends of the subnormal and normal numbers.
static const uint32_t edges[] = {0x00000000, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x00000001, 0x80000001,
                                 0x007fffff, 0x807fffff, 0x00800000, 0x80800000, 0x7f7fffff, 0xff7fffff, 0x3f800000, 0xbf800000};
enum { EDGES = sizeof edges / sizeof *edges };

ulp_result ulp_measure(const ulp_function *f, const char *isa, uint64_t first, uint64_t stride) {
    _Alignas(64) float x[BLOCK] = {0}, y[BLOCK];
    ulp_result result = {0};
    memcpy(x, edges, sizeof edges);
    ulp_evaluate(f, isa, x, y, EDGES);
    for (size_t i = 0; i < EDGES; i++) compare(f, x[i], y[i], &result);
    for (uint64_t bits = first; bits < UINT64_C(1) << 32;) {
        size_t count = 0;
        for (; count < BLOCK && bits < UINT64_C(1) << 32; count++, bits += stride) {
            uint32_t word = (uint32_t)bits;
            memcpy(&x[count], &word, sizeof word);
        }
        ulp_evaluate(f, isa, x, y, BLOCK);  // past count the floats of the block before
        for (size_t i = 0; i < count; i++) compare(f, x[i], y[i], &result);
    }
    return result;
}

uint64_t ulp_hash(const ulp_function *f, const char *isa, uint64_t stride) {
    _Alignas(64) float x[BLOCK], y[BLOCK];
    uint64_t hash = 0;
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32;) {  // the last block wraps round
        for (size_t i = 0; i < BLOCK; i++, bits += stride) {
            uint32_t word = (uint32_t)bits;
            memcpy(&x[i], &word, sizeof word);
        }
        ulp_evaluate(f, isa, x, y, BLOCK);
        for (size_t i = 0; i < BLOCK; i++) {
            uint32_t word;
            memcpy(&word, &y[i], sizeof word);
            hash = (hash ^ (isnan(y[i]) ? 0x7fc00000 : word)) * UINT64_C(0x9e3779b97f4a7c15);
            hash ^= hash >> 29;
        }
    }
    return hash;
}
