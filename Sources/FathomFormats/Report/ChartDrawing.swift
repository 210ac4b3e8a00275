import Foundation

/// Draws a `Chart`.
struct ChartDrawing {
    /// Without the series that have nothing to draw.
    private var chart: Chart
    /// Colour and mark of each series.
    private let looks: [Int]
    private let isNamed: Bool
    private let x: Ruler, y: Ruler
    private let left: Double, right: Double, top: Double, bottom: Double
    private let xTicks: [(value: Double, text: String)], yTicks: [(value: Double, text: String)]

    /// Places of x that have a tooltip, and marks along a line.
    private static let tooltips = 60, marksOnLine = 8
    /// Points that have a tooltip each.
    private static let titledPoints = 1_000
    /// Marks whose names are written.
    private static let namedMarks = 4
    /// The share of a name within the figure that may lie on data.
    private static let mostHidden = 0.05
    private static let height = 200.0

    init(_ chart: Chart) {
        var looks: [Int] = [], next = 0
        for series in chart.series {
            let look = series.look ?? (series.style == .theory && !looks.isEmpty ? looks[looks.count - 1] : next)
            looks.append(look)
            next = max(next, look + 1)
        }
        (top, bottom) = (24, 24 + Self.height)
        let ys = chart.series.flatMap { series -> [Double] in
            let errors = series.error.isEmpty ? [] : zip(series.y, series.error).flatMap { $1.isFinite ? [$0 - $1, $0 + $1] : [] }
            return series.y + errors + (series.style == .histogram && chart.y.scale == .linear ? [0] : [])
        } + chart.marks.filter { $0.direction == .horizontal }.map(\.value)
        let y = Ruler(chart.y, ys, from: bottom, to: top, padding: 0.06)
        yTicks = y.ticks(5)
        left = min(96, 12 + Double(yTicks.map(\.text.count).max() ?? 1) * Drawing.digit)
        right = Drawing.width - 12
        let isOfBars = chart.series.contains { $0.style == .histogram }
        let xs = chart.series.flatMap(\.x) + chart.marks.filter { $0.direction == .vertical }.map(\.value)
        let x = Ruler(chart.x, xs, from: left, to: right, padding: isOfBars ? 0 : 0.02)
        xTicks = x.roomyTicks(6)
        let drawn = chart.series.indices.filter { index in
            zip(chart.series[index].x, chart.series[index].y).contains { x.position($0) != nil && y.position($1) != nil }
        }
        // A line alone is what the title says, unless it is told from those of other figures by its colour.
        isNamed = chart.series.count > 1 || chart.series.contains { $0.look != nil }
        (self.x, self.y, self.chart, self.looks) = (x, y, chart, drawn.map { looks[$0] })
        self.chart.series = drawn.map { chart.series[$0] }
    }

    var svg: String {
        var drawing = Drawing()
        drawAxes(&drawing)
        // A picture in the picture cuts off what lies outside, without a name that another figure of the page might have too.
        drawing.begin(x: left - 4, y: top - 4, width: right + 8 - left, height: bottom - top + 8)
        drawMarks(&drawing)
        let order = chart.series.indices.sorted { Self.depth(chart.series[$0].style) < Self.depth(chart.series[$1].style) }
        for index in order { draw(chart.series[index], looks[index], &drawing) }
        drawing.end()
        let others = drawNames(&drawing)
        if chart.series.isEmpty {
            drawing.text((left + right) / 2, (top + bottom) / 2 - 10, "no values", "label middle")
        }
        drawTooltips(&drawing)
        let legend = Legend((isNamed ? entries : []) + others.map(Self.entry), left: 4)
        legend.draw(&drawing, top: bottom + 36)
        return drawing.svg(height: bottom + 38 + legend.height, title: chart.title)
    }

    /// What is drawn first lies behind.
    private static func depth(_ style: Chart.Series.Style) -> Int {
        switch style { case .histogram: 0; case .raw: 1; case .line: 2; case .points: 3; case .theory: 4 }
    }

    private func drawAxes(_ drawing: inout Drawing) {
        for tick in yTicks {
            guard let place = y.position(tick.value) else { continue }
            drawing.line(left, place, right, place, "grid")
            drawing.text(left - 6, place + 4, tick.text, "end")
        }
        for tick in xTicks {
            guard let place = x.position(tick.value) else { continue }
            drawing.line(place, bottom, place, bottom + 4, "axis")
            let half = Double(tick.text.count) * Drawing.digit / 2
            drawing.text(min(place, Drawing.width - half), bottom + 17, tick.text, "middle")
        }
        drawing.line(left, bottom, right, bottom, "axis")
        drawing.text(4, 12, chart.y.label, "label")
        drawing.text(right, bottom + 32, chart.x.label, "label end")
    }

    private func drawMarks(_ drawing: inout Drawing) {
        for mark in chart.marks {
            switch mark.direction {
            case .vertical: if let place = x.position(mark.value) { drawing.line(place, top - 4, place, bottom, "mark") }
            case .horizontal: if let place = y.position(mark.value) { drawing.line(left, place, right, place, "mark") }
            }
        }
    }

