/// Runs the calls of a trainer's steps: a batch in one plan, or in several passes over micro-batches, then what follows the backward pass.
///
/// Micro-batches are consecutive rows, as even as can be. Each goes on with the sums of gradients where the one before it stopped, and draws as its rows of the
/// batch would: the same bits as the batch in one, unless layers mix its rows in another way (batch normalization, whose statistics are a micro-batch's;
/// a residual's learned scale; sequences, whose sums run step by step).
final class StepRunner {
    let blueprint: Plan.Blueprint
    let passes: Int
    let parameters: Memory
    private let gradients: Memory
    let state: StepState
    private let instruments: LayerInstruments?
    private let deferred: DeferredUpdate?
    /// What follows the backward pass.
    private let tail: [Call]
    /// What the draws of a step are keyed by.
    private let key: Memory
    /// The last sizes seen, newest last: as a rule those of the full batch and of an epoch's last one, which lies in the memory of the first. None leaves
    /// anything in it for the next step.
    var plans: [StepPlan] = []
    /// That of the last step; nil where it was one of several passes.
    private var last: Int?
    /// The threads that the calls of the last step paid for, of several passes the most.
    private(set) var worth = 1
    /// What is told the time of every call; nil: nothing.
    var times: CallTimes?

    // Of passes: what clears the gradients; the mean of the losses, and the tail; the losses of the batch's rows; what layers remembered before the step.
    private var clearing: [Call] = []
    private var end: [Call] = []
    private var losses: Memory?
    private var remembered: Memory?

    struct StepPlan {
        var plan: Plan
        let batchRows: Int
        /// Of its calls, those up to the end of the backward pass. The tail follows them where the batch is run in one.
        let count: Int
        /// The threads that its calls pay for.
        let worth: Int
    }

    /// - Parameter tail: the calls of `state`, and what follows them.
    init(
        _ blueprint: Plan.Blueprint, passes: Int, parameters: Memory, gradients: Memory, state: StepState, instruments: LayerInstruments?, deferred: DeferredUpdate?,
        tail: [Call]
    ) throws {
        (self.blueprint, self.passes, self.parameters, self.gradients, self.state, self.tail) = (blueprint, passes, parameters, gradients, state, tail)
        (self.instruments, self.deferred) = (instruments, deferred)
        key = try Memory(byteCount: MemoryLayout<Batch>.stride)
        guard passes > 1 else { return }
        losses = try Memory(byteCount: 0)
        remembered = try Memory(byteCount: Self.stateBytes(blueprint.layout))
        let flat = Panels(data: gradients.floats(at: 0), rows: blueprint.layout.count / Panels.width, columns: Panels.width)
        clearing = [.fill(flat, value: 0)]
        end = [.lossMean(rows: 0, divisor: 1, rowLoss: state.loss, mean: state.loss)] + tail
    }

    /// Runs step number `step` (from 1) on a batch as `Samples.feed` takes it.
    /// - Throws: `FathomError.tooLarge` where a plan does not fit in memory.
    func run(_ samples: Samples, order: UnsafePointer<UInt32>?, first: Int, rows: Int, step: Int, threads: Int) throws {
        let passes = min(passes, rows)
        if passes > 1 { return try run(samples, order: order, first: first, rows: rows, passes: passes, step: step, threads: threads) }
        let index = try planIndex(rows: rows, of: rows), count = plans[index].count, threads = min(threads, plans[index].worth)
        setKey(step: step, firstRow: 0)
        samples.feed(&plans[index].plan, order: order, first: first, targets: true) { state.clipping.run($0.calls, after: count, threads: threads, times) }
        (last, worth) = (index, plans[index].worth)
    }

    /// Sums up what the last step gathered of signals, unless its passes have.
    func sumSignals(threads: Int) {
        if let last { plans[last].plan.signalSources.sum(threads: threads) }
    }

