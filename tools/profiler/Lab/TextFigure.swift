import FathomCommandLine
import FathomFormats
import Foundation

/// Figures in characters, for a terminal: what a page draws as SVG.
extension Chart {
    /// Theory is a line of dots, measurement marks, so what agrees is seen at a glance.
    private static let glyphs = (unicode: Array("●○▲△■□◆◇"), ascii: Array("ox#%&@$v"), theory: Array(".:'`"), several: Character("*"))
    private static let widest = 76, height = 15, narrowest = 16

    /// At most `width` columns, 16 at least. Points that have no place on an axis (zero or less on a logarithmic one, or not finite) are left out.
    func text(width: Int, unicode: Bool) -> String {
        let width = max(Self.narrowest, width), heading = wrapped(title, width: width, indent: "")
        guard let drawing = Drawing(self) else { return heading + wrapped("nothing finite to draw", width: width, indent: "  ") }
        let ticks = (x: drawing.x.ticks(most: max(2, width / 10)), y: drawing.y.ticks(most: 6)), labels = ticks.y.map(\.1.count).max() ?? 0
        var grid = CharacterGrid(
            columns: min(width, Self.widest) - labels - 1, rows: Self.height, x: drawing.x.range, y: drawing.y.range, frame: unicode ? .unicode : .ascii)
        let glyphs = glyphs(unicode: unicode)
        var areHidden = false
        for isTheory in [true, false] {
            for (index, points) in drawing.series.enumerated() where (series[index].style == .theory) == isTheory {
                if Self.draw(points, glyphs[index], joined: isTheory, on: &grid) { areHidden = true }
            }
        }
        let frame = grid.lines(labels: labels, title: ("", ""), ticks: ticks).filter { !$0.allSatisfy { $0 == " " } }
        let legend = zip(series, glyphs).map { "\($1) \($0.name)" } + (areHidden ? ["\(Self.glyphs.several) several"] : []), legendLines = legend.contains { $0.count + 2 > width }
            ? legend.flatMap { wrapped($0, width: width, indent: "").split(separator: "\n").map(String.init) } : CharacterGrid.legend(legend, width: width)
        return heading + wrapped("\(y.label) over \(x.label)", width: width, indent: "") + (frame + legendLines).map { $0 + "\n" }.joined()
    }

    private func glyphs(unicode: Bool) -> [Character] {
        let marks = unicode ? Self.glyphs.unicode : Self.glyphs.ascii
        var mark = 0, theory = 0
        return series.map { series in
            if series.style == .theory {
                theory += 1
                return Self.glyphs.theory[(theory - 1) % Self.glyphs.theory.count]
            }
            mark += 1
            return marks[(mark - 1) % marks.count]
        }
    }

    /// - Returns: whether marks of others were where these are.
    private static func draw(_ points: [(x: Double, y: Double)], _ glyph: Character, joined: Bool, on grid: inout CharacterGrid) -> Bool {
        var areHidden = false
        for point in points {
            let (row, column) = (grid.row(point.y), grid.column(point.x))
            let isFree = joined || ([" ", glyph] + glyphs.theory).contains(grid[row, column])
            if !isFree { areHidden = true }
            grid[row, column] = isFree ? glyph : glyphs.several
        }
        guard joined else { return areHidden }
        for (first, second) in zip(points, points.dropFirst()) where first.x != second.x {
            let (a, b) = first.x < second.x ? (first, second) : (second, first)
            for column in grid.column(a.x)...grid.column(b.x) {
                let share = min(1, max(0, (grid.value(ofColumn: column) - a.x) / (b.x - a.x)))
                grid[grid.row(a.y + share * (b.y - a.y)), column] = glyph
            }
        }
        return areHidden
    }
}

/// A chart in the coordinates that it is drawn in: logarithms where an axis is logarithmic.
private struct Drawing {
    struct Scale {
        let range: ClosedRange<Double>
        let isLogarithmic: Bool

        /// Round numbers inside of the range, or powers of ten.
        func ticks(most: Int) -> [(Double, String)] {
            let span = range.upperBound - range.lowerBound
            if isLogarithmic, span < 1 {
                let linear = Scale(range: pow(10, range.lowerBound)...pow(10, range.upperBound), isLogarithmic: false)
                return linear.ticks(most: most).map { (log10($0.0), $0.1) }
            }
            if isLogarithmic, span < 2 {
                let powers = Int(range.lowerBound.rounded(.down))...Int(range.upperBound.rounded(.up))
                return powers.flatMap { power in [1, 2, 5].map { log10($0) + Double(power) } }.filter(range.contains).map { ($0, String(format: "%.3g", pow(10, $0))) }
            }
            let steps: [Double] = isLogarithmic ? [1, 2, 3, 5, 10, 20, 50, 100, 200, 500] : (-8...18).flatMap { power in [1, 2, 5].map { $0 * pow(10, Double(power)) } }
            guard let step = steps.first(where: { span / $0 <= Double(most) }) else { return [] }
            let values = stride(from: (range.lowerBound / step).rounded(.up) * step, through: range.upperBound, by: step)
            return values.map { value in (value, isLogarithmic ? Self.power(value) : String(format: "%.4g", value.magnitude < step / 1000 ? 0 : value)) }
        }

