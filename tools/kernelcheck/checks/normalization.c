// Layer, RMS and batch normalization, forward, backward and with statistics that are given.
#include "harness.h"

#include <math.h>

static float parameter_of(const plan *p) { return 0.0625f * (float)((p->options >> 8) % 32); }
static float epsilon_of(const plan *p) { return p->options >> 13 & 1 ? 1e-5f : 0.25f; }
static bool activates(const plan *p) { return p->activation != FATHOM_IDENTITY; }

// A vector that may be left out, by a bit of the options.
static const float *optional_vector(kernel_case *c, const char *name, int bit) {
    bool there = !(c->plan.options >> bit & 1);
    fact(c, name, there);
    return there ? read_vector(c, name, c->plan.outputs, PADDING_ZERO) : NULL;
}

// Numbers of rows, positive ones where they stand for 1/√variance.
static float *rows_of(kernel_case *c, const char *name, bool positive) {
    float *values = flat(c, name, ELEMENT_FLOAT, c->plan.rows, false, false);
    for (size_t r = 0; r < c->plan.rows; r++) values[r] = draw_float(&c->random, c->plan.values);
    for (size_t r = 0; positive && r < c->plan.rows; r++) values[r] = fabsf(values[r]);
    return values;
}

static float *positive_vector(kernel_case *c, const char *name) {
    float *values = read_vector(c, name, c->plan.outputs, PADDING_ZERO);
    for (size_t i = 0; i < c->plan.outputs; i++) values[i] = fabsf(values[i]);
    return values;
}

// x, and y, which may lie over it; where it does not, the slope may be kept.
typedef struct spans {
    const float *x;
    size_t x_stride;
    float *slope;
    size_t slope_stride;
    float *y;
    size_t y_stride;
} spans;

static spans forward_spans(kernel_case *c) {
    const plan *p = &c->plan;
    bool in_place = p->options & 1, kept = !in_place && p->options & 2 && fathom_activation_saves_slope(p->activation);
    spans s = {0};
    if (!in_place) s.x = read_matrix(c, "x", p->rows, p->outputs, PADDING_FREE, &s.x_stride);
    if (kept) s.slope = written_matrix(c, "slope", p->rows, p->outputs, PADDING_FREE, false, &s.slope_stride);
    s.y = written_matrix(c, "y", p->rows, p->outputs, PADDING_FREE, in_place, &s.y_stride);
    if (in_place) {
        s.x = s.y;
        s.x_stride = s.y_stride;
    }
    fact(c, "in place", in_place);
    fact(c, "keeps slope", kept);
    return s;
}

// dx, which may lie over dy, and what the activation before saved.
typedef struct gradients {
    const float *dy;
    size_t dy_stride;
    const float *saved;
    size_t saved_stride;
    float *dx;
    size_t dx_stride;
} gradients;

static gradients backward_spans(kernel_case *c, bool wanted) {
    const plan *p = &c->plan;
    bool in_place = wanted && p->options & 1;
    gradients g = {0};
    if (!in_place) g.dy = read_matrix(c, "dy", p->rows, p->outputs, PADDING_ZERO, &g.dy_stride);
    if (activates(p)) g.saved = read_matrix(c, "saved", p->rows, p->outputs, PADDING_FREE, &g.saved_stride);
    if (wanted) g.dx = written_matrix(c, "dx", p->rows, p->outputs, PADDING_ZERO, in_place, &g.dx_stride);
    if (in_place) {
        g.dy = g.dx;
        g.dy_stride = g.dx_stride;
    }
    fact(c, "in place", in_place);
    fact(c, "dx wanted", wanted);
    return g;
}

void make_layernorm_forward(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    bool centered = !(p->options & 4);
    spans s = forward_spans(c);
    c->call.arguments.layernorm_forward = (fathom_layernorm_forward_arguments){
        .rows = p->rows, .columns = p->outputs, .centered = centered, .epsilon = epsilon_of(p), .x = s.x, .x_stride = s.x_stride,
        .gain = optional_vector(c, "gain", 4), .bias = optional_vector(c, "bias", 5), .activation = p->activation, .parameter = parameter_of(p),
        .mean = centered && p->outputs ? flat(c, "mean", ELEMENT_FLOAT, p->rows, true, false) : NULL,
        .rstd = flat(c, "rstd", ELEMENT_FLOAT, p->outputs ? p->rows : 0, true, false),
        .slope = s.slope, .slope_stride = s.slope_stride, .y = s.y, .y_stride = s.y_stride,
    };
    fact(c, "centered", centered);
}

