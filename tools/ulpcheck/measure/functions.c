// The functions that are measured: formulas in float64 by the C library, whose errors, a few 2^−53, do not matter beside 2^−24.
#include "ulp_measure.h"
#include "fathom_kernels.h"

#include <math.h>

static const double PI = 3.14159265358979323846, SQRT_HALF = 0.70710678118654752440, PER_SQRT_TAU = 0.39894228040143267794;
static const double LAMBDA = 1.0507009873554804934193349852946, ALPHA = 1.6732632423543772848170429916717;

// A formula in x and the parameter p; `terms` points to what its error is measured by, set to |value| where the formula does not set it.
#define FORMULA(name, expression)                           \
    static double name(double x, double p, double *terms) { \
        (void)p;                                            \
        *terms = -1;                                        \
        double value = expression;                          \
        if (*terms < 0) *terms = fabs(value);               \
        return value;                                       \
    }
static double sum(double a, double b, double *terms) {
    *terms = fabs(a) + fabs(b);
    return a + b;
}

FORMULA(exp_truth, exp(x))
FORMULA(expm1_truth, expm1(x))
FORMULA(log_truth, log(x))
FORMULA(log1p_truth, log1p(x))

// sin 2πx, some quarter turns ahead: the quarter turn nearest to x and the rest are both exact.
static double turned(double x, int ahead) {
    if (isnan(x)) return x;
    double quarter = rint(4 * x), rest = PI / 2 * (4 * x - quarter);
    switch (((int)quarter + ahead) & 3) {
    case 0: return sin(rest);
    case 1: return cos(rest);
    case 2: return -sin(rest);
    default: return -cos(rest);
    }
}
FORMULA(sine_truth, turned(x, 0))
FORMULA(cosine_truth, turned(x, 1))

FORMULA(identity, x)
FORMULA(relu, x > 0 || isnan(x) ? x : 0)
FORMULA(leaky_relu, x > 0 ? x : p * x)
FORMULA(leaky_relu_slope, x > 0 ? 1 : isnan(x) ? x : p)
FORMULA(elu, x > 0 ? x : p * expm1(x))
FORMULA(elu_slope, x > 0 ? 1 : sum(x, p, terms))
FORMULA(selu, x > 0 ? LAMBDA * x : LAMBDA * ALPHA * expm1(x))
FORMULA(selu_slope, x > 0 ? LAMBDA : sum(x, LAMBDA * ALPHA, terms))

// Beyond these the tails are zero in float32, while infinities would make 0·∞ of them.
static const double FAR = 40, FAR_LOGISTIC = 200;
static double normal(double x) { return erfc(-x * SQRT_HALF) / 2; }
static double density(double x) { return PER_SQRT_TAU * exp(-x * x / 2); }
FORMULA(gelu, x > FAR ? x : x < -FAR ? 0 : x * normal(x))
FORMULA(gelu_slope, x > FAR ? 1 : x < -FAR ? 0 : sum(normal(x), x * density(x), terms))

// x·σ(u) has the derivative σ(u) + x·u′·σ(u)·σ(−u).
static double logistic(double x) { return 1 / (1 + exp(-x)); }
static double logistic_slope(double u, double xu, double *terms) {
    double s = logistic(u);
    return sum(s, xu * s * logistic(-u), terms);
}
static double inner(double x) { return 2 * sqrt(2 / PI) * (x + 0.044715 * x * x * x); }
static double inner_slope(double x) { return 2 * sqrt(2 / PI) * (1 + 3 * 0.044715 * x * x); }
FORMULA(gelu_tanh, x > FAR ? x : x < -FAR ? 0 : x * logistic(inner(x)))
FORMULA(gelu_tanh_slope, x > FAR ? 1 : x < -FAR ? 0 : logistic_slope(inner(x), x * inner_slope(x), terms))
FORMULA(silu, x > FAR_LOGISTIC ? x : x < -FAR_LOGISTIC ? 0 : x * logistic(x))
FORMULA(silu_slope, x > FAR_LOGISTIC ? 1 : x < -FAR_LOGISTIC ? 0 : logistic_slope(x, x, terms))

FORMULA(tanh_truth, tanh(x))
FORMULA(tanh_slope, sum(1, -x * x, terms))
FORMULA(sigmoid, logistic(x))
FORMULA(sigmoid_slope, sum(x, -x * x, terms))
FORMULA(softplus, x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)))
FORMULA(softplus_slope, (*terms = 1 + exp(-x), -expm1(-x)))
FORMULA(hard_tanh, x > 1 ? 1 : x < -1 ? -1 : x)
FORMULA(hard_tanh_slope, isnan(x) ? x : fabs(x) < 1)

