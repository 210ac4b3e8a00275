/// One time step of a recurrent layer over a batch: its state after, and products of error signals with the Jacobian of that by the state before, by the
/// calls that training runs.
///
/// A state is h, of an lstm h and then c. Every row goes by itself, as in `Segment`.
package final class CellStep {
    /// Columns of the layer's input.
    package let inputs: Int
    /// Numbers of a state.
    package let stateSize: Int
    package let rows: Int

    private let memory: Memory
    private let model: Model
    private let forwardCalls: [Call]
    private let backwardCalls: [Call]
    private let buffers: Buffers

    private struct Buffers {
        let x: Panels
        /// h, and c of an lstm.
        let before: [Panels]
        let after: [Panels]
        /// Error signals at the state after, and, once they went back, at the one before; c's are changed in place.
        let errors: [Panels]
        let products: [Panels]
    }

    /// - Parameter position: of a recurrent layer in the model's network, not inside another.
    package init(_ model: Model, position: Int, rows: Int) throws {
        guard let layer = model.network.layers[position] as? Recurrent else { preconditionFailure("layer \(position) is not recurrent") }
        let ordinal = model.network.layers[..<position].reduce(0) { $0 + 1 + ($1.inside?.size ?? 0) }
        let columns = model.layout.shapes[ordinal].columns, tensors = Array(model.layout.tensors(ofLayer: ordinal))
        func lay(_ memory: Memory?) -> (cell: CellPlan, buffers: Buffers) {
            let settings = PlanSettings(
                rows: rows, training: true, accumulates: false, recomputes: false, seed: 0, timeNorm: nil, batch: nil, update: nil, squares: nil)
            let parameters = model.storage.floats(at: 0)
            var plan = PlanBuilder(settings, model.layout, parameters: parameters, gradients: parameters, memory: memory)
            let x = plan.take(rows: rows, columns: columns)
            func state() -> [Panels] { (0..<layer.stateParts).map { _ in plan.take(rows: rows, columns: layer.width) } }
            let before = state(), after = state(), errors = state(), product = plan.take(rows: rows, columns: layer.width)
            var cell = CellPlan(unrolled: Unrolled(layer, Signal(x, steps: 1), tensors, ordinal: 0), plan: plan)
            let buffers = Buffers(x: x, before: before, after: after, errors: errors, products: [product] + errors.dropFirst())
            cell.append(layer.cell, before: before, after: after, errors: errors, product: product)
            return (cell, buffers)
        }
        memory = try Memory(byteCount: lay(nil).cell.plan.pool.reservation.byteCount)
        let laid = lay(memory)
        (self.model, self.rows, buffers) = (model, rows, laid.buffers)
        (inputs, stateSize) = (columns, layer.stateParts * layer.width)
        forwardCalls = Array(laid.cell.plan.calls[..<laid.cell.forwardCount])
        backwardCalls = Array(laid.cell.plan.calls[laid.cell.forwardCount...])
    }

    /// The states after a step, for its inputs [rows × inputs] and the states before it [rows × stateSize]: [rows × stateSize].
    package func forward(_ x: [Float], state: [Float]) -> [Float] {
        precondition(x.count == rows * inputs && state.count == rows * stateSize)
        buffers.x.fill(from: x, columns: 0..<inputs, of: inputs)
        fill(buffers.before, from: state)
        run(forwardCalls, threads: Kernels.threadsAvailable)
        return values(of: buffers.after)
    }

    /// vJ for error signals at the states after the last step: [rows × stateSize] at the states before it.
    package func products(_ v: [Float]) -> [Float] {
        precondition(v.count == rows * stateSize)
        fill(buffers.errors, from: v)
        run(backwardCalls, threads: Kernels.threadsAvailable)
        return values(of: buffers.products)
    }

    private func fill(_ parts: [Panels], from values: [Float]) {
        let width = stateSize / parts.count
        for (part, panels) in parts.enumerated() { panels.fill(from: values, columns: part * width..<(part + 1) * width, of: stateSize) }
    }

    private func values(of parts: [Panels]) -> [Float] {
        var values: [Float] = []
        values.reserveCapacity(rows * stateSize)
        for row in 0..<rows { for part in parts { for column in 0..<part.columns { values.append(part[row, column]) } } }
        return values
    }
}

/// The calls of one step of a cell, forward and then backward.
private struct CellPlan {
    let unrolled: Unrolled
    var plan: PlanBuilder
    var forwardCount = 0

