import Fathom
import Foundation

/// The report of one run: `report.html` in its folder.
public struct RunReport {
    let folder: RunFolder
    let history: RunHistory
    let recipe: Recipe

    /// Reads a run. It may be under way.
    /// - Parameter history: where it is known already.
    /// - Throws: `noSuchInput`, or `invalid` with file and line.
    public init(_ folder: RunFolder, history: RunHistory? = nil) throws {
        self.folder = folder
        recipe = try Recipe(contentsOf: folder.recipe)
        self.history = try history ?? RunHistory(contentsOf: folder.history)
    }

    /// Writes the report whole or not at all.
    /// - Parameter path: nil: in the run's folder.
    public func write(to path: String? = nil) throws { try page.write(to: path ?? folder.report) }

    /// The last part of the folder's path.
    var name: String { (folder.path as NSString).lastPathComponent }

    public var page: Page {
        var page = Page(name, "A training run on \(recipe.data)")
        page.verdict(outcome, isBad: isUnfinished)
        let gradient = gradientVerdict
        page.verdict(gradient.text, isBad: gradient.isBad)
        addFacts(&page)
        addFaults(&page)
        add([history.lossFigure, history.accuracyFigure, history.learningRateFigure, history.speedFigure], "Training", &page)
        let maps: [RunHistory.LayerQuantity] = [.gradientNorm, .signalGradientNorm, .updateRatio, .weightNorm]
        add([history.gradientNormFigure, history.clippingFigure] + maps.map { history.layerFigure($0) } + [history.residualFigure], "Gradient", &page)
        let activations: [RunHistory.LayerQuantity] = [.activationMean, .activationDeviation, .saturated, .dead, .slopeMeanSquare, .subnormal, .nonfinite]
        add(activations.map { history.layerFigure($0) }, "Activations", &page)
        add(RunHistory.ExponentKind.allCases.map(history.exponentFigure), "Powers of two", &page)
        page.heading("Recipe")
        page.code(recipeText)
        return page
    }

    private func add(_ figures: [(any Figure)?], _ heading: String, _ page: inout Page) {
        let figures = figures.compactMap(\.self)
        guard !figures.isEmpty else { return }
        page.heading(heading)
        page.figures(figures)
    }

    private var recipeText: String { (try? String(contentsOfFile: folder.recipe, encoding: .utf8)) ?? "" }

    // MARK: What is said in words

    private var isUnfinished: Bool { history.end?["outcome"]?.string != Event.Outcome.completed.rawValue }

    /// How the training ended, and how good it is.
    var outcome: String {
        let steps = Int(history.steps.last ?? 0), taken = "\(steps) step\(steps == 1 ? "" : "s")"
        let ending = switch history.end?["outcome"]?.string.flatMap(Event.Outcome.init) {
        case .completed: "Completed after \(taken)"
        case .interrupted: "Interrupted after \(taken)"
        case .diverged: "Diverged at step \(steps): \(history.broken.last?.reason ?? "a value was not finite")"
        case nil: "Not finished: \(taken) so far"
        }
        return ([ending] + (scores.isEmpty ? [] : [scores.map { "\($0.name) \($0.value)" }.joined(separator: ", ")])).joined(separator: "; ") + "."
    }

    /// How the model does on rows held out.
    var scores: [(name: String, value: String)] {
        let names = [
            ("test_accuracy", "test accuracy"), ("test_loss", "test loss"), ("test_f1", "test F1"), ("test_rmse", "test RMSE"), ("test_mae", "test MAE"),
            ("test_r2", "test R²"),
        ]
        let test = names.compactMap { key, name in history.end?[key]?.double.map { (name, Self.score($0, key)) } }
        guard test.isEmpty, let last = history.epochs.last?.event else { return test }
        return [("validation_accuracy", "validation accuracy"), ("validation_loss", "validation loss")].compactMap { key, name in
            last[key]?.double.map { (name, Self.score($0, key)) }
        }
    }

    static func score(_ value: Double, _ key: String) -> String { key.hasSuffix("accuracy") ? String(format: "%.2f %%", 100 * value) : numberText(value) }

    /// What the gradient did, at the start and over the training.
    var gradientVerdict: (text: String, isBad: Bool) {
        let start = history.starts.first?["gradient_at_start"], word = start?["verdict"]?.string
        var sentences: [String] = []
        if let start, let word {
            let gain = start["log10_gain"]?.double ?? (start["log10_gain_reason"]?.string == "-inf" ? -.infinity : .infinity)
            let steps = start["steps"]?.integer ?? 0, unit = start["unit"]?.string ?? "layer"
            let units = steps == 1 ? unit : unit == "step of depth" ? "steps of depth" : unit + "s"
            sentences.append("Gradient at the start: ×\(powerText(gain)) over \(steps) \(units): \(word).")
        }
        if let span = history.gradientSpan {
            let low = "\(powerText(span.low.log)) in \(span.low.layer)", high = "\(powerText(span.high.log)) in \(span.high.layer)"
            sentences.append("In the last steps that were written the gradient lies between \(low) and \(high).")
        }
        var kinds: [String] = []
        for alarm in history.alarms { if let kind = alarm["kind"]?.string, !kinds.contains(kind) { kinds.append(kind) } }
        if !history.faults.isEmpty { sentences.append("\(history.faults.count) fault\(history.faults.count == 1 ? "" : "s"): a value was not finite.") }
        let count = history.alarms.count
        sentences.append(count == 0 ? "No alarm was raised." : "\(count) alarm\(count == 1 ? "" : "s"): \(kinds.joined(separator: ", ")).")
        return (sentences.joined(separator: " "), !history.alarms.isEmpty || !history.faults.isEmpty || (word ?? "stable") != "stable")
    }

