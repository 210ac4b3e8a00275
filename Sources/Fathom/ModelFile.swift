import Foundation

/// The version of Fathom, as `fathom --version` prints it and model files carry it.
public let fathomVersion = "0.1.0"

extension Model {
    /// Reads what `write(to:)` wrote.
    ///
    /// - Throws: `FathomError.noSuchInput`, or `FathomError.invalid` naming what is wrong with the file.
    public init(contentsOf url: URL) throws {
        try self.init(SafeTensorsFile(contentsOf: url), name: url.path)
    }

    /// - Parameter name: what to call the file in errors.
    public init(_ file: SafeTensors, name: String) throws { try self.init(SafeTensorsFile(file), name: name) }

    /// - Parameter name: what to call the file in errors.
    public init(_ file: SafeTensorsFile, name: String) throws {
        func invalid(_ what: String) -> FathomError { .invalid("\(name): \(what)") }
        guard let notation = file.metadata["network"], let inputs = file.metadata["inputs"].flatMap(Int.init), inputs > 0 else {
            throw invalid("not a Fathom model: its metadata lack 'network' or 'inputs'")
        }
        let details: Details
        do {
            details = try file.metadata["details"].map { try JSONDecoder().decode(Details.self, from: Data($0.utf8)) } ?? Details()
            try self.init(undrawn: Network(notation), inputs: inputs, outputs: nil, details: details)
        } catch let error as FathomError {
            if case .tooLarge(let what) = error { throw FathomError.tooLarge("\(name): \(what)") }
            throw invalid("its network or details cannot be read: \(error)")
        } catch {
            throw invalid("its details cannot be read")
        }
        for standardization in [(details.inputStandardization, inputs), (details.targetStandardization, outputs)] {
            if let s = standardization.0, ![1, standardization.1].contains(s.mean.count) || s.mean.count != s.deviation.count {
                throw invalid("its standardization has \(s.mean.count) columns, the model \(standardization.1)")
            }
        }
        if let classes = details.classes, classes.count != outputs, !(outputs == 1 && classes.count == 2) {
            throw invalid("it names \(classes.count) classes, the network has \(outputs) outputs")
        }
        do { try details.loss?.checkWeights(classes: outputs) } catch { throw invalid("\(error)") }
        let storage = storage
        try file.forEach(layout.all, prefix: "", of: network, name: name) { try setRowMajor($0, in: storage.floats(at: 0), to: $1) }
    }

    /// Writes the model to a file that PyTorch's safetensors reads as a `state_dict`; at once or not at all.
    ///
    /// - Throws: `FathomError.cannotCreate` or `FathomError.inputOutput`.
    public func write(to url: URL) throws { try file().write(to: url) }

    /// What `write(to:)` writes.
    public func safeTensors() throws -> SafeTensors { try SafeTensors(file()) }

    /// The same, tensor by tensor.
    public func file() throws -> SafeTensorsFile { SafeTensorsFile(metadata: try metadata(), tensors: layout.all.map { .init($0, in: storage) }) }

    func metadata() throws -> [String: String] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let details = String(decoding: try encoder.encode(details), as: UTF8.self)
        return ["fathom": fathomVersion, "format": "pt", "network": network.description, "inputs": "\(inputs)", "outputs": "\(outputs)", "details": details]
    }
}

extension SafeTensorsFile {
    /// Calls `body` with each of a network's `tensors` and its values: those of the file's tensor of that name after `prefix`.
    ///
    /// - Throws: `FathomError.invalid` unless each is there, in its shape and finite, and no other has that prefix; what `body` throws.
    func forEach(
        _ tensors: [ParameterTensor], prefix: String, of network: Network, name: String, _ body: (ParameterTensor, [Float]) throws -> Void
    ) throws {
        let byName = Dictionary(self.tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for tensor in tensors {
            guard let found = byName[prefix + tensor.name] else { throw FathomError.invalid("\(name): tensor '\(prefix + tensor.name)' is missing") }
            guard found.shape == tensor.shape else {
                throw FathomError.invalid("\(name): tensor '\(found.name)' has shape \(found.shape); \(network) needs \(tensor.shape)")
            }
            let values = try found.values()
            if let bad = values.firstIndex(where: { !$0.isFinite }) {
                throw FathomError.invalid("\(name): tensor '\(found.name)' holds \(values[bad]) at element \(bad)")
            }
            try body(tensor, values)
        }
        let known = Set(tensors.map { prefix + $0.name })
        if let stranger = self.tensors.first(where: { $0.name.hasPrefix(prefix) && !known.contains($0.name) }) {
            throw FathomError.invalid("\(name): tensor '\(stranger.name)' belongs to no layer of \(network)")
        }
    }
}

extension SafeTensorsFile.Tensor {
    /// A network's tensor as it lies in `memory` when its values are asked for.
    init(_ tensor: ParameterTensor, in memory: Memory, prefix: String = "") {
        self.init(name: prefix + tensor.name, shape: tensor.shape) { try rowMajor(tensor, in: memory.floats(at: 0)) }
    }
}
