/// The output of a layer on its way through a plan: its values, and what the backward pass needs to go through the activation fused into it.
struct Signal {
    /// A row for each sample, or, of a sequence, for each step and sample, steps outermost.
    let values: Panels
    let steps: Int?
    /// The activation that the layer applied last; identity where none.
    let activation: Activation
    /// What the derivative of that activation is computed from: `values`, or the activation's input.
    let saved: Panels
    /// Where the call that goes back through the activation leaves what it tells of the signal; nil: nobody asks.
    let blocks: SignalBlocks?
    /// Whether its layer takes the gradient of the last step alone for one that is zero at all others.
    let takesLastStep: Bool

    init(
        _ values: Panels, steps: Int?, activation: Activation = .identity, saved: Panels? = nil, blocks: SignalBlocks? = nil, takesLastStep: Bool = false
    ) {
        self.values = values
        self.steps = steps
        self.activation = activation
        self.saved = saved ?? values
        self.blocks = blocks
        self.takesLastStep = takesLastStep
    }

    /// The same values as something whose derivative nobody has to go through any more.
    var plain: Signal { Signal(values, steps: steps) }
}

/// A layer's output, and its way back.
struct Pass {
    var output: Signal
    /// Appends the calls of the backward pass. It is given the gradient at the output before the fused activation, as its owner, and whether the gradient at the
    /// input is wanted; it returns that, before the activation fused into the input, or nil.
    let backward: (_ dz: Panels, _ needsInput: Bool, _ plan: inout PlanBuilder) -> Panels?
}

/// What a plan asks of a layer, beyond its notation and its shapes.
protocol PlannedLayer: Sendable {
    /// The tensors that it learns or remembers.
    func parameters(_ input: Shape) throws -> [ParameterTensor.Request]
    /// Of the forward pass, per sample; a multiplication with its addition counts two. What is inside is not counted.
    func flops(_ input: Shape) -> Int
    /// Whether an activation that follows is applied by this layer's own calls.
    var fusesActivation: Bool { get }
    /// Who gathers what the backward pass tells of the output.
    var gathering: SignalGathering { get }
    /// Fills its tensors before training.
    func initialize(_ tensors: ArraySlice<ParameterTensor>, drawing: Drawing) throws
    /// Appends the calls that take `input` to the layer's output, `activation` applied to it.
    func forward(_ input: Signal, tensors: ArraySlice<ParameterTensor>, ordinal: Int, activation: Activation, plan: inout PlanBuilder) -> Pass
}

enum SignalGathering {
    /// The call that goes back through the output's activation, whoever appends it.
    case byFollower
    /// The layer itself, of all its rows at once.
    case byLayer
    /// The layer itself, step by step.
    case byStep
}

extension PlannedLayer {
    var gathering: SignalGathering { .byFollower }
    func parameters(_ input: Shape) throws -> [ParameterTensor.Request] { [] }
    var fusesActivation: Bool { false }
    func initialize(_ tensors: ArraySlice<ParameterTensor>, drawing: Drawing) throws {}
}

extension Layer {
    /// The layer as plans see it: every layer of `layerKinds` is one of both.
    var planned: any PlannedLayer {
        guard let planned = self as? any PlannedLayer else { preconditionFailure("\(name) has no plan") }
        return planned
    }
}

/// Lays out the buffers of a plan and lists its calls. Run once without memory, it measures; run again with it, it builds.
struct PlanBuilder {
    let settings: PlanSettings
    let layout: ParameterLayout
    let parameters: UnsafeMutablePointer<Float>
    let gradients: UnsafeMutablePointer<Float>
    var pool: BufferPool
    private(set) var calls: [Call] = []
    /// Calls that follow clipping.
    private(set) var tail: [Call] = []
    /// Whether a forward pass is run for the second time, its first results having been let go.
    var isRecomputing = false
    /// What the next calls are for: their tag.
    private var purpose = CallPurpose.step
    /// Where the backward pass leaves what it tells of the outputs of layers, by their ordinals.
    var watched: [Int: SignalBlocks] = [:]
    /// What is summed up of them.
    var signalSources: [SignalSource] = []

    /// - Parameter memory: nil to measure only.
    init(
        _ settings: PlanSettings, _ layout: ParameterLayout, parameters: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>, memory: Memory?
    ) {
        self.settings = settings
        self.layout = layout
        self.parameters = parameters
        self.gradients = gradients
        pool = BufferPool(in: memory)
    }

    var training: Bool { settings.training }

    mutating func append(_ call: Call) { calls.append(call.tagged(purpose)) }
    mutating func appendToTail(_ call: Call) { tail.append(call.tagged(purpose)) }

    /// Has the moments of a signal gathered beside the calls that read it.
    mutating func appendMoments(of values: Panels) -> UnsafeMutablePointer<Double> {
        let sums = pool.reserve(Double.self, count: 3 * Panels.panels(values.columns))
        pass(.step) { $0.append(.moments(values, sums: sums).overlapping()) }
        return sums
    }

