import Fathom
import Foundation

/// Several runs on one page: their curves over one another, what their recipes differ in, and what came of them.
public struct ComparisonReport {
    private let runs: [RunReport]
    /// The folders' names; whole paths where two would be alike.
    private let names: [String]

    /// - Parameter runs: one or more.
    public init(_ runs: [RunReport]) {
        self.runs = runs
        let short = runs.map(\.name)
        names = Set(short).count == short.count ? short : runs.map(\.folder.path)
    }

    public func write(to path: String) throws { try page.write(to: path) }

    public var page: Page {
        var page = Page(runs.count <= 4 ? names.joined(separator: " · ") : "\(runs.count) runs", "Runs side by side")
        if let best { page.verdict(best) }
        page.heading("What came of them")
        page.table(results.header, results.rows, right: Set(2..<results.header.count))
        page.heading("What their recipes differ in")
        let differences = differences
        if differences.rows.isEmpty { page.paragraph("Nothing: the recipes are the same.") } else { page.table(differences.header, differences.rows) }
        page.heading("Training")
        let losses = runs.map { $0.history.values(.loss) }, scale = RunHistory.scale(losses.joined())
        add(chart("Training loss", Axis("loss", scale)) { ($0.steps, Self.smoothed($0.values(.loss), scale)) }, &page)
        for (key, title) in [("validation_loss", "Validation loss"), ("validation_accuracy", "Validation accuracy")] {
            let all = runs.compactMap { $0.history.epochCurve(key)?.values }
            let y = key.hasSuffix("loss") ? Axis("loss", RunHistory.scale(all.joined())) : RunHistory.accuracyAxis
            add(chart(title, y) { $0.epochCurve(key) }, &page)
        }
        let highestRates = runs.compactMap { $0.history.values(.learningRate).filter(\.isFinite).max() }
        add(chart("Learning rate", Axis("learning rate", RunHistory.scale(highestRates))) { ($0.steps, $0.values(.learningRate)) }, &page)
        let fastest = runs.flatMap { $0.history.epochCurve("samples_per_second")?.values ?? [] }.filter(\.isFinite).max() ?? 1
        add(chart("Speed", Axis("samples per second", range: 0...max(fastest, 1) * 1.1)) { $0.epochCurve("samples_per_second") }, &page)
        page.heading("Gradient")
        let norm = Axis("‖gradient‖", .logarithmic)
        add(chart("Norm of the gradient, before clipping", norm) { ($0.steps, Self.smoothed($0.values(.gradientNorm), .logarithmic)) }, &page)
        add(byDepth, &page)
        addMaps(&page)
        return page
    }

    private func add(_ chart: Chart?, _ page: inout Page) {
        if let chart { page.figure(chart) }
    }

    private static func smoothed(_ values: [Double], _ scale: Axis.Scale) -> [Double] {
        Chart.isWorthSmoothing(values) ? Chart.smoothed(values, scale) : values
    }

    private func chart(_ title: String, _ y: Axis, _ curve: (RunHistory) -> (steps: [Double], values: [Double])?) -> Chart? {
        let series = zip(runs, names).enumerated().compactMap { index, run in
            curve(run.0.history).flatMap { $0.values.contains(where: \.isFinite) ? Chart.Series.line(run.1, $0.steps, $0.values, look: index) : nil }
        }
        let isSmoothed = series.contains { Chart.isWorthSmoothing($0.y) } && (title.contains("Training loss") || title.contains("Norm"))
        guard !series.isEmpty else { return nil }
        let x = RunHistory.stepAxis(last: runs.compactMap(\.history.steps.last).max() ?? 1)
        return Chart(title, x: x, y: y, series, note: isSmoothed ? "Means over a fiftieth of the steps." : "")
    }

    /// The gradient of each layer in the last steps that were written.
    private var byDepth: Chart? {
        let series = zip(runs, names).enumerated().compactMap { index, run -> Chart.Series? in
            guard let gradient = run.0.history.lastGradient, gradient.count > 1 else { return nil }
            return .line(run.1, gradient.indices.map { Double($0 + 1) }, gradient.map { pow(10, $0) }, look: index)
        }
        guard !series.isEmpty else { return nil }
        return Chart("Gradient by layer, in the last steps", x: Axis.places("layer with parameters", series.map(\.y.count).max() ?? 1), y: Axis("‖∂L/∂W‖", .logarithmic), series)
    }

    /// Maps of that many runs, in the same colours.
    private static let mostMaps = 8

    private func addMaps(_ page: inout Page) {
        let shown = zip(runs, names).filter { !$0.0.history.layers.isEmpty }.prefix(Self.mostMaps)
        let all = shown.flatMap { $0.0.history.layers.values(0) }.filter(\.isFinite)
        guard let low = all.min(), let high = all.max(), low < high else { return }
        for (run, name) in shown {
            guard var map = run.history.layerFigure(.gradientNorm, range: low...high) as? HeatMap else { continue }
            map.title = "\(map.title): \(name)"
            page.figure(map)
        }
    }

    // MARK: Tables

    /// The run that does best on rows held out, by the first score that all have.
    private var best: String? {
        guard runs.count > 1 else { return nil }
        let scores = [("test_accuracy", "test accuracy", true), ("test_loss", "test loss", false), ("best_validation_loss", "validation loss", false)]
        for (key, name, isLarger) in scores {
            let values = runs.compactMap { $0.history.end?[key]?.double }
            guard values.count == runs.count, let value = isLarger ? values.max() : values.min() else { continue }
            let winners = zip(names, values).filter { $0.1 == value }.map(\.0)
            let what = "\(isLarger ? "highest" : "smallest") \(name), \(RunReport.score(value, key))"
            return winners.count == 1 ? "\(winners[0]) has the \(what)." : "\(winners.joined(separator: ", ")) have the \(what)."
        }
        return nil
    }

    private var results: (header: [String], rows: [[String]]) {
        let columns: [(title: String, key: String)] = [
            ("test accuracy", "test_accuracy"), ("test loss", "test_loss"), ("test RMSE", "test_rmse"), ("test R²", "test_r2"),
            ("best validation loss", "best_validation_loss"), ("best epoch", "best_epoch"), ("clipped", "clip_rate"), ("training, s", "training_seconds"),
        ].filter { column in runs.contains { $0.history.end?[column.key]?.double != nil } }
        let rows = zip(runs, names).map { run, name -> [String] in
            let history = run.history, end = history.end, epoch = history.epochs.last?.event
            let cells = columns.map { column in
                guard let value = end?[column.key]?.double else { return "" }
                return column.key == "clip_rate" ? String(format: "%.1f %%", 100 * value) : RunReport.score(value, column.key)
            }
            return [name, end?["outcome"]?.string ?? "not finished", "\(Int(history.steps.last ?? 0))"] + cells
                + [epoch?["train_loss"]?.double.map(numberText) ?? "", "\(history.alarms.count)"]
        }
        return (["run", "outcome", "steps"] + columns.map(\.title) + ["last training loss", "alarms"], rows)
    }

    private var differences: (header: [String], rows: [[String]]) {
        let recipes = runs.map { Dictionary($0.recipe.entries.map { ($0.key, $0.value.plainText) }) { first, _ in first } }
        let keys = RecipeKey.allCases.filter { key in Set(recipes.map { $0[key] }).count > 1 }
        return (["run"] + keys.map(\.rawValue), keys.isEmpty ? [] : zip(recipes, names).map { recipe, name in [name] + keys.map { recipe[$0] ?? "" } })
    }
}
