import AllocationCounter
@testable import Fathom
import Foundation
import Testing

@Suite struct TrainerTests {
    static func samples(_ count: Int, columns: Int, classes: Int, seed: UInt64 = 4) throws -> Samples {
        let features = normals(count * columns, seed: seed)
        return try Samples(columns: columns, features: .floats(features), targets: .classes((0..<count).map { Int32($0 % classes) }))
    }

    static func trained(_ optimizer: Optimizer, clipping: Clipping = .norm(1), threads: Int, steps: Int = 20) throws -> (Model, [Trainer.Step]) {
        let samples = try samples(300, columns: 37, classes: 5)
        let trainer = try Trainer(
            Network("[linear(90) gelu] * 2 linear(50) tanh linear(5)"), inputs: 37, loss: .crossEntropy, optimizer: optimizer, clipping: clipping, seed: 9,
            threads: threads)
        let order = shuffledOrder(count: 300, seed: 1, epoch: 1)
        let done = try (0..<steps).map { try trainer.step(samples, order: order, first: $0 % 3 * 100, rows: 100 - $0 % 2) }
        return (try trainer.model, done)
    }

    @Test(arguments: [
        Optimizer.sgd(learningRate: 0.1), .sgd(learningRate: 0.1, momentum: 0.9, nesterov: true, decay: 0.01), .adam(learningRate: 0.001),
        .adamW(learningRate: 0.001), .rmsProp(learningRate: 0.001), .rmsProp(learningRate: 0.001, momentum: 0.9), .lion(learningRate: 0.001, decay: 0.1),
    ])
    func threadsChangeNoBit(optimizer: Optimizer) throws {
        let (one, steps) = try Self.trained(optimizer, threads: 1)
        for threads in [2, 3] {
            let (other, otherSteps) = try Self.trained(optimizer, threads: threads)
            #expect(steps == otherSteps)
            #expect(try one.parameters() == other.parameters())
        }
    }

    @Test func trainingLowersTheLoss() throws {
        let (_, steps) = try Self.trained(.adamW(learningRate: 0.001), threads: 2, steps: 200)
        #expect(steps.last!.loss < 0.5 * steps.first!.loss)
    }

    @Test func aStepAllocatesNothing() throws {
        try #require(allocations_are_counted())
        let samples = try Self.samples(300, columns: 37, classes: 5)
        let trainer = try Trainer(
            Network("[linear(90) gelu] * 2 linear(5)"), inputs: 37, loss: .crossEntropy, optimizer: .adamW(learningRate: 0.001), clipping: .value(0.1), threads: 1)
        let order = shuffledOrder(count: 300, seed: 1, epoch: 1)
        // The first of each batch size makes its plan.
        for rows in [128, 44] { try trainer.step(samples, order: order, first: 0, rows: rows) }
        let before = allocations_of_this_thread()
        for i in 0..<100 { try trainer.step(samples, order: order, first: 0, rows: i % 2 == 0 ? 128 : 44) }
        #expect(allocations_of_this_thread() - before == 0)
    }

    @Test func normClippingScalesTheGradientToItsThreshold() throws {
        let (_, free) = try Self.trained(.sgd(learningRate: 0.1), clipping: .none, threads: 1, steps: 1)
        #expect(free[0].clipCoefficient == 1 && free[0].clippedGradientNorm == free[0].gradientNorm)
        let threshold = free[0].gradientNorm / 3
        let (_, clipped) = try Self.trained(.sgd(learningRate: 0.1), clipping: .norm(threshold), threads: 1, steps: 1)
        #expect(clipped[0].gradientNorm == free[0].gradientNorm)
        // The coefficient is a float32.
        #expect(abs(clipped[0].clippedGradientNorm - threshold) <= 1e-6 * threshold)
        #expect(abs(clipped[0].clipCoefficient - 1.0 / 3) <= 1e-6)
    }

