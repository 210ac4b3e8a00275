import ArgumentParser
import Fathom
import FathomCommandLine
import FathomFormats
import Foundation

struct Resume: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Go on with a run that was interrupted, or train a finished one for longer.",
        usage: "fathom resume RUN [--epochs N [--schedule S]] [--patience N] [--data …] [--threads N] [--verify] [--json] [--quiet]",
        discussion: """
            What comes out is, bit for bit, what an uninterrupted training would have left.

            --epochs N makes N the epochs in all, those already done included. A schedule that ends with the training, such as cosine, does \
            not stretch: it asks for a new one with --schedule. The new one counts steps from the start of the training, and holds from here on.

            A run that stopped early goes on with a larger --patience, or with 0 to the last of its epochs.
            """)

    @Argument(help: ArgumentHelp("A run folder.", valueName: "run")) var path: String
    @Option(parsing: .unconditional, help: "Epochs in all.") var epochs: String?
    @Option(parsing: .unconditional, help: "The schedule from here on, with --epochs.") var schedule: String?
    @Option(parsing: .unconditional, help: "Epochs without a better validation loss after which to stop: more than so far, or 0 for all epochs.") var patience: String?
    @Option(parsing: .unconditional, help: "Where the data are now; the training rows must be the same.") var data: String?
    @Option(parsing: .unconditional, help: RecipeOptions.help(.threads)) var threads: String?
    @Flag(help: "First train from the start to the checkpoint's step in memory, and compare every bit with the checkpoint.") var verify = false
    @OptionGroup var output: OutputOptions

    func validate() throws {
        try refuseFlagsAsValues([("epochs", epochs), ("schedule", schedule), ("patience", patience), ("data", data), ("threads", threads)])
        guard schedule == nil || epochs != nil else { throw ValidationError("--schedule comes with --epochs: it is for a run that is trained for longer") }
    }

    func run() throws {
        try Kernels.checkOverride()
        let folder = try RunFolder(existing: path)
        var settings = try Settings(contentsOf: folder.recipe)
        for case (let key, let text?) in [(RecipeKey.data, data), (.threads, threads)] { settings.set(key, flag: text) }
        let threads = try settings.threads()
        let before = try Experiment(Recipe(settings), settings)
        if epochs != nil { settings.remove(.steps) }
        for case (let key, let text?) in [(RecipeKey.epochs, epochs), (.schedule, schedule), (.patience, patience)] { settings.set(key, flag: text) }
        let experiment = try before.changed(Recipe(settings))
        try checkPatience(before, experiment)
        _ = try experiment.memoryLine()

        var checkpoint = folder.hasCheckpoint ? try SafeTensorsFile(path: folder.checkpoint) : nil
        if let found = checkpoint {
            let position = try RunPosition(found.metadata, name: folder.checkpoint)
            if verify { try Self.compare(found, position, folder, before, threads: threads, output) }
            if try isDone(position, folder, before, experiment) {
                let isStopped = position.isStopped(patience: experiment.recipe.patience)
                let done = "\(folder.path) is finished, after \(position.step) steps" + (isStopped ? ", the last \(position.best.since) epochs without a better validation loss" : "")
                let longer = isStopped ? "--patience \(position.best.since * 2)" : "--epochs \(max(1, position.step / before.stepsPerEpoch * 2))"
                output.note("\(done); train it for longer with: fathom resume \(folder.path) \(longer)")
                // A kill may have come between the end of the history and the report.
                folder.removeTemporaries()
                folder.leaveReport()
                return
            }
            checkpoint = try rescheduled(found, position, folder, before, experiment)
        } else {
            output.note("\(folder.path) has no checkpoint yet; starting from its first step")
        }
        let trainer = try experiment.trainer(experiment.model(), threads: threads)
        folder.removeTemporaries()
        try TrainingRun(experiment, in: folder, trainer, from: checkpoint, output).trainAndReport(experiment, in: folder, output)
    }

    /// - Throws: `FathomError.invalid` where the patience is given less of, which might have ended the run before.
    private func checkPatience(_ before: Experiment, _ experiment: Experiment) throws {
        let old = before.recipe.patience, new = experiment.recipe.patience
        guard new == 0 || experiment.validation != nil else {
            throw FathomError.invalid("--patience: \(path) has no validation rows to judge by, so nothing can stop it early")
        }
        guard new == old || new == 0 || old > 0 && new > old else {
            throw FathomError.invalid("--patience: \(path) began with a patience of \(old == 0 ? "all epochs" : "\(old)"), and \(new) might have ended it before; give more, or 0 for all epochs")
        }
    }

    /// Whether there is nothing left to do.
    /// - Throws: `FathomError.invalid` where more has been done than is asked for.
    private func isDone(_ position: RunPosition, _ folder: RunFolder, _ before: Experiment, _ experiment: Experiment) throws -> Bool {
        let total = try experiment.totalSteps()
        guard position.step <= total else {
            throw FathomError.invalid(
                "--epochs: \(folder.path) has done \(position.step) steps, which is more than the \(total) of \(experiment.recipe.epochs) epochs; ask for more")
        }
        return (position.step == total || position.isStopped(patience: experiment.recipe.patience)) && History.isCompleted(folder.history) && folder.hasModel
    }

    /// The checkpoint, marked where its schedule changes here: from the recipe alone the run can then not be repeated.
    /// - Throws: `FathomError.invalid` where a schedule would have to stretch.
    private func rescheduled(
        _ checkpoint: SafeTensorsFile, _ position: RunPosition, _ folder: RunFolder, _ before: Experiment, _ experiment: Experiment
    ) throws -> SafeTensorsFile {
        let total = try before.totalSteps()
        guard try schedule != nil || !before.recipe.schedule.hasHorizon || experiment.totalSteps() == total else {
            throw FathomError.invalid(
                "--epochs: the schedule \(before.recipe.schedule) of \(folder.path) ends after \(total) steps; say how to go on with --schedule, as in --schedule constant")
        }
        guard experiment.recipe.schedule != before.recipe.schedule else { return checkpoint }
        var checkpoint = checkpoint, position = position
        position.rescheduledAt = position.step
        position.plateau = PlateauState()
        checkpoint.metadata = checkpoint.metadata.filter { !$0.key.hasPrefix("plateau_") }.merging(position.metadata) { _, new in new }
        try checkpoint.write(to: URL(filePath: folder.checkpoint))
        return checkpoint
    }

    /// Trains from the start to the checkpoint's step in memory, and compares.
    /// - Throws: `FathomError.invalid` where a bit differs, naming the first tensor or what is said beside the tensors.
    private static func compare(
        _ checkpoint: SafeTensorsFile, _ position: RunPosition, _ folder: RunFolder, _ experiment: Experiment, threads: Int?, _ output: OutputOptions
    ) throws {
        if let step = position.rescheduledAt {
            throw FathomError.invalid("\(folder.path) was given a new schedule at step \(step), so its recipe alone does not repeat it")
        }
        try Fingerprint(experiment.training).check(checkpoint.metadata, data: experiment.recipe.data, checkpoint: folder.checkpoint)
        var stepper = try Stepper(experiment, experiment.trainer(experiment.model(), threads: threads))
        while stepper.position.step < position.step {
            let (step, _) = try stepper.step()
            _ = stepper.look(at: step)
            if stepper.isBetweenEpochs { _ = try stepper.finishEpoch() }
        }
        func differing(_ what: String) -> FathomError {
            .invalid("\(folder.checkpoint) is not what \(position.step) steps of its recipe give: \(what) differs")
        }
        let again = try stepper.checkpoint(), known = Dictionary(checkpoint.tensors.map { ($0.name, $0) }) { first, _ in first }
        guard stepper.position == position else { throw differing("what its metadata say of losses and epochs") }
        // The version that wrote it may be another; the data have been looked at.
        for key in Set(again.metadata.keys).union(checkpoint.metadata.keys).subtracting(["fathom", "data"]).sorted() where again.metadata[key] != checkpoint.metadata[key] {
            throw differing("what its metadata say of '\(key)'")
        }
        for tensor in again.tensors {
            guard let found = known[tensor.name], try found.values().elementsEqual(tensor.values(), by: { $0.bitPattern == $1.bitPattern }) else {
                throw differing("tensor '\(tensor.name)'")
            }
        }
        output.note("verified: \(position.step) \(position.step == 1 ? "step" : "steps") from the start give the checkpoint's bits")
    }
}
