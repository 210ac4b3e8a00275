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
        let title = wrapped("gradient of the weights, log₁₀ of its norm, from the input down to the output", width: width, indent: "")
        return title + picture.text(width: width) + (picture.omission.map { wrapped("… " + $0, width: width, indent: "") } ?? "")
    }

    // MARK: Facts

    private var facts: [String] {
        var facts: [String] = []
        if let overflow = pass.overflow { facts.append("overflow: the output of \(overflow) is not finite; nothing behind it has a gradient") }
        if let depth, request.parts.contains(.jacobians) { facts += spectrumLines(depth, of: steps == 1 ? "∂h₁/∂h₀" : "∂h_\(steps)/∂h₁") }
        if let time, request.parts.contains(.jacobians) {
            facts += spectrumLines(time.spectrum, of: "∂s_\(time.steps)/∂s₁ of \(time.name)")
        }
        if let time { facts += timeLines(time) }
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
            return ["spectrum of \(product): largest \(factorText(spectrum.logLargest)) at least, rms \(factorText(spectrum.logRMS)), by probes\(bound)"]
        }
        let values = (spectrum.first?.logSingularValues ?? []).filter(\.isFinite).map(decimal), collapsed = spectrum.first?.collapsed ?? 0
        let condition10 = condition.isFinite ? "condition \(factorText(condition).dropFirst())" : "\(collapsed) of \((spectrum.first?.logSingularValues ?? []).count) are 0"
        let bound = spectrum.logBound.map { "; the bound Π‖J‖ says \(factorText($0))" } ?? ""
        let line = "spectrum of \(product): largest \(factorText(spectrum.logLargest))\(bound), median \(factorText(median)), rms \(factorText(spectrum.logRMS)), "
            + "smallest \(factorText(smallest)); \(condition10); "
            + "\(percent(spectrum.growing ?? 0)) of directions grow, \(percent(spectrum.shrinking ?? 0)) shrink"
        guard let low = values.min(), let high = values.max(), high - low > 0.01 else { return [line] }
        return [line, String(format: "log₁₀ σ: %.1f ", low) + sparkline(values, bins: 8).replacingOccurrences(of: " ", with: "·") + String(format: " %.1f", high)]
    }

    private func exponentLine(_ lyapunov: LyapunovSpectrum, isOverTime: Bool) -> String {
        func text(_ i: Int) -> String {
            let exponent = lyapunov.exponents[i], error = lyapunov.standardError[i]
            guard exponent.isFinite else { return "−∞" }
            return String(format: "%+.3f", exponent) + (error.isFinite ? String(format: " ± %.1g", error) : "")
        }
        let count = lyapunov.exponents.count, shown = (0..<min(3, count)).map(text)
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
        let header = ["cure", "verdict", "rms", "largest"], rows = advice.map { advice in
            [advice.cure.change, advice.judgement.verdict.rawValue, factorText(advice.logRMS), factorText(advice.logLargest)]
        }
        let tables = [4, 3].map { count in
            Table(header: Array(header.prefix(count)), rows: rows.map { Array($0.prefix(count)) }, right: Set(2..<count))
        }
        let table = tables.first { $0.width <= width } ?? tables[0]
        let title = "cures, each tried on this network, the best first:"
        return wrapped(title, width: width, indent: "") + table.text(width: width) + wrapped("first: --network '\(first.cure.network)'", width: width, indent: "")
    }

    private func sampledText(_ width: Int) -> String {
        wrapped("sampled: " + sampled.joined(separator: "; "), width: width, indent: "")
    }
}
