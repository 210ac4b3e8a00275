/// y = φ(x), element by element. The formulas are in Documentation/notation.md.
public enum Activation: Layer {
    case identity
    case relu
    case leakyReLU(slope: Double = 0.01)
    case elu(alpha: Double = 1)
    case selu
    /// x·Φ(x), by erf.
    case gelu
    /// ½x(1 + tanh(√(2/π)(x + 0.044715 x³))).
    case geluTanh
    case silu
    case tanh
    case sigmoid
    case softplus
    case hardTanh

    public var name: String {
        switch self {
        case .identity: "identity"
        case .relu: "relu"
        case .leakyReLU: "leakyrelu"
        case .elu: "elu"
        case .selu: "selu"
        case .gelu, .geluTanh: "gelu"
        case .silu: "silu"
        case .tanh: "tanh"
        case .sigmoid: "sigmoid"
        case .softplus: "softplus"
        case .hardTanh: "hardtanh"
        }
    }

    public var description: String {
        switch self {
        case .leakyReLU(let slope): notation(name, "\(slope)")
        case .elu(let alpha): notation(name, alpha == 1 ? nil : "\(alpha)")
        case .geluTanh: notation(name, "tanh")
        default: name
        }
    }

    static let kinds: [LayerKind] =
        [.identity, .relu, .selu, .silu, .tanh, .sigmoid, .softplus, .hardTanh].map { (activation: Activation) in
            LayerKind(name: activation.name) { term throws(FathomError) in
                _ = try Arguments(term, example: activation.name)
                return activation
            }
        } + [
            LayerKind(name: "leakyrelu") { term throws(FathomError) in
                let arguments = try Arguments(term, ["slope"], example: "leakyrelu(0.01)")
                return Activation.leakyReLU(slope: try arguments.number("slope", .zeroToOne, default: 0.01))
            },
            LayerKind(name: "elu") { term throws(FathomError) in
                let arguments = try Arguments(term, ["alpha"], example: "elu(1.0)")
                return Activation.elu(alpha: try arguments.number("alpha", .positive, default: 1))
            },
            LayerKind(name: "gelu") { term throws(FathomError) in
                let arguments = try Arguments(term, ["form"], example: "gelu or gelu(tanh)")
                return try arguments.word("form", among: ["erf", "tanh"]) == "tanh" ? Activation.geluTanh : .gelu
            },
        ]
}
