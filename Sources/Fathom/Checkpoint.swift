extension Trainer {
    /// Everything that training needs to go on bit for bit: parameters and their averages, the state of optimizer and clipping, the step.
    public func checkpoint() throws -> SafeTensors { try SafeTensors(checkpointFile()) }

    /// The same without a snapshot: values are those of the moment in which they are asked for, so it is to be written before the next step.
    public func checkpointFile() throws -> SafeTensorsFile {
        let clippingState = state.clipping.state
        var metadata = try live.metadata()
        metadata["step"] = "\(stepsTaken)"
        metadata["loss"] = loss.description
        metadata["optimizer"] = optimizer.description
        metadata["clip"] = clipping.description
        if clipRate != nil { metadata["clipped"] = "\(stepsClipped)" }
        metadata.merge(clippingState.metadata) { _, new in new }
        let tensors = saved.flatMap { part in part.tensors.map { SafeTensorsFile.Tensor($0, in: part.memory, prefix: part.prefix) } }
        return SafeTensorsFile(metadata: metadata, tensors: tensors + SafeTensorsFile(SafeTensors(tensors: clippingState.tensors)).tensors)
    }

    /// The tensors of a checkpoint, in their order.
    var saved: [(memory: Memory, prefix: String, tensors: [ParameterTensor])] {
        let live = settled, layout = live.layout
        return [(live.storage, "model.", layout.all)] + zip(moments, optimizer.moments).map { ($0, "optimizer.\($1).", layout.tensors) }
            + (averaged.map { [($0.storage, "average.", layout.tensors)] } ?? [])
    }

    /// Goes on from a checkpoint of the same network and optimizer.
    ///
    /// - Parameter name: what to call the checkpoint in errors.
    /// - Throws: `FathomError.invalid` where it belongs to another network or optimizer, or lacks a tensor. The trainer is then as it was.
    public func restore(_ checkpoint: SafeTensors, name: String) throws { try restore(SafeTensorsFile(checkpoint), name: name) }

    /// The same, tensor by tensor. Each is read twice: nothing is changed before all have been looked at.
    ///
    /// - Throws: `FathomError.inputOutput` too, where reading fails. Where that is in the second round, some tensors are the checkpoint's already.
    public func restore(_ checkpoint: SafeTensorsFile, name: String) throws {
        func invalid(_ what: String) -> FathomError { .invalid("\(name): \(what)") }
        guard let step = checkpoint.metadata["step"].flatMap(Int.init), step >= 0 else { throw invalid("not a checkpoint: its metadata lack 'step'") }
        guard checkpoint.metadata["network"] == live.network.description else {
            throw invalid("it is of the network \(checkpoint.metadata["network"] ?? "(none)"), not of \(live.network)")
        }
        func kind(_ optimizer: String) -> Substring { optimizer.prefix { $0 != "(" } }
        guard let other = checkpoint.metadata["optimizer"], kind(other) == kind(optimizer.description) else {
            throw invalid("it is of the optimizer \(checkpoint.metadata["optimizer"] ?? "(none)"), not of \(optimizer)")
        }
        let clippingState = try state.clipping.state.restored(from: checkpoint, name: name)
        for (_, prefix, tensors) in saved { try checkpoint.forEach(tensors, prefix: prefix, of: live.network, name: name) { _, _ in } }
        for (memory, prefix, tensors) in saved {
            try checkpoint.forEach(tensors, prefix: prefix, of: live.network, name: name) { try setRowMajor($0, in: memory.floats(at: 0), to: $1) }
        }
        state.clipping.state = clippingState
        stepsTaken = step
        stepsClipped = min(step, checkpoint.metadata["clipped"].flatMap(Int.init) ?? 0)
    }
}
