/// What one step told of a layer with parameters. Signals are taken over the batch, after the activation that follows a linear layer or a normalization; of
/// other layers their output is. What there is nothing to tell of is nil.
public struct LayerStatistics: Sendable, Hashable {
    /// "0.linear", "1.3.linear".
    public let name: String
    /// ‖∂L/∂W‖, of its weights and bias, before clipping.
    public let gradientNorm: Double
    /// ‖∂L/∂h‖ of its output h; of a recurrent layer as clipping by time steps left it.
    public let signalGradientNorm: Double?
    /// ‖W‖ of its weights and bias, before the step; nil, like the ratio, where the step was not finite and changed nothing.
    public internal(set) var weightNorm: Double?
    /// ‖ΔW‖/‖W before‖; nil where the weights are all 0.
    public internal(set) var updateRatio: Double?
    /// Mean and deviation of h over all its entries.
    public let activationMean: Double?
    public let activationStd: Double?
    /// Mean of φ′(z)² over all entries; 1 without an activation. nil of lstm and gru, like the two that follow.
    public let slopeMeanSquare: Double?
    /// The share of entries with |φ′| below a twentieth of its maximum.
    public let saturated: Double?
    /// The share of columns whose φ′ is 0 for the whole batch, at every step of a sequence.
    public let dead: Double?
    /// Entries of ∂L/∂h that are subnormal: about to underflow.
    public let subnormal: Int
    /// Entries of h and of ∂L/∂z that are infinite or NaN.
    public let nonfinite: Int
    /// Entries of h: rows of the batch, steps of a sequence, columns.
    public let entries: Int
}

extension Trainer {
    /// What is gathered of the layers.
    public enum Instruments: Sendable, Hashable {
        /// Norms of gradients alone.
        case none
        case summary
        /// Exponents of gradients, weights and activations too, and how large the branches of residuals are beside their trunks.
        case full
    }

    /// What the last step told of each layer with parameters, in the network's order; empty before the first step. O(entries of their outputs / 256).
    public var layers: [LayerStatistics] {
        guard lastRows > 0 else { return [] }
        makeUpdate()
        return lastWasFinite ? withChanges(layersBeforeUpdate) : layersBeforeUpdate
    }

    /// The same before the last step's update is made: without what it says of the parameters.
    package var layersBeforeUpdate: [LayerStatistics] {
        guard let layerInstruments else { return layersOfNorms }
        if lastWasFinite { runner.sumSignals(threads: threadsOfStep) }
        let norms = state.clipping.norms
        return layerInstruments.layers.map { layer in
            var squares = 0.0
            for tensor in layer.tensors { squares += norms[tensor] * norms[tensor] }
            return LayerStatistics(layer, gradientNorm: squares.squareRoot(), rows: lastRows)
        }
    }

    /// With what the last update that was made says of the parameters.
    package func withChanges(_ layers: [LayerStatistics]) -> [LayerStatistics] {
        guard let layerInstruments else { return layers }
        layerInstruments.sumChanges(threads: threadsOfStep)
        var layers = layers
        for (index, layer) in layerInstruments.layers.enumerated() {
            layers[index].weightNorm = layer.change[0].squareRoot()
            layers[index].updateRatio = layer.change[0] > 0 ? (layer.change[1] / layer.change[0]).squareRoot() : nil
        }
        return layers
    }

    /// Without instruments.
    private var layersOfNorms: [LayerStatistics] {
        var squares: [Int: Double] = [:]
        for (tensor, norm) in zip(live.layout.tensors, state.clipping.norms) { squares[tensor.layer, default: 0] += norm * norm }
        return live.network.places.compactMap { place in
            squares[place.ordinal].map {
                LayerStatistics(
                    name: place.name, gradientNorm: $0.squareRoot(), signalGradientNorm: nil, weightNorm: nil, updateRatio: nil, activationMean: nil,
                    activationStd: nil, slopeMeanSquare: nil, saturated: nil, dead: nil, subnormal: 0, nonfinite: 0, entries: 0)
            }
        }
    }
}

extension LayerStatistics {
    init(_ layer: LayerInstruments.Layer, gradientNorm: Double, rows: Int) {
        let sums = layer.signal.pointee, columns = layer.output.columns, count = Double(rows * (layer.output.steps ?? 1) * columns)
        let mean = sums.sum / count, activation = layer.activation
        func share(_ number: UInt64, of count: Double) -> Double? { activation == nil ? nil : Double(number) / count }
        name = layer.name
        self.gradientNorm = gradientNorm
        signalGradientNorm = sums.gradient_squares.squareRoot()
        activationMean = mean
        // In float64: the squares of float32 numbers are exact there. What is not finite stays so.
        let variance = sums.squares / count - mean * mean
        activationStd = (variance < 0 ? 0 : variance).squareRoot()
        slopeMeanSquare = activation == .identity ? 1 : activation == nil ? nil : sums.slope_squares / count
        saturated = activation == .identity ? 0 : share(sums.saturated, of: count)
        dead = activation == .identity ? 0 : share(sums.dead, of: Double(columns))
        subnormal = Int(sums.subnormal)
        nonfinite = Int(sums.nonfinite)
        entries = rows * (layer.output.steps ?? 1) * columns
    }
}
