import CKernels

extension Samples {
    /// Points a plan's gathers at a batch of these samples and calls `body` while their memory stands still.
    ///
    /// - Parameters:
    ///   - order: the rows to take, from its entry `first` on; nil: rows `first`, `first` + 1, ….
    ///   - targets: whether the plan gathers targets too, as its second call.
    func feed<Result>(_ plan: inout Plan, order: UnsafePointer<UInt32>?, first: Int, targets: Bool, _ body: (inout Plan) throws -> Result) rethrows -> Result {
        // Without an order the source moves to the first row; with one, the order does.
        let skipped = order == nil ? first : 0, order = order.map { $0 + first }
        switch features {
        case .bytes(let bytes):
            return try bytes.withUnsafeBufferPointer {
                plan.calls[0].gather(FATHOM_GATHER_BYTES, from: $0.baseAddress.map { UnsafeRawPointer($0 + skipped * columns) }, order)
                return targets ? try feedTargets(&plan, skipped, order, body) : try body(&plan)
            }
        case .floats(let floats):
            return try floats.withUnsafeBufferPointer {
                plan.calls[0].gather(FATHOM_GATHER_FLOATS, from: $0.baseAddress.map { UnsafeRawPointer($0 + skipped * columns) }, order)
                return targets ? try feedTargets(&plan, skipped, order, body) : try body(&plan)
            }
        }
    }

    private func feedTargets<Result>(
        _ plan: inout Plan, _ skipped: Int, _ order: UnsafePointer<UInt32>?, _ body: (inout Plan) throws -> Result
    ) rethrows -> Result {
        switch targets {
        case .none: return try body(&plan)
        case .classes(let classes): return try feedClasses(classes, &plan, skipped, order, body)
        case .stepClasses(let classes, let steps): return try feedClasses(classes, &plan, skipped * steps, order, body)
        case .values(let values, let width):
            return try values.withUnsafeBufferPointer {
                plan.calls[1].gather(FATHOM_GATHER_FLOATS, from: $0.baseAddress.map { UnsafeRawPointer($0 + skipped * width) }, order)
                return try body(&plan)
            }
        }
    }

    private func feedClasses<Result>(
        _ classes: [Int32], _ plan: inout Plan, _ skipped: Int, _ order: UnsafePointer<UInt32>?, _ body: (inout Plan) throws -> Result
    ) rethrows -> Result {
        try classes.withUnsafeBufferPointer {
            plan.calls[1].arguments.gather_classes.source = $0.baseAddress.map { $0 + skipped }
            plan.calls[1].arguments.gather_classes.order = order
            return try body(&plan)
        }
    }
}

extension Call {
    fileprivate mutating func gather(_ operation: fathom_operation, from source: UnsafeRawPointer?, _ order: UnsafePointer<UInt32>?) {
        self.operation = operation
        arguments.gather.source = source
        arguments.gather.order = order
    }
}

extension Samples {
    /// - Parameter steps: of the network's output; nil where it is one row to a sample.
    /// - Throws: `FathomError.invalid` unless the targets are what the loss takes: classes below `outputs` for cross-entropy, else `outputs` values to a
    ///   sample or to each step of one, from 0 to 1 for binary cross-entropy.
    func checkTargets(for loss: Loss, outputs: Int, steps: Int?) throws {
        switch (targets, loss) {
        case (.none, _): throw FathomError.invalid("the samples have no targets")
        case (.classes, .crossEntropy) where steps != nil:
            throw FathomError.invalid("a sample has one class; the network answers at each of \(steps ?? 1) steps: add last or mean behind the sequence")
        case (.stepClasses(_, let given), .crossEntropy) where steps != given:
            let found = steps.map { "at each of \($0)" } ?? "once"
            throw FathomError.invalid(
                "a sample has a class for each of \(given) steps; the network answers \(found): begin it with sequence(\(given)), without last or mean")
        case (.classes(let classes), .crossEntropy), (.stepClasses(let classes, _), .crossEntropy):
            guard let worst = classes.max(), worst >= outputs else { return }
            throw FathomError.invalid("a sample is of class \(worst); the network's \(outputs) outputs know classes 0 to \(outputs - 1)")
        case (.classes, _), (.stepClasses, _): throw FathomError.invalid("the loss \(loss) takes numbers as targets; these are classes, for cross-entropy")
        case (.values, .crossEntropy): throw FathomError.invalid("cross-entropy takes classes as targets; these are numbers")
        case (.values(let values, let width), _):
            guard width == outputs * (steps ?? 1) else {
                let found = steps.map { "\($0) steps of \(outputs) outputs; last or mean makes one row of a sequence" } ?? "\(outputs) outputs"
                throw FathomError.invalid("the samples have \(width) target\(width == 1 ? "" : "s") each; the network has \(found)")
            }
            guard loss == .binaryCrossEntropy, let bad = values.first(where: { !($0 >= 0 && $0 <= 1) }) else { return }
            throw FathomError.invalid("binary cross-entropy takes targets from 0 to 1; one is \(bad)")
        }
    }
}
