import Fathom
import FathomCommandLine
import FathomFormats
import FathomStability
import Foundation

/// Recurrent layers whose weights from state to state have a given spectral radius ρ: the gradient against lag.
struct RecurrentLab {
    let width: Int, steps: Int
    let radii: [Double]
    let input: Double
    let seed: UInt64

    /// Weights from state to state.
    enum Weights: String, CaseIterable {
        /// ρ·Q: every direction is multiplied by ρ.
        case orthogonal
        /// QΛQᵀ: every direction by its own eigenvalue, the largest by ρ.
        case symmetric
        /// The same eigenvalues on the diagonal and normal numbers above it: eigenvectors are far from orthogonal, so that a product may grow before it follows ρ.
        case nonnormal

        func matrix(_ width: Int, radius: Double, seed: UInt64) -> Matrix {
            func eigenvalue(_ i: Int) -> Double { radius * Double(width - i) / Double(width) * (i % 2 == 0 ? 1 : -1) }
            var random = CounterRandom(seed: seed, stream: 0x5648)
            let gaussian = Matrix(rows: width, columns: width, values: (0..<width * width).map { _ in random.normal() }), q = gaussian.qr().q
            switch self {
            case .orthogonal: return q.scaled { _ in radius }
            case .symmetric: return q.scaled(eigenvalue) * q.transposed
            case .nonnormal:
                var triangle = Matrix.zero(width, width)
                for column in 0..<width {
                    for row in 0..<column { triangle[row, column] = gaussian[row, column] / Double(width).squareRoot() }
                    triangle[column, column] = eigenvalue(column)
                }
                return triangle
            }
        }
    }

    struct Setting {
        let cell: String, weights: Weights
        /// Whether the gradient is the norm of the product of the steps' Jacobians, of which nothing hides behind one error signal.
        let takesNorm: Bool
    }

    var settings: [Setting] {
        Weights.allCases.map { Setting(cell: "rnn(\(width), identity, bias: false)", weights: $0, takesNorm: $0 != .orthogonal) }
            + ["rnn(\(width), tanh)", "lstm(\(width))", "gru(\(width))"].map { Setting(cell: $0, weights: .orthogonal, takesNorm: false) }
    }

    struct Curve {
        let setting: Setting
        let radius: Double, measuredRadius: Double
        /// ln of the gradient at lag 0, 1, …, relative to lag 0.
        let logNorms: [Double]
        var isLinear: Bool { setting.cell.contains("identity") }
    }

    func curve(_ setting: Setting, radius: Double) throws -> Curve {
        let model = try Model(Network("sequence(\(steps + 1)) \(setting.cell) last linear(1)"), inputs: steps + 1, seed: seed)
        let name = "1.weight_hh_l0", gates = try model.parameters().first { $0.name == name }.map { $0.shape[0] / width } ?? 1
        let weights = (0..<gates).flatMap { gate in
            // Row-major is, column after column, the transpose.
            setting.weights.matrix(width, radius: radius, seed: seed &+ UInt64(gate)).transposed.values.map { Float($0) }
        }
        let inputs = normals(steps + 1, seed: seed).map { Float(input) * $0 }
        let pass = try RecurrentPass(model.replacing([name: weights]), Samples(rows: inputs, columns: steps + 1))
        let norms = setting.takesNorm ? try normsOfProducts(pass) : try normsOfSignal(pass)
        return Curve(setting: setting, radius: radius, measuredRadius: try pass.stateEigenvalues()[0][0], logNorms: norms)
    }

    /// ln‖∂s_T/∂s_{T−k}‖₂, k = 0 … T − 1.
    private func normsOfProducts(_ pass: RecurrentPass) throws -> [Double] {
        var norms = [0.0]
        try pass.product(seed: seed) { norms.append(try $0.logSingularValues()[0]) }
        return norms
    }

    /// Of an error signal at h_T.
    private func normsOfSignal(_ pass: RecurrentPass) throws -> [Double] {
        var error = [Float](repeating: 0, count: pass.stateSize)
        error.replaceSubrange(0..<width, with: normals(width, seed: seed, stream: 0x45))
        let norms = try pass.logGradientNorms(ofError: error)[0]
        return norms.map { $0 - norms[0] }
    }
}

extension LabExperiment {
    static let recurrent = LabExperiment(
        name: "recurrent",
        sees: "through a recurrent layer the gradient goes as the spectral radius to the power of the lag where the layer is linear and its weights are normal; "
            + "with other weights it may grow first, and with tanh or gates their slopes decide too",
        options: [
            (.gain, "0.9 1 1.1: spectral radii"), (.width, "32"), (.steps, "100, of time"), (.input, "1, the deviation of inputs"), (.seed, ""),
        ]
    ) { parameters in
        try RecurrentLab(
            width: parameters.width(2...128, default: 32), steps: parameters.steps(2...2000, default: 100),
            radii: parameters.gains.isEmpty ? [0.9, 1, 1.1] : parameters.gains, input: parameters.input ?? 1, seed: parameters.seed
        ).result()
    }
}

