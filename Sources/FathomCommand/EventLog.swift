import Fathom
import FathomCommandLine
import FathomFormats

/// Takes a run's events to its history, and to standard output where `--json` asks for them.
struct EventLog {
    private let history: History
    private let prints: Bool
    private static let linesTogether = 32
    /// Steps whose lines are still to be made.
    private var steps: [() -> JSON] = []
    private var unprinted = ""
    private var lastFlush = ContinuousClock.now
    /// Whether the reader of standard output is gone.
    private(set) var isReaderGone = false

    init(_ history: History, prints: Bool) {
        self.history = history
        self.prints = prints
    }

    mutating func add(_ event: JSON) {
        makeLines()
        write(event)
    }

    /// Adds a step's event, whose line is made together with those of other steps: what makes lines is code that a step's products push out of the caches.
    mutating func add(step event: @escaping () -> JSON) {
        steps.append(event)
        if steps.count == Self.linesTogether { makeLines() }
    }

    private mutating func makeLines() {
        for event in steps { write(event()) }
        steps.removeAll(keepingCapacity: true)
    }

    private mutating func write(_ event: JSON) {
        let line = event.bytes
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
