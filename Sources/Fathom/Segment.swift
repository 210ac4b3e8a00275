import CKernels

/// Consecutive layers of a model over one batch: what they make of it, and products of error signals with their Jacobian J, by the very calls that training
/// runs, without those that make gradients of weights.
///
/// A row is a sample, row-major; a sample of a sequence is its steps one after another. Every row of error signals goes back by itself: n rows that carry the
/// same sample and the n unit vectors come back as the sample's Jacobian. Batch normalization alone mixes the rows; it uses the statistics of these.
package final class Segment {
    package let layers: Range<Int>
    package let input: Shape
    package let output: Shape
    /// Samples.
    package let rows: Int
    /// Whether a layer mixes the rows: J is then that of the batch.
    package let mixesRows: Bool

    private let model: Model
    private let calls: [Call]
    /// Of the calls: gather, forward.
    private let forwardCount: Int
    private let needsForward: Bool
    private let signals: (output: Panels, product: Panels)
    /// Calls point into these.
    private let memory: [Memory]

    /// - Parameter layers: positions in the model's network. Dropout among them drops nothing.
    package init(_ model: Model, layers: Range<Int>, rows: Int) throws {
        let network = model.network, content = Network(network.layers[layers].map { .layer($0) })
        (self.model, self.layers, self.rows) = (model, layers, rows)
        input = model.shape(into: layers.lowerBound)
        output = model.shape(into: layers.upperBound)
        mixesRows = content.mixesRows
        // Gated cells leave the gradients of gates where the gates were.
        needsForward = content.hasRecurrentLayer
        // Of gradients only those of these layers' vectors are written, which lie side by side.
        let layout = model.layout, vectors = model.vectors(of: layers)
        let scratch = try Memory(byteCount: vectors.count * MemoryLayout<Float>.stride)
        let settings = PlanSettings(
            rows: rows, training: true, drops: false, accumulates: false, recomputes: false, seed: 0, timeNorm: nil, batch: nil, update: nil, squares: nil)
        let ordinal = layers.isEmpty ? 0 : layout.ordinals[layers.lowerBound], input = input
        func lay(_ memory: Memory?) -> (plan: PlanBuilder, forward: Int, output: Panels, product: Panels) {
            var plan = PlanBuilder(
                settings, layout, parameters: model.storage.floats(at: 0), gradients: scratch.floats(at: -vectors.lowerBound), memory: memory)
            let x = plan.gathered(input)
            let pass = content.forward(Signal(x, steps: input.steps), ordinal: ordinal, &plan), y = pass.output.values
            let forward = plan.calls.count
            let error = plan.gathered(Shape(columns: y.columns, steps: pass.output.steps))
            let dz = plan.backward(throughActivationOf: pass.output, error)
            let product = pass.backward(dz, true, &plan) ?? dz
            return (plan, forward, y, product)
        }
        let memory = try Memory(byteCount: lay(nil).plan.pool.reservation.byteCount), laid = lay(memory)
        calls = laid.plan.calls.withoutWeightGradients
        (forwardCount, signals) = (laid.forward, (laid.output, laid.product))
        self.memory = [memory, scratch]
    }

    /// The layers' outputs for a batch [rows × input]: [rows × output].
    package func forward(_ x: [Float]) -> [Float] {
        precondition(x.count == rows * input.size)
        run(0, with: x)
        run(1..<forwardCount)
        return rowMajor(signals.output, output)
    }

    /// vJ for error signals [rows × output] at the batch of the last forward pass: [rows × input].
    package func products(_ v: [Float]) -> [Float] {
        precondition(v.count == rows * output.size)
        if needsForward { run(1..<forwardCount) }
        run(forwardCount, with: v)
        run(forwardCount + 1..<calls.count)
        return rowMajor(signals.product, input)
    }

    private func run(_ range: Range<Int>) { Fathom.run(calls, range, threads: Kernels.threadsAvailable) }

    private func run(_ gather: Int, with values: [Float]) {
        values.withUnsafeBufferPointer {
            var call = calls[gather]
            call.arguments.gather.source = UnsafeRawPointer($0.baseAddress)
            Fathom.run([call], threads: Kernels.threadsAvailable)
        }
    }

    private func rowMajor(_ m: Panels, _ shape: Shape) -> [Float] {
        [Float](unsafeUninitializedCapacity: rows * shape.size) { target, initialized in
            Fathom.run([.scatter(m, steps: shape.steps ?? 1, scale: nil, offset: nil, target: target.baseAddress!)], threads: 1)
            initialized = rows * shape.size
        }
    }
}

