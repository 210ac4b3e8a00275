import Fathom

/// A change to a network that may let the gradient through, and the network that it makes.
public struct Cure: Sendable, Hashable {
    /// "init: orthogonal"
    public let change: String
    public let network: Network
}

extension Network {
    /// What can be done to this very network, each a network of the notation: the initialization, the activation, the normalization, the residual form. Only what
    /// changes it; a cure that the notation refuses for this network (a critical point that does not exist) shows when a model is made of it.
    public var cures: [Cure] {
        var cures: [Cure] = []
        func add(_ change: String, _ rewriting: Rewriting) {
            let text = rewriting.text(elements)
            guard let network = try? Network(text), network != self, !cures.contains(where: { $0.network == network }) else { return }
            cures.append(Cure(change: change, network: network))
        }
        for initializer in ["he", "orthogonal", "critical"] { add("init: \(initializer)", Rewriting(initializer: initializer)) }
        add("the init that fits each activation", Rewriting(initializer: ""))
        for (activation, initializer) in [(Activation.relu, "he"), (.tanh, "critical"), (.selu, "lecun"), (.gelu, "critical")] {
            add("\(activation) and init: \(initializer)", Rewriting(initializer: initializer, activation: activation))
        }
        let hasNorm = places.contains { $0.layer is Normalization }
        add("no normalization, and the init that fits", Rewriting(initializer: "", normalization: .removed))
        if !hasNorm { add("layernorm before each activation", Rewriting(initializer: "", normalization: .added)) }
        guard !layers.contains(where: { $0 is Residual }) else {
            add("residual(rezero)", Rewriting(residual: "residual(rezero)"))
            add("residual(scale: 1/sqrt(depth))", Rewriting(residual: "residual(scale: 1/sqrt(depth))"))
            return cures
        }
        for form in ["residual", "residual(scale: 1/sqrt(depth))", "residual(rezero)"] {
            add("\(form) around each step", Rewriting(initializer: "", residual: form))
            if !hasNorm { add("\(form) with layernorm around each step", Rewriting(initializer: "", residual: form, norm: "layernorm ")) }
        }
        return cures
    }
}

/// The notation of a network with some of it changed.
private struct Rewriting {
    enum Normalization { case kept, added, removed }

    /// In place of every linear layer's own; "": none, so that what fits is taken.
    var initializer: String?
    /// In place of every activation.
    var activation: Activation?
    var normalization = Normalization.kept
    /// Around the inside of each repeated group, or in place of a residual's own form.
    var residual: String?
    /// First inside of a residual that is put around a group.
    var norm = ""

    func text(_ elements: [Network.Element]) -> String {
        elements.indices.map { i in
            switch elements[i] {
            case .layer(let layer):
                let next = i + 1 < elements.count ? elements[i + 1].first : nil
                return text(layer, next)
            case .repeated(let inside, let times):
                let content = text(inside)
                guard let residual, !inside.contains(where: { $0.first is Residual }), inside.contains(where: { $0.first?.hasWeights == true }) else {
                    return "[\(content)] * \(times)"
                }
                return "[\(residual)[\(norm)\(content)]] * \(times)"
            }
        }.joined(separator: " ")
    }

    private func text(_ layer: any Layer, _ next: (any Layer)?) -> String {
        switch layer {
        case let linear as Linear:
            var text = linear.description
            if let initializer {
                text = notation(linear, initializer: initializer.isEmpty ? nil : initializer)
            }
            return normalization == .added && next is Activation ? text + " layernorm" : text
        case let own as Activation: return (own == .identity ? own : activation ?? own).description
        case is Fathom.Normalization: return normalization == .removed ? "" : layer.description
        case let block as Residual:
            let head = residual ?? String(block.description.prefix { $0 != "[" })
            return "\(head)[\(text(block.content.elements))]"
        default: return layer.description
        }
    }

    /// The notation of a linear layer with another initializer.
    private func notation(_ layer: Linear, initializer: String?) -> String {
        let width = switch layer.width {
        case .number(let number): "\(number)"
        case .outputs: "outputs"
        }
        return "linear(\(width)\(layer.bias ? "" : ", bias: false")\(initializer.map { ", init: \($0)" } ?? ""))"
    }
}

extension Network.Element {
    fileprivate var first: (any Layer)? {
        switch self {
        case .layer(let layer): layer
        case .repeated(let inside, _): inside.first?.first
        }
    }
}
