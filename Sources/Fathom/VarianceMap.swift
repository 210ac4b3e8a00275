/// V of an activation that is known by its moments alone: what `MeanField` is made of, and critical points.
package struct VarianceMap {
    package struct Source {
        let name: String
        /// Whether φ(λx) = λφ(x) for λ > 0.
        package let isHomogeneous: Bool
        /// φ and φ′.
        let function: (Double) -> (value: Double, slope: Double)
        /// |x| beyond those of `GaussianMoments` where φ is not smooth.
        let kinks: [Double]

        package init(
            name: String, isHomogeneous: Bool, kinks: [Double] = [], function: @escaping (Double) -> (value: Double, slope: Double)
        ) {
            (self.name, self.isHomogeneous, self.kinks, self.function) = (name, isHomogeneous, kinks, function)
        }

        /// At any q ≥ 0: exact for relu and its kin; below what the integrals can do those of their limit, or of q = 2⁻³⁰ where φ(0) ≠ 0.
        package func moments(_ q: Double) -> GaussianMoments {
            if isHomogeneous { return GaussianMoments(limitOf: function, variance: q) }
            if function(0).value != 0 { return GaussianMoments(function, kinks: kinks, variance: max(q, 0x1p-30)) }
            return q > 0x1p-200 ? GaussianMoments(function, kinks: kinks, variance: q) : GaussianMoments(limitOf: function)
        }
    }

    private let source: Source
    private let weightVariance: Double
    private let biasVariance: Double

    package init(_ source: Source, weightVariance: Double, biasVariance: Double) {
        (self.source, self.weightVariance, self.biasVariance) = (source, weightVariance, biasVariance)
    }

    package func variance(after q: Double) -> Double { weightVariance * source.moments(q).square + biasVariance }
    package func slope(at q: Double) -> Double { weightVariance * source.moments(q).growth }
    package func chi(at q: Double) -> Double { weightVariance * source.moments(q).slopeSquare }

    /// V is increasing, so the variance moves steadily from `start` to the nearest fixed point on the side of V(start), which is bracketed
    /// in steps of 2^¼ (2 beyond 2^±10, where activations are straight).
    package func fixedPoint(from start: Double) -> MeanField.FixedPoint? {
        if source.isHomogeneous {
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

    private func point(at q: Double) -> MeanField.FixedPoint {
        let moments = source.moments(q)
        return MeanField.FixedPoint(variance: q, slope: weightVariance * moments.growth, chi: weightVariance * moments.slopeSquare)
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
