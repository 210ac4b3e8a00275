// Layer-sequential unit variance: Mishkin & Matas 2016, "All you need is a good init", algorithm 1.

extension Model {
    /// Scales the weights of every lsuv layer, from the first to the last, so that what it gives for the samples, before its activation,
    /// has variance 1 over samples and columns (and steps), each gate by itself. The calls of a prediction are run one by one, so the cost
    /// is linear in depth.
    ///
    /// - Throws: `FathomError.invalid`, naming the layer, where there are no samples, or a variance that no scale makes 1.
    func scaleToUnitVariance(default standard: Initializer?, _ samples: Samples?) throws {
        let parameters = storage.floats(at: 0)
        var layers: [UnsafePointer<Float>: (place: Place, tensor: ParameterTensor, group: Int)] = [:], first: Place?
        for place in network.places where place.layer.initializer(following: place.following, default: standard)?.weights == .lsuv {
            first = first ?? place
            let tensor = layout.tensors(ofLayer: place.ordinal).first!
            for group in 0..<tensor.groups { layers[tensor.group(group, in: parameters).data] = (place, tensor, group) }
        }
        guard let first else { return }
        guard let samples, samples.count > 0 else {
            throw FathomError.invalid(
                "\(first.name): lsuv: it scales weights by what they make of data; give a batch, as in Model(…, samples: batch)")
        }
        guard samples.columns == inputs else {
            throw FathomError.invalid("the samples have \(samples.columns) features, the model takes \(inputs)")
        }
        var plan = try Plan(blueprint(.prediction, loss: nil), rows: samples.count, parameters: parameters)
        try samples.feed(&plan, order: nil, first: 0, targets: false) { plan in
            for call in plan.calls {
                if let product = ForwardProduct(call), let layer = layers[product.weight] {
                    try scale(layer.tensor, from: layer.group, of: layer.place, product)
                }
                run([call], threads: Kernels.threadsAvailable)
            }
        }
    }

    /// Tolerance 0.1 and 10 rounds are the paper's. The first round leaves the variance within rounding of 1, unless it was near the ends of float32.
    private func scale(_ tensor: ParameterTensor, from first: Int, of place: Place, _ product: ForwardProduct) throws {
        let groups = tensor.groups == 1 ? 1 : product.output.columns / Panels.padded(tensor.columnsOfGroup)
        for round in 0..<10 {
            run([product.linear], threads: Kernels.threadsAvailable)
            var isDone = true
            for group in 0..<groups {
                // A gate begins on a panel; its padding does not count.
                let start = group * Panels.panels(tensor.columnsOfGroup)
                let variance = product.output.panels(from: start, columns: tensor.columnsOfGroup).variance
                guard variance > 0, variance.isFinite else {
                    let reason = variance == 0 ? "gives the same for all samples" : "gives values that are not finite"
                    throw FathomError.invalid(
                        "\(place.name): lsuv: the layer \(reason), and no scale makes their variance 1; give samples that differ, or another init")
                }
                if round > 0, (variance - 1).magnitude < 0.1 { continue }
                tensor.group(first + group, in: storage.floats(at: 0)).scale(by: 1 / variance.squareRoot())
                isDone = false
            }
            if isDone { return }
        }
    }
}

extension Panels {
    /// Of all elements about their mean.
    fileprivate var variance: Double {
        let count = Double(rows * columns), mean = sum { $0 } / count
        return sum { ($0 - mean) * ($0 - mean) } / count
    }

    private func sum(of function: (Double) -> Double) -> Double {
        var sum = 0.0
        for panel in 0..<Panels.panels(columns) {
            let width = min(Panels.width, columns - panel * Panels.width)
            for row in 0..<rows {
                let start = data + panel * stride + row * Panels.width
                for column in 0..<width { sum += function(Double(start[column])) }
            }
        }
        return sum
    }

    fileprivate func scale(by factor: Double) {
        for panel in 0..<Panels.panels(columns) {
            let start = data + panel * stride
            for i in 0..<rows * Panels.width { start[i] = Float(Double(start[i]) * factor) }
        }
    }
}
