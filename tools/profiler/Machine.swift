import Foundation
import KernelChecks

/// Values of all rounds: their median, and the width of their middle half as a share of it.
struct Distribution {
    let median: Double, spread: Double

    /// 0 and 0 of no values.
    init(_ values: [Double]) {
        let sorted = values.sorted(), n = sorted.count
        guard n > 0 else { (median, spread) = (0, 0); return }
        median = n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2
        spread = median > 0 ? (sorted[3 * (n - 1) / 4] - sorted[(n - 1) / 4]) / median : 0
    }
}

/// The machine's limits, measured again in every round: clocks drift, and others may use the same processors.
final class Machine {
    let threads: Int
    /// Fused multiply-adds of all threads and of one, in GFLOP/s (0 where the processor has none), and the memory's GB/s.
    private(set) var peaks: [Double] = [], peaksOfOneThread: [Double] = [], bandwidths: [Double] = []
    /// Seconds of a barrier of all threads; none of one thread.
    private(set) var barriers: [Double] = []
    /// Two arrays of so many elements.
    private let arrays: UnsafeMutablePointer<Float>
    private let count: Int
    private static let most = 32 << 20

    /// - Parameter bytes: that the bandwidth is measured over, at most 256 MiB; nil: so many, beyond every cache.
    init(threads: Int, bytes: Double? = nil) {
        self.threads = threads
        count = bytes.map { max(16, min(Self.most, Int($0 / 8))) } ?? Self.most
        arrays = .allocate(capacity: 2 * count)
        arrays.initialize(repeating: 1, count: 2 * count)
    }

    deinit { arrays.deallocate() }

    func measure() {
        peaksOfOneThread.append(machine_fma_gflops(1))
        peaks.append(threads == 1 ? peaksOfOneThread.last! : machine_fma_gflops(Int32(threads)))
        bandwidths.append(machine_bandwidth(Int32(threads), arrays, arrays + count, count))
        if threads > 1 { barriers.append(machine_barrier_seconds(Int32(threads))) }
    }

    var peak: Distribution { Distribution(peaks) }
    var bandwidth: Distribution { Distribution(bandwidths) }
    /// nil of one thread.
    var barrier: Distribution? { barriers.isEmpty ? nil : Distribution(barriers) }

    /// Whether figures that scattered so much from round to round can be relied on.
    func noise(spread: Double) -> Noise { Noise(spread: max(spread, peak.spread), peak: peak.median, ofOne: Distribution(peaksOfOneThread).median, threads) }
}

/// What the rounds say about their own figures.
struct Noise: Equatable {
    /// The largest spread of a round's figures that others can be compared with.
    static let most = 0.1
    let isTrusted: Bool
    let verdict: String

    init(spread: Double, peak: Double, ofOne: Double, _ threads: Int) {
        if peak < 0.6 * ofOne * Double(threads) {
            let ratio = String(format: "%.1f", peak / ofOne)
            (isTrusted, verdict) = (false, "\(threads) threads reach \(ratio) times the peak of one: do not trust; processors are taken, or fewer than threads")
        } else if spread > Self.most {
            (isTrusted, verdict) = (false, "spread \(percent(spread)): do not trust; something else is using this machine")
        } else {
            (isTrusted, verdict) = (true, "spread \(percent(spread)): steady")
        }
    }
}

func percent(_ share: Double) -> String { share.isFinite ? "\(Int((100 * share).rounded())) %" : "–" }

/// Three digits or four: more would be noise.
func short(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    return String(format: value >= 1000 ? "%.0f" : value >= 10 ? "%.1f" : value >= 1 || value == 0 ? "%.2f" : value >= 0.01 ? "%.3f" : "%.2g", value)
}

/// "1.2 M", "345 G".
func counted(_ value: Double) -> String {
    let steps = [(1e15, " P"), (1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")]
    guard let (unit, suffix) = steps.first(where: { value >= $0.0 }) else { return String(format: "%.0f", value) }
    return String(format: value / unit < 10 ? "%.2f" : value / unit < 100 ? "%.1f" : "%.0f", value / unit) + suffix
}

func elapsed(_ work: () throws -> Void) rethrows -> Double { try ContinuousClock().measure(work) / .seconds(1) }
