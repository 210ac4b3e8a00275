import Fathom
import Foundation

/// A cure tried on a network: what the gradient does then.
public struct Advice: Sendable {
    public let cure: Cure
    /// ln of the largest singular value of ∂h_L/∂h₁; from below where it is probed.
    public let logLargest: Double
    /// ½·ln of the mean of σ².
    public let logRMS: Double
    /// ln of what is left of the difference between two samples: that of h_L beside that of h₁, each relative to the signal's size. Far below 0, samples cannot
    /// be told apart any more at the output, however well the gradient comes through.
    public let logContrast: Double
    /// Nats per step; NaN where the forward pass overflows.
    public let largestExponent: Double
    /// Whether it is told of time rather than of depth.
    public let isOverTime: Bool
    /// Whether the numbers are by probes: of many steps of many numbers.
    public let isProbed: Bool
    public let judgement: Judgement

    /// How far from an isometry it is, in nats: |ln rms σ|, half of what the largest direction grows by, and half of the contrast lost. 0 is best.
    public var distance: Double { logRMS.magnitude + 0.5 * max(0, logLargest) + 0.5 * max(0, -logContrast) }

    /// n³ for each factor of a product: more than this is probed.
    static let exactWork = 2e8

    /// Of a network drawn and run over a batch; of a recurrent one over depth or over time, where it is further from an isometry. O(steps · width³) at one
    /// sample up to `exactWork`, beyond O(steps · directions · width²).
    public init(_ cure: Cure, _ model: Model, _ samples: Samples, seed: UInt64 = 0) throws {
        let pass = try DepthPass(model, samples)
        self.cure = cure
        if let step = pass.overflow {
            (logLargest, logRMS, logContrast, largestExponent, isOverTime, isProbed) = (.infinity, .infinity, 0, .nan, false, false)
            judgement = Judgement(overflowAt: step, of: pass.steps.count)
            return
        }
        let one = samples.selecting(0..<1)
        let gains = try [Gain(pass, seed: seed)] + model.network.layers.indices.filter { model.network.layers[$0] is Recurrent }.map {
            try Gain(RecurrentPass(model, one, position: $0), seed: seed)
        }
        let gain = gains.max { $0.distance < $1.distance }!
        (logLargest, logRMS, largestExponent) = (gain.logLargest, gain.logRMS, gain.largestExponent)
        (isOverTime, isProbed) = (gain.isOverTime, gain.isProbed)
        logContrast = pass.logContrast(pass.steps.count) - pass.logContrast(1)
        judgement = gain.judgement
    }

    /// Every cure of a network, the best first: those that leave it stable, by their distance, then the others by theirs; of equally near ones (to a twentieth of a nat) that
    /// comes first which is nearer once the learned scales of its residual blocks have grown to 1/√depth. Those that cannot be made into a model
    /// are left out, and those that come to the same as a better one.
    ///
    /// They are tried side by side, on as many threads as there are; each has its own parameters and a batch's signals in memory.
    ///
    /// - Parameters:
    ///   - samples: a batch, of two rows at least.
    ///   - initializer: of layers that do not say; nil: what fits. Cures take its place.
    ///   - seed: of the networks' parameters.
    ///   - progress: is told, from any thread, that one more of so many is tried.
    public static func all(
        for network: Network, samples: Samples, outputs: Int? = nil, initializer: Initializer? = nil, details: Model.Details = .init(), seed: UInt64 = 0,
        progress: @Sendable (_ count: Int) -> Void = { _ in }
    ) throws -> [Advice] {
        let cures = network.cures(initializer: initializer)
        let tried = try concurrentMap(cures.count) { place -> Advice? in
            defer { progress(cures.count) }
            let cure = cures[place]
            guard let model = try? Model(cure.network, inputs: samples.columns, outputs: outputs, seed: seed, details: details, samples: samples) else { return nil }
            return try Advice(cure, model, samples, seed: seed)
        }.compactMap(\.self)
        // A rezero block is the identity at the start, whatever is inside: such cures are equally near. What is inside counts once the scales have grown.
        func whenGrown(_ advice: Advice) -> Double {
            let grown = advice.cure.network.description.replacingOccurrences(of: "residual(rezero)", with: "residual(scale: 1/sqrt(depth))")
            return tried.first { $0.cure.network.description == grown }?.distance ?? advice.distance
        }
        let keys = tried.enumerated().map { offset, advice in
            // Sorting must not depend on the sort: equal ones stay in the order of the cures.
            let key = [advice.judgement.verdict == .stable ? 0 : 1, (advice.distance * 20).rounded(), whenGrown(advice), advice.distance, Double(offset)]
            return key.map { $0.isNaN ? .infinity : $0 }
        }
        let sorted = tried.indices.sorted { keys[$0].lexicographicallyPrecedes(keys[$1]) }.map { tried[$0] }
        return sorted.reduce(into: []) { kept, next in
            if !kept.contains(where: { $0.isSame(as: next) }) { kept.append(next) }
        }
    }

