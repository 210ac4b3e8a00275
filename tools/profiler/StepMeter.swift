import Fathom

/// Measures steps in rounds: the machine's peak, whole steps, steps taken apart, and steps on one thread, each anew in every round.
struct StepMeter {
    static let rounds = 9
    private(set) var subject: StepSubject
    /// Steps that the clock is read around: short ones many together.
    private let together: Int
    /// Of a step.
    let work: StepTimes.Work

    /// Warms up.
    init(_ subject: StepSubject) throws {
        self.subject = subject
        let first = try Self.time(&self.subject, steps: 1)
        // A long step warms up the caches and the processor's clock by itself.
        if first < 1 { for _ in 0..<3 { _ = try Self.time(&self.subject, steps: 2) } }
        let once = first < 1 ? try Self.time(&self.subject, steps: 4) / 4 : first
        together = max(1, min(64, Int(0.02 / once)))
        work = try self.subject.timedStep().total
    }

    /// Seconds of a step, the median over as many groups as fit into the given seconds.
    ///
    /// - Parameter other: a trainer of the same training; nil: the subject's.
    mutating func step(for duration: Double, groups least: Int, of other: Trainer? = nil) throws -> Double {
        var times: [Double] = [], spent = 0.0
        while spent < duration || times.count < least {
            let time = try Self.time(&subject, steps: together, of: other)
            times.append(time / Double(together))
            spent += time
        }
        return Distribution(times).median
    }

    mutating func measure(seconds: Double) throws -> StepMeasurement {
        let machine = Machine(threads: subject.threads, bytes: work.bytes), threads = subject.threads, share = seconds / Double(Self.rounds)
        var whole: [Double] = [], ofOne: [Double] = [], shares: [Double] = [], parts: [[Double]] = [], last: StepTimes?
        for _ in 0..<Self.rounds {
            machine.measure()
            let uninstrumented = subject.uninstrumented, before = try uninstrumented.map { try step(for: share * 0.1, groups: 1, of: $0) }
            let seconds = try step(for: share * 0.3, groups: 1)
            whole.append(seconds)
            if let uninstrumented, let before {
                // Before and after, so that a clock that drifts counts for neither.
                shares.append(1 - 0.5 * (before + (try step(for: share * 0.1, groups: 1, of: uninstrumented))) / seconds)
            }
            let times = try timedSteps(for: share * 0.2)
            parts.append(Self.medians(times))
            last = times.last
            guard threads > 1 else { continue }
            subject.trainer.threads = 1
            defer { subject.trainer.threads = threads }
            ofOne.append(try step(for: share * 0.3, groups: 1))
        }
        return StepMeasurement(
            subject, machine, seconds: Distribution(whole), ofOneThread: threads > 1 ? Distribution(ofOne) : nil,
            instrumentsShare: shares.isEmpty ? 0 : Distribution(shares).median, last!, rounds: parts)
    }

    private static func time(_ subject: inout StepSubject, steps: Int, of other: Trainer? = nil) throws -> Double {
        try elapsed { for _ in 0..<steps { try subject.step(other) } }
    }

    private mutating func timedSteps(for duration: Double) throws -> [StepTimes] {
        var times: [StepTimes] = [], spent = 0.0
        while (spent < duration || times.isEmpty) && times.count < 500 {
            times.append(try subject.timedStep())
            spent += times[times.count - 1].seconds
        }
        return times
    }

    /// Of each part over the steps.
    private static func medians(_ times: [StepTimes]) -> [Double] {
        let parts = times.map(\.parts)
        return parts[0].indices.map { part in Distribution(parts.map { $0[part] }).median }
    }
}

extension StepTimes {
    /// Seconds of all parts in one order: what is around the layers, then each layer's passes.
    fileprivate var parts: [Double] {
        [gather, loss, clipping, optimizer, instruments].map(\.seconds) + [other] + layers.flatMap { [$0.forward.seconds, $0.backward.seconds] }
    }
}

struct StepMeasurement {
    struct Layer {
        let name: String
        /// Seconds of each pass, 0 where it has no calls, and of both.
        let forward: Distribution, backward: Distribution, seconds: Distribution
        let work: StepTimes.Layer

