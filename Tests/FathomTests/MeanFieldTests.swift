@testable import Fathom
import Foundation
import Testing

@Suite("Mean-field theory")
struct MeanFieldTests {
    @Test("Moments agree with 30-digit arithmetic", arguments: references) fileprivate func moments(_ reference: Reference) {
        let moments = GaussianMoments(reference.activation, variance: reference.q)
        for (moment, expected) in zip([moments.square, moments.slopeSquare, moments.growth], reference.moments) {
            #expect(abs(moment / expected - 1) <= 1e-12, "\(reference.activation) at \(reference.q)")
        }
    }

    @Test("Moments have closed forms for relu, hardtanh and gelu", arguments: [1e-9, 0.003, 0.25, 1, 7, 300, 1e9]) func closedForms(q: Double) {
        func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 2e-13 * abs(b) }
        let relu = GaussianMoments(.relu, variance: q), leaky = GaussianMoments(.leakyReLU(slope: 0.3), variance: q)
        #expect(close(relu.square, q / 2) && close(relu.slopeSquare, 0.5) && close(relu.growth, 0.5))
        #expect(close(leaky.square, 1.09 * q / 2) && close(leaky.slopeSquare, 1.09 / 2) && close(leaky.growth, 1.09 / 2))
        // hardtanh: E φ′² = P(|x| < 1); E φ² = ∫ over |x| < 1 of x² + P(|x| > 1).
        let inside = erf(1 / (2 * q).squareRoot()), density = exp(-1 / (2 * q)) / (2 * Double.pi * q).squareRoot()
        let hard = GaussianMoments(.hardTanh, variance: q)
        #expect(close(hard.slopeSquare, inside))
        #expect(abs(hard.square - (q * (inside - 2 * density) + erfc(1 / (2 * q).squareRoot()))) <= 1e-13 * max(1, q))
        #expect(abs(hard.growth - (inside - 2 * density)) <= 1e-13)
        // gelu: with E[Φ(x)²] = ¼ + arcsin(q/(1 + q))/2π (Williams 1997, equation 11) and ϕ = Φ′, Stein's lemma gives
        // E[x²Φ²] = q·E[Φ²] + 2q·E[xΦϕ], (1 + q)·E[xΦϕ] = q·E[ϕ²], E[ϕ²] = 1/(2π√(1 + 2q)).
        let square = q * (0.25 + asin(q / (1 + q)) / (2 * .pi)) + q * q / (1 + q) / (Double.pi * (1 + 2 * q).squareRoot())
        #expect(close(GaussianMoments(.gelu, variance: q).square, square))
    }

    @Test("The critical line of tanh is that of the theory", arguments: [(0.01, 1.424205, 0.273301), (0.05, 1.760955, 0.570048)])
    func tanhLine(biasVariance: Double, weightVariance: Double, q: Double) throws {
        let (theory, point) = try MeanField.critical(.tanh, biasVariance: biasVariance)
        #expect(abs(theory.weightVariance - weightVariance) < 5e-7 && abs(point.variance - q) < 5e-7)
        #expect(point.isStable && point.chi == 1 && point.depthScale == .infinity)
        #expect(abs(theory.chi(at: point.variance) - 1) < 1e-12 && abs(theory.variance(after: point.variance) - point.variance) < 1e-12)
        let found = try #require(theory.fixedPoint())
        #expect(abs(found.variance - point.variance) < 1e-12 && found.depthScale > 1e10)
    }

    @Test("The gradient's factor for tanh off the line", arguments: [(1.5, 0.938636), (2, 1.047666)]) func tanhChi(weightVariance: Double, chi: Double) throws {
        let point = try #require(MeanField(.tanh, weightVariance: weightVariance, biasVariance: 0.05).fixedPoint())
        #expect(abs(point.chi - chi) < 5e-7)
        #expect(abs(point.depthScale - 1 / abs(log(point.chi))) < 1e-9)
        #expect(point.isStable)
    }

    @Test("relu is critical at (2, 0) alone") func relu() throws {
        let (theory, point) = try MeanField.critical(.relu, biasVariance: 0)
        #expect(theory.weightVariance == 2 && point.isStable)
        #expect(theory.fixedPoint(from: 0.37)?.variance == 0.37)
        #expect(abs(try MeanField.critical(.leakyReLU(slope: 0.5), biasVariance: 0).theory.weightVariance - 1.6) < 1e-14)
        #expect(try MeanField.critical(.identity, biasVariance: 0).theory.weightVariance == 1)
        #expect(throws: FathomError.invalid("relu is critical only with σ_b = 0, since its variance would grow by σ_b² in each layer; write critical(bias: 0)")) {
            try MeanField.critical(.relu, biasVariance: 0.01)
        }
        // Below the line the variance settles where q = σ_w²·q/2 + σ_b², above it grows without bound, without bias it dies.
        #expect(abs(try #require(MeanField(.relu, weightVariance: 1, biasVariance: 0.1).fixedPoint()).variance - 0.2) < 1e-13)
        #expect(MeanField(.relu, weightVariance: 2.1, biasVariance: 0).fixedPoint() == nil)
        #expect(MeanField(.relu, weightVariance: 2, biasVariance: 0.1).fixedPoint() == nil)
        #expect(MeanField(.leakyReLU(slope: 0.01), weightVariance: 2 / 1.0001, biasVariance: 0.1).fixedPoint() == nil)
        #expect(MeanField(.relu, weightVariance: 1.9, biasVariance: 0).fixedPoint()?.variance == 0)
    }

    @Test("Fixed points at and near 0, far up, and none") func extremes() throws {
        #expect(MeanField(.tanh, weightVariance: 1, biasVariance: 0).fixedPoint() == .init(variance: 0, slope: 1, chi: 1))
        #expect(MeanField(.tanh, weightVariance: 0.5, biasVariance: 0).fixedPoint()?.chi == 0.5)
        let faint = try #require(MeanField(.tanh, weightVariance: 0.5, biasVariance: 1e-20).fixedPoint())
        #expect(abs(faint.variance / 2e-20 - 1) < 1e-12)
        let loud = try #require(MeanField(.tanh, weightVariance: 1e6, biasVariance: 1e6).fixedPoint())
        #expect(loud.variance < 2e6 && loud.variance > 1.99e6 && loud.slope < 1e-3)
        #expect(MeanField(.gelu, weightVariance: 2, biasVariance: 0.3).fixedPoint() == nil)
        #expect(MeanField(.elu(), weightVariance: 2.1, biasVariance: 0.1).fixedPoint() == nil)
        // selu's own: mean 0 and variance 1 (Klambauer et al. 2017).
        #expect(abs(try #require(MeanField(.selu, weightVariance: 1, biasVariance: 0).fixedPoint(from: 2)).variance - 1) < 1e-9)
    }

    @Test("On the critical line σ_b² rises with q, so there is one q* for it", arguments: ElementaryFunctionTests.activations + [.elu(alpha: 0.01), .elu(alpha: 20)])
    func oneCriticalPoint(_ activation: Activation) {
        guard !activation.isHomogeneous else { return }
        var last = -Double.infinity
        for exponent in stride(from: -20.0, through: 40, by: 0.5) {
            let q = pow(2, exponent), moments = GaussianMoments(activation, variance: q), bias = q - moments.square / moments.slopeSquare
            // hardtanh's is below rounding for small q.
            if bias > 1e-15 * q {
                #expect(bias > last && activation != .softplus, "q = \(q)")
                last = bias
            }
        }
    }

    @Test("Where no stable critical point is, the error says so and what would be right") func none() {
        func reason(_ activation: Activation, _ bias: Double) -> String {
            do {
                return "found \(try MeanField.critical(activation, biasVariance: bias * bias).theory.weightVariance)"
            } catch { return "\(error)" }
        }
        for bias in [0, 0.05, 3] { #expect(reason(.softplus, bias).hasPrefix("softplus has no critical point: whatever σ_b")) }
        // Half-stable at σ_b² = 0.17292239 and 0.55514317, χ∥ = χ⊥ = 1: Roberts, Yaida & Hanin 2022, section 5.3.4.
        for bias in [0, 0.1, 0.4158] {
            #expect(reason(.gelu, bias) == "gelu has a stable critical point only from σ_b = 0.4159 on; below, its variance would drift off")
        }
        for bias in [0, 0.1, 0.745] {
            #expect(reason(.silu, bias) == "silu has a stable critical point only from σ_b = 0.7451 on; below, its variance would drift off")
        }
        #expect(reason(.gelu, 0.4159).hasPrefix("found 1.983"))
    }
}

