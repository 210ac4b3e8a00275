/// The flat list of kernel calls that a network runs for one batch size, with every buffer laid out beforehand. Running it allocates nothing.
///
/// A training plan: gather the minibatch, forward, loss, backward, then the trainer's own calls (norms, clipping, optimizer).
/// A prediction plan: gather, forward.
struct Plan {
    /// The first gathers the features, in training and evaluation the second the targets; both are pointed at their source before each run.
    var calls: [Call]
    let rows: Int
    let output: Panels
    /// The loss of each row, where the plan computes it.
    let rowLoss: UnsafeMutablePointer<Double>
    /// The class of the largest output of each row, in evaluation.
    let predictedClasses: UnsafeMutablePointer<Int32>
    let targets: TargetBuffers
    /// Of the buffers.
    let byteCount: Int
    /// Where the buffers lie; nil in a plan that only measures.
    let memory: Memory?
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
        let outputs: Int
        let purpose: Purpose
        var loss: Loss?
        var inputScaling: ColumnScaling?
        var targetScaling: ColumnScaling?
    }
}

extension Plan {
    /// - Parameters:
    ///   - lossMean: where the mean loss of the batch goes.
    ///   - tail: the calls that follow the backward pass.
    init(
        _ blueprint: Blueprint, rows: Int, parameters: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>? = nil,
        lossMean: UnsafeMutablePointer<Double>? = nil, tail: [Call] = []
    ) throws {
        func build(_ memory: Memory?) -> Plan {
            blueprint.build(rows: rows, parameters: parameters, gradients: gradients ?? parameters, lossMean: lossMean, memory: memory)
        }
        self = build(try Memory(byteCount: build(nil).byteCount))
        calls += tail
    }
}

extension Plan.Blueprint {
    /// Bytes of the plan's buffers for a batch of `rows`, at most 2³².
    func byteCount(rows: Int) -> Int {
        let nowhere = UnsafeMutablePointer<Float>(bitPattern: Reservation.alignment)!
        // No batch is larger than this; beyond it, sizes would only overflow.
        return build(rows: min(rows, 1 << 32), parameters: nowhere, gradients: nowhere, lossMean: nil, memory: nil).byteCount
    }

    fileprivate func build(
        rows: Int, parameters: UnsafeMutablePointer<Float>, gradients: UnsafeMutablePointer<Float>, lossMean: UnsafeMutablePointer<Double>?, memory: Memory?
    ) -> Plan {
        let layers = network.layers.map(\.planned), widths = layout.widths
        let training = purpose == .training
        // The first layer has no input gradient to make.
        var plan = PlanBuilder(
            rows: rows, training: training, widest: widths.max() ?? inputs,
            scratch: training ? zip(layers, widths).dropFirst().map { $0.scratch(inputs: $1) }.max() ?? 0 : 0,
            parameters: parameters, gradients: gradients, memory: memory)

        let input = plan.lasting(columns: inputs)
        plan.append(.gather(bytes: false, sourceColumns: inputs, mean: inputScaling?.mean, scale: inputScaling?.scale, x: input))
        let targets = gatherTargets(&plan)
        let stages = forward(Signal(input), layers, &plan)
        let output = stages.last?.output ?? Signal(input)
        let rowLoss = plan.reserve(Double.self, count: rows), predictedClasses = plan.reserve(Int32.self, count: rows)
        var answer = output.values
        if let loss, purpose == .training || purpose == .evaluation {
            let gradient = training ? plan.passing(columns: outputs) : nil
            plan.append(.loss(loss, y: output.values, targets: targets, units: targetScaling?.deviation, rowLoss: rowLoss, dy: gradient))
            if let lossMean {
                plan.append(.lossMean(rows: rows, divisor: loss.divisor(rows: rows, columns: outputs), rowLoss: rowLoss, mean: lossMean))
            }
            if let gradient { backward(gradient, stages, &plan) }
        }
        if purpose == .evaluation { plan.append(.argmax(y: output.values, classes: predictedClasses)) }
        if purpose == .probabilities {
            answer = plan.passing(columns: outputs)
            let binary = loss == .binaryCrossEntropy
            plan.append(binary ? .activationForward(.sigmoid, z: output.values, y: answer) : .softmax(y: output.values, p: answer))
        }
        return Plan(
            calls: plan.calls, rows: rows, output: answer, rowLoss: rowLoss, predictedClasses: predictedClasses, targets: targets,
            byteCount: plan.reservation.byteCount, memory: memory, blueprint: self)
    }

    private func gatherTargets(_ plan: inout PlanBuilder) -> TargetBuffers {
        guard let loss, purpose == .training || purpose == .evaluation else { return TargetBuffers(classes: nil, values: nil) }
        if loss == .crossEntropy {
            let classes = plan.reserve(Int32.self, count: plan.rows)
            plan.append(.gatherClasses(rows: plan.rows, classes: classes))
            return TargetBuffers(classes: classes, values: nil)
        }
        let values = plan.lasting(columns: outputs)
        plan.append(.gather(bytes: false, sourceColumns: outputs, mean: targetScaling?.mean, scale: targetScaling?.scale, x: values))
        return TargetBuffers(classes: nil, values: values)
    }

    /// A layer in its place: what it reads and what it made. An activation that the layer before it applied has no stage of its own.
    private struct Stage {
        let layer: any PlannedLayer
        let position: Int
        let input: Signal
        let output: Signal
    }

    private func forward(_ input: Signal, _ layers: [any PlannedLayer], _ plan: inout PlanBuilder) -> [Stage] {
        var stages: [Stage] = [], signal = input, position = 0
        while position < layers.count {
            let layer = layers[position]
            let next = position + 1 < layers.count ? layers[position + 1] as? Activation : nil
            let fused = layer.fusesActivation ? next : nil
            let output = layer.forward(signal, tensors: layout.tensors(ofLayer: position), activation: fused ?? .identity, plan: &plan)
            stages.append(Stage(layer: layer, position: position, input: signal, output: output))
            signal = output
            position += fused == nil ? 1 : 2
        }
        return stages
    }

    private func backward(_ outputGradient: Panels, _ stages: [Stage], _ plan: inout PlanBuilder) {
        guard let last = stages.last else { return }
        var gradient = outputGradient
        plan.backward(throughActivationOf: last.output, gradient)
        for (i, stage) in stages.enumerated().reversed() {
            let tensors = layout.tensors(ofLayer: stage.position)
            guard let next = stage.layer.backward(gradient, input: stage.input, tensors: tensors, needsInput: i > 0, plan: &plan) else { return }
            gradient = next
        }
    }
}
