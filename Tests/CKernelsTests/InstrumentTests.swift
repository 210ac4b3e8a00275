import CKernels
import Foundation
import Testing

/// What instruments gather, against float64: where values are ordinary, and where a sum of their squares in float32 would be lost.
@Suite struct InstrumentTests {
    static let unit = 0x1p-24  // half the distance from 1 to the next float

    private func moments(_ y: Panels, rows: Int, columns: Int) -> (mean: Double, deviation: Double, nonfinite: Double) {
        var sums = [Double](repeating: .nan, count: 3 * y.panels)
        sums.withUnsafeMutableBufferPointer { sums in
            run(call(FATHOM_MOMENTS) {
                $0.moments = fathom_moments_arguments(rows: rows, columns: columns, y: y.pointer, y_stride: 16 * y.rows, sums: sums.baseAddress)
            })
        }
        let totals = (0..<3).map { part in (0..<y.panels).reduce(0) { $0 + sums[3 * $1 + part] } }, count = Double(rows * columns)
        let mean = totals[0] / count
        return (mean, max(0, totals[1] / count - mean * mean).squareRoot(), totals[2])
    }

    /// offset + spread·(−1 … 1), and an offset of their own for some columns.
    @Test(arguments: [(0, 1), (0.5, 1e-3), (1e4, 1), (-3, 1e-5), (0, 1e-25), (0, 1e-40), (1e30, 1e30), (0, 2e38)], [1, 7, 100])
    func momentsAgreeWithFloat64(values: (offset: Double, spread: Double), rows: Int) {
        let columns = 20, y = Panels(rows, columns, in: -1...1, seed: 5)
        for r in 0..<rows { for c in 0..<columns { y[r, c] = Float(values.offset + values.spread * (Double(y[r, c]) + (c % 3 == 0 ? 0.5 : 0))) } }
        let all = (0..<rows).flatMap { r in (0..<columns).map { Double(y[r, $0]) } }, count = Double(all.count)
        let mean = all.reduce(0, +) / count, variance = all.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
        let found = moments(y, rows: rows, columns: columns), range = all.max()! - all.min()!, largest = all.map(\.magnitude).max()!
        // Of a column's distances d to its first row K, u = 2⁻²⁴: each is rounded once, their sum of 16 by 16 u of Σ|d|, that of their squares by 18 u. With
        // |d| and |K − mean| at most the range R, Σ(y − mean)²/count = Σ(d² + 2(K − mean)d + (K − mean)²)/count errs by (18 + 2·17) u R², the mean by 17 u R; and
        // what cancels where the mean is subtracted, in float64, by some roundings of the largest square.
        #expect(abs(found.mean - mean) <= 17 * Self.unit * range + 4 * 0x1p-52 * largest, "\(found.mean), not \(mean)")
        let error = 52 * Self.unit * range * range + 16 * 0x1p-52 * largest * largest
        #expect(abs(found.deviation * found.deviation - variance) <= error, "\(found.deviation), not \(variance.squareRoot())")
        #expect(found.nonfinite == 0)
    }

    @Test func momentsCountWhatIsNotFinite() {
        let y = Panels(40, 20, in: -1...1, seed: 6)
        (y[0, 3], y[39, 17], y[20, 19]) = (.nan, .infinity, -.infinity)
        let found = moments(y, rows: 40, columns: 20)
        #expect(found.nonfinite == 3)
    }

    /// A dead unit is a column of zeros, and a whole panel of them has no distances at all.
    @Test func momentsOfConstants() {
        let y = Panels(33, 16, in: 0...0, seed: 7)
        #expect(moments(y, rows: 33, columns: 16) == (0, 0, 0))
        for r in 0..<33 { for c in 0..<16 { y[r, c] = 0.25 } }
        #expect(moments(y, rows: 33, columns: 16) == (0.25, 0, 0))
    }

