/// One tensor of a network's parameters, where it lies and what it is called.
struct ParameterTensor: Sendable {
    enum Role: Sendable {
        /// A matrix that an initializer draws; weight decay touches it.
        case weight
        /// Learned without decay: a bias, a gain, a scale.
        case vector
        /// Not learned: what a layer remembers of its batches.
        case state
    }

    /// What a layer asks for: `columns` to each of `groups` groups (the gates of a recurrent layer), every group beginning on a panel.
    struct Request {
        let name: String
        let role: Role
        let rows: Int
        let columns: Int
        var groups = 1
    }

    /// Its name in a PyTorch `state_dict` of the same network as `nn.Sequential`: "0.weight", "1.3.bias".
    let name: String
    let role: Role
    /// [inputs × outputs] for a weight, [1 × outputs] for a vector, in panels.
    let rows: Int
    /// Of one group.
    let columnsOfGroup: Int
    let groups: Int
    /// Floats from the start of the parameters.
    let offset: Int
    /// Ordinal of its layer (see `Place`).
    let layer: Int
    /// Place among the tensors of its layer.
    let index: Int
    /// Of the blocks of 16×16 elements of all weights, the first of this one, where it is a weight: a gradient's norm is summed over them.
    let firstBlock: Int

    /// Of the whole matrix in panels; the padding between groups counts.
    var columns: Int { groups == 1 ? columnsOfGroup : groups * Panels.padded(columnsOfGroup) }
    /// As PyTorch has it: [outputs, inputs], or [outputs].
    var shape: [Int] { role == .weight ? [groups * columnsOfGroup, rows] : [groups * columnsOfGroup] }
    var elements: Int { rows * columnsOfGroup * groups }
    /// Floats it takes, padding included.
    var count: Int { Panels.count(rows: rows, columns: columns) }
    /// Of 16×16 elements.
    var blocks: Int { Panels.panels(columns) * Panels.panels(rows) }

    func panels(in floats: UnsafeMutablePointer<Float>) -> Panels { Panels(data: floats + offset, rows: rows, columns: columns) }

    /// The columns of one group.
    func group(_ group: Int, in floats: UnsafeMutablePointer<Float>) -> Panels {
        panels(in: floats).group(group, of: groups, columns: columnsOfGroup)
    }
}

/// Where the parameters of a network lie in one flat array; gradients and the optimizer's state lie the same way.
///
/// Tensors that weight decay touches come first, the other learned ones after them, so an optimizer needs two passes over flat memory, whatever the
/// depth; what is not learned comes last, and gradients have none of it.
struct ParameterLayout: Sendable {
    /// In the order of the layers, those that are not learned too.
    let all: [ParameterTensor]
    /// The learned ones.
    let tensors: [ParameterTensor]
    /// Floats that decay.
    let decayingCount: Int
    /// Floats that are learned, padding included.
    let count: Int
    /// Floats in all, padding included.
    let storageCount: Int
    /// Blocks of 16×16 elements of all weights.
    let weightBlocks: Int
    /// Learned parameters as one counts them, without padding.
    let elements: Int
    /// Into each layer, in the order of `Network.places`.
    let shapes: [Shape]
    /// Of the network's output.
    let output: Shape
    /// See `Network.residualBlocks`.
    let residualBlocks: Int
    /// Of each layer that is not inside another: its place in `Network.places`.
    let ordinals: [Int]

