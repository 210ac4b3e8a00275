import Foundation

struct Measurement {
    let subject: Subject
    /// Of one run on all threads, and on one; nil where there is but one.
    let seconds: Distribution, ofOneThread: Distribution?
    /// Of the machine, in the same rounds: FMA in GFLOP/s (0 where it has none) and memory in GB/s.
    let peak: Distribution, bandwidth: Distribution
    /// As the kernel surface counts them; 0 of a kernel that moves data, or whose work is a few numbers.
    let flops: Double, bytes: Double

    var gflops: Double { flops / seconds.median * 1e-9 }
    var gigabytesPerSecond: Double { bytes / seconds.median * 1e-9 }
    var ofPeak: Double { peak.median > 0 ? gflops / peak.median : .nan }
    var ofBandwidth: Double { gigabytesPerSecond / bandwidth.median }
    /// How many times as fast all threads are as one.
    var scaling: Double? { ofOneThread.map { $0.median / seconds.median } }
}

/// Measures groups of subjects in rounds, the machine's limits anew in each.
final class Meter {
    static let rounds = 9
    let machine: Machine
    private let secondsPerRun: Double
    private var spreads: [Double] = []

    init(threads: Int, secondsPerSubject: Double) {
        machine = Machine(threads: threads)
        secondsPerRun = secondsPerSubject / Double(Self.rounds * (threads > 1 ? 2 : 1))
    }

    var threads: Int { machine.threads }

    func measure(_ group: [Subject]) -> [Measurement] {
        let workloads = group.map(Workload.init)
        var times = [[Double]](repeating: [], count: group.count), ofOne = times
        for _ in 0..<Self.rounds {
            machine.measure()
            for (i, workload) in workloads.enumerated() {
                times[i].append(secondsOfOneRun(workload, threads))
                if threads > 1 { ofOne[i].append(secondsOfOneRun(workload, 1)) }
            }
        }
        let peak = Distribution(machine.peaks.suffix(Self.rounds)), bandwidth = Distribution(machine.bandwidths.suffix(Self.rounds))
        return group.indices.map { i in
            let seconds = Distribution(times[i])
            spreads.append(seconds.spread)
            return Measurement(
                subject: group[i], seconds: seconds, ofOneThread: threads > 1 ? Distribution(ofOne[i]) : nil, peak: peak, bandwidth: bandwidth,
                flops: workloads[i].flops, bytes: workloads[i].bytes)
        }
    }

    /// A run that needs no warming up takes as long as this, or longer.
    private static let longRun = 0.01

    /// The mean over as many runs as fit into this subject's share of a round, at least one; of short ones after two that warm up.
    private func secondsOfOneRun(_ workload: Workload, _ threads: Int) -> Double {
        let first = elapsed { workload.run(threads: threads) }
        if first > max(Self.longRun, secondsPerRun / 2) { return first }
        let once = elapsed { workload.run(threads: threads) }
        let repetitions = max(1, min(1_000_000, Int(secondsPerRun / max(once, 1e-7))))
        return elapsed { for _ in 0..<repetitions { workload.run(threads: threads) } } / Double(repetitions)
    }

    /// Of a typical kernel.
    var noise: Noise { machine.noise(spread: Distribution(spreads).median) }
}
