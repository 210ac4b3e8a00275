@testable import Fathom
import Foundation
import Testing

/// What initializers make of whole networks.
@Suite("Initial models")
struct InitialModelTests {
    private func samples(_ rows: Int, _ columns: Int, seed: UInt64 = 1) throws -> Samples {
        try Samples(columns: columns, features: .floats(normals(rows * columns, seed: seed)), targets: .none)
    }

    /// x·W for row-major x and W [outputs, inputs], in float64.
    private func product(_ x: [Double], _ weight: SafeTensors.Tensor) -> [Double] {
        let (outputs, inputs) = (weight.shape[0], weight.shape[1])
        return stride(from: 0, to: x.count, by: inputs).flatMap { row in
            (0..<outputs).map { o in (0..<inputs).reduce(0.0) { $0 + x[row + $1] * Double(weight.values[o * inputs + $1]) } }
        }
    }

    private func variance(_ z: [Double]) -> Double {
        let mean = z.reduce(0, +) / Double(z.count)
        return z.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(z.count)
    }

    // MARK: lsuv

    @Test("lsuv: each layer's output before its activation has variance 1 over the batch", arguments: ["tanh", "relu", "gelu", "sigmoid"])
    func unitVariance(activation name: String) throws {
        let batch = try samples(50, 20), network = try Network("[linear(33) \(name)] * 6 linear(2)")
        let model = try Model(network, inputs: 20, initializer: Initializer("lsuv"), samples: batch)
        let activation = try #require(network.layers[1] as? Activation), parameters = try model.parameters()
        guard case .floats(let floats) = batch.features else { return }
        var x = floats.map(Double.init)
        for weight in parameters where weight.name.hasSuffix("weight") {
            let z = product(x, weight)
            // float32: the product's rounding, the weights' after scaling.
            #expect(abs(variance(z) - 1) < 1e-5, "\(weight.name)")
            x = z.map { activation.function($0).value }
        }
        #expect(parameters.allSatisfy { $0.name.hasSuffix("weight") || $0.values.allSatisfy { $0 == 0 } })
        // Orthogonal still, up to the factor.
        let w = parameters[2].values.map(Double.init), norm = (0..<33).reduce(0) { $0 + w[$1] * w[$1] }
        #expect(abs((0..<33).reduce(0) { $0 + w[$1] * w[33 + $1] }) < 1e-6 * norm)
    }

    @Test("lsuv scales inside residuals, and each gate over all steps", arguments: [("lstm", 4), ("gru", 3), ("rnn", 1)])
    func unitVarianceOfGates(cell: String, gates: Int) throws {
        let batch = try samples(30, 12)
        let model = try Model(Network("sequence(4) \(cell)(19, init: lsuv) last"), inputs: 12, samples: batch)
        guard case .floats(let floats) = batch.features else { return }
        let z = product(floats.map(Double.init), try model.parameters()[0])  // a row of `gates`·19 for each step of each sample
        for gate in 0..<gates {
            let own = stride(from: gate * 19, to: z.count, by: gates * 19).flatMap { z[$0..<$0 + 19] }
            #expect(abs(variance(own) - 1) < 1e-5, "gate \(gate)")
        }
        let inside = try Model(Network("residual[tanh linear(12, init: lsuv)]"), inputs: 12, samples: batch)
        #expect(abs(variance(product(floats.map { tanh(Double($0)) }, try inside.parameters()[0])) - 1) < 1e-5)
    }

    @Test("lsuv sees the samples as training does: standardized") func standardizedSamples() throws {
        let raw = normals(60 * 7, seed: 3).map { 100 + 0.001 * $0 }, batch = try Samples(columns: 7, features: .floats(raw), targets: .none)
        let details = Model.Details(inputStandardization: try Standardization(mean: Array(repeating: 100, count: 7), deviation: Array(repeating: 0.001, count: 7)))
        let model = try Model(Network("linear(5, init: lsuv)"), inputs: 7, details: details, samples: batch)
        #expect(model.details == details)
        #expect(abs(variance(try model.predict(batch).map(Double.init)) - 1) < 1e-4)
    }

