@testable import Fathom
import Foundation
import Testing

/// Whether two networks are built alike, layer by layer; `==` goes by the printed form and would not notice a field that is not printed.
private func alike(_ a: [Network.Element], _ b: [Network.Element]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { a, b in
        switch (a, b) {
        case (.layer(let a), .layer(let b)): AnyHashable(a) == AnyHashable(b)
        case (.repeated(let a, let n), .repeated(let b, let m)): n == m && alike(a, b)
        default: false
        }
    }
}

private func survives<Value: NotationRepresentable>(_ value: Value) throws {
    let printed = value.description
    #expect(try Value(printed) == value, "\(printed)")
    #expect(try Value(printed).description == printed)
    let data = try JSONEncoder().encode([value])
    #expect(try JSONDecoder().decode([Value].self, from: data) == [value])
    #expect(try JSONDecoder().decode([String].self, from: data) == [printed])
}

@Suite("What is printed parses back to the same value")
struct RoundTripTests {
    @Test("Networks") func networks() throws {
        var values = RandomValues(seed: 1)
        for _ in 0..<500 {
            let network = Network(values.elements(depth: 3))
            let again = try Network(network.description)
            #expect(alike(again.elements, network.elements), "\(network)")
            #expect(again == network && again.hashValue == network.hashValue)
            let respaced = values.respaced(network.description)
            #expect(try Network(respaced) == network, "\(respaced.debugDescription)")
        }
        try survives(Network("[linear(512) relu] * 2 linear(10)"))
    }

    @Test("Optimizers, schedules, clipping, losses and initializers, also through JSON") func others() throws {
        var values = RandomValues(seed: 2)
        for _ in 0..<400 {
            try survives(values.optimizer())
            try survives(values.schedule())
            try survives(values.clipping())
            try survives(values.loss())
            try survives(values.initializer())
        }
    }

    @Test("Every example of the reference prints as it is written", arguments: [
        (Reader.network, "[linear(512) relu] * 2 linear(10)"), (.network, "[linear(128, init: orthogonal) tanh] * 64 linear(outputs)"),
        (.network, "linear(10, bias: false, init: he(uniform)) leakyrelu(0.01) elu elu(0.5) gelu gelu(tanh) selu silu"),
        (.network, "linear(10, init: gaussian(1.33, bias: 0.22)) sigmoid softplus hardtanh identity"), (.network, "[linear(3) * 2 [relu tanh] * 2] * 3"),
        (.optimizer, "adamw(0.001, decay: 0.01)"), (.optimizer, "sgd(0.1, momentum: 0.9, nesterov: true)"), (.optimizer, "sgd(0.1)"),
        (.optimizer, "adam(0.001, beta1: 0.8, beta2: 0.99, epsilon: 1e-06)"), (.optimizer, "sgd(0.1, decay: 0.0005)"),
        (.optimizer, "rmsprop(0.001)"), (.optimizer, "rmsprop(0.001, rho: 0.9, momentum: 0.5, epsilon: 1e-06, decay: 0.01)"),
        (.optimizer, "lion(0.0001, beta1: 0.95, beta2: 0.98, decay: 0.1)"),
        (.clipping, "norm(1.0)"), (.clipping, "value(0.5)"), (.clipping, "none"),
        (.clipping, "time-norm(1.0) tensor-norm(2.0) unit-norm(1.0) value(0.5)"), (.clipping, "adaptive(0.01) norm(1.0)"), (.clipping, "adaptive(0.01, floor: 0.01)"),
        (.clipping, "percentile(10.0)"), (.clipping, "percentile(10.0, window: 100)"), (.clipping, "zscore(2.5)"), (.clipping, "zscore(3.0, decay: 0.9, warmup: 10)"),
        (.schedule, "constant"), (.schedule, "cosine"), (.schedule, "cosine(warmup: 200)"), (.schedule, "step(epochs: 10, factor: 0.5)"),
        (.schedule, "constant(warmup: 200)"), (.schedule, "linear"), (.schedule, "linear(warmup: 0.05, end: 0.1)"), (.schedule, "one-cycle(warmup: 0.3)"),
        (.schedule, "one-cycle(warmup: 200, start: 0.1, end: 0.0)"), (.schedule, "warmup-stable-decay(warmup: 200, decay: 0.2)"),
        (.schedule, "plateau(factor: 0.5, patience: 5)"), (.schedule, "plateau(factor: 0.1, patience: 10, threshold: 0.0, warmup: 200)"),
        (.loss, "cross-entropy"), (.loss, "mse"), (.loss, "cross-entropy(smoothing: 0.1)"), (.loss, "cross-entropy(smoothing: 0.1, weights: balanced)"),
        (.loss, "mean-absolute-error"), (.loss, "cross-entropy(weights: classes(1.0, 2.0, 0.5))"),
        (.loss, "binary-cross-entropy"), (.loss, "huber(1.0)"), (.initializer, "he"), (.initializer, "orthogonal(1.05, bias: 0.1)"),
        (.initializer, "gaussian(1.33, bias: 0.22)"), (.initializer, "normal(0.02)"), (.initializer, "glorot(uniform, bias: 0.1)"), (.initializer, "zeros"),
        (.initializer, "uniform(0.05)"), (.initializer, "identity"), (.initializer, "identity(0.5, bias: 0.1)"), (.initializer, "critical"),
        (.initializer, "critical(bias: 0.1)"), (.initializer, "critical(bias: 0.0)"), (.initializer, "lsuv"), (.initializer, "fixup"), (.initializer, "torch"),
    ])
    func examples(reader: Reader, source: String) throws {
        #expect(try reader.read(source) == source)
    }

