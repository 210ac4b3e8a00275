import FathomCommandLine
import Foundation

/// Says on standard error how training goes: one line redrawn in place on a terminal, a plain line per epoch elsewhere.
struct Progress {
    struct State: Equatable {
        var epoch = 1
        var epochs = 1
        /// Of the whole training, 0 … 1.
        var fraction = 0.0
        /// Of the epoch so far.
        var loss = Double.nan
        var gradientNorm = Double.nan
        var validation: String?
        var samplesPerSecond = 0.0
        var secondsLeft: Double?
    }

    enum Style: Equatable {
        case none, lines, redrawn(color: Bool)
    }

    let style: Style
    private var lastDrawn: ContinuousClock.Instant?
    private var isDrawn = false
    /// The end of an epoch that came too soon after the last drawing.
    private var undrawn: State?

    init(quiet: Bool, terminal: Terminal) {
        style = quiet ? .none : terminal.isInteractive ? .redrawn(color: terminal.hasColor) : .lines
    }

    /// Redraws the line, at most ten times a second.
    mutating func update(at now: ContinuousClock.Instant, _ state: @autoclosure () -> State) {
        guard style != .none, style != .lines else { return }
        if let lastDrawn, now - lastDrawn < .milliseconds(100) { return }
        lastDrawn = now
        draw(state())
    }

    /// The end of an epoch.
    mutating func finishEpoch(_ state: State) {
        switch style {
        case .none: break
        case .lines: StandardStreams.note(Self.plainLine(state))
        case .redrawn:
            undrawn = state
            update(at: .now, state)
        }
    }

    /// Leaves the line as the last epoch ended, and goes to the next, so that what follows has a line of its own.
    mutating func finish() {
        if let undrawn { draw(undrawn) }
        guard isDrawn else { return }
        StandardStreams.raw("\n")
        isDrawn = false
    }

    private mutating func draw(_ state: State) {
        guard case .redrawn(let color) = style else { return }
        StandardStreams.raw("\r" + Self.line(state, width: Terminal.width() ?? 80, color: color) + "\u{1B}[K")
        isDrawn = true
        undrawn = nil
    }

    // MARK: What is said

    /// The fullest form that fits in one column less than the terminal has, so that no terminal wraps it.
    static func line(_ state: State, width: Int, color: Bool) -> String {
        let epoch = "\(state.epoch)/\(state.epochs)"
        let loss = number(state.loss)
        let left = state.secondsLeft.map { duration($0) }
        let gradient = "gradient \(number(state.gradientNorm))"
        let speed = "\(rate(state.samplesPerSecond)) samples/s"
        let measures = ["loss \(loss)", gradient] + (state.validation.map { [$0] } ?? [])
        let ending = left.map { ["\($0) left"] } ?? []
        let forms: [[String]] = [
            ["epoch \(epoch)", bar(state.fraction)] + measures + [speed] + ending,
            ["epoch \(epoch)"] + measures + [speed] + ending,
            ["epoch \(epoch)", "loss \(loss)", gradient, speed] + ending,
            ["epoch \(epoch)", "loss \(loss)", gradient] + ending,
            ["epoch \(epoch)", "loss \(loss)"] + ending,
            [epoch, loss] + (left.map { [$0] } ?? []),
            [epoch, loss],
            [loss],
        ]
        let form = forms.first { $0.joined(separator: "  ").count < width } ?? [String(loss.prefix(max(0, width - 1)))]
        guard color, let first = form.first else { return form.joined(separator: "  ") }
        return (["\u{1B}[1m\(first)\u{1B}[0m"] + form.dropFirst()).joined(separator: "  ")
    }

    static func plainLine(_ state: State) -> String {
        let measures = ["loss \(number(state.loss))", "gradient \(number(state.gradientNorm))"] + (state.validation.map { [$0] } ?? [])
        let ending = state.secondsLeft.map { ["\(duration($0)) left"] } ?? []
        return "epoch \(state.epoch)/\(state.epochs): " + (measures + ["\(rate(state.samplesPerSecond)) samples/s"] + ending).joined(separator: ", ")
    }

    private static func bar(_ fraction: Double, width: Int = 12) -> String {
        let filled = fraction.isFinite ? Int((min(1, max(0, fraction)) * Double(width)).rounded(.down)) : 0
        return "[" + String(repeating: "=", count: filled) + (filled < width ? ">" : "") + String(repeating: " ", count: max(0, width - filled - 1)) + "]"
    }

    /// Four significant digits.
    static func number(_ value: Double) -> String {
        value.isFinite ? String(format: "%.4g", value) : value.isNaN ? "nan" : value > 0 ? "inf" : "-inf"
    }

    /// "812", "8.1k", "81k", "1.2M".
    static func rate(_ value: Double) -> String {
        guard value.isFinite, value >= 0 else { return "?" }
        var value = value, unit = 0
        let units = ["", "k", "M", "G", "T"]
        while value >= 999.5 && unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return String(format: value < 9.95 && unit > 0 ? "%.1f" : "%.0f", value) + units[unit]
    }

    /// "0:09", "12:34", "1:02:03", "3 d 4 h".
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "?" }
        let total = Int(seconds.rounded(.up))
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        if total >= 86_400 { return "\(total / 86_400) d \(total % 86_400 / 3600) h" }
        if total >= 3600 { return "\(total / 3600):\(two(total % 3600 / 60)):\(two(total % 60))" }
        return "\(total / 60):\(two(total % 60))"
    }
}
