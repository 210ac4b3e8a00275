import ArgumentParser
import Fathom
import FathomCommandLine
import Foundation

struct ProfilerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fathom-profiler",
        abstract: "Measure how fast Fathom trains on this machine, and where the time goes.",
        version: fathomVersion,
        subcommands: [KernelsCommand.self, StepCommand.self, LabCommand.self])
}

@main
enum Main {
    static func main() {
        exit(FathomCommandLine.run(ProfilerCommand.self, Array(CommandLine.arguments.dropFirst()), recipeCommands: ["step"]).rawValue)
    }
}
