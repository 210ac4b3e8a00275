import Fathom
import Foundation

/// Exponential rates at which a product of many matrices stretches: λᵢ = lim (1/k)·ln σᵢ(Aₖ⋯A₁), in nats per factor. They come
/// in the order of QR's diagonal, which falls once the factors are many.
///
/// Of the backward dynamical system the factors are the transposed Jacobians of the steps of depth, from the output down, or those of the time steps of a
/// recurrent layer, from the last. By repeated QR: λᵢ is the mean of ln|rᵢᵢ| over factors (Benettin et al. 1980). Their sum is the mean of ln|det Aₖ|, exactly.
public struct LyapunovSpectrum: Sendable, Hashable {
    /// −∞ where a direction is mapped to 0.
    public let exponents: [Double]
    /// Of each exponent; NaN where one factor, or one network, tells none, or the exponent is −∞.
    public let standardError: [Double]
    /// How many means the standard errors are of.
    public let draws: Int

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
        (standardError, draws) = (Self.standardError(means), blocks)
    }

    /// Of networks drawn anew: means over them, with the standard error over them.
    public init(networks: [LyapunovSpectrum]) {
        let all = networks.map(\.exponents)
        exponents = Self.mean(all[...])
        (standardError, draws) = networks.count == 1 ? (networks[0].standardError, networks[0].draws) : (Self.standardError(all), networks.count)
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
