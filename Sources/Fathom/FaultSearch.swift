import CKernels

// A step that is not finite changes nothing, so it can be taken again: call by call, until one writes a value that is not finite.

extension StepRunner {
    /// The first value of a step that is not finite, by running it again up to there on one thread; nil where there is none.
    ///
    /// Takes some times as long as the step on one thread, since all that is written is looked at, and leaves nothing behind but gradients that are not those of a step.
    func locate(_ samples: Samples, order: UnsafePointer<UInt32>?, first: Int, rows: Int, step: Int) -> Fault? {
        let search = FaultSearch(blueprint, samples: samples, order: order, first: first, step: step)
        if let fault = search.inParameters(parameters.floats(at: 0)) { return fault }
        let passes = min(passes, rows)
        if passes > 1 { begin(threads: 1) }
        defer { if passes > 1 { forget() } }
        var done = 0
        for pass in 0..<passes {
            let count = (rows - done) / (passes - pass)
            guard let index = try? planIndex(rows: count, of: rows) else { return nil }
            setKey(step: step, firstRow: done)
            let calls = plans[index].count
            let found = samples.feed(&plans[index].plan, order: order, first: first + done, targets: true) {
                search.inCalls($0.calls, calls, rows: count, done: done, rowLoss: $0.rowLoss)
            }
            if let found { return found }
            done += count
        }
        return Fault(
            step: step, pass: .update, layer: nil, quantity: "the gradient's norm", timeStep: nil, sample: nil, row: nil, column: nil, input: nil,
            value: Float(state.update.pointee.gradient_norm), inputs: [])
    }
}

extension Trainer {
    /// The first number of what a checkpoint holds, parameters, the optimizer's state and averages, that is not finite: an update has overflowed, the last
    /// step's or one before. nil where all are finite. A pass over all of it.
    public var overflow: Fault? {
        let places = live.network.places
        for (memory, prefix, tensors) in saved {
            for tensor in tensors {
                guard var fault = tensor.fault(in: memory.floats(at: 0), step: stepsTaken, pass: .update, layer: places[tensor.layer].name) else { continue }
                if memory !== live.storage { fault.quantity = prefix + fault.quantity }
                return fault
            }
        }
        return nil
    }
}

extension ParameterTensor {
    /// The first element that is not finite.
    fileprivate func fault(in floats: UnsafeMutablePointer<Float>, step: Int, pass: Fault.Pass, layer: String) -> Fault? {
        // Whether there is one, without looking where: a loop over vectors.
        var most: UInt32 = 0
        for i in offset..<offset + count { most = max(most, floats[i].magnitude.bitPattern) }
        guard most >= Float.infinity.bitPattern else { return nil }
        for group in 0..<groups {
            let panels = self.group(group, in: floats)
            guard let at = panels.firstNotFinite else { continue }
            return Fault(
                step: step, pass: pass, layer: layer, quantity: name, timeStep: nil, sample: nil, row: nil, column: group * columnsOfGroup + at.column,
                input: role == .weight ? at.row : nil, value: panels[at.row, at.column], inputs: [])
        }
        return nil
    }
}

private struct FaultSearch {
    let blueprint: Plan.Blueprint
    let samples: Samples
    let order: UnsafePointer<UInt32>?
    let first: Int
    let step: Int
    let places: [Place]

    init(_ blueprint: Plan.Blueprint, samples: Samples, order: UnsafePointer<UInt32>?, first: Int, step: Int) {
        (self.blueprint, self.samples, self.order, self.first, self.step) = (blueprint, samples, order, first, step)
        places = blueprint.network.places
    }

    func inParameters(_ floats: UnsafeMutablePointer<Float>) -> Fault? {
        for tensor in blueprint.layout.all {
            if let fault = tensor.fault(in: floats, step: step, pass: .parameters, layer: places[tensor.layer].name) { return fault }
        }
        return nil
    }

