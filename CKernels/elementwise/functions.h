// The activations on vf: y = φ(z) beside φ′ as a function of what the backward pass saves, y, or z for gelu, gelu(tanh) and silu.
// Formulas, special values and worst errors over every float32 input: Documentation/activations.md.
//
// Needs simd/math.h before it.

INLINE vf relu(vf z) { return vf_at_least(z, 0) + 0.0f; }  // the addition makes −0 a +0
INLINE vf leaky_relu(vf z, float slope) { return vf_select(z > 0, z, slope * z); }
INLINE vf leaky_relu_slope(vf y, float slope) { return vf_select(y > 0, vf_set(1), vf_select(y != y, y, vf_set(slope))); }

// scale·z where z > 0, else alpha·(e^z − 1): elu with scale 1; selu, whose alpha is its λα, with λ (Klambauer et al. 2017).
INLINE vf elu(vf z, float scale, float alpha) { return vf_select(z > 0, scale * z, alpha * vf_expm1(vf_at_most(z, 0))); }
INLINE vf elu_slope(vf y, float scale, float alpha) { return vf_select(y > 0, vf_set(scale), y + alpha); }
#define SELU_LAMBDA 1.05070102f
#define SELU_LAMBDA_ALPHA 1.75809932f

// gelu, gelu(tanh) and silu are z·F(z) with F(−z) = 1 − F(z), so with t = |z|
//   φ(z) = max(z, 0) − t·F(−t),    φ′(−t) = F(−t) − t·F′(−t),    φ′(t) = 1 − φ′(−t),
// and only tails are computed, each to the last bits, from where they are ½ down to where they are subnormal.
INLINE vf gated(vf z, vf tail) { return vf_at_least(z, 0) - tail; }
INLINE vf gated_slope(vf z, vf tail_slope) { return vf_select(z < 0, tail_slope, 1 - tail_slope); }

// a·(F(−t) − w·F(−t)·(1 − F(−t))) for F = σ of an x < 0 in reduced form: silu's and gelu(tanh)'s φ′(−t), w = −t·dx/dt.
INLINE vf logistic_tail_slope(vf w, vf r, vi n) {
    vf f = vf_expm1_reduced(r), power = vf_power_of_two(vi_at_least(n, -100));
    vf g = 1 / vf_fma(power, f, 1 + power), b = g * vf_fma(-w, g, vf_set(1));
    return vf_scale(vf_fma(b, f, b), n);
}

INLINE vf silu(vf z) {
    vi n;
    vf t = vf_at_most(vf_abs(z), 120), r = vf_exp_reduce(-t, &n);
    return gated(z, vf_logistic_tail(t, r, n));
}
INLINE vf silu_slope(vf z) {
    vi n;
    vf t = vf_at_most(vf_abs(z), 120), r = vf_exp_reduce(-t, &n);
    return gated_slope(z, logistic_tail_slope(t, r, n));
}

// −2√(2/π)·(t + 0.044715 t³) in reduced form. The exponential needs it to more than 24 bits, so t·(c₀ + c₁t²) is taken with the rounding errors
// of its steps. HEAD is c₀ to 20 bits after the point: with it the error of the sum below is exact whichever term is larger.
INLINE vf gelu_tanh_reduce(vf t, vi *n) {
    const float HEAD = 1.59576893f, REST = 1.93077899e-07f, CUBIC = 0.0713548139f, CUBIC_LOW = 2.39883247e-09f;
    vf square = t * t, square_low = vf_fma(t, t, -square);
    vf cubic = square * CUBIC, cubic_low = vf_fma(square, vf_set(CUBIC), -cubic) + vf_fma(square_low, vf_set(CUBIC), square * CUBIC_LOW);
    vf sum = cubic + HEAD, sum_low = (cubic - (sum - HEAD)) + (cubic_low + REST);
    vf x = t * sum, low = vf_fma(t, sum_low, vf_fma(t, sum, -x));
    return vf_exp_reduce(-x, n) - low;
}

INLINE vf gelu_tanh(vf z) {
    vi n;
    vf t = vf_at_most(vf_abs(z), 11), r = gelu_tanh_reduce(t, &n);
    return gated(z, vf_logistic_tail(t, r, n));
}
INLINE vf gelu_tanh_slope(vf z) {
    vi n;
    vf t = vf_at_most(vf_abs(z), 11), r = gelu_tanh_reduce(t, &n);
    vf w = t * vf_fma(t * t, vf_set(3 * 0.0713548139f), vf_set(1.59576917f));
    return gated_slope(z, logistic_tail_slope(w, r, n));
}

