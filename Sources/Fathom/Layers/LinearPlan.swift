/// y = x·W + b with W [inputs × outputs]; the activation that follows is applied in the product's epilogue, its derivative in that of the
/// product which takes the gradient back.
extension Linear: PlannedLayer {
    private var columns: Int {
        guard case .number(let columns) = width else { preconditionFailure("a plan is made from a resolved network") }
        return columns
    }

    var fusesActivation: Bool { true }

    func parameters(_ input: Shape) -> [ParameterTensor.Request] {
        [.init(name: "weight", role: .weight, rows: input.columns, columns: columns)]
            + (bias ? [.init(name: "bias", role: .vector, rows: 1, columns: columns)] : [])
    }

    func flops(_ input: Shape) -> Int { (2 * input.columns * columns + (bias ? columns : 0)) * (input.steps ?? 1) }

    func initialize(_ tensors: ArraySlice<ParameterTensor>, drawing: Drawing) throws {
        try drawing.draw(tensors.first!, bias: tensors.dropFirst().first)
    }

    func forward(_ input: Signal, tensors: ArraySlice<ParameterTensor>, ordinal: Int, activation: Activation, plan: inout PlanBuilder) -> Pass {
        let weight = tensors.first!, bias = tensors.dropFirst().first
        let x = input.values, rows = x.rows
        let slope = plan.training && activation.savesSlope ? plan.take(rows: rows, columns: columns) : nil
        let y = plan.take(rows: rows, columns: columns)
        plan.append(.forward(x: x, w: plan.parameter(weight), bias: bias.map { plan.parameter($0).data }, activation: activation, slope: slope, y: y))
        return Pass(output: Signal(y, steps: input.steps, activation: activation, saved: slope)) { dz, needsInput, plan in
            defer { plan.release(dz) }
            plan.appendWeightGradients(x: x, dy: dz, weight: weight, bias: bias, isLast: !needsInput)
            guard needsInput else { return nil }
            let dx = plan.take(like: x)
            plan.appendDgrad(dy: dz, w: plan.parameter(weight), input: input, dx: dx)
            return dx
        }
    }
}
