import Foundation

/// Values over values: lines, the theory beside them, points, histograms.
///
///     Chart("Gradient by depth", x: Axis("depth"), y: Axis("‖∂L/∂x‖", .logarithmic), [
///         .line("measured", depths, norms, error: standardErrors), .theory("Π φ′·w", depths, products),
///     ])
public struct Chart: Figure {
    public struct Series: Sendable {
        public enum Style: Sendable, Hashable {
            case line, points
            /// Dashed.
            case theory
            /// Thin and pale, behind another: what has not been smoothed.
            case raw
            /// Bars without gaps between them.
            case histogram
        }

        public var name: String
        public var style: Style
        /// As many as `y`; of a histogram, whose values are edges, one more.
        public var x: [Double]
        public var y: [Double]
        /// Half the length of the error bars, one for each value; empty: none.
        public var error: [Double]
        /// Which of the colours and marks; nil: the next, of a theory that of the series before it.
        public var look: Int?

        public init(_ name: String, _ style: Style, _ x: [Double], _ y: [Double], error: [Double] = [], look: Int? = nil) {
            precondition(x.count == y.count + (style == .histogram ? 1 : 0) && (error.isEmpty || error.count == y.count))
            (self.name, self.style, self.x, self.y, self.error, self.look) = (name, style, x, y, error, look)
        }

        public static func line(_ name: String, _ x: [Double], _ y: [Double], error: [Double] = [], look: Int? = nil) -> Series {
            Series(name, .line, x, y, error: error, look: look)
        }
        public static func points(_ name: String, _ x: [Double], _ y: [Double], error: [Double] = [], look: Int? = nil) -> Series {
            Series(name, .points, x, y, error: error, look: look)
        }
        public static func theory(_ name: String, _ x: [Double], _ y: [Double], look: Int? = nil) -> Series {
            Series(name, .theory, x, y, look: look)
        }
        public static func histogram(_ name: String, edges: [Double], _ counts: [Double], look: Int? = nil) -> Series {
            Series(name, .histogram, edges, counts, look: look)
        }
    }

    /// A value of one axis that is worth a line across the figure, with a word on what it is.
    public struct Mark: Sendable {
        public enum Direction: Sendable, Hashable { case vertical, horizontal }
        public var direction: Direction
        public var value: Double
        public var name: String

        /// A line from bottom to top, at a value of x.
        public static func x(_ value: Double, _ name: String) -> Mark { Mark(direction: .vertical, value: value, name: name) }
        /// A line from left to right, at a value of y.
        public static func y(_ value: Double, _ name: String) -> Mark { Mark(direction: .horizontal, value: value, name: name) }
    }

    public var title: String
    public var note: String
    public var x: Axis
    public var y: Axis
    public var series: [Series]
    public var marks: [Mark]

    public init(_ title: String, x: Axis, y: Axis, _ series: [Series], marks: [Mark] = [], note: String = "") {
        (self.title, self.x, self.y, self.series, self.marks, self.note) = (title, x, y, series, marks, note)
    }

    public var svg: String { ChartDrawing(self).svg }
}

extension Chart {
    /// The centred mean over a window of a fiftieth of the values, or another part (of their logarithms, where `scale` says so); a gap has no part in it,
    /// and stays one.
    public static func smoothed(_ values: [Double], _ scale: Axis.Scale = .linear, part: Int = 50) -> [Double] {
        let half = values.count / (2 * part)
        guard half > 0 else { return values }
        let values = scale == .linear ? values : values.map { $0 > 0 ? log10($0) : .nan }
        var sum = 0.0, count = 0
        func add(_ index: Int, _ sign: Double) {
            guard values.indices.contains(index), values[index].isFinite else { return }
            sum += sign * values[index]
            count += Int(sign)
        }
        for index in 0..<half { add(index, 1) }
        return values.indices.map { index in
            add(index + half, 1)
            add(index - half - 1, -1)
            guard values[index].isFinite, count > 0 else { return .nan }
            return scale == .linear ? sum / Double(count) : pow(10, sum / Double(count))
        }
    }

    /// Whether there are so many values that their mean is easier to read.
    public static func isWorthSmoothing(_ values: [Double]) -> Bool { values.count >= 200 }
}
