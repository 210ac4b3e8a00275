#!/usr/bin/env python3
"""Derives the polynomials of CKernels/simd/math.h. Needs mpmath and numpy; prints each as a C array, with its error.

Each is the minimax fit of g over an interval, weighted so that the error printed is relative to the function's result. Coefficients are
rounded to float32 one at a time, the constant term first, and the rest is fitted anew after each, so that later terms make up for it.
"""
import mpmath as mp
import numpy as np

mp.mp.dps = 40


def fit(g, weight, low, high, degree, fixed):
    """Coefficients of the polynomial whose first ones are given, least in max |weight·(g − p)|, by Lawson's iteration."""
    x = (low + high) / 2 - (high - low) / 2 * np.cos(np.pi * (np.arange(1500) + 0.5) / 1500)
    target = np.array([float(g(mp.mpf(float(v)))) for v in x]) if not hasattr(fit, "cache") or fit.cache[0] is not g else fit.cache[1]
    fit.cache = (g, target)
    w = np.array([float(weight(float(v))) for v in x])
    rest = target - sum(c * x**k for k, c in enumerate(fixed)) if fixed else target
    powers = np.stack([x**k for k in range(len(fixed), degree + 1)], 1)
    scale = np.abs(powers).max(0)
    lawson = np.ones_like(x)
    best, best_error = None, np.inf
    for _ in range(300):
        root = np.sqrt(lawson) * w
        c = np.linalg.lstsq(powers / scale * root[:, None], rest * root, rcond=None)[0] / scale
        error = np.abs(w * (rest - powers @ c))
        if error.max() < best_error:
            best, best_error = c, error.max()
        lawson *= error / error.max() + 1e-9
        lawson /= lawson.sum()
    return list(best), best_error


def polynomial(name, g, weight, low, high, degree, fixed=()):
    fixed = [float(c) for c in fixed]
    while len(fixed) <= degree:
        free, _ = fit(g, weight, low, high, degree, fixed)
        fixed.append(float(np.float32(free[0])))
    x = np.linspace(low, high, 4001)
    error = max(abs(weight(v) * (float(g(mp.mpf(v))) - float(np.polyval(fixed[::-1], v)))) for v in x)
    body = ", ".join(float(c).hex().replace("000000000p", "p") + "f" for c in fixed)
    print(f"{name}: [{low:.6g}, {high:.6g}], degree {degree}, relative error {error:.3g} = 2^{np.log2(error):.1f}")
    print("    {" + ", ".join(f"{np.float32(c):.9g}f" for c in fixed) + "}\n", flush=True)


def two_floats(name, value):
    high = np.float32(float(value))
    low = np.float32(float(value - mp.mpf(float(high))))
    print(f"{name}: {high:.9g}f + {low:.9g}f\n")


def series(function, near_zero):
    """function away from 0, its series near it, where the formula would divide 0 by 0."""
    return lambda x: function(x) if abs(x) > 1e-8 else near_zero(x)


if __name__ == "__main__":
    for name, value in [("ln 2", mp.log(2)), ("log2 e", 1 / mp.log(2)), ("2√(2/π)", 2 * mp.sqrt(2 / mp.pi)),
                        ("2√(2/π)·0.044715", 2 * mp.sqrt(2 / mp.pi) * mp.mpf("0.044715")), ("1/√(2π)", 1 / mp.sqrt(2 * mp.pi)),
                        ("selu λ", mp.mpf("1.0507009873554804934193349852946")), 
                        ("selu λα", mp.mpf("1.0507009873554804934193349852946") * mp.mpf("1.6732632423543772848170429916717"))]:
        two_floats(name, value)

    half = 0.3470
    polynomial("expm1 (expm1(r) − r)/r²", series(lambda r: (mp.expm1(r) - r) / r**2, lambda r: mp.mpf(1) / 2 + r / 6),
               lambda r: r * r / abs(np.expm1(r)) if r else 0.0, -half, half, 5)
    polynomial("log (log(1 + f) − f + f²/2)/f³", series(lambda f: (mp.log1p(f) - f + f * f / 2) / f**3, lambda f: mp.mpf(1) / 3 - f / 4),
               lambda f: abs(f**3 / np.log1p(f)) if f else 0.0, -0.25, 0.5, 8)
    polynomial("tanh (tanh(x)/x − 1)/x² in x²", lambda v: (mp.tanh(mp.sqrt(v)) / mp.sqrt(v) - 1) / v,
               lambda v: v / (np.tanh(v**0.5) / v**0.5), 1e-9, 0.625**2, 4)

    a, top = 3.75, 14.5

    def bend(s):
        v = max(s + mp.mpf(3) / 4, mp.mpf("1e-12"))
        t = a * v / (a / 2 - v)
        return (mp.log((t + a) / a * mp.erfc(t / mp.sqrt(2))) + t * t / 2) / v + 1

    polynomial("normal tail: ln(Q(t)·exp(t²/2)/y)/v + 1 in s = v − ¾, v = t·y, y = ½a/(t + a), a = 3.75", bend, lambda s: s + 0.75,
               -0.75, a / 2 * top / (top + a) - 0.75, 9)
    polynomial("(sin(πx/2)/x − π/2)/x² in x²", lambda v: (mp.sin(mp.pi / 2 * mp.sqrt(v)) / mp.sqrt(v) - mp.pi / 2) / v,
               lambda v: v / 1.41, 1e-12, 0.25, 3)
    polynomial("(cos(πx/2) − 1)/x² in x²", lambda v: (mp.cos(mp.pi / 2 * mp.sqrt(v)) - 1) / v, lambda v: v, 1e-12, 0.25, 3)
