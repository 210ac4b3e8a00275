import CKernels
import Foundation
import Testing

private struct LossResult { var rows: [Double], gradient: Panels }

private func evaluate(_ operation: fathom_operation, _ y: Panels, classes: [Int32]? = nil, targets: Panels? = nil, units: Panels? = nil,
                      parameter: Float = 1, smoothing: Float = 0, weights: Panels? = nil, scale: Float = 1) -> LossResult {
    var result = LossResult(rows: Array(repeating: .nan, count: y.rows), gradient: Panels(y.rows, y.columns))
    result.rows.withUnsafeMutableBufferPointer { losses in
        (classes ?? []).withUnsafeBufferPointer { labels in
            run(call(operation) {
                $0.loss = fathom_loss_arguments(
                    rows: y.rows, columns: y.columns, y: y.pointer, y_stride: y.stride, classes: labels.baseAddress,
                    targets: targets?.pointer, targets_stride: targets?.stride ?? 0, units: units?.pointer, parameter: parameter,
                    smoothing: smoothing, class_weights: weights?.pointer, scale: scale, row_loss: losses.baseAddress, dy: result.gradient.pointer,
                    dy_stride: result.gradient.stride, blocks: fathom_signal_blocks())
            })
        }
    }
    return result
}

/// One element's loss in float64.
private func exact(_ operation: fathom_operation, _ y: Double, _ t: Double, parameter: Double = 1) -> Double {
    switch operation {
    case FATHOM_MEAN_SQUARED_ERROR: (y - t) * (y - t)
    case FATHOM_MEAN_ABSOLUTE_ERROR: abs(y - t)
    case FATHOM_BINARY_CROSS_ENTROPY: max(y, 0) - y * t + log1p(exp(-abs(y)))
    default: abs(y - t) <= parameter ? (y - t) * (y - t) / 2 : parameter * (abs(y - t) - parameter / 2)
    }
}

/// −ln softmax(y)[class] in float64.
private func crossEntropy(_ y: [Double], _ label: Int) -> Double {
    let largest = y.max()!
    return log(y.reduce(0) { $0 + exp($1 - largest) }) - (y[label] - largest)
}

@Suite struct LossTests {
    @Test(arguments: [1, 2, 10, 16, 17, 100])
    func crossEntropyAgreesWithFloat64(columns: Int) {
        let y = Panels(9, columns, in: -12...12, seed: 1)
        let labels = (0..<9).map { Int32($0 * 7 % columns) }
        let result = evaluate(FATHOM_SOFTMAX_CROSS_ENTROPY, y, classes: labels, scale: 0.25)
        for r in 0..<9 {
            let row = (0..<columns).map { Double(y[r, $0]) }, label = Int(labels[r])
            let loss = crossEntropy(row, label)
            // The logits are exact; exp and log are within 2 ulp (2⁻²³ each) of a sum that is at least 1, so the error is absolute: 2⁻²¹ and
            // half an ulp of the loss.
            #expect(abs(result.rows[r] - loss) <= 0x1p-21 + loss * 0x1p-23)
            for c in 0..<columns {
                let gradient = 0.25 * (exp(-crossEntropy(row, c)) - (c == label ? 1 : 0))
                #expect(abs(Double(result.gradient[r, c]) - gradient) <= 0.25 * 0x1p-21)
            }
        }
    }

    /// (1 − ε)·w(class)·l(class) + ε/k·Σ w(c)·l(c), l(c) = −ln softmax(y)[c], and its gradient Q·p − q, in float64.
    @Test(arguments: [(Float(0.1), false), (0.25, true), (0, true)], [1, 3, 17, 40])
    func smoothedAndWeightedCrossEntropyAgreesWithFloat64(_ form: (smoothing: Float, weighted: Bool), columns: Int) {
        let y = Panels(9, columns, in: -12...12, seed: 8), weights = form.weighted ? Panels(1, columns, in: 0...3, seed: 9) : nil
        let labels = (0..<9).map { Int32($0 * 7 % columns) }, w = (0..<columns).map { Double(weights?[0, $0] ?? 1) }
        let result = evaluate(FATHOM_SOFTMAX_CROSS_ENTROPY, y, classes: labels, smoothing: form.smoothing, weights: weights, scale: 0.25)
        for r in 0..<9 {
            let row = (0..<columns).map { Double(y[r, $0]) }, label = Int(labels[r]), spread = Double(form.smoothing) / Double(columns)
            let wanted = (0..<columns).map { spread * w[$0] + ($0 == label ? (1 - Double(form.smoothing)) * w[label] : 0) }, all = wanted.reduce(0, +)
            let loss = (0..<columns).reduce(0) { $0 + wanted[$1] * crossEntropy(row, $1) }
            // As above, times what is wanted in all (at most 3); spread and weights are rounded once more each.
            #expect(abs(result.rows[r] - loss) <= all * 0x1p-21 + loss * 0x1p-23)
            for c in 0..<columns {
                let gradient = 0.25 * (all * exp(-crossEntropy(row, c)) - wanted[c])
                #expect(abs(Double(result.gradient[r, c]) - gradient) <= 0.25 * max(all, 1) * 0x1p-21)
            }
        }
    }

