/// What training makes small: a mean over the rows of a batch, and over the outputs where there are several.
public enum Loss: NotationRepresentable {
    /// −ln softmax(y)[class], on logits.
    case crossEntropy
    /// (y − t)².
    case meanSquaredError
    /// −t·ln σ(y) − (1 − t)·ln(1 − σ(y)), on logits, t from 0 to 1.
    case binaryCrossEntropy
    /// ½d² where |d| ≤ δ, δ(|d| − ½δ) beyond, with d = y − t: Huber 1964.
    case huber(delta: Double = 1)

    /// Whether its targets are classes rather than numbers.
    public var isClassification: Bool {
        switch self {
        case .crossEntropy, .binaryCrossEntropy: true
        case .meanSquaredError, .huber: false
        }
    }

    public var description: String {
        switch self {
        case .crossEntropy: "cross-entropy"
        case .meanSquaredError: "mse"
        case .binaryCrossEntropy: "binary-cross-entropy"
        case .huber(let delta): notation("huber", "\(delta)")
        }
    }

    static let vocabulary = Vocabulary(
        kind: "loss", names: ["cross-entropy", "mse", "binary-cross-entropy", "huber"], synonyms: [
            "ce": "cross-entropy", "xent": "cross-entropy", "categoricalcrossentropy": "cross-entropy",
            "sparsecategoricalcrossentropy": "cross-entropy", "crossentropyloss": "cross-entropy", "softmaxcrossentropy": "cross-entropy",
            "nll": "cross-entropy", "nllloss": "cross-entropy", "logloss": "cross-entropy",
            "meansquarederror": "mse", "mseloss": "mse", "l2": "mse", "squarederror": "mse",
            "bce": "binary-cross-entropy", "bceloss": "binary-cross-entropy", "bcewithlogits": "binary-cross-entropy",
            "bcewithlogitsloss": "binary-cross-entropy", "sigmoidcrossentropy": "binary-cross-entropy", "huberloss": "huber",
            "smoothl1": "huber(1.0)", "smoothl1loss": "huber(1.0)",
        ], notes: ["mae": absoluteNote, "l1": absoluteNote, "l1loss": absoluteNote, "meanabsoluteerror": absoluteNote])
    private static let absoluteNote = "the nearest to an absolute error is huber with a small delta: did you mean 'huber(0.1)'?"

    public init(_ notation: String) throws(FathomError) {
        let term = try parseTerm(notation, "loss", example: "cross-entropy, mse, binary-cross-entropy or huber(1.0)")
        func plain(_ loss: Loss) throws(FathomError) -> Loss {
            _ = try Arguments(term, example: loss.description)
            return loss
        }
        switch term.name ?? "" {
        case "cross-entropy": self = try plain(.crossEntropy)
        case "mse": self = try plain(.meanSquaredError)
        case "binary-cross-entropy": self = try plain(.binaryCrossEntropy)
        case "huber": self = .huber(delta: try Arguments(term, ["delta"], example: "huber(1.0)").number("delta", .positive, default: 1))
        case let name: throw Self.vocabulary.unknown(name, at: term.position)
        }
    }
}
