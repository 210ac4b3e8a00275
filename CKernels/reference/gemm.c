// The matrix products of a dense layer, defined: the naive loops, forward beside its gradients. Each kernel covers the range it is
// given: rows and panels of its result.
#include <math.h>

#include "reference.h"

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

// The columns of a range of panels.
static size_t first_column(fathom_range range) { return FATHOM_PANEL * range.panel_begin; }
static size_t end_column(fathom_range range, size_t columns) { return least(FATHOM_PANEL * range.panel_end, columns); }

// Zero into the padding lanes of those rows, where the range holds the last panel.
static void clear_padding(float *m, size_t stride, size_t columns, fathom_range range) {
    for (size_t c = columns; c < FATHOM_PANEL * range.panel_end; c++)
        for (size_t r = range.row_begin; r < range.row_end; r++) *fathom_at(m, stride, r, c) = 0;
}

void fathom_gemm_forward_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gemm_forward_arguments *a = &arguments->gemm_forward;
    float *kept = a->slope ? a->slope : a->y;
    size_t kept_stride = a->slope ? a->slope_stride : a->y_stride;
    clear_padding(kept, kept_stride, a->outputs, range);
    for (size_t r = range.row_begin; r < range.row_end; r++)
        for (size_t n = first_column(range); n < end_column(range, a->outputs); n++) {
            float *z = fathom_at(kept, kept_stride, r, n), sum = a->accumulate ? *z : 0;
            for (size_t k = 0; k < a->inputs; k++)
                sum = fathom_fma_reference(*fathom_at(a->x, a->x_stride, r, k), *fathom_at(a->w, a->w_stride, k, n), sum);
            *z = a->bias ? sum + a->bias[n] : sum;
        }
    for (size_t r = range.row_begin; r < range.row_end; r++)
        for (size_t n = first_column(range); n < FATHOM_PANEL * range.panel_end; n++)
        {
            float z = *fathom_at(kept, kept_stride, r, n);
            *fathom_at(a->y, a->y_stride, r, n) = fathom_activate_reference(a->activation, a->parameter, z);
            if (a->slope) *fathom_at(a->slope, a->slope_stride, r, n) = fathom_saved_slope_reference(a->activation, z);
        }
}

void fathom_gemm_dgrad_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gemm_dgrad_arguments *a = &arguments->gemm_dgrad;
    for (size_t r = range.row_begin; r < range.row_end; r++)
        for (size_t k = first_column(range); k < end_column(range, a->inputs); k++) {
            float *dx = fathom_at(a->dx, a->dx_stride, r, k), sum = a->accumulate ? *dx : 0;
            for (size_t n = 0; n < a->outputs; n++) {
                float w = *fathom_at(a->w, a->w_stride, a->transposed ? n : k, a->transposed ? k : n);
                sum = fathom_fma_reference(*fathom_at(a->dy, a->dy_stride, r, n), w, sum);
            }
            *dx = sum;
        }
    fathom_pull_back_reference(
        &(fathom_pull_back){a->inputs, a->activation, a->parameter, a->saved, a->saved_stride, a->dx, a->dx_stride, a->blocks, false}, range);
}

void fathom_gemm_wgrad_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_gemm_wgrad_arguments *a = &arguments->gemm_wgrad;
    for (size_t k = range.row_begin; k < range.row_end; k++)
        for (size_t n = first_column(range); n < end_column(range, a->outputs); n++) {
            float *dw = fathom_at(a->dw, a->dw_stride, k, n), sum = a->accumulate ? *dw : 0;
            for (size_t r = 0; r < a->rows; r++)
                sum = fathom_fma_reference(*fathom_at(a->x, a->x_stride, r, k), *fathom_at(a->dy, a->dy_stride, r, n), sum);
            *dw = sum;
        }
    clear_padding(a->dw, a->dw_stride, a->outputs, range);
    size_t blocks = fathom_panels(a->inputs);
    for (size_t p = range.panel_begin; a->squares && p < range.panel_end; p++)
        for (size_t r = range.row_begin; r < range.row_end; r += FATHOM_PANEL) {
            size_t rows = range.row_end - r < FATHOM_PANEL ? range.row_end - r : FATHOM_PANEL;
            a->squares[blocks * p + r / FATHOM_PANEL] = fathom_block_squares_reference(fathom_at(a->dw, a->dw_stride, r, FATHOM_PANEL * p), rows, INFINITY);
        }
}

void fathom_transpose_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_transpose_arguments *a = &arguments->transpose;
    for (size_t c = range.row_begin; c < range.row_end; c++)
        for (size_t r = first_column(range); r < FATHOM_PANEL * range.panel_end; r++)
            *fathom_at(a->t, a->t_stride, c, r) = r < a->rows ? *fathom_at(a->m, a->m_stride, r, c) : 0;
}

void fathom_bias_gradient_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_bias_gradient_arguments *a = &arguments->bias_gradient;
    for (size_t c = first_column(range); c < end_column(range, a->columns); c++) {
        float sum = a->accumulate ? a->db[c] : 0;
        for (size_t r = 0; r < a->rows; r++) sum += *fathom_at(a->dy, a->dy_stride, r, c);
        a->db[c] = sum;
    }
    for (size_t c = a->columns; c < FATHOM_PANEL * range.panel_end; c++) a->db[c] = 0;
}
