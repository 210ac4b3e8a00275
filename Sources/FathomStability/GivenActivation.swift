import Fathom
import Foundation

/// An activation known by its values alone, and its mean-field theory: all that `MeanField` says of the library's own.
public struct GivenActivation: Sendable {
    public let name: String
    private let function: @Sendable (Double) -> (value: Double, slope: Double)
    private let kinks: [Double]
    private let isHomogeneous: Bool

    /// - Parameters:
    ///   - kinks: where φ′ jumps, beyond 0, ±½, ±1, ±2, ±4 … ±64.
    ///   - slope: φ′; nil: by central differences over 2·2⁻¹⁷·max(1, |x|), within about 1e-10 where φ is smooth.
    public init(
        _ name: String, kinks: [Double] = [], slope: (@Sendable (Double) -> Double)? = nil, _ value: @escaping @Sendable (Double) -> Double
    ) {
        let derivative = slope ?? { x in
            let h = 0x1p-17 * max(1, x.magnitude)
            return (value(x + h) - value(x - h)) / (2 * h)
        }
        (self.name, self.kinks) = (name, kinks)
        function = { (value($0), derivative($0)) }
        isHomogeneous = [0.3, 1.7, -0.3, -1.7].allSatisfy { value(2 * $0) == 2 * value($0) }
    }

    /// Given as a table: straight lines between its points, and on beyond the outermost.
    /// - Throws: `FathomError.invalid` unless there are two points at least, finite, with rising x.
    public init(_ name: String, points: [(x: Double, value: Double)]) throws(FathomError) {
        guard points.count >= 2 else { throw .invalid("an activation given as a table needs two points; this one has \(points.count)") }
        for (i, (before, next)) in zip(points, points.dropFirst()).enumerated() {
            guard before.x < next.x, [before.x, next.x, before.value, next.value].allSatisfy(\.isFinite) else {
                throw .invalid("points \(i + 1) and \(i + 2) of the table of \(name) are not finite with rising x")
            }
        }
        @Sendable func line(_ x: Double) -> (value: Double, slope: Double) {
            let next = min(max(1, points.firstIndex { $0.x >= x } ?? points.count), points.count - 1)
            let (a, b) = (points[next - 1], points[next]), slope = (b.value - a.value) / (b.x - a.x)
            return (a.value + slope * (x - a.x), slope)
        }
        self.name = name
        function = line
        kinks = points.map(\.x)
        isHomogeneous = [0.3, 1.7, -0.3, -1.7].allSatisfy { line(2 * $0).value == 2 * line($0).value }
    }

    private var source: VarianceMap.Source { VarianceMap.Source(name: name, isHomogeneous: isHomogeneous, kinks: kinks, function: function) }
    private func map(_ weightVariance: Double, _ biasVariance: Double) -> VarianceMap {
        VarianceMap(source, weightVariance: weightVariance, biasVariance: biasVariance)
    }

    /// V(q).
    public func variance(after q: Double, weightVariance: Double, biasVariance: Double) -> Double { map(weightVariance, biasVariance).variance(after: q) }

    /// χ₁(q).
    public func chi(at q: Double, weightVariance: Double) -> Double { map(weightVariance, 0).chi(at: q) }

    /// q*, V′(q*) and χ₁(q*) from a variance on: see `MeanField.fixedPoint(from:)`.
    public func fixedPoint(weightVariance: Double, biasVariance: Double, from start: Double = 1) -> MeanField.FixedPoint? {
        map(weightVariance, biasVariance).fixedPoint(from: start)
    }

    /// σ_w² and q* of the critical line: see `MeanField.critical`.
    public func critical(biasVariance: Double) throws(FathomError) -> (weightVariance: Double, point: MeanField.FixedPoint) {
        try source.critical(biasVariance: biasVariance)
    }
}
