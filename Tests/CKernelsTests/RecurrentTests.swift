import CKernels
import Foundation
import Testing

private func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

/// One step of a cell on one element in float64: from its four gates or slots and its state to what the loss sees.
private struct Cell: Sendable {
    /// Σ dh·h + dc·c, given four gates, the state before, dh and dc.
    let loss: @Sendable (_ z: [Double], _ before: Double, _ dh: Double, _ dc: Double) -> Double

    static func lstm(_ z: [Double], _ before: Double) -> (c: Double, h: Double) {
        let c = logistic(z[1]) * before + logistic(z[0]) * tanh(z[2])
        return (c, logistic(z[3]) * tanh(c))
    }
    static func gru(_ z: [Double], _ before: Double) -> Double {
        let update = logistic(z[1]), n = tanh(z[3] + logistic(z[0]) * z[2])
        return n + update * (before - n)
    }
    static let lstm = Cell { lstm($0, $1).h * $2 + lstm($0, $1).c * $3 }
    static let gru = Cell { z, before, dh, _ in gru(z, before) * dh }

    /// Central differences by the four gates and the state. With steps of 1e-5 they are off by 1e-10/6 times a third derivative below 10, and by
    /// roundings of 1e-16/1e-5: less than 1e-9, far below the tolerances that float32 needs.
    func gradient(_ z: [Double], _ before: Double, _ dh: Double, _ dc: Double) -> [Double] {
        let step = 1e-5
        return (0...4).map { k in
            func at(_ move: Double) -> Double {
                var moved = z
                if k < 4 { moved[k] += move }
                return loss(moved, k < 4 ? before : before + move, dh, dc)
            }
            return (at(step) - at(-step)) / (2 * step)
        }
    }
}

private let rows = 11, columns = 21, gateColumns = 32

/// Four matrices side by side, each on a panel of its own; −3 … 3 or, of one part, −1 … 1.
private func gates(seed: UInt64, small: Int? = nil) -> Panels {
    let m = Panels(rows, 4 * gateColumns, in: -3...3, seed: seed)
    for r in 0..<rows { for c in 0..<4 * gateColumns where c / gateColumns == small { m[r, c] /= 3 } }
    return m
}

private func state(_ seed: UInt64) -> Panels { Panels(rows, columns, in: -1...1, seed: seed) }
private func four(_ m: Panels, _ r: Int, _ c: Int) -> [Double] { (0..<4).map { Double(m[r, $0 * gateColumns + c]) } }
private func copy(_ m: Panels) -> Panels { Panels(m.rows, m.columns) { m[$0, $1] } }

private func isZeroInPadding(_ m: Panels, parts: Int = 1) -> Bool {
    (0..<parts).allSatisfy { k in
        (0..<rows).allSatisfy { r in
            (columns..<gateColumns).allSatisfy { m.pointer[(2 * k + 1) * m.stride + 16 * r + $0 - 16].bitPattern == 0 }
        }
    }
}

private func lstmForward(_ gates: Panels, _ before: Panels?, c: Panels, h: Panels) {
    run(call(FATHOM_LSTM_FORWARD) {
        $0.lstm.rows = rows
        $0.lstm.columns = columns
        ($0.lstm.gates, $0.lstm.gates_stride) = (gates.pointer, gates.stride)
        if let before { ($0.lstm.c_before, $0.lstm.c_before_stride) = (UnsafePointer(before.pointer), before.stride) }
        ($0.lstm.c, $0.lstm.c_stride, $0.lstm.h, $0.lstm.h_stride) = (c.pointer, c.stride, h.pointer, h.stride)
    })
}

private func lstmBackward(_ gates: Panels, _ before: Panels?, c: Panels, dh: Panels, dc: Panels, last: Bool, dgates: Panels) {
    run(call(FATHOM_LSTM_BACKWARD) {
        $0.lstm.rows = rows
        $0.lstm.columns = columns
        ($0.lstm.gates, $0.lstm.gates_stride) = (gates.pointer, gates.stride)
        if let before { ($0.lstm.c_before, $0.lstm.c_before_stride) = (UnsafePointer(before.pointer), before.stride) }
        ($0.lstm.c, $0.lstm.c_stride) = (c.pointer, c.stride)
        ($0.lstm.dh, $0.lstm.dh_stride) = (UnsafePointer(dh.pointer), dh.stride)
        ($0.lstm.dc, $0.lstm.dc_stride, $0.lstm.last) = (dc.pointer, dc.stride, last)
        ($0.lstm.dgates, $0.lstm.dgates_stride) = (dgates.pointer, dgates.stride)
    })
}

