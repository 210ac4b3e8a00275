import Fathom
import FathomCommandLine
import FathomFormats
import FathomStability
import Foundation

/// A training in its run folder: takes steps, says how it goes, and saves. What it does is a function of the experiment alone; where it was
/// interrupted and resumed leaves no trace in the parameters.
final class TrainingRun {
    private let folder: RunFolder
    private let experiment: Experiment
    private let trainer: Trainer
    private let fingerprint: Fingerprint
    private let sampling: HistorySampling
    private let isQuiet: Bool
    private let interruption = Interruption()

    private var stepper: Stepper
    private var log: EventLog
    private var progress: Progress
    private var clock: RunClock
    private var gradientNorm = Double.nan
    /// What is to be written of the last step, once its update has been made.
    private var unwritten: Line?
    private var validationText: String?
    private var savedStep: Int?
    /// The epoch of the model in best.safetensors.
    private var savedBest: Int?

    /// - Parameters:
    ///   - checkpoint: where to go on from; nil: from the start.
    ///   - start: what the gradient does there, where it was asked for.
    init(
        _ experiment: Experiment, in folder: RunFolder, _ trainer: Trainer, from checkpoint: SafeTensorsFile? = nil, start: GradientAtStart? = nil,
        _ output: OutputOptions
    ) throws {
        self.folder = folder
        self.experiment = experiment
        self.trainer = trainer
        fingerprint = Fingerprint(experiment.training)
        stepper = try Stepper(experiment, trainer)
        if let checkpoint {
            try fingerprint.check(checkpoint.metadata, data: experiment.recipe.data, checkpoint: folder.checkpoint)
            try stepper.restore(checkpoint, name: folder.checkpoint)
            savedStep = trainer.stepsTaken
        }
        sampling = HistorySampling(totalSteps: stepper.totalSteps, instruments: experiment.recipe.instruments)
        let steps = trainer.stepsTaken
        isQuiet = output.quiet
        let history = checkpoint == nil
            ? try History(creating: folder.history)
            : try History(resuming: folder.history, at: steps, completedEpochs: steps / stepper.stepsPerEpoch)
        log = EventLog(history, telling: checkpoint == nil ? RunHistory(path: folder.history) : nil, prints: output.json)
        progress = Progress(quiet: output.quiet, terminal: .current())
        clock = RunClock(stepsBefore: steps)
        try folder.write(experiment.recipe)
        log.add(Event.start(
            experiment.recipe, parameters: trainer.parameterCount, threads: trainer.threads, resumedAt: checkpoint.map { _ in steps },
            gradientAtStart: start?.json))
        try log.flush()
    }

    /// Trains to the end, to an interruption, or to a step that is not finite; then saves.
    /// - Returns: how the model does on the test rows, where there are any.
    /// - Throws: `FathomError.notFinite`, `Interrupted`, or what went wrong in writing.
    func train() throws -> Evaluation? {
        do {
            // A kill may have come at the very end, and a part of an epoch then has no line yet.
            if stepper.isAtEnd && !stepper.isBetweenEpochs { try finishEpoch() }
            while !stepper.isAtEnd {
                try takeStep()
                if stepper.isAtEpochEnd { try finishEpoch() }
                if !stepper.isAtEnd && (interruption.isRequested || log.isReaderGone) { try interrupt() }
                if isSavingDue { try save() }
            }
            return try complete()
        } catch FathomError.notFinite(let step, let what) {
            throw try diverge(step, what)
        } catch FathomError.inputOutput(let what) {
            progress.finish()
            throw FathomError.inputOutput("\(what); \(whatIsSaved)")
        } catch FathomError.cannotCreate(let what) {
            progress.finish()
            throw FathomError.cannotCreate("\(what); \(whatIsSaved)")
        }
    }

    // MARK: Steps and epochs

    private func takeStep() throws {
        clock.begin()
        let (step, rows) = try stepper.step()
        let now = clock.end(rows: rows)
        gradientNorm = step.gradientNorm
        // This step has made the update of the one before.
        try writeLast()
        record(step)
        if !trainer.isUpdateWaiting { try writeLast() }
        try log.flushIfDue(at: now)
        progress.update(at: now, state)
    }

