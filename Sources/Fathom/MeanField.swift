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
    public func variance(after q: Double) -> Double { map.variance(after: q) }

    /// V′(q) = σ_w²·E[φ′² + φφ″].
    public func slope(at q: Double) -> Double { map.slope(at: q) }

    /// χ₁(q) = σ_w²·E[φ′²].
    public func chi(at q: Double) -> Double { map.chi(at: q) }

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

    /// The fixed point that the variance goes to from `start`; nil where it grows without bound, or 2⁴⁰-fold. Of relu and its kin V is a straight line; where
    /// that is V(q) = q, `start` is a fixed point itself.
    ///
    /// - Parameter start: Above 0; what is below 2⁻⁴⁰ counts as that.
    public func fixedPoint(from start: Double = 1) -> FixedPoint? { map.fixedPoint(from: start) }

    private var map: VarianceMap { VarianceMap(VarianceMap.Source(activation), weightVariance: weightVariance, biasVariance: biasVariance) }
}

extension VarianceMap.Source {
    package init(_ activation: Activation) {
        self.init(name: activation.description, isHomogeneous: activation.isHomogeneous, function: activation.function)
    }
}
