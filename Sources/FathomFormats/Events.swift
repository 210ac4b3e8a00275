import Fathom

/// The lines of `history.jsonl`, which `--json` prints too. Documentation/files.md says what each member means.
public enum Event {
    /// - Parameter resumedAt: the steps that a resumed run had taken; nil for a new one.
    public static func start(_ recipe: Recipe, parameters: Int, threads: Int, resumedAt: Int? = nil) -> JSON {
        var members: [JSON.Member] = [
            .init("event", "start"), .init("recipe", recipe.json), .init("parameters", .integer(parameters)), .init("fathom", .string(fathomVersion)),
            .init("isa", .string(Kernels.instructionSet)), .init("threads", .integer(threads)),
        ]
        if let resumedAt { members.append(.init("step", .integer(resumedAt))) }
        return .object(members)
    }

    /// - Parameter layers: nil where this step's layers are not written.
    public static func step(_ step: Trainer.Step, epoch: Int, layers: [LayerGradient]?) -> JSON {
        var members: [JSON.Member] = [
            .init("event", "step"), .init("step", .integer(step.step)), .init("epoch", .integer(epoch)), .init("loss", .number(step.loss)),
            .init("learning_rate", .number(step.learningRate)), .init("gradient_norm", .number(step.gradientNorm)),
            .init("clipped_gradient_norm", .number(step.clippedGradientNorm)), .init("clip_coefficient", .number(step.clipCoefficient)),
        ]
        if let layers {
            members.append(.init("layers", .array(layers.map { ["name": .string($0.name), "gradient_norm": .number($0.norm)] })))
        }
        return .object(members)
    }

    /// A step whose loss or gradient was not finite, and that changed nothing.
    public static func alarm(step: Int, epoch: Int, learningRate: Double, reason: String, layers: [LayerGradient]) -> JSON {
        [
            "event": "step", "step": .integer(step), "epoch": .integer(epoch), "loss": nil, "loss_reason": .string(reason),
            "learning_rate": .number(learningRate),
            "layers": .array(layers.map { ["name": .string($0.name), "gradient_norm": .number($0.norm)] }),
        ]
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

/// Norm of the gradient of a layer's weights and bias, before clipping.
public struct LayerGradient: Sendable, Equatable {
    /// "0.linear".
    public let name: String
    public let norm: Double

    /// The gradients of named layers, from the norms of their tensors: "0.linear" has "0.weight" and "0.bias", "1.residual" has "1.projection.weight" and
    /// "1.3.linear" has "1.3.weight".
    public static func of(_ layers: [String], _ tensors: [(name: String, norm: Double)]) -> [LayerGradient] {
        var squares: [Substring: Double] = [:]
        for tensor in tensors { squares[place(tensor.name), default: 0] += tensor.norm * tensor.norm }
        return layers.compactMap { layer in squares[place(layer)].map { LayerGradient(name: layer, norm: $0.squareRoot()) } }
    }

    /// The positions that a name begins with: "1.3.".
    private static func place(_ name: String) -> Substring { name.prefix { $0.isNumber || $0 == "." } }
}
