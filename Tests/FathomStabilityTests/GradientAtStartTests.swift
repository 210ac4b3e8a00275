import Fathom
@testable import FathomStability
import Foundation
import Testing

@Suite("The gradient at the start") struct GradientAtStartTests {
    static func start(_ notation: String, inputs: Int, rows: Int = 64) throws -> GradientAtStart {
        try GradientAtStart(Model(Network(notation), inputs: inputs, seed: 1), normalSamples(rows, inputs))
    }

    /// 0.5^20, the same for every error signal: orthogonal weights are so to about 1e-7 in each of 19 steps.
    @Test("It is the gain of every error signal where there is but one") func orthogonal() throws {
        let start = try Self.start("linear(24) [linear(24, init: orthogonal(0.5))] * 20 linear(3)", inputs: 7), expected: Double = -19 * log10(2)
        #expect(abs(start.log10Gain - expected) < 1e-5)
        #expect(start.steps == 20 && start.verdict == .vanishing && start.overflow == nil)
    }

    /// One linear map: 16 probes of ‖J‖²_F, of relative error √(2Σσ⁴/(Σσ²)²/16) at most √(2/16), half of that in the root; 4.5 of them, in decades.
    @Test("It is the root mean square of the exact spectrum", arguments: [
        "[linear(48, bias: false)] * 12 linear(3)", "[linear(48, bias: false, init: gaussian(2))] * 12 linear(3)", "linear(48) linear(20, init: normal(0.01))",
        "linear(20, init: normal(0.3))",
    ]) func rootMeanSquare(notation: String) throws {
        let model = try Model(Network(notation), inputs: 48, seed: 2), samples = try normalSamples(16, 48)
        let exact = try DepthSpectrum(DepthPass(model, samples)), start = try GradientAtStart(model, samples)
        let exactGain = exact.logRMS / log(10), tolerance: Double = 4.5 * 0.354 / 2 / log(10), difference = abs(start.log10Gain - exactGain)
        #expect(difference < tolerance, "\(start), exact \(exactGain)")
        #expect(start.verdict == Verdict(logLargest: exact.logRMS, logMedian: nil, logRMS: exact.logRMS))
    }

    @Test("It neither underflows nor overflows in a hundred steps") func faraway() throws {
        let small = try Self.start("[linear(16, init: orthogonal(0.1))] * 101 linear(1)", inputs: 16)
        #expect(abs(small.log10Gain + 100) < 1e-4 && small.verdict == .vanishing)
        let large = try Self.start("[linear(16, init: orthogonal(10))] * 31 linear(1)", inputs: 16)
        #expect(abs(large.log10Gain - 30) < 1e-4 && large.verdict == .exploding)
        let gone = try Self.start("[linear(16, init: zeros) relu] * 4 linear(1)", inputs: 16)
        #expect(gone.log10Gain == -.infinity && gone.verdict == .vanishing && gone.sentence().contains("×0 over 4 layers: vanishing"))
    }

    @Test("Batch normalization without skips explodes, with 64 rows as with many") func mixed() throws {
        let start = try Self.start("[linear(64) batchnorm relu] * 50 linear(10)", inputs: 64, rows: 100)
        // 49 steps of ½·log₁₀ of the rate, of 64 rows 1.49; widths of 64 leave it some percent above.
        let expected: Double = 24.5 * log10(1.49)
        #expect(abs(start.log10Gain / expected - 1) < 0.2, "\(start), expected \(expected)")
        #expect(start.verdict == .exploding && start.noun == "layer")
    }

    @Test("Over time it is ρᵀ where W is ρ times orthogonal") func time() throws {
        let start = try Self.start("sequence(101) rnn(24, identity, init: orthogonal(0.9), recurrent: orthogonal(0.9)) last linear(2)", inputs: 303)
        let expected: Double = 100 * log10(0.9)
        #expect(abs(start.log10Gain - expected) < 1e-3)
        #expect(start.steps == 101 && start.noun == "time step")
        #expect(start.sentence() == "gradient at the start: ×2.7e-5 over 101 time steps: vanishing. fathom-profiler gradients … shows cures")
    }

    @Test("The sentence has the gain, the steps, the verdict, and where the cures are") func sentence() throws {
        #expect(GradientAtStart(logGain: log(3.2e-9), steps: 64, noun: "layer").sentence()
            == "gradient at the start: ×3.2e-9 over 64 layers: vanishing. fathom-profiler gradients … shows cures")
        #expect(GradientAtStart(logGain: log(700), steps: 1, noun: "block").sentence(arguments: "recipe.yaml")
            == "gradient at the start: ×700 over 1 block: exploding. fathom-profiler gradients recipe.yaml shows cures")
        #expect(GradientAtStart(logGain: 0, steps: 2, noun: "step of depth").sentence() == "gradient at the start: ×1 over 2 steps of depth: stable")
        let overflow = try Self.start("[linear(16, init: gaussian(1000)) relu] * 20 linear(1)", inputs: 16), step = try #require(overflow.overflow)
        #expect(overflow.sentence()
            == "gradient at the start: the forward pass overflows at layer \(step) of 20: exploding. fathom-profiler gradients … shows cures")
        #expect(overflow.log10Gain == .infinity && overflow.verdict == .exploding)
    }

    @Test("Thresholds are those of the verdict") func thresholds() {
        let cases: [(Double, Verdict)] = [(20.000001, .exploding), (19.9, .stable), (0.0501, .stable), (0.0499, .vanishing)]
        for (gain, verdict) in cases {
            #expect(GradientAtStart(logGain: log(gain), steps: 3, noun: "layer").verdict == verdict)
        }
    }

    @Test("What a step is called") func nouns() throws {
        let cases: [(String, String)] = [
            ("[linear(4) relu] * 3 linear(1)", "layer"), ("linear(4) residual[linear(4)] * 3 linear(1)", "block"),
            ("[linear(4) tanh linear(4)] * 3", "step of depth"), ("linear(4) residual[linear(4)]", "step of depth"),
        ]
        for (notation, noun) in cases {
            #expect(try Network(notation).nounOfStep == noun)
        }
    }
}
