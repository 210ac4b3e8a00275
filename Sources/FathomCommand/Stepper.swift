import Fathom

/// Takes an experiment's steps in their order, from wherever the trainer stands. The order of an epoch and the learning rate of a step are
/// functions of the step's number alone, so there is nothing else to remember between two of them.
struct Stepper {
    let experiment: Experiment
    let trainer: Trainer
    let totalSteps: Int
    let stepsPerEpoch: Int
    private var order: [UInt32] = []
    private var orderedEpoch = 0

    init(_ experiment: Experiment, _ trainer: Trainer) throws {
        self.experiment = experiment
        self.trainer = trainer
        totalSteps = try experiment.totalSteps()
        stepsPerEpoch = experiment.stepsPerEpoch
    }

    /// The epoch of the last step taken, from 1; of the first one to come, before any.
    var epoch: Int { (max(1, trainer.stepsTaken) - 1) / stepsPerEpoch + 1 }
    var epochs: Int { (totalSteps + stepsPerEpoch - 1) / stepsPerEpoch }
    var isAtEnd: Bool { trainer.stepsTaken >= totalSteps }
    /// Whether the last step taken was the last of its epoch, or of the training.
    var isAtEpochEnd: Bool { trainer.stepsTaken.isMultiple(of: stepsPerEpoch) || isAtEnd }
    var isAtEpochStart: Bool { trainer.stepsTaken.isMultiple(of: stepsPerEpoch) }
    /// Rows of the current epoch that steps have seen.
    var rowsSeen: Int {
        let steps = trainer.stepsTaken - (epoch - 1) * stepsPerEpoch
        return min(steps * experiment.batch, experiment.training.count)
    }

    /// - Returns: the step, and the rows it was taken on.
    /// - Throws: `FathomError.notFinite`.
    mutating func step() throws -> (step: Trainer.Step, rows: Int) {
        let recipe = experiment.recipe, count = experiment.training.count, taken = trainer.stepsTaken
        let epoch = taken / stepsPerEpoch + 1, first = taken % stepsPerEpoch * experiment.batch
        if epoch != orderedEpoch {
            order = recipe.shuffle ? shuffledOrder(count: count, seed: recipe.seed, epoch: epoch) : Array(0..<UInt32(count))
            orderedEpoch = epoch
        }
        let rows = min(experiment.batch, count - first)
        trainer.learningRate = recipe.optimizer.learningRate
            * recipe.schedule.multiplier(step: taken, of: totalSteps, stepsPerEpoch: stepsPerEpoch)
        return (try trainer.step(experiment.training, order: order, first: first, rows: rows), rows)
    }
}
