import Fathom
import FathomCommandLine
import FathomFormats
import FathomStability
import Foundation

/// Layers φ(Wh + b), weights N(0, g²/width): W stretches, the slopes D = diag φ′ take it back.
struct SaturationLab {
    let activation: Activation
    let depth: Int, width: Int, averages: Int
    let gain: Double
    let seed: UInt64

    struct LayerFigures {
        /// ‖W‖₂ and ‖DW‖₂.
        let weights: Double, jacobian: Double
        /// The mean of σ² of DW.
        let meanSquare: Double
        /// The share of units whose slope is below a twentieth of the largest.
        let saturated: Double
    }

    private var largestSlope: Double { stride(from: -8, through: 8, by: 0.01).map { activation.function($0).slope.magnitude }.max() ?? 1 }

    /// Of W and D as the kernels have them, transposed.
    private func figures(_ weights: Matrix, _ slopes: Matrix, limit: Double) throws -> LayerFigures {
        let jacobian = try JacobianSummary(weights * slopes)
        return LayerFigures(
            weights: try JacobianSummary(weights).largest, jacobian: jacobian.largest, meanSquare: jacobian.meanSquare,
            saturated: Double((0..<slopes.rows).count { slopes[$0, $0].magnitude < limit }) / Double(slopes.rows))
    }

    /// One layer without bias whose inputs are N(0, scale²), drawn several times.
    func layer(scale: Double) throws -> [LayerFigures] {
        let network = try Network("linear(\(width), bias: false, init: gaussian(\(gain))) \(activation)"), limit = largestSlope / 20
        return try (0..<UInt64(averages)).map { i in
            let inputs = normals(width, seed: seed &+ i).map { $0 * Float(scale) }
            let pass = try DepthPass(Model(network, inputs: width, seed: seed &+ i), Samples(rows: inputs, columns: width), steps: [0..<1, 1..<2])
            guard pass.overflow == nil else { throw FathomError.invalid("inputs of deviation \(figure(scale)) overflow in the layer; a smaller --gain keeps it finite") }
            return try figures(pass.backwardFactor(1), pass.backwardFactor(2), limit: limit)
        }
    }

    /// Networks of L such layers with biases N(0, g²): each layer of the first, and of each ln of what a random error signal is left with there, relative to
    /// the last.
    func networks() throws -> (layers: [LayerFigures], logNorms: [[Double]]) {
        let network = try Network("[linear(\(width), init: gaussian(\(gain), bias: \(gain))) \(activation)] * \(depth)"), limit = largestSlope / 20
        let model = try Model(network, inputs: width, seed: seed), samples = try Samples(rows: normals(width, seed: seed), columns: width)
        let parts = try DepthPass(model, samples, steps: (0..<2 * depth).map { $0..<$0 + 1 })
        if let step = parts.overflow { throw FathomError.invalid("the forward pass overflows at layer \((step + 1) / 2); a smaller --gain or --depth keeps it finite") }
        let layers = try (1...depth).map { try figures(parts.backwardFactor(2 * $0 - 1), parts.backwardFactor(2 * $0), limit: limit) }
        return (layers, try (0..<UInt64(averages)).map { i in
            let pass = try DepthPass(Model(network, inputs: width, seed: seed &+ i), samples), norms = try pass.logSquaredNorms(ofError: pass.randomError(seed: seed &+ i))
            return norms.map { 0.5 * ($0 - norms[depth - 1]) }
        })
    }

    /// The same by theory: χ₁ at the variance that each layer has by then, and what finite width takes from the mean of a logarithm.
    func predicted() -> [Double] {
        let theory = MeanField(activation, weightVariance: gain * gain, biasVariance: gain * gain)
        var q = 2 * gain * gain, logs: [Double] = []
        for _ in 1...depth {
            logs.append(0.5 * log(theory.chi(at: q)) - 0.25 * theory.fluctuation(at: q, width: width))
            q = theory.variance(after: q)
        }
        return (1...depth).map { l in logs[l...].reduce(0, +) }
    }
}

extension LabExperiment {
    static let saturation = LabExperiment(
        name: "saturation",
        sees: "a weight matrix that stretches makes a Jacobian that squeezes once its activations are saturated, and layers each of which still stretches some "
            + "direction can make a network through which the gradient vanishes",
        options: [
            (.activation, "tanh"), (.gain, "2: weights N(0, gain²/width), in the network biases N(0, gain²)"), (.depth, "64"), (.width, "128"),
            (.averages, "16"), (.seed, ""),
        ]
    ) { parameters in
        try SaturationLab(
            activation: parameters.activation ?? .tanh, depth: parameters.depth(2...1000, default: 64), width: parameters.width(2...512, default: 128),
            averages: parameters.averages(1...1000, default: 16), gain: parameters.gain() ?? 2, seed: parameters.seed
        ).result()
    }
}

extension SaturationLab {
    func result() throws -> LabResult {
        var result = LabResult("layers \(activation)(Wh + b) of \(width) units, weights N(0, \(figure(gain * gain))/\(width))")
        try addLayer(to: &result)
        try addNetwork(to: &result)
        return result
    }

