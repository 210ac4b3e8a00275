import Fathom

/// A change to a network that may let the gradient through, and the network that it makes.
public struct Cure: Sendable, Hashable {
    /// "init: orthogonal"
    public let change: String
    public let network: Network

    public init(change: String, network: Network) { (self.change, self.network) = (change, network) }
}

extension Network {
    /// The cures of this network with an initializer for the layers that do not say: it is written to each of them, so that a cure can take its place.
    public func cures(initializer: Initializer?) -> [Cure] {
        (initializer.flatMap { try? Network(Rewriting(standard: $0.description).text(elements)) } ?? self).cures
    }

    /// What can be done to this very network, each a network of the notation: the initialization, the activation, the normalization, the residual form, the
    /// recurrent cell. Only what changes it; a cure that the notation refuses for this network (a critical point that does not exist) shows when a model is made of it.
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
        if hasRecurrentLayer {
            add("recurrent: orthogonal", Rewriting(recurrent: .orthogonal))
            add("relu and recurrent: identity", Rewriting(recurrent: .identityWithReLU))
            for cell in ["lstm", "gru"] {
                add(cell, Rewriting(recurrent: .gated(cell, chrono: nil)))
                if let steps = inputSteps, steps >= 3 { add("\(cell) with chrono: \(steps)", Rewriting(recurrent: .gated(cell, chrono: steps))) }
            }
        }
        let hasNorm = places.contains { $0.layer is Normalization }, takesNorm = !hasNorm && !hasScalarStep
        add("no normalization, and the init that fits", Rewriting(initializer: "", normalization: .removed))
        if takesNorm { add("layernorm before each activation", Rewriting(initializer: "", normalization: .added)) }
        guard !layers.contains(where: { $0 is Residual }) else {
            add("residual(rezero)", Rewriting(residual: "residual(rezero)"))
            add("residual(scale: 1/sqrt(depth))", Rewriting(residual: "residual(scale: 1/sqrt(depth))"))
            return cures
        }
        for form in ["residual", "residual(scale: 1/sqrt(depth))", "residual(rezero)"] {
            add("\(form) around each step", Rewriting(initializer: "", residual: form))
            if takesNorm { add("\(form) with layernorm around each step", Rewriting(initializer: "", residual: form, norm: "layernorm ")) }
        }
        return cures
    }
}

extension Network {
    /// Whether a step of depth has one number in front of its activation, of which layernorm would leave nothing.
    private var hasScalarStep: Bool {
        stepsOfDepth.map { layers[$0] }.contains { step in step.contains { $0 is Activation } && step.contains { ($0 as? Linear)?.width == .number(1) } }
    }

    /// The notation, linear layers without their initializers.
    var withoutInitializers: String { Rewriting(initializer: "").text(elements) }
}

/// The notation of a network with some of it changed.
private struct Rewriting {
    enum Normalization { case kept, added, removed }

    enum RecurrentForm {
        /// The weights between states.
        case orthogonal
        /// Le, Jaitly & Hinton 2015.
        case identityWithReLU
        /// Tallec & Ollivier 2018 where `chrono` says how long to remember.
        case gated(String, chrono: Int?)
    }

    /// In place of every linear layer's own; "": none, so that what fits is taken.
    var initializer: String?
    /// In place of every activation.
    var activation: Activation?
    var normalization = Normalization.kept
    /// Around the inside of each repeated group, or in place of a residual's own form.
    var residual: String?
    /// First inside of a residual that is put around a group.
    var norm = ""
    /// In place of every recurrent layer.
    var recurrent: RecurrentForm?
    /// Where layers do not say.
    var standard: String?

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
            } else if let standard, linear.initializer == nil {
                text = notation(linear, initializer: standard)
            }
            return normalization == .added && next is Activation ? text + " layernorm" : text
        case let own as Activation: return (own == .identity ? own : activation ?? own).description
        case is Fathom.Normalization: return normalization == .removed ? "" : layer.description
        case let block as Residual:
            let head = residual ?? String(block.description.prefix { $0 != "[" })
            return "\(head)[\(text(block.content.elements))]"
        case let cell as Recurrent: return text(cell)
        default: return layer.description
        }
    }

    private func text(_ cell: Recurrent) -> String {
        var own: String?, kind = cell.name, chrono = cell.chrono, between = cell.recurrentInitializer?.description, weights = cell.initializer?.description
        if case .rnn(let activation) = cell.cell { own = activation.description }
        if case .lstm(let forget) = cell.cell, cell.bias, chrono == nil { own = "forget: \(forget)" }
        switch recurrent {
        case .orthogonal?: between = nil
        case .identityWithReLU?:
            guard case .rnn = cell.cell else { return cell.description }
            (own, between) = ("relu", "identity")
        case .gated(let name, let steps)?: (kind, chrono, own, between) = (name, cell.bias ? steps : nil, nil, nil)
        case nil:
            guard let standard else { return cell.description }
            weights = weights ?? standard
            if standard == "torch" { between = between ?? standard }
        }
        let parts = ["\(cell.width)", own, chrono.map { "chrono: \($0)" }, cell.bias ? nil : "bias: false", weights.map { "init: \($0)" },
                     between.map { "recurrent: \($0)" }, cell.truncation.map { "truncate: \($0)" }]
        return "\(kind)(\(parts.compactMap(\.self).joined(separator: ", ")))"
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
