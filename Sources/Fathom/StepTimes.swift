/// Where the time of a step goes: what a trainer's `timedStep` measures.
public struct StepTimes: Sendable {
    public struct Work: Sendable, Hashable {
        /// From the end of the call before to the end on all threads of each call.
        public var seconds = 0.0
        /// Of matrix products, a multiplication with its addition counted as two; what `recompute` makes again is not counted.
        public var productFlops = 0.0
        /// Of everything else, biases and activations fused into products included: by nominal counts, 20 for an activation.
        public var elementwiseFlops = 0.0
        /// Of those, what is fused into products.
        public var fusedFlops = 0.0
        /// Read and written by the calls that are not products, each operand once.
        public var bytes = 0.0
        public var calls = 0

        public init() {}

        public static func += (sum: inout Work, other: Work) {
            sum.seconds += other.seconds
            sum.productFlops += other.productFlops
            sum.elementwiseFlops += other.elementwiseFlops
            sum.fusedFlops += other.fusedFlops
            sum.bytes += other.bytes
            sum.calls += other.calls
        }
    }

    public struct Layer: Sendable, Hashable {
        /// "0.linear", "1.3.linear".
        public let name: String
        public let forward: Work
        /// With what `recompute` makes again. The derivative of the activation before a layer is in the layer's product.
        public let backward: Work
    }

    /// The whole step, with what is between the calls.
    public let seconds: Double
    /// In the order of the network; an activation that another layer's calls apply is not listed.
    public let layers: [Layer]
    /// The minibatch with its targets.
    public let gather: Work
    /// With the derivative of an activation at the very end.
    public let loss: Work
    /// The gradient's norm, whether it is clipped or not.
    public let clipping: Work
    /// With the moving average of the weights, and the clearing of gradients between passes.
    public let optimizer: Work
    /// Calls of their own; what the other calls gather on their way is in those.
    public let instruments: Work

    /// What is in no call. The start of the team of threads is in the first call, its end in the last.
    public var other: Double { seconds - total.seconds }

    /// Of all calls.
    public var total: Work {
        layers.reduce(into: [gather, loss, clipping, optimizer, instruments].reduce(into: Work(), +=)) { sum, layer in
            sum += layer.forward
            sum += layer.backward
        }
    }
}

extension Trainer {
    /// One step as `step(_:order:first:rows:)` takes it, the same bits, with the time of its parts. One thread reads the clock after every call: some 25 ns each.
    public func timedStep(_ samples: Samples, order: [UInt32], first: Int, rows: Int) throws -> StepTimes {
        let times = CallTimes(layers: live.network.size)
        runner.times = times
        defer { runner.times = nil }
        let begin = ContinuousClock.now
        try step(samples, order: order, first: first, rows: rows)
        return StepTimes(times, live.network, seconds: (.now - begin) / .seconds(1))
    }
}
