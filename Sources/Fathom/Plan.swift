/// The flat list of kernel calls that a network runs for one batch size, with every buffer laid out beforehand. Running it allocates nothing.
///
/// A training plan: gather the minibatch, forward, loss, backward. A prediction plan: gather, forward.
struct Plan {
    /// The first gathers the features, in training and evaluation the second the targets; both are pointed at their source before each run.
    var calls: [Call]
    /// What follows clipping, which tells whether the step is finite.
    let tail: [Call]
    let rows: Int
    /// A row for each sample; of a network whose output is every step, for each step and sample, steps outermost.
    let output: Panels
    /// The gradient at the input; nil unless it was asked for.
    let inputGradient: Panels?
    /// The loss of each row of the output, where the plan computes it.
    let rowLoss: UnsafeMutablePointer<Double>
    /// The class of the largest output of each row, in evaluation.
    let predictedClasses: UnsafeMutablePointer<Int32>
    let targets: TargetBuffers
    /// Of the buffers.
    let byteCount: Int
    /// Where the buffers lie; nil in a plan that only measures.
    let memory: Memory?
    /// What is summed up of its layers' signals.
    let signalSources: SignalSourceList
    /// What it was made from, with the scaling that its gathers point to.
    let blueprint: Blueprint

    /// Everything a plan is made from.
    struct Blueprint {
        enum Purpose {
            case training
            /// Forward and, with a loss, the loss of each row; the class of each row.
            case evaluation
            case prediction
            /// Prediction, then softmax, or sigmoid for binary cross-entropy.
            case probabilities
        }

        let network: Network
        let layout: ParameterLayout
        let inputs: Int
        let purpose: Purpose
        var loss: Loss?
        var inputScaling: ColumnScaling?
        var targetScaling: ColumnScaling?
        var classWeights: ClassWeightVector?
        var seed: UInt64 = 0
        var recompute = Recompute.none
        var timeNorm: Double?
        /// Whether the gradient at the input is made too.
        var wantsInputGradient = false

        var outputs: Int { layout.output.columns }
    }

    /// Where a training plan finds and leaves the numbers of its step.
    struct Step {
        let loss: UnsafeMutablePointer<Double>
        let batch: UnsafePointer<Batch>
        let update: UnsafePointer<Update>?
        /// Where the sums of squares of the blocks of the weights' gradients go; nil: nowhere.
        var squares: UnsafeMutablePointer<Double>?
        /// Rows of the batch that the loss is a mean over; nil: the plan's own.
        var batchRows: Int?
        /// Where the losses of the batch's rows lie, the plan's from its first on; nil: a place of its own.
        var rowLoss: UnsafeMutablePointer<Double>?
        /// Where what is told of the layers goes; nil: nobody asks.
        var instruments: LayerInstruments?
    }
}

/// What is kept of the forward pass for the backward one.
public enum Recompute: String, Sendable, Hashable, CaseIterable {
    /// Every signal.
    case none
    /// The signals at the borders of √depth segments; those inside are made again: Chen et al. 2016, "Training deep nets with sublinear memory cost".
    case sqrt
}

extension Plan {
    /// - Parameters:
    ///   - gradients: where they go, laid out as the learned parameters; nil where the plan does not train.
    ///   - step: nil where the plan does not train.
    ///   - shared: memory of plans that are not run at the same time, taken where it is large enough.
    init(
        _ blueprint: Blueprint, rows: Int, parameters: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>? = nil, step: Step? = nil,
        sharing shared: Memory? = nil
    ) throws {
        func build(_ memory: Memory?) -> Plan {
            blueprint.build(rows: rows, parameters: parameters, gradients: gradients ?? parameters, step: step, memory: memory)
        }
        let byteCount = build(nil).byteCount
        if let shared, shared.byteCount >= byteCount { self = build(shared) } else { self = build(try Memory(byteCount: byteCount)) }
    }
}

