// Clipping in place, in plain C: the definition of what every instruction set computes.
#include <math.h>

#include "scalar.h"

void fathom_clip_values_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_clip_values_arguments *c = &arguments->clip_values;
    float factor = c->factor ? *c->factor : 1;
    for (size_t i = range.row_begin * FATHOM_PANEL; i < range.row_end * FATHOM_PANEL; i++) {
        float x = c->g[i] * factor;
        c->g[i] = x > c->limit ? c->limit : x < -c->limit ? -c->limit : x;
    }
}

// A NaN norm is not above its limit: the NaN stays where it is, and padding zero.
static float factor_of(double norm, double limit) { return norm > limit ? (float)(limit / norm) : 1; }

void fathom_clip_tensor_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_clip_tensor_arguments *c = &arguments->clip_tensor;
    double sum = 0;
    for (size_t p = 0; p < c->panels; p++) sum += c->sums[p];
    float factor = factor_of(sqrt(sum), c->limit);
    for (size_t i = range.row_begin * FATHOM_PANEL; i < range.row_end * FATHOM_PANEL; i++) c->g[i] *= factor;
}

// Adds the squares of a panel's columns to 16 sums. The square of a float is exact in float64, so it does not matter whether its addition is fused.
static void add_squares(double sums[FATHOM_PANEL], const float *panel, size_t rows) {
    for (size_t r = 0; r < rows; r++)
        for (int i = 0; i < FATHOM_PANEL; i++) {
            double x = panel[r * FATHOM_PANEL + i];
            sums[i] += x * x;
        }
}

void fathom_clip_units_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_clip_units_arguments *u = &arguments->clip_units;
    // a group of panels whose columns are clipped together
    size_t group = u->whole ? fathom_panels(u->columns) : 1, end = u->whole ? group : range.panel_end;
    for (size_t p = range.panel_begin; p < end; p += group) {
        double g[FATHOM_PANEL] = {0}, w[FATHOM_PANEL] = {0};
        for (size_t q = p; q < p + group; q++) {
            add_squares(g, u->g + q * u->g_stride, u->rows);
            if (u->w) add_squares(w, u->w + q * u->w_stride, u->rows);
        }
        if (u->whole) {
            double g_sum = fathom_tree16_reference(g), w_sum = fathom_tree16_reference(w);
            for (int i = 0; i < FATHOM_PANEL; i++) {
                g[i] = g_sum;
                w[i] = w_sum;
            }
        }
        for (int i = 0; i < FATHOM_PANEL; i++) {
            double size = sqrt(w[i]), limit = u->w ? u->limit * (size > u->floor ? size : u->floor) : u->limit;
            float factor = factor_of(sqrt(g[i]), limit);
            for (size_t q = p; q < p + group; q++)
                for (size_t r = 0; r < u->rows; r++) u->g[q * u->g_stride + r * FATHOM_PANEL + i] *= factor;
        }
    }
}
