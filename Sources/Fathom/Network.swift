/// A network as the user wrote it: `[linear(512) relu] * 2 linear(10)`. A value; equal where the notation is.
public struct Network: NotationRepresentable {
    public indirect enum Element: Sendable {
        case layer(any Layer)
        /// `[ … ] * times`, with `times` above 1.
        case repeated([Element], times: Int)
    }

    /// The network as it was written, groups that are not repeated left out.
    public let elements: [Element]
    /// Repeats expanded and groups flattened: position i is position i of PyTorch's `nn.Sequential`.
    public let layers: [any Layer]
    /// The notation in its shortest form, which parses back to an equal network.
    public let description: String
    /// Layers, those inside of others counted too.
    let size: Int

    public init(_ notation: String) throws(FathomError) {
        let terms = try parseTerms(notation, blocks: Set(layerKinds.filter(\.isBlock).map(\.name)), example: "linear(128) or [ … ] * 2")
        if terms.isEmpty {
            throw Position(source: notation, offset: 0).error("no network", "write layers, as in [linear(128) relu] * 2 linear(outputs)")
        }
        let elements = try Self.elements(terms)
        try Self.checkSequence(terms)
        self.init(elements)
    }

    init(_ elements: [Element]) {
        self.elements = elements
        layers = Self.expanded(elements)
        description = Self.printed(elements)
        size = layers.reduce(layers.count) { $0 + ($1.inside?.size ?? 0) }
    }

    public static func == (a: Network, b: Network) -> Bool { a.description == b.description }
    public func hash(into hasher: inout Hasher) { hasher.combine(description) }

    // MARK: Reading and printing

    static let vocabulary = Vocabulary(kind: "layer", names: layerKinds.map(\.name), synonyms: [
        "dense": "linear", "fc": "linear", "fullyconnected": "linear", "lin": "linear", "affine": "linear", "ip": "linear",
        "lrelu": "leakyrelu", "rectifier": "relu", "swish": "silu", "logistic": "sigmoid", "expit": "sigmoid", "htanh": "hardtanh",
        "none": "identity", "id": "identity", "noop": "identity", "passthrough": "identity", "gelutanh": "gelu(tanh)",
        "gelunew": "gelu(tanh)",
    ], notes: [
        "softmax": "leave it out: the cross-entropy loss applies softmax to the last layer's outputs itself",
        "logsoftmax": "leave it out: the cross-entropy loss applies softmax to the last layer's outputs itself",
        "flatten": "leave it out: a sample is one row of numbers already",
        "input": "leave it out: the width in is inferred",
        "sequential": "leave it out: layers are written one after another",
        "outputs": "it is a width: linear(outputs)",
    ])

    /// The elements that terms stand for; the number of layers is bounded before anything is expanded.
    static func elements(_ terms: [Term]) throws(FathomError) -> [Element] {
        _ = try layerCount(terms)
        return try read(terms)
    }

    /// Checks that `sequence` stands first, that what needs a sequence has one, and that no residual changes the rows.
    private static func checkSequence(_ terms: [Term]) throws(FathomError) {
        let recurrent = Set(Recurrent.kinds.map(\.name)), reductions = Set(StepReduction.kinds.map(\.name))
        var isFirst = true, inSequence = false
        func check(_ terms: [Term], inResidual: Bool) throws(FathomError) {
            for term in terms {
                // What holds for the first repetition and for the second holds for all.
                for _ in 0..<min(term.times, 2) {
                    let name = term.name ?? ""
                    if name == "sequence" {
                        guard isFirst, !inResidual else { throw term.position.error("'sequence' behind other layers", "it stands first, and once") }
                        inSequence = true
                    } else if recurrent.contains(name) || reductions.contains(name), !inSequence {
                        throw term.position.error("'\(name)' without a sequence", "begin the network with sequence(steps)")
                    } else if reductions.contains(name) {
                        guard !inResidual else {
                            throw term.position.error("'\(name)' inside a residual", "it changes the rows; move it behind the residual")
                        }
                        inSequence = false
                    }
                    if let group = term.group {
                        try check(group, inResidual: inResidual || term.name != nil)
                    }
                    isFirst = false
                }
            }
        }
        try check(terms, inResidual: false)
    }

    private static func layerCount(_ terms: [Term]) throws(FathomError) -> Int {
        var total = 0
        for term in terms {
            let inside = (term.name == nil ? 0 : 1) + (try term.group.map(layerCount) ?? 0)
            // Both factors are about a million at most, and so is every partial sum: no overflow.
            total += inside * term.times
            if total > Parser.mostRepetitions {
                throw (term.timesPosition ?? term.position)
                    .error("more than \(Parser.mostRepetitions) layers", "that is the most a network can have")
            }
        }
        return total
    }