    mutating func append(_ cell: Recurrent.Cell, before: [Panels], after: [Panels], errors: [Panels], product: Panels) {
        switch cell {
        case .rnn(let activation): rnn(activation, h: (before[0], after[0]), error: errors[0], product)
        case .lstm: lstm(h: (before[0], after[0]), c: (before[1], after[1]), errors: errors, product)
        case .gru: gru(h: (before[0], after[0]), error: errors[0], product)
        }
    }

    private mutating func rnn(_ activation: Activation, h: (before: Panels, after: Panels), error: Panels, _ product: Panels) {
        inputProduct(plan.parameter(unrolled.weights.input), into: h.after)
        stateProduct(h.before, bias: unrolled.summedBiases(1, &plan), activation, into: h.after)
        forwardCount = plan.calls.count
        plan.append(.activationBackward(activation, saved: h.after, dy: error, dz: error))
        sendBack(error, into: product, accumulate: false)
    }

    private mutating func lstm(h: (before: Panels, after: Panels), c: (before: Panels, after: Panels), errors: [Panels], _ product: Panels) {
        let gates = plan.take(rows: h.after.rows, columns: 4 * Panels.padded(unrolled.width)), dgates = plan.take(like: gates)
        inputProduct(plan.parameter(unrolled.weights.input), into: gates)
        stateProduct(h.before, bias: unrolled.summedBiases(4, &plan), into: gates)
        plan.append(.lstmForward(gates: gates, columns: unrolled.width, cBefore: c.before, c: c.after, h: h.after))
        forwardCount = plan.calls.count
        plan.append(.lstmBackward(
            gates: gates, columns: unrolled.width, cBefore: c.before, c: c.after, dh: errors[0], dc: errors[1], last: false, dgates: dgates))
        sendBack(dgates, into: product, accumulate: false)
    }

    private mutating func gru(h: (before: Panels, after: Panels), error: Panels, _ product: Panels) {
        let slots = plan.take(rows: h.after.rows, columns: 4 * Panels.padded(unrolled.width)), dslots = plan.take(like: slots)
        let w = plan.parameter(unrolled.weights.input)
        let candidate = unrolled.biases.map { unrolled.gates(1, from: 2, of: plan.parameter($0.input)).data }
        inputProduct(unrolled.gates(2, of: w), into: unrolled.gates(2, of: slots))
        inputProduct(unrolled.gates(1, from: 2, of: w), bias: candidate, into: unrolled.gates(1, from: 3, of: slots))
        plan.append(.fill(unrolled.gates(1, from: 2, of: slots), value: 0))
        stateProduct(h.before, bias: unrolled.gruBiases(&plan), into: unrolled.gates(3, of: slots))
        plan.append(.gruForward(slots: slots, columns: unrolled.width, hBefore: h.before, h: h.after))
        forwardCount = plan.calls.count
        plan.append(.fill(product, value: 0))
        plan.append(.gruBackward(slots: slots, columns: unrolled.width, hBefore: h.before, dh: error, dhBefore: product, dslots: dslots))
        sendBack(unrolled.gates(3, of: dslots), into: product, accumulate: true)
    }

    private mutating func inputProduct(_ w: Panels, bias: UnsafePointer<Float>? = nil, into y: Panels) {
        plan.append(.forward(x: unrolled.input.values, w: w, bias: bias, activation: .identity, slope: nil, y: y))
    }

    /// y = φ(y + h·U + b).
    private mutating func stateProduct(_ h: Panels, bias: Panels?, _ activation: Activation = .identity, into y: Panels) {
        plan.append(.forward(
            x: h, w: plan.parameter(unrolled.weights.state), bias: bias?.data, activation: activation, accumulate: true, slope: nil, y: y))
    }

    private mutating func sendBack(_ dz: Panels, into product: Panels, accumulate: Bool) {
        plan.append(.dgrad(
            dy: dz, w: plan.parameter(unrolled.weights.state), activation: .identity, saved: nil, accumulate: accumulate, dx: product))
    }
}

extension Recurrent {
    /// Matrices of its width that a state is made of.
    fileprivate var stateParts: Int { if case .lstm = cell { 2 } else { 1 } }
}

extension Panels {
    /// Copies some columns of a row-major matrix with `width` columns.
    fileprivate func fill(from values: [Float], columns range: Range<Int>, of width: Int) {
        for row in 0..<rows { for (column, source) in range.enumerated() { self[row, column] = values[row * width + source] } }
    }
}
