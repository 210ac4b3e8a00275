// The three matrix products: cases, and the naive triple loop that they must equal.
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void make_forward(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_gemm_forward_arguments *a = &c->call.arguments.gemm_forward;
    bool bias = !(p->options & 1), keep = !(p->options & 2) && fathom_activation_saves_slope(p->activation);
    a->accumulate = p->options & 4;
    a->rows = p->rows;
    a->inputs = p->inputs;
    a->outputs = p->outputs;
    a->activation = p->activation;
    a->parameter = 0.0625f * (float)(1 + (p->options >> 4) % 32);
    a->x = read_matrix(c, "x", p->rows, p->inputs, PADDING_FREE, &a->x_stride);
    a->w = read_matrix(c, "w", p->inputs, p->outputs, PADDING_ZERO, &a->w_stride);
    a->bias = bias ? read_vector(c, "bias", p->outputs, PADDING_ZERO) : NULL;
    if (keep) a->slope = written_matrix(c, "slope", p->rows, p->outputs, PADDING_FREE, a->accumulate, &a->slope_stride);
    a->y = written_matrix(c, "y", p->rows, p->outputs, PADDING_FREE, a->accumulate && !keep, &a->y_stride);
    fact(c, "parameter", a->parameter);
    fact(c, "bias", bias);
    fact(c, "keeps slope", keep);
    fact(c, "accumulate", a->accumulate);
}

void make_dgrad(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_gemm_dgrad_arguments *a = &c->call.arguments.gemm_dgrad;
    a->accumulate = p->options & 4;
    a->rows = p->rows;
    a->inputs = p->inputs;
    a->outputs = p->outputs;
    a->activation = p->activation;
    a->parameter = 0.0625f * (float)(1 + (p->options >> 4) % 32);
    a->dy = read_matrix(c, "dy", p->rows, p->outputs, PADDING_ZERO, &a->dy_stride);
    a->transposed = p->options & 8;
    a->w = a->transposed ? read_matrix(c, "wt", p->outputs, p->inputs, PADDING_ZERO, &a->w_stride)
                         : read_matrix(c, "w", p->inputs, p->outputs, PADDING_ZERO, &a->w_stride);
    if (p->activation != FATHOM_IDENTITY) a->saved = read_matrix(c, "saved", p->rows, p->inputs, PADDING_FREE, &a->saved_stride);
    a->dx = written_matrix(c, "dx", p->rows, p->inputs, PADDING_ZERO, a->accumulate, &a->dx_stride);
    a->blocks = signal_blocks(c, p->rows, (p->inputs + 15) / 16);
    fact(c, "parameter", a->parameter);
    fact(c, "accumulate", a->accumulate);
    fact(c, "transposed", a->transposed);
}

void make_wgrad(kernel_case *c, fathom_operation operation) {
    (void)operation;
    const plan *p = &c->plan;
    fathom_gemm_wgrad_arguments *a = &c->call.arguments.gemm_wgrad;
    a->accumulate = p->options & 4;
    a->rows = p->rows;
    a->inputs = p->inputs;
    a->outputs = p->outputs;
    a->x = read_matrix(c, "x", p->rows, p->inputs, PADDING_FREE, &a->x_stride);
    a->dy = read_matrix(c, "dy", p->rows, p->outputs, PADDING_ZERO, &a->dy_stride);
    a->dw = written_matrix(c, "dw", p->inputs, p->outputs, PADDING_ZERO, a->accumulate, &a->dw_stride);
    if (p->options & 8) a->squares = flat(c, "squares", ELEMENT_DOUBLE, (p->inputs + 15) / 16 * ((p->outputs + 15) / 16), true, false);
    fact(c, "squares", a->squares != NULL);
    fact(c, "accumulate", a->accumulate);
}

static inline __attribute__((always_inline)) float at(const float *m, size_t stride, size_t r, size_t c) {
    return m[stride * (c / 16) + 16 * r + c % 16];
}

// One operand of a naive product: element (i, k), or (k, i) where turned.
typedef struct operand {
    const float *m;
    size_t stride;
    bool turned;
} operand;

static inline __attribute__((always_inline)) float operand_at(operand o, size_t i, size_t k) {
    return o.turned ? at(o.m, o.stride, k, i) : at(o.m, o.stride, i, k);
}

// The chain that defines every product: fma over k ascending, from the stored value.
static inline __attribute__((always_inline)) float chain(operand a, operand b, size_t i, size_t j, size_t depth, float sum) {
    for (size_t k = 0; k < depth; k++) sum = __builtin_fmaf(operand_at(a, i, k), operand_at(b, j, k), sum);
    return sum;
}

#if defined(__x86_64__)
__attribute__((target("fma"))) static float chain_in_hardware(operand a, operand b, size_t i, size_t j, size_t depth, float sum) {
    return chain(a, b, i, j, depth, sum);
}
#endif

static float naive(operand a, operand b, size_t i, size_t j, size_t depth, float sum) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("fma")) return chain_in_hardware(a, b, i, j, depth, sum);
#endif
    return chain(a, b, i, j, depth, sum);
}

