@testable import Fathom
import Testing

/// An optimizer's pass goes through the parameters in an order of its own. What it leaves does not depend on that.
@Suite struct OptimizerPassTests {
    /// Tensors that end within a block of 64 rows, that are smaller than one, that are in many parts and in none.
    static let network = "linear(512) relu [linear(80) layernorm tanh] * 3 residual(rezero)[linear(80)] linear(3)"

    @Test(arguments: [1, 2, 3, 8, 64])
    func everyRowIsInOneSegment(parts: Int) throws {
        let layout = try ParameterLayout(Network(Self.network), inputs: 40)
        for decaying in [true, false] {
            let pass = OptimizerPass(layout, decaying: decaying, parts: parts)
            var times = [Int](repeating: 0, count: pass.range.count / 16), end = 0
            for (tensor, _, segment) in pass.segments {
                #expect((segment.first - segment.row_begin) % 64 == 0 && segment.row_begin >= end && segment.row_begin < end + 64)
                let rows = segment.first..<segment.first + segment.row_end - segment.row_begin
                #expect(OptimizerPass.rows(layout.tensors[tensor], layout).contains(rows))
                for row in rows { times[row] += 1 }
                end = segment.row_end
            }
            #expect(times.allSatisfy { $0 == 1 } && end == pass.count)
        }
    }

    /// [40 × 512] and [512 × 80]: the first half of both, then the second.
    @Test func partsAreThoseOfEachTensor() throws {
        let layout = try ParameterLayout(Network("linear(512) linear(80)"), inputs: 40)
        let segments = OptimizerPass(layout, decaying: true, parts: 2).segments.map(\.segment)
        #expect(segments.map(\.first) == [0, 1280, 640, 2560])
        #expect(segments.map { $0.row_end - $0.row_begin } == [640, 1280, 640, 1280])
    }

    /// Where nothing decays, the pass over the rest is the first, and begins where the parameters do.
    @Test func gainsDoNotDecay() throws {
        let values = normals(12 * 20, seed: 5)
        let results = try [0, 0.5].map { decay in
            let trainer = try Trainer(Network("layernorm"), inputs: 20, loss: .meanSquaredError, optimizer: .adamW(learningRate: 0.1, decay: decay))
            for _ in 0..<3 { try trainer.step(inputs: values, targets: values.map { 2 * $0 }) }
            return try trainer.model.parameters().map(\.values)
        }
        #expect(results[0] == results[1])
    }

    @Test(arguments: [Optimizer.adamW(learningRate: 0.01, decay: 0.1), .sgd(learningRate: 0.01, momentum: 0.9), .lion(learningRate: 0.01), .rmsProp(learningRate: 0.01)])
    func itsOrderChangesNoBit(optimizer: Optimizer) throws {
        let samples = try TrainerTests.samples(30, columns: 40, classes: 3)
        let results = try [1, 2, 5].map { parts in
            try Kernels.$threadLimit.withValue(parts) {
                let trainer = try Trainer(Network(Self.network), inputs: 40, loss: .crossEntropy, optimizer: optimizer, clipping: .norm(1), seed: 7)
                for _ in 0..<4 { try trainer.step(samples, order: Array(0..<30), first: 0, rows: 30) }
                return (model: try trainer.model, changes: trainer.layers.map { [$0.weightNorm, $0.updateRatio] })
            }
        }
        for result in results.dropFirst() {
            #expect(try result.model.parameters().map(\.values) == results[0].model.parameters().map(\.values))
            #expect(result.changes == results[0].changes)
        }
    }
}
