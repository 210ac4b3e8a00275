@testable import Fathom
import Foundation
import Testing

@Suite("Initializers")
struct InitializerTests {
    private typealias Context = Initializer.Context

    /// The variance of the weights of a layer 300 → 100.
    private func variance(_ initializer: Initializer, following activation: Activation? = nil) throws -> Double {
        switch try initializer.draws(Context(fanIn: 300, fanOut: 100, following: activation)).weights {
        case .normal(let deviation): deviation * deviation
        case .uniform(let bound): bound * bound / 3
        case .orthogonal, .identity, .zeros: .nan
        }
    }

    @Test("Variances are those of the papers") func variances() throws {
        // A square root and its square: two roundings, and one of a division.
        func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 4 * b.ulp }
        #expect(close(try variance(.he), 2.0 / 300))
        #expect(close(try variance(.he, following: .relu), 2.0 / 300))
        #expect(close(try variance(.he, following: .leakyReLU(slope: 0.5)), 2 / (1.25 * 300)))
        #expect(close(try variance(Initializer(.he(.uniform)), following: .leakyReLU(slope: 1)), 1.0 / 300))
        #expect(close(try variance(.glorot), 2.0 / 400))
        #expect(close(try variance(Initializer(.glorot(.uniform))), 2.0 / 400))
        #expect(close(try variance(.lecun), 1.0 / 300))
        #expect(close(try variance(Initializer(.lecun(.uniform))), 1.0 / 300))
        #expect(close(try variance(Initializer(.gaussian(deviation: 1.33))), 1.33 * 1.33 / 300))
        #expect(close(try variance(Initializer(.normal(deviation: 0.02))), 0.0004))
        #expect(close(try variance(Initializer(.uniform(bound: 0.3))), 0.03))
        // fan_in·Var = 1/3.
        #expect(close(try variance(Initializer(.torch)), 1.0 / 900))
        // Glorot & Bengio's equation 16 as it is printed: √6/√(fan_in + fan_out).
        if case .uniform(let bound) = try Initializer(.glorot(.uniform)).draws(Context(fanIn: 300, fanOut: 100)).weights {
            #expect(close(bound, (6.0 / 400).squareRoot()))
        } else {
            Issue.record("glorot(uniform) is not uniform")
        }
        let place = Context(fanIn: 3, fanOut: 4, following: .relu)
        #expect(try Initializer(.orthogonal(gain: 1.05)).draws(place) == (.orthogonal(gain: 1.05), .zeros))
        #expect(try Initializer(.identity(gain: 0.9), bias: 0.1).draws(place) == (.identity(gain: 0.9), .normal(deviation: 0.1)))
        #expect(try Initializer.zeros.draws(place) == (.zeros, .zeros))
    }

    @Test("torch draws biases too, and from the hidden width in recurrent layers") func torch() throws {
        let torch = Initializer(.torch)
        #expect(try torch.draws(Context(fanIn: 25, fanOut: 7)) == (.uniform(bound: 0.2), .uniform(bound: 0.2)))
        for fanIn in [9, 64] {
            #expect(try torch.draws(Context(fanIn: fanIn, fanOut: 256, hidden: 64)) == (.uniform(bound: 0.125), .uniform(bound: 0.125)))
        }
    }

    @Test("The default fits the activation that follows", arguments: [
        (.relu, "he"), (.leakyReLU(), "he"), (.elu(), "he"), (.gelu, "he"), (.geluTanh, "he"), (.silu, "he"), (.softplus, "he"), (.selu, "lecun"),
        (.tanh, "glorot"), (.sigmoid, "glorot"), (.hardTanh, "glorot"), (.identity, "glorot"), (nil, "glorot"),
    ] as [(Activation?, String)])
    func fitting(activation: Activation?, initializer: String) throws {
        #expect(Initializer.fitting(activation).description == initializer)
    }

    // MARK: Critical

    @Test("critical solves σ_w for the activation that follows", arguments: [
        (.tanh, 0.1, 1.424205), (.relu, 0, 2), (.leakyReLU(slope: 0.5), 0, 1.6), (.identity, 0, 1), (nil, 0, 1),
    ] as [(Activation?, Double, Double)])
    func critical(activation: Activation?, bias: Double, weightVariance: Double) throws {
        for _ in 0..<2 {  // the second time the answer is known
            let draws = try Initializer(.critical(bias: bias)).draws(Context(fanIn: 49, fanOut: 3, following: activation))
            guard case .normal(let deviation) = draws.weights else {
                Issue.record("\(draws)")
                continue
            }
            #expect(abs(deviation * deviation * 49 - weightVariance) < 5e-7)
            #expect(draws.biases == (bias > 0 ? .normal(deviation: bias) : .zeros))
        }
    }

    @Test("critical's own σ_b is one with a stable critical point, for all activations that have any", arguments: ElementaryFunctionTests.activations)
    func criticalDefaults(activation: Activation) throws {
        let bias = Initializer.criticalBias(activation), place = Context(fanIn: 10, fanOut: 10, following: activation)
        guard activation != .softplus else {
            #expect(throws: FathomError.self) { try Initializer(.critical()).draws(place) }
            return
        }
        #expect(try Initializer(.critical()).draws(place) == Initializer(.critical(bias: bias)).draws(place))
        #expect(try MeanField.critical(activation, biasVariance: bias * bias).point.isStable)
    }

    @Test("The reference's table of critical weights is what comes out") func criticalTable() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Documentation/notation.md").standardized
        let rows = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
        var seen = 0
        for row in rows where row.count == 8 && Double(row[1]) != nil && Double(row[4]) != nil {
            let name = row[0].filter { $0 != "`" }, activation = try #require(Network(name).layers.first as? Activation), bias = Initializer.criticalBias(activation)
            let (theory, point) = try MeanField.critical(activation, biasVariance: bias * bias)
            let values = [bias, theory.weightVariance.squareRoot(), theory.weightVariance, point.variance, point.slope]
            for (text, value) in zip(row[1...5], values) {
                let digits = text.split(separator: ".").dropFirst().first?.count ?? 0, unit = (0..<digits).reduce(1.0) { unit, _ in unit / 10 }
                #expect(abs(try #require(Double(text)) - value) <= 0.5001 * unit, "\(name): \(text) for \(value)")
            }
            seen += 1
        }
        #expect(seen == 8)
    }

    @Test("critical in a layer without bias takes σ_b = 0, and in an output without activation σ_w = 1") func criticalPlaces() throws {
        let plain = Context(fanIn: 16, fanOut: 4, following: .tanh, hasBias: false)
        #expect(try Initializer(.critical()).draws(plain) == (.normal(deviation: 0.25), .zeros))
        #expect(throws: FathomError.self) { try Initializer(.critical()).draws(Context(fanIn: 16, fanOut: 4, following: .gelu, hasBias: false)) }
        let output = Context(fanIn: 16, fanOut: 4, isOutput: true)
        #expect(try Initializer(.critical(bias: 0.1)).draws(output) == (.normal(deviation: 0.25), .normal(deviation: 0.1)))
        #expect(throws: FathomError.self) { try Initializer(.critical(bias: 0.1)).draws(Context(fanIn: 16, fanOut: 4)) }
    }

    // MARK: Fixup

    @Test("fixup: last layers 0, the others of m in a branch he times L^(−1/(2m − 2))", arguments: [(1, 2), (16, 2), (16, 3), (100, 5)])
    func fixup(blocks: Int, layers: Int) throws {
        func weights(_ branch: Context.Branch?, isOutput: Bool = false) throws -> Initializer.Draw {
            let place = Context(fanIn: 50, fanOut: 50, following: .relu, residualBlocks: blocks, branch: branch, isOutput: isOutput)
            let draws = try Initializer(.fixup).draws(place)
            #expect(draws.biases == .zeros)
            return draws.weights
        }
        guard case .normal(let he) = try weights(nil), case .normal(let scaled) = try weights(.init(layers: layers, isLast: false)) else {
            Issue.record("fixup does not draw normals")
            return
        }
        #expect(abs(he - 0.2) < 1e-15)
        // (scaled/he)^(2m − 2) · L = 1
        let power = (0..<2 * layers - 2).reduce(1.0) { product, _ in product * scaled / he }
        #expect(abs(power * Double(blocks) - 1) < 1e-13)
        #expect(try weights(.init(layers: layers, isLast: true)) == .zeros && weights(.init(layers: 1, isLast: true)) == .zeros)
        #expect(try weights(nil, isOutput: true) == .zeros)
    }

    // MARK: In a model

    @Test("What cannot be drawn names its layer and says what would be right", arguments: [
        ("linear(8) tanh linear(8, init: critical(bias: 0.1)) relu linear(2)",
         "2.linear: critical(bias: 0.1): relu is critical only with σ_b = 0, since its variance would grow by σ_b² in each layer; write critical(bias: 0)"),
        ("[linear(8, init: critical) softplus] * 2",
         "0.linear: critical: softplus has no critical point: whatever σ_b, where χ₁ is 1 its variance grows in each layer; tanh, elu and relu have one"),
        ("linear(8) relu linear(8, bias: false, init: critical) gelu linear(2)",
         "2.linear: critical: gelu has a stable critical point only from σ_b = 0.4159 on; below, its variance would drift off"),
        ("linear(8, init: fixup) relu linear(8)",
         "0.linear: fixup: the network has no residual block to start as the identity; he or orthogonal fit plain networks"),
    ])
    func errors(network: String, message: String) throws {
        #expect(throws: FathomError.invalid(message)) { try Model(Network(network), inputs: 3) }
    }

    @Test("identity is a rectangular diagonal", arguments: [(20, 20), (5, 33), (33, 5)]) func identity(inputs: Int, outputs: Int) throws {
        let parameters = try Model(Network("linear(\(outputs))"), inputs: inputs, initializer: Initializer("identity(0.5)")).parameters()
        for o in 0..<outputs {
            for i in 0..<inputs { #expect(parameters[0].values[o * inputs + i] == (i == o ? 0.5 : 0)) }
        }
        #expect(parameters[1].values.allSatisfy { $0 == 0 })
    }

    @Test("Drawn weights and biases have the moments of their distributions", arguments: [
        ("uniform(0.25)", true, 0.25 * 0.25 / 3, 0), ("torch", true, 1.0 / 1200, 1.0 / 1200), ("critical(bias: 0.1)", false, 1.424205 / 400, 0.01),
        ("normal(0.3, bias: 0.5)", false, 0.09, 0.25),
    ])
    func moments(notation: String, isUniform: Bool, weights: Double, biases: Double) throws {
        let model = try Model(Network("linear(1000, init: \(notation)) tanh linear(1)"), inputs: 400, seed: 5)
        for (tensor, variance) in zip(try model.parameters(), [weights, biases]) {
            let values = tensor.values.map(Double.init), n = Double(values.count)
            let mean = values.reduce(0, +) / n, square = values.reduce(0) { $0 + $1 * $1 } / n
            // 4.5 standard errors: of the mean σ/√n, of the variance σ²·√((κ − 1)/n) with κ = 3 for normals, 9/5 for uniforms; 5e-7 for the digits given.
            #expect(abs(mean) <= 4.5 * (variance / n).squareRoot(), "\(tensor.name)")
            #expect(abs(square - variance) <= variance * (4.5 * ((isUniform ? 0.8 : 2) / n).squareRoot() + 5e-7), "\(tensor.name)")
            if isUniform, variance > 0 {
                let bound = (3 * variance).squareRoot()
                #expect(values.allSatisfy { abs($0) <= bound * (1 + 1e-7) } && values.contains { abs($0) > 0.99 * bound })
            }
        }
    }
}
