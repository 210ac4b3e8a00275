import Fathom
import FathomCommandLine
import FathomFormats
import FathomStability
import Foundation

/// The largest Lyapunov exponent against gain, in two ways, in deep networks and in recurrent ones. Weights are N(0, g²/width), without biases.
struct LyapunovLab {
    let activation: Activation
    let width: Int, steps: Int, averages: Int
    let gains: [Double]
    let seed: UInt64

    /// Steps whose growth counts: at either end the signal, or the direction that is followed, is not yet what it will be.
    private var settled: ClosedRange<Int> { steps / 4 + 1...steps - steps / 4 }
    /// A signal that is smaller leaves float32 no room for another beside it.
    private static let smallest = 0x1p-100

    /// Exponents of one network: by QR of its backward factors, by two trajectories held close to each other, and what theory says of these very layers.
    struct Exponents {
        var qr: Double, trajectories: Double, predicted: Double
    }

    /// A signal brought back to the size of 1 where φ(cx) = cφ(x) for c > 0, by a power of two, which rounds nothing: without biases, Jacobians and what a
    /// relative separation grows by are then the same at every size, while the signal itself would leave float32. Of other activations it is as it was.
    private func resized(_ signal: [Float]) -> [Float] {
        let size = (signal.squareSum / Double(signal.count)).squareRoot()
        guard activation.isHomogeneous, size > 0, size.isFinite else { return signal }
        let scale = Double(sign: .plus, exponent: -size.exponent, significand: 1)
        return signal.map { Float(Double($0) * scale) }
    }

    // MARK: Deep networks

    func deep(gain: Double, seed: UInt64) throws -> Exponents {
        let network = try Network("[linear(\(width), bias: false, init: gaussian(\(gain))) \(activation)] * \(steps)")
        let inputs = normals(width, seed: seed)
        let pass = try DepthPass(Model(network, inputs: width, seed: seed), Samples(rows: inputs, columns: width), continuing: resized)
        if let step = pass.overflow { throw FathomError.invalid("with gain \(figure(gain)) the forward pass overflows at step \(step); a smaller --gain or fewer --steps keep it finite") }
        var product = GradedProduct(columns: width, directions: 2, seed: seed), u = product.directions.firstColumn, growth: [Double] = []
        for l in (settled.lowerBound...steps).reversed() { product.take(try pass.backward(l, product.directions)) }
        // Two states on either side of the trajectory, a 128th of its size apart, put back to that distance at every step.
        for l in 1...settled.upperBound where pass.signals[l].squareSum > Self.smallest * Self.smallest {
            let moved = try pass.forwardDifference(l, u), norm = moved.frobeniusNorm
            u = Matrix(rows: width, columns: 1, values: moved.values.map { $0 / norm })
            if settled.contains(l) { growth.append(log(norm)) }
        }
        return Exponents(
            qr: mean(product.growth.suffix(settled.count).map { $0[0] }), trajectories: mean(growth),
            predicted: predicted(gain: gain, from: inputs.squareSum / Double(width)))
    }

    /// ½ ln χ₁ at the variance that each layer has by then, less what finite width takes from the mean of a logarithm: a quarter of its squared logarithm's
    /// variance, which Newman's largest exponent has too.
    func predicted(gain: Double, from meanSquare: Double) -> Double {
        let theory = MeanField(activation, weightVariance: gain * gain, biasVariance: 0)
        var q = gain * gain * meanSquare, sum = 0.0
        for l in 1...steps {
            if settled.contains(l) { sum += 0.5 * log(theory.chi(at: q)) - 0.25 * theory.fluctuation(at: q, width: width) }
            q = theory.variance(after: q)
        }
        return sum / Double(settled.count)
    }

    // MARK: Recurrent networks

    /// Not every activation is one of a recurrent layer.
    var hasRecurrentLayer: Bool { (try? Network("sequence(2) rnn(2, \(activation)) last linear(1)")) != nil }

    /// h ← φ(Wh), kicked by an input at the first step and then left to itself.
    func recurrentPass(gain: Double, seed: UInt64) throws -> RecurrentPass {
        let model = try Model(Network("sequence(\(steps)) rnn(\(width), \(activation), bias: false) last linear(1)"), inputs: steps, seed: seed)
        var random = CounterRandom(seed: seed, stream: 0x4859)
        let weights = (0..<width * width).map { _ in Float(random.normal() * gain / Double(width).squareRoot()) }
        let inputs = [Float(width).squareRoot()] + [Float](repeating: 0, count: steps - 1)
        return try RecurrentPass(model.replacing(["1.weight_hh_l0": weights]), Samples(rows: inputs, columns: steps), continuing: resized)
    }

