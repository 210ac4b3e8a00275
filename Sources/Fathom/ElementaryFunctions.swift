// Elementary functions in float64 from + − × ÷ alone, so that what is computed with them has the same bits on every machine. They serve
// theory and draws, where a microsecond does not count. Each states its bound; the tests hold it against the C library on dense samples.

private let logarithmOfTwo = 0.6931471805599453
private let inverseRootOfTwoPi = 0.3989422804014327

/// ln x for positive, normal x, within 4.5e-16 · max(1, |ln x|): x = m·2^e with m in (√½, √2], ln m = 2·artanh((m − 1)/(m + 1)), whose
/// series in z² ≤ 0.0295 is cut after z²³.
func naturalLogarithm(_ x: Double) -> Double {
    var exponent = Double(x.exponent), m = x.significand
    if m > 1.4142135623730951 {
        m /= 2
        exponent += 1
    }
    return exponent * logarithmOfTwo + 2 * inverseHyperbolicTangent((m - 1) / (m + 1), lastTerm: 23)
}

/// ln(1 + x) for 0 ≤ x ≤ 1, within 6e-16 of its value: 2·artanh(x/(2 + x)), whose series in z² ≤ ⅑ is cut after z³⁷.
func logarithmOfOnePlus(_ x: Double) -> Double {
    2 * inverseHyperbolicTangent(x / (2 + x), lastTerm: 37)
}

/// z + z³/3 + z⁵/5 + … as far as the odd power `lastTerm`.
private func inverseHyperbolicTangent(_ z: Double, lastTerm: Double) -> Double {
    let square = z * z
    var sum = 0.0
    for term in stride(from: lastTerm, through: 1, by: -2) { sum = sum * square + 1 / term }
    return z * sum
}

/// eˣ within 4e-16 of its value where that is a normal number; infinity above 709, a subnormal or 0 below −708.
func exponential(_ x: Double) -> Double {
    guard x < 709 else { return x.isNaN ? x : .infinity }
    guard x > -746 else { return 0 }
    let (power, rest) = exponentialParts(x)
    return Double(sign: .plus, exponent: power, significand: 1 + rest)
}

/// eˣ − 1 for x ≤ 709, within 6e-16 of its value: 2ⁿ·(eʳ − 1) + (2ⁿ − 1).
func exponentialMinusOne(_ x: Double) -> Double {
    guard x > -40 else { return x.isNaN ? x : -1 }
    let (power, rest) = exponentialParts(x)
    let scale = Double(sign: .plus, exponent: power, significand: 1)
    return scale * rest + (scale - 1)
}

/// n and eʳ − 1 with x = n·ln 2 + r, |r| ≤ ½ ln 2: the series r + r²/2·(1 + r/3·(1 + r/4·(…))), cut after r¹⁴/14!. n·ln 2 is taken in
/// two parts, of which the product with the first is exact.
private func exponentialParts(_ x: Double) -> (power: Int, rest: Double) {
    let n = (x * 1.4426950408889634).rounded(.toNearestOrEven)
    let r = (x - n * 0x1.62e42fefp-1) - n * 0x1.473de6af278edp-34
    var sum = 0.0
    for k in stride(from: 14.0, through: 3, by: -1) { sum = (1 + sum) * r / k }
    return (Int(n), r + r * r / 2 * (1 + sum))
}

/// σ(x) = 1/(1 + e⁻ˣ) and 1 − σ(x) = σ(−x), each within 1e-15 of its value while that is a normal number.
func logistic(_ x: Double) -> (value: Double, rest: Double) {
    let power = exponential(-x.magnitude), larger = 1 / (1 + power), smaller = power / (1 + power)
    return x < 0 ? (smaller, larger) : (larger, smaller)
}

/// The standard normal density e^(−x²/2)/√(2π), within (4 + x²)·2e-16 of its value.
func normalDensity(_ x: Double) -> Double {
    exponential(-0.5 * x * x) * inverseRootOfTwoPi
}

/// The standard normal distribution function Φ(x) = ½·erfc(−x/√2), within 5e-16, below −3 within (4 + x²)·2e-16 of its value. Up to
/// |x| = 3 by ½ + density·(x + x³/3 + x⁵/15 + …) (Marsaglia, "Evaluating the normal distribution", J. Stat. Software 11, 2004); beyond
/// by Laplace's continued fraction for the tail, density/(x + 1/(x + 2/(x + 3/(x + …)))), 48 deep.
func normalDistribution(_ x: Double) -> Double {
    let t = x.magnitude, density = normalDensity(x)
    guard t < 3 else {
        var fraction = t
        for k in stride(from: 48.0, through: 1, by: -1) { fraction = t + k / fraction }
        return x < 0 ? density / fraction : 1 - density / fraction
    }
    var term = x, sum = x, k = 1.0
    while term.magnitude > 1e-17 * sum.magnitude {
        k += 2
        term *= x * x / k
        sum += term
    }
    return 0.5 + density * sum
}
