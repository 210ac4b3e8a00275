import Fathom
import Foundation

/// What mean-field theory says of a step of depth drawn at random, as width grows.
public struct StepTheory: Sendable, Hashable {
    /// The variance of the activation's input once it is stationary; infinite where relu and its kin, whose rate does not depend on it, make it grow for ever.
    public let variance: Double
    /// What the squared norm of the error signal is multiplied by on its way through the step, output to input.
    public let rate: Double

    /// ξ = 1/|ln rate| steps; infinite where float32 weights do not tell the rate from 1.
    public var depthScale: Double { (rate - 1).magnitude < 0x1p-20 ? .infinity : 1 / log(rate).magnitude }

    public enum Form: Sendable, Hashable {
        /// `linear φ`.
        case plain
        /// `linear norm φ`.
        case normalizedBeforeActivation(Normalization.Kind)
        /// `norm linear φ`, or `linear φ norm`.
        case normalizedBeforeWeights(Normalization.Kind)
    }

    /// Weights N(0, σ_w²/fan-in), biases N(0, σ_b²), the step repeated until its variance is stationary; nil where it never is, or no formula is known.
    ///
    /// Without normalization it is Schoenholz et al. 2017: q* and χ₁. With it, the input of φ is held at a variance q, and the signal is divided by what the
    /// normalization divides by. Its projections (of a row or of a column, on two directions) take a share of order 1/size that is left out:
    ///
    /// - `linear norm φ`: q = 1, rate = σ_w²E[φ′²]/s², where s² is the variance of what a weight gives: σ_w²E[φ²] + σ_b² over the columns of a row; over the
    ///   rows of a batch σ_w²(E[φ²] − E[φ]²), since there biases, and what samples have in common, cancel. For relu the latter makes 1/(1 − 1/π) = π/(π − 1):
    ///   Yang et al. 2019, "A mean field theory of batch normalization". It is the limit of large batches; for one of B rows see `batch`.
    /// - `norm linear φ`: q = σ_w² + σ_b², rate = σ_w²E[φ′²]/s², where s² is what the norm finds after φ: E[φ²] − E[φ]², about zero (rms) E[φ²].
    ///
    /// - Parameter batch: rows B of the batch that `linear batchnorm φ` normalizes, more than 3; nil: the limit. What the normalization makes of a column is
    ///   then z, uniform on the sphere of radius √B among vectors without mean, and error signals are white there. With D = diag φ′(z) and P the projection on
    ///   those vectors, rate = B/(B − 3) · E tr(D(P − zzᵀ/B)DP)/E‖Pφ(z)‖², here by draws, within about 0.4 %; exactly (B − 2)/(B − 3) where φ is linear.
    public init?(_ form: Form, _ activation: Activation, weightVariance: Double, biasVariance: Double, from start: Double = 1, batch: Int? = nil) {
        switch form {
        case .plain:
            let theory = MeanField(activation, weightVariance: weightVariance, biasVariance: biasVariance)
            if let point = theory.fixedPoint(from: start) {
                (variance, rate) = (point.variance, point.chi)
            } else if VarianceMap.Source(activation).isHomogeneous {
                (variance, rate) = (.infinity, theory.chi(at: 1))
            } else {
                return nil
            }
        case .normalizedBeforeActivation(.batch) where batch != nil:
            guard let rows = batch, rows > 3 else { return nil }
            (variance, rate) = (1, Self.batchRate(activation, rows: rows))
        case .normalizedBeforeActivation(let kind):
            let moments = VarianceMap.Source(activation).moments(1)
            let spread = if case .batch = kind {
                weightVariance * (moments.square - moments.mean * moments.mean)
            } else {
                weightVariance * moments.square + biasVariance
            }
            (variance, rate) = (1, weightVariance * moments.slopeSquare / spread)
        case .normalizedBeforeWeights(let kind):
            // A bias moves a column's values as a whole, and differently for each: then the spread over a batch is no moment at one variance.
            if case .batch = kind, biasVariance > 0 { return nil }
            let moments = VarianceMap.Source(activation).moments(weightVariance + biasVariance)
            let spread = kind == .rms ? moments.square : moments.square - moments.mean * moments.mean
            (variance, rate) = (weightVariance + biasVariance, weightVariance * moments.slopeSquare / spread)
        }
    }

