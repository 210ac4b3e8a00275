@testable import Fathom
import Testing

/// Totals of what a step gathered are made when somebody asks, and are the same whenever that is.
@Suite struct LayerTotalsTests {
    private struct Told: Equatable {
        let layers: [LayerStatistics]
        let branches: [BranchRatio]

        init(_ trainer: Trainer) { (layers, branches) = (trainer.layers, trainer.branchRatios) }
    }

    static let network = "linear(40) tanh residual(skipinit, start: 0.5)[layernorm linear(19) relu linear(40)] linear(18) gelu batchnorm linear(3)"
    /// More sizes of batches than there are plans kept.
    static let sizes = [20, 7, 13, 20, 64, 7, 50]

    /// Steps on batches of these sizes, one after another, and what was asked for on the way.
    private func taken(_ sizes: [Int], passes: Int, instruments: Trainer.Instruments, asking: (Trainer, Int) -> Void = { _, _ in }) throws -> Trainer {
        let samples = try TrainerTests.samples(64, columns: 5, classes: 3)
        let trainer = try Trainer(
            Network(Self.network), inputs: 5, loss: .crossEntropy, optimizer: .adam(learningRate: 0.01), clipping: .norm(1), passes: passes, instruments: instruments, seed: 1)
        for (i, rows) in sizes.enumerated() {
            _ = try trainer.step(samples, order: Array(0..<64), first: 0, rows: rows)
            asking(trainer, i)
        }
        return trainer
    }

    @Test(arguments: [Trainer.Instruments.summary, .full], [(1, false), (1, true), (3, false)])
    func areTheSameWheneverTheyAreAskedFor(instruments: Trainer.Instruments, way: (passes: Int, deferring: Bool)) throws {
        try DeferredUpdate.$least.withValue(way.deferring ? 1 : .max) {
            var told: [Told] = []
            _ = try taken(Self.sizes, passes: way.passes, instruments: instruments) { trainer, _ in told.append(Told(trainer)) }
            #expect(Set(told.map { $0.layers[0].signalGradientNorm }).count == Self.sizes.count)
            for count in 1...Self.sizes.count {
                let trainer = try taken(Array(Self.sizes.prefix(count)), passes: way.passes, instruments: instruments)
                #expect(Told(trainer) == told[count - 1])
                // Asked again, and with other work in between.
                _ = try trainer.evaluate(TrainerTests.samples(30, columns: 5, classes: 3))
                #expect(Told(trainer) == told[count - 1])
            }
        }
    }

    /// Layers before a step's update, with what the update has changed once the next step has made it.
    @Test func anUpdateTellsOfItsStepAfterTheNext() throws {
        try DeferredUpdate.$least.withValue(1) {
            var told: [Told] = [], before: [[LayerStatistics]] = [], completed: [[LayerStatistics]] = []
            _ = try taken(Self.sizes, passes: 1, instruments: .summary) { trainer, _ in told.append(Told(trainer)) }
            _ = try taken(Self.sizes, passes: 1, instruments: .summary) { trainer, i in
                if i > 0 { completed.append(trainer.withChanges(before[i - 1])) }
                before.append(trainer.layersBeforeUpdate)
            }
            #expect(completed == told.dropLast().map(\.layers))
        }
    }

    /// Those of a step that is not finite are its own, though it is taken again in search of the first such value.
    @Test(arguments: [1, 2]) func ofAStepThatIsNotFinite(passes: Int) throws {
        let trainer = try Trainer(
            Network("linear(3, init: identity) relu linear(2, init: identity)"), inputs: 2, loss: .meanSquaredError, optimizer: .sgd(learningRate: 1e-30), passes: passes)
        try trainer.step(inputs: [1, 2, 3, 4], targets: [0, 0, 0, 0])
        let ordinary = trainer.layers
        #expect(throws: FathomError.self) { try trainer.step(inputs: [1, 2, 3, .infinity], targets: [0, 0, 0, 0]) }
        let layers = trainer.layers
        #expect(layers[0].nonfinite > 0 && layers[0].activationMean?.isFinite == false && layers[0].weightNorm == nil)
        #expect("\(layers)" == "\(trainer.layers)")  // NaN is not NaN
        try trainer.step(inputs: [1, 2, 3, 4], targets: [0, 0, 0, 0])
        #expect(trainer.layers == ordinary)
    }
}
