import Fathom
import FathomCommandLine
import FathomFormats
import Foundation

/// A tower of scalars, f = σ(σ(…σ(w·x)…)) with σ(z) = φ(a·z), L times: ∂f/∂w = x·∏ a·φ′(a·z_k).
struct Tower {
    let activation: Activation
    /// a, w and x as float32 has them.
    let gain: Float, weight: Float, input: Float

    /// What trains is w alone: then a·z is z + (a − 1)·z, which has no parameter, and a is at least 1.
    func model(depth: Int, trains: Bool = false) throws -> Model {
        let factor = gain == 1 ? "" : trains ? "residual(scale: \(gain - 1))[identity] " : "linear(1, bias: false) "
        let model = try Model(Network("linear(1, bias: false) [\(factor)\(activation)] * \(depth)"), inputs: 1)
        let tensors = try model.parameters().map { ($0.name, [$0.name == "0.weight" ? weight : gain]) }
        return try model.replacing(Dictionary(uniqueKeysWithValues: tensors))
    }

    /// ∂f/∂w by the kernels that train: the gradient of |f − t| far above t.
    func gradient(depth: Int) throws -> Float {
        let samples = try Samples(columns: 1, features: .floats([input]), targets: .values([-0x1p126], width: 1))
        return try model(depth: depth).gradients(of: samples, loss: .meanAbsoluteError, threads: 1).parameters[0].values[0]
    }

    /// f and ∂f/∂w of depth 1 … L, to about 30 digits.
    func exact(depth: Int) -> [(value: DoubleDouble, gradient: DoubleDouble)] {
        let a = DoubleDouble(Double(gain))
        var z = DoubleDouble(Double(weight)) * DoubleDouble(Double(input)), gradient = DoubleDouble(Double(input))
        return (0..<depth).map { _ in
            let (value, slope) = activation.exact(a * z)
            (z, gradient) = (value, gradient * a * slope)
            return (z, gradient)
        }
    }

    /// The same in float64, by the library's own functions.
    /// - Parameter weight: in place of w.
    func float64(depth: Int, weight: Double? = nil) -> [(value: Double, gradient: Double)] {
        let a = Double(gain)
        var z = (weight ?? Double(self.weight)) * Double(input), gradient = Double(input)
        return (0..<depth).map { _ in
            let (value, slope) = activation.function(a * z)
            (z, gradient) = (value, gradient * (a * slope))
            return (z, gradient)
        }
    }

    /// How far a float32 gradient is from the exact one, and how far it may be: in 2⁻²⁴ of it, two to a layer and four more, where it is normal; below, in
    /// steps of the subnormal numbers, one to a layer.
    static func deviation(_ measured: Float, _ exact: DoubleDouble, depth: Int) -> (units: Double, limit: Double) {
        let difference = (DoubleDouble(Double(measured)) - exact).magnitude.high
        guard exact.high.magnitude < 0x1p-126 else { return (difference / exact.high.magnitude * 0x1p24, Double(2 * depth + 4)) }
        return (difference / 0x1p-149, Double(depth))
    }
}

extension LabExperiment {
    static let tower = LabExperiment(
        name: "tower",
        sees: "the gradient of one weight below L activations is a product of L slopes: once these have settled it falls or grows by the same factor with "
            + "every layer, until float32 has no number for it",
        options: [
            (.activation, "sigmoid"), (.depth, "75; 20 with --train"), (.weight, "1"), (.input, "1"), (.gain, "1: σ(z) = φ(gain·z)"), (.train, ""),
            (.steps, "of training, 12"), (.seed, ""),
        ]
    ) { parameters in
        func tower(_ activation: Activation, gain: Double) -> Tower {
            Tower(activation: activation, gain: Float(gain), weight: Float(parameters.weight ?? 1), input: Float(parameters.input ?? 1))
        }
        let gain = try parameters.gain()
        guard parameters.trains else {
            guard parameters.steps == nil else { throw UsageError("--steps are those of training; give --train too") }
            return try tower(parameters.activation ?? .sigmoid, gain: gain ?? 1).measured(depth: parameters.depth(1...400, default: 75))
        }
        let chosen = parameters.activation == nil && gain == nil
            ? [tower(.sigmoid, gain: 1), tower(.identity, gain: 1.5)] : [tower(parameters.activation ?? .sigmoid, gain: gain ?? 1)]
        guard chosen[0].gain >= 1 else { throw UsageError("--train takes a --gain of 1 or more, not \(chosen[0].gain)") }
        return try TowerTraining(towers: chosen, depth: parameters.depth(1...400, default: 20), steps: parameters.steps(1...100_000, default: 12)).result()
    }
}

