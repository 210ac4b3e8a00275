import Fathom
import Foundation

/// What one layer with parameters does to the signal and to its gradient, over a batch.
public struct LayerProfile: Sendable, Hashable {
    /// "0.linear", "1.3.linear".
    public let name: String
    /// Columns of what goes in and what comes out.
    public let inputs: Int, outputs: Int
    /// Over all entries of the layer's output, behind the activation that follows it.
    public let activationMean: Double, activationStd: Double
    /// Of that activation: the mean of φ′², the share of entries with |φ′| below a twentieth of its maximum, the share of columns whose φ′ is 0 in every row. nil of
    /// gated cells, whose output is no function of one number.
    public let slopeMeanSquare: Double?, saturated: Double?, dead: Double?
    /// ln‖∂L/∂h‖ over the batch, h the output behind the activation; nil where there was no backward pass. −∞ of 0.
    public internal(set) var logSignalGradientNorm: Double?
    /// ln‖∂L/∂W‖ over all that the layer learns.
    public internal(set) var logGradientNorm: Double?
    /// Entries of ∂L/∂h that float32 has no full precision for: between 2⁻¹⁴⁹ and 2⁻¹²⁶.
    public internal(set) var subnormal: Int?
}

/// A forward pass over a batch layer by layer, inside of blocks too, and a backward pass whose error signal is scaled to about 1 before each layer: what it says of
/// gradients neither underflows nor overflows, though in training they may. Nothing is dropped.
public struct LayerPass: Sendable {
    /// Of every layer that learns something, in the order of the network, up to an overflow.
    public private(set) var layers: [LayerProfile] = []
    /// Jacobians of each of `layers`, with the activation that follows it.
    public private(set) var maps: [LayerMap] = []
    /// The name of the first layer whose output is not finite; nil where there is none.
    public private(set) var overflow: String?
    /// Of the network; empty behind an overflow.
    public private(set) var outputs: [Float] = []

    private let model: Model
    private let samples: Int
    private var stages: [Stage] = []

    /// A layer with the activation that its own calls apply, or without; of a block what is inside, too.
    private struct Stage {
        let blocks: [Int]
        let layers: Range<Int>
        let input: [Float]
        /// Among `LayerPass.layers`.
        var profile: Int?
        var inside: [Stage] = []
    }

    /// - Throws: `FathomError.invalid` where the samples do not fit the model, or there are none.
    public init(_ model: Model, _ samples: Samples) throws {
        guard samples.count > 0 else { throw FathomError.invalid("a pass needs at least one sample") }
        (self.model, self.samples) = (model, samples.count)
        (stages, outputs) = try forward([], model.standardizedInputs(samples))
        if overflow != nil { outputs = [] }
    }

    // MARK: Forward

    private mutating func forward(_ blocks: [Int], _ x: [Float]) throws -> ([Stage], [Float]) {
        let network = model.network(inside: blocks), prefix = blocks.map { "\($0)." }.joined()
        var stages: [Stage] = [], x = x, position = 0
        while position < network.layers.count, overflow == nil {
            let layer = network.layers[position], activation = layer is Linear || layer is Normalization ? network.activation(after: position) : nil
            var stage = Stage(blocks: blocks, layers: position..<position + (activation == nil ? 1 : 2), input: x)
            let name = "\(prefix)\(position).\(layer.name)", y = try output(of: layer, activation, &stage, name: name)
            if layer.inside != nil { (stage.inside, _) = try forward(blocks + [position], x) }
            // What overflows inside of a block is the cause.
            if y.allSatisfy(\.isFinite) { x = y } else { overflow = overflow ?? name }
            stages.append(stage)
            position = stage.layers.upperBound
        }
        return (stages, x)
    }

