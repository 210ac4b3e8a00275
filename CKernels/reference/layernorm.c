// Layer and RMS normalization in plain C: the definition of what every instruction set computes.
#include <math.h>

#include "scalar.h"

// A row is summed in blocks of 64 panels: in float32 a chain down each lane from zero, the 16 lanes in the fixed tree; the blocks in float64, in order.
// So an error grows with at most 64 + 4 additions.
enum { BLOCK = 64 * FATHOM_PANEL };

// Σ (x − centre) of row r, or Σ (x − centre)² (fused).
static double sum_of_row(const float *x, size_t stride, size_t r, size_t columns, float centre, bool squared) {
    double sum = 0;
    for (size_t block = 0; block < columns; block += BLOCK) {
        float lane[FATHOM_PANEL] = {0};
        for (size_t c = block; c < columns && c < block + BLOCK; c++) {
            float d = *fathom_at(x, stride, r, c) - centre, *chain = &lane[c % FATHOM_PANEL];
            *chain = squared ? fathom_fma_reference(d, d, *chain) : *chain + d;
        }
        sum += fathom_float_tree16_reference(lane);
    }
    return sum;
}

// The mean is that of the distances to the row's first element, which it is then added to: in a row of equal numbers it is that number, and an
// offset however large costs no digits of the deviations.
void fathom_layernorm_forward_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_layernorm_forward_arguments *a = &arguments->layernorm_forward;
    double share = 1 / (double)a->columns;
    for (size_t r = range.row_begin; r < range.row_end; r++) {
        float mean = 0;
        if (a->centered) {
            float first = *fathom_at(a->x, a->x_stride, r, 0);
            mean = (float)(first + sum_of_row(a->x, a->x_stride, r, a->columns, first, false) * share);
            a->mean[r] = mean;
        }
        float rstd = (float)(1 / sqrt(sum_of_row(a->x, a->x_stride, r, a->columns, mean, true) * share + a->epsilon));
        a->rstd[r] = rstd;
        for (size_t c = 0; c < FATHOM_PANEL * fathom_panels(a->columns); c++) {
            float gain = a->gain ? a->gain[c] : 1, bias = a->bias ? a->bias[c] : 0;
            float z = c < a->columns ? fathom_fma_reference((*fathom_at(a->x, a->x_stride, r, c) - mean) * rstd, gain, bias) : 0;
            if (a->slope) *fathom_at(a->slope, a->slope_stride, r, c) = fathom_saved_slope_reference(a->activation, z);
            *fathom_at(a->y, a->y_stride, r, c) = fathom_activate_reference(a->activation, a->parameter, z);
        }
    }
}

// Σ d and Σ d·(x − mean) (fused) of row r, d = dy·gain.
static void sums_of_row(const fathom_layernorm_backward_arguments *b, size_t r, float mean, double *of_d, double *of_product) {
    *of_d = *of_product = 0;
    for (size_t block = 0; block < b->columns; block += BLOCK) {
        float lane[FATHOM_PANEL] = {0}, product[FATHOM_PANEL] = {0};
        for (size_t c = block; c < b->columns && c < block + BLOCK; c++) {
            float d = *fathom_at(b->dy, b->dy_stride, r, c) * (b->gain ? b->gain[c] : 1), *chain = &product[c % FATHOM_PANEL];
            *chain = fathom_fma_reference(d, *fathom_at(b->x, b->x_stride, r, c) - mean, *chain);
            lane[c % FATHOM_PANEL] += d;
        }
        *of_d += fathom_float_tree16_reference(lane);
        *of_product += fathom_float_tree16_reference(product);
    }
}

// x̂·mean(d·x̂) = (x − mean)·rate with rate = rstd²·mean(d·(x − mean)).
void fathom_layernorm_backward_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_layernorm_backward_arguments *b = &arguments->layernorm_backward;
    double share = 1 / (double)b->columns;
    for (size_t r = range.row_begin; r < range.row_end; r++) {
        float mean = b->centered ? b->mean[r] : 0, rstd = b->rstd[r];
        double of_d, of_product;
        sums_of_row(b, r, mean, &of_d, &of_product);
        float mean_d = b->centered ? (float)(of_d * share) : 0, rate = (float)((double)rstd * rstd * of_product * share);
        for (size_t c = 0; c < FATHOM_PANEL * fathom_panels(b->columns); c++) {
            float d = *fathom_at(b->dy, b->dy_stride, r, c) * (b->gain ? b->gain[c] : 1);
            *fathom_at(b->dx, b->dx_stride, r, c) = rstd * fathom_fma_reference(-rate, *fathom_at(b->x, b->x_stride, r, c) - mean, d - mean_d);
        }
    }
    range.panel_end = fathom_panels(b->columns);
    fathom_pull_back_reference(
        &(fathom_pull_back){b->columns, b->activation, b->parameter, b->saved, b->saved_stride, b->dx, b->dx_stride, b->blocks, false}, range);
}

void fathom_layernorm_gradient_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_layernorm_gradient_arguments *g = &arguments->layernorm_gradient;
    for (size_t c = FATHOM_PANEL * range.panel_begin; c < FATHOM_PANEL * range.panel_end; c++) {
        float dgain = g->accumulate && g->dgain ? g->dgain[c] : 0, dbias = g->accumulate && g->dbias ? g->dbias[c] : 0;
        for (size_t r = 0; r < g->rows; r++) {
            float dy = *fathom_at(g->dy, g->dy_stride, r, c), distance = *fathom_at(g->x, g->x_stride, r, c) - (g->mean ? g->mean[r] : 0);
            dgain = fathom_fma_reference(dy, distance * g->rstd[r], dgain);
            dbias += dy;
        }
        if (g->dgain) g->dgain[c] = c < g->columns ? dgain : 0;
        if (g->dbias) g->dbias[c] = c < g->columns ? dbias : 0;
    }
}