    func recurrent(gain: Double, seed: UInt64) throws -> Exponents {
        let pass = try recurrentPass(gain: gain, seed: seed)
        var product = GradedProduct(columns: width, directions: 2, seed: seed), t = steps
        try pass.forEachBackwardFactor { factor in
            if t >= settled.lowerBound { product.multiply(by: factor) }
            t -= 1
        }
        let separations = try separations(pass, renormalized: true)  // of steps 2, 3, …
        let theory = MeanField(activation, weightVariance: gain * gain, biasVariance: 0)
        return Exponents(
            qr: mean(product.growth.suffix(settled.count).map { $0[0] }), trajectories: mean(settled.map { separations[$0 - 2] }),
            predicted: theory.fixedPoint().map { 0.5 * log($0.chi) } ?? 0.5 * log(theory.chi(at: 1)))
    }

    /// Distance of the two trajectories at the start, relative to a state whose units are 1.
    static let distance = 0x1p-10

    /// A trajectory and one beside it, s_t and s_t + d, t = 2 … T: ln(‖d_t‖/‖d_{t−1}‖), where d is put back to its first length after every step, and s_t to its
    /// size where it may be; or else ln‖d_t‖ as it goes.
    func separations(_ pass: RecurrentPass, renormalized: Bool) throws -> [Double] {
        let cell = try CellStep(pass.model, position: pass.position, rows: 2), length = Self.distance * Double(width).squareRoot()
        let direction = normals(width, seed: seed, stream: 0x44), norm = direction.squareSum.squareRoot()
        var d = direction.map { Double($0) * length / norm }, separations: [Double] = []
        var state = pass.states[1]
        for _ in 2...steps {
            let after = cell.forward([0, 0], state: state + zip(state, d).map { Float(Double($0) + $1) })
            state = renormalized ? resized(Array(after[..<width])) : Array(after[..<width])
            d = (0..<width).map { Double(after[width + $0]) - Double(after[$0]) }
            let now = d.reduce(0) { $0 + $1 * $1 }.squareRoot()
            separations.append(log(renormalized ? now / length : now))
            if renormalized { d = d.map { $0 * (now > 0 ? length / now : 0) } }
        }
        return separations
    }

    private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
}

extension LabExperiment {
    static let lyapunov = LabExperiment(
        name: "lyapunov",
        sees: "two nearby trajectories drift apart or together at the rate that QR of the Jacobians gives; at gains where it is negative gradients vanish, "
            + "where it is positive they explode",
        options: [
            (.activation, "tanh"), (.gain, "0.5 0.75 0.9 1 1.1 1.25 1.5 2 3"), (.width, "128"), (.steps, "200, layers or time steps"), (.averages, "4"), (.seed, ""),
        ]
    ) { parameters in
        try LyapunovLab(
            activation: parameters.activation ?? .tanh, width: parameters.width(2...512, default: 128), steps: parameters.steps(8...5000, default: 200),
            averages: parameters.averages(1...1000, default: 4),
            gains: parameters.gains.isEmpty ? [0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 3] : parameters.gains, seed: parameters.seed
        ).result()
    }
}

extension LyapunovLab {
    private struct Figures {
        let qr: SampleMean, trajectories: SampleMean, predicted: Double

        init(_ networks: [Exponents]) {
            (qr, trajectories) = (SampleMean(networks.map(\.qr)), SampleMean(networks.map(\.trajectories)))
            predicted = networks.reduce(0) { $0 + $1.predicted } / Double(networks.count)
        }

        var apart: Double { (qr.mean - trajectories.mean).magnitude }
    }

    func result() throws -> LabResult {
        var result = LabResult(
            "\(activation), \(width) wide, weights N(0, g²/\(width)): \(steps) layers of fresh weights"
                + (hasRecurrentLayer ? ", and a recurrent layer left to itself for \(steps) steps" : "") + "; \(averages) of each")
        let seeds = (0..<UInt64(averages)).map { seed &+ $0 }
        let deep = try gains.map { gain in Figures(try seeds.map { try self.deep(gain: gain, seed: $0) }) }
        add(deep, "largest_exponent", "Deep network: nats a layer", "½ ln χ₁", to: &result)
        result.findings = [finding(deep, "deep network")]
        guard hasRecurrentLayer else { return result }
        let recurrent = try gains.map { gain in Figures(try seeds.map { try self.recurrent(gain: gain, seed: $0) }) }
        add(recurrent, "recurrent_exponent", "Recurrent layer: nats a time step", "½ ln χ₁, wide", to: &result)
        addDistances(to: &result)
        result.findings.append(finding(recurrent, "recurrent layer"))
        return result
    }

