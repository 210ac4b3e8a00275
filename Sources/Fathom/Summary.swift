/// One layer of a model, as `fathom inspect` shows it.
public struct LayerSummary: Sendable, Hashable, Codable {
    /// "0.linear": its position in `nn.Sequential`, and what it is.
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
        let widths = layout.widths
        return network.layers.enumerated().map { position, layer in
            LayerSummary(
                name: "\(position).\(layer.name)", notation: layer.description, inputs: widths[position], outputs: widths[position + 1],
                parameters: layout.tensors(ofLayer: position).reduce(0) { $0 + $1.elements }, flops: layer.planned.flops(inputs: widths[position]))
        }
    }
}

/// Bytes that training a network takes: parameters, gradients, the optimizer's state and the buffers of a batch; the data not counted.
///
/// - Throws: `FathomError.invalid` where widths disagree.
public func trainingMemory(_ network: Network, inputs: Int, outputs: Int?, loss: Loss, optimizer: Optimizer, batch: Int) throws -> Int {
    let network = try network.resolved(inputs: inputs, outputs: outputs)
    let layout = try ParameterLayout(network, inputs: inputs)
    let blueprint = Plan.Blueprint(
        network: network, layout: layout, inputs: inputs, outputs: layout.widths.last ?? inputs, purpose: .training, loss: loss)
    return min(layout.count * MemoryLayout<Float>.stride * (2 + optimizer.moments.count) + blueprint.byteCount(rows: batch), Reservation.most)
}