    /// tanh's: the gradient's squares over all its powers of two, and the subnormal ones counted one by one.
    @Test(arguments: [1, 1e-3, 1e-18, 1e-30, 1e-37, 1e-44, 1e18, 1e37], [(5, 3), (16, 16), (100, 20)])
    func blocksAgreeWithFloat64(scale: Double, shape: (rows: Int, columns: Int)) {
        let (rows, columns) = shape, dy = Panels(rows, columns, in: -1...1, seed: 8), y = Panels(rows, columns, in: -0.999...0.999, seed: 9)
        for r in 0..<rows { for c in 0..<columns { dy[r, c] = (r + c) % 7 == 0 ? 0 : Float(Double(dy[r, c]) * scale) } }
        for (found, places) in Self.blocks(FATHOM_TANH, output: y, gradient: dy, rows: rows, columns: columns) {
            let slopes = places.map { 1 - Double(y[$0.0, $0.1]) * Double(y[$0.0, $0.1]) }
            let squares = places.reduce(0) { $0 + Double(dy[$1.0, $1.1]) * Double(dy[$1.0, $1.1]) }, of_slopes = slopes.reduce(0) { $0 + $1 * $1 }
            // Chains of 16 roundings and a tree of 4; each slope is rounded once besides, twice in its square. The 2 that join four chains may come to these at worst; of the
            // numbers here, the same in every run, they do not.
            #expect(abs(found.gradientSquares - squares) <= 20 * Self.unit * squares, "\(found.gradientSquares), not \(squares)")
            #expect(abs(found.slopeSquares - of_slopes) <= 22 * Self.unit * of_slopes)
            #expect(Int(found.subnormal) == places.count { dy[$0.0, $0.1].isSubnormal } && found.nonfinite == 0)
            #expect(Int(found.saturated) == slopes.count { $0 < 0.05 })
            #expect(found.alive == places.reduce(0) { $0 | 1 << UInt16($1.1 % 16) })
        }
    }

    /// offset + spread·(−1 … 1), and an offset of their own for some columns: of relu, whose outputs are as they are, and sigmoid and softplus, whose are by their distances
    /// to the first.
    @Test(arguments: [
        (0, 1), (0.5, 1e-3), (0.7, 0.2), (1e4, 1), (-3, 1e-5), (0, 1e-25), (0, 1e-40), (1e17, 1e13), (1e18, 3e17), (1e30, 1e30), (0, 2e38), (0.5, 0),
    ], [(5, 3), (16, 16), (64, 16), (100, 20)])
    func outputsAgreeWithFloat64(values: (offset: Double, spread: Double), shape: (rows: Int, columns: Int)) {
        let (rows, columns) = shape, y = Panels(rows, columns, in: -1...1, seed: 5), dy = Panels(rows, columns, in: -1...1, seed: 8)
        for r in 0..<rows { for c in 0..<columns { y[r, c] = Float(values.offset + values.spread * (Double(y[r, c]) + (c % 3 == 0 ? 0.5 : 0))) } }
        for activation in [FATHOM_RELU, FATHOM_SIGMOID, FATHOM_SOFTPLUS] {
            for (found, places) in Self.blocks(activation, output: y, gradient: dy, rows: rows, columns: columns) {
                Self.expect(found, tellsOf: places.map { Double(y[$0.0, $0.1]) })
                #expect(found.nonfinite == 0)
            }
        }
    }

