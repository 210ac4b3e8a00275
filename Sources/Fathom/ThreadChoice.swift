/// How many threads run a trainer's steps: as many as are allowed, or fewer where that is faster.
///
/// Threads wait for each other many times in a step, so one that has lost its processor to another program stops all of them, and for small layers the waiting
/// can cost more than the help is worth. No bit depends on the number of threads, so half as many and twice as many are tried from time to time,
/// a few steps each, and the fastest is kept. Trials become rare where they change nothing, and end with their third step where none of these was faster:
/// 6 of 100 steps are then trials, 12 of 500, of 1,800 and more less than one in a hundred.
struct ThreadChoice {
    /// At most this many.
    var most: Int {
        didSet { if most != oldValue { self = ThreadChoice(most: most) } }
    }
    /// For the next step.
    var count: Int { trial ?? settled }

    private var settled: Int
    private var trial: Int?
    /// Seconds of the last steps with `count` threads.
    private var seconds = [Double](repeating: 0, count: windowLength)
    private var filled = 0
    /// The median of a window with `settled` threads.
    private var usual: Double?
    /// Windows until the next trial, and after it.
    private var wait = 0, pause = shortestPause
    /// Which way the next trial goes: on where the last one helped, else the other way; after a change of speed to fewer where steps are slower, to more where faster.
    private var triesFewer = true

    private static let windowLength = 5, shortestPause = 4, longestPause = 256

    init(most: Int) {
        self.most = max(1, most)
        settled = self.most
    }

    /// Takes the time of a step that `count` threads ran. Steps of another size than most are not given.
    mutating func record(_ time: Double) {
        guard most > 1 else { return }
        seconds[filled] = time
        filled += 1
        if let trial, isLost {
            filled = 0
            return end(trial, .infinity)
        }
        guard filled == Self.windowLength else { return }
        filled = 0
        // In place: nothing is allocated in a step.
        seconds.sort()
        let median = seconds[Self.windowLength / 2]
        if let trial { end(trial, median) } else { follow(median) }
    }

    /// Whether a trial's median can no longer be worth a change: so many of its steps are not.
    private var isLost: Bool { seconds[..<filled].count { !isBetter($0) } > Self.windowLength / 2 }

    /// Less than a twentieth is not worth a change: it may be chance.
    private func isBetter(_ time: Double) -> Bool { usual.map { time < 0.95 * $0 } ?? false }

    private mutating func end(_ tried: Int, _ median: Double) {
        trial = nil
        if isBetter(median) {
            settled = tried
            usual = median
            (wait, pause) = (0, Self.shortestPause)
        } else {
            triesFewer = tried > settled
            pause = min(2 * pause, Self.longestPause)
            wait = pause
        }
    }

    private mutating func follow(_ median: Double) {
        // Something has changed: slower than it was, another program may have begun; faster, one may have ended.
        if let usual, median > 1.25 * usual || (settled < most && median < 0.8 * usual) { (wait, pause, triesFewer) = (0, Self.shortestPause, median > usual) }
        usual = median
        if wait > 0 { wait -= 1 } else { begin() }
    }

    private mutating func begin() {
        let fewer = settled > 1 ? max(1, settled / 2) : nil, more = settled < most ? min(most, 2 * settled) : nil
        trial = triesFewer ? fewer ?? more : more ?? fewer
        triesFewer = trial == fewer
    }
}
