import CKernels

/// The gradient of a loss at one batch.
public struct BatchGradient: Sendable {
    /// Mean over the batch (and outputs), in the targets' own units.
    public let loss: Double
    /// Of every learned tensor, named and shaped as the parameters are.
    public let parameters: [SafeTensors.Tensor]
    /// Of the standardized inputs, row-major, `inputs` to a sample.
    public let inputs: [Float]
}

extension Model {
    /// The gradient of the loss at a batch, as a training step has it: batch normalization uses the batch's statistics, dropout drops.
    ///
    /// - Parameters:
    ///   - samples: the whole batch, with targets.
    ///   - seed: of what is dropped, with `step` (from 1).
    /// - Throws: `FathomError.invalid` where widths disagree, or the targets are not what the loss takes.
    public func gradients(of samples: Samples, loss: Loss, seed: UInt64 = 0, step: Int = 1, threads: Int? = nil) throws -> BatchGradient {
        guard samples.columns == inputs else {
            throw FathomError.invalid("the samples have \(samples.columns) features, the model takes \(inputs)")
        }
        guard samples.count > 0 else { throw FathomError.invalid("a gradient needs at least one sample") }
        try samples.checkTargets(for: loss, outputs: outputs, steps: outputSteps)
        var blueprint = try blueprint(.training, loss: loss)
        blueprint.seed = seed
        blueprint.wantsInputGradient = true
        let gradients = try Memory(byteCount: layout.count * MemoryLayout<Float>.stride)
        return try withUnsafeTemporaryAllocation(of: Double.self, capacity: 1) { mean in
            var batch = Batch(step: UInt64(step), first_row: 0)
            return try withUnsafePointer(to: &batch) { batch in
                let step = Plan.Step(loss: mean.baseAddress!, batch: batch, update: nil)
                var plan = try Plan(
                    blueprint, rows: samples.count, parameters: storage.floats(at: 0), gradients: gradients.floats(at: 0), step: step)
                samples.feed(&plan, order: nil, first: 0, targets: true) { run($0.calls, threads: threads ?? Kernels.threadsAvailable) }
                return BatchGradient(
                    loss: mean[0], parameters: try layout.tensors.map {
                        SafeTensors.Tensor(name: $0.name, shape: $0.shape, values: try rowMajor($0, in: gradients.floats(at: 0)))
                    }, inputs: Self.rowMajorInputs(plan, steps: network.inputSteps ?? 1))
            }
        }
    }

    private static func rowMajorInputs(_ plan: Plan, steps: Int) -> [Float] {
        guard let dx = plan.inputGradient else { return [] }
        return [Float](unsafeUninitializedCapacity: dx.rows * dx.columns) { target, initialized in
            run([.scatter(dx, steps: steps, scale: nil, offset: nil, target: target.baseAddress!)], threads: 1)
            initialized = dx.rows * dx.columns
        }
    }
}
