// Clipping in place.
#include "harness.h"

#include <math.h>

static float *gradient(kernel_case *c, size_t count) {
    float *g = flat(c, "g", ELEMENT_FLOAT, count, true, false);
    for (size_t i = 0; i < count; i++) g[i] = draw_float(&c->random, c->plan.values);
    return g;
}

static size_t panels(const plan *p) { return (p->outputs + 15) / 16; }

void make_clip_values(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_clip_values_arguments *a = &c->call.arguments.clip_values;
    a->count = p->rows * panels(p) * 16;
    a->g = gradient(c, a->count);
    a->limit = p->options & 1 ? INFINITY : 0.3f;
    if (p->options & 2) {
        float *factor = flat(c, "factor", ELEMENT_FLOAT, 1, false, false);
        *factor = p->options & 4 ? 1 : 0.37f;
        a->factor = factor;
        fact(c, "factor", *factor);
    }
    fact(c, "limit", a->limit);
}

void make_clip_tensor(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_clip_tensor_arguments *a = &c->call.arguments.clip_tensor;
    a->panels = panels(p);
    a->count = p->rows * a->panels * 16;
    a->g = gradient(c, a->count);
    double *sums = flat(c, "sums", ELEMENT_DOUBLE, a->panels, false, false);
    for (size_t i = 0; i < a->panels; i++) {
        double x = draw_float(&c->random, p->values);
        sums[i] = x * x;
    }
    a->sums = sums;
    a->limit = p->options & 1 ? 1e3 : 0.25;
    fact(c, "limit", a->limit);
}

// Bounds among the norms of columns of ordinary values, so that some are clipped and some are not.
void make_clip_units(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_clip_units_arguments *a = &c->call.arguments.clip_units;
    a->rows = p->rows;
    a->columns = p->outputs;
    a->whole = p->options & 1;
    a->g = written_matrix(c, "g", p->rows, p->outputs, PADDING_ZERO, true, &a->g_stride);
    double ordinary = sqrt((double)(a->whole ? p->rows * p->outputs : p->rows) / 3);
    if (p->options & 2) {
        a->w = read_matrix(c, "w", p->rows, p->outputs, PADDING_ZERO, &a->w_stride);
        a->limit = p->options & 4 ? 0.01 : 1;
        a->floor = p->options & 8 ? 1e-3 : ordinary;
        fact(c, "floor", a->floor);
    } else {
        a->limit = p->options & 4 ? 10 * ordinary : ordinary;
    }
    fact(c, "whole", a->whole);
    fact(c, "limit", a->limit);
}
