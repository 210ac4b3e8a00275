@testable import Fathom
import Testing

/// What a step tells of its layers, against the float64 reference: signals and their central differences, slopes by differences of the function.
@Suite struct LayerStatisticsTests {
    static let networks = [
        "linear(19) tanh linear(5) relu linear(3)",
        "linear(5) gelu layernorm tanh linear(18) layernorm linear(3)",
        "linear(6) batchnorm relu linear(5) batchnorm linear(3) batchnorm",
        "linear(6) sigmoid residual[layernorm linear(4) relu linear(6)] residual(rezero)[linear(6) silu] linear(3)",
        "linear(6) residual[linear(5) elu] residual(scale: 0.5)[linear(4)] softplus linear(3) hardtanh",
        "linear(5) selu dropout(0.4) linear(4) dropout(0.3) leakyrelu(0.1) rmsnorm gelu(tanh) linear(3)",
        "sequence(4) linear(3) tanh rnn(5, tanh) rnn(4, relu) last linear(3)",
        "sequence(4) rnn(4, tanh, truncate: 2) rnn(3, identity) mean linear(3)",
        "sequence(4) lstm(3) layernorm tanh gru(4) linear(3)",
        "sequence(4) residual[gru(3)] lstm(3, truncate: 2) last linear(3)",
    ]

    @Test(arguments: networks) func agreeWithTheReference(network: String) throws {
        try check(network, passes: 1)
    }

    @Test("Micro-batches add up to the batch", arguments: [
        "linear(5) tanh linear(4) relu linear(3)", "sequence(4) linear(3) relu lstm(3) last linear(3)",
        "linear(6) residual(skipinit, start: 0.5)[layernorm linear(4) relu linear(6)] residual(scale: 0.5)[linear(4)] linear(3)",
    ])
    func passes(network: String) throws { try check(network, passes: 3) }

    @Test("Recomputed signals are told of once", arguments: [
        "[linear(3) tanh] * 6 linear(3)", "linear(4) [residual[layernorm linear(3) relu linear(4)]] * 4 linear(3)",
        "linear(4) [residual(skipinit, start: 0.5)[linear(4) tanh]] * 4 linear(3)", "[linear(4) batchnorm relu] * 4 linear(3)",
        "sequence(4) [rnn(4, tanh) layernorm] * 3 last linear(3)", "sequence(4) [lstm(2) gru(2)] * 2 mean linear(3)",
    ]) func recomputed(network: String) throws {
        for passes in network.contains("skipinit") ? [1, 2] : [1] { try check(network, passes: passes, rows: 5, recompute: .sqrt) }
    }

    private static let rate = 0.25

