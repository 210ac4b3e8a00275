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
        /// Uniform in [−bound, bound], whatever the width.
        case uniform(bound: Double)
        /// The gain on the diagonal, 0 elsewhere: Le et al. 2015.
        case identity(gain: Double = 1)
        case zeros
        /// Variance σ_w²/fan_in and biases of deviation σ_b on the critical line of the activation that follows: `MeanField.critical`. Where
        /// `bias` is nil, σ_b is `criticalBias` of that activation, or 0 in a layer without bias.
        case critical(bias: Double? = nil)
        /// he, but 0 in the last layer of each residual branch and of the network, and scaled down by depth in the other layers of the branches:
        /// Zhang et al. 2019.
        case fixup
        /// Orthogonal, then scaled so that what each layer gives for a batch of data, before its activation, has variance 1: Mishkin & Matas 2016.
        case lsuv
        /// PyTorch's default, for comparisons: weights and biases uniform in ±1/√fan_in; in recurrent layers ±1/√(hidden width).
        case torch
    }

    public var weights: Weights
    /// The standard deviation of the biases, which are normal with mean 0; 0 where the rule of the weights is one of the biases too
    /// (critical, lsuv, fixup, torch).
    public var bias: Double

    public init(_ weights: Weights, bias: Double = 0) {
        self.weights = weights
        self.bias = bias
    }

    /// The σ_b that was asked for; 0 where none was.
    var statedBias: Double {
        if case .critical(let bias?) = weights { bias } else { bias }
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

    // MARK: Notation

    public var description: String {
        let bias = labelled("bias", bias, default: 0)
        func uniform(_ distribution: Distribution) -> String? { distribution == .uniform ? "uniform" : nil }
        func number(_ gain: Double) -> String? { gain == 1 ? nil : "\(gain)" }
        return switch weights {
        case .he(let distribution): notation("he", uniform(distribution), bias)
        case .glorot(let distribution): notation("glorot", uniform(distribution), bias)
        case .lecun(let distribution): notation("lecun", uniform(distribution), bias)
        case .orthogonal(let gain): notation("orthogonal", number(gain), bias)
        case .gaussian(let deviation): notation("gaussian", "\(deviation)", bias)
        case .normal(let deviation): notation("normal", "\(deviation)", bias)
        case .uniform(let bound): notation("uniform", "\(bound)", bias)
        case .identity(let gain): notation("identity", number(gain), bias)
        case .zeros: notation("zeros", bias)
        case .critical(let deviation): notation("critical", deviation.map { "bias: \($0)" }, bias)
        case .fixup: notation("fixup", bias)
        case .lsuv: notation("lsuv", bias)
        case .torch: notation("torch", bias)
        }
    }

    public init(_ notation: String) throws(FathomError) {
        self = try Initializer(parseTerm(notation, "initializer", example: "he or orthogonal(1.05, bias: 0.1)"))
    }

    static let vocabulary = Vocabulary(
        kind: "initializer", names: [
            "he", "glorot", "lecun", "orthogonal", "gaussian", "normal", "uniform", "identity", "zeros", "critical", "lsuv", "fixup", "torch",
        ], synonyms: [
            "xavier": "glorot", "kaiming": "he", "msra": "he",
            "xaviernormal": "glorot", "glorotnormal": "glorot", "kaimingnormal": "he", "henormal": "he", "lecunnormal": "lecun",
            "xavieruniform": "glorot(uniform)", "glorotuniform": "glorot(uniform)", "kaiminguniform": "he(uniform)",
            "heuniform": "he(uniform)", "lecununiform": "lecun(uniform)", "zero": "zeros", "constant": "zeros",
            "randomnormal": "normal(0.01)", "truncatednormal": "normal(0.01)", "randomuniform": "uniform(0.05)", "ortho": "orthogonal",
            "eye": "identity", "dirac": "identity", "irnn": "identity", "meanfield": "critical", "edgeofchaos": "critical",
            "pytorch": "torch", "default": "torch", "layersequentialunitvariance": "lsuv",
        ])

    init(_ term: Term) throws(FathomError) {
        let name = term.name ?? ""
        func read(_ positional: [String], _ example: String) throws(FathomError) -> (Arguments, bias: Double) {
            let arguments = try Arguments(term, positional, labels: ["bias"], example: example)
            return (arguments, try arguments.number("bias", .notNegative, default: 0))
        }
        switch name {
        case "he", "glorot", "lecun":
            let (arguments, bias) = try read(["distribution"], "\(name) or \(name)(uniform)")
            let word = try arguments.word("distribution", among: ["normal", "uniform"]) ?? "normal"
            let distribution: Distribution = word == "uniform" ? .uniform : .normal
            self.init(name == "he" ? .he(distribution) : name == "glorot" ? .glorot(distribution) : .lecun(distribution), bias: bias)
        case "orthogonal", "identity":
            let (arguments, bias) = try read(["gain"], name == "identity" ? "identity or identity(0.5)" : "orthogonal(1.05, bias: 0.1)")
            let gain = try arguments.number("gain", .positive, default: 1)
            self.init(name == "identity" ? .identity(gain: gain) : .orthogonal(gain: gain), bias: bias)
        case "gaussian", "normal":
            let (arguments, bias) = try read(["deviation"], name == "normal" ? "normal(0.01)" : "gaussian(1.33, bias: 0.22)")
            let deviation = try arguments.number("deviation", .notNegative)
            self.init(name == "normal" ? .normal(deviation: deviation) : .gaussian(deviation: deviation), bias: bias)
        case "uniform":
            let (arguments, bias) = try read(["bound"], "uniform(0.05)")
            self.init(.uniform(bound: try arguments.number("bound", .notNegative)), bias: bias)
        case "zeros": self.init(.zeros, bias: try read([], "zeros or zeros(bias: 0.1)").bias)
        case "critical":
            let arguments = try Arguments(term, labels: ["bias"], example: "critical or critical(bias: 0.05)")
            self.init(.critical(bias: arguments.value("bias") == nil ? nil : try arguments.number("bias", .notNegative)))
        case "fixup", "lsuv", "torch":
            let remedy = name == "torch" ? "torch draws the biases itself" : "biases are 0 with \(name)"
            _ = try Arguments(term, notes: ["bias": remedy], example: name)
            self.init(name == "fixup" ? .fixup : name == "lsuv" ? .lsuv : .torch)
        default:
            throw Self.vocabulary.unknown(name, at: term.position)
        }
    }
}
