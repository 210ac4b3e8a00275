import Fathom
import FathomCommandLine
import FathomData
import FathomFormats
import FathomStability
import Foundation

/// Every cure of a network against depth: what the gradient does at initialization, beside the accuracy after a short training.
struct DepthLab {
    let activation: Activation
    /// The largest; smaller ones are fractions of it.
    let depth: Int
    let width: Int, steps: Int
    let data: String
    let seed: UInt64
    private static let batch = 64, biasVariance = 0.05, gains = stride(from: 0.8, through: 2.4, by: 0.2).map { $0 }

    /// Rows to train on and to judge by, and how the first are standardized.
    struct Digits {
        let training: Samples, test: Samples
        let details: Model.Details
        let outputs: Int

        init(_ name: String, seed: UInt64) throws {
            let set = try Dataset(name)
            guard let classes = set.classes, case .classes = set.training.targets else {
                throw FathomError.invalid("\(name) has no classes; this experiment trains classifiers, as of digits")
            }
            let split = try set.test == nil ? Dataset.split(set.training, fraction: 0.2, seed: seed, purpose: .test) : (set.training, set.test!)
            (training, test, outputs) = (split.0, split.1, classes.count)
            details = Model.Details(loss: .crossEntropy, inputStandardization: try Standardization.measured(training, set.kind.standardization), classes: classes)
        }
    }

    struct Trial {
        let change: String, depth: Int
        /// What a random error signal grows by, nats a step, at initialization.
        let exponent: Double
        let accuracy: Double
    }

    var depths: [Int] { Array(Set([depth / 8, depth * 3 / 8, depth].map { max(2, $0) })).sorted() }

    /// The network as it is and every cure of it, at every depth.
    func trials(_ digits: Digits, progress: (String) -> Void) throws -> [Trial] {
        try depths.flatMap { depth in
            let network = try Network("[linear(\(width)) \(activation)] * \(depth) linear(outputs)")
            let batch = digits.training.selecting(0..<min(Self.batch, digits.training.count)), networks = [("as it is", network)] + network.cures.map { ($0.change, $0.network) }
            return try networks.compactMap { change, network -> Trial? in
                progress("\(depth) layers, \(change)")
                // A cure that this network cannot have is no model.
                guard let model = try? Model(network, inputs: batch.columns, outputs: digits.outputs, seed: seed, details: digits.details) else { return nil }
                return Trial(
                    change: change, depth: depth, exponent: try exponent(DepthPass(model, batch)), accuracy: try accuracy(model, digits, .adamW(learningRate: 1e-3)))
            }
        }
    }

    /// Of a random error signal's norm over the batch, from the last step to the first.
    private func exponent(_ pass: DepthPass) throws -> Double {
        guard pass.overflow == nil else { return .infinity }
        let norms = try pass.logSquaredNorms(ofError: pass.randomError(seed: seed))
        return 0.5 * (norms[0] - norms[norms.count - 1]) / Double(norms.count - 1)
    }

    func accuracy(_ model: Model, _ digits: Digits, _ optimizer: Optimizer) throws -> Double {
        let trainer = try Trainer(model, loss: .crossEntropy, optimizer: optimizer, clipping: .norm(1), seed: seed, threads: 1)
        let rows = min(Self.batch, digits.training.count), perEpoch = digits.training.count / rows
        for step in 0..<steps {
            let order = shuffledOrder(count: digits.training.count, seed: seed, epoch: step / perEpoch + 1)
            do { try trainer.step(digits.training, order: order, first: step % perEpoch * rows, rows: rows) } catch let error as FathomError {
                guard case .notFinite = error else { throw error }
                break
            }
        }
        return try trainer.evaluate(digits.test, top: 1).accuracy ?? 0
    }

    // MARK: The map of trainable depth

    struct DepthMap {
        let depths: [Int], gains: [Double]
        /// Row after row, from the deepest.
        let accuracies: [Double]
        /// 6ξ of each gain; infinite at the critical point.
        let limits: [Double]
    }

    /// tanh with biases of variance 0.05 over σ_w and depth.
    func map(_ digits: Digits, progress: (String) -> Void) throws -> DepthMap {
        let depths = (1...).lazy.map { 1 << ($0 + 1) }.prefix { $0 <= 2 * depth }.reversed().map { $0 }
        let accuracies = try depths.flatMap { depth in
            try Self.gains.map { gain in
                progress("map: \(depth) layers, σ_w \(figure(gain))")
                let initializer = "gaussian(\(gain), bias: \(Self.biasVariance.squareRoot()))"
                let network = try Network("[linear(\(width), init: \(initializer)) tanh] * \(depth) linear(outputs)")
                let model = try Model(network, inputs: digits.training.columns, outputs: digits.outputs, seed: seed, details: digits.details)
                return try accuracy(model, digits, .sgd(learningRate: 0.1))
            }
        }
        let limits = Self.gains.map { gain in
            6 * (MeanField(.tanh, weightVariance: gain * gain, biasVariance: Self.biasVariance).fixedPoint()?.depthScale ?? .infinity)
        }
        return DepthMap(depths: depths, gains: Self.gains, accuracies: accuracies, limits: limits)
    }
}

