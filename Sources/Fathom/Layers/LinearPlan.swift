/// y = x·W + b with W [inputs × outputs]; the activation that follows is applied in the product's epilogue, its derivative in that of the
/// product which takes the gradient back.
extension Linear: PlannedLayer {
    private var columns: Int {
        guard case .number(let columns) = width else { preconditionFailure("a plan is made from a resolved network") }
        return columns
    }

    var fusesActivation: Bool { true }

    func parameters(inputs: Int) -> [(role: ParameterTensor.Role, rows: Int, columns: Int)] {
        [(.weight, inputs, columns)] + (bias ? [(.bias, 1, columns)] : [])
    }

    /// Wᵀ, made before the product that needs it.
    func scratch(inputs: Int) -> Int { Panels.count(rows: columns, columns: inputs) }

    func flops(inputs: Int) -> Int { 2 * inputs * columns + (bias ? columns : 0) }

    func initialize(_ tensors: ArraySlice<ParameterTensor>, drawing: Drawing) throws {
        for tensor in tensors {
            switch tensor.role {
            case .weight: try drawing.draw(tensor)
            case .bias: drawing.drawBias(tensor)
            }
        }
    }

    func forward(_ input: Signal, tensors: ArraySlice<ParameterTensor>, activation: Activation, plan: inout PlanBuilder) -> Signal {
        let weight = tensors.first!.panels(in: plan.parameters)
        let bias = tensors.dropFirst().first.map { $0.panels(in: plan.parameters).data }
        let z = plan.training && activation.savesInput ? plan.lasting(columns: columns) : nil
        let y = plan.output(columns: columns)
        plan.append(.forward(x: input.values, w: weight, bias: bias, activation: activation, z: z, y: y))
        return Signal(y, activation: activation, saved: z)
    }

    func backward(_ dz: Panels, input: Signal, tensors: ArraySlice<ParameterTensor>, needsInput: Bool, plan: inout PlanBuilder) -> Panels? {
        plan.append(.wgrad(x: input.values, dy: dz, dw: tensors.first!.panels(in: plan.gradients)))
        if let bias = tensors.dropFirst().first { plan.append(.biasGradient(dy: dz, db: bias.panels(in: plan.gradients).data)) }
        guard needsInput else { return nil }
        let weight = tensors.first!.panels(in: plan.parameters)
        let transposed = Panels(data: plan.scratch, rows: weight.columns, columns: weight.rows)
        let dx = plan.passing(columns: weight.rows)
        plan.append(.transpose(weight, into: transposed))
        plan.append(.dgrad(dy: dz, wt: transposed, activation: input.activation, saved: input.saved, dx: dx))
        return dx
    }
}
