@testable import Fathom
@testable import FathomStability
import Foundation
import Testing

func normals(_ count: Int, seed: UInt64) -> [Float] {
    var random = CounterRandom(seed: seed, stream: 0x54)
    return (0..<count).map { _ in Float(random.normal()) }
}

func normalSamples(_ rows: Int, _ columns: Int, seed: UInt64 = 1) throws -> Samples {
    try Samples(columns: columns, features: .floats(normals(rows * columns, seed: seed)), targets: .none)
}

@Suite("Steps of depth and their Jacobians") struct DepthTests {
    @Test("Steps are repetitions of the longest group, else layers with weights") func steps() throws {
        func steps(_ notation: String) throws -> [Range<Int>] { try Network(notation).stepsOfDepth }
        #expect(try steps("linear(4) [linear(4) tanh] * 3 linear(1)") == [1..<3, 3..<5, 5..<7])
        #expect(try steps("[linear(4)] * 2 [linear(4) tanh] * 3 linear(1)") == [2..<4, 4..<6, 6..<8])
        #expect(try steps("linear(8) residual[layernorm linear(8)] * 2 layernorm linear(1)") == [1..<2, 2..<3])
        #expect(try steps("layernorm linear(8) relu linear(4) residual[linear(4)] tanh linear(2)") == [0..<3, 3..<4, 4..<6, 6..<7])
        #expect(try steps("linear(8) relu * 3 linear(4)") == [0..<4, 4..<5])
        #expect(try steps("relu tanh") == [])
    }

    static let networks: [(network: String, inputs: Int, samples: Int)] = [
        ("linear(9) tanh linear(7) relu linear(4)", 5, 3),
        ("linear(6) residual[layernorm linear(12) gelu linear(6)] * 3 layernorm linear(4)", 5, 2),
        ("[linear(6) rmsnorm silu dropout(0.3)] * 3 linear(2)", 6, 2),
        ("linear(4) [linear(4) batchnorm tanh] * 3 linear(2)", 3, 5),
        ("linear(5) residual[batchnorm relu linear(5)] * 2 linear(2)", 3, 6),
        ("sequence(4) rnn(5, tanh) lstm(3) gru(4) last linear(2)", 12, 2),
        ("sequence(4) [linear(3) gelu] * 3 mean linear(2)", 8, 2),
    ]

    /// Elements are about 1. A difference over ±2⁻⁸ of a norm of a few units leaves third derivatives of about 1e-5·norm², some 1e-3 where the third derivative
    /// is large (batch normalization over five rows). relu has kinks; the samples here are not near one.
    @Test("Every layer's Jacobian is the derivative of its forward pass", arguments: networks)
    func againstDifferences(example: (network: String, inputs: Int, samples: Int)) throws {
        let model = try Model(Network(example.network), inputs: example.inputs, seed: 3)
        let pass = try DepthPass(model, normalSamples(example.samples, example.inputs))
        #expect(pass.overflow == nil && pass.signals.count == pass.steps.count + 1)
        for l in 1...pass.steps.count {
            let factor = try pass.backwardFactor(l, sample: pass.mixesSamples ? 0 : 1)
            let difference = try pass.forwardDifference(l, .identity(pass.size(l - 1)), sample: pass.mixesSamples ? 0 : 1).transposed
            #expect(factor.rows == pass.size(l - 1) && factor.columns == pass.size(l))
            let worst = zip(factor.values, difference.values).map { abs($0 - $1) }.max() ?? 0
            #expect(worst < 3e-3, "step \(l) of \(example.network)")
        }
    }

    @Test("The passes together are the network's own prediction and gradient") func wholeNetwork() throws {
        for (notation, inputs, samples) in Self.networks + [("sequence(4) [linear(3) tanh] * 3 linear(2)", 8, 3)] where !notation.contains("batchnorm") {
            let model = try Model(Network(notation), inputs: inputs, outputs: notation.hasSuffix("linear(4)") ? 4 : 2, seed: 4)
            let x = try normalSamples(samples, inputs, seed: 5), width = model.outputs * (model.outputSteps ?? 1)
            let y = normals(samples * width, seed: 6)
            let pass = try DepthPass(model, x), targets = Samples.Targets.values(y, width: width)
            #expect(try pass.outputs == model.predict(x), "\(notation)")
            let error = try pass.lossError(.meanSquaredError, targets: targets)
            for (value, (output, target)) in zip(error, zip(pass.outputs, y)) {
                #expect(abs(value - 2 * (output - target) / Float(y.count)) < 1e-6)
            }
        }
    }

