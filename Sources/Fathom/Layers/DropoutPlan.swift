extension Dropout: PlannedLayer {
    func flops(_ input: Shape) -> Int { input.columns * (input.steps ?? 1) }

    func forward(_ input: Signal, tensors: ArraySlice<ParameterTensor>, ordinal: Int, activation: Activation, plan: inout PlanBuilder) -> Pass {
        let x = input.values
        // A plan that only measures has no batch; any address will do there.
        guard rate > 0, plan.training, plan.settings.drops, let batch = plan.settings.batch ?? UnsafePointer(bitPattern: Reservation.alignment) else {
            return Pass(output: input) { dz, _, _ in dz }
        }
        // One bit for each element: sixteen to a panel row, which is half a float.
        let mask = plan.take(rows: 1, columns: (x.rows * Panels.panels(x.columns) + 1) / 2)
        let y = plan.take(like: x), seed = plan.settings.seed, steps = input.steps ?? 1
        plan.append(.dropout(rate, seed: seed, layer: ordinal, batch: batch, steps: steps, mask: mask, x: x, y: y))
        return Pass(output: Signal(y, steps: input.steps)) { dz, _, plan in
            let dx = plan.destination(for: dz)
            plan.append(.dropoutBackward(rate, seed: seed, layer: ordinal, batch: batch, steps: steps, mask: mask, dy: dz, dx: dx))
            return plan.backward(throughActivationOf: input, dx)
        }
    }
}
