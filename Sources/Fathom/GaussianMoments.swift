/// Expectations of an activation over x = √q·z with z standard normal: what mean-field theory is made of. To about 13 digits.
///
/// The integrals run over |z| ≤ 9, beyond which less than 1e-16 of a quadratic function is left, by the Gauss–Legendre rule of 20 points on
/// panels that end wherever the integrand may not be smooth: at every 1½ of z for the density, at x = 0, ±½, ±1, ±2 … ±64 for the
/// activation. So its kinks (0, ±1) are ends of panels, and no panel is long against its distance from the singularities of tanh and its
/// kin, which lie above x = 0 in the complex plane. (Gauss–Hermite with 100 points knows neither kinks nor large q: its E[φ′²] is 4 % off
/// for hardtanh at q = 1, 9 % for tanh at q = 16.)
package struct GaussianMoments {
    /// E[φ].
    package private(set) var mean = 0.0
    /// E[φ²].
    package private(set) var square = 0.0
    /// E[φ′²].
    package private(set) var slopeSquare = 0.0
    /// E[φ′⁴].
    package private(set) var slopeFourth = 0.0
    /// dE[φ²]/dq = E[φ′² + φφ″] = E[z·φφ′]/√q, by Stein's lemma; the last form needs no φ″ and minds no kinks.
    package private(set) var growth = 0.0

    /// - Parameter q: Positive. Where φ(0) ≠ 0, `growth` loses digits below q = 1e-8.
    init(_ activation: Activation, variance q: Double) { self.init(activation.function, variance: q) }

    /// Of φ given as value and slope; `kinks`: further |x| at which it is not smooth.
    package init(_ function: (Double) -> (value: Double, slope: Double), kinks: [Double] = [], variance q: Double) {
        let scale = q.squareRoot()
        let ends = (Self.ends(scale: scale) + kinks.map { $0.magnitude / scale }.filter { $0 < 9 }).sorted()
        for (start, end) in zip(ends, ends.dropFirst()) {
            let middle = (start + end) / 2, half = (end - start) / 2
            for (node, weight) in Self.rule {
                let z = middle + half * node, mass = half * weight * normalDensity(z)
                let above = function(scale * z), below = function(-scale * z)
                mean += mass * (above.value + below.value)
                square += mass * (above.value * above.value + below.value * below.value)
                slopeSquare += mass * (above.slope * above.slope + below.slope * below.slope)
                slopeFourth += mass * (power(above.slope, 4) + power(below.slope, 4))
                growth += mass * z * (above.value * above.slope - below.value * below.slope)
            }
        }
        growth /= scale
    }

    /// The limit for q → 0 where φ(0) = 0; of relu and its kin the moments at any variance.
    package init(limitOf function: (Double) -> (value: Double, slope: Double), variance q: Double = 0) {
        let above = function(.leastNormalMagnitude).slope, below = function(-.leastNormalMagnitude).slope
        slopeSquare = (above * above + below * below) / 2
        slopeFourth = (power(above, 4) + power(below, 4)) / 2
        growth = slopeSquare
        square = q * slopeSquare
        mean = (above - below) * (q / 2 / .pi).squareRoot()
    }

    /// Ends of panels in z, from 0 to 9.
    private static func ends(scale: Double) -> [Double] {
        let density = stride(from: 0, through: 9, by: 1.5)
        let activation = (-1...6).map { Double(sign: .plus, exponent: $0, significand: 1) / scale }.filter { $0 < 9 }
        return density + activation
    }

    /// Nodes and weights of Gauss–Legendre on [−1, 1]: the roots of P₂₀ by Newton's method and 2/((1 − x²)·P₂₀′(x)²).
    private static let rule: [(node: Double, weight: Double)] = {
        let points = 20
        func legendre(_ x: Double) -> (value: Double, slope: Double) {
            var before = 1.0, value = x
            for n in 2...points { (before, value) = (value, (Double(2 * n - 1) * x * value - Double(n - 1) * before) / Double(n)) }
            return (value, Double(points) * (before - x * value) / (1 - x * x))
        }
        return (1...points).map { i in
            var x = cosPi((Double(i) - 0.25) / (Double(points) + 0.5))
            for _ in 0..<5 {
                let p = legendre(x)
                x -= p.value / p.slope
            }
            let slope = legendre(x).slope
            return (x, 2 / ((1 - x * x) * slope * slope))
        }
    }()
}
