import Fathom
import Foundation

/// A product of matrices, Aₖ⋯A₂A₁, kept so that its small singular values are not lost beside the large ones, whatever powers of ten lie between.
///
/// It is held as Q·D·T: Q has orthonormal columns, D is diagonal and kept as logarithms, the rows of T have norm 1. A new factor is taken in by AQ = Q′R and
/// RDT = D′T′, in which each row is scaled by itself. From a random orthonormal Q₀ on, R's diagonal tends to fall, so rows of T stay far from parallel, and the
/// singular values of D·T, found by one-sided Jacobi rotations on scaled rows, have small relative errors, the smallest too: about 1e-16 · κ(T) · the number of
/// factors. (Stewart 1995, "On graded QR decompositions of products of matrices"; Demmel & Veselić 1992, "Jacobi's method is more accurate than QR".) Multiplied
/// out, a product in float64 loses what is below 1e-16 of its largest singular value.
///
/// The logarithms of |rᵢᵢ| are what the Lyapunov exponents are means of (Benettin et al. 1980; Eckmann & Ruelle 1985, section V).
public struct GradedProduct: Sendable {
    /// Of A₁, and of the product.
    public let columns: Int
    /// Rows of the last factor.
    public var rows: Int { q.rows }
    /// Factors taken in.
    public private(set) var count = 0
    /// Directions that are left: the rest was mapped to 0, to rounding.
    public var rank: Int { scales.count }
    /// ln|rᵢᵢ| of each factor, for the first directions: as many as are followed; −∞ where a direction was mapped to 0.
    public private(set) var growth: [[Double]] = []

    private let followed: Int
    private var q: Matrix
    private var scales: [Double]
    /// [rank × followed]
    private var t: Matrix

    /// - Parameters:
    ///   - columns: of the first factor.
    ///   - directions: how many of the largest singular values are followed; nil: all. Of some, only the growth is meant: their singular values are those of
    ///     the product restricted to a random subspace.
    ///   - seed: of Q₀.
    public init(columns: Int, directions: Int? = nil, seed: UInt64 = 0) {
        var random = CounterRandom(seed: seed, stream: 0x5157)
        let followed = min(columns, directions ?? columns)
        self.init(start: Matrix(rows: columns, columns: followed, values: (0..<columns * followed).map { _ in random.normal() }).qr().q)
    }

    /// Restricted to a subspace, given by orthonormal columns.
    public init(start: Matrix) {
        (columns, followed, q) = (start.rows, start.columns, start)
        scales = [Double](repeating: 0, count: followed)
        t = .identity(followed)
    }

    /// The orthonormal directions followed, in the space that the next factor takes: [rows × rank].
    public var directions: Matrix { q }

    /// Puts a factor before the product: A·(…). O(n³).
    ///
    /// - Parameter rounding: of the factor, relative to its norm: what it leaves of a direction counts as nothing below that. nil: that of float64.
    /// - Precondition: `factor` has as many columns as the one before it has rows.
    public mutating func multiply(by factor: Matrix, rounding: Double? = nil) { take(factor * q, rounding: rounding) }

    /// The same where the factor's product with `directions` is known: for factors that are never written out.
    public mutating func take(_ image: Matrix, rounding: Double? = nil) {
        precondition(image.columns == rank)
        let (q, r) = image.qr(), largest = (0..<r.rows).reduce(0) { max($0, r[$1, $1].magnitude) }
        // From a random Q₀ on, directions that are mapped to 0 are the last ones.
        // What QR leaves of a zero is the rounding of what stands before it, times the condition of that.
        let least = largest * (rounding ?? Double(max(image.rows, columns)) * 0x1p-46)
        let kept = (0..<r.rows).last { r[$0, $0].magnitude > least }.map { $0 + 1 } ?? 0
        growth.append((0..<followed).map { $0 < kept ? log(r[$0, $0].magnitude) : -.infinity })
        self.q = q.firstColumns(kept)
        scaleRows(r, kept)
        count += 1
    }

