import Fathom
import FathomStability
import Foundation
import Testing

@Suite("Verdicts") struct VerdictTests {
    static let cases: [(network: String, verdict: Verdict)] = [
        ("[linear(32) sigmoid] * 20 linear(2)", .vanishing),
        ("[linear(32, init: gaussian(3), bias: false)] * 20 linear(2)", .exploding),
        ("[linear(32, init: orthogonal) tanh] * 4 linear(2)", .stable),
        ("[linear(32, init: gaussian(1.25), bias: false)] * 40 linear(2)", .vanishingAndExploding),
    ]

    @Test("Known networks have their verdicts, exact and by probes", arguments: cases) func known(example: (network: String, verdict: Verdict)) throws {
        let pass = try DepthPass(Model(Network(example.network), inputs: 32, seed: 1), normalSamples(1, 32))
        let exact = try DepthSpectrum(pass), judgement = Judgement(exact)
        #expect(judgement.verdict == example.verdict, "\(judgement.because)")
        let probed = try ProbedSpectrum(pass, directions: 6, probes: 64)
        // 64 probes of an rms that a few directions make: within √(2/64)/2 · 4.5 at most; the largest from below, the vectors off by differences.
        #expect(abs(probed.logRMS.mean - exact.logRMS) < max(0.4, 5 * probed.logRMS.standardError))
        #expect(probed.logLargest[0] < exact.logLargest + 1e-4 && probed.logLargest[0] > exact.logLargest - 0.2)
        if example.verdict != .vanishingAndExploding { #expect(Judgement(probed).verdict == example.verdict) }
    }

    @Test("The sentence has the numbers that decided") func sentence() throws {
        let pass = try DepthPass(Model(Network("[linear(32) sigmoid] * 20 linear(2)"), inputs: 32, seed: 1), normalSamples(1, 32))
        let because = Judgement(try DepthSpectrum(pass)).because
        #expect(because.hasPrefix("over 19 steps of depth a random error signal is left with ×"))
        #expect(because.contains("from ×0.05 down it vanishes") && because.hasSuffix("says that it would vanish in more depth"))
        #expect(Judgement(overflowAt: 3, of: 9).because == "the forward pass itself overflows at step 3 of 9")
        #expect(Judgement(overflowAt: 10, of: 9).because == "the forward pass itself overflows behind the last step")
    }

    @Test("The statement about more depth goes by the largest exponent, wherever QR has it") func unlimited() {
        let even: [Double] = [-0.2, 0.5], odd: [Double] = [-0.19, 0.51], growth = [even, odd, even, odd, even, odd, even, odd]
        let lyapunov = LyapunovSpectrum(growth: growth)
        let because = Judgement(8, isOverTime: true, logLargest: 4, logMedian: nil, logRMS: 3.5, lyapunov: lyapunov).because
        #expect(because.hasSuffix("the largest exponent, +0.505 ± 0.002 nats a step, says that it would explode without limit in more time"))
    }

    @Test("Thresholds are 20 and 1/20") func thresholds() {
        let at = log(20.0), below = at - 1e-9
        #expect(Verdict(logLargest: at, logMedian: -at, logRMS: 0) == .vanishingAndExploding)
        #expect(Verdict(logLargest: at, logMedian: -below, logRMS: at) == .exploding)
        #expect(Verdict(logLargest: at, logMedian: -.infinity, logRMS: -at) == .vanishingAndExploding)
        #expect(Verdict(logLargest: below, logMedian: -at, logRMS: -at) == .vanishing)
        #expect(Verdict(logLargest: below, logMedian: -at, logRMS: -below) == .stable)
    }

    @Test("Factors are written from their logarithms") func factors() {
        #expect(factorText(0) == "×1" && factorText(log(20)) == "×20" && factorText(log(0.05)) == "×0.05")
        #expect(factorText(-1000 * log(10) + log(3.24)) == "×3.2e-1000" && factorText(log(9.96e7)) == "×1.0e8")
        #expect(factorText(-.infinity) == "×0")
    }

    @Test("Batch normalization without skips explodes, by probes of the batch") func batchNormalization() throws {
        let pass = try DepthPass(Model(Network("[linear(64) batchnorm relu] * 24 linear(2)"), inputs: 64, seed: 1), normalSamples(32, 64))
        let probed = try ProbedSpectrum(pass)
        #expect(Judgement(probed).verdict == .exploding && probed.logLargest[0] > probed.logRMS.mean)
        // 23 steps of ½·ln(π/(π − 1)) and more, of directions of which few are gone.
        #expect(abs(probed.logRMS.mean / (11.5 * log(1.52)) - 1) < 0.25)
    }
}
