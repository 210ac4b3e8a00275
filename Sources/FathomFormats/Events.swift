import Fathom

/// The lines of `history.jsonl`, which `--json` prints too. Documentation/files.md says what each member means.
public enum Event {
    /// - Parameters:
    ///   - resumedAt: the steps that a resumed run had taken; nil for a new one.
    ///   - gradientAtStart: of a new one, where it was asked for.
    public static func start(_ recipe: Recipe, parameters: Int, threads: Int, resumedAt: Int? = nil, gradientAtStart: JSON? = nil) -> JSON {
        var members: [JSON.Member] = [
            .init("event", "start"), .init("recipe", recipe.json), .init("parameters", .integer(parameters)), .init("fathom", .string(fathomVersion)),
            .init("isa", .string(Kernels.instructionSet)), .init("threads", .integer(threads)),
        ]
        if let gradientAtStart { members.append(.init("gradient_at_start", gradientAtStart)) }
        if let resumedAt { members.append(.init("step", .integer(resumedAt))) }
        return .object(members)
    }

    /// - Parameters:
    ///   - layers: nil where this step's layers are not written.
    ///   - exponents: of the same layers; empty unless the instruments are full, like `branches`.
    public static func step(
        _ step: Trainer.Step, epoch: Int, layers: [LayerStatistics]?, exponents: [LayerExponents] = [], branches: [BranchRatio] = []
    ) -> JSON {
        var members: [JSON.Member] = [
            .init("event", "step"), .init("step", .integer(step.step)), .init("epoch", .integer(epoch)), .init("loss", .number(step.loss)),
            .init("learning_rate", .number(step.learningRate)), .init("gradient_norm", .number(step.gradientNorm)),
            .init("clipped_gradient_norm", .number(step.clippedGradientNorm)), .init("clip_coefficient", .number(step.clipCoefficient)),
        ]
        if let layers { members += told(layers, exponents, branches) }
        return .object(members)
    }

    /// All layers are written as text at once: a deep network has a thousand numbers a step, and a value for each took four times as long.
    private static func told(_ layers: [LayerStatistics], _ exponents: [LayerExponents], _ branches: [BranchRatio]) -> [JSON.Member] {
        var text: [UInt8] = []
        text.reserveCapacity(512 * layers.count)
        for (index, layer) in layers.enumerated() {
            text += index == 0 ? "[".utf8 : ", ".utf8
            layer.write(exponents.isEmpty ? nil : exponents[index], to: &text)
        }
        text += layers.isEmpty ? "[]".utf8 : "]".utf8
        return [.init("layers", .written(text))] + (branches.isEmpty ? [] : [.init("residuals", .array(branches.map(\.json)))])
    }

    /// A step whose loss or gradient was not finite, and that changed nothing: it has every member that another step has.
    public static func notFinite(
        step: Int, epoch: Int, learningRate: Double, gradientNorm: Double, reason: String, layers: [LayerStatistics], exponents: [LayerExponents] = [],
        branches: [BranchRatio] = []
    ) -> JSON {
        let clipping = ["clipped_gradient_norm", "clip_coefficient"].flatMap { JSON.members($0, nil, reason: "the step changed nothing") }
        return .object([
            .init("event", "step"), .init("step", .integer(step)), .init("epoch", .integer(epoch)), .init("loss", nil), .init("loss_reason", .string(reason)),
            .init("learning_rate", .number(learningRate)), .init("gradient_norm", .number(gradientNorm)),
        ] + clipping + told(layers, exponents, branches))
    }

    /// What a layer's gradient or signal does, or the clipping, that whoever trains should know of.
    public static func alarm(_ alarm: Alarm, step: Int) -> JSON {
        let layer = alarm.layer.map { [JSON.Member("layer", .string($0))] } ?? []
        return .object(
            [.init("event", "alarm"), .init("step", .integer(step)), .init("kind", .string(alarm.kind.rawValue))] + layer
                + [.init("message", .string(alarm.message))])
    }

    /// Where the first value that is not finite was made.
    public static func fault(_ fault: Fault) -> JSON {
        var members: [JSON.Member] = [.init("event", "fault"), .init("step", .integer(fault.step)), .init("pass", .string(fault.pass.rawValue))]
        if let layer = fault.layer { members.append(.init("layer", .string(layer))) }
        members.append(.init("quantity", .string(fault.quantity)))
        for (key, number) in [("time_step", fault.timeStep), ("sample", fault.sample), ("row", fault.row), ("column", fault.column), ("input", fault.input)] {
            if let number { members.append(.init(key, .integer(number))) }
        }
        members.append(.init("value", .float(fault.value)))
        return .object(members + [.init("message", .string(fault.description))])
    }

    public static func epoch(
        _ epoch: Int, trainLoss: Double, validation: Evaluation?, samplesPerSecond: Double, seconds: Double
    ) -> JSON {
        let members: [JSON.Member] = [.init("event", "epoch"), .init("epoch", .integer(epoch)), .init("train_loss", .number(trainLoss))]
            + scores(validation, "validation") + [.init("samples_per_second", .number(samplesPerSecond)), .init("seconds", .number(seconds))]
        return .object(members)
    }

