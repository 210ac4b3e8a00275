import Fathom
import Foundation

/// What can be known of ∂h_L/∂h₁ without writing a Jacobian out: for layers that are wide, and for batch normalization, whose Jacobian is the batch's.
public struct ProbedSpectrum: Sendable {
    /// ln σ of the largest ones, in falling order. Each is at most the true one; the first, which is at least what any probe grew by and the root of their mean
    /// square, is within a few percent as a rule.
    public let logLargest: [Double]
    /// ½·ln of the mean of σ² over the directions, by probes, with its standard error.
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
        // A pass costs by its steps more than by its columns: the probes go with the directions.
        var product = GradedProduct(columns: pass.size(last), directions: directions, seed: seed), signals = Probes(rows: pass.size(last), count: probes, seed: seed)
        for l in range.reversed() {
            let count = product.rank, scaled = signals.scaled()
            let images = try pass.backward(l, count > 0 ? product.directions.beside(scaled) : scaled, sample: sample)
            if count > 0 { product.take(images.firstColumns(count), rounding: 0x1p-21) }
            signals.values = images.lastColumns(scaled.columns)
        }
        (lyapunov, logRMS) = (LyapunovSpectrum(growth: product.growth), signals.logRMS)
        for _ in 0..<rounds where product.rank > 0 {
            var q = product.directions
            for l in range { q = try pass.forwardDifference(l, q, sample: sample).qr().q }
            product = GradedProduct(start: q)
            for l in range.reversed() where product.rank > 0 {
                product.take(try pass.backward(l, product.directions, sample: sample), rounding: 0x1p-21)
            }
        }
        (logLargest, steps, isOverTime) = (signals.raised(try product.logSingularValues()), range.count, false)
    }

    /// Of ∂s_T/∂s₁, without power iteration: over many time steps a few random directions turn to the ones that grow most by themselves.
    public init(_ pass: RecurrentPass, sample: Int = 0, directions: Int = 8, probes: Int = 16, seed: UInt64 = 0) throws {
        let range = 2...max(2, pass.steps), back = try pass.backward(sample: sample, columns: max(directions, probes))
        var product = GradedProduct(columns: pass.stateSize, directions: directions, seed: seed)
        for t in range.reversed() where t <= pass.steps && product.rank > 0 { product.take(back(t, product.directions), rounding: 0x1p-21) }
        var signals = Probes(rows: pass.stateSize, count: probes, seed: seed)
        for t in range.reversed() where t <= pass.steps { signals.values = back(t, signals.scaled()) }
        (logLargest, logRMS) = (signals.raised(try product.logSingularValues()), signals.logRMS)
        (lyapunov, steps, isOverTime) = (LyapunovSpectrum(growth: product.growth), max(0, pass.steps - 1), true)
    }
}

/// Random error signals on their way back, scaled to about 1 at each step. They begin as orthonormal vectors: what each grows by is at most the largest σ, an
/// isometry leaves them all alone, and as many as there are directions tell the mean square exactly.
private struct Probes {
    /// One a column.
    var values: Matrix
    private let rows: Int
    private var logScale = 0.0

    init(rows: Int, count: Int, seed: UInt64) {
        var random = CounterRandom(seed: seed, stream: 0x524D53)
        let count = min(count, rows)
        self.rows = rows
        values = Matrix(rows: rows, columns: count, values: (0..<rows * count).map { _ in random.normal() }).qr().q
    }

    /// Where all are 0 they stay so.
    mutating func scaled() -> Matrix {
        let largest = values.values.reduce(0) { max($0, $1.magnitude) }
        guard largest > 0 else { return values }
        logScale += log(largest)
        return Matrix(rows: values.rows, columns: values.columns, values: values.values.map { $0 / largest })
    }

    /// The squares of what they have grown by, but for the scale.
    private var squares: [Double] {
        let n = values.rows
        return (0..<values.columns).map { i in values.values[i * n..<(i + 1) * n].reduce(0) { $0 + $1 * $1 } }
    }

    /// ½·ln of the mean of σ²: tr(JJᵀ)/rows is the mean of ‖Jᵀv‖² over directions v (Hutchinson 1990).
    var logRMS: SampleMean {
        let mean = SampleMean(squares), ratio = Double(rows) / Double(min(values.rows, rows)), isAll = values.columns == rows
        return SampleMean(
            mean: 0.5 * log(mean.mean * ratio) + logScale, standardError: isAll ? 0 : mean.standardError / (2 * mean.mean), draws: values.columns)
    }

    /// Logarithms of the largest singular values, from below, the first of which is no less than what is known from here.
    func raised(_ found: [Double]) -> [Double] {
        let least = max(0.5 * log(squares.max() ?? 0) + logScale, logRMS.mean)
        return found.enumerated().map { $0 == 0 && least > $1 ? least : $1 }
    }
}
