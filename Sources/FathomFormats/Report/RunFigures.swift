import Foundation

/// The figures of one run; nil where its history has nothing for them.
extension RunHistory {
    static let smoothingNote = "Pale: every step that was written. Line: the mean over a fiftieth of them."
    /// Layers that are drawn as a line each; more are drawn as a map.
    private static let mostLines = 6

    /// A logarithmic axis where positive values span a factor of 30.
    static func scale(_ values: some Sequence<Double>) -> Axis.Scale {
        let finite = values.filter(\.isFinite)
        guard let low = finite.min(), let high = finite.max(), low > 0 else { return .linear }
        return high / low >= 30 ? .logarithmic : .linear
    }

    /// The same under all figures.
    private var stepAxis: Axis { Self.stepAxis(last: steps.last ?? 1) }
    static func stepAxis(last: Double) -> Axis { Axis("step", range: 0...max(1, last), isWhole: true) }

    static let accuracyAxis = Axis("share of rows that are right", limits: 0...1)

    /// The values of every step; smoothed, before them pale, where they are many.
    func curve(_ name: String, _ values: [Double], _ scale: Axis.Scale, look: Int) -> [Chart.Series] {
        guard Chart.isWorthSmoothing(values) else { return [.line(name, steps, values, look: look)] }
        return [Chart.Series("", .raw, steps, values, look: look), .line(name, steps, Chart.smoothed(values, scale), look: look)]
    }

    /// A number of each epoch, at the step at which the epoch ended.
    func epochCurve(_ key: String) -> (steps: [Double], values: [Double])? {
        let values = epochs.map { $0.event[key]?.double ?? .nan }
        return values.contains(where: \.isFinite) ? (epochs.map(\.step), values) : nil
    }

    var lossFigure: Chart? {
        let values = values(.loss), validation = epochCurve("validation_loss")
        guard values.contains(where: \.isFinite) else { return nil }
        let scale = Self.scale(values + (validation?.values ?? []))
        let validationSeries = validation.map { [Chart.Series.line("validation", $0.steps, $0.values, look: 1)] } ?? []
        return Chart("Loss", x: stepAxis, y: Axis("loss", scale), curve("training", values, scale, look: 0) + validationSeries, marks: happenings,
                     note: Chart.isWorthSmoothing(values) ? Self.smoothingNote : "")
    }

    /// The first alarm of each kind, and where the run was resumed: at most four.
    private var happenings: [Chart.Mark] {
        var seen = Set<String>()
        let first = alarms.filter { seen.insert($0["kind"]?.string ?? "").inserted }
        let alarmMarks = first.compactMap { alarm in alarm["step"]?.double.map { Chart.Mark.x($0, alarm["kind"]?.string ?? "alarm") } }
        let resumed = starts.dropFirst().compactMap { $0["step"]?.double.map { Chart.Mark.x($0, "resumed") } }
        return Array((alarmMarks + resumed).prefix(4))
    }

    var accuracyFigure: Chart? {
        guard let (steps, values) = epochCurve("validation_accuracy") else { return nil }
        let test = end?["test_accuracy"]?.double.map { [Chart.Mark.y($0, "test")] } ?? []
        return Chart("Accuracy", x: stepAxis, y: Self.accuracyAxis, [.line("validation", steps, values, look: 1)], marks: test)
    }

    var learningRateFigure: Chart? {
        let values = values(.learningRate)
        guard values.contains(where: \.isFinite) else { return nil }
        return Chart("Learning rate", x: stepAxis, y: Axis("learning rate"), [.line("learning rate", steps, values)])
    }

    var gradientNormFigure: Chart? {
        let before = values(.gradientNorm), after = values(.clippedGradientNorm)
        guard before.contains(where: { $0 > 0 }) else { return nil }
        let curves = curve(isClipped ? "before clipping" : "norm", before, .logarithmic, look: 0)
            + (isClipped ? curve("after clipping", after, .logarithmic, look: 1) : [])
        return Chart("Norm of the gradient", x: stepAxis, y: Axis("‖gradient‖", .logarithmic), curves, note: Chart.isWorthSmoothing(before) ? Self.smoothingNote : "")
    }

