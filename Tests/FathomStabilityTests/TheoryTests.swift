import Fathom
import FathomStability
import Foundation
import Testing

@Suite("Theory beside measurement") struct TheoryTests {
    /// A batch whose first step has its activation's input at variance q: then all steps are stationary.
    static func samples(_ count: Int, _ columns: Int, meanSquare: Double) throws -> Samples {
        let x = normals(count * columns, seed: 11), norm = (x.reduce(0) { $0 + Double($1) * Double($1) } / Double(x.count) / meanSquare).squareRoot()
        return try Samples(columns: columns, features: .floats(x.map { Float(Double($0) / norm) }), targets: .none)
    }

    static func rate(_ notation: String, _ samples: Samples, networks: Int, steps: ClosedRange<Int>) throws -> (rate: Double, standardError: Double) {
        let rate = try SignalRate(networks: networks, seed: 1, samples: samples) { try Model(Network(notation), inputs: samples.columns, seed: $0) }
        return try #require(rate.rate(over: steps))
    }

    static let plain: [(activation: Activation, weight: Double, bias: Double)] =
        [(.tanh, 1.5, 0.05), (.relu, 2, 0)] + (runsFullSizes ? [(.tanh, 2, 0.05), (.sigmoid, 4, 0.1), (.hardTanh, 1.5, 0.05), (.identity, 1, 0), (.elu(), 1.4, 0.2)] : [])

