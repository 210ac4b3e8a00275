extension Clipping {
    static let vocabulary = Vocabulary(
        kind: "clipping", names: ["none", "value", "norm", "tensor-norm", "unit-norm", "adaptive", "percentile", "zscore", "time-norm"],
        synonyms: [
            "gradnorm": "norm(1.0)", "globalnorm": "norm(1.0)", "globalclipnorm": "norm(1.0)", "maxnorm": "norm(1.0)", "clipgradnorm": "norm(1.0)",
            "clipbyglobalnorm": "norm(1.0)", "clip": "norm(1.0)", "clipvalue": "value(0.5)", "clipgradvalue": "value(0.5)", "clipbyvalue": "value(0.5)",
            "clipnorm": "tensor-norm(1.0)", "clipbynorm": "tensor-norm(1.0)", "layerwise": "tensor-norm(1.0)", "unitwise": "unit-norm(1.0)",
            "agc": "adaptive(0.01)", "adaptivegradclip": "adaptive(0.01)", "autoclip": "percentile(10)", "quantile": "percentile(10)",
            "zclip": "zscore(2.5)", "outlier": "zscore(2.5)", "stepnorm": "time-norm(1.0)", "off": "none", "no": "none",
        ])

    public init(_ notation: String) throws(FathomError) {
        let terms = try parseTerms(notation, example: "norm(1.0), adaptive(0.01) norm(1.0) or none")
        if terms.isEmpty {
            throw Position(source: notation, offset: 0).error("no clipping", "write one, as in norm(1.0), adaptive(0.01) norm(1.0) or none")
        }
        var stages: [Stage] = []
        for term in terms {
            let once = "each stage is written once, as in adaptive(0.01) norm(1.0)"
            if term.name == nil { throw term.position.error("unexpected '['", once) }
            if let position = term.timesPosition { throw position.error("unexpected repetition", once) }
            if term.name == "none" {
                _ = try Arguments(term, example: "none")
                if terms.count > 1 { throw term.position.error("'none' beside other stages", "it stands alone, or is left out") }
                continue
            }
            let stage = try Stage(term)
            try stage.check(after: stages, at: term.position)
            stages.append(stage)
        }
        self.init(stages)
    }
}

extension Clipping.Stage {
    fileprivate init(_ term: Term) throws(FathomError) {
        func largest(_ what: String, _ example: String) throws(FathomError) -> Double {
            try Arguments(term, [what], example: example).number(what, .positive)
        }
        switch term.name ?? "" {
        case "value": self = .value(try largest("largest value", "value(0.5)"))
        case "norm": self = .norm(try largest("largest norm", "norm(1.0)"))
        case "tensor-norm": self = .tensorNorm(try largest("largest norm", "tensor-norm(1.0)"))
        case "unit-norm": self = .unitNorm(try largest("largest norm", "unit-norm(1.0)"))
        case "time-norm": self = .timeNorm(try largest("largest norm", "time-norm(1.0)"))
        case "adaptive":
            let ratio = "the ratio comes without a label: adaptive(0.01)", floor = "did you mean 'floor'?"
            let arguments = try Arguments(
                term, ["ratio"], labels: ["floor"],
                notes: ["eps": floor, "epsilon": floor, "clipping": ratio, "lambda": ratio, "clipfactor": ratio], example: "adaptive(0.01)")
            self = .adaptive(try arguments.number("ratio", .positive), floor: try arguments.number("floor", .positive, default: 0.001))
        case "percentile":
            let arguments = try Arguments(
                term, ["percentile"], labels: ["window"], notes: ["history": "did you mean 'window'?", "historylength": "did you mean 'window'?"],
                example: "percentile(10)")
            let window = arguments.value("window") == nil ? nil : try arguments.integer("window", 2...1_000_000_000)
            self = .percentile(try arguments.number("percentile", .zeroToHundred), window: window)
        case "zscore":
            let largest = "the largest z-score comes without a label: zscore(2.5)"
            let arguments = try Arguments(
                term, ["largest z-score"], labels: ["decay", "warmup"],
                notes: ["alpha": "did you mean 'decay'?", "zthresh": largest, "threshold": largest], example: "zscore(2.5)")
            self = .zscore(
                try arguments.number("largest z-score", .positive, default: 2.5), decay: try arguments.number("decay", .zeroToBelowOne, default: 0.97),
                warmup: try arguments.integer("warmup", 2...1_000_000_000, default: 25))
        case let name: throw Clipping.vocabulary.unknown(name, at: term.position)
        }
    }

    /// Throws where the stage, written after others, would be a contradiction or do nothing.
    fileprivate func check(after stages: [Clipping.Stage], at position: Position) throws(FathomError) {
        for stage in stages where stage.name == name { throw position.error("second '\(name)'", "a stage is written once") }
        if case .timeNorm = self, let first = stages.first {
            throw position.error("time-norm after \(first.name)", "it acts within the backward pass, before all others: write it first")
        }
        for stage in stages {
            guard let wide = stage.bound, let narrow = bound, wide.reach > narrow.reach, wide.largest <= narrow.largest else { continue }
            throw position.error(
                "\(self) with nothing to do", "after \(stage) no \(narrow.what) is above \(wide.largest): write it before that, or leave it out")
        }
    }

    /// What a fixed bound holds for: elements, units, tensors, all; a wider one bounds the narrower too.
    private var bound: (reach: Int, what: String, largest: Double)? {
        switch self {
        case .value(let largest): (0, "element", largest)
        case .unitNorm(let largest): (1, "unit's norm", largest)
        case .tensorNorm(let largest): (2, "tensor's norm", largest)
        case .norm(let largest): (3, "norm", largest)
        case .adaptive, .percentile, .zscore, .timeNorm: nil
        }
    }
}

extension Bounds {
    fileprivate static let zeroToHundred = Bounds(words: "from 0 to 100") { $0 >= 0 && $0 <= 100 }
}
