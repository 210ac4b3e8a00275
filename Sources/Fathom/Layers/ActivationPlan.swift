/// An activation that no layer before it applies: at the start of a network, or after another activation.
extension Activation: PlannedLayer {
    func flops(_ input: Shape) -> Int { input.columns * (input.steps ?? 1) }

    func forward(_ input: Signal, tensors: ArraySlice<ParameterTensor>, ordinal: Int, activation: Activation, plan: inout PlanBuilder) -> Pass {
        let y = plan.take(like: input.values), slope = plan.training && savesSlope ? plan.take(like: input.values) : nil
        plan.append(.activationForward(self, z: input.values, y: y, slope: slope))
        // The gradient has gone through this activation already, since it is the last that its output had applied.
        return Pass(output: Signal(y, steps: input.steps, activation: self, saved: slope)) { dz, _, plan in
            plan.backward(throughActivationOf: input, dz)
        }
    }
}
