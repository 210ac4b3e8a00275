import Fathom
import FathomCommandLine
import FathomFormats
import Foundation

/// What `fathom evaluate` says of an evaluation.
struct EvaluationReport {
    let evaluation: Evaluation
    /// What it was on.
    let data: String
    /// Samples.
    let samples: Int
    /// Names of the classes, where the model knows them.
    let classNames: [String]?

    /// Rows of the targets: steps of samples, where each step has its own.
    private var rows: Int { evaluation.classification?.rows ?? evaluation.regression?.rows ?? samples }
    private var isByStep: Bool { rows != samples }

    // MARK: JSON

    var members: [JSON.Member] {
        var members: [JSON.Member] = [.init("data", .string(data)), .init("rows", .integer(samples))]
        if isByStep { members.append(.init("steps", .integer(rows))) }
        members.append(.init("loss", .number(evaluation.loss)))
        if let scores = evaluation.classification { members += self.members(scores) }
        if let scores = evaluation.regression { members += self.members(scores) }
        return members
    }

    private func members(_ scores: ClassificationScores) -> [JSON.Member] {
        var members: [JSON.Member] = [.init("accuracy", .number(scores.accuracy))]
        if let top = scores.top, let share = scores.topAccuracy {
            members += [.init("top_k", .integer(top.k)), .init("top_k_accuracy", .number(share))]
        }
        members.append(.init("f1", .number(scores.macroF1)))
        let each = zip(names(scores), scores.classes).enumerated().map { index, named -> JSON in
            let (name, score) = named
            return .object([
                scores.isMultilabel ? .init("output", .integer(index + 1)) : .init("class", .string(name)),
                .init("precision", .number(score.precision)), .init("recall", .number(score.recall)), .init("f1", .number(score.f1)),
                .init("support", .integer(score.support)),
            ])
        }
        members.append(.init(scores.isMultilabel ? "outputs" : "classes", .array(each)))
        if let confusion = scores.confusion {
            members.append(.init("confusion", .array((0..<confusion.classes).map { target in
                .array((0..<confusion.classes).map { .integer(confusion[target, $0]) })
            })))
        }
        return members
    }

    private func members(_ scores: RegressionScores) -> [JSON.Member] {
        func members(_ rmse: Double, _ mae: Double, _ r2: Double?) -> [JSON.Member] {
            [.init("rmse", .number(rmse)), .init("mae", .number(mae))] + JSON.members("r2", r2, reason: Event.constantTarget)
        }
        let all = members(scores.rmse, scores.mae, scores.r2)
        guard scores.outputs.count > 1 else { return all }
        return all + [.init("outputs", .array(scores.outputs.enumerated().map { index, score in
            .object([.init("output", .integer(index + 1))] + members(score.rmse, score.mae, score.r2))
        }))]
    }

    // MARK: Text

    /// Classes of which each has a line; of more, those that are told worst.
    private static let mostClasses = 50, worstClasses = 20
    /// Columns for a confusion matrix where there is no terminal.
    private static let plainWidth = 160

    /// - Parameter width: of the terminal; nil where there is none.
    func text(width: Int?) -> String {
        var parts = [summary.text(width: width)]
        if let scores = evaluation.classification {
            parts.append(classTable(scores, width))
            if let confusion = scores.confusion { parts.append(matrix(confusion, names(scores), width)) }
        }
        if let scores = evaluation.regression {
            if scores.outputs.count > 1 { parts.append(outputTable(scores).text(width: width)) }
            if scores.outputs.contains(where: { $0.r2 == nil }) {
                parts.append(wrapped("R² is none: \(Event.constantTarget)", width: width ?? .max, indent: ""))
            }
        }
        return parts.joined(separator: "\n")
    }

    private var summary: Table {
        var cells = [("", data), ("rows", "\(samples)")]
        if isByStep { cells.append(("steps", "\(rows)")) }
        cells.append(("loss", Progress.number(evaluation.loss)))
        if let scores = evaluation.classification {
            cells.append(("accuracy", Self.percent(scores.accuracy)))
            if let top = scores.top, let share = scores.topAccuracy { cells.append(("top-\(top.k)", Self.percent(share))) }
            cells.append(("macro F1", Self.fraction(scores.macroF1)))
        }
        if let scores = evaluation.regression {
            cells += [("RMSE", Progress.number(scores.rmse)), ("MAE", Progress.number(scores.mae)), ("R²", Self.r2(scores.r2))]
        }
        return Table(header: cells.map(\.0), rows: [cells.map(\.1)], right: Set(1..<cells.count))
    }

    private func classTable(_ scores: ClassificationScores, _ width: Int?) -> String {
        var lines = Array(zip(names(scores), scores.classes)), head = ""
        if lines.count > Self.mostClasses {
            let sentence = "the \(Self.worstClasses) of \(lines.count) classes with the lowest F1; --json has all"
            head = wrapped(sentence, width: width ?? .max, indent: "")
            lines = Array(lines.sorted { $0.1.f1 < $1.1.f1 }.prefix(Self.worstClasses))
        }
        let rows = lines.map { name, score in
            [name, Self.fraction(score.precision), Self.fraction(score.recall), Self.fraction(score.f1), "\(score.support)"]
        }
        let header = [scores.isMultilabel ? "output" : "class", "precision", "recall", "F1", "support"]
        return head + Table(header: header, rows: rows, right: [1, 2, 3, 4]).text(width: width)
    }

    /// A row for each class, a column for each prediction, headed by the class's name or, where that is too wide, its number.
    private func matrix(_ confusion: ConfusionMatrix, _ names: [String], _ width: Int?) -> String {
        let room = width ?? Self.plainWidth
        func table(_ header: [String], _ first: [String]) -> Table {
            let rows = (0..<confusion.classes).map { target in [first[target]] + (0..<confusion.classes).map { "\(confusion[target, $0])" } }
            return Table(header: ["class"] + header, rows: rows, right: Set(1...confusion.classes))
        }
        let numbers = (1...confusion.classes).map(String.init)
        let forms = [table(names, names), table(numbers, zip(numbers, names).map { "\($0) \($1)" }), table(numbers, numbers)]
        guard confusion.classes < room, let form = forms.first(where: { $0.width <= room }) else {
            return wrapped("the confusion matrix of \(confusion.classes) classes does not fit here; --json has it", width: room, indent: "")
        }
        return wrapped("confusion: a row for each class, a column for each prediction", width: room, indent: "") + form.text(width: nil)
    }

    private func outputTable(_ scores: RegressionScores) -> Table {
        let rows = scores.outputs.enumerated().map { index, score in
            ["\(index + 1)", Progress.number(score.rmse), Progress.number(score.mae), Self.r2(score.r2)]
        }
        return Table(header: ["output", "RMSE", "MAE", "R²"], rows: rows, right: [1, 2, 3])
    }

    private func names(_ scores: ClassificationScores) -> [String] {
        if let classNames, classNames.count == scores.classes.count { return classNames }
        return scores.classes.indices.map { "\(scores.isMultilabel ? $0 + 1 : $0)" }
    }

    private static func percent(_ share: Double) -> String { String(format: "%.2f %%", 100 * share) }
    private static func fraction(_ share: Double) -> String { String(format: "%.4f", share) }
    private static func r2(_ value: Double?) -> String { value.map(Progress.number) ?? "none" }
}