        var productFlops: Double { work.forward.productFlops + work.backward.productFlops }
    }

    let subject: StepSubject
    let machine: Machine
    /// Of a step, and of a step on one thread; nil where there is but one.
    let seconds: Distribution, ofOneThread: Distribution?
    let gather: Distribution, loss: Distribution, clipping: Distribution, optimizer: Distribution, other: Distribution
    /// Calls of their own.
    let instruments: Distribution
    /// Of a step, with what other calls gather on their way: against steps without them, in the same rounds.
    let instrumentsShare: Double
    let layers: [Layer]
    /// Flops of a step's products.
    let forwardFlops: Double, backwardFlops: Double
    /// Of a step.
    let work: StepTimes.Work
    /// Moved by an update that is made beside the products of the forward pass; 0 where it is not.
    let besideBytes: Double

    /// - Parameter rounds: the seconds of each part, in the order of `StepTimes.parts`, for each round.
    init(_ subject: StepSubject, _ machine: Machine, seconds: Distribution, ofOneThread: Distribution?, instrumentsShare: Double, _ work: StepTimes, rounds: [[Double]]) {
        func part(_ i: Int) -> Distribution { Distribution(rounds.map { $0[i] }) }
        (self.subject, self.machine, self.seconds, self.ofOneThread) = (subject, machine, seconds, ofOneThread)
        (gather, loss, clipping, optimizer, instruments, other) = (part(0), part(1), part(2), part(3), part(4), part(5))
        self.instrumentsShare = instrumentsShare
        layers = work.layers.enumerated().map { i, layer in
            let forward = 6 + 2 * i, both = Distribution(rounds.map { $0[forward] + $0[forward + 1] })
            return Layer(name: layer.name, forward: part(forward), backward: part(forward + 1), seconds: both, work: layer)
        }
        forwardFlops = work.layers.reduce(0) { $0 + $1.forward.productFlops }
        backwardFlops = work.layers.reduce(0) { $0 + $1.backward.productFlops }
        self.work = work.total
        besideBytes = subject.trainer.defersUpdates ? work.optimizer.bytes : 0
    }

    var milliseconds: Double { seconds.median * 1e3 }
    var samplesPerSecond: Double { Double(subject.batch) / seconds.median }
    /// Of the products; what else is done takes time, but counts for nothing.
    var gflops: Double { (forwardFlops + backwardFlops) / seconds.median * 1e-9 }
    var ofPeak: Double { gflops / machine.peak.median }
    var scaling: Double? { ofOneThread.map { $0.median / seconds.median } }
    /// Seconds that a step takes at least: products at `Bound.productShare` of the peak, what is fused into them at half of it (no multiply-add has two operations
    /// then), and the bytes of all other calls at the bandwidth of whatever holds so many.
    var bound: Bound? {
        let peak = machine.peak.median * 1e9, bandwidth = machine.bandwidth.median * 1e9, forward = forwardFlops / (Bound.productShare * peak)
        guard peak > 0 else { return nil }
        return Bound(
            products: forward + backwardFlops / (Bound.productShare * peak), fused: work.fusedFlops / (0.5 * peak), others: (work.bytes - besideBytes) / bandwidth,
            update: Bound.unhidden(besideBytes / bandwidth, beside: forward, threads: subject.threads))
    }
    /// Medians of all parts together: what shares are of.
    var sumOfParts: Double { [gather, loss, clipping, optimizer, instruments, other].reduce(0) { $0 + $1.median } + layers.reduce(0) { $0 + $1.seconds.median } }
    var noise: Noise { machine.noise(spread: seconds.spread) }
}

/// What a step cannot be faster than, in seconds of its parts, if nothing of one goes on beside another, but for an update beside products.
struct Bound {
    let products: Double, fused: Double, others: Double
    /// What the products do not hide of an update beside them.
    let update: Double
    /// Of the peak, what large products reach.
    static let productShare = 0.92

    var seconds: Double { products + fused + others + update }

    /// At best one thread by itself draws as much from memory as all do together, and the others multiply meanwhile; beyond the products nothing is hidden.
    static func unhidden(_ update: Double, beside products: Double, threads: Int) -> Double { max(update / Double(threads), update - products) }
}
