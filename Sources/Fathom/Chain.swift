// Layers one after another: the whole network, or the inside of a residual.

extension Network {
    /// A layer with the activation that its own calls apply, where the one behind it is one.
    private struct Stage {
        let layer: any PlannedLayer
        let ordinal: Int
        let activation: Activation
        let learns: Bool
        /// Whether it has parameters of its own: then instruments watch its output.
        let isWatched: Bool
    }

    private func stages(from first: Int, _ layout: ParameterLayout) -> [Stage] {
        var stages: [Stage] = [], position = 0, ordinal = first
        stages.reserveCapacity(layers.count)
        while position < layers.count {
            let layer = layers[position], planned = layer.planned
            let fused = planned.fusesActivation ? activation(after: position) : nil
            let size = 1 + (layer.inside?.size ?? 0)
            let learns = (ordinal..<ordinal + size).contains { !layout.tensors(ofLayer: $0).isEmpty }
            let isWatched = layout.tensors(ofLayer: ordinal).contains { $0.role != .state }
            stages.append(Stage(layer: planned, ordinal: ordinal, activation: fused ?? .identity, learns: learns, isWatched: isWatched))
            position += fused == nil ? 1 : 2
            ordinal += size + (fused == nil ? 0 : 1)
        }
        return stages
    }

    /// Appends the calls of all layers, the first of which has the given ordinal.
    func forward(_ input: Signal, ordinal: Int = 0, _ plan: inout PlanBuilder) -> Pass {
        let stages = stages(from: ordinal, plan.layout)
        guard plan.settings.recomputes, ordinal == 0, stages.count > 3 else { return Self.chain(stages[...], input, &plan) }
        return Self.segmented(stages, input, &plan)
    }

    private static func chain(_ stages: ArraySlice<Stage>, _ input: Signal, _ plan: inout PlanBuilder) -> Pass {
        var passes: [(pass: Pass, ordinal: Int, learns: Bool)] = [], signal = input
        passes.reserveCapacity(stages.count)
        for stage in stages {
            // What is made again is a part of going back.
            var pass = plan.pass(plan.isRecomputing ? .backward(stage.ordinal) : .forward(stage.ordinal)) {
                stage.layer.forward(
                    signal, tensors: $0.layout.tensors(ofLayer: stage.ordinal), ordinal: stage.ordinal, activation: stage.activation, plan: &$0)
            }
            if stage.isWatched { pass.output = plan.watch(pass.output, of: stage.ordinal, gathering: stage.layer.gathering) }
            // Without a backward pass to come, nobody reads a signal after the layer behind it.
            if !plan.training, pass.output.values.storage != signal.values.storage { plan.release(signal.values) }
            if plan.training { passes.append((pass, stage.ordinal, stage.learns)) }
            signal = pass.output
        }
        let firstToLearn = passes.firstIndex(where: \.learns) ?? passes.count
        return Pass(output: signal) { dz, needsInput, plan in
            var gradient = dz
            for (i, entry) in passes.enumerated().reversed() {
                guard needsInput || i >= firstToLearn else { break }
                let back = plan.pass(.backward(entry.ordinal)) { entry.pass.backward(gradient, needsInput || i > firstToLearn, &$0) }
                guard let next = back else { return nil }
                gradient = next
            }
            return needsInput ? gradient : nil
        }
    }

    /// √n segments of which only the borders are kept; the signals inside are made again when their gradients are due.
    private static func segmented(_ stages: [Stage], _ input: Signal, _ plan: inout PlanBuilder) -> Pass {
        let length = Int(Double(stages.count).squareRoot().rounded(.up))
        let segments = stride(from: 0, to: stages.count, by: length).map { stages[$0..<min($0 + length, stages.count)] }
        var inputs: [Signal] = [], signal = input
        for segment in segments.dropLast() {
            inputs.append(signal)
            plan.pool.startRecording()
            signal = chain(segment, signal, &plan).output
            plan.pool.release(plan.pool.stopRecording(keeping: [signal.values, signal.saved]))
        }
        plan.pool.startRecording()
        let last = chain(segments[segments.count - 1], signal, &plan)
        let lastBuffers = plan.pool.stopRecording(keeping: [last.output.values, last.output.saved])
        return Pass(output: last.output) { dz, needsInput, plan in
            var gradient = last.backward(dz, needsInput || !inputs.isEmpty, &plan)
            plan.pool.release(lastBuffers)
            for (i, input) in inputs.enumerated().reversed() {
                guard let dz = gradient else { return nil }
                plan.isRecomputing = true
                plan.pool.startRecording()
                let pass = chain(segments[i], input, &plan)
                let buffers = plan.pool.stopRecording(keeping: [])
                plan.isRecomputing = false
                gradient = pass.backward(dz, needsInput || i > 0, &plan)
                plan.pool.release(buffers)
            }
            return gradient
        }
    }
}
