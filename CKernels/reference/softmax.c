// Softmax and its cross-entropy in plain C: the definition of what every instruction set computes.
#include <math.h>

#include "scalar.h"

// exp(y − m) of row r, m its largest: their sum, which is NaN if any is; themselves to e where it is not NULL, padding zero.
static double exponentials_of_row(const float *y, size_t stride, size_t r, size_t columns, float *largest, float *e, size_t e_stride) {
    double lane[FATHOM_PANEL] = {0};
    *largest = -INFINITY;
    for (size_t c = 0; c < columns; c++)
        if (*fathom_at(y, stride, r, c) > *largest) *largest = *fathom_at(y, stride, r, c);
    for (size_t c = 0; c < FATHOM_PANEL * fathom_panels(columns); c++) {
        float x = c < columns ? fathom_exp_reference(*fathom_at(y, stride, r, c) - *largest) : 0;
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
        float largest;
        double sum = exponentials_of_row(s->y, s->y_stride, r, s->columns, &largest, s->p, s->p_stride);
        scale_row(s->p, s->p_stride, r, s->columns, (float)(1 / sum));
    }
}

// With S = Σ exp(y − m): the loss is ln S + m − y[class], its gradient exp(y − m)/S, and (exp(y − m) − S)/S at the class: neither is lost
// to rounding where S is next to 1.
void fathom_softmax_cross_entropy_reference(const fathom_arguments *arguments, fathom_range range) {
    const fathom_loss_arguments *l = &arguments->loss;
    for (size_t r = range.row_begin; r < range.row_end; r++) {
        size_t class = (size_t)l->classes[r];
        double logit = *fathom_at(l->y, l->y_stride, r, class);
        float largest;
        double sum = exponentials_of_row(l->y, l->y_stride, r, l->columns, &largest, l->dy, l->dy_stride), factor = l->scale / sum;
        l->row_loss[r] = fathom_log1p_reference((float)(sum - 1)) + (largest - logit);
        if (!l->dy) continue;
        float *at_class = fathom_at(l->dy, l->dy_stride, r, class), gradient = (float)((*at_class - sum) * factor);
        scale_row(l->dy, l->dy_stride, r, l->columns, (float)factor);
        *at_class = gradient;
    }
}
