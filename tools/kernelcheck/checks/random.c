// Counter-based random matrices.
#include "harness.h"

void make_random(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_random_arguments *a = &c->call.arguments.random;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->seed = draw(&c->random);
    a->stream = draw(&c->random) >> (p->options & 1 ? 8 : 60);
    a->purpose = (uint8_t)(p->options >> 4);
    a->a = draw_float(&c->random, VALUES_ORDINARY);
    a->b = 2 + draw_float(&c->random, VALUES_ORDINARY);
    a->x = written_matrix(c, "x", p->rows, p->outputs, PADDING_ZERO, false, &a->x_stride);
    fact(c, "a", a->a);
    fact(c, "b", a->b);
    fact(c, "purpose", a->purpose);
}