    @Test("A signal's norms are those of the training's own backward pass") func signalNorms() throws {
        // Steps are single layers here, so that h₁ … h_L are where the loss's gradient can be asked for: as inputs of the rest of the network.
        let notation = "linear(9) tanh linear(7) relu linear(4)", model = try Model(Network(notation), inputs: 5, seed: 3)
        let x = normals(15, seed: 8), targets = Samples.Targets.values(normals(12, seed: 9), width: 4)
        let samples = try Samples(columns: 5, features: .floats(x), targets: targets), pass = try DepthPass(model, samples)
        let norms = try pass.logSquaredNorms(ofError: pass.lossError(.meanSquaredError, targets: targets))
        let gradients = try model.gradients(of: samples, loss: .meanSquaredError)
        // ∂L/∂x, by one more step, and ∂L/∂W of the first layer's bias = Σ over samples: the first from J₁ᵀ.
        let segment = try Segment(model, layers: 0..<5, rows: 3)
        _ = segment.forward(x)
        let whole = segment.products(try pass.lossError(.meanSquaredError, targets: targets))
        for (a, b) in zip(whole, gradients.inputs) { #expect(abs(a - b) <= 1e-6) }
        #expect(norms.count == 3)
        let rest = try Segment(model, layers: 2..<5, rows: 3)
        _ = rest.forward(pass.signals[1])
        let atFirst = rest.products(try pass.lossError(.meanSquaredError, targets: targets))
        #expect(abs(norms[0] - log(atFirst.reduce(0) { $0 + Double($1) * Double($1) })) < 1e-5)
    }

    @Test("A forward pass that overflows is told by its step") func overflow() throws {
        let model = try Model(Network("[linear(16, init: gaussian(1000)) relu] * 20 linear(1)"), inputs: 16)
        let pass = try DepthPass(model, normalSamples(1, 16)), step = try #require(pass.overflow)
        #expect(step > 5 && step < 20 && pass.signals.count == step && pass.outputs.isEmpty)
        #expect(throws: FathomError.invalid("the forward pass overflows at step \(step); there is no gradient behind it")) { try DepthSpectrum(pass) }
        #expect(throws: FathomError.self) { try DepthPass(Model(Network("relu"), inputs: 2), normalSamples(1, 2)) }
        #expect(throws: FathomError.self) { try DepthPass(model, normalSamples(1, 3)) }
    }

    @Test("A wide Jacobian is not written out, but measured by its products") func wide() throws {
        let model = try Model(Network("linear(1100, bias: false) linear(1100, bias: false)"), inputs: 1100)
        let pass = try DepthPass(model, normalSamples(1, 1100)), map = pass.jacobianMap(2)
        #expect(throws: FathomError.self) { try pass.backwardFactor(2) }
        let weights = try #require(try model.parameters().last { $0.name == "1.weight" }), square = weights.values.reduce(0) { $0 + Double($1) * Double($1) }
        let norm = try map.squaredFrobeniusNorm(probes: 8)
        #expect(abs(norm.mean - square) < 4.5 * norm.standardError + 0.01 * square)
        // A square Gaussian matrix: σ_max → 2 (Bai & Yin 1993), here times the deviation that lecun or glorot give, 1/√1100.
        let largest = try map.largestSingularValues(steps: 12)
        #expect(largest[0] > 1.9 && largest[0] < 2.05)
        let summary = try pass.jacobianSummary(2)
        #expect(summary.smallest == nil && summary.condition == nil && abs(summary.largest - 2) < 0.1 && abs(summary.meanSquare - 1) < 0.1)
    }

    @Test("A layer's summary is that of its weights where it is linear, and layers are asked one by one") func summary() throws {
        let model = try Model(Network("linear(6, bias: false, init: orthogonal(1.5)) layernorm linear(8, bias: false, init: orthogonal(2))"), inputs: 6)
        let pass = try DepthPass(model, normalSamples(1, 6), steps: [0..<1, 1..<2, 2..<3])
        let first = try pass.jacobianSummary(1), norm = try pass.jacobianSummary(2), last = try pass.jacobianSummary(3)
        #expect(abs(first.largest - 1.5) < 1e-6 && abs((first.smallest ?? 0) - 1.5) < 1e-6 && abs(first.meanSquare - 2.25) < 1e-6)
        #expect(norm.smallest == 0 && norm.condition == .infinity)
        #expect(abs(last.largest - 2) < 1e-6 && abs((last.condition ?? 0) - 1) < 1e-6)
    }
}
