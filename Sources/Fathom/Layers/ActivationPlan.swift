/// An activation that no layer before it applies: at the start of a network, or after another activation.
extension Activation: PlannedLayer {
    var fusesActivation: Bool { false }

    func parameters(inputs: Int) -> [(role: ParameterTensor.Role, rows: Int, columns: Int)] { [] }
    func scratch(inputs: Int) -> Int { 0 }
    func flops(inputs: Int) -> Int { inputs }
    func initialize(_ tensors: ArraySlice<ParameterTensor>, drawing: Drawing) {}

    func forward(_ input: Signal, tensors: ArraySlice<ParameterTensor>, activation: Activation, plan: inout PlanBuilder) -> Signal {
        let y = plan.output(columns: input.values.columns)
        plan.append(.activationForward(self, z: input.values, y: y))
        return Signal(y, activation: self, saved: savesInput ? input.values : nil)
    }

    /// `dz` has gone through this activation already, since it is the last that its output had applied.
    func backward(_ dz: Panels, input: Signal, tensors: ArraySlice<ParameterTensor>, needsInput: Bool, plan: inout PlanBuilder) -> Panels? {
        guard needsInput else { return nil }
        plan.backward(throughActivationOf: input, dz)
        return dz
    }
}
