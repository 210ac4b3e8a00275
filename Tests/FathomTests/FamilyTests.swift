import Fathom
import Foundation
import Testing

/// Networks with an inside, with memory and with time: what holds for all of them. Their gradients are held against float64 in GradientTests.
@Suite struct FamilyTests {
    static let networks = [
        "[linear(24) tanh] * 8 linear(2)",
        "linear(20) residual[layernorm linear(40) relu linear(20)] * 3 layernorm linear(2)",
        "[linear(20) batchnorm relu dropout(0.2)] * 4 linear(2)",
        "residual(rezero)[linear(17) gelu] residual(scale: 1/sqrt(depth))[rmsnorm silu linear(9)] linear(2)",
        "sequence(6) rnn(19, tanh) last linear(2)",
        "sequence(6) linear(5) lstm(17) dropout(0.1) gru(20, truncate: 2) mean linear(2)",
    ]
    static let inputs = 12, rows = 37

    static func trainer(_ notation: String, recompute: Recompute = .none, threads: Int = 1) throws -> Trainer {
        try Trainer(
            Network(notation), inputs: inputs, loss: .meanSquaredError, optimizer: .adamW(learningRate: 0.01), clipping: Clipping("norm(1.0)"),
            recompute: recompute, seed: 5, threads: threads)
    }

    static let x = normals(rows * inputs, seed: 3), y = normals(rows * 2, seed: 4)

    static func bits(_ trainer: Trainer, steps: Int) throws -> [[UInt32]] {
        for _ in 0..<steps { try trainer.step(inputs: x, targets: y) }
        return try trainer.checkpoint().tensors.map { $0.values.map(\.bitPattern) }
    }

    @Test(arguments: networks) func threadsChangeNoBit(_ notation: String) throws {
        let one = try Self.bits(Self.trainer(notation), steps: 3)
        for threads in [2, 3] { #expect(try Self.bits(Self.trainer(notation, threads: threads), steps: 3) == one) }
    }

    /// Enough rows for the calls of all time steps to be one chain; in the last they are none.
    @Test(arguments: [
        ("sequence(20) rnn(40, tanh) rnn(24, relu, truncate: 3) last linear(2)", "norm(1.0)"),
        ("sequence(20) lstm(40) gru(24) mean linear(2)", "time-norm(0.01) norm(1.0)"),
        ("sequence(20) lstm(24, bias: false, truncate: 4) gru(40) last linear(2)", "norm(1.0)"),
        ("sequence(2) lstm(256) gru(256) last linear(2)", "norm(1.0)"),
    ])
    func threadsChangeNoBitOfStates(_ notation: String, clipping: String) throws {
        let rows = 90, inputs = 40, x = normals(rows * inputs, seed: 3), y = normals(rows * 2, seed: 4)
        func bits(threads: Int) throws -> [[UInt32]] {
            let trainer = try Trainer(
                Network(notation), inputs: inputs, loss: .meanSquaredError, optimizer: .adamW(learningRate: 0.01), clipping: Clipping(clipping), seed: 5,
                threads: threads)
            for _ in 0..<3 { try trainer.step(inputs: x, targets: y) }
            return try trainer.checkpoint().tensors.map { $0.values.map(\.bitPattern) }
        }
        let one = try bits(threads: 1)
        for threads in [2, 3, 4] {
            let isSame = try bits(threads: threads) == one
            #expect(isSame, "\(threads) threads")
        }
    }

    /// Cut after as many steps as there are, a layer adds to the zeros of the steps before the last; uncut, to nothing.
    @Test(arguments: ["rnn(19, tanh)", "lstm(17)"]) func aGradientOfTheLastStepAloneIsZeroAtTheOthers(_ layer: String) throws {
        let cut = layer.dropLast() + ", truncate: 6)"
        for first in ["", "rnn(9, relu) "] {
            let short = try Self.bits(Self.trainer("sequence(6) \(first)\(layer) last linear(2)"), steps: 3)
            #expect(try Self.bits(Self.trainer("sequence(6) \(first)\(cut) last linear(2)"), steps: 3) == short)
        }
    }

    @Test(arguments: networks) func whatIsMadeAgainChangesNoBit(_ notation: String) throws {
        #expect(try Self.bits(Self.trainer(notation, recompute: .sqrt), steps: 3) == Self.bits(Self.trainer(notation), steps: 3))
    }

    @Test(arguments: networks) func aCheckpointGoesOnBitForBit(_ notation: String) throws {
        let whole = try Self.trainer(notation), first = try Self.trainer(notation), second = try Self.trainer(notation)
        let through = try Self.bits(whole, steps: 5)
        _ = try Self.bits(first, steps: 2)
        try second.restore(SafeTensors(first.checkpoint().serialized(), name: "checkpoint"), name: "checkpoint")
        #expect(try Self.bits(second, steps: 3) == through)
    }

    @Test(arguments: networks) func aModelFilePredictsTheSame(_ notation: String) throws {
        let trainer = try Self.trainer(notation)
        _ = try Self.bits(trainer, steps: 4)
        let model = try trainer.model
        let again = try Model(SafeTensors(model.safeTensors().serialized(), name: "model"), name: "model")
        #expect(try again.predict(Self.x) == model.predict(Self.x))
        // Row by row too: nothing that predicts looks at other rows.
        let rows = try (0..<3).flatMap { try model.predict(Array(Self.x[$0 * Self.inputs..<($0 + 1) * Self.inputs])) }
        #expect(try Array(model.predict(Self.x)[0..<6]) == rows)
    }

    @Test func statisticsOfTheBatchMoveTheRunningOnes() throws {
        let trainer = try Trainer(
            Network("batchnorm(momentum: 0.25) linear(2)"), inputs: Self.inputs, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0.1))
        try trainer.step(inputs: Self.x, targets: Self.y)
        let state = try trainer.model.parameters(), mean = try #require(state.first { $0.name == "0.running_mean" })
        let variance = try #require(state.first { $0.name == "0.running_var" })
        for c in 0..<Self.inputs {
            let column = (0..<Self.rows).map { Double(Self.x[$0 * Self.inputs + c]) }
            let average = column.reduce(0, +) / Double(Self.rows)
            let spread = column.reduce(0) { $0 + ($1 - average) * ($1 - average) } / Double(Self.rows - 1)
            // A quarter of the way from 0 and from 1; a few roundings of 6e-8.
            #expect(abs(Double(mean.values[c]) - 0.25 * average) < 1e-6)
            #expect(abs(Double(variance.values[c]) - (0.75 + 0.25 * spread)) < 1e-6)
        }
    }

