import Fathom
import FathomCommandLine
import FathomData
import FathomFormats
import Foundation

/// A model from what a command line names: a run folder, a model file, or a checkpoint.
struct TrainedModel {
    let model: Model
    /// The file it was read from.
    let path: String
    /// The run folder it was found in; nil where a file was named.
    let folder: RunFolder?

    /// - Throws: `FathomError.noSuchInput`, or `.invalid` where it is none of these.
    init(_ argument: String) throws {
        if RunFolder.isFolder(argument) {
            let folder = try RunFolder(existing: argument)
            guard folder.hasModel else {
                throw FathomError.noSuchInput("\(folder.path) has no model yet; go on with: fathom resume \(folder.path)")
            }
            self.folder = folder
            path = folder.model
        } else {
            folder = nil
            path = argument
        }
        let file = try SafeTensorsFile(path: path)
        model = try Model(file.asModel, name: path)
    }

    /// Rows in the form the model knows, with targets where `labels` asks for them; "-" is a CSV on standard input.
    func read(_ data: String, labels: LabelUse) throws -> Samples {
        let details = model.details
        let schema = Schema(width: model.inputs, columns: details.columns, target: details.target, classes: details.classes)
        let (samples, notes) = try data == "-"
            ? schema.read(csv: FileHandle.standardInput.readToEnd() ?? Data(), name: "standard input", labels: labels)
            : schema.read(data, labels: labels)
        for note in notes { StandardStreams.note(note) }
        return details.loss == .binaryCrossEntropy ? try samples.withBinaryTargets() : samples
    }
}

extension SafeTensorsFile {
    /// Opens a file that a command line or a run folder names; errors call it by the path as it was given.
    init(path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else { throw FathomError.noSuchInput("there is no file or run '\(path)'") }
        guard !RunFolder.isFolder(path) else { throw FathomError.invalid("\(path) is a folder, not a .safetensors file") }
        try self.init(contentsOf: URL(filePath: path), name: path)
    }

    static let modelPrefix = "model."
    static let averagePrefix = "average."
    /// In a checkpoint, of the model with the smallest validation loss so far.
    static let bestPrefix = "best."

    var isCheckpoint: Bool { tensors.contains { $0.name.hasPrefix(Self.modelPrefix) } }

    /// A checkpoint's parameters under the names they have in a model file, averages in place of what they are taken of; a model file as it is.
    var asModel: SafeTensorsFile {
        guard isCheckpoint else { return self }
        var model = model(prefix: Self.modelPrefix)
        let averages = Dictionary(self.model(prefix: Self.averagePrefix).tensors.map { ($0.name, $0) }) { first, _ in first }
        model.tensors = model.tensors.map { averages[$0.name] ?? $0 }
        return model
    }

    /// One of a checkpoint's models as a model file.
    func model(prefix: String) -> SafeTensorsFile {
        let parameters = tensors.filter { $0.name.hasPrefix(prefix) }.map { tensor in
            Tensor(name: String(tensor.name.dropFirst(prefix.count)), shape: tensor.shape, values: tensor.values)
        }
        return SafeTensorsFile(metadata: metadata, tensors: parameters)
    }
}
