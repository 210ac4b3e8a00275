/// (x − mean)/deviation, per column or one for all, measured on the training split and stored in the model.
///
/// The deviation is the population's, √(Σ(x − mean)²/n). A constant column is only centred: its deviation is kept as 1.
public struct Standardization: Sendable, Hashable, Codable {
    public enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
        /// One mean and deviation for every column: an image keeps its contrasts.
        case global
        /// A mean and deviation a column: a table's columns come in units of their own.
        case columns
        case none
    }

    /// One entry, or one a column.
    public let mean: [Float]
    /// As many as `mean`; positive and normal, so that the reciprocal is finite too.
    public let deviation: [Float]

    /// - Throws: `FathomError.invalid` unless both have the same number of entries, at least one, each mean is finite and each deviation
    ///   is positive, finite and not subnormal.
    public init(mean: [Float], deviation: [Float]) throws(FathomError) {
        guard !mean.isEmpty, mean.count == deviation.count else {
            throw .invalid("a standardization has as many deviations as means, at least one; here \(mean.count) and \(deviation.count)")
        }
        if let column = mean.firstIndex(where: { !$0.isFinite }) {
            throw .invalid("the mean of column \(column + 1) is \(mean[column]); it must be finite")
        }
        if let column = deviation.firstIndex(where: { !($0.isNormal && $0 > 0) }) {
            throw .invalid("the deviation of column \(column + 1) is \(deviation[column]); it must be positive and finite")
        }
        self.mean = mean
        self.deviation = deviation
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(mean: container.decode([Float].self, forKey: .mean), deviation: container.decode([Float].self, forKey: .deviation))
    }

    /// The features' mean and deviation, summed in float64 in row order (bytes: exactly, in integers); nil for `.none` and for no rows.
    /// - Throws: `FathomError.invalid` where a feature is not finite.
    public static func measured(_ samples: Samples, _ mode: Mode) throws(FathomError) -> Standardization? {
        guard mode != .none, samples.count > 0 else { return nil }
        switch samples.features {
        case .bytes(let values): return try measured(values, width: samples.columns, mode)
        case .floats(let values): return try measured(values, width: samples.columns, mode)
        }
    }

    /// The same for target values, a column at a time; nil where the targets are classes or absent.
    ///
    /// - Parameter steps: time steps of a row of targets; a column is then measured over all of them.
    public static func measuredTargets(_ samples: Samples, steps: Int = 1) throws(FathomError) -> Standardization? {
        guard case .values(let values, let width) = samples.targets, samples.count > 0 else { return nil }
        return try measured(values, width: width / steps, .columns)
    }

    /// n·Σx² − (Σx)² is exact in 128 bits, so bytes need neither a second pass nor a shift. 16,384 rows of squares fit 32 bits, which
    /// lets the inner loop run in vectors.
    private static func measured(_ bytes: [UInt8], width: Int, _ mode: Mode) throws(FathomError) -> Standardization {
        let rows = bytes.count / width
        var sums = [UInt64](repeating: 0, count: width), squares = sums
        for start in stride(from: 0, to: rows, by: 16_384) {
            var blockSums = [UInt32](repeating: 0, count: width), blockSquares = blockSums
            for row in start ..< min(start + 16_384, rows) {
                let base = row * width
                for column in 0 ..< width {
                    let x = UInt32(bytes[base + column])
                    blockSums[column] &+= x
                    blockSquares[column] &+= x &* x
                }
            }
            for column in 0 ..< width {
                sums[column] += UInt64(blockSums[column])
                squares[column] += UInt64(blockSquares[column])
            }
        }
        var count = UInt128(rows)
        if mode == .global {
            (sums, squares) = ([sums.reduce(0, +)], [squares.reduce(0, +)])
            count *= UInt128(width)
        }
        let n = Double(count)
        return try Standardization(
            means: sums.map { Double($0) / n },
            deviations: zip(sums, squares).map { (Double(count * UInt128($1) - UInt128($0) * UInt128($0)) / (n * n)).squareRoot() })
    }

    /// Sums, then the squared differences from the mean in a second pass. A constant column is found exactly constant: up to 2²⁹ rows the
    /// sum of equal float32 is exact in float64.
    private static func measured(_ values: [Float], width: Int, _ mode: Mode) throws(FathomError) -> Standardization {
        let rows = values.count / width
        let n = Double(mode == .global ? values.count : rows)

        func total(_ centre: [Double], _ term: (Double) -> Double) -> [Double] {
            var sums = [Double](repeating: 0, count: width)
            for row in 0 ..< rows {
                let base = row * width
                for column in 0 ..< width { sums[column] += term(Double(values[base + column]) - centre[column]) }
            }
            return mode == .global ? [Double](repeating: sums.reduce(0, +), count: width) : sums
        }
        let means = total([Double](repeating: 0, count: width)) { $0 }.map { $0 / n }
        if let column = means.firstIndex(where: { !$0.isFinite }) {
            throw .invalid("column \(column + 1) holds a value that is not finite; it cannot be standardized")
        }
        let deviations = total(means) { $0 * $0 }.map { ($0 / n).squareRoot() }
        let kept = mode == .global ? 1 : width
        return try Standardization(means: Array(means.prefix(kept)), deviations: Array(deviations.prefix(kept)))
    }

    private init(means: [Double], deviations: [Double]) throws(FathomError) {
        try self.init(mean: means.map(Float.init), deviation: deviations.map { Float($0).isNormal ? Float($0) : 1 })
    }
}
