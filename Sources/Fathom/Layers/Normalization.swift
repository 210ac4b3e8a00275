/// z = (x − mean)·rstd·gain + bias, with rstd = 1/√(variance + ε) and a gain and a bias for each column.
public struct Normalization: Layer {
    public enum Kind: Sendable, Hashable {
        /// Over the columns of each row: Ba, Kiros & Hinton 2016, equation 4.
        case layer
        /// Over the columns of each row, about zero: Zhang & Sennrich 2019, equation 4. It has no bias.
        case rms
        /// Over the rows of the batch, each column: Ioffe & Szegedy 2015, algorithm 1. Prediction uses running statistics, which move by `momentum` each step.
        case batch(momentum: Double)
    }

    public let kind: Kind
    public let epsilon: Double
    /// Whether a gain is learned for each column, and a bias.
    public let gain: Bool
    public let bias: Bool

    public var name: String {
        switch kind {
        case .layer: "layernorm"
        case .rms: "rmsnorm"
        case .batch: "batchnorm"
        }
    }

    private static func standardEpsilon(_ kind: Kind) -> Double { kind == .rms ? 1e-6 : 1e-5 }

    public var description: String {
        let momentum: String? = if case .batch(let momentum) = kind { labelled("momentum", momentum, default: 0.1) } else { nil }
        return notation(
            name, momentum, labelled("epsilon", epsilon, default: Self.standardEpsilon(kind)), labelled("gain", gain, default: true),
            kind == .rms ? nil : labelled("bias", bias, default: true))
    }

    static let kinds = [
        LayerKind(name: "layernorm") { term throws(FathomError) in
            try read(.layer, Arguments(term, labels: ["epsilon", "gain", "bias"], notes: notes, example: "layernorm or layernorm(epsilon: 1e-6)"))
        },
        LayerKind(name: "rmsnorm") { term throws(FathomError) in
            let notes = notes.merging(["bias": "rmsnorm has none; layernorm has"]) { $1 }
            return try read(.rms, Arguments(term, labels: ["epsilon", "gain"], notes: notes, example: "rmsnorm or rmsnorm(epsilon: 1e-5)"))
        },
        LayerKind(name: "batchnorm") { term throws(FathomError) in
            let arguments = try Arguments(
                term, labels: ["momentum", "epsilon", "gain", "bias"], notes: notes, example: "batchnorm or batchnorm(momentum: 0.01)")
            return try read(.batch(momentum: arguments.number("momentum", .aboveZeroToOne, default: 0.1)), arguments)
        },
    ]

    private static let notes = [
        "width": "the width is that of its input; leave it out", "normalizedshape": "the width is that of its input; leave it out",
        "numfeatures": "the width is that of its input; leave it out",
        "affine": "write gain: false, bias: false for affine=False", "elementwiseaffine": "write gain: false, bias: false for elementwise_affine=False",
    ]

    private static func read(_ kind: Kind, _ arguments: Arguments) throws(FathomError) -> Normalization {
        Normalization(
            kind: kind, epsilon: try arguments.number("epsilon", .positive, default: standardEpsilon(kind)),
            gain: try arguments.boolean("gain", default: true), bias: kind == .rms ? false : try arguments.boolean("bias", default: true))
    }
}
