import CKernels

/// The update of a large network's parameters, which the next step makes on its way forward: that of a layer's weights beside the product of a layer before.
///
/// An optimizer's pass waits for memory, a product for multiply-adds. Where cores share their way to memory one of them draws as much from it as all do together; so a thread
/// that updates takes nothing from one that multiplies, and in a group of both every other thread begins with the other.
struct DeferredUpdate {
    /// Weights, padding included, from which a step's own update is slower: below, the caches keep a part of what it reads.
    @TaskLocal package static var least = 1_500_000

    /// Whether a training leaves its updates to the step that follows. Not where the step itself goes on with the new parameters (a moving average) or begins by
    /// clearing the gradients (several passes), nor where somebody looks at all of them after each step (full instruments).
    static func isWorth(_ layout: ParameterLayout, passes: Int, ema: Double?, instruments: Trainer.Instruments) -> Bool {
        passes == 1 && ema == nil && instruments != .full && layout.decayingCount >= max(1, least)
    }

    /// What its calls read: finite where there is one to make.
    private let update: UnsafeMutablePointer<Update>
    /// Of what does not decay.
    private let rest: [Call]
    /// Of each layer's weights, in the order of the layers.
    private let weights: [(layer: Int, call: Call)]

    /// - Parameter passes: see `StepState.passes`.
    init(_ passes: [(layer: Int?, call: Call)], update: UnsafeMutablePointer<Update>) {
        rest = passes.filter { $0.layer == nil }.map(\.call)
        weights = passes.compactMap { pass in pass.layer.map { ($0, pass.call) } }
        self.update = update
        update.pointee.finite = false
    }

    /// Whether there is one to make.
    var isWaiting: Bool { update.pointee.finite }

    /// Has that of a step just taken wait; none, where the step is not finite.
    func hold(_ next: Update) { update.pointee = next }

    /// Makes it now.
    func make(threads: Int) {
        guard isWaiting else { return }
        var calls = rest + weights.map(\.call)
        calls[calls.count - 1].overlaps = false
        run(calls, threads: threads)
        update.pointee.finite = false
    }

    /// The calls of a step, of which the first two gather the minibatch, with this update's among them: those of a layer in a group that ends before it is needed.
    func among(_ calls: [Call]) -> [Call] {
        var next = 0
        func take(overlapping: Bool) -> Call {
            defer { next += 1 }
            return weights[next].call.overlapping(overlapping)
        }
        // What does not decay is little, and nothing waits for the first weights but the first product.
        var result = calls.prefix(2).map { $0.overlapping() } + rest + [take(overlapping: false)], begin = 2
        while begin < calls.count {
            let end = (calls[begin...].firstIndex { !$0.overlaps } ?? calls.count - 1) + 1, group = calls[begin..<end]
            let layer = group.contains(where: \.isLoss) ? .max : group.compactMap(\.forwardLayer).max() ?? -1
            while next < weights.count, weights[next].layer <= layer { result.append(take(overlapping: false)) }
            if next < weights.count, group.contains(where: \.isProduct) { result.append(take(overlapping: true)) }
            result += group
            begin = end
        }
        return result
    }
}

extension Call {
    /// Whether it multiplies, on its way forward, and not a link of a chain that an update would break.
    fileprivate var isProduct: Bool { operation == FATHOM_GEMM_FORWARD && arguments.gemm_forward.inputs > 0 && !by_rows }
}
