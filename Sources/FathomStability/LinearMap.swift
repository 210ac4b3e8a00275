import Fathom

/// A matrix that is known by its products alone.
public struct LinearMap {
    public let rows: Int
    public let columns: Int
    /// A·u, u of `columns` numbers.
    public let apply: ([Double]) throws -> [Double]
    /// Aᵀ·v, v of `rows` numbers.
    public let applyTransposed: ([Double]) throws -> [Double]

    public init(rows: Int, columns: Int, apply: @escaping ([Double]) throws -> [Double], applyTransposed: @escaping ([Double]) throws -> [Double]) {
        (self.rows, self.columns, self.apply, self.applyTransposed) = (rows, columns, apply, applyTransposed)
    }

    public init(_ matrix: Matrix) {
        self.init(rows: matrix.rows, columns: matrix.columns) { (matrix * Matrix(column: $0)).values } applyTransposed: {
            matrix.transposedTimes(Matrix(column: $0)).values
        }
    }

    /// The largest singular values, as they come out of `steps` steps of Golub–Kahan–Lanczos bidiagonalization from a random start, every vector made
    /// orthogonal to all before it (Golub & Kahan 1965; Golub & Van Loan, section 10.4.4). Each is at most the true one; the first few are the closest.
    ///
    /// 2·`steps` products and O(steps² · (rows + columns)).
    public func largestSingularValues(steps: Int, seed: UInt64 = 0) throws -> [Double] {
        let steps = min(steps, rows, columns)
        guard steps > 0 else { return [] }
        var random = CounterRandom(seed: seed, stream: 0x474B4C)
        var v = [(0..<rows).map { _ in random.normal() }.normalized().unit], u: [[Double]] = []
        var diagonal: [Double] = [], beside: [Double] = []
        for _ in 0..<steps {
            // Aᵀv = α·u + β·(the u before), then Au = α·v + β·(the next v).
            let (next, alpha) = try applyTransposed(v[v.count - 1]).orthogonal(to: u).normalized()
            u.append(next)
            diagonal.append(alpha)
            guard alpha > 0 else { break }
            let (left, beta) = try apply(next).orthogonal(to: v).normalized()
            beside.append(beta)
            guard beta > 1e-14 * alpha else { break }
            v.append(left)
        }
        var small = Matrix.zero(diagonal.count + 1, diagonal.count)
        for (i, alpha) in diagonal.enumerated() { small[i, i] = alpha }
        for (i, beta) in beside.enumerated() { small[i + 1, i] = beta }
        return try small.singularValues()
    }

    /// ‖A‖²_F = E‖Aᵀv‖² for standard normal v, by `probes` of them: Hutchinson 1990. The standard error is at most √(2/probes) of it.
    public func squaredFrobeniusNorm(probes: Int, seed: UInt64 = 0) throws -> SampleMean {
        var random = CounterRandom(seed: seed, stream: 0x485554)
        return SampleMean(try (0..<probes).map { _ in
            try applyTransposed((0..<rows).map { _ in random.normal() }).reduce(0) { $0 + $1 * $1 }
        })
    }
}

extension Matrix {
    init(column: [Double]) { self.init(rows: column.count, columns: 1, values: column) }

    /// ‖·‖₂: 40 steps of Lanczos, or all singular values of what is small. Of Gaussian matrices up to 1,024 wide it is within 1e-6.
    func largestSingularValue() -> Double {
        if min(rows, columns) <= 40 { return (try? singularValues().first) ?? .nan }
        return (try? LinearMap(self).largestSingularValues(steps: 40).first) ?? .nan
    }
}

extension [Double] {
    fileprivate func normalized() -> (unit: [Double], norm: Double) {
        let norm = reduce(0) { $0 + $1 * $1 }.squareRoot()
        return (norm > 0 ? map { $0 / norm } : self, norm)
    }

    /// Less its components along orthonormal vectors; twice, which is enough (Giraud et al. 2005).
    fileprivate func orthogonal(to basis: [[Double]]) -> [Double] {
        guard !basis.isEmpty else { return self }
        let q = Matrix(rows: count, columns: basis.count, values: basis.flatMap { $0 })
        var rest = self
        for _ in 0..<2 {
            let along = q * q.transposedTimes(Matrix(column: rest))
            for i in indices { rest[i] -= along.values[i] }
        }
        return rest
    }
}

extension DepthPass {
    /// J_l by its products: for Jacobians that are too large to be written out.
    public func jacobianMap(_ l: Int, sample: Int = 0) -> LinearMap { map(l).byProducts(sample: sample) }
}
