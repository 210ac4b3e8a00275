import Fathom

/// A number as the sum of two, of which the second is at most half a unit in the last place of the first: about 32 digits, enough to call a float64 wrong.
/// (Dekker 1971, "A floating-point technique for extending the available precision".)
struct DoubleDouble {
    let high: Double, low: Double

    init(_ high: Double, _ low: Double = 0) { (self.high, self.low) = (high, low) }

    /// a + b without loss (Knuth's two-sum).
    private static func sum(_ a: Double, _ b: Double) -> DoubleDouble {
        let s = a + b, t = s - a
        return DoubleDouble(s, (a - (s - t)) + (b - t))
    }

    /// The same where |a| ≥ |b|.
    private static func quickSum(_ a: Double, _ b: Double) -> DoubleDouble {
        let s = a + b
        return DoubleDouble(s, b - (s - a))
    }

    static func + (a: DoubleDouble, b: DoubleDouble) -> DoubleDouble {
        let s = sum(a.high, b.high), t = sum(a.low, b.low), u = quickSum(s.high, s.low + t.high)
        return quickSum(u.high, u.low + t.low)
    }

    static func * (a: DoubleDouble, b: DoubleDouble) -> DoubleDouble {
        let p = a.high * b.high, error = (-p).addingProduct(a.high, b.high)
        return quickSum(p, error + (a.high * b.low + a.low * b.high))
    }

    static func / (a: DoubleDouble, b: DoubleDouble) -> DoubleDouble {
        let first = a.high / b.high, rest = a - DoubleDouble(first) * b
        let second = rest.high / b.high, last = (rest - DoubleDouble(second) * b).high / b.high
        let q = quickSum(first, second)
        return q + DoubleDouble(last)
    }

    static prefix func - (a: DoubleDouble) -> DoubleDouble { DoubleDouble(-a.high, -a.low) }
    static func - (a: DoubleDouble, b: DoubleDouble) -> DoubleDouble { a + -b }

    var magnitude: DoubleDouble { high < 0 ? -self : self }
    private func scaled(by power: Int) -> DoubleDouble {
        DoubleDouble(Double(sign: .plus, exponent: power / 2, significand: high), Double(sign: .plus, exponent: power / 2, significand: low))
            .times(Double(sign: .plus, exponent: power - power / 2, significand: 1))
    }
    /// By a power of two.
    private func times(_ power: Double) -> DoubleDouble { DoubleDouble(high * power, low * power) }

    private static let ln2 = DoubleDouble(0.6931471805599453, 2.3190468138462996e-17)

    /// e^r − 1 for |r| ≤ ½ ln 2: Taylor's series of r/256, of which 11 terms leave 1e-39, and eight doublings (1 + p)² − 1 = 2p + p².
    private static func exponentialMinusOne(reduced r: DoubleDouble) -> DoubleDouble {
        let small = r.times(0x1p-8)
        var sum = DoubleDouble(0)
        for n in stride(from: 11.0, through: 1, by: -1) { sum = small * (DoubleDouble(1) + sum) / DoubleDouble(n) }
        for _ in 0..<8 { sum = sum.times(2) + sum * sum }
        return sum
    }

    static func exp(_ a: DoubleDouble) -> DoubleDouble {
        let k = (a.high / ln2.high).rounded()
        guard k.magnitude < 2000 else { return DoubleDouble(k > 0 ? .infinity : 0) }
        return (DoubleDouble(1) + exponentialMinusOne(reduced: a - DoubleDouble(k) * ln2)).scaled(by: Int(k))
    }

    static func exponentialMinusOne(_ a: DoubleDouble) -> DoubleDouble {
        a.high.magnitude < 0.34 ? exponentialMinusOne(reduced: a) : exp(a) - DoubleDouble(1)
    }

    /// Of 1 ≤ a ≤ 2.
    static func log(_ a: DoubleDouble) -> DoubleDouble {
        // ln(1 + u) = 2 artanh(u/(2 + u)), to 1e-6; each of three steps of Newton's squares the error.
        let u = a.high - 1, t = u / (2 + u), s = t * t
        var y = DoubleDouble(2 * t * (1 + s * (1.0 / 3 + s * (1.0 / 5 + s * (1.0 / 7 + s * (1.0 / 9 + s / 11))))))
        for _ in 0..<3 { y = y + (a * exp(-y) - DoubleDouble(1)) }
        return y
    }

