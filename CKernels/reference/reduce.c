// Sums of squares and the largest of a row in plain C.
#include <math.h>

#include "scalar.h"

// The square of a float is exact in float64, so it does not matter whether its addition is fused.
static double block_sum(const float *g, size_t rows, float limit) {
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
        double sum = 0, clipped = 0;
        for (size_t r = 0; r < s->rows; r += FATHOM_PANEL) {
            size_t rows = s->rows - r < FATHOM_PANEL ? s->rows - r : FATHOM_PANEL;
            sum += block_sum(g + r * FATHOM_PANEL, rows, INFINITY);
            if (s->clip_value < INFINITY) clipped += block_sum(g + r * FATHOM_PANEL, rows, s->clip_value);
        }
        s->sums[p] = sum;
        if (s->clip_value < INFINITY) s->clipped_sums[p] = clipped;
    }
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
