/// How weights and biases are drawn before training.
public struct Initializer: NotationRepresentable {
    public enum Distribution: String, Sendable, Hashable {
        case normal, uniform
    }

    public enum Weights: Sendable, Hashable {
        /// Variance 2/((1 + a²)·fan_in), a the slope below zero of the activation that follows: He et al. 2015, equations 10 and 15.
        case he(Distribution = .normal)
        /// Variance 2/(fan_in + fan_out): Glorot & Bengio 2010, equations 12 and 16.
        case glorot(Distribution = .normal)
        /// Variance 1/fan_in: LeCun et al. 1998, equation 16.
        case lecun(Distribution = .normal)
        /// Orthonormal rows or columns times the gain: Saxe et al. 2014.
        case orthogonal(gain: Double = 1)
        /// Variance σ²/fan_in: the σ_w of mean-field theory, Poole et al. 2016.
        case gaussian(deviation: Double)
        /// Variance σ², whatever the width.
        case normal(deviation: Double)
        case zeros
    }

    /// What to draw for one layer of known width.
    public enum Draw: Sendable, Hashable {
        case normal(deviation: Double)
        /// Uniform in [−bound, bound], of variance bound²/3.
        case uniform(bound: Double)
        case orthogonal(gain: Double)
        case zeros
    }

    public var weights: Weights
    /// The standard deviation of the biases, which are normal with mean 0.
    public var bias: Double

    public init(_ weights: Weights, bias: Double = 0) {
        self.weights = weights
        self.bias = bias
    }

    public static let he = Initializer(.he())
    public static let glorot = Initializer(.glorot())
    public static let lecun = Initializer(.lecun())
    public static let orthogonal = Initializer(.orthogonal())
    public static let zeros = Initializer(.zeros)

    /// The initializer that fits the activation after the layer: what keeps signals and gradients about constant from layer to layer, or
    /// comes nearest among these. Documentation/notation.md has the figures.
    ///
    /// - he: relu and leakyrelu, for which it was derived (He et al. 2015); elu, whose paper uses it (Clevert et al. 2016, section 4);
    ///   gelu, silu and softplus, smooth relatives of relu, by custom.
    /// - lecun: selu, whose fixed point of mean 0 and variance 1 asks for variance 1/fan_in (Klambauer et al. 2017).
    /// - glorot: none and identity, for which it was derived, and tanh (Glorot & Bengio 2010); hardtanh and sigmoid by custom.
    public static func fitting(_ activation: Activation?) -> Initializer {
        switch activation {
        case .relu, .leakyReLU, .elu, .gelu, .geluTanh, .silu, .softplus: .he
        case .selu: .lecun
        case nil, .identity, .tanh, .sigmoid, .hardTanh: .glorot
        }
    }

    /// What to draw for the weights of a layer.
    ///
    /// - Parameters:
    ///   - fanIn: Its inputs.
    ///   - fanOut: Its outputs.
    ///   - activation: The activation that follows; the slope of a leakyrelu enters he.
    public func draw(fanIn: Int, fanOut: Int, following activation: Activation?) -> Draw {
        func drawn(_ distribution: Distribution, variance: Double) -> Draw {
            switch distribution {
            case .normal: .normal(deviation: variance.squareRoot())
            case .uniform: .uniform(bound: (3 * variance).squareRoot())
            }
        }
        switch weights {
        case .he(let distribution):
            let slope = if case .leakyReLU(let slope)? = activation { slope } else { 0.0 }
            return drawn(distribution, variance: 2 / ((1 + slope * slope) * Double(fanIn)))
        case .glorot(let distribution): return drawn(distribution, variance: 2 / (Double(fanIn) + Double(fanOut)))
        case .lecun(let distribution): return drawn(distribution, variance: 1 / Double(fanIn))
        case .gaussian(let deviation): return .normal(deviation: deviation / Double(fanIn).squareRoot())
        case .normal(let deviation): return .normal(deviation: deviation)
        case .orthogonal(let gain): return .orthogonal(gain: gain)
        case .zeros: return .zeros
        }
    }

    // MARK: Notation

    public var description: String {
        let bias = labelled("bias", bias, default: 0)
        func uniform(_ distribution: Distribution) -> String? { distribution == .uniform ? "uniform" : nil }
        return switch weights {
        case .he(let distribution): notation("he", uniform(distribution), bias)
        case .glorot(let distribution): notation("glorot", uniform(distribution), bias)
        case .lecun(let distribution): notation("lecun", uniform(distribution), bias)
        case .orthogonal(let gain): notation("orthogonal", gain == 1 ? nil : "\(gain)", bias)
        case .gaussian(let deviation): notation("gaussian", "\(deviation)", bias)
        case .normal(let deviation): notation("normal", "\(deviation)", bias)
        case .zeros: notation("zeros", bias)
        }
    }

    public init(_ notation: String) throws(FathomError) {
        self = try Initializer(parseTerm(notation, "initializer", example: "he or orthogonal(1.05, bias: 0.1)"))
    }

    static let vocabulary = Vocabulary(
        kind: "initializer", names: ["he", "glorot", "lecun", "orthogonal", "gaussian", "normal", "zeros"], synonyms: [
            "xavier": "glorot", "kaiming": "he", "msra": "he",
            "xaviernormal": "glorot", "glorotnormal": "glorot", "kaimingnormal": "he", "henormal": "he", "lecunnormal": "lecun",
            "xavieruniform": "glorot(uniform)", "glorotuniform": "glorot(uniform)", "kaiminguniform": "he(uniform)",
            "heuniform": "he(uniform)", "lecununiform": "lecun(uniform)", "zero": "zeros", "constant": "zeros",
            "randomnormal": "normal(0.01)", "truncatednormal": "normal(0.01)", "ortho": "orthogonal",
        ])

    init(_ term: Term) throws(FathomError) {
        let name = term.name ?? ""
        switch name {
        case "he", "glorot", "lecun":
            let arguments = try Arguments(term, ["distribution"], labels: ["bias"], example: "\(name) or \(name)(uniform)")
            let word = try arguments.word("distribution", among: ["normal", "uniform"]) ?? "normal"
            let distribution: Distribution = word == "uniform" ? .uniform : .normal
            weights = name == "he" ? .he(distribution) : name == "glorot" ? .glorot(distribution) : .lecun(distribution)
            bias = try arguments.number("bias", .notNegative, default: 0)
        case "orthogonal":
            let arguments = try Arguments(term, ["gain"], labels: ["bias"], example: "orthogonal(1.05, bias: 0.1)")
            weights = .orthogonal(gain: try arguments.number("gain", .positive, default: 1))
            bias = try arguments.number("bias", .notNegative, default: 0)
        case "gaussian", "normal":
            let example = name == "normal" ? "normal(0.01)" : "gaussian(1.33, bias: 0.22)"
            let arguments = try Arguments(term, ["deviation"], labels: ["bias"], example: example)
            let deviation = try arguments.number("deviation", .notNegative)
            weights = name == "normal" ? .normal(deviation: deviation) : .gaussian(deviation: deviation)
            bias = try arguments.number("bias", .notNegative, default: 0)
        case "zeros":
            weights = .zeros
            bias = try Arguments(term, labels: ["bias"], example: "zeros or zeros(bias: 0.1)").number("bias", .notNegative, default: 0)
        default:
            throw Self.vocabulary.unknown(name, at: term.position)
        }
    }
}
