/// Forward in one call, statistics, gain and the activation that follows; backward in one for the batch, in two for the rows, whose gain and bias are summed by columns.
extension Normalization: PlannedLayer {
    var fusesActivation: Bool { true }

    func parameters(_ input: Shape) -> [ParameterTensor.Request] {
        func vector(_ name: String, _ role: ParameterTensor.Role) -> ParameterTensor.Request { .init(name: name, role: role, rows: 1, columns: input.columns) }
        let isBatch = if case .batch = kind { true } else { false }
        return (gain ? [vector("weight", .vector)] : []) + (bias ? [vector("bias", .vector)] : [])
            + (isBatch ? [vector("running_mean", .state), vector("running_var", .state)] : [])
    }

    /// Mean, variance, scaling: about eight operations an element.
    func flops(_ input: Shape) -> Int { 8 * input.columns * (input.steps ?? 1) }

    func initialize(_ tensors: ArraySlice<ParameterTensor>, drawing: Drawing) {
        for tensor in tensors where tensor.name.hasSuffix(".weight") || tensor.name.hasSuffix(".running_var") { drawing.fill(tensor, with: 1) }
    }

    func forward(_ input: Signal, tensors: ArraySlice<ParameterTensor>, ordinal: Int, activation: Activation, plan: inout PlanBuilder) -> Pass {
        let learned = tensors.filter { $0.role == .vector }
        let affine = Affine(gain: gain ? learned.first : nil, bias: bias ? learned.last : nil)
        let x = input.values
        let slope = plan.training && activation.savesSlope ? plan.take(like: x) : nil
        let y = plan.take(like: x)
        let output = Signal(y, steps: input.steps, activation: activation, saved: slope)
        switch kind {
        case .batch(let momentum):
            let state = tensors.filter { $0.role == .state }
            guard plan.training else {
                plan.append(.batchNormInference(
                    x: x, epsilon: epsilon, gain: affine.gain(in: plan.parameters), bias: affine.bias(in: plan.parameters),
                    mean: plan.parameter(state[0]).data, variance: plan.parameter(state[1]).data, activation: activation, y: y))
                return Pass(output: output) { dz, _, _ in dz }
            }
            return forwardBatch(input, affine, state, momentum, output, slope, &plan)
        case .layer, .rms: return forwardRows(input, affine, output, slope, &plan)
        }
    }

    /// The learned gain and bias, as pointers into parameters or gradients.
    private struct Affine {
        let gain: ParameterTensor?
        let bias: ParameterTensor?

        func gain(in floats: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Float>? { gain.map { $0.panels(in: floats).data } }
        func bias(in floats: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Float>? { bias.map { $0.panels(in: floats).data } }
    }

    private func forwardRows(_ input: Signal, _ affine: Affine, _ output: Signal, _ slope: Panels?, _ plan: inout PlanBuilder) -> Pass {
        let x = input.values, centered = kind == .layer
        let mean = centered ? plan.take(rows: 1, columns: x.rows) : nil, rstd = plan.take(rows: 1, columns: x.rows)
        plan.append(.layerNormForward(
            x: x, epsilon: epsilon, gain: affine.gain(in: plan.parameters), bias: affine.bias(in: plan.parameters), activation: output.activation,
            mean: mean?.data, rstd: rstd.data, slope: slope, y: output.values))
        if !plan.training {
            plan.release(rstd)
            if let mean { plan.release(mean) }
        }
        return Pass(output: output) { dz, needsInput, plan in
            if gain || bias {
                plan.append(.layerNormGradient(
                    x: x, mean: mean?.data, rstd: rstd.data, dy: dz, accumulate: plan.settings.accumulates, dgain: affine.gain(in: plan.gradients),
                    dbias: affine.bias(in: plan.gradients)))
            }
            guard needsInput else {
                plan.release(dz)
                return nil
            }
            let dx = plan.destination(for: dz)
            plan.append(.layerNormBackward(
                x: x, gain: affine.gain(in: plan.parameters), mean: mean?.data, rstd: rstd.data, dy: dz, activation: input.activation, saved: input.saved, dx: dx,
                blocks: plan.lowBlocks(of: input)))
            return dx
        }
    }

    private func forwardBatch(
        _ input: Signal, _ affine: Affine, _ state: [ParameterTensor], _ momentum: Double, _ output: Signal, _ slope: Panels?, _ plan: inout PlanBuilder
    ) -> Pass {
        let x = input.values, padded = Panels.padded(x.columns)
        // The first pass's statistics move the running ones at the end of the step, so they last; those made again do not.
        func statistics() -> UnsafeMutablePointer<Float> {
            plan.isRecomputing ? plan.take(rows: 1, columns: padded).data : plan.pool.reserve(Float.self, count: padded)
        }
        let mean = statistics(), variance = statistics(), rstd = plan.take(rows: 1, columns: padded).data
        plan.append(.batchNormForward(
            x: x, epsilon: epsilon, gain: affine.gain(in: plan.parameters), bias: affine.bias(in: plan.parameters), activation: output.activation,
            mean: mean, variance: variance, rstd: rstd, slope: slope, y: output.values, momentsOfX: plan.takeMoments(of: x)))
        if !plan.isRecomputing, let update = plan.settings.update {
            for (running, value) in [(state[0], mean), (state[1], variance)] {
                plan.appendToTail(.movingAverage(count: padded, average: plan.parameter(running).data, value: value, rate: momentum, update: update))
            }
        }
        return Pass(output: output) { dz, needsInput, plan in
            let dx = needsInput ? plan.destination(for: dz) : nil
            plan.append(.batchNormBackward(
                x: x, gain: affine.gain(in: plan.parameters), mean: mean, rstd: rstd, dy: dz, activation: input.activation, saved: input.saved,
                accumulate: plan.settings.accumulates, dgain: affine.gain(in: plan.gradients), dbias: affine.bias(in: plan.gradients), dx: dx,
                blocks: input.blocks))
            if dx == nil { plan.release(dz) }
            return dx
        }
    }
}
