/// The arguments of a term, checked against what it takes: no unknown, doubled or surplus one is left when this exists.
package struct Arguments {
    private let term: Term
    private let name: String
    private let positional: [String]
    private let example: String

    /// - Parameters:
    ///   - positional: What the arguments without a label are called in messages, in order.
    ///   - labels: The labels that the term takes.
    ///   - notes: Labels known from elsewhere that have no counterpart here, and what to do instead.
    ///   - example: A term that would be right.
    package init(
        _ term: Term, _ positional: [String] = [], labels: [String] = [], notes: [String: String] = [:], example: String
    ) throws(FathomError) {
        self.term = term
        self.positional = positional
        self.example = example
        name = term.name ?? ""
        var seen: Set<String> = []
        var unlabelled = 0
        for argument in term.arguments {
            guard let label = argument.label else {
                unlabelled += 1
                if unlabelled > positional.count { throw surplus(argument, labels) }
                continue
            }
            guard labels.contains(label) else { throw unknown(argument, label, labels, notes) }
            if let equals = argument.equals { throw equals.error("unexpected '='", "write '\(label): \(argument.plainText)'") }
            guard seen.insert(label).inserted else { throw argument.labelPosition.error("'\(label)' is given twice", "give it once") }
        }
    }

    private func surplus(_ argument: Argument, _ labels: [String]) -> FathomError {
        let wanted = positional.isEmpty && labels.isEmpty ? "\(name) takes no arguments" : "\(name) is written as in \(example)"
        return argument.position.error("unexpected argument '\(argument.text.shortened)' of \(name)", wanted)
    }

    private func unknown(_ argument: Argument, _ label: String, _ labels: [String], _ notes: [String: String]) -> FathomError {
        let folded = Vocabulary.fold(label)
        var vocabulary = Vocabulary(kind: "argument", names: labels, notes: notes)
        for known in labels + positional {
            for synonym in Self.synonyms[known] ?? [] { vocabulary.synonyms[synonym] = known }
        }
        let remedy: String
        if let first = positional.first(where: { Vocabulary.fold($0).filter { $0 != " " } == folded || vocabulary.synonyms[folded] == $0 }),
           notes[folded] == nil {
            remedy = "the \(first) comes without a label: \(name)(\(argument.plainText))"
        } else if labels.isEmpty, notes[folded] == nil {
            remedy = positional.isEmpty ? "\(name) takes no arguments" : "\(name) is written as in \(example)"
        } else {
            remedy = vocabulary.remedy(for: label)
        }
        return argument.labelPosition.error("unknown argument '\(label.shortened)' of \(name)", remedy)
    }

    /// What other frameworks call the arguments, in lower case without `_` and `-`.
    private static let synonyms: [String: [String]] = [
        "learning rate": ["lr", "learningrate", "rate", "stepsize", "eta"],
        "decay": ["weightdecay", "wd", "l2", "lambda", "decoupledweightdecay"],
        "epsilon": ["eps"],
        "beta1": ["b1", "betas", "betaone"],
        "beta2": ["b2", "betatwo"],
        "momentum": ["mu"],
        "smoothing": ["labelsmoothing", "ls", "labelsmooth"],
        "weights": ["weight", "classweights", "classweight"],
        "rho": ["alpha", "smoothing", "discountingfactor", "beta", "beta2", "decayrate"],
        "nesterov": ["usenesterov"],
        "warmup": ["warmupsteps", "numwarmupsteps", "linearwarmup", "warmupratio", "rise", "pctstart"],
        "end": ["etamin", "minlr", "finallr", "endfactor", "alpha"],
        "epochs": ["stepsize", "decaysteps", "every", "transitionsteps"],
        "factor": ["gamma", "decayrate"],
        "width": ["outfeatures", "units", "features", "outputs", "out", "size"],
        "bias": ["usebias", "biasstd", "sigmab", "σb"],
        "init": ["initializer", "kernelinitializer", "kernelinit", "initialization", "weightinit"],
        "slope": ["negativeslope", "alpha", "leak"],
        "alpha": ["a"],
        "form": ["approximate", "approximation"],
        "delta": ["beta", "threshold"],
        "gain": ["scale"],
        "largest norm": ["maxnorm", "norm", "clipnorm", "max"],
        "largest value": ["clipvalue", "value", "max"],
        "deviation": ["std", "stddev", "sigma", "scale", "standarddeviation"],
        "distribution": ["mode"],
        "rate": ["p", "prob", "probability", "dropout", "keepprob"],
        "steps": ["t", "timesteps", "length", "seqlen", "sequencelength"],
        "activation": ["nonlinearity", "act"],
        "recurrent": ["recurrentinitializer", "recurrentinit"],
        "truncate": ["truncation", "bptt", "tbptt", "truncatedbptt"],
        "forget": ["forgetbias", "unitforgetbias"],
        "start": ["alpha", "initial"],
        "bound": ["a", "b", "limit", "range", "maxval"],
    ]

    /// The argument of that name: a label, or what an argument without one is called.
    func value(_ name: String) -> Argument? {
        if let index = positional.firstIndex(of: name) {
            let unlabelled = term.arguments.filter { $0.label == nil }
            return index < unlabelled.count ? unlabelled[index] : nil
        }
        return term.arguments.first { $0.label == name }
    }

    /// A number within the bounds, as float32 holds it; the default where it is not given, an error where there is none.
    package func number(_ name: String, _ bounds: Bounds, default standard: Double? = nil) throws(FathomError) -> Double {
        guard let argument = value(name) else {
            guard let standard else { throw missing(name) }
            return standard
        }
        guard case .number(let value) = argument.value else { throw wrong(name, argument, "it must be a number") }
        let rounded = Float(value)
        guard rounded.isFinite, value == 0 || rounded != 0 else { throw wrong(name, argument, "it must be a number that float32 can hold") }
        guard bounds.contain(Double(rounded)), bounds.contain(value) else { throw wrong(name, argument, "it must be \(bounds.words)") }
        return value
    }

    /// A whole number within the range.
    package func integer(_ name: String, _ range: ClosedRange<Int>, default standard: Int? = nil) throws(FathomError) -> Int {
        guard let argument = value(name) else {
            guard let standard else { throw missing(name) }
            return standard
        }
        guard case .number(let value) = argument.value, let integer = Int(exactly: value), range.contains(integer) else {
            throw wrong(name, argument, "it must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }

    func boolean(_ name: String, default standard: Bool) throws(FathomError) -> Bool {
        guard let argument = value(name) else { return standard }
        switch argument.word {
        case "true": return true
        case "false": return false
        default: throw wrong(name, argument, "it must be true or false")
        }
    }

    /// One of the words; nil where it is not given.
    func word(_ name: String, among words: [String]) throws(FathomError) -> String? {
        guard let argument = value(name) else { return nil }
        guard let word = argument.word, words.contains(word) else {
            throw wrong(name, argument, Vocabulary(kind: name, names: words).remedy(for: argument.text))
        }
        return word
    }

    func missing(_ name: String) -> FathomError {
        term.position.error("\(self.name) without its \(name)", "write it as in \(example)")
    }

    func wrong(_ name: String, _ argument: Argument, _ remedy: String) -> FathomError {
        argument.position.error("\(name) '\(argument.text.shortened)' of \(self.name)", remedy)
    }
}

/// What a number may be, and how to say so.
package struct Bounds: Sendable {
    let words: String
    let contain: @Sendable (Double) -> Bool

    static let any = Bounds(words: "a number") { _ in true }
    static let positive = Bounds(words: "above 0") { $0 > 0 }
    package static let notNegative = Bounds(words: "0 or above") { $0 >= 0 }
    static let zeroToOne = Bounds(words: "from 0 to 1") { $0 >= 0 && $0 <= 1 }
    static let aboveZeroToOne = Bounds(words: "above 0, at most 1") { $0 > 0 && $0 <= 1 }
    static let zeroToBelowOne = Bounds(words: "at least 0 and below 1") { $0 >= 0 && $0 < 1 }
}

extension Argument {
    /// The value as the notation would write it: no quotation marks, true and false in lower case.
    var plainText: String {
        let bare = text.filter { $0 != "\"" && $0 != "'" }.shortened
        return ["True", "False"].contains(bare) ? bare.lowercased() : bare
    }

    /// The value where it is a plain name.
    var word: String? {
        guard case .term(let term) = value, term.arguments.isEmpty, term.group == nil else { return nil }
        return term.name
    }
}

extension String {
    /// At most 40 characters of it, all of them visible, for messages.
    var shortened: String {
        (count <= 40 ? self : prefix(39) + "…").map { $0.isWhitespace ? " " : $0.isInvisible ? "\u{FFFD}" : String($0) }.joined()
    }
}
