// Losses with their gradients, softmax and argmax.
#include "harness.h"

#include <math.h>

void make_loss(kernel_case *c, fathom_operation operation) {
    plan *p = &c->plan;
    bool classes = operation == FATHOM_SOFTMAX_CROSS_ENTROPY, units = !classes && p->options & 1, weights = classes && p->options & 1;
    if (classes && p->outputs == 0) p->outputs = 1;  // a class needs a column
    fathom_loss_arguments *a = &c->call.arguments.loss;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->parameter = 0.125f * (float)(1 + (p->options >> 4) % 16);
    a->scale = p->options >> 8 & 1 ? 1.0f / (float)(p->rows + 1) : 1;
    a->y = read_matrix(c, "y", p->rows, p->outputs, PADDING_FREE, &a->y_stride);
    if (classes) {
        int32_t *values = flat(c, "classes", ELEMENT_INT32, p->rows, false, false);
        for (size_t r = 0; r < p->rows; r++) values[r] = (int32_t)draw_below(&c->random, p->outputs);
        a->classes = values;
        a->smoothing = p->options >> 9 & 1 ? 0.0625f * (float)(1 + (p->options >> 10) % 12) : 0;
    } else {
        a->targets = read_matrix(c, "targets", p->rows, p->outputs, PADDING_FREE, &a->targets_stride);
    }
    if (units) {
        float *u = read_vector(c, "units", p->outputs, PADDING_ZERO);
        for (size_t i = 0; i < p->outputs; i++) u[i] = 0.01f + fabsf(draw_float(&c->random, VALUES_ORDINARY));
        a->units = u;
    }
    if (weights) {
        float *w = read_vector(c, "class_weights", p->outputs, PADDING_ZERO);
        for (size_t i = 0; i < p->outputs; i++) w[i] = draw_one_in(&c->random, 8) ? 0 : 2 * fabsf(draw_float(&c->random, VALUES_ORDINARY));
        a->class_weights = w;
    }
    a->row_loss = flat(c, "row_loss", ELEMENT_DOUBLE, p->rows, true, false);
    bool gradient = !(p->options & 2);
    if (gradient) {
        a->dy = written_matrix(c, "dy", p->rows, p->outputs, PADDING_ZERO, false, &a->dy_stride);
        a->blocks = signal_blocks(c, p->rows, (p->outputs + 15) / 16);
    }
    fact(c, "parameter", a->parameter);
    fact(c, "scale", a->scale);
    fact(c, "smoothing", a->smoothing);
    fact(c, "units", units);
    fact(c, "class weights", weights);
    fact(c, "gradient", gradient);
}

void make_softmax(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_softmax_arguments *a = &c->call.arguments.softmax;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->y = read_matrix(c, "y", p->rows, p->outputs, PADDING_FREE, &a->y_stride);
    a->p = written_matrix(c, "p", p->rows, p->outputs, PADDING_ZERO, false, &a->p_stride);
}

void make_argmax(kernel_case *c, fathom_operation operation) {
    (void)operation;
    plan *p = &c->plan;
    if (p->outputs == 0) p->outputs = 1;  // of nothing, nothing is largest
    fathom_argmax_arguments *a = &c->call.arguments.argmax;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->y = read_matrix(c, "y", p->rows, p->outputs, PADDING_FREE, &a->y_stride);
    a->classes = flat(c, "classes", ELEMENT_INT32, p->rows, true, false);
}
