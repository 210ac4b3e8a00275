/// Clips a norm that is an outlier among those before it: ZClip, Kumar et al. 2025. Its statistics follow the clipped norms exponentially, so that a spike
/// moves them little.
///
/// The first `warmup` norms pass as they are and give the first mean μ and variance σ² (of all of them, not of a sample). Then a norm n has the
/// z-score z = (n − μ)/σ; one above `largest` is clipped to μ + largest²·σ/z, the farther out the closer to the mean. After it
/// μ ← α·μ + (1 − α)·n and σ² ← α·σ² + (1 − α)·(n − μ)², with the clipped n, the new μ, and α the `decay`.
struct ZClip: Hashable {
    let largest: Double
    let decay: Double
    let warmup: Int

    /// Norms collected, at most `warmup`.
    private var count = 0
    private(set) var mean = 0.0
    /// During the warm-up the sum of squared deviations from the mean so far (Welford 1962).
    private(set) var variance = 0.0

    init(largest: Double, decay: Double, warmup: Int) {
        self.largest = largest
        self.decay = decay
        self.warmup = warmup
    }

    /// What a norm is clipped to, by the statistics as they are. Where σ = 0, any norm above the mean is an outlier and is clipped to it.
    func bounded(_ norm: Double) -> Double {
        guard count == warmup else { return norm }
        let deviation = variance.squareRoot(), score = (norm - mean) / deviation
        // 0/0, a norm that is the mean, compares with nothing.
        return score > largest ? mean + largest * largest * deviation / score : norm
    }

    /// Takes a step's norm into account.
    /// - Returns: what it is clipped to.
    mutating func clip(_ norm: Double) -> Double {
        guard count == warmup else {
            collect(norm)
            return norm
        }
        let clipped = bounded(norm)
        mean = decay * mean + (1 - decay) * clipped
        variance = decay * variance + (1 - decay) * (clipped - mean) * (clipped - mean)
        return clipped
    }

    private mutating func collect(_ norm: Double) {
        count += 1
        let deviation = norm - mean
        mean += deviation / Double(count)
        variance += deviation * (norm - mean)
        if count == warmup { variance /= Double(warmup) }
    }

    // MARK: In a checkpoint

    /// "COUNT MEAN VARIANCE", the last two as the bits of a float64 in hexadecimal.
    var text: String { "\(count) \(String(mean.bitPattern, radix: 16)) \(String(variance.bitPattern, radix: 16))" }

    /// The same clipping in the state that `text` describes; nil where it describes none.
    func restored(_ text: String) -> ZClip? {
        let parts = text.split(separator: " ")
        guard parts.count == 3, let count = Int(parts[0]), (0...warmup).contains(count), let mean = UInt64(parts[1], radix: 16),
              let variance = UInt64(parts[2], radix: 16)
        else { return nil }
        var restored = self
        (restored.count, restored.mean, restored.variance) = (count, Double(bitPattern: mean), Double(bitPattern: variance))
        return restored.mean.isFinite && restored.variance >= 0 && restored.variance.isFinite ? restored : nil
    }
}
