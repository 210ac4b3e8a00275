import ArgumentParser
import Fathom
import FathomFormats
import Foundation

/// Runs the command line of an executable; what goes wrong is said in one sentence on standard error.
/// - Parameter recipeCommands: those that take the keys of a recipe as flags, for which other tools' names of them are known too.
package func run<Root: ParsableCommand>(_ root: Root.Type, _ arguments: [String], recipeCommands: Set<String>) -> ExitStatus {
    // A closed pipe and a file at its size limit are errors where they happen, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    openStandardDescriptors()
    let name = root.configuration.commandName ?? "fathom"
    do {
        try checkThreadsOfEnvironment()
        var command = try root.parseAsRoot(arguments)
        try command.run()
        return .done
    } catch let error as FathomError {
        StandardStreams.note("\(name): \(error)")
        return error.exitStatus
    } catch let error as UsageError {
        StandardStreams.note("\(name): \(error.message)")
        return .usage
    } catch is OutputClosed {
        return .done
    } catch is Interrupted {
        return .interrupted
    } catch {
        return status(ofParsing: error, root, arguments, recipeCommands)
    }
}

/// What is closed at the start would be the number of the next file opened, which everything written to standard output or error would then go to.
private func openStandardDescriptors() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 { _ = unsafe open("/dev/null", O_RDWR) }
}

/// OpenMP's runtime ends the process where it cannot take `OMP_NUM_THREADS`, so it is looked at first. Empty, as a job script leaves it, it counts as not set.
/// - Throws: `FathomError.invalid` unless it is a number of threads, or several between commas.
private func checkThreadsOfEnvironment() throws {
    let name = "OMP_NUM_THREADS"
    guard let value = ProcessInfo.processInfo.environment[name] else { return }
    guard !value.allSatisfy(\.isWhitespace) else {
        unsafe unsetenv(name)
        return
    }
    let counts = value.split(separator: ",", omittingEmptySubsequences: false).map { Int($0.trimmingCharacters(in: .whitespaces)) }
    guard counts.allSatisfy({ $0.map { 1...1024 ~= $0 } ?? false }) else {
        throw FathomError.invalid("the environment's \(name) is '\(value)'; expected a number of threads from 1 to 1024")
    }
}

/// Help and the version are results; the rest is a command line that ArgumentParser did not understand, or a mistake of ours.
private func status<Root: ParsableCommand>(ofParsing error: any Error, _ root: Root.Type, _ arguments: [String], _ recipeCommands: Set<String>) -> ExitStatus {
    let code = root.exitCode(for: error), name = root.configuration.commandName ?? "fathom"
    if code == .success {
        do { try StandardStreams.result(root.fullMessage(for: error) + "\n") } catch let error as FathomError {
            StandardStreams.note("\(name): \(error)")
            return error.exitStatus
        } catch { return .done }
        return .done
    }
    guard code == .validationFailure else {
        StandardStreams.note("\(name): internal error: \(error)")
        return .internal
    }
    let commands = root.configuration.subcommands.compactMap { $0.configuration.commandName }
    StandardStreams.note("\(name): " + usageSentence(root.message(for: error), arguments, name, commands, recipeCommands))
    return .usage
}

/// ArgumentParser's message with a suggestion from the recipe's keys, which know other tools' names too, and the place to look.
private func usageSentence(_ message: String, _ arguments: [String], _ name: String, _ commands: [String], _ recipeCommands: Set<String>) -> String {
    let named = arguments.first { !$0.hasPrefix("-") }
    let command = named.flatMap { commands.contains($0) ? $0 : nil }
    var sentence = message.split(separator: "\n").joined(separator: " ")
    if command == nil, let named, arguments.first == named {
        sentence = "there is no command '\(named)'; the commands are \(commands.joined(separator: ", "))"
    } else if let unknown = quoted(in: message, after: "Unknown option '") {
        let key = command.map(recipeCommands.contains) == true ? RecipeKey.suggestion(for: unknown) : nil
        let suggestion = key.map { "--" + $0.rawValue } ?? quoted(in: message, after: "Did you mean '")
        sentence = "unknown option '\(unknown)'" + (suggestion.map { "; did you mean '\($0)'?" } ?? "")
    }
    let end = sentence.hasSuffix("?") || sentence.hasSuffix(".") ? "" : ";"
    return "\(sentence)\(end) \(name) \(command.map { $0 + " " } ?? "")--help lists what there is"
}

/// What stands between `opening` and the next quotation mark.
private func quoted(in text: String, after opening: String) -> String? {
    guard let start = text.firstRange(of: opening)?.upperBound, let end = text[start...].firstIndex(of: "'") else { return nil }
    return String(text[start..<end])
}
