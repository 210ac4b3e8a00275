import ArgumentParser
import Fathom
import FathomCommandLine
import Foundation

struct ProfilerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fathom-profiler",
        abstract: "Measure how fast Fathom trains on this machine, where the time goes, and what the gradient does.",
        version: fathomVersion,
        subcommands: [KernelsCommand.self, StepCommand.self, GradientsCommand.self, LabCommand.self])
}

@main
enum Main {
    static func main() {
        exit(FathomCommandLine.run(ProfilerCommand.self, Array(CommandLine.arguments.dropFirst()), recipeCommands: ["step", "gradients"]).rawValue)
    }
}
