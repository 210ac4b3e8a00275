import Foundation
import Testing

@testable import FathomFormats

@Suite("Figures")
struct FigureTests {
    @Test("ticks are multiples of 1, 2 or 5 times a power of ten, with the decimals they need", arguments: [
        (0.0, 1.0, "0.0 0.2 0.4 0.6 0.8 1.0"), (0, 10, "0 2 4 6 8 10"), (0.0013, 0.0027, "0.0015 0.0020 0.0025"), (-3, 17, "0 5 10 15"),
        (1, 10_000, "2000 4000 6000 8000 10000"), (0, 3e7, "0 1e7 2e7 3e7"), (2.2e-7, 8e-7, "4e-7 6e-7 8e-7"), (-1e-9, 1e-9, "-1.0e-9 -5e-10 0 5e-10 1.0e-9"),
        (1e6, 1.00001e6, "1.000000e6 1.000002e6 1.000004e6 1.000006e6 1.000008e6 1.000010e6"), (5, 5, ""), (.nan, 1, ""),
    ])
    func linearTicks(_ lower: Double, _ upper: Double, _ expected: String) {
        #expect(Ruler.linearTicks(lower, upper, 5).map(\.text).joined(separator: " ") == expected)
    }

    @Test("an axis of things that are counted is marked at whole numbers", arguments: [(0.0, 3.0, "0 1 2 3"), (0, 0.5, "0"), (0.9, 1.1, "1"), (0, 40, "0 10 20 30 40")])
    func wholeTicks(_ lower: Double, _ upper: Double, _ expected: String) {
        let ruler = Ruler(Axis("", range: lower...upper, isWhole: true), [], from: 0, to: 1)
        #expect(ruler.ticks(5).map(\.text).joined(separator: " ") == expected)
    }