    private func addLayer(to result: inout LabResult) throws {
        let scales = stride(from: -4.0, through: 8, by: 1).map { exp2($0) }, theory = MeanField(activation, weightVariance: gain * gain, biasVariance: 0)
        let measured = try scales.map { try layer(scale: $0) }
        func mean(_ layers: [LayerFigures], _ value: (LayerFigures) -> Double) -> SampleMean { SampleMean(layers.map(value)) }
        let rows = zip(scales, measured).map { scale, layers in
            (scale, [mean(layers, \.weights), mean(layers, \.jacobian), mean(layers, \.meanSquare), mean(layers, \.saturated)], theory.chi(at: gain * gain * scale * scale))
        }
        for (scale, means, chi) in rows {
            for (name, mean) in zip(["norm_of_weights", "norm_of_jacobian", "mean_square", "saturated"], means) {
                result.rows.append(.init(name, ["input": .number(scale)], mean.mean, name == "mean_square" ? .predicted(chi) : nil, standardError: mean.standardError))
            }
        }
        result.tables.append(.init(
            title: "One layer, by the deviation of its inputs; the mean of σ² of DW beside χ₁", header: ["inputs", "‖W‖", "‖DW‖", "mean σ²", "χ₁", "saturated"],
            rows: rows.map { scale, means, chi in
                [figure(scale)] + means[..<2].map { figure($0.mean, digits: 3) }
                    + ["\(figure(means[2].mean, digits: 3)) ± \(figure(means[2].standardError, digits: 1))", figure(chi, digits: 3), percent(means[3].mean)]
            }))
        func points(_ i: Int) -> [(Double, Double)] { rows.map { ($0.0, $0.1[i].mean) } }
        result.charts.append(Chart(
            "What W stretches by, and DW", x: Axis("deviation of the inputs", .logarithmic), y: Axis("norm, mean σ²", .logarithmic),
            [.init("‖W‖", .line, points(0)), .init("‖DW‖", .line, points(1)), .init("mean σ² of DW", .points, points(2)), .init("χ₁", .theory, rows.map { ($0.0, $0.2) })],
            marks: [.y(1, "neither")]))
        let squeezing = rows.reversed().prefix { $0.1[1].mean < 1 }.count, norm = rows[0].1[0].mean
        let fate = switch squeezing {
        case 0: "at inputs of \(figure(scales[scales.count - 1])) ‖DW‖ is \(figure(rows[rows.count - 1].1[1].mean, digits: 3)), still not below 1"
        case rows.count: "‖DW‖ is below 1 at all these inputs"
        default: "from inputs of \(figure(rows[rows.count - squeezing].0)) on, ‖DW‖ is below 1"
        }
        result.findings.append("\(fate)\(squeezing > 0 && norm > 1 ? ", though" : ";") ‖W‖ is \(figure(norm, digits: 3))")
    }

    private func addNetwork(to result: inout LabResult) throws {
        let (layers, drawn) = try networks(), predicted = predicted(), decimal = 1 / Foundation.log(10.0)
        let means = layers.indices.map { i in SampleMean(drawn.map { $0[i] }) }, norms = means.map(\.mean)
        for (i, layer) in layers.enumerated() {
            let x: KeyValuePairs<String, JSON> = ["layer": .integer(i + 1)]
            result.rows.append(.init("norm_of_weights", x, layer.weights))
            result.rows.append(.init("norm_of_jacobian", x, layer.jacobian))
            result.rows.append(.init("saturated", x, layer.saturated))
            result.rows.append(.init("log10_gradient_norm", x, norms[i] * decimal, .predicted(predicted[i] * decimal), standardError: means[i].standardError * decimal))
        }
        result.tables.append(.init(
            title: "A network of \(depth) layers with biases: log10 of what an error signal is left with on its way to each (mean of \(averages)), beside theory",
            header: ["layer", "‖W‖", "‖DW‖", "saturated", "gradient", "theory"], rows: spread(Array(layers.enumerated()), most: 12).map { i, layer in
                [String(i + 1), figure(layer.weights, digits: 3), figure(layer.jacobian, digits: 3), percent(layer.saturated), figure(norms[i] * decimal), figure(predicted[i] * decimal)]
            }))
        func points(_ value: (Int) -> Double) -> [(Double, Double)] { layers.indices.map { (Double($0 + 1), value($0)) } }
        result.charts += [
            Chart("Each layer by itself", x: .places("layer", layers.count), y: Axis("norm"),
                  [.init("‖W‖", .line, points { layers[$0].weights }), .init("‖DW‖", .line, points { layers[$0].jacobian })], marks: [.y(1, "neither")]),
            Chart("All of them together", x: .places("layer", layers.count), y: Axis("gradient", .logarithmic),
                  [.init("measured", .points, points { exp(norms[$0]) }), .init("theory, by χ₁", .theory, points { exp(predicted[$0]) })]),
        ]
        let stretching = layers.count { $0.jacobian > 1 }
        result.findings.append(
            "\(stretching) of \(depth) layers stretch some direction (‖DW‖ from \(figure(layers.map(\.jacobian).min()!, digits: 3)) to \(figure(layers.map(\.jacobian).max()!, digits: 3))), "
                + "and over the network a random error signal \(norms[0] < 0 ? "is left with \(factorText(norms[0])) of itself" : "grows \(factorText(norms[0]))")")
    }
}
