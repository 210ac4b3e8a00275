import ArgumentParser
import Fathom
import FathomCommandLine
import FathomFormats
import FathomStability
import Foundation

struct GradientsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gradients",
        abstract: "What the gradient does in a network, and what would cure it.",
        usage: "fathom-profiler gradients RECIPE | RUN | --KEY VALUE … [--inputs N] [--only PARTS] [--exact] [--json] [--output DIR|FILE.html]",
        discussion: """
            Every key of a recipe is a flag of the same name, and a flag wins. Of a run folder it is the trained model on the run's data; else \
            the network as it is drawn at the start.

                fathom-profiler gradients --network '[linear(128) tanh] * 64 linear(10)' --inputs 784
                fathom-profiler gradients recipe.yaml --only signal,advice
                fathom-profiler gradients runs/digits-1 --json

            With --inputs the inputs are standard normal and the targets random. What is too dear to write out is probed, and the last lines \
            say so; --exact writes out Jacobians up to 1,024 wide all the same. --output writes the report as a page, too: into a file that ends in .html, \
            or as gradients.html into a folder.
            """)

    @Argument(help: ArgumentHelp("A recipe, or a run folder.", valueName: "recipe")) var path: String?
    @OptionGroup var options: RecipeOptions
    @Option(parsing: .unconditional, help: ArgumentHelp("Columns of standard normal inputs, in place of data.", valueName: "n")) var inputs: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("Rows of the batch. (default: the recipe's batch)", valueName: "n")) var samples: String?
    @Option(parsing: .unconditional, help: ArgumentHelp(
        "Networks that the signal rate is a mean over, drawn anew from seed, seed + 1, …. (default: 4; of a run only its own)", valueName: "n")) var averages: String?
    @Option(parsing: .unconditional, help: ArgumentHelp(
        "The error signal at the output: that of the loss, or standard normal. (default: loss)", valueName: "loss|random")) var signal: String?
    @Option(name: .customLong("jacobian-samples"), parsing: .unconditional, help: ArgumentHelp(
        "Samples at which Jacobians are taken. (default: 1)", valueName: "n")) var jacobianSamples: String?
    @Option(parsing: .unconditional, help: ArgumentHelp(
        "These parts alone, with commas between: signal, jacobians, lyapunov, advice.", valueName: "parts")) var only: String?
    @Flag(help: "Write every Jacobian up to 1,024 wide out, however long it takes.") var exact = false
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        try refuseFlagsAsValues([
            ("inputs", inputs), ("samples", samples), ("averages", averages), ("signal", signal), ("jacobian-samples", jacobianSamples), ("only", only),
        ])
        try validateInputs(inputs, options)
        for (name, text, most) in [("samples", samples, 1_000_000), ("averages", averages, 1000), ("jacobian-samples", jacobianSamples, 1000)] {
            guard let text, !(Int(text).map { 1...most ~= $0 } ?? false) else { continue }
            throw ValidationError("--\(name) takes a whole number from 1 to \(most), not '\(text)'")
        }
        if let signal, signal != "loss", signal != "random" { throw ValidationError("--signal is loss or random, not '\(signal)'") }
        _ = try parts()
    }

    private func parts() throws -> Set<GradientMeasurement.Part> {
        guard let only else { return Set(GradientMeasurement.Part.allCases) }
        let names = only.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
        return Set(try names.map { name in
            guard let part = GradientMeasurement.Part(rawValue: name) else {
                let all = GradientMeasurement.Part.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--only takes some of \(all), with commas between, not '\(only)'")
            }
            return part
        })
    }

    func run() throws {
        try Fathom.Kernels.checkOverride()
        var flags = Settings()
        options.apply(to: &flags)
        let page = try flags.output.map(PageTarget.init)
        let subject = try GradientSubject(path, options, inputs: inputs, samples: samples.flatMap { Int($0) })
        if subject.isTrained, let averages, averages != "1" {
            throw UsageError("--averages draws networks anew, and those of a run are trained; leave it out")
        }
        if let asked = jacobianSamples.flatMap({ Int($0) }), asked > subject.samples.count {
            throw FathomError.invalid("--jacobian-samples \(asked): the batch has \(subject.samples.count) rows")
        }
        for note in subject.notes { StandardStreams.note(note) }
        var request = GradientMeasurement.Request()
        request.parts = try parts()
        request.averages = subject.isTrained ? 1 : averages.flatMap { Int($0) } ?? request.averages
        request.isRandomSignal = signal == "random"
        request.jacobianSamples = jacobianSamples.flatMap { Int($0) } ?? request.jacobianSamples
        request.isExact = exact
        let line = ProgressLine()
        keepLinearAlgebraOnItsThread()
        let measured = try Fathom.Kernels.$threadLimit.withValue(subject.threads) {
            defer { line.finish() }
            return try GradientMeasurement(subject, request, progress: line)
        }
        if let page {
            try measured.page.write(to: page.path)
            StandardStreams.note("report: \(page.path)")
        }
        try StandardStreams.result(json ? measured.json.line + "\n" : measured.text(width: Terminal.width(of: STDOUT_FILENO) ?? 80))
    }
}
