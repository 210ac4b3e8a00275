import Fathom
import FathomStability
import Foundation
import Testing

@Suite("End-to-end spectra of networks") struct SpectrumTests {
    static func spectrum(_ notation: String, inputs: Int, seed: UInt64 = 1) throws -> DepthSpectrum {
        try DepthSpectrum(DepthPass(Model(Network(notation), inputs: inputs, seed: seed), normalSamples(1, inputs)))
    }

    /// Each orthogonal factor is so within float32's rounding, 2⁻²⁴·√width at most in norm; 99 of them make 99·6e-8 ≈ 6e-6 times what rounding averages out to.
    @Test("An orthogonal linear network keeps every singular value at 1") func orthogonal() throws {
        let width = runsFullSizes ? 256 : 48
        let spectrum = try Self.spectrum("[linear(\(width), bias: false, init: orthogonal)] * 100", inputs: width)
        #expect(spectrum.steps == 99 && spectrum.logSingularValues.count == width)
        #expect(spectrum.logSingularValues.allSatisfy { abs($0) < 1e-5 })
        #expect(spectrum.growing == 0 && spectrum.shrinking == 0 && abs(spectrum.logBound) < 1e-3 && abs(spectrum.logRMS) < 1e-5)
        #expect(spectrum.lyapunov.exponents.allSatisfy { abs($0) < 1e-7 })
        if runsFullSizes { print("orthogonal, width \(width): max |ln σ| \(spectrum.logSingularValues.map(abs).max()!)") }
    }

    /// ln σᵢ of k Gaussian factors is kλᵢ + what alignment adds, with variance kψ′((n − i + 1)/2)/4 (Newman 1986). Σ ln σ = Σ ln|det| is exact; the ends are
    /// compared with their deviation: the largest within 5 of them, and alignment, which pushes the ends apart by some nats, on top.
    @Test("Its Gaussian sibling loses no small one over 30 decades") func gaussianSibling() throws {
        let width = runsFullSizes ? 256 : 24, steps = runsFullSizes ? 40 : 60
        let spectrum = try Self.spectrum("[linear(\(width), bias: false, init: gaussian(1))] * \(steps + 1)", inputs: width)
        let theory = LyapunovSpectrum.gaussian(size: width, variance: 1 / Double(width)), k = Double(steps)
        let decades = spectrum.logCondition / log(10), expected = k * (theory[0] - theory[width - 1]) / log(10)
        #expect(decades > 30 && abs(decades / expected - 1) < 0.12, "\(decades) decades, \(expected) by theory")
        // Of the smallest, n − i + 1 = 1: ψ′(½)/4 = π²/8 each.
        #expect(abs(spectrum.logSmallest - k * theory[width - 1]) < 5 * (k * .pi * .pi / 8).squareRoot() + 5)
        #expect(abs(spectrum.logLargest - k * theory[0]) < 5 * (k / 2 / Double(width)).squareRoot() + 3)
        #expect(spectrum.logBound > spectrum.logLargest + 0.3 * k)
        // The mean is Newman's sum: its variance is Σψ′/4 over n², below (π²/8 + ln n/2)k/n².
        let mean = spectrum.logSingularValues.reduce(0, +) / Double(width), sum = theory.reduce(0, +) * k / Double(width)
        #expect(abs(mean - sum) < 5 * (k * (1.24 + log(Double(width)) / 2)).squareRoot() / Double(width))
        if runsFullSizes { print("Gaussian, width \(width), \(steps) steps: \(decades) decades, theory \(expected)") }
    }

    /// ln σ of W₆₁⋯W₂ of the network below, whose weights' float32 values, taken as exact, were multiplied out and decomposed with 300 digits (mpmath 1.3, svd_r).
    static let siblingLogs = [
        0.200058651792078704, -0.801144013144987288, -2.30667872001780355, -4.05705834574163539, -4.91595792709150761, -10.3578915207863446, -11.4591742473019005,
        -13.0315854622338605, -13.6873835900233036, -16.3677816341366233, -19.7325390093481689, -20.1666318039119439, -21.5171459527636621, -28.151520694866152,
        -31.4817117156610692, -33.7805592002379306, -36.1269556524939845, -38.4718591621895888, -49.7871289205733456, -50.2057824589523221, -62.4384910912631775,
        -75.850257063566007, -89.6828024202584595, -131.05270008337688,
    ]

