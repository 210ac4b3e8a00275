/// A layer in its place in a network, wherever it is nested.
public struct Place: Sendable {
    public let layer: any Layer
    /// Its position, behind those of the layers it is inside of: "1.3". PyTorch's `nn.Sequential` numbers modules so.
    public let path: String
    /// Counts all layers of the network in order, each before those inside it.
    let ordinal: Int
    /// The activation right after it; nil where there is none.
    public let following: Activation?
    /// Residual blocks of the network that are not inside another.
    let residualBlocks: Int
    /// Where it stands in the branch of the innermost residual around it; nil outside.
    let branch: Initializer.Context.Branch?
    /// Whether it is the last layer with weights of the network.
    let isOutput: Bool

    /// "1.3.linear"
    public var name: String { "\(path).\(layer.name)" }
}

extension Network {
    /// Every layer, each followed by those inside it.
    public var places: [Place] {
        var places: [Place] = []
        places.reserveCapacity(size)
        place(into: &places, prefix: "", blocks: residualBlocks, isBranch: false)
        return places
    }

    /// Whether rnn, lstm or gru is among its layers.
    public var hasRecurrentLayer: Bool { contains { $0 is Recurrent } }

    /// Residual blocks that are not inside another.
    var residualBlocks: Int { layers.count { $0 is Residual } }

    private func place(into places: inout [Place], prefix: String, blocks: Int, isBranch: Bool) {
        let weighted = layers.indices.filter { layers[$0].hasWeights }, last = layers.lastIndex { $0.hasWeights || $0.inside != nil }
        for (position, layer) in layers.enumerated() {
            let path = prefix + String(position)
            let branch = isBranch ? Initializer.Context.Branch(layers: weighted.count, isLast: position == weighted.last) : nil
            places.append(Place(
                layer: layer, path: path, ordinal: places.count, following: activation(after: position), residualBlocks: blocks, branch: branch,
                isOutput: !isBranch && layer.hasWeights && position == last))
            layer.inside?.place(into: &places, prefix: path + ".", blocks: blocks, isBranch: true)
        }
    }

    /// The shape that goes into each layer, in the order of `places`.
    func inputShapes(from input: Shape) throws(FathomError) -> [Shape] {
        var shapes: [Shape] = []
        shapes.reserveCapacity(size)
        try collectShapes(into: &shapes, from: input)
        return shapes
    }

    private func collectShapes(into shapes: inout [Shape], from input: Shape) throws(FathomError) {
        for (layer, shape) in zip(layers, [input] + (try self.shapes(from: input))) {
            shapes.append(shape)
            try layer.inside?.collectShapes(into: &shapes, from: shape)
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
        layers[position].initializer(following: activation(after: position), default: initializer)
    }

    /// Who is drawn by what, for people: `he for 0.linear, 2.linear; glorot for 4.linear`.
    ///
    /// - Parameter own: only of the layers that say their initializer, or only of those that do not; nil: of all.
    public func initializationSummary(default initializer: Initializer? = nil, own: Bool? = nil) -> String {
        var order: [Initializer] = []
        var names: [Initializer: [String]] = [:]
        for place in places where own == nil || own == (place.layer.initializer != nil) {
            guard let chosen = place.layer.initializer(following: place.following, default: initializer) else { continue }
            if names[chosen] == nil { order.append(chosen) }
            names[chosen, default: []].append(place.name)
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

extension Layer {
    /// The initializer of its weights: its own, else the given one, else the one that fits the activation that follows; nil where it has none.
    func initializer(following: Activation?, default standard: Initializer?) -> Initializer? {
        hasWeights ? initializer ?? standard ?? Initializer.fitting(following) : nil
    }
}
