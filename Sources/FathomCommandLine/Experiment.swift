import Fathom
import FathomData
import FathomFormats

/// A recipe with its data, checked and resolved: all that a training needs, before anything is written.
package struct Experiment: Sendable {
    /// Resolved: every choice that was left open is made.
    package private(set) var recipe: Recipe
    /// Names the run folder.
    package let name: String
    package let training: Samples
    package let validation: Samples?
    package let test: Samples?
    package let details: Model.Details
    package let outputs: Int
    /// Choices worth printing, each with the way to change it.
    package let notes: [String]

    /// - Parameter dataset: in place of what the recipe's data name.
    /// - Throws: `FathomError.invalid` where recipe and data do not fit each other, beginning with the setting's place where one is to blame.
    package init(_ recipe: Recipe, _ settings: Settings, _ dataset: Dataset? = nil) throws {
        let dataset = try dataset ?? Dataset(recipe.data, target: recipe.target, classification: recipe.loss?.isClassification)
        var notes = dataset.notes
        let split = try Split(dataset, recipe, settings)
        guard recipe.patience == 0 || split.validation != nil else {
            throw FathomError.invalid("\(settings.subject(.patience)): stopping early needs validation rows to judge by; hold some out, as with --validation 0.1")
        }
        let loss = try Self.loss(recipe.loss, of: split.training, classes: dataset.classes, subject: settings.subject(.loss), &notes)
        let prepare: (Samples) throws -> Samples = { loss == .binaryCrossEntropy ? try $0.withBinaryTargets() : $0 }
        training = try prepare(split.training)
        validation = try split.validation.map(prepare)
        test = try split.test.map(prepare)

        let mode = recipe.standardize ?? dataset.kind.standardization
        notes += Self.sequenceNotes(dataset, recipe)
        let isRegression = !loss.isClassification
        // What is no whole number of steps is refused by the trainer, in its words.
        let steps = if case .values(_, let width) = training.targets, let steps = recipe.network.outputSteps, width.isMultiple(of: steps) { steps } else { 1 }
        details = Model.Details(
            loss: loss, inputStandardization: try Standardization.measured(training, mode),
            targetStandardization: isRegression ? try Standardization.measuredTargets(training, steps: steps) : nil,
            classes: dataset.classes, columns: dataset.columns, target: dataset.target)
        outputs = switch training.targets {
        case .none: throw FathomError.invalid("\(recipe.data) has no targets to train on")
        case .classes, .stepClasses: dataset.classes?.count ?? 0
        case .values(_, let width): width / steps
        }

        try Self.checkReach(of: training, outputs: outputs, recipe.data)

        let rows = min(recipe.batch, training.count)
        guard recipe.accumulate <= rows else {
            throw FathomError.invalid("\(settings.subject(.accumulate)): a batch of \(rows) rows cannot be run in \(recipe.accumulate) passes; at most one a row")
        }
        var resolved = recipe
        do {
            resolved.network = try recipe.network.resolved(inputs: training.columns, outputs: outputs)
        } catch let error {
            throw FathomError.invalid("\(settings.subject(.network)): \(error)")
        }
        do {
            try recipe.clip.validate(hasRecurrentLayer: resolved.network.hasRecurrentLayer)
        } catch let error {
            throw FathomError.invalid("\(settings.subject(.clip)): \(error)")
        }
        resolved.target = dataset.target
        resolved.test = recipe.test ?? (dataset.test == nil ? Holdout.none : .own)
        resolved.standardize = mode
        resolved.loss = loss
        self.recipe = resolved
        name = dataset.name
        self.notes = notes
    }

    /// The loss that fits the targets, or the one that was asked for, if it does.
    private static func loss(_ asked: Loss?, of samples: Samples, classes: [String]?, subject: String, _ notes: inout [String]) throws -> Loss {
        switch (samples.targets, asked) {
        case (.none, _):
            throw FathomError.invalid("the data have no targets to train on")
        case (.classes, nil), (.stepClasses, nil):
            notes.append("loss: cross-entropy, since the targets are \(classes?.count ?? 0) classes (change it with --loss)")
            return .crossEntropy
        case (.values, nil):
            notes.append("loss: mse, since the targets are numbers (change it with --loss)")
            return .meanSquaredError
        case (.classes, .binaryCrossEntropy?):
            guard classes?.count == 2 else {
                throw FathomError.invalid("\(subject): binary-cross-entropy tells two classes apart, and there are \(classes?.count ?? 0); cross-entropy takes any number")
            }
            return .binaryCrossEntropy
        case (.stepClasses(_, let steps), .binaryCrossEntropy?):
            throw FathomError.invalid(
                "\(subject): binary-cross-entropy takes one class a row, and these are one for each of \(steps) steps; cross-entropy takes those")
        case (.classes(let targets), .crossEntropy(_, let weights)?), (.stepClasses(let targets, _), .crossEntropy(_, let weights)?):
            do throws(FathomError) {
                let names = classes ?? [], loss = try (asked ?? .crossEntropy).resolved(targets: targets, classes: names)
                if weights == .balanced, case .crossEntropy(_, .classes(let numbers)?) = loss {
                    let listed = zip(names, numbers).prefix(12).map { "\($0) \($1)" }.joined(separator: ", ") + (names.count > 12 ? ", …" : "")
                    notes.append("class weights: \(listed) (balanced; change them with weights: classes(…) in --loss)")
                }
                return loss
            } catch {
                throw FathomError.invalid("\(subject): \(error)")
            }
        case (.classes, let asked?), (.stepClasses, let asked?):
            throw FathomError.invalid("\(subject): \(asked) needs numbers as targets, and these are \(classes?.count ?? 0) classes; cross-entropy takes classes")
        case (.values, .crossEntropy?):
            throw FathomError.invalid("\(subject): cross-entropy needs classes as targets, and these are numbers; mse takes numbers")
        case (.values(let values, _), .binaryCrossEntropy?):
            if let value = values.first(where: { !($0 >= 0 && $0 <= 1) }) {
                throw FathomError.invalid("\(subject): binary-cross-entropy needs targets from 0 to 1, and one is \(value)")
            }
            return .binaryCrossEntropy
        case (.values, let asked?): return asked
        }
    }

    /// A loss is in the targets' own units. Of two values that are a range apart an output is off by at most one range and half of one for each deviation
    /// that it is away from their mean: with an eighth of float32's range, 14 deviations do no harm.
    private static func checkReach(of samples: Samples, outputs: Int, _ data: String) throws {
        guard case .values(let values, _) = samples.targets else { return }
        for output in 0..<outputs {
            let column = stride(from: output, to: values.count, by: outputs).lazy.map { values[$0] }
            guard let least = column.min(), let most = column.max(), most - least > .greatestFiniteMagnitude / 8 else { continue }
            throw FathomError.invalid("\(data): the targets go from \(least) to \(most), too far apart for a loss in their own units, which float32 must hold; scale them down")
        }
    }

    /// What there is to know of a set of sequences.
    private static func sequenceNotes(_ dataset: Dataset, _ recipe: Recipe) -> [String] {
        guard let steps = dataset.steps else { return [] }
        let features = dataset.training.columns / steps
        let reading = "a row is \(steps) steps of \(features) features; a network that begins with sequence(\(steps)) reads it step by step"
        let scale = "standardize: none, since the features are from 0 to 1 as they are (change it with --standardize)"
        return (recipe.network.inputSteps == steps ? [] : [reading]) + (recipe.standardize == nil ? [scale] : [])
    }

    /// What the model is trained for.
    package var loss: Loss { details.loss ?? .crossEntropy }

    /// The same experiment for longer, or with another schedule: what the data decide stays as it is.
    package func changed(_ recipe: Recipe) -> Experiment {
        var changed = self
        changed.recipe.epochs = recipe.epochs
        changed.recipe.steps = recipe.steps
        changed.recipe.schedule = recipe.schedule
        changed.recipe.patience = recipe.patience
        return changed
    }

    /// The untrained model.
    package func model() throws -> Model {
        let order = order(ofEpoch: 1)[..<batch].map(Int.init)
        return try Model(
            recipe.network, inputs: training.columns, outputs: outputs, initializer: recipe.initializer, seed: recipe.seed, details: details,
            samples: training.selecting(order))
    }

    /// - Parameters:
    ///   - threads: nil: all the processors.
    ///   - instruments: nil: the recipe's.
    package func trainer(_ model: Model, threads: Int?, instruments: Trainer.Instruments? = nil) throws -> Trainer {
        let trainer = try Trainer(
            model, loss: loss, optimizer: recipe.optimizer, clipping: recipe.clip, recompute: recipe.recompute, passes: recipe.accumulate,
            ema: recipe.ema, instruments: instruments ?? recipe.instruments.level, seed: recipe.seed, threads: threads)
        try trainer.check(training)
        return trainer
    }

    /// The training rows in the order in which an epoch (from 1) takes them.
    package func order(ofEpoch epoch: Int) -> [UInt32] {
        let count = training.count
        return recipe.shuffle ? shuffledOrder(count: count, seed: recipe.seed, epoch: epoch) : Array(0..<UInt32(count))
    }

    /// Rows of a full batch; of fewer rows there are, all of them.
    package var batch: Int { min(recipe.batch, training.count) }
    package var stepsPerEpoch: Int { (training.count + batch - 1) / batch }

    /// - Throws: `FathomError.invalid` where it cannot be counted.
    package func totalSteps() throws -> Int {
        if let steps = recipe.steps { return steps }
        let (steps, overflow) = recipe.epochs.multipliedReportingOverflow(by: stepsPerEpoch)
        guard !overflow else { throw FathomError.invalid("epochs: \(recipe.epochs) epochs of \(stepsPerEpoch) steps are more than can be counted") }
        return steps
    }

    /// What becomes of a schedule that the training is too short for; nil where it is long enough.
    package func scheduleNote() throws -> String? {
        let schedule = recipe.schedule, total = try totalSteps()
        guard total > 0, schedule.fixedSteps > total else { return nil }
        return "schedule: \(schedule) takes \(schedule.fixedSteps) steps, and the training has \(total); it is cut off (change it with --schedule, --epochs or --steps)"
    }

    /// One line on the memory that training will take.
    /// - Throws: `FathomError.tooLarge` with the figure where there is not as much.
    package func memoryLine() throws -> String {
        let needed = try trainingMemory(
            recipe.network, inputs: training.columns, outputs: outputs, loss: loss, optimizer: recipe.optimizer, batch: batch,
            recompute: recipe.recompute, passes: recipe.accumulate, ema: recipe.ema, instruments: recipe.instruments.level,
            keepsBest: validation != nil)
        let available = availableMemory()
        guard needed <= available else {
            let remedies = ["a narrower network"] + (recipe.recompute == .none ? ["--recompute sqrt"] : []) + ["more passes of --accumulate"]
            throw FathomError.tooLarge(
                "training this network with batch \(batch) takes \(formattedBytes(needed)) of memory, and \(formattedBytes(available)) are free; \(remedies.joined(separator: ", ")) or a smaller --batch takes less")
        }
        return "memory: \(formattedBytes(needed)) for training, \(formattedBytes(available)) free"
    }
}

