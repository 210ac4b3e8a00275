import Fathom
import FathomCommandLine
import FathomFormats
import FathomStability
import Foundation

/// A gradient that explodes and vanishes at once, by direction; and a network that learns some directions and not others.
struct ConditioningLab {
    let depth: Int, modes: Int, steps: Int
    let gain: Double
    let seed: UInt64

    private func orthogonal(_ stream: UInt64) -> Matrix {
        Matrix(rows: modes, columns: modes, values: normals(modes * modes, seed: seed, stream: stream).map(Double.init)).qr().q
    }

    /// From `gain` to its reciprocal, in equal factors.
    var singularValues: [Double] { (0..<modes).map { pow(gain, 1 - 2 * Double($0) / Double(modes - 1)) } }

    // MARK: Directions

    /// L layers W = QSQᵀ: what each error signal along a column of Q comes back as, by the kernels.
    func gains() throws -> [Double] {
        let q = orthogonal(0x51), values = singularValues, weights = q.scaled { values[$0] } * q.transposed
        let network = try Network("[linear(\(modes), bias: false)] * \(depth)")
        let model = try Model(network, inputs: modes, seed: seed)
        let tensors = (0..<depth).map { ("\($0).weight", weights.values.map { Float($0) }) }  // symmetric: rows are columns
        // At zero, which no depth makes overflow: a linear network's Jacobian is the same everywhere.
        let zeros = [Float](repeating: 0, count: modes)
        let pass = try DepthPass(model.replacing(Dictionary(uniqueKeysWithValues: tensors)), Samples(rows: zeros, columns: modes))
        var signals = q
        for l in (1...depth).reversed() { signals = try pass.backward(l, signals) }
        return (0..<modes).map { column in
            signals.values[column * modes..<(column + 1) * modes].reduce(0) { $0 + $1 * $1 }.squareRoot()
        }
    }

    // MARK: Learning, mode by mode

    /// Strengths of the map that is learned, mode by mode, from strong to weak.
    var strengths: [Double] { (0..<modes).map { 4 * pow(1.0 / 16, Double($0) / Double(modes - 1)) } }
    /// Of every mode before the first step.
    static let start = 1e-3
    /// τ: a time unit of the closed form, in steps.
    static let timeConstant = 200.0

    /// Of mode i after t steps: s·e/(e − 1 + s/a₀) with e = exp(2st/τ): Saxe, McClelland & Ganguli 2014, "Exact solutions to the nonlinear dynamics of learning
    /// in deep linear neural networks"; of gradient flow, to which small steps come near.
    func closedForm(_ strength: Double, step: Int) -> Double {
        let growth = exp(2 * strength * Double(step) / Self.timeConstant)
        return strength / (1 + (strength / Self.start - 1) / growth)
    }

    struct Snapshot {
        let step: Int
        let strengths: [Double]
    }

    /// y = W₂W₁x on white inputs, towards USVᵀ, from √a₀·(U, Vᵀ): the modes then stay apart. The loss is the mean over outputs, so that a step of
    /// modes/2τ is 1/τ of the paper's.
    func learning(most: Int) throws -> [Snapshot] {
        let u = orthogonal(0x55), v = orthogonal(0x56), root = Self.start.squareRoot(), strengths = strengths
        let network = try Network("linear(\(modes), bias: false) linear(\(modes), bias: false)")
        let model = try Model(network, inputs: modes).replacing([
            "0.weight": v.scaled { _ in root }.values.map { Float($0) }, "1.weight": u.transposed.scaled { _ in root }.values.map { Float($0) },
        ])
        let trainer = try Trainer(
            model, loss: .meanSquaredError, optimizer: .sgd(learningRate: Double(modes) / (2 * Self.timeConstant)), seed: seed, threads: 1)
        // Sample i is √n times the i-th unit vector, its target √n times the i-th column of USVᵀ.
        let scale = Double(modes).squareRoot(), inputs = Matrix.identity(modes).values.map { Float($0 * scale) }
        let targets = (u.scaled { strengths[$0] } * v.transposed).values.map { Float($0 * scale) }
        let shown = Set(spread(Array(0...steps), most: most))
        var snapshots: [Snapshot] = []
        for step in 0...steps {
            if shown.contains(step) {
                let tensors = try trainer.model.parameters()
                func matrix(_ i: Int) -> Matrix { Matrix(rows: modes, columns: modes, values: tensors[i].values.map(Double.init)).transposed }
                let product = u.transposed * matrix(1) * matrix(0) * v
                snapshots.append(Snapshot(step: step, strengths: (0..<modes).map { product[$0, $0] }))
            }
            if step < steps { try trainer.step(inputs: inputs, targets: targets) }
        }
        return snapshots
    }
}

extension LabExperiment {
    static let conditioning = LabExperiment(
        name: "conditioning",
        sees: "one and the same network lets the gradient explode along the directions that it stretches and vanish along those that it squeezes, and learns the "
            + "strong modes long before the weak ones, as Saxe's closed form says",
        options: [
            (.gain, "1.5: singular values from gain to 1/gain"), (.depth, "10, layers of the first network"), (.width, "8, directions and modes"),
            (.steps, "of training, 1500"), (.seed, ""),
        ]
    ) { parameters in
        try ConditioningLab(
            depth: parameters.depth(1...1000, default: 10), modes: parameters.width(2...64, default: 8), steps: parameters.steps(1...100_000, default: 1500),
            gain: parameters.gain() ?? 1.5, seed: parameters.seed
        ).result()
    }
}

