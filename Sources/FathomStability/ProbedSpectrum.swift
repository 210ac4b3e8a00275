import Fathom
import Foundation

/// What can be known of ∂h_L/∂h₁ without writing a Jacobian out: for layers that are wide, and for batch normalization, whose Jacobian is the batch's.
public struct ProbedSpectrum: Sendable {
    /// ln σ of the largest ones, in falling order. Each is at most the true one; the first is within a few percent as a rule.
    public let logLargest: [Double]
    /// ½·ln of the mean of σ² over the directions, by Hutchinson's probes, with its standard error.
    public let logRMS: SampleMean
    /// Of the backward system: its largest exponents, as many as directions are followed.
    public let lyapunov: LyapunovSpectrum
    public let steps: Int
    /// Whether the steps are time steps.
    public let isOverTime: Bool

    /// Block power iteration with QR at every step of depth: error signals go back by the training's own kernels, directions forward by differences, which
    /// decide where to look but not what is found there.
    ///
    /// - Parameters:
    ///   - directions: followed; about half of them have converged.
    ///   - rounds: there and back again.
    ///   - probes: of the mean square.
    public init(_ pass: DepthPass, sample: Int = 0, directions: Int = 8, rounds: Int = 2, probes: Int = 16, seed: UInt64 = 0) throws {
        try pass.checkFinite()
        let last = pass.steps.count, range = (last == 1 ? 1 : 2)...last
        func backward(_ start: GradedProduct) throws -> GradedProduct {
            var product = start
            for l in range.reversed() where product.rank > 0 {
                product.take(try pass.backward(l, product.directions, sample: sample), rounding: 0x1p-21)
            }
            return product
        }
        var product = try backward(GradedProduct(columns: pass.size(last), directions: directions, seed: seed))
        lyapunov = LyapunovSpectrum(growth: product.growth)
        for _ in 0..<rounds where product.rank > 0 {
            var q = product.directions
            for l in range { q = try pass.forwardDifference(l, q, sample: sample).qr().q }
            product = try backward(GradedProduct(start: q))
        }
        (logLargest, steps, isOverTime) = (try product.logSingularValues(), range.count, false)
        logRMS = try Self.logRMS(range, rows: pass.size(last), probes: probes, seed: seed) { try pass.backward($0, $1, sample: sample) }
    }

    /// Of ∂s_T/∂s₁, without power iteration: over many time steps a few random directions turn to the ones that grow most by themselves.
    public init(_ pass: RecurrentPass, sample: Int = 0, directions: Int = 8, probes: Int = 16, seed: UInt64 = 0) throws {
        let range = 2...max(2, pass.steps), back = try pass.backward(sample: sample, columns: max(directions, probes))
        var product = GradedProduct(columns: pass.stateSize, directions: directions, seed: seed)
        for t in range.reversed() where t <= pass.steps && product.rank > 0 { product.take(back(t, product.directions), rounding: 0x1p-21) }
        (logLargest, lyapunov) = (try product.logSingularValues(), LyapunovSpectrum(growth: product.growth))
        (steps, isOverTime) = (max(0, pass.steps - 1), true)
        logRMS = pass.steps < 2
            ? SampleMean([0]) : try Self.logRMS(range, rows: pass.stateSize, probes: probes, seed: seed) { back($0, $1) }
    }

    private static func logRMS(
        _ range: ClosedRange<Int>, rows: Int, probes: Int, seed: UInt64, back: (Int, Matrix) throws -> Matrix
    ) throws -> SampleMean {
        var random = CounterRandom(seed: seed, stream: 0x524D53), logScale = 0.0
        var v = Matrix(rows: rows, columns: probes, values: (0..<rows * probes).map { _ in random.normal() })
        for l in range.reversed() {
            let largest = v.values.reduce(0) { max($0, $1.magnitude) }
            guard largest > 0 else { break }
            logScale += log(largest)
            v = try back(l, Matrix(rows: v.rows, columns: probes, values: v.values.map { $0 / largest }))
        }
        let squares = (0..<probes).map { i in v.values[i * v.rows..<(i + 1) * v.rows].reduce(0) { $0 + $1 * $1 } }, mean = SampleMean(squares)
        let directions = Double(min(v.rows, rows))
        return SampleMean(mean: 0.5 * log(mean.mean / directions) + logScale, standardError: mean.standardError / (2 * mean.mean), draws: probes)
    }
}
