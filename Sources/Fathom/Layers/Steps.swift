/// Splits the columns of a sample into time steps: T·F columns become T steps of F. It stands first in its network.
public struct SequenceInput: Layer {
    public let steps: Int

    public var name: String { "sequence" }
    public var description: String { notation(name, "\(steps)") }

    public func output(for input: Shape) throws(FathomError) -> Shape {
        guard input.columns.isMultiple(of: steps) else {
            throw FathomError.invalid("\(input.columns) columns are no whole number of \(steps) steps; the steps must divide them")
        }
        return Shape(columns: input.columns / steps, steps: steps)
    }

    static let kind = LayerKind(name: "sequence") { term throws(FathomError) in
        SequenceInput(steps: try Arguments(term, ["steps"], example: "sequence(28)").integer("steps", 1...Linear.widest))
    }
}

/// A sequence to one row: its last step, or the mean of its steps.
public enum StepReduction: String, Layer {
    case last, mean

    public var name: String { rawValue }
    public var description: String { rawValue }

    public func output(for input: Shape) throws(FathomError) -> Shape {
        guard input.steps != nil else { throw FathomError.invalid("\(name) needs a sequence; begin the network with sequence(steps)") }
        return Shape(columns: input.columns)
    }

    static let kinds = [StepReduction.last, .mean].map { reduction in
        LayerKind(name: reduction.rawValue) { term throws(FathomError) in
            _ = try Arguments(term, example: reduction.rawValue)
            return reduction
        }
    }
}
