import Fathom
import FathomCommandLine
import FathomFormats
import FathomStability
import Foundation

/// The network whose gradient is looked at, and the batch it is looked at on.
struct GradientSubject {
    let experiment: Experiment
    /// Trained, or drawn from the recipe's seed.
    let model: Model
    /// The first batch of a training.
    let samples: Samples
    let isTrained: Bool
    /// Most that are used.
    let threads: Int

    /// - Parameters:
    ///   - path: a recipe or a run folder.
    ///   - inputs: columns of standard normal inputs in place of data.
    ///   - rows: of the batch; nil: the recipe's.
    init(_ path: String?, _ options: RecipeOptions, inputs: String?, samples rows: Int?) throws {
        let columns = inputs.flatMap { Int($0) }
        if let path, RunFolder.isFolder(path) {
            try self.init(run: RunFolder(existing: path), options, columns: columns, rows)
        } else {
            if let path, path.hasSuffix(".safetensors") {
                throw FathomError.invalid("\(path) is a model without data to look at it on; name the run folder that it lies in")
            }
            var settings = try Settings(recipe: path, options, inputs: inputs, command: "gradients")
            let experiment = try Self.experiment(&settings, columns: columns, rows)
            try self.init(experiment, experiment.model(), rows, isTrained: false, threads: settings.threads())
        }
    }

    /// A run's trained model, on its data.
    private init(run: RunFolder, _ options: RecipeOptions, columns: Int?, _ rows: Int?) throws {
        guard run.hasModel else { throw FathomError.noSuchInput("\(run.path) has no model yet; go on with: fathom resume \(run.path)") }
        var flags = Settings()
        options.apply(to: &flags)
        for key in [RecipeKey.network, .initializer] where flags[key] != nil {
            throw UsageError("--\(key.rawValue) does not go with a run, whose network is trained; without the run it draws a network anew")
        }
        var settings = try Settings(contentsOf: run.recipe)
        options.apply(to: &settings)
        let model = try Model(SafeTensorsFile(contentsOf: URL(filePath: run.model), name: run.model), name: run.model)
        if let columns, columns != model.inputs { throw UsageError("--inputs \(columns): the model of \(run.path) takes \(model.inputs)") }
        // The initial model that `fathom train --steps 0` leaves is as it was drawn.
        let steps = try? SafeTensorsFile(contentsOf: URL(filePath: run.checkpoint), name: run.checkpoint).metadata["step"]
        try self.init(Self.experiment(&settings, columns: columns, rows), model, rows, isTrained: steps != "0", threads: settings.threads())
    }

    private static func experiment(_ settings: inout Settings, columns: Int?, _ rows: Int?) throws -> Experiment {
        guard let columns else { return try Experiment(Recipe(settings), settings) }
        if let rows { settings.set(.batch, flag: String(rows)) }
        return try Experiment(normal: columns, batches: 1, &settings)
    }

    private init(_ experiment: Experiment, _ model: Model, _ rows: Int?, isTrained: Bool, threads: Int?) throws {
        let rows = rows ?? experiment.batch
        guard rows <= experiment.training.count else {
            throw FathomError.invalid("--samples \(rows): there are \(experiment.training.count) rows to train on")
        }
        (self.experiment, self.model, self.isTrained, self.threads) = (experiment, model, isTrained, threads ?? Fathom.Kernels.threadsAvailable)
        samples = experiment.training.selecting(experiment.order(ofEpoch: 1)[..<rows].map(Int.init))
        guard model.inputs == samples.columns else {
            throw FathomError.invalid("the samples have \(samples.columns) features, the model takes \(model.inputs)")
        }
    }

    /// The network of another seed.
    func model(seed: UInt64) throws -> Model {
        let recipe = experiment.recipe
        return try Model(
            recipe.network, inputs: samples.columns, outputs: experiment.outputs, initializer: recipe.initializer, seed: seed, details: experiment.details,
            samples: samples)
    }

    /// What is looked at, a line each.
    var notes: [String] {
        let recipe = experiment.recipe, columns = samples.columns
        return [
            "network: \(model.network), \(isTrained ? "trained" : "as drawn from seed \(recipe.seed)")",
            "data: \(recipe.data), \(columns) \(columns == 1 ? "column" : "columns"), \(samples.count) \(samples.count == 1 ? "row" : "rows"); loss: \(experiment.loss)",
        ]
    }
}
