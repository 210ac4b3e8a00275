// The activations on vf: y = φ(z) beside φ′ as a function of y, or of z for gelu, gelu(tanh) and silu, whose slope is saved itself.
// Formulas, special values and worst errors over every float32 input: Documentation/activations.md.
//
// Needs simd/math.h before it.

INLINE vf relu(vf z) { return vf_at_least(z, 0) + 0.0f; }  // the addition makes −0 a +0
INLINE vf leaky_relu(vf z, float slope) { return vf_select(z > 0, z, slope * z); }
INLINE vf leaky_relu_slope(vf y, float slope) { return vf_select(y > 0, vf_set(1), vf_select(y != y, y, vf_set(slope))); }

// scale·z where z > 0, else alpha·(e^z − 1): elu with scale 1; selu, whose alpha is its λα, with λ (Klambauer et al. 2017). With e^z = 2ⁿ·e^r the
// latter is alpha·(2ⁿ − 1), whose error is carried, + alpha·2ⁿ·(r + (e^r − 1 − r)): hardly more than the last rounding, whatever alpha.
INLINE vf elu(vf z, float scale, float alpha) {
    vi n;
    vf r = vf_exp_reduce(vf_at_most(vf_at_least(z, -20), 0), &n), power = vf_power_of_two(n), less = power - 1, scaled = power * alpha;
    vf head = less * alpha, head_low = vf_fma(less, vf_set(alpha), -head);
    vf negative = head + vf_fma(scaled, r, vf_fma(scaled, r * r * vf_exp_bend(r), head_low));
    return vf_select(z > 0, scale * z, negative);
}
INLINE vf elu_slope(vf y, float scale, float alpha) { return vf_select(y > 0, vf_set(scale), y + alpha); }
#define SELU_LAMBDA 1.05070102f
#define SELU_LAMBDA_ALPHA 1.75809932f

// gelu, gelu(tanh) and silu are z·F(z) with F(−z) = 1 − F(z), so with t = |z|
//   φ(z) = max(z, 0) − t·F(−t),    φ′(−t) = F(−t) − t·F′(−t),    φ′(t) = 1 − φ′(−t),
// and only tails are computed, each to the last bits, from where they are ½ down to where they are subnormal.
INLINE vf gated(vf z, vf tail) { return vf_at_least(z, 0) - tail; }
INLINE vf gated_slope(vf z, vf tail_slope) { return vf_select(z < 0, tail_slope, 1 - tail_slope); }

// F(−t)·(1 − w·(1 − F(−t))) for F(−t) = σ(−x), x ≥ 0 in reduced form: φ′(−t) of silu and gelu(tanh), with w + w_low = t·dx/dt. The quotient s,
// 1 − w and the last product are taken with their errors.
INLINE vf logistic_tail_slope(vf w, vf w_low, vf r, vi n) {
    vf_logistic_parts l = vf_logistic(r, n);
    vf d = l.first + l.second, s = 1 / d, s_error = vf_fma(-s, (l.first - d) + l.second, vf_fma(-s, d, vf_set(1)));
    vf h = l.power * s, rest = 1 - w, rest_low = (1 - rest) - w, bend = vf_fma(w, h, vf_fma(w_low, h, rest_low - w_low));
    vf product = s * rest, low = vf_fma(s, bend, vf_fma(s, rest, -product));
    return (product + vf_fma(product, s_error, low)) * l.power * l.rest;
}

INLINE vf silu(vf z) {
    vi n;
    vf t = vf_at_most(vf_abs(z), 120), r = vf_exp_reduce(t, &n);
    return gated(z, vf_logistic_tail(t, r, n));
}
INLINE vf silu_slope(vf z) {
    vi n;
    vf t = vf_at_most(vf_abs(z), 120), r = vf_exp_reduce(t, &n);
    return gated_slope(z, logistic_tail_slope(t, vf_set(0), r, n));
}

