import Foundation
import KernelChecks

/// Values of all rounds: their median, and the width of their middle half as a share of it.
struct Distribution {
    let median: Double, spread: Double

    init(_ values: [Double]) {
        let sorted = values.sorted(), n = sorted.count
        median = n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2
        spread = median > 0 ? (sorted[3 * (n - 1) / 4] - sorted[(n - 1) / 4]) / median : 0
    }
}

struct Measurement {
    let subject: Subject
    let seconds: Distribution
    /// Of the machine, in the same rounds: FMA in GFLOP/s (0 where it has none) and memory in GB/s.
    let peak: Distribution, bandwidth: Distribution
    let flops: Double, bytes: Double

    var gflops: Double { flops / seconds.median * 1e-9 }
    var gigabytesPerSecond: Double { bytes / seconds.median * 1e-9 }
    var ofPeak: Double { peak.median > 0 ? gflops / peak.median : .nan }
    var ofBandwidth: Double { gigabytesPerSecond / bandwidth.median }
}

/// Measures groups of subjects in rounds, the machine's limits anew in each.
final class Meter {
    static let rounds = 9
    let threads: Int
    private let secondsPerRound: Double
    private(set) var peaks: [Double] = [], bandwidths: [Double] = [], spreads: [Double] = []
    private var peaksOfOneThread: [Double] = []
    /// Two arrays of 128 MiB.
    private let x: UnsafeMutablePointer<Float>, y: UnsafeMutablePointer<Float>
    private static let count = 32 << 20

    init(threads: Int, secondsPerSubject: Double) {
        self.threads = threads
        secondsPerRound = secondsPerSubject / Double(Self.rounds)
        x = .allocate(capacity: Self.count)
        y = .allocate(capacity: Self.count)
        x.initialize(repeating: 1, count: Self.count)
        y.initialize(repeating: 1, count: Self.count)
    }

    deinit {
        x.deallocate()
        y.deallocate()
    }

    func measure(_ group: [Subject]) -> [Measurement] {
        let workloads = group.map(Workload.init)
        var times = [[Double]](repeating: [], count: group.count), peak: [Double] = [], bandwidth: [Double] = []
        for _ in 0..<Self.rounds {
            peaksOfOneThread.append(machine_fma_gflops(1))
            peak.append(machine_fma_gflops(Int32(threads)))
            bandwidth.append(machine_bandwidth(Int32(threads), x, y, Self.count))
            for (i, workload) in workloads.enumerated() { times[i].append(secondsOfOneRun(workload)) }
        }
        peaks += peak
        bandwidths += bandwidth
        return zip(group, zip(workloads, times)).map { subject, measured in
            let seconds = Distribution(measured.1)
            spreads.append(seconds.spread)
            return Measurement(
                subject: subject, seconds: seconds, peak: Distribution(peak), bandwidth: Distribution(bandwidth), flops: measured.0.flops,
                bytes: measured.0.bytes)
        }
    }

    /// The mean over as many runs as fit into this subject's share of a round, at least one; after two that warm up.
    private func secondsOfOneRun(_ workload: Workload) -> Double {
        workload.run(threads: threads)
        let once = time { workload.run(threads: threads) }
        let repetitions = max(1, min(1_000_000, Int(secondsPerRound / max(once, 1e-7))))
        return time { for _ in 0..<repetitions { workload.run(threads: threads) } } / Double(repetitions)
    }

    private func time(_ work: () -> Void) -> Double { ContinuousClock().measure(work) / .seconds(1) }

    /// One sentence where something else takes processors away, or the figures scatter too much to be compared with others.
    var verdict: String? {
        let one = Distribution(peaksOfOneThread).median, all = Distribution(peaks).median
        if one > 0, all < 0.6 * one * Double(threads) {
            return "noisy: together the \(threads) threads reach \(String(format: "%.1f", all / one)) times the peak of one; "
                + "processors are taken by something else, or there are fewer than threads"
        }
        let typical = Distribution(spreads).median, ofPeak = Distribution(peaks).spread
        guard max(typical, ofPeak) > 0.1 else { return nil }
        return "noisy: the middle half of a kernel's rounds spans \(percent(typical)) of its time and the peak's \(percent(ofPeak)); "
            + "something else is using this machine, so compare only figures of the same rounds"
    }
}

func percent(_ share: Double) -> String { share.isFinite ? "\(Int((100 * share).rounded())) %" : "–" }
