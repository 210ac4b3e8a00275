/// One layer of a model, as `fathom inspect` shows it.
public struct LayerSummary: Sendable, Hashable, Codable {
    /// "0.linear", "1.3.linear": its position in `nn.Sequential`, and what it is.
    public let name: String
    /// As the network writes it.
    public let notation: String
    public let inputs: Int
    public let outputs: Int
    public let parameters: Int
    /// Of the forward pass, per sample; a multiplication with its addition counts two.
    public let flops: Int
}

extension Model {
    public var summary: [LayerSummary] {
        zip(network.places, layout.shapes).map { place, shape in
            let output = (try? place.layer.output(for: shape)) ?? shape
            return LayerSummary(
                name: place.name, notation: place.layer.description, inputs: shape.columns, outputs: output.columns,
                parameters: layout.tensors(ofLayer: place.ordinal).reduce(0) { $0 + ($1.role == .state ? 0 : $1.elements) },
                flops: place.layer.planned.flops(shape))
        }
    }
}

/// Bytes that training a network takes: parameters and their averages, gradients, the optimizer's state, what clipping measures and the instruments
/// gather, and the buffers of a batch; the data not counted.
///
/// - Parameter keepsBest: whether a copy of the best model so far is kept.
/// - Throws: `FathomError.invalid` where widths disagree.
public func trainingMemory(
    _ network: Network, inputs: Int, outputs: Int?, loss: Loss, optimizer: Optimizer, batch: Int, recompute: Recompute = .none, passes: Int = 1, ema: Double? = nil,
    instruments: Trainer.Instruments = .summary, keepsBest: Bool = false
) throws -> Int {
    let network = try network.resolved(inputs: inputs, outputs: outputs)
    let layout = try ParameterLayout(network, inputs: inputs)
    let blueprint = Plan.Blueprint(network: network, layout: layout, inputs: inputs, purpose: .training, loss: loss, recompute: recompute)
    let models = 1 + (ema == nil ? 0 : 1) + (keepsBest ? 1 : 0)
    let rows = batch / passes + (batch.isMultiple(of: passes) ? 0 : 1)
    let floats = layout.storageCount * models + layout.count * (1 + optimizer.moments.count)
    let gathered = instruments == .none ? nil : try LayerInstruments(network, layout, isFull: instruments == .full, measuring: true)
    let defers = DeferredUpdate.isWorth(layout, passes: passes, ema: ema, instruments: instruments)
    let state = StepState.byteCount(layout, deferring: defers) + StepRunner.byteCount(layout, passes: passes, rows: batch)
    return min(
        floats * MemoryLayout<Float>.stride + (gathered?.byteCount ?? 0) + state + blueprint.byteCount(rows: rows, instruments: gathered), Reservation.most)
}
