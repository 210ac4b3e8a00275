// Steps of sequences and recurrent cells.
#include "harness.h"

void make_steps(kernel_case *c, fathom_operation operation) {
    const plan *p = &c->plan;
    bool mean = operation == FATHOM_STEP_MEAN;
    fathom_steps_arguments *a = &c->call.arguments.steps;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->steps = 1 + ((p->options >> 8) + 3) % 6;  // 4 in the ordinary call
    a->scale = draw_float(&c->random, VALUES_ORDINARY);
    a->last = p->options & 1;
    size_t rows = a->steps * p->rows;
    if (mean) a->x = read_matrix(c, "x", rows, p->outputs, PADDING_FREE, &a->x_stride);
    else a->y = read_matrix(c, "y", p->rows, p->outputs, PADDING_ZERO, &a->y_stride);
    if (mean) a->y = written_matrix(c, "y", p->rows, p->outputs, PADDING_ZERO, false, &a->y_stride);
    else a->x = written_matrix(c, "x", rows, p->outputs, PADDING_ZERO, false, &a->x_stride);
    fact(c, "steps", (double)a->steps);
    fact(c, "scale", a->scale);
    fact(c, "last", a->last);
}
