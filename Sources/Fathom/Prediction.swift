extension Model {
    /// Rows that a prediction or evaluation takes through the network at a time. It changes no prediction, and no sum: row losses are added in order.
    private static let batch = 512

    /// Outputs for raw features: standardization is applied, and undone on the outputs. Class scores are logits.
    ///
    /// - Parameters:
    ///   - rows: row-major, `inputs` to a sample.
    ///   - threads: 1 stays on the caller's thread, for serving from many tasks at once; nil: as many as the work pays for. The bits are the same.
    /// - Returns: row-major, `outputs` to a sample, or to each of its steps in order where the output is every step.
    /// - Throws: `FathomError.invalid` where `rows` is no multiple of `inputs`.
    public func predict(_ rows: [Float], threads: Int? = nil) throws -> [Float] {
        guard rows.count % inputs == 0 else {
            throw FathomError.invalid("\(rows.count) features are no whole number of samples: the model takes \(inputs) to a sample")
        }
        return try predict(Samples(columns: inputs, features: .floats(rows), targets: .none), threads: threads)
    }

    /// Outputs for the features of samples; see `predict(_:threads:)`.
    public func predict(_ samples: Samples, threads: Int? = nil) throws -> [Float] {
        let scaling = try targetScaling()
        return try withExtendedLifetime(scaling) {
            try outputs(of: samples, purpose: .prediction, threads: threads, scale: scaling?.deviation, offset: scaling?.mean)
        }
    }

    /// Probabilities of the classes, row-major: softmax of the logits, or their sigmoid where the loss is binary cross-entropy.
    public func probabilities(_ samples: Samples, threads: Int? = nil) throws -> [Float] {
        try outputs(of: samples, purpose: .probabilities, threads: threads, scale: nil, offset: nil)
    }

    /// The class of each sample, or of each of its steps in order: the largest logit's (the first of equals), or, of two classes told by one logit, the second where it is positive.
    public func predictClasses(_ samples: Samples, threads: Int? = nil) throws -> [Int] {
        var classes: [Int] = []
        classes.reserveCapacity(samples.count)
        try forEachBatch(of: samples, purpose: .evaluation, loss: nil, threads: threads) { plan, rows in
            for r in 0..<rows.count {
                for row in stride(from: r, to: plan.output.rows, by: rows.count) {
                    classes.append(outputs == 1 ? (plan.output[row, 0] > 0 ? 1 : 0) : Int(plan.predictedClasses[row]))
                }
            }
        }
        return classes
    }

    private func outputs(
        of samples: Samples, purpose: Plan.Blueprint.Purpose, threads: Int?, scale: UnsafePointer<Float>?, offset: UnsafePointer<Float>?
    ) throws -> [Float] {
        let steps = outputSteps ?? 1, width = steps * outputs
        return try [Float](unsafeUninitializedCapacity: samples.count * width) { target, initialized in
            try forEachBatch(of: samples, purpose: purpose, loss: details.loss, threads: threads) { plan, rows in
                let address = target.baseAddress! + rows.lowerBound * width
                run([.scatter(plan.output, steps: steps, scale: scale, offset: offset, target: address)], threads: 1)
            }
            initialized = samples.count * width
        }
    }

    func forEachBatch(
        of samples: Samples, purpose: Plan.Blueprint.Purpose, loss: Loss?, threads: Int?, _ body: (Plan, Range<Int>) throws -> Void
    ) throws {
        guard samples.columns == inputs else {
            throw FathomError.invalid("the samples have \(samples.columns) features, the model takes \(inputs)")
        }
        let blueprint = try blueprint(purpose, loss: loss), threads = threads ?? Kernels.threadsAvailable
        var plan: Plan?
        for first in stride(from: 0, to: samples.count, by: Self.batch) {
            let rows = first..<min(first + Self.batch, samples.count)
            if plan?.rows != rows.count { plan = try Plan(blueprint, rows: rows.count, parameters: storage.floats(at: 0), sharing: plan?.memory) }
            samples.feed(&plan!, order: nil, first: first, targets: purpose == .evaluation && loss != nil) { run($0.calls, threads: threads) }
            try body(plan!, rows)
        }
    }
}