private func gruForward(_ slots: Panels, _ before: Panels?, h: Panels) {
    run(call(FATHOM_GRU_FORWARD) {
        $0.gru.rows = rows
        $0.gru.columns = columns
        ($0.gru.slots, $0.gru.slots_stride, $0.gru.h, $0.gru.h_stride) = (slots.pointer, slots.stride, h.pointer, h.stride)
        if let before { ($0.gru.h_before, $0.gru.h_before_stride) = (UnsafePointer(before.pointer), before.stride) }
    })
}

private func gruBackward(_ slots: Panels, _ before: Panels?, dh: Panels, dhBefore: Panels?, dslots: Panels) {
    run(call(FATHOM_GRU_BACKWARD) {
        $0.gru.rows = rows
        $0.gru.columns = columns
        ($0.gru.slots, $0.gru.slots_stride, $0.gru.dslots, $0.gru.dslots_stride) = (slots.pointer, slots.stride, dslots.pointer, dslots.stride)
        if let before { ($0.gru.h_before, $0.gru.h_before_stride) = (UnsafePointer(before.pointer), before.stride) }
        ($0.gru.dh, $0.gru.dh_stride) = (UnsafePointer(dh.pointer), dh.stride)
        if let dhBefore { ($0.gru.dh_before, $0.gru.dh_before_stride) = (dhBefore.pointer, dhBefore.stride) }
    })
}

/// Errors are counted in u = 2⁻²³: σ and tanh are within 2 ulp, which of values up to 1 is u; a rounding of a value up to 1 is at most u/4,
/// up to 2, u/2.
@Suite struct RecurrentTests {
    /// c errs by the functions' three u and two roundings, 4u; h by that of c, those of o and tanh c, and a rounding: 7u.
    @Test func aStepOfLSTMAgreesWithFloat64() {
        let z = gates(seed: 1), values = copy(z), before = state(2), c = Panels(rows, columns), h = Panels(rows, columns)
        lstmForward(values, before, c: c, h: h)
        for r in 0..<rows {
            for k in 0..<columns {
                let exact = Cell.lstm(four(z, r, k), Double(before[r, k]))
                #expect(abs(Double(c[r, k]) - exact.c) <= 4 * 0x1p-23)
                #expect(abs(Double(h[r, k]) - exact.h) <= 7 * 0x1p-23)
                for (value, argument) in zip(four(values, r, k).enumerated(), four(z, r, k)) {
                    #expect(abs(value.element - (value.offset == 2 ? tanh(argument) : logistic(argument))) <= 0x1p-23)
                }
            }
        }
        #expect(isZeroInPadding(c) && isZeroInPadding(h))
    }

