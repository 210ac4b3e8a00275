import Fathom
import FathomCommandLine
import FathomFormats
import Synchronization

/// Takes a run's events to its history, and to standard output where `--json` asks for them.
struct EventLog {
    /// A step whose line is still to be made.
    struct Step {
        let step: Trainer.Step
        let epoch: Int
        /// nil where this step's layers are not written.
        let layers: [LayerStatistics]?
        var exponents: [LayerExponents] = []
        var branches: [BranchRatio] = []

        fileprivate var line: [UInt8] { Event.step(step, epoch: epoch, layers: layers, exponents: exponents, branches: branches).bytes }

        fileprivate func tell(_ told: inout RunHistory?) {
            if exponents.isEmpty && branches.isEmpty { told?.add(step, layers) } else { told = nil }
        }
    }

    private let history: History
    private let prints: Bool
    /// Threads that lines are made on.
    var threads = 1
    private static let linesTogether = 32
    private var steps: [Step] = []
    private var unprinted = ""
    private var lastFlush = ContinuousClock.now
    /// What the lines say, for the report; nil where the history has to be read for it: of a resumed run, and with exponents or branches.
    private(set) var told: RunHistory?
    /// Whether the reader of standard output is gone.
    private(set) var isReaderGone = false

    /// - Parameter told: of a history that begins.
    init(_ history: History, telling told: RunHistory?, prints: Bool) {
        self.history = history
        self.told = told
        self.prints = prints
    }

    mutating func add(_ event: JSON) {
        makeLines()
        let line = event.bytes
        write(line)
        do { try told?.add(line: line) } catch { told = nil }
    }

    /// Adds a step, whose line is made together with those of other steps: what makes lines is code that a step's products push out of the caches.
    mutating func add(_ step: Step) {
        steps.append(step)
        if steps.count == Self.linesTogether { makeLines() }
    }

    private mutating func makeLines() {
        guard !steps.isEmpty else { return }
        let steps = steps, telling = Mutex(told)
        told = nil  // or all that has been told would be copied
        let lines = Kernels.$threadLimit.withValue(threads) {
            // What takes longest first.
            concurrentMap(1 + steps.count) { place in
                if place > 0 { return steps[place - 1].line }
                telling.withLock { told in for step in steps { step.tell(&told) } }
                return []
            }
        }
        for line in lines.dropFirst() { write(line) }
        told = telling.withLock { $0 }
        self.steps.removeAll(keepingCapacity: true)
    }

    private mutating func write(_ line: [UInt8]) {
        history.append(line)
        if prints { unprinted += String(decoding: line, as: UTF8.self) + "\n" }
    }

    /// What has been added reaches file and reader at least each second.
    mutating func flushIfDue(at now: ContinuousClock.Instant) throws {
        if now - lastFlush > .seconds(1) { try flush() }
    }

    mutating func flush() throws {
        lastFlush = .now
        makeLines()
        try history.flush()
        guard prints, !isReaderGone else { return }
        do { try StandardStreams.result(unprinted) } catch is OutputClosed { isReaderGone = true }
        unprinted = ""
    }

    /// Before a checkpoint: see `History.synchronize`.
    mutating func synchronize() throws {
        try flush()
        try history.synchronize()
    }
}
