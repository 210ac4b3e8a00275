import Fathom
import Foundation

extension DepthPass {
    /// A standard normal error signal at the network's output.
    public func randomError(seed: UInt64) -> [Float] { Self.normal(outputs.count, seed: seed, stream: 0x455252) }

    /// ∂L/∂outputs of a loss whose targets are those of the samples that the pass was made of.
    /// - Throws: `FathomError.invalid` where the targets are not what the loss takes.
    public func lossError(_ loss: Loss, targets: Samples.Targets) throws -> [Float] {
        try checkFinite()
        let steps = model.outputSteps, width = model.outputs * (steps ?? 1)
        var details = model.details
        details.inputStandardization = nil
        let identity = try Model(Network(steps.map { "sequence(\($0)) identity" } ?? "identity"), inputs: width, outputs: model.outputs, details: details)
        return try identity.gradients(of: Samples(columns: width, features: .floats(outputs), targets: targets), loss: loss).inputs
    }

    /// ln‖∂L/∂h_l‖² over the batch, l = 1 … L, for an error signal at the network's output. The signal is scaled to a largest element of 1 before each step, so
    /// that it neither underflows nor overflows; −∞ where it is zero.
    public func logSquaredNorms(ofError error: [Float]) throws -> [Double] {
        try checkFinite()
        let last = steps[steps.count - 1].upperBound, end = model.network.layers.count
        guard last < end else { return try logSquaredNorms(from: error, through: 0) }
        var (v, logScale) = Self.scaled(error)
        let tail = try Segment(model, layers: last..<end, rows: samples)
        _ = tail.forward(signals[steps.count])
        v = tail.products(v)
        return try logSquaredNorms(from: v, through: 2 * logScale)
    }

    /// The same for an error signal at h_L, down to h₁.
    func logSquaredNorms(from error: [Float], through logSquare: Double = 0) throws -> [Double] {
        try checkFinite()
        var norms: [Double] = [], v = error, logSquare = logSquare
        for l in (1...steps.count).reversed() {
            let (unit, logScale) = Self.scaled(v)
            logSquare += 2 * logScale
            norms.append(log(unit.reduce(0) { $0 + Double($1) * Double($1) }) + logSquare)
            guard l > 1 else { break }
            let segment = try Segment(model, layers: steps[l - 1], rows: samples)
            _ = segment.forward(signals[l - 1])
            v = segment.products(unit)
        }
        return norms.reversed()
    }

    func checkFinite() throws(FathomError) {
        if let overflow { throw .invalid("the forward pass overflows at step \(overflow); there is no gradient behind it") }
    }

    static func normal(_ count: Int, seed: UInt64, stream: UInt64) -> [Float] {
        var random = CounterRandom(seed: seed, stream: stream)
        return (0..<count).map { _ in Float(random.normal()) }
    }

    /// Divided by the power of two next to its largest element, and the logarithm of that.
    private static func scaled(_ v: [Float]) -> ([Float], Double) {
        let largest = v.reduce(0) { max($0, $1.magnitude) }
        guard largest > 0, largest.isFinite else { return (v, 0) }
        // A subnormal's own power would have no reciprocal.
        let exponent = max(Int(largest.exponent), -126), factor = Float(sign: .plus, exponent: -exponent, significand: 1)
        return (v.map { $0 * factor }, Double(exponent) * log(2))
    }
}

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