    private func add(_ figures: [Figures], _ quantity: String, _ title: String, _ theory: String, to result: inout LabResult) {
        for (gain, figure) in zip(gains, figures) {
            for (name, mean) in [(quantity, figure.qr), (quantity + "_trajectories", figure.trajectories)] {
                result.rows.append(.init(name, ["gain": .number(gain)], mean.mean, .predicted(figure.predicted), standardError: mean.standardError))
            }
        }
        result.tables.append(.init(title: title, header: ["gain", "by QR", "two trajectories", theory], rows: zip(gains, figures).map { gain, row in
            [figure(gain), figure(row.qr.mean, row.qr.standardError), figure(row.trajectories.mean, row.trajectories.standardError), String(format: "%+.4f", row.predicted)]
        }))
        func points(_ value: (Figures) -> Double) -> [(Double, Double)] { zip(gains, figures).map { ($0, value($1)) } }
        // A line lies behind points: what agrees is seen of both.
        result.charts.append(Chart(
            title, x: Axis("gain"), y: Axis("largest exponent"),
            [.init("by QR", .points, points(\.qr.mean), error: averages > 1 ? figures.map(\.qr.standardError) : []), .init(theory, .theory, points(\.predicted)),
             .init("two trajectories", .line, points(\.trajectories.mean).sorted { $0.0 < $1.0 }, look: 1)], marks: [.y(0, "neither")]))
    }

    /// Not renormalized: how two trajectories part, or meet.
    private func addDistances(to result: inout LabResult) {
        var series: [Chart.Series] = []
        for gain in spread(gains, most: 3) {
            guard let pass = try? recurrentPass(gain: gain, seed: seed), let logs = try? separations(pass, renormalized: false) else { continue }
            for (t, value) in logs.enumerated() { result.rows.append(.init("distance", ["gain": .number(gain), "step": .integer(t + 2)], exp(value))) }
            series.append(.init("gain \(figure(gain))", .line, logs.enumerated().map { (Double($0 + 2), exp($1)) }))
        }
        result.charts.append(Chart(
            "Distance of two trajectories of the recurrent layer", x: Axis("time step"), y: Axis("distance", .logarithmic), series))
    }

    private func finding(_ figures: [Figures], _ system: String) -> String {
        let order = zip(gains, figures).sorted { $0.0 < $1.0 }, compared = order.filter { $0.1.apart.isFinite }
        func list(_ reason: String, where isOfIt: (Figures) -> Bool) -> String? {
            let gains = order.filter { !$0.1.apart.isFinite && isOfIt($0.1) }.map { figure($0.0) }
            return gains.isEmpty ? nil : "nothing to compare at \(gains.joined(separator: ", ")), where \(reason)"
        }
        let agreement = compared.map(\.1.apart).max().map {
            "the two ways differ by \(figure($0, digits: 2)) nats at most, compared at \(compared.count == order.count ? "every gain" : "\(compared.count) of \(order.count) gains")"
        }
        let exponents = order.filter(\.1.qr.mean.isFinite)
        let crossing = zip(exponents, exponents.dropFirst()).first { $0.1.qr.mean <= 0 && $1.1.qr.mean > 0 }.map { below, above in
            let (a, b) = (below.1.qr.mean, above.1.qr.mean)
            return "the exponent passes through zero between gains of \(figure(below.0)) and \(figure(above.0)), by a straight line at "
                + figure(below.0 - a * (above.0 - below.0) / (b - a), digits: 3)
        }
        return "\(system): " + [
            agreement, list("Jacobians of a network multiply to 0") { !$0.qr.mean.isFinite }, list("float32 does not tell one trajectory from another") { $0.qr.mean.isFinite },
            crossing,
        ].compactMap(\.self).joined(separator: "; ")
    }
}

extension [Float] {
    fileprivate var squareSum: Double { reduce(0) { $0 + Double($1) * Double($1) } }
}

extension Matrix {
    fileprivate var firstColumn: Matrix { Matrix(rows: rows, columns: 1, values: Array(values.prefix(rows))) }
}
