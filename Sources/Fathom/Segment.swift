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

    /// - Parameters:
    ///   - layers: positions in the model's network, or in what is inside of a block of it. Dropout among them drops nothing.
    ///   - blocks: the positions of the block, and of those around it from the outermost on.
    ///   - gradients: where the gradients of weights go too; nil: they are not made.
    ///   - goesBack: whether `products` are asked for.
    package init(
        _ model: Model, inside blocks: [Int] = [], layers: Range<Int>, rows: Int, gradients: GradientScratch? = nil, goesBack: Bool = true
    ) throws {
        let network = model.network(inside: blocks), content = Network(network.layers[layers].map { .layer($0) })
        (self.model, self.layers, self.rows) = (model, layers, rows)
        let ordinal = model.ordinal(inside: blocks, layers.lowerBound), layout = model.layout
        let input = blocks.isEmpty && layers.lowerBound == 0
            ? Shape(columns: model.inputs / (network.inputSteps ?? 1), steps: network.inputSteps) : ordinal < layout.shapes.count ? layout.shapes[ordinal] : layout.output
        self.input = input
        mixesRows = content.mixesRows
        // Gated cells leave the gradients of gates where the gates were.
        needsForward = content.hasRecurrentLayer
        // Of gradients only those of these layers' vectors are written unless asked for; they lie side by side.
        let vectors = layout.vectors(of: ordinal..<ordinal + content.size)
        let scratch = try gradients?.memory ?? Memory(byteCount: vectors.count * MemoryLayout<Float>.stride)
        let settings = PlanSettings(
            rows: rows, training: true, drops: false, accumulates: false, recomputes: false, seed: 0, timeNorm: nil, batch: nil, update: nil, squares: nil)
        func lay(_ memory: Memory?) -> (plan: PlanBuilder, forward: Int, output: Signal, product: Panels) {
            var plan = PlanBuilder(
                settings, layout, parameters: model.storage.floats(at: 0), gradients: scratch.floats(at: gradients == nil ? -vectors.lowerBound : 0), memory: memory)
            let x = plan.gathered(input)
            let pass = content.forward(Signal(x, steps: input.steps), ordinal: ordinal, &plan), y = pass.output.values
            let forward = plan.calls.count
            guard goesBack else { return (plan, forward, pass.output, x) }
            let error = plan.gathered(Shape(columns: y.columns, steps: pass.output.steps))
            let dz = plan.backward(throughActivationOf: pass.output, error)
            let product = pass.backward(dz, true, &plan) ?? dz
            return (plan, forward, pass.output, product)
        }
        let memory = try Memory(byteCount: lay(nil).plan.pool.reservation.byteCount), laid = lay(memory)
        output = Shape(columns: laid.output.values.columns, steps: laid.output.steps)
        calls = gradients == nil ? laid.plan.calls.withoutWeightGradients : laid.plan.calls
        (forwardCount, signals) = (laid.forward, (laid.output.values, laid.product))
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
        precondition(v.count == rows * output.size && forwardCount < calls.count)
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
        contains { if case .batch? = ($0 as? Normalization)?.kind { true } else { false } }
    }

    /// Whether a layer, or one inside of one, is such.
    func contains(where isSuch: (any Layer) -> Bool) -> Bool { layers.contains { isSuch($0) || $0.inside?.contains(where: isSuch) == true } }
}

extension Model {
    /// What is inside of a block, given by the positions that lead to it; the whole without any.
    package func network(inside blocks: [Int]) -> Network { blocks.reduce(network) { $0.layers[$1].inside ?? $0 } }

    /// Whether a layer has parameters of its own that are learned.
    package func learns(inside blocks: [Int], _ position: Int) -> Bool {
        layout.tensors(ofLayer: ordinal(inside: blocks, position)).contains { $0.role != .state }
    }

    /// The ordinal (see `Place`) of a layer, or of the one behind the last.
    func ordinal(inside blocks: [Int], _ position: Int) -> Int {
        guard let first = blocks.first else { return position < layout.ordinals.count ? layout.ordinals[position] : layout.shapes.count }
        func size(_ layers: ArraySlice<any Layer>) -> Int { layers.reduce(0) { $0 + 1 + ($1.inside?.size ?? 0) } }
        var ordinal = layout.ordinals[first] + 1, content = self.network(inside: [first])
        for block in blocks.dropFirst() {
            ordinal += size(content.layers[..<block]) + 1
            content = content.layers[block].inside ?? content
        }
        return ordinal + size(content.layers[..<position])
    }
}

extension ParameterLayout {
    /// Where the learned vectors of some layers lie.
    fileprivate func vectors(of layers: Range<Int>) -> Range<Int> {
        let vectors = layers.flatMap { tensors(ofLayer: $0).filter { $0.role == .vector } }
        return (vectors.first?.offset ?? 0)..<(vectors.last.map { $0.offset + $0.count } ?? 0)
    }
}

extension Shape {
    /// Numbers of a sample.
    package var size: Int { columns * (steps ?? 1) }
}

/// Gradients of a whole model's parameters, which `Segment`s leave there.
package final class GradientScratch {
    fileprivate let memory: Memory
    private let model: Model

    package init(_ model: Model) throws {
        (self.model, memory) = (model, try Memory(byteCount: model.layout.count * MemoryLayout<Float>.stride))
    }

    /// Σ over the gradients of a layer's own parameters; nil where it learns none.
    package func squaredNorm(inside blocks: [Int], _ position: Int) -> Double? {
        let tensors = model.layout.tensors(ofLayer: model.ordinal(inside: blocks, position)).filter { $0.role != .state }
        guard !tensors.isEmpty else { return nil }
        // Padding is zero.
        return tensors.reduce(0.0) { sum, tensor in
            UnsafeBufferPointer(start: memory.floats(at: tensor.offset), count: tensor.count).reduce(sum) { $0 + Double($1) * Double($1) }
        }
    }
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
        return x
    }
}
