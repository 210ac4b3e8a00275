/// Times of a run. They are reported and never steer anything but the moments of saving.
struct RunClock {
    private let start = ContinuousClock.now
    private let stepsBefore: Int
    private var stepStart = ContinuousClock.now
    private var lastEnd = ContinuousClock.now
    private var lastSaving = ContinuousClock.now
    private var epochStart = ContinuousClock.now
    private var epochTraining = Duration.zero
    private var epochRows = 0
    private var training = Duration.zero

    /// - Parameter stepsBefore: steps that were taken before this process.
    init(stepsBefore: Int) { self.stepsBefore = stepsBefore }

    mutating func begin() { stepStart = .now }

    mutating func end(rows: Int) -> ContinuousClock.Instant {
        lastEnd = .now
        let time = lastEnd - stepStart
        training += time
        epochTraining += time
        epochRows += rows
        return lastEnd
    }

    mutating func startEpoch() {
        epochStart = .now
        epochTraining = .zero
        epochRows = 0
    }

    mutating func saved() { lastSaving = .now }

    /// Sum over steps.
    var trainingSeconds: Double { training / .seconds(1) }
    /// Of the epoch, validation included.
    var epochSeconds: Double { (.now - epochStart) / .seconds(1) }
    var secondsSinceSaving: Double { (lastEnd - lastSaving) / .seconds(1) }
    /// Of the epoch so far, while stepping.
    var samplesPerSecond: Double { epochTraining > .zero ? Double(epochRows) / (epochTraining / .seconds(1)) : 0 }

    /// At the pace since the start of this process; nil before its first step and after the last.
    func secondsLeft(stepsTaken: Int, of total: Int) -> Double? {
        guard stepsTaken > stepsBefore, stepsTaken < total else { return nil }
        return (lastEnd - start) / .seconds(1) / Double(stepsTaken - stepsBefore) * Double(total - stepsTaken)
    }
}
