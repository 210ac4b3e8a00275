import Fathom
import FathomCommandLine
import FathomFormats
import FathomStability
import Foundation

/// Deep linear networks y = W_L⋯W₁x, weights N(0, g²/width).
struct LinearNetworks {
    let depth: Int, width: Int, averages: Int
    let gain: Double
    let seed: UInt64
    private static let batch = 4

    var network: Network { get throws { try Network("[linear(\(width), bias: false, init: gaussian(\(gain)))] * \(depth)") } }

    /// W_l, l = 1 … L, as the kernels have them: Jacobians of layers.
    func weights(_ model: Model) throws -> [Matrix] {
        let pass = try DepthPass(model, Samples(rows: normals(width, seed: seed), columns: width))
        if let step = pass.overflow { throw FathomError.invalid("the forward pass overflows at layer \(step); a smaller --gain or --depth keeps it finite") }
        return try (1...depth).map { try pass.backwardFactor($0).transposed }
    }

    /// The gradient of a layer's weights: by the kernels that train, and as (W_{k+1}ᵀ⋯W_LᵀΔ)·(W_{k−1}⋯W₁X)ᵀ in float64, with the norms of all factors but W_k.
    struct LayerGradient {
        let measured: Matrix, exact: Matrix
        /// log₁₀.
        let logBound: Double
    }

    func gradients(_ model: Model, _ weights: [Matrix]) throws -> [LayerGradient] {
        let x = normals(Self.batch * width, seed: seed, stream: 0x58), t = normals(Self.batch * width, seed: seed, stream: 0x54)
        let samples = try Samples(columns: width, features: .floats(x), targets: .values(t, width: width))
        let measured = try model.gradients(of: samples, loss: .meanSquaredError).parameters
        // A row-major batch is, column after column, its transpose.
        var forward = [Matrix(rows: width, columns: Self.batch, values: x.map(Double.init))]
        for w in weights { forward.append(w * forward[forward.count - 1]) }
        // d/dy of the mean of (y − t)².
        var errors = forward[depth]
        for i in errors.values.indices { errors.values[i] = 2 * (errors.values[i] - Double(t[i])) / Double(errors.values.count) }
        let norms = try weights.map { log10(try $0.singularValues()[0]) }, ends = log10(forward[0].frobeniusNorm * errors.frobeniusNorm)
        var layers: [LayerGradient] = []
        for k in (0..<depth).reversed() {
            layers.append(LayerGradient(
                measured: Matrix(rows: width, columns: width, values: measured[k].values.map(Double.init)).transposed,
                exact: errors * forward[k].transposed, logBound: norms.reduce(0, +) - norms[k] + ends))
            errors = weights[k].transposed * errors
        }
        return layers.reversed()
    }

    /// ln σ of W_l⋯W₁ and Σ ln‖W‖₂, l = 1 … L.
    func products(_ weights: [Matrix]) throws -> [(logSingularValues: [Double], logBound: Double)] {
        var product = GradedProduct(columns: width, seed: seed), bound = 0.0
        return try weights.map { w in
            product.multiply(by: w)
            bound += log(try w.singularValues()[0])
            return (try product.logSingularValues(), bound)
        }
    }

    /// The spectrum of the backward system over networks drawn anew.
    func exponents() throws -> LyapunovSpectrum {
        LyapunovSpectrum(networks: try (0..<averages).map { i in
            let model = try Model(network, inputs: width, seed: seed &+ UInt64(i))
            var product = GradedProduct(columns: width, seed: seed &+ UInt64(i))
            for w in try weights(model).reversed() { product.multiply(by: w.transposed) }
            return LyapunovSpectrum(growth: product.growth)
        })
    }
}

extension LabExperiment {
    static let linear = LabExperiment(
        name: "linear",
        sees: "the gradient of a layer is the product of all other layers; its norm stays below the product of their norms, further with every layer, while "
            + "the singular values drift apart at Newman's rates",
        options: [(.depth, "40"), (.width, "16"), (.gain, "1: weights N(0, gain²/width)"), (.averages, "20, for the exponents"), (.seed, "")]
    ) { parameters in
        try LinearNetworks(
            depth: parameters.depth(2...1000, default: 40), width: parameters.width(2...256, default: 16), averages: parameters.averages(1...10_000, default: 20),
            gain: parameters.gain() ?? 1, seed: parameters.seed
        ).result()
    }
}

extension LinearNetworks {
    func result() throws -> LabResult {
        let model = try Model(network, inputs: width, seed: seed), weights = try weights(model)
        var result = LabResult("y = W_L…W₁x with \(depth) layers of \(width), weights N(0, \(figure(gain * gain))/\(width)); one network, and \(averages) for the exponents")
        addGradients(try gradients(model, weights), to: &result)
        addProducts(try products(weights), to: &result)
        addExponents(try exponents(), to: &result)
        return result
    }

