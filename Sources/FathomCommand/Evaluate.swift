import ArgumentParser
import Fathom
import FathomCommandLine
import FathomData
import FathomFormats
import Foundation

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Say how a trained model does on data whose targets are known.",
        usage: "fathom evaluate RUN [--data …] [--top K] [--threads N] [--json]",
        discussion: """
            Without --data, on the test rows that the run held out.

            Of classes: accuracy, the share of rows whose class is among the K largest outputs, precision, recall and F1 of each class, the \
            mean of F1, and the confusion matrix. Of numbers: RMSE, MAE and R², in the target's own units. Where each step of a sequence has a \
            target, every step counts.
            """)

    @Argument(help: ArgumentHelp("A run folder, or with --data a model file.", valueName: "run")) var path: String
    @Option(parsing: .unconditional, help: "A named set or a path, in place of the run's test rows; all of its rows, or its test split where it has one.")
    var data: String?
    @Option(parsing: .unconditional, help: ArgumentHelp("The K of the top-K accuracy (default: 5, where there are more classes).", valueName: "k"))
    var top: Int?
    @Option(parsing: .unconditional, help: RecipeOptions.help(.threads)) var threads: String?
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        try refuseFlagsAsValues([("data", data), ("threads", threads)])
        guard top ?? 1 > 0 else { throw ValidationError("--top takes a whole number from 1 on") }
    }

    func run() throws {
        try Kernels.checkOverride()
        let trained = try TrainedModel(path), model = trained.model
        let loss = model.details.loss ?? (model.details.classes == nil ? .meanSquaredError : .crossEntropy)
        let name = data ?? "the test rows of \(path)"
        let samples = try data.map { try trained.read($0, labels: .required) } ?? Self.testRows(of: trained)
        let evaluation = try model.evaluate(samples, loss: loss, top: top ?? 5, threads: threadCount(threads))
        if let top, evaluation.classification?.top == nil { throw refusal(ofTop: top, evaluation) }
        evaluation.warnOfOverflow()
        let report = EvaluationReport(
            evaluation: evaluation, data: json ? name : data ?? "test", samples: samples.count, classNames: model.details.classes)
        let object = JSON.object([.init("model", .string(trained.path))] + report.members)
        try StandardStreams.result(json ? object.line + "\n" : report.text(width: Terminal.width(of: STDOUT_FILENO)))
    }

    private func refusal(ofTop top: Int, _ evaluation: Evaluation) -> FathomError {
        guard let scores = evaluation.classification else { return .invalid("--top is for models of classes; \(path) predicts numbers") }
        guard !scores.isMultilabel else { return .invalid("--top is for one class to a row; \(path) answers yes or no with each output") }
        return .invalid("--top \(top): there are \(scores.classes.count) classes, so no more than the top \(scores.classes.count - 1) says anything")
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

/// Why a model's answers to finite rows are not finite.
let overflow = "the network overflows, as after a training that diverges, or on numbers that are far too large"

extension Evaluation {
    func warnOfOverflow() {
        if !loss.isFinite { StandardStreams.note("warning: the loss is not finite: \(overflow)") }
    }

    /// "test accuracy 97.77 %, loss 0.0712, on 359 rows", "test loss 0.0712, RMSE 0.2668, R² 0.9288, on 359 rows".
    func sentence(on split: String, rows: Int) -> String {
        let others = accuracy.map { _ in ["loss \(Progress.number(loss))"] } ?? regression.map { scores in
            ["RMSE \(Progress.number(scores.rmse))"] + (scores.r2.map { ["R² \(Progress.number($0))"] } ?? [])
        } ?? []
        return (["\(split) \(accuracy == nil ? "" : "accuracy ")\(scoreText(self))"] + others + ["on \(rows) rows"]).joined(separator: ", ")
    }
}
