import Fathom
import Foundation

/// How the squared norm of the error signal changes from step to step of depth, output to input, over networks drawn anew.
public struct SignalRate: Sendable {
    /// ln‖∂L/∂h_l‖² of each network, l = 1 … L.
    public let logSquaredNorms: [[Double]]

    /// - Precondition: every network has the same number of steps.
    public init(logSquaredNorms: [[Double]]) { self.logSquaredNorms = logSquaredNorms }

    /// Steps of depth.
    public var depth: Int { logSquaredNorms.first?.count ?? 0 }

    /// exp of the mean over networks of (ln‖∂L/∂h_a‖² − ln‖∂L/∂h_b‖²)/(b − a), with its standard error over networks: above 1 the signal grows toward the
    /// input. nil where a is not below b.
    ///
    /// - Parameter steps: a … b; nil: 1 … L.
    public func rate(over steps: ClosedRange<Int>? = nil) -> (rate: Double, standardError: Double)? {
        let steps = steps ?? 1...max(1, depth), length = Double(steps.count - 1)
        guard length > 0, steps.upperBound <= depth else { return nil }
        let mean = SampleMean(changes(over: steps).map { $0 / length })
        return (exp(mean.mean), exp(mean.mean) * mean.standardError)
    }

    /// ln‖∂L/∂h_a‖² − ln‖∂L/∂h_b‖² over networks: its deviation is what finite width makes of it. Theory has the square of that for one sample, per step:
    /// `MeanField.fluctuation(at:width:)`.
    public func fluctuation(over steps: ClosedRange<Int>? = nil) -> SampleMean { SampleMean(changes(over: steps ?? 1...max(1, depth))) }

    private func changes(over steps: ClosedRange<Int>) -> [Double] { logSquaredNorms.map { $0[steps.lowerBound - 1] - $0[steps.upperBound - 1] } }
}

extension SignalRate {
    /// Of networks drawn anew.
    ///
    /// - Parameters:
    ///   - networks: how many; seeds are `seed`, `seed` + 1, ….
    ///   - loss: nil: a random error signal at the output.
    ///   - model: the network drawn from a seed.
    public init(networks: Int, seed: UInt64 = 0, samples: Samples, loss: Loss? = nil, model: (UInt64) throws -> Model) throws {
        self.init(logSquaredNorms: try (0..<UInt64(networks)).map { i in
            let pass = try DepthPass(model(seed &+ i), samples)
            return try pass.logSquaredNorms(ofError: loss.map { try pass.lossError($0, targets: samples.targets) } ?? pass.randomError(seed: seed &+ i))
        })
    }
}
