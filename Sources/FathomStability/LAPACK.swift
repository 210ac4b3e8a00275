import CLapack
import Fathom
import Foundation

// LAPACK and BLAS behind values: the only file that calls them.

extension Matrix {
    /// The product, O(rows · columns · other columns).
    public static func * (a: Matrix, b: Matrix) -> Matrix { a.times(b, transposed: false) }

    /// The product of its transpose.
    func transposedTimes(_ b: Matrix) -> Matrix { times(b, transposed: true) }

    private func times(_ b: Matrix, transposed: Bool) -> Matrix {
        let size = transposed ? (rows: columns, inner: rows) : (rows: rows, inner: columns)
        precondition(size.inner == b.rows)
        var c = Matrix.zero(size.rows, b.columns)
        guard !c.values.isEmpty, size.inner > 0 else { return c }
        var (m, n, k, stride) = (Int32(size.rows), Int32(b.columns), Int32(size.inner), Int32(rows)), (one, zero) = (1.0, 0.0)
        var (form, plain) = (CChar(UInt8(ascii: transposed ? "T" : "N")), CChar(UInt8(ascii: "N")))
        unsafe dgemm_(&form, &plain, &m, &n, &k, &one, values, &stride, b.values, &k, &zero, &c.values, &m, 1, 1)
        return c
    }

    /// The matrix as q·r: q [rows × k] with orthonormal columns, r [k × columns] upper triangular, k the smaller of rows and columns; by Householder
    /// reflections, so that r's diagonal has either sign. O(rows · columns · k).
    public func qr() -> (q: Matrix, r: Matrix) {
        let k = Swift.min(rows, columns)
        guard k > 0 else { return (.zero(rows, 0), .zero(0, columns)) }
        var a = values, tau = [Double](repeating: 0, count: k)
        var (m, n, kk, info) = (Int32(rows), Int32(columns), Int32(k), Int32(0))
        unsafe withWorkspace { unsafe dgeqrf_(&m, &n, &a, &m, &tau, $0, &$1, &info) }
        precondition(info == 0)
        var r = Matrix.zero(k, columns)
        for column in 0..<columns { for row in 0...Swift.min(column, k - 1) { r[row, column] = a[column * rows + row] } }
        unsafe withWorkspace { unsafe dorgqr_(&m, &kk, &kk, &a, &m, &tau, $0, &$1, &info) }
        precondition(info == 0)
        return (Matrix(rows: rows, columns: k, values: Array(a.prefix(rows * k))), r)
    }

    /// In falling order; each within about 1e-15 of the largest. O(rows · columns · the smaller of both).
    /// - Throws: `FathomError.invalid` where an element is not finite.
    public func singularValues() throws(FathomError) -> [Double] {
        let k = Swift.min(rows, columns)
        guard k > 0 else { return [] }
        try checkFinite()
        var a = values, s = [Double](repeating: 0, count: k), integers = [Int32](repeating: 0, count: 8 * k)
        var (m, n, one, info) = (Int32(rows), Int32(columns), Int32(1), Int32(0)), job = CChar(UInt8(ascii: "N"))
        unsafe withWorkspace { unsafe dgesdd_(&job, &m, &n, &a, &m, &s, nil, &one, nil, &one, $0, &$1, &integers, &info, 1) }
        guard info == 0 else { throw .invalid("the singular values of a \(rows) × \(columns) matrix did not converge") }
        return s
    }

    /// Of a square matrix, as real and imaginary parts, in no order.
    /// - Throws: `FathomError.invalid` where it is not square, or an element is not finite.
    public func eigenvalues() throws(FathomError) -> [(real: Double, imaginary: Double)] {
        guard rows == columns else { throw .invalid("a \(rows) × \(columns) matrix has no eigenvalues; it must be square") }
        guard rows > 0 else { return [] }
        try checkFinite()
        var a = values, real = [Double](repeating: 0, count: rows), imaginary = real
        var (n, one, info) = (Int32(rows), Int32(1), Int32(0)), job = CChar(UInt8(ascii: "N"))
        unsafe withWorkspace { unsafe dgeev_(&job, &job, &n, &a, &n, &real, &imaginary, nil, &one, nil, &one, $0, &$1, &info, 1, 1) }
        guard info == 0 else { throw .invalid("the eigenvalues of a \(rows) × \(rows) matrix did not converge") }
        return Array(zip(real, imaginary)).map { ($0, $1) }
    }

    private func checkFinite() throws(FathomError) {
        guard values.allSatisfy(\.isFinite) else { throw .invalid("a matrix holds a value that is not finite; it has no spectrum") }
    }
}

/// Keeps BLAS on the thread that calls it, for a process that shares its processors out itself. OpenBLAS else starts threads for a product of 128 × 128 that wait
/// for each other longer than they multiply. Other libraries are left as they are.
package func keepLinearAlgebraOnItsThread() {
    typealias SetThreads = @convention(c) (Int32) -> Void
    guard let program = unsafe dlopen(nil, RTLD_NOW), let function = unsafe dlsym(program, "openblas_set_num_threads") else { return }
    unsafe unsafeBitCast(function, to: SetThreads.self)(1)
}

/// Calls a routine of LAPACK twice: asked with a size of −1 it says in its workspace how much it wants.
private func withWorkspace(_ routine: (UnsafeMutablePointer<Double>, inout Int32) -> Void) {
    var wanted = 0.0, ask = Int32(-1)
    unsafe routine(&wanted, &ask)
    var size = Int32(wanted), work = [Double](repeating: 0, count: Int(wanted))
    unsafe work.withUnsafeMutableBufferPointer { unsafe routine($0.baseAddress!, &size) }
}

/// Columns of one length, for rotations in place.
struct ColumnSet {
    let length: Int
    var values: [Double]

    func dot(_ a: Int, _ b: Int) -> Double {
        var (n, one) = (Int32(length), Int32(1))
        return unsafe values.withUnsafeBufferPointer { unsafe ddot_(&n, $0.baseAddress! + a * length, &one, $0.baseAddress! + b * length, &one) }
    }

    /// Column a += factor · column b.
    mutating func add(_ factor: Double, times b: Int, to a: Int) {
        var (n, one, factor) = (Int32(length), Int32(1), factor)
        let (source, target) = (b * length, a * length)
        unsafe values.withUnsafeMutableBufferPointer { unsafe daxpy_(&n, &factor, $0.baseAddress! + source, &one, $0.baseAddress! + target, &one) }
    }

    mutating func scale(_ a: Int, by factor: Double) {
        var (n, one, factor) = (Int32(length), Int32(1), factor)
        let offset = a * length
        unsafe values.withUnsafeMutableBufferPointer { unsafe dscal_(&n, &factor, $0.baseAddress! + offset, &one) }
    }
}
