import Foundation

/// A plot's grid of characters with its frame: axes to the left and below, labels and titles beside them.
struct CharacterGrid {
    /// What borders are made of.
    struct Frame {
        let vertical: Character, horizontal: Character, tickLeft: Character, tickBelow: Character, corner: Character

        static let ascii = Frame(vertical: "|", horizontal: "-", tickLeft: "+", tickBelow: "+", corner: "+")
        static let unicode = Frame(vertical: "│", horizontal: "─", tickLeft: "┤", tickBelow: "┬", corner: "└")
    }

    let columns: Int, rows: Int
    /// From border to border, in whatever scale the caller draws.
    let x: ClosedRange<Double>, y: ClosedRange<Double>
    var frame = Frame.ascii
    private(set) var cells: [[Character]]

    init(columns: Int, rows: Int, x: ClosedRange<Double>, y: ClosedRange<Double>, frame: Frame = .ascii) {
        (self.columns, self.rows, self.x, self.y, self.frame) = (columns, rows, x, y, frame)
        cells = Array(repeating: Array(repeating: " ", count: columns), count: rows)
    }

    func column(_ value: Double) -> Int { Int((value - x.lowerBound) / (x.upperBound - x.lowerBound) * Double(columns - 1) + 0.5) }
    /// From the top.
    func row(_ value: Double) -> Int { Int((y.upperBound - value) / (y.upperBound - y.lowerBound) * Double(rows - 1) + 0.5) }
    /// What a column stands for.
    func value(ofColumn column: Int) -> Double { x.lowerBound + (x.upperBound - x.lowerBound) * Double(column) / Double(max(1, columns - 1)) }

    subscript(row: Int, column: Int) -> Character {
        get { cells[row][column] }
        set { cells[row][column] = newValue }
    }

    /// The grid with its frame. A label goes to the row or the column nearest to its value; one that would touch another is left out.
    /// - Parameter labels: columns of the labels to the left.
    func lines(labels: Int, title: (x: String, y: String), ticks: (x: [(Double, String)], y: [(Double, String)])) -> [String] {
        let marked = Dictionary(ticks.y.map { (row($0.0), $0.1) }) { first, _ in first }
        let axis = cells.enumerated().map { r, cells in
            Self.padded(marked[r] ?? "", labels) + String(marked[r] == nil ? frame.vertical : frame.tickLeft) + Self.trimmed(String(cells))
        }
        var below = Array(repeating: frame.horizontal, count: columns), numbers = Array(repeating: Character(" "), count: columns + labels), free = 0
        for (value, text) in ticks.x {
            let c = column(value), start = max(0, c - text.count / 2)
            guard start >= free, start + text.count <= columns else { continue }
            below[c] = frame.tickBelow
            for (i, character) in text.enumerated() { numbers[start + i] = character }
            free = start + text.count + 1
        }
        let indent = Self.padded("", labels + 1)
        return [Self.padded(title.y, labels)] + axis
            + [Self.padded("", labels) + String(frame.corner) + String(below), indent + Self.trimmed(String(numbers)), indent + title.x]
    }

    /// Entries in columns, read downward.
    static func legend(_ entries: [String], width: Int) -> [String] {
        let longest = (entries.map(\.count).max() ?? 0) + 2, perLine = max(1, (width + 2) / longest)
        let lines = (entries.count + perLine - 1) / perLine
        return (0..<lines).map { line in
            trimmed((0..<perLine).compactMap { column in
                let i = column * lines + line
                return i < entries.count ? entries[i].padding(toLength: longest, withPad: " ", startingAt: 0) : nil
            }.joined())
        }
    }

    static func padded(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
    static func trimmed(_ text: String) -> String { String(text.reversed().drop { $0 == " " }.reversed()) }
}
