// Sums: bias gradients, squared norms, inner products, the mean of a loss.
#include "harness.h"

#include <math.h>

void make_bias_gradient(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_bias_gradient_arguments *a = &c->call.arguments.bias_gradient;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->accumulate = p->options & 4;
    a->dy = read_matrix(c, "dy", p->rows, p->outputs, PADDING_ZERO, &a->dy_stride);
    a->db = written_vector(c, "db", p->outputs, PADDING_ZERO, a->accumulate);
    fact(c, "accumulate", a->accumulate);
}

void make_squared_norm(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_squared_norm_arguments *a = &c->call.arguments.squared_norm;
    size_t panels = (p->outputs + 15) / 16;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->clip_value = p->options & 1 ? 0.3f : INFINITY;
    a->g = read_matrix(c, "g", p->rows, p->outputs, PADDING_ZERO, &a->g_stride);
    if (p->options & 4 && !(p->options & 1)) {
        size_t blocks = (p->rows + 15) / 16 * panels;
        double *squares = flat(c, "squares", ELEMENT_DOUBLE, blocks, false, false);
        for (size_t i = 0; i < blocks; i++) squares[i] = (double)draw_float(&c->random, p->values) * 0x1.123456789abcdp0;
        a->squares = squares;
    }
    a->sums = flat(c, "sums", ELEMENT_DOUBLE, panels, true, false);
    // where nothing is clipped, these are left alone: NULL, or there and unchanged
    if (p->options & 3) a->clipped_sums = flat(c, "clipped_sums", ELEMENT_DOUBLE, panels, p->options & 1, false);
    fact(c, "clip_value", a->clip_value);
}

void make_loss_mean(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_loss_mean_arguments *a = &c->call.arguments.loss_mean;
    a->rows = p->rows * (p->options & 1 ? 1 : p->outputs);
    double *loss = flat(c, "row_loss", ELEMENT_DOUBLE, a->rows, false, false);
    for (size_t i = 0; i < a->rows; i++) loss[i] = (double)draw_float(&c->random, p->values) * 0x1.123456789abcdp0;
    a->row_loss = loss;
    a->scale = 1.0 / (double)(a->rows + 1);
    a->mean = flat(c, "mean", ELEMENT_DOUBLE, 1, true, false);
    fact(c, "losses", (double)a->rows);
}

void make_dot(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_dot_arguments *a = &c->call.arguments.dot;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->a = read_matrix(c, "a", p->rows, p->outputs, PADDING_FREE, &a->a_stride);
    a->b = read_matrix(c, "b", p->rows, p->outputs, PADDING_FREE, &a->b_stride);
    a->sums = flat(c, "sums", ELEMENT_DOUBLE, (p->outputs + 15) / 16, true, false);
}

void make_dot_total(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_dot_total_arguments *a = &c->call.arguments.dot_total;
    a->panels = p->rows;
    a->scale = draw_float(&c->random, VALUES_ORDINARY);
    a->accumulate = p->options & 1;
    double *sums = flat(c, "sums", ELEMENT_DOUBLE, a->panels, false, false);
    for (size_t i = 0; i < a->panels; i++) sums[i] = (double)draw_float(&c->random, p->values) * 0x1.123456789abcdp0;
    a->sums = sums;
    a->total = flat(c, "total", ELEMENT_FLOAT, 1, true, false);
    if (a->accumulate) *a->total = draw_float(&c->random, p->values);
    fact(c, "scale", a->scale);
    fact(c, "accumulate", a->accumulate);
}
