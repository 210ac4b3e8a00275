import CKernels
import Foundation
import Testing

private let epsilon: Float = 1e-5, u = 0x1p-24

/// Layer or RMS normalization through the kernels.
private struct RowNorm {
    let x: Panels, centered: Bool, gain: Panels?, bias: Panels?, mean: Panels, rstd: Panels

    init(_ x: Panels, centered: Bool = true, gain: Panels? = nil, bias: Panels? = nil) {
        (self.x, self.centered, self.gain, self.bias) = (x, centered, gain, bias)
        (mean, rstd) = (Panels(1, x.rows), Panels(1, x.rows))
    }

    func forward(_ activation: fathom_activation = FATHOM_IDENTITY, slope: Panels? = nil, threads: Int32 = 1) -> Panels {
        let y = Panels(x.rows, x.columns)
        run(call(FATHOM_LAYERNORM_FORWARD) {
            $0.layernorm_forward = fathom_layernorm_forward_arguments(
                rows: x.rows, columns: x.columns, centered: centered, epsilon: epsilon, x: x.pointer, x_stride: x.stride, gain: gain?.pointer,
                bias: bias?.pointer, activation: activation, parameter: 0, mean: centered ? mean.pointer : nil, rstd: rstd.pointer, slope: slope?.pointer,
                slope_stride: slope?.stride ?? 0, y: y.pointer, y_stride: y.stride)
        }, threads: threads)
        return y
    }

    func backward(_ dy: Panels, _ activation: fathom_activation = FATHOM_IDENTITY, saved: Panels? = nil) -> Panels {
        let dx = Panels(x.rows, x.columns)
        run(call(FATHOM_LAYERNORM_BACKWARD) {
            $0.layernorm_backward = fathom_layernorm_backward_arguments(
                rows: x.rows, columns: x.columns, centered: centered, x: x.pointer, x_stride: x.stride, gain: gain?.pointer,
                mean: centered ? mean.pointer : nil, rstd: rstd.pointer, dy: dy.pointer, dy_stride: dy.stride, activation: activation, parameter: 0,
                saved: saved?.pointer, saved_stride: saved?.stride ?? 0, dx: dx.pointer, dx_stride: dx.stride, blocks: fathom_signal_blocks())
        })
        return dx
    }

    /// Over the rows of `parts`, one call for each.
    func gradient(_ dy: Panels, parts: [Range<Int>]) -> (dgain: Panels, dbias: Panels) {
        let dgain = Panels(1, x.columns), dbias = Panels(1, x.columns)
        for (i, part) in parts.enumerated() {
            let first = 16 * part.lowerBound
            run(call(FATHOM_LAYERNORM_GRADIENT) {
                $0.layernorm_gradient = fathom_layernorm_gradient_arguments(
                    rows: part.count, columns: x.columns, x: x.pointer + first, x_stride: x.stride, mean: centered ? mean.pointer + part.lowerBound : nil,
                    rstd: rstd.pointer + part.lowerBound, dy: dy.pointer + first, dy_stride: dy.stride, accumulate: i > 0, dgain: dgain.pointer,
                    dbias: dbias.pointer)
            })
        }
        return (dgain, dbias)
    }
}

/// Batch normalization through the kernels.
private struct BatchNorm {
    let x: Panels, gain: Panels?, bias: Panels?, mean: Panels, variance: Panels, rstd: Panels

    init(_ x: Panels, gain: Panels? = nil, bias: Panels? = nil) {
        (self.x, self.gain, self.bias) = (x, gain, bias)
        (mean, variance, rstd) = (Panels(1, x.columns), Panels(1, x.columns), Panels(1, x.columns))
    }

    func forward(_ activation: fathom_activation = FATHOM_IDENTITY, slope: Panels? = nil, threads: Int32 = 1) -> Panels {
        let y = Panels(x.rows, x.columns)
        run(call(FATHOM_BATCHNORM_FORWARD) {
            $0.batchnorm_forward = fathom_batchnorm_forward_arguments(
                rows: x.rows, columns: x.columns, epsilon: epsilon, x: x.pointer, x_stride: x.stride, gain: gain?.pointer, bias: bias?.pointer,
                activation: activation, parameter: 0, mean: mean.pointer, variance: variance.pointer, rstd: rstd.pointer, slope: slope?.pointer,
                slope_stride: slope?.stride ?? 0, y: y.pointer, y_stride: y.stride, x_moments: nil)
        }, threads: threads)
        return y
    }

