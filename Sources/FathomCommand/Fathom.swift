import ArgumentParser
import Fathom
import FathomCommandLine
import Foundation

struct FathomCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fathom",
        abstract: "Train deep networks on a CPU, and see what happens to the gradient on its way down.",
        version: fathomVersion,
        subcommands: [Train.self, Resume.self, Evaluate.self, Predict.self, Inspect.self, Report.self, Datasets.self])

    func run() throws {
        try StandardStreams.result(
            """
            fathom \(fathomVersion) trains deep networks on a CPU.

            A first one, on 1,797 images of handwritten digits, in a few seconds:

                fathom train --data digits --test 0.2

            On a table of your own, whose last column is to be predicted:

                fathom train --data table.csv --test 0.2

            fathom train --help lists the keys, fathom datasets the data sets that are at hand, fathom --help the commands.

            """)
    }
}

@main
enum Main {
    private static let start = ContinuousClock.now

    /// Since the process began.
    static var seconds: Double { (.now - start) / .seconds(1) }

    static func main() {
        _ = start
        exit(FathomCommandLine.run(FathomCommand.self, Array(CommandLine.arguments.dropFirst()), recipeCommands: ["train"]).rawValue)
    }
}
