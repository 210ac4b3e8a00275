import Fathom

extension Dataset {
    /// Each purpose draws rows of its own from one seed.
    public enum SplitPurpose: UInt64, Sendable {
        case test = 1
        case validation = 2
    }

    /// Holds out round(count · fraction) rows, drawn by a shuffle that seed and purpose determine; both parts keep their rows' order.
    /// Classes are not balanced.
    /// - Parameter fraction: From 0 (nothing is held out) to below 1.
    /// - Throws: `FathomError.invalid` for a fraction outside this range, or one that leaves either side without a row.
    public static func split(
        _ samples: Samples, fraction: Double, seed: UInt64, purpose: SplitPurpose
    ) throws(FathomError) -> (rest: Samples, held: Samples) {
        guard fraction >= 0, fraction < 1 else { throw .invalid("a fraction of \(fraction) cannot be held out; it goes from 0 to below 1") }
        guard fraction > 0 else { return (samples, samples.selecting([])) }
        let count = Int((Double(samples.count) * fraction).rounded())
        guard count > 0, count < samples.count else {
            throw .invalid("holding out \(fraction) of \(samples.count) row\(samples.count == 1 ? "" : "s") leaves "
                + "\(count == 0 ? "none held out" : "none to train on")")
        }
        guard samples.count <= Int(UInt32.max) else { throw .tooLarge("\(samples.count) rows are more than can be shuffled") }
        var random = CounterRandom(seed: seed, stream: purpose.rawValue)
        var rows = Array(0 ..< samples.count)
        for place in 0 ..< count { rows.swapAt(place, place + Int(random.integer(below: UInt32(samples.count - place)))) }
        var isHeld = [Bool](repeating: false, count: samples.count)
        for row in rows[..<count] { isHeld[row] = true }
        return (samples.selecting((0 ..< samples.count).filter { !isHeld[$0] }), samples.selecting((0 ..< samples.count).filter { isHeld[$0] }))
    }
}
