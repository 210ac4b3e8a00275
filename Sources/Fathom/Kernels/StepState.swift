import CKernels

/// The numbers of a step that its calls share: the update's settings and results, the loss, the norms.
final class StepState {
    let update: UnsafeMutablePointer<Update>
    let loss: UnsafeMutablePointer<Double>
    /// Of every tensor's gradient, before clipping.
    let norms: UnsafeBufferPointer<Double>

    private let memory: Memory
    private let ends: UnsafeMutablePointer<Int>
    private let sums: UnsafeMutablePointer<Double>
    private let clippedSums: UnsafeMutablePointer<Double>?
    private let tensorNorms: UnsafeMutablePointer<Double>

    init(_ layout: ParameterLayout, optimizer: Optimizer, clipping: Clipping) throws {
        let panels = layout.tensors.map { Panels.panels($0.columns) }
        let clipsValues = if case .value = clipping { true } else { false }
        func lay(_ memory: Memory?) -> (Reservation, UnsafeMutablePointer<Update>, [UnsafeMutablePointer<Double>], UnsafeMutablePointer<Int>) {
            var reservation = Reservation(in: memory)
            let update = reservation.reserve(Update.self, count: 1)
            let total = panels.reduce(0, +)
            let doubles = [1, total, clipsValues ? total : 0, layout.tensors.count].map { reservation.reserve(Double.self, count: $0) }
            let ends = reservation.reserve(Int.self, count: layout.tensors.count)
            return (reservation, update, doubles, ends)
        }
        memory = try Memory(byteCount: lay(nil).0.byteCount)
        let (_, update, doubles, ends) = lay(memory)
        self.update = update
        loss = doubles[0]
        sums = doubles[1]
        clippedSums = clipsValues ? doubles[2] : nil
        tensorNorms = doubles[3]
        norms = UnsafeBufferPointer(start: tensorNorms, count: layout.tensors.count)
        self.ends = ends
        var end = 0
        for (i, count) in panels.enumerated() {
            end += count
            ends[i] = end
        }
        update.pointee = optimizer.update
        update.pointee.clip_norm = .infinity
        update.pointee.clip_value = .infinity
        switch clipping {
        case .none: break
        case .norm(let threshold): update.pointee.clip_norm = Float(threshold)
        case .value(let threshold): update.pointee.clip_value = Float(threshold)
        }
    }

    /// Sets what changes from step to step (from 1).
    func prepare(_ optimizer: Optimizer, learningRate: Double, step: Int) {
        update.pointee.learning_rate = Float(learningRate)
        switch optimizer {
        case .sgd, .rmsProp, .lion: break
        case .adam(_, let beta1, let beta2, _), .adamW(_, let beta1, let beta2, _, _):
            // Of the β the kernels hold: 1 − Float(0.999) differs from 0.001 in the fifth digit.
            update.pointee.correction1 = Float(1 / (1 - power(Double(Float(beta1)), step)))
            update.pointee.correction2 = Float(1 / (1 - power(Double(Float(beta2)), step)).squareRoot())
        }
    }

    /// What follows the backward pass: the norm of every gradient, the clipping factor, one pass of the optimizer over what decays and one over the rest.
    func calls(
        _ layout: ParameterLayout, _ optimizer: Optimizer, parameters: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>,
        moments: [UnsafeMutablePointer<Float>]
    ) -> [Call] {
        var calls: [Call] = [], panel = 0
        for tensor in layout.tensors {
            let clipped = clippedSums.map { $0 + panel }
            calls.append(.squaredNorm(tensor.panels(in: gradients), clipValue: update.pointee.clip_value, sums: sums + panel, clipped: clipped))
            panel += Panels.panels(tensor.columns)
        }
        calls.append(.clip(tensors: layout.tensors.count, ends: ends, sums: sums, clipped: clippedSums, loss: loss, norms: tensorNorms, update: update))
        for (range, decay) in [(0..<layout.decayingCount, optimizer.decay), (layout.decayingCount..<layout.count, 0)] where !range.isEmpty {
            func state(_ moment: Optimizer.Moment) -> UnsafeMutablePointer<Float>? {
                optimizer.moments.firstIndex(of: moment).map { moments[$0] + range.lowerBound }
            }
            calls.append(.optimize(
                optimizer, count: range.count, p: parameters + range.lowerBound, g: gradients + range.lowerBound, m: state(.first), v: state(.second),
                decay: Float(decay), update: update))
        }
        return calls
    }

    /// What was not finite in the last step.
    func notFinite(step: Int) -> FathomError {
        let loss = loss.pointee.isNaN ? Double.nan : loss.pointee, norm = update.pointee.gradient_norm
        let what = loss.isFinite ? "the gradient's norm is \(norm), at a loss of \(loss)" : "the loss is \(loss)"
        return .notFinite(step: step, "step \(step) is not finite: \(what); the parameters are as they were before it")
    }
}

extension Optimizer {
    /// An array of state, as large as the parameters. Its name is that in checkpoints.
    enum Moment: String {
        /// adam's and lion's mean of the gradient, the velocity of sgd and rmsprop.
        case first
        /// adam's and rmsprop's mean of the gradient's square.
        case second
    }

    var moments: [Moment] {
        switch self {
        case .sgd(_, let momentum, _, _): momentum == 0 ? [] : [.first]
        case .adam, .adamW: [.first, .second]
        case .rmsProp(_, _, let momentum, _, _): momentum == 0 ? [.second] : [.first, .second]
        case .lion: [.first]
        }
    }

    /// Decoupled weight decay.
    var decay: Double {
        switch self {
        case .sgd(_, _, _, let decay), .adamW(_, _, _, _, let decay), .rmsProp(_, _, _, _, let decay), .lion(_, _, _, let decay): decay
        case .adam: 0
        }
    }

    fileprivate var update: Update {
        var update = Update()
        switch self {
        case .sgd(_, let momentum, let nesterov, _):
            update.momentum = Float(momentum)
            update.nesterov = nesterov
        case .adam(_, let beta1, let beta2, let epsilon), .adamW(_, let beta1, let beta2, let epsilon, _):
            update.beta1 = Float(beta1)
            update.beta2 = Float(beta2)
            update.epsilon = Float(epsilon)
        case .rmsProp(_, let rho, let momentum, let epsilon, _):
            update.beta2 = Float(rho)
            update.momentum = Float(momentum)
            update.epsilon = Float(epsilon)
        case .lion(_, let beta1, let beta2, _):
            update.beta1 = Float(beta1)
            update.beta2 = Float(beta2)
        }
        return update
    }
}