extension Plan.Blueprint {
    /// Bytes of the plan's buffers for a batch of `rows`, at most 2³².
    func byteCount(rows: Int, instruments: LayerInstruments?) -> Int {
        let nowhere = UnsafeMutableRawPointer(bitPattern: Reservation.alignment)!, floats = nowhere.assumingMemoryBound(to: Float.self)
        let step = Plan.Step(
            loss: nowhere.assumingMemoryBound(to: Double.self), batch: nowhere.assumingMemoryBound(to: Batch.self), update: nowhere.assumingMemoryBound(to: Update.self),
            instruments: instruments)
        // No batch is larger than this; beyond it, sizes would only overflow.
        return build(rows: min(rows, 1 << 32), parameters: floats, gradients: floats, step: step, memory: nil).byteCount
    }

    fileprivate func build(
        rows: Int, parameters: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>, step: Plan.Step?, memory: Memory?
    ) -> Plan {
        let training = purpose == .training, settings = PlanSettings(
            rows: rows, training: training, accumulates: (step?.batchRows ?? rows) != rows, recomputes: training && recompute == .sqrt, seed: seed,
            timeNorm: timeNorm, batch: step?.batch, update: step?.update, squares: step?.squares, instruments: step?.instruments)
        var plan = PlanBuilder(settings, layout, parameters: parameters, gradients: gradients, memory: memory)

        let steps = network.inputSteps
        let input = plan.take(rows: rows * (steps ?? 1), columns: inputs / (steps ?? 1))
        plan.append(.gather(bytes: false, sourceColumns: inputs, steps: steps ?? 1, mean: inputScaling?.mean, scale: inputScaling?.scale, x: input))
        let outputRows = layout.output.rows(samples: rows)
        let targets = gatherTargets(&plan, outputRows)
        let pass = network.forward(Signal(input, steps: steps), &plan)
        let output = pass.output.values
        let rowLoss = step?.rowLoss ?? plan.pool.reserve(Double.self, count: outputRows)
        let predictedClasses = plan.pool.reserve(Int32.self, count: outputRows)
        var answer = output, inputGradient: Panels?
        if let loss, purpose == .training || purpose == .evaluation {
            let divisor = loss.divisor(rows: layout.output.rows(samples: step?.batchRows ?? rows), columns: outputs)
            let gradient = training ? plan.take(rows: outputRows, columns: outputs) : nil
            let told = plan.takeOutput(pass.output)
            plan.append(.loss(
                loss, y: output, targets: targets, units: targetScaling?.deviation, classWeights: classWeights?.values, divisor: divisor, rowLoss: rowLoss,
                dy: gradient, blocks: told))
            if let step, step.batchRows == nil { plan.append(.lossMean(rows: outputRows, divisor: divisor, rowLoss: rowLoss, mean: step.loss)) }
            if let gradient {
                let dz = told == nil ? plan.backward(throughActivationOf: pass.output, gradient) : gradient
                inputGradient = pass.backward(dz, wantsInputGradient, &plan)
            }
        }
        if purpose == .evaluation { plan.append(.argmax(y: output, classes: predictedClasses)) }
        if purpose == .probabilities {
            answer = plan.take(rows: outputRows, columns: outputs)
            let binary = loss == .binaryCrossEntropy
            plan.append(binary ? .activationForward(.sigmoid, z: output, y: answer) : .softmax(y: output, p: answer))
        }
        return Plan(
            calls: plan.calls, tail: plan.tail.map { $0.overlapping() }, rows: rows, output: answer, inputGradient: inputGradient, rowLoss: rowLoss, predictedClasses: predictedClasses,
            targets: targets, byteCount: plan.pool.reservation.byteCount, memory: memory, signalSources: SignalSourceList(plan.signalSources),
            blueprint: self)
    }

    private func gatherTargets(_ plan: inout PlanBuilder, _ rows: Int) -> TargetBuffers {
        guard let loss, purpose == .training || purpose == .evaluation else { return TargetBuffers(classes: nil, values: nil) }
        let steps = layout.output.steps ?? 1
        if loss.isCrossEntropy {
            let classes = plan.pool.reserve(Int32.self, count: rows)
            plan.append(.gatherClasses(rows: plan.settings.rows, steps: steps, classes: classes))
            return TargetBuffers(classes: classes, values: nil)
        }
        let values = plan.take(rows: rows, columns: outputs)
        plan.append(.gather(
            bytes: false, sourceColumns: steps * outputs, steps: steps, mean: targetScaling?.mean, scale: targetScaling?.scale, x: values))
        return TargetBuffers(classes: nil, values: values)
    }
}
