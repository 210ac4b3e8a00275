import Fathom
import Foundation
import Testing

/// A trainer and a batch for it.
private struct Course {
    let trainer: Trainer
    let samples: Samples
    let order: [UInt32]

    init(_ notation: String, inputs: Int, rows: Int, optimizer: Optimizer = .adamW(learningRate: 0.01), recompute: Recompute = .none, passes: Int = 1,
         instruments: Trainer.Instruments = .none) throws {
        let network = try Network(notation)
        trainer = try Trainer(
            network, inputs: inputs, loss: .crossEntropy, optimizer: optimizer, clipping: .norm(1), recompute: recompute, passes: passes, instruments: instruments, seed: 3,
            threads: 2)
        let features = (0..<rows * inputs).map { Float(($0 * 7919) % 1013) / 507 - 1 }
        samples = try Samples(columns: inputs, features: .floats(features), targets: .classes((0..<Int32(rows)).map { $0 % 3 }))
        order = (0..<UInt32(rows)).map { ($0 * 5) % UInt32(rows) }
        try trainer.check(samples)
    }

    var rows: Int { samples.count }
    func timed() throws -> StepTimes { try trainer.timedStep(samples, order: order, first: 0, rows: rows) }
}

@Suite struct StepTimesTests {
    /// Forward 2·rows·in·out; as much for the gradient of the weights, and of the input but for the first layer.
    @Test func everyProductIsCountedWhereItBelongs() throws {
        let times = try Course("linear(20) tanh linear(17) linear(3)", inputs: 9, rows: 8).timed()
        #expect(times.layers.map(\.name) == ["0.linear", "2.linear", "3.linear"])
        let sizes = [(9, 20), (20, 17), (17, 3)].map { 2.0 * 8 * Double($0.0 * $0.1) }
        #expect(times.layers.map(\.forward.productFlops) == sizes)
        #expect(times.layers.map(\.backward.productFlops) == [sizes[0], 2 * sizes[1], 2 * sizes[2]])
        // A bias to each output; 20 for each tanh, 20 for its derivative, which is in the product of the layer after it.
        #expect(times.layers[0].forward.elementwiseFlops == 8 * 20 * 21)
        #expect(times.layers[1].backward.elementwiseFlops == 8 * (20 * 20 + 17))
        #expect(times.layers[0].forward.fusedFlops == 8 * 20 * 21 && times.layers[0].forward.bytes == 0)
        // Parameters and gradients in, parameters out, both of adam's moments in and out; nothing is fused into that.
        let parameters = Double(9 * 32 + 20 * 32 + 17 * 16 + 32 + 32 + 16)
        #expect(times.optimizer.bytes == 28 * parameters && times.optimizer.fusedFlops == 0)
        #expect(times.gather.calls == 2 && times.loss.calls == 2 && times.clipping.calls == 7 && times.optimizer.calls == 2)
        #expect(times.instruments.calls == 0)
        // Moments of the second signal: those of the first are gathered on the way back, those of the output by the loss; the optimizer still passes twice.
        let told = try Course("linear(20) tanh linear(17) linear(3)", inputs: 9, rows: 8, instruments: .summary).timed()
        #expect(told.instruments.calls == 1 && told.loss.calls == 2 && told.optimizer.calls == 2)
    }

    @Test func timesAreOfThisStepAndAddUp() throws {
        let times = try Course("linear(64) residual[layernorm linear(64) relu] linear(3)", inputs: 30, rows: 64).timed()
        #expect(times.layers.map(\.name) == ["0.linear", "1.residual", "1.0.layernorm", "1.1.linear", "2.linear"])
        #expect(times.layers.allSatisfy { $0.forward.seconds > 0 && $0.backward.seconds > 0 })
        #expect([times.gather, times.loss, times.clipping, times.optimizer].allSatisfy { $0.seconds > 0 })
        #expect(times.other > 0 && times.seconds > times.total.seconds)
    }

    @Test func whatIsMadeAgainTakesTimeOfTheBackwardPassAndCountsNoProducts() throws {
        let network = "[linear(16) relu] * 9 linear(3)"
        let once = try Course(network, inputs: 16, rows: 32).timed(), again = try Course(network, inputs: 16, rows: 32, recompute: .sqrt).timed()
        #expect(again.total.productFlops == once.total.productFlops)
        #expect(again.total.calls > once.total.calls)
        #expect(again.layers.map(\.forward.calls) == once.layers.map(\.forward.calls))
    }

    @Test func aBatchInPassesIsTimedAsAWhole() throws {
        let network = "linear(16) dropout(0.5) linear(3)"
        let whole = try Course(network, inputs: 16, rows: 32).timed(), passes = try Course(network, inputs: 16, rows: 32, passes: 4).timed()
        #expect(passes.layers.map(\.name) == ["0.linear", "1.dropout", "2.linear"])
        #expect(passes.total.productFlops == whole.total.productFlops)
        #expect(passes.layers.map(\.forward.calls) == whole.layers.map { 4 * $0.forward.calls })
    }

    @Test(arguments: [1, 4]) func aTimedStepHasTheBitsOfAStep(passes: Int) throws {
        let plain = try Course("[linear(33) tanh] * 3 linear(3)", inputs: 9, rows: 20, passes: passes)
        let timed = try Course("[linear(33) tanh] * 3 linear(3)", inputs: 9, rows: 20, passes: passes)
        for _ in 0..<3 {
            try plain.trainer.step(plain.samples, order: plain.order, first: 0, rows: plain.rows)
            _ = try timed.timed()
        }
        #expect(try plain.trainer.model.parameters().map(\.values) == timed.trainer.model.parameters().map(\.values))
        #expect(timed.trainer.stepsTaken == 3)
    }
}
