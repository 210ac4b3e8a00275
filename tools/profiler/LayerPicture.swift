import FathomStability
import Foundation

/// Layers under each other: a bar of log₁₀ of the gradient's norm, and what the signal is like there.
struct LayerPicture {
    struct Row {
        let name: String
        /// Of its weights; nil where it is not known, −∞ of 0.
        let logGradient: Double?
        let mean: Double, deviation: Double
        let saturated: Double?
        /// Which repetition of a group it is in; nil outside.
        var step: Int?
    }

    private let rows: [Row]
    /// What is not shown, in a sentence; nil where all is.
    let omission: String?
    private let scale: ClosedRange<Double>

    static let mostRows = 40

    /// Of more rows than there is room for, whole steps of a repeated group are left out evenly, never the first or the last.
    init(_ all: [Row], noun: String, mostRows: Int = mostRows) {
        let logs = all.compactMap(\.logGradient).filter(\.isFinite), low = (logs.min() ?? 0).rounded(.down), high = (logs.max() ?? 0).rounded(.up)
        // At least three decades, so that small differences look small.
        scale = min(low, high - 3)...high
        let steps = Set(all.compactMap { $0.step }).sorted(), perStep = max(1, all.count { $0.step != nil } / max(1, steps.count))
        guard all.count > mostRows, steps.count > 2 else {
            (rows, omission) = (all, nil)
            return
        }
        let room = max(2, (mostRows - (all.count - steps.count * perStep)) / perStep), every = max(1, Int((Double(steps.count - 1) / Double(room - 1)).rounded(.up)))
        let kept = Set(steps.enumerated().compactMap { $0 % every == 0 || $0 == steps.count - 1 ? $1 : nil })
        rows = all.filter { $0.step.map(kept.contains) ?? true }
        omission = every == 1 ? nil : "one \(noun) in \(every) of \(steps.count) is shown; --json has all"
    }

    func text(width: Int) -> String {
        let columns = Columns(rows, width: width)
        return ([columns.header(scale)] + rows.map { columns.line($0, scale) }).map { $0.trimmingCharacters(in: .whitespaces) + "\n" }.joined()
    }

    /// What there is room for.
    private struct Columns {
        let name: Int, bar: Int
        let hasNumbers: Bool, hasSaturation: Bool

        static let value = 6, mean = 14, saturation = 10

        init(_ rows: [Row], width: Int) {
            hasNumbers = width >= 60
            hasSaturation = width >= 40
            let others = 1 + Self.value + (hasNumbers ? Self.mean : 0) + (hasSaturation ? Self.saturation : 0)
            name = min(rows.map(\.name.count).max() ?? 5, max(4, min(18, (width - others) / 2)))
            bar = max(2, min(48, width - others - name - 1))
        }

        func header(_ scale: ClosedRange<Double>) -> String {
            let low = whole(scale.lowerBound), high = whole(scale.upperBound)
            let axis = bar > low.count + high.count ? low + String(repeating: " ", count: bar - low.count - high.count) + high : String(repeating: " ", count: bar)
            let cells = padded("layer", name) + " " + axis + " " + right("log₁₀", Self.value)
            return cells + (hasNumbers ? right("mean ± std", Self.mean) : "") + (hasSaturation ? right("saturated", Self.saturation) : "")
        }

        func line(_ row: Row, _ scale: ClosedRange<Double>) -> String {
            let value = row.logGradient.map { $0.isFinite ? oneDecimal($0) : $0 < 0 ? "0" : "∞" } ?? "–"
            var text = padded(row.name, name) + " " + Self.bar(row.logGradient, scale, bar) + " " + right(value, Self.value)
            if hasNumbers { text += right(meanText(row.mean, row.deviation), Self.mean) }
            return text + (hasSaturation ? right(row.saturated.map(percent) ?? "–", Self.saturation) : "")
        }

        private static func bar(_ log: Double?, _ scale: ClosedRange<Double>, _ width: Int) -> String {
            guard let log, log.isFinite else { return String(repeating: " ", count: width) }
            let share = (log - scale.lowerBound) / (scale.upperBound - scale.lowerBound), eighths = max(1, Int((share * Double(8 * width)).rounded()))
            let bar = String(repeating: "█", count: eighths / 8) + (eighths % 8 == 0 ? "" : String(Array("▏▎▍▌▋▊▉")[eighths % 8 - 1]))
            return padded(bar, width)
        }
    }
}

/// Cut to so many columns, or filled up.
func padded(_ text: String, _ width: Int) -> String {
    text.count > width ? String(text.prefix(width - 1)) + "…" : text + String(repeating: " ", count: width - text.count)
}

private func whole(_ value: Double) -> String { (value < 0 ? "−" : "") + String(format: "%.0f", value.magnitude) }

/// "−0.5", and no minus before 0.
func oneDecimal(_ value: Double) -> String {
    let text = String(format: "%.1f", value.magnitude)
    return (value < 0 && text != "0.0" ? "−" : "") + text
}

private func right(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(1, width - text.count)) + text }
/// Both to the digits that the deviation asks for.
private func meanText(_ mean: Double, _ deviation: Double) -> String {
    let size = max(deviation, mean.magnitude), format = size >= 1000 || size < 0.01 && size > 0 ? "%.0e" : size < 0.1 ? "%.3f" : size < 100 ? "%.2f" : "%.0f"
    let text = String(format: format, mean.magnitude), isZero = !text.contains { "123456789".contains($0) }
    return (mean < 0 && !isZero ? "−" : "") + text + " ± " + String(format: format, deviation)
}

/// A histogram in one line, from the smallest value to the largest: ▁▂▃▅▇.
func sparkline(_ values: [Double], bins: Int) -> String {
    guard let low = values.min(), let high = values.max(), low.isFinite, high.isFinite, bins > 0 else { return "" }
    var counts = [Int](repeating: 0, count: bins)
    for value in values { counts[high > low ? min(bins - 1, Int((value - low) / (high - low) * Double(bins))) : 0] += 1 }
    return bars(counts.map(Double.init), zero: 0)
}

/// One character a value, from `zero` to the largest; the lowest for anything above it.
func bars(_ values: [Double], zero: Double) -> String {
    let high = values.max() ?? zero, signs = Array(" ▁▂▃▄▅▆▇█")
    return String(values.map { value in
        value > zero && high > zero ? signs[max(1, Int(((value - zero) / (high - zero) * 8).rounded()))] : signs[0]
    })
}