    private func check(_ notation: String, passes: Int, rows: Int = 17, recompute: Recompute = .none) throws {
        let inputs = 8
        let model = try Model(Network(notation), inputs: inputs, initializer: try Initializer("gaussian(1, bias: 0.5)"), seed: 3)
        let features = normals(rows * inputs, seed: 11), outputRows = rows * (model.network.outputSteps ?? 1)
        let classes = (0..<outputRows).map { Int32($0 * 7 % 5 % model.outputs) }
        let targets: Samples.Targets = model.network.outputSteps.map { .stepClasses(classes, steps: $0) } ?? .classes(classes)
        let samples = try Samples(columns: inputs, features: .floats(features), targets: targets)
        let trainer = try Trainer(
            model, loss: .crossEntropy, optimizer: .sgd(learningRate: Self.rate), clipping: .norm(0.125), recompute: recompute, passes: passes, instruments: .full,
            seed: 9)
        try trainer.step(samples, order: Array(0..<UInt32(rows)), first: 0, rows: rows)

        let reference = try ReferenceNetwork(model)
        var pass = ReferenceNetwork.Pass(seed: 9, step: 1)
        let steps = model.network.outputSteps ?? 1
        let answers = (0..<steps).map { t in (0..<rows).map { [Double(classes[$0 * steps + t])] } }
        _ = reference.loss(.crossEntropy, inputs: features.rows(of: inputs), targets: answers, &pass)
        let signals = pass.signals, arguments = pass.arguments

        let ratios = trainer.branchRatios.map { (path: String($0.name.dropLast(".residual".count)), ratio: $0.ratio) }
        #expect(Set(ratios.map(\.path)) == Set(pass.branches.keys))
        for (path, ratio) in ratios {
            let exact = try #require(pass.branches[path])
            // Like the moments of signals.
            #expect(abs(try #require(ratio) - exact) <= 2e-5 * exact, "\(path)")
        }
        try checkExponents(trainer, signals)

        let norms = Dictionary(uniqueKeysWithValues: trainer.gradientNorms.map { ($0.name, $0.norm) })
        #expect(trainer.layers.map(\.name) == model.summary.filter { $0.parameters > 0 }.map(\.name))
        for layer in trainer.layers {
            let path = String(layer.name.prefix { $0.isNumber || $0 == "." }.dropLast()), signal = try #require(signals[path])
            let values = signal.flatMap { $0.flatMap(\.self) }, mean = values.reduce(0, +) / Double(values.count)
            let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
            #expect(layer.entries == values.count)
            // Some hundred roundings of 6e-8, of numbers of size 1.
            let size = (mean * mean + deviation * deviation).squareRoot()
            let told = (mean: try #require(layer.activationMean), deviation: try #require(layer.activationStd))
            #expect(abs(told.mean - mean) <= 2e-5 * size && abs(told.deviation - deviation) <= 2e-5 * size, "\(layer)")

            // As the gradients of parameters: central differences err by 1e-11, the core's gradients by a few hundred roundings.
            let gradient = norm(differences(of: signal, path, reference, features.rows(of: inputs), answers, pass))
            let found = try #require(layer.signalGradientNorm)
            #expect(abs(found - gradient) <= 1e-4 * gradient + 1e-8, "\(layer.name): \(found), not \(gradient)")
            try checkSlopes(layer, arguments[path], signal, isGated: layer.name.hasSuffix("lstm") || layer.name.hasSuffix("gru"))

            let mine = norms.filter { isOf($0.key, path) }.map(\.value)
            #expect(abs(layer.gradientNorm - norm(mine)) <= 1e-12 * layer.gradientNorm)
            let weights = reference.tensors.filter { isOf($0.key, path) && !$0.key.contains("running_") }.flatMap(\.value)
            let weightSize = try #require(layer.weightNorm)
            // Squares are summed in float32 over 8 rows: by 8 roundings of 6e-8, of which the root halves the error.
            #expect(abs(weightSize - norm(weights)) <= 2.5e-7 * norm(weights))
            // ΔW is rounded where it is added, by 6e-8 of the weights, and the sums as above.
            let clip = min(1, 0.125 / norm(Array(norms.values)))
            if norm(weights) > 0 {
                let ratio = try #require(layer.updateRatio)
                #expect(abs(ratio - Self.rate * clip * layer.gradientNorm / norm(weights)) <= 1e-7 + 5e-7 * ratio)
            }
            #expect(layer.subnormal == 0 && layer.nonfinite == 0)
        }
    }

    /// Whether a tensor is the layer's own, and not of one inside it.
    private func isOf(_ tensor: String, _ path: String) -> Bool { tensor.hasPrefix(path + ".") && !(tensor.dropFirst(path.count + 1).first?.isNumber ?? false) }

    /// ∂L/∂h of a layer's signal h, all of a time step one after another.
    private func gradients(
        at t: Int, of signal: Batch, _ path: String, _ reference: ReferenceNetwork, _ inputs: [[Double]], _ answers: Batch, _ first: ReferenceNetwork.Pass
    ) -> [Double] {
        let h = 1e-5
        var pass = first, gradients: [Double] = []
        for r in signal[t].indices { for c in signal[t][r].indices {
            let losses = [h, -h].map { by in
                pass.nudge = (path, t, r, c, by)
                return reference.loss(.crossEntropy, inputs: inputs, targets: answers, &pass)
            }
            gradients.append((losses[0] - losses[1]) / (2 * h))
        } }
        return gradients
    }

    /// ‖∂L/∂h‖ of each time step.
    private func differences(
        of signal: Batch, _ path: String, _ reference: ReferenceNetwork, _ inputs: [[Double]], _ answers: Batch, _ pass: ReferenceNetwork.Pass
    ) -> [Double] {
        signal.indices.map { norm(gradients(at: $0, of: signal, path, reference, inputs, answers, pass)) }
    }

    /// Every number counted once, in its power of two. Numbers of the float64 reference that lie within rounding of a power of two, or are what cancellation
    /// has left, may be counted beside it.
    private func checkExponents(_ trainer: Trainer, _ signals: [String: Batch]) throws {
        func counts(_ histogram: ExponentHistogram) -> [Int: Int] {
            Dictionary(uniqueKeysWithValues: histogram.counts.enumerated().map { (histogram.lowest + $0, $1) }.filter { $0.1 > 0 })
        }
        func counts(_ values: some Sequence<Double>) -> [Int: Int] { values.reduce(into: [:]) { if $1 != 0 { $0[Int($1.exponent), default: 0] += 1 } } }
        let gradients = try trainer.lastGradients(), parameters = try trainer.model.parameters().filter { !$0.name.contains("running_") }
        for layer in try trainer.exponents() {
            let path = String(layer.name.prefix { $0.isNumber || $0 == "." }.dropLast()), values = try #require(signals[path]).joined().joined()
            let unsure = values.count { $0 != 0 && (abs($0) < 1e-4 || ($0 * (1 - 1e-4)).exponent != ($0 * (1 + 1e-4)).exponent) }
            let told = counts(layer.activation), exact = counts(values)
            let distance = Set(told.keys).union(exact.keys).reduce(abs(layer.activation.zero - values.count { $0 == 0 })) { $0 + abs((told[$1] ?? 0) - (exact[$1] ?? 0)) }
            #expect(distance <= 2 * unsure && told.values.reduce(layer.activation.zero, +) == values.count, "\(layer.name): \(told), not \(exact)")
            for (histogram, tensors) in [(layer.gradient, gradients), (layer.weight, parameters)] {
                let all = tensors.filter { isOf($0.name, path) }.flatMap(\.values).map(Double.init)
                #expect(counts(histogram) == counts(all) && histogram.zero == all.count { $0 == 0 }, "\(layer.name)")
            }
        }
    }

    private func checkSlopes(_ layer: LayerStatistics, _ argument: (part: Part, z: Batch)?, _ signal: Batch, isGated: Bool) throws {
        if isGated { return #expect(layer.slopeMeanSquare == nil && layer.saturated == nil && layer.dead == nil) }
        let columns = signal[0][0].count
        let slopes: [[Double]]
        if let argument {
            // Central differences with h = 1e-5: within 1e-10, but at kinks, where no z lies.
            slopes = argument.z.flatMap { $0 }.map { $0.map { (activation(argument.part, $0 + 1e-5) - activation(argument.part, $0 - 1e-5)) / 2e-5 } }
        } else if layer.name.hasSuffix("rnn"), columns > 3 {
            // tanh, or relu, which makes nothing negative.
            let isTanh = signal.joined().joined().contains { $0 < 0 }
            slopes = signal.flatMap { $0 }.map { $0.map { isTanh ? 1 - $0 * $0 : $0 > 0 ? 1 : 0 } }
        } else {
            slopes = signal.flatMap { $0 }.map { $0.map { _ in 1 } }
        }
        let all = slopes.flatMap(\.self), count = Double(all.count)
        let largest: [String: Double] = ["sigmoid": 0.25, "gelu": 1.129, "silu": 1.0998, "selu": 1.758]
        let threshold = (argument.flatMap { largest[$0.part.name] } ?? 1) / 20
        let exact = all.reduce(0) { $0 + $1 * $1 } / count
        let mean = try #require(layer.slopeMeanSquare)
        #expect(abs(mean - exact) <= 2e-5, "\(layer.name)")
        #expect(layer.saturated == Double(all.count { $0.magnitude < threshold }) / count, "\(layer.name)")
        let dead = (0..<columns).count { c in slopes.allSatisfy { $0[c] == 0 } }
        #expect(layer.dead == Double(dead) / Double(columns), "\(layer.name)")
    }

    private func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
}

/// The gradient at the states of a recurrent layer, as clipping by time steps leaves it.
extension LayerStatisticsTests {
    /// Where the gradient is cut behind each step, that of a step comes from above alone.
    @Test("Each time step is clipped by itself", arguments: ["rnn(4, tanh, truncate: 1)", "lstm(4, truncate: 1)", "gru(4, truncate: 1)"])
    func clippedSteps(cell: String) throws {
        let sequence = try RecurrentCase("sequence(4) \(cell) linear(3)", rows: 9)
        let norms = differences(of: sequence.states, "1", sequence.reference, sequence.inputs, sequence.answers, sequence.pass)
        // Two of the four are above it.
        let limit = (norms.sorted()[1] + norms.sorted()[2]) / 2
        let told = try sequence.signalGradientNorm(limit: limit), exact = norm(norms.map { min($0, limit) })
        #expect(abs(told - exact) <= 1e-4 * exact, "\(told), not \(exact)")
    }

    /// g_T from above; then g_{t−1} = Uᵀ·(φ′(h_t) ⊙ clip(g_t)), which is what later steps send back.
    @Test("What a clipped step sends back is that much smaller") func clippedBefore() throws {
        let rows = 17, width = 5, sequence = try RecurrentCase("sequence(4) rnn(\(width), tanh) last linear(3)", rows: rows)
        let u = try #require(sequence.reference.tensors["1.weight_hh_l0"])
        var g = gradients(at: 3, of: sequence.states, "1", sequence.reference, sequence.inputs, sequence.answers, sequence.pass), sizes: [Double] = []
        let limit = norm(g) / 2
        for t in (0..<4).reversed() {
            g = g.map { $0 * min(1, limit / norm(g)) }
            sizes.append(norm(g))
            g = (0..<rows * width).map { i in
                let (r, c) = i.quotientAndRemainder(dividingBy: width), h = sequence.states[t][r]
                return (0..<width).reduce(0) { $0 + u[$1 * width + c] * (1 - h[$1] * h[$1]) * g[r * width + $1] }
            }
        }
        #expect(abs(sizes[0] - limit) <= 1e-12 * limit && abs(sizes[3] - limit) > 0.01 * limit)
        let told = try sequence.signalGradientNorm(limit: limit)
        #expect(abs(told - norm(sizes)) <= 1e-4 * norm(sizes), "\(told), not \(norm(sizes))")
    }

    /// A network whose layer 1 is recurrent, a batch, and what the reference makes of it.
    private struct RecurrentCase {
        let model: Model, samples: Samples, reference: ReferenceNetwork, inputs: [[Double]], answers: Batch
        var pass = ReferenceNetwork.Pass()

        init(_ notation: String, rows: Int) throws {
            model = try Model(Network(notation), inputs: 8, initializer: try Initializer("gaussian(1, bias: 0.5)"), seed: 3)
            let features = normals(rows * 8, seed: 11), steps = model.network.outputSteps ?? 1, classes = (0..<rows * steps).map { Int32($0 * 7 % 5 % 3) }
            let targets: Samples.Targets = model.network.outputSteps.map { .stepClasses(classes, steps: $0) } ?? .classes(classes)
            samples = try Samples(columns: 8, features: .floats(features), targets: targets)
            (reference, inputs) = (try ReferenceNetwork(model), features.rows(of: 8))
            answers = (0..<steps).map { t in (0..<rows).map { [Double(classes[$0 * steps + t])] } }
            _ = reference.loss(.crossEntropy, inputs: inputs, targets: answers, &pass)
        }

        var states: Batch { pass.signals["1"] ?? [] }

        /// Of the recurrent layer, told by one step.
        func signalGradientNorm(limit: Double) throws -> Double {
            let trainer = try Trainer(
                model, loss: .crossEntropy, optimizer: .sgd(learningRate: 0.1), clipping: [.timeNorm(limit)], instruments: .full)
            try trainer.step(samples, order: Array(0..<UInt32(samples.count)), first: 0, rows: samples.count)
            return try #require(trainer.layers.first?.signalGradientNorm)
        }
    }
}

extension LayerStatisticsTests {
    @Test("Training is the same bits whatever is told of it", arguments: networks) func sameBits(network: String) throws {
        let features = normals(40 * 8, seed: 1)
        func trained(_ instruments: Trainer.Instruments, threads: Int) throws -> (parameters: [[Float]], layers: [LayerStatistics]) {
            let model = try Model(Network(network), inputs: 8, seed: 3), steps = model.network.outputSteps
            let classes = (0..<40 * (steps ?? 1)).map { Int32($0 % model.outputs) }
            let samples = try Samples(columns: 8, features: .floats(features), targets: steps.map { .stepClasses(classes, steps: $0) } ?? .classes(classes))
            let trainer = try Trainer(model, loss: .crossEntropy, optimizer: .adam(learningRate: 0.01), clipping: .norm(0.5), instruments: instruments, seed: 4, threads: threads)
            for _ in 0..<3 { try trainer.step(samples, order: Array(0..<40), first: 0, rows: 40) }
            return (try trainer.model.parameters().map(\.values), trainer.layers)
        }
        let plain = try trained(.none, threads: 1), told = try trained(.full, threads: 1)
        #expect(plain.parameters == told.parameters)
        for threads in 2...3 {
            let other = try trained(.summary, threads: threads)
            #expect(other.parameters == told.parameters && other.layers == told.layers)
        }
    }

    @Test("Exponents count every number once, subnormal ones below −126") func exponents() throws {
        let network = try Network("linear(3, bias: false) linear(2)")
        let trainer = try Trainer(Model(network, inputs: 2, seed: 1), loss: .meanSquaredError, optimizer: .sgd(learningRate: 1), instruments: .full)
        try trainer.step(inputs: [1, 0, 0x1.4p-130, 0], targets: [0, 0, 0, 0])
        let weights = try trainer.model.parameters(), first = try trainer.exponents()[0]
        let exponents = weights[0].values.map { Int($0.exponent) }
        #expect(first.weight.zero == 0 && first.weight.lowest == exponents.min() && first.weight.counts.reduce(0, +) == 6)
        for (i, count) in first.weight.counts.enumerated() { #expect(count == exponents.count { $0 == first.weight.lowest + i }) }
        // The second row of h is 1.25·2⁻¹³⁰ times a weight: subnormal; the gradient of the unused input is 0.
        #expect(first.activation.lowest == -127 && first.activation.counts[0] == 3 && first.gradient.zero == 3)
    }

    @Test("Of a step that is not finite they are its own, not what the search for the first such value leaves") func exponentsOfNoStep() throws {
        func exponents(passes: Int) throws -> [LayerExponents] {
            let model = try Model(Network("linear(3) linear(2)"), inputs: 2, seed: 1)
            let trainer = try Trainer(model, loss: .meanSquaredError, optimizer: .sgd(learningRate: 1), passes: passes, instruments: .full)
            try trainer.step(inputs: [1, 2, 3, 4], targets: [0, 0, 0, 0])
            #expect(throws: FathomError.self) { try trainer.step(inputs: [1, 2, 3, .infinity], targets: [0, 0, 0, 0]) }
            #expect(trainer.lastFault?.pass == .input)
            defer { #expect(throws: Never.self) { try trainer.step(inputs: [1, 2, 3, 4], targets: [0, 0, 0, 0]) } }
            return try trainer.exponents()
        }
        let found = try exponents(passes: 1)
        // Of either row three values are not finite or none; of the gradients all are sums over both.
        #expect(found[0].activation.lowest + found[0].activation.counts.count == 129 && found[0].activation.counts.last == 3)
        #expect(found.allSatisfy { $0.gradient.lowest == 128 } && found.map(\.gradient.counts) == [[6 + 3], [6 + 2]])
        for (one, two) in zip(found, try exponents(passes: 2)) { #expect(one == two) }
    }

    @Test("A branch is measured beside its trunk") func branches() throws {
        let model = try Model(Network("residual(scale: 0.5)[linear(2, bias: false, init: identity)] residual(rezero)[linear(2)]"), inputs: 2, seed: 1)
        let trainer = try Trainer(model, loss: .meanSquaredError, optimizer: .sgd(learningRate: 1e-30), instruments: .full)
        try trainer.step(inputs: [3, 4], targets: [0, 0])
        #expect(trainer.branchRatios.map(\.name) == ["0.residual", "1.residual"] && trainer.branchRatios[0].ratio == 0.5)
        // The learned scale was 0, and the smallest of steps has moved it.
        #expect(try #require(trainer.branchRatios[1].ratio) < 1e-25)
    }

    @Test("A learned scale is that of the forward pass, whatever the update makes of it", arguments: [1, 2]) func learnedScales(passes: Int) throws {
        let model = try Model(Network("residual(skipinit, start: 0.5)[linear(2, bias: false, init: identity)] residual(rezero)[linear(2)]"), inputs: 2, seed: 1)
        let trainer = try Trainer(model, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0.001), passes: passes, instruments: .full)
        try trainer.step(inputs: [3, 4, 5, 6], targets: [0, 0, 0, 0])
        #expect(trainer.branchRatios.map(\.ratio) == [0.5, 0])
        let scales = try trainer.model.parameters().filter { $0.name.hasSuffix("scale") }.map { Double($0.values[0]) }
        #expect(scales[0] != 0.5 && scales[1] != 0)
        // What a step that is not finite tells of is a forward pass too, with the scales that the first step left.
        #expect(throws: FathomError.self) { try trainer.step(inputs: [.nan, 4, 5, 6], targets: [0, 0, 0, 0]) }
        #expect(trainer.layerInstruments?.scales == scales && trainer.branchRatios[0].ratio?.isNaN == true)
    }
}
