import Fathom
import FathomCommandLine
import FathomStability
import Foundation

extension GradientMeasurement {
    /// The picture, the spectrum, the exponents, the verdict, the advice, and what was sampled.
    func text(width: Int) -> String {
        ([picture(width), facts.map { wrapped($0, width: width, indent: "") }.joined(), adviceText(width)] + [sampledText(width)])
            .filter { !$0.isEmpty }.joined(separator: "\n")
    }

    // MARK: Picture

    private func picture(_ width: Int) -> String {
        guard request.parts.contains(.signal), !pass.layers.isEmpty else { return "" }
        let network = subject.model.network, steps = network.stepsOfDepth
        let rows = pass.layers.map { layer in
            let position = Int(layer.name.prefix { $0.isNumber }) ?? 0
            return LayerPicture.Row(
                name: layer.name, logGradient: layer.logGradientNorm.map(decimal), mean: layer.activationMean, deviation: layer.activationStd, saturated: layer.saturated,
                step: steps.firstIndex { $0.contains(position) })
        }
        let picture = LayerPicture(rows, noun: noun)
        let title = wrapped("gradient of what each layer learns, log₁₀ of its norm, from input to output", width: width, indent: "")
        return title + picture.text(width: width) + (picture.omission.map { wrapped("… " + $0, width: width, indent: "") } ?? "")
    }

    // MARK: Facts

    var facts: [String] {
        var facts: [String] = []
        if let overflow = pass.overflow { facts.append("overflow: the output of \(overflow) is not finite; nothing behind it has a gradient") }
        if let depth, request.parts.contains(.jacobians) { facts += spectrumLines(depth, of: steps == 1 ? "∂h₁/∂h₀" : "∂h_\(steps)/∂h₁") }
        if let time, request.parts.contains(.jacobians) {
            facts += spectrumLines(time.spectrum, of: "∂s_\(time.steps)/∂s₁ of \(time.name)")
        }
        if let time { facts += timeLines(time) }
        facts += jacobianLines
        if request.parts.contains(.lyapunov), let spectrum = time?.spectrum ?? depth { facts.append(exponentLine(spectrum.lyapunov, isOverTime: spectrum.isOverTime)) }
        if let rate {
            let error = rate.standardError.isNaN ? "" : String(format: " ± %.2g", rate.standardError)
            facts.append("signal rate: the squared norm is multiplied by \(short(rate.rate))\(error) a step toward the input" + theoryText)
        }
        facts.append("verdict: \(judgement.verdict.rawValue): \(judgement.because)")
        if judgement.verdict == .exploding || judgement.verdict == .vanishingAndExploding, subject.experiment.recipe.clip == .none {
            facts.append("clipping: --clip 'norm(1.0)' bounds the step; how the gradient is shared among layers it leaves as it is")
        }
        return facts
    }

    private var theoryText: String {
        guard let theory else { return "" }
        let q = theory.variance.isFinite ? ", q \(short(theory.variance))" : ""
        let scale = theory.depthScale.isFinite ? ", depth scale \(short(theory.depthScale)) \(theory.depthScale == 1 ? "step" : "steps")" : ""
        return "; mean field \(short(theory.rate))\(q)\(scale)"
    }

    private func spectrumLines(_ spectrum: Spectrum, of product: String) -> [String] {
        guard let median = spectrum.logMedian, let smallest = spectrum.logSmallest, let condition = spectrum.logCondition else {
            let bound = spectrum.logBound.map { "; the bound Π‖J‖ says \(factorText($0))" } ?? ""
            return ["spectrum of \(product): largest \(factorText(spectrum.logLargest)) at least, rms \(factorText(spectrum.logRMS)), by probes\(bound); "
                + "whether half of all directions vanish at the same time probes cannot tell; --exact can, up to \(LayerMap.widestExact) numbers"]
        }
        let values = (spectrum.first?.logSingularValues ?? []).filter(\.isFinite).map(decimal), collapsed = spectrum.first?.collapsed ?? 0
        let condition10 = condition.isFinite ? "condition \(factorText(condition).dropFirst())" : "\(collapsed) of \((spectrum.first?.logSingularValues ?? []).count) are 0"
        let bound = spectrum.logBound.map { "; the bound Π‖J‖ says \(factorText($0))" } ?? ""
        let line = "spectrum of \(product): largest \(factorText(spectrum.logLargest))\(bound), median \(factorText(median)), rms \(factorText(spectrum.logRMS)), "
            + "smallest \(factorText(smallest)); \(condition10); "
            + "\(percent(spectrum.growing ?? 0)) of directions grow, \(percent(spectrum.shrinking ?? 0)) shrink"
        guard let low = values.min(), let high = values.max(), high - low > 0.01 else { return [line] }
        return [line, "log₁₀ σ: \(oneDecimal(low)) \(sparkline(values, bins: 12).replacingOccurrences(of: " ", with: "·")) \(oneDecimal(high))"]
    }

