/// Draws the parameters of one layer. Every tensor has a random stream of its own, so no tensor's values depend on another's size.
struct Drawing {
    let initializer: Initializer
    /// The activation that follows the layer.
    let following: Activation?
    let seed: UInt64
    let parameters: UnsafeMutablePointer<Float>

    init(_ initializer: Initializer, following: Activation?, seed: UInt64, parameters: UnsafeMutablePointer<Float>) {
        self.initializer = initializer
        self.following = following
        self.seed = seed
        self.parameters = parameters
    }

    /// Fills a weight [fan-in × fan-out].
    func draw(_ weight: ParameterTensor) throws {
        let panels = weight.panels(in: parameters)
        switch initializer.draw(fanIn: weight.rows, fanOut: weight.columns, following: following) {
        case .normal(let deviation): random(weight, normal: true, 0, deviation)
        case .uniform(let bound): random(weight, normal: false, -bound, bound)
        case .orthogonal(let gain):
            random(weight, normal: true, 0, 1)
            try orthogonalize(panels, gain: Float(gain))
        case .zeros: break  // parameters begin as zero
        }
    }

    /// Fills a bias [1 × fan-out].
    func drawBias(_ bias: ParameterTensor) {
        if initializer.bias > 0 { random(bias, normal: true, 0, initializer.bias) }
    }

    private func random(_ tensor: ParameterTensor, normal: Bool, _ a: Double, _ b: Double) {
        let stream = tensor.layer * 16 + (tensor.role == .weight ? 0 : 1)
        run([.random(
            normal: normal, seed: seed, purpose: .initialization, stream: stream, a: Float(a), b: Float(b), x: tensor.panels(in: parameters))],
            threads: Kernels.threadsAvailable)
    }
}
