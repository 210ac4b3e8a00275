import Fathom
import Testing

@Suite("Initializers")
struct InitializerTests {
    @Test("Variances are those of the papers") func variances() {
        func variance(_ initializer: Initializer, following activation: Activation? = nil) -> Double {
            switch initializer.draw(fanIn: 300, fanOut: 100, following: activation) {
            case .normal(let deviation): deviation * deviation
            case .uniform(let bound): bound * bound / 3
            case .orthogonal, .zeros: .nan
            }
        }
        // A square root and its square: two roundings, and one of a division.
        func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 4 * b.ulp }
        #expect(close(variance(.he), 2.0 / 300))
        #expect(close(variance(.he, following: .relu), 2.0 / 300))
        #expect(close(variance(.he, following: .leakyReLU(slope: 0.5)), 2 / (1.25 * 300)))
        #expect(close(variance(Initializer(.he(.uniform)), following: .leakyReLU(slope: 1)), 1.0 / 300))
        #expect(close(variance(.glorot), 2.0 / 400))
        #expect(close(variance(Initializer(.glorot(.uniform))), 2.0 / 400))
        #expect(close(variance(.lecun), 1.0 / 300))
        #expect(close(variance(Initializer(.lecun(.uniform))), 1.0 / 300))
        #expect(close(variance(Initializer(.gaussian(deviation: 1.33))), 1.33 * 1.33 / 300))
        #expect(close(variance(Initializer(.normal(deviation: 0.02))), 0.0004))
        // Glorot & Bengio's equation 16 as it is printed: √6/√(fan_in + fan_out).
        if case .uniform(let bound) = Initializer(.glorot(.uniform)).draw(fanIn: 300, fanOut: 100, following: nil) {
            #expect(close(bound, (6.0 / 400).squareRoot()))
        } else {
            Issue.record("glorot(uniform) is not uniform")
        }
        #expect(Initializer(.orthogonal(gain: 1.05)).draw(fanIn: 3, fanOut: 4, following: .relu) == .orthogonal(gain: 1.05))
        #expect(Initializer.zeros.draw(fanIn: 3, fanOut: 4, following: .relu) == .zeros)
    }

    @Test("The default fits the activation that follows", arguments: [
        (.relu, "he"), (.leakyReLU(), "he"), (.elu(), "he"), (.gelu, "he"), (.geluTanh, "he"), (.silu, "he"), (.softplus, "he"), (.selu, "lecun"),
        (.tanh, "glorot"), (.sigmoid, "glorot"), (.hardTanh, "glorot"), (.identity, "glorot"), (nil, "glorot"),
    ] as [(Activation?, String)])
    func fitting(activation: Activation?, initializer: String) throws {
        #expect(Initializer.fitting(activation).description == initializer)
    }
}