    private func finishEpoch() throws {
        try writeLast()
        let validation = try stepper.finishEpoch()
        validationText = validation.map { "validation \(scoreText($0))" }
        log.add(Event.epoch(
            stepper.epoch, trainLoss: stepper.meanLoss, validation: validation, samplesPerSecond: clock.samplesPerSecond, seconds: clock.epochSeconds))
        try log.flush()
        progress.finishEpoch(state)
        clock.startEpoch()
    }

    private struct Line {
        let step: Trainer.Step
        let epoch: Int
        /// Before the update; nil where they are not to be written.
        let layers: [LayerStatistics]?
        let alarms: [Alarm]
    }

    /// Decides what is to be written of a step, and what has lasted long enough to warn of.
    private func record(_ step: Trainer.Step) {
        let (layers, alarms) = stepper.look(at: step)
        guard sampling.writes(step.step) || !alarms.isEmpty else { return }
        let shows = sampling.writesLayers(step.step) || !alarms.isEmpty
        unwritten = Line(step: step, epoch: stepper.epoch, layers: shows ? layers ?? trainer.layersBeforeUpdate : nil, alarms: alarms)
    }

    /// Writes it. Where no other step has made the last one's update it is made now.
    private func writeLast() throws {
        guard let line = unwritten else { return }
        unwritten = nil
        if line.step.step == trainer.stepsTaken { trainer.makeUpdate() }
        let layers = line.layers.map(trainer.withChanges), exponents = layers == nil ? [] : try trainer.exponents(), branches = layers == nil ? [] : trainer.branchRatios
        log.threads = trainer.threadsOfStep
        log.add(EventLog.Step(step: line.step, epoch: line.epoch, layers: layers, exponents: exponents, branches: branches))
        for alarm in line.alarms { warn(alarm, at: line.step.step) }
    }

    private func warn(_ alarm: Alarm, at step: Int) {
        log.add(Event.alarm(alarm, step: step))
        guard !isQuiet else { return }
        progress.finish()
        StandardStreams.note("warning: step \(step): \(alarm.message)")
    }

    private var state: Progress.State {
        Progress.State(
            epoch: stepper.epoch, epochs: stepper.epochs, fraction: Double(trainer.stepsTaken) / Double(stepper.totalSteps), loss: stepper.meanLoss,
            gradientNorm: gradientNorm, validation: validationText, samplesPerSecond: clock.samplesPerSecond,
            secondsLeft: clock.secondsLeft(stepsTaken: trainer.stepsTaken, of: stepper.totalSteps))
    }

    var clipRate: Double? { trainer.clipRate }

    // MARK: Saving and ending

    private var isSavingDue: Bool {
        guard !stepper.isAtEnd else { return false }
        return switch experiment.recipe.checkpoint {
        case .every(let steps): trainer.stepsTaken.isMultiple(of: steps)
        case .minutes(let minutes): clock.secondsSinceSaving >= minutes * 60
        }
    }

    /// The checkpoint, then the models: where there is a model there is a checkpoint, which protects the folder from being started over.
    /// - Parameter model: nil: the model as it is now.
    /// - Throws: `FathomError.notFinite` where an update has overflowed; what was saved before is then left alone.
    private func save(_ model: Model? = nil) throws {
        try writeLast()
        if let fault = trainer.overflow {
            throw FathomError.notFinite(step: trainer.stepsTaken, "the update of step \(trainer.stepsTaken), or of one before, has overflowed: \(fault)")
        }
        try log.synchronize()
        var checkpoint = try stepper.checkpoint()
        checkpoint.metadata.merge(fingerprint.metadata) { _, new in new }
        try checkpoint.write(to: URL(filePath: folder.checkpoint))
        savedStep = trainer.stepsTaken
        if let best = stepper.best, best.epoch != savedBest {
            var file = try best.model?.file() ?? trainer.modelFile()
            file.metadata["epoch"] = "\(best.epoch)"
            file.metadata["validation_loss"] = "\(best.validationLoss)"
            try file.write(to: URL(filePath: folder.best))
            savedBest = best.epoch
        }
        try (model?.file() ?? trainer.modelFile()).write(to: URL(filePath: folder.model))
        clock.saved()
    }

