import CKernels

/// How many numbers of an array have which size, to a power of two: what is about to underflow or overflow shows.
public struct ExponentHistogram: Sendable, Hashable {
    public let zero: Int
    /// The exponent of the first count: numbers of magnitude 2^e ..< 2^(e + 1). −127 holds everything below 2^−126, the subnormal numbers; 128 what is not finite.
    public let lowest: Int
    /// From `lowest` up, up to the largest exponent there is; empty where all are zero.
    public let counts: [Int]

    static let bins = Int(FATHOM_EXPONENT_BINS)

    /// - Parameter counts: of biased exponents, the zeros last, `bins` a panel.
    init(_ counts: UnsafePointer<UInt32>, panels: Int) {
        var sums = [Int](repeating: 0, count: Self.bins)
        for i in 0..<panels * Self.bins { sums[i % Self.bins] += Int(counts[i]) }
        zero = sums.removeLast()
        guard let first = sums.firstIndex(where: { $0 > 0 }), let last = sums.lastIndex(where: { $0 > 0 }) else {
            (lowest, self.counts) = (0, [])
            return
        }
        lowest = first - 127
        self.counts = Array(sums[first...last])
    }
}

/// What `Trainer.Instruments.full` adds.
public struct LayerExponents: Sendable, Hashable {
    /// "0.linear"
    public let name: String
    /// Of its weights and bias: of their gradient as the optimizer took it, but for a coefficient of clipping, and of themselves after the step.
    public let gradient: ExponentHistogram
    public let weight: ExponentHistogram
    /// Of its output, after the activation that follows.
    public let activation: ExponentHistogram
}

/// How large a residual's branch is beside its trunk.
public struct BranchRatio: Sendable, Hashable {
    /// "1.residual"
    public let name: String
    /// ‖s·f(x)‖/‖x‖ over the batch, s the block's scale in the step's forward pass, x projected where it is; nil where the trunk is 0.
    public let ratio: Double?
}

extension Trainer {
    /// Exponents of what the last step saw of each layer with parameters; empty unless the instruments are full. Of a step that was not finite the gradient is what
    /// the backward pass left. O(parameters).
    public func exponents() throws -> [LayerExponents] {
        guard let layerInstruments, layerInstruments.isFull else { return [] }
        if let exponentsBeforeSearch { return exponentsBeforeSearch }
        return try layerInstruments.layers.map { layer in
            LayerExponents(
                name: layer.name, gradient: try exponents(layer.tensors, in: gradients.floats(at: 0)), weight: try exponents(layer.tensors, in: live.storage.floats(at: 0)),
                activation: ExponentHistogram(layer.exponents!, panels: Panels.panels(layer.output.columns)))
        }
    }

    private func exponents(_ tensors: Range<Int>, in floats: UnsafeMutablePointer<Float>) throws -> ExponentHistogram {
        let groups = live.layout.tensors[tensors].flatMap { tensor in (0..<tensor.groups).map { tensor.group($0, in: floats) } }
        let panels = groups.reduce(0) { $0 + Panels.panels($1.columns) }
        return try Memory.withScratch(byteCount: panels * ExponentHistogram.bins * MemoryLayout<UInt32>.stride) { scratch in
            let counts = scratch.assumingMemoryBound(to: UInt32.self)
            var next = 0
            run(groups.map { group in
                defer { next += Panels.panels(group.columns) }
                return Call.exponents(group, accumulate: false, counts: counts + next * ExponentHistogram.bins).overlapping()
            }, threads: threads)
            return ExponentHistogram(counts, panels: panels)
        }
    }

    /// Of the last step, of each residual in the network's order; empty unless the instruments are full.
    public var branchRatios: [BranchRatio] {
        guard let layerInstruments, !layerInstruments.branches.isEmpty else { return [] }
        if lastWasFinite { runner.sumSignals(threads: threadsOfStep) }
        return zip(layerInstruments.branches, layerInstruments.scales).map { found, scale in
            let trunk = found.trunk.pointee.squares, branch = found.branch.pointee.squares
            return BranchRatio(name: found.name, ratio: trunk == 0 ? nil : scale.magnitude * (branch / trunk).squareRoot())
        }
    }
}