    /// Names of a few marks, where the least of the data lies.
    /// - Returns: those of level lines that would hide data wherever they stood.
    private func drawNames(_ drawing: inout Drawing) -> [String] {
        guard (1...Self.namedMarks).contains(chart.marks.count) else { return [] }
        var placing = NamePlacing(data: chart.series.flatMap(boxes), texts: [NamePlacing.Place(x: 4, y: 12, anchor: "").box(chart.y.label + " ")])
        return chart.marks.filter { !namePlaces($0).isEmpty }.compactMap { mark in
            let places = namePlaces(mark).filter { $0.box(mark.name).left >= 0 && $0.box(mark.name).right <= Drawing.width }
            guard let place = placing.place(mark.name, places, most: mark.direction == .vertical ? .infinity : Self.mostHidden) else { return mark.name }
            drawing.text(place.x, place.y, mark.name, "name \(place.anchor)")
            return nil
        }
    }

    /// Above an upright line, or down along it; over a level one or under it.
    private func namePlaces(_ mark: Chart.Mark) -> [NamePlacing.Place] {
        switch mark.direction {
        case .vertical:
            guard let place = x.position(mark.value), (left...right).contains(place) else { return [] }
            let half = Double(mark.name.count) * Drawing.letter / 2
            let above = NamePlacing.Place(x: min(place, Drawing.width - 2 - half), y: top - 8, anchor: "middle")
            let sides = place > (left + right) / 2 ? [(-4.0, "end"), (4.0, "")] : [(4.0, ""), (-4.0, "end")]
            return [above] + stride(from: top + 10, to: bottom - 4, by: 13).flatMap { y in sides.map { NamePlacing.Place(x: place + $0.0, y: y, anchor: $0.1) } }
        case .horizontal:
            guard let place = y.position(mark.value), (top...bottom).contains(place) else { return [] }
            let rows = [place - 4, place + 13].filter { $0 > top + 8 && $0 < bottom - 2 }, ends = [(left + 4, ""), (right - 4, "end")]
            let between = stride(from: left + 20, to: right, by: 16).map { ($0, "") }
            return (ends + between).flatMap { x, anchor in rows.map { NamePlacing.Place(x: x, y: $0, anchor: anchor) } }
        }
    }

    /// Where a series lies, about.
    private func boxes(_ series: Chart.Series) -> [Box] {
        if series.style == .histogram { return bars(series) }
        let places = Polyline.thinned(places(series)), reach = 4.0, errors = errorBars(series)
        guard series.style != .points else {
            return errors + places.compactMap(\.self).map { Box(left: $0.x - reach, top: $0.y - reach, right: $0.x + reach, bottom: $0.y + reach) }
        }
        return errors + zip(places, places.dropFirst()).flatMap { from, to -> [Box] in
            guard let from, let to else { return [] }
            let pieces = max(1, (max(abs(to.x - from.x), abs(to.y - from.y)) / reach).rounded(.up))
            return stride(from: 0.5, to: pieces, by: 1).map { piece in
                let x = from.x + (to.x - from.x) * piece / pieces, y = from.y + (to.y - from.y) * piece / pieces
                return Box(left: x - reach / 2, top: y - reach / 2, right: x + reach / 2, bottom: y + reach / 2)
            }
        }
    }

    // MARK: Series

    private func draw(_ series: Chart.Series, _ look: Int, _ drawing: inout Drawing) {
        let color = Look.color(look)
        switch series.style {
        case .histogram:
            drawing.path(bars(series).map(\.outline).joined(), "bar \(color)")
        case .points:
            drawErrors(series, color, &drawing)
            drawPoints(series, look, &drawing)
        case .line, .theory, .raw:
            drawErrors(series, color, &drawing)
            let places = places(series)
            drawing.path(Polyline.path(Polyline.thinned(places)), (series.style == .line ? "line " : series.style == .theory ? "line theory " : "line raw ") + color)
            if series.style == .line, isNamed || series.y.count <= 30 {
                let marked = Polyline.spread(places, series.y.count <= 30 ? 30 : Self.marksOnLine, shift: look)
                drawing.path(marked.map { Self.mark($0, look) }.joined(), "point \(color)")
            }
        }
    }

    private func places(_ series: Chart.Series) -> [(x: Double, y: Double)?] {
        zip(series.x, series.y).map { a, b in
            guard let a = x.position(a), let b = y.position(b) else { return nil }
            return (a, b)
        }
    }

    private static func mark(_ place: (x: Double, y: Double), _ look: Int) -> String {
        "M\(coordinate(place.x)) \(coordinate(place.y))" + Look.mark(look)
    }

    private func drawPoints(_ series: Chart.Series, _ look: Int, _ drawing: inout Drawing) {
        let places = places(series), classes = "point \(Look.color(look))"
        guard places.count <= Self.titledPoints else {
            return drawing.path(places.compactMap { $0.map { Self.mark($0, look) } }.joined(), classes + " many")
        }
        for (index, place) in places.enumerated() {
            guard let place else { continue }
            let error = series.error.isEmpty || !series.error[index].isFinite ? "" : " ± \(numberText(series.error[index]))"
            let title = "\(series.name)\n\(chart.x.label) \(numberText(series.x[index]))\n\(chart.y.label) \(numberText(series.y[index]))\(error)"
            drawing.path(Self.mark(place, look), classes, title: title)
        }
    }

