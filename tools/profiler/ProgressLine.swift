import FathomCommandLine
import Foundation
import Synchronization

/// A line on standard error that is redrawn in place where that is a terminal; nothing elsewhere. Any thread may write to it.
final class ProgressLine: Sendable {
    private struct State {
        var what = ""
        var done = 0, count = 0
        var lastDrawn: ContinuousClock.Instant?
    }

    private let isShown: Bool
    private let state = Mutex(State())

    init(_ terminal: Terminal = .current()) { isShown = terminal.isInteractive }

    /// What is done from now on, in so many parts; 0 where there is no number to it.
    func begin(_ what: String, of count: Int = 0) {
        state.withLock {
            ($0.what, $0.done, $0.count) = (what, 0, count)
            draw(&$0)
        }
    }

    /// One more part is done. It is drawn at most ten times a second.
    func advance(of count: Int? = nil) {
        state.withLock {
            $0.done += 1
            $0.count = count ?? $0.count
            if let last = $0.lastDrawn, .now - last < .milliseconds(100) { return }
            draw(&$0)
        }
    }

    /// Clears it, so that what follows stands in its place.
    func finish() {
        state.withLock {
            guard isShown, $0.lastDrawn != nil else { return }
            StandardStreams.raw("\r\u{1B}[K")
            $0.lastDrawn = nil
        }
    }

    private func draw(_ state: inout State) {
        guard isShown else { return }
        state.lastDrawn = .now
        StandardStreams.raw("\r" + Self.text(state.what, state.done, of: state.count, width: Terminal.width() ?? 80) + "\u{1B}[K")
    }

    /// In one column less than the terminal has, so that none wraps it.
    static func text(_ what: String, _ done: Int, of count: Int, width: Int) -> String {
        String((what + (count > 0 ? ": \(done) of \(count)" : "")).prefix(max(1, width - 1)))
    }
}
