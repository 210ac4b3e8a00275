/// Lays out the calls of a list of clipping stages. Those that bound elements, tensors or units change the gradient in place. Those that multiply all of it
/// by one number wait for the next decision, which takes all of them at once; the optimizer's pass applies the last one. The norm is measured
/// where a stage or the step's record needs it.
struct ClippingCalls {
    private(set) var calls: [Call] = []
    private(set) var decisions: [Decision] = []

    /// What is decided between two of the calls.
    struct Decision {
        let callsBefore: Int
        /// In order; none: the coefficient is 1.
        let stages: [Clipping.Stage]
        /// Where the norm before them is found.
        let measured: UnsafePointer<Update>
    }

    private let step: StepClipping
    private let layout: ParameterLayout
    private let buffers: StepClipping.Buffers
    private let parameters: UnsafeMutablePointer<Float>
    private let gradients: UnsafeMutablePointer<Float>
    private var waiting: [Clipping.Stage] = []
    /// Where the norm was last measured.
    private var measured: UnsafeMutablePointer<Update>
    /// Whether the panels' sums, and the norm of all, are those of the gradient as the calls so far leave it.
    private var hasSums = false, hasNorm = false

    /// - Parameter update: where the norm before clipping goes, with whether the step is finite; later ones go to `buffers.again`.
    init(
        _ step: StepClipping, _ stages: [Clipping.Stage], _ layout: ParameterLayout, _ buffers: StepClipping.Buffers, _ update: UnsafeMutablePointer<Update>,
        parameters: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>
    ) {
        (self.step, self.layout, self.buffers, self.parameters, self.gradients) = (step, layout, buffers, parameters, gradients)
        measured = update
        measureSums()
        calls.append(step.total(into: update, norms: buffers.norms))
        hasNorm = true
        for stage in stages {
            if stage.isScalar {
                measureNorm()
                waiting.append(stage)
            } else {
                clip(by: stage)
                (hasSums, hasNorm) = (false, false)
            }
        }
        measureNorm()
        decide()
    }

    private mutating func measureSums() {
        guard !hasSums else { return }
        calls += step.squaredNorms(gradients, afterBackward: calls.isEmpty)
        hasSums = true
    }

    private mutating func measureNorm() {
        guard !hasNorm else { return }
        measureSums()
        measured = buffers.again
        calls.append(step.total(into: measured))
        hasNorm = true
    }

    private mutating func decide() {
        decisions.append(Decision(callsBefore: calls.count, stages: waiting, measured: UnsafePointer(measured)))
        waiting = []
    }

    private mutating func clip(by stage: Clipping.Stage) {
        let limit: Float = if case .value(let largest) = stage { Float(largest) } else { .infinity }
        let factor = waiting.isEmpty ? nil : UnsafePointer(buffers.factor)
        if factor != nil { decide() }
        if factor != nil || limit.isFinite {
            calls.append(.clipValues(gradients, count: layout.count, factor: factor, limit: limit))
            hasSums = false
        }
        switch stage {
        case .tensorNorm(let largest): clipTensors(limit: largest)
        case .unitNorm(let largest): clipUnits(limit: largest)
        case .adaptive(let ratio, let floor): clipUnits(limit: ratio, floor: floor)
        case .value, .norm, .percentile, .zscore, .timeNorm: break
        }
    }

    private mutating func clipTensors(limit: Double) {
        measureSums()
        var panel = 0
        for tensor in layout.tensors {
            let panels = Panels.panels(tensor.columns)
            calls.append(.clipTensor(gradients + tensor.offset, count: tensor.count, sums: buffers.sums + panel, panels: panels, limit: limit))
            panel += panels
        }
    }

    /// A weight's units are its columns; a tensor of one dimension is one unit, as in the code of Brock et al.
    private mutating func clipUnits(limit: Double, floor: Double? = nil) {
        for tensor in layout.tensors {
            calls.append(.clipUnits(
                tensor.panels(in: gradients), parameters: floor == nil ? nil : tensor.panels(in: parameters), whole: tensor.role != .weight, limit: limit,
                floor: floor ?? 0))
        }
    }
}