    /// Takes back the call that gathers the moments of a signal, if it is the last, for one that reads the signal and gathers them on its way: where they go.
    mutating func takeMoments(of values: Panels) -> UnsafeMutablePointer<Double>? {
        guard let sums = calls.last?.moments(of: values) else { return nil }
        calls.removeLast()
        return sums
    }

    /// Takes back the call that leaves the moments of a signal there, for one that tells of it otherwise.
    mutating func dropMoments(at sums: UnsafePointer<Double>) {
        if let call = calls.lastIndex(where: { $0.moments.map { UnsafePointer($0) } == sums }) { calls.remove(at: call) }
    }

    /// The calls that `body` appends are for a pass of one layer, unless a layer inside it says otherwise.
    mutating func pass<Result>(_ purpose: CallPurpose, _ body: (inout PlanBuilder) -> Result) -> Result {
        let outer = self.purpose
        self.purpose = purpose
        defer { self.purpose = outer }
        return body(&self)
    }

    mutating func take(rows: Int, columns: Int) -> Panels { pool.take(rows: rows, columns: columns) }
    mutating func take(like m: Panels) -> Panels { pool.take(rows: m.rows, columns: m.columns) }
    mutating func release(_ panels: Panels) { pool.release(panels) }

    func parameter(_ tensor: ParameterTensor) -> Panels { tensor.panels(in: parameters) }
    func gradient(_ tensor: ParameterTensor) -> Panels { tensor.panels(in: gradients) }
    /// Where the sums of squares of the blocks of a weight's gradient go.
    func squares(_ tensor: ParameterTensor) -> UnsafeMutablePointer<Double>? { settings.squares.map { $0 + tensor.firstBlock } }

    /// A buffer to write a changed gradient to: itself, where nobody else reads it.
    mutating func destination(for gradient: Panels) -> Panels {
        if pool.isOwnedOnce(gradient) { return gradient }
        pool.release(gradient)
        return take(like: gradient)
    }

    /// Takes a gradient back through the activation fused into `signal`.
    mutating func backward(throughActivationOf signal: Signal, _ gradient: Panels) -> Panels {
        guard signal.activation != .identity else {
            if let blocks = signal.blocks { append(.signalGradient(gradient, blocks: blocks)) }
            return gradient
        }
        let dz = destination(for: gradient)
        append(.activationBackward(signal.activation, saved: signal.saved, dy: gradient, dz: dz, blocks: signal.blocks))
        return dz
    }

    /// dw = xᵀ·dy, and the bias's gradient; then, unless it is the last that the layer does, without a barrier.
    mutating func appendWeightGradients(x: Panels, dy: Panels, weight: ParameterTensor, bias: ParameterTensor?, isLast: Bool) {
        let accumulate = settings.accumulates
        append(.wgrad(x: x, dy: dy, accumulate: accumulate, dw: gradient(weight), squares: squares(weight)).overlapping(bias != nil || !isLast))
        if let bias { append(.biasGradient(dy: dy, accumulate: accumulate, db: gradient(bias).data).overlapping(!isLast)) }
    }

    /// dx = (dy·wᵀ) ⊙ φ′(saved), or dx + dy·wᵀ where it accumulates.
    mutating func appendDgrad(dy: Panels, w: Panels, input: Signal, dx: Panels, accumulate: Bool = false) {
        append(.dgrad(dy: dy, w: w, activation: input.activation, saved: input.saved, accumulate: accumulate, dx: dx, blocks: input.blocks))
    }
}

/// What all parts of a plan share.
struct PlanSettings {
    /// Samples of the batch.
    let rows: Int
    let training: Bool
    /// Whether dropout drops, in training.
    var drops = true
    /// Whether gradients are added to what is there: of a batch in several passes.
    let accumulates: Bool
    /// Whether signals inside segments are made again in the backward pass: memory then grows with the root of the depth.
    let recomputes: Bool
    let seed: UInt64
    /// Largest norm of the gradient at a time step; nil: any.
    let timeNorm: Double?
    /// What draws of a step are keyed by, and whether the step was finite; nil where the plan does not train.
    let batch: UnsafePointer<Batch>?
    let update: UnsafePointer<Update>?
    /// Where the sums of squares of the blocks of the weights' gradients go; nil: nowhere.
    let squares: UnsafeMutablePointer<Double>?
    /// Where what is told of the layers goes; nil: nobody asks.
    var instruments: LayerInstruments?
}

extension PlanBuilder {
    /// Scales the gradient of a time step to the largest norm allowed, where one is set.
    mutating func clipTimeStep(_ gradient: Panels) {
        guard let timeNorm = settings.timeNorm else { return }
        append(.clipUnits(gradient, parameters: nil, whole: true, limit: timeNorm, floor: 0))
    }
}
