import Fathom

/// Rows kept from training.
public enum Holdout: Sendable, Equatable {
    case none
    /// The set's own test split.
    case own
    /// In 0 ..< 1, of the rows there are when it is cut.
    case fraction(Double)
    case path(String)

    var json: JSON {
        switch self {
        case .none: 0
        case .own: "own"
        case .fraction(let fraction): .number(fraction)
        case .path(let path): .string(path)
        }
    }
}

/// What `history.jsonl` says of the layers.
public enum Instruments: Sendable, Equatable, CustomStringConvertible {
    case none
    /// Layers in every n-th step, in at most 1,000 steps of a run.
    case summary(every: Int)
    /// Every step, and the layers in every n-th.
    case full(every: Int)

    /// - Throws: `FathomError.invalid` with what would be right.
    public init(_ text: String) throws {
        let plain = text.filter { !$0.isWhitespace }
        if plain == "none" { self = .none; return }
        guard let match = plain.wholeMatch(of: /(summary|full)(?:\((?:every:)?(\d+)\))?/), let every = Int(match.2 ?? "1"), every > 0 else {
            throw FathomError.invalid("must be none, summary(every: n) or full(every: n) with n at least 1, not '\(text)'")
        }
        self = match.1 == "summary" ? .summary(every: every) : .full(every: every)
    }

    /// What the trainer has to gather.
    public var level: Trainer.Instruments {
        switch self {
        case .none: .none
        case .summary: .summary
        case .full: .full
        }
    }

    public var description: String {
        switch self {
        case .none: "none"
        case .summary(let every): "summary(every: \(every))"
        case .full(let every): "full(every: \(every))"
        }
    }
}

/// How often a run is saved, apart from at its end.
public enum CheckpointInterval: Sendable, Equatable, CustomStringConvertible {
    case every(steps: Int)
    case minutes(Double)

    /// Reads `every: n` and `minutes: m`, also as `every(n)` and `minutes(m)`.
    /// - Throws: `FathomError.invalid` with what would be right.
    public init(_ text: String) throws {
        let plain = text.filter { !$0.isWhitespace }
        if let match = plain.wholeMatch(of: /every(?::(\d+)|\((\d+)\))/), let steps = Int(match.1 ?? match.2 ?? ""), steps > 0 {
            self = .every(steps: steps)
        } else if let match = plain.wholeMatch(of: /minutes(?::([\d.e+-]+)|\(([\d.e+-]+)\))/), let minutes = Double(match.1 ?? match.2 ?? ""),
            minutes > 0, minutes.isFinite {
            self = .minutes(minutes)
        } else {
            throw FathomError.invalid("must be 'every: n' (steps, at least 1) or 'minutes: m' (above 0), not '\(text)'")
        }
    }

    public var description: String {
        switch self {
        case .every(let steps): "every: \(steps)"
        case .minutes(let minutes): "minutes: \(JSON.number(minutes).line)"
        }
    }
}

/// Reads settings as values; errors begin with the setting's place.
struct SettingsReader {
    let settings: Settings

    init(_ settings: Settings) { self.settings = settings }

    func notation<Value>(_ key: RecipeKey, _ parse: (String) throws -> Value) throws -> Value? {
        guard let setting = settings[key] else { return nil }
        do {
            return try parse(setting.text)
        } catch let error as FathomError {
            throw FathomError.invalid("\(setting.subject): \(error)")
        }
    }

    func value<Value>(_ key: RecipeKey, _ parse: (String) throws -> Value) throws -> Value? {
        guard let setting = settings[key] else { return nil }
        do {
            return try parse(setting.text)
        } catch FathomError.invalid(let what) {
            throw FathomError.invalid("\(setting.subject) \(what)")
        }
    }

    func wholeNumber<Number: FixedWidthInteger>(_ key: RecipeKey, _ range: ClosedRange<Number>) throws -> Number? {
        try value(key) { text in
            guard let number = Number(text), range.contains(number) else {
                throw FathomError.invalid("must be a whole number from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
            }
            return number
        }
    }

    /// Above 0 and below 1, as float32 too; nil where it is 0.
    func decay(_ key: RecipeKey) throws -> Double? {
        let decay: Double? = try value(key) { text in
            guard let decay = Double(text), decay == 0 || Float(decay) > 0 && Float(decay) < 1 else {
                throw FathomError.invalid("must be a number above 0 and below 1, as in 0.999, or 0 for none, not '\(text)'")
            }
            return decay
        }
        return decay == 0 ? nil : decay
    }

    func boolean(_ key: RecipeKey) throws -> Bool? {
        try value(key) { text in
            guard let value = Bool(text) else { throw FathomError.invalid("must be true or false, not '\(text)'") }
            return value
        }
    }

    func choice<Value: RawRepresentable<String> & CaseIterable>(_ key: RecipeKey) throws -> Value? {
        try value(key) { text in
            guard let value = Value(rawValue: text) else {
                throw FathomError.invalid("must be one of \(Value.allCases.map(\.rawValue).joined(separator: ", ")), not '\(text)'")
            }
            return value
        }
    }

    func holdout(_ key: RecipeKey) throws -> Holdout? {
        try value(key) { text in
            if key == .test && text == "own" { return .own }
            guard let fraction = Double(text) else {
                guard !text.isEmpty, !text.hasSuffix("%") else {
                    throw FathomError.invalid("must be a fraction from 0 to below 1, or a path, not '\(text)'")
                }
                return .path(text)
            }
            guard fraction >= 0, fraction < 1 else { throw FathomError.invalid("must be a fraction from 0 to below 1, or a path, not '\(text)'") }
            return fraction == 0 ? Holdout.none : .fraction(fraction)
        }
    }
}

extension Settings {
    /// Threads to use; nil: as many as the machine has cores.
    public func threads() throws -> Int? { try SettingsReader(self).wholeNumber(.threads, 1...1024) }

    /// The run folder; nil: the next free one.
    public var output: String? { self[.output]?.text }
}
