/// Takes steps: gather, forward, loss, backward, clip, update. A step allocates nothing once a batch of its size has been seen.
///
/// Results are a function of the network, the data and the seed; neither threads nor the instruction set change a bit.
///
/// A large network's update is made as the next step begins, or where somebody asks before for what it changes: see `DeferredUpdate`.
public final class Trainer {
    /// What one step did.
    public struct Step: Sendable, Hashable {
        /// From 1.
        public let step: Int
        /// Mean over the batch (and outputs) before the update, in the targets' own units.
        public let loss: Double
        public let learningRate: Double
        /// Norm of the gradient over all parameters, before clipping and after.
        public let gradientNorm: Double
        public let clippedGradientNorm: Double
        /// What every gradient was multiplied by, 1 where clipping did nothing; where it was not one number, the norm after over the norm before.
        public let clipCoefficient: Double

        /// Whether clipping made the gradient smaller.
        public var wasClipped: Bool { clippedGradientNorm < gradientNorm }
    }

    public let loss: Loss
    public let optimizer: Optimizer
    public let clipping: Clipping
    public let passes: Int
    public let ema: Double?
    public let instruments: Instruments
    /// Of the next step; a schedule sets it before each.
    public var learningRate: Double
    /// At most this many threads work on a step.
    public var threads: Int
    /// Whether fewer than `threads` are used where that turns out faster: steps are timed, and now and then a few are tried with fewer or more. The bits are
    /// the same.
    public var adaptsThreads = true
    public internal(set) var stepsTaken = 0
    /// How many of them were clipped.
    public internal(set) var stepsClipped = 0
    /// The share of the steps that were clipped; nil where there is no clipping, or no step.
    public var clipRate: Double? { !clipping.hasGradientStages || stepsTaken == 0 ? nil : Double(stepsClipped) / Double(stepsTaken) }

    /// The model being trained. Steps write to its storage, so it does not leave the trainer. Its values are those of the last update made: see `settled`.
    let live: Model
    /// The moving averages of what is learned, where they are taken; written like `live`. What is not learned is copied when it is asked for.
    let averaged: Model?
    let gradients: Memory
    /// The optimizer's state, laid out as the parameters are.
    let moments: [Memory]
    let state: StepState
    let runner: StepRunner
    let layerInstruments: LayerInstruments?
    let deferred: DeferredUpdate?
    /// Rows of the last step's batch; 0 before the first.
    private(set) var lastRows = 0
    private(set) var lastWasFinite = true
    /// Where the first value of the last step that was not finite was made that is not; nil before such a step.
    public private(set) var lastFault: Fault?
    /// Of a last step that was not finite.
    private(set) var exponentsBeforeSearch: [LayerExponents]?
    private var threadChoice: ThreadChoice
    /// Rows of the largest batch so far: the steps that are compared with each other.
    private var largestBatch = 0

    /// A trainer of a model drawn afresh; see `Model.init(_:inputs:outputs:initializer:seed:details:samples:)`.
    ///
    /// - Parameters:
    ///   - samples: a batch, which the initializer lsuv needs.
    ///   - threads: nil: all the processors.
    /// - Throws: `FathomError.invalid` where widths disagree or an initializer does not fit, `FathomError.tooLarge` where training does not fit in memory.
    public convenience init(
        _ network: Network, inputs: Int, outputs: Int? = nil, loss: Loss, optimizer: Optimizer, clipping: Clipping = .none, initializer: Initializer? = nil,
        recompute: Recompute = .none, passes: Int = 1, ema: Double? = nil, instruments: Instruments = .summary, seed: UInt64 = 0, samples: Samples? = nil,
        threads: Int? = nil
    ) throws {
        let model = try Model(network, inputs: inputs, outputs: outputs, initializer: initializer, seed: seed, samples: samples)
        try self.init(
            model, loss: loss, optimizer: optimizer, clipping: clipping, recompute: recompute, passes: passes, ema: ema, instruments: instruments, seed: seed,
            threads: threads)
    }