    private mutating func output(of layer: any Layer, _ activation: Activation?, _ stage: inout Stage, name: String) throws -> [Float] {
        let position = stage.layers.lowerBound, own = try Segment(model, inside: stage.blocks, layers: position..<position + 1, rows: samples, goesBack: false)
        let z = own.forward(stage.input)
        var y = z, slopes: [Float]? = layer is Recurrent ? (layer as? Recurrent)?.slopes(at: z) : []
        if activation != nil {
            let last = try Segment(model, inside: stage.blocks, layers: position + 1..<position + 2, rows: samples)
            y = last.forward(z)
            slopes = last.products([Float](repeating: 1, count: y.count))
        }
        guard model.learns(inside: stage.blocks, position), y.allSatisfy(\.isFinite) else { return y }
        let columns = own.output.columns, steepest = (activation ?? (layer as? Recurrent)?.activation ?? .identity).steepest
        let (mean, deviation) = y.meanAndDeviation
        stage.profile = layers.count
        layers.append(LayerProfile(
            name: name, inputs: own.input.columns, outputs: columns, activationMean: mean, activationStd: deviation,
            slopeMeanSquare: slopes.map { $0.isEmpty ? 1 : $0.reduce(0) { $0 + Double($1) * Double($1) } / Double($0.count) },
            saturated: slopes.map { $0.isEmpty ? 0 : Double($0.count { Double($0.magnitude) < steepest / 20 }) / Double($0.count) },
            dead: slopes.map { $0.isEmpty ? 0 : Self.dead($0, columns: columns) }))
        let mixes = own.mixesRows
        maps.append(LayerMap(
            model, inside: stage.blocks, layers: stage.layers, samples: samples, mixesSamples: mixes, input: stage.input,
            outputs: mixes ? y.count : y.count / samples))
        return y
    }

    private static func dead(_ slopes: [Float], columns: Int) -> Double {
        var alive = [Bool](repeating: false, count: columns)
        for (i, slope) in slopes.enumerated() where slope != 0 { alive[i % columns] = true }
        return Double(alive.count { !$0 }) / Double(columns)
    }

    // MARK: Backward

    /// Fills in what is known of gradients, for an error signal at the network's output.
    /// - Throws: `FathomError.invalid` behind an overflow.
    public mutating func goBack(fromError error: [Float]) throws {
        if let overflow { throw FathomError.invalid("the forward pass overflows at \(overflow); there is no gradient behind it") }
        precondition(error.count == outputs.count, "an error signal is as large as the output")
        let scratch = try GradientScratch(model)
        _ = try goBack(stages, error, 0, scratch)
    }

    private mutating func goBack(_ stages: [Stage], _ error: [Float], _ logScale: Double, _ scratch: GradientScratch) throws -> [Float] {
        var v = error, logScale = logScale
        for stage in stages.reversed() {
            let (unit, logFactor) = DepthPass.scaled(v), position = stage.layers.lowerBound
            logScale += logFactor
            if let profile = stage.profile {
                layers[profile].logSignalGradientNorm = 0.5 * log(unit.squaredNorm) + logScale
                layers[profile].subnormal = Self.subnormals(unit, logScale)
            }
            let segment = try Segment(model, inside: stage.blocks, layers: stage.layers, rows: samples, gradients: scratch)
            _ = segment.forward(stage.input)
            v = segment.products(unit)
            if let profile = stage.profile, let square = scratch.squaredNorm(inside: stage.blocks, position) {
                layers[profile].logGradientNorm = 0.5 * log(square) + logScale
            }
            guard !stage.inside.isEmpty else { continue }
            let scale = Float(model.branchScale(inside: stage.blocks, position))
            _ = try goBack(stage.inside, unit.map { $0 * scale }, logScale, scratch)
        }
        return v
    }

    /// How many numbers, times e^logScale, are subnormal in float32.
    private static func subnormals(_ v: [Float], _ logScale: Double) -> Int {
        let low = Float(exp(-149 * log(2) - logScale)), high = Float(exp(-126 * log(2) - logScale))
        return high > 0 ? v.count { $0.magnitude >= low && $0.magnitude < high && $0 != 0 } : 0
    }
}

extension Recurrent {
    /// Of a plain rnn.
    fileprivate var activation: Activation? { if case .rnn(let activation) = cell { activation } else { nil } }

    /// φ′ of a plain rnn's activation, from its outputs; nil of gated cells.
    fileprivate func slopes(at outputs: [Float]) -> [Float]? {
        switch activation {
        case .tanh?: outputs.map { 1 - $0 * $0 }
        case .relu?: outputs.map { $0 > 0 ? 1 : 0 }
        case _?: []
        case nil: nil
        }
    }
}

extension Activation {
    /// The largest |φ′|: of gelu at z = √2, of gelu(tanh) and silu near 1.41 and 2.40.
    var steepest: Double {
        switch self {
        case .elu(let alpha): max(1, alpha)
        case .selu: 1.0507009873554805 * 1.6732632423543772
        case .gelu: 1.12890
        case .geluTanh: 1.12902
        case .silu: 1.09984
        case .sigmoid: 0.25
        default: 1
        }
    }
}

extension [Float] {
    var squaredNorm: Double { reduce(0) { $0 + Double($1) * Double($1) } }

    fileprivate var meanAndDeviation: (Double, Double) {
        let n = Double(Swift.max(1, count)), mean = reduce(0) { $0 + Double($1) } / n
        return (mean, (reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / n).squareRoot())
    }
}
