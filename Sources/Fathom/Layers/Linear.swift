/// y = x·W + b, with W [inputs × outputs]: the fully connected layer.
public struct Linear: Layer {
    public enum Width: Sendable, Hashable {
        case number(Int)
        /// What the data asks for: its classes, or its target columns.
        case outputs
    }

    /// The widest layer: 2²⁴ columns, up to which float32 counts exactly.
    public static let widest = 1 << 24

    public let width: Width
    public let bias: Bool
    public let initializer: Initializer?

    public var name: String { "linear" }
    public var hasWeights: Bool { true }

    public func output(for input: Shape) throws(FathomError) -> Shape {
        guard case .number(let columns) = width else {
            throw FathomError.invalid("linear(outputs) takes its width from the data; resolve the network first")
        }
        return Shape(columns: columns, steps: input.steps)
    }

    public func resolved(outputs: Int?) throws(FathomError) -> Linear {
        guard width == .outputs else { return self }
        guard let outputs else {
            throw FathomError.invalid("linear(outputs) takes its width from the data, which states none; give a number")
        }
        return Linear(width: .number(outputs), bias: bias, initializer: initializer)
    }

    public var description: String {
        let columns = switch width {
        case .number(let number): String(number)
        case .outputs: "outputs"
        }
        return notation(name, columns, labelled("bias", bias, default: true), initializer.map { "init: \($0)" })
    }

    static let kind = LayerKind(name: "linear") { term throws(FathomError) in
        let arguments = try Arguments(term, ["width"], labels: ["bias", "init"], notes: [
            "activation": "the activation is a layer of its own: linear(128) relu",
            "infeatures": "the width in is inferred; leave it out",
            "inputs": "the width in is inferred; leave it out",
        ], example: "linear(128) or linear(outputs)")
        let bias = try arguments.boolean("bias", default: true)
        let initializer = try Initializer(argument: "init", of: arguments, bias: bias)
        guard arguments.value("width")?.word != "outputs" else {
            return Linear(width: .outputs, bias: bias, initializer: initializer)
        }
        if let argument = arguments.value("width"), let word = argument.word {
            let isSlip = editDistance(word, "outputs") <= 2
            let remedy = isSlip ? "did you mean 'outputs'?" : "it must be a whole number, or 'outputs': what the data asks for"
            throw arguments.wrong("width", argument, remedy)
        }
        return Linear(width: .number(try arguments.integer("width", 1...widest)), bias: bias, initializer: initializer)
    }
}