extension LabExperiment {
    static let depth = LabExperiment(
        name: "depth",
        sees: "what each cure makes of the exponent at initialization, and to which depth the network then learns in so many steps; and how far that is for plain tanh "
            + "networks, given steps enough, beside six depth scales",
        options: [
            (.activation, "sigmoid"), (.depth, "64, the largest"), (.width, "32"), (.steps, "of training, 300"), (.data, "digits"), (.seed, ""),
        ]
    ) { parameters in
        try DepthLab(
            activation: parameters.activation ?? .sigmoid, depth: parameters.depth(2...1000, default: 64), width: parameters.width(2...1024, default: 32),
            steps: parameters.steps(1...1_000_000, default: 300), data: parameters.data ?? "digits", seed: parameters.seed
        ).result()
    }
}

extension DepthLab {
    func result() throws -> LabResult {
        let line = ProgressLine(), digits = try Digits(data, seed: seed)
        defer { line.finish() }
        var result = LabResult("[linear(\(width)) \(activation)] × depth on \(data), \(steps) steps of \(Self.batch) rows for each training")
        let trials = try trials(digits) { line.begin($0) }
        addTrials(trials, to: &result)
        addMap(try map(digits) { line.begin($0) }, to: &result)
        return result
    }

    private func addTrials(_ trials: [Trial], to result: inout LabResult) {
        let changes = trials.reduce(into: [String]()) { if !$0.contains($1.change) { $0.append($1.change) } }
        for trial in trials {
            let x: KeyValuePairs<String, JSON> = ["change": .string(trial.change), "depth": .integer(trial.depth)]
            result.rows.append(.init("exponent", x, trial.exponent))
            result.rows.append(.init("accuracy", x, trial.accuracy))
        }
        func of(_ change: String) -> [Trial] { trials.filter { $0.change == change } }
        result.tables.append(.init(
            title: "Exponent at initialization (nats a step), and accuracy on held-out rows after training, by depth",
            header: ["change"] + depths.map { "\($0) layers" }, rows: changes.map { change in
                [Self.short(change)] + depths.map { depth in
                    of(change).first { $0.depth == depth }.map { String(format: "%+.2f, %2.0f %%", $0.exponent, 100 * $0.accuracy) } ?? "–"
                }
            }, words: 1))
        result.charts.append(Chart(
            "Accuracy beside the exponent", x: Axis("|exponent|, nats a step"), y: Axis("accuracy"),
            depths.map { depth in .init("\(depth) layers", .points, trials.filter { $0.depth == depth && $0.exponent.isFinite }.map { ($0.exponent.magnitude, $0.accuracy) }) }))
        if let deepest = depths.last {
            let here = trials.filter { $0.depth == deepest }, own = here.first?.accuracy ?? 0, order = here.sorted { $0.exponent.magnitude < $1.exponent.magnitude }
            if let best = here.max(by: { $0.accuracy < $1.accuracy }) {
                result.findings.append(
                    "at \(deepest) layers the network as it is reaches \(percent(own)), "
                        + (best.accuracy > own ? "with \(best.change) \(percent(best.accuracy))" : "and no cure reaches more"))
            }
            if let near = order.first, let far = order.last {
                func text(_ trial: Trial) -> String { String(format: "%@ (%+.2f)", trial.change, trial.exponent) }
                result.findings.append("the exponent is nearest to zero for \(text(near)), furthest for \(text(far))")
            }
        }
    }

    /// Fits a line of 80 columns.
    private static func short(_ change: String) -> String {
        change.replacingOccurrences(of: " around each step", with: "").replacingOccurrences(of: " with layernorm", with: ", layernorm")
            .replacingOccurrences(of: ", and the init that fits", with: "")
    }

    private func addMap(_ map: DepthMap, to result: inout LabResult) {
        for (row, depth) in map.depths.enumerated() {
            for (column, gain) in map.gains.enumerated() {
                result.rows.append(.init(
                    "map_accuracy", ["weight_deviation": .number(gain), "depth": .integer(depth)], map.accuracies[row * map.gains.count + column]))
            }
        }
        for (gain, limit) in zip(map.gains, map.limits) { result.rows.append(.init("six_depth_scales", ["weight_deviation": .number(gain)], limit)) }
        // Rows are powers of two, from the deepest.
        let top = log2(Double(map.depths[0]))
        let places = map.limits.enumerated().map { column, limit in
            (column: Double(column), row: min(max(top - log2(limit), 0), Double(map.depths.count - 1)))
        }
        result.maps.append(HeatMap(
            "Trainable depth: tanh, σ_b² = 0.05", rows: map.depths.map(String.init), "depth", columns: map.gains.map { figure($0) }, "σ_w", map.accuracies, unit: "accuracy",
            range: 0...1, line: ("6ξ", places), note: "At the border of the map where 6ξ is beyond it."))
    }
}
