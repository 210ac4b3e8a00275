/// The products with the input are made for all steps at once; then, step by step, the products with the state continue their chains, on views of the rows of
/// a step. On the way back a step's gradient is that from above plus what the step after it sends, made in place.
extension Recurrent: PlannedLayer {
    func parameters(_ input: Shape) -> [ParameterTensor.Request] {
        [.init(name: "weight_ih_l0", role: .weight, rows: input.columns, columns: width, groups: gates),
         .init(name: "weight_hh_l0", role: .weight, rows: width, columns: width, groups: gates)]
            + (bias ? ["bias_ih_l0", "bias_hh_l0"].map { .init(name: $0, role: .vector, rows: 1, columns: width, groups: gates) } : [])
    }

    /// A state's gradient comes from above and from the step after it: only the layer sees both.
    var gathering: SignalGathering { if case .rnn = cell { .byStep } else { .byLayer } }

    func flops(_ input: Shape) -> Int {
        let products = 2 * gates * width * (input.columns + width), pointwise = gates == 1 ? 2 * width : 12 * width
        return (products + pointwise) * (input.steps ?? 1)
    }

    func initialize(_ tensors: ArraySlice<ParameterTensor>, drawing: Drawing) throws {
        let tensors = Array(tensors), stateInitializer = drawing.recurrent(recurrentInitializer, own: initializer)
        try drawing.draw(tensors[0], bias: bias ? tensors[2] : nil, hidden: width)
        try drawing.draw(tensors[1], bias: bias ? tensors[3] : nil, hidden: width, by: stateInitializer)
        guard bias else { return }
        switch cell {
        // torch is what it is for comparisons, a forget bias of 1, the default here, no part of it.
        case .lstm(let forget) where chrono == nil && forget != 0 && !(forget == 1 && drawing.isFrameworkDefault(initializer)):
            drawing.fill(tensors[2], group: 1, with: Float(forget))
        case .lstm where chrono != nil:
            drawing.chrono(tensors[2], group: 1, longest: chrono!, negatedInto: 0)
            for group in 0..<2 { drawing.fill(tensors[3], group: group, with: 0) }
        case .gru where chrono != nil:
            drawing.chrono(tensors[2], group: 1, longest: chrono!, negatedInto: nil)
            drawing.fill(tensors[3], group: 1, with: 0)
        default: break
        }
    }

    func forward(_ input: Signal, tensors: ArraySlice<ParameterTensor>, ordinal: Int, activation: Activation, plan: inout PlanBuilder) -> Pass {
        let unrolled = Unrolled(self, input, Array(tensors), ordinal: ordinal)
        return switch cell {
        case .rnn(let activation): unrolled.forwardRNN(activation, &plan)
        case .lstm: unrolled.forwardLSTM(&plan)
        case .gru: unrolled.forwardGRU(&plan)
        }
    }
}

/// A recurrent layer over the steps of one plan.
struct Unrolled {
    let input: Signal
    let steps: Int
    let rows: Int
    let width: Int
    let weights: (input: ParameterTensor, state: ParameterTensor)
    let biases: (input: ParameterTensor, state: ParameterTensor)?
    let ordinal: Int
    private let truncation: Int?
    /// Whether the calls of all steps are one chain: a row's state depends on that row's alone. Each thread then reads all of U in each step, which has to stay in
    /// its second-level cache: 256 KiB at most. Of larger ones it reads only the columns that it makes.
    let isChain: Bool

    init(_ layer: Recurrent, _ input: Signal, _ tensors: [ParameterTensor], ordinal: Int) {
        self.input = input
        self.ordinal = ordinal
        steps = input.steps ?? 1
        rows = input.values.rows
        width = layer.width
        weights = (tensors[0], tensors[1])
        biases = layer.bias ? (tensors[2], tensors[3]) : nil
        truncation = layer.truncation
        isChain = weights.state.count <= 1 << 16
    }

    /// Whether the gradient stops between step t − 1 and step t.
    func isCut(before t: Int) -> Bool { t == 0 || truncation.map { t.isMultiple(of: $0) } ?? false }

    func step(_ t: Int, _ m: Panels) -> Panels { m.step(t, of: steps) }

    /// Panels of `gates` gates from `first` on.
    func gates(_ gates: Int, from first: Int = 0, of m: Panels) -> Panels {
        m.panels(from: first * Panels.panels(width), columns: gates * Panels.padded(width))
    }

    /// The sum of both biases of `gates` gates: what is added at the end of a step's chains. nil without biases.
    func summedBiases(_ gates: Int, _ plan: inout PlanBuilder) -> Panels? {
        guard let biases else { return nil }
        let sum = plan.take(rows: 1, columns: gates * Panels.padded(width))
        plan.append(.add(self.gates(gates, of: plan.parameter(biases.input)), self.gates(gates, of: plan.parameter(biases.state)), y: sum))
        return sum
    }

    /// y_t = φ(y_t + h_{t−1}·U + b), the chains of y_t going on. At the first step there is no state, and the bias alone is left to add.
    func appendStateProduct(_ t: Int, h: Panels, bias: Panels?, activation: Activation = .identity, y: Panels, _ plan: inout PlanBuilder) {
        let u = plan.parameter(weights.state), before = step(max(t - 1, 0), h)
        plan.append(.forward(
            x: before, w: t == 0 ? u.rows(0..<0) : u, bias: bias?.data, activation: activation, accumulate: true, slope: nil, y: y).byRows(isChain))
    }