    /// Whether another cure is this one under another name: the same layers, and initializers that come to the same; over time also whatever does not touch the cell.
    private func isSame(as other: Advice) -> Bool {
        func near(_ a: Double, _ b: Double) -> Bool { a == b || abs(a - b) < 1e-6 * max(1, abs(a)) }
        guard near(logRMS, other.logRMS), near(logLargest, other.logLargest), isOverTime == other.isOverTime else { return false }
        return isOverTime || near(logContrast, other.logContrast) && cure.network.withoutInitializers == other.cure.network.withoutInitializers
    }
}

extension DepthPass {
    /// ln of the share of h_l that tells samples apart: the root of Σ(h − mean over samples)²/Σh².
    func logContrast(_ l: Int) -> Double {
        let width = signals[l].count / samples
        var square = 0.0, spread = 0.0
        for column in 0..<width {
            let values = stride(from: column, to: signals[l].count, by: width).map { Double(signals[l][$0]) }
            let mean = values.reduce(0, +) / Double(samples)
            for value in values {
                square += value * value
                spread += (value - mean) * (value - mean)
            }
        }
        return square > 0 && samples > 1 ? 0.5 * log(max(spread / square, 1e-30)) : 0
    }
}

/// What a product of Jacobians does, exactly or by probes.
private struct Gain {
    let logLargest, logRMS, largestExponent: Double
    let isOverTime, isProbed: Bool
    let judgement: Judgement

    var distance: Double { logRMS.magnitude + 0.5 * max(0, logLargest) }

    init(_ pass: DepthPass, seed: UInt64) throws {
        if pass.productWork <= Advice.exactWork { self.init(try DepthSpectrum(pass, seed: seed)) } else {
            self.init(try ProbedSpectrum(pass, directions: 4, rounds: 1, probes: 8, seed: seed))
        }
    }

    init(_ pass: RecurrentPass, seed: UInt64) throws {
        if pass.productWork <= Advice.exactWork { self.init(try DepthSpectrum(pass, seed: seed)) } else {
            self.init(try ProbedSpectrum(pass, directions: 32, probes: 8, seed: seed))
        }
    }

    private init(_ spectrum: DepthSpectrum) {
        (logLargest, logRMS, largestExponent) = (spectrum.logLargest, spectrum.logRMS, spectrum.lyapunov.largest)
        (isOverTime, isProbed, judgement) = (spectrum.isOverTime, false, Judgement(spectrum))
    }

    private init(_ spectrum: ProbedSpectrum) {
        (logLargest, logRMS, largestExponent) = (spectrum.logLargest.first ?? -.infinity, spectrum.logRMS.mean, spectrum.lyapunov.largest)
        (isOverTime, isProbed, judgement) = (spectrum.isOverTime, true, Judgement(spectrum))
    }
}
