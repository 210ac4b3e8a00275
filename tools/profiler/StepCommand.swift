import ArgumentParser
import Fathom
import FathomCommandLine
import FathomFormats
import Foundation

struct StepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step",
        abstract: "Where a training step's time goes, layer by layer.",
        usage: "fathom-profiler step RECIPE | --KEY VALUE … [--inputs N] [--seconds S] [--adapt] [--json | --serve]",
        discussion: """
            Every key of a recipe is a flag of the same name, and a flag wins.

                fathom-profiler step --network 'linear(64) tanh linear(10)' --inputs 784
                fathom-profiler step recipe.yaml --threads 1

            With --inputs the inputs are standard normal and the targets random: classes, or numbers with --loss mse. A learning rate above \
            1e-5 is taken as 1e-5, so that the network stays as it is.

            Times are medians over rounds; the spread is that of the middle half. The peak of fused multiply-adds is measured again in every \
            round. GFLOP/s count the products alone.
            """)

    @Argument(help: "A recipe.") var recipe: String?
    @OptionGroup var options: RecipeOptions
    @Option(parsing: .unconditional, help: ArgumentHelp("Columns of standard normal inputs, in place of data.", valueName: "n")) var inputs: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("Seconds to measure for, roughly. (default: 10; with --serve 1)", valueName: "s")) var seconds: String?
    @Flag(help: "Let fewer threads run a step where that is faster, as fathom train does; else it is the number given, whatever is faster.") var adapt = false
    @Flag(help: "Print one JSON object.") var json = false
    @Flag(help: """
        Build, warm up, print READY; then measure for --seconds at each line 'go' of standard input and print one JSON object. Any other line \
        ends it. For taking turns with other programs.
        """) var serve = false

    func validate() throws {
        try refuseFlagsAsValues([("inputs", inputs), ("seconds", seconds)])
        guard !(json && serve) else { throw ValidationError("--serve prints JSON as it is; leave --json out") }
        try validateInputs(inputs, options)
        if let seconds, !(Double(seconds).map { $0 > 0 && $0 <= 86_400 } ?? false) {
            throw ValidationError("--seconds takes a number above 0, up to 86400, not '\(seconds)'")
        }
    }

    func run() throws {
        try Fathom.Kernels.checkOverride()
        let subject = try subject()
        for note in subject.notes { StandardStreams.note(note) }
        var meter = try StepMeter(subject)
        if serve { return try serve(&meter) }
        let measured = try meter.measure(seconds: seconds.flatMap(Double.init) ?? 10)
        try StandardStreams.result(json ? measured.json.line + "\n" : measured.text(width: Terminal.width(of: STDOUT_FILENO) ?? 80))
    }

    private func subject() throws -> StepSubject {
        let settings = try Settings(recipe: recipe, options, inputs: inputs, command: "step")
        let name = recipe.map { URL(filePath: $0).deletingPathExtension().lastPathComponent }
        let threads = try settings.threads() ?? Fathom.Kernels.threadsAvailable
        return try StepSubject(settings, name: name, inputs: inputs.flatMap { Int($0) }, threads: threads, adapts: adapt)
    }

    private func serve(_ meter: inout StepMeter) throws {
        let duration = seconds.flatMap(Double.init) ?? 1
        _ = try meter.step(for: min(1, duration), groups: 1)
        try StandardStreams.result("READY\n")
        while let line = readLine(), line.trimmingCharacters(in: .whitespaces) == "go" {
            try StandardStreams.result(meter.turn(seconds: duration).line + "\n")
        }
    }
}

extension StepMeter {
    /// A turn among other programs: nothing but steps is timed.
    fileprivate mutating func turn(seconds: Double) throws -> JSON {
        let time = try step(for: seconds, groups: 3), milliseconds = rounded(time * 1e3), rate = rounded(Double(subject.batch) / time)
        return [
            "event": "step", "bench": "step", "workload": subject.name.map { .string($0) } ?? .null, "peer": "fathom", "threads": .integer(subject.threads),
            "isa": .string(Fathom.Kernels.instructionSet), "batch": .integer(subject.batch), "milliseconds": milliseconds, "ms": milliseconds,
            "samples_per_second": rate, "samples_s": rate, "gflops": rounded(work.productFlops / time * 1e-9),
        ]
    }
}

extension StepSubject {
    /// What is measured, a line each.
    fileprivate var notes: [String] {
        let recipe = experiment.recipe, columns = experiment.training.columns
        return [
            "network: \(recipe.network)",
            "data: \(recipe.data), \(columns) \(columns == 1 ? "column" : "columns"); \(batches == 1 ? "one batch" : "\(batches) batches") of \(batch) rows",
            "loss: \(experiment.loss), optimizer: \(recipe.optimizer), clip: \(recipe.clip)",
        ]
    }
}