    /// A trainer that goes on from a model's parameters, with a fresh optimizer.
    ///
    /// - Parameters:
    ///   - recompute: what is made again in the backward pass rather than kept.
    ///   - passes: micro-batches that a batch is run in, one after another, to save memory: consecutive rows, whose gradients are summed. The same
    ///     bits as the batch in one where no layer is a batchnorm, a residual with a learned scale, or follows a `sequence`.
    ///   - ema: the decay d of `averagedModel`, the exponential moving average of the parameters: after each step
    ///     average ← d·average + (1 − d)·parameters.
    ///   - instruments: what is gathered of the layers in every step, see `layers`. Parameters, losses and gradients are the same bits whatever it is.
    ///   - seed: of what is drawn in training: dropout.
    public init(
        _ model: Model, loss: Loss, optimizer: Optimizer, clipping: Clipping = .none, recompute: Recompute = .none, passes: Int = 1, ema: Double? = nil,
        instruments: Instruments = .summary, seed: UInt64 = 0, threads: Int? = nil
    ) throws {
        try loss.validate()
        try optimizer.validate()
        try clipping.validate()
        try clipping.validate(hasRecurrentLayer: model.network.hasRecurrentLayer)
        guard passes >= 1 else { throw FathomError.invalid("a batch in \(passes) passes; it takes 1 or more") }
        if let ema, !(Float(ema) > 0 && Float(ema) < 1) { throw FathomError.invalid("a moving average with a decay of \(ema); it must be above 0 and below 1") }
        guard model.parameterCount > 0 else { throw FathomError.invalid("the network \(model.network) has nothing to train; add linear(outputs)") }
        self.loss = loss
        self.optimizer = optimizer
        self.clipping = clipping
        self.passes = passes
        self.ema = ema
        self.instruments = instruments
        self.threads = threads ?? Kernels.threadsAvailable
        threadChoice = ThreadChoice(most: self.threads)
        learningRate = optimizer.learningRate
        var model = model
        model.details.loss = loss
        live = try Model(copying: model)
        averaged = try ema.map { _ in try Model(copying: model) }
        let bytes = model.layout.count * MemoryLayout<Float>.stride
        gradients = try Memory(byteCount: bytes)
        moments = try optimizer.moments.map { _ in try Memory(byteCount: bytes) }
        let defers = DeferredUpdate.isWorth(model.layout, passes: passes, ema: ema, instruments: instruments)
        state = try StepState(model.layout, optimizer: optimizer, clipping: clipping, deferring: defers)
        var blueprint = try model.blueprint(.training, loss: loss)
        blueprint.seed = seed
        blueprint.recompute = recompute
        blueprint.timeNorm = clipping.timeNorm
        let values = live.storage.floats(at: 0)
        layerInstruments = instruments == .none ? nil : try LayerInstruments(model.network, model.layout, isFull: instruments == .full)
        let optimizing = state.passes(
            model.layout, optimizer, parameters: values, gradients: gradients.floats(at: 0), moments: moments.map { $0.floats(at: 0) },
            instruments: layerInstruments)
        var tail = state.clipping.calls(parameters: values, gradients: gradients.floats(at: 0))
        if !defers {
            tail += optimizing.map(\.call)
            tail[tail.count - 1].overlaps = false
            if let averaged, let ema {
                tail.append(.movingAverage(count: model.layout.count, average: averaged.storage.floats(at: 0), value: values, rate: 1 - ema, update: state.update))
            }
        }
        deferred = defers ? DeferredUpdate(optimizing, update: state.applied) : nil
        runner = try StepRunner(
            blueprint, passes: passes, parameters: live.storage, gradients: gradients, state: state, instruments: layerInstruments, deferred: deferred, tail: tail)
    }

    /// Whether a step's update is made by the one that follows, beside its products.
    package var defersUpdates: Bool { deferred != nil }

    /// Whether the last step's update is still to be made, as the next one begins or where somebody asks for what it changes.
    package var isUpdateWaiting: Bool { deferred?.isWaiting ?? false }

    /// Makes the update that waits.
    package func makeUpdate() { deferred?.make(threads: threads) }

    /// The model being trained, with the last step's update made.
    var settled: Model {
        makeUpdate()
        return live
    }

    /// As the model has them.
    public var parameterCount: Int { live.parameterCount }
    public var summary: [LayerSummary] { live.summary }

    /// The model as it is now: a snapshot.
    public var model: Model { get throws { try Model(copying: settled) } }

    /// The model with the moving averages of its parameters, and what layers remember of their batches as it is now; nil without `ema`.
    public var averagedModel: Model? { get throws { try averaged == nil ? nil : Model(copying: judged) } }

    /// Loss and metrics of the model as it is now, the averaged one with `ema`: as `Model.evaluate(_:loss:top:threads:)` has them, without a snapshot.
    public func evaluate(_ samples: Samples, top: Int = 5) throws -> Evaluation { try judged.evaluate(samples, loss: loss, top: top, threads: threads) }

    /// The file of the model, the averaged one with `ema`, without a snapshot: values are read as they are asked for, so it is to be written before the next step.
    public func modelFile() throws -> SafeTensorsFile { try judged.file() }

    private var judged: Model {
        guard let averaged else { return settled }
        let learned = live.layout.count, others = live.layout.storageCount - learned
        averaged.storage.floats(at: learned).update(from: live.storage.floats(at: learned), count: others)
        return averaged
    }

    /// One step on raw rows with values as targets: row-major, `inputs` and `outputs` to a sample, or `outputs` to each of its steps in order where the
    /// network's output is every step.
    ///
    /// - Throws: `FathomError.invalid` where the numbers do not fit, `FathomError.notFinite` where loss or gradient is not finite: the parameters then
    ///   stay as they were, and so does `stepsTaken`.
    @discardableResult
    public func step(inputs: [Float], targets: [Float]) throws -> Step {
        try step(on: Samples(columns: live.inputs, features: .floats(inputs), targets: .values(targets, width: live.outputs * (live.outputSteps ?? 1))))
    }

