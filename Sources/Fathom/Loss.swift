/// What training makes small: a mean over the rows of a batch, and over the outputs where there are several.
public enum Loss: NotationRepresentable {
    /// (1 − ε)·w(t)·l(t) + ε/k·Σ w(c)·l(c), with l(c) = −ln softmax(y)[c], on k logits: ε of the wish is spread over all classes (Szegedy et al. 2016,
    /// section 7), and class c counts w(c), 1 where no weights are given. Of a batch the sum over its rows is divided by their number, not by Σ w.
    case crossEntropy(smoothing: Double = 0, weights: ClassWeights? = nil)
    /// (y − t)².
    case meanSquaredError
    /// |y − t|; its slope is 0 at 0.
    case meanAbsoluteError
    /// −t·ln σ(y) − (1 − t)·ln(1 − σ(y)), on logits, t from 0 to 1.
    case binaryCrossEntropy
    /// ½d² where |d| ≤ δ, δ(|d| − ½δ) beyond, with d = y − t: Huber 1964.
    case huber(delta: Double = 1)

    /// Cross-entropy without smoothing or weights. Whether a loss is one with either is asked by `isCrossEntropy`, not by `==`.
    public static let crossEntropy = Loss.crossEntropy()

    /// Whether its targets are classes rather than numbers.
    public var isClassification: Bool {
        switch self {
        case .crossEntropy, .binaryCrossEntropy: true
        case .meanSquaredError, .meanAbsoluteError, .huber: false
        }
    }

    /// Whether it is a cross-entropy, smoothed and weighted or not: one class is the target, and a row counts once, however many outputs it has.
    public var isCrossEntropy: Bool {
        if case .crossEntropy = self { true } else { false }
    }

    public var description: String {
        switch self {
        case .crossEntropy(let smoothing, let weights):
            notation("cross-entropy", labelled("smoothing", smoothing, default: 0), weights.map { "weights: \($0)" })
        case .meanSquaredError: "mse"
        case .meanAbsoluteError: "mean-absolute-error"
        case .binaryCrossEntropy: "binary-cross-entropy"
        case .huber(let delta): notation("huber", "\(delta)")
        }
    }

    static let vocabulary = Vocabulary(
        kind: "loss", names: ["cross-entropy", "mse", "mean-absolute-error", "binary-cross-entropy", "huber"], synonyms: [
            "ce": "cross-entropy", "xent": "cross-entropy", "categoricalcrossentropy": "cross-entropy",
            "sparsecategoricalcrossentropy": "cross-entropy", "crossentropyloss": "cross-entropy", "softmaxcrossentropy": "cross-entropy",
            "nll": "cross-entropy", "nllloss": "cross-entropy", "logloss": "cross-entropy",
            "labelsmoothing": "cross-entropy(smoothing: 0.1)", "labelsmoothingcrossentropy": "cross-entropy(smoothing: 0.1)",
            "weightedcrossentropy": "cross-entropy(weights: balanced)", "balancedcrossentropy": "cross-entropy(weights: balanced)",
            "meansquarederror": "mse", "mseloss": "mse", "l2": "mse", "squarederror": "mse",
            "bce": "binary-cross-entropy", "bceloss": "binary-cross-entropy", "bcewithlogits": "binary-cross-entropy",
            "bcewithlogitsloss": "binary-cross-entropy", "sigmoidcrossentropy": "binary-cross-entropy", "huberloss": "huber",
            "smoothl1": "huber(1.0)", "smoothl1loss": "huber(1.0)",
            "mae": "mean-absolute-error", "maeloss": "mean-absolute-error", "l1": "mean-absolute-error", "l1loss": "mean-absolute-error",
            "absoluteerror": "mean-absolute-error",
        ])

    public init(_ notation: String) throws(FathomError) {
        let term = try parseTerm(notation, "loss", example: "cross-entropy, mse, binary-cross-entropy or huber(1.0)")
        func plain(_ loss: Loss) throws(FathomError) -> Loss {
            _ = try Arguments(term, notes: Self.crossEntropysOwn, example: loss.description)
            return loss
        }
        switch term.name ?? "" {
        case "cross-entropy": self = try Self.crossEntropy(term)
        case "mse": self = try plain(.meanSquaredError)
        case "mean-absolute-error": self = try plain(.meanAbsoluteError)
        case "binary-cross-entropy": self = try plain(.binaryCrossEntropy)
        case "huber":
            let arguments = try Arguments(term, ["delta"], notes: Self.crossEntropysOwn, example: "huber(1.0)")
            self = .huber(delta: try arguments.number("delta", .positive, default: 1))
        case let name: throw Self.vocabulary.unknown(name, at: term.position)
        }
    }

    private static func crossEntropy(_ term: Term) throws(FathomError) -> Loss {
        let arguments = try Arguments(
            term, labels: ["smoothing", "weights"], notes: ["reduction": "a loss is the mean over the rows; leave it out"],
            example: "cross-entropy(smoothing: 0.1, weights: balanced)")
        var weights: ClassWeights?
        if let argument = arguments.value("weights") { weights = try ClassWeights(argument, of: arguments) }
        return .crossEntropy(smoothing: try arguments.number("smoothing", .zeroToBelowOne, default: 0), weights: weights)
    }

    /// What other losses are asked for that only cross-entropy has.
    private static let crossEntropysOwn = {
        let weights = "class weights are cross-entropy's: cross-entropy(weights: balanced)"
        let smoothing = "label smoothing is cross-entropy's: cross-entropy(smoothing: 0.1)"
        return [
            "weights": weights, "weight": weights, "classweights": weights, "classweight": weights, "posweight": weights, "smoothing": smoothing,
            "labelsmoothing": smoothing,
        ]
    }()
}
