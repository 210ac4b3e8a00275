@testable import Fathom
import Foundation
import Testing

/// Against the C library, whose errors are below 1.2e-16 of the value for exp, log1p and expm1, 2e-16 for erfc.
@Suite("Elementary functions in float64")
struct ElementaryFunctionTests {
    private static func samples(_ range: ClosedRange<Double>) -> [Double] {
        var random = CounterRandom(seed: 4, stream: 4)
        let spread = (0..<20_000).map { _ in range.lowerBound + (range.upperBound - range.lowerBound) * random.uniform() }
        let small = spread.map { $0 * Double(sign: .plus, exponent: -Int(random.integer(below: 60)), significand: 1) }
        return spread + small.filter { range.contains($0) } + [range.lowerBound, range.upperBound]
    }

    @Test("The exponential is within 4e-16 of its value") func exponentials() {
        for x in Self.samples(-708...708.9) { #expect(abs(exponential(x) / exp(x) - 1) <= 4e-16, "\(x)") }
        #expect(exponential(0) == 1 && exponential(709) == .infinity && exponential(-.infinity) == 0 && exponential(.nan).isNaN)
        // Subnormal: to the last place.
        for x in Self.samples(-746 ... -708) { #expect(abs(exponential(x) - exp(x)) <= .leastNonzeroMagnitude, "\(x)") }
    }

    @Test("eˣ − 1 and ln(1 + x) are within 6e-16 of their values, next to 0 too") func nextToZero() {
        for x in Self.samples(-60...300) where x != 0 { #expect(abs(exponentialMinusOne(x) / expm1(x) - 1) <= 6e-16, "\(x)") }
        for x in Self.samples(0...1) where x > 0 { #expect(abs(logarithmOfOnePlus(x) / log1p(x) - 1) <= 6e-16, "\(x)") }
        #expect(exponentialMinusOne(0) == 0 && logarithmOfOnePlus(0) == 0)
    }

    @Test("The normal distribution function is within 5e-16, its tail within (4 + x²)·2e-16 of its value") func normals() {
        for x in Self.samples(-37...37) {
            let expected = 0.5 * erfc(-x / 2.0.squareRoot())
            #expect(abs(normalDistribution(x) - expected) <= 5e-16, "\(x)")
            // The rounding of x/√2 costs erfc as much again.
            if x < -3 { #expect(abs(normalDistribution(x) / expected - 1) <= (4 + x * x) * 4e-16, "\(x)") }
        }
        #expect(normalDistribution(0) == 0.5)
    }

    static let activations: [Activation] = [
        .identity, .relu, .leakyReLU(slope: 0.1), .elu(), .elu(alpha: 0.3), .selu, .gelu, .geluTanh, .silu, .tanh, .sigmoid, .softplus, .hardTanh,
    ]

    /// The formulas of Documentation/notation.md by the C library.
    private func reference(_ activation: Activation, _ x: Double) -> (value: Double, slope: Double) {
        let lambda = 1.0507009873554805, alpha = 1.6732632423543772, root = (2 / Double.pi).squareRoot()
        let normal = 0.5 * erfc(-x / 2.0.squareRoot()), sigmoid = 1 / (1 + exp(-x)), rest = 1 / (1 + exp(x))
        switch activation {
        case .identity: return (x, 1)
        case .relu: return (max(x, 0), x > 0 ? 1 : 0)
        case .leakyReLU(let slope): return (x > 0 ? x : slope * x, x > 0 ? 1 : slope)
        case .elu(let alpha): return (x > 0 ? x : alpha * expm1(x), x > 0 ? 1 : alpha * exp(x))
        case .selu: return (lambda * (x > 0 ? x : alpha * expm1(x)), lambda * (x > 0 ? 1 : alpha * exp(x)))
        case .gelu: return (x * normal, normal + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot())
        case .geluTanh:
            let u = root * (x + 0.044715 * x * x * x)
            return (0.5 * x * (1 + tanh(u)), 0.5 * (1 + tanh(u)) + 0.5 * x / (cosh(u) * cosh(u)) * root * (1 + 3 * 0.044715 * x * x))
        case .silu: return (x * sigmoid, sigmoid + x * sigmoid * rest)
        case .tanh: return (tanh(x), 1 / (cosh(x) * cosh(x)))
        case .sigmoid: return (sigmoid, sigmoid * rest)
        case .softplus: return (max(x, 0) + log1p(exp(-abs(x))), sigmoid)
        case .hardTanh: return (min(max(x, -1), 1), abs(x) < 1 ? 1 : 0)
        }
    }

    @Test("Activations and their slopes are within 1e-15 of the formulas", arguments: activations) func activation(_ activation: Activation) {
        for x in Self.samples(-30...30) {
            let (value, slope) = activation.function(x), expected = reference(activation, x)
            #expect(abs(value - expected.value) <= 1e-15 * max(1, abs(expected.value)), "\(x)")
            #expect(abs(slope - expected.slope) <= 2e-15, "\(x)")
        }
    }
}
