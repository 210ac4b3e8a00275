import CKernels
import Foundation
import Testing

/// An activation in float64: its value, its derivative as a function of what the backward pass saves, and the sum of the absolute
/// values of that formula's terms, in whose units in the last place the derivative's error is counted.
struct Truth: Sendable, CustomTestStringConvertible {
    let kind: UInt32
    let parameter: Float
    let value: @Sendable (Double) -> Double
    let slope: @Sendable (Double) -> Double
    let terms: @Sendable (Double) -> Double
    /// What can be saved: the values that φ takes, or all.
    let saved: ClosedRange<Double>

    init(_ kind: fathom_activation, _ parameter: Float = 0, saved: ClosedRange<Double> = -.infinity ... .infinity,
         value: @escaping @Sendable (Double) -> Double, slope: @escaping @Sendable (Double) -> Double,
         terms: (@Sendable (Double) -> Double)? = nil) {
        (self.kind, self.parameter, self.saved) = (kind.rawValue, parameter, saved)
        (self.value, self.slope, self.terms) = (value, slope, terms ?? { abs(slope($0)) })
    }

    var activation: fathom_activation { fathom_activation(kind) }
    var testDescription: String { String(cString: fathom_activation_name(activation)) }

    private static let lambda = 1.0507009873554804934193349852946, lambdaAlpha = lambda * 1.6732632423543772848170429916717
    private static func normal(_ x: Double) -> Double { erfc(-x / 2.0.squareRoot()) / 2 }
    private static func density(_ x: Double) -> Double { exp(-x * x / 2) / (2 * .pi).squareRoot() }
    private static func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
    private static let c = 2 * (2 / Double.pi).squareRoot()
    private static func inner(_ z: Double) -> Double { c * (z + 0.044715 * z * z * z) }
    /// z·F′(z) of z·F(z), for F = σ(inner)
    private static func bend(_ z: Double) -> Double { z * c * (1 + 0.134145 * z * z) * logistic(inner(z)) * logistic(-inner(z)) }
    /// Beyond it tails are 0 in float32, and infinities would make a NaN of 0·∞.
    private static func within(_ z: Double) -> Double { min(max(z, -200), 200) }

    static let all: [Truth] = [
        Truth(FATHOM_IDENTITY, value: { $0 }, slope: { _ in 1 }),
        Truth(FATHOM_RELU, value: { max($0, 0) }, slope: { $0 > 0 ? 1 : 0 }),
        Truth(FATHOM_LEAKY_RELU, 0.01, value: { $0 > 0 ? $0 : Double(Float(0.01)) * $0 }, slope: { $0 > 0 ? 1 : Double(Float(0.01)) }),
        Truth(FATHOM_ELU, 0.75, saved: -0.75 ... .infinity, value: { $0 > 0 ? $0 : 0.75 * expm1($0) }, slope: { $0 > 0 ? 1 : $0 + 0.75 },
              terms: { $0 > 0 ? 1 : 0.75 - $0 }),
        Truth(FATHOM_SELU, saved: -lambdaAlpha ... .infinity, value: { $0 > 0 ? lambda * $0 : lambdaAlpha * expm1($0) },
              slope: { $0 > 0 ? lambda : $0 + lambdaAlpha }, terms: { $0 > 0 ? lambda : lambdaAlpha - $0 }),
        Truth(FATHOM_GELU, value: { $0 > 40 ? $0 : within($0) * normal(within($0)) },
              slope: { normal(within($0)) + within($0) * density(within($0)) },
              terms: { normal(within($0)) + abs(within($0)) * density(within($0)) }),
        Truth(FATHOM_GELU_TANH, value: { $0 > 40 ? $0 : within($0) * logistic(inner(within($0))) },
              slope: { logistic(inner(within($0))) + bend(within($0)) }, terms: { logistic(inner(within($0))) + abs(bend(within($0))) }),
        Truth(FATHOM_SILU, value: { $0 > 200 ? $0 : within($0) * logistic(within($0)) },
              slope: { logistic($0) + within($0) * logistic($0) * logistic(-$0) },
              terms: { logistic($0) + abs(within($0)) * logistic($0) * logistic(-$0) }),
        Truth(FATHOM_TANH, saved: -1...1, value: { tanh($0) }, slope: { 1 - $0 * $0 }, terms: { 1 + $0 * $0 }),
        Truth(FATHOM_SIGMOID, saved: 0...1, value: { logistic($0) }, slope: { $0 - $0 * $0 }, terms: { $0 + $0 * $0 }),
        Truth(FATHOM_SOFTPLUS, saved: 0 ... .infinity, value: { $0 > 0 ? $0 + log1p(exp(-$0)) : log1p(exp($0)) }, slope: { -expm1(-$0) },
              terms: { 1 + exp(-$0) }),
        Truth(FATHOM_HARD_TANH, saved: -1...1, value: { min(max($0, -1), 1) }, slope: { abs($0) < 1 ? 1 : 0 }),
    ]
}

private func forward(_ truth: Truth, _ x: Panels) -> Panels {
    let y = Panels(x.rows, x.columns)
    run(call(FATHOM_ACTIVATION_FORWARD) {
        $0.activation_forward = fathom_activation_forward_arguments(
            rows: x.rows, columns: x.columns, activation: truth.activation, parameter: truth.parameter, z: x.pointer, z_stride: x.stride,
            y: y.pointer, y_stride: y.stride, slope: nil, slope_stride: 0)
    })
    return y
}

