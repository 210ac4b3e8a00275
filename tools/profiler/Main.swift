import ArgumentParser
import Fathom
import Foundation

struct ProfilerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fathom-profiler",
        abstract: "Measure how fast Fathom's kernels are on this machine.",
        version: fathomVersion,
        subcommands: [Kernels.self])
}

@main
enum Main {
    /// Results go to standard output, everything else to standard error. Exit status 64: the command line; 70: internal; 74: output.
    static func main() {
        do {
            var command = try ProfilerCommand.parseAsRoot()
            try command.run()
        } catch let error as OutputFailed {
            note("fathom-profiler: standard output: \(error.reason)")
            exit(74)
        } catch {
            let code = ProfilerCommand.exitCode(for: error)
            guard code != .success else { return print(ProfilerCommand.fullMessage(for: error)) }
            let message = ProfilerCommand.message(for: error).split(separator: "\n").joined(separator: " ")
            let end = message.hasSuffix("?") || message.hasSuffix(".") ? "" : ";"
            note("fathom-profiler: \(message)\(end) fathom-profiler kernels --help lists what there is")
            exit(code == .validationFailure ? 64 : 70)
        }
    }
}

struct OutputFailed: Error { let reason: String }

/// A line of the result, written at once, so that a full disk is seen where it happens.
func result(_ line: String) throws {
    do { try FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8)) } catch {
        throw OutputFailed(reason: error.localizedDescription)
    }
}

func note(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8)) }
