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
}
