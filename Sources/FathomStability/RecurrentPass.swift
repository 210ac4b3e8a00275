import Fathom
import Foundation

/// A recurrent layer's states over the time steps of a batch, s₀ = 0 → s₁ → … → s_T, and the Jacobians ∂s_t/∂s_{t−1} at them, by the training's own kernels.
/// A state is h, of an lstm h and then c.
///
/// Of several recurrent layers on top of each other, whose joint Jacobian is block-triangular, the exponents are those of each layer by itself.
public struct RecurrentPass: Sendable {
    public let model: Model
    /// Of the layer.
    public let position: Int
    public let samples: Int
    /// Numbers of a state.
    public let stateSize: Int
    /// s_t, [samples × stateSize], from s₀ on.
    public let states: [[Float]]
    /// Inputs of the layer at step t, from 1, [samples × inputs].
    private let inputs: [[Float]]

    /// - Parameter position: of a recurrent layer that is not inside another; nil: the first.
    /// - Throws: `FathomError.invalid` where there is none, or the samples do not fit.
    public init(_ model: Model, _ samples: Samples, position: Int? = nil) throws { try self.init(model, samples, position: position) { $0 } }

    /// - Parameter continuing: what stands for s_t, and what the next step takes in its place.
    package init(_ model: Model, _ samples: Samples, position: Int? = nil, continuing: ([Float]) -> [Float]) throws {
        let network = model.network
        guard let position = position ?? network.layers.firstIndex(where: { $0 is Recurrent }), network.layers.indices.contains(position),
              network.layers[position] is Recurrent, let steps = network.inputSteps
        else { throw FathomError.invalid("there is no recurrent layer\(position.map { " at position \($0)" } ?? ""); rnn, lstm and gru are") }
        guard samples.count > 0 else { throw FathomError.invalid("a Jacobian needs at least one sample") }
        let before = try Segment(model, layers: 0..<position, rows: samples.count, goesBack: false).forward(model.standardizedInputs(samples))
        let cell = try CellStep(model, position: position, rows: samples.count), width = cell.inputs
        (self.model, self.position, self.samples, stateSize) = (model, position, samples.count, cell.stateSize)
        inputs = (0..<steps).map { t in
            (0..<samples.count).flatMap { (sample: Int) -> ArraySlice<Float> in before[((sample * steps + t) * width)...].prefix(width) }
        }
        var states = [[Float](repeating: 0, count: samples.count * cell.stateSize)]
        for x in inputs { states.append(continuing(cell.forward(x, state: states[states.count - 1]))) }
        self.states = states
    }

    public var steps: Int { inputs.count }

    /// Hands (∂s_t/∂s_{t−1})ᵀ at a sample to `take`, t = T … 2 in turn.
    public func forEachBackwardFactor(sample: Int = 0, _ take: (Matrix) throws -> Void) throws {
        let cell = try CellStep(model, position: position, rows: stateSize), identity = Matrix.identity(stateSize).values.map { Float($0) }
        for t in (2...max(2, steps)).reversed() where t <= steps {
            _ = cell.forward(repeated(stateSize, inputs[t - 1], sample, of: cell.inputs), state: repeated(stateSize, states[t - 1], sample, of: stateSize))
            try take(Matrix(rows: stateSize, columns: stateSize, values: cell.products(identity).map(Double.init)))
        }
    }

    /// (∂s_t/∂s_{t−1})ᵀ·V for up to so many columns V, [stateSize × columns], t from 2 on.
    func backward(sample: Int = 0, columns: Int) throws -> (_ t: Int, _ v: Matrix) -> Matrix {
        let cell = try CellStep(model, position: position, rows: columns)
        return { t, v in
            _ = cell.forward(repeated(columns, inputs[t - 1], sample, of: cell.inputs), state: repeated(columns, states[t - 1], sample, of: stateSize))
            let rest = [Float](repeating: 0, count: (columns - v.columns) * stateSize)
            let products = cell.products(v.values.map { Float($0) } + rest)
            return Matrix(rows: stateSize, columns: v.columns, values: products.prefix(v.columns * stateSize).map(Double.init))
        }
    }

    private func repeated(_ times: Int, _ rows: [Float], _ sample: Int, of width: Int) -> [Float] {
        let row = rows[sample * width..<(sample + 1) * width]
        return (0..<times).flatMap { _ in row }
    }

    /// ∂s_T/∂s₁ at a sample, graded: its singular values and, over time steps, its Lyapunov spectrum in nats per step. O(T · stateSize³).
    ///
    /// - Parameter each: is given the product over the last k steps, k = 1 … T − 1, in turn.
    /// - Throws: `FathomError.tooLarge` of states beyond `DepthPass.widestExact`.
    @discardableResult
    public func product(sample: Int = 0, seed: UInt64 = 0, each: (GradedProduct) throws -> Void = { _ in }) throws -> GradedProduct {
        guard stateSize <= DepthPass.widestExact else {
            throw FathomError.tooLarge("a Jacobian of \(stateSize) × \(stateSize) is not written out, only up to \(DepthPass.widestExact)")
        }
        var product = GradedProduct(columns: stateSize, seed: seed)
        try forEachBackwardFactor(sample: sample) {
            product.multiply(by: $0)
            try each(product)
        }
        return product
    }

    /// ln‖(∂s_T/∂s_{T−k})ᵀv‖ for each lag k = 0 … T − 1 and every sample: the gradient against lag, renormalized at each step. [sample][lag]
    ///
    /// - Parameter error: v at s_T, [samples × stateSize].
    public func logGradientNorms(ofError error: [Float]) throws -> [[Double]] {
        precondition(error.count == samples * stateSize)
        let cell = try CellStep(model, position: position, rows: samples)
        var v = error, scales = [Double](repeating: 0, count: samples), norms = [[Double]](repeating: [], count: samples)
        for t in (1...steps).reversed() {
            for sample in 0..<samples {
                let row = sample * stateSize..<(sample + 1) * stateSize
                let norm = v[row].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
                norms[sample].append(scales[sample] + log(norm))
                guard norm > 0, norm.isFinite else { continue }
                scales[sample] += log(norm)
                for i in row { v[i] = Float(Double(v[i]) / norm) }
            }
            guard t > 1 else { break }
            _ = cell.forward(inputs[t - 1], state: states[t - 1])
            v = cell.products(v)
        }
        return norms
    }

    /// |eigenvalue| of the weights from the state to itself, largest first, for each gate: of a linear rnn the growth of the gradient per step in the long run.
    public func stateEigenvalues() throws -> [[Double]] {
        let name = "\(position).weight_hh_l0"
        guard let tensor = try model.parameters().first(where: { $0.name == name }) else { return [] }
        let width = tensor.shape[1]
        return try (0..<tensor.shape[0] / width).map { gate in
            // Row-major rows are the columns of the transpose, whose eigenvalues are the same.
            let values = tensor.values[gate * width * width..<(gate + 1) * width * width].map(Double.init)
            return try Matrix(rows: width, columns: width, values: values).spectralMagnitudes()
        }
    }
}

extension Matrix {
    /// |eigenvalue|, largest first.
    public func spectralMagnitudes() throws(FathomError) -> [Double] {
        try eigenvalues().map { ($0.real * $0.real + $0.imaginary * $0.imaginary).squareRoot() }.sorted(by: >)
    }

    /// The largest |eigenvalue|.
    public func spectralRadius() throws(FathomError) -> Double { try spectralMagnitudes().first ?? 0 }
}
