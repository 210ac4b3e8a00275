import ArgumentParser
import Fathom
import FathomFormats
import Foundation

struct FathomCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fathom",
        abstract: "Train deep networks on a CPU, and see what happens to the gradient on its way down.",
        version: fathomVersion,
        subcommands: [Train.self, Resume.self, Evaluate.self, Predict.self, Inspect.self, Datasets.self])

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
        // A closed pipe and a file at its size limit are errors where they happen, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        exit(status(of: Array(CommandLine.arguments.dropFirst())).rawValue)
    }

    /// Runs a command line; what goes wrong is said in one sentence on standard error.
    static func status(of arguments: [String]) -> ExitStatus {
        do {
            var command = try FathomCommand.parseAsRoot(arguments)
            try command.run()
            return .done
        } catch let error as FathomError {
            StandardStreams.note("fathom: \(error)")
            return error.exitStatus
        } catch let error as UsageError {
            StandardStreams.note("fathom: \(error.message)")
            return .usage
        } catch is OutputClosed {
            return .done
        } catch is Interrupted {
            return .interrupted
        } catch {
            return status(ofParsing: error, arguments)
        }
    }

    /// Help and the version are results; the rest is a command line that ArgumentParser did not understand, or a mistake of ours.
    private static func status(ofParsing error: any Error, _ arguments: [String]) -> ExitStatus {
        let code = FathomCommand.exitCode(for: error)
        if code == .success {
            do { try StandardStreams.result(FathomCommand.fullMessage(for: error) + "\n") } catch let error as FathomError {
                StandardStreams.note("fathom: \(error)")
                return error.exitStatus
            } catch { return .done }
            return .done
        }
        guard code == .validationFailure else {
            StandardStreams.note("fathom: internal error: \(error)")
            return .internal
        }
        StandardStreams.note("fathom: " + usageSentence(FathomCommand.message(for: error), arguments))
        return .usage
    }

    /// ArgumentParser's message with a suggestion from the recipe's keys, which know other tools' names too, and the place to look.
    static func usageSentence(_ message: String, _ arguments: [String]) -> String {
        let commands = FathomCommand.configuration.subcommands.compactMap { $0.configuration.commandName }
        let named = arguments.first { !$0.hasPrefix("-") }
        let command = named.flatMap { commands.contains($0) ? $0 : nil }
        var sentence = message.split(separator: "\n").joined(separator: " ")
        if command == nil, let named, arguments.first == named {
            sentence = "there is no command '\(named)'; the commands are \(commands.joined(separator: ", "))"
        } else if let unknown = quoted(in: message, after: "Unknown option '") {
            let key = command == "train" ? RecipeKey.suggestion(for: unknown) : nil
            let suggestion = key.map { "--" + $0.rawValue } ?? quoted(in: message, after: "Did you mean '")
            sentence = "unknown option '\(unknown)'" + (suggestion.map { "; did you mean '\($0)'?" } ?? "")
        }
        let end = sentence.hasSuffix("?") || sentence.hasSuffix(".") ? "" : ";"
        return "\(sentence)\(end) fathom \(command.map { $0 + " " } ?? "")--help lists what there is"
    }

    /// What stands between `opening` and the next quotation mark.
    private static func quoted(in text: String, after opening: String) -> String? {
        guard let start = text.firstRange(of: opening)?.upperBound, let end = text[start...].firstIndex(of: "'") else { return nil }
        return String(text[start..<end])
    }
}