/// Training, validation and test rows of a recipe: the test rows are cut first, the validation rows from the rest.
private struct Split {
    let training: Samples
    let validation: Samples?
    let test: Samples?

    init(_ dataset: Dataset, _ recipe: Recipe, _ settings: Settings) throws {
        func held(_ holdout: Holdout, _ key: RecipeKey, _ purpose: Dataset.SplitPurpose, from rest: inout Samples) throws -> Samples? {
            switch holdout {
            case .none: return nil
            case .own:
                guard let test = dataset.test else {
                    throw FathomError.invalid("\(settings.subject(key)): \(recipe.data) has no test split of its own; give a fraction, a path or 0")
                }
                return test
            case .fraction(let fraction):
                do {
                    let split = try Dataset.split(rest, fraction: fraction, seed: recipe.seed, purpose: purpose)
                    rest = split.rest
                    return split.held
                } catch {
                    throw FathomError.invalid("\(settings.subject(key)): \(error)")
                }
            case .path(let path):
                let (samples, _) = try dataset.schema.read(path, labels: .required)
                return samples
            }
        }
        var rest = dataset.training
        test = try held(recipe.test ?? (dataset.test == nil ? .none : .own), .test, .test, from: &rest)
        validation = try held(recipe.validation, .validation, .validation, from: &rest)
        guard rest.count > 0 else { throw FathomError.invalid("\(recipe.data) has no rows left to train on") }
        training = rest
    }
}

extension Samples {
    /// The second of two classes as 1, the first as 0: what binary cross-entropy takes. Numbers stay as they are.
    package func withBinaryTargets() throws -> Samples {
        guard case .classes(let classes) = targets else { return self }
        return try Samples(columns: columns, features: features, targets: .values(classes.map(Float.init), width: 1))
    }
}