extension Model {
    /// Features as the first layer takes them: standardized, row-major, `inputs` to a sample.
    package func standardizedInputs(_ samples: Samples) throws -> [Float] {
        guard samples.columns == inputs else {
            throw FathomError.invalid("the samples have \(samples.columns) features, the model takes \(inputs)")
        }
        var plan = try Plan(blueprint(.prediction, loss: nil), rows: samples.count, parameters: storage.floats(at: 0))
        return samples.feed(&plan, order: nil, first: 0, targets: false) { plan in
            let gather = plan.calls[0].arguments.gather
            let x = Panels(data: gather.x, rows: gather.rows * gather.steps, columns: gather.columns)
            return [Float](unsafeUninitializedCapacity: samples.count * inputs) { target, initialized in
                run([plan.calls[0], .scatter(x, steps: gather.steps, scale: nil, offset: nil, target: target.baseAddress!)], threads: 1)
                initialized = samples.count * inputs
            }
        }
    }
}

extension Network {
    /// Whether a layer makes a row of its output from several rows of a batch: batch normalization does.
    package var mixesRows: Bool {
        places.contains { if case .batch? = ($0.layer as? Normalization)?.kind { true } else { false } }
    }

}

extension Model {
    /// The shape of what goes into a position, or, behind the last one, out of the network; a sequence is one from its first layer on.
    fileprivate func shape(into position: Int) -> Shape {
        guard position > 0 else { return Shape(columns: inputs / (network.inputSteps ?? 1), steps: network.inputSteps) }
        return position < network.layers.count ? layout.shapes[layout.ordinals[position]] : layout.output
    }

    /// Where the learned vectors of these layers lie among the parameters.
    fileprivate func vectors(of layers: Range<Int>) -> Range<Int> {
        guard let first = layers.first else { return 0..<0 }
        let end = layers.upperBound < layout.ordinals.count ? layout.ordinals[layers.upperBound] : layout.shapes.count
        let places = (layout.ordinals[first]..<end).flatMap { layout.tensors(ofLayer: $0).filter { $0.role == .vector }.map { $0.offset..<$0.offset + $0.count } }
        return (places.first?.lowerBound ?? 0)..<(places.last?.upperBound ?? 0)
    }
}

extension Shape {
    /// Numbers of a sample.
    package var size: Int { columns * (steps ?? 1) }
}

extension Call {
    /// Whether it makes the gradient of a weight or a gain, and nothing else.
    fileprivate var makesWeightGradient: Bool {
        [FATHOM_GEMM_WGRAD, FATHOM_BIAS_GRADIENT, FATHOM_LAYERNORM_GRADIENT, FATHOM_DOT, FATHOM_DOT_TOTAL].contains(operation)
    }
}

extension [Call] {
    /// Without the calls that only make gradients of weights or gains. The barrier that one of them ended with stays.
    var withoutWeightGradients: [Call] {
        reduce(into: []) { kept, call in
            if !call.makesWeightGradient { kept.append(call) } else if !call.overlaps, !kept.isEmpty { kept[kept.count - 1].overlaps = false }
        }
    }
}

extension PlanBuilder {
    /// A batch of the given shape whose source is set before each run.
    mutating func gathered(_ shape: Shape) -> Panels {
        let x = take(rows: shape.rows(samples: settings.rows), columns: shape.columns)
        append(.gather(bytes: false, sourceColumns: shape.size, steps: shape.steps ?? 1, mean: nil, scale: nil, x: x))
        beginPart()
        return x
    }
}
