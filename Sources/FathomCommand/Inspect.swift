import ArgumentParser
import Fathom
import FathomCommandLine
import FathomFormats
import Foundation

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show the layers of a network with their sizes, parameters, memory and flops.",
        usage: "fathom inspect RUN|FILE [--json]",
        discussion: "FILE is a model, a checkpoint, or a recipe. Flops are of the forward pass on one row, a multiplication with its addition counted as two.")

    @Argument(help: "A run folder, a model, a checkpoint, or a recipe.") var path: String
    @Flag(help: "Print one JSON object.") var json = false

    func run() throws {
        let subject = try Subject(path)
        try StandardStreams.result(json ? subject.json.line + "\n" : subject.text(width: Terminal.width(of: STDOUT_FILENO)))
    }
}

/// What is inspected: a model, and what is known of its training.
private struct Subject {
    let path: String
    let model: Model
    /// What the folder or file says beside the model, as names and values.
    var facts: [(name: String, value: String)] = []

    init(_ path: String) throws {
        self.path = path
        if path.hasSuffix(".yaml") || path.hasSuffix(".yml") {
            let settings = try Settings(contentsOf: path)
            let experiment = try Experiment(Recipe(settings), settings)
            model = try experiment.model()
            facts = try Self.facts(experiment.recipe) + [("memory", experiment.memoryLine().replacing("memory: ", with: ""))]
            return
        }
        if RunFolder.isFolder(path), case let folder = try RunFolder(existing: path), folder.hasCheckpoint, !folder.hasModel {
            model = try TrainedModel(folder.checkpoint).model
        } else {
            model = try TrainedModel(path).model
        }
        guard RunFolder.isFolder(path) else {
            facts = Self.facts(model.details)
            return
        }
        let folder = try RunFolder(existing: path)
        facts = Self.facts(try Recipe(contentsOf: folder.recipe))
        if folder.hasCheckpoint {
            let steps = try SafeTensorsFile(path: folder.checkpoint).metadata["step"] ?? "?"
            facts.append(("steps", steps + (History.isCompleted(folder.history) ? ", finished" : ", not finished: fathom resume \(folder.path)")))
        }
    }

    private static func facts(_ recipe: Recipe) -> [(name: String, value: String)] {
        recipe.entries.filter { [.data, .loss, .optimizer, .schedule, .batch, .seed].contains($0.key) }.map { ($0.key.rawValue, $0.value.plainText) }
    }

    private static func facts(_ details: Model.Details) -> [(name: String, value: String)] {
        [("loss", details.loss?.description), ("classes", details.classes?.joined(separator: ", ")), ("columns", details.columns?.joined(separator: ", ")),
         ("target", details.target)].compactMap { name, value in value.map { (name, $0) } }
    }

    /// Layers in a row of which the middle is left out.
    private static let mostLayers = 60

    func text(width: Int?) -> String {
        let layers = model.summary
        var rows = layers.map { layer in
            [layer.name, layer.notation, "\(layer.inputs)", "\(layer.outputs)", grouped(layer.parameters), formattedBytes(layer.parameters * 4), grouped(layer.flops)]
        }
        if rows.count > Self.mostLayers {
            let hidden = rows.count - Self.mostLayers + 1, half = Self.mostLayers / 2
            rows = rows.prefix(half) + [["… \(hidden) more", "", "", "", "", "", ""]] + rows.suffix(Self.mostLayers - 1 - half)
        }
        let parameters = model.parameterCount, flops = layers.reduce(0) { $0 + $1.flops }
        rows.append(["total", "", "\(model.inputs)", "\(model.outputs)", grouped(parameters), formattedBytes(parameters * 4), grouped(flops)])
        let table = Table(header: ["name", "layer", "inputs", "outputs", "parameters", "memory", "flops"], rows: rows, right: [2, 3, 4, 5, 6])
        let head = ([("network", model.network.description)] + facts).map { wrapped("\($0.0): \($0.1)", width: width ?? .max, indent: "") }
        return head.joined() + "\n" + table.text(width: width)
    }

    var json: JSON {
        let layers = model.summary
        return .object([
            .init("path", .string(path)), .init("network", .string(model.network.description)), .init("inputs", .integer(model.inputs)),
            .init("outputs", .integer(model.outputs)), .init("parameters", .integer(model.parameterCount)),
            .init("bytes", .integer(model.parameterCount * 4)), .init("flops", .integer(layers.reduce(0) { $0 + $1.flops })),
        ] + facts.map { .init($0.name, .string($0.value)) } + [
            .init("layers", .array(layers.map { layer in
                [
                    "name": .string(layer.name), "layer": .string(layer.notation), "inputs": .integer(layer.inputs), "outputs": .integer(layer.outputs),
                    "parameters": .integer(layer.parameters), "bytes": .integer(layer.parameters * 4), "flops": .integer(layer.flops),
                ]
            })),
        ])
    }
}

/// "26,122".
private func grouped(_ number: Int) -> String {
    let digits = String(number)
    return String(digits.enumerated().flatMap { index, digit in
        index > 0 && (digits.count - index).isMultiple(of: 3) ? [",", digit] : [digit]
    })
}
