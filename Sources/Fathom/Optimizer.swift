/// How a gradient becomes a step. Decay is decoupled from the gradient and spares biases and gains.
public enum Optimizer: NotationRepresentable {
    /// m = μm + g; p −= η·m, or η·(g + μm) with Nesterov (Sutskever et al. 2013, as PyTorch writes it), after p −= η·decay·p.
    case sgd(learningRate: Double, momentum: Double = 0, nesterov: Bool = false, decay: Double = 0)
    /// Kingma & Ba 2015, algorithm 1.
    case adam(learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8)
    /// Loshchilov & Hutter 2019, algorithm 2.
    case adamW(learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, decay: Double = 0.01)
    /// v = ρv + (1 − ρ)g²; p −= η·g/(√v + ε), or, with momentum, m = μm + g/(√v + ε); p −= η·m: Tieleman & Hinton 2012, as PyTorch writes it.
    case rmsProp(learningRate: Double, rho: Double = 0.99, momentum: Double = 0, epsilon: Double = 1e-8, decay: Double = 0)
    /// p −= η·sign(β₁m + (1 − β₁)g); m = β₂m + (1 − β₂)g: Chen et al. 2023, algorithm 2.
    case lion(learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.99, decay: Double = 0)

    public var learningRate: Double {
        switch self {
        case .sgd(let rate, _, _, _), .adam(let rate, _, _, _), .adamW(let rate, _, _, _, _), .rmsProp(let rate, _, _, _, _), .lion(let rate, _, _, _): rate
        }
    }

    public var description: String {
        switch self {
        case .sgd(let rate, let momentum, let nesterov, let decay):
            notation(
                "sgd", "\(rate)", labelled("momentum", momentum, default: 0), labelled("nesterov", nesterov, default: false),
                labelled("decay", decay, default: 0))
        case .adam(let rate, let beta1, let beta2, let epsilon):
            notation(
                "adam", "\(rate)", labelled("beta1", beta1, default: 0.9), labelled("beta2", beta2, default: 0.999),
                labelled("epsilon", epsilon, default: 1e-8))
        case .adamW(let rate, let beta1, let beta2, let epsilon, let decay):
            notation(
                "adamw", "\(rate)", labelled("beta1", beta1, default: 0.9), labelled("beta2", beta2, default: 0.999),
                labelled("epsilon", epsilon, default: 1e-8), "decay: \(decay)")
        case .rmsProp(let rate, let rho, let momentum, let epsilon, let decay):
            notation(
                "rmsprop", "\(rate)", labelled("rho", rho, default: 0.99), labelled("momentum", momentum, default: 0),
                labelled("epsilon", epsilon, default: 1e-8), labelled("decay", decay, default: 0))
        case .lion(let rate, let beta1, let beta2, let decay):
            notation(
                "lion", "\(rate)", labelled("beta1", beta1, default: 0.9), labelled("beta2", beta2, default: 0.99),
                labelled("decay", decay, default: 0))
        }
    }

    static let vocabulary = Vocabulary(
        kind: "optimizer", names: ["sgd", "adam", "adamw", "rmsprop", "lion"],
        synonyms: [
            "momentum": "sgd(0.1, momentum: 0.9)", "nesterov": "sgd(0.1, momentum: 0.9, nesterov: true)", "gd": "sgd",
            "adamdecoupled": "adamw", "rms": "rmsprop", "rmspropmomentum": "rmsprop(0.001, momentum: 0.9)", "lionw": "lion",
            "evolvedsignmomentum": "lion",
        ])

    public init(_ notation: String) throws(FathomError) {
        let term = try parseTerm(notation, "optimizer", example: "adamw(0.001, decay: 0.01)")
        switch term.name ?? "" {
        case "sgd": self = try Self.sgd(term)
        case "adam": self = try Self.adam(term)
        case "adamw": self = try Self.adamW(term)
        case "rmsprop": self = try Self.rmsProp(term)
        case "lion": self = try Self.lion(term)
        case let name: throw Self.vocabulary.unknown(name, at: term.position)
        }
    }

