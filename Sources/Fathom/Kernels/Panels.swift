import CKernels

/// A view of a matrix in 16-column panels: element (r, c) at `stride·(c/16) + 16·r + c%16` (see CKernels/include/fathom_kernels.h).
/// It owns nothing; whoever holds it keeps the memory alive.
struct Panels {
    let data: UnsafeMutablePointer<Float>
    let rows: Int
    let columns: Int

    /// Floats from one panel to the next.
    var stride: Int { rows * Panels.width }

    static let width = Int(FATHOM_PANEL)

    static func panels(_ columns: Int) -> Int { (columns + width - 1) / width }

    /// More floats than any machine holds. Sizes stop growing here, so that arithmetic on them cannot overflow.
    static let most = 100_000_000_000_000

    /// Floats that a matrix takes, padding included; at most `most`.
    static func count(rows: Int, columns: Int) -> Int {
        let (product, overflow) = rows.multipliedReportingOverflow(by: padded(columns))
        return overflow ? most : min(product, most)
    }

    subscript(row: Int, column: Int) -> Float { data[stride * (column / Panels.width) + Panels.width * row + column % Panels.width] }

    static func padded(_ columns: Int) -> Int { panels(columns) * width }
}
