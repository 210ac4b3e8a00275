import AllocationCounter
@testable import Fathom
import Foundation
import Testing

/// A list of stages on gradients shaped as PyTorch's parameters are, in float64. Stages with a memory see one step, the first.
private func reference(_ clipping: Clipping, _ gradients: [SafeTensors.Tensor], _ parameters: [SafeTensors.Tensor]) -> [[Double]] {
    var g = gradients.map { $0.values.map(Double.init) }
    func norm(_ values: some Sequence<Double>) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
    /// Ranges of a tensor's values that are one unit: a row of [outputs, inputs].
    func units(_ tensor: SafeTensors.Tensor) -> [Range<Int>] {
        guard tensor.shape.count == 2 else { return [0..<tensor.values.count] }
        return (0..<tensor.shape[0]).map { $0 * tensor.shape[1]..<($0 + 1) * tensor.shape[1] }
    }
    func scale(_ i: Int, _ range: Range<Int>, to limit: Double) {
        let size = norm(g[i][range])
        if size > limit { for k in range { g[i][k] *= limit / size } }
    }
    for stage in clipping.stages {
        switch stage {
        case .value(let c): g = g.map { $0.map { max(-c, min(c, $0)) } }
        case .norm(let c):
            let size = norm(g.joined())
            if size > c { g = g.map { $0.map { $0 * c / size } } }
        case .tensorNorm(let c): for i in g.indices { scale(i, g[i].indices, to: c) }
        case .unitNorm(let c): for i in g.indices { for unit in units(gradients[i]) { scale(i, unit, to: c) } }
        case .adaptive(let ratio, let floor):
            for i in g.indices {
                for unit in units(gradients[i]) { scale(i, unit, to: ratio * max(norm(parameters[i].values[unit].map(Double.init)), floor)) }
            }
        case .percentile, .zscore, .timeNorm: break
        }
    }
    return g
}

@Suite("A step that clips")
struct ClippedStepTests {
    static func trainer(_ clipping: Clipping, _ optimizer: Optimizer = .sgd(learningRate: 1), threads: Int = 1) throws -> Trainer {
        let initializer = try Initializer("gaussian(1.5, bias: 0.3)")
        return try Trainer(
            Network("linear(33) tanh linear(20, bias: false) relu linear(5)"), inputs: 18, loss: .crossEntropy, optimizer: optimizer, clipping: clipping,
            initializer: initializer, seed: 3, threads: threads)
    }

    static let lists: [Clipping] = [
        .none, .value(0.01), .norm(0.5), [.tensorNorm(0.2)], [.unitNorm(0.05)], [.adaptive(0.02)], [.adaptive(0.02, floor: 0.8)],
        [.adaptive(0.02), .norm(0.25)], [.norm(0.5), .value(0.01)], [.value(0.02), .norm(0.3)], [.norm(0.5), .tensorNorm(0.2), .unitNorm(0.05), .value(0.01)],
        [.value(0.02), .unitNorm(0.08), .tensorNorm(0.25), .norm(0.4)], [.percentile(50), .unitNorm(0.05)], [.zscore(), .tensorNorm(0.2), .percentile(10), .norm(0.3)],
        [.tensorNorm(1e3), .unitNorm(500)],
    ]