    /// - Parameters:
    ///   - count: of the calls, how many are looked at.
    ///   - done: rows of the batch before the calls' own.
    func inCalls(_ calls: [Call], _ count: Int, rows: Int, done: Int, rowLoss: UnsafePointer<Double>) -> Fault? {
        for i in 0..<count {
            run(calls, i..<i + 1, threads: 1)
            for operand in calls[i].written {
                guard let at = operand.panels.firstNotFinite else { continue }
                return fault(calls, i, operand, at, rows: rows, done: done)
            }
            if calls[i].isLoss, let row = (0..<calls[i].arguments.loss.rows).first(where: { !rowLoss[$0].isFinite }) {
                // In training a loss has a gradient, whose rows its own are.
                let loss = Call.Operand(name: "loss", panels: calls[i].written[0].panels)
                return fault(calls, i, loss, (row, 0), rows: rows, done: done, value: Float(rowLoss[row]))
            }
        }
        return nil
    }

    private func fault(
        _ calls: [Call], _ i: Int, _ operand: Call.Operand, _ at: (row: Int, column: Int), rows: Int, done: Int, value: Float? = nil
    ) -> Fault {
        // The activation at the very end is a part of the step; the last layer is what it belongs to.
        let call = calls[i], tag = Int(call.tag), isAtEnd = tag == 0 && call.operation == FATHOM_ACTIVATION_BACKWARD
        let ordinal = isAtEnd ? places.count - 1 : tag == 0 ? nil : (tag - 1) / 2
        let isGather = call.operation == FATHOM_GATHER_FLOATS || call.operation == FATHOM_GATHER_BYTES
        let pass: Fault.Pass = isGather ? .input : isAtEnd ? .backward : tag == 0 ? .loss : tag.isMultiple(of: 2) ? .backward : .forward
        var timeStep: Int?, sample: Int?
        if call.writesSamples, operand.panels.rows.isMultiple(of: rows) {
            sample = at.row % rows + done
            if operand.panels.rows > rows { timeStep = at.row / rows }
            if operand.panels.rows == rows, operand.panels.stride > rows * Panels.width { timeStep = stepOf(operand, of: call, calls) }
        }
        let isTarget = isGather && i == 1
        return Fault(
            step: step, pass: pass, layer: ordinal.map { places[$0].name }, quantity: isTarget ? "target" : operand.name, timeStep: timeStep, sample: sample,
            row: sample.map { sample in order.map { Int($0[first + sample]) } ?? first + sample },
            column: operand.name == "loss" ? nil : column(at.column, of: operand, ordinal),
            input: call.operation == FATHOM_GEMM_WGRAD ? at.row : nil, value: value ?? operand.panels[at.row, at.column],
            inputs: call.fed(row: at.row, column: at.column))
    }

    /// Of gates, which begin on panels each, as in the rows of PyTorch's weights.
    private func column(_ column: Int, of operand: Call.Operand, _ ordinal: Int?) -> Int {
        guard let ordinal, let layer = places[ordinal].layer as? Recurrent, operand.panels.columns > layer.width else { return column }
        let (gate, unit) = column.quotientAndRemainder(dividingBy: Panels.padded(layer.width))
        return gate * layer.width + unit
    }

    /// Which step of a sequence an operand with a step's rows is: how far it lies behind the first row of its matrix, which the same pass of the layer writes
    /// whole, or first or last of all steps. Calls of other kinds write to other matrices, but for the two that take a gradient through an activation.
    private func stepOf(_ operand: Call.Operand, of call: Call, _ calls: [Call]) -> Int {
        let view = operand.panels, through = [FATHOM_GEMM_DGRAD, FATHOM_ACTIVATION_BACKWARD]
        let starts = calls.lazy.filter {
            $0.tag == call.tag && ($0.operation == call.operation || (through.contains($0.operation) && through.contains(call.operation)))
        }.flatMap(\.written).filter {
            $0.name == operand.name && $0.panels.stride == view.stride && [view.rows, view.stride / Panels.width].contains($0.panels.rows)
        }.map(\.panels.data).filter { $0 <= view.data && view.data - $0 < view.stride }
        return (view.data - (starts.min() ?? view.data)) / (view.rows * Panels.width)
    }
}

extension Panels {
    /// In the order of rows; padding is not looked at.
    fileprivate var firstNotFinite: (row: Int, column: Int)? {
        for row in 0..<rows { for column in 0..<columns where !self[row, column].isFinite { return (row, column) } }
        return nil
    }
}