        private static func power(_ value: Double) -> String {
            value.magnitude <= 3 ? String(format: "%.4g", pow(10, value)) : String(format: "1e%.0f", value)
        }
    }

    let x: Scale, y: Scale
    let series: [[(x: Double, y: Double)]]

    init?(_ chart: Chart) {
        func place(_ value: Double, _ axis: Axis) -> Double { axis.scale == .logarithmic ? log10(value) : value }
        func isSeen(_ value: Double, _ axis: Axis) -> Bool { value.isFinite && axis.range?.contains(value) != false }
        series = chart.series.map { series in
            // Of a histogram, whose values are edges, the middles.
            let x = series.style == .histogram ? zip(series.x, series.x.dropFirst()).map { ($0 + $1) / 2 } : series.x
            return zip(x, series.y).filter { isSeen($0, chart.x) && isSeen($1, chart.y) }.map { (place($0, chart.x), place($1, chart.y)) }
                .filter { $0.0.isFinite && $0.1.isFinite }
        }
        func scale(_ values: [Double], _ axis: Axis, margin: Double) -> Scale? {
            guard let least = values.min(), let most = values.max() else { return nil }
            let room = most > least ? (most - least) * margin : max(most.magnitude, 1) * 0.1
            return Scale(range: least - room...most + room, isLogarithmic: axis.scale == .logarithmic)
        }
        let points = series.joined()
        guard let x = scale(points.map(\.x), chart.x, margin: 0), let y = scale(points.map(\.y), chart.y, margin: 0.03) else { return nil }
        (self.x, self.y) = (x, y)
    }
}

/// Whether the environment's characters are Unicode's: the first of LC_ALL, LC_CTYPE and LANG that is set decides.
func hasUnicode(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> Bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }?.lowercased() ?? ""
    return locale.contains("utf-8") || locale.contains("utf8")
}

extension Chart.Series {
    init(_ name: String, _ style: Style, _ points: [(Double, Double)], error: [Double] = [], look: Int? = nil) {
        self.init(name, style, points.map(\.0), points.map(\.1), error: error, look: look)
    }
}

extension HeatMap {
    /// From the lowest value to the highest.
    private static let ramps = (unicode: Array(" ░▒▓█"), ascii: Array(" .:-=+*#%@"))

    /// Cells of one to four columns; columns that do not fit are left out evenly. The line over the map is drawn as x.
    func text(width: Int, unicode: Bool) -> String {
        let ramp = unicode ? Self.ramps.unicode : Self.ramps.ascii, labels = rows.map(\.count).max() ?? 0, finite = values.filter(\.isFinite)
        let room = max(4, width - labels - 1), cell = max(1, min(4, room / max(1, columns.count))), shown = spread(Array(columns.indices), most: room / cell)
        let lowest = range?.lowerBound ?? finite.min() ?? 0, highest = range?.upperBound ?? finite.max() ?? 1
        func glyph(_ value: Double) -> Character {
            guard value.isFinite else { return "?" }
            let share = highest > lowest ? min(max((value - lowest) / (highest - lowest), 0), 1) : 1
            return ramp[min(ramp.count - 1, Int(share * Double(ramp.count)))]
        }
        func isOnLine(_ row: Int, _ column: Int) -> Bool { line?.places.contains { Int($0.column.rounded()) == column && Int($0.row.rounded()) == row } == true }
        let body = rows.indices.map { row in
            CharacterGrid.padded(rows[row], labels) + (unicode ? "│" : "|") + CharacterGrid.trimmed(shown.map { column in
                var text = Array(repeating: glyph(values[row * columns.count + column]), count: cell)
                if isOnLine(row, column) { text[cell / 2] = "x" }
                return String(text)
            }.joined())
        }
        var numbers = Array(repeating: Character(" "), count: shown.count * cell), free = 0
        for (place, column) in shown.enumerated() where place * cell >= free && place * cell + columns[column].count <= numbers.count {
            for (i, character) in columns[column].enumerated() { numbers[place * cell + i] = character }
            free = place * cell + columns[column].count + 1
        }
        let scale = "\(unit): '\(ramp[0])' \(figure(lowest, digits: 3)) … '\(ramp[ramp.count - 1])' \(figure(highest, digits: 3))" + (line.map { "; x \($0.name)" } ?? "")
        return wrapped(title, width: width, indent: "") + wrapped("\(rowLabel) over \(columnLabel)", width: width, indent: "")
            + (body + [CharacterGrid.padded("", labels + 1) + CharacterGrid.trimmed(String(numbers))]).map { $0 + "\n" }.joined() + wrapped(scale, width: width, indent: "")
    }
}
