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
    /// The first step, from 1, whose output is not finite; what lies beyond it is not there. One more than there are steps where only what follows them overflows.
    public let overflow: Int?
    /// h_l, [samples × size], sample after sample, from h₀ on.
    public let signals: [[Float]]
    /// Of the network; empty behind an overflow.
    public let outputs: [Float]

    /// Larger Jacobians are not written out.
    public static let widestExact = LayerMap.widestExact

    /// - Parameter steps: one after another, without gaps; nil: the network's steps of depth.
    /// - Throws: `FathomError.invalid` where the samples do not fit the model, there are none, or the network has no layer with weights.
    public init(_ model: Model, _ samples: Samples, steps: [Range<Int>]? = nil) throws { try self.init(model, samples, steps: steps) { $0 } }

    /// - Parameter continuing: what stands for h_l, and what the next step takes in its place.
    package init(_ model: Model, _ samples: Samples, steps: [Range<Int>]? = nil, continuing: ([Float]) -> [Float]) throws {
        let steps = steps ?? model.network.stepsOfDepth, inputs = try model.standardizedInputs(samples)
        guard let first = steps.first?.lowerBound, let last = steps.last?.upperBound else {
            throw FathomError.invalid("a network without weights has no steps of depth; give it a layer such as linear(64)")
        }
        guard samples.count > 0 else { throw FathomError.invalid("a Jacobian needs at least one sample") }
        (self.model, self.samples, self.steps) = (model, samples.count, steps)
        mixesSamples = model.network.mixesRows
        func forward(_ x: [Float], _ layers: Range<Int>) throws -> [Float] {
            try Segment(model, layers: layers, rows: samples.count, goesBack: false).forward(x)
        }
        var signals = [first == 0 ? inputs : try forward(inputs, 0..<first)], overflow: Int?
        for (index, step) in steps.enumerated() where overflow == nil {
            let next = try forward(signals[index], step)
            if next.allSatisfy(\.isFinite) { signals.append(continuing(next)) } else { overflow = index + 1 }
        }
        let end = model.network.layers.count
        let outputs = overflow != nil ? [] : last == end ? signals[steps.count] : try forward(signals[steps.count], last..<end)
        if !outputs.allSatisfy(\.isFinite) { overflow = steps.count + 1 }
        (self.signals, self.overflow, self.outputs) = (signals, overflow, overflow == nil ? outputs : [])
    }

    /// Numbers of h_l, from 0, that a Jacobian is by: of a sample, or of the batch where it is mixed.
    public func size(_ l: Int) -> Int { mixesSamples ? signals[l].count : signals[l].count / samples }

    /// Step l, from 1, at the pass.
    public func map(_ l: Int) -> LayerMap {
        LayerMap(model, inside: [], layers: steps[l - 1], samples: samples, mixesSamples: mixesSamples, input: signals[l - 1], outputs: size(l))
    }

    /// See `LayerMap.rounding`.
    public func rounding(_ l: Int) -> Double? { map(l).rounding }

    /// J_lᵀ: see `LayerMap.backwardFactor(sample:)`.
    public func backwardFactor(_ l: Int, sample: Int = 0) throws -> Matrix { try map(l).backwardFactor(sample: sample) }

    /// J_lᵀ·V for a few columns V, [size of h_l × columns].
    public func backward(_ l: Int, _ v: Matrix, sample: Int = 0) throws -> Matrix { try map(l).backward(v, sample: sample) }

    /// J_l·U for a few columns U, [size of h_{l−1} × columns]: see `LayerMap.forwardDifference(_:sample:)`.
    public func forwardDifference(_ l: Int, _ u: Matrix, sample: Int = 0) throws -> Matrix { try map(l).forwardDifference(u, sample: sample) }
}
