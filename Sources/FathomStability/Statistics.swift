import Foundation

/// A mean with its standard error.
public struct SampleMean: Sendable, Hashable {
    public let mean: Double
    /// Of a draw: the root of Σ(x − mean)²/(n − 1).
    public let deviation: Double
    /// NaN of fewer than two draws.
    public let standardError: Double

    public init(_ draws: [Double]) {
        let n = Double(draws.count), mean = draws.reduce(0, +) / n
        self.mean = mean
        deviation = draws.count < 2 ? .nan : (draws.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)).squareRoot()
        standardError = deviation / n.squareRoot()
    }

    /// Of a function of a mean, its error carried over.
    init(mean: Double, standardError: Double, draws: Int) {
        (self.mean, self.standardError, deviation) = (mean, standardError, standardError * Double(draws).squareRoot())
    }
}

/// The t that Student's distribution exceeds, up or down, with a probability of 5 %: exact for one and two degrees of freedom, beyond to 1 % (Abramowitz & Stegun 26.7.5).
func studentQuantile(degreesOfFreedom n: Int) -> Double {
    guard n > 2 else { return n == 2 ? 0.95 * (2 / (1 - 0.95 * 0.95)).squareRoot() : n == 1 ? tan(0.475 * .pi) : .infinity }
    let z = 1.959963985, x = z * z, v = Double(n)
    return z * (1 + (x + 1) / (4 * v) + ((5 * x + 16) * x + 3) / (96 * v * v) + (((3 * x + 19) * x + 17) * x - 15) / (384 * v * v * v))
}

/// ψ(x) = d ln Γ(x)/dx for x > 0, to about 1e-14: by ψ(x) = ψ(x + 1) − 1/x up to 10, there by the asymptotic series (Abramowitz & Stegun 6.3.18).
public func digamma(_ x: Double) -> Double {
    var x = x, sum = 0.0
    while x < 10 {
        sum -= 1 / x
        x += 1
    }
    let inverse = 1 / (x * x)
    let series = inverse * (1.0 / 12 - inverse * (1.0 / 120 - inverse * (1.0 / 252 - inverse * (1.0 / 240 - inverse * (1.0 / 132 - inverse * 691 / 32760)))))
    return sum + log(x) - 0.5 / x - series
}
