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

    public init(_ notation: String) throws(FathomError) {
        let terms = try parseTerms(notation, blocks: Set(layerKinds.filter(\.isBlock).map(\.name)), example: "linear(128) or [ … ] * 2")
        if terms.isEmpty {
            throw Position(source: notation, offset: 0).error("no network", "write layers, as in [linear(128) relu] * 2 linear(outputs)")
        }
        self.init(try Self.elements(terms))
    }

    init(_ elements: [Element]) {
        self.elements = elements
        layers = Self.expanded(elements)
        description = Self.printed(elements)
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

    // MARK: Widths

    /// The network with every width known: `linear(outputs)` becomes a number.
    ///
    /// - Parameters:
    ///   - inputs: The columns of the data.
    ///   - outputs: The columns that the data asks for; nil where any will do, and `linear(outputs)` cannot be told.
    /// - Throws: `FathomError.invalid`, naming the layer by its position, where a width is missing, or the last is not `outputs`.
    public func resolved(inputs: Int, outputs: Int?) throws(FathomError) -> Network {
        for (name, width) in [("inputs", inputs), ("outputs", outputs ?? 1)] where !(1...Linear.widest).contains(width) {
            throw FathomError.invalid("\(width) \(name); a network takes and gives 1 to \(Linear.widest) columns")
        }
        if outputs == nil, let position = layers.firstIndex(where: { (try? $0.resolved(outputs: nil)) == nil }) {
            throw FathomError.invalid(
                "layer \(position), \(layers[position]), takes its width from the data, which states none; give it a number")
        }
        let network = Network(try Self.resolved(elements, outputs: outputs))
        let widths = try network.widths(inputs: inputs)
        if let outputs, let width = widths.last, width != outputs {
            guard let position = network.layers.lastIndex(where: \.hasWeights) else {
                throw FathomError.invalid(
                    "the network has no layer with weights and gives its \(width) inputs; the data wants \(outputs): add linear(outputs)")
            }
            throw FathomError.invalid(
                "layer \(position), \(layers[position]), gives \(width) columns; the data wants \(outputs): linear(outputs) fits")
        }
        return network
    }

    /// The number of columns after each layer of a resolved network.
    public func widths(inputs: Int) throws(FathomError) -> [Int] {
        var width = inputs
        var widths: [Int] = []
        widths.reserveCapacity(layers.count)
        for layer in layers {
            width = try layer.outputs(from: width)
            widths.append(width)
        }
        return widths
    }

    private static func resolved(_ elements: [Element], outputs: Int?) throws(FathomError) -> [Element] {
        try elements.map { element throws(FathomError) in
            switch element {
            case .layer(let layer): .layer(try layer.resolved(outputs: outputs))
            case .repeated(let inside, let times): .repeated(try resolved(inside, outputs: outputs), times: times)
            }
        }
    }

    // MARK: Initialization

    /// The activation right after a position; nil where there is none.
    public func activation(after position: Int) -> Activation? {
        position + 1 < layers.count ? layers[position + 1] as? Activation : nil
    }

    /// The initializer of the layer at a position: its own, else the given one, else the one that fits the activation that follows.
    /// nil where the layer has no weights.
    public func initializer(at position: Int, default initializer: Initializer? = nil) -> Initializer? {
        let layer = layers[position]
        guard layer.hasWeights else { return nil }
        return layer.initializer ?? initializer ?? Initializer.fitting(activation(after: position))
    }

    /// Who is drawn by what, for people: `he for 0.linear, 2.linear; glorot for 4.linear`.
    public func initializationSummary(default initializer: Initializer? = nil) -> String {
        var order: [Initializer] = []
        var names: [Initializer: [String]] = [:]
        for (position, layer) in layers.enumerated() {
            guard let chosen = self.initializer(at: position, default: initializer) else { continue }
            if names[chosen] == nil { order.append(chosen) }
            names[chosen, default: []].append("\(position).\(layer.name)")
        }
        return order.map { "\($0) for \(Self.listed(names[$0] ?? []))" }.joined(separator: "; ")
    }

    /// All of up to four names; of more, the first two, the last, and how many.
    private static func listed(_ names: [String]) -> String {
        names.count <= 4
            ? names.joined(separator: ", ")
            : "\(names[0]), \(names[1]), …, \(names[names.count - 1]) (\(names.count) layers)"
    }
}
