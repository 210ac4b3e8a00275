import CKernels
import Foundation
import Testing

/// Philox 4×32-10 as in table 2 of Salmon et al. 2011, written again for the tests.
func philox(_ counter: [UInt32], _ key: [UInt32]) -> [UInt32] {
    var (c, k) = (counter, key)
    for _ in 0..<10 {
        let a = UInt64(c[0]) * 0xd251_1f53, b = UInt64(c[2]) * 0xcd9e_8d57
        c = [UInt32(b >> 32) ^ c[1] ^ k[0], UInt32(truncatingIfNeeded: b), UInt32(a >> 32) ^ c[3] ^ k[1], UInt32(truncatingIfNeeded: a)]
        k = [k[0] &+ 0x9e37_79b9, k[1] &+ 0xbb67_ae85]
    }
    return c
}

private func deviates(_ operation: fathom_operation, _ rows: Int, _ columns: Int, seed: UInt64 = 0, stream: UInt64 = 0, purpose: UInt8 = 0,
                      _ a: Float = 0, _ b: Float = 1) -> Panels {
    let x = Panels(rows, columns)
    run(call(operation) {
        $0.random = fathom_random_arguments(
            rows: rows, columns: columns, seed: seed, stream: stream, purpose: purpose, a: a, b: b, x: x.pointer, x_stride: x.stride)
    })
    return x
}

/// Mean, variance, skewness and excess kurtosis.
private func moments(_ x: [Float]) -> (mean: Double, variance: Double, skewness: Double, kurtosis: Double) {
    let n = Double(x.count), mean = x.reduce(0) { $0 + Double($1) } / n
    var (m2, m3, m4) = (0.0, 0.0, 0.0)
    for value in x {
        let d = Double(value) - mean
        m2 += d * d
        m3 += d * d * d
        m4 += d * d * d * d
    }
    (m2, m3, m4) = (m2 / n, m3 / n, m4 / n)
    return (mean, m2, m3 / pow(m2, 1.5), m4 / (m2 * m2) - 3)
}

@Suite struct RandomTests {
    /// The authors' known answers (Random123, kat_vectors).
    @Test func philoxGivesTheKnownAnswers() {
        #expect(philox([0, 0, 0, 0], [0, 0]) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
        let ones = UInt32.max
        #expect(philox([ones, ones, ones, ones], [ones, ones]) == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
        #expect(philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0])
            == [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1])
        let x = deviates(FATHOM_RANDOM_UNIFORM, 1, 4)
        #expect(x.values.map { UInt32($0 * 0x1p24) } == [0x6627e8, 0xe169c5, 0xbc57ac, 0x9b00db])
    }

    @Test func uniformDeviatesAreTheWordsOfTheirBlocks() {
        let seed: UInt64 = 0x299f_31d0_a409_3822, stream: UInt64 = 0x70_7344_1319_8a2e, purpose: UInt8 = 3, rows = 7, columns = 37
        let x = deviates(FATHOM_RANDOM_UNIFORM, rows, columns, seed: seed, stream: stream, purpose: purpose)
        for r in 0..<rows {
            for c in 0..<columns {
                let i = r * 48 + c
                let counter = [UInt32(i / 4), 0, UInt32(truncatingIfNeeded: stream), UInt32(stream >> 32) ^ UInt32(purpose) << 24]
                let word = philox(counter, [UInt32(truncatingIfNeeded: seed), UInt32(seed >> 32)])[i % 4]
                #expect(x[r, c] == Float(word >> 8) * 0x1p-24)
            }
        }
    }

    /// Five standard errors of each moment of a million deviates; the seed is fixed, so the test does not flicker.
    @Test func normalDeviatesHaveTheMomentsOfTheNormalDistribution() {
        let x = deviates(FATHOM_RANDOM_NORMAL, 1024, 1024, seed: 9, 0.5, 2).values, n = Double(x.count)
        let m = moments(x)
        #expect(abs(m.mean - 0.5) < 5 * 2 / sqrt(n))
        #expect(abs(m.variance / 4 - 1) < 5 * sqrt(2 / n))
        #expect(abs(m.skewness) < 5 * sqrt(6 / n))
        #expect(abs(m.kurtosis) < 5 * sqrt(24 / n))
        // tails: beyond 2 deviations lie erfc(√2) of them, beyond 4 erfc(2√2)
        for (z, share) in [(2.0, erfc(sqrt(2))), (4, erfc(2 * sqrt(2)))] {
            let beyond = Double(x.count { abs(Double($0) - 0.5) > 2 * z }) / n
            #expect(abs(beyond - share) < 5 * sqrt(share / n))
        }
        // neighbours in a row, which may be the two of one Box–Muller pair, are not correlated
        var product = 0.0
        for i in stride(from: 0, to: x.count, by: 2) { product += (Double(x[i]) - 0.5) * (Double(x[i + 1]) - 0.5) / 4 }
        #expect(abs(product / (n / 2)) < 5 / sqrt(n / 2))
    }

    @Test func uniformDeviatesFillTheirRangeEvenly() {
        let x = deviates(FATHOM_RANDOM_UNIFORM, 256, 1024, seed: 10, -3, 5).values, n = Double(x.count)
        #expect(x.allSatisfy { $0 >= -3 && $0 < 5 })
        var bins = [Double](repeating: 0, count: 64)
        for value in x { bins[Int((value + 3) * 8)] += 1 }
        let chiSquare = bins.reduce(0) { $0 + ($1 - n / 64) * ($1 - n / 64) / (n / 64) }
        #expect(chiSquare < 63 + 5 * sqrt(126), "63 degrees of freedom")
    }

    @Test func seedStreamAndPurposeGiveDifferentDeviates() {
        let x = deviates(FATHOM_RANDOM_UNIFORM, 4, 16).values
        #expect(x == deviates(FATHOM_RANDOM_UNIFORM, 4, 16).values)
        #expect(x != deviates(FATHOM_RANDOM_UNIFORM, 4, 16, seed: 1).values)
        #expect(x != deviates(FATHOM_RANDOM_UNIFORM, 4, 16, seed: 1 << 32).values)
        #expect(x != deviates(FATHOM_RANDOM_UNIFORM, 4, 16, stream: 1).values)
        #expect(x != deviates(FATHOM_RANDOM_UNIFORM, 4, 16, purpose: 1).values)
    }

    @Test(arguments: [0, 1, 2, 17, 1000])
    func aShuffleIsAPermutation(count: Int) {
        var order = [UInt32](repeating: .max, count: count)
        fathom_shuffle(&order, count, 1, 2)
        #expect(order.sorted() == (0..<count).map(UInt32.init))
        var again = order
        fathom_shuffle(&again, count, 1, 2)
        #expect(again == order)
        fathom_shuffle(&again, count, 1, 3)
        #expect(count < 17 || again != order)
    }

    @Test func everyPermutationOfFourIsEquallyLikely() {
        var seen: [[UInt32]: Double] = [:], order = [UInt32](repeating: 0, count: 4)
        for stream in 0..<24_000 {
            fathom_shuffle(&order, 4, 5, UInt64(stream))
            seen[order, default: 0] += 1
        }
        #expect(seen.count == 24)
        let chiSquare = seen.values.reduce(0) { $0 + ($1 - 1000) * ($1 - 1000) / 1000 }
        #expect(chiSquare < 23 + 5 * sqrt(46), "23 degrees of freedom")
    }
}

