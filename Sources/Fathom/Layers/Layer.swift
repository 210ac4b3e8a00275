/// What a batch looks like between two layers: so many columns, and, for sequences, so many steps of them to a sample.
public struct Shape: Sendable, Hashable, CustomStringConvertible {
    public var columns: Int
    /// Time steps of a sample; nil where it is no sequence.
    public var steps: Int?

    public init(columns: Int, steps: Int? = nil) {
        self.columns = columns
        self.steps = steps
    }

    /// Rows that a batch of `samples` takes: one for each step, all samples of a step together.
    public func rows(samples: Int) -> Int { samples * (steps ?? 1) }

    public var description: String { steps.map { "\($0) steps of \(columns)" } ?? "\(columns)" }
}

/// One position of a network. A layer is a value; each kind has a file of its own and a line in `layerKinds`.
public protocol Layer: Sendable, Hashable, CustomStringConvertible {
    /// The name that the notation has for it, as in `0.linear`.
    var name: String { get }
    /// Whether it has weights that an initializer draws.
    var hasWeights: Bool { get }
    /// The initializer that it asks for; nil: the network's, or one that fits the activation that follows.
    var initializer: Initializer? { get }
    /// What it makes of a shape.
    func output(for input: Shape) throws(FathomError) -> Shape
    /// The same layer with the width that the data asks for in place of `outputs`.
    func resolved(outputs: Int?) throws(FathomError) -> Self
    /// What is between its brackets.
    var inside: Network? { get }
}

extension Layer {
    public var hasWeights: Bool { false }
    public var initializer: Initializer? { nil }
    public func output(for input: Shape) throws(FathomError) -> Shape { input }
    public func resolved(outputs: Int?) throws(FathomError) -> Self { self }
    public var inside: Network? { nil }
}

/// A name of the notation and the layer that it stands for.
struct LayerKind: Sendable {
    let name: String
    /// Whether the `[ … ]` after the name is its inside.
    var isBlock = false
    let read: @Sendable (Term) throws(FathomError) -> any Layer
}

/// Every layer that the notation knows.
let layerKinds: [LayerKind] = [Linear.kind] + Normalization.kinds + [Dropout.kind, Residual.kind, SequenceInput.kind] + Recurrent.kinds + StepReduction.kinds
    + Activation.kinds
