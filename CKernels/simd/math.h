// exp, log, tanh, … on vf: our own polynomials over + − × ÷ and fma, so that every instruction set, the plain-C reference included, gives the
// same bits. Subnormal inputs and results are kept, overflow gives infinity, NaN in gives NaN out. Worst errors over every float32 input are
// in Documentation/activations.md, found by tools/ulpcheck; coefficients come from tools/ulpcheck/coefficients.py.
//
// Needs simd/vector.h before it, with its parameters. Assumes rounding to nearest.

#define LOG2_E 1.44269502f
#define LN_2 0.693147182f
#define LN_2_LOW -1.90465421e-09f  // ln 2 = LN_2 + LN_2_LOW to 48 bits

// The larger (smaller) of a and a bound that is not NaN; NaN where a is. One instruction on x86, where vf_max takes four.
INLINE vf vf_at_least(vf a, float bound) { return vf_select(bound > a, vf_set(bound), a); }
INLINE vf vf_at_most(vf a, float bound) { return vf_select(bound < a, vf_set(bound), a); }
INLINE vi vi_at_most(vi a, int32_t bound) { vi high = a > bound; return (high & bound) | (~high & a); }
INLINE vf vf_copy_sign(vf a, vf sign) { return vf_from_bits((vf_bits(a) & 0x7fffffff) | (vf_bits(sign) & vi_set(INT32_MIN))); }

// c[0] + c[1]·x + … + c[degree]·x^degree: even and odd powers in two chains, for half the latency of one.
INLINE vf vf_polynomial(vf x, const float *c, int degree) {
    vf square = x * x, high = vf_set(c[degree]), low = vf_set(c[degree - 1]);
    UNROLL for (int i = degree - 2; i >= 1; i -= 2) {
        high = vf_fma(high, square, vf_set(c[i]));
        low = vf_fma(low, square, vf_set(c[i - 1]));
    }
    return degree % 2 ? vf_fma(high, x, low) : vf_fma(low, x, vf_fma(high, square, vf_set(c[0])));
}

// 2ⁿ, −127 < n < 128; and a·2ⁿ with one rounding, −253 < n < 255: the first of the two products is exact.
INLINE vf vf_power_of_two(vi n) { return vf_from_bits((n + 127) << 23); }
INLINE vf vf_scale(vf a, vi n) {
    vi half = n >> 1;
    return a * vf_power_of_two(half) * vf_power_of_two(n - half);
}

// The integer nearest to x/ln 2, for |x| ≤ 2¹⁵, also as an integer n.
INLINE vf vf_exp_whole(vf x, vi *n) {
    vf shifted = vf_fma(x, vf_set(LOG2_E), vf_set(0x1.8p23f));  // the integer is in the low bits
    *n = vf_bits(shifted) - 0x4b400000;
    return shifted - 0x1.8p23f;
}

// r of x = n·ln 2 + r, |r| ≤ 0.347.
INLINE vf vf_exp_reduce(vf x, vi *n) {
    vf whole = vf_exp_whole(x, n);
    return vf_fma(whole, vf_set(-LN_2_LOW), vf_fma(whole, vf_set(-LN_2), x));
}

// The same for x + low, where low is what x lacks.
INLINE vf vf_exp_reduce_sum(vf x, vf low, vi *n) {
    vf whole = vf_exp_whole(x, n);
    return vf_fma(whole, vf_set(-LN_2), x) + vf_fma(whole, vf_set(-LN_2_LOW), low);
}

// (e^r − 1 − r)/r² for |r| ≤ 0.347; r² times its error is 2^−31 of e^r − 1.
INLINE vf vf_exp_bend(vf r) {
    static const float c[] = {0.5f, 0.166666657f, 0.0416664928f, 0.00833354332f, 0.00139323471f, 0.00019764257f};
    return vf_polynomial(r, c, 5);
}

// e^r − 1 for |r| ≤ 0.347. e^x = (1 + this)·2ⁿ; a factor a that multiplies e^x is best taken in as vf_fma(a, this, a), which saves the rounding
// of 1 + this.
INLINE vf vf_expm1_reduced(vf r) { return vf_fma(r * r, vf_exp_bend(r), r); }

// (a + a_low)·e^(r + r_low): no error but the last rounding and some tenths of it.
INLINE vf vf_times_exp(vf a, vf a_low, vf r, vf r_low) {
    return a + vf_fma(a, r, vf_fma(a, vf_fma(r * r, vf_exp_bend(r), r_low), vf_fma(a_low, r, a_low)));
}

INLINE vf vf_exp(vf x) {
    vi n;
    vf r = vf_exp_reduce(vf_at_most(vf_at_least(x, -104), 89), &n);
    return vf_scale(1 + vf_expm1_reduced(r), n);
}

// e^x − 1 for x ≤ 88.
INLINE vf vf_expm1(vf x) {
    vi n;
    vf f = vf_expm1_reduced(vf_exp_reduce(vf_at_least(x, -20), &n)), power = vf_power_of_two(n);
    return vf_fma(power, f, power - 1);
}

