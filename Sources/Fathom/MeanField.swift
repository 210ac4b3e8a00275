/// What happens to signals and gradients in a wide, deep network drawn at random (Poole et al. 2016, "Exponential expressivity in deep
/// neural networks through transient chaos"; Schoenholz et al. 2017, "Deep information propagation").
///
/// Weights are N(0, σ_w²/fan-in), biases N(0, σ_b²). As widths grow, the inputs of an activation become Gaussian with a variance q that
/// goes from layer to layer as
///
///     V(q) = σ_w²·E[φ(√q z)²] + σ_b²,   z ~ N(0, 1),
///
/// and the squared norm of the gradient is multiplied, in each layer on its way down, by
///
///     χ₁(q) = σ_w²·E[φ′(√q z)²].
///
/// At a fixed point q* = V(q*) the factor is the same in every layer: below 1 gradients vanish, above 1 they explode, over a depth scale of
/// 1/|ln χ₁| layers. Between the two lies the critical line χ₁ = 1, the edge of chaos, where signals and gradients reach any depth.
///
///     let theory = MeanField(.tanh, weightVariance: 1.5, biasVariance: 0.05)
///     theory.fixedPoint()?.chi                                                 // 0.938636
///     try MeanField.critical(.tanh, biasVariance: 0.05).theory.weightVariance  // 1.760955
public struct MeanField: Sendable, Hashable {
    public let activation: Activation
    /// σ_w²: the variance of a weight times fan-in.
    public let weightVariance: Double
    /// σ_b².
    public let biasVariance: Double

    public init(_ activation: Activation, weightVariance: Double, biasVariance: Double) {
        self.activation = activation
        self.weightVariance = weightVariance
        self.biasVariance = biasVariance
    }

    /// V(q): the variance one layer on. Increasing in q, to about 13 digits.
    public func variance(after q: Double) -> Double { weightVariance * moments(q).square + biasVariance }

    /// V′(q) = σ_w²·E[φ′² + φφ″].
    public func slope(at q: Double) -> Double { weightVariance * moments(q).growth }

    /// χ₁(q) = σ_w²·E[φ′²].
    public func chi(at q: Double) -> Double { weightVariance * moments(q).slopeSquare }

    /// A variance that stays as it is from layer to layer.
    public struct FixedPoint: Sendable, Hashable {
        /// q*.
        public let variance: Double
        /// V′(q*): a small deviation from q* is multiplied by it in each layer.
        public let slope: Double
        /// χ₁ at q*: the squared norm of the gradient is multiplied by it in each layer.
        public let chi: Double

        /// Whether deviations from q* do not grow: V′(q*) ≤ 1, up to rounding.
        public var isStable: Bool { slope <= 1 + 1e-9 }
        /// ξ = 1/|ln χ₁|: the layers over which a squared gradient changes by the factor e; infinite on the critical line.
        public var depthScale: Double { chi == 1 ? .infinity : 1 / naturalLogarithm(chi).magnitude }
    }

    /// The fixed point that the variance goes to from `start`; nil where it grows without bound, or 2⁴⁰-fold.
    ///
    /// V is increasing, so the variance moves steadily from `start` to the nearest fixed point on the side of V(start), which is bracketed
    /// in steps of 2^¼ (2 beyond 2^±10, where activations are straight). For relu and its kin V is a straight line; where that is V(q) = q,
    /// `start` is a fixed point itself.
    ///
    /// - Parameter start: Above 0; what is below 2⁻⁴⁰ counts as that.
    public func fixedPoint(from start: Double = 1) -> FixedPoint? {
        if activation.isHomogeneous {
            let chi = chi(at: 1)
            if (chi - 1).magnitude < 1e-14 { return biasVariance == 0 ? point(at: start) : nil }
            return chi < 1 ? point(at: biasVariance / (1 - chi)) : nil
        }
        func excess(_ q: Double) -> Double { variance(after: q) - q }
        var near = max(start, 0x1p-40)
        let rises = excess(near) > 0, least = variance(after: 0) > 0 ? 0 : 0x1p-50
        while true {
            let step = near > 0x1p-10 && near < 0x1p10 ? 1.189207115002721 : 2
            let next = rises ? near * step : near / step
            if next > 0x1p40 * max(1, start, biasVariance) { return nil }
            if next < least { return point(at: 0) }
            if (excess(next) > 0) != rises { return point(at: root(of: excess, between: near, and: next)) }
            near = next
        }
    }

    private func point(at q: Double) -> FixedPoint {
        let moments = moments(q)
        return FixedPoint(variance: q, slope: weightVariance * moments.growth, chi: weightVariance * moments.slopeSquare)
    }

    private func moments(_ q: Double) -> GaussianMoments { GaussianMoments(activation, at: q) }
}

extension GaussianMoments {
    /// The moments at any q ≥ 0: exact for relu and its kin; below what the integrals can do those of their limit, or of q = 2⁻³⁰ where
    /// φ(0) ≠ 0.
    init(_ activation: Activation, at q: Double) {
        if activation.isHomogeneous {
            self.init(limitOf: activation)
            square = q * slopeSquare
        } else if activation.function(0).value != 0 {
            self.init(activation, variance: max(q, 0x1p-30))
        } else if q > 0x1p-200 {
            self.init(activation, variance: q)
        } else {
            self.init(limitOf: activation)
        }
    }
}

/// A root, to the last bits, of a continuous function whose signs differ at the ends of an interval: false position, where the value at an end
/// that stays for a second time is halved (the Illinois rule: Dowell & Jarratt 1971).
func root(of function: (Double) -> Double, between start: Double, and end: Double) -> Double {
    var (a, b) = (start, end), (low, high) = (function(start), function(end))
    var movedLast: Bool?  // whether the last step moved b
    for _ in 1...200 where (b - a).magnitude > 2e-16 * max(a.magnitude, b.magnitude) {
        let middle = b - high * (b - a) / (high - low)
        guard middle != a, middle != b else { break }
        let value = function(middle)
        if value == 0 { return middle }
        let movesB = (value > 0) == (high > 0)
        if movesB {
            (b, high) = (middle, value)
            if movedLast == true { low /= 2 }
        } else {
            (a, low) = (middle, value)
            if movedLast == false { high /= 2 }
        }
        movedLast = movesB
    }
    return movedLast == true ? b : a
}
