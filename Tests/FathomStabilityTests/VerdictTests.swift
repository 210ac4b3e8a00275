import Fathom
@testable import FathomStability
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

    /// Of a critical network two factors lie to one side of 0 often enough, and near each other.
    @Test("Few steps leave open what more would do, unless they agree") func few() {
        func because(_ growth: [[Double]]) -> String {
            Judgement(growth.count, isOverTime: false, logLargest: 1, logMedian: 0, logRMS: 0, lyapunov: LyapunovSpectrum(growth: growth)).because
        }
        #expect(because([[0.16], [0.07]]).hasSuffix("+0.115 ± 0.04 nats a step, leaves open what more depth would do"))
        #expect(because([[0.116], [0.114]]).hasSuffix("says that it would explode without limit in more depth"))
        #expect(because([[-0.3], [-0.2], [-0.1]]).hasSuffix("leaves open what more depth would do"))
        #expect(because([[-0.3], [-0.25], [-0.2], [-0.3], [-0.25]]).hasSuffix("says that it would vanish in more depth"))
    }

    /// Two-sided 5 % points of Student's t, as printed in tables.
    @Test("Student's t is that of the tables", arguments: [(1, 12.7062), (2, 4.30265), (3, 3.1824), (4, 2.7764), (6, 2.4469), (10, 2.2281), (30, 2.0423), (1000, 1.9623)])
    func student(degrees: Int, value: Double) {
        #expect(abs(studentQuantile(degreesOfFreedom: degrees) / value - 1) < (degrees < 3 ? 1e-5 : 0.01))
        #expect(studentQuantile(degreesOfFreedom: 0) == .infinity)
    }

    @Test("Half of all directions may come to nothing") func nothing() {
        let because = Judgement(5, isOverTime: false, logLargest: 9, logMedian: -.infinity, logRMS: 8, lyapunov: LyapunovSpectrum(growth: [])).because
        #expect(because.contains("while half of all directions come to nothing"))
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
