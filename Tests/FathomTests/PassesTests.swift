import AllocationCounter
@testable import Fathom
import Testing

@Suite("A batch in passes")
struct PassesTests {
    static let networks = [
        "[linear(40) layernorm tanh] * 2 linear(5)", "linear(33) dropout(0.3) relu linear(5, bias: false)", "linear(20) residual[rmsnorm linear(24) silu] linear(5)",
    ]

    static func trainer(_ network: String, passes: Int, clipping: Clipping = .norm(0.5), recompute: Recompute = .none) throws -> Trainer {
        try Trainer(
            Network(network), inputs: 18, loss: .crossEntropy, optimizer: .adamW(learningRate: 0.01), clipping: clipping, recompute: recompute, passes: passes,
            seed: 4, threads: 2)
    }

    /// Batches of 30, 17 and 1 rows.
    static func steps(_ trainer: Trainer) throws -> [Trainer.Step] {
        let samples = try TrainerTests.samples(60, columns: 18, classes: 5), order = shuffledOrder(count: 60, seed: 2, epoch: 1)
        return try [30, 17, 30, 1, 17].map { try trainer.step(samples, order: order, first: 5, rows: $0) }
    }

    @Test("gives the bits of the batch in one", arguments: networks)
    func bits(network: String) throws {
        for (clipping, recompute) in [(Clipping.norm(0.5), Recompute.none), ([.adaptive(0.02), .percentile(50)], .sqrt)] {
            let whole = try Self.trainer(network, passes: 1, clipping: clipping, recompute: recompute), steps = try Self.steps(whole)
            for passes in [2, 3, 7, 100] {
                let trainer = try Self.trainer(network, passes: passes, clipping: clipping, recompute: recompute)
                #expect(try Self.steps(trainer) == steps)
                #expect(try trainer.checkpoint().serialized() == whole.checkpoint().serialized())
            }
        }
    }

    /// Sums over a sequence's rows run in another order, and a learned scale adds the passes in float32: 1e-5 of the norm is a hundred roundings.
    @Test("gives the gradient of the batch, up to rounding", arguments: ["sequence(6) gru(9) linear(5)", "sequence(3) lstm(8) last linear(5)", "linear(18) residual(skipinit, start: 0.5)[linear(18) tanh] linear(5)"])
    func gradients(network: String) throws {
        func trainer(passes: Int) throws -> Trainer {
            try Trainer(Network(network), inputs: 18, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0.1), passes: passes, seed: 4)
        }
        // Targets for every step where all of them are the output.
        let count = 12, width = network.contains("last") || !network.contains("sequence") ? 5 : 6 * 5
        let targets = Samples.Targets.values(normals(count * width, seed: 9), width: width)
        let samples = try Samples(columns: 18, features: .floats(normals(count * 18, seed: 8)), targets: targets)
        let order = Array(UInt32(0)..<UInt32(count)), whole = try trainer(passes: 1)
        let expected = try whole.step(samples, order: order, first: 0, rows: count), gradients = try whole.lastGradients()
        for passes in [2, 5] {
            let trainer = try trainer(passes: passes), step = try trainer.step(samples, order: order, first: 0, rows: count)
            #expect(step.loss == expected.loss)
            #expect(abs(step.gradientNorm - expected.gradientNorm) <= 1e-5 * expected.gradientNorm)
            for (a, b) in zip(try trainer.lastGradients(), gradients) {
                let distance = zip(a.values, b.values).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }.squareRoot()
                #expect(distance <= 1e-5 * expected.gradientNorm)
            }
        }
    }

    @Test("updates running statistics with each micro-batch, and not at all where the step is not finite") func runningStatistics() throws {
        let trainer = try Trainer(
            Network("batchnorm linear(1)"), inputs: 1, loss: .meanSquaredError, optimizer: .sgd(learningRate: 1e-3), passes: 2, seed: 1)
        func mean() throws -> Float? { try trainer.model.parameters().first { $0.name == "0.running_mean" }?.values[0] }
        try trainer.step(inputs: [0, 2, 4, 8], targets: [1, 2, 3, 4])
        // 0.9·(0.1·1) + 0.1·6
        #expect(try abs(mean()! - 0.69) < 1e-6)
        let before = try trainer.checkpoint().serialized()
        for target in [[1, 2, 3, .infinity], [.nan, 2, 3, 4]] as [[Float]] {
            #expect(throws: FathomError.self) { try trainer.step(inputs: [0, 2, 4, 8], targets: target) }
            #expect(try trainer.checkpoint().serialized() == before)
        }
        try trainer.step(inputs: [0, 2, 4, 8], targets: [1, 2, 3, 4])
    }

    @Test("allocates nothing") func allocations() throws {
        try #require(allocations_are_counted())
        let samples = try TrainerTests.samples(40, columns: 18, classes: 5), order = Array(UInt32(0)..<40)
        let trainer = try Trainer(
            Network("linear(20) batchnorm tanh linear(5)"), inputs: 18, loss: .crossEntropy, optimizer: .adam(learningRate: 0.01), passes: 3, threads: 1)
        for rows in [40, 31] { try trainer.step(samples, order: order, first: 0, rows: rows) }
        let before = allocations_of_this_thread()
        for i in 0..<100 { try trainer.step(samples, order: order, first: 0, rows: i % 2 == 0 ? 40 : 31) }
        #expect(allocations_of_this_thread() - before == 0)
    }

    @Test("is one pass at least") func none() {
        #expect(throws: FathomError.invalid("a batch in 0 passes; it takes 1 or more")) { try Self.trainer("linear(5)", passes: 0) }
    }
}