    private var jacobianLines: [String] {
        guard jacobians.count > 1 else { return [] }
        let all = zip(pass.layers, jacobians).compactMap { layer, jacobian in
            jacobian.map { (name: layer.name, rms: $0.meanSquare.squareRoot(), largest: $0.largest, condition: $0.condition) }
        }
        guard let low = all.min(by: { $0.rms < $1.rms }), let high = all.max(by: { $0.rms < $1.rms }), let largest = all.max(by: { $0.largest < $1.largest }) else {
            return []
        }
        let worst = all.filter { $0.condition?.isFinite == true }.max { $0.condition! < $1.condition! }
        let condition = worst.map { "; the worst condition \(factorText(log($0.condition!)).dropFirst()) (\($0.name))" } ?? ""
        return ["layers by themselves: rms σ from \(factorText(log(low.rms))) (\(low.name)) to \(factorText(log(high.rms))) (\(high.name)), "
            + "the largest \(factorText(log(largest.largest))) (\(largest.name))\(condition)"]
    }

    private func exponentLine(_ lyapunov: LyapunovSpectrum, isOverTime: Bool) -> String {
        func text(_ exponent: Double, _ error: Double) -> String {
            guard exponent.isFinite else { return "−∞" }
            return String(format: "%+.3f", exponent) + (error.isFinite ? String(format: " ± %.1g", error) : "")
        }
        let count = lyapunov.exponents.count, sorted = zip(lyapunov.exponents, lyapunov.standardError).sorted { $0.0 > $1.0 }, shown = sorted.prefix(3).map(text)
        let mean = lyapunov.mean.isNaN ? "" : String(format: ", mean %+.3f", lyapunov.mean), collapsed = lyapunov.collapsed > 0 ? ", \(lyapunov.collapsed) collapsed" : ""
        let unit = isOverTime ? "time step" : "step of depth"
        return "exponents, nats a \(unit): \(shown.joined(separator: ", "))\(count > 3 ? ", … (\(count))" : "")\(mean)\(collapsed)"
    }

    private func timeLines(_ time: Time) -> [String] {
        let radii = time.spectralRadii.map(short), gates = radii.count == 1 ? "spectral radius" : "spectral radii of the gates"
        let lags = Array(Set([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, time.steps - 1].filter { $0 < time.steps && $0 > 0 })).sorted()
        let gains = lags.map { "\($0): \(factorText(time.logGradientByLag[$0] * log(10)))" }
        return (radii.isEmpty ? [] : ["\(gates) of \(time.name): \(radii.joined(separator: ", "))"])
            + (gains.isEmpty ? [] : ["gradient against lag, \(time.name): \(gains.joined(separator: ", "))"])
    }

    // MARK: Advice

    private func adviceText(_ width: Int) -> String {
        guard request.parts.contains(.advice) else { return "" }
        guard let first = advice.first else { return "advice: nothing in this network can be changed\n" }
        let title = wrapped("cures, each tried on this network, the best first:", width: width, indent: "")
        return title + adviceTable(width) + wrapped("first: --network '\(first.cure.network)'", width: width, indent: "")
    }

    /// What a cure is comes last, on as many lines as it takes.
    private func adviceTable(_ width: Int) -> String {
        let header = ["rms", "largest", "verdict", "cure"], rows = ((asItIs.map { [$0] } ?? []) + advice).map { advice in
            [factorText(advice.logRMS), factorText(advice.logLargest), advice.judgement.verdict.rawValue, advice.cure.change]
        }
        guard width >= 40 else { return Table(header: header.reversed(), rows: rows.map { $0.reversed() }).text(width: min(width, 39)) }
        let kept = width >= 60 ? [0, 1, 2, 3] : [0, 2, 3], last = kept.count - 1
        let lines = ([header] + rows).map { row in kept.map { row[$0] } }, widths = (0..<last).map { column in lines.map { $0[column].count }.max() ?? 0 }
        let indent = widths.reduce(0) { $0 + $1 + 2 }
        return lines.map { line in
            let cells = (0..<last).map { padded(line[$0], widths[$0]) + "  " }.joined()
            let cure = wrapped(line[last], width: width, indent: String(repeating: " ", count: indent))
            return cells + cure.dropFirst(indent)
        }.joined()
    }

    private func sampledText(_ width: Int) -> String {
        wrapped("sampled: " + sampled.joined(separator: "; "), width: width, indent: "")
    }
}
