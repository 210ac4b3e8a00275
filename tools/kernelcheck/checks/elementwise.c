// Residual sums, constants and dropout.
#include "harness.h"

#include <string.h>

void make_add(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    bool has_a = !(p->options & 1), in_a = has_a && (p->options & 6) == 2, in_b = (p->options & 6) == 4, has_factor = p->options & 8;
    fathom_add_arguments *a = &c->call.arguments.add;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->scale = draw_float(&c->random, VALUES_ORDINARY);
    if (has_a && !in_a) a->a = read_matrix(c, "a", p->rows, p->outputs, PADDING_FREE, &a->a_stride);
    if (!in_b) a->b = read_matrix(c, "b", p->rows, p->outputs, PADDING_FREE, &a->b_stride);
    a->y = written_matrix(c, "y", p->rows, p->outputs, PADDING_ZERO, in_a || in_b, &a->y_stride);
    if (in_a) {
        a->a = a->y;
        a->a_stride = a->y_stride;
    }
    if (in_b) {
        a->b = a->y;
        a->b_stride = a->y_stride;
    }
    if (has_factor) {
        float *factor = flat(c, "factor", ELEMENT_FLOAT, 1, false, true);
        *factor = draw_float(&c->random, p->values);
        a->factor = factor;
        fact(c, "factor", *factor);
    }
    fact(c, "scale", a->scale);
    fact(c, "a", has_a);
    fact(c, "y is a", in_a);
    fact(c, "y is b", in_b);
}

void make_fill(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_fill_arguments *a = &c->call.arguments.fill;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->value = draw_float(&c->random, p->values);
    a->y = written_matrix(c, "y", p->rows, p->outputs, PADDING_ZERO, false, &a->y_stride);
    fact(c, "value", a->value);
}

// Rates from 0 to nearly 1; a first row and a step past 2^32 now and then.
void make_dropout(kernel_case *c, fathom_operation operation) {
    const plan *p = &c->plan;
    bool forward = operation == FATHOM_DROPOUT_FORWARD, in_place = p->options & 1;
    fathom_dropout_arguments *a = &c->call.arguments.dropout;
    a->steps = p->options >> 8 & 1 ? 2 + (p->options >> 9) % 4 : 1;
    a->rows = a->steps * p->rows;
    a->columns = p->outputs;
    a->seed = draw(&c->random);
    a->layer = (uint32_t)draw(&c->random) >> (p->options & 2 ? 8 : 28);
    a->purpose = (uint8_t)(p->options >> 4);
    a->threshold = p->options & 4 ? (uint32_t)draw(&c->random) : p->options & 8 ? 0 : 0x80000000;
    a->scale = (float)(0x1p32 / (0x1p32 - a->threshold));
    fathom_batch batch = {draw(&c->random) >> (p->options & 16 ? 20 : 56), draw(&c->random) >> (p->options & 32 ? 28 : 56)};
    a->batch = memcpy(flat(c, "batch", ELEMENT_BYTE, sizeof batch, false, false), &batch, sizeof batch);
    size_t words = (p->outputs + 15) / 16 * a->rows;
    a->mask = flat(c, "mask", ELEMENT_UINT16, words, forward, false);
    for (size_t i = 0; !forward && i < words; i++) {
        size_t live = p->outputs - 16 * (i / a->rows);
        a->mask[i] = (uint16_t)(draw(&c->random) & (live < 16 ? (1u << live) - 1 : 0xffff));
    }
    if (!in_place) a->x = read_matrix(c, "x", a->rows, p->outputs, forward ? PADDING_FREE : PADDING_ZERO, &a->x_stride);
    a->y = written_matrix(c, "y", a->rows, p->outputs, PADDING_ZERO, in_place, &a->y_stride);
    if (in_place) {
        a->x = a->y;
        a->x_stride = a->y_stride;
    }
    fact(c, "steps", (double)a->steps);
    fact(c, "threshold", a->threshold);
    fact(c, "layer", a->layer);
    fact(c, "step", (double)batch.step);
    fact(c, "first row", (double)batch.first_row);
    fact(c, "in place", in_place);
}