private func orthogonalized(_ m: Panels, gain: Float = 1) -> Panels {
    let bytes = fathom_orthogonalize_workspace(m.rows, m.columns)
    let workspace = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 64), alignment: 64)
    defer { workspace.deallocate() }
    fathom_orthogonalize(m.pointer, m.stride, m.rows, m.columns, gain, workspace)
    return m
}

@Suite struct OrthogonalTests {
    @Test(arguments: [(1, 1), (1, 9), (9, 1), (16, 16), (17, 15), (40, 33), (33, 130), (200, 70)])
    func theShorterSideIsOrthonormalTimesTheGain(rows: Int, columns: Int) {
        let q = orthogonalized(deviates(FATHOM_RANDOM_NORMAL, rows, columns, seed: 3), gain: 1.5)
        let byRows = rows <= columns, count = min(rows, columns), length = max(rows, columns)
        for i in 0..<count {
            for j in 0...i {
                let dot = (0..<length).reduce(0.0) {
                    $0 + (byRows ? Double(q[i, $1]) * Double(q[j, $1]) : Double(q[$1, i]) * Double(q[$1, j]))
                }
                // float64 inside; an entry is rounded once, so two unit vectors' product is off by at most 2 · 2⁻²⁴
                #expect(abs(dot / 2.25 - (i == j ? 1 : 0)) <= 0x1p-22)
            }
        }
        #expect((0..<16 * q.panels * rows).allSatisfy { 16 * ($0 / q.stride) + $0 % 16 < columns || q.pointer[$0] == 0 })
    }

    /// Of a Haar-distributed matrix every entry has mean 0 and variance 1/n; a QR without the correction of signs has a diagonal that is not.
    @Test func signsAreThoseOfTheHaarMeasure() {
        let matrices = 600
        var sum = [Double](repeating: 0, count: 4)
        for seed in 0..<matrices {
            let q = orthogonalized(deviates(FATHOM_RANDOM_NORMAL, 4, 4, seed: UInt64(seed)))
            for i in 0..<4 { sum[i] += Double(q[i, i]) }
        }
        for total in sum { #expect(abs(total / Double(matrices)) < 5 * 0.5 / sqrt(Double(matrices))) }
    }

    @Test func aSingularMatrixStillGivesAnOrthonormalOne() {
        let q = orthogonalized(Panels(5, 5) { _, c in Float(c) })
        for i in 0..<5 {
            for j in 0..<5 {
                let dot = (0..<5).reduce(0.0) { $0 + Double(q[i, $1]) * Double(q[j, $1]) }
                #expect(abs(dot - (i == j ? 1 : 0)) <= 0x1p-22)
            }
        }
    }
}