/// E[φ²], E[φ′²] and E[z·φφ′]/√q for x = √q·z.
private struct Reference: Sendable {
    let activation: Activation
    let q: Double
    let moments: [Double]

    init(_ activation: Activation, _ q: Double, _ moments: [Double]) { (self.activation, self.q, self.moments) = (activation, q, moments) }
}

/// By mpmath in 30-digit arithmetic: tanh-sinh quadrature over |z| ≤ 20 in pieces. That selu keeps variance 1 is its definition.
private let references = [
    Reference(.tanh, 0.01, [0.009805468755532406, 0.9806702434649815, 0.9616216679060094]),
    Reference(.tanh, 1, [0.3942944903978412, 0.4644029024482682, 0.1817976881404871]),
    Reference(.tanh, 50, [0.888074511680295, 0.07498409589756767, 0.00110131105329299]),
    Reference(.sigmoid, 0.01, [0.2506218969358139, 0.06219020417837776, 0.06188156100304025]),
    Reference(.sigmoid, 1, [0.293379035858093, 0.04483624135019437, 0.0311982419796296]),
    Reference(.sigmoid, 50, [0.4453206548501867, 0.009284598811246374, 0.0005141238588324632]),
    Reference(.softplus, 0.01, [0.4846883910542887, 0.2506218969358139, 0.4237874170324271]),
    Reference(.softplus, 1, [0.9212459088593003, 0.293379035858093, 0.4533019724796301]),
    Reference(.softplus, 50, [25.12943034095985, 0.4453206548501867, 0.4988193188200935]),
    Reference(.silu, 0.01, [0.002518595281558747, 0.2524752877687862, 0.2537037358554492]),
    Reference(.silu, 1, [0.3557755198173522, 0.3794823516328293, 0.4171802591317189]),
    Reference(.silu, 50, [24.83665203667165, 0.5083244497748343, 0.5012456720767085]),
    Reference(.gelu, 0.01, [0.002546963494577496, 0.2562413188288774, 0.2593156579392119]),
    Reference(.gelu, 1, [0.4252214825702987, 0.4558508656492871, 0.4864802487282756]),
    Reference(.gelu, 50, [24.97414376159359, 0.5073227310428714, 0.5002454602069518]),
    Reference(.geluTanh, 0.01, [0.002546959785386978, 0.2562407302713425, 0.2593145673957532]),
    Reference(.geluTanh, 1, [0.4251937110330995, 0.4558178459629506, 0.4865484263153861]),
    Reference(.geluTanh, 50, [24.97430130369608, 0.5073365887638418, 0.500244200616218]),
    Reference(.elu(), 0.01, [0.009282237658402472, 0.9292398082334737, 0.8960008311794118]),
    Reference(.elu(), 1, [0.6449454174929239, 0.6681020012231706, 0.5746257105812178]),
    Reference(.elu(), 50, [25.41736585863884, 0.5280704963719113, 0.5007886738772883]),
    Reference(.elu(alpha: 0.3), 0.01, [0.005385401389256223, 0.5386315827410126, 0.5356400748061471]),
    Reference(.elu(alpha: 0.3), 1, [0.5130450875743631, 0.5151291801100854, 0.5067163139523096]),
    Reference(.elu(alpha: 0.3), 50, [25.0375629272775, 0.502526344673472, 0.5000709806489559]),
    Reference(.selu, 0.01, [0.01875588812324127, 1.878729311262878, 1.775990515264423]),
    Reference(.selu, 1, [1.0, 1.071574992455799, 0.7826478831968128]),
    Reference(.selu, 50, [28.88935580095852, 0.6387497527719529, 0.5544240049854814]),
]
