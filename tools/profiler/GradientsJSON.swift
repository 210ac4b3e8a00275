import Fathom
import FathomFormats
import FathomStability
import Foundation

extension GradientMeasurement {
    /// The one object of `--json`; what was not asked for, or cannot be, is null.
    var json: JSON {
        .object([
            .init("network", .string(subject.model.network.description)), .init("trained", .boolean(subject.isTrained)),
            .init("samples", .integer(subject.samples.count)), .init("steps", .integer(steps)),
            .init("overflow", pass.overflow.map { .string($0) } ?? .null), .init("layers", .array(layersJSON)), .init("end_to_end", judged?.json ?? .null),
            .init("lyapunov", lyapunovJSON), .init("signal_rate", number(rate?.rate)),
            // Of one network there is none.
            .init("signal_rate_standard_error", number(rate.flatMap { $0.standardError.isNaN ? nil : $0.standardError })), .init("mean_field", theory?.json ?? .null),
            .init("recurrent", time?.json ?? .null), .init("verdict", .string(judgement.verdict.rawValue)), .init("because", .string(judgement.because)),
            .init("advice", request.parts.contains(.advice) ? .array(advice.map(\.json)) : .null), .init("sampled", .array(sampled.map { .string($0) })),
        ])
    }

    /// Every layer of the network that learns something, those beyond an overflow too.
    private var layersJSON: [JSON] {
        let summaries = subject.model.summary
        let names = summaries.filter { $0.parameters > 0 && !$0.notation.isEmpty }
        let profiles = Dictionary(uniqueKeysWithValues: pass.layers.enumerated().map { ($1.name, $0) })
        return names.compactMap { summary in
            let i = profiles[summary.name]
            // A block without parameters of its own has none.
            let profile = i.map { pass.layers[$0] }, jacobian = i.flatMap { jacobians.indices.contains($0) ? jacobians[$0] : nil }
            let isAsked = request.parts.contains(.signal)
            return .object([
                .init("name", .string(summary.name)), .init("inputs", .integer(summary.inputs)), .init("outputs", .integer(summary.outputs)),
                .init("gradient_norm", number(profile?.logGradientNorm.map { exp($0) })),
                .init("signal_gradient_norm", number(profile?.logSignalGradientNorm.map { exp($0) })),
                .init("log10_gradient_norm", number(profile?.logGradientNorm.map(decimal))),
                .init("log10_signal_gradient_norm", number(profile?.logSignalGradientNorm.map(decimal))),
                .init("activation_mean", number(isAsked ? profile?.activationMean : nil)), .init("activation_std", number(isAsked ? profile?.activationStd : nil)),
                .init("slope_mean_square", number(isAsked ? profile?.slopeMeanSquare : nil)),
                .init("saturated", number(isAsked ? profile?.saturated : nil)), .init("dead", number(isAsked ? profile?.dead : nil)),
                .init("subnormal", (profile?.subnormal).map { .integer($0) } ?? .null), .init("jacobian", jacobian?.json ?? .null),
            ])
        }
    }

    private var lyapunovJSON: JSON {
        guard request.parts.contains(.lyapunov), let spectrum = time?.spectrum ?? depth else { return .null }
        let lyapunov = spectrum.lyapunov
        return .object([
            .init("unit", "nats per step"), .init("over", spectrum.isOverTime ? "time" : "depth"),
            .init("exponents", .array(lyapunov.exponents.map { .number($0) })), .init("standard_error", .array(lyapunov.standardError.map { .number($0) })),
            .init("largest", number(lyapunov.largest)), .init("mean", number(lyapunov.mean.isNaN ? nil : lyapunov.mean)), .init("collapsed", .integer(lyapunov.collapsed)),
        ])
    }
}

private func number(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }

/// log₁₀ from a natural logarithm.
func decimal(_ log: Double) -> Double { log / Foundation.log(10) }

extension GradientMeasurement.Spectrum {
    fileprivate var json: JSON {
        func decimals(_ value: Double?) -> JSON { number(value.map(decimal)) }
        return .object([
            .init("over", isOverTime ? "time" : "depth"), .init("probed", .boolean(first == nil)), .init("log10_largest", decimals(logLargest)), .init("log10_median", decimals(logMedian)),
            .init("log10_smallest", decimals(logSmallest)), .init("log10_rms", decimals(logRMS)), .init("log10_condition", decimals(logCondition)),
            .init("log10_bound", decimals(logBound)), .init("growing", number(growing)), .init("shrinking", number(shrinking)),
        ])
    }
}

extension GradientMeasurement.Time {
    fileprivate var json: JSON {
        .object([
            .init("layer", .string(name)), .init("time_steps", .integer(steps)), .init("spectral_radius", .array(spectralRadii.map { .number($0) })),
            .init("log10_gradient_by_lag", .array(logGradientByLag.map { .number($0) })),
        ])
    }
}

extension JacobianSummary {
    fileprivate var json: JSON {
        .object([
            .init("largest", .number(largest)), .init("smallest", number(smallest)), .init("condition", number(condition)), .init("mean_square", .number(meanSquare)),
        ])
    }
}

extension StepTheory {
    fileprivate var json: JSON { .object([.init("q", .number(variance)), .init("chi", .number(rate)), .init("depth_scale", .number(depthScale))]) }
}

extension Advice {
    fileprivate var json: JSON {
        .object([
            .init("change", .string(cure.change)), .init("network", .string(cure.network.description)), .init("largest", number(largestExponent.isNaN ? nil : largestExponent)),
            .init("log10_largest", .number(decimal(logLargest))), .init("log10_rms", .number(decimal(logRMS))), .init("log10_contrast", .number(decimal(logContrast))),
            .init("verdict", .string(judgement.verdict.rawValue)),
        ])
    }
}