    @Test("Each list agrees with float64", arguments: lists)
    func referenceAgrees(clipping: Clipping) throws {
        let samples = try TrainerTests.samples(40, columns: 18, classes: 5), order = Array(UInt32(0)..<40)
        let free = try Self.trainer(.none), before = try free.model.parameters()
        let first = try free.step(samples, order: order, first: 0, rows: 40), gradients = try free.lastGradients()
        let clipped = reference(clipping, gradients, before), trainer = try Self.trainer(clipping)
        let step = try trainer.step(samples, order: order, first: 0, rows: 40)
        // Of the parameters, whose step of size 1 loses what lies below their last bit (|p| < 8: 2⁻²² at most). A factor is rounded
        // once a stage, and so is the product with it: 2⁻²³ of the gradient each, over four stages.
        for (i, tensor) in try trainer.model.parameters().enumerated() {
            for (k, p) in tensor.values.enumerated() {
                let step = Double(before[i].values[k]) - Double(p)
                #expect(abs(step - clipped[i][k]) <= 0x1p-22 + abs(clipped[i][k]) * 4 * 0x1p-23)
            }
        }
        let size = clipped.joined().reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(step.gradientNorm == first.gradientNorm)
        #expect(abs(step.clippedGradientNorm - size) <= 1e-6 * size)
        #expect(abs(step.clipCoefficient - size / first.gradientNorm) <= 1e-6)
        let isFree = size > first.gradientNorm * (1 - 1e-9)
        #expect(step.wasClipped == !isFree && (!isFree || step.clipCoefficient == 1))
    }

    /// One gradient g = r·x of the squared error of y = w·x at w = 0.
    private static func plain(_ clipping: Clipping) throws -> (Trainer.Step, [Float]) {
        let trainer = try Trainer(
            Network("linear(1, bias: false)"), inputs: 2, loss: .meanSquaredError, optimizer: .sgd(learningRate: 1), clipping: clipping, initializer: .zeros)
        let step = try trainer.step(inputs: [3, 4], targets: [-0.5])
        return (step, try trainer.model.parameters()[0].values.map { -$0 })
    }

    @Test("Closed forms, to the bit") func closedForms() throws {
        func check(_ clipping: Clipping, _ gradient: [Float], norm: Double, coefficient: Double) throws {
            let (step, clipped) = try Self.plain(clipping)
            #expect(clipped == gradient, "\(clipping)")
            #expect(step.gradientNorm == 5 && step.clippedGradientNorm == norm && step.clipCoefficient == coefficient, "\(clipping)")
            #expect(step.wasClipped == (coefficient < 1), "\(clipping)")
        }
        try check(.none, [3, 4], norm: 5, coefficient: 1)
        for clipping: Clipping in [.norm(2.5), [.tensorNorm(2.5)], [.unitNorm(2.5)], [.adaptive(2, floor: 1.25)], [.percentile(0), .norm(2.5)]] {
            try check(clipping, [1.5, 2], norm: 2.5, coefficient: 0.5)
        }
        for clipping: Clipping in [.norm(5), .norm(6), .value(4), [.tensorNorm(5)], [.unitNorm(5)], [.adaptive(10, floor: 0.5)], [.percentile(0)], [.zscore()]] {
            try check(clipping, [3, 4], norm: 5, coefficient: 1)
        }
        try check(.value(3), [3, 3], norm: 18.0.squareRoot(), coefficient: 18.0.squareRoot() / 5)
        try check([.norm(2.5), .value(1.5)], [1.5, 1.5], norm: 4.5.squareRoot(), coefficient: 4.5.squareRoot() / 5)
        try check([.value(3), .norm(100)], [3, 3], norm: 18.0.squareRoot(), coefficient: 18.0.squareRoot() / 5)
    }

