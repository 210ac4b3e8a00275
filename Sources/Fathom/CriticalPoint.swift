extension MeanField {
    /// The stable point of the critical line for given biases: σ_w² and q* with χ₁(q*) = 1, V(q*) = q* and V′(q*) ≤ 1.
    ///
    /// With χ₁(q) = 1, σ_w² is 1/E[φ′²], and q is fixed under biases of variance β(q) = q − E[φ²]/E[φ′²]. For every activation here β
    /// rises from where it is 0 on, so there is one q* for a σ_b², and it is found by doubling q from σ_b² and a root within the last
    /// doubling. relu and its kin (straight on either side of 0) have β = 0 at every q; where φ(0) = 0, β = 0 means q* = 0, in the limit.
    ///
    /// - Throws: `FathomError.invalid`, which says why there is none and what would be right.
    public static func critical(
        _ activation: Activation, biasVariance: Double
    ) throws(FathomError) -> (theory: MeanField, point: FixedPoint) {
        let (weightVariance, point) = try VarianceMap.Source(activation).critical(biasVariance: biasVariance)
        return (MeanField(activation, weightVariance: weightVariance, biasVariance: biasVariance), point)
    }
}

extension VarianceMap.Source {
    /// σ_w² and q*: see `MeanField.critical`.
    package func critical(biasVariance: Double) throws(FathomError) -> (weightVariance: Double, point: MeanField.FixedPoint) {
        if isHomogeneous {
            guard biasVariance == 0 else {
                throw FathomError.invalid(
                    "\(name) is critical only with σ_b = 0, since its variance would grow by σ_b² in each layer; "
                        + "write critical(bias: 0)")
            }
            return try stable(biasVariance, at: 1)
        }
        if biasVariance == 0, function(0).value == 0 { return try stable(0, at: 0) }
        var below = biasVariance > 0 ? biasVariance : 1, above = 2 * below
        while biasOnCriticalLine(at: above) < biasVariance {
            guard above < 0x1p40 * max(1, biasVariance * biasVariance) else {
                throw FathomError.invalid(
                    "\(name) has no critical point: whatever σ_b, where χ₁ is 1 its variance grows in each layer; "
                        + "tanh, elu and relu have one")
            }
            (below, above) = (above, 2 * above)
        }
        let q = root(of: { biasOnCriticalLine(at: $0) - biasVariance }, between: below, and: above)
        return try stable(biasVariance, at: q)
    }

    /// β(q).
    private func biasOnCriticalLine(at q: Double) -> Double {
        let moments = self.moments(q)
        return q - moments.square / moments.slopeSquare
    }

    private func stable(_ biasVariance: Double, at q: Double) throws(FathomError) -> (weightVariance: Double, point: MeanField.FixedPoint) {
        // At q = 0, V′ = χ₁ = 1; whether the variance comes back to 0 is decided just above.
        let nearby = max(q, 0x1p-20), moments = self.moments(nearby)
        guard moments.growth <= moments.slopeSquare * (1 + 1e-9) else {
            let least = leastStableBias(above: nearby)
            throw FathomError.invalid(
                "\(name) has a stable critical point only from σ_b = \(least) on; below, its variance would drift off")
        }
        let exact = self.moments(q)
        return (1 / exact.slopeSquare, MeanField.FixedPoint(variance: q, slope: exact.growth / exact.slopeSquare, chi: 1))
    }

    /// The least σ_b with a stable critical point, rounded up to four digits after the point, where those at q and below have none.
    private func leastStableBias(above q: Double) -> Double {
        func excess(_ q: Double) -> Double {
            let moments = self.moments(q)
            return moments.growth / moments.slopeSquare - 1
        }
        var above = 2 * q
        while excess(above) > 0, above < 0x1p60 { above *= 2 }
        let q = root(of: excess, between: above / 2, and: above)
        return (biasOnCriticalLine(at: q).squareRoot() * 10_000).rounded(.up) / 10_000
    }
}

extension Activation {
    /// Whether φ(λx) = λφ(x) for λ > 0.
    package var isHomogeneous: Bool {
        switch self {
        case .identity, .relu, .leakyReLU: true
        default: false
        }
    }
}