    @Test("shares lie between 0 and 1, a little above the largest; what has limits has no room beyond them")
    func shares() {
        func ruler(_ axis: Axis, _ values: [Double]) -> [Double] {
            let ruler = Ruler(axis, values, from: 0, to: 1)
            return [ruler.lower, ruler.upper]
        }
        for (values, upper) in [([0.0, .nan, 0], 1.02), ([], 1.02), ([0.1, 0.5], 0.53), ([1, 0], 1.02)] { #expect(ruler(.share("", of: values), values) == [0, upper]) }
        #expect(ruler(Axis("", limits: 0...1), [0]) == [0, 1] && ruler(Axis("", limits: 0...1), [1, 1]) == [0.9, 1] && ruler(Axis("", limits: 0...1), [0.5, 1])[1] == 1)
        #expect(ruler(.places("", 1), [1]) == [0.9, 1.1] && ruler(.places("", 40), [1, 40]) == [1, 40] && ruler(.places("", 0), []) == [0.9, 1.1])
    }

    @Test("a logarithmic axis is marked at powers of ten, a short one between them too", arguments: [
        ([1e-9, 1.0], "10⁻⁸ 10⁻⁶ 10⁻⁴ 10⁻² 10⁰"), ([0.5, 2000], "1 10 100 1000"), ([1, 50], "1 2 5 10 20 50"), ([3, 9], "4 6 8"), ([1e-300, 1e300], "10⁻²⁰⁰ 10⁰ 10²⁰⁰"),
        ([0.0, -1, .nan], "1·10⁻¹ 2·10⁻¹"),
    ])
    func logarithmicTicks(_ values: [Double], _ expected: String) {
        let texts = Ruler(Axis("", .logarithmic), values, from: 0, to: 100, padding: 0.001).ticks(5).map(\.text)
        if expected.hasPrefix("1·") { #expect(!texts.isEmpty) } else { #expect(texts.joined(separator: " ") == expected) }
    }

    @Test("a value stands where it belongs, and one that is not finite nowhere")
    func positions() {
        let linear = Ruler(Axis("", range: 0...10), [], from: 100, to: 200), logarithmic = Ruler(Axis("", .logarithmic, range: 0.01...100), [], from: 100, to: 200)
        #expect(linear.position(2.5) == 125 && logarithmic.position(1) == 150)
        for gap in [Double.nan, .infinity, -.infinity] { #expect(linear.position(gap) == nil && logarithmic.position(gap) == nil) }
        #expect(logarithmic.position(0) == nil && logarithmic.position(-1) == nil && linear.position(-1) == 90)
        let huge = Ruler(Axis(""), [-1.7e308, 1.7e308], from: 0, to: 100)
        #expect(huge.position(0) == 50)
    }

    @Test("a line breaks at a gap, and a value alone is a dot")
    func gaps() {
        let places: [(x: Double, y: Double)?] = [(0, 1), (1, 2.25), nil, (3, -0.04), nil, nil, (6, -0.5), (7, 1)]
        #expect(Polyline.path(places) == "M0 1L1 2.3M3 0h0M6 -0.5L7 1")
    }

    @Test("of a long line the lowest and the highest of each span are drawn, in their order, and its gaps are seen")
    func thinning() {
        func thinned(_ values: [Double]) -> [Double?] {
            Polyline.thinned(values.enumerated().map { $1.isNaN ? nil : (Double($0), $1) }).map { $0.map(\.y) }
        }
        let short = (0..<1_000).map(Double.init)
        #expect(thinned(short) == short)
        var long = (0..<36_000).map { Double($0 % 100) }
        long[17_042] = 1e6
        long[20_010] = -1e6
        long[30_077] = .nan
        let result = thinned(long)
        #expect(result.count == 2 * 360 + 1)
        #expect(result.compactMap(\.self).max() == 1e6 && result.compactMap(\.self).min() == -1e6)
        #expect(result.prefix(4) == [0, 99, 0, 99])
        #expect(result.count { $0 == nil } == 1 && result[2 * 300 + 1] == nil)
        #expect(thinned(Array(repeating: .nan, count: 5_000)).allSatisfy { $0 == nil })
    }

    @Test("smoothing is a centred mean over a fiftieth of the values; gaps have no part in it, and logarithms are averaged where they are shown")
    func smoothing() {
        let line = (0..<300).map(Double.init)
        let smooth = Chart.smoothed(line)
        for index in 3..<297 { #expect(abs(smooth[index] - line[index]) < 1e-9) }
        #expect(smooth[0] == 1.5 && smooth[299] == 297.5)
        var gap = line
        gap[100] = .nan
        let around = Chart.smoothed(gap)
        #expect(around[100].isNaN && abs(around[99] - (96.0 + 97 + 98 + 99 + 101 + 102) / 6) < 1e-9)
        let decades = Chart.smoothed((0..<300).map { pow(10, Double($0) / 100) }, .logarithmic)
        #expect(abs(decades[150] / pow(10, 1.5) - 1) < 1e-9)
        #expect(Chart.smoothed([5, 1, 4]) == [5, 1, 4])
    }

    @Test("a large heat map is pooled by means over neighbours, and stays small")
    func pooling() {
        #expect(HeatMapDrawing.groups(5, 64) == [0..<1, 1..<2, 2..<3, 3..<4, 4..<5])
        let groups = HeatMapDrawing.groups(1_000, 64)
        #expect(groups.count == 64 && groups.first?.lowerBound == 0 && groups.last?.upperBound == 1_000 && Set(groups.map(\.count)) == [15, 16])
        #expect(zip(groups, groups.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
        let names = (0..<128).map(String.init)
        var values = (0..<128 * 128).map { Double($0 / 128) }
        values[0] = .nan
        let map = HeatMap("m", rows: names, "row", columns: names, "column", values, unit: "u").svg
        // Two rows to one: 0 and 1, without the gap in the first band 0.5 and in its cell 1.
        #expect(map.contains("<title>0 … 1\ncolumn 0 … 11\nu 0.5 … 1</title>"))
        #expect(map.contains("<title>126 … 127\ncolumn 115 … 127\nu 126.5</title>"))
        #expect(map.utf8.count < 300_000)
    }

    @Test("the colours of a heat map are even steps, darker to lighter")
    func colors() {
        for scale in [ColorScale.sequential, .diverging] {
            #expect(scale.colors.count == ColorScale.levels && Set(scale.colors).count == ColorScale.levels)
            #expect(scale.colors.allSatisfy { $0.wholeMatch(of: /#[0-9a-f]{6}/) != nil })
        }
        let green = ColorScale.sequential.colors.compactMap { Int($0.dropFirst(3).prefix(2), radix: 16) }
        #expect(zip(green, green.dropFirst()).allSatisfy { $0 < $1 })
        #expect([-1e308, -1, 0, 1, 2, 3, 1e308].map { ColorScale.level($0, in: 0...2) } == [0, 0, 0, 24, 47, 47, 47])
        #expect(ColorScale.level(1.7e308, in: -1.7e308...1.7e308) == 47 && ColorScale.level(3, in: 3...3) == 24)
    }

    /// Texts of a figure with their places and classes.
    private static func texts(_ svg: String) -> [String: (x: Double, y: Double, classes: String)] {
        let found = svg.matches(of: /<text x="([-0-9.]+)" y="([-0-9.]+)"(?: class="([a-z ]+)")?>([^<]*)<\/text>/)
        return Dictionary(found.map { (String($0.4), (Double($0.1) ?? .nan, Double($0.2) ?? .nan, String($0.3 ?? ""))) }) { first, _ in first }
    }

    @Test("the colours of a heat map have every value that has room, each under its mark")
    func colorScaleTicks() throws {
        let svg = HeatMap("m", rows: ["0.linear"], "layer", columns: ["1", "2"], "step", [0, 0.031], unit: "share", range: 0...0.031).svg, texts = Self.texts(svg)
        let marks = svg.matches(of: /<path class="axis" d="M([0-9.]+)/).compactMap { Double($0.1) }
        #expect(try ["0.00", "0.01", "0.02", "0.03"].map { try #require(texts[$0]).x } == marks)
        #expect(try #require(marks.first) >= 4 + 2 * Drawing.digit)
    }

    @Test("the name of a mark stands where no data lie")
    func namesOfMarks() throws {
        let places = (1...60).map(Double.init)
        func name(_ values: [Double]) throws -> (x: Double, y: Double, classes: String) {
            try #require(Self.texts(Chart("c", x: Axis("layer"), y: Axis("σ", range: 0...2), [.line("rms", places, values)], marks: [.y(1, "neither grows")]).svg)["neither grows"])
        }
        // The line stands at 124 of the figure.
        let alone = try name(places.map { _ in 2 }), below = try name(places.map { $0.truncatingRemainder(dividingBy: 2) == 0 ? 1.02 : 1.2 })
        let right = try name(places.map { $0 < 30 ? ($0.truncatingRemainder(dividingBy: 2) == 0 ? 0.8 : 1.2) : 2 })
        #expect(alone.y < 124 && !alone.classes.contains("end") && below.y > 124 && right.classes == "name end")
        #expect(try name(places.map { $0.truncatingRemainder(dividingBy: 2) == 0 ? 0.2 : 1.8 }).y > 224, "in the legend")
        let histogram = Chart("c", x: Axis("x"), y: Axis("directions"), [.histogram("h", edges: [0, 1, 2, 3], [5, 5, 5])], marks: [.x(1.5, "rms"), .x(1.6, "mean")]).svg
        let rms = try #require(Self.texts(histogram)["rms"]), mean = try #require(Self.texts(histogram)["mean"])
        #expect(rms.y < 24 && mean.y != rms.y)
    }

    @Test("the legend names what is drawn, and a line alone where its colour is that of another figure")
    func legends() {
        func names(_ series: [Chart.Series]) -> [String] { ["a", "b"].filter(Self.texts(Chart("c", x: Axis("x"), y: Axis("y"), series).svg).keys.contains) }
        #expect(names([.line("a", [1, 2], [3, 4])]) == [] && names([.line("a", [1, 2], [3, 4], look: 1)]) == ["a"])
        #expect(names([.line("a", [1, 2], [3, 4]), .line("b", [1, 2], [4, 3])]) == ["a", "b"] && names([.line("a", [1, 2], [3, 4]), .line("b", [1, 2], [.nan, .nan])]) == ["a"])
        #expect(Chart("c", x: Axis("x"), y: Axis("y"), [.line("a", [1], [.nan])]).svg.contains("no values"))
    }

    @Test("tooltips say what every series is at a place")
    func tooltips() {
        let chart = Chart("c", x: Axis("step"), y: Axis("loss"), [.line("train", [1, 2, 3], [0.5, 0.25, .nan]), .line("validation", [2], [0.3])]).svg
        #expect(chart.contains("<title>step 2\ntrain: 0.25\nvalidation: 0.3</title>") && chart.contains("<title>step 3\ntrain: no value</title>"))
        #expect(chart.contains("<title>step 1\ntrain: 0.5</title>"))
        let points = Chart("c", x: Axis("x"), y: Axis("y"), [.points("p", [1], [2], error: [0.5])]).svg
        #expect(points.contains("<title>p\nx 1\ny 2 ± 0.5</title>"))
    }

    @Test("numbers are short, and read as they are meant", arguments: [
        (0.0, "0"), (12, "12"), (-3, "-3"), (1234567, "1234567"), (0.123456, "0.1235"), (99.996, "100"), (-999.96, "-1000"), (0.00099996, "0.001"), (0.00009999, "9.999e-5"), (1.5e-9, "1.5e-9"), (1e20, "1e20"), (-.infinity, "-∞"), (.nan, "no value"),
    ])
    func numbers(_ value: Double, _ text: String) {
        #expect(numberText(value) == text)
    }

    @Test("numbers have the digits that C gives them, beside and at the middle between two of four digits too")
    func numbersAsFormatted() {
        var random = SystemRandomNumberGenerator(), wrong: [Double] = []
        for _ in 0..<20_000 {
            let size = exp(Double.random(in: log(1e-4)..<log(1000), using: &random)), digits = pow(10, 3 - floor(log10(size)))
            for value in [size, -size, (size * digits).rounded() / digits, ((size * digits).rounded() + 0.5) / digits] where value != value.rounded() {
                if numberText(value) != String(format: "%.4g", value) { wrong.append(value) }
            }
        }
        #expect(wrong.prefix(5) == [])
    }
}