    var isClipped: Bool { values(.clipCoefficient).contains { $0 < 1 } }

    var clippingFigure: Chart? {
        guard isClipped else { return nil }
        let coefficients = values(.clipCoefficient), fires = coefficients.map { $0.isFinite ? ($0 < 1 ? 1.0 : 0) : .nan }
        let share = fires.reduce(0) { $0 + ($1.isFinite ? $1 : 0) } / Double(max(1, fires.count(where: \.isFinite)))
        let clipped = Chart.Series.line("share of steps, over a tenth of them", steps, Chart.smoothed(fires, part: 10), look: 1)
        let note = String(format: "%.1f %% of the steps that were written were clipped. ", 100 * share)
        return Chart(
            "Clipping", x: stepAxis, y: Axis("coefficient, share of steps that were clipped", range: 0...1.02),
            curve("coefficient", coefficients, .linear, look: 0) + [clipped], note: note + (Chart.isWorthSmoothing(coefficients) ? Self.smoothingNote : ""))
    }

    var speedFigure: Chart? {
        guard let (steps, values) = epochCurve("samples_per_second"), values.count > 1 else { return nil }
        let fastest = values.filter(\.isFinite).max() ?? 1
        return Chart("Speed", x: stepAxis, y: Axis("samples per second", range: 0...max(fastest, 1) * 1.1), [.line("training", steps, values)])
    }

    // MARK: Layers

    /// What is said of a quantity of the layers: title, unit, whether its values lie around zero.
    private static func words(_ quantity: LayerQuantity) -> (title: String, unit: String, scale: HeatMap.Scale) {
        switch quantity {
        case .gradientNorm: ("Gradient of the weights", "‖∂L/∂W‖", .sequential)
        case .signalGradientNorm: ("Gradient of the signal", "‖∂L/∂h‖", .sequential)
        case .weightNorm: ("Weights", "‖W‖", .sequential)
        case .updateRatio: ("Update ratio", "‖ΔW‖ / ‖W‖", .sequential)
        case .activationMean: ("Mean of the activations", "mean", .diverging)
        case .activationDeviation: ("Deviation of the activations", "deviation", .sequential)
        case .slopeMeanSquare: ("Mean squared slope of the activation", "mean φ′²", .sequential)
        case .saturated: ("Saturated", "share of activations", .sequential)
        case .dead: ("Dead", "share of units", .sequential)
        case .subnormal: ("Subnormal values", "values a step", .sequential)
        case .nonfinite: ("Values that are not finite", "values a step", .sequential)
        }
    }

    /// The gradient is a map always, since the eye finds the layer and the step in one; other quantities of few layers are lines.
    func layerFigure(_ quantity: LayerQuantity, range: ClosedRange<Double>? = nil) -> (any Figure)? {
        guard let index = LayerQuantity.allCases.firstIndex(of: quantity), !layers.isEmpty else { return nil }
        let values = layers.values(index)
        guard values.contains(where: \.isFinite) else { return nil }
        if [.subnormal, .nonfinite, .saturated, .dead].contains(quantity), !values.contains(where: { $0 > 0 }) { return nil }
        let words = Self.words(quantity), isShare = words.unit.hasPrefix("share")
        if layers.names.count <= Self.mostLines, quantity != .gradientNorm { return lines(layers, index, words.title, words.unit, isShare: isShare) }
        let unit = quantity.isLogarithmic ? "log₁₀ " + words.unit : words.unit, shown = isShare ? 0...(values.filter(\.isFinite).max() ?? 1) : range
        return map(layers, values, words.title, unit, words.scale, isLogarithmic: quantity.isLogarithmic, range: shown)
    }