    /// dh_{t−1} = (dh_{t−1} + dz_t·Uᵀ) ⊙ φ′(h_{t−1}); without what is there where the gradient from above is of the last step alone.
    func appendStateGradient(
        _ t: Int, dz: Panels, transposed: Panels, dh: Panels, fromAbove: Bool, through activation: Activation, h: Panels, blocks: SignalBlocks? = nil,
        _ plan: inout PlanBuilder
    ) {
        plan.append(.dgrad(
            dy: dz, w: transposed, isTransposed: true, activation: activation, saved: step(t - 1, h), accumulate: fromAbove, dx: step(t - 1, dh),
            blocks: blocks?.step(t - 1, of: steps)).byRows(isChain))
    }

    /// Uᵀ, for all steps.
    func transposedStateWeights(_ plan: inout PlanBuilder) -> Panels {
        let u = plan.parameter(weights.state), transposed = plan.take(rows: u.columns, columns: u.rows)
        plan.append(.transpose(u, into: transposed))
        return transposed
    }

    /// dU = Σ_t h_{t−1}ᵀ·dz_t; of one step there is no state before. The gradients of the input's weights follow.
    func appendStateWeightGradient(h: Panels, dz: Panels, _ plan: inout PlanBuilder) {
        let samples = rows / steps
        plan.append(.wgrad(
            x: h.rows(0..<rows - samples), dy: dz.rows(samples..<rows), accumulate: plan.settings.accumulates, dw: plan.gradient(weights.state),
            squares: plan.squares(weights.state)).overlapping())
    }

    /// dW = xᵀ·dz and the gradients of both biases, which are added to the same sums.
    func appendInputGradients(dz: Panels, _ plan: inout PlanBuilder) {
        plan.appendWeightGradients(x: input.values, dy: dz, weight: weights.input, bias: biases?.input, isLast: true)
        guard let biases else { return }
        plan.append(.add(nil, plan.gradient(biases.input), y: plan.gradient(biases.state)))
    }

    /// Whether a gradient of the last step may stand for one that is zero at all others: then no step reads or writes the zeros. Where the gradient stops between steps, they are
    /// what is left.
    var takesLastStep: Bool { truncation == nil }

    /// A buffer for the gradients of the states, which are added to: the one from above, or a copy of it where others read it. Where that is of the last step alone
    /// the others are still to be written.
    func ownedGradient(_ dy: Panels, _ plan: inout PlanBuilder) -> Panels {
        if dy.rows < rows {
            defer { plan.release(dy) }
            let dh = plan.take(rows: rows, columns: width)
            plan.append(.add(nil, dy, y: step(steps - 1, dh)))
            return dh
        }
        let dh = plan.destination(for: dy)
        if dh.data != dy.data { plan.append(.add(nil, dy, y: dh)) }
        return dh
    }

    // MARK: RNN

    func forwardRNN(_ activation: Activation, _ plan: inout PlanBuilder) -> Pass {
        let h = plan.take(rows: rows, columns: width), bias = summedBiases(1, &plan)
        plan.append(.forward(x: input.values, w: plan.parameter(weights.input), bias: nil, activation: .identity, slope: nil, y: h))
        for t in 0..<steps { appendStateProduct(t, h: h, bias: bias, activation: activation, y: step(t, h), &plan) }
        if let bias { plan.release(bias) }
        return Pass(output: Signal(h, steps: steps, takesLastStep: takesLastStep)) { dy, needsInput, plan in
            let dh = ownedGradient(dy, &plan), transposed = transposedStateWeights(&plan)
            // The product that sends a gradient to the step before applies φ′ too, unless the gradient is to be clipped in between.
            let clips = plan.settings.timeNorm != nil, blocks = plan.watched[ordinal]
            for t in (0..<steps).reversed() {
                let dz = step(t, dh), hasFunction = !clips && !isCut(before: t + 1) && t < steps - 1
                plan.clipTimeStep(dz)
                if !hasFunction, activation != .identity || blocks != nil {
                    plan.append(.activationBackward(activation, saved: step(t, h), dy: dz, dz: dz, blocks: blocks?.step(t, of: steps)).byRows(isChain))
                }
                guard !isCut(before: t) else { continue }
                appendStateGradient(t, dz: dz, transposed: transposed, dh: dh, fromAbove: dy.rows == rows, through: clips ? .identity : activation, h: h,
                    blocks: clips ? nil : blocks, &plan)
            }
            plan.release(transposed)
            appendStateWeightGradient(h: h, dz: dh, &plan)
            appendInputGradients(dz: dh, &plan)
            return finish(dz: dh, needsInput, &plan)
        }
    }

    /// dx = dz·Wᵀ; lets dz go.
    func finish(dz: Panels, _ needsInput: Bool, _ plan: inout PlanBuilder) -> Panels? {
        defer { plan.release(dz) }
        guard needsInput else { return nil }
        let dx = plan.take(like: input.values)
        plan.appendDgrad(dy: dz, w: plan.parameter(weights.input), input: input, dx: dx)
        return dx
    }
}
