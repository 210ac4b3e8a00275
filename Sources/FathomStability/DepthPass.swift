import Fathom

/// A forward pass of a model over a batch, cut into steps of depth h₀ → h₁ → … → h_L, and the Jacobians J_l = ∂h_l/∂h_{l−1} at it.
///
/// They are what the training's own backward kernels make of unit vectors, so every layer has one. Nothing is dropped. Where batch normalization mixes the
/// samples, a Jacobian is that of the whole batch, whose numbers then count as those of one sample.
public struct DepthPass: Sendable {
    public let model: Model
    /// Of the batch.
    public let samples: Int
    /// Positions of each step's layers.
    public let steps: [Range<Int>]
    /// Whether Jacobians are those of the batch.
    public let mixesSamples: Bool
    /// The first step, from 1, whose output is not finite; what lies beyond it is not there.
    public let overflow: Int?
    /// h_l, [samples × size], sample after sample, from h₀ on.
    public let signals: [[Float]]
    /// Of the network; empty behind an overflow.
    public let outputs: [Float]

    /// Larger Jacobians are not written out.
    public static let widestExact = 1024

    /// - Parameter steps: one after another, without gaps; nil: the network's steps of depth.
    /// - Throws: `FathomError.invalid` where the samples do not fit the model, there are none, or the network has no layer with weights.
    public init(_ model: Model, _ samples: Samples, steps: [Range<Int>]? = nil) throws {
        let steps = steps ?? model.network.stepsOfDepth, inputs = try model.standardizedInputs(samples)
        guard let first = steps.first?.lowerBound, let last = steps.last?.upperBound else {
            throw FathomError.invalid("a network without weights has no steps of depth; give it a layer such as linear(64)")
        }
        guard samples.count > 0 else { throw FathomError.invalid("a Jacobian needs at least one sample") }
        (self.model, self.samples, self.steps) = (model, samples.count, steps)
        mixesSamples = model.network.mixesRows
        func forward(_ x: [Float], _ layers: Range<Int>) throws -> [Float] { try Segment(model, layers: layers, rows: samples.count).forward(x) }
        var signals = [first == 0 ? inputs : try forward(inputs, 0..<first)], overflow: Int?
        for (index, step) in steps.enumerated() where overflow == nil {
            let next = try forward(signals[index], step)
            if next.allSatisfy(\.isFinite) { signals.append(next) } else { overflow = index + 1 }
        }
        (self.signals, self.overflow) = (signals, overflow)
        let end = model.network.layers.count
        outputs = overflow != nil ? [] : last == end ? signals[steps.count] : try forward(signals[steps.count], last..<end)
    }

    /// Numbers of h_l, from 0, that a Jacobian is by: of a sample, or of the batch where it is mixed.
    public func size(_ l: Int) -> Int { mixesSamples ? signals[l].count : signals[l].count / samples }

    /// How far from the truth elements of J_l may be, relative to its norm, where that hides directions it maps to 0: a normalization subtracts means in float32.
    /// nil where it does not: the elements of other layers' Jacobians are exact but for a factor, a weight or a sum.
    public func rounding(_ l: Int) -> Double? {
        func normalizes(_ layers: ArraySlice<any Layer>) -> Bool {
            layers.contains { $0 is Normalization || $0.inside.map { normalizes($0.layers[...]) } == true }
        }
        return normalizes(model.network.layers[steps[l - 1]]) ? 0x1p-21 : nil
    }

    /// J_lᵀ, l from 1, [size of h_{l−1} × size of h_l]: what takes error signals back through step l, at a sample.
    ///
    /// O(n³); of a mixed batch of B samples B times as many passes as numbers to a sample.
    /// - Throws: `FathomError.tooLarge` beyond `widestExact`.
    public func backwardFactor(_ l: Int, sample: Int = 0) throws -> Matrix {
        let outputs = size(l), inputs = size(l - 1)
        guard max(outputs, inputs) <= Self.widestExact else {
            throw FathomError.tooLarge("a Jacobian of \(outputs) × \(inputs) is not written out, only up to \(Self.widestExact); probes measure it")
        }
        let products = try backward(l, sample: sample, outputs) { i, v in v[i] = 1 }
        return Matrix(rows: inputs, columns: outputs, values: products.map(Double.init))
    }

    /// J_lᵀ·V for a few columns V, [size of h_l × columns].
    public func backward(_ l: Int, _ v: Matrix, sample: Int = 0) throws -> Matrix {
        let products = try backward(l, sample: sample, v.columns) { i, target in
            for row in 0..<v.rows { target[row] = Float(v[row, i]) }
        }
        return Matrix(rows: size(l - 1), columns: v.columns, values: products.map(Double.init))
    }

    /// Vectors sent back through step l: side by side as rows that carry the sample, or one batch after another where it is mixed.
    private func backward(_ l: Int, sample: Int, _ count: Int, _ fill: (Int, inout ArraySlice<Float>) -> Void) throws -> [Float] {
        let outputs = size(l), inputs = size(l - 1)
        func vectors(_ range: Range<Int>) -> [Float] {
            range.flatMap { i in
                var v = [Float](repeating: 0, count: outputs)[...]
                fill(i, &v)
                return v
            }
        }
        if mixesSamples {
            let segment = try Segment(model, layers: steps[l - 1], rows: samples)
            _ = segment.forward(signals[l - 1])
            return (0..<count).flatMap { segment.products(vectors($0..<$0 + 1)) }
        }
        guard count > 0 else { return [] }
        let segment = try Segment(model, layers: steps[l - 1], rows: count), x = signals[l - 1][sample * inputs..<(sample + 1) * inputs]
        _ = segment.forward((0..<count).flatMap { _ in x })
        return segment.products(vectors(0..<count))
    }

    /// J_l·U for a few columns U, [size of h_{l−1} × columns], by central differences of the forward pass along each column over 2·2⁻⁸ of ‖h_{l−1}‖: within
    /// about 3e-5 of ‖U‖ where the step is smooth. Kernels know no forward derivative; where digits count, `backward` has the last word.
    public func forwardDifference(_ l: Int, _ u: Matrix, sample: Int = 0) throws -> Matrix {
        let inputs = size(l - 1), outputs = size(l), rows = mixesSamples ? samples : 2 * u.columns
        let segment = try Segment(model, layers: steps[l - 1], rows: rows)
        let x = signals[l - 1][(mixesSamples ? 0 : sample * inputs)...].prefix(inputs)
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
}