    /// One step's ln‖·‖² deviates by √((3E[φ′⁴]/E[φ′²]² − 1)/1000), 7 % for relu; over 24 steps, two networks or four and 16 samples that are partly independent, by
    /// less than 1 %.
    @Test("Networks 1,000 wide have the rate χ₁", arguments: plain) func meanField(example: (activation: Activation, weight: Double, bias: Double)) throws {
        let theory = MeanField(example.activation, weightVariance: example.weight, biasVariance: example.bias), point = try #require(theory.fixedPoint())
        let notation = "[linear(1000, init: gaussian(\(example.weight.squareRoot()), bias: \(example.bias.squareRoot()))) \(example.activation)] * 25 linear(10)"
        let inputs = try Self.samples(16, 1000, meanSquare: (point.variance - example.bias) / example.weight)
        let found = try Self.rate(notation, inputs, networks: runsFullSizes ? 4 : 2, steps: 1...25)
        #expect(abs(found.rate / point.chi - 1) < 0.02, "\(example): \(found), theory \(point.chi)")
        if runsFullSizes { print("width 1000, \(example.activation): \(found.rate) ± \(found.standardError), χ₁ \(point.chi)") }
        let step = try #require(try StepTheory(Model(Network(notation), inputs: 1000, seed: 5)))
        // The weights' own variance is within 2e-4 of what it was drawn with; of relu that decides between 0 and ∞.
        #expect(abs(step.rate / point.chi - 1) < 0.01)
        if example.activation != .relu && example.activation != .identity { #expect(abs(step.variance / point.variance - 1) < 0.05) }
    }

    @Test("Theory goes by the weights, whatever stands in front of them, and by steps that are all alike") func steps() throws {
        func theory(_ notation: String) throws -> StepTheory? { try StepTheory(Model(Network(notation), inputs: 64, seed: 5)) }
        // Means of the squares of 4,096 weights and 64 biases: within 4.5 deviations of what they were drawn with.
        for norm in ["", "layernorm "] {
            let plain = try #require(try theory("[\(norm)linear(64) tanh] * 20 linear(10)")), dropped = try #require(try theory("[dropout(0.1) \(norm)linear(64) tanh] * 20 linear(10)"))
            #expect(abs(dropped.rate / plain.rate - 1) < 9 * (2.0 / 4096).squareRoot() && abs(dropped.variance / plain.variance - 1) < 0.3)
        }
        #expect(try theory("linear(64) sigmoid linear(64) sigmoid linear(10)") == nil && theory("linear(64) sigmoid linear(64) sigmoid") != nil)
        #expect(try theory("[linear(64, init: orthogonal) identity] * 20 linear(2)")?.depthScale == .infinity)
    }

    static let six: [Activation] = [.relu, .tanh, .gelu, .silu, .elu(), .sigmoid]

    @Test("Layer normalization's rate is E[φ′²]/E[φ²]", arguments: six) func layerNormalization(_ activation: Activation) throws {
        let width = runsFullSizes ? 1000 : 400
        for (form, text, start) in [
            (StepTheory.Form.normalizedBeforeActivation(.layer), "linear(\(width), init: gaussian(1)) layernorm \(activation)", 1),
            (.normalizedBeforeWeights(.layer), "layernorm linear(\(width), init: gaussian(1)) \(activation)", 2),
            (.normalizedBeforeWeights(.rms), "rmsnorm linear(\(width), init: gaussian(1)) \(activation)", 2),
        ].prefix(runsFullSizes || activation == .tanh ? 3 : 1) {
            let theory = try #require(StepTheory(form, activation, weightVariance: 1, biasVariance: 0))
            let found = try Self.rate("[\(text)] * 21 linear(10)", normalSamples(16, width), networks: runsFullSizes ? 4 : 3, steps: start...21)
            #expect(abs(found.rate / theory.rate - 1) < 0.03, "\(text): \(found), theory \(theory.rate)")
            if runsFullSizes { print("\(text): \(found.rate) ± \(found.standardError), theory \(theory.rate)") }
        }
    }

    /// One network's step deviates by √(2/width) or so, and 15 steps and all rows average it out; what is left is of order rows/width.
    @Test("Batch normalization explodes at the rate of theory", arguments: six) func batchNormalization(_ activation: Activation) throws {
        let width = runsFullSizes ? 3000 : 600, form = StepTheory.Form.normalizedBeforeActivation(.batch(momentum: 0.1))
        let limit = try #require(StepTheory(form, activation, weightVariance: 1, biasVariance: 0))
        if activation == .relu { #expect(abs(limit.rate - .pi / (.pi - 1)) < 1e-12) }
        for batch in runsFullSizes ? [16, 64, 128] : [16] {
            let text = "[linear(\(width), init: gaussian(1)) batchnorm(epsilon: 1e-9) \(activation)] * 24 linear(10)"
            let theory = try #require(try StepTheory(Model(Network(text), inputs: width), batch: batch))
            let found = try Self.rate(text, normalSamples(batch, width), networks: runsFullSizes ? 3 : 1, steps: 6...20)
            #expect(abs(found.rate / theory.rate - 1) < 0.03, "\(activation), batch \(batch): \(found), theory \(theory.rate)")
            #expect(abs(theory.rate / limit.rate - 1) < 4 / Double(batch))
            if runsFullSizes { print("batchnorm \(activation), batch \(batch): \(found.rate) ± \(found.standardError), theory \(theory.rate), limit \(limit.rate)") }
        }
        #expect(StepTheory(form, activation, weightVariance: 1, biasVariance: 0, batch: 3) == nil)
    }

    @Test("Linear batch normalization explodes at (B − 2)/(B − 3)", arguments: [5, 8, 20]) func linearBatchNormalization(batch: Int) throws {
        let text = "[linear(600, init: gaussian(1)) batchnorm(epsilon: 1e-12)] * 24 linear(10)"
        let found = try Self.rate(text, normalSamples(batch, 600), networks: runsFullSizes ? 6 : 3, steps: 3...22), theory = Double(batch - 2) / Double(batch - 3)
        let form = StepTheory.Form.normalizedBeforeActivation(.batch(momentum: 0.1))
        #expect(abs(try #require(StepTheory(form, .identity, weightVariance: 1, biasVariance: 0, batch: batch)).rate / theory - 1) < 1e-12)
        #expect(abs(found.rate / theory - 1) < 0.03, "batch \(batch): \(found), theory \(theory)")
        if runsFullSizes { print("linear batchnorm, batch \(batch): \(found.rate) ± \(found.standardError), theory \(theory)") }
    }

    @Test("An activation given by its values has the theory of the library's own") func given() throws {
        for activation in [Activation.tanh, .gelu, .sigmoid, .softplus] {
            let given = GivenActivation("given") { activation.function($0).value }
            let own = MeanField(activation, weightVariance: 1.5, biasVariance: 0.05), start = 1.0
            #expect(abs(given.chi(at: 0.7, weightVariance: 1.5) - own.chi(at: 0.7)) < 1e-8)
            let point = given.fixedPoint(weightVariance: 1.5, biasVariance: 0.05, from: start), expected = own.fixedPoint(from: start)
            #expect((point == nil) == (expected == nil))
            if let point, let expected { #expect(abs(point.variance - expected.variance) < 1e-8 && abs(point.chi - expected.chi) < 1e-8) }
        }
        // The critical line of tanh, to six digits.
        let critical = try GivenActivation("given") { tanh($0) }.critical(biasVariance: 0.05)
        #expect(abs(critical.weightVariance - 1.760955) < 5e-7 && abs(critical.point.variance - 0.570048) < 5e-7)
        let relu = try GivenActivation("rectifier", points: [(-1, 0), (0, 0), (1, 1)])
        #expect(try relu.critical(biasVariance: 0).weightVariance == 2)
        #expect(abs(relu.chi(at: 3, weightVariance: 1.7) - 0.85) < 1e-12)
        let hard = try GivenActivation("clip", points: [(-2, -1), (-1, -1), (1, 1), (2, 1)])
        #expect(abs(hard.chi(at: 2.3, weightVariance: 1) - MeanField(.hardTanh, weightVariance: 1, biasVariance: 0).chi(at: 2.3)) < 1e-12)
        #expect(throws: FathomError.invalid("points 1 and 2 of the table of x are not finite with rising x")) { try GivenActivation("x", points: [(1, 0), (0, 0)]) }
    }

    /// 40 networks: a variance has a relative deviation of √(2/39), 23 %.
    @Test("Finite width makes ln‖·‖² fluctuate as theory says", arguments: [Activation.identity, .relu]) func fluctuation(_ activation: Activation) throws {
        let weight = activation == .relu ? 2.0 : 1, text = "[linear(64, bias: false, init: gaussian(\(weight.squareRoot()))) \(activation)] * 21 linear(1)"
        let rate = try SignalRate(networks: 40, seed: 3, samples: normalSamples(1, 64)) { try Model(Network(text), inputs: 64, seed: $0) }
        let found = rate.fluctuation(), theory = 20 * MeanField(activation, weightVariance: weight, biasVariance: 0).fluctuation(at: 1, width: 64)
        #expect(abs(theory - 20 * (activation == .relu ? 5 : 2) / 64) < 1e-12)
        #expect(abs(found.deviation * found.deviation / theory - 1) < 0.7)
    }

    @Test("Partial Jacobians tell the critical point from what is beside it") func partialJacobians() throws {
        func measure(_ weight: Double) throws -> PartialJacobians {
            let text = "[linear(300, bias: false, init: gaussian(\(weight.squareRoot()))) relu] * 31 linear(1)"
            return try PartialJacobians((0..<4).map { try DepthPass(Model(Network(text), inputs: 300, seed: $0), normalSamples(8, 300)) })
        }
        let critical = try measure(2), ordered = try measure(1.7), chaotic = try measure(2.4)
        #expect(critical.isCritical && !ordered.isCritical && !chaotic.isCritical)
        #expect(abs(ordered.rate.mean - log(0.85)) < 0.02 && abs(chaotic.rate.mean - log(1.2)) < 0.02 && abs(critical.rate.mean) < 0.02)
        // At k = 0 it is the probe's own norm: 1, to √(2/2400).
        #expect(critical.logNorms.allSatisfy { abs($0[0]) < 0.15 })
        // The critical tanh without biases has χ₁ → 1 as 1 − 1/l from its input on: a power law, no exponential (q falls as 1/l).
        let text = "[linear(300, bias: false, init: gaussian(1)) tanh] * 61 linear(1)"
        let power = try PartialJacobians((0..<4).map { try DepthPass(Model(Network(text), inputs: 300, seed: $0), normalSamples(8, 300)) })
        #expect(power.logNorms[0][60] < -2 && power.rate.mean < 0 && power.rate.mean > -0.15)
    }
}
