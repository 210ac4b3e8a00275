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

    /// The same for an error signal at h_L, down to h₁, or to another.
    func logSquaredNorms(from error: [Float], downTo first: Int = 1, through logSquare: Double = 0) throws -> [Double] {
        try checkFinite()
        var norms: [Double] = [], v = error, logSquare = logSquare
        for l in (first...steps.count).reversed() {
            let (unit, logScale) = Self.scaled(v)
            logSquare += 2 * logScale
            norms.append(log(unit.reduce(0) { $0 + Double($1) * Double($1) }) + logSquare)
            guard l > first else { break }
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
    static func scaled(_ v: [Float]) -> ([Float], Double) {
        let largest = v.reduce(0) { max($0, $1.magnitude) }
        guard largest > 0, largest.isFinite else { return (v, 0) }
        // A subnormal's own power would have no reciprocal.
        let exponent = max(Int(largest.exponent), -126), factor = Float(sign: .plus, exponent: -exponent, significand: 1)
        return (v.map { $0 * factor }, Double(exponent) * log(2))
    }
}
