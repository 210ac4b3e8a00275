extension Schedule: NotationRepresentable {
    public var description: String {
        let warmup = labelled("warmup", self.warmup, default: 0)
        return switch shape {
        case .constant: notation("constant", warmup)
        case .linear(let end): notation("linear", warmup, labelled("end", end, default: 0))
        case .cosine(let end): notation("cosine", warmup, labelled("end", end, default: 0))
        case .step(let epochs, let factor): notation("step", "epochs: \(epochs)", "factor: \(factor)", warmup)
        case .oneCycle(let start, let end):
            notation("one-cycle", "warmup: \(self.warmup)", labelled("start", start, default: 0.04), labelled("end", end, default: 4e-6))
        case .warmupStableDecay(let decay, let end):
            notation("warmup-stable-decay", warmup, "decay: \(decay)", labelled("end", end, default: 0))
        case .plateau(let factor, let patience, let threshold):
            notation("plateau", "factor: \(factor)", "patience: \(patience)", labelled("threshold", threshold, default: 1e-4), warmup)
        }
    }

    static let vocabulary = Vocabulary(
        kind: "schedule", names: ["constant", "linear", "cosine", "step", "one-cycle", "warmup-stable-decay", "plateau"],
        synonyms: [
            "none": "constant", "fixed": "constant", "constantlr": "constant", "linearlr": "linear", "lineardecay": "linear", "polynomial": "linear",
            "cosineannealing": "cosine", "cosineannealinglr": "cosine", "cosinedecay": "cosine",
            "warmup": "constant(warmup: 200)", "linearwarmup": "constant(warmup: 200)", "constantwithwarmup": "constant(warmup: 200)",
            "warmupcosine": "cosine(warmup: 200)", "warmupcosinedecay": "cosine(warmup: 200)",
            "steplr": "step(epochs: 10, factor: 0.5)", "steps": "step(epochs: 10, factor: 0.5)", "exponential": "step(epochs: 1, factor: 0.9)",
            "exponentiallr": "step(epochs: 1, factor: 0.9)", "exponentialdecay": "step(epochs: 1, factor: 0.9)",
            "onecyclelr": "one-cycle", "superconvergence": "one-cycle", "wsd": "warmup-stable-decay", "trapezoidal": "warmup-stable-decay",
            "reducelronplateau": "plateau", "reduceonplateau": "plateau",
        ])

    public init(_ notation: String) throws(FathomError) {
        let term = try parseTerm(notation, "schedule", example: "constant or cosine(warmup: 200)")
        switch term.name ?? "" {
        case "constant":
            let arguments = try Arguments(term, labels: ["warmup"], example: "constant or constant(warmup: 200)")
            self = Schedule(.constant, warmup: try arguments.length("warmup", default: 0))
        case "linear":
            let arguments = try Arguments(term, labels: ["warmup", "end"], example: "linear(warmup: 200)")
            self = .linear(warmup: try arguments.length("warmup", default: 0), end: try arguments.number("end", .zeroToOne, default: 0))
        case "cosine":
            let arguments = try Arguments(term, labels: ["warmup", "end"], example: "cosine(warmup: 200)")
            self = .cosine(warmup: try arguments.length("warmup", default: 0), end: try arguments.number("end", .zeroToOne, default: 0))
        case "step":
            let arguments = try Arguments(term, labels: ["epochs", "factor", "warmup"], example: "step(epochs: 10, factor: 0.5)")
            self = .step(
                epochs: try arguments.integer("epochs", 1...Self.most), factor: try arguments.number("factor", .positive),
                warmup: try arguments.length("warmup", default: 0))
        case "one-cycle":
            let divisor = "start and end are factors: div_factor=25, final_div_factor=1e4 is start: 0.04, end: 4e-06"
            let arguments = try Arguments(
                term, labels: ["warmup", "start", "end"], notes: ["divfactor": divisor, "finaldivfactor": divisor], example: "one-cycle(warmup: 0.3)")
            self = .oneCycle(
                warmup: try arguments.length("warmup", default: 0.3), start: try arguments.number("start", .zeroToOne, default: 0.04),
                end: try arguments.number("end", .zeroToOne, default: 4e-6))
        case "warmup-stable-decay":
            let arguments = try Arguments(term, labels: ["warmup", "decay", "end"], example: "warmup-stable-decay(warmup: 200, decay: 0.2)")
            let warmup = try arguments.length("warmup", default: 0), decay = try arguments.length("decay", default: 0.2)
            if case (.share(let w), .share(let d)) = (warmup, decay), w + d > 1, let argument = arguments.value("decay") ?? arguments.value("warmup") {
                throw argument.position.error("a warm-up of \(w) and a decay of \(d)", "together they can be 1, the whole training, at most")
            }
            self = .warmupStableDecay(warmup: warmup, decay: decay, end: try arguments.number("end", .zeroToOne, default: 0))
        case "plateau":
            let arguments = try Arguments(term, labels: ["factor", "patience", "threshold", "warmup"], example: "plateau(factor: 0.5, patience: 5)")
            self = .plateau(
                factor: try arguments.number("factor", .betweenZeroAndOne, default: 0.5), patience: try arguments.integer("patience", 1...Self.most, default: 5),
                threshold: try arguments.number("threshold", .zeroToBelowOne, default: 1e-4), warmup: try arguments.length("warmup", default: 0))
        case let name: throw Self.vocabulary.unknown(name, at: term.position)
        }
    }

    static let most = 1_000_000_000
}

extension Schedule.Length: CustomStringConvertible {
    public var description: String {
        switch self {
        case .steps(let steps): "\(steps)"
        case .share(let share): "\(share)"
        }
    }
}

extension Arguments {
    fileprivate func length(_ name: String, default standard: Schedule.Length) throws(FathomError) -> Schedule.Length {
        guard value(name) != nil else { return standard }
        return Schedule.Length(try number(name, .length))
    }
}

extension Bounds {
    fileprivate static let length = Bounds(words: "a whole number of steps up to \(Schedule.most), or a share of the training below 1") {
        $0 >= 0 && ($0 < 1 || $0 == $0.rounded() && $0 <= Double(Schedule.most))
    }
    fileprivate static let betweenZeroAndOne = Bounds(words: "above 0 and below 1") { $0 > 0 && $0 < 1 }
}