static const ulp_function functions[] = {
    {"exp", exp_truth, -INFINITY, INFINITY, 0, ULP_ELEMENTARY, 0, 1.1},
    {"expm1", expm1_truth, -INFINITY, 88, 1, ULP_ELEMENTARY, 0, 1.6},
    {"log", log_truth, -INFINITY, INFINITY, 2, ULP_ELEMENTARY, 0, 1.2},
    {"log1p", log1p_truth, -0x1.fffffep-1, 0x1.fffffep125, 3, ULP_ELEMENTARY, 0, 1.2},
    {"sin(2πu)", sine_truth, -1, 1, 4, ULP_ELEMENTARY, 0, 1.1},
    {"cos(2πu)", cosine_truth, -1, 1, 5, ULP_ELEMENTARY, 0, 1.1},
    {"identity", identity, -INFINITY, INFINITY, FATHOM_IDENTITY, ULP_FORWARD, 0, 0},
    {"relu", relu, -INFINITY, INFINITY, FATHOM_RELU, ULP_FORWARD, 0, 0},
    {"leakyrelu(0.01)", leaky_relu, -INFINITY, INFINITY, FATHOM_LEAKY_RELU, ULP_FORWARD, 0.01f, 0.5},
    {"elu", elu, -INFINITY, INFINITY, FATHOM_ELU, ULP_FORWARD, 1, 1},
    {"elu(0.3)", elu, -INFINITY, INFINITY, FATHOM_ELU, ULP_FORWARD, 0.3f, 1.1},
    {"selu", selu, -INFINITY, INFINITY, FATHOM_SELU, ULP_FORWARD, 0, 1.3},
    {"gelu", gelu, -INFINITY, INFINITY, FATHOM_GELU, ULP_FORWARD, 0, 1.6},
    {"gelu(tanh)", gelu_tanh, -INFINITY, INFINITY, FATHOM_GELU_TANH, ULP_FORWARD, 0, 1.9},
    {"silu", silu, -INFINITY, INFINITY, FATHOM_SILU, ULP_FORWARD, 0, 1.8},
    {"tanh", tanh_truth, -INFINITY, INFINITY, FATHOM_TANH, ULP_FORWARD, 0, 1.25},
    {"sigmoid", sigmoid, -INFINITY, INFINITY, FATHOM_SIGMOID, ULP_FORWARD, 0, 1.7},
    {"softplus", softplus, -INFINITY, INFINITY, FATHOM_SOFTPLUS, ULP_FORWARD, 0, 1.8},
    {"hardtanh", hard_tanh, -INFINITY, INFINITY, FATHOM_HARD_TANH, ULP_FORWARD, 0, 0},
    {"relu'", leaky_relu_slope, 0, INFINITY, FATHOM_RELU, ULP_SLOPE, 0, 0},
    {"leakyrelu(0.01)'", leaky_relu_slope, -INFINITY, INFINITY, FATHOM_LEAKY_RELU, ULP_SLOPE, 0.01f, 0},
    {"elu'", elu_slope, -1, INFINITY, FATHOM_ELU, ULP_SLOPE, 1, 0.5},
    {"elu(0.3)'", elu_slope, -0.3f, INFINITY, FATHOM_ELU, ULP_SLOPE, 0.3f, 0.5},
    {"selu'", selu_slope, -1.75809932f, INFINITY, FATHOM_SELU, ULP_SLOPE, 0, 0.75},
    {"gelu'", gelu_slope, -INFINITY, INFINITY, FATHOM_GELU, ULP_SLOPE, 0, 1.6},
    {"gelu(tanh)'", gelu_tanh_slope, -INFINITY, INFINITY, FATHOM_GELU_TANH, ULP_SLOPE, 0, 1.4},
    {"silu'", silu_slope, -INFINITY, INFINITY, FATHOM_SILU, ULP_SLOPE, 0, 1.3},
    {"tanh'", tanh_slope, -1, 1, FATHOM_TANH, ULP_SLOPE, 0, 0.5},
    {"sigmoid'", sigmoid_slope, 0, 1, FATHOM_SIGMOID, ULP_SLOPE, 0, 0.5},
    {"softplus'", softplus_slope, 0, INFINITY, FATHOM_SOFTPLUS, ULP_SLOPE, 0, 0.5},
    {"hardtanh'", hard_tanh_slope, -1, 1, FATHOM_HARD_TANH, ULP_SLOPE, 0, 0},
};

const ulp_function *ulp_functions(size_t *count) {
    *count = sizeof functions / sizeof *functions;
    return functions;
}
