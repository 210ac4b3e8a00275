/// One tensor of a network's parameters, where it lies and what it is called.
struct ParameterTensor: Sendable {
    enum Role: String, Sendable { case weight, bias }

    /// Its name in a PyTorch `state_dict` of the same network as `nn.Sequential`: "0.weight", "2.bias".
    let name: String
    let role: Role
    /// [inputs × outputs] for a weight, [1 × outputs] for a bias, in panels.
    let rows: Int
    let columns: Int
    /// Floats from the start of the parameters.
    let offset: Int
    /// Position of its layer, from 0.
    let layer: Int

    /// As PyTorch has it: [outputs, inputs], or [outputs].
    var shape: [Int] { role == .weight ? [columns, rows] : [columns] }
    var elements: Int { rows * columns }
    /// Floats it takes, padding included.
    var count: Int { Panels.count(rows: rows, columns: columns) }

    func panels(in floats: UnsafeMutablePointer<Float>) -> Panels { Panels(data: floats + offset, rows: rows, columns: columns) }
}

/// Where the parameters of a network lie in one flat array; gradients and the optimizer's state lie the same way.
///
/// Tensors that weight decay touches come first, the others after them, so an optimizer needs two passes over flat memory, whatever the depth.
struct ParameterLayout: Sendable {
    /// In the order of the layers.
    let tensors: [ParameterTensor]
    /// Floats that decay.
    let decayingCount: Int
    /// Floats in all, padding included.
    let count: Int
    /// Parameters as one counts them, without padding.
    let elements: Int
    /// Columns into each layer, and out of the last.
    let widths: [Int]

    /// - Parameter network: resolved, every width known.
    /// - Throws: `FathomError.tooLarge` where no machine could hold the parameters.
    init(_ network: Network, inputs: Int) throws {
        widths = [inputs] + (try network.widths(inputs: inputs))
        var shapes: [(name: String, role: ParameterTensor.Role, rows: Int, columns: Int, layer: Int)] = []
        for (position, (layer, width)) in zip(network.layers, widths).enumerated() {
            for shape in layer.planned.parameters(inputs: width) {
                shapes.append(("\(position).\(shape.role.rawValue)", shape.role, shape.rows, shape.columns, position))
            }
        }
        var offsets = [Int](repeating: 0, count: shapes.count), next = 0
        for role in [ParameterTensor.Role.weight, .bias] {
            for (i, shape) in shapes.enumerated() where shape.role == role {
                offsets[i] = next
                next += Panels.count(rows: shape.rows, columns: shape.columns)
                guard next <= Panels.most else { throw FathomError.tooLarge("this network has more than 10^14 parameters; no memory holds them") }
            }
        }
        tensors = zip(shapes, offsets).map { shape, offset in
            ParameterTensor(name: shape.name, role: shape.role, rows: shape.rows, columns: shape.columns, offset: offset, layer: shape.layer)
        }
        decayingCount = tensors.filter { $0.role == .weight }.reduce(0) { $0 + $1.count }
        count = next
        elements = tensors.reduce(0) { $0 + $1.elements }
    }

    /// The tensors of a layer, weight before bias.
    func tensors(ofLayer layer: Int) -> ArraySlice<ParameterTensor> {
        // Tensors are in layer order: the first of a layer is found by bisection, so that building a plan stays linear in depth.
        var low = 0, high = tensors.count
        while low < high {
            let middle = (low + high) / 2
            if tensors[middle].layer < layer { low = middle + 1 } else { high = middle }
        }
        return tensors[low...].prefix { $0.layer == layer }
    }
}

/// Reads a tensor out of panels into row-major order: [outputs, inputs] for a weight.
func rowMajor(_ tensor: ParameterTensor, in floats: UnsafeMutablePointer<Float>) throws -> [Float] {
    let panels = tensor.panels(in: floats)
    return try [Float](unsafeUninitializedCapacity: tensor.elements) { target, initialized in
        let address = target.baseAddress!
        switch tensor.role {
        case .weight:
            try withTransposed(tensor) { transposed in
                run([.transpose(panels, into: transposed), .scatter(transposed, scale: nil, offset: nil, target: address)], threads: 1)
            }
        case .bias: run([.scatter(panels, scale: nil, offset: nil, target: address)], threads: 1)
        }
        initialized = tensor.elements
    }
}

/// Writes a row-major tensor ([outputs, inputs] for a weight) into its panels; padding becomes zero.
func setRowMajor(_ tensor: ParameterTensor, in floats: UnsafeMutablePointer<Float>, to values: [Float]) throws {
    let panels = tensor.panels(in: floats)
    try values.withUnsafeBytes { source in
        func gather(into x: Panels) -> Call {
            var call = Call.gather(bytes: false, sourceColumns: x.columns, mean: nil, scale: nil, x: x)
            call.arguments.gather.source = source.baseAddress
            return call
        }
        switch tensor.role {
        case .weight: try withTransposed(tensor) { run([gather(into: $0), .transpose($0, into: panels)], threads: 1) }
        case .bias: run([gather(into: panels)], threads: 1)
        }
    }
}

private func withTransposed(_ tensor: ParameterTensor, _ body: (Panels) -> Void) throws {
    try Memory.withScratch(byteCount: Panels.count(rows: tensor.columns, columns: tensor.rows) * MemoryLayout<Float>.stride) {
        body(Panels(data: $0.assumingMemoryBound(to: Float.self), rows: tensor.columns, columns: tensor.rows))
    }
}
