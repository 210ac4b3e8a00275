import Fathom
import FathomStability
import Foundation
import Testing

/// FATHOM_FULL_TESTS=1 runs the sizes that take minutes.
/// A quantile of χ² with n degrees, at one of the normal distribution: Wilson & Hilferty 1931.
func chiSquare(_ degrees: Int, _ quantile: Double) -> Double {
    let n = Double(degrees)
    return n * pow(1 - 2 / (9 * n) + quantile * (2 / (9 * n)).squareRoot(), 3)
}

let runsFullSizes = ProcessInfo.processInfo.environment["FATHOM_FULL_TESTS"] == "1"

/// Integers from −100 to 100 by a linear congruential generator, a matrix column after column: exact in every arithmetic.
struct IntegerMatrices {
    private var state = 12345

    mutating func next(_ size: Int) -> Matrix {
        Matrix(rows: size, columns: size, values: (0..<size * size).map { _ in
            state = (state * 1_103_515_245 + 12345) % (1 << 31)
            return Double((state >> 16) % 201 - 100)
        })
    }
}

func gaussian(_ rows: Int, _ columns: Int, deviation: Double, _ random: inout CounterRandom) -> Matrix {
    Matrix(rows: rows, columns: columns, values: (0..<rows * columns).map { _ in deviation * random.normal() })
}

@Suite("Products of matrices, graded") struct GradedProductTests {
    /// ln σ of products of integer matrices, multiplied out and decomposed with 1,500 digits (mpmath 1.3, svd_r).
    static let references: [(size: Int, factors: Int, logs: [Double])] = [
        (6, 60, [296.036388741552862, 288.51907577313512, 283.877009315625878, 261.564732603301068, 252.824796125186059, 198.764669961572771]),
        (4, 400, [1861.17737141398268, 1792.76693776793215, 1685.32994662704843, 1441.06964554718987]),
    ]

