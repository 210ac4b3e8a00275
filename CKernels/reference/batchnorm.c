// Batch normalization in plain C: the definition of what every instruction set computes.
#include <math.h>

#include "scalar.h"

// A column is summed in blocks of 16 rows: in float32 a chain from zero; the blocks in float64, in order. The block is that short so that several
// chains of a panel can run at once.

// Σ (x − centre) of a column that starts at x, or Σ (x − centre)² (fused).
static double sum_of_column(const float *x, size_t rows, float centre, bool squared) {
    double sum = 0;
    for (size_t block = 0; block < rows; block += FATHOM_PANEL) {
        float chain = 0;
        for (size_t r = block; r < rows && r < block + FATHOM_PANEL; r++) {
            float d = x[FATHOM_PANEL * r] - centre;
            chain = squared ? fathom_fma_reference(d, d, chain) : chain + d;
        }
        sum += chain;
    }
    return sum;
}

// Σ dy·(x − mean) (fused) of columns that start at dy and x.
static double product_of_columns(const float *dy, const float *x, size_t rows, float mean) {
    double sum = 0;
    for (size_t block = 0; block < rows; block += FATHOM_PANEL) {
        float chain = 0;
        for (size_t r = block; r < rows && r < block + FATHOM_PANEL; r++)
            chain = fathom_fma_reference(dy[FATHOM_PANEL * r], x[FATHOM_PANEL * r] - mean, chain);
        sum += chain;
    }
    return sum;
}

// The mean is that of the distances to the column's first element, which it is then added to: in a column of equal numbers it is that number, and an
// offset however large costs no digits of the deviations. rstd·gain is rounded once, for all rows.
void fathom_batchnorm_forward_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_batchnorm_forward_arguments *a = &arguments->batchnorm_forward;
    double share = 1 / (double)a->rows, unbiased = a->rows > 1 ? 1 / (double)(a->rows - 1) : 1;
    fathom_arguments of_x = {.moments = {.rows = a->rows, .columns = a->columns, .y = a->x, .y_stride = a->x_stride, .sums = a->x_moments}};
    if (a->x_moments) fathom_moments_reference(&of_x, range);
    for (size_t c = FATHOM_PANEL * range.panel_begin; c < FATHOM_PANEL * range.panel_end; c++) {
        const float *x = fathom_at(a->x, a->x_stride, 0, c);
        bool live = c < a->columns;
        float mean = live ? (float)(*x + sum_of_column(x, a->rows, *x, false) * share) : 0;
        double squares = live ? sum_of_column(x, a->rows, mean, true) : 0;
        float rstd = live ? (float)(1 / sqrt(squares * share + a->epsilon)) : 0;
        a->mean[c] = mean;
        a->variance[c] = (float)(squares * unbiased);
        a->rstd[c] = rstd;
        float scale = a->gain ? rstd * a->gain[c] : rstd, bias = a->bias ? a->bias[c] : 0;
        for (size_t r = 0; r < a->rows; r++) {
            float z = fathom_fma_reference(x[FATHOM_PANEL * r] - mean, scale, bias);
            if (a->slope) *fathom_at(a->slope, a->slope_stride, r, c) = fathom_saved_slope_reference(a->activation, z);
            *fathom_at(a->y, a->y_stride, r, c) = fathom_activate_reference(a->activation, a->parameter, z);
        }
    }
}

void fathom_batchnorm_inference_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_batchnorm_inference_arguments *a = &arguments->batchnorm_inference;
    for (size_t c = FATHOM_PANEL * range.panel_begin; c < FATHOM_PANEL * range.panel_end; c++) {
        float rstd = c < a->columns ? (float)(1 / sqrt((double)a->variance[c] + a->epsilon)) : 0;
        float scale = a->gain ? rstd * a->gain[c] : rstd, bias = a->bias ? a->bias[c] : 0;
        for (size_t r = range.row_begin; r < range.row_end; r++) {
            float z = fathom_fma_reference(*fathom_at(a->x, a->x_stride, r, c) - a->mean[c], scale, bias);
            *fathom_at(a->y, a->y_stride, r, c) = fathom_activate_reference(a->activation, a->parameter, z);
        }
    }
}

// x̂·mean(dy·x̂) = (x − mean)·rate with rate = rstd²·mean(dy·(x − mean)).
void fathom_batchnorm_backward_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_batchnorm_backward_arguments *b = &arguments->batchnorm_backward;
    double share = 1 / (double)b->rows;
    for (size_t c = FATHOM_PANEL * range.panel_begin; c < FATHOM_PANEL * range.panel_end; c++) {
        const float *x = fathom_at(b->x, b->x_stride, 0, c), *dy = fathom_at(b->dy, b->dy_stride, 0, c);
        float mean = b->mean[c], rstd = b->rstd[c], scale = b->gain ? rstd * b->gain[c] : rstd;
        double of_dy = sum_of_column(dy, b->rows, 0, false), of_product = product_of_columns(dy, x, b->rows, mean);
        float dgain = (float)(rstd * of_product), dbias = (float)of_dy;
        if (b->dgain) b->dgain[c] = c >= b->columns ? 0 : b->accumulate ? b->dgain[c] + dgain : dgain;
        if (b->dbias) b->dbias[c] = c >= b->columns ? 0 : b->accumulate ? b->dbias[c] + dbias : dbias;
        float mean_dy = (float)(of_dy * share), rate = (float)((double)rstd * rstd * of_product * share);
        for (size_t r = 0; r < b->rows && b->dx; r++) {
            *fathom_at(b->dx, b->dx_stride, r, c) = scale * fathom_fma_reference(-rate, x[FATHOM_PANEL * r] - mean, dy[FATHOM_PANEL * r] - mean_dy);
        }
    }
    if (!b->dx) return;
    range.row_begin = 0;
    range.row_end = b->rows;
    fathom_pull_back_reference(
        &(fathom_pull_back){b->columns, b->activation, b->parameter, b->saved, b->saved_stride, b->dx, b->dx_stride, b->blocks, false}, range);
}