    @Test func aStepThatIsNotFiniteMovesNoStatistics() throws {
        let trainer = try Trainer(Network("batchnorm linear(2)"), inputs: Self.inputs, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0.1))
        let before = try trainer.model.parameters()
        var x = Self.x
        x[5] = .infinity
        #expect(throws: FathomError.self) { try trainer.step(inputs: x, targets: Self.y) }
        #expect(try trainer.model.parameters() == before)
    }

    /// Signals that a plan keeps: all L of them, or the borders of √L segments and the inside of one or two. Of 1,024 layers of equal width, with gradients and
    /// the transposed weights on top, between 32 and 4 · 32.
    @Test func memoryGrowsWithTheRootOfTheDepth() throws {
        func bytes(_ depth: Int, _ recompute: Recompute) throws -> Int {
            let network = try Network("[linear(16) tanh] * \(depth) linear(1)"), rows = 4096
            func total(_ rows: Int) throws -> Int {
                try trainingMemory(
                    network, inputs: 16, outputs: 1, loss: .meanSquaredError, optimizer: .sgd(learningRate: 1), batch: rows, recompute: recompute, instruments: .none)
            }
            return try total(rows) - total(1)
        }
        let signal = 4096 * 16 * 4
        let kept = try bytes(1024, .none) / signal, made = try bytes(1024, .sqrt) / signal
        #expect(kept >= 1024 && kept < 1040)
        #expect(made >= 64 && made < 4 * 32)
    }

    @Test func positionsOfAnInsideAreNumberedBelowIt() throws {
        let network = try Network("linear(8) residual(skipinit)[layernorm residual[linear(8)] linear(6) relu] linear(2)")
        #expect(network.places.map(\.name) == [
            "0.linear", "1.residual", "1.0.layernorm", "1.1.residual", "1.1.0.linear", "1.2.linear", "1.3.relu", "2.linear",
        ])
        let model = try Model(network, inputs: 3)
        #expect(try model.parameters().map(\.name) == [
            "0.weight", "0.bias", "1.projection.weight", "1.scale", "1.0.weight", "1.0.bias", "1.1.0.weight", "1.1.0.bias", "1.2.weight", "1.2.bias",
            "2.weight", "2.bias",
        ])
        #expect(model.summary.map(\.outputs) == [8, 6, 8, 8, 8, 6, 6, 2])
        #expect(model.parameterCount == 32 + 48 + 1 + 16 + 72 + 54 + 14)
    }

    @Test func lengthsThatDoNotFitAreToldByTheirLayer() throws {
        func message(_ notation: String, inputs: Int) -> String? {
            do { _ = try Network(notation).resolved(inputs: inputs, outputs: nil) } catch { return "\(error)" }
            return nil
        }
        #expect(message("sequence(5) rnn(4) last", inputs: 12)
            == "layer 0, sequence(5): 12 columns are no whole number of 5 steps; the steps must divide them")
    }
}
