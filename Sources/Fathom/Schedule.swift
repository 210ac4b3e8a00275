/// How the learning rate changes during training, as a factor of the optimizer's.
public enum Schedule: NotationRepresentable {
    case constant
    /// After a linear warm-up of `warmup` steps, half a cosine from 1 down to 0 at the end of training: Loshchilov & Hutter 2017,
    /// equation 5, with one period and a lowest rate of 0.
    case cosine(warmup: Int = 0)
    /// Times `factor` after every `epochs` epochs.
    case step(epochs: Int, factor: Double)

    /// Whether the factor depends on how long training lasts.
    public var hasHorizon: Bool {
        if case .cosine = self { true } else { false }
    }

    /// The factor for one step.
    ///
    /// - Parameters:
    ///   - step: The steps already taken: 0 for the first one.
    ///   - totalSteps: The steps of the whole training; past it, cosine stays at 0.
    ///   - stepsPerEpoch: The steps of an epoch.
    public func multiplier(step: Int, of totalSteps: Int, stepsPerEpoch: Int) -> Double {
        switch self {
        case .constant: return 1
        case .cosine(let warmup):
            if step < warmup { return (Double(step) + 1) / Double(warmup) }
            let fraction = (Double(step) - Double(warmup)) / max(1, Double(totalSteps) - Double(warmup))
            return fraction < 1 ? 0.5 * (1 + cosPi(fraction)) : 0
        case .step(let epochs, let factor):
            return power(factor, step / max(1, stepsPerEpoch) / max(1, epochs))
        }
    }

    public var description: String {
        switch self {
        case .constant: "constant"
        case .cosine(let warmup): notation("cosine", labelled("warmup", warmup, default: 0))
        case .step(let epochs, let factor): notation("step", "epochs: \(epochs)", "factor: \(factor)")
        }
    }

    static let vocabulary = Vocabulary(kind: "schedule", names: ["constant", "cosine", "step"], synonyms: [
        "none": "constant", "fixed": "constant", "cosineannealing": "cosine", "cosineannealinglr": "cosine", "cosinedecay": "cosine",
        "warmup": "cosine(warmup: 200)", "warmupcosine": "cosine(warmup: 200)", "warmupcosinedecay": "cosine(warmup: 200)",
        "steplr": "step(epochs: 10, factor: 0.5)", "steps": "step(epochs: 10, factor: 0.5)", "exponential": "step(epochs: 1, factor: 0.9)",
        "exponentiallr": "step(epochs: 1, factor: 0.9)", "exponentialdecay": "step(epochs: 1, factor: 0.9)",
    ])

    public init(_ notation: String) throws(FathomError) {
        let term = try parseTerm(notation, "schedule", example: "constant or cosine(warmup: 200)")
        let counts = 1...1_000_000_000
        switch term.name ?? "" {
        case "constant":
            _ = try Arguments(term, notes: ["warmup": "cosine has one: cosine(warmup: 200)"], example: "constant")
            self = .constant
        case "cosine":
            let arguments = try Arguments(term, labels: ["warmup"], example: "cosine(warmup: 200)")
            self = .cosine(warmup: try arguments.integer("warmup", 0...counts.upperBound, default: 0))
        case "step":
            let arguments = try Arguments(term, labels: ["epochs", "factor"], example: "step(epochs: 10, factor: 0.5)")
            self = .step(epochs: try arguments.integer("epochs", counts), factor: try arguments.number("factor", .positive))
        case let name: throw Self.vocabulary.unknown(name, at: term.position)
        }
    }
}
