import CKernels
import Testing

private func sum(_ a: Panels?, _ b: Panels, scale: Float, factor: Float? = nil, into y: Panels) {
    let factor = factor.map { Flat([$0]) }
    run(call(FATHOM_ADD) {
        $0.add = fathom_add_arguments(
            rows: b.rows, columns: b.columns, a: a?.pointer, a_stride: a?.stride ?? 0, b: b.pointer, b_stride: b.stride, scale: scale,
            factor: factor?.pointer, y: y.pointer, y_stride: y.stride)
    })
    withExtendedLifetime(factor) {}
}

@Suite struct ResidualTests {
    @Test func aSumIsOneMultiplicationAndOneAddition() {
        let a = Panels(13, 37, in: -1...1, seed: 1), b = Panels(13, 37, in: -1...1, seed: 2), y = Panels(13, 37)
        sum(a, b, scale: 0.1, into: y)
        #expect(y.values == zip(a.values, b.values).map { $0 + 0.1 * $1 })
        sum(a, b, scale: 0.1, factor: 0.7, into: y)
        #expect(y.values == zip(a.values, b.values).map { $0 + (0.1 as Float * 0.7) * $1 })
        sum(nil, b, scale: -3, into: y)
        #expect(y.values == b.values.map { -3 * $0 })
        sum(y, b, scale: 3, into: y)
        #expect(y.values == b.values.map { -3 * $0 + 3 * $0 })
    }

    @Test func aLearnedScalesGradientIsTheInnerProduct() {
        let rows = 133, columns = 37, a = Panels(rows, columns, in: -1...1, seed: 3), b = Panels(rows, columns, in: -1...1, seed: 4)
        for r in 0..<rows { b.pointer[2 * b.stride + 16 * r + 7] = .nan }  // padding counts nothing
        let sums = Flat([Double](repeating: .nan, count: a.panels)), total = Flat([2 as Float])
        for accumulate in [false, true] {
            run(call(FATHOM_DOT) {
                $0.dot = fathom_dot_arguments(
                    rows: rows, columns: columns, a: a.pointer, a_stride: a.stride, b: b.pointer, b_stride: b.stride, sums: sums.pointer)
            }, call(FATHOM_DOT_TOTAL) {
                $0.dot_total = fathom_dot_total_arguments(
                    panels: sums.count, sums: sums.pointer, scale: 0.5, accumulate: accumulate, total: total.pointer)
            })
            let exact = zip(a.values, b.values).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } * 0.5 * (accumulate ? 2 : 1)
            // float64 sums of some 5,000 products below 1 are off by less than 5,000²·2⁻⁵³; the total is rounded to float32, twice where it
            // accumulates
            #expect(abs(Double(total.pointer[0]) - exact) <= 2 * abs(exact) * 0x1p-24 + 3e-9)
        }
    }

    @Test func aFilledMatrixIsConstantAndItsPaddingZero() {
        let y = Panels(9, 18) { _, _ in .nan }
        run(call(FATHOM_FILL) { $0.fill = fathom_fill_arguments(rows: 9, columns: 18, value: 1.5, y: y.pointer, y_stride: y.stride) })
        #expect(y.values.allSatisfy { $0 == 1.5 })
        #expect((0..<9 * 16).allSatisfy { $0 % 16 < 2 || y.pointer[y.stride + $0].bitPattern == 0 })
    }
}
