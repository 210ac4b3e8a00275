import Synchronization

extension Initializer {
    /// What to draw for one tensor.
    public enum Draw: Sendable, Hashable {
        case normal(deviation: Double)
        /// Uniform in [−bound, bound], of variance bound²/3.
        case uniform(bound: Double)
        case orthogonal(gain: Double)
        /// The gain on the diagonal, 0 elsewhere.
        case identity(gain: Double)
        case zeros
    }

    /// The place of a weight in its network: all that an initializer may depend on.
    public struct Context: Sendable, Hashable {
        /// Columns that the weight takes.
        public var fanIn: Int
        /// Columns that it gives.
        public var fanOut: Int
        /// The activation right after it.
        public var following: Activation?
        /// Whether a bias is added to what it gives.
        public var hasBias: Bool
        /// The width of the hidden state, in a recurrent layer.
        public var hidden: Int?
        /// Residual blocks of the whole network that are not inside another.
        public var residualBlocks: Int
        /// Its place in the branch of a residual block; nil outside.
        public var branch: Branch?
        /// Whether it is the last layer with weights of the network.
        public var isOutput: Bool

        public struct Branch: Sendable, Hashable {
            /// Layers with weights in the branch.
            public var layers: Int
            public var isLast: Bool

            public init(layers: Int, isLast: Bool) {
                self.layers = layers
                self.isLast = isLast
            }
        }

        public init(
            fanIn: Int, fanOut: Int, following: Activation? = nil, hasBias: Bool = true, hidden: Int? = nil, residualBlocks: Int = 0,
            branch: Branch? = nil, isOutput: Bool = false
        ) {
            self.fanIn = fanIn
            self.fanOut = fanOut
            self.following = following
            self.hasBias = hasBias
            self.hidden = hidden
            self.residualBlocks = residualBlocks
            self.branch = branch
            self.isOutput = isOutput
        }
    }

    /// What to draw for the weights of a layer and for its biases.
    ///
    /// - Throws: `FathomError.invalid` where this initializer has no answer for the place: why, and what would be right.
    public func draws(_ context: Context) throws(FathomError) -> (weights: Draw, biases: Draw) {
        let biases: Draw = bias > 0 ? .normal(deviation: bias) : .zeros, fanIn = Double(context.fanIn)
        switch weights {
        case .he(let distribution): return (distribution.draw(variance: Self.heVariance(context)), biases)
        case .glorot(let distribution): return (distribution.draw(variance: 2 / (fanIn + Double(context.fanOut))), biases)
        case .lecun(let distribution): return (distribution.draw(variance: 1 / fanIn), biases)
        case .gaussian(let deviation): return (.normal(deviation: deviation / fanIn.squareRoot()), biases)
        case .normal(let deviation): return (.normal(deviation: deviation), biases)
        case .uniform(let bound): return (.uniform(bound: bound), biases)
        case .orthogonal(let gain): return (.orthogonal(gain: gain), biases)
        case .identity(let gain): return (.identity(gain: gain), biases)
        case .zeros: return (.zeros, biases)
        case .critical(let bias): return try Self.criticalDraws(bias: bias, context)
        case .lsuv: return (.orthogonal(gain: 1), .zeros)
        case .fixup: return (try Self.fixupDraw(context), .zeros)
        case .torch:
            let bound = 1 / Double(context.hidden ?? context.fanIn).squareRoot()
            return (.uniform(bound: bound), .uniform(bound: bound))
        }
    }

    private static func heVariance(_ context: Context) -> Double {
        let slope = if case .leakyReLU(let slope)? = context.following { slope } else { 0.0 }
        return 2 / ((1 + slope * slope) * Double(context.fanIn))
    }

    // MARK: Critical

    /// The σ_b that `critical` takes where none is given: 0 where nothing else can be, or is needed. Documentation/notation.md has what
    /// comes of them.
    public static func criticalBias(_ activation: Activation?) -> Double {
        switch activation {
        case nil, .identity, .relu, .leakyReLU, .sigmoid, .softplus: 0
        case .tanh, .hardTanh, .elu, .selu: 0.05
        case .gelu, .geluTanh: 0.5
        case .silu: 1
        }
    }

    private static func criticalDraws(bias: Double?, _ context: Context) throws(FathomError) -> (weights: Draw, biases: Draw) {
        guard context.hidden == nil else {
            throw FathomError.invalid(
                "its theory is that of layers without a state; give a recurrent layer another init, as in init: glorot, recurrent: orthogonal")
        }
        let deviation = bias ?? (context.hasBias ? criticalBias(context.following) : 0)
        let biases: Draw = deviation > 0 ? .normal(deviation: deviation) : .zeros
        // No layer follows whose variance had to stay: σ_w = 1 takes the gradient through the output as it is, whatever the biases.
        let isLast = context.isOutput && context.following == nil
        let variance = isLast ? 1 : try solved(context.following ?? .identity, bias: deviation)
        return (.normal(deviation: (variance / Double(context.fanIn)).squareRoot()), biases)
    }

    private struct Question: Hashable {
        let activation: Activation
        let bias: Double
    }

    /// Answers so far: a deep network asks for the same one in every layer.
    private static let answers = Mutex<[Question: Double]>([:])

    /// The critical σ_w².
    private static func solved(_ activation: Activation, bias: Double) throws(FathomError) -> Double {
        let question = Question(activation: activation, bias: bias)
        if let answer = answers.withLock({ $0[question] }) { return answer }
        let answer = try MeanField.critical(activation, biasVariance: bias * bias).theory.weightVariance
        answers.withLock { $0[question] = answer }
        return answer
    }

    // MARK: Fixup

    /// Zhang et al. 2019, section 3: the last layer of every branch and of the network 0, the others he, those of a branch with m layers
    /// times L^(−1/(2m − 2)).
    private static func fixupDraw(_ context: Context) throws(FathomError) -> Draw {
        guard context.residualBlocks > 0 else {
            throw FathomError.invalid("the network has no residual block to start as the identity; he or orthogonal fit plain networks")
        }
        if context.isOutput || context.branch?.isLast == true { return .zeros }
        var deviation = heVariance(context).squareRoot()
        // m ≥ 2 here: a layer that is not the last of its branch has one after it. L^(−1/(2m − 2)) = exp(−ln L/(2m − 2)).
        if let branch = context.branch {
            deviation *= exponential(-naturalLogarithm(Double(context.residualBlocks)) / Double(2 * branch.layers - 2))
        }
        return .normal(deviation: deviation)
    }
}

extension Initializer.Distribution {
    fileprivate func draw(variance: Double) -> Initializer.Draw {
        switch self {
        case .normal: .normal(deviation: variance.squareRoot())
        case .uniform: .uniform(bound: (3 * variance).squareRoot())
        }
    }
}
