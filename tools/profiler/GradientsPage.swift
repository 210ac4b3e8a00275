import Fathom
import FathomCommandLine
import FathomFormats
import FathomStability
import Foundation

/// Where `--output` puts the page: a file of its own, or `gradients.html` in a folder.
struct PageTarget {
    let path: String

    /// Makes the folder; what cannot be written to is refused before anything is measured.
    init(_ output: String) throws {
        guard !output.isEmpty else { throw FathomError.cannotCreate("--output must name a folder, or a file that ends in .html") }
        let isFile = output.lowercased().hasSuffix(".html") && !RunFolder.isFolder(output)
        let folder = isFile ? (output as NSString).deletingLastPathComponent : output
        path = isFile ? output : (output.hasSuffix("/") ? output : output + "/") + "gradients.html"
        guard RunFolder.isFolder(folder) || !FileManager.default.fileExists(atPath: folder) else {
            throw FathomError.cannotCreate("\(folder) is a file; --output takes a folder, or a file that ends in .html")
        }
        if !folder.isEmpty { try RunFolder.makeFolders(folder, kind: "folder") }
        if FileManager.default.fileExists(atPath: path), !Page.isPage(path) {
            throw FathomError.cannotCreate("\(path) is there already and is no report of fathom's; name another file, or move it away")
        }
    }
}

extension GradientMeasurement {
    /// The report as a page: the verdict, figures, what cures it, every layer.
    var page: Page {
        let recipe = subject.experiment.recipe, origin = subject.isTrained ? "trained" : "as drawn from seed \(recipe.seed)"
        var page = Page("What the gradient does", "\(subject.model.network), \(origin); \(recipe.data), \(subject.samples.count) rows")
        page.verdict("\(judgement.verdict.rawValue): \(judgement.because)", isBad: judgement.verdict != .stable)
        let facts = facts.filter { !$0.hasPrefix("verdict:") && !$0.hasPrefix("log₁₀ σ:") }
        for figure in layerFigures { page.figure(figure) }
        for spectrum in [depth, time?.spectrum].compactMap(\.self) { if let figure = histogram(spectrum) { page.figure(figure) } }
        if request.parts.contains(.lyapunov), let figure = exponents { page.figure(figure) }
        if let figure = lags { page.figure(figure) }
        page.list(facts)
        addAdvice(to: &page)
        addLayers(to: &page)
        page.heading("How it was measured")
        page.list(sampled)
        page.facts([
            ("machine", "\(Fathom.Kernels.instructionSet), \(threadsUsed) \(threadsUsed == 1 ? "thread" : "threads")"), ("loss", "\(subject.experiment.loss)"),
            ("fathom", fathomVersion),
        ])
        return page
    }

    // MARK: Figures

    private var layerFigures: [Chart] {
        let layers = pass.layers, places = layers.indices.map { Double($0 + 1) }, x = Axis.places("layer, from the input", layers.count)
        let ends = [(1, layers.first), (layers.count, layers.dropFirst().last)].compactMap { place, layer in layer.map { "\(place) is \($0.name)" } }
        var charts: [Chart] = []
        if layers.contains(where: { $0.logGradientNorm != nil }) {
            charts.append(Chart("Gradient by layer", x: x, y: Axis("log₁₀ of the norm"), [
                .line("of what the layer learns", places, layers.map { $0.logGradientNorm.map(decimal) ?? .nan }),
                .line("of its output", places, layers.map { $0.logSignalGradientNorm.map(decimal) ?? .nan }),
            ], note: ends.joined(separator: ", ")))
        }
        if request.parts.contains(.signal), !layers.isEmpty {
            charts.append(Chart("Activations by layer", x: x, y: Axis("activation"), [
                .line("standard deviation", places, layers.map(\.activationStd)), .line("mean", places, layers.map(\.activationMean)),
            ]))
            let saturated = layers.map { $0.saturated ?? .nan }, dead = layers.map { $0.dead ?? .nan }
            charts.append(Chart("Saturated and dead", x: x, y: Axis.share("share", of: saturated + dead), [
                .line("saturated", places, saturated), .line("dead columns", places, dead),
            ], note: "saturated: |φ′| below a twentieth of its maximum; dead: φ′ = 0 in every row"))
        }
        let measured = zip(places, jacobians).compactMap { place, jacobian in jacobian.map { (place: place, jacobian: $0) } }
        if !measured.isEmpty {
            let places = measured.map(\.place)
            charts.append(Chart("Jacobians of the layers", x: x, y: Axis("singular value", .logarithmic), [
                .line("largest", places, measured.map(\.jacobian.largest)), .line("rms", places, measured.map { $0.jacobian.meanSquare.squareRoot() }),
                .line("smallest", places, measured.map { $0.jacobian.smallest ?? .nan }),
            ], marks: [.y(1, "neither grows nor shrinks")]))
        }
        return charts
    }

