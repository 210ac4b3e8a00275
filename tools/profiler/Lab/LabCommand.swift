import ArgumentParser
import Fathom
import FathomCommandLine
import FathomFormats
import Foundation

struct LabCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab",
        abstract: "Experiments on what a gradient does on its way through a deep network, beside what theory says of it.",
        usage: "fathom-profiler lab \(LabExperiment.all.map(\.name).joined(separator: "|")) [OPTIONS] [--json] [--output DIR]",
        discussion: """
            Each prints a table, a plot, and what came out; numbers come from the kernels that train. The same seed gives the same numbers.

            \(LabExperiment.all.map(Self.help).joined(separator: "\n\n"))
            """)

    private static func help(_ experiment: LabExperiment) -> String {
        let options = experiment.options.map { $0.standard.isEmpty ? $0.option.flag : "\($0.option.flag) (\($0.standard))" }.joined(separator: ", ")
        return "\(experiment.name): \(experiment.sees).\n    takes \(options)"
    }

    @Argument(help: ArgumentHelp("One of those above.", valueName: "experiment")) var experiment: String
    @Option(parsing: .unconditional, help: ArgumentHelp("Activation, in the notation of networks.", valueName: "name")) var activation: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("Layers.", valueName: "n")) var depth: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("Units of a layer.", valueName: "n")) var width: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("The one weight.", valueName: "w")) var weight: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("The input, or how large inputs are.", valueName: "x")) var input: String?
    @Option(parsing: .upToNextOption, help: ArgumentHelp("Gains: what weights are multiplied by, or their deviation times the root of the fan-in.", valueName: "g")) var gain: [String] = []
    @Option(parsing: .unconditional, help: ArgumentHelp("Time steps, or steps of training.", valueName: "n")) var steps: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("Networks drawn anew that figures are means over.", valueName: "n")) var averages: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("Of everything that is drawn. (default: 0)", valueName: "n")) var seed: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("A set of data, as a recipe names it.", valueName: "name or path")) var data: String?
    @Flag(help: "Let gradient descent move the one weight.") var train = false
    @Flag(help: "Print one JSON object per number.") var json = false
    @Option(parsing: .unconditional, help: ArgumentHelp("A folder for a page with figures, named after the experiment.", valueName: "dir")) var output: String?

    private var texts: [(option: LabOption, text: String?)] {
        [
            (.activation, activation), (.depth, depth), (.width, width), (.weight, weight), (.input, input), (.steps, steps), (.averages, averages),
            (.seed, seed), (.data, data),
        ]
    }

    func validate() throws {
        try refuseFlagsAsValues(texts.map { ($0.option.rawValue, $0.text) } + [("output", output)] + gain.map { ("gain", $0) })
    }

    func run() throws {
        // Matrices here are small: a second thread is waited for longer than it helps (`depth` took 9 s on one thread and 62 s on two of a busy machine). Bits
        // do not depend on it; whoever sets the variable has it.
        setenv("OMP_NUM_THREADS", "1", 0)
        try Fathom.Kernels.checkOverride()
        let chosen = try chosen(), page = try output.map { try Self.place(in: $0, chosen.name) }
        let result = try chosen.run(parameters())
        if let page { try write(result, chosen, to: page) }
        try StandardStreams.result(json ? result.lines(chosen.name) : result.text(chosen, width: Terminal.width(of: STDOUT_FILENO) ?? 80, unicode: hasUnicode()))
    }

    /// The experiment, once it is known that every option given is one of its own.
    func chosen() throws -> LabExperiment {
        let chosen = try LabExperiment.named(experiment)
        try chosen.check(given: texts.filter { $0.text != nil }.map(\.option) + (gain.isEmpty ? [] : [.gain]) + (train ? [.train] : []))
        return chosen
    }

    /// Of the page; what stands in its way is said before anything is computed.
    private static func place(in folder: String, _ name: String) throws -> URL {
        let url = URL(filePath: folder, directoryHint: .isDirectory), page = url.appending(path: "\(name).html")
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), !isFolder.boolValue {
            throw FathomError.cannotCreate("\(folder) is a file; --output takes a folder")
        }
        guard !FileManager.default.fileExists(atPath: page.path) || Page.isPage(page.path) else {
            throw FathomError.cannotCreate("\(page.path) is there already and is no page of fathom's; name another folder, or move it away")
        }
        return page
    }

    /// Whole, at the end: an experiment that is interrupted leaves nothing.
    private func write(_ result: LabResult, _ experiment: LabExperiment, to page: URL) throws {
        try RunFolder.makeFolders(page.deletingLastPathComponent().path, kind: "folder")
        let command = (["fathom-profiler"] + CommandLine.arguments.dropFirst()).joined(separator: " ")
        try result.page(experiment, command: command).write(to: page.path)
        StandardStreams.note("wrote \(page.path)")
    }

    func parameters() throws -> LabParameters {
        func whole(_ option: LabOption, _ text: String?) throws -> Int? {
            guard let text else { return nil }
            guard let number = Int(text), number > 0 else { throw UsageError("\(option.flag) takes a whole number from 1, not '\(text)'") }
            return number
        }
        func number(_ option: LabOption, _ text: String, above: Double = -.infinity) throws -> Double {
            guard let number = Double(text), Float(number).isFinite, Double(Float(number)) > above else {
                throw UsageError("\(option.flag) takes a number\(above == 0 ? " above 0" : "") that float32 has, not '\(text)'")
            }
            return number
        }
        var parameters = LabParameters()
        parameters.activation = try activation.map(Self.activation)
        (parameters.depth, parameters.width) = (try whole(.depth, depth), try whole(.width, width))
        (parameters.steps, parameters.averages) = (try whole(.steps, steps), try whole(.averages, averages))
        (parameters.weight, parameters.input) = (try weight.map { try number(.weight, $0) }, try input.map { try number(.input, $0) })
        parameters.gains = try gain.map { try number(.gain, $0, above: 0) }
        if let seed {
            guard let number = UInt64(seed) else { throw UsageError("--seed takes a whole number from 0 to 18446744073709551615, not '\(seed)'") }
            parameters.seed = number
        }
        (parameters.data, parameters.trains) = (data, train)
        return parameters
    }

    private static func activation(_ text: String) throws -> Activation {
        let name = String(text.prefix { $0 != "(" }), names = ["identity", "relu", "leakyrelu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "softplus", "hardtanh"]
        guard names.contains(name) else {
            throw UsageError("unknown activation '\(text)'; \(Vocabulary(kind: "activation", names: names).remedy(for: name))")
        }
        do {
            let layers = try Network(text).layers
            if layers.count == 1, let activation = layers[0] as? Activation { return activation }
        } catch {
            throw UsageError("--activation: \(error)")
        }
        throw UsageError("--activation takes one activation, not '\(text)'")
    }
}
