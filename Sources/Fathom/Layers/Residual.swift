/// y = s(x) + α·f(x), f the layers inside: He et al. 2016. The shortcut s is x, or, where widths differ, x·P with a learned P.
public struct Residual: Layer {
    /// What the branch is multiplied by.
    public enum Scale: Sendable, Hashable {
        case number(Double)
        /// 1/√(residual blocks of the network): the sum of the branches then has the variance of one.
        case inverseRootDepth
        /// Learned, beginning at 0: Bachlechner et al. 2021, equation 2.
        case rezero
        /// Learned: De & Smith 2020, section 3.
        case skipInit(start: Double)

        var isLearned: Bool {
            switch self {
            case .number, .inverseRootDepth: false
            case .rezero, .skipInit: true
            }
        }
    }

    public let scale: Scale
    public let content: Network

    public var name: String { "residual" }
    public var inside: Network? { content }

    public func output(for input: Shape) throws(FathomError) -> Shape {
        guard let output = try content.shapes(from: input).last, output.steps == input.steps else {
            throw FathomError.invalid("the inside of a residual changes the rows of a sequence; move last or mean behind it")
        }
        return output
    }

    public func resolved(outputs: Int?) throws(FathomError) -> Residual {
        Residual(scale: scale, content: try content.filled(outputs: outputs))
    }

    public var description: String {
        let head = switch scale {
        case .number(let number): notation(name, labelled("scale", number, default: 1))
        case .inverseRootDepth: notation(name, "scale: 1/sqrt(depth)")
        case .rezero: notation(name, "rezero")
        case .skipInit(let start): notation(name, "skipinit", labelled("start", start, default: 0))
        }
        return "\(head)[\(content)]"
    }

    public static func == (a: Residual, b: Residual) -> Bool { a.scale == b.scale && a.content == b.content }
    public func hash(into hasher: inout Hasher) {
        hasher.combine(scale)
        hasher.combine(content)
    }

    static let kind = LayerKind(name: "residual", isBlock: true) { term throws(FathomError) in
        let example = "residual[layernorm linear(64) relu linear(64)]"
        guard let group = term.group else {
            throw term.position.error("residual without its inside", "write the layers that it skips in brackets, as in \(example)")
        }
        let arguments = try Arguments(term, ["form"], labels: ["scale", "start"], notes: [
            "init": "the initializers are those of the layers inside; for a learned scale: residual(rezero)[…] or residual(skipinit, start: 0.1)[…]",
        ], example: "\(example), residual(rezero)[…] or residual(scale: 1/sqrt(depth))[…]")
        return Residual(scale: try scale(arguments), content: Network(try Network.elements(group)))
    }

    private static func scale(_ arguments: Arguments) throws(FathomError) -> Scale {
        let form = try arguments.word("form", among: ["rezero", "skipinit"])
        if form != "skipinit", let start = arguments.value("start") {
            throw start.labelPosition.error("'start' of a residual that learns no scale from it", "write residual(skipinit, start: \(start.plainText))[…]")
        }
        if form != nil, let scale = arguments.value("scale") {
            throw scale.labelPosition.error("'scale' of a residual that learns its own", "leave one of the two out")
        }
        switch form {
        case "rezero": return .rezero
        case "skipinit": return .skipInit(start: try arguments.number("start", .any, default: 0))
        default:
            if let argument = arguments.value("scale"), argument.text.filter({ !$0.isWhitespace }) == "1/sqrt(depth)" { return .inverseRootDepth }
            return .number(try arguments.number("scale", .positive, default: 1))
        }
    }
}