    private func histogram(_ spectrum: Spectrum) -> Chart? {
        let logs = (spectrum.first?.logSingularValues ?? []).filter(\.isFinite).map(decimal)
        guard let low = logs.min(), let high = logs.max(), high - low > 1e-6 else { return nil }
        let bins = 30, edges = (0...bins).map { low + (high - low) * Double($0) / Double(bins) }
        var counts = [Double](repeating: 0, count: bins)
        for log in logs { counts[min(bins - 1, Int((log - low) / (high - low) * Double(bins)))] += 1 }
        let over = spectrum.isOverTime ? "time steps" : spectrum.steps == 1 ? "step of depth" : "steps of depth", collapsed = spectrum.first?.collapsed ?? 0
        return Chart(
            "Spectrum over \(spectrum.steps) \(over)", x: Axis("log₁₀ σ"), y: Axis("directions", range: 0...1.06 * (counts.max() ?? 1), isWhole: true),
            [.histogram("singular values", edges: edges, counts)], marks: [.x(decimal(spectrum.logRMS), "rms")], note: collapsed > 0 ? "\(collapsed) more are 0" : "")
    }

    private var exponents: Chart? {
        guard let spectrum = time?.spectrum ?? depth, spectrum.steps > 1 else { return nil }
        let lyapunov = spectrum.lyapunov, pairs = zip(lyapunov.exponents, lyapunov.standardError).filter { $0.0.isFinite }.sorted { $0.0 > $1.0 }
        guard pairs.count > 1 else { return nil }
        return Chart(
            "Lyapunov exponents", x: Axis.places("rank", pairs.count), y: Axis(spectrum.isOverTime ? "nats a time step" : "nats a step of depth"),
            [.points("exponent", pairs.indices.map { Double($0 + 1) }, pairs.map(\.0), error: pairs.map { $0.1.isFinite ? $0.1 : 0 })],
            marks: [.y(0, "neither grows nor shrinks")])
    }

    private var lags: Chart? {
        guard let time, time.steps > 1 else { return nil }
        let lags = time.logGradientByLag.indices.map(Double.init)
        var series = [Chart.Series.line("measured", lags, time.logGradientByLag)]
        if time.spectralRadii.count == 1, let radius = time.spectralRadii.first, radius > 0 {
            series.append(.theory("spectral radius to the power of the lag", lags, lags.map { $0 * log10(radius) }))
        }
        return Chart("Gradient against lag", x: Axis("time steps back", isWhole: true), y: Axis("log₁₀ of the gain"), series, note: time.name)
    }

    // MARK: Tables

    private func addAdvice(to page: inout Page) {
        guard request.parts.contains(.advice), !advice.isEmpty else { return }
        page.heading("What would cure it")
        page.paragraph("Each cure was applied to this very network, drawn anew; the best comes first. A gain of 1 is the ideal: log₁₀ 0.")
        let all = (asItIs.map { [$0] } ?? []) + advice
        page.figure(Bars(Self.gainTitle(all), all.map { Self.short($0.cure.change) }, x: Axis("log₁₀ of the gain"), [
            ("a random error signal", all.map { Self.thousandths($0.logRMS) }), ("the direction stretched most", all.map { Self.thousandths($0.logLargest) }),
        ]))
        page.table(["cure", "verdict", "rms", "largest", "network"], all.map { advice in
            [advice.cure.change, advice.judgement.verdict.rawValue, factorText(advice.logRMS), factorText(advice.logLargest), advice.cure.network.description]
        }, right: [2, 3])
    }

    /// Each is told of depth or of time, whichever changes the gradient more.
    private static func gainTitle(_ all: [Advice]) -> String {
        switch Set(all.filter { $0.logRMS < .infinity }.map(\.isOverTime)) {
        case [true]: "Gain over all time steps"
        case [true, false]: "Gain over time or depth, whichever changes the gradient more"
        default: "Gain over the whole depth"
        }
    }

    /// Of a change, what there is room for beside a bar; the table has all of it.
    private static func short(_ change: String) -> String {
        [(" around each step", ""), ("(scale: 1/sqrt(depth))", "(1/√depth)"), (" with layernorm", ", norm"), (" and init: ", ", "), (" and recurrent: ", ", "),
         (" before each activation", ""), (" that fits each activation", " that fits"), ("no normalization, and the init that fits", "no normalization")].reduce(change) {
            $0.replacingOccurrences(of: $1.0, with: $1.1)
        }
    }

    private static func thousandths(_ log: Double) -> Double { (1000 * decimal(log)).rounded() / 1000 }

    private func addLayers(to page: inout Page) {
        guard request.parts.contains(.signal), !pass.layers.isEmpty else { return }
        page.heading("Layers")
        page.table(["layer", "log₁₀ gradient", "log₁₀ gradient of its output", "mean", "deviation", "saturated", "dead"], pass.layers.map { layer in
            func log(_ value: Double?) -> String { value.map { $0.isFinite ? String(format: "%.2f", decimal($0)) : "0" } ?? "–" }
            return [layer.name, log(layer.logGradientNorm), log(layer.logSignalGradientNorm), numberText(layer.activationMean), numberText(layer.activationStd),
                    layer.saturated.map(percent) ?? "–", layer.dead.map(percent) ?? "–"]
        }, right: Set(1...6))
    }
}