    /// A row that is right beyond float32's 1 − p keeps its loss and its gradient.
    @Test func aConfidentRowIsNotLostToRoundingWhateverItsWeight() {
        let y = Panels([20, 0, -80]), p = exp(-20.0), weights = Panels([0.5, 1, 1])
        for (weights, w) in [(nil, 1), (weights, 0.5)] {
            let result = evaluate(FATHOM_SOFTMAX_CROSS_ENTROPY, y, classes: [0], weights: weights)
            #expect(abs(result.rows[0] / (w * p) - 1) < 1e-6 && abs(Double(result.gradient[0, 0]) / (-w * p) - 1) < 1e-6)
        }
    }

    @Test func crossEntropyIsStableAtAnyLogits() {
        let y = Panels(4, 3) { r, c in
            [[1e38, -1e38, 0], [-3e38, -3e38, -3e38], [3e38, 3e38, 3e38], [-1e38, 1e38, 1e38]][r][c]
        }
        let result = evaluate(FATHOM_SOFTMAX_CROSS_ENTROPY, y, classes: [0, 1, 2, 0])
        #expect(result.rows[0] == 0)
        #expect(abs(result.rows[1] - log(3)) < 1e-6 && abs(result.rows[2] - log(3)) < 1e-6)
        #expect(abs(result.rows[3] / 2e38 - 1) < 1e-6, "ln 2 is lost beside the distance to the class")
        #expect(result.gradient.values.allSatisfy { $0.isFinite })
        #expect(result.gradient[0, 0] == 0 && result.gradient[3, 0] == -1 && result.gradient[3, 1] == 0.5)
    }

    @Test func binaryCrossEntropyIsStableAtAnyLogit() {
        let y = Panels([1e38, 1e38, -1e38, -1e38, 0]), targets = Panels([1, 0, 0, 1, 0.5])
        let one = evaluate(FATHOM_BINARY_CROSS_ENTROPY, Panels([y[0, 0]]), targets: Panels([1]))
        #expect(one.rows == [0])
        let result = evaluate(FATHOM_BINARY_CROSS_ENTROPY, y, targets: targets)
        #expect(abs(result.rows[0] / 2e38 - 1) < 1e-6)
        #expect(result.gradient.values == [0, 1, 0, -1, 0])
    }

    @Test(arguments: [
        FATHOM_MEAN_SQUARED_ERROR.rawValue, FATHOM_MEAN_ABSOLUTE_ERROR.rawValue, FATHOM_BINARY_CROSS_ENTROPY.rawValue, FATHOM_HUBER.rawValue,
    ])
    func elementwiseLossesAgreeWithFloat64(raw: UInt32) {
        let operation = fathom_operation(raw)
        let binary = operation == FATHOM_BINARY_CROSS_ENTROPY
        let y = Panels(7, 21, in: -4...4, seed: 2), targets = Panels(7, 21, in: binary ? 0...1 : -4...4, seed: 3)
        let result = evaluate(operation, y, targets: targets, parameter: 0.75)
        for r in 0..<7 {
            let loss = (0..<21).reduce(0) { $0 + exact(operation, Double(y[r, $1]), Double(targets[r, $1]), parameter: 0.75) }
            // d is rounded once (2⁻²⁴), squared: 2⁻²³; ln(1 + e) within 2 ulp of terms below 8
            #expect(abs(result.rows[r] - loss) <= loss * 0x1p-22 + (binary ? 21 * 8 * 0x1p-23 : 0))
        }
    }

    /// Gradients against central differences of the kernel's own loss. With h = 2⁻⁶ the difference's own error is h²/6·|L‴| ≤ 2e-5 (|L‴| ≤ 0.1 for the
    /// cross-entropies; 0 for the others but at Huber's corner, which is kept away), and rounding adds 2⁻²²·4/h ≤ 7e-5.
    @Test(arguments: [
        FATHOM_SOFTMAX_CROSS_ENTROPY.rawValue, FATHOM_MEAN_SQUARED_ERROR.rawValue, FATHOM_MEAN_ABSOLUTE_ERROR.rawValue,
        FATHOM_BINARY_CROSS_ENTROPY.rawValue, FATHOM_HUBER.rawValue,
    ])
    func gradientsAreThoseOfCentralDifferences(raw: UInt32) {
        let operation = fathom_operation(raw), columns = 5, h: Float = 0x1p-6
        let targets = Panels([0.25, 1, 0, 0.5, 0.75]), base: [Float] = [-1.5, 0.375, 2, 0.125, 3]
        let gradient = evaluate(operation, Panels(base), classes: [3], targets: targets).gradient
        for c in 0..<columns {
            func loss(_ shift: Float) -> Double {
                var moved = base
                moved[c] += shift
                return evaluate(operation, Panels(moved), classes: [3], targets: targets).rows[0]
            }
            let difference = (loss(h) - loss(-h)) / (2 * Double(h))
            #expect(abs(Double(gradient[0, c]) - difference) <= 1e-4, "column \(c)")
        }
    }