    /// The Jacobians are the weights, exactly. What QR rounds in each of 60 factors, times the condition number of T, is below 1e-11, while float64 itself loses all
    /// that is below e⁻³⁶ of the largest.
    @Test("Every singular value of the Gaussian sibling is that of 300 digits") func gaussianSiblingInHighPrecision() throws {
        let spectrum = try Self.spectrum("[linear(24, bias: false, init: gaussian(1))] * 61", inputs: 24)
        #expect(spectrum.logSingularValues.count == Self.siblingLogs.count)
        for (found, expected) in zip(spectrum.logSingularValues, Self.siblingLogs) { #expect(abs(found - expected) < 1e-11) }
    }

    /// Like the acceptance test of exponents drawn in float64, through layers, the float32 backward kernels and the Jacobians that they make.
    @Test("Exponents of Gaussian linear networks are Newman's", arguments: runsFullSizes ? [2, 8, 32] : [2, 8]) func newman(size: Int) throws {
        let steps = runsFullSizes ? 20_000 : 1_500
        let lyapunov = try Self.spectrum("[linear(\(size), bias: false, init: gaussian(1))] * \(steps + 1)", inputs: size, seed: 3).lyapunov
        let theory = LyapunovSpectrum.gaussian(size: size, variance: 1 / Double(size))
        let z = (0..<size).map { (lyapunov.exponents[$0] - theory[$0]) / lyapunov.standardError[$0] }, sum = z.reduce(0) { $0 + $1 * $1 }
        #expect(z.allSatisfy { abs($0) <= 4.5 })
        #expect(sum > chiSquare(size, -3.2905) && sum < chiSquare(size, 3.2905), "Σz² = \(sum) of \(size)")
        if runsFullSizes { print("Newman, network \(size) wide, \(steps) steps: max |z| \(z.map(abs).max()!), Σz² \(sum)") }
    }

    @Test("Σ ln σ is Σ ln|det J|, and of a network the exponents' sum") func determinants() throws {
        let model = try Model(Network("[linear(20) tanh] * 30 linear(3)"), inputs: 20, seed: 2), pass = try DepthPass(model, normalSamples(2, 20))
        let spectrum = try DepthSpectrum(pass, sample: 1)
        var sum = 0.0
        for l in 2...30 { sum += try pass.backwardFactor(l, sample: 1).singularValues().reduce(0) { $0 + log($1) } }
        #expect(abs(spectrum.logSingularValues.reduce(0, +) - sum) < 1e-9 * 600)
        #expect(abs(spectrum.lyapunov.exponents.reduce(0, +) - sum / 29) < 1e-9)
        #expect(spectrum.lyapunov.standardError.allSatisfy { $0 > 0 && $0 < 1 })
    }

    /// A mixed batch: 4 samples of 6 numbers, of which batch normalization maps the mean and the scale of each column to 0.
    @Test("Batch normalization's Jacobian is the batch's, two directions a column gone") func batch() throws {
        let model = try Model(Network("[linear(6) batchnorm tanh] * 3 linear(3)"), inputs: 6, seed: 2)
        let pass = try DepthPass(model, normalSamples(4, 6)), spectrum = try DepthSpectrum(pass)
        #expect(pass.mixesSamples && spectrum.logSingularValues.count == 24)
        // The mean of a column is gone. ε = 1e-5 leaves a trace of the direction of scale: some 1e-5 of the largest a step.
        #expect(spectrum.collapsed >= 6 && spectrum.collapsed <= 12 && spectrum.logSingularValues[..<8].allSatisfy { $0 > -7 })
    }

    @Test("rezero's trunk is the identity at initialization") func rezero() throws {
        let spectrum = try Self.spectrum("linear(16) residual(rezero)[linear(16) relu linear(16)] * 40 linear(2)", inputs: 16)
        #expect(spectrum.logSingularValues.allSatisfy { $0 == 0 || abs($0) < 1e-12 } && spectrum.logBound < 1e-9)
    }

    @Test("Dead directions are zeros, not rounding") func collapsed() throws {
        let spectrum = try Self.spectrum("[linear(32, bias: false) relu] * 12 linear(2)", inputs: 32)
        #expect(spectrum.collapsed > 12 && spectrum.collapsed < 32 && spectrum.lyapunov.collapsed == spectrum.collapsed)
        #expect(spectrum.logSingularValues.filter(\.isFinite).allSatisfy { $0 > -40 })
        #expect(spectrum.lyapunov.mean.isFinite)
    }

    @Test("The time of a default report's spectrum is printed", .enabled(if: runsFullSizes)) func time() throws {
        let start = ContinuousClock.now, spectrum = try Self.spectrum("[linear(128) tanh] * 64 linear(10)", inputs: 128)
        print("spectrum of 64 layers, 128 wide: \(ContinuousClock.now - start), \(Judgement(spectrum).because)")
    }
}