    private func run(_ samples: Samples, order: UnsafePointer<UInt32>?, first: Int, rows: Int, passes: Int, step: Int, threads: Int) throws {
        // The sizes that will be needed, before anything is run; the larger first, so that the other finds room in its memory.
        _ = try (planIndex(rows: (rows + passes - 1) / passes, of: rows), planIndex(rows: rows / passes, of: rows))
        let losses = try losses(rows: rows)
        (last, worth) = (nil, 1)
        begin(threads: threads)
        instruments?.clear()
        var done = 0
        for pass in 0..<passes {
            let count = (rows - done) / (passes - pass), index = try planIndex(rows: count, of: rows), threads = min(threads, plans[index].worth)
            worth = max(worth, plans[index].worth)
            setKey(step: step, firstRow: done)
            samples.feed(&plans[index].plan, order: order, first: first + done, targets: true) { Fathom.run($0.calls, threads: threads, times) }
            Fathom.run(plans[index].plan.tail, threads: threads, times)
            plans[index].plan.signalSources.sum(threads: threads, times)
            collect(plans[index].plan.rowLoss, rows: count, at: done, of: rows, into: losses)
            done += count
        }
        let outputRows = blueprint.layout.output.rows(samples: rows), divisor = blueprint.loss?.divisor(rows: outputRows, columns: blueprint.outputs) ?? 1
        end[0] = .lossMean(rows: outputRows, divisor: divisor, rowLoss: losses, mean: state.loss)
        state.clipping.run(end, after: 1, threads: threads, times)
        if !state.update.pointee.finite { forget() }
    }

    func setKey(step: Int, firstRow: Int) {
        key.base.assumingMemoryBound(to: Batch.self).pointee = Batch(step: UInt64(step), first_row: UInt64(firstRow))
    }

    // MARK: Sums over passes

    func begin(threads: Int) {
        Fathom.run(clearing, threads: threads, times)
        // Whether the step is finite is known at its end only: what layers remember of a pass is taken back then.
        state.update.pointee.finite = true
        remembered?.base.copyMemory(from: parameters.floats(at: blueprint.layout.count), byteCount: Self.stateBytes(blueprint.layout))
    }

    func forget() {
        guard let remembered else { return }
        UnsafeMutableRawPointer(parameters.floats(at: blueprint.layout.count)).copyMemory(from: remembered.base, byteCount: Self.stateBytes(blueprint.layout))
    }

    /// Of what is not learned, which lies behind what is.
    private static func stateBytes(_ layout: ParameterLayout) -> Int { (layout.storageCount - layout.count) * MemoryLayout<Float>.stride }

    private static func lossBytes(_ layout: ParameterLayout, rows: Int) -> Int { layout.output.rows(samples: rows) * MemoryLayout<Double>.stride }

    /// Bytes that it has beside its plans once it has run a batch of `rows`, at most 2³².
    static func byteCount(_ layout: ParameterLayout, passes: Int, rows: Int) -> Int {
        MemoryLayout<Batch>.stride
            + (passes > 1 ? stateBytes(layout) : 0) + (min(passes, rows) > 1 ? lossBytes(layout, rows: min(rows, 1 << 32)) : 0)
    }

    private func losses(rows: Int) throws -> UnsafeMutablePointer<Double> {
        let bytes = Self.lossBytes(blueprint.layout, rows: rows)
        if losses.map({ $0.byteCount < bytes }) ?? true { losses = try Memory(byteCount: bytes) }
        return losses!.base.assumingMemoryBound(to: Double.self)
    }

    /// The losses of a micro-batch's rows to where they lie in those of the batch: step by step.
    private func collect(_ rowLoss: UnsafePointer<Double>, rows: Int, at first: Int, of batchRows: Int, into losses: UnsafeMutablePointer<Double>) {
        for step in 0..<(blueprint.layout.output.steps ?? 1) {
            (losses + step * batchRows + first).update(from: rowLoss + step * rows, count: rows)
        }
    }

    // MARK: Plans

    func planIndex(rows: Int, of batchRows: Int) throws -> Int {
        // A loop: unspecialized, as in debug builds, `firstIndex` allocates.
        for known in plans.indices where plans[known].plan.rows == rows && plans[known].batchRows == batchRows { return known }
        let step = Plan.Step(
            loss: state.loss, batch: UnsafePointer(key.base.assumingMemoryBound(to: Batch.self)), update: UnsafePointer(state.update),
            squares: state.clipping.squares, batchRows: rows == batchRows ? nil : batchRows, instruments: instruments)
        var plan = try Plan(
            blueprint, rows: rows, parameters: parameters.floats(at: 0), gradients: gradients.floats(at: 0), step: step,
            sharing: plans.compactMap(\.plan.memory).max { $0.byteCount < $1.byteCount })
        if let deferred { plan.calls = deferred.among(plan.calls) }
        let count = plan.calls.count
        if rows == batchRows { plan.calls += tail + plan.tail }
        if plans.count == (passes == 1 ? 2 : 4) {
            // What the last step has gathered may lie in it.
            if last == 0 { sumSignals(threads: 1) }
            last = last.flatMap { $0 > 0 ? $0 - 1 : nil }
            plans.removeFirst()
        }
        plans.append(StepPlan(plan: plan, batchRows: batchRows, count: count, worth: threadsWorth(plan.calls)))
        return plans.count - 1
    }
}