// x = 2√(2/π)·(t + 0.044715 t³). The exponential needs it to more than 24 bits, so t·(c₀ + c₁t²) is taken with the rounding errors of its steps.
// HEAD is c₀ to 20 bits after the point: with it the error of the sum is exact whichever term is larger.
typedef struct inner { vf x, x_low, cubic, cubic_low; } inner;
INLINE inner gelu_tanh_inner(vf t) {
    const float HEAD = 1.59576893f, REST = 1.93077899e-07f, CUBIC = 0.0713548139f, CUBIC_LOW = 2.39883247e-09f;
    vf square = t * t, square_low = vf_fma(t, t, -square);
    vf cubic = square * CUBIC, cubic_low = vf_fma(square, vf_set(CUBIC), -cubic) + vf_fma(square_low, vf_set(CUBIC), square * CUBIC_LOW);
    vf sum = cubic + HEAD, sum_low = (cubic - (sum - HEAD)) + (cubic_low + REST), x = t * sum;
    return (inner){x, vf_fma(t, sum_low, vf_fma(t, sum, -x)), cubic, cubic_low};
}

INLINE vf gelu_tanh(vf z) {
    vi n;
    vf t = vf_at_most(vf_abs(z), 11);
    inner i = gelu_tanh_inner(t);
    vf r = vf_exp_reduce_sum(i.x, i.x_low, &n);
    return gated(z, vf_logistic_tail(t, r, n));
}
INLINE vf gelu_tanh_slope(vf z) {
    vi n;
    vf t = vf_at_most(vf_abs(z), 11);
    inner i = gelu_tanh_inner(t);
    vf r = vf_exp_reduce_sum(i.x, i.x_low, &n);
    // t·dx/dt = x + 2c₁t³: the product's and the sum's errors are exact (Knuth's TwoSum)
    vf p = 2 * t * i.cubic, w = i.x + p, part = w - i.x, sum_low = (i.x - (w - part)) + (p - part);
    vf w_low = sum_low + (vf_fma(2 * t, i.cubic, -p) + vf_fma(2 * t, i.cubic_low, i.x_low));
    return gated_slope(z, logistic_tail_slope(w, w_low, r, n));
}

// Q(t) = y·e^(r + r_low)·2ⁿ for 0 ≤ t ≤ 15: ½ erfc(t/√2), the normal distribution's upper tail. With y = ½A/(t + A) and v = t·y,
//   Q(t) = y·exp(−t²/2 − v + v·p(v)),    p a polynomial in v − ¾, within ±0.12; absolute error of v·p(v) 2^−28 (fitted up to t = 14.5:
// beyond, φ(t) and Q(t) only have to round to zero).
// What is lost in rounding t², t + A, y and v goes into the exponent; its derivative by ln y there is −(1 − v) to one digit.
typedef struct normal_tail { vf y, v, v_low, r, r_low; vi n; } normal_tail;
INLINE normal_tail normal_tail_of(vf t) {
    static const float c[] = {-0.00356729398f, 0.132572666f, 0.0556530505f, -0.0302070305f, -0.00644747401f, 0.00777450763f,
                              0.000917485158f, -0.00207917951f, -0.000118866294f, 0.000416696101f};
    const float A = 3.75f;
    vf d = t + A, y = 0.5f * A / d, y_error = vf_fma(y, t - (d - A), vf_fma(y, d, vf_set(-0.5f * A)));
    vf v = t * y, v_low = vf_fma(t, y, -v), bend = v * vf_polynomial(v - 0.75f, c, 9);
    vf square = t * t, square_low = vf_fma(t, t, -square), x = square * -0.5f;
    vi n;
    vf whole = vf_exp_whole((x - v) + bend, &n);
    vf low = vf_fma(square_low, vf_set(-0.5f), vf_fma(y_error, vf_fma(v, vf_set(0.72f / (0.5f * A)), vf_set(-0.95f / (0.5f * A))), -v_low));
    vf head = vf_fma(whole, vf_set(-LN_2), x) - v, rest = bend + vf_fma(whole, vf_set(-LN_2_LOW), low), r = head + rest;
    return (normal_tail){y, v, v_low, r, rest - (r - head), n};
}

