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
        let arguments = dividing(["--shape", "--kernel", "--gain"], in: Array(CommandLine.arguments.dropFirst()))
        exit(FathomCommandLine.run(ProfilerCommand.self, arguments, recipeCommands: ["step", "gradients"]).rawValue)
    }

    /// The arguments with `--gain 1 -2` as `--gain=1 --gain=-2`: after an option that takes several values, a negative number would else be an option of its own.
    private static func dividing(_ lists: Set<String>, in arguments: [String]) -> [String] {
        var list: String?
        return zip(arguments, arguments.dropFirst() + ["--"]).compactMap { argument, next in
            guard argument.hasPrefix("--") else { return list.map { "\($0)=\(argument)" } ?? argument }
            list = lists.contains(argument) ? argument : nil
            return list == nil || next.hasPrefix("--") ? argument : nil
        }
    }
}