    /// With u the targets' deviation: losses in the targets' own units, gradients those of the standardized loss.
    @Test func unitsScaleLossesAndLeaveGradientsStandardized() {
        let y = Panels([0.5, 2, -1]), targets = Panels([0.25, 0, 1]), units = Panels([2, 4, 0.5])
        let squared = evaluate(FATHOM_MEAN_SQUARED_ERROR, y, targets: targets, units: units)
        #expect(squared.rows == [0.25 + 64 + 1])
        #expect(squared.gradient.values == [0.5, 4, -4])
        let absolute = evaluate(FATHOM_MEAN_ABSOLUTE_ERROR, y, targets: targets, units: units)
        #expect(absolute.rows == [0.5 + 8 + 1])
        #expect(absolute.gradient.values == [1, 1, -1])
        let huber = evaluate(FATHOM_HUBER, y, targets: targets, units: units, parameter: 1)
        #expect(huber.rows == [0.125 + 7.5 + 0.5])
        #expect(huber.gradient.values == [0.25, 0.25, -2])
    }

    @Test func theSlopeOfAnAbsoluteErrorIsZeroAtZero() {
        let result = evaluate(FATHOM_MEAN_ABSOLUTE_ERROR, Panels([1, -1, 0.5, 3e38]), targets: Panels([1, -1, 0, -3e38]), scale: 0.25)
        #expect(result.gradient.values == [0, 0, 0.25, 0.25] && result.rows == [.infinity], "6e38 is no float32")
    }

    @Test func aNotANumberReachesLossAndGradient() {
        for operation in [FATHOM_SOFTMAX_CROSS_ENTROPY, FATHOM_MEAN_SQUARED_ERROR, FATHOM_MEAN_ABSOLUTE_ERROR, FATHOM_BINARY_CROSS_ENTROPY, FATHOM_HUBER] {
            let result = evaluate(operation, Panels([1, .nan, 2]), classes: [0], targets: Panels([0, 0, 0]))
            #expect(result.rows[0].isNaN)
            #expect(result.gradient[0, 1].isNaN)
        }
    }

    @Test func theMeanOfALossIsItsSumTimesTheScale() {
        let losses = (1...37).map(Double.init)
        var mean = Double.nan
        withUnsafeMutablePointer(to: &mean) { pointer in
            losses.withUnsafeBufferPointer { rows in
                run(call(FATHOM_LOSS_MEAN) {
                    $0.loss_mean = fathom_loss_mean_arguments(rows: rows.count, row_loss: rows.baseAddress, scale: 0.5, mean: pointer)
                })
            }
        }
        #expect(mean == 351.5)
    }

    @Test func softmaxAgreesWithFloat64AndSumsToOne() {
        let y = Panels(5, 23, in: -30...30, seed: 6), p = Panels(5, 23)
        run(call(FATHOM_SOFTMAX) {
            $0.softmax = fathom_softmax_arguments(rows: 5, columns: 23, y: y.pointer, y_stride: y.stride, p: p.pointer, p_stride: p.stride)
        })
        for r in 0..<5 {
            let row = (0..<23).map { Double(y[r, $0]) }
            for c in 0..<23 {
                let exact = exp(-crossEntropy(row, c)), distance = row.max()! - row[c]
                // the distance to the largest is rounded once, exp is within 2 ulp, the sum of 23 of them too, then one division
                #expect(abs(Double(p[r, c]) - exact) <= exact * (6 * 0x1p-23 + distance * 0x1p-24))
            }
        }
    }

    @Test func argmaxTakesTheFirstOfEqualsAndNaNAsLargest() {
        let rows: [[Float]] = [[1, 3, 3, 2], [-.infinity, -.infinity, -.infinity, -.infinity], [5, .nan, .infinity, .nan], [-0, 0, 0, 0]]
        let y = Panels(4, 4) { rows[$0][$1] }
        var classes = [Int32](repeating: -1, count: 4)
        classes.withUnsafeMutableBufferPointer { out in
            run(call(FATHOM_ARGMAX) {
                $0.argmax = fathom_argmax_arguments(rows: 4, columns: 4, y: y.pointer, y_stride: y.stride, classes: out.baseAddress)
            })
        }
        #expect(classes == [1, 0, 1, 0])
    }
}