    private func addFacts(_ page: inout Page) {
        let last = history.starts.last, end = history.end
        var facts: [(name: String, value: String)] = [("network", recipe.network.description)]
        if let parameters = last?["parameters"]?.integer { facts.append(("parameters", "\(parameters)")) }
        facts += recipe.entries.filter { [.optimizer, .schedule, .clip, .batch, .seed].contains($0.key) }.map { ($0.key.rawValue, $0.value.plainText) }
        if let best = end?["best_epoch"]?.integer, let loss = end?["best_validation_loss"]?.double {
            facts.append(("best epoch", "\(best), with a validation loss of \(numberText(loss))"))
        }
        if let rate = end?["clip_rate"]?.double { facts.append(("clipped", String(format: "%.1f %% of the steps", 100 * rate))) }
        let speed = history.epochs.compactMap { $0.event["samples_per_second"]?.double }.sorted()
        let times = [end?["training_seconds"]?.double.map { "\(numberText($0)) s of training" }, end?["seconds"]?.double.map { "\(numberText($0)) s in all" },
                     speed.isEmpty ? nil : "\(numberText(speed[speed.count / 2])) samples a second"].compactMap(\.self)
        if !times.isEmpty { facts.append(("time", times.joined(separator: ", "))) }
        let threads = last?["threads"]?.integer.map { "\($0) thread\($0 == 1 ? "" : "s")" }
        let machine = [last?["isa"]?.string, threads, last?["fathom"]?.string.map { "fathom \($0)" }].compactMap(\.self)
        if !machine.isEmpty { facts.append(("machine", machine.joined(separator: ", "))) }
        let resumed = history.starts.dropFirst().compactMap { $0["step"]?.integer.map(String.init) }
        if !resumed.isEmpty { facts.append(("resumed", "after step \(resumed.joined(separator: ", "))")) }
        page.facts(facts)
    }

    /// Rows of a table of alarms.
    private static let mostAlarms = 50

    private func addFaults(_ page: inout Page) {
        if !history.faults.isEmpty || !history.broken.isEmpty {
            page.heading("Faults")
            page.list(history.faults.prefix(Self.mostAlarms).map(Self.sentence))
            if history.faults.isEmpty { page.list(history.broken.prefix(Self.mostAlarms).map { "Step \($0.step): \($0.reason)" }) }
        }
        guard !history.alarms.isEmpty else { return }
        page.heading("Alarms")
        var groups: [(kind: String, layer: String, first: String, count: Int, message: String)] = [], places: [[String]: Int] = [:]
        for alarm in history.alarms {
            let kind = alarm["kind"]?.string ?? "", layer = alarm["layer"]?.string ?? ""
            if let place = places[[kind, layer]] {
                groups[place].count += 1
                continue
            }
            places[[kind, layer]] = groups.count
            groups.append((kind, layer, alarm["step"]?.plainText ?? "", 1, alarm["message"]?.string ?? ""))
        }
        let rows = groups.prefix(Self.mostAlarms).map { [$0.first, $0.kind, $0.layer, "\($0.count)", $0.message] }
        page.table(["step", "alarm", "layer", "times", "what was seen first"], rows, right: [0, 3])
        if groups.count > Self.mostAlarms { page.paragraph("And \(groups.count - Self.mostAlarms) more in history.jsonl.") }
    }

    /// The message names the place.
    private static func sentence(_ fault: JSON) -> String {
        "Step \(fault["step"]?.plainText ?? "?"), " + (fault["message"]?.string ?? "a value that is not finite")
    }
}

/// "3.2e-9" of −8.5: a number by its decimal logarithm, which may be beyond what a float64 can hold.
func powerText(_ log: Double) -> String {
    guard log.isFinite else { return log == -.infinity ? "0" : log > 0 ? "∞" : "no value" }
    if log > -3, log < 5 { return String(format: "%.3g", pow(10, log)) }
    var exponent = log.rounded(.down), mantissa = (pow(10, log - exponent) * 10).rounded() / 10
    if mantissa >= 10 { (mantissa, exponent) = (1, exponent + 1) }
    return "\(numberText(mantissa))e\(Int(exponent))"
}

extension RunHistory {
    /// log₁₀ of the gradient's norm in each layer, in the last column of the map that has any.
    var lastGradient: [Double]? {
        for column in layers.columns.reversed() {
            let values = layers.names.indices.map { layers.value($0, 0, column) }
            if values.contains(where: \.isFinite) { return values }
        }
        return nil
    }

    /// The layers whose gradients are smallest and largest there.
    var gradientSpan: (low: (layer: String, log: Double), high: (layer: String, log: Double))? {
        guard let gradient = lastGradient, gradient.count > 1 else { return nil }
        let logs = zip(layers.names, gradient).filter(\.1.isFinite)
        guard let low = logs.min(by: { $0.1 < $1.1 }), let high = logs.max(by: { $0.1 < $1.1 }) else { return nil }
        return (low, high)
    }
}

extension RunFolder {
    public var report: String { path + "/report.html" }
}
