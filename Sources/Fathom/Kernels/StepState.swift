import CKernels

/// The numbers of a step that its calls share: the update's settings and results, the loss, and what clipping measures.
final class StepState {
    let update: UnsafeMutablePointer<Update>
    let loss: UnsafeMutablePointer<Double>
    let clipping: StepClipping

    /// What the optimizer's passes read: `update`, or, where they are run in the step that follows, a copy of it.
    let applied: UnsafeMutablePointer<Update>
    /// One over biases, gains and the like, and one over the weights, which decay; where they are run in the step that follows, one over the weights of each layer.
    private let passes: [OptimizerPass]
    private let segments: [UnsafeMutablePointer<PassSegment>]
    private let memory: Memory

    /// - Parameter deferring: whether the optimizer's passes are run in the step that follows.
    init(_ layout: ParameterLayout, optimizer: Optimizer, clipping: Clipping, deferring: Bool) throws {
        passes = Self.passes(layout, deferring)
        memory = try Memory(byteCount: Self.lay(passes, nil).byteCount)
        let (updates, loss, segments, _) = Self.lay(passes, memory)
        (update, applied, self.loss, self.segments) = (updates, deferring ? updates + 1 : updates, loss, segments)
        update.pointee = optimizer.update
        self.clipping = try StepClipping(layout, clipping: clipping, update: update, loss: loss)
    }

    private static func passes(_ layout: ParameterLayout, _ deferring: Bool) -> [OptimizerPass] {
        var weights = [OptimizerPass(layout, decaying: true)]
        if deferring {
            let layers = Set(layout.tensors.filter { $0.role == .weight }.map(\.layer)).sorted()
            weights = layers.map { OptimizerPass(layout, decaying: true, layer: $0) }
        }
        return ([OptimizerPass(layout, decaying: false)] + weights).filter { !$0.range.isEmpty }
    }

    private static func lay(_ passes: [OptimizerPass], _ memory: Memory?) -> (
        updates: UnsafeMutablePointer<Update>, loss: UnsafeMutablePointer<Double>, segments: [UnsafeMutablePointer<PassSegment>], byteCount: Int
    ) {
        var reservation = Reservation(in: memory)
        let updates = reservation.reserve(Update.self, count: 2), loss = reservation.reserve(Double.self, count: 1)
        let segments = passes.map { reservation.reserve(PassSegment.self, count: $0.segments.count) }
        return (updates, loss, segments, reservation.byteCount)
    }

    /// Bytes of it, with those of clipping.
    static func byteCount(_ layout: ParameterLayout, deferring: Bool) -> Int {
        lay(passes(layout, deferring), nil).byteCount + StepClipping.byteCount(layout)
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

    /// The optimizer's passes, none of which waits for another, each with its layer where it is over the weights of one.
    func passes(
        _ layout: ParameterLayout, _ optimizer: Optimizer, parameters: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>,
        moments: [UnsafeMutablePointer<Float>], instruments: LayerInstruments?
    ) -> [(layer: Int?, call: Call)] {
        let changes = instruments?.changes(layout)
        return zip(passes, segments).map { pass, segments in
            for (i, (tensor, block, segment)) in pass.segments.enumerated() {
                segments[i] = segment
                segments[i].changes = changes.map { $0[tensor] + 2 * block }
            }
            let first = pass.range.lowerBound
            func state(_ moment: Optimizer.Moment) -> UnsafeMutablePointer<Float>? {
                optimizer.moments.firstIndex(of: moment).map { moments[$0] + first }
            }
            let call = Call.optimize(
                optimizer, count: pass.count * Panels.width, p: parameters + first, g: gradients + first, m: state(.first), v: state(.second),
                decay: pass.decaying ? Float(optimizer.decay) : 0, update: applied, segments: segments, far: layout.count >= Self.far)
            return (pass.layer, call.overlapping())
        }
    }

    /// Parameters that with their gradients, their state and what else a step reads no third-level cache keeps until the next.
    private static let far = 1 << 19

    /// What was not finite in the last step.
    func notFinite(step: Int, _ fault: Fault?) -> FathomError {
        let loss = loss.pointee.isNaN ? Double.nan : loss.pointee, norm = update.pointee.gradient_norm
        let what = loss.isFinite ? "the gradient's norm is \(norm), at a loss of \(loss)" : "the loss is \(loss)"
        let first = fault.map { "; the first such value: \($0)" } ?? ""
        let after = fault?.pass == .parameters ? "" : "; the parameters are as they were before it"
        return .notFinite(step: step, "step \(step) is not finite: \(what)\(first)\(after)")
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
