import ArgumentParser
import Fathom
import FathomData
import FathomFormats

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Say how a trained model does on data whose targets are known.",
        usage: "fathom evaluate RUN [--data …] [--threads N] [--json]",
        discussion: "Without --data, on the test rows that the run held out.")

    @Argument(help: ArgumentHelp("A run folder, or with --data a model file.", valueName: "run")) var path: String
    @Option(parsing: .unconditional, help: "A named set or a path, in place of the run's test rows; all of its rows, or its test split where it has one.")
    var data: String?
    @Option(parsing: .unconditional, help: RecipeOptions.help(.threads)) var threads: String?
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws { try refuseFlagsAsValues([("data", data), ("threads", threads)]) }

    func run() throws {
        try Kernels.checkOverride()
        let trained = try TrainedModel(path), model = trained.model
        let loss = model.details.loss ?? (model.details.classes == nil ? .meanSquaredError : .crossEntropy)
        let name = data ?? "the test rows of \(path)"
        let samples = try data.map { try trained.read($0, labels: .required) } ?? Self.testRows(of: trained)
        let evaluation = try model.evaluate(samples, loss: loss, threads: threadCount(threads))
        guard !json else {
            let accuracy = evaluation.accuracy.map { [JSON.Member("accuracy", .number($0))] } ?? []
            return try StandardStreams.result(
                JSON.object([
                    .init("model", .string(trained.path)), .init("data", .string(name)), .init("rows", .integer(samples.count)),
                    .init("loss", .number(evaluation.loss)),
                ] + accuracy).line + "\n")
        }
        try StandardStreams.result(evaluation.sentence(on: data ?? "test", rows: samples.count) + "\n")
    }

    /// The rows that a run held out for testing, cut again as its recipe says.
    private static func testRows(of trained: TrainedModel) throws -> Samples {
        guard let folder = trained.folder else {
            throw UsageError("\(trained.path) is a model without a run; say with --data what to evaluate it on")
        }
        let settings = try Settings(contentsOf: folder.recipe)
        guard let test = try Experiment(Recipe(settings), settings).test else {
            throw FathomError.invalid("\(folder.path) held out no test rows; say with --data what to evaluate it on")
        }
        return test
    }
}

/// `--threads`, checked as a recipe's.
func threadCount(_ text: String?) throws -> Int? {
    var settings = Settings()
    if let text { settings.set(.threads, flag: text) }
    return try settings.threads()
}

extension Evaluation {
    /// "test accuracy 97.77 %, loss 0.0712, on 359 rows".
    func sentence(on split: String, rows: Int) -> String {
        "\(split) " + (accuracy.map { _ in "accuracy \(scoreText(self)), loss \(Progress.number(loss))" } ?? scoreText(self)) + ", on \(rows) rows"
    }
}
