import FathomStability
import Foundation

extension GradientMeasurement {
    /// The singular values of a product of Jacobians: all of them, or what probes find.
    enum Spectrum {
        /// One for each sample.
        case exact([DepthSpectrum])
        /// Beside the bound Σ ln‖J‖, each norm from below.
        case probed(ProbedSpectrum, logBound: Double?)
    }
}

extension GradientMeasurement.Spectrum {
    /// Means over samples.
    private func mean(_ value: (DepthSpectrum) -> Double) -> Double? {
        if case .exact(let spectra) = self { spectra.reduce(0) { $0 + value($1) } / Double(spectra.count) } else { nil }
    }

    var logLargest: Double { if case .probed(let probed, _) = self { probed.logLargest.first ?? -.infinity } else { mean(\.logLargest) ?? .nan } }
    var logRMS: Double { if case .probed(let probed, _) = self { probed.logRMS.mean } else { mean(\.logRMS) ?? .nan } }
    var logMedian: Double? { mean(\.logMedian) }
    var logSmallest: Double? { mean(\.logSmallest) }
    var logCondition: Double? { mean(\.logCondition) }
    var logBound: Double? { if case .probed(_, let bound) = self { bound } else { mean(\.logBound) } }
    var growing: Double? { mean(\.growing) }
    var shrinking: Double? { mean(\.shrinking) }
    var steps: Int { if case .probed(let probed, _) = self { probed.steps } else { first?.steps ?? 0 } }
    var isOverTime: Bool { if case .probed(let probed, _) = self { probed.isOverTime } else { first?.isOverTime ?? false } }
    var first: DepthSpectrum? { if case .exact(let spectra) = self { spectra.first } else { nil } }

    var lyapunov: LyapunovSpectrum {
        switch self {
        case .exact(let spectra): LyapunovSpectrum(networks: spectra.map(\.lyapunov))
        case .probed(let probed, _): probed.lyapunov
        }
    }

    var judgement: Judgement {
        switch self {
        case .exact(let spectra) where spectra.count == 1: Judgement(spectra[0])
        case .exact:
            Judgement(steps, isOverTime: isOverTime, logLargest: logLargest, logMedian: logMedian, logRMS: logRMS, lyapunov: lyapunov)
        case .probed(let probed, _): Judgement(probed)
        }
    }
}
