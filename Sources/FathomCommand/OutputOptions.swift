import ArgumentParser
import Fathom
import FathomCommandLine
import FathomFormats
import Foundation

/// What a training says, and where.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print the events of history.jsonl on standard output, one JSON object a line, and nothing else there.") var json = false
    @Flag(help: "Say nothing on standard error but what goes wrong.") var quiet = false

    func note(_ text: String) {
        if !quiet { StandardStreams.note(text) }
    }
}

extension TrainingRun {
    /// Trains, and prints how it went: the last lines of `train` and `resume`.
    func trainAndReport(_ experiment: Experiment, in folder: RunFolder, _ output: OutputOptions) throws {
        let evaluation = try train()
        if let bestLine { output.note(bestLine) }
        if let clipRate { output.note(String(format: "clipping: %.1f %% of the steps", 100 * clipRate)) }
        if Page.isPage(folder.report) { output.note("report: \(folder.report)") }
        guard !output.json else { return }
        evaluation?.warnOfOverflow()
        if let evaluation, let test = experiment.test { try StandardStreams.result(evaluation.sentence(on: "test", rows: test.count) + "\n") }
        try StandardStreams.result("\(folder.path)\n")
    }
}