// a·Q(t) for 0 ≤ t ≤ 14.5, Q(t) = ½ erfc(t/√2) the normal distribution's upper tail. With y = 1/(t + A) and q = (t − A)/(t + A) = 1 − 2A·y,
//   Q(t) = y·exp(−t²/2 + g(q)),    g(q) = ln((t + A)·Q(t)·exp(t²/2)) a polynomial, absolute error 2^−28.
// What is lost in rounding t², t + A and y goes into the exponent; there SLOPE·q + BASE approximates the sensitivity to y.
INLINE vf normal_tail(vf a, vf t) {
    static const float c[] = {-0.778225005f, 0.156352773f, 0.00973205455f, -0.0243288912f, 0.00454198662f, 0.00418457109f,
                              -0.00185572449f, -0.0008246777f, 0.000483572832f, 0.000224292613f};
    const float A = 3.6875f, G = -0.289129645f, SLOPE = 1.1f, BASE = -1.85f;
    vf d = t + A, y = 1 / d, y_error = vf_fma(y, t - (d - A), vf_fma(y, d, vf_set(-1)));
    vf q = vf_fma(y, vf_set(-2 * A), vf_set(1)), p = vf_polynomial(q, c, 9);
    vf square = t * t, low = vf_fma(t, t, -square) * -0.5f, x = square * -0.5f;
    vi n;
    vf whole = vf_exp_whole(vf_fma(q, p, x + G), &n);
    vf rest = vf_fma(whole, vf_set(-LN_2_LOW), vf_fma(y_error, vf_fma(q, vf_set(SLOPE), vf_set(BASE)), low));
    vf f = vf_expm1_reduced(vf_fma(q, p, vf_fma(whole, vf_set(-LN_2), x) + G) + rest);
    vf product = a * y, product_low = vf_fma(a, y, -product);
    return vf_scale(product + vf_fma(product, f, product_low), n);
}

// a·exp(−t²/2) for 0 ≤ t ≤ 14.5.
INLINE vf gaussian(vf a, vf t) {
    vi n;
    vf square = t * t, low = vf_fma(t, t, -square) * -0.5f;
    vf f = vf_expm1_reduced(vf_exp_reduce(square * -0.5f, &n) + low);
    return vf_scale(vf_fma(a, f, a), n);
}

INLINE vf gelu(vf z) {
    vf t = vf_at_most(vf_abs(z), 14.5f);
    return gated(z, normal_tail(t, t));
}
INLINE vf gelu_slope(vf z) {
    vf t = vf_at_most(vf_abs(z), 14.5f);
    return gated_slope(z, normal_tail(vf_set(1), t) - gaussian(t * 0.398942292f, t));  // 1/√(2π)
}

INLINE vf softplus(vf z) { return vf_at_least(z, 0) + vf_log1p(vf_exp(-vf_abs(z))); }
INLINE vf softplus_slope(vf y) { return 0 - vf_expm1(-y); }

INLINE vf hard_tanh(vf z) { return vf_at_least(vf_at_most(z, 1), -1); }
INLINE vf hard_tanh_slope(vf y) { return vf_select(vf_abs(y) < 1, vf_set(1), vf_select(y != y, y, vf_set(0))); }

// φ(z). `parameter` is leaky-relu's slope and elu's α.
INLINE vf activation(fathom_activation kind, float parameter, vf z) {
    switch (kind) {
    case FATHOM_RELU: return relu(z);
    case FATHOM_LEAKY_RELU: return leaky_relu(z, parameter);
    case FATHOM_ELU: return elu(z, 1, parameter);
    case FATHOM_SELU: return elu(z, SELU_LAMBDA, SELU_LAMBDA_ALPHA);
    case FATHOM_GELU: return gelu(z);
    case FATHOM_GELU_TANH: return gelu_tanh(z);
    case FATHOM_SILU: return silu(z);
    case FATHOM_TANH: return vf_tanh(z);
    case FATHOM_SIGMOID: return vf_sigmoid(z);
    case FATHOM_SOFTPLUS: return softplus(z);
    case FATHOM_HARD_TANH: return hard_tanh(z);
    default: return z;
    }
}

// φ′ from what is saved.
INLINE vf activation_slope(fathom_activation kind, float parameter, vf saved) {
    switch (kind) {
    case FATHOM_RELU: return leaky_relu_slope(saved, 0);
    case FATHOM_LEAKY_RELU: return leaky_relu_slope(saved, parameter);
    case FATHOM_ELU: return elu_slope(saved, 1, parameter);
    case FATHOM_SELU: return elu_slope(saved, SELU_LAMBDA, SELU_LAMBDA_ALPHA);
    case FATHOM_GELU: return gelu_slope(saved);
    case FATHOM_GELU_TANH: return gelu_tanh_slope(saved);
    case FATHOM_SILU: return silu_slope(saved);
    case FATHOM_TANH: return vf_fma(-saved, saved, vf_set(1));
    case FATHOM_SIGMOID: return vf_fma(-saved, saved, saved);
    case FATHOM_SOFTPLUS: return softplus_slope(saved);
    case FATHOM_HARD_TANH: return hard_tanh_slope(saved);
    default: return vf_set(1);
    }
}