    @Test("Numbers may be written in any decimal form", arguments: [
        ("1e-3", 0.001), ("1E-3", 0.001), (".001", 0.001), ("+0.001", 0.001), ("1.e-3", 0.001), ("0.0010", 0.001), ("2", 2), ("2.", 2), ("1e+2", 100),
    ])
    func numbers(text: String, value: Double) throws {
        #expect(try Optimizer("sgd(\(text))") == .sgd(learningRate: value))
        #expect(try Optimizer("sgd(0.1, decay:\(text))") == .sgd(learningRate: 0.1, decay: value))
    }

    @Test("Defaults are filled in and printed where the contract shows them") func defaults() throws {
        #expect(try Optimizer("adamw(0.001)") == .adamW(learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01))
        #expect(try Optimizer("adamw(0.001)").description == "adamw(0.001, decay: 0.01)")
        #expect(try Optimizer("adam(1)") == .adam(learningRate: 1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8))
        #expect(try Optimizer("rmsprop(1)") == .rmsProp(learningRate: 1, rho: 0.99, momentum: 0, epsilon: 1e-8, decay: 0))
        #expect(try Optimizer("lion(1)") == .lion(learningRate: 1, beta1: 0.9, beta2: 0.99, decay: 0))
        #expect(try Optimizer("sgd(1)") == .sgd(learningRate: 1, momentum: 0, nesterov: false, decay: 0))
        #expect(try Network("leakyrelu elu() gelu(erf)").description == "leakyrelu(0.01) elu gelu")
        #expect(try Clipping("zscore") == [.zscore(2.5, decay: 0.97, warmup: 25)] && Clipping("adaptive(0.1)") == [.adaptive(0.1, floor: 0.001)])
        #expect(try Clipping("percentile(10)") == [.percentile(10, window: nil)] && Clipping("none") == .none)
        #expect(try Loss("huber") == .huber(delta: 1))
        #expect(try Loss("cross-entropy(smoothing: 0)") == .crossEntropy && Loss("cross-entropy(weights: classes(1, 1))") != .crossEntropy)
        #expect(try Initializer("he(normal)") == .he && Initializer("orthogonal(1)") == .orthogonal)
        #expect(try Initializer("identity(1)").description == "identity" && Initializer("critical()") == Initializer(.critical()))
        #expect(try Schedule("cosine()") == .cosine(warmup: 0))
        #expect(try Schedule("one-cycle").description == "one-cycle(warmup: 0.3)" && Schedule("one-cycle") == .oneCycle())
        #expect(try Schedule("warmup-stable-decay").description == "warmup-stable-decay(decay: 0.2)" && Schedule("plateau") == .plateau())
    }
}

@Suite("Whatever the text, the answer is a value or an error")
struct GarbageTests {
    @Test("Garbled and random texts") func garbage() throws {
        let seed: UInt64 = 3
        var values = RandomValues(seed: seed)
        var accepted = 0
        for round in 0..<6_000 {
            let valid: [(Reader, String)] = [
                (.network, Network(values.elements(depth: 2)).description), (.optimizer, values.optimizer().description),
                (.schedule, values.schedule().description), (.clipping, values.clipping().description), (.loss, values.loss().description),
                (.initializer, values.initializer().description),
            ]
            let (reader, source) = valid[round % valid.count]
            let text = values.garbled(source)
            if let printed = try? reader.read(text) {
                accepted += 1
                #expect(try reader.read(printed) == printed)
                continue
            }
            let error = try #require(reader.error(text), "\(reader) \(text.debugDescription), seed \(seed)")
            let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            #expect(error.line >= 1 && error.line <= lines.count && error.column >= 1 && error.column <= lines[error.line - 1].count + 1)
            #expect(error.description.split(separator: "\n", omittingEmptySubsequences: false).count == 3)
        }
        // A slip may leave a text valid (a doubled digit), but most do not.
        #expect((150..<3_000).contains(accepted))
    }