    private static func read(_ terms: [Term]) throws(FathomError) -> [Element] {
        var elements: [Element] = []
        for term in terms {
            let inside: [Element] = if term.name == nil, let group = term.group { try read(group) } else { [.layer(try layer(term))] }
            if term.times == 1 { elements += inside } else { elements.append(.repeated(inside, times: term.times)) }
        }
        return elements
    }

    private static func layer(_ term: Term) throws(FathomError) -> any Layer {
        let name = term.name ?? ""
        guard let kind = layerKinds.first(where: { $0.name == name }) else { throw vocabulary.unknown(name, at: term.position) }
        return try kind.read(term)
    }

    private static func expanded(_ elements: [Element]) -> [any Layer] {
        elements.flatMap { element -> [any Layer] in
            switch element {
            case .layer(let layer): [layer]
            case .repeated(let inside, let times): Array(repeatElement(expanded(inside), count: times).joined())
            }
        }
    }

    private static func printed(_ elements: [Element]) -> String {
        elements.map { element in
            switch element {
            case .layer(let layer): layer.description
            case .repeated(let inside, let times):
                if inside.count == 1, case .layer(let layer) = inside[0] {
                    "\(layer) * \(times)"
                } else {
                    "[\(printed(inside))] * \(times)"
                }
            }
        }.joined(separator: " ")
    }

    // MARK: Shapes

    /// The network with every width known: `linear(outputs)` becomes a number.
    ///
    /// - Parameters:
    ///   - inputs: The columns of the data.
    ///   - outputs: The columns that the data asks for at each step; nil where any will do, and `linear(outputs)` cannot be told.
    /// - Throws: `FathomError.invalid`, naming the layer by its position, where a width is missing, or the last is not `outputs`.
    public func resolved(inputs: Int, outputs: Int?) throws(FathomError) -> Network {
        for (name, width) in [("inputs", inputs), ("outputs", outputs ?? 1)] where !(1...Linear.widest).contains(width) {
            throw FathomError.invalid("\(width) \(name); a network takes and gives 1 to \(Linear.widest) columns")
        }
        if outputs == nil, let place = places.last(where: { $0.layer.inside == nil && (try? $0.layer.resolved(outputs: nil)) == nil }) {
            throw FathomError.invalid("layer \(place.path), \(place.layer), takes its width from the data, which states none; give it a number")
        }
        let network = try filled(outputs: outputs)
        let shapes = try network.shapes(from: Shape(columns: inputs))
        if let outputs, let width = shapes.last?.columns, width != outputs {
            guard let position = network.layers.lastIndex(where: { $0.hasWeights || $0.inside != nil }) else {
                throw FathomError.invalid(
                    "the network has no layer with weights and gives its \(width) inputs; the data wants \(outputs): add linear(outputs)")
            }
            throw FathomError.invalid(
                "layer \(position), \(layers[position]), gives \(width) columns; the data wants \(outputs): linear(outputs) fits")
        }
        return network
    }

    /// The same network with a width in place of every `outputs`.
    func filled(outputs: Int?) throws(FathomError) -> Network { Network(try Self.filled(elements, outputs: outputs)) }

    private static func filled(_ elements: [Element], outputs: Int?) throws(FathomError) -> [Element] {
        try elements.map { element throws(FathomError) in
            switch element {
            case .layer(let layer): .layer(try layer.resolved(outputs: outputs))
            case .repeated(let inside, let times): .repeated(try filled(inside, outputs: outputs), times: times)
            }
        }
    }

    /// The number of columns after each layer of a resolved network.
    public func widths(inputs: Int) throws(FathomError) -> [Int] { try shapes(from: Shape(columns: inputs)).map(\.columns) }

    /// The shape after each layer of a resolved network.
    public func shapes(from input: Shape) throws(FathomError) -> [Shape] {
        var shape = input
        var shapes: [Shape] = []
        shapes.reserveCapacity(layers.count)
        for (position, layer) in layers.enumerated() {
            do {
                shape = try layer.output(for: shape)
            } catch .invalid(let what) where !(layer is Linear) {
                // What is said of a layer inside keeps its own position: layer 1.3, …
                throw FathomError.invalid("layer \(position)" + (what.hasPrefix("layer ") ? "." + what.dropFirst(6) : ", \(layer): \(what)"))
            }
            shapes.append(shape)
        }
        return shapes
    }

    /// Time steps that the network cuts a sample into; nil where it begins without `sequence`.
    public var inputSteps: Int? { (layers.first as? SequenceInput)?.steps }

    /// Time steps of its output: those of its input, unless `last` or `mean` has made one row of them.
    public var outputSteps: Int? { layers.contains { $0 is StepReduction } ? nil : inputSteps }

    /// Whether a layer carries a state from step to step.
    public var isRecurrent: Bool { layers.contains { $0 is Recurrent || $0.inside?.isRecurrent == true } }
}