    @Test("A stage that does nothing beside another leaves the bits of that one alone", arguments: [
        [.norm(0.5), [.percentile(100), .norm(0.5)]], [.value(0.01), [.value(0.01), .norm(1e6)]], [.none, [.unitNorm(1e6)]],
    ] as [[Clipping]])
    func listsGiveTheBitsOfOne(alike: [Clipping]) throws {
        let samples = try TrainerTests.samples(40, columns: 18, classes: 5), order = Array(UInt32(0)..<40)
        let trainers = try alike.map { try Self.trainer($0, .adamW(learningRate: 0.01)) }, a = trainers[0], b = trainers[1]
        for _ in 0..<5 { #expect(try a.step(samples, order: order, first: 0, rows: 40) == b.step(samples, order: order, first: 0, rows: 40)) }
        #expect(try a.model.parameters() == b.model.parameters())
    }

    @Test("Threads decide no bit", arguments: [[.adaptive(0.02), .norm(0.25)], [.zscore(1, warmup: 3), .tensorNorm(0.2), .percentile(30), .value(0.02)]] as [Clipping])
    func threads(clipping: Clipping) throws {
        let one = try TrainerTests.trained(.adamW(learningRate: 0.001), clipping: clipping, threads: 1)
        for threads in [2, 3] {
            let other = try TrainerTests.trained(.adamW(learningRate: 0.001), clipping: clipping, threads: threads)
            #expect(try one.1 == other.1 && one.0.parameters() == other.0.parameters())
        }
    }

    @Test("A checkpoint goes on bit for bit", arguments: [
        [.percentile(30)], [.percentile(30, window: 3)], [.zscore(0.5, decay: 0.9, warmup: 2)], [.zscore(0.5, warmup: 7)],
        [.value(0.1), .zscore(0.5, warmup: 3), .unitNorm(0.05), .percentile(40, window: 5)],
    ] as [Clipping])
    func checkpoints(clipping: Clipping) throws {
        let samples = try TrainerTests.samples(64, columns: 18, classes: 5), order = shuffledOrder(count: 64, seed: 0, epoch: 1)
        func steps(_ trainer: Trainer, _ range: Range<Int>) throws -> [Trainer.Step] {
            try range.map { try trainer.step(samples, order: order, first: $0 * 5, rows: 5) }
        }
        let straight = try Self.trainer(clipping, .adam(learningRate: 0.01)), first = try Self.trainer(clipping, .adam(learningRate: 0.01))
        let second = try Self.trainer(clipping, .adam(learningRate: 0.01)), all = try steps(straight, 0..<12)
        _ = try steps(first, 0..<5)
        try second.restore(SafeTensors(first.checkpoint().serialized(), name: "checkpoint"), name: "checkpoint")
        #expect(try steps(second, 5..<12) == all[5...] + [])
        #expect(try second.checkpoint().serialized() == straight.checkpoint().serialized())
        #expect(all.contains { $0.wasClipped } && straight.stepsClipped == all.count { $0.wasClipped })
        #expect(second.clipRate == Double(straight.stepsClipped) / 12)
    }

    @Test("A checkpoint without the state is refused, and changes nothing") func foreignCheckpoints() throws {
        let samples = try TrainerTests.samples(10, columns: 18, classes: 5), other = try Self.trainer(.norm(1))
        try other.step(samples, order: Array(0..<10), first: 0, rows: 10)
        let checkpoint = try other.checkpoint()
        for (clipping, what) in [
            ([.percentile(10)], "c: tensor 'clip.percentile', the norms of clipping by percentile, is missing or not what it should be"),
            ([.zscore()], "c: its metadata lack 'clip_zscore', the statistics of clipping by zscore"),
        ] as [(Clipping, String)] {
            let trainer = try Self.trainer(clipping), before = try trainer.checkpoint()
            #expect(throws: FathomError.invalid(what)) { try trainer.restore(checkpoint, name: "c") }
            #expect(try trainer.checkpoint().serialized() == before.serialized())
        }
        try Self.trainer([.adaptive(1)]).restore(checkpoint, name: "c")
    }

    @Test("A step allocates nothing", arguments: [[.adaptive(0.02), .norm(0.25)], [.percentile(10)], [.zscore(warmup: 5), .value(0.02), .percentile(10, window: 8)]] as [Clipping])
    func allocations(clipping: Clipping) throws {
        try #require(allocations_are_counted())
        let samples = try TrainerTests.samples(40, columns: 18, classes: 5), order = Array(UInt32(0)..<40), trainer = try Self.trainer(clipping)
        for _ in 0..<10 { try trainer.step(samples, order: order, first: 0, rows: 40) }
        let before = allocations_of_this_thread()
        for _ in 0..<100 { try trainer.step(samples, order: order, first: 0, rows: 40) }
        #expect(allocations_of_this_thread() - before == 0)
    }

    @Test("A step that is not finite leaves clipping's state as it was", arguments: [[.percentile(30)], [.zscore(warmup: 2), .adaptive(0.01)]] as [Clipping])
    func notFinite(clipping: Clipping) throws {
        let trainer = try Trainer(
            Network("linear(3) relu linear(1)"), inputs: 2, loss: .meanSquaredError, optimizer: .adam(learningRate: 0.1), clipping: clipping, seed: 1)
        for target in [3, 4, 1e4] as [Float] { try trainer.step(inputs: [1, 2], targets: [target]) }
        let before = try trainer.checkpoint().serialized()
        for bad in [Float.nan, .infinity, 3e38] { #expect(throws: FathomError.self) { try trainer.step(inputs: [bad, 1], targets: [1]) } }
        #expect(try trainer.checkpoint().serialized() == before)
        try trainer.step(inputs: [1, 2], targets: [3])
    }

    /// h_t = x_t + 2h_{t−1} from 0 on x = 1, 2, 3 gives 1, 4, 11. The loss's gradient at h_3 is 4, and clipped to 1 it comes to h_2 and h_1 as 2.
    @Test("Clipping of time steps, to the bit") func timeNorm() throws {
        let tensors = [("1.weight_ih_l0", 1), ("1.weight_hh_l0", 2), ("3.weight", 1)].map { SafeTensors.Tensor(name: $0, shape: [1, 1], values: [$1]) }
        let network = "sequence(3) rnn(1, identity, bias: false) last linear(1, bias: false)"
        let model = try Model(SafeTensors(metadata: ["network": network, "inputs": "3"], tensors: tensors), name: "model")
        // 4·3 + 8·2 + 16·1 and 4·4 + 8·1 without; 3 + 2 + 1 and 4 + 1 with.
        let cases: [(Clipping, [Double])] = [(.none, [44, 24, 44]), ([.timeNorm(1)], [6, 5, 44]), ([.timeNorm(16)], [44, 24, 44])]
        for (clipping, gradients) in cases {
            let trainer = try Trainer(model, loss: .meanSquaredError, optimizer: .sgd(learningRate: 1), clipping: clipping)
            let step = try trainer.step(inputs: [1, 2, 3], targets: [9])
            #expect(try trainer.lastGradients().map { Double($0.values[0]) } == gradients)
            #expect(!step.wasClipped && step.clipCoefficient == 1 && trainer.clipRate == nil)
        }
        #expect(throws: FathomError.self) { try Self.trainer([.timeNorm(1)]) }
    }

    @Test("Time steps that need no clipping keep their bits", arguments: ["rnn(9, tanh)", "lstm(9)", "gru(9)"])
    func idleTimeNorm(cell: String) throws {
        let samples = try TrainerTests.samples(40, columns: 18, classes: 5), order = Array(UInt32(0)..<40)
        let gradients = try ([.none, [.timeNorm(1e6)], [.timeNorm(1e-3)]] as [Clipping]).map { clipping in
            let trainer = try Trainer(
                Network("sequence(6) \(cell) \(cell) last linear(5)"), inputs: 18, loss: .crossEntropy, optimizer: .sgd(learningRate: 1), clipping: clipping, seed: 2)
            try trainer.step(samples, order: order, first: 0, rows: 40)
            return try trainer.lastGradients()
        }
        #expect(gradients[0] == gradients[1] && gradients[0] != gradients[2])
    }

    @Test("The clip rate is the share of steps that were clipped") func clipRate() throws {
        let trainer = try Trainer(
            Network("linear(1, bias: false)"), inputs: 1, loss: .meanSquaredError, optimizer: .sgd(learningRate: 1e-6), clipping: .norm(1), initializer: .zeros)
        #expect(trainer.clipRate == nil)
        for target in [0.1, 100, 0.1, 0.1] as [Float] { try trainer.step(inputs: [1], targets: [target]) }
        #expect(trainer.clipRate == 0.25 && trainer.stepsClipped == 1)
        #expect(try Self.trainer(.none).clipRate == nil)
    }
}
