/// The norms of a step's gradient and what clipping makes of them.
///
/// `none`, `norm` alone and `value` alone are FATHOM_CLIP and the optimizer's pass. Of any other list the calls pause: Swift takes the norm through the
/// stages that multiply the whole gradient by one number, and the calls go on.
final class StepClipping {
    /// Of every tensor's gradient, before clipping.
    let norms: UnsafeBufferPointer<Double>
    /// What clipping remembers from step to step.
    var state: ClippingState

    private let stages: [Clipping.Stage]
    private let isScalar: Bool
    private let layout: ParameterLayout
    private let update: UnsafeMutablePointer<Update>
    private let loss: UnsafePointer<Double>
    private let memory: Memory
    private let buffers: Buffers
    private var decisions: [ClippingCalls.Decision] = []

    struct Buffers {
        /// Of every panel's squares; of the clipped values' too where value clips alone.
        let sums: UnsafeMutablePointer<Double>
        let clippedSums: UnsafeMutablePointer<Double>
        /// Of the blocks of the weights, as the backward pass leaves them.
        let squares: UnsafeMutablePointer<Double>
        let norms: UnsafeMutablePointer<Double>
        /// Panels up to the end of each tensor.
        let ends: UnsafeMutablePointer<Int>
        /// The norm, measured again after the gradient has changed.
        let again: UnsafeMutablePointer<Update>
        /// What the last pause decided.
        let factor: UnsafeMutablePointer<Float>

        fileprivate init(_ reservation: inout Reservation, _ layout: ParameterLayout) {
            let tensors = layout.tensors.count, blocks = layout.weightBlocks, panels = layout.tensors.reduce(0) { $0 + Panels.panels($1.columns) }
            sums = reservation.reserve(Double.self, count: panels)
            clippedSums = reservation.reserve(Double.self, count: panels)
            squares = reservation.reserve(Double.self, count: blocks)
            norms = reservation.reserve(Double.self, count: tensors)
            ends = reservation.reserve(Int.self, count: tensors)
            again = reservation.reserve(Update.self, count: 1)
            factor = reservation.reserve(Float.self, count: 1)
        }
    }

    /// - Parameter update: whose limits this sets, and whose results are this step's.
    init(_ layout: ParameterLayout, clipping: Clipping, update: UnsafeMutablePointer<Update>, loss: UnsafePointer<Double>) throws {
        (self.layout, self.update, self.loss) = (layout, update, loss)
        stages = clipping.gradientStages
        isScalar = stages.allSatisfy(\.isScalar)
        state = ClippingState(clipping)
        memory = try Memory(byteCount: Self.byteCount(layout))
        var placed = Reservation(in: memory)
        buffers = Buffers(&placed, layout)
        norms = UnsafeBufferPointer(start: buffers.norms, count: layout.tensors.count)
        var end = 0
        for (i, tensor) in layout.tensors.enumerated() {
            end += Panels.panels(tensor.columns)
            buffers.ends[i] = end
        }
        for limits in [update, buffers.again] { (limits.pointee.clip_norm, limits.pointee.clip_value) = (.infinity, .infinity) }
        guard stages.count == 1 else { return }
        switch stages[0] {
        case .norm(let largest): update.pointee.clip_norm = Float(largest)
        case .value(let largest): update.pointee.clip_value = Float(largest)
        default: break
        }
    }

    /// Bytes of its buffers, whatever the stages; what `percentile` remembers comes on top, 8 bytes a step.
    static func byteCount(_ layout: ParameterLayout) -> Int {
        var measured = Reservation()
        _ = Buffers(&measured, layout)
        return measured.byteCount
    }

    /// The calls that follow the backward pass.
    func calls(parameters: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>) -> [Call] {
        if stages.isEmpty || update.pointee.clip_norm.isFinite || update.pointee.clip_value.isFinite {
            let clipped = update.pointee.clip_value.isFinite ? buffers.clippedSums : nil
            return squaredNorms(gradients, afterBackward: true, clipped: clipped) + [total(into: update, clipped: clipped, norms: buffers.norms)]
        }
        let list = ClippingCalls(self, stages, layout, buffers, update, parameters: parameters, gradients: gradients)
        decisions = list.decisions
        return list.calls
    }

    /// - Parameter afterBackward: whether the gradient is still what the backward pass has left, and summed the squares of.
    func squaredNorms(_ gradients: UnsafeMutablePointer<Float>, afterBackward: Bool, clipped: UnsafeMutablePointer<Double>? = nil) -> [Call] {
        var panel = 0
        var calls = layout.tensors.map { tensor in
            defer { panel += Panels.panels(tensor.columns) }
            let squares = afterBackward && tensor.role == .weight ? UnsafePointer(buffers.squares + tensor.firstBlock) : nil
            return Call.squaredNorm(
                tensor.panels(in: gradients), squares: squares, clipValue: update.pointee.clip_value, sums: buffers.sums + panel,
                clipped: clipped.map { $0 + panel }).overlapping()
        }
        if let last = calls.indices.last { calls[last].overlaps = false }
        return calls
    }

    /// Where the backward pass leaves the sums of squares of the weights' gradients.
    var squares: UnsafeMutablePointer<Double> { buffers.squares }

    func total(
        into update: UnsafeMutablePointer<Update>, clipped: UnsafeMutablePointer<Double>? = nil, norms: UnsafeMutablePointer<Double>? = nil
    ) -> Call {
        .clip(tensors: layout.tensors.count, ends: buffers.ends, sums: buffers.sums, clipped: clipped, loss: loss, norms: norms, update: update)
    }

    /// Runs a step's calls, of which those of `calls(…)` come after the first `count`. Stops at the first pause of a step that is not finite: its gradient
    /// changes nothing that is remembered.
    func run(_ calls: [Call], after count: Int, threads: Int, _ times: CallTimes?) {
        var begin = 0
        // Over indices: unspecialized, as in debug builds, an array's iterator allocates.
        for i in decisions.indices {
            let end = count + decisions[i].callsBefore
            Fathom.run(calls, begin..<end, threads: threads, times)
            guard update.pointee.finite else { return }
            decide(decisions[i])
            begin = end
        }
        Fathom.run(calls, begin..<calls.count, threads: threads, times)
    }

    private func decide(_ decision: ClippingCalls.Decision) {
        let before = decision.measured.pointee.gradient_norm
        var after = before
        for i in decision.stages.indices { after = state.clip(after, by: decision.stages[i]) }
        let coefficient = after < before ? Float(after / before) : 1
        buffers.factor.pointee = coefficient
        update.pointee.clip_coefficient = coefficient
        update.pointee.clipped_gradient_norm = before * Double(coefficient)
    }

    /// What every gradient of the last step was multiplied by; where it was not one number, the norm after over the norm before.
    var coefficient: Double {
        if isScalar { return Double(update.pointee.clip_coefficient) }
        let before = update.pointee.gradient_norm
        return before > 0 ? update.pointee.clipped_gradient_norm / before : 1
    }
}