// t·exp(−t²/2)/√(2π) for 0 ≤ t ≤ 15. What 0.398942292 lacks of 1/√(2π) goes into the exponent.
INLINE vf gaussian_moment(vf t) {
    vi n;
    vf square = t * t, low = vf_fma(vf_fma(t, t, -square), vf_set(-0.5f), vf_set(-2.84130573e-08f)), whole = vf_exp_whole(square * -0.5f, &n);
    vf head = vf_fma(whole, vf_set(-LN_2), square * -0.5f), rest = vf_fma(whole, vf_set(-LN_2_LOW), low), r = head + rest;
    vf product = t * 0.398942292f, product_low = vf_fma(t, vf_set(0.398942292f), -product);
    return vf_scale(vf_times_exp(product, product_low, r, rest - (r - head)), n);
}

INLINE vf gelu(vf z) {
    normal_tail q = normal_tail_of(vf_at_most(vf_abs(z), 15));
    return gated(z, vf_scale(vf_times_exp(q.v, q.v_low, q.r, q.r_low), q.n));
}
INLINE vf gelu_slope(vf z) {
    vf t = vf_at_most(vf_abs(z), 15);
    normal_tail q = normal_tail_of(t);
    return gated_slope(z, vf_scale(vf_fma(q.y, vf_expm1_reduced(q.r), q.y), q.n) - gaussian_moment(t));
}

INLINE vf softplus(vf z) { return vf_at_least(z, 0) + vf_log1p(vf_exp(-vf_abs(z))); }
INLINE vf softplus_slope(vf y) { return 0 - vf_expm1(-y); }

INLINE vf tanh_slope(vf y) { return vf_fma(-y, y, vf_set(1)); }
INLINE vf sigmoid_slope(vf y) { return vf_fma(-y, y, y); }

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
    case FATHOM_GELU: case FATHOM_GELU_TANH: case FATHOM_SILU: return saved;
    case FATHOM_TANH: return tanh_slope(saved);
    case FATHOM_SIGMOID: return sigmoid_slope(saved);
    case FATHOM_SOFTPLUS: return softplus_slope(saved);
    case FATHOM_HARD_TANH: return hard_tanh_slope(saved);
    default: return vf_set(1);
    }
}

// φ′(z) of those that save it.
INLINE vf saved_slope(fathom_activation kind, vf z) {
    switch (kind) {
    case FATHOM_GELU: return gelu_slope(z);
    case FATHOM_GELU_TANH: return gelu_tanh_slope(z);
    default: return silu_slope(z);
    }
}

// A twentieth of the largest |φ′|: below it an entry is saturated. The largest of gelu is at z = √2, of gelu(tanh) and silu near 1.41 and 2.40.
INLINE float saturated_slope(fathom_activation kind, float parameter) {
    switch (kind) {
    case FATHOM_ELU: return (parameter > 1 ? parameter : 1) / 20;
    case FATHOM_SELU: return SELU_LAMBDA_ALPHA / 20;
    case FATHOM_GELU: return 1.12890f / 20;
    case FATHOM_GELU_TANH: return 1.12902f / 20;
    case FATHOM_SILU: return 1.09984f / 20;
    case FATHOM_SIGMOID: return 0.25f / 20;
    default: return 1.0f / 20;
    }
}

// Of these φ′ is never below 0, and either 0 or so large that its square is not.
INLINE bool slope_is_plain(fathom_activation kind) { return kind == FATHOM_RELU || kind == FATHOM_TANH || kind == FATHOM_HARD_TANH; }
// And of these it is 0 or 1, or no number.
INLINE bool slope_is_binary(fathom_activation kind) { return kind == FATHOM_RELU || kind == FATHOM_HARD_TANH; }
// That slope, with 1 in place of no number, which takes half as many operations.
INLINE vf binary_slope(fathom_activation kind, vf saved) {
    return vf_where(~(kind == FATHOM_RELU ? saved <= 0 : vf_abs(saved) >= 1), vf_set(1));
}

// What is saved of these is φ(z).
INLINE bool slope_is_of_output(fathom_activation kind) {
    return kind != FATHOM_IDENTITY && kind != FATHOM_GELU && kind != FATHOM_GELU_TANH && kind != FATHOM_SILU;
}
// And of these all but sigmoid's and softplus's values have 0 among the usual ones; what no activation follows may lie anywhere.
INLINE bool output_is_around_zero(fathom_activation kind) { return kind != FATHOM_IDENTITY && kind != FATHOM_SIGMOID && kind != FATHOM_SOFTPLUS; }
