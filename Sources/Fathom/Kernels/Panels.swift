import CKernels

/// A view of a matrix in 16-column panels: element (r, c) at `stride·(c/16) + 16·r + c%16` (see CKernels/include/fathom_kernels.h).
/// It owns nothing; whoever holds it keeps the memory alive.
struct Panels {
    let data: UnsafeMutablePointer<Float>
    let rows: Int
    let columns: Int
    /// Floats from one panel to the next: 16·rows, more in a view of some of the rows.
    let stride: Int
    /// Where the matrix begins that this is a view of.
    let storage: UnsafeMutablePointer<Float>

    /// A matrix of its own, its panels one behind the other.
    init(data: UnsafeMutablePointer<Float>, rows: Int, columns: Int) {
        self.init(data: data, rows: rows, columns: columns, stride: rows * Panels.width, storage: data)
    }

    init(data: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int, storage: UnsafeMutablePointer<Float>) {
        self.data = data
        self.rows = rows
        self.columns = columns
        self.stride = stride
        self.storage = storage
    }

    /// Some of the rows, without a copy.
    func rows(_ range: Range<Int>) -> Panels {
        Panels(data: data + Panels.width * range.lowerBound, rows: range.count, columns: columns, stride: stride, storage: storage)
    }

    /// Step `step` of a sequence of `steps`: an equal share of the rows.
    func step(_ step: Int, of steps: Int) -> Panels {
        let count = rows / steps
        return rows(step * count..<(step + 1) * count)
    }

    /// Panels from `first` on, as a matrix of `columns` columns, without a copy.
    func panels(from first: Int, columns: Int) -> Panels {
        Panels(data: data + stride * first, rows: rows, columns: columns, stride: stride, storage: storage)
    }

    /// Group `group` of `groups`, each of which begins on a panel and has `columns` columns.
    func group(_ group: Int, of groups: Int, columns: Int) -> Panels {
        groups == 1 ? self : panels(from: group * Panels.panels(columns), columns: columns)
    }

    static let width = Int(FATHOM_PANEL)

    static func panels(_ columns: Int) -> Int { (columns + width - 1) / width }

    /// More floats than any machine holds. Sizes stop growing here, so that arithmetic on them cannot overflow.
    static let most = 100_000_000_000_000

    /// Floats that a matrix takes, padding included; at most `most`.
    static func count(rows: Int, columns: Int) -> Int {
        let (product, overflow) = rows.multipliedReportingOverflow(by: padded(columns))
        return overflow ? most : min(product, most)
    }

    subscript(row: Int, column: Int) -> Float {
        get { data[stride * (column / Panels.width) + Panels.width * row + column % Panels.width] }
        nonmutating set { data[stride * (column / Panels.width) + Panels.width * row + column % Panels.width] = newValue }
    }

    func setDiagonal(_ value: Float) {
        for i in 0..<min(rows, columns) { self[i, i] = value }
    }

    static func padded(_ columns: Int) -> Int { panels(columns) * width }
}
