import CKernels
import Foundation
import Testing

@Suite struct DataTests {
    @Test func gatheredBytesAreStandardizedAndPadded() {
        let columns = 19, source = (0..<5 * columns).map { UInt8(($0 * 37) % 256) }, order: [UInt32] = [4, 0, 0, 2]
        let mean = Panels(1, columns) { _, c in Float(c) }, scale = Panels(1, columns) { _, c in 1 / Float(c + 1) }
        let x = Panels(order.count, columns) { _, _ in .nan }
        source.withUnsafeBufferPointer { source in
            order.withUnsafeBufferPointer { order in
                run(call(FATHOM_GATHER_BYTES) {
                    $0.gather = fathom_gather_arguments(
                        rows: 4, columns: columns, steps: 1, source: source.baseAddress, source_stride: columns, order: order.baseAddress,
                        mean: mean.pointer, scale: scale.pointer, x: x.pointer, x_stride: x.stride)
                })
            }
        }
        for r in 0..<4 {
            for c in 0..<columns {
                let byte = Float(source[Int(order[r]) * columns + c])
                #expect(x[r, c] == (byte - Float(c)) * (1 / Float(c + 1)))
            }
        }
        #expect((0..<16 * 2 * 4).allSatisfy { 16 * ($0 / x.stride) + $0 % 16 < columns || x.pointer[$0] == 0 })
    }

    @Test func scatterBringsBackWhatGatherTook() {
        let rows = 6, columns = 33, source = (0..<rows * columns).map { Float($0) * 0.37 - 20 }
        let x = Panels(rows, columns)
        var target = [Float](repeating: .nan, count: rows * columns)
        target.withUnsafeMutableBufferPointer { target in
            source.withUnsafeBufferPointer { source in
                run(call(FATHOM_GATHER_FLOATS) {
                    $0.gather = fathom_gather_arguments(
                        rows: rows, columns: columns, steps: 1, source: source.baseAddress, source_stride: columns, order: nil, mean: nil, scale: nil,
                        x: x.pointer, x_stride: x.stride)
                }, call(FATHOM_SCATTER) {
                    $0.scatter = fathom_scatter_arguments(
                        rows: rows, columns: columns, steps: 1, m: x.pointer, m_stride: x.stride, scale: nil, offset: nil, target: target.baseAddress,
                        target_stride: columns)
                })
            }
        }
        #expect(target == source)
    }

    /// Steps of three columns from rows of twelve numbers and four classes, and back.
    @Test func aSequenceIsGatheredStepByStepAndScatteredBack() {
        let steps = 4, columns = 3, rows = 5, order = Flat<UInt32>([6, 0, 3, 3, 1])
        let source = Flat((0..<7 * steps * columns).map { Float($0) * 0.37 - 20 }), classes = Flat((0..<7 * steps).map { Int32($0) })
        let mean = Panels(1, 16 * steps) { _, c in Float(c) }, scale = Panels(1, 16 * steps) { _, c in 1 / Float(c + 1) }
        let x = Panels(steps * rows, columns) { _, _ in .nan }
        let gathered = Flat([Int32](repeating: -1, count: steps * rows)), target = Flat([Float](repeating: .nan, count: rows * steps * columns))
        run(call(FATHOM_GATHER_FLOATS) {
            $0.gather = fathom_gather_arguments(
                rows: rows, columns: columns, steps: steps, source: source.pointer, source_stride: steps * columns, order: order.pointer,
                mean: mean.pointer, scale: scale.pointer, x: x.pointer, x_stride: x.stride)
        }, call(FATHOM_GATHER_CLASSES) {
            $0.gather_classes = fathom_gather_classes_arguments(
                rows: rows, steps: steps, source: classes.pointer, order: order.pointer, classes: gathered.pointer)
        }, call(FATHOM_SCATTER) {
            $0.scatter = fathom_scatter_arguments(
                rows: rows, columns: columns, steps: steps, m: x.pointer, m_stride: x.stride, scale: scale.pointer, offset: mean.pointer,
                target: target.pointer, target_stride: steps * columns)
        })
        for (r, sample) in order.values.map(Int.init).enumerated() {
            for t in 0..<steps {
                #expect(gathered.values[t * rows + r] == classes.values[sample * steps + t])
                for c in 0..<columns {
                    let value = source.values[(sample * steps + t) * columns + c]
                    #expect(x[t * rows + r, c] == (value - mean[0, 16 * t + c]) * scale[0, 16 * t + c])
                    #expect(target.values[(r * steps + t) * columns + c] == x[t * rows + r, c] * scale[0, 16 * t + c] + mean[0, 16 * t + c])
                }
            }
        }
    }

    @Test func theTransposeOfATransposeIsTheMatrix() {
        let m = Panels(37, 21, in: -1...1, seed: 1), t = Panels(21, 37), back = Panels(37, 21)
        func transpose(_ from: Panels, _ to: Panels) -> fathom_call {
            call(FATHOM_TRANSPOSE) {
                $0.transpose = fathom_transpose_arguments(
                    rows: from.rows, columns: from.columns, m: from.pointer, m_stride: from.stride, t: to.pointer, t_stride: to.stride)
            }
        }
        run(transpose(m, t), transpose(t, back))
        #expect(t[5, 30] == m[30, 5])
        #expect(back.bits == m.bits)
    }

    @Test func aBiasGradientIsTheSumOfItsColumn() {
        let dy = Panels(29, 18) { r, c in Float(r * c) }, db = Panels(1, 18) { _, _ in 1 }
        run(call(FATHOM_BIAS_GRADIENT) {
            $0.bias_gradient = fathom_bias_gradient_arguments(
                rows: 29, columns: 18, dy: dy.pointer, dy_stride: dy.stride, accumulate: true, db: db.pointer)
        })
        for c in 0..<18 { #expect(db[0, c] == Float(c * 29 * 28 / 2 + 1)) }
    }
}

@Suite struct ScheduleTests {
    @Test func theCosineAgreesWithTheLibrarysToAnUlp() {
        for i in 0...20_000 {
            let x = Double(i) / 10_000 - 1
            // the library's own argument π·x is rounded (2⁻⁵³·π·|sin| ≤ 3.5e-16); both polynomials add an ulp
            #expect(abs(fathom_cos_pi(x) - cos(.pi * x)) <= 6e-16)
        }
    }

    @Test func theCosineIsExactAtMultiplesOfAHalf() {
        for k in -8...8 {
            #expect(fathom_cos_pi(Double(k)) == (k % 2 == 0 ? 1 : -1))
            #expect(fathom_cos_pi(Double(k) + 0.5) == 0)
        }
        #expect(fathom_cos_pi(0x1p52) == 1 && fathom_cos_pi(1 / 3) < 0.5000000000000004)
    }

    @Test func powersAgreeWithTheLibrarys() {
        for (x, n) in [(0.9, 1), (0.999, 1000), (0.999, 100_000), (2, 10), (0.5, 1074), (1, UInt64.max)] as [(Double, UInt64)] {
            let exact = pow(x, Double(n))
            // squaring doubles a relative error and adds half an ulp: at most n · 2⁻⁵³
            #expect(abs(fathom_power(x, n) - exact) <= exact * (Double(n) * 0x1p-53 + 0x1p-52))
        }
        #expect(fathom_power(0, 0) == 1 && fathom_power(0.9, 0) == 1)
    }
}
