import CKernels
import Foundation
import Testing

/// What a dropout layer is, and where its batch stands.
private struct Dropout {
    var rate = 0.5, seed: UInt64 = 7, layer: UInt32 = 3, step: UInt64 = 1, firstRow: UInt64 = 0, steps = 1
    let purpose: UInt8 = 5

    var threshold: UInt32 { UInt32(rate * 0x1p32) }
    var scale: Float { Float(1 / (1 - rate)) }

    func run(_ operation: fathom_operation, _ x: Panels, mask: Flat<UInt16>) -> Panels {
        let y = Panels(x.rows, x.columns), batch = Flat([fathom_batch(step: step, first_row: firstRow)])
        CKernelsTests.run(call(operation) {
            $0.dropout = fathom_dropout_arguments(
                rows: x.rows, columns: x.columns, steps: steps, seed: seed, layer: layer, purpose: purpose, threshold: threshold, scale: scale,
                batch: batch.pointer, mask: mask.pointer, x: x.pointer, x_stride: x.stride, y: y.pointer, y_stride: y.stride)
        })
        return withExtendedLifetime(batch) { y }
    }

    /// Which elements of `rows` rows are kept, row by row.
    func kept(_ rows: Int, _ columns: Int) -> [Bool] {
        let mask = Flat([UInt16](repeating: 0, count: (columns + 15) / 16 * rows))
        return run(FATHOM_DROPOUT_FORWARD, Panels(rows, columns) { _, _ in 1 }, mask: mask).values.map { $0 != 0 }
    }
}

@Suite struct DropoutTests {
    /// The number kept is binomial: within 4.5 standard errors of its mean, which a right generator exceeds once in 150,000 seeds.
    @Test(arguments: [0.01, 0.1, 0.3, 0.5, 0.9]) func asManyAreKeptAsTheRateSays(rate: Double) {
        let kept = Dropout(rate: rate).kept(500, 100), n = Double(kept.count)
        #expect(abs(Double(kept.count { $0 }) - n * (1 - rate)) < 4.5 * (n * rate * (1 - rate)).squareRoot())
        for c in 0..<100 {
            let column = Double((0..<500).count { kept[100 * $0 + c] })
            #expect(abs(column - 500 * (1 - rate)) < 4.5 * (500 * rate * (1 - rate)).squareRoot() + 1, "column \(c); a count is whole: ±1")
        }
    }

    @Test func aRateOfZeroKeepsEverything() {
        #expect(Dropout(rate: 0).kept(40, 40).allSatisfy { $0 })
    }

    @Test func anElementIsKeptWhereItsWordReachesTheThreshold() {
        let dropout = Dropout(rate: 0.3, seed: 0x299f_31d0_a409_3822, layer: 0xabcdef, step: 0x5_0000_0007, firstRow: 1 << 33), rows = 5, columns = 37
        let kept = dropout.kept(rows, columns)
        for r in 0..<rows {
            for c in 0..<columns {
                let i = (dropout.firstRow + UInt64(r)) * 48 + UInt64(c)
                let counter = [UInt32(truncatingIfNeeded: i / 4), UInt32((i / 4) >> 32), 7, dropout.layer ^ UInt32(dropout.purpose) << 24]
                #expect(kept[r * columns + c] == (philox(counter, [0xa409_3822, 0x299f_31d0])[Int(i % 4)] >= dropout.threshold))
            }
        }
    }

    @Test func theMaskDoesNotDependOnHowRowsAreCut() {
        let whole = Dropout().kept(97, 33)
        for cuts in [[0, 97], [0, 1, 97], [0, 30, 60, 97], [0, 2, 5, 6, 64, 97]] {
            let parts = zip(cuts, cuts.dropFirst()).flatMap { Dropout(firstRow: UInt64($0)).kept($1 - $0, 33) }
            #expect(parts == whole)
        }
    }

    /// Rows of a sequence's matrix are numbered sample by sample, so a sample has the same masks in whichever micro-batch it comes.
    @Test func aSequencesMaskDoesNotDependOnHowItsSamplesAreCut() {
        let steps = 3, columns = 20, whole = Dropout(steps: steps).kept(steps * 11, columns)
        for cuts in [[0, 1, 11], [0, 4, 5, 11]] {
            for (first, end) in zip(cuts, cuts.dropFirst()) {
                let part = Dropout(firstRow: UInt64(first), steps: steps).kept(steps * (end - first), columns)
                for t in 0..<steps {
                    let mine = part[t * (end - first) * columns..<(t + 1) * (end - first) * columns]
                    #expect(mine.elementsEqual(whole[(t * 11 + first) * columns..<(t * 11 + end) * columns]))
                }
            }
        }
        #expect(whole[..<(11 * columns)] != whole[(11 * columns)..<(22 * columns)], "steps have masks of their own")
    }

    /// Independent masks agree in a share p² + (1 − p)² of their elements.
    @Test func stepsLayersAndSeedsHaveMasksOfTheirOwn() {
        let first = Dropout().kept(200, 100), n = Double(first.count)
        #expect(first == Dropout().kept(200, 100))
        for other in [Dropout(step: 2), Dropout(layer: 4), Dropout(seed: 8), Dropout(seed: 7 | 1 << 32), Dropout(firstRow: 200)] {
            let equal = Double(zip(first, other.kept(200, 100)).count { $0 == $1 })
            #expect(abs(equal / n - 0.5) < 4.5 * (0.25 / n).squareRoot())
        }
    }

    @Test func whatIsKeptIsScaledAndWhatIsDroppedIsZeroWhateverItWas() {
        let rows = 64, columns = 20, dropout = Dropout(rate: 0.25)
        let x = Panels(rows, columns) { r, c in r % 4 == 0 ? .nan : r % 4 == 1 ? -.infinity : Float(r - 32) * Float(c) }
        let bits = Flat([UInt16](repeating: 0xffff, count: 2 * rows)), y = dropout.run(FATHOM_DROPOUT_FORWARD, x, mask: bits), mask = bits.values
        for r in 0..<rows {
            for c in 0..<columns {
                let kept = mask[c / 16 * rows + r] >> (c % 16) & 1 == 1
                if !kept { #expect(y[r, c].bitPattern == 0, "+0") }
                else if r % 4 == 0 { #expect(y[r, c].isNaN) }
                else { #expect(y[r, c] == x[r, c] * dropout.scale) }
            }
            #expect(mask[rows + r] < 1 << 4, "no bits in the padding")
        }
        let dy = Panels(rows, columns, in: -1...1, seed: 1), dx = dropout.run(FATHOM_DROPOUT_BACKWARD, dy, mask: bits)
        #expect(bits.values == mask)
        for r in 0..<rows {
            for c in 0..<columns { #expect(dx[r, c] == (mask[c / 16 * rows + r] >> (c % 16) & 1 == 1 ? dy[r, c] * dropout.scale : 0)) }
        }
    }
}
