import Fathom
import FathomCommandLine
import FathomFormats
import FathomStability
import Foundation

/// How far the singular values of ∂h_L/∂h₀ are from being equal, in networks drawn at their critical point; and how near other cures come.
struct IsometryLab {
    let activations: [Activation]
    let depth: Int, width: Int, averages: Int
    let seed: UInt64

    enum Weights: String, CaseIterable { case orthogonal, gaussian }

    /// σ_w, σ_b and q* where a squared gradient keeps its size on average.
    struct CriticalPoint {
        let weight: Double, bias: Double, variance: Double

        init(_ activation: Activation) throws {
            // Without biases where that is a point of its own; else with those that the initializer `critical` takes.
            bias = activation.isHomogeneous ? 0 : Initializer.criticalBias(activation)
            let (theory, point) = try MeanField.critical(activation, biasVariance: bias * bias)
            (weight, variance) = (theory.weightVariance.squareRoot(), point.variance)
        }

        /// Of the signal before a layer.
        var meanSquare: Double { (variance - bias * bias) / (weight * weight) }
    }

    struct Spectrum {
        /// σ, each divided by the root of the mean of σ².
        let singularValues: [Double]

        init(_ spectrum: DepthSpectrum) { singularValues = spectrum.logSingularValues.map { exp($0 - spectrum.logRMS) } }

        /// Of σ², whose mean is 1.
        var variance: Double { singularValues.reduce(0) { $0 + ($1 * $1 - 1) * ($1 * $1 - 1) } / Double(singularValues.count) }
    }

    func spectra(_ activation: Activation, _ weights: Weights) throws -> [Spectrum] {
        let point = try CriticalPoint(activation), initializer = "\(weights.rawValue)(\(point.weight), bias: \(point.bias))"
        // The spectrum is that of ∂h_L/∂h₁: one step more makes L factors.
        let network = try Network("[linear(\(width), init: \(initializer)) \(activation)] * \(depth + 1)")
        return try (0..<UInt64(averages)).map { i in
            let drawn = normals(width, seed: seed &+ i), norm = drawn.reduce(0) { $0 + Double($1) * Double($1) } / Double(width)
            let inputs = drawn.map { $0 * Float((point.meanSquare / norm).squareRoot()) }
            let pass = try DepthPass(Model(network, inputs: width, seed: seed &+ i), Samples(rows: inputs, columns: width))
            return Spectrum(try DepthSpectrum(pass, seed: seed &+ i))
        }
    }

    /// L(μ₂/μ₁² − 1 − s₁), μ_k = E[φ′(√q* z)²ᵏ], s₁ = 0 of orthogonal and −1 of Gaussian weights: Pennington, Schoenholz & Ganguli 2017, "Resurrecting the
    /// sigmoid in deep learning through dynamical isometry", equation 22, as width grows.
    func predicted(_ activation: Activation, _ weights: Weights) throws -> Double {
        let moments = VarianceMap.Source(activation).moments(try CriticalPoint(activation).variance)
        let ratio = moments.slopeFourth / (moments.slopeSquare * moments.slopeSquare)
        return Double(depth) * (weights == .orthogonal ? ratio - 1 : ratio)
    }

    // MARK: Other cures

    static let forms = [
        ("as initialized by default", "linear(W) φ"), ("gaussian, critical", "linear(W, init: critical) φ"), ("orthogonal", "linear(W, init: orthogonal) φ"),
        ("layernorm", "linear(W) layernorm φ"), ("batchnorm", "linear(W) batchnorm φ"), ("residual", "residual[linear(W) φ]"),
        ("residual, 1/sqrt(depth)", "residual(scale: 1/sqrt(depth))[linear(W) φ]"), ("residual, rezero", "residual(rezero)[linear(W) φ]"),
    ]
    private static let widest = 24, batch = 8

    /// Narrow, so that the Jacobian of a batch can be written out where batch normalization mixes its samples.
    func spectra(ofForm form: String, _ activation: Activation) throws -> [DepthSpectrum] {
        let width = min(width, Self.widest)
        let step = form.replacingOccurrences(of: "W", with: "\(width)").replacingOccurrences(of: "φ", with: "\(activation)")
        return try (0..<UInt64(averages)).map { i in
            let model = try Model(Network("[\(step)] * \(depth + 1)"), inputs: width, seed: seed &+ i), rows = model.network.mixesRows ? Self.batch : 1
            return try DepthSpectrum(DepthPass(model, Samples(rows: normals(rows * width, seed: seed &+ i), columns: width)), seed: seed)
        }
    }
}

extension LabExperiment {
    static let isometry = LabExperiment(
        name: "isometry",
        sees: "orthogonal weights keep all singular values together where the activation is nearly linear, Gaussian ones spread them with every layer, and so does "
            + "an activation whose slopes differ, as relu's; in wide networks the variance grows with depth as Pennington's formula says",
        options: [
            (.activation, "identity, tanh, relu and hardtanh"), (.depth, "8"), (.width, "128"), (.averages, "4"), (.seed, ""),
        ]
    ) { parameters in
        try IsometryLab(
            activations: parameters.activation.map { [$0] } ?? [.identity, .tanh, .relu, .hardTanh], depth: parameters.depth(1...500, default: 8),
            width: parameters.width(4...512, default: 128), averages: parameters.averages(1...1000, default: 4), seed: parameters.seed
        ).result()
    }
}

