// Compares the transcendental functions and the activations with float64, input by input, on any instruction set.
#ifndef ULP_MEASURE_H
#define ULP_MEASURE_H

#include <stddef.h>
#include <stdint.h>

// A function of one float32, with the truth in float64. An error is counted in units in the last place of *terms, the sum of the absolute values
// of the formula's terms, which for a function without roots of cancelling terms is the value itself; below 2^−126 a unit is 2^−149.
typedef struct ulp_function {
    const char *name;  // "gelu", "gelu'" for the derivative
    double (*truth)(double x, double parameter, double *terms);
    double low, high;   // the inputs that can occur
    int kind;           // a fathom_activation, or, for one of simd/math.h, an index of its own
    enum { ULP_FORWARD, ULP_SLOPE, ULP_ELEMENTARY } pass;
    float parameter;
    double bound;       // the worst error that is accepted
} ulp_function;

typedef struct ulp_result {
    uint64_t inputs;
    double worst;
    float worst_at;
    uint64_t wrong;  // results that are not NaN, infinite or zero where they must be, or are where they must not
    float wrong_at;
} ulp_result;

const ulp_function *ulp_functions(size_t *count);

// y[i] = f(x[i]), i < count, a multiple of 16, on the kernels of an instruction set. Elementary functions have one portable instance, whatever `isa`.
void ulp_evaluate(const ulp_function *f, const char *isa, const float *x, float *y, size_t count);
void ulp_evaluate_elementary(int index, const float *x, float *y, size_t count);

// Over zeros, infinities, NaN and the ends of the ranges, then the floats whose bits are first, first + stride, …
ulp_result ulp_measure(const ulp_function *f, const char *isa, uint64_t first, uint64_t stride);

// A hash of the results over the floats whose bits are 0, stride, …, every NaN counted as the same.
uint64_t ulp_hash(const ulp_function *f, const char *isa, uint64_t stride);

#endif
