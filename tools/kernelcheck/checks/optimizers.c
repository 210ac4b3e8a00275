// The optimizers' fused passes, and the clipping factor they share.
#include "harness.h"

#include <math.h>
#include <string.h>

static float *read_flat(kernel_case *c, const char *name, size_t count, bool written, bool positive) {
    float *values = flat(c, name, ELEMENT_FLOAT, count, written, false);
    for (size_t i = 0; i < count; i++) {
        values[i] = draw_float(&c->random, c->plan.values);
        if (positive) values[i] = fabsf(values[i]);
    }
    return values;
}

static fathom_update *update(kernel_case *c, bool written) {
    uint32_t o = c->plan.options;
    fathom_update *u = flat(c, "update", ELEMENT_UPDATE, 1, written, false);
    memset(u, 0, sizeof *u);
    u->learning_rate = 0.001f * (float)(1 + (o >> 8) % 64);
    u->clip_norm = o >> 14 & 1 ? INFINITY : 0.5f;
    u->clip_value = o >> 15 & 1 ? INFINITY : 0.3f;
    u->momentum = o >> 16 & 1 ? 0 : 0.9f;
    u->nesterov = o >> 17 & 1;
    u->beta1 = 0.9f;
    u->beta2 = 0.999f;
    u->epsilon = 1e-8f;
    u->correction1 = o >> 18 & 1 ? 10 : 1.5f;
    u->correction2 = o >> 18 & 1 ? 31.622776f : 1.25f;
    u->gradient_norm = written ? NAN : 2;
    u->clipped_gradient_norm = written ? NAN : 0.5;
    u->clip_coefficient = written ? NAN : o >> 19 & 1 ? 1 : 0.25f;
    u->finite = written || (o >> 20) % 8 != 1;
    fact(c, "learning_rate", u->learning_rate);
    fact(c, "clip_norm", u->clip_norm);
    fact(c, "clip_value", u->clip_value);
    return u;
}

// Two or three tensors that share the rows, and the blocks in which one ends and the next begins; in the order of a pass as they lie, or one from the middle first. Returns how
// many rows the pass has.
static size_t make_segments(kernel_case *c, fathom_optimizer_arguments *a, bool measures) {
    enum { MOST = 3 };
    size_t rows = a->count / FATHOM_PANEL, first = 0, in_pass = 0, from = draw_below(&c->random, MOST);
    fathom_segment *segments = flat(c, "segments", ELEMENT_BYTE, MOST * sizeof *segments, false, false), drawn[MOST];
    for (int i = 0; i < MOST; i++) {
        size_t end = i == MOST - 1 ? rows : first + (size_t)draw_below(&c->random, rows - first + 1);
        drawn[i] = (fathom_segment){.row_end = end - first, .first = first};
        first = end;
    }
    for (int i = 0; i < MOST; i++) {
        fathom_segment s = drawn[(i + from) % MOST];
        size_t begin = in_pass + (s.first + FATHOM_CHANGE_ROWS - in_pass % FATHOM_CHANGE_ROWS) % FATHOM_CHANGE_ROWS;
        in_pass = begin + s.row_end;
        size_t blocks = in_pass > begin ? (in_pass - 1) / FATHOM_CHANGE_ROWS - begin / FATHOM_CHANGE_ROWS + 1 : 0;
        segments[i] = (fathom_segment){begin, in_pass, s.first, measures ? flat(c, "changes", ELEMENT_DOUBLE, 2 * (blocks ? blocks : 1), true, false) : NULL};
    }
    a->segments = segments;
    return in_pass;
}

void make_optimizer(kernel_case *c, fathom_operation operation) {
    const plan *p = &c->plan;
    fathom_optimizer_arguments *a = &c->call.arguments.optimizer;
    fathom_update *u = update(c, false);
    a->count = p->rows * ((p->outputs + 15) / 16 * 16);
    a->update = u;
    a->decay = p->options & 1 ? 0 : 0.01f;
    a->far = p->options >> 23 & 1;
    a->p = read_flat(c, "p", a->count, true, false);
    a->g = read_flat(c, "g", a->count, false, false);
    bool averages = operation == FATHOM_ADAM || operation == FATHOM_LION;
    if (averages || u->momentum != 0) a->m = read_flat(c, "m", a->count, true, false);
    if (operation == FATHOM_ADAM || operation == FATHOM_RMSPROP) a->v = read_flat(c, "v", a->count, true, true);
    if (p->options >> 21 & 1) {
        // Of a step that is not finite nothing is written.
        a->count = FATHOM_PANEL * make_segments(c, a, p->options >> 22 & 1);
        fact(c, "segments", 1);
    }
    if (!averages) fact(c, "momentum", u->momentum);
    if (operation == FATHOM_SGD) fact(c, "nesterov", u->nesterov);
    fact(c, "decay", a->decay);
    fact(c, "clip_coefficient", u->clip_coefficient);
    fact(c, "finite", u->finite);
}

// Sums of squares from 1e−300 to 1e+300, zero, and, where special, not finite.
static double draw_sum(kernel_case *c) {
    size_t kind = draw_below(&c->random, 16);
    double ordinary = 1 + draw_float(&c->random, VALUES_ORDINARY);
    if (c->plan.values == VALUES_WIDE) return ordinary * pow(10, (double)draw_below(&c->random, 600) - 300);
    if (c->plan.values == VALUES_SPECIAL && kind == 0) return INFINITY;
    if (c->plan.values == VALUES_SPECIAL && kind == 1) return NAN;
    return kind == 2 ? 0 : ordinary;
}

void make_clip(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_clip_arguments *a = &c->call.arguments.clip;
    a->update = update(c, true);
    a->tensors = p->rows;
    size_t *ends = flat(c, "ends", ELEMENT_BYTE, a->tensors * sizeof(size_t), false, false), panels = 0;
    for (size_t i = 0; i < a->tensors; i++) ends[i] = panels += draw_below(&c->random, p->outputs < 4 ? p->outputs + 1 : 4);
    a->ends = ends;
    bool clips_values = a->update->clip_value < INFINITY;
    double *sums = flat(c, "sums", ELEMENT_DOUBLE, panels, false, false);
    double *clipped = clips_values ? flat(c, "clipped_sums", ELEMENT_DOUBLE, panels, false, false) : NULL;
    for (size_t i = 0; i < panels; i++) {
        sums[i] = draw_sum(c);
        if (clipped) clipped[i] = sums[i] < 0.25 ? sums[i] : 0.25;
    }
    a->sums = sums;
    a->clipped_sums = clipped;
    double *loss = flat(c, "loss", ELEMENT_DOUBLE, 1, false, false);
    *loss = draw_sum(c);
    a->loss = loss;
    a->tensor_norms = flat(c, "tensor_norms", ELEMENT_DOUBLE, a->tensors, true, false);
    fact(c, "tensors", (double)a->tensors);
    fact(c, "panels", (double)panels);
    fact(c, "loss", *loss);
}

void make_moving_average(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_moving_average_arguments *a = &c->call.arguments.moving_average;
    a->update = update(c, false);
    a->count = p->rows * ((p->outputs + 15) / 16 * 16);
    a->rate = 0.03125f * (float)(1 + (p->options >> 2) % 32);
    a->average = read_flat(c, "average", a->count, true, false);
    a->value = read_flat(c, "value", a->count, false, false);
    fact(c, "rate", a->rate);
    fact(c, "finite", a->update->finite);
}