    /// One step on raw rows with classes as targets, from 0 below the network's outputs: one to a sample, or to each of its steps in order.
    @discardableResult
    public func step(inputs: [Float], classes: [Int32]) throws -> Step {
        let targets = live.outputSteps.map { Samples.Targets.stepClasses(classes, steps: $0) } ?? .classes(classes)
        return try step(on: Samples(columns: live.inputs, features: .floats(inputs), targets: targets))
    }

    private func step(on samples: Samples) throws -> Step {
        try samples.checkTargets(for: loss, outputs: live.outputs, steps: live.outputSteps)
        return try step(samples, order: nil, first: 0, rows: samples.count)
    }

    /// One step on the rows `order[first ..< first + rows]` of `samples`, gathered straight from them.
    ///
    /// The samples' targets are checked by `check(_:)`, once; entries of `order` are rows of `samples`.
    @discardableResult
    public func step(_ samples: Samples, order: [UInt32], first: Int, rows: Int) throws -> Step {
        precondition(first >= 0 && rows >= 0 && first + rows <= order.count, "a batch lies within its order")
        return try order.withUnsafeBufferPointer { try step(samples, order: $0.baseAddress, first: first, rows: rows) }
    }

    /// - Throws: `FathomError.invalid` unless the samples are what this trainer's network and loss take.
    public func check(_ samples: Samples) throws {
        guard samples.columns == live.inputs else {
            throw FathomError.invalid("the samples have \(samples.columns) features, the network takes \(live.inputs)")
        }
        try samples.checkTargets(for: loss, outputs: live.outputs, steps: live.outputSteps)
    }

    private func step(_ samples: Samples, order: UnsafePointer<UInt32>?, first: Int, rows: Int) throws -> Step {
        guard rows > 0 else { throw FathomError.invalid("a step needs at least one sample") }
        state.prepare(optimizer, learningRate: learningRate, step: stepsTaken + 1)
        layerInstruments?.keepScales(live.storage.floats(at: 0))
        try timed(rows) { try runner.run(samples, order: order, first: first, rows: rows, step: stepsTaken + 1, threads: $0) }
        let update = state.update.pointee
        // The run has made the update that waited for it, and leaves another.
        deferred?.hold(update)
        (lastRows, lastWasFinite, exponentsBeforeSearch) = (rows, update.finite, nil)
        guard update.finite else {
            // Before the step is taken again, which leaves other gradients behind.
            exponentsBeforeSearch = try? exponents()
            runner.sumSignals(threads: threadsOfStep)
            lastFault = runner.locate(samples, order: order, first: first, rows: rows, step: stepsTaken + 1)
            throw state.notFinite(step: stepsTaken + 1, lastFault)
        }
        stepsTaken += 1
        let step = Step(
            step: stepsTaken, loss: state.loss.pointee, learningRate: learningRate, gradientNorm: update.gradient_norm,
            clippedGradientNorm: update.clipped_gradient_norm, clipCoefficient: state.clipping.coefficient)
        if step.wasClipped { stepsClipped += 1 }
        return step
    }

    private func timed(_ rows: Int, _ run: (_ threads: Int) throws -> Void) throws {
        guard adaptsThreads else { return try run(threads) }
        threadChoice.most = max(1, threads)
        let clock = ContinuousClock(), start = clock.now
        try run(threadChoice.count)
        // The first step of a size also lays out its plan.
        if rows == largestBatch { threadChoice.record((clock.now - start) / .seconds(1)) }
        largestBatch = max(largestBatch, rows)
    }

    /// The threads that what belongs to the last step may run on: those of its like, 1 where its calls do not pay for more.
    package var threadsOfStep: Int { min(adaptsThreads ? threadChoice.count : threads, runner.worth) }

    /// Norm of the last step's gradient over all parameters, before clipping; of a step that was not finite too.
    public var gradientNorm: Double { state.update.pointee.gradient_norm }

    /// Norm of the last step's gradient of each tensor, before clipping, in the order of `Model.parameters()`.
    public var gradientNorms: [(name: String, norm: Double)] { zip(live.layout.tensors, state.clipping.norms).map { ($0.name, $1) } }

    /// The last step's gradient of every tensor, named and shaped as the parameters are: before clipping where that is one number for all of it, or
    /// `value` alone; else as the other stages left it.
    public func lastGradients() throws -> [SafeTensors.Tensor] {
        try live.layout.tensors.map { SafeTensors.Tensor(name: $0.name, shape: $0.shape, values: try rowMajor($0, in: gradients.floats(at: 0))) }
    }
}