    private func drawErrors(_ series: Chart.Series, _ color: String, _ drawing: inout Drawing) {
        let bars = errorBars(series).map { bar in
            "M\(coordinate((bar.left + bar.right) / 2)) \(coordinate(bar.top))V\(coordinate(bar.bottom))m-3 0h6M\(coordinate(bar.left)) \(coordinate(bar.top))h6"
        }
        drawing.path(bars.joined(), "line error \(color)")
    }

    private func errorBars(_ series: Chart.Series) -> [Box] {
        series.error.indices.compactMap { index in
            let value = series.y[index], error = series.error[index]
            guard error.isFinite, error > 0, let place = x.position(series.x[index]), let high = y.position(value + error) else { return nil }
            return Box(left: place - 3, top: high, right: place + 3, bottom: y.position(value - error) ?? bottom)
        }
    }

    private func bars(_ series: Chart.Series) -> [Box] {
        let base = y.scale == .linear ? y.position(0) ?? bottom : bottom
        return series.y.indices.compactMap { index in
            guard let a = x.position(series.x[index]), let b = x.position(series.x[index + 1]), let place = y.position(series.y[index]) else { return nil }
            return Box(left: a, top: place, right: b, bottom: base)
        }
    }

    // MARK: Legend and tooltips

    private var entries: [Legend.Entry] {
        zip(chart.series, looks).filter { !($0.0.style == .raw && $0.0.name.isEmpty) }.map { series, look in
            Legend.Entry(name: series.name) { x, y in
                var sample = Drawing(), color = Look.color(look)
                switch series.style {
                case .histogram: sample.rectangle(x + 2, y - 5, 16, 10, "bar \(color)")
                case .points: sample.path(Self.mark((x + 10, y), look), "point \(color)")
                case .line, .theory, .raw:
                    color = (series.style == .line ? "line " : series.style == .theory ? "line theory " : "line raw ") + color
                    sample.line(x, y, x + 20, y, color)
                    if series.style == .line { sample.path(Self.mark((x + 10, y), look), "point \(Look.color(look))") }
                }
                return sample.body
            }
        }
    }

    /// Of a mark.
    private static func entry(_ name: String) -> Legend.Entry {
        Legend.Entry(name: name) { x, y in
            var sample = Drawing()
            sample.line(x, y, x + 20, y, "mark")
            return sample.body
        }
    }

    /// Upright bands over the figure, each with a tooltip that says what all the series are there.
    private func drawTooltips(_ drawing: inout Drawing) {
        let readable = chart.series.filter { series in
            series.style != .points && !(series.style == .raw && series.name.isEmpty) && zip(series.x, series.x.dropFirst()).allSatisfy { $0 <= $1 }
        }
        let all = Set(readable.flatMap { series in series.style == .histogram ? zip(series.x, series.x.dropFirst()).map { ($0 + $1) / 2 } : series.x })
            .filter { x.position($0) != nil }.sorted()
        guard !all.isEmpty else { return }
        let count = min(all.count, Self.tooltips)
        let values = (0..<count).map { all[count == 1 ? 0 : $0 * (all.count - 1) / (count - 1)] }
        let places = values.map { min(max(x.position($0) ?? left, left), right) }
        for (index, value) in values.enumerated() {
            let from = index == 0 ? left : (places[index - 1] + places[index]) / 2
            let to = index == count - 1 ? right : (places[index] + places[index + 1]) / 2
            let lines = readable.compactMap { series in Self.reading(series, at: value).map { "\(series.name): \($0)" } }
            guard to > from, !lines.isEmpty else { continue }
            drawing.rectangle(from, top, to - from, bottom - top, "tip", title: (["\(chart.x.label) \(numberText(value))"] + lines).joined(separator: "\n"))
        }
    }

    /// What a series is at a value of x, or at the nearest that it has within a hundredth of its length; nil outside.
    private static func reading(_ series: Chart.Series, at value: Double) -> String? {
        guard let first = series.x.first, let last = series.x.last else { return nil }
        if series.style == .histogram {
            guard let bin = series.y.indices.first(where: { series.x[$0] <= value && value < series.x[$0 + 1] }) else { return nil }
            return "\(numberText(series.y[bin])) from \(numberText(series.x[bin])) to \(numberText(series.x[bin + 1]))"
        }
        var low = 0, high = series.x.count - 1
        while low < high {
            let middle = (low + high) / 2
            if series.x[middle] < value { low = middle + 1 } else { high = middle }
        }
        if low > 0, abs(series.x[low - 1] - value) < abs(series.x[low] - value) { low -= 1 }
        guard abs(series.x[low] - value) <= (last - first) / 100 else { return nil }
        let error = series.error.isEmpty || !series.error[low].isFinite ? "" : " ± \(numberText(series.error[low]))"
        return numberText(series.y[low]) + error
    }
}
