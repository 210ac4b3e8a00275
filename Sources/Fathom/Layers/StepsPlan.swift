/// The plan's first gather lays the steps out; the layer itself has nothing to do.
extension SequenceInput: PlannedLayer {
    func flops(_ input: Shape) -> Int { 0 }

    func forward(_ input: Signal, tensors: ArraySlice<ParameterTensor>, ordinal: Int, activation: Activation, plan: inout PlanBuilder) -> Pass {
        Pass(output: input) { dz, _, _ in dz }
    }
}

extension StepReduction: PlannedLayer {
    func flops(_ input: Shape) -> Int { self == .mean ? input.columns * (input.steps ?? 1) : 0 }

    func forward(_ input: Signal, tensors: ArraySlice<ParameterTensor>, ordinal: Int, activation: Activation, plan: inout PlanBuilder) -> Pass {
        let x = input.values, steps = input.steps ?? 1, rows = x.rows / steps
        let y: Panels
        switch self {
        case .last: y = x.step(steps - 1, of: steps)
        case .mean:
            y = plan.take(rows: rows, columns: x.columns)
            plan.append(.stepMean(x: x, steps: steps, y: y))
        }
        return Pass(output: Signal(y, steps: nil)) { dz, needsInput, plan in
            if self == .last && input.takesLastStep && needsInput { return dz }
            defer { plan.release(dz) }
            guard needsInput else { return nil }
            let dx = plan.take(like: x)
            plan.append(.stepSpread(y: dz, steps: steps, last: self == .last, x: dx))
            return plan.backward(throughActivationOf: input, dx)
        }
    }
}
