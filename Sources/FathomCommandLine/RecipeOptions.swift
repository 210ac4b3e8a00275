import ArgumentParser
import FathomFormats

/// The keys of a recipe as flags. Each is read as text, by the reader that reads recipes: the two accept the same, and say the same of what is wrong.
package struct RecipeOptions: ParsableArguments {
    @Option(parsing: .unconditional, help: help(.network)) var network: String?
    @Option(parsing: .unconditional, help: help(.data)) package var data: String?
    @Option(parsing: .unconditional, help: help(.target)) var target: String?
    @Option(parsing: .unconditional, help: help(.test)) var test: String?
    @Option(parsing: .unconditional, help: help(.validation)) var validation: String?
    @Option(parsing: .unconditional, help: help(.standardize)) var standardize: String?
    @Option(parsing: .unconditional, help: help(.shuffle)) var shuffle: String?
    @Option(parsing: .unconditional, help: help(.loss)) var loss: String?
    @Option(parsing: .unconditional, help: help(.optimizer)) var optimizer: String?
    @Option(parsing: .unconditional, help: help(.schedule)) var schedule: String?
    @Option(parsing: .unconditional, help: help(.clip)) var clip: String?
    @Option(parsing: .unconditional, help: help(.ema)) var ema: String?
    @Option(name: .customLong("init"), parsing: .unconditional, help: help(.initializer)) var initializer: String?
    @Option(parsing: .unconditional, help: help(.epochs)) var epochs: String?
    @Option(parsing: .unconditional, help: help(.steps)) var steps: String?
    @Option(parsing: .unconditional, help: help(.patience)) var patience: String?
    @Option(parsing: .unconditional, help: help(.batch)) var batch: String?
    @Option(parsing: .unconditional, help: help(.accumulate)) var accumulate: String?
    @Option(parsing: .unconditional, help: help(.recompute)) var recompute: String?
    @Option(parsing: .unconditional, help: help(.seed)) var seed: String?
    @Option(parsing: .unconditional, help: help(.threads)) var threads: String?
    @Option(parsing: .unconditional, help: help(.instruments)) var instruments: String?
    @Option(parsing: .unconditional, help: help(.checkpoint)) var checkpoint: String?
    @Option(parsing: .unconditional, help: help(.output)) var output: String?

    package init() {}

    package static func help(_ key: RecipeKey) -> ArgumentHelp {
        ArgumentHelp("\(key.meaning)" + (key.defaultText.map { " (default: \($0))" } ?? ""), valueName: key.rawValue)
    }

    private var flags: [(key: RecipeKey, text: String?)] {
        [
            (.network, network), (.data, data), (.target, target), (.test, test), (.validation, validation), (.standardize, standardize),
            (.shuffle, shuffle), (.loss, loss), (.optimizer, optimizer), (.schedule, schedule), (.clip, clip), (.ema, ema), (.initializer, initializer),
            (.epochs, epochs), (.steps, steps), (.patience, patience), (.batch, batch), (.accumulate, accumulate), (.recompute, recompute), (.seed, seed), (.threads, threads), (.instruments, instruments),
            (.checkpoint, checkpoint), (.output, output),
        ]
    }

    package func validate() throws { try refuseFlagsAsValues(flags.map { ($0.key.rawValue, $0.text) }) }

    /// The flags over the recipe's lines. `--epochs` over a recipe's `steps` means what it says.
    package func apply(to settings: inout Settings) {
        if epochs != nil && steps == nil { settings.remove(.steps) }
        for case (let key, let text?) in flags { settings.set(key, flag: text) }
    }
}

/// A value is taken as it comes, so that `--seed -1` is told what a seed is; but `--output --json` has left its value out.
package func refuseFlagsAsValues(_ flags: [(name: String, text: String?)]) throws {
    for case (let name, let text?) in flags where text.hasPrefix("--") {
        throw ValidationError("--\(name) needs a value, and '\(text)' is a flag")
    }
}
