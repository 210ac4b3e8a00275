/// A value for each row and column, as a colour.
///
///     HeatMap("Gradient", rows: layerNames, "layer", columns: steps.map(String.init), "step", values, unit: "log₁₀ ‖∂L/∂W‖")
public struct HeatMap: Figure {
    public enum Scale: Sendable, Hashable {
        case sequential
        /// With the middle of the colours at zero.
        case diverging
    }

    public var title: String
    public var note: String
    /// From top to bottom.
    public var rows: [String]
    public var rowLabel: String
    /// From left to right.
    public var columns: [String]
    public var columnLabel: String
    /// Row after row: rows × columns.
    public var values: [Double]
    /// What the values are.
    public var unit: String
    public var scale: Scale
    /// Of the colours; nil: all values.
    public var range: ClosedRange<Double>?
    /// A line over the map, through places counted in rows and columns from 0 at the middle of the first.
    public var line: (name: String, places: [(column: Double, row: Double)])?

    public init(
        _ title: String, rows: [String], _ rowLabel: String, columns: [String], _ columnLabel: String, _ values: [Double], unit: String,
        scale: Scale = .sequential, range: ClosedRange<Double>? = nil, line: (name: String, places: [(column: Double, row: Double)])? = nil, note: String = ""
    ) {
        precondition(values.count == rows.count * columns.count)
        (self.title, self.rows, self.rowLabel, self.columns, self.columnLabel) = (title, rows, rowLabel, columns, columnLabel)
        (self.values, self.unit, self.scale, self.range, self.line, self.note) = (values, unit, scale, range, line, note)
    }

    /// A map of more is pooled: its cells are means over neighbouring rows, or columns, as even as can be; gaps are left out of the mean.
    public static let mostRows = 64, mostColumns = 128

    public var svg: String { HeatMapDrawing(self).svg }
}