void make_layernorm_backward(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    bool centered = !(p->options & 4);
    gradients g = backward_spans(c, true);
    fathom_layernorm_backward_arguments *a = &c->call.arguments.layernorm_backward;
    *a = (fathom_layernorm_backward_arguments){
        .rows = p->rows, .columns = p->outputs, .centered = centered, .gain = optional_vector(c, "gain", 4),
        .mean = centered ? rows_of(c, "mean", false) : NULL, .rstd = rows_of(c, "rstd", true), .dy = g.dy, .dy_stride = g.dy_stride,
        .activation = p->activation, .parameter = parameter_of(p), .saved = g.saved, .saved_stride = g.saved_stride, .dx = g.dx, .dx_stride = g.dx_stride,
    };
    a->x = read_matrix(c, "x", p->rows, p->outputs, PADDING_FREE, &a->x_stride);
    c->plan.options |= LOW_BLOCKS;
    a->blocks = signal_blocks(c, p->outputs ? p->rows : 0, (p->outputs + 15) / 16);
    fact(c, "centered", centered);
}

void make_layernorm_gradient(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    bool centered = !(p->options & 4), accumulate = p->options & 8;
    fathom_layernorm_gradient_arguments *a = &c->call.arguments.layernorm_gradient;
    *a = (fathom_layernorm_gradient_arguments){
        .rows = p->rows, .columns = p->outputs, .mean = centered ? rows_of(c, "mean", false) : NULL, .rstd = rows_of(c, "rstd", true),
        .accumulate = accumulate, .dgain = p->options & 16 ? NULL : written_vector(c, "dgain", p->outputs, PADDING_ZERO, accumulate),
        .dbias = p->options & 32 ? NULL : written_vector(c, "dbias", p->outputs, PADDING_ZERO, accumulate),
    };
    a->x = read_matrix(c, "x", p->rows, p->outputs, PADDING_FREE, &a->x_stride);
    a->dy = read_matrix(c, "dy", p->rows, p->outputs, PADDING_ZERO, &a->dy_stride);
    fact(c, "centered", centered);
    fact(c, "accumulate", accumulate);
}

// Statistics of no rows are not written.
static float *statistic(kernel_case *c, const char *name) {
    return written_vector(c, name, c->plan.rows ? c->plan.outputs : 0, PADDING_ZERO, false);
}

// Nor are moments.
static double *moments_of_x(kernel_case *c) {
    bool is_wanted = c->plan.options & 64;
    fact(c, "x moments", is_wanted);
    return is_wanted ? flat(c, "x moments", ELEMENT_DOUBLE, c->plan.rows ? (c->plan.outputs + 15) / 16 * 3 : 0, true, false) : NULL;
}

void make_batchnorm_forward(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    spans s = forward_spans(c);
    c->call.arguments.batchnorm_forward = (fathom_batchnorm_forward_arguments){
        .rows = p->rows, .columns = p->outputs, .epsilon = epsilon_of(p), .x = s.x, .x_stride = s.x_stride, .gain = optional_vector(c, "gain", 4),
        .bias = optional_vector(c, "bias", 5), .activation = p->activation, .parameter = parameter_of(p), .mean = statistic(c, "mean"),
        .variance = statistic(c, "variance"), .rstd = statistic(c, "rstd"), .slope = s.slope, .slope_stride = s.slope_stride, .y = s.y, .y_stride = s.y_stride,
        .x_moments = moments_of_x(c),
    };
}

void make_batchnorm_inference(kernel_case *c, fathom_operation operation) {
    (void)operation;
    plan *p = &c->plan;
    p->options &= ~2u;  // there is no z
    spans s = forward_spans(c);
    c->call.arguments.batchnorm_inference = (fathom_batchnorm_inference_arguments){
        .rows = p->rows, .columns = p->outputs, .epsilon = epsilon_of(p), .x = s.x, .x_stride = s.x_stride, .gain = optional_vector(c, "gain", 4),
        .bias = optional_vector(c, "bias", 5), .mean = read_vector(c, "mean", p->outputs, PADDING_ZERO), .variance = positive_vector(c, "variance"),
        .activation = p->activation, .parameter = parameter_of(p), .y = s.y, .y_stride = s.y_stride,
    };
}

void make_batchnorm_backward(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    bool accumulate = p->options & 8;
    gradients g = backward_spans(c, (p->options >> 6 & 7) != 1);
    fathom_batchnorm_backward_arguments *a = &c->call.arguments.batchnorm_backward;
    *a = (fathom_batchnorm_backward_arguments){
        .rows = p->rows, .columns = p->outputs, .gain = optional_vector(c, "gain", 4), .mean = read_vector(c, "mean", p->outputs, PADDING_ZERO),
        .rstd = positive_vector(c, "rstd"), .dy = g.dy, .dy_stride = g.dy_stride, .activation = p->activation, .parameter = parameter_of(p),
        .saved = g.saved, .saved_stride = g.saved_stride, .accumulate = accumulate,
        .dgain = p->options & 32 ? NULL : written_vector(c, "dgain", p->outputs, PADDING_ZERO, accumulate),
        .dbias = p->options & 64 ? NULL : written_vector(c, "dbias", p->outputs, PADDING_ZERO, accumulate), .dx = g.dx, .dx_stride = g.dx_stride,
    };
    a->x = read_matrix(c, "x", p->rows, p->outputs, PADDING_FREE, &a->x_stride);
    if (a->dx) a->blocks = signal_blocks(c, p->rows, (p->outputs + 15) / 16);
    fact(c, "accumulate", accumulate);
}