    /// Of n distances d, u = 2⁻²⁴: each is rounded once, their sum S by 20 u of Σ|d| besides, that of their squares Q by 20 u (22 at worst where four chains are joined, which no numbers here come to). They are kept where S² ≤ ⅞ n Q, so that
    /// n·variance = Q − S²/n ≥ Q/8, and it errs by (22 + 2·21) u Q, since |S| Σ|d| ≤ n Q: by 512 u of itself. The mean errs by 21 u √(Q/n) ≤ 60 u of the deviation.
    /// And float64 by some roundings of the largest, and of its square.
    private static func expect(_ found: Block, tellsOf h: [Double]) {
        let count = Double(h.count), mean = h.reduce(0, +) / count, variance = h.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
        let largest = h.map(\.magnitude).max()!, foundMean = found.sum / count, foundVariance = found.squares / count - foundMean * foundMean
        #expect(abs(foundMean - mean) <= 60 * unit * variance.squareRoot() + 8 * 0x1p-52 * largest, "\(foundMean), not \(mean)")
        #expect(abs(foundVariance - variance) <= 512 * unit * variance + 16 * 0x1p-52 * largest * largest, "\(foundVariance), not \(variance)")
    }

    @Test func outputsThatAreNotFiniteAreCounted() {
        let y = Panels(100, 20, in: -1...1, seed: 6), dy = Panels(100, 20, in: -1...1, seed: 8)
        (y[0, 3], y[39, 17], y[20, 19], y[90, 16]) = (.nan, .infinity, -.infinity, .nan)
        let counts = Self.blocks(FATHOM_RELU, output: y, gradient: dy, rows: 100, columns: 20).map(\.found.nonfinite)
        #expect(counts == [1, 0, 2, 1])
    }