    func inference() -> Panels {
        let y = Panels(x.rows, x.columns)
        run(call(FATHOM_BATCHNORM_INFERENCE) {
            $0.batchnorm_inference = fathom_batchnorm_inference_arguments(
                rows: x.rows, columns: x.columns, epsilon: epsilon, x: x.pointer, x_stride: x.stride, gain: gain?.pointer, bias: bias?.pointer,
                mean: mean.pointer, variance: variance.pointer, activation: FATHOM_IDENTITY, parameter: 0, y: y.pointer, y_stride: y.stride)
        })
        return y
    }

    func backward(_ dy: Panels, _ activation: fathom_activation = FATHOM_IDENTITY, saved: Panels? = nil) -> (dx: Panels, dgain: Panels, dbias: Panels) {
        let dx = Panels(x.rows, x.columns), dgain = Panels(1, x.columns), dbias = Panels(1, x.columns)
        run(call(FATHOM_BATCHNORM_BACKWARD) {
            $0.batchnorm_backward = fathom_batchnorm_backward_arguments(
                rows: x.rows, columns: x.columns, x: x.pointer, x_stride: x.stride, gain: gain?.pointer, mean: mean.pointer, rstd: rstd.pointer,
                dy: dy.pointer, dy_stride: dy.stride, activation: activation, parameter: 0, saved: saved?.pointer, saved_stride: saved?.stride ?? 0,
                accumulate: false, dgain: dgain.pointer, dbias: dbias.pointer, dx: dx.pointer, dx_stride: dx.stride, blocks: fathom_signal_blocks())
        })
        return (dx, dgain, dbias)
    }
}

/// The definition in float64, of one row or one column.
private struct Exact {
    static let step = 0x1p-18
    let mean: Double, variance: Double, rstd: Double, normalized: [Double]

    init(_ x: [Double], centered: Bool = true) {
        let count = Double(x.count), center = centered ? x.reduce(0, +) / count : 0
        mean = center
        variance = x.reduce(0) { $0 + ($1 - center) * ($1 - center) } / count
        let reciprocal = 1 / sqrt(variance + Double(epsilon))
        rstd = reciprocal
        normalized = x.map { ($0 - center) * reciprocal }
    }

    /// The derivative of Σ d·x̂ by x[i], by central differences. Their own error is h²/6 of a third derivative, which is below 6·D·rstd³ (|d| ≤ D); rounding
    /// adds less than 4·10⁻¹⁶/h for each of the terms, the last bits of a sum below 4.
    static func difference(_ x: [Double], _ d: [Double], at i: Int, centered: Bool = true) -> Double {
        func loss(_ shift: Double) -> Double {
            var moved = x
            moved[i] += shift
            return zip(Exact(moved, centered: centered).normalized, d).reduce(0) { $0 + $1.0 * $1.1 }
        }
        return (loss(step) - loss(-step)) / (2 * step)
    }
}

extension Panels {
    fileprivate func row(_ r: Int) -> [Double] { (0..<columns).map { Double(self[r, $0]) } }
    fileprivate func column(_ c: Int) -> [Double] { (0..<rows).map { Double(self[$0, c]) } }
    fileprivate func factor(_ c: Int) -> Double { Double(self[0, c]) }
}

/// Bounds of the kernels' errors for values of width 2 (−1 … 1), where a sum goes through so many additions in float32, each of which loses at most u = 2⁻²⁴.
private struct Bound {
    let additions: Double

    /// A chain over at most 64 panels of a row, then four steps of the tree.
    static func row(_ columns: Int) -> Bound { Bound(additions: Double(min(64, (columns + 15) / 16) + 4)) }
    /// A chain over 16 rows of a column.
    static let column = Bound(additions: 16)