// ln(1 + f) + e·ln 2 for −0.25 ≤ f ≤ 0.5 (a little more at the borders), relative error of the polynomial 2^−30.
INLINE vf vf_log_reduced(vf f, vf e) {
    static const float c[] = {-0.5f, 0.333333403f, -0.250001639f, 0.199995786f, -0.166553184f, 0.142767966f, -0.127283469f, 0.116970442f,
                              -0.0910702199f, 0.0376114063f};
    vf tail = vf_fma(f * f, vf_polynomial(f, c, 9), e * LN_2_LOW);
    return vf_fma(e, vf_set(LN_2), f + tail);
}

// The exponent that brings a positive normal number into 0.75 ≤ u·2^−e < 1.5.
INLINE vi vf_log_exponent(vf u) { return (vf_bits(u) - 0x3f400000) >> 23; }

INLINE vf vf_log(vf x) {
    vi tiny = x < 0x1p-126f;
    vf normal = vf_select(tiny, x * 0x1p23f, x);
    vi e = vf_log_exponent(normal);
    vf mantissa = vf_from_bits(vf_bits(normal) - (e << 23));
    vf result = vf_log_reduced(mantissa - 1, __builtin_convertvector(e - (tiny & 23), vf));
    result = vf_select(x == __builtin_inff(), x, vf_select(x == 0, vf_set(-__builtin_inff()), result));
    return vf_select(x >= 0, result, vf_set(__builtin_nanf("")));
}

// ln(1 + x) for −1 < x < 2¹²⁶.
INLINE vf vf_log1p(vf x) {
    vi e = vf_log_exponent(1 + x);
    vf scale = vf_power_of_two(-e);
    return vf_log_reduced(vf_fma(x, scale, scale - 1), __builtin_convertvector(e, vf));
}

// e^x = (1 + f)·2ⁿ, x ≥ 0, gives 1/(1 + e^x) = 2^−n/(1 + 2^−n + f). The denominator is first + second, of which only the sum is rounded: 2^−n joins f
// where 1 + 2^−n would be inexact. The factor 2^−n = power·rest comes last, so a result may be subnormal; power = 2^−min(n, 100).
typedef struct vf_logistic_parts { vf first, second, power, rest; } vf_logistic_parts;
INLINE vf_logistic_parts vf_logistic(vf r, vi n) {
    vi most = vi_at_most(n, 100);
    vf power = vf_power_of_two(-most);
    return (vf_logistic_parts){1 + power, vf_expm1_reduced(r) + vf_from_bits(vf_bits(power) & (n > 23)), power, vf_power_of_two(most - n)};
}

// a·σ(−x) for x ≥ 0 in reduced form.
INLINE vf vf_logistic_tail(vf a, vf r, vi n) {
    vf_logistic_parts l = vf_logistic(r, n);
    return a / (l.first + l.second) * l.power * l.rest;
}

// 1/(1 + e^−x), as one minus that of −x where x ≥ 0.
INLINE vf vf_sigmoid(vf x) {
    vi n;
    vf r = vf_exp_reduce(vf_at_most(vf_abs(x), 104), &n), tail = vf_logistic_tail(vf_set(1), r, n);
    return vf_select(x < 0, tail, 1 - tail);
}

// 1 − 2/(e^(2|x|) + 1), and near zero, where that would cancel, an odd polynomial (relative error 2^−27).
INLINE vf vf_tanh(vf x) {
    static const float c[] = {-0.333332807f, 0.133314058f, -0.0537365153f, 0.0206281673f, -0.0056922962f};
    vi n;
    vf t = vf_abs(x), square = x * x, f = vf_expm1_reduced(vf_exp_reduce(2 * vf_at_most(t, 10), &n)), power = vf_power_of_two(n);
    vf far = 1 - 2 / vf_fma(power, f, 1 + power), near = vf_fma(t * square, vf_polynomial(square, c, 4), t);
    return vf_copy_sign(vf_select(t < 0.625f, near, far), x);
}

// sin 2πu and cos 2πu for |u| ≤ 2²⁰: u in quarter turns is a whole number and a rest of at most a half.
INLINE void vf_sincos_2pi(vf u, vf *sine, vf *cosine) {
    static const float s[] = {-0.645964086f, 0.0796923339f, -0.00467954855f, 0.000154646274f};
    static const float c[] = {-1.23370051f, 0.253668517f, -0.0208552517f, 0.000893557677f};
    vf shifted = 4 * u + 0x1.8p23f;
    vi quarter = vf_bits(shifted);
    vf x = 4 * u - (shifted - 0x1.8p23f), square = x * x;
    // π/2 = 1.57079637 − 4.37113883e−08
    vf odd = vf_fma(x, vf_set(1.57079637f), x * vf_fma(square, vf_polynomial(square, s, 3), vf_set(-4.37113883e-08f)));
    vf even = vf_fma(square, vf_polynomial(square, c, 3), vf_set(1));
    vi swap = (quarter & 1) != 0;
    *sine = vf_from_bits(vf_bits(vf_select(swap, even, odd)) ^ ((quarter & 2) << 30));
    *cosine = vf_from_bits(vf_bits(vf_select(swap, odd, even)) ^ (((quarter + 1) & 2) << 30));
}
