import Fathom

/// Consecutive layers of a model at a batch, and their Jacobian J there: what the training's own backward kernels make of unit vectors.
///
/// Samples are independent, and J is that of one of them, unless the map counts as mixing them: then it is that of the whole batch.
public struct LayerMap: Sendable {
    public let model: Model
    public let samples: Int
    /// Whether J is that of the batch.
    public let mixesSamples: Bool
    /// Numbers that J is by.
    public let inputs: Int, outputs: Int
    /// Positions of the blocks around the layers, from the outermost on, and of the layers in the innermost.
    private let blocks: [Int]
    private let layers: Range<Int>
    /// What goes into the layers, [samples × inputs], or [inputs] where samples are mixed.
    private let input: [Float]

    /// Larger Jacobians are not written out.
    public static let widestExact = 1024

    init(_ model: Model, inside blocks: [Int], layers: Range<Int>, samples: Int, mixesSamples: Bool, input: [Float], outputs: Int) {
        (self.model, self.blocks, self.layers, self.samples, self.mixesSamples) = (model, blocks, layers, samples, mixesSamples)
        (self.input, self.outputs, inputs) = (input, outputs, mixesSamples ? input.count : input.count / samples)
    }

    /// How far from the truth elements of J may be, relative to its norm, where that hides directions it maps to 0: a normalization subtracts means in float32.
    /// nil where it does not: the elements of other layers' Jacobians are exact but for a factor, a weight or a sum.
    public var rounding: Double? {
        func normalizes(_ layers: ArraySlice<any Layer>) -> Bool {
            layers.contains { $0 is Normalization || $0.inside.map { normalizes($0.layers[...]) } == true }
        }
        return normalizes(model.network(inside: blocks).layers[layers]) ? 0x1p-21 : nil
    }

    private func segment(rows: Int, goesBack: Bool = true) throws -> Segment {
        try Segment(model, inside: blocks, layers: layers, rows: rows, goesBack: goesBack)
    }

    /// What goes in at a sample, or of the batch where it is mixed.
    private func input(at sample: Int) -> ArraySlice<Float> { mixesSamples ? input[...] : input[sample * inputs..<(sample + 1) * inputs] }

    /// Jᵀ, [inputs × outputs]: what takes error signals back, at a sample.
    ///
    /// O(n³); of a mixed batch of B samples B times as many passes as numbers to a sample.
    /// - Throws: `FathomError.tooLarge` beyond `widestExact`.
    public func backwardFactor(sample: Int = 0) throws -> Matrix {
        guard max(outputs, inputs) <= Self.widestExact else {
            throw FathomError.tooLarge("a Jacobian of \(outputs) × \(inputs) is not written out, only up to \(Self.widestExact); probes measure it")
        }
        let products = try backward(sample: sample, outputs) { i, v in v[i] = 1 }
        return Matrix(rows: inputs, columns: outputs, values: products.map(Double.init))
    }

    /// Jᵀ·V for a few columns V, [outputs × columns].
    public func backward(_ v: Matrix, sample: Int = 0) throws -> Matrix {
        let products = try backward(sample: sample, v.columns) { i, target in
            for row in 0..<v.rows { target[row] = Float(v[row, i]) }
        }
        return Matrix(rows: inputs, columns: v.columns, values: products.map(Double.init))
    }

    /// Vectors sent back: side by side as rows that carry the sample, or one batch after another where it is mixed.
    private func backward(sample: Int, _ count: Int, _ fill: (Int, inout ArraySlice<Float>) -> Void) throws -> [Float] {
        func vectors(_ range: Range<Int>) -> [Float] {
            range.flatMap { i in
                var v = [Float](repeating: 0, count: outputs)[...]
                fill(i, &v)
                return v
            }
        }
        if mixesSamples {
            let segment = try segment(rows: samples)
            _ = segment.forward(input)
            return (0..<count).flatMap { segment.products(vectors($0..<$0 + 1)) }
        }
        guard count > 0 else { return [] }
        let segment = try segment(rows: count), x = input(at: sample)
        _ = segment.forward((0..<count).flatMap { _ in x })
        return segment.products(vectors(0..<count))
    }

    /// J·U for a few columns U, [inputs × columns], by central differences of the forward pass along each column over 2·2⁻⁸ of the input's norm: within about
    /// 3e-5 of ‖U‖ where the map is smooth. Kernels know no forward derivative; where digits count, `backward` has the last word.
    public func forwardDifference(_ u: Matrix, sample: Int = 0) throws -> Matrix {
        let segment = try segment(rows: mixesSamples ? samples : 2 * u.columns, goesBack: false), x = input(at: sample)
        let norm = x.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        var lengths: [Double] = [], moved: [[Float]] = []
        for i in 0..<u.columns {
            let column = u.values[i * inputs..<(i + 1) * inputs], length = column.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let size = (norm > 0 ? norm : 1) * 0x1p-8 / (length > 0 ? length : 1)
            lengths.append(size)
            for sign in [size, -size] { moved.append(zip(x, column).map { Float(Double($0) + sign * $1) }) }
        }
        let results = mixesSamples ? moved.flatMap { segment.forward($0) } : segment.forward(moved.flatMap { $0 })
        var product = Matrix.zero(outputs, u.columns)
        for i in 0..<u.columns {
            for row in 0..<outputs {
                product[row, i] = (Double(results[2 * i * outputs + row]) - Double(results[(2 * i + 1) * outputs + row])) / (2 * lengths[i])
            }
        }
        return product
    }

    /// J by its products: for Jacobians that are too large to be written out.
    public func byProducts(sample: Int = 0) -> LinearMap {
        LinearMap(rows: outputs, columns: inputs) {
            try forwardDifference(Matrix(column: $0), sample: sample).values
        } applyTransposed: {
            try backward(Matrix(column: $0), sample: sample).values
        }
    }

    /// At a sample: exact, or by probes; nil: exact up to `widestExact`.
    public func jacobianSummary(exact: Bool? = nil, sample: Int = 0, seed: UInt64 = 0) throws -> JacobianSummary {
        guard exact ?? (max(outputs, inputs) <= Self.widestExact) else {
            // Of a batch each product takes a pass over all of it.
            return try JacobianSummary(probing: byProducts(sample: sample), steps: mixesSamples ? 8 : 16, probes: mixesSamples ? 8 : 16, seed: seed)
        }
        return try JacobianSummary(backwardFactor(sample: sample), rounding: rounding)
    }
}
