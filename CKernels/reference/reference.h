// What the reference kernels share: one element of a matrix in panels, the exact fused multiply-add, and the reference activations.
#ifndef FATHOM_REFERENCE_H
#define FATHOM_REFERENCE_H

#include "../core/table.h"

#include <string.h>

// The sum of squares of at most 16 rows of a panel, each value cut to ± limit first, in the tree that every norm is made of.
double fathom_block_squares_reference(const float *g, size_t rows, float limit);

// Element (row, column) of a matrix in panels.
static inline float *fathom_at(const float *m, size_t stride, size_t row, size_t column) {
    return (float *)m + stride * (column / FATHOM_PANEL) + FATHOM_PANEL * row + column % FATHOM_PANEL;
}

// a·b + c with one rounding, by float64 alone. The product of two floats is exact there. The sum with c is rounded to odd: where it is
// inexact and its last bit is even, it moves to the neighbour on the exact value's side, which TwoSum's error tells. An odd last bit
// keeps what lies beyond it from being mistaken for a tie, so the rounding to float32 gives the fused result, subnormals included
// (Boldo & Melquiond 2008, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd").
static inline float fathom_fma_reference(float a, float b, float c) {
    double product = (double)a * b, addend = c, sum = product + addend;
    double back = sum - product, error = (product - (sum - back)) + (addend - back);
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    // An infinite sum leaves a NaN for an error, which is neither above nor below zero.
    if ((error > 0 || error < 0) && bits % 2 == 0) {
        bits = (error > 0) == (sum > 0) ? bits + 1 : bits - 1;
        memcpy(&sum, &bits, sizeof sum);
    }
    return (float)sum;
}

// φ(z), and φ′ as a function of what the backward pass saves: z or y (reference/activation.c).
float fathom_activate_reference(fathom_activation activation, float parameter, float z);
float fathom_activation_slope_reference(fathom_activation activation, float parameter, float saved);
// φ′(z) of an activation that saves it.
float fathom_saved_slope_reference(fathom_activation activation, float z);

// A gradient in place, taken back through the activation that made its signal: dx ⊙ φ′(saved), zero in padding lanes, and what the blocks of rows tell of it
// before that, and of the signal; the first row is one with which a block begins (reference/instrument.c).
typedef struct fathom_pull_back {
    size_t columns;
    fathom_activation activation;
    float parameter;
    const float *saved;
    size_t saved_stride;
    float *dx;
    size_t dx_stride;
    fathom_signal_blocks blocks;
    bool tells_output;  // also of identity: saved is the signal
} fathom_pull_back;

void fathom_pull_back_reference(const fathom_pull_back *p, fathom_range range);

// What a loss gathers of the network's outputs and of their gradient, which it has made.
void fathom_tell_outputs_reference(const fathom_loss_arguments *l, fathom_range range);

// What the optimizer's pass did to rows row ..< end, of one block of the pass; `before` holds what they were, `after` all parameters of the pass.
void fathom_change_reference(const fathom_segment *segment, const float *before, const float *after, size_t row, size_t end);

fathom_kernel fathom_gemm_forward_reference, fathom_gemm_dgrad_reference, fathom_gemm_wgrad_reference;
fathom_kernel fathom_transpose_reference, fathom_bias_gradient_reference, fathom_moments_reference;

#endif
