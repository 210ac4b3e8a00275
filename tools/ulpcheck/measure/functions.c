// The functions that are measured: formulas in float64 by the C library, whose errors, a few 2^−53, do not matter beside 2^−24.
#include "ulp_measure.h"
#include "fathom_kernels.h"

#include <math.h>

static const double PI = 3.14159265358979323846, SQRT_HALF = 0.70710678118654752440, PER_SQRT_TAU = 0.39894228040143267794;
static const double LAMBDA = 1.0507009873554804934193349852946, ALPHA = 1.6732632423543772848170429916717;

#define FORMULA(name, expression) static double name(double x, double p) { (void)p; return expression; }

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
FORMULA(elu_slope, x > 0 ? 1 : x + p)
FORMULA(elu_terms, x > 0 ? 1 : fabs(x) + p)
FORMULA(selu, x > 0 ? LAMBDA * x : LAMBDA * ALPHA * expm1(x))
FORMULA(selu_slope, x > 0 ? LAMBDA : x + LAMBDA * ALPHA)
FORMULA(selu_terms, x > 0 ? LAMBDA : fabs(x) + LAMBDA * ALPHA)

// Beyond ±40 the tails are zero in float32, and infinities would make 0·∞ of them.
static double within(double x) { return x < -40 ? -40 : x > 40 ? 40 : x; }
static double normal(double x) { return erfc(-x * SQRT_HALF) / 2; }
static double density(double x) { return PER_SQRT_TAU * exp(-x * x / 2); }
FORMULA(gelu, x > 40 ? x : within(x) * normal(x))
FORMULA(gelu_slope, normal(within(x)) + within(x) * density(within(x)))
FORMULA(gelu_terms, normal(within(x)) + fabs(within(x)) * density(within(x)))

static double logistic(double x) { return 1 / (1 + exp(-x)); }
static double inner(double x) { return 2 * sqrt(2 / PI) * (x + 0.044715 * x * x * x); }
static double inner_slope(double x) { return 2 * sqrt(2 / PI) * (1 + 3 * 0.044715 * x * x); }
static double within_logistic(double x) { return x < -200 ? -200 : x > 200 ? 200 : x; }
FORMULA(gelu_tanh, x > 40 ? x : within(x) * logistic(inner(within(x))))
FORMULA(gelu_tanh_second, within(x) * inner_slope(within(x)) * logistic(inner(within(x))) * logistic(-inner(within(x))))
FORMULA(gelu_tanh_slope, logistic(inner(within(x))) + gelu_tanh_second(x, p))
FORMULA(gelu_tanh_terms, logistic(inner(within(x))) + fabs(gelu_tanh_second(x, p)))
FORMULA(silu, x > 200 ? x : within_logistic(x) * logistic(within_logistic(x)))
FORMULA(silu_second, within_logistic(x) * logistic(within_logistic(x)) * logistic(-within_logistic(x)))
FORMULA(silu_slope, logistic(x) + silu_second(x, p))
FORMULA(silu_terms, logistic(x) + fabs(silu_second(x, p)))

FORMULA(tanh_truth, tanh(x))
FORMULA(tanh_slope, 1 - x * x)
FORMULA(tanh_terms, 1 + x * x)
FORMULA(sigmoid, logistic(x))
FORMULA(sigmoid_slope, x - x * x)
FORMULA(sigmoid_terms, x + x * x)
FORMULA(softplus, x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)))
FORMULA(softplus_slope, -expm1(-x))
FORMULA(softplus_terms, 1 + exp(-x))
FORMULA(hard_tanh, x > 1 ? 1 : x < -1 ? -1 : x)
FORMULA(hard_tanh_slope, isnan(x) ? x : fabs(x) < 1)

