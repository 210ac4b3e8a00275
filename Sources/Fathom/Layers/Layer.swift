/// One position of a network. A layer is a value; each kind has a file of its own and a line in `layerKinds`.
public protocol Layer: Sendable, Hashable, CustomStringConvertible {
    /// The name that the notation has for it, as in `0.linear`.
    var name: String { get }
    /// Whether it has weights that an initializer draws.
    var hasWeights: Bool { get }
    /// The initializer that it asks for; nil: the network's, or one that fits the activation that follows.
    var initializer: Initializer? { get }
    /// The number of columns it gives for a number of columns.
    func outputs(from inputs: Int) throws(FathomError) -> Int
    /// The same layer with the width that the data asks for in place of `outputs`.
    func resolved(outputs: Int?) throws(FathomError) -> Self
}

extension Layer {
    public var hasWeights: Bool { false }
    public var initializer: Initializer? { nil }
    public func outputs(from inputs: Int) throws(FathomError) -> Int { inputs }
    public func resolved(outputs: Int?) throws(FathomError) -> Self { self }
}

/// A name of the notation and the layer that it stands for.
struct LayerKind: Sendable {
    let name: String
    /// Whether the `[ … ]` after the name is its inside.
    var isBlock = false
    let read: @Sendable (Term) throws(FathomError) -> any Layer
}

/// Every layer that the notation knows.
let layerKinds: [LayerKind] = [Linear.kind] + Activation.kinds
