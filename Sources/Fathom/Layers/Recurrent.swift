/// A layer whose state goes from step to step of a sequence; its output is the state h at every step. The formulas are in Documentation/notation.md; tensors,
/// gates and biases are those of PyTorch's RNN, LSTM and GRU.
public struct Recurrent: Layer {
    public enum Cell: Sendable, Hashable {
        /// h = φ(x·W + h′·U + b), φ one of tanh, relu and identity: Elman 1990.
        case rnn(Activation)
        /// Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000, whose bias begins at `forget`.
        case lstm(forget: Double)
        /// Cho et al. 2014, with the reset gate behind the product, as PyTorch and cuDNN have it.
        case gru
    }

    public let cell: Cell
    public let width: Int
    public let bias: Bool
    /// Of the weights from the input.
    public let initializer: Initializer?
    /// Of the weights from the state before; nil: orthogonal, each gate.
    public let recurrentInitializer: Initializer?
    /// Gradients stop between steps k·n − 1 and k·n; nil: they go all the way.
    public let truncation: Int?
    /// The longest time that gates are to remember at the start (Tallec & Ollivier 2018, equation 16); nil: biases as the cell and the initializer have them.
    public let chrono: Int?

    public var name: String {
        switch cell {
        case .rnn: "rnn"
        case .lstm: "lstm"
        case .gru: "gru"
        }
    }

    public var hasWeights: Bool { true }

    /// Gates in a row of its weights: 1, 4 (i, f, g, o), 3 (r, z, n).
    var gates: Int {
        switch cell {
        case .rnn: 1
        case .lstm: 4
        case .gru: 3
        }
    }

    public func output(for input: Shape) throws(FathomError) -> Shape {
        guard input.steps != nil else { throw FathomError.invalid("\(name) needs a sequence; begin the network with sequence(steps)") }
        return Shape(columns: width, steps: input.steps)
    }

    public var description: String {
        var own: String?
        switch cell {
        case .rnn(let activation): own = activation.description
        case .lstm(let forget): own = labelled("forget", forget, default: Self.standardForget(bias: bias, chrono: chrono))
        case .gru: break
        }
        return notation(
            name, "\(width)", own, chrono.map { "chrono: \($0)" }, labelled("bias", bias, default: true), initializer.map { "init: \($0)" },
            recurrentInitializer.map { "recurrent: \($0)" }, truncation.map { "truncate: \($0)" })
    }

    /// A forget gate that begins open passes the gradient on: Gers et al. 2000; Jozefowicz et al. 2015.
    private static func standardForget(bias: Bool, chrono: Int?) -> Double { bias && chrono == nil ? 1 : 0 }

    // MARK: Notation

    static let kinds = [
        LayerKind(name: "rnn") { term throws(FathomError) in
            let arguments = try Arguments(term, ["width", "activation"], labels: common, notes: notes, example: "rnn(128, tanh)")
            let word = try arguments.word("activation", among: ["tanh", "relu", "identity"])
            let activation: Activation = switch word {
            case "relu": .relu
            case "identity": .identity
            default: .tanh
            }
            return try Recurrent(.rnn(activation), arguments, chrono: nil, bias: arguments.boolean("bias", default: true))
        },
        LayerKind(name: "lstm") { term throws(FathomError) in
            let arguments = try Arguments(term, ["width"], labels: common + ["forget", "chrono"], notes: notes, example: "lstm(128)")
            let bias = try arguments.boolean("bias", default: true), chrono = try chrono(arguments, bias: bias)
            if let forget = arguments.value("forget") {
                if chrono != nil { throw forget.labelPosition.error("'forget' beside 'chrono', which sets the same bias", "leave one of the two out") }
                if !bias { throw forget.labelPosition.error("a forget bias that 'bias: false' takes away", "leave one of the two out") }
            }
            let forget = try arguments.number("forget", .any, default: standardForget(bias: bias, chrono: chrono))
            return try Recurrent(.lstm(forget: forget), arguments, chrono: chrono, bias: bias)
        },
        LayerKind(name: "gru") { term throws(FathomError) in
            let notes = notes.merging(["forget": "a gru has no forget gate; lstm has, and 'chrono: steps' works for both"]) { $1 }
            let arguments = try Arguments(term, ["width"], labels: common + ["chrono"], notes: notes, example: "gru(128)")
            let bias = try arguments.boolean("bias", default: true)
            return try Recurrent(.gru, arguments, chrono: chrono(arguments, bias: bias), bias: bias)
        },
    ]

    private static let common = ["bias", "init", "recurrent", "truncate"]
    private static let notes = [
        "inputsize": "the width in is inferred; leave it out", "numlayers": "write one after another, as in lstm(128) lstm(128)",
        "batchfirst": "leave it out: sequence(steps) says how the columns are cut", "bidirectional": "there is no such layer; leave it out",
        "returnsequences": "leave it out: the output is every step; 'last' behind it keeps the last",
        "dropout": "it is a layer of its own: lstm(128) dropout(0.1) lstm(128)",
    ]

    private static func chrono(_ arguments: Arguments, bias: Bool) throws(FathomError) -> Int? {
        guard let argument = arguments.value("chrono") else { return nil }
        if !bias { throw argument.labelPosition.error("chrono biases that 'bias: false' takes away", "leave one of the two out") }
        return try arguments.integer("chrono", 3...1_000_000_000)
    }

    private init(_ cell: Cell, _ arguments: Arguments, chrono: Int?, bias: Bool) throws(FathomError) {
        self.cell = cell
        self.chrono = chrono
        self.bias = bias
        width = try arguments.integer("width", 1...Linear.widest)
        initializer = try Initializer(argument: "init", of: arguments, bias: bias)
        recurrentInitializer = try Initializer(argument: "recurrent", of: arguments, bias: bias)
        truncation = arguments.value("truncate") == nil ? nil : try arguments.integer("truncate", 1...1_000_000_000)
    }
}

extension Initializer {
    /// The initializer that an argument names; nil where it is not given.
    init?(argument label: String, of arguments: Arguments, bias: Bool) throws(FathomError) {
        guard let argument = arguments.value(label) else { return nil }
        guard case .term(let term) = argument.value else {
            throw arguments.wrong(label, argument, "it must be an initializer, as in \(label): he or \(label): orthogonal(1.05)")
        }
        try self.init(term)
        if label == "recurrent", weights == .lsuv {
            throw argument.position.error("lsuv of weights from the state", "it scales what a layer makes of its inputs; orthogonal or identity fit the state")
        }
        if !bias, statedBias != 0 {
            throw argument.position.error("deviation of a bias that 'bias: false' takes away", "leave one of the two out")
        }
    }
}