    /// Of the mean: that of the distances to the first value, at most 2, and its last rounding.
    var mean: Double { (2 * additions + 1) * u }
    /// Of the variance, relative: rounding of the distance (twice, as it is squared) and of the sum; beside it the square of the mean's error, which is nothing.
    var variance: Double { (additions + 3) * u }
    /// Of x̂: the mean's error, half the variance's, the rounding of rstd and three operations.
    func normalized(_ e: Exact) -> Double { mean * e.rstd + (e.normalized.map(abs).max() ?? 0) * (variance / 2 + 4 * u) }
    /// Of dx = rstd·(d − mean(d) − x̂·mean(d·x̂)), |d| ≤ D, |x̂| ≤ X: the sums' errors, D and X·D·X times u a step, what x̂ brings along twice, rstd and
    /// five operations; and of the difference that it is compared with.
    func backward(_ e: Exact, _ d: [Double]) -> Double {
        let largest = d.map(abs).max() ?? 0, x = e.normalized.map(abs).max() ?? 0
        let kernel = e.rstd * largest * ((1 + x * x) * (additions + variance / u / 2 + 6) * u + 2 * x * normalized(e))
        return kernel + Exact.step * Exact.step * largest * pow(e.rstd, 3) + 4e-16 * Double(d.count) / Exact.step
    }
}