    private func addGradients(_ layers: [LayerGradient], to result: inout LabResult) {
        let rows = layers.map { (measured: log10($0.measured.frobeniusNorm), exact: log10($0.exact.frobeniusNorm), bound: $0.logBound) }
        for (k, row) in rows.enumerated() {
            result.rows.append(.init("log10_gradient_norm", ["layer": .integer(k + 1)], row.measured, .exact(row.exact)))
            result.rows.append(.init("log10_product_of_other_norms", ["layer": .integer(k + 1)], row.bound))
        }
        result.tables.append(.init(
            title: "Log10 of the norm of ∂L/∂W_k: by the kernels, as backward product times forward product, and the product of all other norms",
            header: ["k", "measured", "exact", "product of norms"], rows: spread(Array(rows.enumerated()), most: 10).map { k, row in
                [String(k + 1)] + [row.measured, row.exact, row.bound].map { figure($0, digits: 5) }
            }))
        // Smaller ones are subnormal in float32, where digits are lost.
        let normal = layers.filter { $0.exact.frobeniusNorm > Double(width) * 0x1p-126 }
        let off = normal.map { $0.measured.distance(to: $0.exact) / $0.exact.frobeniusNorm }.max()
        result.findings.append(
            off.map { "\(normal.count == depth ? "every" : "where float32 has digits for it, in \(normal.count) of \(depth) layers,") ∂L/∂W_k is its backward product times its forward "
                + "product to \(figure($0, digits: 2)) of its norm" } ?? "float32 has no digits for any ∂L/∂W_k")
    }

    private func addProducts(_ products: [(logSingularValues: [Double], logBound: Double)], to result: inout LabResult) {
        let decimal = 1 / Foundation.log(10.0), shown = Set(spread(Array(1...depth), most: 8))
        for (i, product) in products.enumerated() {
            let x: KeyValuePairs<String, JSON> = ["depth": .integer(i + 1)]
            result.rows.append(.init("log10_norm_of_product", x, product.logSingularValues[0] * decimal))
            result.rows.append(.init("log10_product_of_norms", x, product.logBound * decimal))
            for (index, value) in product.logSingularValues.enumerated() where shown.contains(i + 1) {
                result.rows.append(.init("log10_singular_value", ["depth": .integer(i + 1), "index": .integer(index + 1)], value * decimal))
            }
        }
        result.tables.append(.init(
            title: "Log10 of the norm of W_l…W₁, of the product of norms, and of the middle and the smallest singular value",
            header: ["l", "norm of product", "product of norms", "middle", "smallest"], rows: spread(Array(products.enumerated()), most: 10).map { i, product in
                let values = product.logSingularValues
                return [String(i + 1)] + [values[0], product.logBound, values[width / 2], values[width - 1]].map { figure($0 * decimal) }
            }))
        func points(_ value: (Int) -> Double) -> [(Double, Double)] { products.indices.map { (Double($0 + 1), value($0) * decimal) } }
        result.charts.append(Chart(
            "Norm of the product, product of norms, and the spectrum", x: .places("layers l", depth), y: Axis("log10 σ"),
            [("largest", 0), ("middle", width / 2), ("smallest", width - 1)].map { name, index in
                .init("\(name) σ of the product", .line, points { products[$0].logSingularValues[index] })
            } + [.init("product of norms", .theory, points { products[$0].logBound }, look: 0)]))
        let last = products[depth - 1]
        result.findings.append(
            "after \(depth) layers the product of norms is 10^\(figure((last.logBound - last.logSingularValues[0]) * decimal, digits: 3)) times the norm of the "
                + "product, and the singular values span \(figure((last.logSingularValues[0] - last.logSingularValues[width - 1]) * decimal, digits: 3)) decades")
    }

    private func addExponents(_ spectrum: LyapunovSpectrum, to result: inout LabResult) {
        let theory = LyapunovSpectrum.gaussian(size: width, variance: gain * gain / Double(width))
        for (i, exponent) in spectrum.exponents.enumerated() {
            result.rows.append(.init("exponent", ["index": .integer(i + 1)], exponent, .predicted(theory[i]), standardError: spectrum.standardError[i]))
        }
        let rows = theory.indices.map { (spectrum.exponents[$0], spectrum.standardError[$0], theory[$0]) }
        result.tables.append(.init(
            title: "Lyapunov exponents, nats a layer, beside Newman's formula", header: ["i", "measured", "Newman", "apart by"], rows: spread(Array(rows.enumerated()), most: 16).map { i, row in
                [String(i + 1), figure(row.0, row.1), figure(row.2), row.1.isFinite ? "\(figure((row.0 - row.2) / row.1, digits: 2)) s.e." : "–"]
            }))
        result.charts.append(Chart(
            "Lyapunov exponents", x: .places("index i", width), y: Axis("nats a layer"),
            [.init("measured", .points, spectrum.exponents.enumerated().map { (Double($0 + 1), $1) }, error: averages > 1 ? spectrum.standardError : []),
             .init("Newman 1986", .theory, theory.enumerated().map { (Double($0 + 1), $1) })]))
        let worst = rows.map { ($0.0 - $0.2).magnitude / $0.1 }.max() ?? .nan
        if worst.isFinite { result.findings.append("the exponent furthest from Newman's formula is off by \(figure(worst, digits: 2)) standard errors") }
    }
}

extension Matrix {
    /// ‖self − other‖ of Frobenius.
    func distance(to other: Matrix) -> Double {
        var square = 0.0
        for (a, b) in zip(values, other.values) { square += (a - b) * (a - b) }
        return square.squareRoot()
    }
}