    @Test("lsuv without what it needs says so, by the layer's name") func unitVarianceErrors() throws {
        func error(_ network: String, _ samples: Samples?) -> String {
            do {
                _ = try Model(Network(network), inputs: 4, samples: samples)
                return "accepted"
            } catch { return "\(error)" }
        }
        let deep = "linear(4) relu linear(4, init: lsuv) tanh linear(1, init: lsuv)"
        #expect(error(deep, nil) == "2.linear: lsuv: it scales weights by what they make of data; give a batch, as in Model(…, samples: batch)")
        let zeros = try Samples(columns: 4, features: .floats([0, 0, 0, 0, 0, 0, 0, 0]), targets: .none)
        #expect(error(deep, zeros) == "2.linear: lsuv: the layer gives the same for all samples, and no scale makes their variance 1; give samples that differ, or another init")
        #expect(error("linear(4, init: zeros) linear(4, init: lsuv)", try samples(5, 4)).hasPrefix("1.linear: lsuv: the layer gives the same"))
        #expect(error("residual[linear(4, init: lsuv)]", zeros).hasPrefix("0.0.linear: lsuv: "))
        #expect(error(deep, try samples(5, 3)) == "the samples have 3 features, the model takes 4")
        #expect(error("linear(4, init: normal(1e30)) linear(4, init: normal(1e30)) linear(4, init: lsuv)", try samples(5, 4))
            == "2.linear: lsuv: the layer gives values that are not finite, and no scale makes their variance 1; give samples that differ, or another init")
        // Without lsuv samples are not looked at.
        #expect(error("linear(4)", zeros) == "accepted")
    }

    @Test("lsuv brings signals near the ends of float32 back to 1") func faintSignals() throws {
        let batch = try samples(20, 8)
        for scale in ["1e-30", "1e12"] {
            let model = try Model(Network("linear(8, init: normal(\(scale))) linear(8, init: lsuv)"), inputs: 8, samples: batch)
            #expect(abs(variance(try model.predict(batch).map(Double.init)) - 1) < 1e-4)
        }
    }

    // MARK: fixup

    @Test("With fixup a residual network starts as the identity, and as 0 behind its last layer") func fixupStart() throws {
        let fixup = try Initializer("fixup"), x = normals(9 * 12, seed: 2)
        let trunk = try Model(Network("residual[linear(30) relu linear(20) tanh linear(12)] * 5"), inputs: 12, initializer: fixup)
        #expect(try trunk.predict(x) == x)
        // m = 3, L = 5: he times 5^(−1/4), the layers being 30 and 20 wide.
        for (index, variance) in [(0, 2.0 / 12), (2, 2.0 / 30)] {
            let values = try trunk.parameters()[index].values.map(Double.init), n = Double(values.count)
            #expect(abs(values.reduce(0) { $0 + $1 * $1 } / n / (variance / 5.0.squareRoot()) - 1) < 4.5 * (2 / n).squareRoot())
        }
        let whole = try Model(Network("linear(12) [residual[relu linear(12) relu linear(12)] relu] * 3 linear(4)"), inputs: 12, initializer: fixup)
        #expect(try whole.predict(x).allSatisfy { $0 == 0 })
        #expect(try whole.parameters()[0].values.contains { $0 != 0 })
    }

    // MARK: Recurrent layers

    @Test("torch draws all four tensors of a recurrent layer within 1/√width, the forget gate's bias too", arguments: ["rnn", "lstm", "gru"])
    func torchRecurrent(cell: String) throws {
        func check(_ network: String, _ initializer: Initializer?) throws {
            for tensor in try Model(Network(network), inputs: 6, initializer: initializer).parameters() {
                #expect(tensor.values.allSatisfy { abs($0) <= 0.25 } && tensor.values.contains { abs($0) > 0.2 }, "\(tensor.name)")
            }
        }
        try check("sequence(3) \(cell)(16, init: torch)", nil)
        try check("sequence(3) \(cell)(16)", Initializer(.torch))
        let asked = try Model(Network("sequence(3) lstm(16, forget: 2.0, init: torch)"), inputs: 6).parameters()[2].values
        #expect(asked[16..<32].allSatisfy { $0 == 2 } && asked[0..<16].allSatisfy { abs($0) <= 0.25 })
    }

    @Test("Biases of the state follow 'recurrent', those of the input 'init'; the IRNN of Le et al. 2015") func recurrentInitializers() throws {
        let parameters = try Model(
            Network("sequence(3) rnn(8, relu, init: normal(0.001, bias: 0.1), recurrent: identity)"), inputs: 6).parameters()
        #expect(parameters[1].values == (0..<64).map { $0 % 9 == 0 ? 1 : 0 })
        #expect(parameters[2].values.contains { $0 != 0 } && parameters[3].values.allSatisfy { $0 == 0 })
        #expect(throws: FathomError.invalid(
            "1.gru: critical: its theory is that of layers without a state; give a recurrent layer another init, as in init: glorot, recurrent: orthogonal"
        )) { try Model(Network("sequence(3) gru(8) last linear(2)"), inputs: 6, initializer: Initializer(.critical())) }
    }

    @Test("critical and torch in a residual network: the projection, the branch, the output") func residualPlaces() throws {
        for notation in ["critical", "torch", "lsuv", "orthogonal"] {
            let model = try Model(
                Network("linear(12) tanh residual[linear(12) tanh linear(20)] linear(3)"), inputs: 6, initializer: Initializer(notation),
                samples: samples(10, 6))
            for tensor in try model.parameters() where tensor.name.hasSuffix("weight") {
                #expect(tensor.values.contains { $0 != 0 }, "\(tensor.name)")
                if notation == "torch" { #expect(tensor.values.allSatisfy { abs(Double($0)) <= 1 / Double(tensor.shape[1]).squareRoot() }, "\(tensor.name)") }
            }
        }
    }
}
