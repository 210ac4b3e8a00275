/// How a gradient becomes a step. Decay is decoupled from the gradient and spares biases and gains.
public enum Optimizer: NotationRepresentable {
    /// v = μv + g; p −= η·v, or η·(g + μv) with Nesterov (Sutskever et al. 2013, as PyTorch writes it), after p −= η·decay·p.
    case sgd(learningRate: Double, momentum: Double = 0, nesterov: Bool = false, decay: Double = 0)
    /// Kingma & Ba 2015, algorithm 1.
    case adam(learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8)
    /// Loshchilov & Hutter 2019, algorithm 2.
    case adamW(learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, decay: Double = 0.01)

    public var learningRate: Double {
        switch self {
        case .sgd(let rate, _, _, _), .adam(let rate, _, _, _), .adamW(let rate, _, _, _, _): rate
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
        }
    }

    static let vocabulary = Vocabulary(
        kind: "optimizer", names: ["sgd", "adam", "adamw"],
        synonyms: [
            "momentum": "sgd(0.1, momentum: 0.9)", "nesterov": "sgd(0.1, momentum: 0.9, nesterov: true)", "gd": "sgd",
            "adamdecoupled": "adamw",
        ])

    public init(_ notation: String) throws(FathomError) {
        let term = try parseTerm(notation, "optimizer", example: "adamw(0.001, decay: 0.01)")
        switch term.name ?? "" {
        case "sgd": self = try Self.sgd(term)
        case "adam": self = try Self.adam(term)
        case "adamw": self = try Self.adamW(term)
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
            notes: ["decay": hint, "weightdecay": hint, "wd": hint, "betas": betasNote, "amsgrad": amsgradNote], example: "adam(0.001)")
        return .adam(
            learningRate: try arguments.number("learning rate", .positive),
            beta1: try arguments.number("beta1", .zeroToBelowOne, default: 0.9),
            beta2: try arguments.number("beta2", .zeroToBelowOne, default: 0.999),
            epsilon: try arguments.number("epsilon", .positive, default: 1e-8))
    }

    private static func adamW(_ term: Term) throws(FathomError) -> Optimizer {
        let arguments = try Arguments(
            term, ["learning rate"], labels: ["decay", "beta1", "beta2", "epsilon"],
            notes: ["betas": betasNote, "amsgrad": amsgradNote], example: "adamw(0.001, decay: 0.01)")
        return .adamW(
            learningRate: try arguments.number("learning rate", .positive),
            beta1: try arguments.number("beta1", .zeroToBelowOne, default: 0.9),
            beta2: try arguments.number("beta2", .zeroToBelowOne, default: 0.999),
            epsilon: try arguments.number("epsilon", .positive, default: 1e-8),
            decay: try arguments.number("decay", .notNegative, default: 0.01))
    }

    private static let betasNote = "they are two: beta1: 0.9, beta2: 0.999"
    private static let amsgradNote = "there is no such variant; leave it out"
}
