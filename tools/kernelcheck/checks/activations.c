// Activations forward and backward, out of place and in place.
#include "harness.h"

static float parameter_of(const plan *p) {
    // slopes and α from 0 up, leaky-relu's usual 0.01 among them
    uint32_t choice = (p->options >> 4) % 32;
    return choice == 0 ? 0.01f : 0.0625f * (float)(choice - 1);
}

void make_activation_forward(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    bool in_place = p->options & 1;
    fathom_activation_forward_arguments *a = &c->call.arguments.activation_forward;
    *a = (fathom_activation_forward_arguments){p->rows, p->outputs, p->activation, parameter_of(p), NULL, 0, NULL, 0, NULL, 0};
    if (!in_place) a->z = read_matrix(c, "z", p->rows, p->outputs, PADDING_FREE, &a->z_stride);
    a->y = written_matrix(c, "y", p->rows, p->outputs, PADDING_FREE, in_place, &a->y_stride);
    if (in_place) {
        a->z = a->y;
        a->z_stride = a->y_stride;
    }
    if (fathom_activation_saves_slope(p->activation) && !(p->options & 2)) {
        a->slope = written_matrix(c, "slope", p->rows, p->outputs, PADDING_FREE, false, &a->slope_stride);
        fact(c, "keeps slope", 1);
    }
    fact(c, "parameter", a->parameter);
    fact(c, "in place", in_place);
}

void make_activation_backward(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    bool in_place = p->options & 1;
    fathom_activation_backward_arguments *a = &c->call.arguments.activation_backward;
    *a = (fathom_activation_backward_arguments){.rows = p->rows, .columns = p->outputs, .activation = p->activation, .parameter = parameter_of(p)};
    a->saved = read_matrix(c, "saved", p->rows, p->outputs, PADDING_FREE, &a->saved_stride);
    if (!in_place) a->dy = read_matrix(c, "dy", p->rows, p->outputs, PADDING_ZERO, &a->dy_stride);
    a->dz = written_matrix(c, "dz", p->rows, p->outputs, PADDING_ZERO, in_place, &a->dz_stride);
    if (in_place) {
        a->dy = a->dz;
        a->dy_stride = a->dz_stride;
    }
    a->blocks = signal_blocks(c, p->rows, (p->outputs + 15) / 16);
    fact(c, "parameter", a->parameter);
    fact(c, "in place", in_place);
}
