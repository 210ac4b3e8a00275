/// The output of a layer on its way through a plan: its values, and what the backward pass needs to go through the activation fused into it.
struct Signal {
    let values: Panels
    /// The activation that the layer applied last; identity where none.
    let activation: Activation
    /// What the derivative of that activation is computed from: `values`, or the activation's input.
    let saved: Panels

    init(_ values: Panels, activation: Activation = .identity, saved: Panels? = nil) {
        self.values = values
        self.activation = activation
        self.saved = saved ?? values
    }
}

/// What a plan asks of a layer, beyond its notation and its width. `tensors` are the layer's own, in the order that `parameters` gave.
protocol PlannedLayer: Sendable {
    /// The tensors it learns, for a width in.
    func parameters(inputs: Int) -> [(role: ParameterTensor.Role, rows: Int, columns: Int)]
    /// Floats of scratch that its backward pass needs while it runs.
    func scratch(inputs: Int) -> Int
    /// Of the forward pass, per sample; a multiplication with its addition counts two.
    func flops(inputs: Int) -> Int
    /// Whether an activation that follows is applied by this layer's own calls.
    var fusesActivation: Bool { get }
    /// Fills its tensors before training.
    func initialize(_ tensors: ArraySlice<ParameterTensor>, drawing: Drawing) throws
    /// Appends the calls that take `input` to the layer's output, `activation` applied to it.
    func forward(_ input: Signal, tensors: ArraySlice<ParameterTensor>, activation: Activation, plan: inout PlanBuilder) -> Signal
    /// Appends the calls that take `dz`, the gradient at the layer's output before its fused activation, to the gradients of its tensors and, if
    /// `needsInput`, to the gradient at its input before the activation fused into that.
    func backward(_ dz: Panels, input: Signal, tensors: ArraySlice<ParameterTensor>, needsInput: Bool, plan: inout PlanBuilder) -> Panels?
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
    let rows: Int
    let training: Bool
    let parameters: UnsafeMutablePointer<Float>
    let gradients: UnsafeMutablePointer<Float>
    /// Shared by all layers, each while it runs backward.
    let scratch: UnsafeMutablePointer<Float>
    private(set) var reservation: Reservation
    private(set) var calls: [Call] = []

    // Gradients of signals, and in prediction the signals themselves, are needed only until the next layer has run: two buffers take turns.
    private let turns: [UnsafeMutablePointer<Float>]
    private var turn = 0

    /// - Parameters:
    ///   - widest: columns of the widest signal.
    ///   - scratch: floats of the shared scratch.
    ///   - memory: nil to measure only.
    init(
        rows: Int, training: Bool, widest: Int, scratch: Int, parameters: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>,
        memory: Memory?
    ) {
        self.rows = rows
        self.training = training
        self.parameters = parameters
        self.gradients = gradients
        reservation = Reservation(in: memory)
        self.scratch = reservation.reserve(Float.self, count: scratch)
        let count = Panels.count(rows: rows, columns: widest)
        turns = [reservation.reserve(Float.self, count: count), reservation.reserve(Float.self, count: count)]
    }

    mutating func append(_ call: Call) { calls.append(call) }

    mutating func reserve<Element>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> { reservation.reserve(type, count: count) }

    /// A matrix of the batch that lasts as long as the plan.
    mutating func lasting(columns: Int) -> Panels { reservation.panels(rows: rows, columns: columns) }

    /// A matrix of the batch that lasts until the next but one is asked for.
    mutating func passing(columns: Int) -> Panels {
        turn = 1 - turn
        return Panels(data: turns[turn], rows: rows, columns: columns)
    }

    /// A layer's output: kept for the backward pass in training.
    mutating func output(columns: Int) -> Panels { training ? lasting(columns: columns) : passing(columns: columns) }

    /// Takes a gradient back through the activation fused into `signal`, in place.
    mutating func backward(throughActivationOf signal: Signal, _ gradient: Panels) {
        guard signal.activation != .identity else { return }
        append(.activationBackward(signal.activation, saved: signal.saved, dy: gradient, dz: gradient))
    }
}