    /// With `patience` the best model is what the training was for; without, the last one.
    private func complete() throws -> Evaluation? {
        let best = experiment.recipe.patience > 0 ? stepper.best?.model : nil
        let test = try experiment.test.map { try best?.evaluate($0, loss: trainer.loss, threads: trainer.threads) ?? trainer.evaluate($0) }
        try save(best)
        if trainer.instruments != .none, let alarm = stepper.position.alarms.end(steps: trainer.stepsTaken, clipRate: clipRate) { warn(alarm, at: trainer.stepsTaken) }
        try end(.completed, test: test, reason: "no rows held out")
        return test
    }

    private func interrupt() throws -> Never {
        try save()
        try end(.interrupted, test: nil, reason: "interrupted")
        if !log.isReaderGone { StandardStreams.note("interrupted at step \(trainer.stepsTaken); go on with: fathom resume \(folder.path)") }
        throw Interrupted()
    }

    private func diverge(_ step: Int, _ what: String) throws -> FathomError {
        try writeLast()
        let epoch = trainer.stepsTaken / stepper.stepsPerEpoch + 1, overflow = trainer.overflow
        // A step that has overflowed in its update has its line: all before that was finite.
        if step > trainer.stepsTaken {
            log.add(Event.notFinite(
                step: step, epoch: epoch, learningRate: trainer.learningRate, gradientNorm: trainer.gradientNorm, reason: what, layers: trainer.layers,
                exponents: try trainer.exponents(), branches: trainer.branchRatios))
        }
        if let fault = trainer.lastFault ?? overflow { log.add(Event.fault(fault)) }
        if overflow == nil { try save() }
        try end(.diverged, test: nil, reason: "diverged")
        return .notFinite(step: step, "\(what)\(overflow == nil ? "" : "; \(whatIsSaved)"); \(remedy)")
    }

    /// Before the first update neither its size nor the gradient's is to blame.
    private var remedy: String {
        let recipe = experiment.recipe
        if trainer.stepsTaken == 0 {
            let standardization = recipe.standardize == Standardization.Mode.none ? "--standardize columns, or " : ""
            return "no learning rate helps, since nothing has been learned yet: try \(standardization)smaller initial weights, with --init"
        }
        return "try a smaller learning rate than \(recipe.optimizer.learningRate)\(recipe.clip == .none ? ", or --clip 'norm(1)'" : "")"
    }

    private func end(_ outcome: Event.Outcome, test: Evaluation?, reason: String) throws {
        progress.finish()
        let best = stepper.best.map { (epoch: $0.epoch, validationLoss: $0.validationLoss) }
        log.add(Event.end(
            test: test, reason: reason, best: best, clipRate: clipRate, trainingSeconds: clock.trainingSeconds, seconds: Main.seconds, outcome: outcome))
        try log.flush()
        folder.leaveReport(log.told, threads: trainer.threads)
    }

    /// Which epoch was the best, where there are validation rows, and what it is for.
    var bestLine: String? {
        guard let best = stepper.best else { return nil }
        let score = "epoch \(best.epoch), with a validation loss of \(Progress.number(best.validationLoss))"
        let patience = experiment.recipe.patience
        if stepper.isStoppedEarly { return "stopped after epoch \(stepper.epoch), \(patience) without a better validation loss; the model is that of \(score)" }
        return patience > 0 ? "the model is that of \(score)" : "best.safetensors is the model of \(score)"
    }

    private var whatIsSaved: String {
        savedStep.map { "step \($0) is saved, and 'fathom resume \(folder.path)' goes on from there" } ?? "nothing was saved before that"
    }
}

/// "97.77 %" of classes, "loss 0.123" of numbers.
func scoreText(_ evaluation: Evaluation) -> String {
    evaluation.accuracy.map { String(format: "%.2f %%", $0 * 100) } ?? "loss \(Progress.number(evaluation.loss))"
}

extension GradientAtStart {
    var json: JSON {
        ["log10_gain": .number(log10Gain), "steps": .integer(steps), "unit": .string(noun), "verdict": .string(verdict.rawValue)]
    }
}