    private static func sgd(_ term: Term) throws(FathomError) -> Optimizer {
        let arguments = try Arguments(
            term, ["learning rate"], labels: ["momentum", "nesterov", "decay"], example: "sgd(0.1) or sgd(0.1, momentum: 0.9)")
        let momentum = try arguments.number("momentum", .zeroToBelowOne, default: 0)
        let nesterov = try arguments.boolean("nesterov", default: false)
        if nesterov, momentum == 0, let argument = arguments.value("nesterov") {
            throw argument.position.error("nesterov without momentum", "give both, as in sgd(0.1, momentum: 0.9, nesterov: true)")
        }
        return .sgd(
            learningRate: try arguments.number("learning rate", .positive), momentum: momentum, nesterov: nesterov,
            decay: try arguments.number("decay", .notNegative, default: 0))
    }

    private static func adam(_ term: Term) throws(FathomError) -> Optimizer {
        let hint = "adam has none; adamw has: adamw(0.001, decay: 0.01)"
        let arguments = try Arguments(
            term, ["learning rate"], labels: ["beta1", "beta2", "epsilon"],
            notes: ["decay": hint, "weightdecay": hint, "wd": hint, "betas": betasNote, "amsgrad": variantNote], example: "adam(0.001)")
        return .adam(
            learningRate: try arguments.number("learning rate", .positive),
            beta1: try arguments.number("beta1", .zeroToBelowOne, default: 0.9),
            beta2: try arguments.number("beta2", .zeroToBelowOne, default: 0.999),
            epsilon: try arguments.number("epsilon", .positive, default: 1e-8))
    }

    private static func adamW(_ term: Term) throws(FathomError) -> Optimizer {
        let arguments = try Arguments(
            term, ["learning rate"], labels: ["decay", "beta1", "beta2", "epsilon"],
            notes: ["betas": betasNote, "amsgrad": variantNote], example: "adamw(0.001, decay: 0.01)")
        return .adamW(
            learningRate: try arguments.number("learning rate", .positive),
            beta1: try arguments.number("beta1", .zeroToBelowOne, default: 0.9),
            beta2: try arguments.number("beta2", .zeroToBelowOne, default: 0.999),
            epsilon: try arguments.number("epsilon", .positive, default: 1e-8),
            decay: try arguments.number("decay", .notNegative, default: 0.01))
    }

    private static func rmsProp(_ term: Term) throws(FathomError) -> Optimizer {
        let arguments = try Arguments(
            term, ["learning rate"], labels: ["rho", "momentum", "epsilon", "decay"], notes: ["centered": variantNote, "nesterov": variantNote],
            example: "rmsprop(0.001) or rmsprop(0.001, momentum: 0.9)")
        return .rmsProp(
            learningRate: try arguments.number("learning rate", .positive),
            rho: try arguments.number("rho", .zeroToBelowOne, default: 0.99),
            momentum: try arguments.number("momentum", .zeroToBelowOne, default: 0),
            epsilon: try arguments.number("epsilon", .positive, default: 1e-8),
            decay: try arguments.number("decay", .notNegative, default: 0))
    }

    private static func lion(_ term: Term) throws(FathomError) -> Optimizer {
        let arguments = try Arguments(
            term, ["learning rate"], labels: ["beta1", "beta2", "decay"],
            notes: ["betas": "they are two: beta1: 0.9, beta2: 0.99", "epsilon": undividedNote, "eps": undividedNote],
            example: "lion(0.0001) or lion(0.0001, decay: 0.1)")
        return .lion(
            learningRate: try arguments.number("learning rate", .positive),
            beta1: try arguments.number("beta1", .zeroToBelowOne, default: 0.9),
            beta2: try arguments.number("beta2", .zeroToBelowOne, default: 0.99),
            decay: try arguments.number("decay", .notNegative, default: 0))
    }

    private static let betasNote = "they are two: beta1: 0.9, beta2: 0.999"
    private static let undividedNote = "lion divides by nothing; leave it out"
    private static let variantNote = "there is no such variant; leave it out"
}
