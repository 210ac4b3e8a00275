import Foundation

/// The roofline (Williams, Waterman & Patterson 2009) in characters: GFLOP/s over flops a byte, both logarithmic, under the roofs of the
/// multiply-add peak and of the memory's bandwidth.
struct Roofline {
    struct Mark {
        let name: String
        let flopsPerByte: Double, gflops: Double
    }

    let marks: [Mark]
    /// GFLOP/s and GB/s.
    let peak: Double, bandwidth: Double

    static let narrowest = 40
    private static let height = 16, labels = 8

    /// - Parameter width: of the terminal.
    /// - Returns: nil where the terminal is too narrow, or there is nothing to draw.
    func text(width: Int) -> String? {
        let marks = marks.filter { $0.flopsPerByte > 0 && $0.gflops > 0 }
        guard width >= Self.narrowest, !marks.isEmpty, peak > 0, bandwidth > 0 else { return nil }
        let plot = Plot(marks, peak: peak, bandwidth: bandwidth, columns: min(width, 100) - Self.labels - 1, rows: Self.height)
        return (plot.lines(labels: Self.labels) + plot.legend(width: width)).joined(separator: "\n") + "\n"
    }
}

/// A grid of characters over powers of two.
private struct Plot {
    private var cells: [[Character]]
    private let columns: Int, rows: Int
    /// log₂ of the borders.
    private let x: ClosedRange<Double>, y: ClosedRange<Double>
    private var names: [(letter: Character, name: String)] = []

    private static let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    private static let several: Character = "*"

    init(_ marks: [Roofline.Mark], peak: Double, bandwidth: Double, columns: Int, rows: Int) {
        (self.columns, self.rows) = (columns, rows)
        let intensities = marks.map { log2($0.flopsPerByte) } + [log2(peak / bandwidth)]
        x = (intensities.min()! - 0.5).rounded(.down)...(intensities.max()! + 0.5).rounded(.up)
        let lowest = min(marks.map(\.gflops).min()!, bandwidth * exp2(x.lowerBound)), highest = max(marks.map(\.gflops).max()!, peak)
        y = log2(lowest) - 0.3...log2(highest) + 0.5
        cells = Array(repeating: Array(repeating: " ", count: columns), count: rows)
        drawRoofs(peak: log2(peak), bandwidth: log2(bandwidth))
        for mark in marks { draw(mark) }
    }

    private func column(_ log: Double) -> Int { Int((log - x.lowerBound) / (x.upperBound - x.lowerBound) * Double(columns - 1) + 0.5) }
    /// From the top.
    private func row(_ log: Double) -> Int { Int((y.upperBound - log) / (y.upperBound - y.lowerBound) * Double(rows - 1) + 0.5) }

    private mutating func drawRoofs(peak: Double, bandwidth: Double) {
        for c in 0..<columns {
            let log = x.lowerBound + (x.upperBound - x.lowerBound) * Double(c) / Double(columns - 1)
            cells[row(min(peak, bandwidth + log))][c] = bandwidth + log < peak ? "/" : "-"
        }
    }

    private mutating func draw(_ mark: Roofline.Mark) {
        let letter: Character
        if let known = names.first(where: { $0.name == mark.name }) {
            letter = known.letter
        } else {
            letter = Self.letters[names.count % Self.letters.count]
            names.append((letter, mark.name))
        }
        let (r, c) = (row(log2(mark.gflops)), column(log2(mark.flopsPerByte)))
        cells[r][c] = [" ", "/", "-", letter].contains(cells[r][c]) ? letter : Self.several
    }

    func lines(labels: Int) -> [String] {
        // A power of ten to a label, in the row nearest to it.
        let tens = stride(from: (y.lowerBound / log2(10)).rounded(.up), through: (y.upperBound / log2(10)).rounded(.down), by: 1)
        let marked = Dictionary(tens.map { (row($0 * log2(10)), String(format: "%g", pow(10, $0))) }) { first, _ in first }
        let axis = cells.enumerated().map { r, cells in
            pad(marked[r] ?? "", labels) + (marked[r] == nil ? "|" : "+") + trimmed(String(cells))
        }
        var ticks = Array(repeating: Character("-"), count: columns), numbers = Array(repeating: Character(" "), count: columns + labels)
        var free = 0
        for power in Int(x.lowerBound)...Int(x.upperBound) {
            let c = column(Double(power)), text = power < 0 ? "1/\(1 << -power)" : "\(1 << power)", start = max(0, c - text.count / 2)
            guard start >= free, start + text.count <= columns else { continue }
            ticks[c] = "+"
            for (i, character) in text.enumerated() { numbers[start + i] = character }
            free = start + text.count + 1
        }
        return [pad("GFLOP/s", labels)] + axis + [pad("", labels) + "+" + String(ticks), pad("", labels + 1) + trimmed(String(numbers)),
                pad("", labels + 1) + "flops a byte"]
    }

    func legend(width: Int) -> [String] {
        let hidden = cells.joined().contains(Self.several) ? ["\(Self.several) several"] : []
        let entries = names.map { "\($0.letter) \($0.name)" } + hidden + ["- peak", "/ bandwidth"]
        let longest = entries.map(\.count).max()! + 2, perLine = max(1, (width + 2) / longest)
        let lines = (entries.count + perLine - 1) / perLine
        // Down the columns, as a list is read.
        return (0..<lines).map { line in
            trimmed((0..<perLine).compactMap { column in
                let i = column * lines + line
                return i < entries.count ? entries[i].padding(toLength: longest, withPad: " ", startingAt: 0) : nil
            }.joined())
        }
    }

    private func pad(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
    private func trimmed(_ text: String) -> String { String(text.reversed().drop { $0 == " " }.reversed()) }
}
