extension Trainer {
    /// Everything that training needs to go on bit for bit: parameters and their averages, the state of optimizer and clipping, the step.
    public func checkpoint() throws -> SafeTensors {
        let layout = start.layout
        var metadata = try start.metadata()
        metadata["step"] = "\(stepsTaken)"
        metadata["loss"] = loss.description
        metadata["optimizer"] = optimizer.description
        metadata["clip"] = clipping.description
        if clipRate != nil { metadata["clipped"] = "\(stepsClipped)" }
        metadata.merge(state.clipping.state.metadata) { _, new in new }
        func tensors(_ memory: Memory, _ prefix: String, _ list: [ParameterTensor]) throws -> [SafeTensors.Tensor] {
            try list.map { SafeTensors.Tensor(name: prefix + $0.name, shape: $0.shape, values: try rowMajor($0, in: memory.floats(at: 0))) }
        }
        var all = try tensors(parameters, "model.", layout.all)
        for (moment, memory) in zip(optimizer.moments, moments) { all += try tensors(memory, "optimizer.\(moment).", layout.tensors) }
        if let averages { all += try tensors(averages, "average.", layout.tensors) }
        return SafeTensors(metadata: metadata, tensors: all + state.clipping.state.tensors)
    }

    /// Goes on from a checkpoint of the same network and optimizer.
    ///
    /// - Parameter name: what to call the checkpoint in errors.
    /// - Throws: `FathomError.invalid` where it belongs to another network or optimizer, or lacks a tensor. The trainer is then as it was.
    public func restore(_ checkpoint: SafeTensors, name: String) throws {
        func invalid(_ what: String) -> FathomError { .invalid("\(name): \(what)") }
        guard let step = checkpoint.metadata["step"].flatMap(Int.init), step >= 0 else { throw invalid("not a checkpoint: its metadata lack 'step'") }
        guard checkpoint.metadata["network"] == start.network.description else {
            throw invalid("it is of the network \(checkpoint.metadata["network"] ?? "(none)"), not of \(start.network)")
        }
        func kind(_ optimizer: String) -> Substring { optimizer.prefix { $0 != "(" } }
        guard let other = checkpoint.metadata["optimizer"], kind(other) == kind(optimizer.description) else {
            throw invalid("it is of the optimizer \(checkpoint.metadata["optimizer"] ?? "(none)"), not of \(optimizer)")
        }
        let clippingState = try state.clipping.state.restored(from: checkpoint, name: name)
        var restored: [(into: Memory, from: Memory)] = []
        var memories = [(parameters, "model.")] + zip(moments, optimizer.moments.map { "optimizer.\($0)." })
        if let averages { memories.append((averages, "average.")) }
        for (into, prefix) in memories {
            let model = try Model(undrawn: start.network, inputs: start.inputs, outputs: start.outputs, details: start.details)
            try model.fill(from: checkpoint.tensors, prefix: prefix, named: name, into === parameters ? nil : start.layout.tensors)
            restored.append((into, model.storage))
        }
        for (into, from) in restored { into.base.copyMemory(from: from.base, byteCount: into.byteCount) }
        state.clipping.state = clippingState
        stepsTaken = step
        stepsClipped = min(step, checkpoint.metadata["clipped"].flatMap(Int.init) ?? 0)
    }
}
