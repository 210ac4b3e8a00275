import Fathom

extension Network {
    /// Positions of each step of depth: a repetition of the longest repeated group, which of several is the one with most layers; without one, a layer with
    /// weights or a residual block, with what follows it up to the next.
    public var stepsOfDepth: [Range<Int>] {
        var first = 0, longest: (first: Int, size: Int, times: Int)?
        for element in elements {
            let size = element.layerCount
            if case .repeated(let inside, let times) = element, inside.contains(where: \.hasWeights), size > longest.map({ $0.size * $0.times }) ?? 0 {
                longest = (first, size / times, times)
            }
            first += size
        }
        guard let longest else { return layersWithWeights }
        return (0..<longest.times).map { longest.first + $0 * longest.size..<longest.first + ($0 + 1) * longest.size }
    }

    /// What people call a step of depth of this network: a layer where each has one with weights, a block where each has one residual.
    public var nounOfStep: String {
        let counts = Set(stepsOfDepth.map { step in
            [layers[step].count { $0.hasWeights }, layers[step].count { $0.inside != nil }]
        })
        return counts == [[1, 0]] ? "layer" : counts == [[0, 1]] ? "block" : "step of depth"
    }

    /// Positions of each layer with weights or residual block, with what follows it up to the next; what stands before the first goes with it.
    public var layersWithWeights: [Range<Int>] {
        let starts = layers.indices.filter { layers[$0].hasWeights || layers[$0].inside != nil }
        return starts.enumerated().map { i, start in
            (i == 0 ? 0 : start)..<(i + 1 < starts.count ? starts[i + 1] : layers.count)
        }
    }
}

extension Network.Element {
    fileprivate var layerCount: Int {
        switch self {
        case .layer: 1
        case .repeated(let inside, let times): times * inside.reduce(0) { $0 + $1.layerCount }
        }
    }

    fileprivate var hasWeights: Bool {
        switch self {
        case .layer(let layer): layer.hasWeights || layer.inside?.layers.contains { $0.hasWeights } == true
        case .repeated(let inside, _): inside.contains(where: \.hasWeights)
        }
    }
}
