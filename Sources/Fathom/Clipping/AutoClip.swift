/// Clips a norm to a percentile of the norms seen, itself among them: AutoClip, Seetharaman et al. 2020.
///
/// Norms are kept as float32, 8 bytes a step (by step and sorted), so that a checkpoint holds them as an ordinary tensor. Memory grows by doubling, up to the
/// window where there is one. A step finds its place by bisection and moves the norms that lie above it.
struct AutoClip {
    let percentile: Double
    /// How many norms count; nil: all.
    let window: Int?

    /// By step, from the entry `oldest` on and around.
    private var ring: [Float] = []
    private var oldest = 0
    private var sorted: [Float] = []

    init(percentile: Double, window: Int?) {
        self.percentile = percentile
        self.window = window
        ring.reserveCapacity(min(window ?? 1024, 1024))
        sorted.reserveCapacity(min(window ?? 1024, 1024) + 1)
    }

    /// Takes a step's norm into account.
    /// - Returns: what it is clipped to.
    mutating func clip(_ norm: Double) -> Double {
        // Norms are float64 and can be beyond float32.
        let kept = Float(min(norm, Double(Float.greatestFiniteMagnitude)))
        insert(kept)
        let threshold = Self.percentile(percentile, ofSorted: sorted)
        return Double(kept) > threshold ? min(norm, threshold) : norm
    }

    /// The percentile from 0 to 100 of sorted numbers, at least one, as NumPy's default: rank (n − 1)·p/100, linear between two.
    static func percentile(_ percentile: Double, ofSorted sorted: [Float]) -> Double {
        let rank = Double(sorted.count - 1) * (percentile / 100), below = Int(rank), fraction = rank - Double(below)
        let low = Double(sorted[below]), high = Double(sorted[min(below + 1, sorted.count - 1)])
        // From whichever end is nearer, so that 1 gives `high` exactly.
        return fraction < 0.5 ? low + (high - low) * fraction : high - (high - low) * (1 - fraction)
    }

    private mutating func insert(_ norm: Float) {
        if let window, ring.count == window {
            sorted.remove(at: position(of: ring[oldest]))
            ring[oldest] = norm
            oldest = oldest + 1 == window ? 0 : oldest + 1
        } else {
            ring.append(norm)
        }
        let place = position(of: norm)
        sorted.append(norm)
        // What `insert(_:at:)` does but for an allocation.
        sorted.withUnsafeMutableBufferPointer { sorted in
            guard let base = sorted.baseAddress else { return }
            (base + place + 1).update(from: base + place, count: sorted.count - place - 1)
            base[place] = norm
        }
    }

    /// The first place in `sorted` whose norm is not below.
    private func position(of norm: Float) -> Int {
        var low = 0, high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < norm { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: In a checkpoint

    /// By step, oldest first.
    var norms: [Float] { Array(ring[oldest...] + ring[..<oldest]) }

    /// The same clipping after these norms; nil where they cannot be.
    func restored(_ norms: [Float]) -> AutoClip? {
        guard norms.count <= window ?? .max, norms.allSatisfy({ $0 >= 0 && $0.isFinite }) else { return nil }
        var restored = AutoClip(percentile: percentile, window: window)
        restored.ring += norms
        restored.sorted += norms.sorted()
        return restored
    }
}