@Suite struct LayerNormTests {
    @Test(arguments: [1, 2, 16, 17, 100, 1040, 1100], [true, false])
    func forwardAgreesWithFloat64(columns: Int, centered: Bool) {
        let norm = RowNorm(Panels(7, columns, in: -1...1, seed: 1), centered: centered, gain: Panels(1, columns, in: 0.5...2, seed: 2),
                           bias: Panels(1, columns, in: -1...1, seed: 3))
        let y = norm.forward(), bound = Bound.row(columns)
        for r in 0..<7 {
            let exact = Exact(norm.x.row(r), centered: centered)
            if centered { #expect(abs(Double(norm.mean[0, r]) - exact.mean) <= bound.mean) }
            #expect(abs(Double(norm.rstd[0, r]) / exact.rstd - 1) <= bound.variance / 2 + u)
            for c in 0..<columns {
                let z = exact.normalized[c] * norm.gain!.factor(c) + norm.bias!.factor(c)
                // gain and bias add one rounding of a number below 2·4 + 1
                #expect(abs(Double(y[r, c]) - z) <= 2 * bound.normalized(exact) + 9 * u, "row \(r), column \(c)")
            }
        }
    }

    @Test(arguments: [1, 2, 16, 17, 100, 1040, 1100], [true, false])
    func backwardIsThatOfCentralDifferences(columns: Int, centered: Bool) {
        let norm = RowNorm(Panels(5, columns, in: -1...1, seed: 4), centered: centered, gain: Panels(1, columns, in: 0.5...2, seed: 5))
        let dy = Panels(5, columns, in: -1...1, seed: 6)
        _ = norm.forward()
        let dx = norm.backward(dy)
        for r in 0..<5 {
            let x = norm.x.row(r), exact = Exact(x, centered: centered), d = (0..<columns).map { Double(dy[r, $0]) * norm.gain!.factor($0) }
            for c in stride(from: r, to: columns, by: 1 + columns / 30) {
                let difference = Exact.difference(x, d, at: c, centered: centered)
                #expect(abs(Double(dx[r, c]) - difference) <= Bound.row(columns).backward(exact, d), "row \(r), column \(c)")
            }
        }
    }

    @Test(arguments: [true, false])
    func gradientsOfGainAndBiasAgreeWithFloat64AndMicroBatchesWithTheBatch(centered: Bool) {
        let rows = 50, columns = 37, norm = RowNorm(Panels(rows, columns, in: -1...1, seed: 7), centered: centered)
        let dy = Panels(rows, columns, in: -1...1, seed: 8)
        _ = norm.forward()
        let whole = norm.gradient(dy, parts: [0..<rows]), parts = norm.gradient(dy, parts: [0..<1, 1..<30, 30..<50])
        #expect(whole.dgain.bits == parts.dgain.bits && whole.dbias.bits == parts.dbias.bits)
        let exact = (0..<rows).map { Exact(norm.x.row($0), centered: centered) }
        for c in 0..<columns {
            let d = dy.column(c)
            // chains of 50 steps over terms below 1 and |x̂| ≤ 3, and 50 times the error of x̂
            let chain = 50 * 50 * u
            #expect(abs(Double(whole.dbias[0, c]) - d.reduce(0, +)) <= chain)
            let dgain = (0..<rows).reduce(0) { $0 + d[$1] * exact[$1].normalized[c] }
            #expect(abs(Double(whole.dgain[0, c]) - dgain) <= 3 * chain + 50 * Bound.row(columns).normalized(exact[0]) * 2)
        }
    }

    @Test func whatFollowsAndWhatCameBeforeAreFused() {
        let x = Panels(20, 35, in: -1...1, seed: 9), norm = RowNorm(x), slope = Panels(20, 35), dy = Panels(20, 35, in: -1...1, seed: 10)
        let y = norm.forward()
        for activation in [FATHOM_RELU, FATHOM_GELU] {
            let saves = activation == FATHOM_GELU, fused = norm.forward(activation, slope: saves ? slope : nil)
            let apart = Panels(20, 35), slopeApart = Panels(20, 35)
            run(call(FATHOM_ACTIVATION_FORWARD) {
                $0.activation_forward = fathom_activation_forward_arguments(
                    rows: 20, columns: 35, activation: activation, parameter: 0, z: y.pointer, z_stride: y.stride, y: apart.pointer, y_stride: apart.stride,
                    slope: saves ? slopeApart.pointer : nil, slope_stride: slopeApart.stride)
            })
            #expect(fused.values == apart.values && (!saves || slope.values == slopeApart.values))
        }
        let plain = norm.backward(dy), fused = norm.backward(dy, FATHOM_RELU, saved: x)
        #expect(fused.values == zip(plain.values, x.values).map { $1 > 0 ? $0 : $0 * 0 })
    }

    /// Deviation 1 around 10⁴, where float32 has steps of 2⁻¹⁰: the deviations that are stored are found to the last bits.
    @Test func anOffsetCostsNoDigits() {
        let columns = 512, norm = RowNorm(Panels(4, columns, in: 10_000 - 1.7320508...10_000 + 1.7320508, seed: 11))
        let y = norm.forward()
        for r in 0..<4 {
            let exact = Exact(norm.x.row(r)), variance = pow(Double(norm.rstd[0, r]), -2) - Double(epsilon)
            // half a step of 2⁻¹⁰ in the mean, 2⁻¹¹, whose square joins the variance beside 36 additions
            #expect(abs(Double(norm.mean[0, r]) - exact.mean) <= 0x1p-11)
            #expect(abs(variance / exact.variance - 1) <= 0x1p-22 + 40 * u)
            for c in 0..<columns { #expect(abs(Double(y[r, c]) - exact.normalized[c]) <= 0x1p-11 * exact.rstd + 40 * u) }
        }
    }

    @Test func aRowOfEqualNumbersBecomesTheBias() {
        let columns = 300, bias = Panels(1, columns, in: -1...1, seed: 12)
        let norm = RowNorm(Panels(3, columns) { r, _ in [10_000.3, -7e-20, 3e37][r] }, bias: bias)
        let y = norm.forward()
        for r in 0..<3 { #expect((0..<columns).allSatisfy { y[r, $0] == bias[0, $0] }) }
        #expect(norm.mean.values == [10_000.3, -7e-20, 3e37])
    }

    @Test func aNotANumberStaysInItsRow() {
        let x = Panels(20, 40, in: -1...1, seed: 13), clean = RowNorm(x).forward()
        x[5, 39] = .nan
        let norm = RowNorm(x), y = norm.forward(), dx = norm.backward(x)
        for r in 0..<20 {
            #expect((0..<40).allSatisfy { r == 5 ? y[r, $0].isNaN && dx[r, $0].isNaN : y[r, $0] == clean[r, $0] && dx[r, $0].isFinite })
        }
    }
}

@Suite struct BatchNormTests {
    @Test(arguments: [1, 2, 15, 16, 17, 70, 300])
    func forwardAgreesWithFloat64(rows: Int) {
        let columns = 21, norm = BatchNorm(Panels(rows, columns, in: -1...1, seed: 21), gain: Panels(1, columns, in: 0.5...2, seed: 22),
                                           bias: Panels(1, columns, in: -1...1, seed: 23))
        let y = norm.forward(), bound = Bound.column, unbiased = rows > 1 ? Double(rows) / Double(rows - 1) : 1
        for c in 0..<columns {
            let exact = Exact(norm.x.column(c))
            #expect(abs(norm.mean.factor(c) - exact.mean) <= bound.mean)
            #expect(abs(norm.variance.factor(c) - exact.variance * unbiased) <= exact.variance * unbiased * (bound.variance + u))
            #expect(abs(norm.rstd.factor(c) / exact.rstd - 1) <= bound.variance / 2 + u)
            for r in 0..<rows {
                let z = exact.normalized[r] * norm.gain!.factor(c) + norm.bias!.factor(c)
                #expect(abs(Double(y[r, c]) - z) <= 2 * bound.normalized(exact) + 9 * u, "row \(r), column \(c)")
            }
        }
        // one row is its own mean
        if rows == 1 { #expect(y.values == norm.bias!.values && norm.variance.values.allSatisfy { $0 == 0 }) }
    }

    @Test(arguments: [1, 2, 15, 16, 17, 70])
    func backwardIsThatOfCentralDifferences(rows: Int) {
        let columns = 19, norm = BatchNorm(Panels(rows, columns, in: -1...1, seed: 24), gain: Panels(1, columns, in: 0.5...2, seed: 25))
        let dy = Panels(rows, columns, in: -1...1, seed: 26)
        _ = norm.forward()
        let (dx, dgain, dbias) = norm.backward(dy)
        for c in 0..<columns {
            let x = norm.x.column(c), exact = Exact(x), gain = norm.gain!.factor(c), d = dy.column(c).map { $0 * gain }
            for r in 0..<rows {
                let difference = Exact.difference(x, d, at: r)
                #expect(abs(Double(dx[r, c]) - difference) <= Bound.column.backward(exact, d), "row \(r), column \(c)")
            }
            // blocks of 16 additions to a sum of terms below 1, and of x̂'s error in every row
            let sum = dy.column(c).reduce(0, +), product = zip(dy.column(c), exact.normalized).reduce(0) { $0 + $1.0 * $1.1 }
            #expect(abs(dbias.factor(c) - sum) <= Double(rows) * 17 * u)
            #expect(abs(dgain.factor(c) - product) <= Double(rows) * (20 * 2 * u + Bound.column.normalized(exact)))
        }
    }

    @Test func anOffsetCostsNoDigits() {
        let rows = 256, norm = BatchNorm(Panels(rows, 20, in: 10_000 - 1.7320508...10_000 + 1.7320508, seed: 27))
        _ = norm.forward()
        for c in 0..<20 {
            let exact = Exact(norm.x.column(c)), unbiased = exact.variance * Double(rows) / Double(rows - 1)
            #expect(abs(norm.mean.factor(c) - exact.mean) <= 0x1p-11)
            #expect(abs(norm.variance.factor(c) / unbiased - 1) <= 0x1p-22 + 20 * u)
        }
    }

    @Test func aColumnOfEqualNumbersBecomesTheBias() {
        let bias = Panels(1, 18, in: -1...1, seed: 28), norm = BatchNorm(Panels(100, 18) { _, c in c == 3 ? 3e37 : 10_000.3 + Float(c) }, bias: bias)
        let y = norm.forward()
        for r in 0..<100 { #expect((0..<18).allSatisfy { y[r, $0] == bias[0, $0] }) }
        #expect(norm.variance.values.allSatisfy { $0 == 0 })
    }

    @Test func aNotANumberStaysInItsColumn() {
        let x = Panels(50, 20, in: -1...1, seed: 29), clean = BatchNorm(x).forward()
        x[49, 7] = .nan
        let norm = BatchNorm(x), y = norm.forward(), dx = norm.backward(clean).dx
        for c in 0..<20 {
            #expect((0..<50).allSatisfy { c == 7 ? y[$0, c].isNaN && dx[$0, c].isNaN : y[$0, c] == clean[$0, c] && dx[$0, c].isFinite })
        }
    }

    @Test func inferenceTakesTheStatisticsThatAreGiven() {
        let norm = BatchNorm(Panels(9, 20, in: -1...1, seed: 30), gain: Panels(1, 20, in: 0.5...2, seed: 31), bias: Panels(1, 20, in: -1...1, seed: 32))
        for c in 0..<20 { (norm.mean[0, c], norm.variance[0, c]) = (0.1 * Float(c), 0.5 + Float(c)) }
        let y = norm.inference()
        for c in 0..<20 {
            for r in 0..<9 {
                let z = (Double(norm.x[r, c]) - norm.mean.factor(c)) / sqrt(norm.variance.factor(c) + Double(epsilon)) * norm.gain!.factor(c) + norm.bias!.factor(c)
                // five roundings of numbers below 10
                #expect(abs(Double(y[r, c]) - z) <= 50 * u)
            }
        }
    }

    @Test func paddingOfStatisticsAndGradientsIsZero() {
        let x = Panels(12, 18, in: -1...1, seed: 33), dy = Panels(12, 18, in: -1...1, seed: 34)
        for i in 0..<16 * 12 where i % 16 >= 2 { x.pointer[x.stride + i] = 0.5 + Float(i) }
        let norm = BatchNorm(x)
        _ = norm.forward()
        let (dx, dgain, dbias) = norm.backward(dy)
        for vector in [norm.mean, norm.variance, norm.rstd, dgain, dbias] { #expect(vector.bits[18...].allSatisfy { $0 == 0 }) }
        for r in 0..<12 { #expect((2..<16).allSatisfy { dx.pointer[dx.stride + 16 * r + $0].bitPattern == 0 }) }
    }
}

@Suite struct NormalizationCallTests {
    @Test func threadsDecideNoBit() {
        let rows = Panels(130, 300, in: -1...1, seed: 41), layer = RowNorm(rows), batch = BatchNorm(rows)
        let one = layer.forward(FATHOM_TANH).bits, columns = batch.forward(FATHOM_TANH).bits
        for threads: Int32 in [2, 3, 5] {
            #expect(layer.forward(FATHOM_TANH, threads: threads).bits == one)
            #expect(batch.forward(FATHOM_TANH, threads: threads).bits == columns)
        }
    }

    @Test func nothingOfNothingIsNothing() {
        for (rows, columns) in [(0, 20), (20, 0), (0, 0)] {
            let x = Panels(rows, columns), layer = RowNorm(x), batch = BatchNorm(x)
            #expect(layer.forward().values.isEmpty && layer.backward(x).values.isEmpty)
            #expect(layer.gradient(x, parts: [0..<rows]).dgain.values.allSatisfy { $0 == 0 })
            #expect(batch.forward().values.isEmpty && batch.inference().values.isEmpty)
            #expect(batch.backward(x).dbias.values.allSatisfy { $0 == 0 })
        }
    }

    @Test func aMovingAverageGoesTowardTheValueUnlessTheStepWasNotFinite() {
        let average = Panels([1, -2, 0.5]), value = Panels([3, 2, 0.5])
        var update = fathom_update()
        func move() {
            withUnsafePointer(to: update) { pointer in
                run(call(FATHOM_MOVING_AVERAGE) {
                    $0.moving_average = fathom_moving_average_arguments(count: 16, average: average.pointer, value: value.pointer, rate: 0.25, update: pointer)
                })
            }
        }
        move()
        #expect(average.values == [1, -2, 0.5])
        update.finite = true
        move()
        #expect(average.values == [1.5, -1, 0.5])
    }
}