    /// - Parameter network: resolved, every width known.
    /// - Throws: `FathomError.tooLarge` where no machine could hold the parameters.
    init(_ network: Network, inputs: Int) throws {
        let input = Shape(columns: inputs)
        shapes = try network.inputShapes(from: input)
        output = try network.shapes(from: input).last ?? input
        residualBlocks = network.residualBlocks
        var ordinals: [Int] = [], ordinal = 0
        for layer in network.layers {
            ordinals.append(ordinal)
            ordinal += 1 + (layer.inside?.size ?? 0)
        }
        self.ordinals = ordinals
        var requests: [(request: ParameterTensor.Request, place: Place, index: Int)] = []
        for (place, shape) in zip(network.places, shapes) {
            for (index, request) in try place.layer.planned.parameters(shape).enumerated() { requests.append((request, place, index)) }
        }
        var offsets = [Int](repeating: 0, count: requests.count), next = 0, ends: [Int] = []
        for role in [ParameterTensor.Role.weight, .vector, .state] {
            for (i, (request, _, _)) in requests.enumerated() where request.role == role {
                offsets[i] = next
                next += Panels.count(rows: request.rows, columns: request.groups * Panels.padded(request.columns))
                guard next <= Panels.most else { throw FathomError.tooLarge("this network has more than 10^14 parameters; no memory holds them") }
            }
            ends.append(next)
        }
        var blocks = 0
        all = zip(requests, offsets).map { entry, offset in
            let (request, place, index) = entry
            let tensor = ParameterTensor(
                name: "\(place.path).\(request.name)", role: request.role, rows: request.rows, columnsOfGroup: request.columns, groups: request.groups,
                offset: offset, layer: place.ordinal, index: index, firstBlock: blocks)
            if tensor.role == .weight { blocks += tensor.blocks }
            return tensor
        }
        weightBlocks = blocks
        tensors = all.filter { $0.role != .state }
        (decayingCount, count, storageCount) = (ends[0], ends[1], ends[2])
        elements = tensors.reduce(0) { $0 + $1.elements }
    }

    /// The tensors of a layer, in the order in which it asked for them.
    func tensors(ofLayer layer: Int) -> ArraySlice<ParameterTensor> {
        // Tensors are in layer order: the first of a layer is found by bisection, so that building a plan stays linear in depth.
        var low = 0, high = all.count
        while low < high {
            let middle = (low + high) / 2
            if all[middle].layer < layer { low = middle + 1 } else { high = middle }
        }
        return all[low...].prefix { $0.layer == layer }
    }
}

/// Reads a tensor out of panels into row-major order: [outputs, inputs] for a weight.
func rowMajor(_ tensor: ParameterTensor, in floats: UnsafeMutablePointer<Float>) throws -> [Float] {
    try [Float](unsafeUninitializedCapacity: tensor.elements) { target, initialized in
        for group in 0..<tensor.groups {
            let panels = tensor.group(group, in: floats), address = target.baseAddress! + group * tensor.rows * tensor.columnsOfGroup
            if tensor.role == .weight {
                try withTransposed(panels) { transposed in
                    run([.transpose(panels, into: transposed), .scatter(transposed, scale: nil, offset: nil, target: address)], threads: 1)
                }
            } else {
                run([.scatter(panels, scale: nil, offset: nil, target: address)], threads: 1)
            }
        }
        initialized = tensor.elements
    }
}

/// Writes a row-major tensor ([outputs, inputs] for a weight) into its panels; padding becomes zero.
func setRowMajor(_ tensor: ParameterTensor, in floats: UnsafeMutablePointer<Float>, to values: [Float]) throws {
    try values.withUnsafeBufferPointer { source in
        for group in 0..<tensor.groups {
            let panels = tensor.group(group, in: floats), address = source.baseAddress! + group * tensor.rows * tensor.columnsOfGroup
            func gather(into x: Panels) -> Call {
                var call = Call.gather(bytes: false, sourceColumns: x.columns, mean: nil, scale: nil, x: x)
                call.arguments.gather.source = UnsafeRawPointer(address)
                return call
            }
            if tensor.role == .weight {
                try withTransposed(panels) { run([gather(into: $0), .transpose($0, into: panels)], threads: 1) }
            } else {
                run([gather(into: panels)], threads: 1)
            }
        }
    }
}

private func withTransposed(_ m: Panels, _ body: (Panels) -> Void) throws {
    try Memory.withScratch(byteCount: Panels.count(rows: m.columns, columns: m.rows) * MemoryLayout<Float>.stride) {
        body(Panels(data: $0.assumingMemoryBound(to: Float.self), rows: m.columns, columns: m.rows))
    }
}
