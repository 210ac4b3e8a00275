import Foundation

/// A network with its parameters, ready to run: a value, safe to share between tasks.
///
/// It also carries what turns raw features into the network's inputs and its outputs into answers (`details`).
public struct Model: Sendable {
    /// What a model knows beside its parameters. All of it is in `model.safetensors`.
    public struct Details: Sendable, Codable, Hashable {
        /// The loss it was trained for; decides what `probabilities` means.
        public var loss: Loss?
        /// Applied to features before the first layer.
        public var inputStandardization: Standardization?
        /// Undone on outputs, so that predictions are in the targets' own units.
        public var targetStandardization: Standardization?
        /// Names of the classes, in the order of the outputs.
        public var classes: [String]?
        /// Names of the feature columns, in order.
        public var columns: [String]?
        /// Name of the target column.
        public var target: String?

        public init(
            loss: Loss? = nil, inputStandardization: Standardization? = nil, targetStandardization: Standardization? = nil, classes: [String]? = nil,
            columns: [String]? = nil, target: String? = nil
        ) {
            self.loss = loss
            self.inputStandardization = inputStandardization
            self.targetStandardization = targetStandardization
            self.classes = classes
            self.columns = columns
            self.target = target
        }
    }

    /// Every width in it is known.
    public let network: Network
    /// Features of a sample.
    public let inputs: Int
    /// Columns of its output, of one step where it is every step of a sequence.
    public let outputs: Int
    public var details: Details

    let layout: ParameterLayout
    /// The parameters; never written once the model is made, so that copies and tasks share it. (A trainer writes to those of its own, which nobody else has.)
    let storage: Memory

    /// A model with parameters drawn afresh. The same arguments give the same bits everywhere.
    ///
    /// - Parameters:
    ///   - inputs: features of a sample.
    ///   - outputs: what `linear(outputs)` becomes; checked against the last width otherwise.
    ///   - initializer: for layers that do not say; nil: what fits the activation that follows each.
    ///   - samples: a batch that `lsuv` scales weights by, standardized as `details` say.
    /// - Throws: `FathomError.invalid` where widths disagree or an initializer does not fit a layer's place, `FathomError.tooLarge` where the
    ///   parameters do not fit in memory.
    public init(
        _ network: Network, inputs: Int, outputs: Int? = nil, initializer: Initializer? = nil, seed: UInt64 = 0, details: Details = Details(),
        samples: Samples? = nil
    ) throws {
        try self.init(undrawn: network, inputs: inputs, outputs: outputs, details: details)
        for place in self.network.places {
            let drawing = Drawing(place, default: initializer, seed: seed, parameters: storage.floats(at: 0))
            try place.layer.planned.initialize(layout.tensors(ofLayer: place.ordinal), drawing: drawing)
        }
        try scaleToUnitVariance(default: initializer, samples)
    }

    init(undrawn network: Network, inputs: Int, outputs: Int?, details: Details) throws {
        self.network = try network.resolved(inputs: inputs, outputs: outputs)
        self.inputs = inputs
        self.details = details
        layout = try ParameterLayout(self.network, inputs: inputs)
        self.outputs = layout.output.columns
        let bytes = layout.storageCount * MemoryLayout<Float>.stride, available = availableMemory()
        guard bytes <= available else {
            throw FathomError.tooLarge("the parameters of this network take \(formattedBytes(bytes)); \(formattedBytes(available)) of memory are free")
        }
        storage = try Memory(byteCount: bytes)
    }

    /// The same model in memory of its own.
    init(copying model: Model) throws {
        network = model.network
        inputs = model.inputs
        outputs = model.outputs
        details = model.details
        layout = model.layout
        storage = try Memory(byteCount: model.storage.byteCount)
        storage.base.copyMemory(from: model.storage.base, byteCount: model.storage.byteCount)
    }

    /// Steps of its output; nil where it is one row to a sample.
    public var outputSteps: Int? { layout.output.steps }

    /// Parameters that are learned, without padding.
    public var parameterCount: Int { layout.elements }

    /// Every tensor, running statistics too, named and shaped as in a PyTorch `state_dict` of the same network as `nn.Sequential`; row-major.
    public func parameters() throws -> [SafeTensors.Tensor] {
        try layout.all.map { SafeTensors.Tensor(name: $0.name, shape: $0.shape, values: try rowMajor($0, in: storage.floats(at: 0))) }
    }

    func blueprint(_ purpose: Plan.Blueprint.Purpose, loss: Loss?) throws -> Plan.Blueprint {
        Plan.Blueprint(
            network: network, layout: layout, inputs: inputs, purpose: purpose, loss: loss,
            inputScaling: try ColumnScaling(details.inputStandardization, columns: inputs, steps: network.inputSteps ?? 1),
            targetScaling: try targetScaling(), classWeights: try ClassWeightVector(loss, outputs: outputs))
    }

    func targetScaling() throws -> ColumnScaling? {
        try ColumnScaling(details.targetStandardization, columns: outputs * (outputSteps ?? 1), steps: outputSteps ?? 1)
    }
}