    private static let density = DoubleDouble(0.3989422804014327, -2.4923272022777433e-17)
    static let rootOfTwoOverPi = DoubleDouble(0.7978845608028654, -4.9846544045554866e-17)

    /// The normal distribution Φ(x) and its density. From −5 on Φ = ½ + φ(x)·(x + x³/3 + x⁵/15 + …); below the continued fraction
    /// φ(x)/(−x + 1/(−x + 2/(−x + 3/…))), of which 200 levels leave less than 1e-40.
    static func normalDistribution(_ x: DoubleDouble) -> (below: DoubleDouble, density: DoubleDouble) {
        let square = x * x, density = density * exp(square.times(-0.5))
        if x.high < -5 {
            var tail = -x
            for level in stride(from: 200.0, through: 1, by: -1) { tail = -x + DoubleDouble(level) / tail }
            return (density / tail, density)
        }
        guard x.high < 13 else { return (DoubleDouble(1), density) }
        var term = x, sum = x, n = 1.0
        while term.high.magnitude > 1e-34 * sum.high.magnitude {
            n += 2
            term = term * square / DoubleDouble(n)
            sum = sum + term
        }
        return (DoubleDouble(0.5) + density * sum, density)
    }
}

extension Activation {
    /// φ(z) and φ′(z) to about 30 digits: what float32 and float64 are judged by. Parameters are the float64 numbers that the activation has.
    func exact(_ z: DoubleDouble) -> (value: DoubleDouble, slope: DoubleDouble) {
        let one = DoubleDouble(1), zero = DoubleDouble(0), isPositive = z.high > 0
        /// σ(z), and 1 − σ(z).
        func logistic(_ z: DoubleDouble) -> (DoubleDouble, DoubleDouble) {
            let power = DoubleDouble.exp(-z.magnitude), large = one / (one + power), small = power / (one + power)
            return z.high < 0 ? (small, large) : (large, small)
        }
        func exponentialUnit(scale: DoubleDouble, alpha: DoubleDouble) -> (DoubleDouble, DoubleDouble) {
            isPositive ? (scale * z, scale) : (alpha * .exponentialMinusOne(z), alpha * .exp(z))
        }
        switch self {
        case .identity: return (z, one)
        case .relu: return isPositive ? (z, one) : (zero, zero)
        case .leakyReLU(let slope): return isPositive ? (z, one) : (DoubleDouble(slope) * z, DoubleDouble(slope))
        case .elu(let alpha): return exponentialUnit(scale: one, alpha: DoubleDouble(alpha))
        case .selu:
            let scale = DoubleDouble(1.0507009873554805)
            return exponentialUnit(scale: scale, alpha: scale * DoubleDouble(1.6732632423543772))
        case .gelu:
            let (below, density) = DoubleDouble.normalDistribution(z)
            return (z * below, below + z * density)
        case .geluTanh:
            let cube = DoubleDouble(0.044715) * z * z, inner = .rootOfTwoOverPi * z * (one + cube)
            let slope = .rootOfTwoOverPi * (one + DoubleDouble(3) * cube), (gate, rest) = logistic(inner + inner)
            return (z * gate, gate + DoubleDouble(2) * z * slope * gate * rest)
        case .silu:
            let (gate, rest) = logistic(z)
            return (z * gate, gate + z * gate * rest)
        case .tanh:
            let power = DoubleDouble.exp(DoubleDouble(-2) * z.magnitude), sum = one + power
            let value = -DoubleDouble.exponentialMinusOne(DoubleDouble(-2) * z.magnitude) / sum
            return (z.high < 0 ? -value : value, DoubleDouble(4) * power / (sum * sum))
        case .sigmoid:
            let (value, rest) = logistic(z)
            return (value, value * rest)
        case .softplus: return ((isPositive ? z : zero) + .log(one + .exp(-z.magnitude)), logistic(z).0)
        case .hardTanh: return z.high.magnitude < 1 ? (z, one) : (z.high > 0 ? one : -one, zero)
        }
    }
}
