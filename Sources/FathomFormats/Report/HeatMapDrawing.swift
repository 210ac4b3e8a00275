/// Draws a `HeatMap`.
struct HeatMapDrawing {
    private let map: HeatMap
    /// The rows and columns that go into one of the drawn.
    private let rows: [Range<Int>], columns: [Range<Int>]
    /// Pooled; row after row.
    private let values: [Double]
    private let finite: [Double]
    private let range: ClosedRange<Double>
    private let left: Double, right = Drawing.width - 8, top = 24.0, bottom: Double

    /// Tooltips of one map; of more cells, some share one.
    private static let tooltips = 640
    private static let longestName = 16, leastHeight = 120.0, mostHeight = 288.0, tallestRow = 24.0

    init(_ map: HeatMap) {
        self.map = map
        let rows = Self.groups(map.rows.count, HeatMap.mostRows), columns = Self.groups(map.columns.count, HeatMap.mostColumns)
        let values = rows.flatMap { row in columns.map { Self.mean(map, row, $0) } }
        (self.rows, self.columns, self.values) = (rows, columns, values)
        finite = values.filter(\.isFinite)
        let low = finite.min() ?? 0, high = finite.max() ?? 0
        let natural = map.scale == .diverging ? -max(abs(low), abs(high))...max(abs(low), abs(high)) : low...high
        range = map.range ?? (natural.lowerBound == natural.upperBound ? natural.lowerBound - 0.5...natural.upperBound + 0.5 : natural)
        left = 14 + Double(min(map.rows.map(\.count).max() ?? 0, Self.longestName)) * Drawing.letter
        let least = min(Self.leastHeight, Self.tallestRow * Double(max(rows.count, 1)))
        bottom = 24 + min(max(10 * Double(rows.count), least), Self.mostHeight)
    }

    /// Even groups of neighbours, `most` at most.
    static func groups(_ count: Int, _ most: Int) -> [Range<Int>] {
        let groups = min(count, most)
        return (0..<groups).map { count * $0 / groups..<count * ($0 + 1) / groups }
    }

    private static func mean(_ map: HeatMap, _ rows: Range<Int>, _ columns: Range<Int>) -> Double {
        if rows.count == 1, columns.count == 1 { return map.values[rows.lowerBound * map.columns.count + columns.lowerBound] }
        var sum = 0.0, count = 0
        for row in rows {
            for column in columns where map.values[row * map.columns.count + column].isFinite {
                sum += map.values[row * map.columns.count + column]
                count += 1
            }
        }
        return count > 0 ? sum / Double(count) : .nan
    }

    private func x(_ column: Int) -> Double { left + (right - left) * Double(column) / Double(max(columns.count, 1)) }
    private func y(_ row: Int) -> Double { top + (bottom - top) * Double(row) / Double(max(rows.count, 1)) }

    var svg: String {
        var drawing = Drawing()
        drawing.text(4, 12, map.rowLabel, "label")
        drawing.rectangle(left, top, right - left, bottom - top, "gap")
        // In cells: numbers of one digit or two keep a map of many cells small.
        drawing.begin(x: left, y: top, width: right - left, height: bottom - top, units: (max(columns.count, 1), max(rows.count, 1)))
        drawCells(&drawing)
        drawTooltips(&drawing)
        drawing.end()
        drawLine(&drawing)
        drawLabels(&drawing)
        if finite.isEmpty { drawing.text((left + right) / 2, (top + bottom) / 2 + 4, "no values", "label middle") }
        let height = drawScale(&drawing, top: bottom + 40)
        return drawing.svg(height: height, title: map.title)
    }

    /// One path for each level, its cells joined along the rows.
    private func drawCells(_ drawing: inout Drawing) {
        var paths = Array(repeating: "", count: ColorScale.levels)
        for row in rows.indices {
            var column = 0
            while column < columns.count {
                let level = level(row, column), first = column
                repeat { column += 1 } while column < columns.count && self.level(row, column) == level
                guard let level else { continue }
                paths[level] += "M\(first) \(row)h\(column - first)v1H\(first)z"
            }
        }
        let colors = (map.scale == .sequential ? ColorScale.sequential : .diverging).colors
        for (level, path) in paths.enumerated() where !path.isEmpty { drawing.raw("<path class=\"cell\" color=\"\(colors[level])\" d=\"\(path)\"/>") }
    }

    private func level(_ row: Int, _ column: Int) -> Int? {
        let value = values[row * columns.count + column]
        return value.isFinite ? ColorScale.level(value, in: range) : nil
    }

