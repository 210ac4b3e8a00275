/// What bounds the gradient before the optimizer sees it: stages, one after another. Without any there is no clipping.
public struct Clipping: NotationRepresentable, ExpressibleByArrayLiteral {
    public enum Stage: Sendable, Hashable {
        /// Every element: g ← max(−c, min(c, g)).
        case value(Double)
        /// The norm over all parameters: g ← g·min(1, c/‖g‖), Pascanu et al. 2013, algorithm 1.
        case norm(Double)
        /// Every tensor by its own norm.
        case tensorNorm(Double)
        /// Every output unit by its own norm: a weight's column as [inputs × outputs]; a tensor of one dimension is one unit.
        case unitNorm(Double)
        /// Every output unit in proportion to its weights, ‖g‖ ≤ λ·max(‖w‖, floor): Brock et al. 2021, section 4. Units as for `unitNorm`.
        case adaptive(Double, floor: Double = 0.001)
        /// The norm, to a percentile of all norms so far (or of the last `window` ones), this one among them: Seetharaman et al. 2020. See `AutoClip`.
        case percentile(Double, window: Int? = nil)
        /// The norm where it is an outlier among those before: Kumar et al. 2025. See `ZClip`.
        case zscore(Double = 2.5, decay: Double = 0.97, warmup: Int = 25)
        /// Within the backward pass of recurrent layers: the gradient that a time step hands to the one before.
        case timeNorm(Double)
    }

    public let stages: [Stage]

    public init(_ stages: [Stage]) { self.stages = stages }
    public init(arrayLiteral stages: Stage...) { self.init(stages) }

    public static let none: Clipping = []
    public static func norm(_ largest: Double) -> Clipping { [.norm(largest)] }
    public static func value(_ largest: Double) -> Clipping { [.value(largest)] }

    /// The bound of per-time-step clipping, which recurrent layers apply; nil where there is none.
    public var timeNorm: Double? {
        for case .timeNorm(let largest) in stages { return largest }
        return nil
    }

    /// The stages that follow the backward pass: all but `timeNorm`.
    var gradientStages: [Stage] { stages.filter { if case .timeNorm = $0 { false } else { true } } }

    /// Whether there are any.
    package var hasGradientStages: Bool { !gradientStages.isEmpty }

    /// - Throws: `FathomError.invalid` where per-time-step clipping is asked of a network without time steps.
    public func validate(hasRecurrentLayer: Bool) throws(FathomError) {
        guard let timeNorm, !hasRecurrentLayer else { return }
        throw FathomError.invalid(
            "clipping time-norm(\(timeNorm)) has nothing to do in a network without rnn, lstm or gru; norm(\(timeNorm)) clips any network")
    }

    public var description: String { stages.isEmpty ? "none" : stages.map(\.description).joined(separator: " ") }
}

extension Clipping.Stage: CustomStringConvertible {
    public var description: String {
        switch self {
        case .value(let largest), .norm(let largest), .tensorNorm(let largest), .unitNorm(let largest), .timeNorm(let largest): notation(name, "\(largest)")
        case .adaptive(let ratio, let floor): notation(name, "\(ratio)", labelled("floor", floor, default: 0.001))
        case .percentile(let percentile, let window): notation(name, "\(percentile)", window.map { "window: \($0)" })
        case .zscore(let largest, let decay, let warmup):
            notation(name, "\(largest)", labelled("decay", decay, default: 0.97), labelled("warmup", warmup, default: 25))
        }
    }

    var name: String {
        switch self {
        case .value: "value"
        case .norm: "norm"
        case .tensorNorm: "tensor-norm"
        case .unitNorm: "unit-norm"
        case .adaptive: "adaptive"
        case .percentile: "percentile"
        case .zscore: "zscore"
        case .timeNorm: "time-norm"
        }
    }

    /// Whether it multiplies the whole gradient by one number, which the optimizer's pass can apply.
    var isScalar: Bool {
        switch self {
        case .norm, .percentile, .zscore: true
        case .value, .tensorNorm, .unitNorm, .adaptive, .timeNorm: false
        }
    }
}
