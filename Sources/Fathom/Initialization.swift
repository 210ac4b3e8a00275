/// Draws the parameters of one layer. Every tensor, and every gate of one, has a random stream of its own, so no values depend on another's size.
struct Drawing {
    let place: Place
    /// The layer's own, else the network's, else what fits the activation that follows; nil where it has no weights.
    let initializer: Initializer?
    /// The network's; nil: what fits.
    let standard: Initializer?
    let seed: UInt64
    let parameters: UnsafeMutablePointer<Float>

    init(_ place: Place, default standard: Initializer?, seed: UInt64, parameters: UnsafeMutablePointer<Float>) {
        self.place = place
        self.standard = standard
        self.seed = seed
        self.parameters = parameters
        initializer = place.layer.initializer(following: place.following, default: standard)
    }

    /// Fills a weight [fan-in × fan-out] and the bias [1 × fan-out] that goes with it, each gate by itself.
    ///
    /// - Parameters:
    ///   - hidden: The width of the state, in a recurrent layer.
    ///   - other: An initializer in place of the layer's.
    /// - Throws: `FathomError.invalid`, naming the layer, where its initializer has no answer for this place.
    func draw(_ weight: ParameterTensor, bias: ParameterTensor? = nil, hidden: Int? = nil, by other: Initializer? = nil) throws {
        let initializer = other ?? initializer ?? (isFrameworkDefault(nil) ? Initializer(.torch) : .glorot)
        let context = Initializer.Context(
            fanIn: weight.rows, fanOut: weight.columnsOfGroup, following: place.following, hasBias: bias != nil, hidden: hidden,
            residualBlocks: place.residualBlocks, branch: place.branch, isOutput: place.isOutput)
        let draws: (weights: Initializer.Draw, biases: Initializer.Draw)
        do {
            draws = try initializer.draws(context)
        } catch {
            throw FathomError.invalid("\(place.name): \(initializer): \(error)")
        }
        for group in 0..<weight.groups {
            try draw(weight, group, draws.weights)
            if let bias { try draw(bias, group, draws.biases) }
        }
    }

    private func draw(_ tensor: ParameterTensor, _ group: Int, _ draw: Initializer.Draw) throws {
        switch draw {
        case .normal(let deviation): random(tensor, group, normal: true, 0, deviation)
        case .uniform(let bound): random(tensor, group, normal: false, -bound, bound)
        case .orthogonal(let gain):
            random(tensor, group, normal: true, 0, 1)
            try orthogonalize(tensor.group(group, in: parameters), gain: Float(gain))
        case .identity(let gain): tensor.group(group, in: parameters).setDiagonal(Float(gain))
        case .zeros: break  // parameters begin as zero
        }
    }

    /// The initializer of a recurrent layer's weights from the state before.
    func recurrent(_ asked: Initializer?, own: Initializer?) -> Initializer {
        asked ?? (isFrameworkDefault(own) ? Initializer(.torch) : .orthogonal)
    }

    /// Whether a layer with this initializer of its own, or none, starts as PyTorch would have it.
    func isFrameworkDefault(_ own: Initializer?) -> Bool { (own ?? standard)?.weights == .torch }

    /// Every element, or every one of a gate.
    func fill(_ tensor: ParameterTensor, group: Int? = nil, with value: Float) {
        for group in group.map({ $0..<$0 + 1 }) ?? 0..<tensor.groups { run([.fill(tensor.group(group, in: parameters), value: value)], threads: 1) }
    }

    /// Biases ln u, u uniform in 1 ..< longest, into one gate and their negatives into another: Tallec & Ollivier 2018, equation 16.
    func chrono(_ bias: ParameterTensor, group: Int, longest: Int, negatedInto other: Int?) {
        let remember = bias.group(group, in: parameters)
        random(bias, group, normal: false, 1, Double(longest - 1))
        for column in 0..<bias.columnsOfGroup { remember.data[column] = Float(naturalLogarithm(Double(remember.data[column]))) }
        if let other { run([.add(nil, remember, scale: -1, y: bias.group(other, in: parameters))], threads: 1) }
    }

    private func random(_ tensor: ParameterTensor, _ group: Int, normal: Bool, _ a: Double, _ b: Double) {
        // A layer has at most four tensors, a tensor at most four gates.
        let stream = place.ordinal * 16 + group * 4 + tensor.index
        run([.random(
            normal: normal, seed: seed, purpose: .initialization, stream: stream, a: Float(a), b: Float(b), x: tensor.group(group, in: parameters))],
            threads: Kernels.threadsAvailable)
    }
}
