import Fathom
import Foundation

/// Exponential rates at which a product of many matrices stretches: λᵢ = lim (1/k)·ln σᵢ(Aₖ⋯A₁), in nats per factor, in falling order.
///
/// Of the backward dynamical system the factors are the transposed Jacobians of the steps of depth, from the output down, or those of the time steps of a
/// recurrent layer, from the last. By repeated QR: λᵢ is the mean of ln|rᵢᵢ| over factors (Benettin et al. 1980). Their sum is the mean of ln|det Aₖ|, exactly.
public struct LyapunovSpectrum: Sendable, Hashable {
    /// −∞ where a direction is mapped to 0.
    public let exponents: [Double]
    /// Of each exponent; NaN where one factor, or one network, tells none, or the exponent is −∞.
    public let standardError: [Double]

    public var largest: Double { exponents.max() ?? -.infinity }
    /// Over those that are finite; NaN where none is.
    public var mean: Double {
        let finite = exponents.filter(\.isFinite)
        return finite.reduce(0, +) / Double(finite.count)
    }
    /// Directions mapped to 0.
    public var collapsed: Int { exponents.count { $0 == -.infinity } }

    /// Of one product: the standard error is over its factors, from means of √k blocks of them where there are many, since factors side by side need not be
    /// independent.
    ///
    /// - Parameter growth: ln|rᵢᵢ| of every factor, as `GradedProduct` has it.
    public init(growth: [[Double]]) {
        let blocks = growth.count < 32 ? growth.count : Int(Double(growth.count).squareRoot())
        let means = (0..<blocks).map { block in
            Self.mean(growth[block * growth.count / blocks..<(block + 1) * growth.count / blocks])
        }
        exponents = Self.mean(growth[...])
        standardError = Self.standardError(means)
    }

    /// Of networks drawn anew: means over them, with the standard error over them.
    public init(networks: [LyapunovSpectrum]) {
        let all = networks.map(\.exponents)
        exponents = Self.mean(all[...])
        standardError = networks.count == 1 ? networks[0].standardError : Self.standardError(all)
    }

    private static func mean(_ rows: ArraySlice<[Double]>) -> [Double] {
        guard var sum = rows.first else { return [] }
        for row in rows.dropFirst() { for i in sum.indices { sum[i] += row[i] } }
        return sum.map { $0 / Double(rows.count) }
    }

    private static func standardError(_ samples: [[Double]]) -> [Double] {
        (samples.first ?? []).indices.map { i in SampleMean(samples.map { $0[i] }).standardError }
    }

    /// The spectrum of products of independent Gaussian matrices [size × size] whose elements have variance `variance` (Newman 1986, "The distribution of
    /// Lyapunov exponents: exact results for random matrices"): λᵢ = ½·(ln 2s² + ψ((n − i + 1)/2)). The variance of ln|rᵢᵢ| is ψ′((n − i + 1)/2)/4.
    public static func gaussian(size: Int, variance: Double) -> [Double] {
        (1...size).map { 0.5 * (log(2 * variance) + digamma(Double(size - $0 + 1) / 2)) }
    }
}

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
