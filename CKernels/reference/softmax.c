// Softmax and its cross-entropy in plain C: the definition of what every instruction set computes.
#include <math.h>

#include "scalar.h"

static float largest_of_row(const float *y, size_t stride, size_t r, size_t columns) {
    float largest = -INFINITY;
    for (size_t c = 0; c < columns; c++)
        if (*fathom_at(y, stride, r, c) > largest) largest = *fathom_at(y, stride, r, c);
    return largest;
}

// exp(y − m) of row r, m its largest: their sum, which is NaN if any is; themselves to e where it is not NULL, padding zero.
static double exponentials_of_row(const float *y, size_t stride, size_t r, size_t columns, float largest, float *e, size_t e_stride) {
    double lane[FATHOM_PANEL] = {0};
    for (size_t c = 0; c < FATHOM_PANEL * fathom_panels(columns); c++) {
        float x = c < columns ? fathom_exp_reference(*fathom_at(y, stride, r, c) - largest) : 0;
        lane[c % FATHOM_PANEL] += x;
        if (e) *fathom_at(e, e_stride, r, c) = x;
    }
    return fathom_tree16_reference(lane);
}

static void scale_row(float *e, size_t stride, size_t r, size_t columns, float factor) {
    for (size_t c = 0; c < columns; c++) *fathom_at(e, stride, r, c) *= factor;
}

void fathom_softmax_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_softmax_arguments *s = &arguments->softmax;
    for (size_t r = range.row_begin; r < range.row_end; r++) {
        float largest = largest_of_row(s->y, s->y_stride, r, s->columns);
        double sum = exponentials_of_row(s->y, s->y_stride, r, s->columns, largest, s->p, s->p_stride);
        scale_row(s->p, s->p_stride, r, s->columns, (float)(1 / sum));
    }
}

static float weight_of(const fathom_loss_arguments *l, size_t class) { return l->class_weights ? l->class_weights[class] : 1; }

// Σ_c w(c).
static double total_weight(const fathom_loss_arguments *l) {
    if (!l->class_weights) return (double)l->columns;
    double lane[FATHOM_PANEL] = {0};
    for (size_t c = 0; c < l->columns; c++) lane[c % FATHOM_PANEL] += l->class_weights[c];
    return fathom_tree16_reference(lane);
}

// Σ_c w(c)·(m − y[c]).
static double weighted_distance(const fathom_loss_arguments *l, size_t r, float largest) {
    double lane[FATHOM_PANEL] = {0};
    for (size_t c = 0; c < l->columns; c++)
        lane[c % FATHOM_PANEL] += (double)weight_of(l, c) * ((double)largest - (double)*fathom_at(l->y, l->y_stride, r, c));
    return fathom_tree16_reference(lane);
}

// Class c is wanted with the weight q(c) = kept·[c = class] + spread·w(c), kept = (1 − ε)·w(class), spread = ε/columns. With S = Σ exp(y − m) and Q = Σ q
// the loss is Q·ln S + Σ q(c)·(m − y[c]), a sum of nothing negative; its gradient Q·exp(y − m)/S − q(c). At the class kept·(exp(y − m) − S)/S is taken
// together: neither it nor ln S = log1p(S − 1) is lost to rounding where S is next to 1.
void fathom_softmax_cross_entropy_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_loss_arguments *l = &arguments->loss;
    bool smooth = l->smoothing != 0;
    double spread = (double)l->smoothing / (double)l->columns, spread_sum = smooth ? spread * total_weight(l) : 0;
    float spread_scale = (float)(spread * l->scale);
    for (size_t r = range.row_begin; r < range.row_end; r++) {
        size_t class = (size_t)l->classes[r];
        double logit = *fathom_at(l->y, l->y_stride, r, class), kept = (1 - (double)l->smoothing) * weight_of(l, class);
        float largest = largest_of_row(l->y, l->y_stride, r, l->columns);
        double distance = smooth ? weighted_distance(l, r, largest) : 0;
        double sum = exponentials_of_row(l->y, l->y_stride, r, l->columns, largest, l->dy, l->dy_stride), factor = l->scale / sum;
        l->row_loss[r] = (kept + spread_sum) * fathom_log1p_reference((float)(sum - 1)) + kept * (largest - logit) + spread * distance;
        if (!l->dy) continue;
        double e = *fathom_at(l->dy, l->dy_stride, r, class);
        float gradient = (float)((kept * (e - sum) + spread_sum * e) * factor - spread * weight_of(l, class) * l->scale);
        float all = (float)((kept + spread_sum) * factor);
        if (!smooth) scale_row(l->dy, l->dy_stride, r, l->columns, all);
        for (size_t c = 0; smooth && c < l->columns; c++) {
            float *dy = fathom_at(l->dy, l->dy_stride, r, c);
            *dy = fathom_fma_reference(*dy, all, -(weight_of(l, c) * spread_scale));
        }
        *fathom_at(l->dy, l->dy_stride, r, class) = gradient;
    }
    fathom_tell_outputs_reference(l, range);
}