    /// With |dh|, |dc| and |c_before| ≤ 1: tanh c errs by 5u, so 1 − tanh²c by 10¼u and d, at most 2, by 12u; the largest error is then that of
    /// d·i·(1 − g²), 12u + 2(1 + 2¼)u and two roundings: 20u.
    @Test func theGradientsOfAStepOfLSTMAreItsCentralDifferences() {
        let z = gates(seed: 3), values = copy(z), before = state(4), c = Panels(rows, columns), h = Panels(rows, columns)
        let dh = state(5), carry = state(6), dc = copy(carry), dgates = Panels(rows, 4 * gateColumns) { _, _ in .nan }
        lstmForward(values, before, c: c, h: h)
        lstmBackward(values, before, c: c, dh: dh, dc: dc, last: false, dgates: dgates)
        for r in 0..<rows {
            for k in 0..<columns {
                let exact = Cell.lstm.gradient(four(z, r, k), Double(before[r, k]), Double(dh[r, k]), Double(carry[r, k]))
                for (mine, right) in zip(four(dgates, r, k) + [Double(dc[r, k])], exact) { #expect(abs(mine - right) <= 20 * 0x1p-23) }
            }
        }
        #expect(isZeroInPadding(dgates, parts: 4) && isZeroInPadding(dc))
        let inPlace = copy(values), dcAgain = copy(carry)
        lstmBackward(inPlace, before, c: c, dh: dh, dc: dcAgain, last: false, dgates: inPlace)
        #expect(inPlace.bits == dgates.bits && dcAgain.bits == dc.bits)
    }

    @Test func withoutAStateBeforeOrACarryAfterBothAreZero() {
        let z = gates(seed: 7), none = Panels(rows, columns), dh = state(8)
        func lstm(_ before: Panels?, last: Bool) -> [[UInt32]] {
            let values = copy(z), c = Panels(rows, columns), h = Panels(rows, columns), dgates = Panels(rows, 4 * gateColumns)
            let dc = Panels(rows, columns) { _, _ in last ? .nan : 0 }
            lstmForward(values, before, c: c, h: h)
            lstmBackward(values, before, c: c, dh: dh, dc: dc, last: last, dgates: dgates)
            return [c.bits, h.bits, dgates.bits, dc.bits]
        }
        func gru(_ before: Panels?) -> [[UInt32]] {
            let values = copy(z), h = Panels(rows, columns), dslots = Panels(rows, 4 * gateColumns)
            gruForward(values, before, h: h)
            gruBackward(values, before, dh: dh, dhBefore: nil, dslots: dslots)
            return [h.bits, dslots.bits]
        }
        #expect(lstm(nil, last: true) == lstm(none, last: false))
        #expect(gru(nil) == gru(none))
    }

    /// With |slot 2| and |h_before| ≤ 1: the candidate's argument, below 4, errs by 2u, it itself by 3u; h by 3u + 2u, a rounding of a difference
    /// up to 2 and its own: 6u.
    @Test func aStepOfGRUAgreesWithFloat64() {
        let z = gates(seed: 9, small: 2), values = copy(z), before = state(10), h = Panels(rows, columns)
        gruForward(values, before, h: h)
        for r in 0..<rows {
            for k in 0..<columns { #expect(abs(Double(h[r, k]) - Cell.gru(four(z, r, k), Double(before[r, k]))) <= 7 * 0x1p-23) }
        }
        #expect(isZeroInPadding(h))
        let inPlace = copy(before), again = copy(z)
        gruForward(again, inPlace, h: inPlace)
        #expect(inPlace.bits == h.bits)
    }

    /// With |dh| ≤ 1 besides: 1 − n² errs by 6¼u, 1 − z by 1¼u, dn by 8u, dn·r by 9¼u; the others by less, being multiplied by r(1 − r) or z(1 − z) ≤ ¼.
    @Test func theGradientsOfAStepOfGRUAreItsCentralDifferences() {
        let z = gates(seed: 11, small: 2), values = copy(z), before = state(12), h = Panels(rows, columns), dh = state(13)
        let given = state(14), dhBefore = copy(given), dslots = Panels(rows, 4 * gateColumns) { _, _ in .nan }
        gruForward(values, before, h: h)
        gruBackward(values, before, dh: dh, dhBefore: dhBefore, dslots: dslots)
        for r in 0..<rows {
            for k in 0..<columns {
                let exact = Cell.gru.gradient(four(z, r, k), Double(before[r, k]), Double(dh[r, k]), 0)
                let mine = four(dslots, r, k) + [Double(dhBefore[r, k]) - Double(given[r, k])]
                for (mine, right) in zip(mine, exact) { #expect(abs(mine - right) <= 10 * 0x1p-23) }
            }
        }
        #expect(isZeroInPadding(dslots, parts: 4) && isZeroInPadding(dhBefore))
    }

    @Test func notANumberComesThrough() {
        let c = Panels(rows, columns), h = Panels(rows, columns)
        for part in 0..<4 {
            let z = gates(seed: 15)
            z[2, part * gateColumns + 17] = .nan
            let slots = copy(z)
            lstmForward(z, state(16), c: c, h: h)
            #expect(h[2, 17].isNaN && (c[2, 17].isNaN || part == 3) && h.values.count { $0.isNaN } == 1)
            gruForward(slots, state(16), h: h)
            #expect(h[2, 17].isNaN && h.values.count { $0.isNaN } == 1)
        }
    }

    @Test func stepsGoIntoTheirMeanAndGradientsBack() {
        let steps = 5, x = Panels(steps * rows, columns, in: -1...1, seed: 17), mean = Panels(rows, columns), dx = Panels(steps * rows, columns)
        func through(_ operation: fathom_operation, _ x: Panels, _ y: Panels, scale: Float = 0, last: Bool = false) -> fathom_call {
            call(operation) {
                $0.steps = fathom_steps_arguments(
                    rows: rows, columns: columns, steps: steps, x: x.pointer, x_stride: x.stride, y: y.pointer, y_stride: y.stride,
                    scale: scale, last: last)
            }
        }
        run(through(FATHOM_STEP_MEAN, x, mean), through(FATHOM_STEP_SPREAD, dx, mean, scale: 0.25))
        for r in 0..<rows {
            for c in 0..<columns {
                #expect(mean[r, c] == (0..<steps).reduce(0) { $0 + x[$1 * rows + r, c] } * (1 / Float(steps)))
                #expect((0..<steps).allSatisfy { dx[$0 * rows + r, c] == mean[r, c] * 0.25 })
            }
        }
        run(through(FATHOM_STEP_SPREAD, dx, mean, scale: 0.25, last: true))
        for r in 0..<steps * rows {
            for c in 0..<columns { #expect(dx[r, c] == (r < (steps - 1) * rows ? 0 : mean[r - (steps - 1) * rows, c])) }
        }
    }
}
