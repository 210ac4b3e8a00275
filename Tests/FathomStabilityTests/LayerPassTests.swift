@testable import Fathom
@testable import FathomStability
import Foundation
import Testing

@Suite("Layer by layer") struct LayerPassTests {
    static let networks: [(network: String, inputs: Int)] = [
        ("linear(9) tanh linear(7) relu linear(4)", 5),
        ("linear(6) residual[layernorm linear(12) gelu linear(6)] * 3 layernorm linear(4)", 5),
        ("linear(6) residual(skipinit, start: 0.7)[linear(6) residual(scale: 0.5)[linear(6) silu linear(6)] tanh] residual[linear(8)] relu linear(4)", 6),
        ("[linear(6) batchnorm tanh] * 3 linear(4)", 6),
        ("sequence(4) rnn(5, tanh) lstm(3) gru(4) last linear(4)", 12),
        ("sequence(3) linear(5) tanh mean layernorm linear(4)", 6),
    ]

    /// Kernels add up in another order where they run layer by layer: float32's rounding, some 1e-6 of the norm.
    @Test("Gradients are those of a training step, inside of blocks too", arguments: networks) func gradients(example: (network: String, inputs: Int)) throws {
        let model = try Model(Network(example.network), inputs: example.inputs, outputs: 4, seed: 3), rows = 6
        let targets = Samples.Targets.classes((0..<6).map { Int32($0 % 4) })
        let samples = try Samples(columns: example.inputs, features: .floats(normals(rows * example.inputs, seed: 5)), targets: targets)
        var pass = try LayerPass(model, samples)
        #expect(pass.overflow == nil)
        #expect(pass.layers.map(\.name) == model.network.places.filter { place in
            model.layout.tensors(ofLayer: place.ordinal).contains { $0.role != .state }
        }.map(\.name))
        try pass.goBack(fromError: DepthPass(model, samples).lossError(.crossEntropy, targets: targets))
        let gradient = try model.gradients(of: samples, loss: .crossEntropy)
        for layer in pass.layers {
            let path = layer.name.split(separator: ".").dropLast().joined(separator: ".")
            let tensors = gradient.parameters.filter { tensor in
                let own = tensor.name.dropFirst(path.count + 1)
                return tensor.name.hasPrefix(path + ".") && (!own.contains(".") || own.hasPrefix("projection"))
            }
            let square = tensors.reduce(0.0) { $0 + $1.values.squaredNorm }
            let found = exp(layer.logGradientNorm ?? .nan), expected = square.squareRoot()
            #expect(!tensors.isEmpty && abs(found - expected) <= 2e-5 * expected + 1e-9, "\(layer.name): \(found), training \(expected)")
        }
    }

    @Test("Signals' gradients are those of the steps of depth") func signals() throws {
        let model = try Model(Network("[linear(8) tanh] * 30 linear(3)"), inputs: 8, seed: 4), samples = try normalSamples(5, 8)
        let depth = try DepthPass(model, samples), error = depth.randomError(seed: 2)
        var pass = try LayerPass(model, samples)
        try pass.goBack(fromError: error)
        let norms = try depth.logSquaredNorms(ofError: error)
        for (l, norm) in norms.enumerated() { #expect(abs(2 * (pass.layers[l].logSignalGradientNorm ?? .nan) - norm) < 1e-5) }
        #expect(abs(2 * (pass.layers[30].logSignalGradientNorm ?? .nan) - log(error.squaredNorm)) < 1e-6)
    }

    @Test("What the signal is like: mean, deviation, saturated, dead") func statistics() throws {
        let model = try Model(Network("linear(40, init: gaussian(5)) tanh linear(30) relu linear(20) linear(2)"), inputs: 10, seed: 1), samples = try normalSamples(50, 10)
        let pass = try LayerPass(model, samples), tanhs = try Segment(model, layers: 0..<2, rows: 50).forward(model.standardizedInputs(samples))
        let mean = tanhs.reduce(0) { $0 + Double($1) } / 2000
        #expect(abs(pass.layers[0].activationMean - mean) < 1e-12)
        #expect(abs(pass.layers[0].activationStd - (tanhs.reduce(0) { $0 + pow(Double($1) - mean, 2) } / 2000).squareRoot()) < 1e-12)
        let saturated = tanhs.count { 1 - $0 * $0 < 0.05 }
        #expect(saturated > 500 && abs((pass.layers[0].saturated ?? 0) * 2000 - Double(saturated)) < 1)
        let relus = try Segment(model, layers: 0..<4, rows: 50).forward(model.standardizedInputs(samples)), off = relus.count { $0 == 0 }
        #expect(abs((pass.layers[1].saturated ?? 0) * 1500 - Double(off)) < 1e-6 && abs(pass.layers[1].slopeMeanSquare! + pass.layers[1].saturated! - 1) < 1e-12)
        #expect(pass.layers[2].saturated == 0 && pass.layers[2].slopeMeanSquare == 1 && pass.layers[2].dead == 0)
        let dead = try LayerPass(Model(Network("linear(30, init: zeros) relu linear(2)"), inputs: 10), samples)
        #expect(dead.layers[0].dead == 1 && dead.layers[0].activationStd == 0)
        #expect(try LayerPass(Model(Network("sequence(2) lstm(3) last linear(2)"), inputs: 10), samples).layers[0].saturated == nil)
    }

    /// 40 orthogonal layers of gain 10 toward the output, 1e-36 times the error signal there at the first: most of its entries are subnormal.
    @Test("Gradients beyond float32 are told by their logarithm, and counted") func far() throws {
        let model = try Model(Network("[linear(8, init: orthogonal(0.1))] * 46 linear(3)"), inputs: 8, seed: 4)
        var pass = try LayerPass(model, normalSamples(5, 8))
        try pass.goBack(fromError: [Float](repeating: 1, count: 15))
        let first = try #require(pass.layers[0].logSignalGradientNorm), last = try #require(pass.layers[45].logSignalGradientNorm)
        #expect(abs((first - last) / log(10) + 45) < 1e-3)
        #expect(pass.layers[45].subnormal == 0 && pass.layers.map { $0.subnormal ?? 0 }.max() == 40)
        #expect(pass.layers[0].subnormal == 0, "below 2⁻¹⁴⁹ they are zero in float32")
    }

    @Test("An overflow is told by its layer, inside of a block too") func overflow() throws {
        let samples = try normalSamples(2, 8)
        let plain = try LayerPass(Model(Network("linear(8) linear(8, init: normal(1e25)) linear(8, init: normal(1e25)) linear(2)"), inputs: 8), samples)
        #expect(plain.overflow == "2.linear" && plain.layers.map(\.name) == ["0.linear", "1.linear"] && plain.outputs.isEmpty)
        let inside = try LayerPass(Model(Network("linear(8) residual[linear(8, init: normal(1e25)) linear(8, init: normal(1e25))] linear(2)"), inputs: 8), samples)
        #expect(inside.overflow == "1.1.linear" && inside.layers.map(\.name) == ["0.linear", "1.0.linear"])
        var stopped = plain
        #expect(throws: FathomError.self) { try stopped.goBack(fromError: []) }
        // Behind the last step of depth.
        let tail = try DepthPass(Model(Network("[linear(8) tanh] * 3 linear(2, init: normal(1e25)) linear(2, init: normal(1e25))"), inputs: 8), samples)
        #expect(tail.overflow == 4)
    }

    @Test("A layer's map is its Jacobian, in a block too") func maps() throws {
        let model = try Model(Network("linear(6) residual[linear(7) tanh linear(6)] linear(2)"), inputs: 6, seed: 2), samples = try normalSamples(3, 6)
        let pass = try LayerPass(model, samples)
        #expect(pass.layers.map(\.name) == ["0.linear", "1.0.linear", "1.2.linear", "2.linear"])
        for map in pass.maps {
            let factor = try map.backwardFactor(sample: 2), difference = try map.forwardDifference(.identity(map.inputs), sample: 2).transposed
            for (a, b) in zip(factor.values, difference.values) { #expect(abs(a - b) < 1e-3) }
        }
    }
}
