import Fathom
import FathomStability
import Foundation
import Testing

@Suite("Cures and advice") struct AdviceTests {
    @Test("Cures are this very network, changed") func cures() throws {
        let cures = try Network("linear(8, init: normal(0.01)) [linear(8, bias: false, init: normal(0.01)) sigmoid] * 4 linear(outputs)").cures
        func network(_ change: String) -> String? { cures.first { $0.change == change }?.network.description }
        #expect(network("init: he") == "linear(8, init: he) [linear(8, bias: false, init: he) sigmoid] * 4 linear(outputs, init: he)")
        #expect(network("the init that fits each activation") == "linear(8) [linear(8, bias: false) sigmoid] * 4 linear(outputs)")
        #expect(network("relu and init: he") == "linear(8, init: he) [linear(8, bias: false, init: he) relu] * 4 linear(outputs, init: he)")
        #expect(network("layernorm before each activation") == "linear(8) [linear(8, bias: false) layernorm sigmoid] * 4 linear(outputs)")
        #expect(network("residual(rezero) around each step") == "linear(8) residual(rezero)[linear(8, bias: false) sigmoid] * 4 linear(outputs)")
        let normed = try Network("[linear(8) batchnorm relu] * 3 linear(2)").cures
        #expect(normed.contains { $0.network.description == "[linear(8) relu] * 3 linear(2)" })
        #expect(!normed.contains { $0.change.contains("layernorm") })
        let blocks = try Network("linear(8) residual[linear(8) relu] * 3 linear(2)").cures
        #expect(blocks.contains { $0.network.description == "linear(8) residual(rezero)[linear(8) relu] * 3 linear(2)" })
        // Layer normalization makes one number 0.
        #expect(try !Network("[linear(1) tanh] * 5 linear(1)").cures.contains { $0.change.contains("layernorm") })
        #expect(try Network("linear(8) tanh linear(8) tanh linear(1)").cures.contains { $0.change.contains("layernorm") })
    }

    @Test("The best advice is stable, for networks sick in different ways", arguments: [
        "[linear(32) sigmoid] * 20 linear(2)", "[linear(32, init: normal(0.01)) relu] * 20 linear(2)", "[linear(32) batchnorm relu] * 20 linear(2)",
        "[linear(32, init: gaussian(3)) tanh] * 20 linear(2)", "sequence(4) rnn(16, tanh) [linear(16) sigmoid] * 20 last linear(2)",
    ]) func best(notation: String) throws {
        let network = try Network(notation), advice = try Advice.all(for: network, samples: normalSamples(16, 32), seed: 1)
        let first = try #require(advice.first)
        #expect(first.judgement.verdict == .stable && first.distance < 2 && first.distance <= (advice.last?.distance ?? 0))
        #expect(advice.count >= 6 && zip(advice, advice.dropFirst()).allSatisfy { ($0.judgement.verdict == .stable) || ($1.judgement.verdict != .stable) })
    }

    @Test("What comes to the same is said once") func same() throws {
        let advice = try Advice.all(for: Network("[linear(24, init: normal(0.01)) relu] * 12 linear(2)"), samples: normalSamples(8, 24), seed: 1)
        let changes = advice.map(\.cure.change)
        // He's and the critical initialization of relu are one, and the one that fits it.
        #expect(changes.count { ["init: he", "init: critical", "the init that fits each activation"].contains($0) } == 1, "\(changes)")
        #expect(changes.contains("residual(rezero) around each step") && changes.contains("residual(rezero) with layernorm around each step"))
    }

    @Test("Recurrent cells have cures of their own, judged over time") func recurrent() throws {
        let network = try Network("sequence(30) rnn(12, tanh, recurrent: gaussian(0.4)) last linear(2)"), cures = network.cures
        for (change, notation) in [
            ("recurrent: orthogonal", "sequence(30) rnn(12, tanh) last linear(2)"),
            ("relu and recurrent: identity", "sequence(30) rnn(12, relu, recurrent: identity) last linear(2)"),
            ("lstm with chrono: 30", "sequence(30) lstm(12, chrono: 30) last linear(2)"), ("gru", "sequence(30) gru(12) last linear(2)"),
        ] { #expect(cures.first { $0.change == change }?.network.description == notation) }
        let advice = try Advice.all(for: network, samples: normalSamples(16, 60), seed: 1), first = try #require(advice.first)
        #expect(first.judgement.verdict == .stable && first.judgement.because.hasPrefix("over 29 time steps"))
        #expect(["relu and recurrent: identity", "lstm with chrono: 30", "gru with chrono: 30"].contains(first.cure.change), "\(first.cure.change)")
    }

    @Test("A network that is not wide is told of exactly, as its spectrum is", arguments: [
        "sequence(28) rnn(16, relu, recurrent: orthogonal(1.5)) last linear(2)", "[linear(28) tanh] * 12 linear(2)",
    ]) func exact(notation: String) throws {
        let samples = try normalSamples(8, 28), model = try Model(Network(notation), inputs: 28, seed: 3), isOverTime = model.network.inputSteps != nil
        let advice = try Advice(Cure(change: "as it is", network: model.network), model, samples)
        let spectrum = isOverTime ? try DepthSpectrum(RecurrentPass(model, samples.selecting(0..<1))) : try DepthSpectrum(DepthPass(model, samples))
        #expect(advice.isOverTime == isOverTime && !advice.isProbed && advice.judgement == Judgement(spectrum))
        #expect(advice.logLargest == spectrum.logLargest && advice.logRMS == spectrum.logRMS)
    }

    @Test("Probes leave an isometry as it is, and beside it nothing that is none is nearer") func isometry() throws {
        let wide = try Network("[linear(300) tanh] * 10 linear(2)"), advice = try Advice.all(for: wide, samples: normalSamples(8, 300), seed: 1)
        let rezero = try #require(advice.first { $0.cure.change == "residual(rezero) around each step" })
        #expect(rezero.isProbed && abs(rezero.logRMS) < 1e-6 && abs(rezero.logLargest) < 1e-6)
        #expect(advice.allSatisfy { $0.logLargest >= $0.logRMS })
        let scalar = try Advice.all(for: Network("[linear(1) tanh] * 20 linear(1)"), samples: normalSamples(8, 1), seed: 0)
        #expect(scalar.first?.cure.change == "residual(rezero) around each step")
    }

    @Test("The initializer that layers do not say can be cured, too") func initializer() throws {
        let network = try Network("[linear(16) tanh] * 30 linear(2)")
        #expect(network.cures(initializer: nil) == network.cures)
        let cures = network.cures(initializer: Initializer(.torch))
        #expect(cures.first { $0.change == "the init that fits each activation" }?.network == network)
        #expect(cures.first { $0.change.hasPrefix("layernorm") }?.network.description == "[linear(16) layernorm tanh] * 30 linear(2)")
    }
}
