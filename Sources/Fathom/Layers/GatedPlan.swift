// The gated cells over the steps of a plan. Gates of a step lie side by side, each beginning on a panel; their gradients take their place.

extension Unrolled {
    func forwardLSTM(_ plan: inout PlanBuilder) -> Pass {
        let gates = plan.take(rows: rows, columns: 4 * Panels.padded(width)), bias = summedBiases(4, &plan)
        let h = plan.take(rows: rows, columns: width), c = plan.take(rows: rows, columns: width)
        plan.append(.forward(x: input.values, w: plan.parameter(weights.input), bias: nil, activation: .identity, slope: nil, y: gates))
        for t in 0..<steps {
            if t > 0 || bias != nil { appendStateProduct(t, h: h, bias: bias, y: step(t, gates), &plan) }
            plan.append(.lstmForward(gates: step(t, gates), columns: width, cBefore: t == 0 ? nil : step(t - 1, c), c: step(t, c), h: step(t, h)).byRows(isChain))
        }
        if let bias { plan.release(bias) }
        if !plan.training {
            plan.release(gates)
            plan.release(c)
        }
        return Pass(output: Signal(h, steps: steps, takesLastStep: takesLastStep)) { dy, needsInput, plan in
            let dh = ownedGradient(dy, &plan), transposed = transposedStateWeights(&plan), dc = plan.take(rows: rows / steps, columns: width)
            for t in (0..<steps).reversed() {
                let dz = step(t, gates), isLast = t == steps - 1 || isCut(before: t + 1)
                plan.clipTimeStep(step(t, dh))
                plan.append(.lstmBackward(
                    gates: dz, columns: width, cBefore: t == 0 ? nil : step(t - 1, c), c: step(t, c), dh: step(t, dh), dc: dc, last: isLast, dgates: dz).byRows(isChain))
                guard !isCut(before: t) else { continue }
                appendStateGradient(t, dz: dz, transposed: transposed, dh: dh, fromAbove: dy.rows == rows, through: .identity, h: h, &plan)
            }
            if let blocks = plan.watched[ordinal] { plan.append(.signalGradient(dh, blocks: blocks)) }
            for buffer in [transposed, dc, dh] { plan.release(buffer) }
            appendStateWeightGradient(h: h, dz: gates, &plan)
            appendInputGradients(dz: gates, &plan)
            plan.pool.retain(gates)
            return finish(dz: gates, needsInput, &plan)
        }
    }

    /// Slots r, z, the state's part of the candidate, the input's part: the products with the state go to the first three, those with the input to the others
    /// but the third.
    func forwardGRU(_ plan: inout PlanBuilder) -> Pass {
        let slots = plan.take(rows: rows, columns: 4 * Panels.padded(width)), h = plan.take(rows: rows, columns: width)
        let w = plan.parameter(weights.input), bias = gruBiases(&plan)
        plan.append(.forward(x: input.values, w: gates(2, of: w), bias: nil, activation: .identity, slope: nil, y: gates(2, of: slots)))
        plan.append(.forward(
            x: input.values, w: gates(1, from: 2, of: w), bias: biases.map { gates(1, from: 2, of: plan.parameter($0.input)).data }, activation: .identity, slope: nil,
            y: gates(1, from: 3, of: slots)))
        plan.append(.fill(gates(1, from: 2, of: slots), value: 0))
        for t in 0..<steps {
            if t > 0 || bias != nil { appendStateProduct(t, h: h, bias: bias, y: gates(3, of: step(t, slots)), &plan) }
            plan.append(.gruForward(slots: step(t, slots), columns: width, hBefore: t == 0 ? nil : step(t - 1, h), h: step(t, h)).byRows(isChain))
        }
        if let bias { plan.release(bias) }
        if !plan.training { plan.release(slots) }
        return Pass(output: Signal(h, steps: steps)) { dy, needsInput, plan in
            let dh = ownedGradient(dy, &plan), transposed = transposedStateWeights(&plan)
            for t in (0..<steps).reversed() {
                let dslots = step(t, slots)
                plan.clipTimeStep(step(t, dh))
                plan.append(.gruBackward(
                    slots: dslots, columns: width, hBefore: t == 0 ? nil : step(t - 1, h), dh: step(t, dh), dhBefore: isCut(before: t) ? nil : step(t - 1, dh),
                    dslots: dslots).byRows(isChain))
                guard !isCut(before: t) else { continue }
                appendStateGradient(t, dz: gates(3, of: dslots), transposed: transposed, dh: dh, fromAbove: true, through: .identity, h: h, &plan)
            }
            if let blocks = plan.watched[ordinal] { plan.append(.signalGradient(dh, blocks: blocks)) }
            plan.release(transposed)
            plan.release(dh)
            appendStateWeightGradient(h: h, dz: gates(3, of: slots), &plan)
            return finishGRU(slots, needsInput, &plan)
        }
    }

    /// The sums of both biases of the gates, then the candidate's for the state alone: its two stay apart.
    func gruBiases(_ plan: inout PlanBuilder) -> Panels? {
        guard let biases, let bias = summedBiases(3, &plan) else { return nil }
        plan.append(.add(nil, gates(1, from: 2, of: plan.parameter(biases.state)), y: gates(1, from: 2, of: bias)))
        return bias
    }

    private func finishGRU(_ slots: Panels, _ needsInput: Bool, _ plan: inout PlanBuilder) -> Panels? {
        let accumulate = plan.settings.accumulates, x = input.values, w = plan.parameter(weights.input), dw = plan.gradient(weights.input)
        let parts = [(dz: gates(2, of: slots), gates: 2, first: 0), (dz: gates(1, from: 3, of: slots), gates: 1, first: 2)]
        for part in parts {
            let squares = plan.squares(weights.input).map { $0 + part.first * (weights.input.blocks / weights.input.groups) }
            plan.append(.wgrad(x: x, dy: part.dz, accumulate: accumulate, dw: gates(part.gates, from: part.first, of: dw), squares: squares))
        }
        if let biases {
            for part in parts {
                plan.append(.biasGradient(dy: part.dz, accumulate: accumulate, db: gates(part.gates, from: part.first, of: plan.gradient(biases.input)).data))
            }
            plan.append(.biasGradient(dy: gates(3, of: slots), accumulate: accumulate, db: plan.gradient(biases.state).data))
        }
        guard needsInput else { return nil }
        let dx = plan.take(like: x)
        plan.appendDgrad(dy: parts[0].dz, w: gates(2, of: w), input: input.plain, dx: dx)
        plan.appendDgrad(dy: parts[1].dz, w: gates(1, from: 2, of: w), input: input, dx: dx, accumulate: true)
        return dx
    }
}
