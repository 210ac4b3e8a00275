/// A bar for each of a list of named things, from left to right, its value beside it. A histogram is a `Chart`.
///
///     Bars("What would cure it", ["orthogonal", "layernorm"], x: Axis("gain", .logarithmic), [("before", [1e-9, 1e-9]), ("after", [0.8, 1.1])])
public struct Bars: Figure {
    public var title: String
    public var note: String
    public var names: [String]
    public var x: Axis
    /// Each has as many values as there are names.
    public var series: [(name: String, values: [Double])]

    public init(_ title: String, _ names: [String], x: Axis, _ series: [(name: String, values: [Double])], note: String = "") {
        precondition(series.allSatisfy { $0.values.count == names.count })
        (self.title, self.names, self.x, self.series, self.note) = (title, names, x, series, note)
    }

    private static let thickness = 11.0, gap = 7.0, longestName = 24

    public var svg: String {
        var drawing = Drawing()
        let names = names.map { shortened($0, to: Self.longestName) }
        let left = 14 + Double(names.map(\.count).max() ?? 0) * Drawing.letter, right = Drawing.width - 60, top = 6.0
        let row = Double(series.count) * Self.thickness + Self.gap, bottom = top + row * Double(names.count)
        let ruler = Ruler(x, series.flatMap(\.values) + (x.scale == .linear ? [0] : []), from: left, to: right, padding: x.scale == .linear ? 0 : 0.05)
        for tick in ruler.ticks(4) {
            guard let place = ruler.position(tick.value) else { continue }
            drawing.line(place, top, place, bottom, "grid")
            drawing.text(place, bottom + 14, tick.text, "middle")
        }
        let base = x.scale == .linear ? ruler.position(0) ?? left : left
        for (index, name) in names.enumerated() {
            let y = top + row * Double(index) + Self.gap / 2
            drawing.text(left - 6, y + (row - Self.gap) / 2 + 4, name, "end")
            for (which, series) in series.enumerated() {
                let value = series.values[index], y = y + Self.thickness * Double(which)
                let title = self.names[index] + (self.series.count > 1 ? ", \(series.name)" : "") + ": \(numberText(value))"
                guard let place = ruler.position(value) else {
                    drawing.text(base + 4, y + 9, numberText(value), "small")
                    continue
                }
                drawing.rectangle(min(base, place), y + 1, max(0.5, abs(place - base)), Self.thickness - 2, "bar \(Look.color(which))", title: title)
                drawing.text(max(base, place) + 4, y + 9, numberText(value), "small")
            }
        }
        drawing.line(base, top, base, bottom, "axis")
        drawing.text(right, bottom + 29, x.label, "label end")
        let legend = Legend(series.count < 2 ? [] : series.enumerated().map { which, series in
            Legend.Entry(name: series.name) { x, y in
                var sample = Drawing()
                sample.rectangle(x + 2, y - 5, 16, 10, "bar \(Look.color(which))")
                return sample.body
            }
        }, left: 4)
        legend.draw(&drawing, top: bottom + 33)
        return drawing.svg(height: bottom + 35 + legend.height, title: title)
    }
}