    /// Whatever lies in the padding of what is saved, where a relu's output is no number and its slopes are multiplied by once more.
    @Test func paddingOfAGradientStaysZero() {
        let (rows, columns) = (70, 12), y = Panels(rows, columns, in: -1...1, seed: 6), dy = Panels(rows, 4, in: -1...1, seed: 8), w = Panels(columns, 4, in: -1...1, seed: 9)
        let dx = Panels(rows, columns)
        for r in 0..<rows { for c in columns..<16 { y.pointer[16 * r + c] = .nan } }
        (y[3, 5], y[66, 1]) = (.nan, .nan)
        let blocks = Self.blocks(rows: rows, columns: columns) { blocks in
            run(call(FATHOM_GEMM_DGRAD) {
                $0.gemm_dgrad = fathom_gemm_dgrad_arguments(
                    rows: rows, inputs: columns, outputs: 4, dy: dy.pointer, dy_stride: dy.stride, w: w.pointer, w_stride: w.stride, transposed: false, activation: FATHOM_RELU,
                    parameter: 0, accumulate: false, saved: y.pointer, saved_stride: y.stride, dx: dx.pointer, dx_stride: dx.stride, blocks: blocks)
            })
        }
        #expect(blocks.map(\.found.nonfinite) == [1, 1] && dx[3, 5].isNaN && dx[66, 1].isNaN)
        for r in 0..<rows { for c in columns..<16 { #expect(dx.pointer[16 * r + c] == 0) } }
    }

    /// What a loss gathers of the outputs, wherever they lie, and of the gradient that it makes of them.
    @Test(arguments: [
        FATHOM_SOFTMAX_CROSS_ENTROPY.rawValue, FATHOM_MEAN_SQUARED_ERROR.rawValue, FATHOM_MEAN_ABSOLUTE_ERROR.rawValue, FATHOM_BINARY_CROSS_ENTROPY.rawValue,
        FATHOM_HUBER.rawValue,
    ], [(5, 3, 0), (16, 16, 0), (40, 2, 0), (100, 20, 0), (100, 20, 1000)])
    func lossesTellOfOutputs(loss: UInt32, shape: (rows: Int, columns: Int, offset: Float)) {
        let (rows, columns, offset) = shape, y = Panels(rows, columns, in: offset - 3...offset + 2, seed: 5), targets = Panels(rows, columns, in: 0...1, seed: 8), dy = Panels(rows, columns)
        let classes = (0..<rows).map { Int32($0 * 7 % columns) }
        var losses = [Double](repeating: .nan, count: rows)
        let blocks = Self.blocks(rows: rows, columns: columns) { blocks in
            losses.withUnsafeMutableBufferPointer { losses in
                classes.withUnsafeBufferPointer { classes in
                    run(call(fathom_operation(loss)) {
                        $0.loss = fathom_loss_arguments(
                            rows: rows, columns: columns, y: y.pointer, y_stride: y.stride, classes: classes.baseAddress, targets: targets.pointer,
                            targets_stride: targets.stride, units: nil, parameter: 1, smoothing: 0, class_weights: nil, scale: 1, row_loss: losses.baseAddress,
                            dy: dy.pointer, dy_stride: dy.stride, blocks: blocks)
                    })
                }
            }
        }
        for (found, places) in blocks {
            let squares = places.reduce(0) { $0 + Double(dy[$1.0, $1.1]) * Double(dy[$1.0, $1.1]) }
            Self.expect(found, tellsOf: places.map { Double(y[$0.0, $0.1]) })
            #expect(abs(found.gradientSquares - squares) <= 20 * Self.unit * squares)
            #expect((found.slopeSquares, found.saturated, found.subnormal, found.alive, found.nonfinite) == (0, 0, 0, 0, 0))
        }
    }

    /// What is told of a block.
    private struct Block {
        let gradientSquares, slopeSquares, sum, squares: Double
        let saturated, subnormal, alive, nonfinite: UInt16
    }

    /// Of a gradient taken back through an activation by its output, each block and the entries that it is of.
    private static func blocks(
        _ activation: fathom_activation, output y: Panels, gradient dy: Panels, rows: Int, columns: Int
    ) -> [(found: Block, places: [(Int, Int)])] {
        let dz = Panels(rows, columns)
        return blocks(rows: rows, columns: columns) { blocks in
            run(call(FATHOM_ACTIVATION_BACKWARD) {
                $0.activation_backward = fathom_activation_backward_arguments(
                    rows: rows, columns: columns, activation: activation, parameter: 0, saved: y.pointer, saved_stride: y.stride, dy: dy.pointer,
                    dy_stride: dy.stride, dz: dz.pointer, dz_stride: dz.stride, blocks: blocks)
            })
        }
    }

    /// Of a call that fills blocks.
    private static func blocks(rows: Int, columns: Int, _ fill: (fathom_signal_blocks) -> Void) -> [(found: Block, places: [(Int, Int)])] {
        let height = Int(FATHOM_SIGNAL_ROWS), stride = (rows + height - 1) / height, panels = (columns + 15) / 16
        var sums = [Double](repeating: .nan, count: FATHOM_SIGNAL_SUMS * panels * stride)
        var counts = [UInt16](repeating: .max, count: FATHOM_SIGNAL_COUNTS * panels * stride)
        sums.withUnsafeMutableBufferPointer { sums in
            counts.withUnsafeMutableBufferPointer { fill(fathom_signal_blocks(sums: sums.baseAddress, counts: $0.baseAddress, rows: height, stride: stride)) }
        }
        return (0..<panels * stride).map { i in
            let (panel, block) = i.quotientAndRemainder(dividingBy: stride)
            func sum(_ which: Int) -> Double { sums[FATHOM_SIGNAL_SUMS * (panel * stride + block) + which] }
            func count(_ which: Int) -> UInt16 { counts[FATHOM_SIGNAL_COUNTS * (panel * stride + block) + which] }
            return (
                Block(
                    gradientSquares: sum(FATHOM_GRADIENT_SQUARES), slopeSquares: sum(FATHOM_SLOPE_SQUARES), sum: sum(FATHOM_OUTPUT_SUM),
                    squares: sum(FATHOM_OUTPUT_SQUARES), saturated: count(FATHOM_SATURATED), subnormal: count(FATHOM_SUBNORMAL), alive: count(FATHOM_ALIVE),
                    nonfinite: count(FATHOM_NONFINITE)),
                (height * block..<min(rows, height * (block + 1))).flatMap { r in (16 * panel..<min(columns, 16 * panel + 16)).map { (r, $0) } })
        }
    }
}
