import Fathom
import Foundation

/// What the gradient does before the first step of a training, from one forward and one backward pass over a few samples.
public struct GradientAtStart: Sendable, Hashable {
    /// log₁₀ of what a random error signal at h_L grows by on its way to h₁ (to h₀ of a network of one step), the root of the mean of σ²; of a recurrent network
    /// whose gradient changes more over time, from the last time step to the first. −∞ where nothing is left; +∞ where the forward pass overflows.
    public let log10Gain: Double
    /// Steps of depth, or time steps.
    public let steps: Int
    /// Stable, vanishing or exploding, by `Verdict.threshold`. Both at once, by direction, is beyond one error signal.
    public let verdict: Verdict
    /// The step, from 1, at which the forward pass overflows, one more than there are where only what follows them does; nil where it does not.
    public let overflow: Int?
    /// What a step is: "layer", "block", "step of depth", "time step".
    public let noun: String

    /// The mean of σ² of 16 samples is within about 25 %/√width of that of many; the Jacobian of a batch that layers mix is one sample, and is of more rows.
    static let rows = 16, mixedRows = 64
    /// Over time every row costs a pass of the cell for each time step.
    static let rowsOverTime = 4

    /// O(parameters · rows).
    ///
    /// - Parameter samples: a batch of which the first rows are taken, 16, with batch normalization 64.
    /// - Throws: `FathomError.invalid` where the samples do not fit the model, there are none, or the network has no layer with weights.
    public init(_ model: Model, _ samples: Samples, seed: UInt64 = 0) throws {
        // So few rows are as fast on one thread, and no other program can hold it up.
        self = try Kernels.$threadLimit.withValue(1) { try GradientAtStart(onThisThread: model, samples, seed: seed) }
    }

    private init(onThisThread model: Model, _ samples: Samples, seed: UInt64) throws {
        let network = model.network, batch = samples.selecting(0..<min(samples.count, network.mixesRows ? Self.mixedRows : Self.rows))
        let pass = try DepthPass(model, batch)
        let depth = pass.steps.count, noun = network.nounOfStep
        if let step = pass.overflow {
            self.init(logGain: .infinity, steps: depth, noun: noun, overflow: step)
            return
        }
        // Not a number: infinity on the way back.
        let found = try pass.logRMS(ofErrorSeeded: seed), logGain = found.isNaN ? .infinity : found, overTime = try Self.overTime(model, batch, seed: seed)
        if let overTime, overTime.logGain.magnitude > logGain.magnitude {
            self.init(logGain: overTime.logGain, steps: overTime.steps, noun: "time step")
        } else {
            self.init(logGain: logGain, steps: depth, noun: noun)
        }
    }

    init(logGain: Double, steps: Int, noun: String, overflow: Int? = nil) {
        (self.steps, self.noun, self.overflow) = (steps, noun, overflow)
        log10Gain = logGain / log(10)
        verdict = Verdict(logLargest: logGain, logMedian: nil, logRMS: logGain)
    }

    /// Of the recurrent layer whose gradient changes most from its last time step to its first: the root of the mean over samples of the squared gain.
    private static func overTime(_ model: Model, _ samples: Samples, seed: UInt64) throws -> (logGain: Double, steps: Int)? {
        let few = samples.selecting(0..<min(samples.count, rowsOverTime))
        let gains = try model.network.layers.indices.filter { model.network.layers[$0] is Recurrent }.map { position in
            let pass = try RecurrentPass(model, few, position: position)
            let error = DepthPass.normal(pass.samples * pass.stateSize, seed: seed, stream: 0x47415453)
            let logSquares = try pass.logGradientNorms(ofError: error).map { 2 * ($0[$0.count - 1] - $0[0]) }
            return (logGain: 0.5 * logMean(logSquares), steps: pass.steps)
        }
        return gains.max { $0.logGain.magnitude < $1.logGain.magnitude }
    }

    /// `gradient at the start: ×3.2e-9 over 64 layers: vanishing. fathom-profiler gradients … shows cures`
    ///
    /// - Parameter arguments: of fathom-profiler gradients, for this very network.
    public func sentence(arguments: String = "…") -> String {
        let cures = verdict == .stable ? "" : ". fathom-profiler gradients \(arguments) shows cures"
        if let overflow {
            let place = overflow > steps ? "behind the last \(noun)" : "at \(noun) \(overflow) of \(steps)"
            return "gradient at the start: the forward pass overflows \(place): \(verdict.rawValue)\(cures)"
        }
        let gain = factorText(log10Gain * log(10))
        return "gradient at the start: \(gain) over \(steps) \(steps == 1 ? noun : noun.plural): \(verdict.rawValue)\(cures)"
    }
}

extension DepthPass {
    /// ½·ln of the mean of σ² of ∂h_L/∂h₁ (∂h₁/∂h₀ of one step), over the samples and over as many directions as the smaller of both sizes: by Hutchinson's
    /// probes, one a sample.
    func logRMS(ofErrorSeeded seed: UInt64) throws -> Double {
        let last = steps.count, first = last == 1 ? 0 : 1
        let error = Self.normal(signals[last].count, seed: seed, stream: 0x47415453)
        let norms = try logSquaredNorms(from: error, downTo: first)
        return 0.5 * (norms[0] - norms[norms.count - 1] + log(Double(size(last)) / Double(max(1, min(size(first), size(last))))))
    }
}

/// ln of the mean of numbers given by their logarithms.
func logMean(_ logs: [Double]) -> Double {
    guard let largest = logs.max(), largest.isFinite else { return logs.max() ?? -.infinity }
    return largest + log(logs.reduce(0) { $0 + exp($1 - largest) } / Double(logs.count))
}

extension String {
    /// "steps of depth", "layers".
    var plural: String { self == "step of depth" ? "steps of depth" : self + "s" }
}
