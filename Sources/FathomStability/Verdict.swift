import Fathom
import Foundation

/// What the gradient does over the whole depth of a network.
public enum Verdict: String, Sendable, Hashable, CaseIterable {
    case stable
    case vanishing
    case exploding
    /// By direction.
    case vanishingAndExploding = "vanishing and exploding"

    /// A gain of 20 ≈ e³ counts as exploding, of 1/20 as vanishing: a squared norm then changes by e⁶, over 6ξ, the depth to which networks train
    /// (Schoenholz et al. 2017).
    public static let threshold = 20.0

    /// - Parameters: natural logarithms of singular values of ∂h_L/∂h₁; `logMedian` nil where it is not known.
    public init(logLargest: Double, logMedian: Double?, logRMS: Double) {
        let bound = log(Self.threshold)
        if logLargest >= bound, let logMedian, logMedian <= -bound {
            self = .vanishingAndExploding
        } else if logRMS >= bound {
            self = .exploding
        } else {
            self = logRMS <= -bound ? .vanishing : .stable
        }
    }
}

/// A verdict with its evidence in one sentence.
public struct Judgement: Sendable, Hashable {
    public let verdict: Verdict
    public let because: String

    public init(_ spectrum: DepthSpectrum) {
        self.init(
            spectrum.steps, isOverTime: spectrum.isOverTime, logLargest: spectrum.logLargest, logMedian: spectrum.logMedian, logRMS: spectrum.logRMS, lyapunov: spectrum.lyapunov)
    }

    public init(_ spectrum: ProbedSpectrum) {
        self.init(
            spectrum.steps, isOverTime: spectrum.isOverTime, logLargest: spectrum.logLargest.first ?? -.infinity, logMedian: nil, logRMS: spectrum.logRMS.mean,
            lyapunov: spectrum.lyapunov)
    }

    /// A forward pass that overflows needs no Jacobian.
    /// - Parameters:
    ///   - step: from 1; one more than `steps` where only what follows them overflows.
    public init(overflowAt step: Int, of steps: Int) {
        (verdict, because) = (.exploding, "the forward pass itself overflows \(step > steps ? "behind the last step" : "at step \(step) of \(steps)")")
    }

    /// - Parameters: natural logarithms; `logMedian` nil where it is not known.
    public init(_ steps: Int, isOverTime: Bool, logLargest: Double, logMedian: Double?, logRMS: Double, lyapunov: LyapunovSpectrum) {
        verdict = Verdict(logLargest: logLargest, logMedian: logMedian, logRMS: logRMS)
        let rms = factorText(logRMS), largest = factorText(logLargest), noun = isOverTime ? "time step" : "step of depth"
        let over = "over \(steps) \(steps == 1 ? noun : noun.plural) "
        let evidence = switch verdict {
        case .exploding: "a random error signal grows \(rms); from ×20 on it explodes"
        case .vanishing: "a random error signal is left with \(rms) of itself; from ×0.05 down it vanishes"
        case .vanishingAndExploding:
            "the direction that is stretched most grows \(largest), while half of all directions "
                + (logMedian == -.infinity ? "come to nothing" : "are left with \(factorText(logMedian ?? 0)) or less")
        case .stable: "a random error signal is multiplied \(rms), between ×0.05 and ×20, and the direction that is stretched most \(largest)"
        }
        because = over + evidence + Self.unlimited(lyapunov, isOverTime: isOverTime)
    }

    /// The sign of the largest exponent, where its error leaves one: it differs from 0 at the level of 5 % by Student's t, since few steps tell little of their own error.
    private static func unlimited(_ lyapunov: LyapunovSpectrum, isOverTime: Bool) -> String {
        guard let (largest, error) = zip(lyapunov.exponents, lyapunov.standardError).max(by: { $0.0 < $1.0 }), largest.isFinite, error.isFinite else { return "" }
        let text = String(format: "%+.3g ± %.1g nats a step", largest, error), more = isOverTime ? "time" : "depth"
        guard largest.magnitude > studentQuantile(degreesOfFreedom: lyapunov.draws - 1) * error else { return "; the largest exponent, \(text), leaves open what more \(more) would do" }
        return "; the largest exponent, \(text), says that it would \(largest > 0 ? "explode without limit" : "vanish") in more \(more)"
    }
}

/// "×3.2e-09", from a natural logarithm: also where the factor itself is beyond float64.
public func factorText(_ logFactor: Double) -> String {
    guard logFactor.isFinite else { return logFactor == -.infinity ? "×0" : logFactor > 0 ? "×∞" : "×NaN" }
    let decimal = logFactor / log(10)
    if decimal > -2, decimal < 4 { return String(format: exp(logFactor) >= 999.5 ? "×%.0f" : "×%.3g", exp(logFactor)) }
    var exponent = Int(decimal.rounded(.down)), digits = (pow(10, decimal - decimal.rounded(.down)) * 10).rounded() / 10
    if digits >= 10 { (exponent, digits) = (exponent + 1, 1) }
    return "×\(digits)e\(exponent)"
}