    private func lines(_ grid: LayerGrid, _ quantity: Int, _ title: String, _ unit: String, isShare: Bool) -> Chart {
        let isLogarithmic = grid.isLogarithmic[quantity], x = grid.columns.map { Double($0.first) }
        let series = grid.names.enumerated().map { layer, name in
            let values = grid.columns.map { grid.value(layer, quantity, $0) }
            return Chart.Series.line(name, x, isLogarithmic ? values.map { pow(10, $0) } : values)
        }
        let y = isShare ? Axis.share(unit, of: series.flatMap(\.y)) : Axis(unit, isLogarithmic ? .logarithmic : .linear)
        return Chart(title, x: stepAxis, y: y, series, note: poolingNote(grid, rows: 1))
    }

    private func map(
        _ grid: LayerGrid, _ values: [Double], _ title: String, _ unit: String, _ scale: HeatMap.Scale, isLogarithmic: Bool, range: ClosedRange<Double>? = nil
    ) -> HeatMap {
        let rows = Int((Double(grid.names.count) / Double(min(grid.names.count, HeatMap.mostRows))).rounded(.up))
        let gaps = values.contains { !$0.isFinite } ? "Grey: \(isLogarithmic ? "zero, " : "")not finite, or not measured." : ""
        return HeatMap(
            title, rows: grid.names, "layer", columns: grid.columns.map { "\($0.first)" }, "step", values, unit: unit, scale: scale, range: range,
            note: [poolingNote(grid, rows: rows), gaps].filter { !$0.isEmpty }.joined(separator: " "))
    }

    /// How many written steps and layers a cell is the mean of, where there is more than one.
    private func poolingNote(_ grid: LayerGrid, rows: Int) -> String {
        let columns = Double(grid.columns.count), shown = min(columns, rows > 1 || grid.names.count > Self.mostLines ? Double(HeatMap.mostColumns) : columns)
        let lines = (grid.columns.first?.lines ?? 1) * Int((columns / max(shown, 1)).rounded(.up))
        let parts = (rows > 1 ? ["\(rows) layers"] : []) + (lines > 1 ? ["\(lines) of the steps that were written"] : [])
        return parts.isEmpty ? "" : "A mean over up to \(parts.joined(separator: " and "))."
    }

    var residualFigure: (any Figure)? {
        guard !residuals.isEmpty else { return nil }
        let title = "Residual blocks: branch to trunk", unit = "‖branch‖ / ‖trunk‖"
        if residuals.names.count <= Self.mostLines { return lines(residuals, 0, title, unit, isShare: false) }
        return map(residuals, residuals.values(0), title, "log₁₀ " + unit, .sequential, isLogarithmic: true)
    }

    // MARK: Exponents

    /// How the values of each layer lie over the powers of two, in the last step taken that says so.
    func exponentFigure(_ kind: ExponentKind) -> HeatMap? {
        guard let all = exponents[kind], let step = exponentStep else { return nil }
        let filled = all.filter { !$0.counts.isEmpty }
        guard let lowest = filled.map(\.lowest).min(), let highest = filled.map({ $0.lowest + $0.counts.count - 1 }).max(), highest - lowest < 4_096 else {
            return nil
        }
        let names = Array(layers.names.prefix(all.count))
        let values = all.prefix(names.count).flatMap { exponents in
            (lowest...highest).map { exponent -> Double in
                let place = exponent - exponents.lowest
                guard exponents.counts.indices.contains(place), exponents.counts[place] > 0 else { return .nan }
                return log10(exponents.counts[place] / exponents.total)
            }
        }
        let title = switch kind {
        case .gradient: "Exponents of the gradient"
        case .weight: "Exponents of the weights"
        case .activation: "Exponents of the activations"
        }
        let zeros = zip(names, all).map { ($0, $1.total > 0 ? $1.zero / $1.total : 0) }.max { $0.1 < $1.1 }
        let zeroNote = zeros.flatMap { $0.1 > 0 ? String(format: " Most values that are exactly zero: %.1f %% in ", 100 * $0.1) + $0.0 + "." : nil } ?? ""
        return HeatMap(
            title, rows: names, "layer", columns: (lowest...highest).map(String.init), "power of two", values, unit: "log₁₀ share of values",
            note: "At step \(step). Below 2⁻¹²⁶ a float32 is subnormal, below 2⁻¹⁴⁹ it is zero." + zeroNote)
    }
}