    /// - Parameters:
    ///   - best: the epoch with the smallest validation loss, where there is one.
    ///   - clipRate: the share of the steps whose gradient was clipped; nil where there was no clipping, or no step.
    public static func end(
        test: Evaluation?, reason: String, best: (epoch: Int, validationLoss: Double)?, clipRate: Double?, trainingSeconds: Double, seconds: Double,
        outcome: Outcome
    ) -> JSON {
        let bestMembers = best.map { [JSON.Member("best_epoch", .integer($0.epoch)), .init("best_validation_loss", .number($0.validationLoss))] } ?? []
        let clipping = JSON.members("clip_rate", clipRate, reason: "no clipping")
        return .object([.init("event", "end")] + scores(test, "test", reason: reason) + metrics(test, "test") + bestMembers + clipping + [
            .init("training_seconds", .number(trainingSeconds)), .init("seconds", .number(seconds)), .init("outcome", .string(outcome.rawValue)),
        ])
    }

    /// Loss and accuracy; what there is none of is null, with the reason beside it.
    private static func scores(_ evaluation: Evaluation?, _ name: String, reason: String = "no rows held out") -> [JSON.Member] {
        JSON.members("\(name)_loss", evaluation?.loss, reason: reason)
            + JSON.members("\(name)_accuracy", evaluation?.accuracy, reason: evaluation == nil ? reason : "the targets are numbers")
    }

    /// What else there is to say of classes, or of numbers.
    private static func metrics(_ evaluation: Evaluation?, _ name: String) -> [JSON.Member] {
        if let scores = evaluation?.classification { return [.init("\(name)_f1", .number(scores.macroF1))] }
        guard let scores = evaluation?.regression else { return [] }
        return [.init("\(name)_rmse", .number(scores.rmse)), .init("\(name)_mae", .number(scores.mae))]
            + JSON.members("\(name)_r2", scores.r2, reason: constantTarget)
    }

    /// Why there is no R².
    public static let constantTarget = "the target is constant"

    public enum Outcome: String, Sendable {
        case completed, interrupted, diverged
    }
}

extension LayerStatistics {
    /// Writes a member of `layers`: numbers but for the gradient's norm to seven digits. What was not gathered is left out; what there is
    /// nothing to tell of, or is not finite, is null, with the reason beside it.
    fileprivate func write(_ exponents: LayerExponents?, to text: inout [UInt8]) {
        text += "{\"name\":\"".utf8
        text += name.utf8
        text.append(UInt8(ascii: "\""))
        /// - Parameter key: with all that stands before the value, which one copy then brings.
        func add(_ key: StaticString, _ value: Double?, isExact: Bool = false, without reason: String = "") {
            key.withUTF8Buffer { unsafe text.append(contentsOf: $0) }
            if let value, value.isFinite {
                if isExact { JSON.write(value, to: &text) } else { SevenDigits(value).write(to: &text) }
            } else {
                let reason = value.map { $0.isNaN ? "nan" : $0 > 0 ? "inf" : "-inf" } ?? reason
                text += "null\("\(key)".dropLast(2))_reason\":\"\(reason)\"".utf8
            }
        }
        func add(_ key: StaticString, _ count: Int) {
            key.withUTF8Buffer { unsafe text.append(contentsOf: $0) }
            if count == 0 { text.append(UInt8(ascii: "0")) } else { text += String(count).utf8 }
        }
        add(", \"gradient_norm\":", gradientNorm, isExact: true)
        defer { text.append(UInt8(ascii: "}")) }
        guard let signalGradientNorm else { return }
        add(", \"signal_gradient_norm\":", signalGradientNorm)
        add(", \"weight_norm\":", weightNorm, without: "the step changed nothing")
        add(", \"update_ratio\":", updateRatio, without: weightNorm == nil ? "the step changed nothing" : "the weights are 0")
        add(", \"activation_mean\":", activationMean)
        add(", \"activation_std\":", activationStd)
        add(", \"slope_mean_square\":", slopeMeanSquare, without: "a gated cell")
        add(", \"saturated\":", saturated, without: "a gated cell")
        add(", \"dead\":", dead, without: "a gated cell")
        add(", \"subnormal\":", subnormal)
        add(", \"nonfinite\":", nonfinite)
        guard let exponents else { return }
        for (key, histogram) in [("gradient", exponents.gradient), ("weight", exponents.weight), ("activation", exponents.activation)] {
            text += ", \"\(key)_exponents\":".utf8
            text += histogram.json.bytes
        }
    }
}

extension ExponentHistogram {
    var json: JSON { ["zero": .integer(zero), "lowest": .integer(lowest), "counts": .array(counts.map { .integer($0) })] }
}

extension BranchRatio {
    var json: JSON { .object([.init("name", .string(name))] + JSON.members("branch_to_trunk", ratio, reason: "the trunk is 0")) }
}
