import Fathom
import FathomData
import FathomStability
import Foundation
import Testing

/// Whether what is ranked first also trains best. Minutes: FATHOM_FULL_TESTS=1.
@Suite("Advice, trained", .serialized, .enabled(if: runsFullSizes)) struct AdviceTrainingTests {
    static let sick = [
        "[linear(64) sigmoid] * 64 linear(10)",
        "[linear(64, init: normal(0.01)) relu] * 100 linear(10)",
        "[linear(64) batchnorm relu] * 50 linear(10)",
        "[linear(64, init: gaussian(3)) tanh] * 50 linear(10)",
        "[linear(64, init: torch) tanh] * 64 linear(10)",
        "[linear(64, init: gaussian(0.5)) hardtanh] * 50 linear(10)",
        "[linear(64, init: torch) relu] * 40 linear(10)",
        "[linear(64, init: normal(0.01)) gelu] * 40 linear(10)",
        "linear(64) [linear(64, init: gaussian(2)) selu] * 50 linear(10)",
        "[linear(64, init: gaussian(1)) softplus] * 40 linear(10)",
    ]

    /// Accuracy on held-out digits after 300 steps.
    static func accuracy(_ network: Network, _ training: Samples, _ test: Samples, _ details: Model.Details) throws -> Double {
        let model = try Model(network, inputs: 64, outputs: 10, seed: 3, details: details)
        let trainer = try Trainer(model, loss: .crossEntropy, optimizer: .adamW(learningRate: 1e-3), clipping: .norm(1), seed: 3)
        do {
            for step in 0..<300 {
                let order = shuffledOrder(count: training.count, seed: 3, epoch: step / 11 + 1), first = step % 11 * 128
                try trainer.step(training, order: order, first: first, rows: 128)
            }
        } catch let error as FathomError {
            if case .notFinite = error { return 0 }
            throw error
        }
        return try trainer.model.evaluate(test, loss: .crossEntropy).accuracy ?? 0
    }

    @Test("The first-ranked cure trains within 2 points of the best, on 9 of 10") func ranked() throws {
        let all = try Dataset("digits").training, training = all.selecting(0..<1500), test = all.selecting(1500..<all.count)
        let details = Model.Details(inputStandardization: try Standardization.measured(training, .global))
        var near = 0
        for notation in Self.sick {
            let network = try Network(notation)
            let advice = try Advice.all(for: network, samples: training.selecting(0..<64), outputs: 10, details: details, seed: 3)
            let reached = try advice.map { try Self.accuracy($0.cure.network, training, test, details) }, own = try Self.accuracy(network, training, test, details)
            print("\n\(notation): itself \(own)")
            for (a, accuracy) in zip(advice, reached) {
                print(String(format: "  %.3f  distance %6.2f rms %6.2f largest %6.2f contrast %6.2f  ", accuracy, a.distance, a.logRMS, a.logLargest, a.logContrast)
                    + "\(a.judgement.verdict.rawValue): \(a.cure.change)")
            }
            if (reached.first ?? 0) >= (reached.max() ?? 0) - 0.02 { near += 1 }
        }
        print("first within 2 points of the best: \(near) of \(Self.sick.count)")
        #expect(near >= 9)
    }
}
