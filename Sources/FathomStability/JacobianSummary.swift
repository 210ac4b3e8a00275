import Fathom

/// What the singular values of one layer's Jacobian say.
public struct JacobianSummary: Sendable, Hashable {
    public let largest: Double
    /// Of as many as the smaller of inputs and outputs; 0 of a layer that maps a direction to 0, nil where the Jacobian was only probed.
    public let smallest: Double?
    /// Σσ² over their number.
    public let meanSquare: Double
    /// Infinite where a direction is mapped to 0.
    public var condition: Double? { smallest.map { largest / $0 } }

    public init(largest: Double, smallest: Double?, meanSquare: Double) { (self.largest, self.smallest, self.meanSquare) = (largest, smallest, meanSquare) }

    /// Of a Jacobian or its transpose, by its singular values.
    /// - Parameter rounding: what counts as 0, relative to the largest; nil: float64's.
    public init(_ jacobian: Matrix, rounding: Double? = nil) throws(FathomError) {
        let values = try jacobian.singularValues()
        let least = (values.first ?? 0) * (rounding ?? Double(max(jacobian.rows, jacobian.columns)) * 0x1p-52)
        largest = values.first ?? 0
        smallest = values.last.map { $0 > least ? $0 : 0 } ?? 0
        meanSquare = values.reduce(0) { $0 + $1 * $1 } / Double(max(1, values.count))
    }

    /// Of a map known by its products: the largest by `steps` steps of Golub–Kahan–Lanczos, from below; the mean square by `probes` of Hutchinson's probes.
    public init(probing map: LinearMap, steps: Int = 16, probes: Int = 16, seed: UInt64 = 0) throws {
        largest = try map.largestSingularValues(steps: steps, seed: seed).first ?? 0
        smallest = nil
        meanSquare = try map.squaredFrobeniusNorm(probes: probes, seed: seed).mean / Double(max(1, min(map.rows, map.columns)))
    }
}

extension DepthPass {
    /// Of J_l at a sample, l from 1: exact up to `widestExact`, by probes beyond.
    public func jacobianSummary(_ l: Int, sample: Int = 0, seed: UInt64 = 0) throws -> JacobianSummary { try map(l).jacobianSummary(sample: sample, seed: seed) }
}