extension RecurrentLab {
    func result() throws -> LabResult {
        var result = LabResult("recurrent layers of \(width) units over \(steps) time steps; weights between states have spectral radius ρ = \(radii.map { figure($0) }.joined(separator: ", "))")
        let curves = try settings.map { setting in try radii.map { try curve(setting, radius: $0) } }
        for curve in curves.joined() { add(curve, to: &result) }
        result.tables.append(.init(
            title: "Log10 of the gradient that is left after \(steps) steps, beside ρ^\(steps)", header: ["cell", "weights", "gradient"] + radii.map { "ρ = \(figure($0))" },
            rows: curves.map { row in
                let setting = row[0].setting
                return [setting.shortCell, setting.weights.rawValue, setting.takesNorm ? "norm" : "signal"] + row.map { Self.decimals($0.logNorms[steps] / log(10)) }
            } + [["ρ^\(steps)", "", ""] + radii.map { Self.decimals(Double(steps) * log10($0)) }], words: 3))
        result.charts = [curves[0], curves[2]].map { chart($0) } + radii.enumerated().map { i, radius in
            chart("Cells with orthogonal weights, ρ = \(figure(radius))", ([0] + Array(3..<curves.count)).map { curves[$0][i] }) { $0.setting.shortCell }
        }
        result.findings = findings(Array(curves.joined()))
        return result
    }

    private func add(_ curve: Curve, to result: inout LabResult) {
        func x(_ lag: Int? = nil) -> [JSON.Member] {
            [.init("cell", .string(curve.setting.shortCell)), .init("weights", .string(curve.setting.weights.rawValue)), .init("radius", .number(curve.radius))]
                + (lag.map { [.init("lag", .integer($0))] } ?? [])
        }
        result.rows.append(.init("spectral_radius", x(), curve.measuredRadius, .exact(curve.radius)))
        for (lag, norm) in curve.logNorms.enumerated() {
            let power = exp(Double(lag) * log(curve.radius))
            result.rows.append(.init(
                "gradient_norm", x(lag), exp(norm), !curve.isLinear ? nil : curve.setting.weights == .nonnormal ? .predicted(power) : .exact(power)))
        }
    }

    private static func decimals(_ value: Double) -> String { String(format: "%+.4f", value) }

    private func chart(_ curves: [Curve]) -> Chart {
        chart("Linear, \(curves[0].setting.weights.rawValue) weights", curves) { "ρ = \(figure($0.radius))" }
    }

    private func chart(_ title: String, _ curves: [Curve], name: (Curve) -> String) -> Chart {
        func points(_ curve: Curve, _ log: (Int) -> Double) -> [(Double, Double)] { curve.logNorms.indices.map { (Double($0), exp(log($0))) } }
        let radii = Array(Set(curves.map(\.radius))).sorted()
        let lines = radii.map { radius in
            Chart.Series("\(figure(radius))^lag", .theory, points(curves[0]) { Double($0) * log(radius) }, look: radii.count > 1 ? radii.firstIndex(of: radius) : 0)
        }
        return Chart(
            title, x: Axis("lag"), y: Axis("gradient", .logarithmic),
            curves.map { curve in .init(name(curve), .line, points(curve) { curve.logNorms[$0] }) } + lines)
    }

    private func findings(_ curves: [Curve]) -> [String] {
        let normal = curves.filter { $0.isLinear && $0.setting.weights != .nonnormal }
        let off = normal.flatMap { curve in curve.logNorms.enumerated().map { abs(exp($1 - Double($0) * log(curve.radius)) - 1) } }.max() ?? 0
        let grown = curves.filter { $0.isLinear && $0.setting.weights == .nonnormal && $0.radius < 1 }.map { ($0.radius, $0.logNorms.max() ?? 0, $0.logNorms[steps]) }
        return ["with normal weights the linear layer's gradient is ρ^lag to \(figure(off, digits: 2)) of itself at every lag"] + grown.map {
            "with weights that are not normal, ρ = \(figure($0)), it \($1 > 1e-6 ? "grows to \(factorText($1))" : "never grows"), and is \(factorText($2)) after \(steps) steps"
        }
    }
}

extension RecurrentLab.Setting {
    /// Without its width.
    fileprivate var shortCell: String { cell.hasPrefix("rnn") ? (cell.contains("identity") ? "rnn, linear" : "rnn, tanh") : String(cell.prefix { $0 != "(" }) }
}

extension Matrix {
    /// Every column multiplied by a factor of its own.
    func scaled(_ factor: (_ column: Int) -> Double) -> Matrix {
        var result = self
        for column in 0..<columns { for row in 0..<rows { result[row, column] *= factor(column) } }
        return result
    }
}