extension ConditioningLab {
    func result() throws -> LabResult {
        var result = LabResult(
            "\(depth) linear layers with singular values from \(figure(gain)) to \(figure(1 / gain)) along the same \(modes) directions; and two layers that learn \(modes) modes "
                + "of strength \(figure(strengths[0])) to \(figure(strengths[modes - 1]))")
        try addDirections(to: &result)
        try addLearning(to: &result)
        return result
    }

    private func addDirections(to result: inout LabResult) throws {
        let measured = try gains(), values = singularValues, exact = values.map { pow($0, Double(depth)) }
        for i in 0..<modes {
            result.rows.append(.init("gradient_gain", ["direction": .integer(i + 1), "singular_value": .number(values[i])], measured[i], .exact(exact[i])))
        }
        result.tables.append(.init(
            title: "What an error signal along each singular direction comes back as after \(depth) layers", header: ["direction", "σ of a layer", "measured", "σ^\(depth)"],
            rows: spread(Array(0..<modes), most: 16).map { [String($0 + 1), figure(values[$0]), figure(measured[$0]), figure(exact[$0])] }))
        result.charts.append(Chart(
            "Gradient by direction", x: Axis("singular value of a layer", .logarithmic), y: Axis("gradient", .logarithmic),
            [.init("measured", .points, Array(zip(values, measured))), .init("σ^\(depth)", .theory, Array(zip(values, exact)))], marks: [.y(1, "neither")]))
        let off = zip(measured, exact).map { abs($0 / $1 - 1) }.max() ?? 0
        guard measured.allSatisfy(\.isFinite), off.isFinite else {
            return result.findings.append("after \(depth) layers float32 has no number for what comes back along some direction")
        }
        let (stretched, squeezed) = gain < 1 ? (modes - 1, 0) : (0, modes - 1)
        let ends = gain == 1 ? "no direction is stretched, none squeezed"
            : "along the most stretched direction the gradient comes back ×\(figure(measured[stretched], digits: 3)), along the most squeezed ×\(figure(measured[squeezed], digits: 3))"
        result.findings.append(
            "\(ends); measured is off by \(figure(off, digits: 2)) of exact at most" + (off > 1e-3 ? ": float32's rounding of what is stretched falls on what is squeezed" : ""))
    }

    private func addLearning(to result: inout LabResult) throws {
        let snapshots = try learning(most: 41), strengths = strengths
        for (i, strength) in strengths.enumerated() {
            for snapshot in snapshots {
                result.rows.append(.init(
                    "mode_strength", ["mode": .integer(i + 1), "singular_value": .number(strength), "step": .integer(snapshot.step)], snapshot.strengths[i],
                    .predicted(closedForm(strength, step: snapshot.step))))
            }
        }
        let last = snapshots[snapshots.count - 1]
        result.tables.append(.init(
            title: "Each mode after \(last.step) steps, and the steps after which it is half learned", header: ["mode", "strength", "learned", "Saxe", "half after", "Saxe"],
            rows: spread(Array(strengths.enumerated()), most: 16).map { i, strength in
                // s/(1 + (s/a₀ − 1)/e) = s/2.
                let half = Self.timeConstant / (2 * strength) * log(strength / Self.start - 1)
                return [String(i + 1), figure(strength), figure(last.strengths[i]), figure(closedForm(strength, step: last.step)),
                        halfway(snapshots, i, strength).map { String(format: "%.0f", $0) } ?? "–", String(format: "%.0f", half)]
            }))
        let shown = spread(Array(strengths.indices), most: 4)
        result.charts.append(Chart(
            "Learning, mode by mode", x: Axis("step"), y: Axis("strength learned"), shown.flatMap { i -> [Chart.Series] in
                [.init("mode of \(figure(strengths[i], digits: 2))", .points, snapshots.map { (Double($0.step), $0.strengths[i]) }),
                 .init("Saxe \(figure(strengths[i], digits: 2))", .theory, snapshots.map { (Double($0.step), closedForm(strengths[i], step: $0.step)) })]
            }))
        let off = snapshots.flatMap { s in strengths.enumerated().map { abs(s.strengths[$0] - closedForm($1, step: s.step)) / $1 } }.max() ?? 0
        result.findings.append(
            "after \(last.step) steps \(strengths.indices.count { last.strengths[$0] > 0.5 * strengths[$0] }) of \(modes) modes are more than half learned; curves are within "
                + "\(percent(off)) of a mode's strength of the closed form, which is of infinitely small steps")
    }

    /// Between snapshots by a straight line.
    private func halfway(_ snapshots: [Snapshot], _ mode: Int, _ strength: Double) -> Double? {
        for (a, b) in zip(snapshots, snapshots.dropFirst()) where a.strengths[mode] < strength / 2 && b.strengths[mode] >= strength / 2 {
            let share = (strength / 2 - a.strengths[mode]) / (b.strengths[mode] - a.strengths[mode])
            return Double(a.step) + share * Double(b.step - a.step)
        }
        return nil
    }
}