static bool equal(float a, float b) { return memcmp(&a, &b, 4) == 0 || (isnan(a) && isnan(b)); }

static bool differs(char *message, size_t size, const char *name, size_t r, size_t c, float expected, float got) {
    snprintf(message, size, "%s row %zu, column %zu: the naive loop gives %.9g (%a), got %.9g (%a)", name, r, c, expected, expected, got, got);
    return false;
}

static const buffer *buffer_at(const kernel_case *c, const void *data) {
    for (int i = 0; i < c->buffer_count; i++)
        if (c->buffers[i].data == data) return &c->buffers[i];
    return NULL;
}

static float stored(const kernel_case *c, const float *m, size_t stride, size_t row, size_t column) {
    return at((const float *)buffer_at(c, m)->initial, stride, row, column);
}

// φ, with φ′ where it is saved, and φ′ times a gradient, by the reference's own kernels on one row of a panel.
static void activate(fathom_activation activation, float parameter, const float z[16], float y[16], float *slope) {
    fathom_arguments a = {.activation_forward = {1, 16, activation, parameter, z, 16, y, 16, slope, 16}};
    fathom_kernels_named("reference")->kernels[FATHOM_ACTIVATION_FORWARD](&a, (fathom_range){0, 1, 0, 1});
}

static void pull_back(fathom_activation activation, float parameter, const float *saved, float gradient[16]) {
    fathom_arguments a = {.activation_backward = {1, 16, activation, parameter, saved, 16, gradient, 16, gradient, 16, {0}}};
    fathom_kernels_named("reference")->kernels[FATHOM_ACTIVATION_BACKWARD](&a, (fathom_range){0, 1, 0, 1});
}

bool verify_forward(kernel_case *c, char *message, size_t size) {
    const fathom_gemm_forward_arguments *a = &c->call.arguments.gemm_forward;
    operand x = {a->x, a->x_stride, false}, w = {a->w, a->w_stride, true};
    const float *from = a->slope ? a->slope : a->y;
    size_t from_stride = a->slope ? a->slope_stride : a->y_stride;
    for (size_t r = 0; r < a->rows; r++)
        for (size_t first = 0; first < a->outputs; first += 16) {
            _Alignas(64) float z[16] = {0}, y[16], slope[16];
            size_t end = first + 16 < a->outputs ? first + 16 : a->outputs;
            for (size_t n = first; n < end; n++) {
                z[n - first] = naive(x, w, r, n, a->inputs, a->accumulate ? stored(c, from, from_stride, r, n) : 0);
                if (a->bias) z[n - first] += a->bias[n];
            }
            activate(a->activation, a->parameter, z, y, a->slope ? slope : NULL);
            for (size_t n = first; n < end; n++) {
                float got_y = at(a->y, a->y_stride, r, n);
                if (!equal(y[n - first], got_y)) return differs(message, size, "y", r, n, y[n - first], got_y);
                if (!a->slope) continue;
                float got_slope = at(a->slope, a->slope_stride, r, n);
                if (!equal(slope[n - first], got_slope)) return differs(message, size, "slope", r, n, slope[n - first], got_slope);
            }
        }
    return true;
}

bool verify_dgrad(kernel_case *c, char *message, size_t size) {
    const fathom_gemm_dgrad_arguments *a = &c->call.arguments.gemm_dgrad;
    operand dy = {a->dy, a->dy_stride, false}, wt = {a->w, a->w_stride, a->transposed};
    for (size_t r = 0; r < a->rows; r++)
        for (size_t first = 0; first < a->inputs; first += 16) {
            _Alignas(64) float g[16] = {0};
            size_t end = first + 16 < a->inputs ? first + 16 : a->inputs;
            for (size_t k = first; k < end; k++)
                g[k - first] = naive(dy, wt, r, k, a->outputs, a->accumulate ? stored(c, a->dx, a->dx_stride, r, k) : 0);
            if (a->activation != FATHOM_IDENTITY)
                pull_back(a->activation, a->parameter, a->saved + a->saved_stride * (first / 16) + 16 * r, g);
            for (size_t k = first; k < end; k++)
                if (!equal(g[k - first], at(a->dx, a->dx_stride, r, k)))
                    return differs(message, size, "dx", r, k, g[k - first], at(a->dx, a->dx_stride, r, k));
        }
    return true;
}

bool verify_wgrad(kernel_case *c, char *message, size_t size) {
    const fathom_gemm_wgrad_arguments *a = &c->call.arguments.gemm_wgrad;
    operand x = {a->x, a->x_stride, true}, dy = {a->dy, a->dy_stride, true};
    for (size_t k = 0; k < a->inputs; k++)
        for (size_t n = 0; n < a->outputs; n++) {
            float g = naive(x, dy, k, n, a->rows, a->accumulate ? stored(c, a->dw, a->dw_stride, k, n) : 0);
            if (!equal(g, at(a->dw, a->dw_stride, k, n))) return differs(message, size, "dw", k, n, g, at(a->dw, a->dw_stride, k, n));
        }
    return true;
}
