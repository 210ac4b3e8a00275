import Fathom
import Foundation

/// The singular values of ∂h_L/∂h₁ = J_L⋯J₂ at one sample (∂h₁/∂h₀ of a network of one step), with the bound Π‖J_l‖₂ and the Lyapunov spectrum beside.
/// Exact: every J_l is written out.
public struct DepthSpectrum: Sendable {
    /// ln σ, in falling order; −∞ for zero.
    public let logSingularValues: [Double]
    /// Σ ln‖J_l‖₂: what the chain of norms says of the largest.
    public let logBound: Double
    /// Of the backward system over the steps, in nats per step of depth.
    public let lyapunov: LyapunovSpectrum
    /// Steps multiplied.
    public let steps: Int
    /// Whether the steps are time steps.
    public let isOverTime: Bool

    /// - Throws: `FathomError.invalid` where the forward pass overflowed, `FathomError.tooLarge` beyond `DepthPass.widestExact`.
    public init(_ pass: DepthPass, sample: Int = 0, seed: UInt64 = 0) throws {
        if let step = pass.overflow { throw FathomError.invalid("the forward pass overflows at step \(step); there is no gradient behind it") }
        let last = pass.steps.count, range = (last == 1 ? 1 : 2)...last
        var product = GradedProduct(columns: pass.size(last), seed: seed), bound = 0.0
        for l in range.reversed() {
            let factor = try pass.backwardFactor(l, sample: sample)
            bound += log(factor.largestSingularValue())
            product.multiply(by: factor, rounding: pass.rounding(l))
        }
        let gradient = product.rows
        logSingularValues = Array(try product.logSingularValues().prefix(min(gradient, pass.size(last))))
        (logBound, steps, isOverTime) = (bound, range.count, false)
        lyapunov = LyapunovSpectrum(growth: product.growth)
    }

    /// The same of ∂s_T/∂s₁ of a recurrent layer, over its time steps.
    /// - Throws: `FathomError.tooLarge` of states beyond `DepthPass.widestExact`.
    public init(_ pass: RecurrentPass, sample: Int = 0, seed: UInt64 = 0) throws {
        guard pass.stateSize <= DepthPass.widestExact else {
            throw FathomError.tooLarge("a Jacobian of \(pass.stateSize) × \(pass.stateSize) is not written out, only up to \(DepthPass.widestExact)")
        }
        var product = GradedProduct(columns: pass.stateSize, seed: seed), bound = 0.0
        try pass.forEachBackwardFactor(sample: sample) { factor in
            bound += log(factor.largestSingularValue())
            product.multiply(by: factor)
        }
        (logSingularValues, lyapunov) = (try product.logSingularValues(), LyapunovSpectrum(growth: product.growth))
        (logBound, steps, isOverTime) = (bound, max(0, pass.steps - 1), true)
    }

    /// The root of the mean of σ² over all directions: what a random error signal grows by, up to the ratio of widths.
    public var logRMS: Double {
        guard let largest = logSingularValues.first, largest.isFinite else { return -.infinity }
        let sum = logSingularValues.reduce(0) { $0 + exp(2 * ($1 - largest)) }
        return largest + 0.5 * log(sum / Double(logSingularValues.count))
    }
    public var logLargest: Double { logSingularValues.first ?? -.infinity }
    public var logSmallest: Double { logSingularValues.last ?? -.infinity }
    public var logMedian: Double {
        let n = logSingularValues.count
        return n == 0 ? -.infinity : (logSingularValues[(n - 1) / 2] + logSingularValues[n / 2]) / 2
    }
    public var logCondition: Double { logLargest - logSmallest }
    /// Directions mapped to 0.
    public var collapsed: Int { logSingularValues.count { $0 == -.infinity } }
    /// Share of directions that grow by more than 1 % over the whole depth; rounding alone counts for neither.
    public var growing: Double { share { $0 > 0.01 } }
    /// Share of those that shrink by more than 1 %.
    public var shrinking: Double { share { $0 < -0.01 } }

    private func share(_ condition: (Double) -> Bool) -> Double {
        Double(logSingularValues.count(where: condition)) / Double(max(1, logSingularValues.count))
    }
}

extension DepthPass {
    /// Of the product's factors, n³ of each, n the larger of a step's sizes: what writing it out costs.
    package var productWork: Double {
        let last = steps.count
        return ((last == 1 ? 1 : 2)...last).reduce(0) { $0 + pow(Double(max(size($1 - 1), size($1))), 3) }
    }
}

extension RecurrentPass {
    /// The same over the time steps.
    package var productWork: Double { Double(steps) * pow(Double(stateSize), 3) }
}
