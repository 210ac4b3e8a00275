/// A matrix of float64, column after column as LAPACK has it: element (r, c) at c·rows + r.
public struct Matrix: Sendable, Equatable {
    public let rows: Int
    public let columns: Int
    public var values: [Double]

    /// - Precondition: `values` are rows · columns numbers.
    public init(rows: Int, columns: Int, values: [Double]) {
        precondition(rows >= 0 && columns >= 0 && values.count == rows * columns)
        (self.rows, self.columns, self.values) = (rows, columns, values)
    }

    public static func zero(_ rows: Int, _ columns: Int) -> Matrix {
        Matrix(rows: rows, columns: columns, values: [Double](repeating: 0, count: rows * columns))
    }

    public static func identity(_ size: Int) -> Matrix {
        var identity = zero(size, size)
        for i in 0..<size { identity[i, i] = 1 }
        return identity
    }

    public subscript(row: Int, column: Int) -> Double {
        get { values[column * rows + row] }
        set { values[column * rows + row] = newValue }
    }

    public var transposed: Matrix {
        var result = Matrix.zero(columns, rows)
        for column in 0..<columns { for row in 0..<rows { result[column, row] = self[row, column] } }
        return result
    }

    /// √Σ aᵢⱼ².
    public var frobeniusNorm: Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }

    func firstColumns(_ count: Int) -> Matrix { Matrix(rows: rows, columns: count, values: Array(values.prefix(rows * count))) }

    func lastColumns(_ count: Int) -> Matrix { Matrix(rows: rows, columns: count, values: Array(values.suffix(rows * count))) }

    /// The columns of this, then those of another of as many rows.
    func beside(_ other: Matrix) -> Matrix {
        precondition(rows == other.rows)
        return Matrix(rows: rows, columns: columns + other.columns, values: values + other.values)
    }
}
