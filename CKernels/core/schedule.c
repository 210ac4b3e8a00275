// The float64 functions of schedules and bias corrections. No libm, so that their bits are the same everywhere.
#include "../include/fathom_kernels.h"

// Σ coefficient[i]·xⁱ.
static double polynomial(const double *coefficient, int count, double x) {
    double sum = coefficient[count - 1];
    for (int i = count - 2; i >= 0; i--) sum = sum * x + coefficient[i];
    return sum;
}

// Taylor's coefficients, (−1)ᵏ·π²ᵏ⁺¹/(2k+1)! and (−1)ᵏ·π²ᵏ/(2k)!: for |t| ≤ ¼ what they leave out is below 2⁻⁵⁹ of the result.
static double sin_pi_near_zero(double t) {
    static const double c[] = {0x1.921fb54442d18p+1, -0x1.4abbce625be53p+2, 0x1.466bc6775aae2p+1, -0x1.32d2cce62bd86p-1, 0x1.50783487ee782p-4,
                               -0x1.e3074fde8871fp-8, 0x1.e8f434d018d63p-12, -0x1.6fadb9f155744p-16, 0x1.aaec32af93359p-21};
    return t * polynomial(c, sizeof c / sizeof *c, t * t);
}

static double cos_pi_near_zero(double t) {
    static const double c[] = {-0x1.3bd3cc9be45dep+2, 0x1.03c1f081b5ac4p+2, -0x1.55d3c7e3cbffap+0, 0x1.e1f506891babbp-3,
                               -0x1.a6d1f2a204a8cp-6, 0x1.f9d38a3763cc3p-10, -0x1.b6e24f44b128fp-14, 0x1.20c62c2f2d7f5p-18};
    return 1 + t * t * polynomial(c, sizeof c / sizeof *c, t * t);
}

double fathom_cos_pi(double x) {
    if (x < 0) x = -x;
    double half = x / 2 + 0x1p52 - 0x1p52, t = x - 2 * half;  // to −1 … 1: exact, as is every reduction below
    if (t < 0) t = -t;
    double sign = 1;
    if (t > 0.5) {
        t = 1 - t;
        sign = -1;
    }
    return sign * (t <= 0.25 ? cos_pi_near_zero(t) : sin_pi_near_zero(0.5 - t));
}

double fathom_power(double x, uint64_t n) {
    double result = 1;
    for (; n; n /= 2, x *= x) {
        double factor[] = {1, x};  // rather than a branch, which a step's number would mislead
        result *= factor[n % 2];
    }
    return result;
}