    private func drawLine(_ drawing: inout Drawing) {
        guard let line = map.line else { return }
        let places = line.places.map { place -> (x: Double, y: Double)? in
            guard place.column.isFinite, place.row.isFinite, !map.rows.isEmpty, !map.columns.isEmpty else { return nil }
            let x = left + (right - left) * (place.column + 0.5) / Double(map.columns.count)
            let y = top + (bottom - top) * (place.row + 0.5) / Double(map.rows.count)
            return y >= top && y <= bottom && x >= left && x <= right ? (x, y) : nil
        }
        drawing.path(Polyline.path(places), "halo")
        drawing.path(Polyline.path(places), "over")
    }

    private func drawLabels(_ drawing: inout Drawing) {
        let height = (bottom - top) / Double(max(rows.count, 1)), every = max(1, Int((12 / height).rounded(.up)))
        for row in stride(from: 0, to: rows.count, by: every) {
            drawing.text(left - 5, (y(row) + y(row + 1)) / 2 + 4, shortened(map.rows[rows[row].lowerBound], to: Self.longestName), "end")
        }
        var free = 0.0
        for (place, text) in columnLabels {
            let half = Double(text.count) * Drawing.digit / 2
            guard place - half >= free, place + half <= Drawing.width else { continue }
            drawing.text(place, bottom + 14, text, "middle")
            free = place + half + 8
        }
        drawing.text(right, bottom + 29, map.columnLabel, "label end")
    }

    /// Columns that are ascending numbers are marked at round ones, where there are more than fit.
    private var columnLabels: [(place: Double, text: String)] {
        let middles = columns.indices.map { (x($0) + x($0 + 1)) / 2 }
        let names = columns.map { shortened(map.columns[$0.lowerBound], to: Self.longestName) }
        let numbers = columns.compactMap { range in
            Double(map.columns[range.lowerBound]).flatMap { first in Double(map.columns[range.upperBound - 1]).map { (first + $0) / 2 } }
        }
        guard numbers.count == columns.count, columns.count > 16, zip(numbers, numbers.dropFirst()).allSatisfy({ $0 < $1 }) else {
            return Array(zip(middles, names))
        }
        return Ruler.linearTicks(numbers[0], numbers[numbers.count - 1], 6).map { tick in
            let next = max(1, numbers.firstIndex { $0 >= tick.value } ?? numbers.count - 1)
            let share = (tick.value - numbers[next - 1]) / (numbers[next] - numbers[next - 1])
            return (middles[next - 1] + share * (middles[next] - middles[next - 1]), tick.text)
        }
    }

    private func drawTooltips(_ drawing: inout Drawing) {
        let bands = Self.groups(columns.count, max(1, Self.tooltips / max(rows.count, 1)))
        for row in rows.indices {
            for band in bands {
                let all = band.map { values[row * columns.count + $0] }.filter(\.isFinite)
                guard let low = all.min(), let high = all.max() else { continue }
                let names = Self.span(map.rows, rows[row]) + "\n\(map.columnLabel) "
                    + Self.span(map.columns, columns[band.lowerBound].lowerBound..<columns[band.upperBound - 1].upperBound)
                let title = "\(names)\n\(map.unit) " + (low == high ? numberText(low) : "\(numberText(low)) … \(numberText(high))")
                drawing.path("M\(band.lowerBound) \(row)h\(band.count)v1h-\(band.count)z", "tip", title: title)
            }
        }
    }

    private static func span(_ names: [String], _ range: Range<Int>) -> String {
        range.count == 1 ? names[range.lowerBound] : "\(names[range.lowerBound]) … \(names[range.upperBound - 1])"
    }

    /// The colours with their values, and what the line is.
    /// - Returns: the height of the figure.
    private func drawScale(_ drawing: inout Drawing, top: Double) -> Double {
        let colors = (map.scale == .sequential ? ColorScale.sequential : .diverging).colors, width = 180.0
        let ruler = Ruler(Axis("", range: range), [], from: 0, to: width)
        let ticks = ruler.roomyTicks(5).compactMap { tick in ruler.position(tick.value).map { ($0, tick.text) } }
        // The first text stands under its mark, whole.
        let left = 4 + (ticks.first.map { max(0, Double($0.1.count) * Drawing.digit / 2 - $0.0) } ?? 0)
        drawing.text(4, top + 10, map.unit, "label")
        drawing.begin(x: left, y: top + 16, width: width, height: 10, units: (colors.count, 1))
        for (level, color) in colors.enumerated() { drawing.raw("<path class=\"cell\" color=\"\(color)\" d=\"M\(level) 0h1v1h-1z\"/>") }
        drawing.end()
        for (place, text) in ticks {
            drawing.line(left + place, top + 26, left + place, top + 30, "axis")
            drawing.text(left + place, top + 42, text, "middle")
        }
        guard let line = map.line else { return top + 48 }
        drawing.line(220, top + 21, 244, top + 21, "halo")
        drawing.line(220, top + 21, 244, top + 21, "over")
        drawing.text(250, top + 25, shortened(line.name, to: 28))
        return top + 48
    }
}
