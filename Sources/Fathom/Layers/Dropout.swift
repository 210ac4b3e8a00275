/// In training each element is dropped with probability `rate` and the others grow by 1/(1 − rate); in prediction nothing happens: Srivastava et al. 2014,
/// in the inverted form. What is dropped is a function of seed, step, layer, row and column.
public struct Dropout: Layer {
    public let rate: Double

    public var name: String { "dropout" }
    public var description: String { notation(name, "\(rate)") }

    static let kind = LayerKind(name: "dropout") { term throws(FathomError) in
        Dropout(rate: try Arguments(term, ["rate"], example: "dropout(0.1)").number("rate", .zeroToBelowOne))
    }
}