extension Tower {
    private var formula: String {
        let inner = gain == 1 ? "z" : "\(figure(Double(gain)))·z"
        return "f = σ(σ(…σ(w·x)…)) with σ(z) = \(activation)(\(inner)), w = \(figure(Double(weight))), x = \(figure(Double(input)))"
    }

    func measured(depth: Int) throws -> LabResult {
        var result = LabResult("\(formula), L = 1 … \(depth) times; ∂f/∂w by the float32 kernels that train")
        let exact = exact(depth: depth), float64 = float64(depth: depth), isSigmoid = activation == .sigmoid && gain == 1
        let measured = try (1...depth).map { try gradient(depth: $0) }
        let bounds = (1...depth).map { Double(input).magnitude * pow(4, -Double($0)) }
        for (i, exact) in exact.map(\.gradient.high).enumerated() {
            result.rows.append(.init("gradient", ["depth": .integer(i + 1)], Double(measured[i]), .exact(exact)))
            result.rows.append(.init("gradient_float64", ["depth": .integer(i + 1)], float64[i].gradient, .exact(exact)))
        }
        let judged = (1...depth).map { ($0, Tower.deviation(measured[$0 - 1], exact[$0 - 1].gradient, depth: $0)) }
        result.tables = [.init(title: "∂f/∂w and how far float32 is from it, in 2^-24 of it (subnormal: in steps of 2^-149), beside what the rounding of every layer may add up to",
            header: ["L", "float32", "exact"] + (isSigmoid ? ["|x|/4^L"] : []) + ["off by", "at most"],
            rows: spread(judged, most: 16).map { depth, deviation in
                [String(depth), figure(Double(measured[depth - 1])), figure(exact[depth - 1].gradient.high)] + (isSigmoid ? [figure(bounds[depth - 1])] : [])
                    + [figure(deviation.units, digits: 3), figure(deviation.limit)]
            })]
        func points(_ values: [Double]) -> [(Double, Double)] { values.enumerated().map { (Double($0 + 1), $1.magnitude) } }
        result.charts = [Chart(
            "The gradient of a tower's weight", x: .places("depth L", depth), y: Axis("|∂f/∂w|", .logarithmic),
            [.init("float32", .points, points(measured.map(Double.init))), .init("exact", .theory, points(exact.map(\.gradient.high)))]
                + (isSigmoid ? [.init("bound |x|/4^L", .theory, points(bounds), look: 1)] : []))]
        result.findings = findings(measured, exact.map(\.gradient), judged.map(\.1))
        return result
    }

    private func findings(_ measured: [Float], _ exact: [DoubleDouble], _ deviations: [(units: Double, limit: Double)]) -> [String] {
        let last = exact.count, worst = deviations.map { $0.units / $0.limit }.max() ?? 0
        let factor = pow(exact[last - 1].high.magnitude / Double(input).magnitude, 1 / Double(last))
        var findings = ["at L = \(last) the gradient is \(figure(exact[last - 1].high))" + (factor.isFinite ? "; per layer it changes by ×\(figure(factor))" : "")]
        if worst.isFinite {
            findings.append("float32 is off by \(worst > 1 ? "\(figure(worst, digits: 3)) times" : "\(percent(worst)) of") what one rounding or two a layer would add up to, at worst")
        }
        /// From where on all are.
        func onset(_ isOfIt: (Float) -> Bool) -> Int? { measured.lastIndex { !isOfIt($0) }.map { $0 + 1 < last ? $0 + 1 : nil } ?? 0 }
        let zero = onset { $0 == 0 }, infinite = onset { !$0.isFinite }, subnormal = onset { $0.isSubnormal || $0 == 0 }.flatMap { $0 == zero ? nil : $0 }
        if let subnormal { findings.append("from L = \(subnormal + 1) on the gradient is a subnormal float32: digits are lost with every layer") }
        if let zero { findings.append("from L = \(zero + 1) on float32 has 0 for it: the weight cannot move") }
        if let infinite { findings.append("from L = \(infinite + 1) on float32 has no number for it") }
        return findings
    }
}
