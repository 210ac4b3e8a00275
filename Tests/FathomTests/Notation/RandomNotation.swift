@testable import Fathom

/// SplitMix64 (Steele et al. 2014): a small generator with a printed seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Random values of every kind that the notation writes.
struct RandomValues {
    var random: SplitMix

    init(seed: UInt64) { random = SplitMix(state: seed) }

    mutating func coin() -> Bool { Bool.random(using: &random) }

    /// Round numbers, and numbers with all 17 digits, from 1e-30 to 1e30.
    mutating func positive() -> Double {
        let round = [1, 0.5, 0.1, 0.001, 1e-5, 1e-8, 2, 100, 1e6, 1e17, 1e30, 1e-30, 0.1 + 0.2]
        if coin() { return round.randomElement(using: &random)! }
        return Double.random(in: 1..<10, using: &random) * round.randomElement(using: &random)!
    }

    mutating func fraction() -> Double { coin() ? 0.9 : Double.random(in: 0..<0.999, using: &random) }
    mutating func notNegative() -> Double { coin() ? 0 : positive() }

    mutating func initializer(biased: Bool = true) -> Initializer {
        let distribution: Initializer.Distribution = coin() ? .normal : .uniform
        let weights: Initializer.Weights = [
            .he(distribution), .glorot(distribution), .lecun(distribution), .orthogonal(gain: coin() ? 1 : positive()),
            .gaussian(deviation: notNegative()), .normal(deviation: notNegative()), .uniform(bound: notNegative()),
            .identity(gain: coin() ? 1 : positive()), .zeros, .critical(), .critical(bias: biased ? notNegative() : 0), .lsuv, .fixup, .torch,
        ].randomElement(using: &random)!
        return switch weights {
        case .critical, .lsuv, .fixup, .torch: Initializer(weights)
        default: Initializer(weights, bias: biased ? notNegative() : 0)
        }
    }

    mutating func layer() -> any Layer {
        if coin() {
            let bias = coin()
            return Linear(
                width: coin() ? .outputs : .number(Int.random(in: 1...Linear.widest, using: &random)), bias: bias,
                initializer: coin() ? nil : initializer(biased: bias))
        }
        return [
            Activation.identity, .relu, .leakyReLU(slope: Double.random(in: 0...1, using: &random)), .elu(alpha: coin() ? 1 : positive()), .selu, .gelu,
            .geluTanh, .silu, .tanh, .sigmoid, .softplus, .hardTanh,
        ].randomElement(using: &random)!
    }

    /// One to three elements, groups nested up to `depth` deep.
    mutating func elements(depth: Int) -> [Network.Element] {
        (0..<Int.random(in: 1...3, using: &random)).map { _ in
            depth == 0 || coin()
                ? .layer(layer())
                : .repeated(elements(depth: depth - 1), times: Int.random(in: 2...4, using: &random))
        }
    }

    mutating func optimizer() -> Optimizer {
        switch Int.random(in: 0..<5, using: &random) {
        case 0:
            let momentum = coin() ? 0 : fraction()
            return .sgd(learningRate: positive(), momentum: momentum, nesterov: momentum > 0 && coin(), decay: notNegative())
        case 1:
            return .adam(learningRate: positive(), beta1: fraction(), beta2: fraction(), epsilon: coin() ? 1e-8 : positive())
        case 2:
            return .rmsProp(
                learningRate: positive(), rho: fraction(), momentum: coin() ? 0 : fraction(), epsilon: coin() ? 1e-8 : positive(), decay: notNegative())
        case 3: return .lion(learningRate: positive(), beta1: fraction(), beta2: fraction(), decay: notNegative())
        default:
            return .adamW(
                learningRate: positive(), beta1: fraction(), beta2: fraction(), epsilon: coin() ? 1e-8 : positive(), decay: notNegative())
        }
    }

    mutating func length() -> Schedule.Length {
        [.steps(0), .steps(Int.random(in: 1...1_000_000_000, using: &random)), .share(Double.random(in: 0.001..<0.5, using: &random))]
            .randomElement(using: &random)!
    }

    mutating func schedule() -> Schedule {
        let count = Int.random(in: 1...1_000_000_000, using: &random), end = coin() ? 0 : fraction()
        return [
            .constant, Schedule(.constant, warmup: length()), .linear(warmup: length(), end: end), .cosine(warmup: length(), end: end),
            .step(epochs: count, factor: positive(), warmup: length()), .oneCycle(), .oneCycle(warmup: length(), start: fraction(), end: end),
            .warmupStableDecay(warmup: length(), decay: length(), end: end), .plateau(),
            .plateau(factor: Double.random(in: 0.001..<0.999, using: &random), patience: count, threshold: end, warmup: length()),
        ].randomElement(using: &random)!
    }

    /// Up to three stages in an order in which none is idle.
    mutating func clipping() -> Clipping {
        let count = Int.random(in: 2...1_000_000_000, using: &random)
        let all: [Clipping.Stage] = [
            .timeNorm(positive()), .value(positive()), .unitNorm(positive()), .adaptive(positive(), floor: coin() ? 0.001 : positive()),
            .tensorNorm(positive()), .norm(positive()), .percentile(100 * fraction(), window: coin() ? nil : count),
            .zscore(positive(), decay: fraction(), warmup: coin() ? 25 : count),
        ]
        return Clipping(all.filter { _ in Int.random(in: 0..<4, using: &random) == 0 })
    }

    mutating func loss() -> Loss {
        let weights: ClassWeights? = [nil, .balanced, .classes([notNegative(), notNegative(), positive()])].randomElement(using: &random)!
        return [
            .crossEntropy, .crossEntropy(smoothing: coin() ? 0 : fraction(), weights: weights), .meanSquaredError, .meanAbsoluteError, .binaryCrossEntropy,
            .huber(), .huber(delta: positive()),
        ].randomElement(using: &random)!
    }

    /// The text with white space put in and taken out where it is free.
    mutating func respaced(_ text: String) -> String {
        let space = [" ", "  ", "\n", "\t", "\r\n", "\u{A0}"]
        return text.map { character in
            guard "()[],:* ".contains(character) else { return String(character) }
            let blank = coin() ? "" : space.randomElement(using: &random)!
            // Between names white space is needed; around brackets and signs it is free.
            return character == " " ? " " + blank : blank + String(character) + (coin() ? "" : space.randomElement(using: &random)!)
        }.joined()
    }

    /// A valid text with characters dropped, doubled, swapped and put in, or a soup of pieces.
    mutating func garbled(_ text: String) -> String {
        let pieces = [
            "linear", "relu", "(", ")", "[", "]", "*", ",", ":", "=", "10", "-1", "1e999", "0", "outputs", "bias", "init", "he", "adamw", "sgd", "norm",
            "0.1", "true", " ", "\n", "\"", "é", "🙂", "\u{0}", "\u{200B}", "e", ".", "1e-400", "999999999999999999999", "decay", "cosine", "σ",
        ]
        if coin() {
            return (0..<Int.random(in: 0...12, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined()
        }
        var characters = Array(text)
        for _ in 0..<Int.random(in: 1...3, using: &random) where !characters.isEmpty {
            let index = Int.random(in: 0..<characters.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: characters.remove(at: index)
            case 1: characters.insert(characters[index], at: index)
            case 2: characters.swapAt(index, Int.random(in: 0..<characters.count, using: &random))
            default: characters.insert(contentsOf: pieces.randomElement(using: &random)!, at: index)
            }
        }
        return String(characters)
    }
}