    @Test func valueClippingBoundsEveryElement() throws {
        let model = try Model(Network("linear(2)"), inputs: 2, seed: 1)
        let trainer = try Trainer(model, loss: .meanSquaredError, optimizer: .sgd(learningRate: 1), clipping: .value(0.25))
        let before = try model.parameters()
        let step = try trainer.step(inputs: [3, -4], targets: [100, -100])
        let after = try trainer.model.parameters()
        for (a, b) in zip(before, after) { for (x, y) in zip(a.values, b.values) { #expect(abs(abs(x - y) - 0.25) < 1e-6) } }
        // Six elements, each clipped to ±0.25.
        #expect(abs(step.clippedGradientNorm - (6 * 0.0625).squareRoot()) < 1e-9)
        #expect(step.gradientNorm > 100)
    }

    @Test func aStepThatIsNotFiniteLeavesEverythingAsItWas() throws {
        let trainer = try Trainer(
            Network("linear(3) relu linear(1)"), inputs: 2, loss: .meanSquaredError, optimizer: .adam(learningRate: 0.1), seed: 1)
        try trainer.step(inputs: [1, 2], targets: [3])
        let before = try trainer.checkpoint()
        for bad in [Float.nan, .infinity, 3e38] {
            let error = #expect(throws: FathomError.self) { try trainer.step(inputs: [bad, 1], targets: [1]) }
            guard case .notFinite(step: 2, _)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
        #expect(try trainer.checkpoint().tensors == before.tensors)
        #expect(trainer.stepsTaken == 1)
        try trainer.step(inputs: [1, 2], targets: [3])
    }

    @Test(arguments: [
        Optimizer.sgd(learningRate: 0.05, momentum: 0.9), .adamW(learningRate: 0.01), .rmsProp(learningRate: 0.001), .rmsProp(learningRate: 0.001, momentum: 0.9),
        .lion(learningRate: 0.001),
    ])
    func aCheckpointGoesOnBitForBit(optimizer: Optimizer) throws {
        let samples = try Self.samples(64, columns: 6, classes: 3)
        let order = shuffledOrder(count: 64, seed: 0, epoch: 1), network = try Network("linear(20) silu linear(3)")
        func trainer() throws -> Trainer { try Trainer(network, inputs: 6, loss: .crossEntropy, optimizer: optimizer, seed: 5) }
        let straight = try trainer(), first = try trainer(), second = try trainer()
        for i in 0..<10 { try straight.step(samples, order: order, first: i * 6, rows: 6) }
        for i in 0..<4 { try first.step(samples, order: order, first: i * 6, rows: 6) }
        let file = try SafeTensors(first.checkpoint().serialized(), name: "checkpoint")
        try second.restore(file, name: "checkpoint")
        for i in 4..<10 { try second.step(samples, order: order, first: i * 6, rows: 6) }
        #expect(try second.checkpoint().serialized() == straight.checkpoint().serialized())
    }

    @Test func aCheckpointOfAnotherNetworkIsRefused() throws {
        func trainer(_ network: String) throws -> Trainer {
            try Trainer(Network(network), inputs: 2, loss: .meanSquaredError, optimizer: .adam(learningRate: 0.1))
        }
        let other = try trainer("linear(3) linear(1)").checkpoint()
        #expect(throws: FathomError.self) { try trainer("linear(4) linear(1)").restore(other, name: "c") }
        var short = try trainer("linear(4) linear(1)").checkpoint()
        // sgd would find all that it needs in adam's checkpoint; it is another training all the same.
        let sgd = try Trainer(Network("linear(4) linear(1)"), inputs: 2, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0.1))
        #expect(throws: FathomError.invalid("c: it is of the optimizer adam(0.1), not of sgd(0.1)")) { try sgd.restore(short, name: "c") }
        short.tensors.removeLast()
        #expect(throws: FathomError.invalid("c: tensor 'optimizer.second.1.bias' is missing")) { try trainer("linear(4) linear(1)").restore(short, name: "c") }
    }

    @Test func settingsThatCannotBeAreRefused() throws {
        func trainer(_ network: String, _ optimizer: Optimizer, _ clipping: Clipping = .none) throws -> Trainer {
            try Trainer(Network(network), inputs: 2, loss: .meanSquaredError, optimizer: optimizer, clipping: clipping)
        }
        #expect(throws: FathomError.self) { try trainer("linear(1)", .adamW(learningRate: -1)) }
        #expect(throws: FathomError.self) { try trainer("linear(1)", .sgd(learningRate: .nan)) }
        #expect(throws: FathomError.self) { try trainer("linear(1)", .sgd(learningRate: 1), .norm(0)) }
        #expect(throws: FathomError.invalid("the network relu has nothing to train; add linear(outputs)")) { try trainer("relu", .sgd(learningRate: 1)) }
    }

    @Test func targetsThatDoNotFitAreRefused() throws {
        let trainer = try Trainer(Network("linear(3)"), inputs: 2, loss: .crossEntropy, optimizer: .sgd(learningRate: 0.1))
        #expect(throws: FathomError.self) { try trainer.step(inputs: [1, 2], classes: [3]) }
        #expect(throws: FathomError.self) { try trainer.step(inputs: [1, 2], targets: [1, 2, 3]) }
        #expect(throws: FathomError.self) { try trainer.step(inputs: [1, 2, 3], classes: [1]) }
        #expect(throws: FathomError.self) { try trainer.step(inputs: [], classes: []) }
    }

    @Test func lossesAreReportedInTheTargetsOwnUnits() throws {
        var model = try Model(Network("linear(1)"), inputs: 1, initializer: .zeros)
        model.details.targetStandardization = try Standardization(mean: [10], deviation: [4])
        // With zero weights the prediction is the mean, 10; the error 6 in the target's units, 1.5 in the network's.
        for (loss, value, slope) in [(Loss.meanSquaredError, 36.0, 3.0), (.meanAbsoluteError, 6, 1), (.huber(delta: 2), 2 * (6 - 1.0), 0.5), (.huber(delta: 8), 18, 1.5)] {
            let trainer = try Trainer(model, loss: loss, optimizer: .sgd(learningRate: 0.1))
            let step = try trainer.step(inputs: [0], targets: [4])
            #expect(step.loss == value)
            // d/dy of d², of |d|, of δ|d| with δ = 2/4, of ½d².
            #expect(step.gradientNorm == slope)
            #expect(try model.evaluate(Samples(columns: 1, features: .floats([0]), targets: .values([4], width: 1)), loss: loss).loss == value)
        }
        #expect(try model.predict([5]) == [10])
    }
}