    private static func batchRate(_ activation: Activation, rows: Int) -> Double {
        var random = CounterRandom(seed: 0, stream: 0x424E), trace = 0.0, spread = 0.0
        let n = Double(rows)
        for _ in 0..<max(64, 131_072 / rows) {
            var z = (0..<rows).map { _ in random.normal() }
            let mean = z.reduce(0, +) / n, norm = (z.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n).squareRoot()
            var (values, squares, slopes, slopeSquares, along, alongSquares) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
            for i in z.indices {
                z[i] = (z[i] - mean) / norm
                let (value, slope) = activation.function(z[i])
                values += value
                squares += value * value
                slopes += slope
                slopeSquares += slope * slope
                along += slope * z[i]
                alongSquares += slope * slope * z[i] * z[i]
            }
            trace += slopeSquares * (1 - 2 / n) + slopes * slopes / (n * n) - alongSquares / n + along * along / (n * n)
            spread += squares - values * values / n
        }
        return n / (n - 3) * trace / spread
    }

    /// Of the network's steps of depth, with the variances that the last one's weights and biases have; nil where they are not all of one form that there is, or
    /// theory has no answer.
    /// - Parameter batch: rows that batch normalization has; nil: many.
    public init?(_ model: Model, batch: Int? = nil) throws {
        let steps = model.network.stepsOfDepth.map { Form.read(model.network.layers[$0]) }
        guard let last = steps.last, let (form, activation, position) = last, steps.allSatisfy({ $0?.form == form && $0?.activation == activation }) else { return nil }
        let tensors = try model.parameters()
        func meanSquare(_ name: String) -> (Double, inputs: Int)? {
            tensors.first { $0.name == "\(position).\(name)" }.map { tensor in
                (tensor.values.reduce(0) { $0 + Double($1) * Double($1) } / Double(tensor.values.count), tensor.shape.last ?? 1)
            }
        }
        guard let weight = meanSquare("weight") else { return nil }
        self.init(form, activation, weightVariance: weight.0 * Double(weight.inputs), biasVariance: meanSquare("bias")?.0 ?? 0, batch: batch)
    }
}

extension StepTheory.Form {
    /// The form of a step's layers, its activation, and the position of the layer that has the weights.
    fileprivate static func read(_ step: ArraySlice<any Layer>) -> (form: StepTheory.Form, activation: Activation, linear: Int)? {
        let positions = step.indices.filter { !(step[$0] is Dropout) && step[$0] as? Activation != .identity }, layers = positions.map { step[$0] }
        let kinds = layers.map { layer in
            layer is Linear ? "w" : layer is Activation ? "a" : layer is Normalization ? "n" : "?"
        }.joined()
        let norm = layers.lazy.compactMap { $0 as? Normalization }.first?.kind, activation = layers.lazy.compactMap { $0 as? Activation }.first ?? .identity
        guard let linear = positions.first(where: { step[$0] is Linear }) else { return nil }
        switch (kinds, norm) {
        case ("w", _), ("wa", _), ("aw", _): return (.plain, activation, linear)
        case ("wn", let norm?), ("wna", let norm?), ("naw", let norm?): return (.normalizedBeforeActivation(norm), activation, linear)
        case ("nw", let norm?), ("nwa", let norm?), ("wan", let norm?), ("anw", let norm?): return (.normalizedBeforeWeights(norm), activation, linear)
        default: return nil
        }
    }
}

extension MeanField {
    /// The variance over networks, per step of depth, of the logarithm of the squared norm of an error signal, in layers of finite width at a fixed point:
    /// (3E[φ′⁴]/E[φ′²]² − 1)/width, to first order. 2/width where linear, 5/width of relu: Hanin & Nica 2020, "Products of many large random matrices and
    /// gradients in deep neural networks".
    public func fluctuation(at q: Double, width: Int) -> Double {
        let moments = VarianceMap.Source(activation).moments(q)
        return (3 * moments.slopeFourth / (moments.slopeSquare * moments.slopeSquare) - 1) / Double(width)
    }
}