    /// Over 42 and 182 decades. A rounding of each factor, times the condition number of T, allows relative errors of some 1e-13 · factors.
    @Test("No singular value is lost, against 1,500 digits", arguments: references) func againstHighPrecision(reference: (size: Int, factors: Int, logs: [Double])) throws {
        for seed in 0..<3 as Range<UInt64> {
            var matrices = IntegerMatrices(), product = GradedProduct(columns: reference.size, seed: seed)
            for _ in 0..<reference.factors { product.multiply(by: matrices.next(reference.size)) }
            for (found, expected) in try zip(product.logSingularValues(), reference.logs) { #expect(abs(found - expected) < 1e-11) }
        }
    }

    @Test("A product of few factors has the singular values of the matrix multiplied out") func multipliedOut() throws {
        var random = CounterRandom(seed: 1, stream: 1)
        let shapes = [(9, 12), (7, 9), (20, 7), (15, 20)]
        var product = GradedProduct(columns: 12), whole = Matrix.identity(12)
        for (rows, columns) in shapes {
            let factor = gaussian(rows, columns, deviation: 1, &random)
            product.multiply(by: factor)
            whole = factor * whole
        }
        let expected = try whole.singularValues(), found = try product.logSingularValues()
        #expect(found.count == 12 && product.rank == 7 && found[7...].allSatisfy { $0 == -.infinity })
        for (log, value) in zip(found.prefix(7), expected) { #expect(abs(exp(log) / value - 1) < 1e-11) }
    }

    @Test("A direction that is mapped to 0 is counted, and the others are right") func collapsed() throws {
        var random = CounterRandom(seed: 2, stream: 1), product = GradedProduct(columns: 8), whole = Matrix.identity(8)
        for killed in [2, 5, 2] {
            var factor = gaussian(8, 8, deviation: 1, &random)
            for column in 0..<8 { factor[killed, column] = 0 }
            product.multiply(by: factor)
            whole = factor * whole
        }
        let found = try product.logSingularValues(), expected = try whole.singularValues()
        // Three rows of zeros, each a direction less, unless a later one falls together with what is gone.
        let rank = expected.count { $0 > 1e-12 * expected[0] }
        #expect(product.rank == rank && rank < 8)
        for i in 0..<rank { #expect(abs(exp(found[i]) / expected[i] - 1) < 1e-10) }
        #expect(LyapunovSpectrum(growth: product.growth).collapsed == 8 - rank)
    }

    /// The acceptance test of exponents. Drawn in float64; the factors of an exponent are independent, so z is standard normal (with the estimated error of 10⁵
    /// factors, 316 blocks). Of n exponents Σz² is χ² with n degrees; 99.9 % bounds by Wilson & Hilferty 1931.
    @Test("Exponents of Gaussian products are Newman's", arguments: runsFullSizes ? [2, 4, 8, 16, 32, 64] : [2, 8, 16]) func newman(size: Int) throws {
        let factors = runsFullSizes ? 100_000 : 40_000 / (size * size) + 2_000
        var random = CounterRandom(seed: 7, stream: UInt64(size)), product = GradedProduct(columns: size), logDeterminants = 0.0
        let deviation = 1 / Double(size).squareRoot()
        for _ in 0..<factors {
            let factor = gaussian(size, size, deviation: deviation, &random)
            product.multiply(by: factor)
            let r = factor.qr().r
            for i in 0..<size { logDeterminants += log(abs(r[i, i])) }
        }
        let spectrum = LyapunovSpectrum(growth: product.growth), theory = LyapunovSpectrum.gaussian(size: size, variance: deviation * deviation)
        let z = (0..<size).map { (spectrum.exponents[$0] - theory[$0]) / spectrum.standardError[$0] }
        let sum = z.reduce(0) { $0 + $1 * $1 }
        #expect(z.allSatisfy { abs($0) <= 4.5 })
        #expect(sum > chiSquare(size, -3.2905) && sum < chiSquare(size, 3.2905), "Σz² = \(sum) of \(size)")
        #expect(abs(spectrum.exponents.reduce(0, +) - logDeterminants / Double(factors)) < 1e-9)
        if runsFullSizes { print("Newman, width \(size), \(factors) factors: max |z| \(z.map(abs).max()!), Σz² \(sum), Σλ − mean ln|det| \(spectrum.exponents.reduce(0, +) - logDeterminants / Double(factors))") }
    }

    @Test("ψ has known values") func digammaValues() {
        #expect(abs(digamma(1) + 0.57721566490153286) < 1e-14 && abs(digamma(0.5) + 1.9635100260214235) < 1e-14)
        #expect(abs(digamma(32.5) - 3.465776585953594) < 1e-13)
        let pair = LyapunovSpectrum.gaussian(size: 2, variance: 0.5)
        #expect(abs(pair[0] + 0.288608) < 5e-7 && abs(pair[1] + 0.981755) < 5e-7)
    }
}

@Suite("Linear algebra") struct LinearAlgebraTests {
    @Test("QR, singular values and eigenvalues of known matrices") func known() throws {
        var random = CounterRandom(seed: 3, stream: 1)
        let a = gaussian(7, 4, deviation: 1, &random), (q, r) = a.qr()
        #expect(zip((q * r).values, a.values).allSatisfy { abs($0 - $1) < 1e-14 })
        #expect(zip((q.transposed * q).values, Matrix.identity(4).values).allSatisfy { abs($0 - $1) < 1e-14 })
        #expect(zip(try Matrix(rows: 2, columns: 2, values: [0, 2, 3, 0]).singularValues(), [3, 2]).allSatisfy { abs($0 - $1) < 1e-14 })
        // A rotation by 90° times 2: ±2i.
        #expect(abs(try Matrix(rows: 2, columns: 2, values: [0, 2, -2, 0]).spectralRadius() - 2) < 1e-15)
        #expect(throws: FathomError.invalid("a 2 × 1 matrix has no eigenvalues; it must be square")) { try Matrix.zero(2, 1).eigenvalues() }
        #expect(throws: FathomError.self) { try Matrix(rows: 1, columns: 1, values: [.nan]).singularValues() }
    }

    @Test("Lanczos finds the largest singular values, Hutchinson the norm") func probes() throws {
        var random = CounterRandom(seed: 4, stream: 1)
        let a = gaussian(120, 80, deviation: 1, &random), exact = try a.singularValues(), map = LinearMap(a)
        let found = try map.largestSingularValues(steps: 40)
        for i in 0..<3 { #expect(abs(found[i] / exact[i] - 1) < 1e-5 && found[i] <= exact[i] * (1 + 1e-13)) }
        let all = try map.largestSingularValues(steps: 80)
        #expect(zip(all, exact).allSatisfy { abs($0 - $1) < 1e-11 * exact[0] })
        let norm = try map.squaredFrobeniusNorm(probes: 200), square = a.frobeniusNorm * a.frobeniusNorm
        #expect(abs(norm.mean - square) < 4.5 * norm.standardError && norm.standardError < 0.1 * square)
    }
}