@Suite("The moving average of the parameters")
struct MovingAverageTests {
    static func trainer(_ ema: Double?, passes: Int = 1) throws -> Trainer {
        try Trainer(
            Network("linear(20) batchnorm tanh linear(5)"), inputs: 18, loss: .crossEntropy, optimizer: .adam(learningRate: 0.05), passes: passes, ema: ema, seed: 4,
            threads: 1)
    }

    @Test("follows them, and changes nothing else", arguments: [1, 2])
    func follows(passes: Int) throws {
        let samples = try TrainerTests.samples(60, columns: 18, classes: 5), order = Array(UInt32(0)..<60)
        let plain = try Self.trainer(nil, passes: passes), trainer = try Self.trainer(0.9, passes: passes)
        var expected = try trainer.model.parameters().map { $0.values.map(Double.init) }
        #expect(try trainer.averagedModel?.parameters() == trainer.model.parameters() && plain.averagedModel == nil)
        let steps = 20, rate = Double(Float(1 - 0.9))
        for _ in 0..<steps {
            try trainer.step(samples, order: order, first: 0, rows: 60)
            try plain.step(samples, order: order, first: 0, rows: 60)
            for (i, tensor) in try trainer.model.parameters().enumerated() {
                for (k, value) in tensor.values.enumerated() { expected[i][k] += rate * (Double(value) - expected[i][k]) }
            }
        }
        let now = try trainer.model.parameters(), average = try #require(try trainer.averagedModel).parameters()
        #expect(try now == plain.model.parameters())
        for (i, tensor) in average.enumerated() {
            // What layers remember is theirs, not averaged again.
            if tensor.name.hasPrefix("1.running") {
                #expect(tensor == now[i])
                continue
            }
            // Below 4 a step rounds twice, by 2⁻²³ at most in all.
            for (k, value) in tensor.values.enumerated() { #expect(abs(Double(value) - expected[i][k]) <= Double(steps) * 0x1p-22) }
        }
    }

    @Test("is in the checkpoint") func checkpoint() throws {
        let samples = try TrainerTests.samples(60, columns: 18, classes: 5), order = Array(UInt32(0)..<60)
        let straight = try Self.trainer(0.99), first = try Self.trainer(0.99), second = try Self.trainer(0.99)
        for i in 0..<6 { try straight.step(samples, order: order, first: i * 10, rows: 10) }
        for i in 0..<3 { try first.step(samples, order: order, first: i * 10, rows: 10) }
        try second.restore(SafeTensors(first.checkpoint().serialized(), name: "c"), name: "c")
        for i in 3..<6 { try second.step(samples, order: order, first: i * 10, rows: 10) }
        #expect(try second.checkpoint().serialized() == straight.checkpoint().serialized())
        #expect(try straight.checkpoint()["average.0.weight"]?.values != straight.checkpoint()["model.0.weight"]?.values)
        let plain = try Self.trainer(nil)
        try plain.restore(straight.checkpoint(), name: "c")
        #expect(throws: FathomError.invalid("c: tensor 'average.0.weight' is missing")) { try second.restore(plain.checkpoint(), name: "c") }
    }

    @Test("stays where the step is not finite") func notFinite() throws {
        let trainer = try Trainer(Network("linear(1)"), inputs: 1, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0.1), ema: 0.5, seed: 1)
        try trainer.step(inputs: [1], targets: [2])
        let before = try trainer.averagedModel?.parameters()
        #expect(throws: FathomError.self) { try trainer.step(inputs: [.nan], targets: [2]) }
        #expect(try trainer.averagedModel?.parameters() == before)
    }

    @Test("has a decay between 0 and 1", arguments: [0, 1, -0.5, 1.5, 0.99999999999, .nan])
    func bounds(ema: Double) {
        #expect(throws: FathomError.invalid("a moving average with a decay of \(ema); it must be above 0 and below 1")) { try Self.trainer(ema) }
    }
}
