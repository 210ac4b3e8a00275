import Fathom
import Foundation
import Yams

/// Everything that a run's bits depend on, data and code apart. Where training runs (threads, the run folder) is not part of it.
public struct Recipe: Sendable, Equatable {
    public var network: Network
    /// As given: a named set or a path, relative to where the command runs.
    public var data: String
    public var target: String?
    /// nil: the set's own test split where it has one, else none.
    public var test: Holdout?
    public var validation: Holdout
    /// nil: `global` for images, `columns` for tables.
    public var standardize: Standardization.Mode?
    public var shuffle: Bool
    /// nil: cross-entropy for classes, mean squared error for numbers.
    public var loss: Loss?
    public var optimizer: Optimizer
    public var schedule: Schedule
    public var clip: Clipping
    /// Decay of the weights' exponential moving average; nil: none is taken.
    public var ema: Double?
    /// nil: each layer's fits the activation that follows it.
    public var initializer: Initializer?
    public var epochs: Int
    /// Wins over `epochs`.
    public var steps: Int?
    /// Epochs without a better validation loss after which training stops; 0: it does not.
    public var patience: Int
    public var batch: Int
    /// Passes that the rows of a step are divided into.
    public var accumulate: Int
    public var recompute: Recompute
    public var seed: UInt64
    public var instruments: Instruments
    public var checkpoint: CheckpointInterval

    /// What `init` says in a resolved recipe where every layer's fits the activation that follows it.
    static let fitting = "fitting"

    /// - Throws: `FathomError.invalid`, beginning with the place of the setting that is wrong.
    public init(_ settings: Settings) throws {
        let read = SettingsReader(settings)
        guard let data = settings[.data] else {
            throw FathomError.invalid("no data: say what to train on with --data FILE or a named set (fathom datasets lists them)")
        }
        network = try read.notation(.network, Network.init) ?? Network("[linear(128) relu] * 2 linear(outputs)")
        self.data = data.text
        guard !data.text.isEmpty else { throw FathomError.invalid("\(data.subject) must name a set or a path") }
        target = settings[.target]?.text
        test = try read.holdout(.test)
        validation = try read.holdout(.validation) ?? .none
        standardize = try read.choice(.standardize)
        shuffle = try read.boolean(.shuffle) ?? true
        loss = try read.notation(.loss, Loss.init)
        optimizer = try read.notation(.optimizer, Optimizer.init) ?? .adamW(learningRate: 0.001)
        schedule = try read.notation(.schedule, Schedule.init) ?? .constant
        clip = try read.notation(.clip, Clipping.init) ?? .none
        ema = try read.decay(.ema)
        initializer = settings[.initializer]?.text == Self.fitting ? nil : try read.notation(.initializer, Initializer.init)
        epochs = try read.wholeNumber(.epochs, 0...1_000_000_000) ?? 10
        steps = try read.wholeNumber(.steps, 0...1_000_000_000_000)
        patience = try read.wholeNumber(.patience, 0...1_000_000_000) ?? 0
        batch = try read.wholeNumber(.batch, 1...Int(Int32.max)) ?? 128
        accumulate = try read.wholeNumber(.accumulate, 1...Int(Int32.max)) ?? 1
        recompute = try read.choice(.recompute) ?? .none
        seed = try read.wholeNumber(.seed, 0...UInt64.max) ?? 0
        instruments = try read.value(.instruments, Instruments.init) ?? .summary(every: 1)
        checkpoint = try read.value(.checkpoint, CheckpointInterval.init) ?? .minutes(5)
    }

    /// Reads `recipe.yaml`.
    public init(contentsOf path: String) throws {
        try self.init(Settings(contentsOf: path))
    }

    /// The keys and their values, in the order they are written; what holds by default and has no words of its own is left out.
    public var entries: [(key: RecipeKey, value: JSON)] {
        var entries: [(RecipeKey, JSON)] = [(.network, .string(network.description)), (.data, .string(data))]
        if let target { entries.append((.target, .string(target))) }
        if let test { entries.append((.test, test.json)) }
        entries.append((.validation, validation.json))
        if let standardize { entries.append((.standardize, .string(standardize.rawValue))) }
        entries.append((.shuffle, .boolean(shuffle)))
        if let loss { entries.append((.loss, .string(loss.description))) }
        entries += [(.optimizer, .string(optimizer.description)), (.schedule, .string(schedule.description)), (.clip, .string(clip.description))]
        entries.append((.ema, ema.map(JSON.number) ?? 0))
        entries.append((.initializer, .string(initializer?.description ?? Self.fitting)))
        entries.append(steps.map { (.steps, .integer($0)) } ?? (.epochs, .integer(epochs)))
        entries += [(.patience, .integer(patience)), (.batch, .integer(batch)), (.accumulate, .integer(accumulate)), (.recompute, .string(recompute.rawValue)), (.seed, .unsigned(seed))]
        entries += [(.instruments, .string(instruments.description)), (.checkpoint, .string(checkpoint.description))]
        return entries
    }

    public var json: JSON { .object(entries.map { JSON.Member($0.key.rawValue, $0.value) }) }

    /// The text of `recipe.yaml`: reads back to an equal recipe.
    public func yaml() throws -> String {
        let pairs = entries.map { key, value in
            (Node(key.rawValue), Node(value.plainText, .implicit, Settings.nothings.contains(value.plainText) ? .singleQuoted : .any))
        }
        return "# fathom train THIS-FILE --output NEW-FOLDER repeats this run.\n"
            + (try Yams.serialize(node: Node(pairs), width: -1, allowUnicode: true))
    }
}
