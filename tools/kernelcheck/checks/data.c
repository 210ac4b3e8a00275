// Data in and out of panels: gathering, scattering, transposition. Row-major data, orders and classes are the caller's arrays: aligned
// to their elements alone, and ended by a guard right behind the last element.
#include "harness.h"

#include <stdio.h>
#include <string.h>

static uint32_t *draw_order(kernel_case *c, size_t rows, size_t source_rows) {
    uint32_t *order = flat(c, "order", ELEMENT_INT32, rows, false, true);
    for (size_t r = 0; r < rows; r++) order[r] = (uint32_t)draw_below(&c->random, source_rows);
    if (rows) order[rows - 1] = (uint32_t)source_rows - 1;
    return order;
}

// Elements of row-major data: the last row ends where its last column does.
static size_t extent(size_t rows, size_t columns, size_t stride) { return rows && columns ? (rows - 1) * stride + columns : 0; }

// Half the cases are of one step, as data that are no sequence.
static size_t steps_of(const plan *p) { return p->options >> 8 & 1 ? 2 + (p->options >> 9) % 4 : 1; }

// Numbers for each column, padded step by step.
static const float *read_columns(kernel_case *c, const char *name, size_t steps) {
    return read_vector(c, name, steps * 16 * ((c->plan.outputs + 15) / 16), PADDING_FREE);
}

void make_gather(kernel_case *c, fathom_operation operation) {
    const plan *p = &c->plan;
    fathom_gather_arguments *a = &c->call.arguments.gather;
    bool bytes = operation == FATHOM_GATHER_BYTES, ordered = !(p->options & 1), standardized = !(p->options & 2);
    size_t source_rows = ordered ? 1 + draw_below(&c->random, 2 * p->rows + 1) : p->rows;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->steps = steps_of(p);
    a->source_stride = a->steps * p->outputs + (p->strided ? 1 + draw_below(&c->random, 20) : 0);
    size_t count = extent(source_rows, a->steps * a->columns, a->source_stride);
    void *source = flat(c, "source", bytes ? ELEMENT_BYTE : ELEMENT_FLOAT, count, false, true);
    for (size_t i = 0; i < count; i++)
        if (bytes) ((uint8_t *)source)[i] = (uint8_t)draw(&c->random);
        else ((float *)source)[i] = draw_float(&c->random, p->values);
    a->source = source;
    if (ordered) a->order = draw_order(c, p->rows, source_rows);
    if (standardized) {
        a->mean = read_columns(c, "mean", a->steps);
        a->scale = read_columns(c, "scale", a->steps);
    }
    a->x = written_matrix(c, "x", a->steps * p->rows, p->outputs, PADDING_ZERO, false, &a->x_stride);
    fact(c, "steps", (double)a->steps);
    fact(c, "source rows", (double)source_rows);
    fact(c, "source stride", (double)a->source_stride);
    fact(c, "ordered", ordered);
    fact(c, "standardized", standardized);
}

void make_gather_classes(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_gather_classes_arguments *a = &c->call.arguments.gather_classes;
    bool ordered = !(p->options & 1);
    a->rows = p->rows * (p->options & 2 ? 1 : p->outputs);
    a->steps = steps_of(p);
    size_t source_rows = ordered ? 1 + draw_below(&c->random, 2 * a->rows + 1) : a->rows, count = source_rows * a->steps;
    int32_t *source = flat(c, "source", ELEMENT_INT32, count, false, true);
    for (size_t i = 0; i < count; i++) source[i] = (int32_t)draw(&c->random);
    a->source = source;
    if (ordered) a->order = draw_order(c, a->rows, source_rows);
    a->classes = flat(c, "classes", ELEMENT_INT32, a->rows * a->steps, true, false);
    fact(c, "rows of classes", (double)a->rows);
    fact(c, "steps", (double)a->steps);
    fact(c, "source rows", (double)source_rows);
    fact(c, "ordered", ordered);
}

void make_scatter(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_scatter_arguments *a = &c->call.arguments.scatter;
    bool scaled = !(p->options & 1);
    a->rows = p->rows;
    a->columns = p->outputs;
    a->steps = steps_of(p);
    a->m = read_matrix(c, "m", a->steps * p->rows, p->outputs, PADDING_FREE, &a->m_stride);
    if (scaled) {
        a->scale = read_columns(c, "scale", a->steps);
        a->offset = read_columns(c, "offset", a->steps);
    }
    a->target_stride = a->steps * p->outputs + (p->strided ? 1 + draw_below(&c->random, 20) : 0);
    a->target = flat(c, "target", ELEMENT_FLOAT, extent(p->rows, a->steps * p->outputs, a->target_stride), true, true);
    fact(c, "steps", (double)a->steps);
    fact(c, "scaled", scaled);
    fact(c, "target stride", (double)a->target_stride);
}

// What lies between the rows of a scattered target must stay: it still holds the canary.
bool verify_scatter(kernel_case *c, char *message, size_t size) {
    const fathom_scatter_arguments *a = &c->call.arguments.scatter;
    const buffer *target = &c->buffers[c->buffer_count - 1];
    for (size_t i = 0; i < target->count; i++)
        if (i % a->target_stride >= a->steps * a->columns && memcmp(target->data + 4 * i, target->initial + 4 * i, 4)) {
            snprintf(message, size, "target[%zu] lies between rows, but was changed", i);
            return false;
        }
    return true;
}

void make_transpose(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_transpose_arguments *a = &c->call.arguments.transpose;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->m = read_matrix(c, "m", p->rows, p->outputs, PADDING_ZERO, &a->m_stride);
    a->t = written_matrix(c, "t", p->outputs, p->rows, PADDING_ZERO, false, &a->t_stride);
}

// Tᵢⱼ is Mⱼᵢ: the definition leaves nothing to a reference.
bool verify_transpose(kernel_case *c, char *message, size_t size) {
    const fathom_transpose_arguments *a = &c->call.arguments.transpose;
    for (size_t r = 0; r < a->rows; r++)
        for (size_t k = 0; k < a->columns; k++) {
            const float *m = &a->m[a->m_stride * (k / 16) + 16 * r + k % 16], *t = &a->t[a->t_stride * (r / 16) + 16 * k + r % 16];
            if (memcmp(m, t, 4) == 0) continue;
            snprintf(message, size, "t row %zu, column %zu: m has %a, got %a", k, r, *m, *t);
            return false;
        }
    return true;
}
