import Fathom
import FathomCommandLine
import FathomFormats

/// The course of a training, from wherever the trainer stands: its steps in their order, and what is looked at after each epoch. The order of an
/// epoch is a function of its number, the learning rate of a step one of the step's number and of the position; so is where the training ends.
struct Stepper {
    let experiment: Experiment
    let trainer: Trainer
    let totalSteps: Int
    let stepsPerEpoch: Int
    private(set) var position = RunPosition()
    /// Of whole epochs, that with the smallest validation loss.
    private var bestOfEpochs: Model?
    /// The validation loss at the end of a training that ended within an epoch, where it is smaller still. No checkpoint holds that model: if the
    /// training is made longer, that end was none.
    private var bestLossAtEnd: Double?
    /// Whether gradients are clipped, which each step asks.
    private let clips: Bool
    private var order: [UInt32] = []
    private var orderedEpoch = 0

    init(_ experiment: Experiment, _ trainer: Trainer) throws {
        self.experiment = experiment
        self.trainer = trainer
        totalSteps = try experiment.totalSteps()
        stepsPerEpoch = experiment.stepsPerEpoch
        clips = trainer.clipping.hasGradientStages
    }

    private var recipe: Recipe { experiment.recipe }

    /// The epoch of the last step taken, from 1; of the first one to come, before any.
    var epoch: Int { (max(1, trainer.stepsTaken) - 1) / stepsPerEpoch + 1 }
    var epochs: Int { (totalSteps + stepsPerEpoch - 1) / stepsPerEpoch }
    var isAtEnd: Bool { trainer.stepsTaken >= totalSteps || isStoppedEarly }
    var isStoppedEarly: Bool { position.isStopped(patience: recipe.patience) }
    /// Whether the last step taken was the last of its epoch, or of the training.
    var isAtEpochEnd: Bool { isBetweenEpochs || isAtEnd }
    var isBetweenEpochs: Bool { trainer.stepsTaken.isMultiple(of: stepsPerEpoch) }
    /// Of the current epoch so far.
    var meanLoss: Double { position.epochLoss / Double(rowsSeen) }
    /// Rows of the current epoch that steps have seen.
    private var rowsSeen: Int {
        let steps = trainer.stepsTaken - (epoch - 1) * stepsPerEpoch
        return min(steps * experiment.batch, experiment.training.count)
    }

    // MARK: Steps and epochs

    /// - Returns: the step, and the rows it was taken on.
    /// - Throws: `FathomError.notFinite`.
    mutating func step() throws -> (step: Trainer.Step, rows: Int) {
        let count = experiment.training.count, taken = trainer.stepsTaken
        let epoch = taken / stepsPerEpoch + 1, first = taken % stepsPerEpoch * experiment.batch
        if epoch != orderedEpoch {
            order = experiment.order(ofEpoch: epoch)
            orderedEpoch = epoch
        }
        let rows = min(experiment.batch, count - first)
        trainer.learningRate = recipe.optimizer.learningRate * recipe.schedule.multiplier(
            step: taken, of: totalSteps, stepsPerEpoch: stepsPerEpoch, reductions: position.plateau.reductions)
        let step = try trainer.step(experiment.training, order: order, first: first, rows: rows)
        position.step = trainer.stepsTaken
        position.epochLoss = (first == 0 ? 0 : position.epochLoss) + step.loss * Double(rows)
        return (step, rows)
    }

    /// Looks at what the step just taken tells; to be called once after each.
    /// - Returns: the layers, where they were looked at, as they are before the step's update is made; and what to warn of.
    mutating func look(at step: Trainer.Step) -> (layers: [LayerStatistics]?, alarms: [Alarm]) {
        guard trainer.instruments != .none else { return (nil, []) }
        let layers = Alarms.looks(at: step.step) ? trainer.layersBeforeUpdate : nil
        var alarms = layers.map { position.alarms.look(at: $0) } ?? []
        if clips, let alarm = position.alarms.see(clipped: step.wasClipped) { alarms.append(alarm) }
        return (layers, alarms)
    }

    /// Looks at what an epoch has come to, or the part of one that the training ends in: a part counts neither for a plateau nor for patience.
    /// - Returns: how the model does on the validation rows, where there are any.
    mutating func finishEpoch() throws -> Evaluation? {
        guard let samples = experiment.validation else {
            if isBetweenEpochs { position.plateau.see(meanLoss, recipe.schedule) }
            return nil
        }
        let validation = try trainer.evaluate(samples)
        if isBetweenEpochs {
            if position.best.see(validation.loss) {
                // Let go first, so that there are never two.
                bestOfEpochs = nil
                bestOfEpochs = try trainer.averagedModel ?? trainer.model
            }
            position.plateau.see(validation.loss, recipe.schedule)
        } else if validation.loss < position.best.best {
            bestLossAtEnd = validation.loss
        }
        return validation
    }

    // MARK: The best, and what is saved

    struct Best {
        /// nil: the trainer's as it is now.
        let model: Model?
        let epoch: Int
        let validationLoss: Double
    }

    /// nil before the first epoch with a finite validation loss has ended.
    var best: Best? {
        if let bestLossAtEnd { return Best(model: nil, epoch: epoch, validationLoss: bestLossAtEnd) }
        return bestOfEpochs.map { Best(model: $0, epoch: trainer.stepsTaken / stepsPerEpoch - position.best.since, validationLoss: position.best.best) }
    }

    /// Everything that training needs to go on bit for bit, and the best model so far; to be written before the next step.
    func checkpoint() throws -> SafeTensorsFile {
        var checkpoint = try trainer.checkpointFile()
        checkpoint.metadata.merge(position.metadata) { _, new in new }
        for var tensor in try bestOfEpochs?.file().tensors ?? [] {
            tensor.name = SafeTensorsFile.bestPrefix + tensor.name
            checkpoint.tensors.append(tensor)
        }
        return checkpoint
    }

    /// Goes on from a checkpoint.
    mutating func restore(_ checkpoint: SafeTensorsFile, name: String) throws {
        position = try RunPosition(checkpoint.metadata, name: name)
        try trainer.restore(checkpoint, name: name)
        if position.best.best.isFinite { bestOfEpochs = try Model(checkpoint.model(prefix: SafeTensorsFile.bestPrefix), name: name) }
    }
}