/// φ′: the gradient of ones, or what the forward pass leaves beside y.
private func slope(_ truth: Truth, _ saved: Panels) -> Panels {
    if fathom_activation_saves_slope(truth.activation) {
        let y = Panels(saved.rows, saved.columns), slope = Panels(saved.rows, saved.columns)
        run(call(FATHOM_ACTIVATION_FORWARD) {
            $0.activation_forward = fathom_activation_forward_arguments(
                rows: saved.rows, columns: saved.columns, activation: truth.activation, parameter: truth.parameter, z: saved.pointer, z_stride: saved.stride,
                y: y.pointer, y_stride: y.stride, slope: slope.pointer, slope_stride: slope.stride)
        })
        #expect(y.bits == forward(truth, saved).bits)
        return slope
    }
    let dz = Panels(saved.rows, saved.columns) { _, _ in 1 }
    run(call(FATHOM_ACTIVATION_BACKWARD) {
        $0.activation_backward = fathom_activation_backward_arguments(
            rows: saved.rows, columns: saved.columns, activation: truth.activation, parameter: truth.parameter, saved: saved.pointer,
            saved_stride: saved.stride, dy: dz.pointer, dy_stride: dz.stride, dz: dz.pointer, dz_stride: dz.stride, blocks: fathom_signal_blocks())
    })
    return dz
}

/// Every 32,771st float of all that are finite, and as many evenly between −16 and 16. tools/ulpcheck takes all 2³².
private let sample: [Float] = {
    let everywhere = stride(from: UInt32(0), to: .max - 32_771, by: 32_771).map { Float(bitPattern: $0) }.filter { $0.isFinite }
    return everywhere + (0..<131_072).map { Float($0) / 4096 - 16 }
}()

/// The worst error of `values` in units in the last place of the terms, and where.
private func worst(_ values: Panels, _ inputs: [Float], _ truth: (Double) -> Double, _ terms: (Double) -> Double) -> (ulp: Double, at: Float) {
    var worst = (ulp: 0.0, at: Float.nan)
    for (i, x) in inputs.enumerated() {
        let error = abs(Double(values.pointer[i]) - truth(Double(x))) / Double(Float(terms(Double(x))).ulp)
        if !(error <= worst.ulp) { worst = (error, x) }
    }
    return worst
}

/// One panel: consecutive floats in memory.
private func panel(_ inputs: [Float]) -> Panels {
    let x = Panels((inputs.count + 15) / 16, 16)
    for (i, value) in inputs.enumerated() { x.pointer[i] = value }
    return x
}

@Suite struct ActivationTests {
    @Test(arguments: Truth.all) func valuesAreWithinTwoUlpOfFloat64(truth: Truth) {
        let (ulp, at) = worst(forward(truth, panel(sample)), sample, truth.value) { abs(truth.value($0)) }
        #expect(ulp <= 2, "at \(at)")
    }

    @Test(arguments: Truth.all) func slopesAreWithinTwoUlpOfTheirTerms(truth: Truth) {
        let saved = sample.filter { truth.saved.contains(Double($0)) }
        let (ulp, at) = worst(slope(truth, panel(saved)), saved, truth.slope, truth.terms)
        #expect(ulp <= 2, "at \(at)")
    }

    /// φ′ as a function of what is saved is the derivative of φ: against its central difference in float64.
    @Test(arguments: Truth.all) func slopesAreTheDerivatives(truth: Truth) {
        for z in stride(from: -4.03, through: 4, by: 0.25) {
            let saved = fathom_activation_saves_slope(truth.activation) ? z : truth.value(z), h = 1e-5
            let difference = (truth.value(z + h) - truth.value(z - h)) / (2 * h)
            #expect(abs(truth.slope(saved) - difference) < 1e-8, "at \(z)")
        }
    }

    @Test(arguments: Truth.all) func notANumberComesThrough(truth: Truth) {
        let x = Panels([.nan, -.nan, 1])
        let y = forward(truth, x), dz = slope(truth, x)
        #expect(y[0, 0].isNaN && y[0, 1].isNaN && !y[0, 2].isNaN)
        #expect(truth.activation == FATHOM_IDENTITY || (dz[0, 0].isNaN && dz[0, 1].isNaN))
        #expect(!dz[0, 2].isNaN)
    }

    @Test(arguments: Truth.all) func infinitiesHaveTheirLimits(truth: Truth) {
        let y = forward(truth, Panels([.infinity, -.infinity]))
        #expect(y[0, 0] == Float(truth.value(.infinity)))
        #expect(abs(y[0, 1] - Float(truth.value(-.infinity))) <= abs(y[0, 1]).ulp || y[0, 1] == Float(truth.value(-.infinity)))
        for z in [Float.infinity, -.infinity] where fathom_activation_saves_slope(truth.activation) {
            #expect(slope(truth, Panels([z]))[0, 0] == (z > 0 ? 1 : 0))
        }
    }

    @Test func zerosKeepTheirSignWhereTheFunctionIsOdd() {
        for truth in Truth.all {
            let y = forward(truth, Panels([0, -0.0]))
            switch truth.activation {
            case FATHOM_RELU: #expect(y[0, 1].sign == .plus && y[0, 1] == 0, "relu(−0) = +0")
            case FATHOM_TANH, FATHOM_IDENTITY, FATHOM_HARD_TANH: #expect(y[0, 1].sign == .minus && y[0, 1] == 0)
            case FATHOM_SIGMOID: #expect(y[0, 0] == 0.5 && y[0, 1] == 0.5)
            default: break
            }
        }
    }
}
