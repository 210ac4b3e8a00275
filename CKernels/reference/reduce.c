// Sums of squares and of products, and the largest of a row, in plain C.
#include <math.h>

#include "scalar.h"

// The square of a float is exact in float64, so it does not matter whether its addition is fused.
double fathom_block_squares_reference(const float *g, size_t rows, float limit) {
    double lane[FATHOM_PANEL] = {0};
    for (size_t r = 0; r < rows; r++)
        for (int i = 0; i < FATHOM_PANEL; i++) {
            float x = g[r * FATHOM_PANEL + i];
            x = x > limit ? limit : x < -limit ? -limit : x;
            lane[i] += (double)x * x;
        }
    return fathom_tree16_reference(lane);
}

void fathom_squared_norm_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_squared_norm_arguments *s = &arguments->squared_norm;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        const float *g = s->g + p * s->g_stride;
        double sum = s->squares ? fathom_sum_of_blocks(s, p) : 0, clipped = 0;
        for (size_t r = 0; r < s->rows && !s->squares; r += FATHOM_PANEL) {
            size_t rows = s->rows - r < FATHOM_PANEL ? s->rows - r : FATHOM_PANEL;
            sum += fathom_block_squares_reference(g + r * FATHOM_PANEL, rows, INFINITY);
            if (s->clip_value < INFINITY) clipped += fathom_block_squares_reference(g + r * FATHOM_PANEL, rows, s->clip_value);
        }
        s->sums[p] = sum;
        if (s->clip_value < INFINITY) s->clipped_sums[p] = clipped;
    }
}

// As the sum of squares, of the products of `live` columns.
static double block_products(const float *a, const float *b, size_t rows, size_t live) {
    double lane[FATHOM_PANEL] = {0};
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < live; i++) lane[i] += (double)a[r * FATHOM_PANEL + i] * b[r * FATHOM_PANEL + i];
    return fathom_tree16_reference(lane);
}

void fathom_dot_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_dot_arguments *d = &arguments->dot;
    for (size_t p = range.panel_begin; p < range.panel_end; p++) {
        size_t left = d->columns - p * FATHOM_PANEL, live = left < FATHOM_PANEL ? left : FATHOM_PANEL;
        double sum = 0;
        for (size_t r = 0; r < d->rows; r += FATHOM_PANEL) {
            size_t rows = d->rows - r < FATHOM_PANEL ? d->rows - r : FATHOM_PANEL;
            sum += block_products(d->a + p * d->a_stride + r * FATHOM_PANEL, d->b + p * d->b_stride + r * FATHOM_PANEL, rows, live);
        }
        d->sums[p] = sum;
    }
}

void fathom_dot_total_reference(const fathom_arguments *arguments, fathom_range range) {
    (void)range;
    const fathom_dot_total_arguments *d = &arguments->dot_total;
    double sum = 0;
    for (size_t p = 0; p < d->panels; p++) sum += d->sums[p];
    sum *= d->scale;
    *d->total = (float)(d->accumulate ? *d->total + sum : sum);
}

void fathom_argmax_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_argmax_arguments *m = &arguments->argmax;
    for (size_t r = range.row_begin; r < range.row_end; r++) {
        size_t best = 0;
        float largest = *fathom_at(m->y, m->y_stride, r, 0);
        for (size_t c = 1; c < m->columns && largest == largest; c++) {
            float y = *fathom_at(m->y, m->y_stride, r, c);
            if (y <= largest) continue;
            largest = y;
            best = c;
        }
        m->classes[r] = (int32_t)best;
    }
}
