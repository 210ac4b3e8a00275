import AllocationCounter
@testable import Fathom
import Foundation
import Testing

/// What is held at once, and what is shared.
@Suite struct MemoryTests {
    /// The largest tensor is 256 KiB, and a checkpoint with the best model has 96 of them; beside a tensor and its transpose there are a header and its entries.
    @Test func aCheckpointIsWrittenAndReadTensorByTensor() throws {
        try #require(allocations_are_counted())
        let url = FileManager.default.temporaryDirectory.appending(path: "fathom-\(UUID())")
        defer { try? FileManager.default.removeItem(at: url) }
        func trainer(seed: UInt64) throws -> Trainer {
            try Trainer(Network("[linear(256) relu] * 24 linear(4)"), inputs: 256, loss: .meanSquaredError, optimizer: .adamW(learningRate: 0.001), ema: 0.9, seed: seed, threads: 1)
        }
        let first = try trainer(seed: 1), second = try trainer(seed: 2), largest: Int64 = 256 * 256 * 4
        try first.step(inputs: normals(8 * 256, seed: 1), targets: normals(8 * 4, seed: 2))
        func most(_ body: () throws -> Void) rethrows -> Int64 {
            begin_counting_bytes()
            try body()
            return most_bytes_of_this_thread()
        }
        #expect(try most { try first.checkpointFile().write(to: url) } < 6 * largest)
        #expect(try most { try second.restore(SafeTensorsFile(contentsOf: url), name: "c") } < 6 * largest)
        #expect(try first.checkpoint().serialized() == second.checkpoint().serialized())
        // All of it at once is what the counter would see.
        #expect(try most { _ = try first.checkpoint() } > 96 * largest)
    }

    /// A trainer that sees batches of several sizes runs them in one memory; trainers that see one batch each have each their own.
    @Test(arguments: [
        "[linear(20) gelu layernorm dropout(0.2)] * 3 linear(3)", "[linear(20) batchnorm relu] * 2 residual(skipinit)[linear(20) tanh] linear(3)",
        "sequence(4) rnn(10) lstm(9) gru(8) last linear(3)",
    ], [1, 3])
    func plansOfSeveralSizesShareTheirMemory(_ network: String, passes: Int) throws {
        func trainer() throws -> Trainer {
            try Trainer(
                Network(network), inputs: 12, loss: .meanSquaredError, optimizer: .adamW(learningRate: 0.01), clipping: .norm(1), recompute: .sqrt, passes: passes, seed: 3,
                threads: 2)
        }
        let one = try trainer()
        for (i, rows) in [70, 33, 70, 17, 33, 70, 3].enumerated() {
            let fresh = try trainer(), x = normals(rows * 12, seed: UInt64(i)), y = normals(rows * 3, seed: UInt64(100 + i))
            try fresh.restore(one.checkpointFile(), name: "c")
            #expect(try fresh.step(inputs: x, targets: y) == one.step(inputs: x, targets: y))
            #expect(try fresh.checkpoint().serialized() == one.checkpoint().serialized())
        }
    }

    @Test func theModelIsJudgedWithoutASnapshotAsWithOne() throws {
        for ema in [nil, 0.9] {
            let trainer = try Trainer(
                Network("linear(8) batchnorm relu linear(3)"), inputs: 4, loss: .crossEntropy, optimizer: .sgd(learningRate: 0.1), ema: ema, threads: 2)
            for step in 0..<3 { try trainer.step(inputs: normals(40, seed: UInt64(step)), classes: (0..<10).map { $0 % 3 }) }
            let samples = try Samples(columns: 4, features: .floats(normals(1200, seed: 9)), targets: .classes((0..<300).map { $0 % 3 }))
            let model = try trainer.averagedModel ?? trainer.model
            #expect(try trainer.evaluate(samples) == model.evaluate(samples, loss: .crossEntropy))
            #expect(try SafeTensors(trainer.modelFile()).serialized() == model.safeTensors().serialized())
            // What is learned is averaged, what is remembered of batches is as it is now.
            for (kept, now) in try zip(model.parameters(), trainer.model.parameters()) { #expect((kept == now) == (ema == nil || kept.name.contains("running"))) }
        }
    }

    /// What is told to whoever starts a training is what is then had, byte for byte: whatever memory can be reached from its trainer.
    @Test(arguments: [
        "[linear(40) tanh] * 3 residual[layernorm linear(40) relu] linear(3)", "linear(33) batchnorm relu dropout(0.2) residual(rezero)[linear(33)] linear(3)",
        "sequence(4) lstm(9) rnn(10) last linear(3)",
    ], [Trainer.Instruments.none, .summary, .full])
    func trainingTakesWhatIsEstimated(_ network: String, _ instruments: Trainer.Instruments) throws {
        for least in [1, Int.max] { try DeferredUpdate.$least.withValue(least) { try Self.expectEstimate(network, instruments) } }
    }

    private static func expectEstimate(_ network: String, _ instruments: Trainer.Instruments) throws {
        for (recompute, passes, ema, clip) in [(Recompute.none, 1, nil, "none"), (.sqrt, 3, 0.9, "norm(1)"), (.none, 2, nil, "value(1) adaptive(0.01) norm(1)")] {
            let network = try Network(network), optimizer = Optimizer.adamW(learningRate: 0.01), clipping = try Clipping(clip), rows = 70
            let estimate = try trainingMemory(
                network, inputs: 12, outputs: 3, loss: .meanSquaredError, optimizer: optimizer, batch: rows, recompute: recompute, passes: passes, ema: ema, instruments: instruments)
            let trainer = try Trainer(
                network, inputs: 12, outputs: 3, loss: .meanSquaredError, optimizer: optimizer, clipping: clipping, recompute: recompute, passes: passes, ema: ema, instruments: instruments)
            try trainer.step(inputs: normals(rows * 12, seed: 1), targets: normals(rows * 3, seed: 2))
            var seen: Set<ObjectIdentifier> = []
            let had = Self.memory(in: trainer, &seen)
            #expect(estimate == had, "\(had - estimate) more")
        }
    }

    /// Bytes of every `Memory` that a value holds, each once.
    private static func memory(in value: Any, _ seen: inout Set<ObjectIdentifier>) -> Int {
        if value is [Call] { return 0 }
        if let memory = value as? Memory { return seen.insert(ObjectIdentifier(memory)).inserted ? memory.byteCount : 0 }
        let mirror = Mirror(reflecting: value)
        if mirror.displayStyle == .class, !seen.insert(ObjectIdentifier(value as AnyObject)).inserted { return 0 }
        return mirror.children.reduce(0) { $0 + memory(in: $1.value, &seen) }
    }

    @Test func theBestModelCounts() throws {
        let network = try Network("linear(32) linear(16)")
        func bytes(_ keepsBest: Bool) throws -> Int {
            try trainingMemory(
                network, inputs: 16, outputs: nil, loss: .meanSquaredError, optimizer: .adam(learningRate: 1), batch: 8, keepsBest: keepsBest)
        }
        // Weights of 16·32 and 32·16, biases of 32 and 16: no padding.
        #expect(try bytes(true) - bytes(false) == 4 * (2 * 16 * 32 + 32 + 16))
    }
}
