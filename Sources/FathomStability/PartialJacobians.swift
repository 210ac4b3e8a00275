import Fathom
import Foundation

/// Partial Jacobians and what they say of criticality (Doshi, He & Gromov 2021, "Critical initialization of wide and deep neural networks through partial
/// Jacobians"): 𝒥(k) = E‖∂h_L/∂h_{L−k}‖²_F / size of h_L. It goes as e^(rate·k) off the critical point, as a power of k at it.
public struct PartialJacobians: Sendable {
    /// ln 𝒥(k) of each network, k = 0 … L − 1.
    public let logNorms: [[Double]]

    /// One network for each pass, by a standard normal error signal at h_L of every sample (Hutchinson 1990).
    public init(_ passes: [DepthPass], seed: UInt64 = 0) throws {
        logNorms = try passes.map { pass in
            let v = DepthPass.normal(pass.signals[pass.steps.count].count, seed: seed, stream: 0x504A)
            return try pass.logSquaredNorms(from: v).reversed().map { $0 - log(Double(v.count)) }
        }
    }

    public init(logNorms: [[Double]]) { self.logNorms = logNorms }

    /// The slope of ln 𝒥 against k, by least squares, over networks: 0 at the critical point, ln χ₁ off it.
    public var rate: SampleMean { SampleMean(logNorms.map { Self.slope($0) { Double($0) } }) }

    /// The slope of ln 𝒥 against ln k from k = 1 on: −ζ of the power law at the critical point.
    public var exponent: SampleMean { SampleMean(logNorms.map { Self.slope($0, from: 1) { log(Double($0)) } }) }

    /// Whether 𝒥 changes by less than the factor e over the whole depth, but for a power of k: the depth scale 1/|rate| is beyond the network.
    public var isCritical: Bool { rate.mean.magnitude * Double(max(1, (logNorms.first?.count ?? 1) - 1)) < 1 }

    private static func slope(_ y: [Double], from first: Int = 0, _ x: (Int) -> Double) -> Double {
        let points = y.indices.dropFirst(first).map { (x: x($0), y: y[$0]) }, n = Double(points.count)
        let mean = (x: points.reduce(0) { $0 + $1.x } / n, y: points.reduce(0) { $0 + $1.y } / n)
        let spread = points.reduce(0) { $0 + ($1.x - mean.x) * ($1.x - mean.x) }
        return points.reduce(0) { $0 + ($1.x - mean.x) * ($1.y - mean.y) } / spread
    }
}
