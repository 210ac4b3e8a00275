/// What bounds the gradient before the optimizer sees it.
public enum Clipping: NotationRepresentable {
    case none
    /// The norm over all parameters: g ← g·min(1, c/‖g‖), Pascanu et al. 2013, algorithm 1.
    case norm(Double)
    /// Every element: g ← max(−c, min(c, g)).
    case value(Double)

    public var description: String {
        switch self {
        case .none: "none"
        case .norm(let largest): notation("norm", "\(largest)")
        case .value(let largest): notation("value", "\(largest)")
        }
    }

    static let vocabulary = Vocabulary(kind: "clipping", names: ["none", "norm", "value"], synonyms: [
        "clipnorm": "norm(1.0)", "gradnorm": "norm(1.0)", "globalnorm": "norm(1.0)", "maxnorm": "norm(1.0)", "clipgradnorm": "norm(1.0)",
        "clipbyglobalnorm": "norm(1.0)", "clipvalue": "value(0.5)", "clipgradvalue": "value(0.5)", "clip": "norm(1.0)",
        "off": "none", "no": "none",
    ])

    public init(_ notation: String) throws(FathomError) {
        let term = try parseTerm(notation, "clipping", example: "norm(1.0), value(0.5) or none")
        switch term.name ?? "" {
        case "none":
            _ = try Arguments(term, example: "none")
            self = .none
        case "norm": self = .norm(try Arguments(term, ["largest norm"], example: "norm(1.0)").number("largest norm", .positive))
        case "value": self = .value(try Arguments(term, ["largest value"], example: "value(0.5)").number("largest value", .positive))
        case let name: throw Self.vocabulary.unknown(name, at: term.position)
        }
    }
}
