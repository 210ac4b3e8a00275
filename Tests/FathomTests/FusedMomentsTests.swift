import CKernels
@testable import Fathom
import Testing

/// Who reads a signal anyway gathers its moments on its way: the backward pass through an activation whose slope is computed from its output, batch normalization
/// those of its input, the loss those of the network's output.
@Suite struct FusedMomentsTests {
    @Test(arguments: [
        ("[linear(8) batchnorm relu] * 2 linear(3)", Trainer.Instruments.summary, (alone: 0, ofX: 2, byLoss: 1)),
        ("linear(8) residual[batchnorm relu linear(8)] batchnorm linear(3)", .summary, (alone: 2, ofX: 1, byLoss: 1)),
        ("linear(8) layernorm relu linear(3)", .summary, (alone: 1, ofX: 0, byLoss: 1)),
        ("linear(8) relu linear(3) dropout(0)", .summary, (alone: 0, ofX: 0, byLoss: 1)),
        ("linear(8) relu linear(3) dropout(0.5)", .summary, (alone: 1, ofX: 0, byLoss: 0)),
        ("linear(8) relu linear(64)", .summary, (alone: 0, ofX: 0, byLoss: 1)),
        ("linear(8) relu linear(65)", .summary, (alone: 1, ofX: 0, byLoss: 0)),
        ("linear(3) residual[linear(3)]", .summary, (alone: 2, ofX: 0, byLoss: 0)),
        ("[linear(8) tanh] * 2 linear(8) gelu linear(3) sigmoid", .summary, (alone: 1, ofX: 0, byLoss: 0)),
        ("sequence(1) rnn(6, tanh) lstm(6) last linear(3)", .summary, (alone: 1, ofX: 0, byLoss: 1)),
        ("sequence(1) lstm(3) last", .summary, (alone: 1, ofX: 0, byLoss: 0)),
        // Between a layer and the next its exponents are counted.
        ("[linear(8) batchnorm relu] * 2 linear(3)", .full, (alone: 2, ofX: 0, byLoss: 1)),
        ("[linear(8) batchnorm relu] * 2 linear(3)", .none, (alone: 0, ofX: 0, byLoss: 0)),
    ])
    func areGathered(network: String, instruments: Trainer.Instruments, expected: (alone: Int, ofX: Int, byLoss: Int)) throws {
        let trainer = try Self.trained(network, instruments)
        let calls = trainer.runner.plans[0].plan.calls, normalizations = calls.filter { $0.operation == FATHOM_BATCHNORM_FORWARD }
        #expect(calls.filter { $0.operation == FATHOM_MOMENTS }.count == expected.alone)
        #expect(normalizations.filter { $0.arguments.batchnorm_forward.x_moments != nil }.count == expected.ofX)
        #expect(calls.filter { $0.isLoss && $0.arguments.loss.blocks.sums != nil }.count == expected.byLoss)
    }

    /// In `full` a call of their own gathers those of the input.
    @Test(arguments: [
        "[linear(8) batchnorm relu] * 2 linear(3)", "linear(17) gelu batchnorm tanh linear(33) batchnorm linear(3)", "[linear(4) batchnorm relu] * 6 linear(3)",
        "sequence(1) rnn(6, tanh) last batchnorm linear(3)", "sequence(5) linear(4) batchnorm gru(6) last linear(3)",
    ], [(Recompute.none, 1), (.sqrt, 1), (.none, 3)])
    func areThoseOfACallOfTheirOwn(network: String, way: (recompute: Recompute, passes: Int)) throws {
        let layers = try Self.trained(network, .summary, way.recompute, passes: way.passes).layers
        #expect(layers == (try Self.trained(network, .full, way.recompute, passes: way.passes).layers))
        #expect(layers.allSatisfy { ($0.activationStd ?? 0) > 0 })
    }

    private static func trained(_ network: String, _ instruments: Trainer.Instruments, _ recompute: Recompute = .none, passes: Int = 1) throws -> Trainer {
        let trainer = try Trainer(
            Network(network), inputs: 5, loss: .crossEntropy, optimizer: .sgd(learningRate: 0.1), recompute: recompute, passes: passes, instruments: instruments, seed: 1)
        _ = try trainer.step(TrainerTests.samples(20, columns: 5, classes: 3), order: Array(0..<20), first: 0, rows: 20)
        return trainer
    }
}
