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

    /// Fills a weight [fan-in × fan-out], each gate by itself.
    func draw(_ weight: ParameterTensor, stateWidth: Int? = nil, initializer other: Initializer? = nil) throws {
        let initializer = other ?? initializer ?? .glorot
        for group in 0..<weight.groups {
            switch initializer.draw(fanIn: weight.rows, fanOut: weight.columnsOfGroup, following: place.following) {
            case .normal(let deviation): random(weight, group, normal: true, 0, deviation)
            case .uniform(let bound): random(weight, group, normal: false, -bound, bound)
            case .orthogonal(let gain):
                random(weight, group, normal: true, 0, 1)
                try orthogonalize(weight.group(group, in: parameters), gain: Float(gain))
            case .zeros: break  // parameters begin as zero
            }
        }
    }

    /// Fills a bias [1 × fan-out].
    func drawBias(_ bias: ParameterTensor, stateWidth: Int? = nil) throws {
        guard let initializer, initializer.bias > 0 else { return }
        for group in 0..<bias.groups { random(bias, group, normal: true, 0, initializer.bias) }
    }

    /// The initializer of a recurrent layer's weights from the state before.
    func recurrent(_ asked: Initializer?, own: Initializer?) -> Initializer { asked ?? .orthogonal }

    func isFrameworkDefault(_ own: Initializer?) -> Bool { false }

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
