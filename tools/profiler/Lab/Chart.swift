import FathomCommandLine
import Foundation

/// Curves over two axes: drawn in characters on a terminal, as a figure on a page.
struct Chart {
    struct Axis {
        var label: String
        var isLogarithmic = false
    }

    struct Series {
        enum Style { case marks, line }
        var name: String
        var points: [(x: Double, y: Double)]
        var style = Style.marks
    }

    let title: String
    let x: Axis, y: Axis
    let series: [Series]

    init(_ title: String, x: Axis, y: Axis, _ series: [Series]) { (self.title, self.x, self.y, self.series) = (title, x, y, series) }

    /// Theory is a line, measurement marks; so what agrees is seen at a glance.
    private static let marks = (unicode: Array("●○▲△■□◆◇"), ascii: Array("ox*#%&@$"))
    private static let lines = Array(".:'`")
    private static let widest = 76, height = 15, narrowest = 16

    /// At most `width` columns, 16 at least. Points that have no place on an axis (zero or less on a logarithmic one, or not finite) are left out.
    func text(width: Int, unicode: Bool) -> String {
        let width = max(Self.narrowest, width), heading = wrapped(title, width: width, indent: "")
        guard let drawing = Drawing(self) else { return heading + wrapped("nothing finite to draw", width: width, indent: "  ") }
        let ticks = (x: drawing.x.ticks(most: max(2, width / 10)), y: drawing.y.ticks(most: 6)), labels = ticks.y.map(\.1.count).max() ?? 0
        var grid = CharacterGrid(
            columns: min(width, Self.widest) - labels - 1, rows: Self.height, x: drawing.x.range, y: drawing.y.range, frame: unicode ? .unicode : .ascii)
        let glyphs = self.glyphs(unicode: unicode)
        for style in [Series.Style.line, .marks] {
            for (series, glyph) in zip(drawing.series, glyphs) where series.style == style { Self.draw(series, glyph, on: &grid) }
        }
        let frame = grid.lines(labels: labels, title: ("", ""), ticks: ticks).filter { !$0.allSatisfy { $0 == " " } }
        let legend = zip(series, glyphs).flatMap { wrappedEntry("\($1) \($0.name)", width) }
        let axes = wrapped("\(y.label) over \(x.label)", width: width, indent: "")
        return heading + axes + (frame + CharacterGrid.legend(legend, width: width)).map { $0 + "\n" }.joined()
    }

    private func wrappedEntry(_ entry: String, _ width: Int) -> [String] { wrapped(entry, width: width - 2, indent: "").split(separator: "\n").map(String.init) }

    private func glyphs(unicode: Bool) -> [Character] {
        var mark = 0, line = 0
        return series.map { series in
            if series.style == .line {
                defer { line += 1 }
                return Self.lines[line % Self.lines.count]
            }
            defer { mark += 1 }
            return unicode ? Self.marks.unicode[mark % Self.marks.unicode.count] : Self.marks.ascii[mark % Self.marks.ascii.count]
        }
    }

    private static func draw(_ series: Series, _ glyph: Character, on grid: inout CharacterGrid) {
        for point in series.points { grid[grid.row(point.y), grid.column(point.x)] = glyph }
        guard series.style == .line else { return }
        for (a, b) in zip(series.points, series.points.dropFirst()) where b.x > a.x {
            for column in grid.column(a.x)...grid.column(b.x) {
                let share = min(1, max(0, (grid.value(ofColumn: column) - a.x) / (b.x - a.x)))
                grid[grid.row(a.y + share * (b.y - a.y)), column] = glyph
            }
        }
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
            if isLogarithmic, span < 1.5 {
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
    let series: [Chart.Series]

    init?(_ chart: Chart) {
        func place(_ value: Double, _ axis: Chart.Axis) -> Double { axis.isLogarithmic ? log10(value) : value }
        series = chart.series.map { series in
            var series = series
            series.points = series.points.map { (place($0.x, chart.x), place($0.y, chart.y)) }.filter { $0.0.isFinite && $0.1.isFinite }
            return series
        }
        func scale(_ values: [Double], _ axis: Chart.Axis, margin: Double) -> Scale? {
            guard let least = values.min(), let most = values.max() else { return nil }
            let room = most > least ? (most - least) * margin : max(most.magnitude, 1) * 0.1
            return Scale(range: least - room...most + room, isLogarithmic: axis.isLogarithmic)
        }
        let points = series.flatMap(\.points)
        guard let x = scale(points.map(\.x), chart.x, margin: 0), let y = scale(points.map(\.y), chart.y, margin: 0.03) else { return nil }
        (self.x, self.y) = (x, y)
    }
}

/// Whether the environment's characters are Unicode's: the first of LC_ALL, LC_CTYPE and LANG that is set decides.
func hasUnicode(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> Bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }?.lowercased() ?? ""
    return locale.contains("utf-8") || locale.contains("utf8")
}
