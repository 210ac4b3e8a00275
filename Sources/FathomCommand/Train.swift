import ArgumentParser
import Fathom
import FathomCommandLine
import FathomFormats
import FathomStability
import Foundation

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a network, and leave a run folder.",
        usage: "fathom train [RECIPE] [--KEY VALUE …] [--json] [--quiet]",
        discussion: """
            A recipe is a YAML file of the keys below; every key is a flag of the same name, and a flag wins.

                fathom train --data digits --test 0.2
                fathom train --data table.csv --target price --network '[linear(64) tanh] * 3 linear(1)' --validation 0.1
                fathom train runs/digits-1/recipe.yaml --seed 7
            """)

    @Argument(help: "A recipe; recipe.yaml in a run folder repeats that run.") var recipe: String?
    @OptionGroup var options: RecipeOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        try Kernels.checkOverride()
        var settings = try recipe.map(Self.settings) ?? Settings()
        options.apply(to: &settings)
        guard recipe != nil || settings[.data] != nil else {
            throw UsageError("say what to train on: --data FILE, --data digits, or a recipe; fathom datasets lists the sets at hand")
        }
        let threads = try settings.threads()
        let experiment = try Experiment(Recipe(settings), settings)
        let memory = try experiment.memoryLine()
        let model = try experiment.model()
        let introduction = try experiment.introduction(model)
        let start = try experiment.recipe.instruments == .none ? nil : GradientAtStart(model, experiment.training, seed: experiment.recipe.seed)
        // The trainer has its own; unless it is consumed, this one stays until training ends.
        let trainer = try experiment.trainer(consume model, threads: threads)

        let folder = try settings.output.map(RunFolder.init(creating:)) ?? RunFolder(nextFor: experiment.name)
        for line in introduction + [memory, "run: \(folder.path)"] { output.note(line) }
        if let start { output.note(start.sentence(arguments: "\(folder.path)/recipe.yaml")) }
        try TrainingRun(experiment, in: folder, trainer, start: start, output).trainAndReport(experiment, in: folder, output)
    }

    /// A recipe's settings; where a data set's name stands in its place, the error says how data are given.
    private static func settings(recipe: String) throws -> Settings {
        do {
            return try Settings(contentsOf: recipe)
        } catch FathomError.noSuchInput(let what) where !FileManager.default.fileExists(atPath: recipe) {
            throw FathomError.noSuchInput("\(what); data are given with --data, as in --data '\(recipe)'")
        }
    }
}

extension Experiment {
    /// What is about to be trained, a line each.
    func introduction(_ model: Model) throws -> [String] {
        let each = if case .stepClasses(_, let steps) = training.targets { " at each of \(steps) steps" } else { "" }
        let targets = details.classes.map { "\($0.count) classes" + each } ?? (outputs == 1 ? "a number" : "\(outputs) numbers")
        let rows = ["\(training.count) training"] + (validation.map { ["\($0.count) validation"] } ?? []) + (test.map { ["\($0.count) test"] } ?? [])
        let inits = [(false, "--init"), (true, "--network")].compactMap { own, flag in
            let summary = recipe.network.initializationSummary(default: recipe.initializer, own: own)
            return summary.isEmpty ? nil : "\(summary) (change it with \(flag))"
        }
        return [
            "data: \(recipe.data): \(rows.joined(separator: ", ")) rows of \(training.columns) columns, \(targets)",
            "network: \(recipe.network), \(model.parameterCount) parameters",
        ] + (inits.isEmpty ? [] : ["init: \(inits.joined(separator: "; "))"]) + notes + (try scheduleNote().map { [$0] } ?? [])
    }
}
