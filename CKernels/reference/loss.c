// The losses in plain C: the definition of what every instruction set computes. A row is summed as the panels hold it: 16 chains over the
// panels, in float64, joined in a tree.
#include <math.h>

#include "scalar.h"

// *gradient is dloss/dy times scale.
typedef double loss_term(const fathom_loss_arguments *l, float y, float t, float unit, float *gradient);

static double squared_error_term(const fathom_loss_arguments *l, float y, float t, float unit, float *gradient) {
    float d = y - t;
    double e = d * unit;
    *gradient = d * (l->scale + l->scale);
    return e * e;
}

// Where d is neither above nor below zero it is its own sign: 0 or NaN.
static double absolute_error_term(const fathom_loss_arguments *l, float y, float t, float unit, float *gradient) {
    float d = y - t;
    *gradient = d > 0 ? l->scale : d < 0 ? -l->scale : d;
    return fabsf(d * unit);
}

// A NaN is not above δ, so its gradient is NaN.
static double huber_term(const fathom_loss_arguments *l, float y, float t, float unit, float *gradient) {
    float d = y - t, size = fabsf(d * unit), slope = l->parameter / unit;
    double wide = size, delta = l->parameter;
    bool linear = size > l->parameter;
    *gradient = (linear ? d < 0 ? -slope : slope : d) * l->scale;
    return linear ? delta * (wide - 0.5 * delta) : 0.5 * wide * wide;
}

// sigmoid(−|y|) is e/(1 + e) with e = exp(−|y|).
static double binary_cross_entropy_term(const fathom_loss_arguments *l, float y, float t, float unit, float *gradient) {
    (void)unit;
    float e = fathom_exp_reference(-fabsf(y)), far = e / (1 + e);
    *gradient = (y < 0 ? far - t : (1 - t) - far) * l->scale;
    float positive = y > 0 || y != y ? y : 0;
    return (double)positive - (double)y * (double)t + (double)fathom_log1p_reference(e);
}

void fathom_tell_outputs_reference(const fathom_loss_arguments *l, fathom_range range) {
    if (!l->blocks.sums) return;
    range.panel_end = fathom_panels(l->columns);
    fathom_pull_back_reference(
        &(fathom_pull_back){l->columns, FATHOM_IDENTITY, 0, l->y, l->y_stride, l->dy, l->dy_stride, l->blocks, true}, range);
}

static void sum_of_terms(const fathom_loss_arguments *l, fathom_range range, loss_term *term) {
    for (size_t r = range.row_begin; r < range.row_end; r++) {
        double lane[FATHOM_PANEL] = {0};
        for (size_t c = 0; c < FATHOM_PANEL * fathom_panels(l->columns); c++) {
            float gradient = 0;
            if (c < l->columns) {
                float y = *fathom_at(l->y, l->y_stride, r, c), t = *fathom_at(l->targets, l->targets_stride, r, c);
                lane[c % FATHOM_PANEL] += term(l, y, t, l->units ? l->units[c] : 1, &gradient);
            }
            if (l->dy) *fathom_at(l->dy, l->dy_stride, r, c) = gradient;
        }
        l->row_loss[r] = fathom_tree16_reference(lane);
    }
    fathom_tell_outputs_reference(l, range);
}

void fathom_mean_squared_error_reference(const fathom_arguments *arguments, fathom_range range) {
    sum_of_terms(&arguments->loss, range, squared_error_term);
}

void fathom_mean_absolute_error_reference(const fathom_arguments *arguments, fathom_range range) {
    sum_of_terms(&arguments->loss, range, absolute_error_term);
}

void fathom_huber_reference(const fathom_arguments *arguments, fathom_range range) { sum_of_terms(&arguments->loss, range, huber_term); }

void fathom_binary_cross_entropy_reference(const fathom_arguments *arguments, fathom_range range) {
    sum_of_terms(&arguments->loss, range, binary_cross_entropy_term);
}

void fathom_loss_mean_reference(const fathom_arguments *arguments, fathom_range range) {
    (void)range;
    const fathom_loss_mean_arguments *m = &arguments->loss_mean;
    double sum = 0;
    for (size_t r = 0; r < m->rows; r += FATHOM_PANEL) {
        double block = 0;
        for (size_t i = r; i < m->rows && i < r + FATHOM_PANEL; i++) block += m->row_loss[i];
        sum += block;
    }
    *m->mean = sum * m->scale;
}