static const ulp_function functions[] = {
    {"exp", exp_truth, NULL, -INFINITY, INFINITY, 0, ULP_ELEMENTARY, 0, 1},
    {"expm1", expm1_truth, NULL, -INFINITY, 88, 1, ULP_ELEMENTARY, 0, 1.25},
    {"log", log_truth, NULL, -INFINITY, INFINITY, 2, ULP_ELEMENTARY, 0, 1},
    {"log1p", log1p_truth, NULL, -0x1.fffffep-1, 0x1.fffffep125, 3, ULP_ELEMENTARY, 0, 1},
    {"sin(2πu)", sine_truth, NULL, -1, 1, 4, ULP_ELEMENTARY, 0, 1},
    {"cos(2πu)", cosine_truth, NULL, -1, 1, 5, ULP_ELEMENTARY, 0, 1},
    {"identity", identity, NULL, -INFINITY, INFINITY, FATHOM_IDENTITY, ULP_FORWARD, 0, 0},
    {"relu", relu, NULL, -INFINITY, INFINITY, FATHOM_RELU, ULP_FORWARD, 0, 0},
    {"leakyrelu(0.01)", leaky_relu, NULL, -INFINITY, INFINITY, FATHOM_LEAKY_RELU, ULP_FORWARD, 0.01f, 0.5},
    {"elu", elu, NULL, -INFINITY, INFINITY, FATHOM_ELU, ULP_FORWARD, 1, 1},
    {"elu(0.3)", elu, NULL, -INFINITY, INFINITY, FATHOM_ELU, ULP_FORWARD, 0.3f, 2},
    {"selu", selu, NULL, -INFINITY, INFINITY, FATHOM_SELU, ULP_FORWARD, 0, 2},
    {"gelu", gelu, NULL, -INFINITY, INFINITY, FATHOM_GELU, ULP_FORWARD, 0, 2},
    {"gelu(tanh)", gelu_tanh, NULL, -INFINITY, INFINITY, FATHOM_GELU_TANH, ULP_FORWARD, 0, 2},
    {"silu", silu, NULL, -INFINITY, INFINITY, FATHOM_SILU, ULP_FORWARD, 0, 2},
    {"tanh", tanh_truth, NULL, -INFINITY, INFINITY, FATHOM_TANH, ULP_FORWARD, 0, 2},
    {"sigmoid", sigmoid, NULL, -INFINITY, INFINITY, FATHOM_SIGMOID, ULP_FORWARD, 0, 2},
    {"softplus", softplus, NULL, -INFINITY, INFINITY, FATHOM_SOFTPLUS, ULP_FORWARD, 0, 2},
    {"hardtanh", hard_tanh, NULL, -INFINITY, INFINITY, FATHOM_HARD_TANH, ULP_FORWARD, 0, 0},
    {"relu'", leaky_relu_slope, NULL, 0, INFINITY, FATHOM_RELU, ULP_SLOPE, 0, 0},
    {"leakyrelu(0.01)'", leaky_relu_slope, NULL, -INFINITY, INFINITY, FATHOM_LEAKY_RELU, ULP_SLOPE, 0.01f, 0},
    {"elu'", elu_slope, elu_terms, -1, INFINITY, FATHOM_ELU, ULP_SLOPE, 1, 0.5},
    {"elu(0.3)'", elu_slope, elu_terms, -0.3f, INFINITY, FATHOM_ELU, ULP_SLOPE, 0.3f, 0.5},
    {"selu'", selu_slope, selu_terms, -1.75809932f, INFINITY, FATHOM_SELU, ULP_SLOPE, 0, 1},
    {"gelu'", gelu_slope, gelu_terms, -INFINITY, INFINITY, FATHOM_GELU, ULP_SLOPE, 0, 2},
    {"gelu(tanh)'", gelu_tanh_slope, gelu_tanh_terms, -INFINITY, INFINITY, FATHOM_GELU_TANH, ULP_SLOPE, 0, 2},
    {"silu'", silu_slope, silu_terms, -INFINITY, INFINITY, FATHOM_SILU, ULP_SLOPE, 0, 2},
    {"tanh'", tanh_slope, tanh_terms, -1, 1, FATHOM_TANH, ULP_SLOPE, 0, 0.5},
    {"sigmoid'", sigmoid_slope, sigmoid_terms, 0, 1, FATHOM_SIGMOID, ULP_SLOPE, 0, 0.5},
    {"softplus'", softplus_slope, softplus_terms, 0, INFINITY, FATHOM_SOFTPLUS, ULP_SLOPE, 0, 1},
    {"hardtanh'", hard_tanh_slope, NULL, -1, 1, FATHOM_HARD_TANH, ULP_SLOPE, 0, 0},
};

const ulp_function *ulp_functions(size_t *count) {
    *count = sizeof functions / sizeof *functions;
    return functions;
}