    @Test("Brackets nest 64 deep and no deeper") func nesting() throws {
        func nested(_ depth: Int) -> String { String(repeating: "[", count: depth) + "relu" + String(repeating: "]", count: depth) }
        #expect(try Network(nested(64)).description == "relu")
        #expect(Reader.network.error(nested(65))?.message == "bracket 65 levels deep at column 65; at most 64 levels can be nested")
        for bracket in ["[", "(", "relu(", "linear(10, init: ", "a(b: (", "{"] {
            let endless = String(repeating: bracket, count: 20_000)
            for reader in Reader.allCases { #expect(reader.error(endless) != nil) }
        }
    }

    @Test("A million layers are accepted, one more is not") func layerLimit() throws {
        #expect(try Network("[relu] * 1000000").layers.count == 1_000_000)
        #expect(try Network("[[relu tanh] * 500 relu] * 999").layers.count == 999_999)
        #expect(Reader.network.error("relu [relu] * 1000000")?.message == "more than 1000000 layers at column 15; that is the most a network can have")
        let huge = String(repeating: "[", count: 60) + "relu" + String(repeating: "] * 1000000", count: 60)
        #expect(Reader.network.error(huge)?.message.hasPrefix("more than 1000000 layers at column") == true)
        #expect(Reader.network.error("[relu] * 999999 relu relu")?.column == 22)
    }
}

@Suite("Terms")
struct TermTests {
    @Test("The reference names everything that the notation knows") func reference() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../Documentation/notation.md").standardized
        let text = try String(contentsOf: file, encoding: .utf8)
        for vocabulary in [
            Network.vocabulary, Optimizer.vocabulary, Schedule.vocabulary, Clipping.vocabulary, Loss.vocabulary, Initializer.vocabulary,
        ] {
            for name in vocabulary.names { #expect(text.contains("`\(name)`") || text.contains("`\(name)("), "\(name)") }
        }
    }

    @Test("A block name owns the bracket after it, any other name does not") func blocks() throws {
        let terms = try parseTerms("relu [relu] block(1) [relu tanh] * 3 block", blocks: ["block"], example: "")
        #expect(terms.map(\.name) == ["relu", nil, "block", "block"])
        #expect(terms.map { $0.group?.count } == [nil, 1, 2, nil])
        #expect(terms.map(\.times) == [1, 1, 3, 1])
    }

    @Test("The edit distance counts insertions, deletions, substitutions and swaps", arguments: [
        ("linear", "linear", 0), ("lnear", "linear", 1), ("linnear", "linear", 1), ("limear", "linear", 1), ("ilnear", "linear", 1), ("", "abc", 3),
        ("abc", "", 3), ("ca", "abc", 3), ("kitten", "sitting", 3), ("tanh", "elu", 4),
    ])
    func distances(a: String, b: String, distance: Int) {
        #expect(editDistance(a, b) == distance)
        #expect(editDistance(b, a) == distance)
    }

    @Test("Every synonym leads to a notation that parses") func synonyms() throws {
        func check(_ vocabulary: Vocabulary, _ reader: Reader, _ complete: (String) -> String) {
            for (foreign, ours) in vocabulary.synonyms {
                #expect(foreign == Vocabulary.fold(foreign), "\(foreign) is never looked up")
                #expect(!vocabulary.names.contains { Vocabulary.fold($0) == foreign }, "\(foreign) is a name already")
                #expect(throws: Never.self, "\(foreign)") { try reader.read(complete(ours)) }
            }
        }
        check(Network.vocabulary, .network) { $0 == "linear" ? "linear(1)" : $0 }
        check(Optimizer.vocabulary, .optimizer) { $0.contains("(") ? $0 : "\($0)(0.1)" }
        check(Schedule.vocabulary, .schedule) { $0 }
        check(Clipping.vocabulary, .clipping) { $0 }
        check(Loss.vocabulary, .loss) { $0 }
        check(Initializer.vocabulary, .initializer) { $0 }
    }
}