    /// D·T ← R·D·T.
    private mutating func scaleRows(_ r: Matrix, _ kept: Int) {
        var weights = Matrix.zero(kept, rank), logs = [Double](repeating: 0, count: kept)
        for row in 0..<kept {
            let terms = (row..<rank).map { log(r[row, $0].magnitude) + scales[$0] }
            logs[row] = terms.max() ?? 0
            for (column, term) in zip(row..<rank, terms) {
                weights[row, column] = r[row, column] < 0 ? -exp(term - logs[row]) : exp(term - logs[row])
            }
        }
        t = weights * t
        for row in 0..<kept {
            let norm = (0..<followed).reduce(0) { $0 + t[row, $1] * t[row, $1] }.squareRoot()
            for column in 0..<followed { t[row, column] /= norm }
            logs[row] += log(norm)
        }
        scales = logs
    }

    /// Natural logarithms of the product's singular values, in falling order, as many as the smaller of its rows and columns; −∞ for zero. O(n³).
    public func logSingularValues() throws -> [Double] {
        let values = rank == 0 ? [] : try finiteLogSingularValues()
        return values + [Double](repeating: -.infinity, count: max(0, min(rows, followed) - values.count))
    }

    private func finiteLogSingularValues() throws -> [Double] {
        let largest = scales.max() ?? 0
        // Near each other, they are as good by LAPACK, and much faster where there are many.
        if largest - (scales.min() ?? 0) < log(1e4) {
            var scaled = t
            for row in 0..<rank { for column in 0..<followed { scaled[row, column] *= exp(scales[row] - largest) } }
            let values = try scaled.singularValues()
            if values[rank - 1] > 1e-6 * values[0] { return values.map { log($0) + largest } }
        }
        let order = scales.indices.sorted { scales[$0] > scales[$1] }
        return Self.jacobi(ColumnSet(length: followed, values: order.flatMap { row in (0..<followed).map { t[row, $0] } }), order.map { scales[$0] })
    }

    /// One-sided Jacobi on columns e^d·u, ‖u‖ = 1: rotations make pairs of them orthogonal until all are; their norms are then the singular values.
    ///
    /// With ρ = e^(dⱼ − dᵢ) ≤ 1 and g = uᵢ·uⱼ, the rotation by tan θ = ρτ, τ = 2g/(1 − ρ² + √((1 − ρ²)² + 4ρ²g²)), turns uᵢ into uᵢ + ρ²τuⱼ and uⱼ into
    /// uⱼ − τuᵢ, both times cos θ: nothing in it overflows, or underflows in a way that matters.
    private static func jacobi(_ columns: ColumnSet, _ scales: [Double]) -> [Double] {
        var columns = columns, scales = scales, isDone = false, sweeps = 0
        let tolerance = Double(columns.length).squareRoot() * 0x1p-52
        while !isDone, sweeps < 60 {
            isDone = true
            sweeps += 1
            for a in 0..<scales.count - 1 {
                for b in a + 1..<scales.count {
                    let g = columns.dot(a, b)
                    guard g.magnitude > tolerance else { continue }
                    isDone = false
                    let (i, j) = scales[a] >= scales[b] ? (a, b) : (b, a), ratio = exp(scales[j] - scales[i]), square = ratio * ratio
                    let gap = 1 - square, tau = 2 * g / (gap + (gap * gap + 4 * square * g * g).squareRoot())
                    let cosine = 1 / (1 + square * tau * tau).squareRoot()
                    // uⱼ first takes uᵢ as it was; then uᵢ + ρ²τuⱼ = (1 + ρ²τ²)uᵢ + ρ²τ(uⱼ − τuᵢ).
                    columns.add(-tau, times: i, to: j)
                    columns.scale(i, by: 1 + square * tau * tau)
                    columns.add(square * tau, times: j, to: i)
                    for column in [i, j] {
                        let norm = columns.dot(column, column).squareRoot()
                        columns.scale(column, by: 1 / norm)
                        scales[column] += log(norm * cosine)
                    }
                }
            }
        }
        return scales.sorted(by: >)
    }
}