extension IsometryLab {
    func result() throws -> LabResult {
        var result = LabResult("networks of \(depth) layers, \(width) wide, drawn at their critical points; singular values of the whole, scaled so that the mean of σ² is 1")
        var rows: [[String]] = [], near: [Double] = []
        for activation in activations {
            let point = try CriticalPoint(activation)
            var spectra: [(Weights, [Spectrum])] = []
            for weights in Weights.allCases {
                let drawn = try self.spectra(activation, weights), mean = SampleMean(drawn.map(\.variance)), theory = try predicted(activation, weights)
                spectra.append((weights, drawn))
                result.rows.append(.init(
                    "variance_\(weights.rawValue)", ["activation": .string("\(activation)")], mean.mean, .predicted(theory), standardError: mean.standardError))
                rows.append(["\(activation)", weights.rawValue, figure(point.weight), figure(point.bias)]
                    + [figure(mean.mean, digits: 3), figure(mean.standardError, digits: 1), figure(theory, digits: 3)])
                if theory > 0.01 { near.append(mean.mean / theory) }
            }
            addHistogram(activation, spectra, to: &result)
        }
        result.tables.append(.init(
            title: "The variance of σ² over its mean squared, beside Pennington's formula", header: ["activation", "weights", "σ_w", "σ_b", "variance", "s.e.", "Pennington"],
            rows: rows, words: 2))
        if let least = near.min(), let most = near.max() {
            result.findings.append("the measured variance is \(figure(least, digits: 3)) to \(figure(most, digits: 3)) times Pennington's, which is of infinite width")
        }
        addForms(to: &result)
        return result
    }

    private func addHistogram(_ activation: Activation, _ spectra: [(Weights, [Spectrum])], to result: inout LabResult) {
        let largest = spectra.flatMap { $0.1.flatMap(\.singularValues) }.filter(\.isFinite).max() ?? 0
        let edges = stride(from: -0.0625, through: max(4, largest + 0.125), by: 0.125).map { $0 }
        let series = spectra.map { weights, drawn in
            let values = drawn.flatMap(\.singularValues)
            let density = zip(edges, edges.dropFirst()).map { low, high in Double(values.count { $0 >= low && $0 < high }) / Double(values.count) / (high - low) }
            for (low, value) in zip(edges, density) {
                result.rows.append(.init(
                    "density", ["activation": .string("\(activation)"), "weights": .string(weights.rawValue), "singular_value": .number(low + 0.0625)], value))
            }
            return Chart.Series.histogram(weights.rawValue, edges: edges, density)
        }
        result.charts.append(Chart("Singular values: \(activation)", x: Axis("σ over the root of the mean of σ²"), y: Axis("density"), series))
    }

    private func addForms(to result: inout LabResult) {
        let activation = activations.count == 1 ? activations[0] : .tanh, decimal = 1 / Foundation.log(10.0)
        // Some activations have no critical point; what cannot be drawn is left out.
        let forms = Self.forms.compactMap { name, form in (try? spectra(ofForm: form, activation)).map { (name, $0) } }
        /// Means over networks: of logarithms, since a few networks would make all of the mean of a product.
        func mean(_ spectra: [DepthSpectrum], _ value: (DepthSpectrum) -> Double) -> Double { SampleMean(spectra.map(value)).mean }
        let columns: [(name: String, value: (DepthSpectrum) -> Double)] = [
            ("log10_largest", { $0.logLargest * decimal }), ("log10_median", { $0.logMedian * decimal }), ("log10_rms", { $0.logRMS * decimal }),
            ("form_variance", { Spectrum($0).variance }), ("collapsed", { Double($0.collapsed) }),
        ]
        let figures = forms.map { name, spectra in (name, columns.map { mean(spectra, $0.value) }) }
        for (name, values) in figures {
            for (column, value) in zip(columns, values) { result.rows.append(.init(column.name, ["form": .string(name)], value)) }
        }
        result.tables.append(.init(
            title: "How near cures come, \(activation), \(min(width, Self.widest)) wide, \(depth) layers: an isometry has σ = 1 throughout",
            header: ["step", "largest σ", "median σ", "rms σ", "variance", "lost"],
            rows: figures.map { name, values in [name] + values[..<3].map { figure(pow(10, $0), digits: 3) } + values[3...].map { figure($0, digits: 3) } }, words: 1))
        func distance(_ values: [Double]) -> Double { values[3] + values[2].magnitude }
        if let best = figures.min(by: { distance($0.1) < distance($1.1) }) { result.findings.append("nearest to an isometry: \(best.0)") }
    }
}
