import ArgumentParser
import Fathom
import FathomCommandLine
import FathomData
import FathomFormats
import Foundation

struct Predict: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict",
        abstract: "Predict the targets of new rows.",
        usage: "fathom predict RUN|MODEL --data FILE|- [--output FILE] [--logits] [--threads N]",
        discussion: """
            Columns are found by their names in the header, in any order; the target's may be there or not. Standardization is the model's own.

            Out comes a CSV with a header: for classes 'prediction' and a 'probability_…' for each class, for numbers 'prediction', or \
            'prediction_1', 'prediction_2', … where there are several. Where each step of a sequence has its answer, a line for each, with its 'row' and 'step'.
            """)

    @Argument(help: "A run folder, or a model file.") var model: String
    @Option(parsing: .unconditional, help: "A table or set as for training; - reads a CSV from standard input.") var data: String
    @Option(parsing: .unconditional, help: "Where the CSV goes (default: standard output).") var output: String?
    @Flag(help: "For classes, a 'logit_…' for each too: what the network gives before softmax or sigmoid.") var logits = false
    @Option(parsing: .unconditional, help: RecipeOptions.help(.threads)) var threads: String?

    func validate() throws { try refuseFlagsAsValues([("data", data), ("output", output), ("threads", threads)]) }

    func run() throws {
        try Kernels.checkOverride()
        let threads = try threadCount(threads)
        let trained = try TrainedModel(model)
        guard !logits || trained.model.details.classes != nil else {
            throw FathomError.invalid("--logits is for models of classes; \(model) predicts numbers")
        }
        let samples = try trained.read(data, labels: .ignored)
        let table = try trained.model.details.classes.map { try Self.classes(trained.model, names: $0, samples, logits: logits, threads) }
            ?? Self.numbers(trained.model, samples, threads)
        guard let output, output != "-" else { return try StandardStreams.result(table) }
        try Self.write(table, to: output)
    }

    private static func classes(_ model: Model, names: [String], _ samples: Samples, logits: Bool, _ threads: Int?) throws -> String {
        let probabilities = try model.probabilities(samples, threads: threads)
        let predicted = try model.predictClasses(samples, threads: threads)
        let logits = logits ? try model.predict(samples, threads: threads) : nil
        warn(ofOverflow: probabilities, width: model.outputs)
        var header = places(model) + ["prediction"] + names.map { "probability_\($0)" }
        if logits != nil { header += model.outputs == 1 ? ["logit"] : names.map { "logit_\($0)" } }
        var table = header.map(csvField).joined(separator: ",") + "\n"
        let fields = names.map(csvField)
        for row in predicted.indices {
            table += place(of: row, model) + fields[predicted[row]]
            for probability in probabilities[row * model.outputs..<(row + 1) * model.outputs] {
                // One output tells two classes apart: it is the second's.
                if model.outputs == 1 && names.count == 2 { table += "," + (1 - probability).text }
                table += "," + probability.text
            }
            for logit in logits?[row * model.outputs..<(row + 1) * model.outputs] ?? [] { table += "," + logit.text }
            table += "\n"
        }
        return table
    }

    private static func numbers(_ model: Model, _ samples: Samples, _ threads: Int?) throws -> String {
        let isBinary = model.details.loss == .binaryCrossEntropy
        let values = try isBinary ? model.probabilities(samples, threads: threads) : model.predict(samples, threads: threads)
        let width = model.outputs
        warn(ofOverflow: values, width: width)
        let header = places(model) + (width == 1 ? ["prediction"] : (1...width).map { "prediction_\($0)" })
        var table = header.joined(separator: ",") + "\n"
        for row in 0..<values.count / width {
            table += place(of: row, model) + values[row * width..<(row + 1) * width].map(\.text).joined(separator: ",") + "\n"
        }
        return table
    }

    /// Data hold no number that is not finite, so an answer that is not one is the network's doing.
    private static func warn(ofOverflow answers: [Float], width: Int) {
        let count = answers.count / width, sick = (0..<count).count { row in answers[row * width..<(row + 1) * width].contains { !$0.isFinite } }
        if sick > 0 { StandardStreams.note("warning: \(sick) of \(count) predictions are not finite: \(overflow)") }
    }

    /// The columns that say where an answer belongs, both from 1; none where each row has one.
    private static func places(_ model: Model) -> [String] { model.outputSteps == nil ? [] : ["row", "step"] }

    private static func place(of answer: Int, _ model: Model) -> String {
        model.outputSteps.map { "\(answer / $0 + 1),\(answer % $0 + 1)," } ?? ""
    }

    /// A new file, or all of an old one, at once; what is no file, such as a pipe or /dev/null, is written to and not replaced.
    private static func write(_ table: String, to path: String) throws {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG else {
            return try writeAtomically(Data(table.utf8), to: URL(filePath: path))
        }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw FathomError.cannotCreate("\(path) is a folder; --output names a file") }
        guard let file = FileHandle(forWritingAtPath: path) else { throw FathomError.cannotCreate("\(path) cannot be written") }
        do { try file.write(contentsOf: Data(table.utf8)) } catch { throw FathomError.inputOutput("\(path): writing failed") }
    }
}

/// A CSV field, in quotes where it has to be.
func csvField(_ text: String) -> String {
    text.contains { ",\"".contains($0) || $0.isNewline } ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
}
